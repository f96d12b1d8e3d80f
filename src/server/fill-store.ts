import type { Store } from 'tinybase';

import { ChangesBuilder } from '../protocol/changes.ts';
import { encodeContent } from '../protocol/codec.ts';
import { VALUES, type Leaf } from '../protocol/leaf.ts';
import { LeafMap } from '../protocol/leaf-map.ts';
import { readContent, readLeaf, writeLeaf, type TransactionLog } from '../protocol/store-access.ts';

/**
 * Puts content into a Store that holds nothing of a room yet. What it holds already, because the app was early, stays
 * where the content says nothing of it. To be called in a transaction.
 */
export function fillStore(store: Store, content: LeafMap<Leaf>): void {
  const json = encodeContent(content);
  // The fast way, which is silent about everything that throws.
  if (!store.hasTables() && !store.hasValues()) store.setJson(json);
  if (store.getJson() !== json) setLeaves(store, content);
}

/** Makes a Store hold that content and nothing else, changing as little as possible. To be called in a transaction. */
export function resetStore(store: Store, content: LeafMap<Leaf>): void {
  readContent(store).forEach((_leaf, table, row, cell) => {
    if (table !== VALUES && content.cells(table, row).size === 0) store.delRow(table, row);
    else if (!content.has(table, row, cell)) writeLeaf(store, table, row, cell, undefined);
  });
  setLeaves(store, content);
}

function setLeaves(store: Store, content: LeafMap<Leaf>): void {
  content.forEach((leaf, table, row, cell) => {
    if (readLeaf(store, table, row, cell) !== leaf) writeLeaf(store, table, row, cell, leaf);
  });
}

/** What the Store made of content that was put into it; undefined if it holds just that. */
export function differenceFrom(store: Store, content: LeafMap<Leaf>): TransactionLog | undefined {
  if (store.getJson() === encodeContent(content)) return undefined;
  const changes = new ChangesBuilder();
  const before = new LeafMap<Leaf | undefined>();
  const now = readContent(store);
  content.forEach((leaf, table, row, cell) => {
    const held = now.get(table, row, cell);
    if (held === leaf) return;
    before.set(table, row, cell, leaf);
    if (table !== VALUES && now.cells(table, row).size === 0) changes.deleteRow(table, row);
    else changes.setLeaf(table, row, cell, held);
  });
  now.forEach((leaf, table, row, cell) => {
    if (content.has(table, row, cell)) return;
    before.set(table, row, cell, undefined);
    changes.setLeaf(table, row, cell, leaf);
  });
  return changes.isEmpty ? undefined : { changes, before, refused: new LeafMap() };
}
