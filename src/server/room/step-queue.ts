import type { Later } from './later.ts';

/**
 * Runs steps one after the other, in the order they came. A step that comes while nothing runs is run within the
 * call (`ORDER-1`).
 */
export class StepQueue {
  #waiting: (() => Later<void>)[] = [];
  /** Where in that list the next one is: removing the first of many moves all others. */
  #next = 0;
  #isRunning = false;

  /** Resolves when the step has run; rejects with what it throws, and the next step runs all the same. */
  add<T>(step: () => Later<T>): Later<T> {
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

  #runNow<T>(step: () => Later<T>): Later<T> {
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

  /** A loop, and not a chain of calls: thousands of steps may wait. */
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

  #take(): (() => Later<void>) | undefined {
    const step = this.#waiting[this.#next];
    this.#next += 1;
    if (step === undefined || this.#next * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    return step;
  }
}
