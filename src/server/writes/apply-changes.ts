import type { Store } from 'tinybase';

import { ALL_ROWS, type Changes } from '../../protocol/changes.ts';
import { writeLeaf } from '../../protocol/store-access.ts';

/**
 * Applies changes to a Store: deletes rows, then sets leaves, then deletes leaves, so that a row that loses some
 * cells and gets others is never empty in between. To be called in a transaction.
 */
export function applyChanges(store: Store, changes: Changes): void {
  for (const [table, rows] of changes.deletedRows) {
    if (rows === ALL_ROWS) store.delTable(table);
    else for (const row of rows) store.delRow(table, row);
  }
  changes.leaves.forEach((leaf, table, row, cell) => {
    if (leaf !== undefined) writeLeaf(store, table, row, cell, leaf);
  });
  changes.leaves.forEach((leaf, table, row, cell) => {
    if (leaf === undefined) writeLeaf(store, table, row, cell, undefined);
  });
}
