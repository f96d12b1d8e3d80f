/**
 * A value, or the promise of one. The room works within the call whenever it can, so that a lone edit only waits for its
 * write.
 */
export type MaybePromise<T> = T | Promise<T>;

/** Waits for a value whose content nobody needs. */
export function waitFor(value: MaybePromise<unknown>): MaybePromise<void> {
  return value instanceof Promise ? value.then(ignore) : undefined;
}

/** Hears the rejection of a promise that code without types, or an async function, has returned where nobody waits for one. */
export function hearRejection(
  returned: unknown,
  onRejected: (error: unknown) => void = ignore,
): void {
  if (isThenable(returned)) Promise.resolve(returned).catch(onRejected);
}

function ignore(): void {}

/** Returns true for a promise, and for what a library or a database of the app may return in place of one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject && 'then' in value && typeof value.then === 'function';
}
