import { JOINED_OF_ONE, LENGTH_OF_ONE } from '../../protocol/message-cost.ts';
import type { MessageRate } from '../../protocol/messages.ts';

import { MOST_PARTS_AHEAD } from '../../protocol/codec.ts';
import type { Waiter } from '../history/durability-gate.ts';
import { isAhead } from './clock.ts';
import { HeldMemory, type HeldLength } from './held-memory.ts';
import { PushAssembly } from './push-assembly.ts';
import type { RoomFeatures } from './room-features.ts';
import type { RoomConnection, RoomHost } from './room-host.ts';
import { Unread } from './unread.ts';
import { Undecided } from './undecided.ts';

/** A connection that said hello. */
export interface ClientState {
  readonly type: 'client';
  readonly clientId: string;
  readonly generation: number;
  /** The number from the hello: the room expects no push with a lower one (`ONCE-2`). */
  readonly nextPush: number;
  /**
   * `live`: it gets commits, and the room takes its pushes. `loading`: it was told to load the content, and its pushes
   * are answered with `stale` (`JOIN-3`). `stopped`: its pushes are dropped until the next hello (`ONCE-3`).
   */
  readonly standing: 'live' | 'loading' | 'stopped';
}

/** The state of a connection. Survives hibernation as its attachment. */
export type PeerState =
  /** It has not said hello: it speaks TinyBase's own messages, or the app's (`STOCK-1`). */
  | { readonly type: 'stock' }
  | ClientState
  /** The room has closed it: nothing is sent to it, and nothing that it sends counts. */
  | { readonly type: 'gone' };

/** The longest pause: shorter than the silence after which a client treats its connection as dead. */
const LONGEST_PAUSE_MILLISECONDS = 10_000;

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

  /** Returns what is counted now, in messages. */
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

  /** Counts work of that length which is done already: the next messages are too much until the time for it has passed. */
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

  /** Returns the milliseconds after which so many messages of that length are not too much. */
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

/** A connection that has sent no more than so many messages of late is not refused for what others send. */
const FREE_MESSAGES = 64;

/** The rate of all connections together, those that have left included (`FLOOD-8`). */
export class RoomRate {
  readonly #limiter = new RateLimiter();

  add(length: number, now: number, rate: MessageRate, messages: number): void {
    this.#limiter.add(length, now, allOf(rate), messages);
  }

  /** Returns true if all send too much, and a connection has its part in that. */
  refuses(own: RateLimiter, now: number, rate: MessageRate): boolean {
    const all = allOf(rate);
    return own.spent(now, rate) > FREE_MESSAGES && this.#limiter.spent(now, all) > all.messageBurst;
  }
}

/** Returns the rate of all connections together: of two at once, and of four on average. */
function allOf({ messagesPerSecond, messageBurst }: MessageRate): MessageRate {
  return { messagesPerSecond: 4 * messagesPerSecond, messageBurst: 2 * messageBurst };
}

/** The part of a room's features that hears of peers. */
type PeerFeatures<Origin> = Pick<
  RoomFeatures<Origin, never>,
  'isEmpty' | 'standing' | 'admitted' | 'live' | 'left'
>;

/** The slot of a connection's state. */
const SLOT = 'peer';
/** A connection that sends too much is told so at most once in this time. */
export const TELL_MILLISECONDS = 1_000;
/** The slot of the time at which a connection was heard, and how exact it is. */
const HEARD_SLOT = 'heard';
const HEARD_MILLISECONDS = 20_000;

/** The connections by client id, so that a hello walks none of the others. */
class ClientIndex<Origin> {
  readonly #peers = new Map<string, Set<Peer<Origin>>>();

  of(clientId: string): readonly Peer<Origin>[] {
    return [...(this.#peers.get(clientId) ?? [])];
  }

  add(clientId: string, peer: Peer<Origin>): void {
    const peers = this.#peers.get(clientId);
    if (peers === undefined) this.#peers.set(clientId, new Set([peer]));
    else peers.add(peer);
  }

  remove(clientId: string, peer: Peer<Origin>): void {
    const peers = this.#peers.get(clientId);
    peers?.delete(peer);
    if (peers?.size === 0) this.#peers.delete(clientId);
  }

  /** Forgets all but those: some host may never say that one has left. */
  keep(open: ReadonlySet<Peer<Origin>>): void {
    for (const [clientId, peers] of this.#peers)
      for (const peer of peers) if (!open.has(peer)) this.remove(clientId, peer);
  }
}

/** One connection, and everything that the room remembers of it. */
export class Peer<Origin> {
  readonly connection: RoomConnection<Origin>;
  /** All that the room holds for it. */
  readonly held: HeldLength<Peer<Origin>>;
  /** The push that comes in parts. */
  readonly assembly: PushAssembly;
  readonly undecided: Undecided = new Undecided();
  readonly unread: Unread;
  /** Messages that leave together (FRAME-5). */
  leaving: string[] = [];
  readonly #limiter = new RateLimiter();
  readonly #roomRate: RoomRate;
  #toldTime = -Infinity;
  #receivedTime = -Infinity;
  /** The weight of the heaviest message since the last hello. */
  #heaviest = 0;
  /** The number and length of the messages whose effects are not durable yet. */
  #waitingMessages = 0;
  #waitingLength = 0;
  #state: PeerState;
  readonly #features: PeerFeatures<Origin>;
  readonly #index: ClientIndex<Origin>;
  #isIn: boolean;
  #hasLeft = false;
  /** True if a push was dropped since the last hello. */
  #isBehind = false;
  #heardTime: number | undefined;
  /** Settles when the gate has decided; undefined when it is not being asked. */
  verification: Promise<boolean> | undefined;

  constructor(
    connection: RoomConnection<Origin>,
    features: PeerFeatures<Origin>,
    index: ClientIndex<Origin>,
    memory: HeldMemory<Peer<Origin>>,
    roomRate: RoomRate,
  ) {
    this.#roomRate = roomRate;
    this.connection = connection;
    this.held = memory.open(this);
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

  /** True once it is gone, or its own side has closed the socket: then everything that it sent before counts. */
  get hasLeft(): boolean {
    return this.#hasLeft || this.isGone;
  }

  setState(state: PeerState): void {
    const before = this.#state;
    const wasLive = isLive(before);
    this.assembly.clear();
    if (state.type !== 'client' || generationOf(before) !== state.generation)
      this.#isBehind = false;
    // Its pushes are dropped, and so are those that wait, even if it is told to load before its next hello.
    else if (state.standing === 'stopped') this.#isBehind = true;
    this.#heaviest = 0;
    this.#state = state;
    if (before.type === 'client') this.#index.remove(before.clientId, this);
    if (state.type === 'client' && !this.#hasLeft) this.#index.add(state.clientId, this);
    if (!wasLive && isLive(state)) this.#features.live(this.connection.origin);
    // Nothing can be attached to a socket that is closed.
    if (!this.#hasLeft) this.connection.writeSlot(SLOT, stateToAttachment(state));
  }

  /** Returns true if a frame of that length is too much, whatever it has: then nobody looks at it. */
  isFlooding(length: number, now: number, rate: MessageRate): boolean {
    return (
      this.#limiter.isTooMuch(length, now, rate, 1) ||
      this.#roomRate.refuses(this.#limiter, now, rate)
    );
  }

  /**
   * Counts a frame of that length and so many messages, received at that time in milliseconds, as waiting until the returned waiter is
   * called. `weigh` returns the length that counts for floods, and is called only where that decides. What the room has asked for
   * (`isAsked`) counts for no flood. Returns undefined if this connection has sent too much, or too much of it waits.
   */
  hold(
    length: number,
    weigh: () => number,
    messages: number,
    now: number,
    limits: MessageRate & { waitingMessages: number; waitingLength: number },
    isAsked: boolean = false,
  ): Waiter | undefined {
    this.#receivedTime = now;
    // If nothing waits, a frame passes however many messages it has: otherwise its client would never get it through.
    const waiting = this.#waitingMessages;
    if (waiting > 0 && waiting + messages > limits.waitingMessages) return undefined;
    if (this.#waitingLength + length > limits.waitingLength) return undefined;
    // Not weighed if it is too long in any case. If its weight alone is too much, the weighing counts.
    if (!isAsked && this.#limiter.isTooMuch(length, now, limits, messages)) {
      // It was divided to be counted, and the next one shall not be.
      if (messages > 1) this.#limiter.add(length, now, limits, messages);
      return undefined;
    }
    const weight = isAsked ? length : weigh();
    if (!isAsked && !this.#limiter.take(weight, now, limits, messages)) {
      this.#limiter.spend(length, now, limits);
      return undefined;
    }
    if (!isAsked) this.#roomRate.add(weight, now, limits, messages);
    this.#waitingMessages += messages;
    this.#waitingLength += length;
    // What has many ids takes about its weight when it is decoded.
    this.held.add(weight);
    this.#heaviest = Math.max(this.#heaviest, weight / messages);
    return new ReceivedFrame(this, messages, length, weight);
  }

  /**
   * Charges this connection for other work of the room, as that number of messages. Returns false and charges nothing if
   * that is too much (`FLOOD-3`).
   */
  charge(messages: number, now: number, rate: MessageRate): boolean {
    return this.#limiter.charge(messages, now, rate);
  }

  /** Returns the time of its last message or ping, as far as the room knows since it is awake; -Infinity if it knows none. */
  lastSign(now: number): number {
    return Math.max(notAhead(this.#receivedTime, now), this.heardAt(now) ?? -Infinity);
  }

  /** Charges this connection for what the room sends because of it, in characters (`EVENT-6`). */
  spend(length: number, now: number, rate: MessageRate): void {
    this.#limiter.spend(length, now, rate);
  }

  /** True if the room has dropped a push since the last hello: the client sends it again after the next one. */
  get hasLostPush(): boolean {
    const state = this.#state;
    return state.type === 'client' && (state.standing === 'stopped' || this.#isBehind);
  }

  /** Records that the room has dropped a push of the client. */
  losePush(): void {
    this.#isBehind = true;
  }

  /** Returns the time at which it was heard last; undefined if nobody asked to keep it, or a clock that was set back says so. */
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
   * Returns the milliseconds after which it may send as many parts as it sends at once, of which some have come already
   * (`PART-1`).
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

  /** Counts a frame of that length and weight as waiting no more. */
  forget(messages: number, length: number, weight: number): void {
    this.#waitingMessages -= messages;
    this.#waitingLength -= length;
    this.held.add(-weight);
    if (this.#hasLeft) this.#forgetParts();
  }

  /** Returns true at most once a second, so that a flood is not answered message by message. Time is in milliseconds. */
  mayTell(now: number): boolean {
    if (Math.abs(now - this.#toldTime) < TELL_MILLISECONDS) return false;
    this.#toldTime = now;
    return true;
  }

  /** Lets it in: the features hear of it. */
  enter(): void {
    this.#isIn = true;
    this.#features.admitted(this.connection.origin);
  }

  /** Ends the connection in the room, however it ended. This is the only place that does so. It may be called again. */
  leave(closedBy: 'room' | 'peer'): void {
    if (closedBy === 'room') {
      this.setState({ type: 'gone' });
      // Nothing of it counts any more.
      this.undecided.drop();
    }
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.unread.clear();
    this.#forgetParts();
    if (this.#state.type === 'client') this.#index.remove(this.#state.clientId, this);
    if (this.#isIn) this.#features.left(this.connection.origin);
  }

  /** Forgets the parts of a connection that has left, unless further ones came before and wait (`CLOSE-2`). */
  #forgetParts(): void {
    if (this.#waitingMessages === 0) this.assembly.clear();
  }

  /** Attaches the state again if the app has overwritten it. */
  restoreAttachment(): void {
    this.connection.restoreSlots();
  }
}

/** A received frame, until its effects are durable. */
class ReceivedFrame implements Waiter {
  readonly #peer: Peer<unknown>;
  readonly #messages: number;
  readonly #length: number;
  readonly #weight: number;

  constructor(peer: Peer<unknown>, messages: number, length: number, weight: number) {
    this.#peer = peer;
    this.#messages = messages;
    this.#length = length;
    this.#weight = weight;
  }

  onDurable(): void {
    this.#peer.forget(this.#messages, this.#length, this.#weight);
  }

  onLost(): void {
    this.#peer.forget(this.#messages, this.#length, this.#weight);
  }
}

/** The connections of a room. It asks the host for the open ones each time, because the host misses fewer of them. */
export class Peers<Origin> {
  /** All that the room holds for connections. */
  readonly memory: HeldMemory<Peer<Origin>> = new HeldMemory();
  readonly #rate = new RoomRate();
  readonly #host: RoomHost<Origin>;
  readonly #features: PeerFeatures<Origin>;
  readonly #peers = new WeakMap<RoomConnection<Origin>, Peer<Origin>>();
  readonly #index = new ClientIndex<Origin>();
  /** False until the connections that survived a hibernation are in the index. */
  #isIndexed = false;
  /** The connections that a feature may have heard of. Some hosts never report that they have left. */
  readonly #present = new Set<Peer<Origin>>();

  constructor(host: RoomHost<Origin>, features: PeerFeatures<Origin>) {
    this.#host = host;
    this.#features = features;
  }

  of(connection: RoomConnection<Origin>): Peer<Origin> {
    let peer = this.#peers.get(connection);
    if (peer === undefined) {
      this.#peers.set(
        connection,
        (peer = new Peer(connection, this.#features, this.#index, this.memory, this.#rate)),
      );
      if (!this.#features.isEmpty) this.#present.add(peer);
    }
    return peer;
  }

  /** Returns all that are open, have not left, and were let in. */
  open(): readonly Peer<Origin>[] {
    const open: Peer<Origin>[] = [];
    for (const connection of this.#host.connections()) {
      const peer = this.of(connection);
      if (!peer.hasLeft && peer.standing !== 'unknown') open.push(peer);
    }
    for (const peer of this.#present) {
      if (!peer.hasLeft) continue;
      this.#present.delete(peer);
      peer.leave('peer');
    }
    return open;
  }

  /** Returns all that have not left, also those whom the gate has not let in. */
  all(): readonly Peer<Origin>[] {
    const peers = Array.from(this.#host.connections(), (connection) => this.of(connection));
    return peers.filter(({ hasLeft }) => !hasLeft);
  }

  /** Returns all that features and commits may know of: those whom the gate admits now (`SEAM-2`). */
  admitted(): readonly Peer<Origin>[] {
    return this.open().filter(({ standing }) => standing === 'admitted');
  }

  /** Ends those that are closed. Some hosts never report that, and what they have not read would count for ever. */
  endClosed(): void {
    const open = new Set(this.#host.connections());
    for (const { holder } of this.memory.accounts)
      if (!holder.hasLeft && !open.has(holder.connection)) holder.leave('peer');
  }

  /** Returns the ids of all connected clients. */
  clients(): ReadonlySet<string> {
    const clients = new Set<string>();
    const open = this.open();
    this.#index.keep(new Set(open));
    for (const { state } of open) if (state.type === 'client') clients.add(state.clientId);
    return clients;
  }

  /** Returns the open connections of that client: more than one only until the older ones are closed. */
  *ofClient(clientId: string): Iterable<{ peer: Peer<Origin>; state: ClientState }> {
    if (!this.#isIndexed) this.open();
    this.#isIndexed = true;
    for (const peer of this.#index.of(clientId)) {
      const { state } = peer;
      if (state.type !== 'client' || peer.hasLeft || peer.standing === 'unknown') continue;
      yield { peer, state };
    }
  }
}

/** Returns a time; -Infinity if it lies in the future. */
function notAhead(time: number, now: number): number {
  return isAhead(time, now) ? -Infinity : time;
}

function generationOf(state: PeerState): number | undefined {
  return state.type === 'client' ? state.generation : undefined;
}

function isLive(state: PeerState): boolean {
  return state.type === 'client' && state.standing === 'live';
}

/** Encodes a state as an attachment. The keys are short, because hosts keep few bytes. */
function stateToAttachment(state: PeerState): unknown {
  switch (state.type) {
    case 'stock':
      return null;
    case 'gone':
      return { gone: true };
    case 'client':
      return {
        client: state.clientId,
        generation: state.generation,
        next: state.nextPush,
        standing: state.standing,
      };
  }
}

/** An unknown attachment counts as absent: the client says hello again. */
function attachmentToState(attachment: unknown): PeerState {
  if (typeof attachment !== 'object' || attachment === null) return { type: 'stock' };
  if ('gone' in attachment) return { type: 'gone' };
  if (
    'client' in attachment &&
    typeof attachment.client === 'string' &&
    'generation' in attachment &&
    typeof attachment.generation === 'number' &&
    'next' in attachment &&
    typeof attachment.next === 'number' &&
    'standing' in attachment &&
    (attachment.standing === 'live' ||
      attachment.standing === 'loading' ||
      attachment.standing === 'stopped')
  ) {
    const { client: clientId, generation, next: nextPush, standing } = attachment;
    return { type: 'client', clientId, generation, nextPush, standing };
  }
  return { type: 'stock' };
}
