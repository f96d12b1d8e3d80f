import type { MaybePromise } from './maybe-promise.ts';

/**
 * Runs steps one at a time, in the order in which they came (`ORDER-1`). A step that comes while nothing runs is run
 * within the call.
 */
export class SerialQueue {
  #waiting: (() => MaybePromise<void>)[] = [];
  /** The index of the next step in that list. Removing the first of many would move all others. */
  #next = 0;
  #isRunning = false;

  /** True if no step runs or waits. */
  get isIdle(): boolean {
    return !this.#isRunning;
  }

  /** Resolves when the step has run. Rejects with the error of the step; the next step still runs. */
  add<T>(step: () => MaybePromise<T>): MaybePromise<T> {
    if (!this.#isRunning) return this.#runNow(step);
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          const outcome = step();
          if (!(outcome instanceof Promise)) resolve(outcome);
          else return outcome.then(resolve, reject);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
        return undefined;
      });
    });
  }

  #runNow<T>(step: () => MaybePromise<T>): MaybePromise<T> {
    this.#isRunning = true;
    let isDone = true;
    try {
      const outcome = step();
      if (outcome instanceof Promise) {
        isDone = false;
        return outcome.finally(() => this.#runWaiting());
      }
      return outcome;
    } finally {
      if (isDone) this.#runWaiting();
    }
  }

  /** Runs waiting steps in a loop: thousands may wait, too many for a chain of calls. */
  #runWaiting(): void {
    for (let step = this.#take(); step !== undefined; step = this.#take()) {
      const outcome = step();
      if (outcome instanceof Promise) {
        void outcome.then(() => this.#runWaiting());
        return;
      }
    }
    this.#isRunning = false;
  }

  #take(): (() => MaybePromise<void>) | undefined {
    const step = this.#waiting[this.#next];
    this.#next += 1;
    if (step === undefined || this.#next * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    return step;
  }
}

/**
 * The messages of one connection that wait for hooks or an open transaction. They are handled one after another. Other
 * connections do not wait for them.
 */
export class Undecided {
  #queue = new SerialQueue();
  /** The messages that wait, each with the function that settles it. */
  readonly #waiting = new Map<WaitingMessage, () => void>();

  /** True if nothing waits. */
  get isEmpty(): boolean {
    return this.#queue.isIdle;
  }

  /** Handles a message after all earlier ones; within the call if there are none. Settles when it was handled or dropped. */
  add(handle: () => MaybePromise<void>): MaybePromise<void> {
    return this.isEmpty ? this.#queue.add(handle) : this.#wait({ handle });
  }

  /** Lets later messages go ahead of those that wait now. */
  overtake(): void {
    if (!this.isEmpty) this.#queue = new SerialQueue();
  }

  /** Drops the messages that wait, and frees their memory. The one that is being decided continues. */
  drop(): void {
    for (const [message, settle] of this.#waiting) {
      message.handle = undefined;
      settle();
    }
    this.#waiting.clear();
  }

  /** Queues the message alone. A function in the queue that knew its `handle` would keep that in memory after the message is dropped. */
  #wait(message: WaitingMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(message, resolve);
      const handled = this.#queue.add(() => {
        this.#waiting.delete(message);
        return message.handle?.();
      });
      if (handled instanceof Promise) handled.then(resolve, reject);
    });
  }
}

interface WaitingMessage {
  /** Handles the message; undefined if it was dropped. */
  handle: (() => MaybePromise<void>) | undefined;
}
