/**
 * A value, or the promise of one. What can be done at once is done at once, so that a lone edit waits for its write and
 * for nothing else.
 */
export type Later<T> = T | Promise<T>;
