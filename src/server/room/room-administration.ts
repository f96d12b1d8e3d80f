import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import {
  isEvictionTarget,
  type ConnectionStats,
  type EvictionTarget,
  type RoomStats,
} from '../../protocol/room-handle.ts';

import type { RoomPersistence } from '../history/room-persistence.ts';
import { EXPIRED } from './delivery.ts';
import type { Peer } from './peer.ts';
import type { RoomParts } from './room-parts.ts';

/** A client that was silent for so long is asked for a sign of life. Clients ping more often. */
const SILENCE_MILLISECONDS = 60_000;
/** The time for the answer. */
const ANSWER_MILLISECONDS = 10_000;

const EVICTED = 'The room has evicted this connection: connect again only if its user asks for it.';
const SILENT = 'This connection did not answer: connect again.';

/** The part of a room that counts and closes connections, measures, and cleans up: for the room's own code and a backend. */
export class RoomAdministration<Connection, Request> {
  readonly #parts: RoomParts<Connection, Request>;
  readonly #persistence: RoomPersistence<Connection, Request>;

  constructor(
    parts: RoomParts<Connection, Request>,
    persistence: RoomPersistence<Connection, Request>,
  ) {
    this.#parts = parts;
    this.#persistence = persistence;
  }

  /** The number of open connections that the room has let in. */
  get size(): number {
    return this.#parts.peers.admitted().length;
  }

  /** Resolves to numbers about the room. Rejects with `unavailable` if the room cannot be loaded. */
  async stats(): Promise<RoomStats> {
    const { queue, host, peers } = this.#parts;
    const state = this.#persistence.current ?? (await queue.add(() => this.#persistence.load()));
    const storedSizes = this.#persistence.storage?.storedSizes;
    const { checkpointTime } = storedSizes ?? {};
    return {
      connections: peers.admitted().map((peer) => this.#describe(peer)),
      hasStore: state.hasStore,
      epoch: state.cursor.epoch,
      version: state.version,
      contentBytes: state.contentBytes,
      checkpointBytes: storedSizes?.checkpointBytes ?? 0,
      logBytes: storedSizes?.logBytes ?? 0,
      garbageBytes: storedSizes?.garbageBytes ?? 0,
      ...(checkpointTime === undefined
        ? {}
        : { checkpointAgeMilliseconds: Math.max(0, host.now() - checkpointTime) }),
    };
  }

  /** Closes connections with `forbidden`, and resolves to their number (`ADMIN-2`). */
  async evict(target: EvictionTarget): Promise<number> {
    if (!isEvictionTarget(target)) {
      throw new TypeError(
        'evict() does not know which connection to close: pass the id of a connection, or an object with either connection or user, which is an id.',
      );
    }
    if (typeof target === 'string') return this.#evictConnection(target);
    if (target.user !== undefined) return await this.#evictUser(target.user);
    return this.#evictConnection(target.connection);
  }

  /** Closes all connections with `forbidden`, and returns their number. */
  evictAll(): number {
    return this.#close(this.#parts.peers.all());
  }

  /**
   * Closes connections whose grant has ended, asks silent ones for a sign of life, and removes garbage from storage
   * (`ADMIN-6`). Resolves when storage is done. Never rejects.
   */
  async garbageCollect(): Promise<void> {
    const { peers, delivery, features, host } = this.#parts;
    const now = host.now();
    for (const peer of peers.open())
      if (peer.standing === 'expired') delivery.refuse(peer, 'expired', EXPIRED);
    const silent = peers
      .open()
      .filter(({ state }) => state.type === 'client')
      .map((peer) => ({ peer, sign: peer.heard.last }))
      .filter(({ sign }) => sign < now - SILENCE_MILLISECONDS);
    for (const { peer } of silent) delivery.ask(peer);
    if (silent.length > 0) {
      host.after(ANSWER_MILLISECONDS, () => {
        for (const { peer, sign } of silent) {
          // Compared with itself: the clock may have been set meanwhile.
          const later = peer.heard.last;
          const isSilent = later === sign || later === -Infinity;
          if (!peer.hasLeft && isSilent) delivery.close(peer, 'stale', SILENT);
        }
      });
    }
    features.garbageCollect();
    await this.#persistence.checkpoints.runNow();
  }

  #evictConnection(id: string): number {
    return this.#close(this.#parts.peers.all().filter((peer) => idOf(peer) === id));
  }

  async #evictUser(userId: string): Promise<number> {
    const { features, peers } = this.#parts;
    const { gate } = features;
    if (gate?.userIdOf === undefined) {
      throw new TinyBasePartyKitError(
        'malformed',
        'The room knows no users, so it cannot evict one: add createAuth to the room, or evict a connection.',
      );
    }
    const evicted = peers
      .all()
      .filter(({ connection }) => features.userIdOf(connection.socket) === userId);
    await gate.revoke?.(userId);
    this.#close(evicted);
    return evicted.length;
  }

  #close(peers: readonly Peer<Connection>[]): number {
    for (const peer of peers)
      if (!peer.hasLeft) this.#parts.delivery.refuse(peer, 'forbidden', EVICTED);
    return peers.length;
  }

  #describe(peer: Peer<Connection>): ConnectionStats {
    const user = this.#parts.features.userIdOf(peer.connection.socket);
    const id = idOf(peer) ?? '';
    return user === undefined ? { id } : { id, user };
  }
}

/** Returns the id of a connection: every host gives its connections one. */
function idOf({ connection }: Peer<unknown>): string | undefined {
  const { socket } = connection;
  if (typeof socket !== 'object' || socket === null) return undefined;
  const id: unknown = Reflect.get(socket, 'id');
  return typeof id === 'string' ? id : undefined;
}
