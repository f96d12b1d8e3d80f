/**
 * A value, or the promise of one. The room works within the call whenever it can, so that a lone edit only waits for its
 * write.
 */
export type MaybePromise<T> = T | Promise<T>;
