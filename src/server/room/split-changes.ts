import { ALL_ROWS, ChangesBuilder, type Changes } from '../../protocol/changes.ts';
import { leafSize } from '../../protocol/leaf.ts';

import { changesSize } from '../writes/content-size.ts';

/**
 * Cuts changes into parts of about `length` characters at most. Applied in order, they have the same effect. Stock peers
 * need this, because they have no other way to get changes that do not fit into a frame.
 */
export function* splitChanges(changes: Changes, length: number): Iterable<Changes> {
  if (changesSize(changes) <= length) {
    yield changes;
    return;
  }
  const parts: Changes[] = [];
  let part = new ChangesBuilder();
  let size = 0;
  const make = (room: number): ChangesBuilder => {
    if (size > 0 && size + room > length) {
      parts.push(part);
      part = new ChangesBuilder();
      size = 0;
    }
    size += room;
    return part;
  };
  for (const [table, rows] of changes.deletedRows) {
    if (rows === ALL_ROWS) make(table.length).deleteTable(table);
    else for (const row of rows) make(table.length + row.length).deleteRow(table, row);
  }
  changes.leaves.forEach((leaf, table, row, cell) => {
    make(leafSize(cell, leaf) + row.length + (table?.length ?? 0)).setLeaf(table, row, cell, leaf);
  });
  parts.push(part);
  yield* parts;
}
