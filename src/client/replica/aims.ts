import type { Store } from 'tinybase';

import { isUnsendableLeaf, VALUES, type Leaf, type TableKey } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import type { Overlay } from './overlay.ts';
import { readDefaults, readLeaf, writeLeaf } from '../../protocol/store-access.ts';

/** The aims: for each leaf that may have to change, the leaf that the Store has to show. */
export type Aims = LeafMap<Leaf | undefined>;

/** Sets the aim of a leaf. */
export function aimAt(
  aims: Aims,
): (leaf: Leaf | undefined, table: TableKey, row: string, cell: string) => void {
  return (leaf, table, row, cell) => aims.set(table, row, cell, leaf);
}

/**
 * Makes the Store show the aims, as far as its schema and middleware allow. Deletes a row that ends empty as a row, because
 * a cell with a default cannot be deleted on its own. What the Store's own code has made of such a row, such as other defaults,
 * ends with it (LOCAL-2). Call it in a transaction.
 */
export function writeAims(store: Store, aims: Aims, overlay?: Overlay): void {
  for (const table of aims.tables()) {
    for (const [row, cells] of aims.rows(table)) {
      const deleted: string[] = [];
      for (const [cell, leaf] of cells) {
        if (leaf === undefined) deleted.push(cell);
        // Some Stores cannot hold such a leaf, so no Store gets it (`CHANGES-4`).
        else if (isUnsendableLeaf(leaf)) continue;
        else writeLeaf(store, table, row, cell, leaf);
      }
      if (deleted.length === 0) continue;
      const isWhole = table !== VALUES && deleted.length === cells.size;
      const others = isWhole
        ? store.getCellIds(table, row).filter((cell) => !cells.has(cell))
        : deleted;
      if (isWhole && others.every((cell) => overlay?.isLeftover(table, row, cell))) {
        for (const cell of others) overlay?.setBase(table, row, cell, undefined, aimAt(aims));
        store.delRow(table, row);
      } else for (const cell of deleted) writeLeaf(store, table, row, cell, undefined);
    }
  }
}

/**
 * Returns the leaves that miss their aim right after it was written, because middleware or the schema refused it. A
 * default in place of a deletion does not count. Call it in the same transaction, before listeners run.
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
