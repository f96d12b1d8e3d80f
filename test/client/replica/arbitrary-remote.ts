import * as fc from 'fast-check';

import { ChangesBuilder, type Changes } from '../../../src/protocol/changes.ts';
import { VALUES, type Leaf, type TableKey } from '../../../src/protocol/leaf.ts';
import { LeafMap } from '../../../src/protocol/leaf-map.ts';

/** The ids that a client's own edits in these tests have too. */
const tableIds = fc.constantFrom('t', '__proto__');
const rowIds = fc.constantFrom('r', 's', '');
const addresses: fc.Arbitrary<readonly [TableKey, string, string]> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(tableIds, rowIds, fc.constantFrom('a', 'b', '__proto__')) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constant(VALUES), fc.constant(''), fc.constantFrom('v', 'w')),
  },
);
const leaves = fc.constantFrom<Leaf>(0, 1, 2, 'x', 'y', true, null, '\uFFFD{"o":[1]}');

/** Changes of others to the leaves that a client edits. */
export const remoteChanges: fc.Arbitrary<Changes> = fc
  .record({
    tables: fc.option(tableIds, { nil: undefined, freq: 6 }),
    rows: fc.array(fc.tuple(tableIds, rowIds), { maxLength: 1 }),
    leaves: fc.array(fc.tuple(addresses, fc.option(leaves, { nil: undefined, freq: 3 })), {
      maxLength: 4,
    }),
  })
  .map(({ tables, rows, leaves: sets }) => {
    const builder = new ChangesBuilder();
    if (tables !== undefined) builder.deleteTable(tables);
    for (const [table, row] of rows) builder.deleteRow(table, row);
    for (const [address, leaf] of sets) builder.setLeaf(...address, leaf);
    return builder;
  });

/** The content of a room. */
export const remoteContents: fc.Arbitrary<LeafMap<Leaf>> = fc
  .array(fc.tuple(addresses, leaves), { maxLength: 6 })
  .map((sets) => {
    const content = new LeafMap<Leaf>();
    for (const [address, leaf] of sets) content.set(...address, leaf);
    return content;
  });
