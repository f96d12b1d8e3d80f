import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { decodeContent, encodeContent } from '../../src/protocol/codec.ts';
import { JsonCells } from '../../src/protocol/json-cells.ts';
import type { Leaf } from '../../src/protocol/leaf.ts';
import type { Cells } from '../../src/protocol/leaf-map.ts';
import { ids, leaves } from './arbitrary-changes.ts';

const rows = fc.uniqueArray(fc.tuple(ids, leaves), { minLength: 1, selector: ([cell]) => cell });

/** The cells of a row that was text. */
function cellsOf(row: string): Cells<Leaf> {
  const cells = decodeContent(`[{"t":{"r":${row}}},{}]`)?.cells('t', 'r');
  if (cells === undefined) throw new Error('There is no content.');
  return cells;
}

test('reads like a map of the same cells', () => {
  fc.assert(
    fc.property(rows, ids, (row, other) => {
      const map = new Map(row);
      const cells = cellsOf(
        `{${row.map((entry) => entry.map((part) => JSON.stringify(part)).join(':')).join()}}`,
      );
      expect(cells.size).toBe(map.size);
      expect(new Map(cells)).toEqual(map);
      expect(new Set(cells.keys())).toEqual(new Set(map.keys()));
      expect([...cells.values()]).toEqual(Array.from(cells.keys(), (cell) => map.get(cell)));
      for (const cell of [other, ...map.keys()]) {
        expect(cells.get(cell)).toBe(map.get(cell));
        expect(cells.has(cell)).toBe(map.has(cell));
      }
    }),
  );
});

test('has no cells that every object has', () => {
  const cells = cellsOf('{"c":1}');
  for (const id of ['__proto__', 'constructor', 'toString']) {
    expect(cells.has(id)).toBe(false);
    expect(cells.get(id)).toBeUndefined();
  }
  expect(cellsOf('{"__proto__":1}').get('__proto__')).toBe(1);
});

test('is not used for a row with an object, which may have another spelling', () => {
  expect(cellsOf('{"a":1,"b":"text","c":true,"d":null,"e":""}')).toBeInstanceOf(JsonCells);
  for (const row of ['{"a":1,"b":{"x":1}}', '{"b":[]}', String.raw`{"b":"\uFFFD{\"x\": 1}"}`]) {
    expect(cellsOf(row)).not.toBeInstanceOf(JsonCells);
  }
  expect(cellsOf(String.raw`{"b":"\uFFFD{\"x\": 1}"}`).get('b')).toBe('\uFFFD{"x":1}');
});

test('stays as it is when its map of leaves changes', () => {
  const content = decodeContent('[{"t":{"r":{"a":1,"b":2}}},{"v":1}]');
  const before = content?.cells('t', 'r');
  content?.set('t', 'r', 'c', 3);
  content?.delete('t', 'r', 'a');
  content?.delete('t', 'r', 'none');
  expect([...(before ?? [])]).toEqual([
    ['a', 1],
    ['b', 2],
  ]);
  expect(content && encodeContent(content)).toBe('[{"t":{"r":{"b":2,"c":3}}},{"v":1}]');
  content?.delete('t', 'r', 'b');
  content?.delete('t', 'r', 'c');
  expect(content && encodeContent(content)).toBe('[{},{"v":1}]');
});
