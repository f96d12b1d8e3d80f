import type { Waiter } from '../history/journal.ts';
import { MessageBudget, type MessageRate } from './message-budget.ts';
import type { RoomConnection, RoomHost } from './room-host.ts';

/** A connection that said hello. */
export interface ClientState {
  readonly type: 'client';
  readonly clientId: string;
  readonly generation: number;
  /** From the hello: the room expects no push below it (`ONCE-2`). */
  readonly nextPush: number;
  /**
   * `live`: gets commits, and its pushes are taken. `loading`: told to load the content, its pushes are answered with
   * `stale` (`JOIN-3`). `stopped`: has lost its place, its pushes are dropped until the next hello (`ONCE-3`).
   */
  readonly standing: 'live' | 'loading' | 'stopped';
}

/** What a connection is to the room. Survives hibernation as its attachment. */
export type PeerState =
  /** Has not said hello: speaks TinyBase's own messages, or is no concern of ours (`STOCK-1`). */
  | { readonly type: 'stock' }
  | ClientState
  /** Fenced, refused or closed: nothing is sent to it and nothing taken from it. */
  | { readonly type: 'gone' };

/** The slot of what a connection is to the room. */
const SLOT = 'peer';
const TELL_MILLISECONDS = 1_000;

/** One connection, with what the room keeps of it. */
export class Peer<Origin> {
  readonly connection: RoomConnection<Origin>;
  readonly #budget = new MessageBudget();
  #toldTime = -Infinity;
  /** Messages received whose effects are not durable yet, and their length. */
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

  /** True if nothing is sent to it and nothing taken from it: it was closed by the room or the app (`CLOSE-1`). */
  get isGone(): boolean {
    return this.#state.type === 'gone' || this.connection.isClosedByRoom;
  }

  /** True if its own side has closed the socket. What it sent before counts. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  setState(state: PeerState): void {
    this.#state = state;
    if (!this.#hasLeft) this.connection.writeSlot(SLOT, stateToAttachment(state));
  }

  /**
   * Counts a message of that length, received at that time in milliseconds, as waiting, until what is returned is let out or
   * lost. Undefined if this connection has sent too much, or too much of it waits.
   */
  admit(
    length: number,
    now: number,
    limits: MessageRate & { waitingMessages: number; waitingLength: number },
  ): Waiter | undefined {
    if (this.#waitingMessages >= limits.waitingMessages) return undefined;
    if (this.#waitingLength + length > limits.waitingLength) return undefined;
    if (!this.#budget.take(length, now, limits)) return undefined;
    this.#waitingMessages += 1;
    this.#waitingLength += length;
    return new Admitted(this, length);
  }

  /** A message of that length waits no more. */
  forget(length: number): void {
    this.#waitingMessages -= 1;
    this.#waitingLength -= length;
  }

  /** True at most once in a second: whoever sends too much is not answered as often. Time is in milliseconds. */
  mayTell(now: number): boolean {
    if (now - this.#toldTime < TELL_MILLISECONDS) return false;
    this.#toldTime = now;
    return true;
  }

  /** The socket is closed: nothing can be attached to it any more, and nothing more comes. */
  leave(): void {
    this.#hasLeft = true;
  }

  /** Attaches the state again if the app has overwritten it. */
  restoreAttachment(): void {
    this.connection.restoreSlots();
  }
}

/** A message that was received, until its effects are durable. */
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

/** The connections of a room. Those that are open come from the host each time: hosts lose track of fewer than we would. */
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

  /** All that are open: neither gone nor left. */
  open(): readonly Peer<Origin>[] {
    const open: Peer<Origin>[] = [];
    for (const connection of this.#host.connections()) {
      const peer = this.of(connection);
      if (!peer.isGone && !peer.hasLeft) open.push(peer);
    }
    return open;
  }

  /** The ids of all clients that are connected. */
  clients(): ReadonlySet<string> {
    const clients = new Set<string>();
    for (const { state } of this.open()) if (state.type === 'client') clients.add(state.clientId);
    return clients;
  }

  /** The open connections of that client. More than one only until the older ones are fenced. */
  *ofClient(clientId: string): Iterable<{ peer: Peer<Origin>; state: ClientState }> {
    for (const peer of this.open()) {
      if (peer.state.type === 'client' && peer.state.clientId === clientId)
        yield { peer, state: peer.state };
    }
  }
}

/** Short keys: hosts allow little room. */
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

/** What is not an attachment of ours is taken for none: whoever it was of says hello again. */
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
