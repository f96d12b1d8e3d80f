/** Finds leaves that a Store can hold but no message may carry (`CHANGES-4`). Most are nested too deeply. */
import { ShapeError } from './json.ts';
import { DEEPEST_LEVEL, isTooDeep, isUnsayable, VALUES, type Leaf, type TableKey } from './leaf.ts';
import { LeafMap } from './leaf-map.ts';

/** Returns the leaves that no message may carry; undefined if there is none. */
export function findDeepLeaves(leaves: LeafMap<Leaf | undefined>): LeafMap<Leaf> | undefined {
  let deep: LeafMap<Leaf> | undefined;
  leaves.forEach((leaf, table, row, cell) => {
    if (isUnsayable(leaf)) (deep ??= new LeafMap()).set(table, row, cell, leaf);
  });
  return deep;
}

/** Returns leaves without some others. */
export function withoutLeaves<T>(leaves: LeafMap<T>, others: LeafMap<unknown>): LeafMap<T> {
  const rest = new LeafMap<T>();
  leaves.forEach((leaf, table, row, cell) => {
    if (!others.has(table, row, cell)) rest.set(table, row, cell, leaf);
  });
  return rest;
}

/** Throws a {@link ShapeError} if no message may carry the leaf. */
export function assertSayable(
  leaf: Leaf | undefined,
  table: TableKey,
  row: string,
  cell: string,
): void {
  if (isUnsayable(leaf)) throw new ShapeError(describeDeepLeaf(leaf, table, row, cell));
}

/** Describes the fault in one sentence, without a full stop. */
export function describeDeepLeaf(leaf: Leaf, table: TableKey, row: string, cell: string): string {
  const which =
    table === VALUES
      ? `The Value ${JSON.stringify(cell)}`
      : `The Cell ${JSON.stringify([table, row, cell])}`;
  return isTooDeep(leaf)
    ? `${which} is nested more than ${DEEPEST_LEVEL} levels deep`
    : `${which} comes from a toJSON that gives undefined, or a text that begins like a marker`;
}
