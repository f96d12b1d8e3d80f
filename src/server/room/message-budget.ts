/** How much a connection may send: its budget is filled all the time, and each message takes from it. */
export interface MessageRate {
  /** Filled in each second. */
  readonly messagesPerSecond: number;
  /** What a full budget holds, as it is at first. */
  readonly messageBurst: number;
}

/** A longer message counts as one for each of these, in characters. */
const LENGTH_OF_ONE = 16 * 1024;

/** What one connection may still send: a token bucket. */
export class MessageBudget {
  #spent = 0;
  #time = 0;

  /** Takes a message of that length, at that time in milliseconds. False, and takes nothing, if too little is left. */
  take(length: number, now: number, { messagesPerSecond, messageBurst }: MessageRate): boolean {
    const filled = (Math.max(0, now - this.#time) / 1000) * messagesPerSecond;
    this.#spent = Math.max(0, this.#spent - filled);
    this.#time = now;
    const cost = Math.max(1, length / LENGTH_OF_ONE);
    // However large it is, one message fits into a budget that is full.
    if (this.#spent > 0 && this.#spent + cost > messageBurst) return false;
    this.#spent += cost;
    return true;
  }
}
