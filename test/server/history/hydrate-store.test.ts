import { createStore } from 'tinybase';
import { expect, test } from 'vitest';

import { decodeContent } from '../../../src/protocol/codec.ts';
import { LeafMap } from '../../../src/protocol/leaf-map.ts';
import type { Leaf } from '../../../src/protocol/leaf.ts';
import {
  differenceFrom,
  fillStore,
  resetStore,
} from '../../../src/server/history/hydrate-store.ts';
import { inShort } from '../../support/fake-connection.ts';

const JSON_OF_CONTENT =
  '[{"pets":{"10":{"species":"dog","tags":"\uFFFD[1]"},"9":{"legs":4}},"__proto__":{"r":{"c":null}}},{"open":true}]';
const content = (json: string = JSON_OF_CONTENT): LeafMap<Leaf> =>
  decodeContent(json) ?? new LeafMap();

test('fills an empty Store', () => {
  const store = createStore();
  fillStore(store, content());
  expect(store.getJson()).toBe(createStore().setJson(JSON_OF_CONTENT).getJson());
  expect(differenceFrom(store, content())).toBeUndefined();
});

test('keeps what a Store holds already where the content says nothing of it', () => {
  const store = createStore().setContent([
    { pets: { '9': { legs: 3, name: 'Felix' } } },
    { open: false, early: 1 },
  ]);
  fillStore(store, content('[{"pets":{"9":{"legs":4}}},{"open":true}]'));
  expect(store.getContent()).toEqual([
    { pets: { '9': { legs: 4, name: 'Felix' } } },
    { open: true, early: 1 },
  ]);
});

test('throws what a listener of the Store throws', () => {
  const store = createStore();
  store.addValueListener(
    'open',
    () => {
      throw new Error('no');
    },
    true,
  );
  expect(() => store.transaction(() => fillStore(store, content()))).toThrow('no');
});

test('brings in a row of many Cells without counting them for each one', () => {
  let counted = 0;
  const cells = new Map<string, Leaf>(
    Array.from({ length: 100 }, (_, index) => [`${index}`, index]),
  );
  const size = (): number => {
    counted += 1;
    return 100;
  };
  Object.defineProperty(cells, 'size', { get: size });
  const wide = new LeafMap<Leaf>();
  wide.setRow('t', 'r', cells);
  const store = createStore();
  for (let time = 0; time < 2; time += 1) store.transaction(() => resetStore(store, wide));
  store.setRow('t', 'r', Object.fromEntries(Array.from(cells.keys(), (id) => [`other${id}`, 1])));
  store.transaction(() => resetStore(store, wide));
  expect(store.getCellIds('t', 'r')).toHaveLength(100);
  expect(counted).toBe(0);
});

test('tells what a schema made of the content', () => {
  const store = createStore().setTablesSchema({ pets: { legs: { type: 'number', default: 4 } } });
  fillStore(store, content());
  const difference = differenceFrom(store, content());
  expect(inShort(difference?.changes)).toEqual({
    deletedRows: [['__proto__', ['r']]],
    leaves: [
      ['pets', '10', 'species', undefined],
      ['pets', '10', 'tags', undefined],
      ['pets', '10', 'legs', 4],
    ],
  });
  expect(difference?.before.get('pets', '10', 'species')).toBe('dog');
  expect(difference?.before.has('pets', '10', 'legs')).toBe(true);
});

test('resets a Store to content, changing nothing else', () => {
  const store = createStore().setContent([
    { pets: { '9': { legs: 4, name: 'Felix' }, gone: { c: 1 } }, gone: { r: { c: 1 } } },
    { gone: 1 },
  ]);
  const changed: string[] = [];
  store.addCellListener(null, null, null, (_store, table, row, cell) => {
    changed.push(`${table} ${row} ${cell}`);
  });
  store.transaction(() => resetStore(store, content()));
  expect(differenceFrom(store, content())).toBeUndefined();
  expect(changed).not.toContain('pets 9 legs');
});
