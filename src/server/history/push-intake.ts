import { decodeWholePush } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { weightOf } from '../../protocol/frame.ts';
import type { Push, PushPart } from '../../protocol/messages.ts';
import { utf8Length } from '../../protocol/utf8.ts';

import { assertFewThings } from '../writes/parse-cost.ts';
import { waitFor, type MaybePromise } from '../room/maybe-promise.ts';
import type { ClientState } from '../room/peer-state.ts';
import type { Peer } from '../room/peer.ts';
import type { RoomParts } from '../room/room-parts.ts';
import type { RoomState } from './room-state.ts';

/** Told to a client after a gap in its pushes, or in the room's memory of it. Its next hello mends that. */
export const LOST_PLACE = 'This connection has lost its place in the history: say hello.';

/** Told to whoever sends changes while storage fails. Its edits stay unconfirmed, and are sent again. */
export const CANNOT_STORE =
  'The room cannot store changes at the moment, and takes none: they are sent again a little later.';

/** Told to a client of which the room could keep no record. */
const CANNOT_REMEMBER = 'The room remembers as many clients as it can: try again later.';

/** Told to the author of a push who has no right to write. */
export const READER_MESSAGE = 'This user may only read: nothing was applied.';

/** The most bytes of a push without its changes. */
const ENVELOPE_BYTES = 64;

/** Takes the pushes of clients, whole or in parts: in the order of their numbers, and within the limits of one push. */
export class PushIntake<Connection, Request> {
  readonly #parts: RoomParts<Connection, Request>;
  readonly #state: RoomState<Connection, Request>;

  constructor(parts: RoomParts<Connection, Request>, state: RoomState<Connection, Request>) {
    this.#parts = parts;
    this.#state = state;
  }

  /** Takes a push. Writes the next one in order. Acknowledges an earlier one again, and does nothing else with it. */
  take(peer: Peer<Connection>, client: ClientState, push: Push): MaybePromise<void> {
    const { outgoing, writer, features } = this.#parts;
    const { number, isDerived, reactsTo } = push;
    if (!this.#isInOrder(peer, client, number)) return undefined;
    if (number <= this.#state.lastPush(client)) {
      return outgoing.send(this.#state, peer, {
        type: 'ack',
        number,
        version: this.#state.version,
        isCommit: false,
        correction: undefined,
        reason: undefined,
      });
    }
    const { clientId, generation } = client;
    const origin = {
      type: 'push',
      clientId,
      number,
      generation,
      peer,
      isDerived,
      reactsTo,
    } as const;
    // A user who may only read needs no record.
    if (features.mayWrite(origin)) {
      if (this.#state.isFailing) return this.#refuse(peer, client, CANNOT_STORE);
      if (!this.#hasSpaceFor(clientId)) return this.#refuse(peer, client, CANNOT_REMEMBER);
    }
    return waitFor(writer.write(this.#state, push.changes, origin));
  }

  /**
   * Takes nothing more from a client that did nothing wrong until its next hello. Tells it so each time: events go on, and it would take
   * itself for live.
   */
  #refuse(peer: Peer<Connection>, client: ClientState, text: string): void {
    peer.setState({ ...client, liveness: 'stopped' });
    this.#parts.delivery.sendError(peer, 'overloaded', text);
  }

  /** Returns false if the room cannot keep a record of the client: without one, a push could be applied twice (`FLOOD-5`). */
  #hasSpaceFor(clientId: string): boolean {
    const { host, settings, peers } = this.#parts;
    return this.#state.clients.hasSpace(clientId, settings.limits.clients, host.now(), () =>
      peers.clients(),
    );
  }

  /** Returns false if the room takes no push of that number from the client now. The client has been told to say hello. */
  #isInOrder(peer: Peer<Connection>, client: ClientState, number: number): boolean {
    // The client has a newer connection, and sends its pushes there (`JOIN-5`).
    if (client.generation < this.#state.clients.generation(client.clientId)) return false;
    const isNext = number <= this.#state.lastPush(client) + 1;
    // A push that came before its connection was stopped still counts.
    if (isNext && client.liveness !== 'loading') return true;
    // The client was told to load, and sends the push again after its next hello (`JOIN-3`).
    if (client.liveness === 'loading') peer.losePush();
    else if (client.liveness !== 'stopped') this.#loseTrack(peer, client);
    return false;
  }

  /** Tells a client to say hello, and takes nothing more until then (`ONCE-3`). */
  #loseTrack(peer: Peer<Connection>, client: ClientState): void {
    this.#parts.outgoing.sendError(this.#state, peer, 'stale', LOST_PLACE);
    peer.losePush();
    if (client.liveness === 'live') peer.setState({ ...client, liveness: 'stopped' });
  }

  /** Takes a part of a push, and with the last one the push (`PART-1`, `PART-2`). */
  takePart(peer: Peer<Connection>, client: ClientState, part: PushPart): MaybePromise<void> {
    const { outgoing } = this.#parts;
    const { number } = part;
    // The parts before it are forgotten.
    if (client.liveness === 'stopped') return undefined;
    if (!this.#isInOrder(peer, client, number)) return undefined;
    if (this.#state.isFailing) return this.#refuse(peer, client, CANNOT_STORE);
    try {
      if (part.offset === 0) this.#admitPush(peer, client, part);
      if (!peer.assembly.take(part)) return this.#loseTrack(peer, client);
      const json = peer.assembly.takeWhole();
      if (json === undefined) return this.#sendReceipt(peer, client, part);
      this.#assertSize(utf8Length(json, this.#mostPushBytes));
      assertFewThings('The push', json, this.#parts.settings.limits.contentBytes);
      return this.#pushWhole(peer, client, number, json);
    } catch (error) {
      if (!(error instanceof TinyBasePartyKitError)) throw error;
      return outgoing.sendError(this.#state, peer, error.code, error.message, number);
    }
  }

  /** Takes a push whose parts have all come, and counts it as held until it is decided. */
  #pushWhole(
    peer: Peer<Connection>,
    client: ClientState,
    number: number,
    json: string,
  ): MaybePromise<void> {
    const { delivery, settings } = this.#parts;
    const weight = weightOf(json);
    // Even a push that weighs more than the limit gets through if little else is held.
    if (!delivery.makeSpace(peer, Math.min(weight, settings.limits.heldLength / 2))) {
      const text = 'The room holds too much for its connections now: try again later.';
      return this.#refuse(peer, client, text);
    }
    const pushed = this.take(peer, client, decodeWholePush(number, json));
    if (!(pushed instanceof Promise)) return undefined;
    peer.held.addFixed(weight);
    return pushed.finally(() => peer.held.addFixed(-weight));
  }

  /** Tells that a part was taken, as soon as the client may send more of them. */
  #sendReceipt(peer: Peer<Connection>, client: ClientState, { number, text }: PushPart): void {
    const { outgoing, host } = this.#parts;
    const { held: offset } = peer.assembly;
    const send = (): void => {
      // After another hello, or while the client is stopped, the parts are forgotten.
      if (peer.state !== client) return;
      const come = Math.ceil((peer.assembly.held - offset) / Math.max(1, text.length));
      const pause = peer.allowance.pauseOfParts(come);
      if (pause > 0) host.after(Math.ceil(pause), send);
      else outgoing.send(this.#state, peer, { type: 'receipt', number, offset });
    };
    send();
  }

  /** Throws if the room will not take a push, at its first part. */
  #admitPush(peer: Peer<Connection>, client: ClientState, { number, length }: PushPart): void {
    this.#assertSize(length);
    const { clientId, generation } = client;
    const origin = { type: 'push', clientId, number, generation, peer } as const;
    if (this.#parts.features.mayWrite(origin)) return;
    throw new TinyBasePartyKitError('forbidden', READER_MESSAGE);
  }

  get #mostPushBytes(): number {
    return this.#parts.settings.limits.pushBytes + ENVELOPE_BYTES;
  }

  #assertSize(length: number): void {
    if (length <= this.#mostPushBytes) return;
    const text = 'The push is larger than limits.pushBytes of the room: make smaller transactions.';
    throw new TinyBasePartyKitError('too-large', text);
  }
}
