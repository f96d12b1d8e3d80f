import { TinyBasePartyKitError } from '../../src/protocol/errors.ts';
import * as errorMessage from '../../src/protocol/messages/error.ts';
import type { StoreRequest } from '../../src/server/http/store-endpoint.ts';
import type { FeatureRoom, RoomGate } from '../../src/server/room/room-feature.ts';
import type { Room } from '../../src/server/room/room.ts';
import type { Wire } from './network.ts';
import { THIEF } from './thief.ts';
import { type Occurrence, PropertyFailure, type Source } from './world.ts';

/** The settings of a gate of the simulation. */
export interface GateTraits {
  readonly prefix: string;
  /** True: it takes its time, and now and then it cannot verify a token. */
  readonly isSlow: boolean;
  /** The user who may only read. */
  readonly reader: string | undefined;
  /** True: the room is told who is who, and keeps client ids by user. */
  readonly hasUsers: boolean;
}

/** The state of a token. The token of somebody who is thrown out may be good until the socket is closed. */
type Grant = 'good' | 'ended' | 'lost' | 'thrown out';

/** The mark before the user in a client id that a room with users keeps. */
const USER_MARK = '@';

const WEIGHT = 2;
const FAILING_PERCENT = 15;

/** The gate of a room whose users have tokens. What it knows of a socket outlives the room's process, as an attachment does. */
export class SimGate implements RoomGate<Wire, StoreRequest>, Source {
  /** True: it may fail to verify. */
  isUnreliable = true;
  readonly #traits: GateTraits;
  readonly #grants = new WeakMap<Wire, Grant>();
  #room: FeatureRoom<Wire> | undefined;
  /** The sockets that it has not decided about. */
  #undecided: { readonly wire: Wire; decide: (isVerified: boolean) => void }[] = [];

  constructor(traits: GateTraits) {
    this.#traits = traits;
  }

  /** A process of the room begins. What another one has asked, nobody hears. */
  attach(room: Room<Wire, StoreRequest>): void {
    this.#undecided = [];
    this.#room = room.setGate(this);
  }

  *occurrences(): Iterable<Occurrence> {
    if (this.#undecided.length === 0) return;
    yield {
      label: 'gate decides',
      weight: WEIGHT,
      happen: (choices) => {
        const [asked] = this.#undecided.splice(choices.below(this.#undecided.length), 1);
        asked?.decide(!this.isUnreliable || !choices.percent(FAILING_PERCENT));
      },
    };
  }

  /** True if it is not being asked. */
  get isIdle(): boolean {
    return this.#undecided.length === 0;
  }

  isDeciding(wire: Wire): boolean {
    return this.#undecided.some((asked) => asked.wire === wire);
  }

  async admit(wire: Wire): Promise<void> {
    if (this.#traits.isSlow) await this.#decision(wire);
    else await Promise.resolve();
    this.#grants.set(wire, 'good');
  }

  async admitRequest(): Promise<void> {}

  check(wire: Wire): 'admitted' | 'unknown' | 'expired' {
    switch (this.#grants.get(wire)) {
      case 'good':
      case 'thrown out':
        return 'admitted';
      case 'ended':
        return 'expired';
      case 'lost':
      case undefined:
        return 'unknown';
    }
  }

  /** Requests have no user. */
  mayWrite(caller: Wire | StoreRequest): boolean {
    return !('label' in caller) || !this.isReader(caller.client.name);
  }

  userIdOf(caller: Wire | StoreRequest): string | undefined {
    if (!this.#traits.hasUsers || !('label' in caller)) return undefined;
    return USER_MARK + userOf(caller.client.name);
  }

  /** True if the user of the tab of that name may only read. */
  isReader(name: string): boolean {
    if (this.#traits.reader === undefined) return false;
    return userOf(name) === this.#traits.reader;
  }

  /** True if a token of that socket can end. */
  isIn(wire: Wire): boolean {
    return this.#grants.get(wire) === 'good' && wire.roomState === 'open';
  }

  /** The token of the socket ends. Nobody tells the room. */
  end(wire: Wire): void {
    this.#grants.set(wire, 'ended');
  }

  /** The attachment of the socket is lost while the room sleeps. */
  lose(wire: Wire): void {
    this.#grants.set(wire, 'lost');
  }

  /** True if nothing that comes over the socket from now on counts. */
  isVoid(wire: Wire): boolean {
    const grant = this.#grants.get(wire);
    return grant === 'ended' || grant === 'lost' || this.isReader(wire.client.name);
  }

  /** The room throws the user out. */
  throwOut(wire: Wire): void {
    this.#room?.refuse(wire, 'forbidden', 'This user may not be in this room any more.');
    this.#grants.set(wire, 'thrown out');
  }

  /** Throws if the room tells anything but an error to somebody who was not let in, or is not any more (GATE-5, GATE-7). */
  checkSent(wire: Wire, frame: string): void {
    if (this.#grants.get(wire) === 'good') return;
    if (frame.startsWith(this.#traits.prefix + errorMessage.letter)) return;
    throw new PropertyFailure('gate', `${wire.label} has no good token, and is told ${frame}`);
  }

  #decision(wire: Wire): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#undecided.push({
        wire,
        decide: (isVerified) => {
          if (isVerified) resolve();
          else reject(new TinyBasePartyKitError('unavailable', 'The keys cannot be fetched.'));
        },
      });
    });
  }
}

/** Returns the user of the tab of that name. The names of further tabs of a user have more in them. */
function userOf(name: string): string {
  return /client\d+/.exec(name)?.[0] ?? name;
}

/** Returns the id that a client has given itself, of the one that the room keeps. That of a thief is another one. */
export function givenIdOf(kept: string): string {
  const [given = kept, user] = kept.split(USER_MARK);
  return user === THIEF ? kept : given;
}

/** Returns the id that {@link givenIdOf} gives for what such a client has said to the room. */
export function heardIdOf(wire: Wire, clientId: string): string {
  return wire.client.name === THIEF ? clientId + USER_MARK + THIEF : clientId;
}
