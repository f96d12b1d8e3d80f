import { createStore } from 'tinybase';
import { expect, test } from 'vitest';

import type { Changes } from '../../../src/protocol/changes.ts';
import { decodeChanges } from '../../../src/protocol/codec.ts';
import { diffOf } from '../../../src/server/writes/store-diff.ts';
import { changesOf, valueChanges, type ChangesInShort } from '../../support/fake-connection.ts';

const store = createStore().setContent([
  {
    pets: { fido: { species: 'dog', legs: 4 }, felix: { species: 'cat' } },
    toys: { ball: { color: 'red' } },
  },
  { open: true },
]);

/** Lines such as `pets fido legs: 4 > 3`, and `pets: emptied`. */
const lines = (changes: Changes): string[] => {
  const { tables, values } = diffOf(store, changes);
  const found: string[] = [];
  for (const [table, { isEmptied, rows }] of tables) {
    if (isEmptied) found.push(`${table}: emptied`);
    for (const [row, effect] of rows) {
      if (effect.isEmptied) found.push(`${table} ${row}: emptied`);
      for (const [cell, { before, after }] of effect.cells)
        found.push(`${table} ${row} ${cell}: ${before} > ${after}`);
    }
  }
  for (const [id, { before, after }] of values) found.push(`${id}: ${before} > ${after}`);
  return found;
};

test.each<[string, ChangesInShort, string[]]>([
  [
    'what stays as it is',
    { pets: { fido: { legs: 4 }, none: undefined }, none: undefined, open: true },
    [],
  ],
  ['a set cell', { pets: { fido: { legs: 3 } } }, ['pets fido legs: 4 > 3']],
  [
    'a row of one cell',
    { pets: { felix: { species: undefined } } },
    ['pets felix: emptied', 'pets felix species: cat > undefined'],
  ],
  [
    'cells deleted one by one, and one more set',
    { pets: { fido: { legs: undefined, species: undefined, name: 'Fido' } } },
    [
      'pets fido legs: 4 > undefined',
      'pets fido species: dog > undefined',
      'pets fido name: undefined > Fido',
    ],
  ],
  [
    'a table',
    { toys: undefined },
    ['toys: emptied', 'toys ball: emptied', 'toys ball color: red > undefined'],
  ],
  [
    'all rows but one',
    { pets: { felix: undefined, fido: { legs: 5 } } },
    ['pets felix: emptied', 'pets felix species: cat > undefined', 'pets fido legs: 4 > 5'],
  ],
  [
    'all rows, and a new one',
    { toys: { ball: undefined, doll: { color: 'blue' } } },
    ['toys ball: emptied', 'toys ball color: red > undefined', 'toys doll color: undefined > blue'],
  ],
])('[HOOK-1] sees the effect of %s', (_what, changes, expected) => {
  expect(lines(changesOf(changes))).toEqual(expected);
});

test('[HOOK-1] sees what becomes of a table that is deleted and set again', () => {
  expect(lines(decodeChanges('[{"pets":{"fido":{"legs":4}}},{},{"pets":0}]'))).toEqual([
    'pets fido species: dog > undefined',
    'pets felix: emptied',
    'pets felix species: cat > undefined',
  ]);
});

test('[HOOK-1] sees a value that goes', () => {
  expect(lines(valueChanges({ open: undefined, none: undefined }))).toEqual([
    'open: true > undefined',
  ]);
});
