import type { MaybePromise } from './maybe-promise.ts';
import { SerialQueue } from './serial-queue.ts';

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
