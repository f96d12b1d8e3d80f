import type { MaybePromise } from './maybe-promise.ts';
import { SerialQueue } from './serial-queue.ts';

/**
 * The messages of one connection that wait for hooks or an open transaction. They are handled one after another. Other
 * connections do not wait for them.
 */
export class Undecided {
  #queue = new SerialQueue();
  readonly #waiting = new Set<WaitingMessage>();

  /** True if nothing waits. */
  get isEmpty(): boolean {
    return this.#queue.isIdle;
  }

  /** Handles a message after all earlier ones; within the call if there are none. */
  add(deal: () => MaybePromise<void>): MaybePromise<void> {
    if (this.isEmpty) return this.#queue.add(deal);
    const message = new WaitingMessage(deal);
    this.#waiting.add(message);
    void this.#queue.add(() => {
      this.#waiting.delete(message);
      return message.deal();
    });
    return message.dealt;
  }

  /** Lets later messages go ahead of those that wait now. */
  overtake(): void {
    if (!this.isEmpty) this.#queue = new SerialQueue();
  }

  /** Drops all that waits, so that nothing of it is held any more. What is being decided goes on. */
  drop(): void {
    for (const message of this.#waiting) message.drop();
    this.#waiting.clear();
  }
}

/** A message that waits for its turn. */
class WaitingMessage {
  /** Settles when the message was handled or dropped. */
  readonly dealt: Promise<void>;
  #deal: (() => MaybePromise<void>) | undefined;
  #settle: ((dealt: MaybePromise<void>) => void) | undefined;

  constructor(deal: () => MaybePromise<void>) {
    this.#deal = deal;
    this.dealt = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Handles the message, unless it was dropped. Never throws or rejects: {@link WaitingMessage.dealt} does. */
  deal(): MaybePromise<void> {
    const deal = this.#deal;
    if (deal === undefined) return undefined;
    try {
      const dealt = deal();
      this.#settle?.(dealt);
      return dealt instanceof Promise ? dealt.catch(() => undefined) : undefined;
    } catch (error) {
      this.#settle?.(Promise.reject(error instanceof Error ? error : new Error(String(error))));
      return undefined;
    }
  }

  drop(): void {
    this.#deal = undefined;
    this.#settle?.(undefined);
  }
}
