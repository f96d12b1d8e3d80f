import { VALUES, type TableKey } from './leaf.ts';

/** A map from leaf addresses to `T`, nested by table and row so that a row or a table is found at once. */
export class LeafMap<T> {
  readonly #tables = new Map<TableKey, Map<string, Map<string, T>>>();

  get isEmpty(): boolean {
    return this.#tables.size === 0;
  }

  get(table: TableKey, row: string, cell: string): T | undefined {
    return this.#tables.get(table)?.get(row)?.get(cell);
  }

  has(table: TableKey, row: string, cell: string): boolean {
    return this.#tables.get(table)?.get(row)?.has(cell) ?? false;
  }

  set(table: TableKey, row: string, cell: string, item: T): void {
    let rows = this.#tables.get(table);
    if (rows === undefined) this.#tables.set(table, (rows = new Map<string, Map<string, T>>()));
    let cells = rows.get(row);
    if (cells === undefined) rows.set(row, (cells = new Map<string, T>()));
    cells.set(cell, item);
  }

  /** Sets all cells of a row, of which there is at least one; those it had are gone. Keeps the map. */
  setRow(table: TableKey, row: string, cells: Map<string, T>): void {
    const rows = this.#tables.get(table);
    if (rows === undefined) this.#tables.set(table, new Map([[row, cells]]));
    else rows.set(row, cells);
  }

  delete(table: TableKey, row: string, cell: string): void {
    const rows = this.#tables.get(table);
    const cells = rows?.get(row);
    if (rows === undefined || cells === undefined) return;
    cells.delete(cell);
    if (cells.size > 0) return;
    rows.delete(row);
    if (rows.size === 0) this.#tables.delete(table);
  }

  deleteRow(table: TableKey, row: string): void {
    const rows = this.#tables.get(table);
    if (rows === undefined) return;
    rows.delete(row);
    if (rows.size === 0) this.#tables.delete(table);
  }

  deleteTable(table: TableKey): void {
    this.#tables.delete(table);
  }

  clear(): void {
    this.#tables.clear();
  }

  /**
   * Takes everything from `other`, which is of no use after that. A row that both have becomes as it was there; of
   * Values, those that both have.
   */
  take(other: LeafMap<T>): void {
    for (const [table, rows] of other.#tables) {
      const own = this.#tables.get(table);
      if (own === undefined) this.#tables.set(table, rows);
      else if (table === VALUES) {
        for (const [row, cells] of rows) {
          for (const [cell, item] of cells) this.set(table, row, cell, item);
        }
      } else for (const [row, cells] of rows) own.set(row, cells);
    }
  }

  tables(): Iterable<TableKey> {
    return this.#tables.keys();
  }

  /** The rows of a table that hold anything here; empty if none does. Do not keep across a change. */
  rows(table: TableKey): ReadonlyMap<string, ReadonlyMap<string, T>> {
    return this.#tables.get(table) ?? NOTHING;
  }

  /** The cells of a row that hold anything here; empty if none does. Do not keep across a change. */
  cells(table: TableKey, row: string): ReadonlyMap<string, T> {
    return this.#tables.get(table)?.get(row) ?? NOTHING;
  }

  forEach(visit: (item: T, table: TableKey, row: string, cell: string) => void): void {
    for (const [table, rows] of this.#tables) {
      for (const [row, cells] of rows) {
        for (const [cell, item] of cells) visit(item, table, row, cell);
      }
    }
  }

  /** How many leaves there are. Counts them: linear in the number of rows. */
  count(): number {
    let count = 0;
    for (const rows of this.#tables.values())
      for (const cells of rows.values()) count += cells.size;
    return count;
  }
}

const NOTHING: ReadonlyMap<string, never> = new Map<string, never>();
