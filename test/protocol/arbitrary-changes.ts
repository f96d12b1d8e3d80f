import * as fc from 'fast-check';

import { ALL_ROWS, ChangesBuilder, type Changes } from '../../src/protocol/changes.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import { DELETED, ENCODED, VALUES, type Leaf, type TableKey } from '../../src/protocol/leaf.ts';

/** Any UTF-16 text, lone surrogates among it. */
const text: fc.Arbitrary<string> = fc
  .array(fc.nat(0xffff), { maxLength: 6 })
  .map((units) => String.fromCharCode(...units));

/** Ids that a careless program would take for something else, few enough to meet each other, and any text. */
export const ids: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: fc.constantFrom('a', 'b', 'c'), weight: 4 },
  {
    arbitrary: fc.constantFrom(
      '',
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      '0',
      '1',
      'all',
      '\uD800',
      '\u0000',
      DELETED,
      ENCODED,
      `${ENCODED}{}`,
    ),
    weight: 3,
  },
  { arbitrary: text, weight: 1 },
);

const plainText = text.filter((leaf) => leaf !== DELETED && !leaf.startsWith(ENCODED));

const encodedJson = fc.jsonValue({ maxDepth: 3 }).filter(isObjectOrArray).map(encode);

/** Leaves in canonical form. */
export const leaves: fc.Arbitrary<Leaf> = fc.oneof(
  fc.constantFrom<Leaf>(null, '', 0, 1, 'a', true, false, `${ENCODED}{"__proto__":1}`),
  plainText,
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
  encodedJson,
);

const deletedRows = fc.array(
  fc.tuple(ids, fc.oneof(fc.constant(ALL_ROWS), fc.array(ids, { minLength: 1, maxLength: 3 }))),
  { maxLength: 3 },
);

const addresses: fc.Arbitrary<readonly [TableKey, string, string]> = fc.oneof(
  { arbitrary: fc.tuple(ids, ids, ids), weight: 3 },
  { arbitrary: fc.tuple(fc.constant(VALUES), fc.constant(''), ids), weight: 1 },
);

/** Changes of every shape. */
export const changes: fc.Arbitrary<Changes> = fc
  .tuple(
    deletedRows,
    fc.array(fc.tuple(addresses, fc.option(leaves, { nil: undefined })), { maxLength: 6 }),
  )
  .map(([deletions, sets]) => {
    const builder = new ChangesBuilder();
    for (const [table, rows] of deletions) {
      if (rows === ALL_ROWS) builder.deleteTable(table);
      else for (const row of rows) builder.deleteRow(table, row);
    }
    for (const [[table, row, cell], leaf] of sets) builder.setLeaf(table, row, cell, leaf);
    return builder;
  });

/** Content of every shape. */
export const contents: fc.Arbitrary<LeafMap<Leaf>> = fc
  .array(fc.tuple(addresses, leaves), { maxLength: 8 })
  .map((sets) => {
    const content = new LeafMap<Leaf>();
    for (const [[table, row, cell], leaf] of sets) content.set(table, row, cell, leaf);
    return content;
  });

/** Leaves as a list that two equal maps have equal, whatever order they were made in. */
export function listed<T>(map: LeafMap<T>): readonly (readonly [string, T])[] {
  const list: [string, T][] = [];
  map.forEach((item, table, row, cell) => list.push([JSON.stringify([table, row, cell]), item]));
  return list.sort(([one], [other]) => (one < other ? -1 : 1));
}

/** Changes as something that two equal ones have equal. */
export function described({ deletedRows: deleted, leaves: map }: Changes): unknown {
  const rows = [...deleted].map(([table, ids_]) => [
    JSON.stringify(table),
    ids_ === ALL_ROWS ? ALL_ROWS : [...ids_].sort(),
  ]);
  return {
    deleted: rows.sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)),
    leaves: listed(map),
  };
}

function isObjectOrArray(json: unknown): boolean {
  return typeof json === 'object' && json !== null;
}

function encode(json: unknown): string {
  // Once more there and back: integer keys move to the front when an object is parsed.
  return ENCODED + JSON.stringify(JSON.parse(JSON.stringify(json)));
}
