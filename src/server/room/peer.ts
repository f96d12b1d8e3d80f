import { Allowance } from './allowance.ts';
import type { ClientIndex } from './peers.ts';
import { HeardTimes } from './heard-times.ts';
import type { HeldLength, HeldMemory } from './held-memory.ts';
import {
  attachmentToState,
  generationOf,
  isLive,
  stateToAttachment,
  type PeerState,
} from './peer-state.ts';
import { PushAssembly } from './push-assembly.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { Standing } from './room-feature.ts';
import type { RoomFeatures } from './room-features.ts';
import type { RoomConnection, RoomHost } from './room-host.ts';
import type { RoomSettings } from './room-settings.ts';
import { TurnLine } from './turns.ts';
import { Undecided } from './serial-queue.ts';
import { Unread } from './unread.ts';
import { ReceivedFrame, WaitingFrames } from './waiting-frames.ts';

/** The slot of a connection's state. */
const SLOT = 'peer';

/** The part of the features that a peer uses. */
export type PeerFeatures<Connection> = Pick<
  RoomFeatures<Connection, never>,
  'isEmpty' | 'check' | 'admitted' | 'live' | 'left'
>;

/** Everything that the connections of a room share. */
export interface PeerContext<Connection> {
  readonly host: Pick<RoomHost<Connection>, 'now'>;
  readonly settings: Pick<RoomSettings<Connection, never>, 'limits'>;
  readonly features: PeerFeatures<Connection>;
  readonly index: ClientIndex<Connection>;
  readonly rate: RateLimiter;
  readonly memory: HeldMemory<Peer<Connection>>;
  readonly unproven: HeldMemory<Peer<Connection>>;
}

/** One connection, and everything that the room remembers of it. */
export class Peer<Connection> {
  readonly connection: RoomConnection<Connection>;
  /** All that the room holds for it. */
  readonly held: HeldLength<Peer<Connection>>;
  /** All that it was sent as a stock peer. */
  readonly unproven: HeldLength<Peer<Connection>>;
  readonly allowance: Allowance;
  readonly heard: HeardTimes;
  readonly waiting: WaitingFrames;
  /** The parts of a push that have come. */
  readonly assembly: PushAssembly;
  /** Its frames that wait for its turn. */
  readonly line: TurnLine = new TurnLine();
  readonly undecided: Undecided = new Undecided();
  readonly unread: Unread;
  /** Messages that leave together (FRAME-5). */
  leaving: string[] = [];
  /** Settles when the gate has decided; undefined when it is not being asked. */
  verification: Promise<boolean> | undefined;
  readonly #features: PeerFeatures<Connection>;
  readonly #index: ClientIndex<Connection>;
  #state: PeerState;
  #wasAdmitted: boolean;
  #hasLeft = false;
  /** True if the room has dropped a push since the last hello. */
  #isBehind = false;

  constructor(connection: RoomConnection<Connection>, context: PeerContext<Connection>) {
    const { host, settings, features, index, rate, memory, unproven } = context;
    this.connection = connection;
    this.#features = features;
    this.#index = index;
    this.held = memory.open(this);
    this.unproven = unproven.open(this);
    this.allowance = new Allowance(rate, host, settings);
    this.heard = new HeardTimes(connection, host);
    this.waiting = new WaitingFrames(this.held, settings);
    this.assembly = new PushAssembly(this.held);
    this.unread = new Unread(this.held);
    // After a hibernation, the gate knows which connections it had admitted.
    this.#wasAdmitted = features.check(connection.socket) !== 'unknown';
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

  /** The gate's decision about it: unknown while the gate verifies it. */
  get standing(): Standing {
    return this.verification === undefined
      ? this.#features.check(this.connection.socket)
      : 'unknown';
  }

  /** True once it was admitted: features and the app have heard of it. */
  get wasAdmitted(): boolean {
    return this.#wasAdmitted;
  }

  /** True once it is gone, or once its own side has closed the socket. In the latter case, what it sent before still counts. */
  get hasLeft(): boolean {
    return this.#hasLeft || this.isGone;
  }

  /** True if the room has dropped a push since the last hello: the client sends it again after the next one. */
  get hasLostPush(): boolean {
    const state = this.#state;
    return state.type === 'client' && (state.liveness === 'stopped' || this.#isBehind);
  }

  setState(state: PeerState): void {
    const before = this.#state;
    const wasLive = isLive(before);
    this.assembly.clear();
    if (state.type !== 'client' || generationOf(before) !== state.generation) {
      this.#isBehind = false;
      this.allowance.forgive();
    }
    // The room drops its pushes, also those that wait: even if it is told to load before its next hello.
    else if (state.liveness === 'stopped') this.#isBehind = true;
    if (state.type !== 'client' || state.liveness !== 'stopped') this.unread.isTold = false;
    this.allowance.forgetHeaviest();
    this.#state = state;
    if (state.type === 'client') this.#prove();
    if (before.type === 'client') this.#index.remove(before.clientId, this);
    if (state.type === 'client' && !this.#hasLeft) this.#index.add(state.clientId, this);
    if (!wasLive && isLive(state)) this.#features.live(this.connection.socket);
    // Nothing can be attached to a socket that is closed.
    if (!this.#hasLeft) this.connection.writeSlot(SLOT, stateToAttachment(state));
  }

  /**
   * Accepts a frame of that length, with so many messages, and counts it as waiting until the returned waiter is called. Returns
   * undefined if the connection has sent too much, or too much of it waits. `weigh` returns the length that counts for the rate; it is
   * called only if that decides. A frame that the room has asked for (`isAsked`) does not count for the rate.
   */
  accept(
    length: number,
    messages: number,
    weigh: () => number,
    isAsked: boolean = false,
  ): ReceivedFrame | undefined {
    this.heard.note();
    if (!this.waiting.fits(length)) return undefined;
    const weight = isAsked ? length : this.allowance.take(length, messages, weigh);
    if (weight === undefined) return undefined;
    this.waiting.add(length);
    return new ReceivedFrame(this, messages, length, weight);
  }

  /** Counts a frame as waiting no more. */
  forget(frame: ReceivedFrame): void {
    this.waiting.remove(frame);
    if (this.#hasLeft) this.#forgetParts();
  }

  /** Records that the room has dropped a push of the client. */
  losePush(): void {
    this.#isBehind = true;
  }

  /** Admits it, and tells the features. */
  admit(): void {
    this.#wasAdmitted = true;
    this.#features.admitted(this.connection.socket);
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
    if (this.#wasAdmitted) this.#features.left(this.connection.socket);
  }

  /** Counts what it was sent as a stock peer as unread: a client tells what it has read. */
  #prove(): void {
    const { length } = this.unproven;
    this.unproven.add(-length);
    this.unread.add(length);
  }

  /** Forgets the parts of a connection that has left, unless further ones came before and wait (`CLOSE-2`). */
  #forgetParts(): void {
    if (this.waiting.isEmpty) this.assembly.clear();
  }

  /** Attaches the state again if the app has overwritten it. */
  restoreAttachment(): void {
    this.connection.restoreSlots();
  }
}
