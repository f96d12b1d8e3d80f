import { TinyBasePartyKitError } from './errors.ts';

/**
 * Lists, with "or", what an option may be: types, as JavaScript calls them, and texts. `null` is of no type, and objects are as
 * `isPlain` says. A number is one that a timer can wait for. The empty text allows everything.
 */
export type OptionKind = string;

/**
 * Returns true for an object that shows what it has, also one of another realm. Lists, promises, Maps and other objects of the
 * platform do not: options in them would have no effect.
 */
export function isPlain(value: unknown): value is object {
  // Some apps have their options in a module.
  return /t (Object|Module)/.test({}.toString.call(value));
}

/** Throws `misuse` if options are no object, or one is of another kind, as in code without types. */
export function assertOptions(
  caller: string,
  options: unknown,
  kinds: Readonly<Record<string, OptionKind>>,
): void {
  if (!isPlain(options)) throw notGot(caller, 'object as its options');
  for (const [name, kind] of Object.entries(kinds)) {
    const value: unknown = Reflect.get(options, name);
    const isRight =
      typeof value === 'number'
        ? value >= 0 && value < 2 ** 31
        : typeof value !== 'object' || isPlain(value);
    const isOf = (each: string): boolean =>
      each === value || (isRight && each.startsWith(typeof value));
    if (value !== undefined && kind && !kind.split(' or ').some(isOf))
      throw notGot(caller, `${kind} as its option ${name}`);
  }
}

/** Returns the error `misuse` for a parameter or option of another kind. */
export function notGot(caller: string, what: string): TinyBasePartyKitError {
  return new TinyBasePartyKitError('misuse', `${caller} got no ${what}.`);
}
