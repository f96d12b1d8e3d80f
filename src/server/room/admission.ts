import { TinyBasePartyKitError } from '../../protocol/errors.ts';

import { ConnectionLimit } from './connection-limit.ts';
import { EXPIRED } from './delivery.ts';
import type { Peer } from './peer.ts';
import type { RoomGate } from './room-feature.ts';
import type { RoomParts } from './room-parts.ts';

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
      if (error instanceof TinyBasePartyKitError) delivery.refuse(peer, error.code, error.message);
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
    const counted = this.#limit.count(peer);
    if (counted === 'counted') return true;
    const text =
      counted === 'full'
        ? `The room has ${connections} connections, and takes no more: try again later.`
        : `This user has a tenth of the ${connections} connections that the room takes, and most are in use: close others, or try again later.`;
    delivery.refuse(peer, 'full', text);
    return false;
  }
}
