import * as fc from 'fast-check';
import { createMergeableStore, createStore, type Store } from 'tinybase';
import { describe, expect, test } from 'vitest';

import { applyChangesToLeaves, deletesRow } from '../../src/protocol/changes.ts';
import { decodeLeaf, VALUES, type Leaf } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import {
  readContent,
  readLeaf,
  readTransactionLog,
  writeLeaf,
  type TransactionLog,
} from '../../src/protocol/store-access.ts';
import { measureGrowth, measureContent } from '../../src/server/writes/content-size.ts';
import { contents, listed } from './arbitrary-changes.ts';
import { edit, schemas, transactions, type Edit } from './arbitrary-edits.ts';

/** The log of what was done, as a did-finish listener reads it. */
function logOf(store: Store, actions: () => void): TransactionLog {
  const logs: TransactionLog[] = [];
  const listenerId = store.addDidFinishTransactionListener(() => {
    logs.push(readTransactionLog(store));
  });
  actions();
  store.delListener(listenerId);
  const [log] = logs;
  if (log === undefined || logs.length > 1) throw new Error('not one transaction');
  return log;
}

const makers: readonly (readonly [string, () => Store])[] = [
  ['Store', createStore],
  ['MergeableStore', () => createMergeableStore('one')],
];

/** Does the transaction and holds its log against the content before and after. */
function editAndCompare(store: Store, transaction: readonly Edit[]): void {
  const before = readContent(store);
  const log = logOf(store, () => edit(store, transaction));
  const after = readContent(store);
  const applied = readContent(store);
  applied.clear();
  before.forEach((leaf, ...address) => applied.set(...address, leaf));
  applyChangesToLeaves(applied, log.changes);
  expect(listed(applied)).toEqual(listed(after));
  // `before` has the leaves that differ and no others, with what they were.
  const changed = new LeafMap<Leaf | undefined>();
  const compare = (_leaf: Leaf, ...address: Parameters<typeof before.has>): void => {
    if (before.get(...address) !== after.get(...address)) {
      changed.set(...address, before.get(...address));
    }
  };
  before.forEach(compare);
  after.forEach(compare);
  expect(listed(log.before)).toEqual(listed(changed));
  const [from, to] = [measureContent(before), measureContent(after)];
  expect(measureGrowth(log)).toEqual({
    length: to.length - from.length,
    leaves: to.leaves - from.leaves,
  });
  log.changes.leaves.forEach((_leaf, table, row) => {
    expect(deletesRow(log.changes, table, row)).toBe(false);
  });
}

describe.each(makers)('the log of a transaction of a %s', (_kind, create) => {
  test('applied to the content before gives the content after', () => {
    fc.assert(
      fc.property(fc.array(transactions, { maxLength: 4 }), (several) => {
        const store = create();
        for (const transaction of several) editAndCompare(store, transaction);
      }),
      { numRuns: 100 },
    );
  });

  test('does so with schemas and defaults', () => {
    fc.assert(
      fc.property(schemas, fc.array(transactions, { maxLength: 4 }), (schema, several) => {
        const store = create().setSchema(schema[0], schema[1]);
        for (const transaction of several) editAndCompare(store, transaction);
      }),
      { numRuns: 100 },
    );
  });

  test('does so when a schema comes to a filled Store', () => {
    fc.assert(
      fc.property(transactions, schemas, (transaction, [tables, values]) => {
        const store = create();
        edit(store, transaction);
        const before = readContent(store);
        const log = logOf(store, () => store.setSchema(tables, values));
        applyChangesToLeaves(before, log.changes);
        expect(listed(before)).toEqual(listed(readContent(store)));
      }),
    );
  });
});

describe('the log', () => {
  test('[VIEW-5] has an emptied row as that row deleted, whether by row, table or its last cell', () => {
    const emptiers: ((store: Store) => void)[] = [
      (store) => store.delRow('t', 'r'),
      (store) => store.delTable('t'),
      (store) => store.delTables(),
      (store) => store.delCell('t', 'r', 'c'),
    ];
    for (const empty of emptiers) {
      const store = createStore().setCell('t', 'r', 'c', 1);
      const { changes, before } = logOf(store, () => empty(store));
      expect([...changes.deletedRows]).toEqual([['t', new Set(['r'])]]);
      expect(changes.leaves.isEmpty).toBe(true);
      expect(listed(before)).toEqual([['["t","r","c"]', 1]]);
    }
  });

  test('[VIEW-5] has a row deleted and set again as its cells deleted and set', () => {
    const store = createStore().setRow('t', 'r', { a: 1, b: 2 });
    const { changes } = logOf(store, () =>
      store.transaction(() => store.delRow('t', 'r').setCell('t', 'r', 'b', 3)),
    );
    expect(changes.deletedRows.size).toBe(0);
    expect(listed(changes.leaves)).toEqual([
      ['["t","r","a"]', undefined],
      ['["t","r","b"]', 3],
    ]);
  });

  test('is empty of what a transaction undid', () => {
    const store = createStore().setCell('t', 'r', 'c', 1);
    const { changes, before } = logOf(store, () =>
      store.transaction(() => {
        store.setCell('t', 'r', 'c', 2).setCell('t', 'r', 'c', 1).setCell('u', 'r', 'c', 1);
        store.delTable('u').setValue('v', 1).delValue('v');
      }),
    );
    expect(before.isEmpty).toBe(true);
    expect(changes.leaves.isEmpty).toBe(true);
    expect(changes.deletedRows.size).toBe(0);
  });

  test('has what the schema refused', () => {
    const store = createStore().setSchema(
      { t: { a: { type: 'number' }, b: { type: 'number', default: 1 } } },
      { v: { type: 'number' } },
    );
    const { refused } = logOf(store, () =>
      store.transaction(() => {
        store.setCell('t', 'r', 'a', 'no').setCell('t', 'r', 'b', 'no').setCell('u', 'r', 'a', 1);
        store.setValue('v', 'no').setValue('w', 1);
      }),
    );
    expect(listed(refused).map(([address]) => address)).toEqual([
      '["t","r","a"]',
      '["t","r","b"]',
      '["u","r","a"]',
      '[null,"","v"]',
      '[null,"","w"]',
    ]);
  });

  test('does not have cells as refused that a new row merely began without', () => {
    const store = createStore().setTablesSchema({
      t: { a: { type: 'number' }, b: { type: 'number' }, c: { type: 'number', required: true } },
    });
    const { refused } = logOf(store, () =>
      store.transaction(() => store.setCell('t', 'r', 'a', 1).setCell('t', 'r', 'b', 2)),
    );
    expect(refused.isEmpty).toBe(true);
  });

  test('has encoded leaves in one spelling, also where TinyBase was given another', () => {
    const store = createStore();
    const { changes } = logOf(store, () =>
      store.setJson('[{"t":{"r":{"c":"\uFFFD{ \\"b\\": 1, \\"1\\": 2 }"}}},{}]'),
    );
    expect(changes.leaves.get('t', 'r', 'c')).toBe('\uFFFD{"1":2,"b":1}');
    const set = logOf(store, () =>
      store.setJson('[{"t":{"r":{"c":1}}},{"v":"\uFFFD{ \\"b\\": 1 }"}]'),
    );
    expect(set.before.get('t', 'r', 'c')).toBe('\uFFFD{"1":2,"b":1}');
    expect(set.changes.leaves.get(VALUES, '', 'v')).toBe('\uFFFD{"b":1}');
    expect(set.before.get('t', 'r', 'c')).toBe('\uFFFD{"1":2,"b":1}');
    const deleted = logOf(store, () => store.delValues());
    expect(deleted.changes.leaves.has(VALUES, '', 'v')).toBe(true);
    expect(deleted.before.get(VALUES, '', 'v')).toBe('\uFFFD{"b":1}');
  });
});

describe('leaves', () => {
  test('are read as they were written, in content and alone', () => {
    fc.assert(
      fc.property(contents, (content) => {
        const store = createStore();
        store.transaction(() => {
          content.forEach((leaf, table, row, cell) => writeLeaf(store, table, row, cell, leaf));
        });
        expect(listed(readContent(store))).toEqual(listed(content));
        content.forEach((leaf, table, row, cell) => {
          expect(readLeaf(store, table, row, cell)).toBe(leaf);
          if (table === VALUES) expect(store.getValue(cell)).toEqual(decodeLeaf(leaf));
          else expect(store.getCell(table, row, cell)).toEqual(decodeLeaf(leaf));
        });
        content.forEach((_leaf, ...address) => writeLeaf(store, ...address, undefined));
        expect(readContent(store).isEmpty).toBe(true);
      }),
    );
  });
});
