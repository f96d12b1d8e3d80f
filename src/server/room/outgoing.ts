import type { Changes } from '../../protocol/changes.ts';
import { encodeCommitFrame, encodeRoomMessage, encodeWelcomeFrame } from '../../protocol/codec.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Ack, RoomMessage, WelcomeBeginning } from '../../protocol/messages.ts';

import type { Waiter } from '../history/durability-gate.ts';
import type { RoomState } from '../history/room-state.ts';
import type { ChangeOrigin } from './change-origin.ts';
import type { Delivery } from './delivery.ts';
import type { ClientState } from './peer-state.ts';
import type { Peer } from './peer.ts';
import type { Peers } from './peers.ts';
import type { RoomSettings } from './room-settings.ts';
import { splitChanges } from './split-changes.ts';

/** The state that a message reports. The message waits until the state is written. */
type Told = Pick<
  RoomState<unknown, unknown>,
  'durability' | 'cursor' | 'version' | 'lastPush' | 'history'
>;

/** The length of one frame to a stock peer, in characters. */
const STOCK_FRAME_LENGTH = 512 * 1024;

/** Sends the messages that report a state of the room. A message leaves only when the reported change is written (`DURABLE-1`). */
export class Outgoing<Connection> {
  readonly #delivery: Delivery<Connection>;
  readonly #peers: Peers<Connection>;
  readonly #settings: Pick<RoomSettings<Connection, unknown>, 'messagePrefix' | 'limits'>;

  constructor(
    delivery: Delivery<Connection>,
    peers: Peers<Connection>,
    settings: Pick<RoomSettings<Connection, unknown>, 'messagePrefix' | 'limits'>,
  ) {
    this.#delivery = delivery;
    this.#peers = peers;
    this.#settings = settings;
  }

  /** Sends a message when everything that was ordered before it is written. Does not send it if that is lost. */
  send(state: Told, peer: Peer<Connection>, message: RoomMessage): void {
    this.#defer(state, peer, this.#encode(message));
  }

  /** Sends an error, as {@link send} does. */
  sendError(
    state: Told,
    peer: Peer<Connection>,
    code: ErrorCode,
    message: string,
    push?: number,
  ): void {
    const about = push === undefined ? {} : { push };
    this.send(state, peer, { type: 'error', code, message, ...about });
  }

  /**
   * Welcomes a client with the changes that it missed, or with the whole content (`JOIN-11`). If they are unknown or too
   * large, the welcome tells it to load the content (`JOIN-2`, `JOIN-3`). Returns true if the client is live.
   */
  sendWelcome(
    state: Told,
    peer: Peer<Connection>,
    hello: { generation: number; lastPush: number; isSetBack?: true },
    missed: string | undefined,
    content?: string,
  ): boolean {
    const frame = this.#welcome(state, hello, missed, content);
    const isSendable = frame.length <= this.#settings.limits.frameLength;
    if (missed === undefined || isSendable) this.#defer(state, peer, frame);
    else this.#defer(state, peer, this.#welcome(state, hello, undefined));
    return isSendable && missed !== undefined;
  }

  /** Tells a client to load the content (`JOIN-7`). */
  sendReload(state: Told, peer: Peer<Connection>, client: ClientState): void {
    const { generation } = client;
    const lastPush = state.lastPush(client);
    this.#defer(state, peer, this.#welcome(state, { generation, lastPush }, undefined));
    peer.setState({ ...client, liveness: 'loading' });
  }

  /** Answers a push. Returns false, and sends nothing, if the answer is too large for a frame. */
  sendAck(state: Told, peer: Peer<Connection>, ack: Ack): boolean {
    const frame = this.#encode(ack);
    if (frame.length > this.#settings.limits.frameLength) return false;
    state.durability.defer(new DeferredAnswer(this.#delivery, peer, frame));
    return true;
  }

  /** Tells everybody but its author of the latest commit (`ORDER-3`), whose changes were encoded before. */
  sendCommit(
    state: Told,
    changes: Changes,
    encoded: string,
    origin: ChangeOrigin<Connection, unknown>,
  ): void {
    const author = 'peer' in origin ? origin.peer : undefined;
    const isDerived = origin.type === 'push' && origin.isDerived === true;
    let frame: string | undefined;
    let stockFrames: readonly string[] | undefined;
    for (const peer of this.#peers.open()) {
      if (peer === author) continue;
      const client = peer.state;
      if (client.type === 'stock') {
        stockFrames ??= this.#stockFrames(changes);
        for (const stockFrame of stockFrames) this.#defer(state, peer, stockFrame);
      } else if (client.type === 'client' && client.liveness === 'live') {
        const { messagePrefix } = this.#settings;
        frame ??= encodeCommitFrame(
          messagePrefix,
          state.version,
          encoded,
          isDerived,
          state.history.newTag,
        );
        if (frame.length > this.#settings.limits.frameLength) this.sendReload(state, peer, client);
        else this.#defer(state, peer, frame);
      }
    }
  }

  /** Tells everybody that the room has its initial content (`JOIN-7`, `STOCK-3`). */
  sendInitialContent(state: Told, content: Changes): void {
    let stockFrames: readonly string[] | undefined;
    for (const peer of this.#peers.open()) {
      const client = peer.state;
      if (client.type === 'client') this.sendReload(state, peer, client);
      else if (client.type === 'stock') {
        stockFrames ??= this.#stockFrames(content);
        for (const stockFrame of stockFrames) this.#defer(state, peer, stockFrame);
      }
    }
  }

  /** Tells a stock peer the result of its changes. */
  sendStockAnswer(state: Told, peer: Peer<Connection>, changes: Changes): void {
    for (const frame of this.#stockFrames(changes))
      state.durability.defer(new DeferredAnswer(this.#delivery, peer, frame));
  }

  #defer(state: Told, peer: Peer<Connection>, frame: string): void {
    state.durability.defer(new DeferredFrame(this.#delivery, peer, frame));
  }

  #stockFrames(changes: Changes): readonly string[] {
    return Array.from(splitChanges(changes, STOCK_FRAME_LENGTH), (part) =>
      this.#encode({ type: 'stock', changes: part }),
    );
  }

  #welcome(
    { cursor }: Told,
    hello: { generation: number; lastPush: number; isSetBack?: true },
    changes: string | undefined,
    content?: string,
  ): string {
    const { framePushBytes, pushBytes, messagesPerSecond, messageBurst } = this.#settings.limits;
    const limits = { framePushBytes, pushBytes, rate: { messagesPerSecond, messageBurst } };
    const welcome: WelcomeBeginning = { ...hello, cursor, limits };
    return encodeWelcomeFrame(this.#settings.messagePrefix, welcome, changes, content);
  }

  #encode(message: RoomMessage): string {
    return encodeRoomMessage(this.#settings.messagePrefix, message);
  }
}

/** A frame that waits. It is a class because most of the room's work for a push is to defer frames. */
class DeferredFrame<Connection> implements Waiter {
  readonly #delivery: Delivery<Connection>;
  readonly #peer: Peer<Connection>;
  readonly #frame: string;

  constructor(delivery: Delivery<Connection>, peer: Peer<Connection>, frame: string) {
    this.#delivery = delivery;
    this.#peer = peer;
    this.#frame = frame;
  }

  onReleased(): void {
    this.#delivery.deliver(this.#peer, this.#frame);
  }

  onLost(): void {
    // The change in the frame was lost, and no client has seen it.
  }
}

/** An answer to the author of a commit, which waits until the commit is synced (`ORDER-9`). */
class DeferredAnswer<Connection> extends DeferredFrame<Connection> {
  readonly waitsForSync = true;
}
