import type { Peer } from './peer.ts';
import type { Peers } from './peers.ts';

/** After the room was full, it counts its connections again after this time. */
const RECOUNT_MILLISECONDS = 1_000;

/**
 * Gives places to connections while a room has some left (`FLOOD-5`). It counts the open ones now and then, and not at each
 * that comes: many come at once after a deployment.
 */
export class Places<Origin> {
  readonly #peers: Pick<Peers<Origin>, 'admitted'>;
  readonly #taken = new WeakSet<Peer<Origin>>();
  #limit = 0;
  /** As many may come before the next count. */
  #left = 0;
  /** The time of the last count that found no place. */
  #fullTime = -Infinity;

  constructor(peers: Pick<Peers<Origin>, 'admitted'>) {
    this.#peers = peers;
  }

  /** Returns false if a connection, which is open and admitted, finds no place. */
  take(peer: Peer<Origin>, limit: number, now: number): boolean {
    if (this.#taken.has(peer)) return true;
    const isFull = Math.abs(now - this.#fullTime) < RECOUNT_MILLISECONDS;
    if (limit !== this.#limit || (this.#left === 0 && !isFull)) this.#count(limit, now);
    if (this.#left === 0) return false;
    this.#left -= 1;
    this.#taken.add(peer);
    return true;
  }

  #count(limit: number, now: number): void {
    this.#limit = limit;
    // The one that asks is among them.
    this.#left = Math.max(0, limit - this.#peers.admitted().length + 1);
    this.#fullTime = this.#left === 0 ? now : -Infinity;
  }
}
