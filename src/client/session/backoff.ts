import type { SessionPorts } from './session-ports.ts';

/** Half of the longest pause before the second retry. */
const FIRST_MILLISECONDS = 100;
const LONGEST_MILLISECONDS = 30_000;
/** An attempt counts as a success if something goes well so long after it. */
const STEADY_MILLISECONDS = 5000;

/** Spaces attempts: the first retry is immediate, later ones wait twice as long each, with jitter, up to 30 s. */
export interface Backoff {
  /**
   * Attempts again, later; replaces an attempt that waits. With `isSoon`, everything went well until now, and the first retry is made
   * within this call. Returns the number of retries in a row.
   */
  retry(isSoon?: boolean): number;
  /** Makes the attempt that waits, if there is one, at once. */
  hurry(): void;
  /** Makes the next retry immediate again, because something went well. If the last attempt was a moment ago, does so only if `isSure`. */
  reset(isSure?: boolean): void;
  /** Prevents an attempt that waits. */
  stop(): void;
}

/** Creates a backoff. It calls `attempt` at each attempt. */
export function createBackoff(
  { after, now, random }: Pick<SessionPorts, 'after' | 'now' | 'random'>,
  attempt: () => void,
): Backoff {
  let attempts = 0;
  let begun = -Infinity;
  let cancel: (() => void) | undefined;
  const stop = (): void => {
    cancel?.();
    cancel = undefined;
  };
  const begin = (): void => {
    stop();
    begun = now();
    attempt();
  };
  const reset = (isSure?: boolean): void => {
    if (isSure === true || now() - begun >= STEADY_MILLISECONDS) attempts = 0;
  };
  return {
    retry: (isSoon) => {
      stop();
      if (isSoon === true) reset();
      const longest =
        attempts === 0 ? 0 : Math.min(FIRST_MILLISECONDS * 2 ** attempts, LONGEST_MILLISECONDS);
      if (isSoon === true && longest === 0) begin();
      else cancel = after(longest * (0.5 + random() / 2), begin);
      return ++attempts;
    },
    hurry: () => {
      if (cancel !== undefined) begin();
    },
    reset,
    stop,
  };
}
