import type { MessageRate } from '../../protocol/messages.ts';

import { MOST_PARTS_AHEAD } from '../../protocol/codec.ts';
import { LENGTH_OF_ONE } from '../../protocol/message-cost.ts';
import type { Waiter } from '../history/durability-gate.ts';
import type { ClientIndex } from './client-index.ts';
import { isAhead } from './clock.ts';
import type { HeldLength, HeldMemory } from './held-memory.ts';
import {
  attachmentToState,
  generationOf,
  isLive,
  stateToAttachment,
  type PeerState,
} from './peer-state.ts';
import { PushAssembly } from './push-assembly.ts';
import { RateLimiter, type RoomRate, Share } from './rate-limiter.ts';
import type { RoomFeatures } from './room-features.ts';
import type { RoomConnection } from './room-host.ts';
import { TurnLine } from './turns.ts';
import { Undecided } from './undecided.ts';
import { Unread } from './unread.ts';

/** The longest pause before a receipt: a client treats its connection as dead after a longer silence. */
const LONGEST_PAUSE_MILLISECONDS = 10_000;

/** So many characters of a catch-up, or of an answer to a push, cost as much as one message of the connection (`FLOOD-3`). */
export const ANSWER_OF_ONE = 4096;

/** The slot of a connection's state. */
const SLOT = 'peer';
/** A connection that sends too much is told so at most once in this time. */
export const TELL_MILLISECONDS = 1_000;
/** The slot of the time at which a connection was heard. */
const HEARD_SLOT = 'heard';
/** The attached time may be so old. */
const HEARD_MILLISECONDS = 20_000;

/** The part of the features that a peer uses. */
export type PeerFeatures<Origin> = Pick<
  RoomFeatures<Origin, never>,
  'isEmpty' | 'standing' | 'admitted' | 'live' | 'left'
>;

/** One connection, and everything that the room remembers of it. */
export class Peer<Origin> {
  readonly connection: RoomConnection<Origin>;
  /** All that the room holds for it. */
  readonly held: HeldLength<Peer<Origin>>;
  /** All that it was sent as a stock peer. */
  readonly unproven: HeldLength<Peer<Origin>>;
  /** The parts of a push that have come. */
  readonly assembly: PushAssembly;
  /** Its frames that wait for its turn. */
  readonly line: TurnLine = new TurnLine();
  readonly undecided: Undecided = new Undecided();
  readonly unread: Unread;
  /** Messages that leave together (FRAME-5). */
  leaving: string[] = [];
  readonly #limiter = new RateLimiter();
  readonly #share = new Share();
  readonly #roomRate: RoomRate;
  #toldTime = -Infinity;
  #receivedTime = -Infinity;
  /** The weight of the heaviest message since the last change of its state. */
  #heaviest = 0;
  /** The length of all messages whose effects are not written yet. */
  #waitingLength = 0;
  /** The number and weight of those that the room has begun to handle. */
  #waitingMessages = 0;
  #waitingWeight = 0;
  #state: PeerState;
  readonly #features: PeerFeatures<Origin>;
  readonly #index: ClientIndex<Origin>;
  #isIn: boolean;
  #hasLeft = false;
  /** True if the room has dropped a push since the last hello. */
  #isBehind = false;
  #hasOverspent = false;
  #heardTime: number | undefined;
  /** Settles when the gate has decided; undefined when it is not being asked. */
  verification: Promise<boolean> | undefined;

  constructor(
    connection: RoomConnection<Origin>,
    features: PeerFeatures<Origin>,
    index: ClientIndex<Origin>,
    memories: Readonly<Record<'memory' | 'unproven', HeldMemory<Peer<Origin>>>>,
    roomRate: RoomRate,
  ) {
    this.#roomRate = roomRate;
    this.connection = connection;
    this.held = memories.memory.open(this);
    this.unproven = memories.unproven.open(this);
    this.assembly = new PushAssembly(this.held);
    this.unread = new Unread(this.held);
    this.#features = features;
    this.#index = index;
    // After a hibernation, the gate knows which connections it had let in.
    this.#isIn = features.standing(connection.origin) !== 'unknown';
    this.#state = attachmentToState(connection.readSlot(SLOT));
    if (this.#state.type === 'client') index.add(this.#state.clientId, this);
  }

  get state(): PeerState {
    return this.#state;
  }

  /** True once the room or the app has closed it: nothing is sent to it, and nothing that it sent counts (`CLOSE-1`). */
  get isGone(): boolean {
    return this.#state.type === 'gone' || this.connection.isClosedByRoom;
  }

  /** The gate's answer about it: unknown while the gate decides. */
  get standing(): 'admitted' | 'unknown' | 'expired' {
    return this.verification === undefined
      ? this.#features.standing(this.connection.origin)
      : 'unknown';
  }

  /** True once it was let in: features and the app have heard of it. */
  get isIn(): boolean {
    return this.#isIn;
  }

  /** True once it is gone, or once its own side has closed the socket. In the latter case, what it sent before still counts. */
  get hasLeft(): boolean {
    return this.#hasLeft || this.isGone;
  }

  setState(state: PeerState): void {
    const before = this.#state;
    const wasLive = isLive(before);
    this.assembly.clear();
    if (state.type !== 'client' || generationOf(before) !== state.generation) {
      this.#isBehind = false;
      this.#hasOverspent = false;
    }
    // The room drops its pushes, also those that wait: even if it is told to load before its next hello.
    else if (state.liveness === 'stopped') this.#isBehind = true;
    if (state.type !== 'client' || state.liveness !== 'stopped') this.unread.isTold = false;
    this.#heaviest = 0;
    this.#state = state;
    if (state.type === 'client') this.#prove();
    if (before.type === 'client') this.#index.remove(before.clientId, this);
    if (state.type === 'client' && !this.#hasLeft) this.#index.add(state.clientId, this);
    if (!wasLive && isLive(state)) this.#features.live(this.connection.origin);
    // Nothing can be attached to a socket that is closed.
    if (!this.#hasLeft) this.connection.writeSlot(SLOT, stateToAttachment(state));
  }

  /** Returns true if a frame of that length is too much, whatever is in it: then it is refused unread. */
  isFlooding(length: number, now: number, rate: MessageRate): boolean {
    return (
      this.#limiter.isTooMuch(length, now, rate, 1) ||
      this.#roomRate.refuses(this.#share, now, rate)
    );
  }

  /** True if it has sent more of late than one user's edits and presence: then others go first (`FLOOD-9`). */
  isBusy(now: number, rate: MessageRate): boolean {
    return this.#share.isOver(now, rate);
  }

  /**
   * Accepts a frame of that length, with so many messages, and counts it as waiting until the returned waiter is called. Returns
   * undefined if the connection has sent too much, or too much of it waits. `weigh` returns the length that counts for the rate; it is
   * called only if that decides. A frame that the room has asked for (`isAsked`) does not count for the rate. `now` is in milliseconds.
   */
  accept(
    length: number,
    weigh: () => number,
    messages: number,
    now: number,
    limits: MessageRate & { waitingLength: number },
    isAsked: boolean = false,
  ): ReceivedFrame | undefined {
    this.#receivedTime = now;
    if (this.#waitingLength + length > limits.waitingLength) return undefined;
    // Weighing costs time: a frame that is too long in any case is not weighed. One that only its weight refuses pays for it.
    if (!isAsked && this.#limiter.isTooMuch(length, now, limits, messages)) {
      // The frame was divided to count its messages. Counted, it makes the next one be refused unread.
      if (messages > 1) this.#limiter.add(length, now, limits, messages);
      return undefined;
    }
    const weight = isAsked ? length : weigh();
    if (!isAsked && !this.#limiter.take(weight, now, limits, messages)) {
      this.#limiter.spend(length, now, limits);
      return undefined;
    }
    if (!isAsked) {
      this.#share.add(weight, now, limits, messages);
      this.#roomRate.add(weight, now, limits, messages);
    }
    this.#waitingLength += length;
    this.held.add(length);
    this.#heaviest = Math.max(this.#heaviest, weight / messages);
    return new ReceivedFrame(this, messages, length, weight);
  }

  /**
   * Counts a frame as one that waits for storage or hooks. Returns false, and counts nothing, if too many messages of this connection
   * wait for them (`FLOOD-2`).
   */
  begin(
    { messages, length, weight }: ReceivedFrame,
    limits: { waitingMessages: number; waitingLength: number },
  ): boolean {
    const waiting = this.#waitingMessages;
    // If nothing waits, a frame passes however many messages it has: otherwise its client would never get it through.
    if (waiting > 0 && waiting + messages > limits.waitingMessages) return false;
    if (waiting > 0 && this.#waitingWeight + weight > limits.waitingLength) return false;
    this.#waitingMessages += messages;
    this.#waitingWeight += weight;
    // Decoded, a frame with many ids takes about its weight.
    this.held.add(weight - length);
    return true;
  }

  /**
   * Charges this connection for other work of the room, as that number of messages. Returns false and charges nothing if
   * that is too much (`FLOOD-3`).
   */
  charge(messages: number, now: number, rate: MessageRate): boolean {
    return this.#limiter.charge(messages, now, rate);
  }

  /** Returns the time of its last message or ping; -Infinity if the room knows none. */
  lastSign(now: number): number {
    return Math.max(notAhead(this.#receivedTime, now), this.heardAt(now) ?? -Infinity);
  }

  /** Charges this connection for what the room sends because of it, in characters (`EVENT-6`). */
  spend(length: number, now: number, rate: MessageRate): void {
    this.#limiter.spend(length, now, rate);
  }

  /**
   * Charges this connection for the answer to a push, as one message for each 4 KiB. If that is too much, the room refuses everything
   * that the connection has sent since, until its next hello (`FLOOD-3`).
   */
  spendOnAnswer(length: number, now: number, rate: MessageRate): void {
    if (length < ANSWER_OF_ONE) return;
    const spent = length * (LENGTH_OF_ONE / ANSWER_OF_ONE);
    this.#limiter.spend(spent, now, rate);
    this.#share.add(spent, now, rate, 1);
    this.#roomRate.add(spent, now, rate, 1);
    this.#hasOverspent ||= this.#limiter.spent(now, rate) > rate.messageBurst;
  }

  /** True if the answers to its pushes were too much since its last hello. */
  get hasOverspent(): boolean {
    return this.#hasOverspent;
  }

  /** True if the room has dropped a push since the last hello: the client sends it again after the next one. */
  get hasLostPush(): boolean {
    const state = this.#state;
    return state.type === 'client' && (state.liveness === 'stopped' || this.#isBehind);
  }

  /** Records that the room has dropped a push of the client. */
  losePush(): void {
    this.#isBehind = true;
  }

  /** Returns the time at which it was heard last; undefined if no feature asked to keep that, or the clock was set back since. */
  heardAt(now: number): number | undefined {
    const { pingedAt = -Infinity } = this.connection;
    const attached = this.connection.readSlot(HEARD_SLOT);
    const heard = this.#heardTime ?? (typeof attached === 'number' ? attached : -Infinity);
    const latest = Math.max(notAhead(heard, now), notAhead(pingedAt, now));
    return latest === -Infinity ? undefined : latest;
  }

  /** Keeps the time, and now and then attaches it. */
  hear(now: number): void {
    this.#heardTime = now;
    const attached = this.connection.readSlot(HEARD_SLOT);
    if (typeof attached === 'number' && Math.abs(now - attached) < HEARD_MILLISECONDS) return;
    this.connection.writeSlot(HEARD_SLOT, now);
  }

  /**
   * Returns the pause, in milliseconds, after which it may send the rest of the parts that may be on their way at once. `come` of
   * them have come already (`PART-1`).
   */
  pauseOfParts(come: number, now: number, rate: MessageRate): number {
    // In JSON, a part may be longer than its text.
    const pause = this.#limiter.pause(
      Math.max(0, MOST_PARTS_AHEAD - come),
      this.#heaviest,
      now,
      rate,
    );
    return Math.min(pause, LONGEST_PAUSE_MILLISECONDS);
  }

  /** Counts a frame as waiting no more. */
  forget({ messages, length, weight, isBegun }: ReceivedFrame): void {
    this.#waitingLength -= length;
    if (isBegun) {
      this.#waitingMessages -= messages;
      this.#waitingWeight -= weight;
    }
    this.held.add(isBegun ? -weight : -length);
    if (this.#hasLeft) this.#forgetParts();
  }

  /** Returns true at most once a second, so that a flood is not answered message by message. Time is in milliseconds. */
  mayTell(now: number): boolean {
    if (Math.abs(now - this.#toldTime) < TELL_MILLISECONDS) return false;
    this.#toldTime = now;
    return true;
  }

  /** Lets it in, and tells the features. */
  enter(): void {
    this.#isIn = true;
    this.#features.admitted(this.connection.origin);
  }

  /** Ends the connection in the room, however it ended. This is the only place that does so. It may be called again. */
  leave(closedBy: 'room' | 'peer'): void {
    if (closedBy === 'room') {
      this.setState({ type: 'gone' });
      // Nothing of it counts any more.
      this.line.drop();
      this.undecided.drop();
    }
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#prove();
    this.unread.clear();
    this.#forgetParts();
    if (this.#state.type === 'client') this.#index.remove(this.#state.clientId, this);
    if (this.#isIn) this.#features.left(this.connection.origin);
  }

  /** Counts what it was sent as a stock peer as unread: a client tells what it has read. */
  #prove(): void {
    const { length } = this.unproven;
    this.unproven.add(-length);
    this.unread.add(length);
  }

  /** Forgets the parts of a connection that has left, unless further ones came before and wait (`CLOSE-2`). */
  #forgetParts(): void {
    if (this.#waitingLength === 0) this.assembly.clear();
  }

  /** Attaches the state again if the app has overwritten it. */
  restoreAttachment(): void {
    this.connection.restoreSlots();
  }
}

/** A received frame, until its effects are written. */
export class ReceivedFrame implements Waiter {
  readonly messages: number;
  readonly length: number;
  readonly weight: number;
  readonly #peer: Peer<unknown>;
  #isBegun = false;

  constructor(peer: Peer<unknown>, messages: number, length: number, weight: number) {
    this.#peer = peer;
    this.messages = messages;
    this.length = length;
    this.weight = weight;
  }

  /** True once the room has begun to handle it. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** Begins to handle it. Returns false if too much of its connection waits already. */
  begin(limits: { waitingMessages: number; waitingLength: number }): boolean {
    this.#isBegun = this.#peer.begin(this, limits);
    return this.#isBegun;
  }

  onReleased(): void {
    this.#peer.forget(this);
  }

  onLost(): void {
    this.#peer.forget(this);
  }
}

/** Returns a time, or -Infinity if it lies in the future. */
function notAhead(time: number, now: number): number {
  return isAhead(time, now) ? -Infinity : time;
}
