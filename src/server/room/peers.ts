import type { Waiter } from '../history/durability-gate.ts';
import { RateLimiter, type MessageRate } from './rate-limiter.ts';
import type { RoomConnection, RoomHost } from './room-host.ts';

/** A connection that said hello. */
export interface ClientState {
  readonly type: 'client';
  readonly clientId: string;
  readonly generation: number;
  /** From the hello: the room expects no push with a lower number (`ONCE-2`). */
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

/** The slot of a connection's state. */
const SLOT = 'peer';
const TELL_MILLISECONDS = 1_000;

/** One connection, and everything that the room remembers of it. */
export class Peer<Origin> {
  readonly connection: RoomConnection<Origin>;
  readonly #limiter = new RateLimiter();
  #toldTime = -Infinity;
  /** The number and length of the messages whose effects are not durable yet. */
  #waitingMessages = 0;
  #waitingLength = 0;
  #state: PeerState;
  #hasLeft = false;

  constructor(connection: RoomConnection<Origin>) {
    this.connection = connection;
    this.#state = attachmentToState(connection.readSlot(SLOT));
  }

  get state(): PeerState {
    return this.#state;
  }

  /** True once the room or the app has closed it: nothing is sent to it, and nothing that it sent counts (`CLOSE-1`). */
  get isGone(): boolean {
    return this.#state.type === 'gone' || this.connection.isClosedByRoom;
  }

  /** True once it is gone, or its own side has closed the socket: then everything that it sent before counts. */
  get hasLeft(): boolean {
    return this.#hasLeft || this.isGone;
  }

  setState(state: PeerState): void {
    this.#state = state;
    // Nothing can be attached to a socket that is closed.
    if (!this.#hasLeft) this.connection.writeSlot(SLOT, stateToAttachment(state));
  }

  /**
   * Counts a message of that length, received at that time in milliseconds, as waiting until the returned waiter is called.
   * Returns undefined if this connection has sent too much, or too much of it waits.
   */
  admit(
    length: number,
    now: number,
    limits: MessageRate & { waitingMessages: number; waitingLength: number },
  ): Waiter | undefined {
    if (this.#waitingMessages >= limits.waitingMessages) return undefined;
    if (this.#waitingLength + length > limits.waitingLength) return undefined;
    if (!this.#limiter.take(length, now, limits)) return undefined;
    this.#waitingMessages += 1;
    this.#waitingLength += length;
    return new Admitted(this, length);
  }

  /** Counts a message of that length as waiting no more. */
  forget(length: number): void {
    this.#waitingMessages -= 1;
    this.#waitingLength -= length;
  }

  /** Returns true at most once a second, so that a flood is not answered message by message. Time is in milliseconds. */
  mayTell(now: number): boolean {
    if (now - this.#toldTime < TELL_MILLISECONDS) return false;
    this.#toldTime = now;
    return true;
  }

  /** Ends the connection in the room, however it ended. The one place that knows; may be called again. */
  leave(closedBy: 'room' | 'peer'): void {
    if (closedBy === 'room') this.setState({ type: 'gone' });
    this.#hasLeft = true;
  }

  /** Attaches the state again if the app has overwritten it. */
  restoreAttachment(): void {
    this.connection.restoreSlots();
  }
}

/** A received message, until its effects are durable. */
class Admitted implements Waiter {
  readonly #peer: Peer<unknown>;
  readonly #length: number;

  constructor(peer: Peer<unknown>, length: number) {
    this.#peer = peer;
    this.#length = length;
  }

  onDurable(): void {
    this.#peer.forget(this.#length);
  }

  onLost(): void {
    this.#peer.forget(this.#length);
  }
}

/** The connections of a room. The host is asked for the open ones each time, because it loses track of fewer. */
export class Peers<Origin> {
  readonly #host: RoomHost<Origin>;
  readonly #peers = new WeakMap<RoomConnection<Origin>, Peer<Origin>>();

  constructor(host: RoomHost<Origin>) {
    this.#host = host;
  }

  of(connection: RoomConnection<Origin>): Peer<Origin> {
    let peer = this.#peers.get(connection);
    if (peer === undefined) this.#peers.set(connection, (peer = new Peer(connection)));
    return peer;
  }

  /** Returns all that are open and have not left. */
  open(): readonly Peer<Origin>[] {
    const open: Peer<Origin>[] = [];
    for (const connection of this.#host.connections()) {
      const peer = this.of(connection);
      if (!peer.hasLeft) open.push(peer);
    }
    return open;
  }

  /** Returns the ids of all connected clients. */
  clients(): ReadonlySet<string> {
    const clients = new Set<string>();
    for (const { state } of this.open()) if (state.type === 'client') clients.add(state.clientId);
    return clients;
  }

  /** Returns the open connections of that client: more than one only until the older ones are closed. */
  *ofClient(clientId: string): Iterable<{ peer: Peer<Origin>; state: ClientState }> {
    for (const peer of this.open()) {
      if (peer.state.type === 'client' && peer.state.clientId === clientId)
        yield { peer, state: peer.state };
    }
  }
}

/** The keys are short because hosts allow little room. */
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
