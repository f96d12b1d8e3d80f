import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { VALUES, type Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import { utf8Length } from '../../protocol/utf8.ts';

import type { StorageEntry } from '../storage/blob.ts';
import type { KeyValueStorage } from '../storage/key-value-storage.ts';
import { deleteKeys, putInOrder } from '../storage/ordered-writes.ts';
import { RoomStorage } from '../storage/room-storage.ts';
import { assertStorage } from './assert-storage.ts';
import { stockEntries, stockLeafKey, stockMarkerKey } from './stock-layout.ts';
import { afterKey, StorageKeys, type KeyRange } from '../storage/storage-keys.ts';

/** The largest key and value of TinyBase's own layout, in bytes. */
const KEY_BYTES = 2_048;
const VALUE_BYTES = 128 * 1024;
const KEYS_A_PAGE = 1_000;
const NOT_LATIN = /[\u0100-\uFFFF]/;

/**
 * Converts a stored room back to the layout of TinyBase's own server, and removes this package's keys. The stock server
 * then continues with that content. Does nothing if this package has stored no room.
 *
 * Nothing else may use the storage meanwhile: call it in `blockConcurrencyWhile`, in the constructor of the class that
 * extends the stock server. After a crash, call it again: it completes the work. Until its last step this package can
 * read the room, and after that TinyBase's own server.
 *
 * Resolves to the keys that it left in storage, but that may be Values that were deleted since the takeover. This happens only
 * with an empty prefix: then nothing distinguishes a Value from a key of the app that begins with `v`.
 *
 * Rejects with `too-large` and changes nothing if a leaf does not fit in the stock layout: 128 KiB each, 2,048 bytes for
 * its ids. Rejects with `unavailable` if the room cannot be read.
 */
export async function exportToStockStorage(
  storage: KeyValueStorage,
  storagePrefix: string = '',
): Promise<readonly string[]> {
  assertStorage('exportToStockStorage', storage, storagePrefix);
  const room = await new RoomStorage(storage, { prefix: storagePrefix }).load();
  const keys = new StorageKeys(storagePrefix);
  let left: readonly string[] = [];
  if (room !== undefined) {
    const leaves = stockLeaves(room.content, storagePrefix);
    const marker = stockMarkerKey(storagePrefix);
    // From here until the marker is written, TinyBase's own server finds no Store, so it never reads half of one.
    await storage.delete([marker]);
    left = await removeOthers(storage, storagePrefix, new Set(leaves.map(([key]) => key)));
    await putInOrder(storage, leaves);
    await storage.put({ [marker]: 1 });
    await storage.delete([keys.manifest]);
  }
  await removeRange(storage, keys.rows);
  await removeRange(storage, keys.parts);
  return left;
}

function stockLeaves(content: LeafMap<Leaf>, prefix: string): readonly StorageEntry[] {
  const leaves: StorageEntry[] = [];
  content.forEach((leaf, table, row, cell) => {
    const key = stockLeafKey(prefix, table, row, cell);
    const what =
      table === VALUES
        ? `The Value ${JSON.stringify(cell)}`
        : `The Cell ${JSON.stringify([table, row, cell])}`;
    if (utf8Length(key, KEY_BYTES) > KEY_BYTES) throw tooLarge(`${what} has ids of`, KEY_BYTES);
    if (typeof leaf === 'string' && storedLength(leaf) > VALUE_BYTES)
      throw tooLarge(`${what} is`, VALUE_BYTES);
    leaves.push([key, leaf]);
  });
  return leaves;
}

/** Removes the leaves of older content. Returns the keys that may be the app's. */
async function removeOthers(
  storage: KeyValueStorage,
  prefix: string,
  wanted: ReadonlySet<string>,
): Promise<readonly string[]> {
  const stale: string[] = [];
  const doubtful: string[] = [];
  for await (const { key, table } of stockEntries(storage, prefix)) {
    if (wanted.has(key)) continue;
    if (table === VALUES && prefix === '') doubtful.push(key);
    else stale.push(key);
  }
  await deleteKeys(storage, stale);
  return doubtful;
}

async function removeRange(storage: KeyValueStorage, { start, end }: KeyRange): Promise<void> {
  let next = start;
  for (;;) {
    const keys = [...(await storage.list({ start: next, end, limit: KEYS_A_PAGE })).keys()];
    await deleteKeys(storage, keys);
    const last = keys.at(-1);
    if (last === undefined || keys.length < KEYS_A_PAGE) return;
    next = afterKey(last);
  }
}

/** Hosts store text with a byte or two for each character. */
function storedLength(text: string): number {
  return NOT_LATIN.test(text) ? text.length * 2 : text.length;
}

function tooLarge(what: string, bytes: number): TinyBasePartyKitError {
  return new TinyBasePartyKitError(
    'too-large',
    `${what} more than ${bytes} bytes, which TinyBase's own server cannot store. Nothing was changed.`,
  );
}
