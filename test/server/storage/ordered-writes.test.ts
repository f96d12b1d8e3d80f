import * as fc from 'fast-check';
import { expect, it } from 'vitest';

import { deleteKeys, putInOrder } from '../../../src/server/storage/ordered-writes.ts';
import { DyingStorage } from '../../support/dying-storage.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

/** Mostly near what calls can hold. */
const anyCount = fc
  .tuple(fc.nat(3), fc.integer({ min: -4, max: 4 }))
  .map(([calls, more]) => Math.max(0, calls * 128 + more));

it('[DURABLE-4] puts all parts in order, and the head last', async () => {
  await fc.assert(
    fc.asyncProperty(anyCount, async (count) => {
      const storage = new DyingStorage(new StrictStorage());
      const parts = Array.from({ length: count }, (_, index) => [`key ${index}`, index] as const);
      await putInOrder(storage, parts, ['head', 'head']);
      expect(storage.puts.flat()).toEqual([...parts.map(([key]) => key), 'head']);
      expect(storage.puts).toHaveLength(Math.ceil((count + 1) / 128));
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
      );
      await deleteKeys(storage, [...keys, 'none']);
      expect(storage.size).toBe(0);
    }),
  );
});
