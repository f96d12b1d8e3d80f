import { HeldMemory } from './held-memory.ts';
import type { ClientState } from './peer-state.ts';
import { Peer, type PeerContext, type PeerFeatures } from './peer.ts';
import { RateLimiter } from './rate-limiter.ts';
import type { RoomConnection, RoomHost } from './room-host.ts';
import type { RoomSettings } from './room-settings.ts';

/** The connections of a room. It asks the host for the open ones each time: no event tells for sure that one has left. */
export class Peers<Connection> {
  /** All that the room holds for connections. */
  readonly memory: HeldMemory<Peer<Connection>> = new HeldMemory();
  /** All that was sent to stock peers: they cannot tell what they have read. */
  readonly unproven: HeldMemory<Peer<Connection>> = new HeldMemory();
  readonly #host: RoomHost<Connection>;
  readonly #features: PeerFeatures<Connection>;
  readonly #peers = new WeakMap<RoomConnection<Connection>, Peer<Connection>>();
  readonly #index = new ClientIndex<Connection>();
  readonly #context: PeerContext<Connection>;
  /** False until the connections that survived a hibernation are in the index. */
  #isIndexed = false;
  /** The connections that a feature may have heard of. Some hosts never report that one has left. */
  readonly #present = new Set<Peer<Connection>>();

  constructor(
    host: RoomHost<Connection>,
    features: PeerFeatures<Connection>,
    settings: Pick<RoomSettings<Connection, never>, 'limits'>,
  ) {
    this.#host = host;
    this.#features = features;
    const { memory, unproven } = this;
    const rate = new RateLimiter();
    this.#context = { host, settings, features, index: this.#index, rate, memory, unproven };
  }

  of(connection: RoomConnection<Connection>): Peer<Connection> {
    let peer = this.#peers.get(connection);
    if (peer === undefined) {
      this.#peers.set(connection, (peer = new Peer(connection, this.#context)));
      if (!this.#features.isEmpty) this.#present.add(peer);
    }
    return peer;
  }

  /** Returns all that are open, have not left, and were let in. */
  open(): readonly Peer<Connection>[] {
    const open: Peer<Connection>[] = [];
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

  /** Returns all that have not left, also those that the gate has not let in. */
  all(): readonly Peer<Connection>[] {
    const peers = Array.from(this.#host.connections(), (connection) => this.of(connection));
    return peers.filter(({ hasLeft }) => !hasLeft);
  }

  /** Returns all that the gate admits now: features hear of no others (`SEAM-2`). */
  admitted(): readonly Peer<Connection>[] {
    return this.open().filter(({ standing }) => standing === 'admitted');
  }

  /** Ends those that are closed: some hosts never report that, and what they have not read would count for ever. */
  endClosed(): void {
    const open = new Set(this.#host.connections());
    for (const { accounts } of [this.memory, this.unproven])
      for (const { holder } of accounts)
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
  *ofClient(clientId: string): Iterable<{ peer: Peer<Connection>; state: ClientState }> {
    if (!this.#isIndexed) this.open();
    this.#isIndexed = true;
    for (const peer of this.#index.of(clientId)) {
      const { state } = peer;
      if (state.type !== 'client' || peer.hasLeft || peer.standing === 'unknown') continue;
      yield { peer, state };
    }
  }
}

/** The connections by client id, so that a hello need not look at all connections. */
export class ClientIndex<Connection> {
  readonly #peers = new Map<string, Set<Peer<Connection>>>();

  of(clientId: string): readonly Peer<Connection>[] {
    return [...(this.#peers.get(clientId) ?? [])];
  }

  add(clientId: string, peer: Peer<Connection>): void {
    const peers = this.#peers.get(clientId);
    if (peers === undefined) this.#peers.set(clientId, new Set([peer]));
    else peers.add(peer);
  }

  remove(clientId: string, peer: Peer<Connection>): void {
    const peers = this.#peers.get(clientId);
    peers?.delete(peer);
    if (peers?.size === 0) this.#peers.delete(clientId);
  }

  /** Forgets all connections but these: a host may never tell that one has left. */
  keep(open: ReadonlySet<Peer<Connection>>): void {
    for (const [clientId, peers] of this.#peers)
      for (const peer of peers) if (!open.has(peer)) this.remove(clientId, peer);
  }
}
