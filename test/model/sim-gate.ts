import * as errorMessage from '../../src/protocol/messages/error.ts';
import type { StoreRequest } from '../../src/server/http/store-endpoint.ts';
import type { FeatureRoom, RoomGate } from '../../src/server/room/room-feature.ts';
import type { Room } from '../../src/server/room/room.ts';
import type { Wire } from './network.ts';
import { PropertyFailure } from './world.ts';

/** The gate of a room whose users have tokens. What it knows of a socket outlives the room's process, as an attachment does. */
export class SimGate implements RoomGate<Wire, StoreRequest> {
  readonly #prefix: string;
  readonly #grants = new WeakMap<Wire, 'good' | 'ended'>();
  #room: FeatureRoom<Wire> | undefined;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  attach(room: Room<Wire, StoreRequest>): void {
    this.#room = room.setGate(this);
  }

  async admit(wire: Wire): Promise<void> {
    await Promise.resolve();
    this.#grants.set(wire, 'good');
  }

  async admitRequest(): Promise<void> {}

  standing(wire: Wire): 'admitted' | 'unknown' | 'expired' {
    switch (this.#grants.get(wire)) {
      case 'good':
        return 'admitted';
      case 'ended':
        return 'expired';
      case undefined:
        return 'unknown';
    }
  }

  mayWrite(): boolean {
    return true;
  }

  /** True if a token of that socket can end. */
  isIn(wire: Wire): boolean {
    return this.#grants.get(wire) === 'good' && wire.roomState === 'open';
  }

  /** The token of the socket ends. Nobody tells the room. */
  end(wire: Wire): void {
    this.#grants.set(wire, 'ended');
  }

  hasEnded(wire: Wire): boolean {
    return this.#grants.get(wire) === 'ended';
  }

  /** The room throws the user out. */
  throwOut(wire: Wire): void {
    this.#room?.refuse(wire, 'forbidden', 'This user may not be in this room any more.');
  }

  /** Throws if the room tells anything but an error to somebody whose token has ended, or who was not let in (GATE-5, GATE-7). */
  checkSent(wire: Wire, frame: string): void {
    if (this.#grants.get(wire) === 'good') return;
    if (frame.startsWith(this.#prefix + errorMessage.letter)) return;
    throw new PropertyFailure('gate', `${wire.label} has no good token, and is told ${frame}`);
  }
}
