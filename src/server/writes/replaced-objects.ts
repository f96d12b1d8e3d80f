import type { Store } from 'tinybase';

import { ALL_ROWS, type Changes } from '../../protocol/changes.ts';
import { VALUES, type StoreLeaf, type TableKey } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';

/** Objects and arrays that a Store holds, by their addresses. */
export type ReplacedObjects = LeafMap<StoreLeaf & object>;

/**
 * Returns the objects and arrays that the Store holds where changes are about to be applied. TinyBase (9.4 to 10.0.1) does not bring
 * them back when a transaction is rolled back: it refuses their encoded form.
 */
export function findReplacedObjects(store: Store, changes: Changes): ReplacedObjects {
  const objects: ReplacedObjects = new LeafMap();
  const note = (table: TableKey, row: string, cell: string): void => {
    const leaf = shownLeaf(store, table, row, cell);
    if (typeof leaf === 'object' && leaf !== null) objects.set(table, row, cell, leaf);
  };
  for (const [table, deletedRows] of changes.deletedRows) {
    const rows = deletedRows === ALL_ROWS ? store.getRowIds(table) : deletedRows;
    for (const row of rows) for (const cell of store.getCellIds(table, row)) note(table, row, cell);
  }
  changes.leaves.forEach((_leaf, table, row, cell) => note(table, row, cell));
  return objects;
}

/** Sets the objects and arrays again. Call it in a transaction. */
export function restoreObjects(store: Store, objects: ReplacedObjects): void {
  objects.forEach((leaf, table, row, cell) => {
    if (table === VALUES) store.setValue(cell, leaf);
    else store.setCell(table, row, cell, leaf);
  });
}

function shownLeaf(
  store: Store,
  table: TableKey,
  row: string,
  cell: string,
): StoreLeaf | undefined {
  try {
    return table === VALUES ? store.getValue(cell) : store.getCell(table, row, cell);
  } catch {
    // The Store itself cannot read it (LOCAL-3).
    return undefined;
  }
}
