import { composeChanges, deletesRow, type Changes } from '../../protocol/changes.ts';
import { encodeClientMessage } from '../../protocol/codec.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import type { RoomMessage } from '../../protocol/messages.ts';
import { utf8Length } from '../../protocol/utf8.ts';
import type { Outbox } from '../offline/outbox.ts';
import type { PendingPush, Replica } from '../replica/replica.ts';
import type { SessionSocket } from '../session/session-ports.ts';
import type { Stats } from '../session/stats.ts';

/** PartyKit closes a socket on a larger frame. */
const FRAME_BYTES = 1024 * 1024;

/** `empty` while the room has no Store; `off` while nothing is said or heard. */
export type StockStanding = 'off' | 'reduced' | 'empty';

/** What a stock conversation needs of its session, and tells it. */
export interface StockConversationOptions {
  readonly socket: SessionSocket;
  readonly prefix: () => string;
  readonly replica: Replica;
  readonly outbox: Outbox;
  readonly stats: Stats;
  /** It has begun. */
  readonly onStanding: (standing: Exclude<StockStanding, 'off'>) => void;
  /** Something was sent, and counts as confirmed. */
  readonly onProgress: () => void;
  /** The room is another than it was: the content has to be loaded. */
  readonly onLost: () => void;
}

/**
 * What is said to a room of TinyBase's own server (STOCK-4): changes, and no more. Nobody answers, so an edit counts as
 * confirmed when it was sent. Better than stock where that needs nobody's help: edits made at any moment are sent, what
 * arrives while content is loaded is not lost, and whoever comes back loads again.
 */
export class StockConversation {
  readonly #options: StockConversationOptions;
  #standing: StockStanding = 'off';
  #early: Changes[] = [];

  constructor(options: StockConversationOptions) {
    this.#options = options;
  }

  /** Content is asked for: what arrives from now on may not be in it. */
  expect(): void {
    this.#early = [];
  }

  /** Changes arrived while content is on its way. */
  keep(changes: Changes): void {
    this.#early.push(changes);
  }

  /** The content came: takes it as the base, and on top what arrived meanwhile. False: the Store is busy, and nothing was done. */
  show(content: LeafMap<Leaf>, isShown: boolean): boolean {
    const isDone = this.#options.replica.catchUp(content, 0, composeChanges(this.#early), isShown);
    if (isDone) this.#early = [];
    return isDone;
  }

  get standing(): StockStanding {
    return this.#standing;
  }

  /** Begins: the socket is open, and the content was shown. */
  join(hasStore: boolean): void {
    this.#standing = hasStore ? 'reduced' : 'empty';
    this.#options.onStanding(this.#standing);
    this.flush();
  }

  /** Nothing is sent or heard any more, until {@link join}. */
  leave(): void {
    this.#standing = 'off';
  }

  /** Deals with a message. False: the Store is busy, and nothing was done. */
  handle(message: RoomMessage): boolean {
    if (this.#standing === 'off') return true;
    if (message.type === 'stock' && this.#standing === 'reduced') {
      const isDone = this.#options.replica.commit(message.changes);
      if (isDone) this.#options.stats.loads++;
      return isDone;
    }
    // Somebody has given the room its Store; or it is ours after all, and its next answer to GET says so.
    this.#options.onLost();
    return true;
  }

  /** Sends what is pending. What a room without a Store is sent, it drops. */
  flush(): void {
    if (this.#standing !== 'reduced') return;
    this.#sendPending();
    this.#options.onProgress();
  }

  #sendPending(): void {
    const { socket, replica, outbox } = this.#options;
    for (let [push] = replica.pending; push !== undefined; [push] = replica.pending) {
      if (!socket.isOpen() || !outbox.isPushDurable(push.number)) return;
      this.#send(push);
      replica.acknowledge();
      outbox.answered([push]);
    }
  }

  #send({ number, changes }: PendingPush): void {
    const frames = framesOf(changes, this.#options.prefix());
    if (frames.some((frame) => utf8Length(frame, FRAME_BYTES) > FRAME_BYTES)) {
      this.#options.replica.withdraw(number, 'too-large');
      return;
    }
    for (const frame of frames) this.#options.socket.send(frame);
    this.#options.stats.saves++;
  }
}

/** One frame, but for a row that is deleted and then set: stock changes cannot say that at once. */
function framesOf(changes: Changes, prefix: string): readonly string[] {
  let isSetAgain = false;
  changes.leaves.forEach((_leaf, table, row) => {
    isSetAgain ||= deletesRow(changes, table, row);
  });
  const parts: readonly Changes[] = isSetAgain
    ? [
        { deletedRows: changes.deletedRows, leaves: new LeafMap() },
        { deletedRows: new Map(), leaves: changes.leaves },
      ]
    : [changes];
  return parts.map((part) => encodeClientMessage(prefix, { type: 'stock', changes: part }));
}
