/**
 * A value, or the promise of one. What can be done at once is done at once, so that a lone edit waits for its
 * write and for nothing else.
 */
export type Later<T> = T | Promise<T>;

/** Goes on with `next` when there is a value: at once if there is one. */
export function chain<T, U>(later: Later<T>, next: (value: T) => Later<U>): Later<U> {
  // oxlint-disable-next-line promise/no-callback-in-promise
  return later instanceof Promise ? later.then(next) : next(later);
}
