/** Returns what a database library may return in place of a promise. */
export function thenable(result: unknown): object {
  const then = (resolve: (settled: unknown) => void): void => resolve(result);
  return Object.fromEntries([['then', then]]);
}

/** Returns a function that can be awaited, as some query builders are. */
export function thenableFunction(result: unknown): object {
  return Object.assign(() => undefined, thenable(result));
}
