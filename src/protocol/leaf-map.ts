import type { TableKey } from './leaf.ts';

/** The cells of one row, read only. A Map is one. */
export interface Cells<T> extends Iterable<readonly [string, T]> {
  readonly size: number;
  get(cell: string): T | undefined;
  has(cell: string): boolean;
  keys(): Iterable<string>;
  values(): Iterable<T>;
}

/** A map from the addresses of leaves (Cells and Values) to `T`. It is nested by table and row, so both are found at once. */
export class LeafMap<T> {
  readonly #tables = new Map<TableKey, Map<string, Cells<T>>>();

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
    writableCells(this.#writableRows(table), row).set(cell, item);
  }

  /** Replaces all cells of a row by at least one cell. Keeps the given object itself, not a copy. */
  setRow(table: TableKey, row: string, cells: Cells<T>): void {
    this.#writableRows(table).set(row, cells);
  }

  delete(table: TableKey, row: string, cell: string): void {
    const rows = this.#tables.get(table);
    if (rows?.get(row)?.has(cell) !== true) return;
    const cells = writableCells(rows, row);
    cells.delete(cell);
    if (cells.size === 0) this.deleteRow(table, row);
  }

  deleteRow(table: TableKey, row: string): void {
    const rows = this.#tables.get(table);
    rows?.delete(row);
    if (rows?.size === 0) this.#tables.delete(table);
  }

  deleteTable(table: TableKey): void {
    this.#tables.delete(table);
  }

  clear(): void {
    this.#tables.clear();
  }

  tables(): Iterable<TableKey> {
    return this.#tables.keys();
  }

  /** Returns the rows of a table that hold anything here. Do not keep the result across a change. */
  rows(table: TableKey): ReadonlyMap<string, Cells<T>> {
    return this.#tables.get(table) ?? NOTHING;
  }

  /** Returns the cells of a row that hold anything here. Do not keep the result across a change. */
  cells(table: TableKey, row: string): Cells<T> {
    return this.#tables.get(table)?.get(row) ?? NOTHING;
  }

  forEach(visit: (item: T, table: TableKey, row: string, cell: string) => void): void {
    for (const [table, rows] of this.#tables) {
      for (const [row, cells] of rows) {
        for (const [cell, item] of cells) visit(item, table, row, cell);
      }
    }
  }

  /** Counts the leaves. Takes time in proportion to the number of rows. */
  count(): number {
    let count = 0;
    for (const rows of this.#tables.values())
      for (const cells of rows.values()) count += cells.size;
    return count;
  }

  #writableRows(table: TableKey): Map<string, Cells<T>> {
    let rows = this.#tables.get(table);
    if (rows === undefined) this.#tables.set(table, (rows = new Map<string, Cells<T>>()));
    return rows;
  }
}

/** Returns the cells of a row as a Map of its own. Makes one if there is none yet. */
function writableCells<T>(rows: Map<string, Cells<T>>, row: string): Map<string, T> {
  const cells = rows.get(row);
  if (isMap(cells)) return cells;
  const writable = new Map(cells);
  rows.set(row, writable);
  return writable;
}

function isMap<T>(cells: Cells<T> | undefined): cells is Map<string, T> {
  return cells instanceof Map;
}

const NOTHING: ReadonlyMap<string, never> = new Map<string, never>();
