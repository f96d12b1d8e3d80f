import { canonicalLeaf, DELETED, ENCODED, VALUES, type Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';

/** Reads the part of an app's content that a Store without a schema accepts, as TinyBase's own persisters do. */
export function readInitialContent(content: unknown): LeafMap<Leaf> {
  const leaves = new LeafMap<Leaf>();
  const parts: readonly unknown[] = Array.isArray(content) ? content : [];
  const [tables, values] = parts;
  for (const [table, rows] of entriesOf(tables)) {
    for (const [row, cells] of entriesOf(rows)) {
      for (const [cell, candidate] of entriesOf(cells)) {
        const leaf = leafOf(candidate);
        if (leaf !== undefined) leaves.set(table, row, cell, leaf);
      }
    }
  }
  for (const [id, candidate] of entriesOf(values)) {
    const leaf = leafOf(candidate);
    if (leaf !== undefined) leaves.set(VALUES, '', id, leaf);
  }
  return leaves;
}

function entriesOf(candidate: unknown): readonly (readonly [string, unknown])[] {
  return isPlainObject(candidate) ? Object.entries(candidate) : [];
}

/** Returns the leaf of a value. A Store accepts a plain object or array, and refuses an encoded one. */
function leafOf(candidate: unknown): Leaf | undefined {
  const isReserved =
    typeof candidate === 'string' && (candidate === DELETED || candidate.startsWith(ENCODED));
  const isForeign =
    typeof candidate === 'object' &&
    candidate !== null &&
    !Array.isArray(candidate) &&
    !isPlainObject(candidate);
  return isReserved || isForeign ? undefined : canonicalLeaf(candidate);
}

/** Returns true for an object that is neither an array nor an instance of a class, as TinyBase does. */
function isPlainObject(candidate: unknown): candidate is object {
  if (typeof candidate !== 'object' || candidate === null) return false;
  const prototype: unknown = Object.getPrototypeOf(candidate);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
