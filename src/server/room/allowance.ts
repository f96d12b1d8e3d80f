import { MOST_PARTS_AHEAD } from '../../protocol/codec.ts';
import { LENGTH_OF_ONE } from '../../protocol/message-cost.ts';
import type { MessageRate } from '../../protocol/messages.ts';

import { RateLimiter } from './rate-limiter.ts';
import type { RoomHost } from './room-host.ts';
import type { RoomSettings } from './room-settings.ts';

/** So many characters of a catch-up, or of an answer to a push, cost as much as one message of the connection (`FLOOD-3`). */
export const ANSWER_OF_ONE = 4096;

/**
 * A connection may always send so many messages at once, and `FREE_PART` of its rate on average: others do not make the room refuse
 * it, and it waits for no turn. By default these are 40 a second: presence and edits of one user take less.
 */
const FREE_MESSAGES = 64;
/** The part of `messageBurst` that is free if it is small. */
const FREE_OF_BURST = 1 / 2;
const FREE_PART = 1 / 50;
/** The time for which a message counts. */
const LATE_SECONDS = 10;

/** The longest pause before a receipt: a client treats its connection as dead after a longer silence. */
const LONGEST_PAUSE_MILLISECONDS = 10_000;

type Clock = Pick<RoomHost<never>, 'now'>;
type Limits = Pick<RoomSettings<never, never>, 'limits'>;

/** The rate at which one connection may send, and make the room send. */
export class Allowance {
  readonly #limiter = new RateLimiter();
  /** The connection's part in the rate of all: its recent messages (`FLOOD-8`, `FLOOD-9`). */
  readonly #recent = new RateLimiter();
  /** The rate of all connections together, also of those that have left (`FLOOD-8`). */
  readonly #all: RateLimiter;
  readonly #host: Clock;
  readonly #settings: Limits;
  #heaviest = 0;
  #hasOverspent = false;

  constructor(all: RateLimiter, host: Clock, settings: Limits) {
    this.#all = all;
    this.#host = host;
    this.#settings = settings;
  }

  /** True if the connection has sent more of late than one user's edits and presence: then others go first (`FLOOD-9`). */
  get isBusy(): boolean {
    const { limits } = this.#settings;
    return this.#recent.spent(this.#host.now(), freeOf(limits)) > freeAtOnce(limits);
  }

  /** True if the answers to its pushes were too much since its last hello. */
  get hasOverspent(): boolean {
    return this.#hasOverspent;
  }

  /** Returns true if a frame of that length is too much, whatever is in it: then it is refused unread. */
  isFlooding(length: number): boolean {
    const now = this.#host.now();
    const { limits } = this.#settings;
    const all = allOf(limits);
    return (
      this.#limiter.isTooMuch(length, now, limits, 1) ||
      (this.isBusy && this.#all.spent(now, all) > all.messageBurst)
    );
  }

  /**
   * Counts a frame of that length, with so many messages, and returns its weight. Returns undefined if it is too much. `weigh` returns
   * the weight; it is called only if that decides.
   */
  take(length: number, messages: number, weigh: () => number): number | undefined {
    const now = this.#host.now();
    const { limits } = this.#settings;
    // Weighing costs time: a frame that is too long in any case is not weighed. One that only its weight refuses pays for it.
    if (this.#limiter.isTooMuch(length, now, limits, messages)) {
      // The frame was divided to count its messages. Counted, it makes the next one be refused unread.
      if (messages > 1) this.#limiter.add(length, now, limits, messages);
      return undefined;
    }
    const weight = weigh();
    if (!this.#limiter.take(weight, now, limits, messages)) {
      this.#limiter.spend(length, now, limits);
      return undefined;
    }
    this.#addToAll(weight, now, limits, messages);
    this.#heaviest = Math.max(this.#heaviest, weight / messages);
    return weight;
  }

  /**
   * Charges the connection for other work of the room, as that number of messages. Returns false and charges nothing if that is too
   * much (`FLOOD-3`).
   */
  charge(messages: number): boolean {
    return this.#limiter.charge(messages, this.#host.now(), this.#settings.limits);
  }

  /** Charges the connection for what the room sends because of it, in characters (`EVENT-6`). */
  spend(length: number): void {
    this.#limiter.spend(length, this.#host.now(), this.#settings.limits);
  }

  /**
   * Charges the connection for the answer to a push, as one message for each 4 KiB. If that is too much, the room refuses everything
   * that the connection has sent since, until its next hello (`FLOOD-3`).
   */
  spendOnAnswer(length: number): void {
    if (length < ANSWER_OF_ONE) return;
    const now = this.#host.now();
    const { limits } = this.#settings;
    const spent = length * (LENGTH_OF_ONE / ANSWER_OF_ONE);
    this.#limiter.spend(spent, now, limits);
    this.#addToAll(spent, now, limits, 1);
    this.#hasOverspent ||= this.#limiter.spent(now, limits) > limits.messageBurst;
  }

  /**
   * Returns the pause, in milliseconds, after which the connection may send the rest of the parts that may be on their way at once.
   * `come` of them have come already (`PART-1`).
   */
  pauseOfParts(come: number): number {
    const count = Math.max(0, MOST_PARTS_AHEAD - come);
    // In JSON, a part may be longer than its text.
    const pause = this.#limiter.pause(
      count,
      this.#heaviest,
      this.#host.now(),
      this.#settings.limits,
    );
    return Math.min(pause, LONGEST_PAUSE_MILLISECONDS);
  }

  /** Returns true if the connection may be told now that it sends too much: at most once a second. */
  mayTell(): boolean {
    return this.#limiter.mayTell(this.#host.now());
  }

  /** Forgets how heavy its messages were: the parts of a push have another weight. */
  forgetHeaviest(): void {
    this.#heaviest = 0;
  }

  /** Takes pushes again, after a hello, if their answers were too much. */
  forgive(): void {
    this.#hasOverspent = false;
  }

  /** Counts a frame for the rate of all. Of the connection, counts no more than what takes ten seconds to be forgotten. */
  #addToAll(length: number, now: number, rate: MessageRate, messages: number): void {
    const free = freeOf(rate);
    if (this.#recent.spent(now, free) < free.messageBurst)
      this.#recent.add(length, now, free, messages);
    this.#all.add(length, now, allOf(rate), messages);
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

/** Returns the limit of all connections together: twice the burst of one, and four times its rate. */
function allOf({ messagesPerSecond, messageBurst }: MessageRate): MessageRate {
  return { messagesPerSecond: 4 * messagesPerSecond, messageBurst: 2 * messageBurst };
}
