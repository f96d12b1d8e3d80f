import { expect, test } from 'vitest';

import { guardLocks, guardStorage } from '../../../src/client/offline/app-storage.ts';
import type { OfflineLocks, OfflineWrite } from '../../../src/client/offline/offline-storage.ts';
import { MemoryOfflineStorage } from '../../support/offline-doubles.ts';

const write: OfflineWrite = { remove: [], set: new Map([['key', 'text']]) };

function throwing(): never {
  throw new Error('full');
}

test('[OFFLINE-7] a storage that throws at once fails as one whose promise rejects', async () => {
  const storage = guardStorage({ read: throwing, write: throwing });
  await expect(storage.read('')).rejects.toThrow('full');
  await expect(storage.write(write)).rejects.toThrow('full');
  expect(Object.keys(storage)).toEqual(['read', 'write']);
});

test('a storage that does without promises works', async () => {
  const memory = new MemoryOfflineStorage();
  const storage = guardStorage({
    read: (() => memory.entries) as never,
    write: ((given: OfflineWrite) => memory.apply(given)) as never,
    writeLast: (last) => memory.writeLast(last),
  });
  expect(await storage.write(write)).toBe(true);
  expect(await storage.write({ ...write, guard: { key: 'key', value: 'other' } })).toBe(false);
  const guard = { key: 'key', values: ['text'] };
  storage.writeLast?.({ guard, remove: ['key'], set: new Map([['later', 'text']]) });
  expect([...(await storage.read(''))]).toEqual([['later', 'text']]);
});

test('[OFFLINE-7] a value that is no text is damaged, and what is no Map cannot be read', async () => {
  const entries = new Map<string, unknown>([
    ['text', 'text'],
    ['number', 7],
    ['none', null],
  ]);
  const storage = guardStorage({ read: async () => entries as never, write: async () => true });
  expect([...(await storage.read(''))]).toEqual([
    ['text', 'text'],
    ['number', ''],
    ['none', ''],
  ]);
  for (const read of [undefined, {}, []]) {
    const broken = guardStorage({ read: async () => read as never, write: async () => true });
    await expect(broken.read('')).rejects.toThrow('no Map');
  }
});

test('[OFFLINE-7] a write that does not tell if it had an effect has failed', async () => {
  const storage = guardStorage({
    read: async () => new Map(),
    write: async () => undefined as never,
  });
  await expect(storage.write(write)).rejects.toThrow('no boolean');
});

test('locks that throw at once reject, and one that cannot be freed does no harm', async () => {
  await expect(guardLocks({ take: throwing }).take('lock', 0)).rejects.toThrow('full');
  const held = await guardLocks({ take: async () => throwing }).take('lock', 0);
  expect(() => held?.()).not.toThrow();
  const odd: OfflineLocks = { take: async () => true as never };
  expect(await guardLocks(odd).take('lock', 0)).toBeUndefined();
});
