const FIRST_MILLISECONDS = 200;
const LONGEST_MILLISECONDS = 30_000;

/** Spaces attempts: the first retry is immediate, later ones wait twice as long each, with jitter, up to 30 s. */
export interface Backoff {
  /** Attempts again, later; replaces an attempt that waits. */
  retry(): void;
  /** Makes the attempt that waits, if there is one, at once. */
  hurry(): void;
  /** Makes the next retry immediate again: something went well. */
  reset(): void;
  /** Prevents an attempt that waits. */
  stop(): void;
}

/** Creates a backoff. It calls `attempt` at each attempt; `random` returns a number from 0 to 1. */
export function createBackoff(
  after: (milliseconds: number, callback: () => void) => () => void,
  random: () => number,
  attempt: () => void,
): Backoff {
  let attempts = 0;
  let cancel: (() => void) | undefined;
  const stop = (): void => {
    cancel?.();
    cancel = undefined;
  };
  const begin = (): void => {
    cancel = undefined;
    attempt();
  };
  return {
    retry: () => {
      stop();
      const longest = attempts === 0 ? 0 : FIRST_MILLISECONDS * 2 ** Math.min(attempts - 1, 10);
      attempts++;
      cancel = after(Math.min(longest, LONGEST_MILLISECONDS) * (0.5 + random() / 2), begin);
    },
    hurry: () => {
      if (cancel === undefined) return;
      stop();
      begin();
    },
    reset: () => {
      attempts = 0;
    },
    stop,
  };
}
