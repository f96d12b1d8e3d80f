import type { MaybePromise } from './maybe-promise.ts';
import { SerialQueue } from './serial-queue.ts';

/**
 * The messages of one connection that wait for hooks or an open transaction. They are handled one after another. Other
 * connections do not wait for them.
 */
export class Undecided {
  #queue = new SerialQueue();

  /** True if nothing waits. */
  get isEmpty(): boolean {
    return this.#queue.isIdle;
  }

  /** Handles a message after all earlier ones; within the call if there are none. */
  add(deal: () => MaybePromise<void>): MaybePromise<void> {
    return this.#queue.add(deal);
  }

  /** Lets later messages go ahead of those that wait now. */
  overtake(): void {
    if (!this.isEmpty) this.#queue = new SerialQueue();
  }
}
