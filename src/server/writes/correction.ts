import type { Store } from 'tinybase';

import { ALL_ROWS, ChangesBuilder, deletesRow, type Changes } from '../../protocol/changes.ts';
import { VALUES, type Leaf, type TableKey } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import { readLeaf } from '../../protocol/store-access.ts';

/** The correction of a push, for its author. */
export interface Correction {
  /** Undefined if folding the push into the version before gives the room's content. */
  readonly changes: Changes | undefined;
  /** True if a part of the push has another result than it asked for. */
  readonly isAltered: boolean;
}

/**
 * Compares the Store with the result of folding `asked` into the version before (`CORRECT-1`): each leaf that was asked for, that a
 * deletion should have removed, or that changed. `before` has each changed leaf as it was. Call it right after the push was applied.
 */
export function correctionOf(
  store: Store,
  asked: Changes,
  before: LeafMap<Leaf | undefined>,
): Correction {
  let changes: ChangesBuilder | undefined;
  let isAltered = false;
  const compare = (
    table: TableKey,
    row: string,
    cell: string,
    folded: Leaf | undefined,
  ): boolean => {
    const now = readLeaf(store, table, row, cell);
    if (now === folded) return false;
    changes ??= new ChangesBuilder();
    changes.setLeaf(table, row, cell, now);
    return true;
  };
  asked.leaves.forEach((leaf, table, row, cell) => {
    if (compare(table, row, cell, leaf)) isAltered = true;
  });
  forEachDeletedRow(store, asked, (table, row) => {
    for (const cell of store.getCellIds(table, row)) {
      if (asked.leaves.has(table, row, cell)) continue;
      if (compare(table, row, cell, undefined)) isAltered = true;
    }
  });
  before.forEach((leaf, table, row, cell) => {
    if (asked.leaves.has(table, row, cell)) return;
    compare(table, row, cell, deletesRow(asked, table, row) ? undefined : leaf);
  });
  return { changes, isAltered };
}

/** Returns the correction of a push that left the room without a Store: no leaf of it is in the room's content (`SEED-6`). */
export function correctionToNothing(asked: Changes): Correction {
  const changes = new ChangesBuilder();
  asked.leaves.forEach((leaf, table, row, cell) => {
    if (leaf !== undefined) changes.setLeaf(table, row, cell, undefined);
  });
  return changes.isEmpty ? { changes: undefined, isAltered: false } : { changes, isAltered: true };
}

/**
 * Returns the answer to a stock peer that asked for these changes: the room's value of everything that it asked for or that changed.
 * So the last frame that it gets for a leaf is right (`STOCK-2`).
 */
export function stockAnswerTo(
  store: Store,
  asked: Changes,
  happened: Changes | undefined,
): Changes {
  const answer = new ChangesBuilder();
  const tell = (table: TableKey, row: string, cell: string): void => {
    // An empty row is deleted as a row: deleting its cells one by one would leave a stock peer's defaults behind.
    if (table !== VALUES && !store.hasRow(table, row)) answer.deleteRow(table, row);
    else answer.setLeaf(table, row, cell, readLeaf(store, table, row, cell));
  };
  for (const [table, rows] of happened?.deletedRows ?? []) {
    if (rows !== ALL_ROWS) for (const row of rows) answer.deleteRow(table, row);
  }
  for (const [table, rows] of asked.deletedRows) {
    if (rows === ALL_ROWS) {
      if (!store.hasTable(table)) answer.deleteTable(table);
    } else for (const row of rows) if (!store.hasRow(table, row)) answer.deleteRow(table, row);
  }
  forEachDeletedRow(store, asked, (table, row) => {
    for (const cell of store.getCellIds(table, row)) tell(table, row, cell);
  });
  asked.leaves.forEach((_leaf, table, row, cell) => tell(table, row, cell));
  happened?.leaves.forEach((_leaf, table, row, cell) => tell(table, row, cell));
  return answer;
}

/** Visits each row that the changes delete and that the Store has. */
function forEachDeletedRow(
  store: Store,
  changes: Changes,
  visit: (table: string, row: string) => void,
): void {
  for (const [table, rows] of changes.deletedRows) {
    for (const row of rows === ALL_ROWS ? store.getRowIds(table) : rows) visit(table, row);
  }
}
