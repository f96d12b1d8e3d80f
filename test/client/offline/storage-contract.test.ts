import { describe, expect, test } from 'vitest';

import { MemoryOfflineStorage } from '../../support/offline-doubles.ts';
import { OFFLINE_STORAGE_CONTRACT } from '../../support/offline-storage-contract.ts';

describe('a storage in memory', () => {
  test.for(OFFLINE_STORAGE_CONTRACT.map(({ title, check }) => [title, check] as const))(
    '%s',
    async ([, check]) => {
      const storage = new MemoryOfflineStorage();
      await expect(check(async () => storage)).resolves.toBeUndefined();
    },
  );

  test('fails where the storage breaks a promise', async () => {
    const broken = new MemoryOfflineStorage();
    broken.apply = ({ set }) => {
      for (const [key, value] of set) broken.entries.set(key, value);
      return true;
    };
    const kept = await Promise.allSettled(
      OFFLINE_STORAGE_CONTRACT.map(({ check }) => {
        broken.entries.clear();
        return check(async () => broken);
      }),
    );
    expect(kept.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(2);
  });
});
