import type { Store } from 'tinybase';

import type { Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import { readContent, type TransactionLog } from '../../protocol/store-access.ts';

import { contentSize } from '../writes/content-size.ts';
import { differenceFrom, fillStore, resetStore } from './fill-store.ts';
import type { Later } from '../room/later.ts';

/** What loading came to. */
export interface LoadOutcome {
  /** About how large the content is, in characters of JSON. */
  readonly contentSize: number;
  /** What the app's preparation made of the content, in order: each becomes a commit. */
  readonly made: readonly TransactionLog[];
}

/** What a {@link RoomLoader} needs of its room. */
export interface RoomLoaderOptions {
  readonly store: Store;
  /** As {@link StoreWriter.runUnlogged}: `finish` gets what was thrown, if anything was. */
  readonly run: <T>(actions: () => void, finish: (error: unknown) => T) => Later<T>;
  readonly prepareStore: (store: Store) => void;
}

/**
 * Brings the room's Store to what storage says: the first time into the bare Store, which the app then prepares, and
 * after a failed write back into the same Store, for the app holds it.
 */
export class RoomLoader {
  readonly #options: RoomLoaderOptions;
  #isPrepared = false;
  /** What the preparation put into a Store that waits for its first content. */
  #prepared = new LeafMap<Leaf>();
  /** Transactions of the app while it prepares. */
  #made: TransactionLog[] | undefined;

  constructor(options: RoomLoaderOptions) {
    this.#options = options;
  }

  /** To be told of each transaction of the app: true if it belongs to a preparation. */
  claims(log: TransactionLog): boolean {
    this.#made?.push(log);
    return this.#made !== undefined;
  }

  /**
   * Loads that content, or none if the room has no Store yet. `finish` is called before anything else can happen to the
   * Store. Throws or rejects with what `prepareStore` throws, and prepares anew at the next call then.
   */
  load<T>(content: LeafMap<Leaf> | undefined, finish: (outcome: LoadOutcome) => T): Later<T> {
    const { store, run } = this.#options;
    const isFirst = !this.#isPrepared;
    const target = content ?? this.#prepared;
    return run(
      () => {
        if (!isFirst) resetStore(store, target);
        else if (content !== undefined) fillStore(store, target);
      },
      (error) => {
        const difference = content === undefined ? undefined : differenceFrom(store, target);
        // What was rolled back would count as deleted.
        if (error !== undefined && difference !== undefined) {
          throw new Error('A listener or middleware of the Store refused the stored content.', {
            cause: error,
          });
        }
        const made = difference === undefined ? [] : [difference];
        if (isFirst) made.push(...this.#prepare());
        if (content !== undefined) return finish({ contentSize: contentSize(target), made });
        if (isFirst) this.#prepared = readContent(store);
        return finish({ contentSize: 0, made: [] });
      },
    );
  }

  #prepare(): readonly TransactionLog[] {
    const made: TransactionLog[] = [];
    this.#made = made;
    try {
      this.#options.prepareStore(this.#options.store);
    } finally {
      this.#made = undefined;
    }
    this.#isPrepared = true;
    return made;
  }
}
