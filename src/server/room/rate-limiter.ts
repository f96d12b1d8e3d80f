/** How much a connection may send. */
export interface MessageRate {
  /** Messages a second, on average. */
  readonly messagesPerSecond: number;
  /** Messages at once, after a pause. */
  readonly messageBurst: number;
}

/** A longer message counts as several: one for each part of this length, in characters. */
const LENGTH_OF_ONE = 16 * 1024;

/** A token bucket: limits what one connection sends. */
export class RateLimiter {
  #spent = 0;
  #time = 0;

  /** Counts a message of that length, sent at that time in milliseconds. Returns false, and counts nothing, if it is too much. */
  take(length: number, now: number, { messagesPerSecond, messageBurst }: MessageRate): boolean {
    const filled = (Math.max(0, now - this.#time) / 1000) * messagesPerSecond;
    this.#spent = Math.max(0, this.#spent - filled);
    this.#time = now;
    const cost = Math.max(1, length / LENGTH_OF_ONE);
    // After a pause, one message always passes, however large it is.
    if (this.#spent > 0 && this.#spent + cost > messageBurst) return false;
    this.#spent += cost;
    return true;
  }
}
