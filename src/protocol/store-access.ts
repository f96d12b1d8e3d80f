/** Reads and writes a TinyBase Store by leaf, in encoded form. A leaf is a Cell or a Value. */
import type { Store } from 'tinybase';

import { ChangesBuilder, type Changes } from './changes.ts';
import {
  canonicalLeaf,
  decodeLeaf,
  encodeLeaf,
  encodeShown,
  UNREADABLE,
  VALUES,
  type Leaf,
  type StoreLeaf,
  type TableKey,
} from './leaf.ts';
import { LeafMap } from './leaf-map.ts';

/** Returns the leaf that the Store holds at this address, or undefined. It may be one that {@link isUnsendableLeaf}. */
export function readLeaf(
  store: Store,
  table: TableKey,
  row: string,
  cell: string,
): Leaf | undefined {
  try {
    return encodeShown(table === VALUES ? store.getValue(cell) : store.getCell(table, row, cell));
  } catch {
    // The Store decodes the result of a toJSON, and that was not JSON.
    return UNREADABLE;
  }
}

/** Visits the leaves of a row, or the Values. */
export function forEachLeaf(
  store: Store,
  table: TableKey,
  row: string,
  visit: (cell: string, leaf: Leaf) => void,
): void {
  let visited = 0;
  const visitNext = (cell: string, shown: StoreLeaf): void => {
    visited += 1;
    visit(cell, encodeShown(shown));
  };
  try {
    if (table === VALUES) store.forEachValue(visitNext);
    else store.forEachCell(table, row, visitNext);
  } catch {
    // The Store cannot read one of them: it and the rest are read one by one.
    const cells = table === VALUES ? store.getValueIds() : store.getCellIds(table, row);
    for (const cell of cells.slice(visited)) {
      const leaf = readLeaf(store, table, row, cell);
      if (leaf !== undefined) visit(cell, leaf);
    }
  }
}

/**
 * Asks the Store to set a leaf, or to delete it. The Store may then hold something else, because of its schema, defaults or
 * middleware, or of its mutator listeners at the end of the transaction. Read the leaf back.
 */
export function writeLeaf(
  store: Store,
  table: TableKey,
  row: string,
  cell: string,
  leaf: Leaf | undefined,
): void {
  if (table === VALUES) {
    if (leaf === undefined) store.delValue(cell);
    else store.setValue(cell, decodeLeaf(leaf));
  } else if (leaf === undefined) store.delCell(table, row, cell);
  else store.setCell(table, row, cell, decodeLeaf(leaf));
}

/** Returns a lookup of the schema's defaults: a Store sets a deleted Cell or Value to its default, if it has one. */
export function readDefaults(store: Store): (table: TableKey, cell: string) => Leaf | undefined {
  let schemas: unknown;
  try {
    schemas = JSON.parse(store.getSchemaJson());
  } catch {
    // The Store itself cannot read a default whose toJSON gives undefined.
  }
  return (table, cell) => {
    const cells =
      table === VALUES ? ownProperty(schemas, '1') : ownProperty(ownProperty(schemas, '0'), table);
    return canonicalLeaf(ownProperty(ownProperty(cells, cell), 'default'));
  };
}

function ownProperty(owner: unknown, id: string): unknown {
  if (typeof owner !== 'object' || owner === null) return undefined;
  return Object.getOwnPropertyDescriptor(owner, id)?.value;
}

/** Returns the whole content of the Store. */
export function readContent(store: Store): LeafMap<Leaf> {
  const content = new LeafMap<Leaf>();
  const readRow = (table: TableKey, row: string): void =>
    forEachLeaf(store, table, row, (cell, leaf) => content.set(table, row, cell, leaf));
  for (const table of store.getTableIds())
    for (const row of store.getRowIds(table)) readRow(table, row);
  readRow(VALUES, '');
  return content;
}

/** Returns true if the Store has neither tables nor Values. */
export function isEmptyStore(store: Store): boolean {
  return !store.hasTables() && !store.hasValues();
}

/** Returns true if the Store holds that content and nothing else. Much cheaper than reading the content. */
export function holdsJust(store: Store, content: LeafMap<Leaf | undefined>): boolean {
  let isSame = true;
  let tables = 0;
  for (const table of content.tables()) {
    const rows = content.rows(table);
    if (table !== VALUES && rows.size !== store.getRowCount(table)) return false;
    tables += 1;
    for (const [row, cells] of rows) {
      let count = 0;
      forEachLeaf(store, table, row, (id, leaf) => {
        count += 1;
        isSame &&= leaf === cells.get(id);
      });
      if (count !== cells.size) return false;
    }
  }
  return isSame && store.getTableIds().length + Number(store.hasValues()) === tables;
}

/** The effect of a transaction, as its did-finish listeners can read it. */
export interface TransactionLog {
  /** The net changes. A row that became empty is a deleted row, and its leaves are not listed. */
  readonly changes: Changes;
  /** The old leaf wherever a leaf changed, deleted rows included; undefined where there was none. */
  readonly before: LeafMap<Leaf | undefined>;
  /** The ids of tables and rows that came, each with 1, and that went, each with -1. */
  readonly ids: readonly (readonly [id: string, change: number])[];
  /** The leaves that were set to something that the Store's schema refuses, whatever they are now. */
  readonly refused: LeafMap<true>;
}

/**
 * Reads the log of the transaction that is finishing. Call it in a did-finish listener. The parts of the log are computed
 * at their first use, which may be later.
 */
export function readTransactionLog(store: Store): TransactionLog {
  return new StoreTransactionLog(store.getTransactionLog());
}

class StoreTransactionLog implements TransactionLog {
  readonly #log: StoreLog;
  #changes: Changes | undefined;
  #before: LeafMap<Leaf | undefined> | undefined;
  #refused: LeafMap<true> | undefined;

  constructor(log: StoreLog) {
    this.#log = log;
  }

  get changes(): Changes {
    return (this.#changes ??= changesOf(this.#log));
  }

  get before(): LeafMap<Leaf | undefined> {
    return (this.#before ??= leavesBefore(this.#log));
  }

  get ids(): TransactionLog['ids'] {
    const [, , , , , , tables, rows] = this.#log;
    return [tables, ...Object.values(rows)].flatMap((ids) => Object.entries(ids));
  }

  get refused(): LeafMap<true> {
    return (this.#refused ??= leavesRefused(this.#log));
  }
}

type StoreLog = ReturnType<Store['getTransactionLog']>;

function changesOf([, , changedCells, , changedValues, , , changedRowIds]: StoreLog): Changes {
  const changes = new ChangesBuilder();
  for (const [table, rows] of Object.entries(changedCells)) {
    for (const [row, cells] of Object.entries(rows)) {
      if (changedRowIds[table]?.[row] === -1) changes.deleteRow(table, row);
      else
        for (const [cell, [, now]] of Object.entries(cells))
          changes.setLeaf(table, row, cell, loggedLeaf(now));
    }
  }
  for (const [id, [, now]] of Object.entries(changedValues))
    changes.setLeaf(VALUES, '', id, loggedLeaf(now));
  return changes;
}

function leavesBefore([, , changedCells, , changedValues]: StoreLog): LeafMap<Leaf | undefined> {
  const before = new LeafMap<Leaf | undefined>();
  for (const [table, rows] of Object.entries(changedCells)) {
    for (const [row, cells] of Object.entries(rows)) {
      for (const [cell, [old]] of Object.entries(cells))
        before.set(table, row, cell, loggedLeaf(old));
    }
  }
  for (const [id, [old]] of Object.entries(changedValues))
    before.set(VALUES, '', id, loggedLeaf(old));
  return before;
}

function leavesRefused([, , , invalidCells, , invalidValues]: StoreLog): LeafMap<true> {
  const refused = new LeafMap<true>();
  for (const [table, rows] of Object.entries(invalidCells)) {
    for (const [row, cells] of Object.entries(rows)) {
      for (const [cell, tried] of Object.entries(cells)) {
        if (hasTried(tried)) refused.set(table, row, cell, true);
      }
    }
  }
  for (const [id, tried] of Object.entries(invalidValues)) {
    if (hasTried(tried)) refused.set(VALUES, '', id, true);
  }
  return refused;
}

/** Returns false for a Cell that TinyBase lists as invalid only because a new row was set without it. */
function hasTried(tried: readonly unknown[]): boolean {
  return tried.some((leaf) => leaf !== undefined);
}

/** Returns the canonical leaf. A leaf without one keeps the spelling that the Store got in bulk JSON. */
function loggedLeaf(logged: StoreLeaf | undefined): Leaf | undefined {
  const leaf = canonicalLeaf(logged);
  return leaf === undefined ? encodeLeaf(logged) : leaf;
}
