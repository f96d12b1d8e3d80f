import * as fc from 'fast-check';
import type { Cell, Row, Store, Table, TablesSchema, ValuesSchema } from 'tinybase';

import { decodeLeaf } from '../../src/protocol/leaf.ts';
import { leaves } from './arbitrary-changes.ts';

/** One call of a Store, as data: printed when a property fails, and repeated on any Store. */
export type Edit =
  | readonly ['setCell', string, string, string, Cell]
  | readonly ['delCell', string, string, string, boolean]
  | readonly ['setRow', string, string, Row]
  | readonly ['setPartialRow', string, string, Row]
  | readonly ['delRow', string, string]
  | readonly ['setTable', string, Table]
  | readonly ['delTable', string]
  | readonly ['delTables']
  | readonly ['setValue', string, Cell]
  | readonly ['delValue', string]
  | readonly ['setValues', Row];

/** Few ids, so that edits meet each other. */
const tableIds = fc.constantFrom('t', '__proto__');
const rowIds = fc.constantFrom('r', 's', '');
const cellIds = fc.constantFrom('a', 'b', '__proto__');
const valueIds = fc.constantFrom('v', 'w');
const cells: fc.Arbitrary<Cell> = fc.oneof(
  { arbitrary: fc.constantFrom<Cell>(0, 1, 'x', null, { o: [1] }), weight: 3 },
  { arbitrary: leaves.map(decodeLeaf), weight: 1 },
);
const rows: fc.Arbitrary<Row> = fc.dictionary(cellIds, cells, { maxKeys: 3 });

/** Any call of a Store. */
const edits: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('setCell'), tableIds, rowIds, cellIds, cells) },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constant('delCell'), tableIds, rowIds, cellIds, fc.boolean()),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constant('setRow'), tableIds, rowIds, rows) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('setPartialRow'), tableIds, rowIds, rows) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('delRow'), tableIds, rowIds) },
  {
    weight: 1,
    arbitrary: fc.tuple(
      fc.constant('setTable'),
      tableIds,
      fc.dictionary(rowIds, rows, { maxKeys: 2 }),
    ),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('delTable'), tableIds) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('delTables')) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('setValue'), valueIds, cells) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('delValue'), valueIds) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constant('setValues'), fc.dictionary(valueIds, cells, { maxKeys: 2 })),
  },
);

/** A transaction of a few edits. */
export const transactions: fc.Arbitrary<readonly Edit[]> = fc.array(edits, {
  minLength: 1,
  maxLength: 5,
});

/** Schemas that refuse, default and require some of what {@link edits} do. */
export const schemas: fc.Arbitrary<readonly [TablesSchema, ValuesSchema]> = fc.constantFrom<
  readonly [TablesSchema, ValuesSchema]
>(
  [{ t: { a: { type: 'number' }, b: { type: 'string', default: 'x' } } }, {}],
  [
    {
      t: { a: { type: 'number', default: 1 }, b: { type: 'string', default: 'x' } },
      ['__proto__']: { a: { type: 'object' } },
    },
    { v: { type: 'number', default: 0 }, w: { type: 'string' } },
  ],
  [{ t: { a: { type: 'number', required: true }, b: { type: 'string' } } }, {}],
  [{ t: { a: { type: 'number', allowNull: true, default: null } } }, { v: { type: 'array' } }],
);

/** Does these edits in one transaction. */
export function edit(store: Store, transaction: readonly Edit[]): void {
  store.transaction(() => {
    for (const one of transaction) editOnce(store, one);
  });
}

function editOnce(store: Store, one: Edit): void {
  switch (one[0]) {
    case 'setCell':
      store.setCell(one[1], one[2], one[3], one[4]);
      return;
    case 'delCell':
      store.delCell(one[1], one[2], one[3], one[4]);
      return;
    case 'setRow':
      store.setRow(one[1], one[2], one[3]);
      return;
    case 'setPartialRow':
      store.setPartialRow(one[1], one[2], one[3]);
      return;
    case 'delRow':
      store.delRow(one[1], one[2]);
      return;
    case 'setTable':
      store.setTable(one[1], one[2]);
      return;
    case 'delTable':
      store.delTable(one[1]);
      return;
    case 'delTables':
      store.delTables();
      return;
    case 'setValue':
      store.setValue(one[1], one[2]);
      return;
    case 'delValue':
      store.delValue(one[1]);
      return;
    case 'setValues':
      store.setValues(one[1]);
  }
}
