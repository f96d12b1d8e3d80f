import type { Content } from 'tinybase';

import { emptyRecord } from '../../protocol/json.ts';
import { VALUES, type Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';

import type { KeyValueStorage } from '../storage/key-value-storage.ts';
import { RoomStorage } from '../storage/room-storage.ts';
import { assertStorage } from './assert-storage.ts';
import { readStockContent } from './stock-layout.ts';

/**
 * Resolves to true if a room has stored its content there, in the layout of this package or of TinyBase's own server.
 * Rejects with `unavailable` if storage cannot be read, and with `misuse` if a parameter is of another kind.
 */
export async function hasStoreInStorage(
  storage: KeyValueStorage,
  storagePrefix: string = '',
): Promise<boolean> {
  return (await readAny('hasStoreInStorage', storage, storagePrefix)) !== undefined;
}

/**
 * Resolves to the content that a room has stored there; `[{}, {}]` if there is none. Objects and arrays are encoded, as in
 * messages: `setEncodedContent` accepts it. Rejects with `unavailable` if it cannot be read.
 */
export async function loadStoreFromStorage(
  storage: KeyValueStorage,
  storagePrefix: string = '',
): Promise<Content> {
  const content = await readAny('loadStoreFromStorage', storage, storagePrefix);
  const tables: Content[0] = emptyRecord();
  const values: Content[1] = emptyRecord();
  content?.forEach((leaf, table, row, cell) => {
    if (table === VALUES) values[cell] = leaf;
    else ((tables[table] ??= emptyRecord())[row] ??= emptyRecord())[cell] = leaf;
  });
  return [tables, values];
}

async function readAny(
  caller: string,
  storage: KeyValueStorage,
  prefix: string,
): Promise<LeafMap<Leaf> | undefined> {
  assertStorage(caller, storage, prefix);
  const room = await new RoomStorage(storage, { prefix }).load();
  return room?.content ?? (await readStockContent(storage, prefix));
}
