import type { KeyValueStorage } from './key-value-storage.ts';
import { afterKey, type KeyRange } from './storage-keys.ts';

/** Lists the entries of a range in order, with at most `limit` in one call. */
export async function* listRange(
  storage: KeyValueStorage,
  { start, end }: KeyRange,
  limit: number,
): AsyncGenerator<[string, unknown]> {
  let next = start;
  for (;;) {
    const entries = await storage.list({ start: next, end, limit });
    for (const entry of entries) {
      next = afterKey(entry[0]);
      yield entry;
    }
    if (entries.size < limit) return;
  }
}
