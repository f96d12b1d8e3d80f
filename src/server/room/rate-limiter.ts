import { JOINED_OF_ONE, LENGTH_OF_ONE } from '../../protocol/message-cost.ts';
import type { MessageRate } from '../../protocol/messages.ts';

/** A token bucket: limits what one connection sends. */
export class RateLimiter {
  #spent = 0;
  #time = 0;

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

/**
 * A connection that sends no more than this is not refused because of what others send, and waits for no turn: so many messages at
 * once, and `FREE_PART` of its rate on average. By default these are 40 a second: presence and edits of one user take less.
 */
const FREE_MESSAGES = 64;
/** The part of `messageBurst` that is free if it is small. */
const FREE_OF_BURST = 1 / 2;
const FREE_PART = 1 / 50;
/** The time for which a message counts. */
const LATE_SECONDS = 10;

/** The part of a connection in the rate of all: its recent messages (`FLOOD-8`, `FLOOD-9`). */
export class Share {
  readonly #limiter = new RateLimiter();

  /** Counts a frame. Counts no more than what takes ten seconds to be forgotten. */
  add(length: number, now: number, rate: MessageRate, messages: number): void {
    const free = freeOf(rate);
    if (this.#limiter.spent(now, free) < free.messageBurst)
      this.#limiter.add(length, now, free, messages);
  }

  /** Returns true if the connection sends more than is free. */
  isOver(now: number, rate: MessageRate): boolean {
    return this.#limiter.spent(now, freeOf(rate)) > freeAtOnce(rate);
  }
}

/** Returns the free rate: what a connection may send whatever the others send. */
function freeOf(rate: MessageRate): MessageRate {
  const free = rate.messagesPerSecond * FREE_PART;
  return { messagesPerSecond: free, messageBurst: freeAtOnce(rate) + free * LATE_SECONDS };
}

function freeAtOnce({ messageBurst }: MessageRate): number {
  return Math.min(FREE_MESSAGES, messageBurst * FREE_OF_BURST);
}

/** The rate of all connections together, also of those that have left (`FLOOD-8`). */
export class RoomRate {
  readonly #limiter = new RateLimiter();

  /** Counts a frame. */
  add(length: number, now: number, rate: MessageRate, messages: number): void {
    this.#limiter.add(length, now, allOf(rate), messages);
  }

  /** Returns true if all together send too much, and this connection sends more than is free. */
  refuses(own: Share, now: number, rate: MessageRate): boolean {
    const all = allOf(rate);
    return own.isOver(now, rate) && this.#limiter.spent(now, all) > all.messageBurst;
  }
}

/** Returns the limit of all connections together: twice the burst of one, and four times its rate. */
function allOf({ messagesPerSecond, messageBurst }: MessageRate): MessageRate {
  return { messagesPerSecond: 4 * messagesPerSecond, messageBurst: 2 * messageBurst };
}
