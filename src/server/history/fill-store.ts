import type { Store } from 'tinybase';

import { ChangesBuilder } from '../../protocol/changes.ts';
import { encodeContent } from '../../protocol/codec.ts';
import { encodeLeaf, leafSize, VALUES, type Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import {
  readContent,
  readLeaf,
  writeLeaf,
  type TransactionLog,
} from '../../protocol/store-access.ts';

/**
 * Puts content into a Store that holds nothing of a room yet. What it holds already, because the app was early, stays
 * where the content says nothing of it. To be called in a transaction.
 */
export function fillStore(store: Store, content: LeafMap<Leaf>): void {
  const isEmpty = !store.hasTables() && !store.hasValues();
  if (isEmpty && !store.hasTablesSchema() && !store.hasValuesSchema()) {
    content.forEach((leaf, table, row, cell) => writeLeaf(store, table, row, cell, leaf));
    return;
  }
  // As a whole, so that a schema gives its defaults to rows of which it takes nothing; silent about all that throws.
  if (isEmpty) store.setJson(encodeContent(content));
  if (!holdsJust(store, content)) setLeaves(store, content);
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

/** Much cheaper than finding out what differs. */
function holdsJust(store: Store, content: LeafMap<Leaf>): boolean {
  let isSame = true;
  for (const table of content.tables()) {
    if (table === VALUES) {
      const values = content.cells(VALUES, '');
      let count = 0;
      store.forEachValue((id, value) => {
        count += 1;
        isSame &&= encodeLeaf(value) === values.get(id);
      });
      if (count !== values.size) return false;
      continue;
    }
    const rows = content.rows(table);
    if (rows.size !== store.getRowCount(table)) return false;
    for (const [row, cells] of rows) {
      let count = 0;
      store.forEachCell(table, row, (id, cell) => {
        count += 1;
        isSame &&= encodeLeaf(cell) === cells.get(id);
      });
      if (count !== cells.size) return false;
    }
  }
  const tables = [...content.tables()];
  const hasValues = tables.includes(VALUES);
  return (
    isSame &&
    store.hasValues() === hasValues &&
    store.getTableIds().length === tables.length - (hasValues ? 1 : 0)
  );
}

/** What the Store made of content that was put into it; undefined if it holds just that. */
export function differenceFrom(store: Store, content: LeafMap<Leaf>): TransactionLog | undefined {
  if (holdsJust(store, content)) return undefined;
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
  if (changes.isEmpty) return undefined;
  let growth = 0;
  now.forEach((leaf, _table, _row, cell) => (growth += leafSize(cell, leaf)));
  content.forEach((leaf, _table, _row, cell) => (growth -= leafSize(cell, leaf)));
  return { changes, before, growth, refused: new LeafMap() };
}
