import { VALUES, type Leaf, type TableKey } from './leaf.ts';
import { LeafMap } from './leaf-map.ts';

/** Every row that a table has when the changes are applied. */
export const ALL_ROWS = 'all';

/**
 * What a transaction did: whole rows deleted first, then leaves set or deleted.
 *
 * TinyBase's own changes cannot say "row deleted, then one of its cells set"; these can. The same shape is
 * used in pushes, commits, corrections, welcomes and the log. Source: `CHANGES-1` to `CHANGES-3` in
 * docs/protocol.md.
 */
export interface Changes {
  /** Row ids by table id, or {@link ALL_ROWS}. Never holds {@link VALUES}. */
  readonly deletedRows: ReadonlyMap<string, ReadonlySet<string> | typeof ALL_ROWS>;
  /** The leaf, or undefined where it is deleted. */
  readonly leaves: LeafMap<Leaf | undefined>;
}

/** Changes under construction. Rows are deleted before leaves are set, whatever the order of the calls. */
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

/** True if applying these changes does nothing to any Store. */
export function isEmptyChanges(changes: Changes): boolean {
  return changes.deletedRows.size === 0 && changes.leaves.isEmpty;
}

/** True if the changes delete this row before they set anything in it. */
export function deletesRow(changes: Changes, table: TableKey, row: string): boolean {
  if (table === VALUES) return false;
  const rows = changes.deletedRows.get(table);
  return rows === ALL_ROWS || (rows?.has(row) ?? false);
}

/** Adds `next` on top of `builder`, so that applying the result equals applying both in order (`CHANGES-3`). */
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

/** One set of changes that does what all of them do, applied in order (`CHANGES-3`). */
export function composeChanges(all: Iterable<Changes>): Changes {
  const builder = new ChangesBuilder();
  for (const changes of all) addChanges(builder, changes);
  return builder;
}

/** Applies changes to content held as a leaf map. */
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
