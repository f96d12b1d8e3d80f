import type { Store } from 'tinybase';

import type { Leaf, TableKey } from '../../protocol/leaf.ts';
import { forEachLeaf, readLeaf } from '../../protocol/store-access.ts';

import type { LiveContent } from './page-index.ts';

/** A Store as live content: each read returns the current leaf. */
export class StoreContent implements LiveContent {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get(table: TableKey, row: string, cell: string): Leaf | undefined {
    return readLeaf(this.#store, table, row, cell);
  }

  cells(table: TableKey, row: string): ReadonlyMap<string, Leaf> {
    const cells = new Map<string, Leaf>();
    forEachLeaf(this.#store, table, row, (cell, leaf) => cells.set(cell, leaf));
    return cells;
  }
}
