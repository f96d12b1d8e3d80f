import { createMiddleware, type Store, type TablesSchema, type ValuesSchema } from 'tinybase';

import { decodeLeaf, ENCODED, VALUES, type Leaf, type TableKey } from '../../src/protocol/leaf.ts';
import { readTransactionLog } from '../../src/protocol/store-access.ts';
import { LARGE, PAIR_CELLS, PAIR_TABLE } from './edits.ts';

/** What an app does to its Store beside using it. */
export interface StoreVariant {
  readonly name: string;
  prepare(store: Store, owner: string): void;
  /** True if the variant may make something else of that leaf, so that it may stay different from the room's. */
  alters(table: TableKey, cell: string, leaf: Leaf | undefined): boolean;
  /** True if the variant may throw because of that cell, and undo whatever it came with. */
  mayThrow?(leaf: unknown): boolean;
}

const TABLES_SCHEMA: TablesSchema = {
  t: {
    a: { type: 'number', default: 0 },
    b: { type: 'string' },
    c: { type: 'string', allowNull: true },
  },
  u: { a: { type: 'number' }, b: { type: 'string', default: '-' }, c: { type: 'object' } },
  [PAIR_TABLE]: { [PAIR_CELLS[0]]: { type: 'number' }, [PAIR_CELLS[1]]: { type: 'number' } },
};

const VALUES_SCHEMA: ValuesSchema = { v: { type: 'number', default: -7 } };

/** Before the name of a client, the cell in which its listener counts. */
const COUNTER = 'seen by ';

/** True if listeners write there: the same may come again. */
export function isListeners(cell: string): boolean {
  return cell.startsWith(COUNTER) || cell === NOTE_CELL;
}

export const plain: StoreVariant = {
  name: 'plain',
  prepare: () => undefined,
  alters: () => false,
};

/** Types, defaults, and a table and a Value that others have and this one does not know. */
const schema: StoreVariant = {
  name: 'schema',
  prepare: (store) => store.setSchema(TABLES_SCHEMA, VALUES_SCHEMA),
  alters: (table, cell, leaf) => {
    if (table === PAIR_TABLE) return false;
    const rule = table === VALUES ? VALUES_SCHEMA[cell] : TABLES_SCHEMA[table]?.[cell];
    if (rule === undefined) return true;
    if (leaf === undefined) return 'default' in rule;
    if (leaf === null) return rule.allowNull !== true;
    return rule.type !== typeof decodeLeaf(leaf) || String(leaf).startsWith(`${ENCODED}[`);
  },
};

/** Brings large numbers down, for whoever wrote them. */
const clamp: StoreVariant = {
  name: 'clamp',
  prepare: (store) => {
    store.addCellListener(
      null,
      null,
      null,
      (_store, table, row, cell, now) => {
        if (typeof now === 'number' && now >= LARGE) store.setCell(table, row, cell, now - LARGE);
      },
      true,
    );
    store.addValueListener(
      null,
      (_store, id, now) => {
        if (typeof now === 'number' && now >= LARGE) store.setValue(id, now - LARGE);
      },
      true,
    );
  },
  alters: (_table, _cell, leaf) => typeof leaf === 'number' && leaf >= LARGE,
};

/** Writes one cell whenever another changes. */
const stamp: StoreVariant = {
  name: 'stamp',
  prepare: (store) => {
    store.addCellListener(
      't',
      null,
      'b',
      (_store, table, row, _cell, now) => {
        if (now !== undefined) store.setCell(table, row, 'c', `stamp ${JSON.stringify(now)}`);
      },
      true,
    );
  },
  alters: (table, cell) => table === 't' && cell === 'c',
};

/** Will not let go of a Value: two of these never agree. */
export const stubborn: StoreVariant = {
  name: 'stubborn',
  prepare: (store, owner) => {
    store.addValueListener(
      'w',
      (_store, id, now) => {
        if (now !== undefined && now !== owner) store.setValue(id, owner);
      },
      true,
    );
  },
  alters: (table, cell, leaf) => table === VALUES && cell === 'w' && leaf !== undefined,
};

/** Notes in a cell of its own whenever a row changes: two of these would go on for ever if each answered the other. */
export const noting: StoreVariant = {
  name: 'noting',
  prepare: (store, owner) => {
    const cell = COUNTER + owner;
    store.addRowListener(
      't',
      null,
      (_store, table, row) => {
        const seen = store.getCell(table, row, cell);
        if (store.hasRow(table, row))
          store.setCell(table, row, cell, typeof seen === 'number' ? seen + 1 : 1);
      },
      true,
    );
  },
  alters: (table, cell) => table === 't' && cell.startsWith(COUNTER),
};

/** Rewrites and refuses single writes before they happen. */
const middleware: StoreVariant = {
  name: 'middleware',
  prepare: (store) => {
    const guard = createMiddleware(store);
    guard.addWillSetCellCallback((table, _row, _cell, now) => {
      if (table === PAIR_TABLE || typeof now !== 'string') return now;
      return now.startsWith('no') ? undefined : now.replace(/^s/, 'S');
    });
    guard.addWillSetValueCallback((_id, now) => (now === null ? undefined : now));
  },
  alters: (table, _cell, leaf) =>
    table === VALUES ? leaf === null : typeof leaf === 'string' && /^(?:s|no)/.test(leaf),
};

/** Returns the leaves that may have been written where a Store has that one: middleware or a listener may have altered it. */
export function writtenAs(leaf: Leaf | undefined): readonly (Leaf | undefined)[] {
  if (typeof leaf === 'number') return [leaf, leaf + LARGE];
  return typeof leaf === 'string' ? [leaf, leaf.replace(/^S/, 's')] : [leaf];
}

/** A listener that throws now and then; it changes nothing. */
export const thrower: StoreVariant = {
  name: 'thrower',
  prepare: (store) => {
    let count = 0;
    const throwSometimes = (): void => {
      count += 1;
      if (count % 3 === 0) throw new Error('A listener of the app threw.');
    };
    store.addCellListener(null, null, null, throwSometimes);
    store.addValueListener(null, throwSometimes);
  },
  alters: () => false,
};

/** A mutator listener that throws, so that the whole transaction is undone. */
const strict: StoreVariant = {
  name: 'strict',
  prepare: (store) => {
    store.addCellListener(
      null,
      null,
      null,
      (_store, table, row, cell, now) => {
        if (strict.mayThrow?.(now) !== true) return;
        if (canUndo(store)) throw new Error('A mutator listener of the app threw.');
        store.setCell(table, row, cell, 'tolerated');
      },
      true,
    );
  },
  // With a leaf that it refuses goes everything that came with it.
  alters: () => true,
  mayThrow: (leaf) => typeof leaf === 'string' && leaf.startsWith('no'),
};

const LONGEST_TITLE = 4;

/** An older version of an app, which cuts all text. It changes nothing but what is set. */
export const cutter: StoreVariant = {
  name: 'cutter',
  prepare: (store) => {
    store.addCellListener(
      't',
      null,
      'b',
      (_store, table, row, cell, now) => {
        if (typeof now === 'string' && now.length > LONGEST_TITLE)
          store.setCell(table, row, cell, now.slice(0, LONGEST_TITLE));
      },
      true,
    );
  },
  alters: (table, cell, leaf) =>
    table === 't' && cell === 'b' && typeof leaf === 'string' && leaf.length > LONGEST_TITLE,
};

/** Notes in each row of a table that it was changed, whoever has changed it. */
const noter: StoreVariant = {
  name: 'noter',
  prepare: (store, owner) => {
    let count = 0;
    store.addCellListener(
      'u',
      null,
      null,
      (_store, table, row, cell, now) => {
        const isOwn =
          cell === NOTE_CELL && typeof now === 'string' && now.startsWith(`by ${owner} `);
        if (isOwn || !store.hasRow(table, row)) return;
        count += 1;
        store.setCell(table, row, NOTE_CELL, `by ${owner} ${count}`);
      },
      true,
    );
  },
  alters: (table, cell) => table === 'u' && cell === NOTE_CELL,
};

const NOTE_CELL = 'note';

/** Variants that compete with each other about the same leaves. */
export const COMPETING_VARIANTS: readonly StoreVariant[] = [cutter, noter, noter, plain];

/** TinyBase 10.0.1 does not bring back objects and arrays when it undoes a transaction. */
function canUndo(store: Store): boolean {
  const { before } = readTransactionLog(store);
  let isUndoable = true;
  before.forEach((leaf) => {
    if (typeof leaf === 'string' && leaf.startsWith(ENCODED)) isUndoable = false;
  });
  return isUndoable;
}

/** The variants of a client's Store, so many of each in eighteen. */
export const CLIENT_VARIANTS: readonly StoreVariant[] = [
  ...[plain, plain, plain, plain, plain, plain, plain],
  ...[schema, schema, clamp, clamp, stamp, middleware, middleware, thrower, strict],
  ...[stubborn, noting],
];

/** The variants of a room's own Store. */
export const ROOM_VARIANTS: readonly StoreVariant[] = [
  plain,
  plain,
  plain,
  schema,
  clamp,
  stamp,
  middleware,
  strict,
];
