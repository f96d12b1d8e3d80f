import type { Store } from 'tinybase';

import { ALL_ROWS, deletesRow, type Changes } from '../../protocol/changes.ts';
import { VALUES, type Leaf } from '../../protocol/leaf.ts';
import { readLeaf } from '../../protocol/store-access.ts';

/** A leaf (a Cell or a Value) before and after, which differ; undefined where it is not there. */
export interface LeafEffect {
  readonly before: Leaf | undefined;
  readonly after: Leaf | undefined;
}

/** A row that changes. */
export interface RowEffect {
  /** True if the row has cells now and would have none. */
  readonly isEmptied: boolean;
  readonly cells: ReadonlyMap<string, LeafEffect>;
}

/** A table that changes. */
export interface TableEffect {
  /** True if the table has rows now and would have none. */
  readonly isEmptied: boolean;
  readonly rows: ReadonlyMap<string, RowEffect>;
}

/** The difference that changes would make to a Store without schema, listeners and middleware. It has only what differs. */
export interface StoreDiff {
  readonly tables: ReadonlyMap<string, TableEffect>;
  readonly values: ReadonlyMap<string, LeafEffect>;
}

/** Returns the difference that changes would make to that Store as it is now, however they are expressed (`HOOK-1`). */
export function diffOf(store: Store, changes: Changes): StoreDiff {
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
