/** Finds *unsendable leaves*: those that a Store can hold but no message may carry (`CHANGES-4`). Most are nested too deeply. */
import { ShapeError } from './json.ts';
import {
  DEEPEST_LEAF_LEVEL,
  isTooDeep,
  isUnsendableLeaf,
  VALUES,
  type Leaf,
  type TableKey,
} from './leaf.ts';
import { LeafMap } from './leaf-map.ts';

/** Returns the unsendable leaves; undefined if there is none. */
export function findUnsendableLeaves(leaves: LeafMap<Leaf | undefined>): LeafMap<Leaf> | undefined {
  let unsendable: LeafMap<Leaf> | undefined;
  leaves.forEach((leaf, table, row, cell) => {
    if (isUnsendableLeaf(leaf)) (unsendable ??= new LeafMap()).set(table, row, cell, leaf);
  });
  return unsendable;
}

/** Returns leaves without some others. */
export function withoutLeaves<T>(leaves: LeafMap<T>, others: LeafMap<unknown>): LeafMap<T> {
  const rest = new LeafMap<T>();
  leaves.forEach((leaf, table, row, cell) => {
    if (!others.has(table, row, cell)) rest.set(table, row, cell, leaf);
  });
  return rest;
}

/** Throws a {@link ShapeError} for an unsendable leaf. */
export function assertSendable(
  leaf: Leaf | undefined,
  table: TableKey,
  row: string,
  cell: string,
): void {
  if (isUnsendableLeaf(leaf)) throw new ShapeError(describeUnsendableLeaf(leaf, table, row, cell));
}

/** Describes the fault of an unsendable leaf in one sentence, without a full stop. */
export function describeUnsendableLeaf(
  leaf: Leaf,
  table: TableKey,
  row: string,
  cell: string,
): string {
  const which =
    table === VALUES
      ? `The Value ${JSON.stringify(cell)}`
      : `The Cell ${JSON.stringify([table, row, cell])}`;
  return isTooDeep(leaf)
    ? `${which} is nested more than ${DEEPEST_LEAF_LEVEL} levels deep`
    : `${which} comes from a toJSON that gives undefined, or a text that begins like a marker`;
}
