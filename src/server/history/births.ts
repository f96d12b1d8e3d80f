import type { Store } from 'tinybase';

import { ALL_ROWS, type Changes } from '../../protocol/changes.ts';
import { VALUES, type Leaf } from '../../protocol/leaf.ts';
import type { Cells, LeafMap } from '../../protocol/leaf-map.ts';

/** The new rows of a commit, by table; `'all'` if each row in which it set anything is new. */
export type Births = 'all' | ReadonlyMap<string, ReadonlySet<string>>;

/** Returns the new rows of a transaction; undefined if there are none. Call it right after the transaction. */
export function birthsOf(
  store: Store,
  changes: Changes,
  before: LeafMap<Leaf | undefined>,
): Births | undefined {
  const births = new Map<string, Set<string>>();
  let areAll = true;
  for (const table of changes.leaves.tables()) {
    if (table === VALUES) continue;
    for (const row of changes.leaves.rows(table).keys()) {
      if (!isBorn(store, before.cells(table, row), table, row)) areAll = false;
      else births.set(table, (births.get(table) ?? new Set()).add(row));
    }
  }
  if (births.size === 0) return undefined;
  return areAll ? 'all' : births;
}

/** Returns true if no Cell of the row was there before. */
function isBorn(
  store: Store,
  before: Cells<Leaf | undefined>,
  table: string,
  row: string,
): boolean {
  for (const leaf of before.values()) if (leaf !== undefined) return false;
  return store.getCellIds(table, row).every((cell) => before.has(cell));
}

/** A commit with its new rows, as far as they are known. */
export interface KnownCommit {
  readonly changes: Changes;
  readonly births: Births | undefined;
}

/** Removes from the composition of commits the deletions of rows that were not there before the first of them. */
export function withoutBornRows(composed: Changes, commits: readonly KnownCommit[]): Changes {
  if (composed.deletedRows.size === 0) return composed;
  /** The rows by table; true if the first commit about a row made it. */
  const met = new Map<string, Map<string, boolean>>();
  const meet = (table: string, row: string, isMade: boolean): void => {
    let rows = met.get(table);
    if (rows === undefined) met.set(table, (rows = new Map<string, boolean>()));
    if (!rows.has(row)) rows.set(row, isMade);
  };
  for (const { changes, births } of commits) {
    for (const [table, rows] of changes.deletedRows) {
      // Nothing tells which rows the table had.
      if (rows === ALL_ROWS) return composed;
      for (const row of rows) meet(table, row, false);
    }
    for (const table of changes.leaves.tables()) {
      if (table === VALUES) continue;
      for (const row of changes.leaves.rows(table).keys())
        meet(table, row, births === 'all' || births?.get(table)?.has(row) === true);
    }
  }
  const deletedRows = new Map<string, ReadonlySet<string> | typeof ALL_ROWS>();
  for (const [table, rows] of composed.deletedRows) {
    if (rows === ALL_ROWS) return composed;
    const old = [...rows].filter((row) => met.get(table)?.get(row) !== true);
    if (old.length > 0) deletedRows.set(table, new Set(old));
  }
  return { deletedRows, leaves: composed.leaves };
}
