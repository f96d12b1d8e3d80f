import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { isPlain } from '../../protocol/option-kinds.ts';
import { errorOfUnknownOptions } from '../../protocol/unknown-options.ts';
import { isProtectiveName } from './protective-names.ts';
import { isThenable } from '../room/maybe-promise.ts';
import { DEFAULT_LIMITS } from '../room/room-options.ts';
import { OPTIONS, type RoomServerConfig } from './room-server-config.ts';

/** An option of a room that is no number: what it has to be, and what the room does if it is something else. */
interface Expectation {
  readonly isRight: (value: unknown) => boolean;
  readonly expected: string;
  readonly otherwise: string;
}

const isText = (value: unknown): boolean => typeof value === 'string';
export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null;
const DEFAULT = 'the room uses the default';

/** The numbers have errors of their own, where they are read. */
const EXPECTATIONS: Readonly<Partial<Record<keyof RoomServerConfig, Expectation>>> = {
  storePath: { isRight: isText, expected: 'a text', otherwise: DEFAULT },
  messagePrefix: { isRight: isText, expected: 'a text', otherwise: DEFAULT },
  storagePrefix: {
    isRight: isText,
    expected: 'a text',
    otherwise: 'the room uses what String() makes of it, and none for null',
  },
  responseHeaders: {
    isRight: areHeaders,
    expected: 'headers, such as an object of texts',
    otherwise: 'answers have none of them, so other origins cannot read them',
  },
  allowedOrigins: {
    isRight: (value) =>
      typeof value === 'function' || (Array.isArray(value) && value.every(isText)),
    expected: 'a list of texts, or a function',
    otherwise: 'only the texts in a list are allowed',
  },
  limits: { isRight: isPlain, expected: 'an object of numbers', otherwise: DEFAULT },
  isEphemeral: {
    isRight: (value) => typeof value === 'boolean',
    expected: 'true or false',
    otherwise: 'the room keeps its content',
  },
};

/** Returns an error for each option of a room that has a wrong value, other than a number, and for limits that do not exist. */
export function errorsOfConfig(config: unknown): readonly TinyBasePartyKitError[] {
  if (!isObject(config)) {
    const message = 'The config of the room is no object, so the room uses the defaults: set one.';
    return [new TinyBasePartyKitError('misuse', message)];
  }
  const errors: TinyBasePartyKitError[] = [];
  for (const [name, { isRight, expected, otherwise }] of Object.entries(EXPECTATIONS)) {
    const value: unknown = Reflect.get(config, name);
    if (value === undefined || isRight(value)) continue;
    const message = `The option ${name} of the config has a wrong value, so ${otherwise}: set it to ${expected}.`;
    errors.push(new TinyBasePartyKitError('misuse', message));
  }
  const limits: unknown = Reflect.get(config, 'limits');
  const unknown =
    isObject(limits) && errorOfUnknownOptions(limits, { ...DEFAULT_LIMITS }, 'The object limits');
  if (unknown) errors.push(unknown);
  return errors;
}

/**
 * Returns the error of a config with which the room must let nobody in (`LIFE-10`): the options cannot be read, or an option that
 * looks meant to keep somebody out does not exist. Undefined for any other.
 */
export function refusalOfConfig(config: unknown): TinyBasePartyKitError | undefined {
  if (mayHaveHidden(config)) {
    const message =
      'The config of the room is no object of options, so the room lets nobody in: set one, not a function, a promise or a text.';
    return new TinyBasePartyKitError('misuse', message);
  }
  if (!isObject(config)) return undefined;
  const meant = Object.entries(config).filter(
    ([name, value]) =>
      value !== undefined && !Object.hasOwn(OPTIONS, name) && isProtectiveName(name),
  );
  const error = errorOfUnknownOptions(Object.fromEntries(meant), OPTIONS);
  if (error === undefined) return undefined;
  const message = `${error.message} They may be meant to keep somebody out, so the room lets nobody in: correct or remove them.`;
  return new TinyBasePartyKitError('misuse', message);
}

/** True for what may have options that the room cannot see. */
function mayHaveHidden(config: unknown): boolean {
  return (
    typeof config === 'function' ||
    typeof config === 'string' ||
    Array.isArray(config) ||
    isThenable(config)
  );
}

function areHeaders(value: unknown): boolean {
  try {
    Reflect.construct(Headers, [value]);
    return isObject(value) && !isThenable(value);
  } catch {
    return false;
  }
}

/** Returns an error for a prefix with which messages that are joined could not be told apart (`FRAME-5`). */
export function errorOfPrefix(messagePrefix: string): TinyBasePartyKitError | undefined {
  if (!messagePrefix.includes('\n')) return undefined;
  const message =
    'The messagePrefix has a line break, so no client gets through: use another one, here and in the clients.';
  return new TinyBasePartyKitError('misuse', message);
}
