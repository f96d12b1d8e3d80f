interface Waiter {
  readonly lastPush: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Those who wait until the pushes up to a number are confirmed. */
export class Confirmations {
  #waiters: Waiter[] = [];

  /** Settles with {@link settle} or {@link end}. */
  wait(lastPush: number): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.push({ lastPush, resolve, reject }));
  }

  /** The pushes below that number are confirmed. */
  settle(nextPush: number): void {
    const waiters = this.#waiters;
    this.#waiters = waiters.filter(({ lastPush }) => lastPush >= nextPush);
    for (const { lastPush, resolve } of waiters) if (lastPush < nextPush) resolve();
  }

  /** What is not confirmed yet never will be. */
  end(error: Error): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }
}
