import * as fc from 'fast-check';
import { expect, it } from 'vitest';

import { deleteKeys, putInOrder } from '../../../src/server/storage/ordered-writes.ts';
import { DyingStorage } from '../../support/dying-storage.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

/** Mostly near what calls can hold. */
const anyCount = fc
  .tuple(fc.nat(3), fc.integer({ min: -4, max: 4 }))
  .map(([calls, more]) => Math.max(0, calls * 128 + more));

it('[DURABLE-4] puts all parts in order, and all heads in the last call', async () => {
  await fc.assert(
    fc.asyncProperty(anyCount, fc.integer({ min: 1, max: 3 }), async (parts, heads) => {
      const storage = new DyingStorage(new StrictStorage());
      const names = Array.from({ length: parts + heads }, (_, index) => `${index}`);
      const entries = names.map((name) => [`key ${name}`, name] as const);
      await putInOrder(storage, entries.slice(0, parts), entries.slice(parts));
      expect(storage.puts.flat()).toEqual(entries.map(([key]) => key));
      expect(storage.puts.at(-1)?.length).toBeGreaterThanOrEqual(heads);
      expect(storage.puts).toHaveLength(Math.ceil(entries.length / 128));
    }),
  );
});

it('deletes any number of keys', async () => {
  await fc.assert(
    fc.asyncProperty(anyCount, async (count) => {
      const storage = new StrictStorage();
      const keys = Array.from({ length: count }, (_, index) => `key ${index}`);
      await putInOrder(
        storage,
        keys.map((key) => [key, 1] as const),
        [],
      );
      await deleteKeys(storage, [...keys, 'none']);
      expect(storage.size).toBe(0);
    }),
  );
});
