import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { isAlmost, isWithin } from './is-almost.ts';

/** The hooks that may refuse a change, which nothing but the room calls. */
export const HOOKS = [
  'canSetTable',
  'canDelTable',
  'canSetRow',
  'canDelRow',
  'canSetCell',
  'canDelCell',
  'canSetValue',
  'canDelValue',
] as const;

/** The other methods of a room's class with which an author may keep somebody out. */
export const GUARDS = ['onConnect', 'onRequest', 'onMessage', 'prepareStore'] as const;

/** The static methods of a room's class with which an author may keep somebody out. */
export const STATIC_GUARDS = ['onBeforeConnect', 'onBeforeRequest'] as const;

/** The methods that keep nobody out. */
const OTHERS = [
  'onStart',
  'onClose',
  'onError',
  'onAlarm',
  'getConnectionTags',
  'getInitialStorage',
  'onStorageUpdated',
  'onRoomDeleted',
  'onUserConnected',
  'onUserDisconnected',
  'onRoomMessage',
  'onRoomError',
  'onUnavailableRequest',
] as const;

/** Handlers that let somebody in on other servers. */
const FOREIGN_GUARD = /^onAuth(?:enticate|orize)?$/;

/** All but the hooks that refuse: these tell by themselves that they are no function. */
export const CALLED: readonly string[] = [...GUARDS, ...OTHERS];

const METHODS = [...HOOKS, ...GUARDS, ...OTHERS];

/** A method of an app that nobody calls, and the one that its author may have meant. */
interface Uncalled {
  readonly name: string;
  readonly meant: string;
  /** True if the method may be meant to keep somebody out. */
  readonly isProtective: boolean;
}

/** The errors of the methods that nobody calls, because they have almost the name of one that is called. */
export interface UncalledMethods {
  /** About those that may be meant to keep somebody out: the room must let nobody in (`LIFE-11`). */
  readonly refusal: TinyBasePartyKitError | undefined;
  /** About the others. */
  readonly warning: TinyBasePartyKitError | undefined;
}

/**
 * Searches an app's class for methods that nobody calls: the name is almost that of a method that the room or its host calls, or the
 * method is static and should not be, or the other way round. A method counts only if the class lacks the one that is meant: so an
 * app may have a `canSetCells` that its `canSetCell` uses.
 *
 * @param server the room
 * @param base the prototype of our own class
 * @param isOurs returns true for a method that the room itself has set in a field
 * @param hasGate true if the room has a gate: then it decides who comes in, and a handler such as `onAuth` is the app's own
 */
export function uncalledMethods(
  server: object,
  base: object,
  isOurs: (method: unknown) => boolean,
  hasGate: boolean,
): UncalledMethods {
  const classes = [...classesOf(server, base)];
  const own = new Set([server, ...classes].flatMap((object) => namesIn(object, isOurs)));
  const statics = new Set(classes.flatMap(({ constructor }) => namesIn(constructor, isOurs)));
  const uncalled: Uncalled[] = [
    ...search(own, '', METHODS, own, ''),
    ...search(own, '', STATIC_GUARDS, statics, 'static '),
    ...search(statics, 'static ', STATIC_GUARDS, statics, 'static '),
    ...search(statics, 'static ', [...HOOKS, ...GUARDS], own, ''),
  ];
  for (const name of own)
    if (!hasGate && FOREIGN_GUARD.test(name))
      uncalled.push({ name, meant: 'createAuth', isProtective: true });
  if (!HOOKS.some((hook) => own.has(hook)))
    for (const name of own) {
      const [, what] = /^can[A-Z].*(Table|Row|Cell|Value)s?$/.exec(name) ?? [];
      if (what === undefined || uncalled.some((other) => other.name === name)) continue;
      uncalled.push({ name, meant: `canSet${what}`, isProtective: false });
    }
  return {
    refusal: errorOf(
      uncalled.filter(({ isProtective }) => isProtective),
      'They may be meant to keep somebody out, so the room lets nobody in: correct or remove them.',
    ),
    warning: errorOf(
      uncalled.filter(({ isProtective }) => !isProtective),
      'Correct their names, unless your own code calls them.',
    ),
  };
}

/** Searches for names that are almost a known one, which itself is missing. */
function search(
  names: ReadonlySet<string>,
  kind: string,
  known: readonly string[],
  present: ReadonlySet<string>,
  knownKind: string,
): readonly Uncalled[] {
  const found: Uncalled[] = [];
  for (const name of names) {
    // One of the methods that are called.
    if (kind === knownKind && known.includes(name)) continue;
    const letters = name.toLowerCase().replace(/^can(?:delete|remove)/, 'candel');
    const meant = known.find(
      (candidate) => isAlmost(letters, candidate.toLowerCase()) && !present.has(candidate),
    );
    if (meant === undefined) continue;
    // With two wrong letters, a method may well be the app's own: `beforeRequest`, `prepareStorage`. A static one is so seldom.
    const isClose = kind !== '' || isWithin(letters, meant.toLowerCase(), 1);
    const isProtective = isClose && !OTHERS.some((other) => other === meant);
    found.push({ name: kind + name, meant: knownKind + meant, isProtective });
  }
  return found;
}

function errorOf(
  uncalled: readonly Uncalled[],
  consequence: string,
): TinyBasePartyKitError | undefined {
  if (uncalled.length === 0) return undefined;
  const names = uncalled.map(({ name, meant }) => `"${name}" (did you mean "${meant}"?)`);
  const message = `The class of the room has methods that the room does not call: ${names.join(', ')}. ${consequence}`;
  return new TinyBasePartyKitError('misuse', message);
}

/** Yields the prototypes of an app's classes. */
export function* classesOf(server: object, base: object): Iterable<object> {
  for (let at = prototypeOf(server); at !== undefined && at !== base; at = prototypeOf(at))
    if (Object.hasOwn(at, 'constructor')) yield at;
}

function prototypeOf(object: object): object | undefined {
  const prototype: unknown = Object.getPrototypeOf(object);
  return typeof prototype === 'object' && prototype !== null ? prototype : undefined;
}

/** Returns the names of the functions that an object itself has. It calls no getter. */
function namesIn(object: object, isOurs: (method: unknown) => boolean): readonly string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(object)).flatMap(([name, { value }]) =>
    typeof value === 'function' && name !== 'constructor' && !isOurs(value) ? [name] : [],
  );
}
