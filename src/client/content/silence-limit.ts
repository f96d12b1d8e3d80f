/** Ends a request of which nothing is heard any more. It may take as long as it likes, as long as something comes. */
export interface SilenceLimit {
  /** Aborted when nothing was heard for too long. */
  readonly signal: AbortSignal;
  /** Something was heard: waits anew, for so many milliseconds. */
  wait(milliseconds: number): void;
  /** Settles as that promise does, or rejects when nothing was heard for too long. */
  race<T>(promise: Promise<T>): Promise<T>;
  /** Ends the waiting. */
  end(): void;
}

/** Creates a limit that waits from now on. `AbortSignal.timeout` is not there on each platform. */
export function createSilenceLimit(
  after: (milliseconds: number, callback: () => void) => () => void,
  milliseconds: number,
): SilenceLimit {
  const controller = new AbortController();
  let cancel: (() => void) | undefined;
  let reject: ((error: Error) => void) | undefined;
  const silence = new Promise<never>((_resolve, rejectSilence) => {
    reject = rejectSilence;
  });
  silence.catch(() => undefined);
  const wait = (longest: number): void => {
    cancel?.();
    cancel = after(longest, () => {
      const error = new Error(`Too little was heard for ${longest / 1000} seconds.`);
      // A fetch of the app's own may not heed the signal.
      reject?.(error);
      controller.abort(error);
    });
  };
  wait(milliseconds);
  return {
    signal: controller.signal,
    wait,
    race: (promise) => Promise.race([promise, silence]),
    end: () => cancel?.(),
  };
}
