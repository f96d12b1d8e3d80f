import type { Store } from 'tinybase';

import { ALL_ROWS, type Changes } from '../../protocol/changes.ts';
import { VALUES, type Leaf, type TableKey } from '../../protocol/leaf.ts';
import { readLeaf } from '../../protocol/store-access.ts';

/** The rows that changes touch, whatever the changes do to them. The Values count as one row. */
export class TouchedRows {
  readonly #rows = new Map<TableKey, ReadonlySet<string> | typeof ALL_ROWS>();

  constructor({ deletedRows, leaves }: Changes) {
    for (const table of leaves.tables()) this.#rows.set(table, new Set(leaves.rows(table).keys()));
    for (const [table, deleted] of deletedRows) {
      if (deleted === ALL_ROWS) this.#rows.set(table, ALL_ROWS);
      else this.#rows.set(table, new Set([...leaves.rows(table).keys(), ...deleted]));
    }
  }

  /** Returns true if both touch the same row. */
  overlaps(other: TouchedRows): boolean {
    for (const [table, rows] of this.#rows) {
      const others = other.#rows.get(table);
      if (others === undefined) continue;
      if (rows === ALL_ROWS || others === ALL_ROWS) return true;
      const [few, many] = rows.size < others.size ? [rows, others] : [others, rows];
      for (const row of few) if (many.has(row)) return true;
    }
    return false;
  }

  /** Returns everything that the Store has in these rows, as a list to be compared by {@link areEqual}. */
  read(store: Store): readonly (Leaf | undefined)[] {
    const found: (Leaf | undefined)[] = [];
    for (const [table, rows] of this.#rows) {
      if (table === VALUES) {
        for (const id of store.getValueIds()) found.push(id, readLeaf(store, VALUES, '', id));
        continue;
      }
      for (const row of rows === ALL_ROWS ? store.getRowIds(table) : rows) {
        const cells = store.getCellIds(table, row);
        found.push(table, row, cells.length);
        for (const cell of cells) found.push(cell, readLeaf(store, table, row, cell));
      }
    }
    return found;
  }
}

/** Returns true if two lists of {@link TouchedRows.read} are equal. */
export function areEqual(
  left: readonly (Leaf | undefined)[],
  right: readonly (Leaf | undefined)[],
): boolean {
  return left.length === right.length && left.every((leaf, index) => leaf === right[index]);
}
