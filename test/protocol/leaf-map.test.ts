import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { VALUES, type TableKey } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import { ids, listed } from './arbitrary-changes.ts';

const tables: fc.Arbitrary<TableKey> = fc.oneof(ids, fc.constant(VALUES));

const steps = fc.array(
  fc.tuple(fc.constantFrom('set', 'delete', 'deleteRow', 'deleteTable', 'clear'), tables, ids, ids),
  { maxLength: 30 },
);

test('holds what a flat map would, and nothing empty', () => {
  fc.assert(
    fc.property(steps, (taken) => {
      const map = new LeafMap<number>();
      let model: (readonly [TableKey, string, string, number])[] = [];
      for (const [index, [step, table, row, cell]] of taken.entries()) {
        if (step === 'set') {
          model = model.filter(([t, r, c]) => t !== table || r !== row || c !== cell);
          model.push([table, row, cell, index]);
          map.set(table, row, cell, index);
        } else if (step === 'delete') {
          model = model.filter(([t, r, c]) => t !== table || r !== row || c !== cell);
          map.delete(table, row, cell);
        } else if (step === 'deleteRow') {
          model = model.filter(([t, r]) => t !== table || r !== row);
          map.deleteRow(table, row);
        } else if (step === 'deleteTable') {
          model = model.filter(([t]) => t !== table);
          map.deleteTable(table);
        } else {
          model = [];
          map.clear();
        }
        expect(map.has(table, row, cell)).toBe(step === 'set');
        expect(map.get(table, row, cell)).toBe(step === 'set' ? index : undefined);
        expect(map.isEmpty).toBe(model.length === 0);
        expect(map.count()).toBe(model.length);
      }
      const expected = model.map(([table, row, cell, item]) => [
        JSON.stringify([table, row, cell]),
        item,
      ]);
      expect(listed(map)).toEqual(expected.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
      expect(new Set(map.tables())).toEqual(new Set(model.map(([table]) => table)));
      for (const table of map.tables()) {
        const rows = model.filter(([t]) => t === table).map(([, row]) => row);
        expect(new Set(map.rows(table).keys())).toEqual(new Set(rows));
        for (const row of rows) expect(map.cells(table, row).size).toBeGreaterThan(0);
      }
    }),
  );
});

test('has a leaf that is undefined', () => {
  const map = new LeafMap<undefined>();
  map.set('t', 'r', 'c', undefined);
  expect(map.has('t', 'r', 'c')).toBe(true);
  expect(map.isEmpty).toBe(false);
});

test('gives nothing for tables and rows that it does not have', () => {
  const map = new LeafMap<number>();
  expect(map.rows('t').size).toBe(0);
  expect(map.cells('t', 'r').size).toBe(0);
});
