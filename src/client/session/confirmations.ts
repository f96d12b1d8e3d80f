interface Waiter {
  readonly lastPush: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Promises that wait until the pushes up to a number are confirmed. */
export interface Confirmations {
  /** Settles with {@link settle} or {@link end}. */
  wait(lastPush: number): Promise<void>;
  /** Resolves promises: the pushes below that number are confirmed. */
  settle(oldestUnanswered: number): void;
  /** Rejects all promises that wait: their pushes will never be confirmed. */
  end(error: Error): void;
}

/** Creates confirmations without promises. */
export function createConfirmations(): Confirmations {
  let waiters: Waiter[] = [];
  return {
    wait: (lastPush) =>
      new Promise((resolve, reject) => waiters.push({ lastPush, resolve, reject })),
    settle: (oldestUnanswered) => {
      waiters = waiters.filter(({ lastPush, resolve }) => {
        const isWaiting = lastPush >= oldestUnanswered;
        if (!isWaiting) resolve();
        return isWaiting;
      });
    },
    end: (error) => {
      for (const { reject } of waiters.splice(0)) reject(error);
    },
  };
}
