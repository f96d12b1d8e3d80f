import type { Leaf, TableKey } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';

/** How often a leaf may be derived between two edits of it by the user. */
const MOST_DERIVATIONS = 64;

/**
 * Lets a leaf be derived once for each base value (DERIVE-1), so that two clients whose listeners disagree come to
 * rest.
 */
export class DerivationLimit {
  readonly #seen: LeafMap<Set<Leaf | undefined>> = new LeafMap();

  /** True if this leaf may be derived from that base value; from now on, it may not. */
  admit(table: TableKey, row: string, cell: string, base: Leaf | undefined): boolean {
    let seen = this.#seen.get(table, row, cell);
    if (seen === undefined) this.#seen.set(table, row, cell, (seen = new Set()));
    if (seen.has(base) || seen.size >= MOST_DERIVATIONS) return false;
    seen.add(base);
    return true;
  }

  /** The user edited the leaf: begin anew. */
  reset(table: TableKey, row: string, cell: string): void {
    this.#seen.delete(table, row, cell);
  }
}
