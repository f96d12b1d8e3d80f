import type { Peer } from './peer.ts';
import type { Peers } from './peers.ts';
import type { RoomFeatures } from './room-features.ts';

/** The pause before a full room counts its connections again. */
const RECOUNT_MILLISECONDS = 1_000;

/** The part of the places that are left while they are scarce. */
const SCARCE = 1 / 4;

/** The part of the places that a user may have while they are scarce. */
const SHARE = 1 / 10;

/** Says if a connection has found a place: `full` if there is none, and `share` if its user has enough of them. */
export type Placing = 'placed' | 'full' | 'share';

/**
 * Gives places to connections until `limits.connections` have one (`FLOOD-5`). It does not count the open connections each time
 * that one comes: after a deployment, many come at once.
 */
export class Places<Origin> {
  readonly #peers: Pick<Peers<Origin>, 'admitted'>;
  readonly #features: Pick<RoomFeatures<Origin, never>, 'userIdOf'>;
  readonly #taken = new WeakSet<Peer<Origin>>();
  #limit = 0;
  /** The number of connections that may come before the next count. */
  #left = 0;
  /** The connections of each user, with those that have left since the last count. */
  readonly #ofUsers = new Map<string, number>();
  /** The time of the last count that found no place. */
  #fullTime = -Infinity;

  constructor(
    peers: Pick<Peers<Origin>, 'admitted'>,
    features: Pick<RoomFeatures<Origin, never>, 'userIdOf'>,
  ) {
    this.#peers = peers;
    this.#features = features;
  }

  /** Gives a place to a connection, which is open and admitted. */
  take(peer: Peer<Origin>, limit: number, now: number): Placing {
    if (this.#taken.has(peer)) return 'placed';
    // Those that were let in before the room slept keep their places.
    const user = peer.isIn ? undefined : this.#userOf(peer);
    let placing = this.#placingOf(user);
    const isFull = Math.abs(now - this.#fullTime) < RECOUNT_MILLISECONDS;
    if (limit !== this.#limit || (placing !== 'placed' && !isFull)) {
      this.#count(peer, limit);
      placing = this.#placingOf(user);
      this.#fullTime = placing === 'placed' ? -Infinity : now;
    }
    if (placing !== 'placed') return placing;
    this.#left -= 1;
    this.#taken.add(peer);
    this.#add(this.#userOf(peer));
    return 'placed';
  }

  #placingOf(user: string | undefined): Placing {
    if (this.#left === 0) return 'full';
    if (user === undefined || this.#left > this.#limit * SCARCE) return 'placed';
    const ofUser = this.#ofUsers.get(user) ?? 0;
    return ofUser < Math.max(1, this.#limit * SHARE) ? 'placed' : 'share';
  }

  #count(asking: Peer<Origin>, limit: number): void {
    const others = this.#peers.admitted().filter((peer) => peer !== asking);
    this.#limit = limit;
    this.#left = Math.max(0, limit - others.length);
    this.#ofUsers.clear();
    for (const peer of others) this.#add(this.#userOf(peer));
  }

  #add(user: string | undefined): void {
    if (user !== undefined) this.#ofUsers.set(user, (this.#ofUsers.get(user) ?? 0) + 1);
  }

  /** Returns undefined in a room that knows no users. */
  #userOf({ connection }: Peer<Origin>): string | undefined {
    return this.#features.userIdOf(connection.origin);
  }
}
