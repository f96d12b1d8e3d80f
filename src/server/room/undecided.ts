import type { MaybePromise } from './maybe-promise.ts';
import { SerialQueue } from './serial-queue.ts';

/**
 * The messages of one connection that wait for hooks or an open transaction. They are handled one after another. Other
 * connections do not wait for them.
 */
export class Undecided {
  #queue = new SerialQueue();
  /** For each message that waits, a function that drops it. */
  readonly #waiting = new Set<() => void>();

  /** True if nothing waits. */
  get isEmpty(): boolean {
    return this.#queue.isIdle;
  }

  /** Handles a message after all earlier ones; within the call if there are none. Settles when it was handled or dropped. */
  add(deal: () => MaybePromise<void>): MaybePromise<void> {
    if (this.isEmpty) return this.#queue.add(deal);
    return new Promise((resolve, reject) => {
      let wanted: typeof deal | undefined = deal;
      const drop = (): void => {
        wanted = undefined;
        resolve();
      };
      this.#waiting.add(drop);
      const dealt = this.#queue.add(() => {
        this.#waiting.delete(drop);
        return wanted?.();
      });
      if (dealt instanceof Promise) dealt.then(resolve, reject);
    });
  }

  /** Lets later messages go ahead of those that wait now. */
  overtake(): void {
    if (!this.isEmpty) this.#queue = new SerialQueue();
  }

  /** Drops all that waits, so that nothing of it is held any more. What is being decided goes on. */
  drop(): void {
    for (const drop of this.#waiting) drop();
    this.#waiting.clear();
  }
}
