/** Estimates of the size of content and changes: cheap, and good for comparisons. */
import type { Store } from 'tinybase';

import { ALL_ROWS, deletesRow, type Changes } from '../../protocol/changes.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { idSize, LEAF_BYTES, leafSize, VALUES, type Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { TransactionLog } from '../../protocol/store-access.ts';
import { diffOf, type LeafEffect } from './store-diff.ts';

/** The size of content. */
export interface ContentSize {
  /** The approximate number of characters of JSON. */
  readonly length: number;
  /** The number of Cells and Values. */
  readonly leaves: number;
}

/** Returns the size of a whole content. */
export function measureContent(content: LeafMap<Leaf>): ContentSize {
  return { length: leavesSize(content), leaves: countLeaves(content) };
}

/** Returns the growth of content by a transaction that was made; below 0 if it shrank. */
export function measureGrowth({ changes, before, ids }: TransactionLog): ContentSize {
  let length = 0;
  let leaves = 0;
  for (const [id, change] of ids) length += change * idSize(id);
  before.forEach((old, table, row, cell) => {
    const now = deletesRow(changes, table, row) ? undefined : changes.leaves.get(table, row, cell);
    if (old !== undefined) length -= leafSize(cell, old);
    if (now !== undefined) length += leafSize(cell, now);
    leaves += Number(now !== undefined) - Number(old !== undefined);
  });
  return { length, leaves };
}

/** Returns the approximate memory of content, in the units of `limits.contentBytes`. */
export function contentBytes({ length, leaves }: ContentSize): number {
  return length + leaves * LEAF_BYTES;
}

/** Throws `too-large` for content that takes more than `limits.contentBytes` (`LIMIT-1`). */
export function assertContentFits(content: LeafMap<Leaf>, limit: number): void {
  const bytes = contentBytes(measureContent(content));
  if (bytes <= limit) return;
  const message = `The content takes about ${bytes} bytes of memory, and limits.contentBytes of the room is ${limit}: make it smaller, or raise the limit.`;
  throw new TinyBasePartyKitError('too-large', message);
}

/** Returns the size of changes. */
export function changesSize(changes: Changes): number {
  let size = leavesSize(changes.leaves);
  for (const [table, rows] of changes.deletedRows) {
    size += idSize(table);
    if (rows !== ALL_ROWS) for (const row of rows) size += idSize(row);
  }
  return size;
}

/** Returns the highest growth of any content that changes could make, in the units of `limits.contentBytes`. */
export function highestGrowth({ leaves }: Changes): number {
  return leavesSize(leaves) + countLeaves(leaves) * LEAF_BYTES;
}

/**
 * Returns the growth of a Store's present content if these changes were made, in the units of `limits.contentBytes`; below 0 if it
 * would shrink. Costs much more than {@link highestGrowth}.
 */
export function predictGrowth(store: Store, changes: Changes): number {
  const { tables, values } = diffOf(store, changes);
  let growth = cellsGrowth(values);
  for (const [table, { rows, isEmptied }] of tables) {
    let isTableNew = !store.hasTable(table);
    if (isEmptied) growth -= idSize(table);
    for (const [row, effect] of rows) {
      growth += cellsGrowth(effect.cells);
      if (effect.isEmptied) growth -= idSize(row);
      if (store.hasRow(table, row)) continue;
      growth += idSize(row);
      if (isTableNew) growth += idSize(table);
      isTableNew = false;
    }
  }
  return growth;
}

function cellsGrowth(effects: ReadonlyMap<string, LeafEffect>): number {
  let growth = 0;
  for (const [id, { before, after }] of effects) {
    if (before !== undefined) growth -= leafSize(id, before) + LEAF_BYTES;
    if (after !== undefined) growth += leafSize(id, after) + LEAF_BYTES;
  }
  return growth;
}

function leavesSize(leaves: LeafMap<Leaf | undefined>): number {
  let size = 0;
  for (const table of leaves.tables()) {
    if (table !== VALUES) size += idSize(table);
    for (const [row, cells] of leaves.rows(table)) {
      if (table !== VALUES) size += idSize(row);
      for (const [cell, leaf] of cells) size += leafSize(cell, leaf);
    }
  }
  return size;
}

function countLeaves(leaves: LeafMap<Leaf | undefined>): number {
  let count = 0;
  for (const table of leaves.tables())
    for (const cells of leaves.rows(table).values()) count += cells.size;
  return count;
}
