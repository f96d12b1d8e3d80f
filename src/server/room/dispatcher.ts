import type { Changes } from '../../protocol/changes.ts';
import { encodeCommitFrame, encodeRoomMessage } from '../../protocol/codec.ts';
import { ERRORS, type ErrorCode } from '../../protocol/errors.ts';
import type { Ack, RoomMessage, Welcome } from '../../protocol/messages.ts';

import type { Waiter } from '../history/journal.ts';
import type { Ledger } from '../history/ledger.ts';
import type { ClientState, Peer, Peers } from './peers.ts';
import type { RoomLimits } from './room-options.ts';
import { splitChanges } from './split-changes.ts';

/** What a {@link Dispatcher} needs of its room. */
export interface DispatcherOptions<Origin> {
  readonly peers: Peers<Origin>;
  readonly messagePrefix: () => string;
  readonly limits: () => RoomLimits;
}

/** Parts of what a stock peer gets, in characters. */
const STOCK_FRAME_LENGTH = 512 * 1024;

/** Everything that leaves the room over sockets, none of it before what it tells of is durable (`DURABLE-1`). */
export class Dispatcher<Origin> {
  readonly #options: DispatcherOptions<Origin>;

  constructor(options: DispatcherOptions<Origin>) {
    this.#options = options;
  }

  /** Sends a message when all that was ordered before it is durable; never, if that is lost. */
  send(ledger: Ledger, peer: Peer<Origin>, message: RoomMessage): void {
    this.#release(ledger, peer, this.#encode(message));
  }

  /** Sends an error that tells of nothing that may be lost. */
  sendError(
    ledger: Ledger | undefined,
    peer: Peer<Origin>,
    code: ErrorCode,
    message: string,
    push?: number,
  ): void {
    const about = push === undefined ? {} : { push };
    const frame = this.#encode({ type: 'error', code, message, ...about });
    if (ledger === undefined) peer.connection.send(frame);
    else this.#release(ledger, peer, frame);
  }

  /** Closes a connection for good, with the code's own close code. */
  close(peer: Peer<Origin>, code: ErrorCode, reason: string): void {
    peer.setState({ type: 'gone' });
    peer.connection.close(ERRORS[code].closeCode, reason);
  }

  /**
   * Welcomes a client with what it missed, or with nothing if that is unknown or too large: then it has to load
   * (`JOIN-2`, `JOIN-3`). Returns whether it is live.
   */
  welcome(
    ledger: Ledger,
    peer: Peer<Origin>,
    hello: { generation: number; lastPush: number },
    missed: Changes | undefined,
  ): boolean {
    const frame = this.#encode(this.#welcomeMessage(ledger, hello, missed));
    const isSendable = frame.length <= this.#options.limits().frameLength;
    if (isSendable || missed === undefined) this.#release(ledger, peer, frame);
    else this.#release(ledger, peer, this.#encode(this.#welcomeMessage(ledger, hello, undefined)));
    return isSendable && missed !== undefined;
  }

  /** Tells a client that it has to load the content, in place of a commit (`JOIN-7`). */
  reload(ledger: Ledger, peer: Peer<Origin>, state: ClientState): void {
    const lastPush = lastPushOf(ledger, state);
    this.send(
      ledger,
      peer,
      this.#welcomeMessage(ledger, { generation: state.generation, lastPush }, undefined),
    );
    peer.setState({ ...state, standing: 'loading' });
  }

  /** Ends a push. An answer too large to be sent is left to the loading of the content (`JOIN-7`). */
  ack(ledger: Ledger, peer: Peer<Origin>, state: ClientState, ack: Ack): void {
    const frame = this.#encode(ack);
    if (frame.length > this.#options.limits().frameLength) this.reload(ledger, peer, state);
    else this.#release(ledger, peer, frame, { canWait: true });
  }

  /** Tells everybody but its author of a commit (`ORDER-3`): the last one, as the ledger has it and encoded it. */
  commit(
    ledger: Ledger,
    changes: Changes,
    encoded: string,
    author: Peer<Origin> | undefined,
  ): void {
    let frame: string | undefined;
    let stockFrames: readonly string[] | undefined;
    for (const peer of this.#options.peers.open()) {
      const { state } = peer;
      if (peer === author) continue;
      if (state.type === 'stock') {
        stockFrames ??= this.#stockFrames(changes);
        for (const stockFrame of stockFrames) this.#release(ledger, peer, stockFrame);
      } else if (state.type === 'client' && state.standing === 'live') {
        frame ??= encodeCommitFrame(this.#options.messagePrefix(), ledger.version, encoded);
        if (frame.length > this.#options.limits().frameLength) this.reload(ledger, peer, state);
        else this.#release(ledger, peer, frame);
      }
    }
  }

  /** Tells everybody that the room has got its first content (`JOIN-7`, `STOCK-3`). */
  firstContent(ledger: Ledger, content: Changes): void {
    let stockFrames: readonly string[] | undefined;
    for (const peer of this.#options.peers.open()) {
      const { state } = peer;
      if (state.type === 'client') this.reload(ledger, peer, state);
      else if (state.type === 'stock') {
        stockFrames ??= this.#stockFrames(content);
        for (const stockFrame of stockFrames) this.#release(ledger, peer, stockFrame);
      }
    }
  }

  /** Tells a stock peer what its request came to. */
  stock(ledger: Ledger, peer: Peer<Origin>, changes: Changes): void {
    for (const frame of this.#stockFrames(changes)) {
      this.#release(ledger, peer, frame, { canWait: true });
    }
  }

  #stockFrames(changes: Changes): readonly string[] {
    return Array.from(splitChanges(changes, STOCK_FRAME_LENGTH), (part) =>
      this.#encode({ type: 'stock', changes: part }),
    );
  }

  #welcomeMessage(
    ledger: Ledger,
    { generation, lastPush }: { generation: number; lastPush: number },
    changes: Changes | undefined,
  ): Welcome {
    const { framePushBytes, pushBytes } = this.#options.limits();
    const limits = { framePushBytes, pushBytes };
    return { type: 'welcome', generation, cursor: ledger.cursor, lastPush, limits, changes };
  }

  #encode(message: RoomMessage): string {
    return encodeRoomMessage(this.#options.messagePrefix(), message);
  }

  /** An answer to whoever made a commit can wait until others have the commit (`ORDER-9`). */
  #release(
    ledger: Ledger,
    peer: Peer<Origin>,
    frame: string,
    { canWait }: { canWait: boolean } = { canWait: false },
  ): void {
    ledger.journal.release(new HeldFrame(peer, frame, canWait));
  }
}

/** A frame on its way. A class, because most of the room's work for a push is to hold frames back. */
class HeldFrame<Origin> implements Waiter {
  readonly #peer: Peer<Origin>;
  readonly #frame: string;
  readonly canWait: boolean;

  constructor(peer: Peer<Origin>, frame: string, canWait: boolean) {
    this.#peer = peer;
    this.#frame = frame;
    this.canWait = canWait;
  }

  onDurable(): void {
    this.#peer.connection.send(this.#frame);
  }

  onLost(): void {
    // Nobody has seen what it tells of.
  }
}

/** The number of the last push of that client which was dealt with, as far as anybody knows. */
export function lastPushOf(
  ledger: Ledger,
  { clientId, nextPush }: { clientId: string; nextPush: number },
): number {
  return Math.max(ledger.clients.lastPush(clientId), nextPush - 1);
}
