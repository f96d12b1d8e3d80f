import type { Store } from 'tinybase';
import { createStore } from 'tinybase/store';

import { addChanges, ALL_ROWS, ChangesBuilder, type Changes } from '../../../protocol/changes.ts';
import { isUnsendableLeaf, type Leaf } from '../../../protocol/leaf.ts';
import type { PresenceCells } from '../../../protocol/presence/presence-from-client.ts';
import { CONNECTIONS, USER, USERS } from '../../../protocol/presence/presence-tables.ts';
import { readLeaf, readTransactionLog, writeLeaf } from '../../../protocol/store-access.ts';

/** The connection that caused a change. The room's own code is no author. */
export interface PresenceAuthor {
  readonly id: string;
  readonly userId: string | undefined;
}

/** Hears of changes to the presence Store. Must not throw. */
export interface PresenceStoreListener<Author> {
  /** `rows` are the ids of the connections whose rows changed. */
  changed(rows: Iterable<string>, author: Author | undefined): void;
}

/** Changes that the clients do not know yet. */
export interface PendingPresence<Author> {
  readonly changes: Changes;
  /** Set if all of them are changes of this author to its own row. */
  readonly author: Author | undefined;
}

const TABLES: readonly string[] = [CONNECTIONS, USERS];
const NO_CELLS: PresenceCells = new Map();
const NONE: ReadonlySet<string> = new Set();

/** A room's presence Store, and its changes since the clients were told last. */
export class PresenceStore<Author extends PresenceAuthor> {
  readonly store: Store = createStore();
  readonly #listener: PresenceStoreListener<Author>;
  #changes = new ChangesBuilder();
  readonly #authors = new Set<Author | undefined>();
  #author: Author | undefined;

  constructor(listener: PresenceStoreListener<Author>) {
    this.#listener = listener;
    this.store.addDidFinishTransactionListener(() => this.#collect());
  }

  /** Runs one transaction of that author; undefined is the room itself. Throws what a listener of the app throws. */
  write(author: Author | undefined, actions: (store: Store) => void): void {
    this.#author = author;
    try {
      this.store.transaction(() => actions(this.store));
    } finally {
      this.#author = undefined;
    }
  }

  /** Sets the whole row of a connection. A row has at least a Cell, so that everybody sees who is there. */
  setConnection(id: string, cells: PresenceCells, userId: string | undefined): void {
    const row = new Map(cells);
    if (userId !== undefined || cells.size === 0) row.set(USER, userId ?? null);
    this.#setRow(CONNECTIONS, id, row);
  }

  setUser(id: string, cells: PresenceCells): void {
    this.#setRow(USERS, id, cells);
  }

  /** Returns the row of a connection without the room's own cell; undefined if there is none. */
  connectionCells(id: string): PresenceCells | undefined {
    if (!this.store.hasRow(CONNECTIONS, id)) return undefined;
    const cells = this.#cells(CONNECTIONS, id);
    cells.delete(USER);
    return cells;
  }

  /** Returns the row of a connection as changes. */
  ownChanges(id: string): Changes {
    const own = new ChangesBuilder();
    own.leaves.setRow(CONNECTIONS, id, this.connectionCells(id) ?? NO_CELLS);
    return own;
  }

  /** Returns everything as changes: all rows deleted, then set. */
  picture(): Changes {
    const picture = new ChangesBuilder();
    for (const table of TABLES) {
      picture.deleteTable(table);
      for (const row of this.store.getRowIds(table))
        for (const [cell, leaf] of this.#cells(table, row)) picture.setLeaf(table, row, cell, leaf);
    }
    return picture;
  }

  /** Returns the changes that the clients do not know yet, and forgets them. */
  take(): PendingPresence<Author> {
    const [author] = this.#authors.size === 1 ? this.#authors : [];
    const changes = this.#changes;
    this.#changes = new ChangesBuilder();
    this.#authors.clear();
    return { changes, author };
  }

  /** Returns the cells of a row that a message may carry. */
  #cells(table: string, row: string): Map<string, Leaf> {
    const cells = new Map<string, Leaf>();
    for (const cell of this.store.getCellIds(table, row)) {
      const leaf = readLeaf(this.store, table, row, cell);
      if (leaf !== undefined && !isUnsendableLeaf(leaf)) cells.set(cell, leaf);
    }
    return cells;
  }

  #setRow(table: string, row: string, cells: PresenceCells): void {
    // First the new Cells, so that the row is never empty in between.
    for (const [cell, leaf] of cells) writeLeaf(this.store, table, row, cell, leaf);
    for (const cell of this.store.getCellIds(table, row))
      if (!cells.has(cell)) this.store.delCell(table, row, cell, true);
  }

  #collect(): void {
    const { changes } = readTransactionLog(this.store);
    const told = new ChangesBuilder();
    for (const table of TABLES) {
      const deleted = changes.deletedRows.get(table) ?? NONE;
      // A transaction log lists each row.
      if (deleted !== ALL_ROWS) for (const row of deleted) told.deleteRow(table, row);
      for (const [row, cells] of changes.leaves.rows(table))
        for (const [cell, leaf] of cells)
          if (!isUnsendableLeaf(leaf)) told.setLeaf(table, row, cell, leaf);
    }
    if (told.isEmpty) return;
    addChanges(this.#changes, told);
    const author = this.#author;
    const connections = rowsOf(told, CONNECTIONS);
    const isOwn =
      author !== undefined &&
      connections.every((id) => id === author.id) &&
      rowsOf(told, USERS).every((id) => id === author.userId);
    this.#authors.add(isOwn ? author : undefined);
    this.#listener.changed(connections, author);
  }
}

function rowsOf({ deletedRows, leaves }: Changes, table: string): readonly string[] {
  const deleted = deletedRows.get(table);
  const set = leaves.rows(table).keys();
  return deleted === undefined || deleted === ALL_ROWS ? [...set] : [...deleted, ...set];
}
