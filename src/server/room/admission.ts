import { isTellable, TinyBasePartyKitError } from '../../protocol/errors.ts';
import { EXPIRED } from './delivery.ts';
import type { Peer } from './peer.ts';
import type { RoomGate } from './room-feature.ts';
import type { RoomParts } from './room-parts.ts';
import { spaceIn, type Space } from './shared-limit.ts';

/** Lets connections and requests in: asks the gate, and counts connections. The room handles nothing of those that it refuses. */
export class Admission<Connection, Request> {
  readonly #parts: RoomParts<Connection, Request>;
  readonly #limit: ConnectionLimit<Connection>;

  constructor(parts: RoomParts<Connection, Request>) {
    this.#parts = parts;
    this.#limit = new ConnectionLimit<Connection>(parts);
  }

  /** Resolves to false if a new connection is refused: then it is closed, or closing. Never rejects. */
  async admit(peer: Peer<Connection>, request: Request): Promise<boolean> {
    const { gate } = this.#parts.features;
    if (gate !== undefined) {
      peer.verification = this.#verify(gate, peer, request);
      if (!(await peer.verification)) return false;
    }
    if (!this.hasSpaceFor(peer)) return false;
    peer.admit();
    return true;
  }

  /** Verifies a request for the content. Rejects with the error that refuses it. */
  async admitRequest(request: Request, access: 'read' | 'write'): Promise<void> {
    const { features } = this.#parts;
    await features.gate?.admitRequest(request);
    if (access === 'read' || features.mayWrite({ type: 'seed', request })) return;
    const message = 'This user may only read, and cannot give the room its initial content.';
    throw new TinyBasePartyKitError('forbidden', message);
  }

  /** Asks the gate about a new connection. Never rejects. */
  async #verify(
    gate: RoomGate<Connection, Request>,
    peer: Peer<Connection>,
    request: Request,
  ): Promise<boolean> {
    const { delivery, reporter } = this.#parts;
    try {
      await gate.admit(peer.connection.socket, request);
      peer.verification = undefined;
      if (peer.hasLeft) return false;
      if (peer.standing === 'admitted') return true;
      delivery.refuse(peer, 'expired', EXPIRED);
    } catch (error) {
      peer.verification = undefined;
      if (isTellable(error)) delivery.refuse(peer, error.code, error.message);
      else {
        reporter.report(error, 'feature');
        delivery.refuse(peer, 'failed', 'The room could not verify the connection: try again.');
      }
    }
    return false;
  }

  /**
   * Resolves to true if the gate admits a connection. Otherwise the connection is closed: its grant has ended, or the room lost it
   * while it slept.
   */
  async passes(peer: Peer<Connection>): Promise<boolean> {
    if (peer.verification !== undefined && !(await peer.verification)) return false;
    if (peer.hasLeft) return false;
    if (peer.standing === 'admitted') return true;
    this.#parts.delivery.refuse(peer, 'expired', EXPIRED);
    return false;
  }

  /** Closes a connection, and returns false, if the room is full or its user has enough. Returns true for one that was counted before. */
  hasSpaceFor(peer: Peer<Connection>): boolean {
    const { delivery, settings } = this.#parts;
    const { connections } = settings.limits;
    const space = this.#limit.count(peer);
    if (space === 'free') return true;
    const text =
      space === 'full'
        ? `The room has ${connections} connections, and takes no more: try again later.`
        : `This user has a tenth of the ${connections} connections that the room takes, and most are in use: close others, or try again later.`;
    delivery.refuse(peer, 'full', text);
    return false;
  }
}

/** The pause before a full room counts its connections again. */
const RECOUNT_MILLISECONDS = 1_000;

/**
 * Counts connections, up to `limits.connections` (`FLOOD-5`). It does not look at all open connections each time that one comes:
 * after a deployment, many come at once.
 */
class ConnectionLimit<Connection> {
  readonly #parts: Pick<RoomParts<Connection, never>, 'peers' | 'features' | 'settings' | 'host'>;
  readonly #counted = new WeakSet<Peer<Connection>>();
  #limit = 0;
  /** The connections, with those that have left since the last look. */
  #used = 0;
  /** The connections of each user, with those that have left since the last look. */
  readonly #ofUsers = new Map<string, number>();
  /** The time of the last look that found no space. */
  #fullTime = -Infinity;

  constructor(
    parts: Pick<RoomParts<Connection, never>, 'peers' | 'features' | 'settings' | 'host'>,
  ) {
    this.#parts = parts;
  }

  /** Counts a connection, which is open and admitted, unless it was counted before. Counts nothing unless it returns `free`. */
  count(peer: Peer<Connection>): Space {
    // A client that the room knows was there before the room slept.
    if (this.#counted.has(peer) || peer.state.type === 'client') return 'free';
    const now = this.#parts.host.now();
    const { connections: limit } = this.#parts.settings.limits;
    // Those that were admitted before the room slept stay.
    const user = peer.wasAdmitted ? undefined : this.#userOf(peer);
    let space = this.#spaceFor(user);
    const isFull = Math.abs(now - this.#fullTime) < RECOUNT_MILLISECONDS;
    if (limit !== this.#limit || (space !== 'free' && !isFull)) {
      this.#countOthers(peer, limit);
      space = this.#spaceFor(user);
      this.#fullTime = space === 'free' ? -Infinity : now;
    }
    if (space !== 'free') return space;
    this.#counted.add(peer);
    this.#add(this.#userOf(peer));
    return 'free';
  }

  #spaceFor(user: string | undefined): Space {
    const ofUser = user === undefined ? 0 : (this.#ofUsers.get(user) ?? 0);
    return spaceIn(this.#limit, this.#used, ofUser);
  }

  #countOthers(asking: Peer<Connection>, limit: number): void {
    this.#limit = limit;
    this.#used = 0;
    this.#ofUsers.clear();
    const others = this.#parts.peers.admitted().filter((peer) => peer !== asking);
    for (const peer of others) {
      this.#add(this.#userOf(peer));
      // Some were there before the room slept, without a hello. Those that are just coming are counted in their turn.
      if (others.length <= limit && peer.wasAdmitted) this.#counted.add(peer);
    }
  }

  #add(user: string | undefined): void {
    this.#used += 1;
    if (user !== undefined) this.#ofUsers.set(user, (this.#ofUsers.get(user) ?? 0) + 1);
  }

  /** Returns undefined in a room that knows no users. */
  #userOf({ connection }: Peer<Connection>): string | undefined {
    return this.#parts.features.userIdOf(connection.socket);
  }
}
