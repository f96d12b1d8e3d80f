import type { Peer } from './peer.ts';
import type { RoomParts } from './room-parts.ts';

/** The pause before a full room counts its connections again. */
const RECOUNT_MILLISECONDS = 1_000;

/** The part of the limit that is left while space is scarce. */
const SCARCE = 1 / 4;

/** The part of the limit that a user may have while space is scarce. */
const SHARE = 1 / 10;

/** The result of counting a connection: `full` if there is no space for it, and `share` if its user has enough of it. */
export type Counted = 'counted' | 'full' | 'share';

/**
 * Counts connections, up to `limits.connections` (`FLOOD-5`). It does not look at all open connections each time that one comes:
 * after a deployment, many come at once.
 */
export class ConnectionLimit<Connection> {
  readonly #parts: Pick<RoomParts<Connection, never>, 'peers' | 'features' | 'settings' | 'host'>;
  readonly #counted = new WeakSet<Peer<Connection>>();
  #limit = 0;
  /** The number of connections that may come before the next look at all. */
  #left = 0;
  /** The connections of each user, with those that have left since the last look. */
  readonly #ofUsers = new Map<string, number>();
  /** The time of the last look that found no space. */
  #fullTime = -Infinity;

  constructor(
    parts: Pick<RoomParts<Connection, never>, 'peers' | 'features' | 'settings' | 'host'>,
  ) {
    this.#parts = parts;
  }

  /** Counts a connection, which is open and admitted, unless it was counted before. */
  count(peer: Peer<Connection>): Counted {
    if (this.#counted.has(peer)) return 'counted';
    const now = this.#parts.host.now();
    const { connections: limit } = this.#parts.settings.limits;
    // Those that were admitted before the room slept stay.
    const user = peer.wasAdmitted ? undefined : this.#userOf(peer);
    let counted = this.#spaceFor(user);
    const isFull = Math.abs(now - this.#fullTime) < RECOUNT_MILLISECONDS;
    if (limit !== this.#limit || (counted !== 'counted' && !isFull)) {
      this.#countOthers(peer, limit);
      counted = this.#spaceFor(user);
      this.#fullTime = counted === 'counted' ? -Infinity : now;
    }
    if (counted !== 'counted') return counted;
    this.#left -= 1;
    this.#counted.add(peer);
    this.#add(this.#userOf(peer));
    return 'counted';
  }

  #spaceFor(user: string | undefined): Counted {
    if (this.#left === 0) return 'full';
    if (user === undefined || this.#left > this.#limit * SCARCE) return 'counted';
    const ofUser = this.#ofUsers.get(user) ?? 0;
    return ofUser < Math.max(1, this.#limit * SHARE) ? 'counted' : 'share';
  }

  #countOthers(asking: Peer<Connection>, limit: number): void {
    const others = this.#parts.peers.admitted().filter((peer) => peer !== asking);
    this.#limit = limit;
    this.#left = Math.max(0, limit - others.length);
    this.#ofUsers.clear();
    for (const peer of others) this.#add(this.#userOf(peer));
  }

  #add(user: string | undefined): void {
    if (user !== undefined) this.#ofUsers.set(user, (this.#ofUsers.get(user) ?? 0) + 1);
  }

  /** Returns undefined in a room that knows no users. */
  #userOf({ connection }: Peer<Connection>): string | undefined {
    return this.#parts.features.userIdOf(connection.socket);
  }
}
