import type { Store } from 'tinybase';

import { isUnsayable, VALUES, type Leaf, type TableKey } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import { readDefaults, readLeaf, writeLeaf } from '../../protocol/store-access.ts';

/** What the Store is to show, for each leaf that may have to change. */
export type Aims = LeafMap<Leaf | undefined>;

/** Notes what a leaf is to show. */
export function aimAt(
  aims: Aims,
): (leaf: Leaf | undefined, table: TableKey, row: string, cell: string) => void {
  return (leaf, table, row, cell) => aims.set(table, row, cell, leaf);
}

/**
 * Makes the Store show it, as far as its owner lets it. Rows that end empty are deleted as rows: a defaulted cell cannot be deleted on
 * its own. To be called in a transaction.
 */
export function writeAims(store: Store, aims: Aims): void {
  for (const table of aims.tables()) {
    for (const [row, cells] of aims.rows(table)) {
      const deleted: string[] = [];
      for (const [cell, leaf] of cells) {
        if (leaf === undefined) deleted.push(cell);
        // Some Stores cannot take such a leaf, so none gets it (`CHANGES-4`).
        else if (isUnsayable(leaf)) continue;
        else writeLeaf(store, table, row, cell, leaf);
      }
      if (deleted.length === 0) continue;
      const isEmptied =
        table !== VALUES &&
        deleted.length === cells.size &&
        store.getCellIds(table, row).every((cell) => cells.has(cell));
      if (isEmptied) store.delRow(table, row);
      else for (const cell of deleted) writeLeaf(store, table, row, cell, undefined);
    }
  }
}

/**
 * The leaves that do not show what they are to, right after it was written: middleware did not let it pass, or the schema.
 * A default in place of a deletion is none of them. To be called in the same transaction, before listeners get their say.
 */
export function leavesNotTaken(store: Store, aims: Aims): LeafMap<true> {
  const notTaken = new LeafMap<true>();
  let defaults: ReturnType<typeof readDefaults> | undefined;
  aims.forEach((aim, table, row, cell) => {
    const shown = readLeaf(store, table, row, cell);
    if (shown === aim) return;
    if (aim === undefined && shown === (defaults ??= readDefaults(store))(table, cell)) return;
    notTaken.set(table, row, cell, true);
  });
  return notTaken;
}
