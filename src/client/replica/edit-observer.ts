import type { Changes } from '../../protocol/changes.ts';
import type { TransactionLog } from '../../protocol/store-access.ts';
import type { Aims } from './aims.ts';
import type { PendingPush } from './pending-push.ts';

/** An optional part of the client that needs the user's own edits. Its methods must not throw or write to the Store. */
export interface EditObserver {
  /** The user, or the app, made a transaction. If it is a push, it has its number by now. */
  edited(log: TransactionLog): void;
  /** The held edits have become the last push, or local-only. */
  released(isLocal: boolean): void;
  /** The correction of the oldest pending push, which has that number, is about to be folded, while remote changes are shown. */
  correcting(push: number, correction: Changes): void;
  /**
   * Changes of the room were folded into the base. `log` is the transaction that shows them; undefined if the Store rolled it back.
   * `oldestUnanswered` is the number that the replica had before them. `isAck` is true for the correction of the oldest pending push, but
   * only while remote changes are shown: otherwise the client does not know what lay beneath the push. `changes` are the changes of
   * others, and those of own pushes whose answer was lost. If not `isShown`, the Store shows them only where an edit made here lay on top.
   */
  folded(
    aims: Aims,
    log: TransactionLog | undefined,
    oldestUnanswered: number,
    isAck: boolean,
    changes: Changes | undefined,
    isShown: boolean,
  ): void;
  /**
   * The room will never take that push. If `isLocal`, its changes stay here, local-only, beneath later edits. If not, the Store shows the
   * room's version again.
   */
  withdrawn(push: PendingPush, isLocal: boolean): void;
  /** The replica has forgotten all edits: it ends, or is used for another room. */
  abandoned(): void;
}

/** The key under which a persister has its replica, for other parts of the client. All copies of this package share it. */
export const REPLICA: unique symbol = Symbol.for('tinybase-partykit:replica:1');
