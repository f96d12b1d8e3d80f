import type { Changes as StoreChanges } from 'tinybase';

import { ALL_ROWS, deletesRow, type Changes } from '../../../protocol/changes.ts';
import { emptyRecord } from '../../../protocol/json.ts';
import { decodeLeaf, VALUES } from '../../../protocol/leaf.ts';

type TableChanges = NonNullable<StoreChanges[0][string]>;
type RowChanges = NonNullable<TableChanges[string]>;

/**
 * Returns changes as TinyBase has them, with objects and arrays decoded. Returns undefined if a row was deleted and set again,
 * because TinyBase's changes would keep its other cells.
 */
export function storeChangesOf(changes: Changes): StoreChanges | undefined {
  const { deletedRows, leaves } = changes;
  const tables: StoreChanges[0] = emptyRecord();
  const values: StoreChanges[1] = emptyRecord();
  for (const [table, rows] of deletedRows) {
    if (rows === ALL_ROWS) tables[table] = undefined;
    else {
      const deleted: TableChanges = emptyRecord();
      for (const row of rows) deleted[row] = undefined;
      tables[table] = deleted;
    }
  }
  for (const table of leaves.tables()) {
    for (const [row, cells] of leaves.rows(table)) {
      if (deletesRow(changes, table, row)) return undefined;
      const changed: RowChanges = emptyRecord();
      for (const [cell, leaf] of cells)
        changed[cell] = leaf === undefined ? undefined : decodeLeaf(leaf);
      if (table === VALUES) Object.assign(values, changed);
      else (tables[table] ??= emptyRecord<TableChanges[string]>())[row] = changed;
    }
  }
  return [tables, values, 1];
}
