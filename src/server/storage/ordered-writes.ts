import { emptyRecord } from '../../protocol/json.ts';

import type { StorageEntry } from './blob.ts';
import type { KeyValueStorage, WriteOptions } from './key-value-storage.ts';
import { afterKey, type KeyRange } from './storage-keys.ts';

/** The most keys of one call, see {@link KeyValueStorage}. */
export const KEYS_A_CALL = 128;
/** Lets messages arrive during a write, to share the next one (`DURABLE-2`). The room's own queue keeps the order. */
const CONCURRENTLY: WriteOptions = { allowConcurrency: true };

/**
 * Writes parts, then the head that makes them valid, if there is one. Each call waits for the one before it, and the first call that
 * rejects is the last. `assertCurrent` is called before each call but the first; it throws to prevent it. Resolves when all calls have
 * settled.
 */
export async function putInOrder(
  storage: KeyValueStorage,
  parts: readonly StorageEntry[],
  head?: StorageEntry,
  assertCurrent?: () => void,
): Promise<void> {
  if (parts.length === 0 && head !== undefined) {
    // Nearly every row of the log is one key, and a Durable Object writes it faster than a record of one key.
    await storage.put(...head, CONCURRENTLY);
    return;
  }
  const entries = head === undefined ? parts : [...parts, head];
  for (let start = 0; start < entries.length; start += KEYS_A_CALL) {
    if (start > 0) assertCurrent?.();
    const call = emptyRecord<unknown>();
    for (const [key, value] of entries.slice(start, start + KEYS_A_CALL)) call[key] = value;
    await storage.put(call, CONCURRENTLY);
  }
}

/** Returns true for the options of a `delete` that {@link deleteKeys} has called, and not the app. */
export function isOwnDelete(options: unknown): boolean {
  return options === CONCURRENTLY;
}

/** Removes any number of keys. They need not exist. */
export async function deleteKeys(storage: KeyValueStorage, keys: readonly string[]): Promise<void> {
  for (let start = 0; start < keys.length; start += KEYS_A_CALL) {
    await storage.delete(keys.slice(start, start + KEYS_A_CALL), CONCURRENTLY);
  }
}

/** Removes all keys of a range. */
export async function deleteRange(
  storage: KeyValueStorage,
  { start, end }: KeyRange,
): Promise<void> {
  let next = start;
  for (;;) {
    const keys = [...(await storage.list({ start: next, end, limit: KEYS_A_CALL })).keys()];
    await deleteKeys(storage, keys);
    const last = keys.at(-1);
    if (last === undefined || keys.length < KEYS_A_CALL) return;
    next = afterKey(last);
  }
}
