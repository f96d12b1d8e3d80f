import type { Store } from 'tinybase';

import { encodeLeaf, VALUES, type Leaf, type TableKey } from '../../protocol/leaf.ts';
import { readLeaf } from '../../protocol/store-access.ts';

import type { LiveContent } from './page-index.ts';

/** A Store as content that is read where it is needed, as it is then. */
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
    if (table === VALUES) {
      this.#store.forEachValue((id, value) => cells.set(id, encodeLeaf(value)));
    } else this.#store.forEachCell(table, row, (id, cell) => cells.set(id, encodeLeaf(cell)));
    return cells;
  }
}
