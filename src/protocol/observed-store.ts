import type { Store } from 'tinybase';

import { ChangesBuilder } from './changes.ts';
import { LeafMap } from './leaf-map.ts';
import { readTransactionLog, type TransactionLog } from './store-access.ts';

/** What became of {@link ObservedStore.apply}. */
export type ApplyOutcome =
  /** Somebody's transaction is open, or listeners are being called: nothing was done, try again later. */
  | { readonly type: 'busy' }
  /** The transaction is over. `error` is what a listener of the Store's owner threw; it changed nothing. */
  | { readonly type: 'applied'; readonly log: TransactionLog; readonly error: unknown }
  /** A listener or middleware threw before the Store committed, and it rolled everything back. */
  | { readonly type: 'failed'; readonly error: unknown };

/**
 * Tells transactions of a Store's owner from those applied through here, and never applies into a transaction
 * that the owner has open: the owner may still roll it back.
 */
export class ObservedStore {
  readonly store: Store;
  readonly #listenerIds: readonly string[];
  #isOutermost = false;
  #isApplying = false;
  #isLogged = true;
  #appliedLog: TransactionLog | undefined;

  /**
   * `onTransaction` is called in the did-finish phase of each transaction of the Store's owner that changed
   * something: the Store can be read and not written. It must not throw.
   */
  constructor(store: Store, onTransaction: (log: TransactionLog) => void) {
    this.store = store;
    this.#listenerIds = [
      store.addStartTransactionListener(() => {
        this.#isOutermost = true;
      }),
      store.addDidFinishTransactionListener(() => {
        const isUnlogged = this.#isApplying && !this.#isLogged;
        const log = isUnlogged ? emptyLog() : readTransactionLog(store);
        if (this.#isApplying) this.#appliedLog = log;
        else if (!log.before.isEmpty) onTransaction(log);
      }),
    ];
  }

  /**
   * Runs `actions` as a transaction of its own. Never throws. Without a log, which costs as much as the actions, it is not
   * known whether an error rolled them back: the outcome is `applied` then, and its log is empty.
   */
  apply(actions: () => void, isLogged = true): ApplyOutcome {
    if (this.#isApplying) return { type: 'busy' };
    let isBusy = true;
    let error: unknown;
    this.#isLogged = isLogged;
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
    const log = this.#takeAppliedLog();
    // A will-finish listener that throws undoes all, and did-finish listeners are called all the same.
    if (log === undefined || (isLogged && error !== undefined && log.before.isEmpty)) {
      return { type: 'failed', error };
    }
    return { type: 'applied', log, error };
  }

  /** Stops observing. */
  stop(): void {
    for (const listenerId of this.#listenerIds) this.store.delListener(listenerId);
  }

  #takeAppliedLog(): TransactionLog | undefined {
    const log = this.#appliedLog;
    this.#appliedLog = undefined;
    return log;
  }
}

function emptyLog(): TransactionLog {
  return {
    changes: new ChangesBuilder(),
    before: new LeafMap(),
    growth: 0,
    refused: new LeafMap(),
  };
}
