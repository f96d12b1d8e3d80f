import { JOINED_OF_ONE, LENGTH_OF_ONE } from '../../protocol/message-cost.ts';
import type { MessageRate } from '../../protocol/messages.ts';

/** A connection that sends too much is told so at most once in this time. */
export const TELL_MILLISECONDS = 1_000;

/** A token bucket: counts what is sent, and forgets it at a rate. */
export class RateLimiter {
  #spent = 0;
  #time = 0;
  #toldTime = -Infinity;

  /**
   * Counts a frame of that length and so many messages, sent at that time in milliseconds. Returns false, and counts nothing, if
   * it is too much.
   */
  take(length: number, now: number, rate: MessageRate, messages = 1): boolean {
    if (this.isTooMuch(length, now, rate, messages)) return false;
    this.#spent += costOf(length, messages);
    return true;
  }

  /** Returns the present count, in messages. */
  spent(now: number, rate: MessageRate): number {
    this.#fill(now, rate);
    return this.#spent;
  }

  /** Counts a frame, also if it is too much. */
  add(length: number, now: number, rate: MessageRate, messages: number): void {
    this.#fill(now, rate);
    this.#spent += costOf(length, messages);
  }

  /** Returns true if a frame of that length and so many messages is too much. */
  isTooMuch(length: number, now: number, rate: MessageRate, messages: number): boolean {
    this.#fill(now, rate);
    const cost = costOf(length, messages);
    // After a pause, one message always passes, however large it is.
    return this.#spent > 0 && this.#spent + cost > rate.messageBurst;
  }

  /** Counts work of that length that is done already, also if it is too much: then later messages are refused for a while. */
  spend(length: number, now: number, rate: MessageRate): void {
    this.#fill(now, rate);
    this.#spent += length / LENGTH_OF_ONE;
  }

  /**
   * Counts work for the last message, worth so many messages. Returns false, and counts nothing, if it is too much. After a
   * pause, the work for one message always passes: otherwise a connection would never get it.
   */
  charge(messages: number, now: number, rate: MessageRate): boolean {
    if (messages < 1) return true;
    this.#fill(now, rate);
    if (this.#spent > 1 && this.#spent + messages > rate.messageBurst) return false;
    this.#spent += messages;
    return true;
  }

  /** Returns the milliseconds after which so many messages of that length fit. */
  pause(count: number, length: number, now: number, rate: MessageRate): number {
    this.#fill(now, rate);
    const cost = count * Math.max(1, length / LENGTH_OF_ONE);
    const excess = Math.min(this.#spent, this.#spent + cost - rate.messageBurst);
    return Math.max(0, (excess / rate.messagesPerSecond) * 1000);
  }

  /** Returns true at most once a second, so that a flood is not answered message by message. */
  mayTell(now: number): boolean {
    if (Math.abs(now - this.#toldTime) < TELL_MILLISECONDS) return false;
    this.#toldTime = now;
    return true;
  }

  #fill(now: number, { messagesPerSecond }: MessageRate): void {
    const filled = (Math.max(0, now - this.#time) / 1000) * messagesPerSecond;
    this.#spent = Math.max(0, this.#spent - filled);
    this.#time = now;
  }
}

/** Returns the number of messages that a frame of that length, with so many in it, counts as. */
function costOf(length: number, messages: number): number {
  return Math.max(1 + (messages - 1) / JOINED_OF_ONE, length / LENGTH_OF_ONE);
}

/** Returns the cost of each of so many messages of one frame, in ordinary messages. */
export function costOfEach(weight: number, messages: number): number {
  return Math.max(1, weight / messages / LENGTH_OF_ONE);
}
