/** Leaves that are nested more deeply than the protocol allows (`CHANGES-4`). */
import { ShapeError } from './json.ts';
import { DEEPEST_LEVEL, isTooDeep, VALUES, type Leaf, type TableKey } from './leaf.ts';
import { LeafMap } from './leaf-map.ts';

/** Returns the leaves that are nested too deeply; undefined if none is. */
export function findDeepLeaves(leaves: LeafMap<Leaf | undefined>): LeafMap<Leaf> | undefined {
  let deep: LeafMap<Leaf> | undefined;
  leaves.forEach((leaf, table, row, cell) => {
    if (isTooDeep(leaf)) (deep ??= new LeafMap()).set(table, row, cell, leaf);
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

/** Throws a {@link ShapeError} if the leaf is nested too deeply. */
export function assertShallow(
  leaf: Leaf | undefined,
  table: TableKey,
  row: string,
  cell: string,
): void {
  if (isTooDeep(leaf)) throw new ShapeError(describeDeepLeaf(table, row, cell));
}

/** Describes the fault in one sentence, without a full stop. */
export function describeDeepLeaf(table: TableKey, row: string, cell: string): string {
  const which =
    table === VALUES
      ? `The Value ${JSON.stringify(cell)}`
      : `The Cell ${JSON.stringify([table, row, cell])}`;
  return `${which} is nested more than ${DEEPEST_LEVEL} levels deep`;
}
