/** Estimates how many characters content and changes take as JSON. Cheap, and good for comparing the two. */
import { ALL_ROWS, type Changes } from '../../protocol/changes.ts';
import { leafSize, PUNCTUATION, type Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';

/** Returns the size of a whole content. */
export function contentSize(content: LeafMap<Leaf>): number {
  return leavesSize(content);
}

/** Returns the size of changes. */
export function changesSize(changes: Changes): number {
  let size = leavesSize(changes.leaves);
  for (const [table, rows] of changes.deletedRows) {
    size += table.length + PUNCTUATION;
    if (rows !== ALL_ROWS) for (const row of rows) size += row.length + PUNCTUATION;
  }
  return size;
}

function leavesSize(leaves: LeafMap<Leaf | undefined>): number {
  let size = 0;
  for (const table of leaves.tables()) {
    for (const [row, cells] of leaves.rows(table)) {
      size += row.length + PUNCTUATION;
      for (const [cell, leaf] of cells) size += leafSize(cell, leaf);
    }
  }
  return size;
}
