import { ALL_ROWS, type Changes } from '../../protocol/changes.ts';
import { leafSize, PUNCTUATION, VALUES, type Leaf, type TableKey } from '../../protocol/leaf.ts';
import { LeafMap, type Cells } from '../../protocol/leaf-map.ts';

import type { BlobReference } from './blob.ts';

const BEYOND_ASCII = /[\u0080-\uFFFF]/;

/** Content that may change between two reads. */
export type LiveContent = Pick<LeafMap<Leaf>, 'get' | 'cells'>;

/** Some rows of the content, which are stored together. Each Value counts as a row of its own. */
export interface Page {
  /** Row ids by table; for {@link VALUES}, the ids of Values. */
  readonly rows: Map<TableKey, Set<string>>;
  /** The blob of this page in the valid manifest; undefined if it has none. */
  stored: BlobReference | undefined;
  /** True if the stored page may differ from the content. */
  isDirty: boolean;
  /** The approximate size: the bytes at the last write, and the characters that were set since. */
  size: number;
}

/** Knows on which page each row is, and which pages have changed since they were written. */
export class PageIndex {
  readonly #pageSize: number;
  readonly #pageOf = new Map<TableKey, Map<string, Page>>();
  #pages: Page[] = [];

  /** @param pageSize A page of this size gets no more rows. */
  constructor(pageSize: number) {
    this.#pageSize = pageSize;
  }

  /** The pages, in the order of the content. */
  get pages(): readonly Page[] {
    return this.#pages;
  }

  /** Adds a page that is stored, with the ids of its rows by table. */
  addStored(stored: BlobReference, rows: ReadonlyMap<TableKey, Iterable<string>>): Page {
    const page: Page = { rows: new Map(), stored, isDirty: false, size: stored.bytes };
    this.#pages.push(page);
    for (const [table, ids] of rows) this.#putOn(page, table, ids);
    return page;
  }

  /** Puts rows on a page. A row that was on another page moves to this one, and marks the other one as changed. */
  #putOn(page: Page, table: TableKey, ids: Iterable<string>): void {
    let pageOf = this.#pageOf.get(table);
    if (pageOf === undefined) this.#pageOf.set(table, (pageOf = new Map<string, Page>()));
    let rows = page.rows.get(table);
    if (rows === undefined) page.rows.set(table, (rows = new Set()));
    for (const row of ids) {
      const former = pageOf.get(row);
      if (former === page) continue;
      pageOf.set(row, page);
      rows.add(row);
      if (former !== undefined) leave(former, table, row);
    }
  }

  /** Adds content that is on no page yet. */
  addContent(content: LeafMap<Leaf>): void {
    forEachRow(content, (table, row, size) => {
      this.#pageForNew(table, row).size += size();
    });
  }

  /** Records changes of the content. */
  note(changes: Changes): void {
    for (const [table, rows] of changes.deletedRows) {
      const deleted = rows === ALL_ROWS ? [...(this.#pageOf.get(table)?.keys() ?? [])] : rows;
      for (const row of deleted) this.#remove(table, row);
    }
    const { leaves } = changes;
    for (const table of leaves.tables()) {
      if (table === VALUES) {
        for (const [id, leaf] of leaves.cells(VALUES, '')) this.#noteLeaf(VALUES, id, id, leaf);
      } else {
        for (const [row, cells] of leaves.rows(table)) {
          for (const [cell, leaf] of cells) this.#noteLeaf(table, row, cell, leaf);
        }
      }
    }
  }

  /** Merges neighbours that fit on one page. Call it before the pages are read, not between two reads. */
  merge(): void {
    const merged: Page[] = [];
    for (const page of this.#pages) {
      const last = merged.at(-1);
      if (last === undefined || last.size + page.size > this.#pageSize) {
        merged.push(page);
        continue;
      }
      for (const [table, rows] of page.rows) this.#putOn(last, table, rows);
      last.size += page.size;
      last.isDirty = true;
    }
    this.#pages = merged;
  }

  /**
   * Reads the current rows of a page and marks it as written. Splits a page that is too large: the result then has this
   * page and the new pages after it. Removes a page that is empty, and returns nothing.
   */
  read(page: Page, content: LiveContent): readonly { page: Page; leaves: LeafMap<Leaf> }[] {
    const sizes: number[] = [];
    const units: (readonly [TableKey, string, Cells<Leaf>])[] = [];
    for (const [table, rows] of page.rows) {
      for (const row of rows) {
        const cells = readUnit(content, table, row);
        if (cells.size > 0) {
          units.push([table, row, cells]);
          sizes.push(sizeOfRow(row, cells));
        } else this.#remove(table, row);
      }
    }
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const count = total > this.#pageSize * (4 / 3) ? Math.ceil(total / this.#pageSize) : 1;
    const read: { page: Page; leaves: LeafMap<Leaf> }[] = [];
    let left = 0;
    for (const [index, [table, row, cells]] of units.entries()) {
      let last = read.at(-1);
      const size = sizes[index] ?? 0;
      if (last === undefined || left <= 0 || size > 2 * left) {
        const target = last === undefined ? page : emptyPage();
        read.push((last = { page: target, leaves: new LeafMap() }));
        target.size = 0;
        left = total / count;
      }
      left -= size;
      last.page.size += size;
      if (last.page !== page) this.#putOn(last.page, table, [row]);
      for (const [cell, leaf] of cells) {
        last.leaves.set(table, table === VALUES ? '' : row, cell, leaf);
      }
    }
    this.#pages.splice(this.#pages.indexOf(page), 1, ...read.map((part) => part.page));
    // Moving rows marks pages as changed, but these have just been read.
    for (const part of read) part.page.isDirty = false;
    return read;
  }

  #noteLeaf(table: TableKey, row: string, cell: string, leaf: Leaf | undefined): void {
    const page = this.#pageOf.get(table)?.get(row);
    if (leaf === undefined) {
      if (page === undefined) return;
      if (table === VALUES) this.#remove(table, row);
      else page.isDirty = true;
      return;
    }
    const target = page ?? this.#pageForNew(table, row);
    target.size += leafSize(cell, leaf);
    target.isDirty = true;
  }

  /** Returns the last page, or a new one if that is full. */
  #pageForNew(table: TableKey, row: string): Page {
    let page = this.#pages.at(-1);
    if (page === undefined || page.size >= this.#pageSize) {
      this.#pages.push((page = emptyPage()));
    }
    this.#putOn(page, table, [row]);
    return page;
  }

  #remove(table: TableKey, row: string): void {
    const pageOf = this.#pageOf.get(table);
    const page = pageOf?.get(row);
    if (pageOf === undefined || page === undefined) return;
    leave(page, table, row);
    pageOf.delete(row);
    if (pageOf.size === 0) this.#pageOf.delete(table);
  }
}

function emptyPage(): Page {
  return { rows: new Map(), stored: undefined, isDirty: true, size: 0 };
}

function leave(page: Page, table: TableKey, row: string): void {
  const rows = page.rows.get(table);
  rows?.delete(row);
  if (rows?.size === 0) page.rows.delete(table);
  page.isDirty = true;
}

const NO_CELLS: Cells<Leaf> = new Map();

function readUnit(content: LiveContent, table: TableKey, row: string): Cells<Leaf> {
  if (table !== VALUES) return content.cells(table, row);
  const leaf = content.get(VALUES, '', row);
  return leaf === undefined ? NO_CELLS : new Map([[row, leaf]]);
}

function forEachRow(
  content: LeafMap<Leaf>,
  visit: (table: TableKey, row: string, size: () => number) => void,
): void {
  for (const table of content.tables()) {
    if (table === VALUES) {
      for (const [id, leaf] of content.cells(VALUES, ''))
        visit(VALUES, id, () => sizeOfRow('', new Map([[id, leaf]])));
    } else {
      for (const [row, cells] of content.rows(table))
        visit(table, row, () => sizeOfRow(row, cells));
    }
  }
}

/** Returns the approximate size of a row, in bytes. */
function sizeOfRow(row: string, cells: Cells<Leaf>): number {
  let size = row.length + bytesBeyondLength(row) + PUNCTUATION;
  for (const [cell, leaf] of cells) {
    size += leafSize(cell, leaf) + bytesBeyondLength(cell);
    if (typeof leaf === 'string') size += bytesBeyondLength(leaf);
  }
  return size;
}

function bytesBeyondLength(text: string): number {
  return BEYOND_ASCII.test(text) ? new TextEncoder().encode(text).length - text.length : 0;
}
