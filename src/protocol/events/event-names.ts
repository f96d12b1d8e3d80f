/** The names that every function has, such as `call`, `name` and `toString`. */
const FUNCTION: object = () => undefined;
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/**
 * Returns true for a name that functions, objects or promises have: `events.call.then` must not be a procedure, because
 * `await events.call` would call it (`EVENT-4`).
 */
export function isReservedName(name: string): boolean {
  return name in FUNCTION || /^(then|catch|finally|toJSON|prototype)$/.test(name);
}

/** Returns true for the name of a procedure or event: an identifier that is not reserved. */
export function isEventName(name: unknown): boolean {
  return typeof name === 'string' && IDENTIFIER.test(name) && !isReservedName(name);
}
