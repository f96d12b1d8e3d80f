import { encodeAlive, encodeRoomMessage } from '../../protocol/codec.ts';
import { joinFrames } from '../../protocol/frame.ts';
import { ERRORS, type ErrorCode } from '../../protocol/errors.ts';
import type { RoomMessage } from '../../protocol/messages.ts';

import { FREE_LENGTH, type HeldMemory } from './held-memory.ts';
import type { Peer } from './peer.ts';
import type { Peers } from './peers.ts';
import { TELL_MILLISECONDS } from './rate-limiter.ts';
import type { RoomHost } from './room-host.ts';
import type { RoomSettings } from './room-settings.ts';

/** Told to a connection whose grant has ended, or was lost while the room slept. */
export const EXPIRED = 'This connection is not authorized any more: connect again.';

/** Told to a connection if the room cannot be loaded. */
export const UNLOADED = 'The room could not be loaded: try again later.';

const FLOODED = 'This connection sends more than the room takes: say hello again, a little later.';

/** Told to the connections for which the room holds most. */
const CROWDED =
  'The room holds as much for its connections as it may, and most for this one: connect again, a little later.';

/** The unread data of a connection that sends much counts so many times: then it is closed before others. */
const BUSY_FACTOR = 2;

/** Puts frames on sockets: no more than a connection reads, and no more than the room may hold for all. Closes connections. */
export class Delivery<Connection> {
  readonly #host: Pick<RoomHost<Connection>, 'randomId' | 'after'>;
  readonly #peers: Peers<Connection>;
  readonly #settings: Pick<RoomSettings<Connection, unknown>, 'messagePrefix' | 'limits'>;
  /** The connections to which messages leave when the code that runs now has ended. */
  #leaving: Peer<Connection>[] = [];
  /** Cancels that a connection is told a little later that it is stopped. */
  readonly #laterTells = new WeakMap<Peer<Connection>, () => void>();
  /** The connections of which a hello was refused unread, and that were not told so yet. */
  readonly #refusedHellos = new WeakSet<Peer<Connection>>();
  /** The last messages that were joined. The next connection often gets the same ones. */
  #joined: { readonly messages: readonly string[]; readonly frames: readonly string[] } = {
    messages: [],
    frames: [],
  };

  constructor(
    host: Pick<RoomHost<Connection>, 'randomId' | 'after'>,
    peers: Peers<Connection>,
    settings: Pick<RoomSettings<Connection, unknown>, 'messagePrefix' | 'limits'>,
  ) {
    this.#host = host;
    this.#peers = peers;
    this.#settings = settings;
  }

  /** Sends a frame now, to a connection that is still admitted. One whose grant has ended is closed. */
  deliver(peer: Peer<Connection>, frame: string): void {
    const { standing } = peer;
    if (standing === 'admitted') this.#sendBounded(peer, frame);
    else if (standing === 'expired') this.refuse(peer, 'expired', EXPIRED);
  }

  /** Sends nothing more to a connection that does not read (`FLOOD-7`). */
  #sendBounded(peer: Peer<Connection>, frame: string): void {
    if (peer.hasLeft) return;
    const { unread, unproven } = peer;
    const { unreadLength } = this.#settings.limits;
    const isStock = peer.state.type === 'stock';
    if (unread.length > unreadLength || !this.#makeSpaceUnread(peer, frame.length)) {
      this.#stall(peer);
      return;
    }
    if (isStock && !this.#makeSpaceUnproven(peer, frame.length)) {
      this.close(peer, 'overloaded', CROWDED);
      return;
    }
    this.#leave(peer, frame);
    if (isStock) unproven.add(frame.length);
    unread.add(frame.length);
    this.#sendMark(peer);
  }

  /**
   * Makes space for what a connection has just sent, if the room holds as much as it may for all (`LIMIT-5`). Closes connections for
   * which it holds more than for this one, the largest first. Returns false, and closes nobody, if that would not be enough.
   */
  makeSpace(peer: Peer<Connection>, length: number): boolean {
    const { memory } = this.#peers;
    return this.#makeSpace(memory, length, peer.held.length + length, ({ held }) => held);
  }

  /** Does the same for what is sent to a connection: compares what the connections have not read, and not what they have sent. */
  #makeSpaceUnread({ unread }: Peer<Connection>, length: number): boolean {
    const { memory } = this.#peers;
    return this.#makeSpace(memory, length, unread.length + length, (holder) => {
      const free = holder.unread.length;
      // Its messages are what the others have not read.
      return { length: holder.allowance.isBusy ? free * BUSY_FACTOR : free, free };
    });
  }

  /** Does the same for what is sent to a stock peer, among all stock peers: they cannot tell what they have read. */
  #makeSpaceUnproven({ unproven }: Peer<Connection>, length: number): boolean {
    const wanted = unproven.length + length;
    return this.#makeSpace(this.#peers.unproven, length, wanted, (holder) => holder.unproven);
  }

  #makeSpace(
    memory: HeldMemory<Peer<Connection>>,
    length: number,
    wanted: number,
    heldOf: (holder: Peer<Connection>) => { readonly length: number; readonly free: number },
  ): boolean {
    const { heldLength } = this.#settings.limits;
    if (wanted <= FREE_LENGTH || memory.length + length <= heldLength) return true;
    this.#peers.endClosed();
    const accounts = [...memory.accounts];
    const larger = accounts
      .map(({ holder }) => ({ holder, held: heldOf(holder) }))
      .filter(({ holder, held }) => !holder.isGone && held.length > wanted && held.free > 0)
      .sort((one, other) => other.held.length - one.held.length);
    // The memory of connections that were closed just now is free as soon as this code has run.
    const going = accounts.reduce((sum, { holder, free }) => sum + (holder.isGone ? free : 0), 0);
    let excess = memory.length + length - heldLength - going;
    if (excess <= 0) return true;
    // No connection is closed if that would not be enough.
    if (larger.reduce((sum, { held }) => sum + held.free, 0) < excess) return false;
    for (const { holder, held } of larger) {
      if (excess <= 0) break;
      excess -= held.free;
      this.refuse(holder, 'overloaded', CROWDED);
    }
    return true;
  }

  /** Sends messages together that one turn of the room's code sends to one client (`FRAME-5`). A stock peer gets each at once. */
  #leave(peer: Peer<Connection>, frame: string): void {
    if (peer.state.type === 'stock') {
      this.#letGo(peer);
      peer.connection.send(frame);
      return;
    }
    if (peer.leaving.push(frame) > 1) return;
    if (this.#leaving.push(peer) > 1) return;
    // Not queueMicrotask: that of workerd costs as much as two sends.
    void Promise.resolve().then(() => {
      const peers = this.#leaving;
      this.#leaving = [];
      for (const leaving of peers) this.#letGo(leaving);
    });
  }

  /** Sends now what waits to leave. */
  #letGo(peer: Peer<Connection>): void {
    const messages = peer.leaving;
    if (messages.length === 0) return;
    peer.leaving = [];
    for (const frame of this.#join(messages)) peer.connection.send(frame);
  }

  #join(messages: readonly string[]): readonly string[] {
    if (messages.length === 1) return messages;
    const known = this.#joined.messages;
    const isKnown =
      known.length === messages.length && known.every((message, at) => message === messages[at]);
    if (!isKnown) this.#joined = { messages, frames: [...joinFrames(messages)] };
    return this.#joined.frames;
  }

  #sendMark(peer: Peer<Connection>): void {
    const { unread, state } = peer;
    const { unreadLength, heldLength } = this.#settings.limits;
    const isCrowded = this.#peers.memory.length > heldLength / 2;
    if (state.type !== 'client' || !unread.needsMark(unreadLength, isCrowded)) return;
    this.#askToRead(peer);
  }

  #askToRead(peer: Peer<Connection>): void {
    const text = this.#host.randomId();
    const frame = this.#encode({ type: 'mark', text });
    this.#leave(peer, frame);
    peer.unread.ask(text, frame);
  }

  /** Asks a client for a sign of life: it answers a mark. */
  ask({ connection }: Peer<Connection>): void {
    connection.send(this.#encode({ type: 'mark', text: this.#host.randomId() }));
  }

  /** Takes the answer to a mark: the connection has read everything before the mark. */
  takeMark(peer: Peer<Connection>, text: string): void {
    peer.unread.answer(text);
    if (peer.isGone) return;
    // A connection whose grant has ended gets no mark. The next frame for it closes it (`GATE-7`).
    if (peer.standing === 'admitted') this.#sendMark(peer);
  }

  #stall(peer: Peer<Connection>): void {
    const { state } = peer;
    const message = 'This connection has not read what it was sent: say hello.';
    if (state.type === 'stock') this.close(peer, 'overloaded', message);
    if (state.type !== 'client' || peer.unread.isTold) return;
    if (state.liveness !== 'stopped') peer.setState({ ...state, liveness: 'stopped' });
    // If something else has stopped it, the message about that may not have been sent.
    peer.unread.isTold = true;
    // The last mark, or its answer, may be lost. After each hello, the client is asked again, once.
    this.#askToRead(peer);
    this.#leave(peer, this.#encode({ type: 'error', code: 'stale', message }));
  }

  /** Tells a connection at once that the room can be reached (`ORDER-8`). */
  sendAlive(peer: Peer<Connection>): void {
    this.deliver(peer, encodeAlive(this.#settings.messagePrefix));
  }

  /** Sends an error and closes the connection for good. */
  refuse(peer: Peer<Connection>, code: ErrorCode, message: string): void {
    // A browser may not see the close code, and without the code a client would connect again for ever.
    this.#leave(peer, this.#encode({ type: 'error', code, message }));
    this.close(peer, code, message);
  }

  /** Sends an error at once. */
  sendError(peer: Peer<Connection>, code: ErrorCode, message: string, push?: number): void {
    const about = push === undefined ? {} : { push };
    this.deliver(peer, this.#encode({ type: 'error', code, message, ...about }));
  }

  /** Refuses a message unread, so that a flood costs the others as little as possible (`FLOOD-1`). `isHello` is that of {@link overload}. */
  refuseFlood(peer: Peer<Connection>, isHello: boolean = false): void {
    if (isHello) this.#refusedHellos.add(peer);
    // The room still handles what it sent before. Only the first refusal behind that counts: a hello may be refused after it.
    peer.line.behind(() => {
      const hasHello = this.#refusedHellos.delete(peer);
      if (!peer.isGone) this.overload(peer, FLOODED, hasHello);
    });
  }

  /** Closes a connection for good, with the close code of that error. */
  close(peer: Peer<Connection>, code: ErrorCode, reason: string): void {
    this.#letGo(peer);
    peer.leave('room');
    peer.connection.close(ERRORS[code].closeCode, reason);
  }

  /**
   * Closes a connection that has not said hello, because it may show what is gone (`JOIN-8`). The runtime ends a connection that never
   * sent anything only seconds later. So it gets a mark first: a client that is still loading answers that.
   */
  closeSilent(peer: Peer<Connection>, reason: string): void {
    if (peer.standing === 'admitted') this.#leave(peer, this.#encode({ type: 'mark', text: '' }));
    this.close(peer, 'unavailable', reason);
  }

  /**
   * Takes nothing more from a connection until its next hello. Tells it so, at most once a second (`FLOOD-1`). With `isHello`, a hello is
   * refused, whose client waits for the answer.
   */
  overload(peer: Peer<Connection>, text: string = FLOODED, isHello = false): void {
    const { state } = peer;
    if (state.type !== 'client') {
      this.close(peer, 'overloaded', text);
      return;
    }
    const isStopped = state.liveness === 'stopped';
    if (!isStopped) peer.setState({ ...state, liveness: 'stopped' });
    const tell = (): void => this.sendError(peer, 'overloaded', text);
    if (peer.allowance.mayTell()) {
      this.#laterTells.get(peer)?.();
      tell();
    } else if (!isStopped || isHello) {
      // It was stopped before, and has said hello since. Of several hellos, the last one counts: there is one timer.
      const stopped = peer.state;
      this.#laterTells.get(peer)?.();
      const cancel = this.#host.after(TELL_MILLISECONDS, () => {
        if (peer.state === stopped) tell();
      });
      this.#laterTells.set(peer, cancel);
    }
  }

  /**
   * Makes everybody start again, because the room's state may differ from the one that they know. So may whoever is being verified: it
   * may have loaded before.
   */
  dismiss(text: string): void {
    for (const peer of this.#peers.all()) {
      const { state } = peer;
      if (state.type === 'client') {
        this.sendError(peer, 'stale', text);
        peer.setState({ ...state, liveness: 'stopped' });
      } else this.closeSilent(peer, text);
    }
  }

  #encode(message: RoomMessage): string {
    return encodeRoomMessage(this.#settings.messagePrefix, message);
  }
}
