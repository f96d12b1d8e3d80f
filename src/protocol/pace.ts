/**
 * Returns a function that does something at once, or when the pause after the last time ends. `act` returns the
 * milliseconds of the pause after it; 0 for none.
 */
export function paced(
  after: (milliseconds: number, callback: () => void) => () => void,
  act: () => number,
): () => void {
  let isAsked = false;
  let isPausing = false;
  const run = (): void => {
    isAsked = isPausing;
    if (isPausing) return;
    const pause = act();
    if (pause === 0) return;
    isPausing = true;
    after(pause, () => {
      isPausing = false;
      if (isAsked) run();
    });
  };
  return run;
}
