import type { Store } from 'tinybase';

import { ALL_ROWS, deletesRow, type Changes } from '../../protocol/changes.ts';
import { VALUES, type Leaf } from '../../protocol/leaf.ts';
import { readLeaf } from '../../protocol/store-access.ts';

/** What changes would make of a leaf. At least one of the two is there, and they differ. */
export interface LeafEffect {
  readonly before: Leaf | undefined;
  readonly after: Leaf | undefined;
}

/** What changes would make of a row. */
export interface RowEffect {
  /** True if the row has cells now and would have none. */
  readonly isEmptied: boolean;
  readonly cells: ReadonlyMap<string, LeafEffect>;
}

/** What changes would make of a table. */
export interface TableEffect {
  /** True if the table has rows now and would have none. */
  readonly isEmptied: boolean;
  readonly rows: ReadonlyMap<string, RowEffect>;
}

/** What changes would do to a Store that has no schema, listeners or middleware. What stays as it is, is left out. */
export interface Effects {
  readonly tables: ReadonlyMap<string, TableEffect>;
  readonly values: ReadonlyMap<string, LeafEffect>;
}

/** The effects of changes on that Store as it is now, whatever shape the changes have (`HOOK-1`). */
export function effectsOf(store: Store, changes: Changes): Effects {
  const tables = new Map<string, TableEffect>();
  for (const table of tablesOf(changes)) {
    const effect = tableEffect(store, changes, table);
    if (effect.rows.size > 0) tables.set(table, effect);
  }
  const values = new Map<string, LeafEffect>();
  for (const [id, after] of changes.leaves.cells(VALUES, '')) {
    const before = readLeaf(store, VALUES, '', id);
    if (before !== after) values.set(id, { before, after });
  }
  return { tables, values };
}

function tablesOf(changes: Changes): Set<string> {
  const tables = new Set(changes.deletedRows.keys());
  for (const table of changes.leaves.tables()) if (table !== VALUES) tables.add(table);
  return tables;
}

function tableEffect(store: Store, changes: Changes, table: string): TableEffect {
  const deleted = changes.deletedRows.get(table);
  const rowIds = new Set(deleted === ALL_ROWS ? store.getRowIds(table) : deleted);
  for (const row of changes.leaves.rows(table).keys()) rowIds.add(row);
  const rows = new Map<string, RowEffect>();
  let emptied = 0;
  for (const row of rowIds) {
    const effect = rowEffect(store, changes, table, row);
    if (effect.cells.size === 0) continue;
    rows.set(row, effect);
    if (effect.isEmptied) emptied += 1;
  }
  const isEmptied = emptied > 0 && emptied === rows.size && emptied === store.getRowCount(table);
  return { isEmptied, rows };
}

function rowEffect(store: Store, changes: Changes, table: string, row: string): RowEffect {
  const cells = new Map<string, LeafEffect>();
  const asked = changes.leaves.cells(table, row);
  const cellIds = store.getCellIds(table, row);
  let isAnySet = false;
  for (const [cell, after] of asked) {
    const before = readLeaf(store, table, row, cell);
    if (after !== undefined) isAnySet = true;
    if (before !== after) cells.set(cell, { before, after });
  }
  if (deletesRow(changes, table, row)) {
    for (const cell of cellIds) {
      if (!asked.has(cell))
        cells.set(cell, { before: readLeaf(store, table, row, cell), after: undefined });
    }
  }
  const isEmptied = !isAnySet && cellIds.length > 0 && cells.size === cellIds.length;
  return { isEmptied, cells };
}
