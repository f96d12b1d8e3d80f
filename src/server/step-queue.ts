import type { Later } from './later.ts';

/**
 * Runs steps one after the other, in the order they came. A step that comes while nothing runs is run within the
 * call (`ORDER-1`).
 */
export class StepQueue {
  readonly #waiting: (() => Later<void>)[] = [];
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
    for (let step = this.#waiting.shift(); step !== undefined; step = this.#waiting.shift()) {
      const outcome = step();
      if (outcome instanceof Promise) {
        void outcome.then(() => this.#runWaiting());
        return;
      }
    }
    this.#isRunning = false;
  }
}
