import { ALL_ROWS, type Changes } from '../../src/protocol/changes.ts';
import type { Leaf, TableKey } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';

/** A leaf that two contents do not agree about. */
export interface Difference {
  readonly table: TableKey;
  readonly row: string;
  readonly cell: string;
  readonly left: Leaf | undefined;
  readonly right: Leaf | undefined;
}

/** All leaves that two contents do not agree about. */
export function differences(left: LeafMap<Leaf>, right: LeafMap<Leaf>): Difference[] {
  const found: Difference[] = [];
  left.forEach((leaf, table, row, cell) => {
    const other = right.get(table, row, cell);
    if (other !== leaf) found.push({ table, row, cell, left: leaf, right: other });
  });
  right.forEach((leaf, table, row, cell) => {
    if (!left.has(table, row, cell)) found.push({ table, row, cell, left: undefined, right: leaf });
  });
  return found;
}

/** A copy that shares nothing with the original. */
export function copyLeaves<T>(leaves: LeafMap<T>): LeafMap<T> {
  const copy = new LeafMap<T>();
  leaves.forEach((leaf, table, row, cell) => copy.set(table, row, cell, leaf));
  return copy;
}

/** Names a leaf, for people and as a key. */
export function leafName(table: TableKey, row: string, cell: string): string {
  return JSON.stringify([table, row, cell]);
}

/** For messages, and to compare: what changes do, in one line, in an order of its own. */
export function describeChanges({ deletedRows, leaves }: Changes): string {
  const parts: string[] = [];
  for (const [table, rows] of deletedRows)
    for (const row of rows === ALL_ROWS ? [''] : rows) parts.push(`-${leafName(table, row, '')}`);
  leaves.forEach((leaf, ...at) => parts.push(`${leafName(...at)}=${JSON.stringify(leaf)}`));
  return parts.toSorted().join(' ');
}

/** For messages: what differs, in one line. */
export function describeDifferences(found: readonly Difference[]): string {
  return found
    .map(
      ({ table, row, cell, left, right }) =>
        `${leafName(table, row, cell)} ${String(left)} / ${String(right)}`,
    )
    .join(', ');
}
