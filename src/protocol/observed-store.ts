import type { Store } from 'tinybase';

import { isEmptyChanges } from './changes.ts';
import { readTransactionLog, type TransactionLog } from './store-access.ts';

/** The outcome of {@link ObservedStore.apply}. */
export type ApplyOutcome =
  /** Another transaction is open, or its listeners are running. Nothing changed; try again later. */
  | { readonly type: 'busy' }
  /**
   * The transaction is over. `error` is the error of a listener of the Store's owner, if any; it undid nothing. The log is
   * undefined if it was not needed.
   */
  | { readonly type: 'applied'; readonly log: TransactionLog | undefined; readonly error: unknown }
  /** A listener or middleware threw before the end of the transaction, and the Store rolled everything back. */
  | { readonly type: 'failed'; readonly log?: undefined; readonly error: unknown };

/**
 * A Store that distinguishes its owner's transactions from those that `apply` runs. Never applies anything inside of an open
 * transaction of the owner, because the owner may still roll that back.
 */
export class ObservedStore {
  readonly store: Store;
  readonly #listenerIds: string[];
  #isOutermost = false;
  /** True from the start of a transaction until its did-finish phase. */
  #isOpen = false;
  #isStopping = false;
  #isApplying = false;
  #needsLog: (() => boolean) | undefined;
  #appliedLog: TransactionLog | 'unread' | undefined;

  /**
   * Calls `onTransaction` in the did-finish phase of each transaction of the Store's owner that changed something. There the
   * Store can be read, but not written. `onTransaction` must not throw.
   */
  constructor(store: Store, onTransaction: (log: TransactionLog) => void) {
    this.store = store;
    this.#listenerIds = [
      store.addStartTransactionListener(() => {
        // The one before was rolled back without a did-finish phase: a mutator listener threw.
        if (this.#isStopping) this.stop();
        this.#isOpen = this.#isOutermost = true;
      }),
      store.addDidFinishTransactionListener(() => {
        this.#isOpen = false;
        if (this.#isApplying)
          this.#appliedLog = this.#needsLog?.() === false ? 'unread' : readTransactionLog(store);
        else {
          const log = readTransactionLog(store);
          if (!isEmptyChanges(log.changes)) onTransaction(log);
        }
        if (this.#isStopping) this.stop();
      }),
    ];
  }

  /**
   * Runs `actions` as a transaction of its own. Never throws. The log costs as much as the actions. `needsLog`, which may read
   * the Store in the did-finish phase and not throw, tells if it is read. Without it, the outcome after an error is `applied`,
   * though the Store may have rolled everything back.
   */
  apply(actions: () => void, needsLog?: () => boolean): ApplyOutcome {
    if (this.#isApplying) return { type: 'busy' };
    let isBusy = true;
    let error: unknown;
    this.#needsLog = needsLog;
    this.#isOutermost = false;
    try {
      this.store.transaction(() => {
        if (!this.#isOutermost) return;
        isBusy = false;
        this.#isApplying = true;
        actions();
      });
    } catch (thrown) {
      isBusy = false;
      error = thrown;
    } finally {
      this.#isApplying = false;
    }
    if (isBusy) return { type: 'busy' };
    const log = this.#appliedLog;
    this.#appliedLog = undefined;
    if (log === 'unread') return { type: 'applied', log: undefined, error };
    // If a will-finish listener throws, the Store undoes everything and still calls the did-finish listeners.
    const isUndone = log === undefined || (error !== undefined && log.before.isEmpty);
    return isUndone ? { type: 'failed', error } : { type: 'applied', log, error };
  }

  /** Stops observing. If a transaction is open, `isLater` waits for its end, and calls `onTransaction` a last time. */
  stop(isLater = false): void {
    this.#isStopping = isLater && this.#isOpen;
    if (this.#isStopping) return;
    // Once: the Store gives an id that is free to the next listener of the app.
    for (const listenerId of this.#listenerIds.splice(0)) this.store.delListener(listenerId);
  }
}
