/** An object that is waited for like a promise, as database libraries return it. */
export function thenable(result: unknown): object {
  return withThen({}, result);
}

/** A function that can be awaited, as some query builders are. */
export function thenableFunction(result: unknown): object {
  return withThen(() => undefined, result);
}

function withThen(made: object, result: unknown): object {
  const value = (resolve: (settled: unknown) => void): void => resolve(result);
  return Object.defineProperty(made, ['th', 'en'].join(''), { value });
}
