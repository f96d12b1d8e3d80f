import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { isObject } from './config-errors.ts';
import { isProtectiveName } from './protective-names.ts';
import { OPTIONS } from './room-server-config.ts';
import { classesOf, type UncalledMethods } from './uncalled-methods.ts';

/**
 * Searches an app's class for options of the config in places where the room does not read them: fields, static ones too, methods,
 * a static `config`, and a getter `config`, which the field of our class hides (`LIFE-10`).
 *
 * @param server the room
 * @param base the prototype of our own class
 * @param isGiven returns true for an option that the app's config has, too
 */
export function misplacedOptions(
  server: object,
  base: object,
  isGiven: (name: string) => boolean,
): UncalledMethods {
  const found = new Map<string, boolean>();
  const search = (place: string, object: object): void => {
    for (const name of Object.getOwnPropertyNames(object))
      if (Object.hasOwn(OPTIONS, name) && !isGiven(name))
        found.set(place + name, isProtectiveName(name));
  };
  search('', server);
  for (const prototype of classesOf(server, base)) {
    search('', prototype);
    search('static ', prototype.constructor);
    const config: unknown = Reflect.get(prototype.constructor, 'config');
    if (isObject(config)) search('static config.', config);
    const gotten = hiddenConfig(prototype, server);
    if (isObject(gotten)) search('get config().', gotten);
  }
  const errorOf = (areProtective: boolean, consequence: string): UncalledMethods['refusal'] => {
    const names = [...found].filter(([, isProtective]) => isProtective === areProtective);
    if (names.length === 0) return undefined;
    const list = names.map(([name]) => name).join(', ');
    const message = `The class of the room has options outside of its config, where the room does not read them: ${list}. ${consequence}`;
    return new TinyBasePartyKitError('misuse', message);
  };
  return {
    refusal: errorOf(
      true,
      'They may be meant to keep somebody out, so the room lets nobody in: put them into the field config, or rename them.',
    ),
    warning: errorOf(false, 'Put them into the field config, or rename them if they are your own.'),
  };
}

/** Returns the config of a getter; undefined if the class has none, or if it throws. */
function hiddenConfig(prototype: object, server: object): unknown {
  if (!Object.hasOwn(prototype, 'config')) return undefined;
  try {
    return Reflect.get(prototype, 'config', server);
  } catch {
    return undefined;
  }
}
