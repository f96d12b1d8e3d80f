import type { Store } from 'tinybase';

import { ALL_ROWS, type Changes } from '../../protocol/changes.ts';
import type { Leaf, TableKey } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import { isEmptyStore, readContent, readLeaf } from '../../protocol/store-access.ts';
import { aimAt, type Aims } from './aims.ts';
import type { Overlay } from './overlay.ts';

/**
 * The base: the room's content as it is known here. A leaf without a cover is read from the Store. Folds the room's changes, and sets the
 * aims of the Store (VIEW-3).
 */
export class RoomBase {
  readonly #store: Store;
  readonly #overlay: Overlay;

  constructor(store: Store, overlay: Overlay) {
    this.#store = store;
    this.#overlay = overlay;
  }

  /** Returns the room's leaf. */
  leaf(table: TableKey, row: string, cell: string): Leaf | undefined {
    const cover = this.#overlay.get(table, row, cell);
    return cover ? cover.base : readLeaf(this.#store, table, row, cell);
  }

  /** Returns the room's cells of a row. */
  cells(table: string, row: string): readonly string[] {
    return [...this.#cellsOf(table, row)].filter(
      (cell) => this.leaf(table, row, cell) !== undefined,
    );
  }

  /** Returns all of it: the visible content without edits made here. */
  read(): LeafMap<Leaf> {
    const content = readContent(this.#store);
    this.#overlay.forEach(({ base }, table, row, cell) => {
      if (base === undefined) content.delete(table, row, cell);
      else content.set(table, row, cell, base);
    });
    return content;
  }

  /** Folds changes. Without `isShown`, it updates only leaves that are or were covered; the Store keeps the rest. */
  fold(changes: Changes, aims: Aims, isShown: boolean): void {
    const setBase = (leaf: Leaf | undefined, table: TableKey, row: string, cell: string): void => {
      if (isShown || this.#overlay.get(table, row, cell) || aims.has(table, row, cell))
        this.#overlay.setBase(table, row, cell, leaf, aimAt(aims));
    };
    for (const [table, deleted] of changes.deletedRows) {
      for (const row of deleted === ALL_ROWS ? this.#rowsOf(table, aims) : deleted) {
        for (const cell of this.#cellsOf(table, row, aims)) setBase(undefined, table, row, cell);
      }
    }
    changes.leaves.forEach(setBase);
  }

  #rowsOf(table: string, aims: Aims): ReadonlySet<string> {
    return new Set([
      ...this.#store.getRowIds(table),
      ...this.#overlay.coveredRows(table),
      ...aims.rows(table).keys(),
    ]);
  }

  #cellsOf(table: string, row: string, aims?: Aims): ReadonlySet<string> {
    return new Set([
      ...this.#store.getCellIds(table, row),
      ...this.#overlay.coveredCells(table, row),
      ...(aims?.cells(table, row).keys() ?? []),
    ]);
  }

  /** Makes content the base. */
  rebase(content: LeafMap<Leaf>, aims: Aims, isShown: boolean): void {
    if (isShown && this.#overlay.isEmpty && aims.isEmpty && isEmptyStore(this.#store)) {
      for (const table of content.tables())
        for (const [row, cells] of content.rows(table)) aims.setRow(table, row, cells);
      return;
    }
    const gone = new LeafMap<true>();
    const noteIfGone = (
      leaf: Leaf | undefined,
      table: TableKey,
      row: string,
      cell: string,
    ): void => {
      if (leaf !== undefined && !content.has(table, row, cell)) gone.set(table, row, cell, true);
    };
    readContent(this.#store).forEach(noteIfGone);
    this.#overlay.forEach(({ base }, ...at) => noteIfGone(base, ...at));
    // A leaf that a dropped push had deleted is neither in the Store nor covered, and may have to show again.
    aims.forEach(noteIfGone);
    gone.forEach((_true, table, row, cell) =>
      this.#rebaseLeaf(table, row, cell, undefined, aims, isShown),
    );
    content.forEach((leaf, table, row, cell) =>
      this.#rebaseLeaf(table, row, cell, leaf, aims, isShown),
    );
  }

  /** Sets the base of a leaf. A leaf that the room did not change stays local-only (LOCAL-2). */
  #rebaseLeaf(
    table: TableKey,
    row: string,
    cell: string,
    leaf: Leaf | undefined,
    aims: Aims,
    isShown: boolean,
  ): void {
    const cover = this.#overlay.get(table, row, cell);
    if (cover === undefined && !isShown && !aims.has(table, row, cell)) return;
    if (cover === undefined || cover.base !== leaf)
      this.#overlay.setBase(table, row, cell, leaf, aimAt(aims));
  }
}
