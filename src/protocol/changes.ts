import { VALUES, type Leaf, type TableKey } from './leaf.ts';
import { LeafMap } from './leaf-map.ts';

/** Stands for every row that a table has when the changes are applied. */
export const ALL_ROWS = 'all';

/**
 * The changes of a transaction: first whole rows are deleted, then leaves are set or deleted. A leaf is a Cell or a Value.
 *
 * TinyBase's own changes cannot say "row deleted, then one of its cells set"; these can. Pushes, commits, corrections,
 * welcomes and the log all use this shape. Source: `CHANGES-1` to `CHANGES-3` in docs/protocol.md.
 */
export interface Changes {
  /** Row ids by table id, or {@link ALL_ROWS}. Never holds {@link VALUES}. */
  readonly deletedRows: ReadonlyMap<string, ReadonlySet<string> | typeof ALL_ROWS>;
  /** Each leaf that is set; undefined for a leaf that is deleted. */
  readonly leaves: LeafMap<Leaf | undefined>;
}

/** Changes under construction. Row deletions come before leaves, in any order of the calls. */
export class ChangesBuilder implements Changes {
  readonly deletedRows: Map<string, Set<string> | typeof ALL_ROWS> = new Map();
  readonly leaves: LeafMap<Leaf | undefined> = new LeafMap();

  get isEmpty(): boolean {
    return this.deletedRows.size === 0 && this.leaves.isEmpty;
  }

  deleteRow(table: string, row: string): void {
    const rows = this.deletedRows.get(table);
    if (rows === ALL_ROWS) return;
    if (rows === undefined) this.deletedRows.set(table, new Set([row]));
    else rows.add(row);
  }

  deleteTable(table: string): void {
    this.deletedRows.set(table, ALL_ROWS);
  }

  setLeaf(table: TableKey, row: string, cell: string, leaf: Leaf | undefined): void {
    this.leaves.set(table, row, cell, leaf);
  }
}

/** Returns true if the changes do nothing to any Store. */
export function isEmptyChanges(changes: Changes): boolean {
  return changes.deletedRows.size === 0 && changes.leaves.isEmpty;
}

/** Returns true if the changes delete this row before they set anything in it. */
export function deletesRow(changes: Changes, table: TableKey, row: string): boolean {
  if (table === VALUES) return false;
  const rows = changes.deletedRows.get(table);
  return rows === ALL_ROWS || (rows?.has(row) ?? false);
}

/** Returns true if the changes set or delete that leaf, alone or with its row. */
export function changesLeaf(changes: Changes, table: TableKey, row: string, cell: string): boolean {
  return changes.leaves.has(table, row, cell) || deletesRow(changes, table, row);
}

/** Adds `next` on top of `builder`. Applying the result equals applying both in order (`CHANGES-3`). */
export function addChanges(builder: ChangesBuilder, next: Changes): void {
  for (const [table, rows] of next.deletedRows) {
    if (rows === ALL_ROWS) {
      builder.leaves.deleteTable(table);
      builder.deleteTable(table);
    } else {
      for (const row of rows) {
        builder.leaves.deleteRow(table, row);
        builder.deleteRow(table, row);
      }
    }
  }
  next.leaves.forEach((leaf, table, row, cell) => builder.setLeaf(table, row, cell, leaf));
}

/** Returns one set of changes that equals all of them applied in order (`CHANGES-3`). */
export function composeChanges(all: Iterable<Changes>): Changes {
  const builder = new ChangesBuilder();
  for (const changes of all) addChanges(builder, changes);
  return builder;
}

/** Applies changes to content in a leaf map. */
export function applyChangesToLeaves(content: LeafMap<Leaf>, changes: Changes): void {
  for (const [table, rows] of changes.deletedRows) {
    if (rows === ALL_ROWS) content.deleteTable(table);
    else for (const row of rows) content.deleteRow(table, row);
  }
  changes.leaves.forEach((leaf, table, row, cell) => {
    if (leaf === undefined) content.delete(table, row, cell);
    else content.set(table, row, cell, leaf);
  });
}
