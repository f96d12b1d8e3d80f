import type { Store } from 'tinybase';
import { createStore } from 'tinybase/store';

import { ObservedStore, type ApplyOutcome } from '../../protocol/observed-store.ts';
import type { TransactionLog } from '../../protocol/store-access.ts';

/** The room's Store. It is one and the same, unless `prepareStore` throws: then the next attempt gets a new one. */
export class RoomStore {
  readonly #onTransaction: (log: TransactionLog) => void;
  #observed: ObservedStore;
  /** The number of listeners of a Store that the app has not touched. */
  readonly #ownListeners: number;

  /** Calls `onTransaction` after each transaction of the app. */
  constructor(onTransaction: (log: TransactionLog) => void) {
    this.#onTransaction = onTransaction;
    this.#observed = new ObservedStore(createStore(), onTransaction);
    this.#ownListeners = countListeners(this.store);
  }

  get store(): Store {
    return this.#observed.store;
  }

  /** True if the app has set neither listeners nor a schema. */
  get isBare(): boolean {
    const { store } = this;
    const hasSchema = store.hasTablesSchema() || store.hasValuesSchema();
    return !hasSchema && countListeners(store) === this.#ownListeners;
  }

  /** Runs actions as {@link ObservedStore.apply} does. */
  apply(actions: () => void, needsLog?: () => boolean): ApplyOutcome {
    return this.#observed.apply(actions, needsLog);
  }

  /** Replaces the Store by a new one, which `fill` gives its content. Whatever was attached to the old one has no effect any more. */
  renew(fill: (store: Store) => void): void {
    const store = createStore();
    fill(store);
    this.#observed.stop();
    this.#observed = new ObservedStore(store, this.#onTransaction);
  }
}

function countListeners(store: Store): number {
  return Object.values(store.getListenerStats()).reduce((sum, count) => sum + count, 0);
}
