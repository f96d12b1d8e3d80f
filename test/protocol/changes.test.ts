import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  addChanges,
  ALL_ROWS,
  applyChangesToLeaves,
  ChangesBuilder,
  composeChanges,
  deletesRow,
  isEmptyChanges,
  type Changes,
} from '../../src/protocol/changes.ts';
import { decodeChanges, encodeChanges } from '../../src/protocol/codec.ts';
import { VALUES, type Leaf, type TableKey } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import { changes, contents, described, listed } from './arbitrary-changes.ts';

/** Content as a flat map by address: nothing of the code under test. */
type Model = Map<string, Leaf>;

function modelOf(content: LeafMap<Leaf>): Model {
  const model: Model = new Map();
  content.forEach((leaf, ...address) => model.set(JSON.stringify(address), leaf));
  return model;
}

function applied(model: Model, { deletedRows, leaves }: Changes): Model {
  const result: Model = new Map();
  for (const [address, leaf] of model) {
    const [table, row] = JSON.parse(address) as [TableKey, string];
    const rows = table === VALUES ? undefined : deletedRows.get(table);
    const isDeleted = rows !== undefined && (rows === ALL_ROWS || rows.has(row));
    if (!isDeleted) result.set(address, leaf);
  }
  leaves.forEach((leaf, ...address) => {
    if (leaf === undefined) result.delete(JSON.stringify(address));
    else result.set(JSON.stringify(address), leaf);
  });
  return result;
}

const listedModel = (model: Model): unknown => [...model].sort(([a], [b]) => (a < b ? -1 : 1));

describe('applying', () => {
  test('[CHANGES-1] deletes rows first, then sets and deletes leaves', () => {
    fc.assert(
      fc.property(contents, changes, (content, some) => {
        const expected = applied(modelOf(content), some);
        applyChangesToLeaves(content, some);
        expect(listed(content)).toEqual(listedModel(expected));
      }),
      { numRuns: 300 },
    );
  });

  test('[CHANGES-1] keeps a leaf that is set in a row that the same changes delete', () => {
    const content = new LeafMap<Leaf>();
    content.set('t', 'r', 'old', 1);
    const builder = new ChangesBuilder();
    builder.setLeaf('t', 'r', 'new', 2);
    builder.deleteRow('t', 'r');
    applyChangesToLeaves(content, builder);
    expect(listed(content)).toEqual([['["t","r","new"]', 2]]);
  });

  test('does not touch Values when rows of the table with the id null are deleted', () => {
    const content = new LeafMap<Leaf>();
    content.set(VALUES, '', 'v', 1);
    const builder = new ChangesBuilder();
    builder.deleteTable('null');
    builder.deleteRow('', '');
    applyChangesToLeaves(content, builder);
    expect(content.get(VALUES, '', 'v')).toBe(1);
    expect(deletesRow(builder, VALUES, '')).toBe(false);
  });
});

describe('composition', () => {
  test('[CHANGES-3] equals applying the parts in order', () => {
    const several = fc.array(changes, { maxLength: 4 });
    fc.assert(
      fc.property(contents, several, (content, parts) => {
        let expected = modelOf(content);
        for (const part of parts) expected = applied(expected, part);
        applyChangesToLeaves(content, composeChanges(parts));
        expect(listed(content)).toEqual(listedModel(expected));
      }),
      { numRuns: 500 },
    );
  });

  test('[CHANGES-3] is the same whatever was composed first, and after the wire', () => {
    fc.assert(
      fc.property(changes, changes, changes, (one, two, three) => {
        const all = described(composeChanges([one, two, three]));
        expect(described(composeChanges([composeChanges([one, two]), three]))).toEqual(all);
        expect(described(composeChanges([one, composeChanges([two, three])]))).toEqual(all);
        const overWire = [one, two, three].map((part) => decodeChanges(encodeChanges(part)));
        expect(described(composeChanges(overWire))).toEqual(all);
      }),
    );
  });

  test('[CHANGES-3] drops earlier leaves under a later deletion, and no others', () => {
    const first = new ChangesBuilder();
    first.setLeaf('t', 'r', 'c', 1);
    first.setLeaf('t', 's', 'c', 1);
    first.setLeaf(VALUES, '', 'v', 1);
    const second = new ChangesBuilder();
    second.deleteRow('t', 'r');
    expect(listed(composeChanges([first, second]).leaves)).toEqual([
      ['["t","s","c"]', 1],
      ['[null,"","v"]', 1],
    ]);
    second.deleteTable('t');
    expect(listed(composeChanges([first, second]).leaves)).toEqual([['[null,"","v"]', 1]]);
  });

  test('[CHANGES-3] all rows and one of them is all rows', () => {
    const one = new ChangesBuilder();
    one.deleteRow('t', 'r');
    const all = new ChangesBuilder();
    all.deleteTable('t');
    expect(composeChanges([one, all]).deletedRows.get('t')).toBe(ALL_ROWS);
    expect(composeChanges([all, one]).deletedRows.get('t')).toBe(ALL_ROWS);
  });

  test('changes none of its parts', () => {
    fc.assert(
      fc.property(changes, changes, (one, two) => {
        const before = [described(one), described(two)];
        const builder = new ChangesBuilder();
        addChanges(builder, one);
        addChanges(builder, two);
        addChanges(builder, one);
        expect([described(one), described(two)]).toEqual(before);
      }),
    );
  });
});

test('is empty if and only if nothing was put in', () => {
  fc.assert(
    fc.property(changes, (some) => {
      expect(isEmptyChanges(some)).toBe(encodeChanges(some) === '[{},{}]');
    }),
  );
});
