import { decodeClientMessage, decodePushNumber } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { ClientMessage } from '../../protocol/messages.ts';

import type { RoomPersistence } from '../history/room-persistence.ts';
import type { RoomState } from '../history/room-state.ts';
import type { MaybePromise } from './maybe-promise.ts';
import { UNLOADED } from './delivery.ts';
import type { PeerState } from './peer-state.ts';
import type { Peer } from './peer.ts';
import type { FeatureFrame } from './room-features.ts';
import type { RoomParts } from './room-parts.ts';

const APP_HINT =
  ". If it is a message of the app's own, set messagePrefix in the room and in its clients.";

/**
 * Hands each message to the room's state or to a feature, one at a time. Messages of one connection keep their order. A message that
 * waits for a hook holds up only its own connection.
 */
export class Dispatcher<Connection, Request> {
  readonly #parts: RoomParts<Connection, Request>;
  readonly #persistence: RoomPersistence<Connection, Request>;

  constructor(
    parts: RoomParts<Connection, Request>,
    persistence: RoomPersistence<Connection, Request>,
  ) {
    this.#parts = parts;
    this.#persistence = persistence;
  }

  /** Handles a message of the protocol. Settles when that is complete. Neither throws nor rejects. */
  take(peer: Peer<Connection>, message: unknown): MaybePromise<void> {
    return this.#enqueue(() => this.#takeFrame(peer, message));
  }

  /** Does the same for a frame of a feature that is in order with the messages of the protocol. */
  takeOrdered(
    peer: Peer<Connection>,
    frame: FeatureFrame<Connection, Request>,
  ): MaybePromise<void> {
    return this.#enqueue(() => this.#takeFeatureFrame(peer, frame));
  }

  /** Runs a step in the queue. Settles when the step is complete. Neither throws nor rejects. */
  #enqueue(step: () => MaybePromise<Handling>): MaybePromise<void> {
    const report = (error: unknown): void => this.#parts.reporter.report(error, 'room');
    try {
      const handled = this.#parts.queue.add(step);
      if (handled instanceof Promise) return handled.then(decidedOf).catch(report);
      return handled?.decided.catch(report);
    } catch (error) {
      report(error);
      return undefined;
    }
  }

  /** Handles a message after all earlier ones of its connection. The queue does not wait for it. */
  #inOrder(peer: Peer<Connection>, handle: () => MaybePromise<void>): Handling {
    const decided = peer.undecided.add(handle);
    return decided instanceof Promise ? { decided } : undefined;
  }

  #takeFeatureFrame(
    peer: Peer<Connection>,
    frame: FeatureFrame<Connection, Request>,
  ): MaybePromise<Handling> {
    const { features, delivery } = this.#parts;
    const sender = peer.state;
    const handle = (): Handling =>
      this.#inOrder(peer, () => {
        if (peer.isGone) return;
        const isIntact = !peer.hasLostPush && !hasBegunAgain(peer, sender);
        features.receive(peer.connection.socket, frame, isIntact);
      });
    const state = this.#persistence.load();
    return state instanceof Promise
      ? state.then(handle, () => delivery.sendError(peer, 'unavailable', UNLOADED))
      : handle();
  }

  #takeFrame(peer: Peer<Connection>, data: unknown): MaybePromise<Handling> {
    if (peer.isGone) return undefined;
    const { messagePrefix } = this.#parts.settings;
    let message: ClientMessage | undefined;
    try {
      message = decodeClientMessage(messagePrefix, data);
    } catch (error) {
      if (!(error instanceof TinyBasePartyKitError)) throw error;
      // With an empty prefix, a frame that does not decode may be the app's own (`FRAME-2`).
      if (peer.state.type === 'client') {
        const push = decodePushNumber(messagePrefix, data);
        const mayBeOfApp = messagePrefix === '' && push === undefined;
        const text = mayBeOfApp ? error.message.replace(/\.?$/, APP_HINT) : error.message;
        return this.#inOrder(peer, () => {
          const { current } = this.#persistence;
          if (current === undefined) this.#parts.delivery.sendError(peer, error.code, text, push);
          else this.#parts.outgoing.sendError(current, peer, error.code, text, push);
        });
      }
      return undefined;
    }
    if (message?.type === 'mark') {
      this.#parts.delivery.takeMark(peer, message.text);
      return undefined;
    }
    if (message?.type !== 'hello')
      return message === undefined ? undefined : this.#takeMessage(peer, message);
    const clientId = this.#parts.features.clientIdOf(peer.connection.socket, message.clientId);
    return this.#takeMessage(peer, { ...message, clientId });
  }

  #takeMessage(peer: Peer<Connection>, message: ClientMessage): MaybePromise<Handling> {
    const state = this.#persistence.load();
    return state instanceof Promise
      ? state.then(
          (loaded) => this.#handle(loaded, peer, message),
          () => this.#refuseUnloaded(peer, message),
        )
      : this.#handle(state, peer, message);
  }

  #handle(
    state: RoomState<Connection, Request>,
    peer: Peer<Connection>,
    message: ClientMessage,
  ): Handling {
    const sender = peer.state;
    if (!peer.undecided.isEmpty && message.type === 'ping') {
      this.#parts.delivery.sendAlive(peer);
      return undefined;
    }
    if (
      message.type === 'hello' &&
      sender.type === 'client' &&
      sender.clientId === message.clientId
    ) {
      void state.receive(peer, message);
      // The hello goes ahead of pushes that wait for hooks: the client sends those again (`ONCE-9`).
      if (peer.state !== sender) peer.undecided.overtake();
      return undefined;
    }
    const isPush = message.type === 'push' || message.type === 'part';
    if (isPush && sender.type === 'client' && sender.liveness === 'stopped') return undefined;
    return this.#inOrder(peer, () => {
      if (hasBegunAgain(peer, sender) || state !== this.#persistence.current) return undefined;
      if (peer.allowance.hasOverspent && (isPush || message.type === 'stock'))
        return this.#parts.delivery.refuseFlood(peer);
      return state.receive(peer, message);
    });
  }

  /** Refuses a message because the room cannot be loaded. Closing is the only way to tell a stock peer that it lost a change. */
  #refuseUnloaded(peer: Peer<Connection>, message: ClientMessage): void {
    const { delivery } = this.#parts;
    if (peer.isGone) return;
    if (peer.state.type === 'client' || message.type === 'hello') {
      delivery.sendError(peer, 'unavailable', UNLOADED);
    } else if (message.type === 'stock') delivery.close(peer, 'unavailable', UNLOADED);
  }
}

/** A message that is not decided yet; undefined if it is complete. */
type Handling = { readonly decided: Promise<void> } | undefined | void;

/** Returns true if the sender has said hello since it was in that state: messages from before are dropped. */
function hasBegunAgain({ state }: Peer<unknown>, sender: PeerState): boolean {
  if (sender.type !== 'client') return false;
  return state.type !== 'client' || state.generation !== sender.generation;
}

async function decidedOf(handled: Handling): Promise<void> {
  await handled?.decided;
}
