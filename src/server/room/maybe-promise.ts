/**
 * A value, or the promise of one. The room does at once what it can do at once, so that a lone edit waits for its write
 * and for nothing else.
 */
export type MaybePromise<T> = T | Promise<T>;
