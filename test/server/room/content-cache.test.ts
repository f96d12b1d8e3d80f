import type * as TinyBaseStore from 'tinybase/store';
import { expect, test, vi } from 'vitest';

import { ContentCache } from '../../../src/server/room/content-cache.ts';
import { FakeRoomHost, settle } from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const counts = vi.hoisted(() => ({ serialised: 0 }));

/** Real Stores, whose serialising is counted: they are frozen, and cannot be spied upon. */
vi.mock('tinybase/store', async (importOriginal) => {
  const original = await importOriginal<typeof TinyBaseStore>();
  const createStore: typeof original.createStore = () => {
    const store = original.createStore();
    const getJson = (): string => {
      counts.serialised += 1;
      return store.getJson();
    };
    return { ...store, getJson };
  };
  return { ...original, createStore };
});

/** A cache, and what is serialised when it has to be. */
class Bench {
  readonly host: FakeRoomHost = new FakeRoomHost();
  readonly cache: ContentCache = new ContentCache(this.host);
  serialised = 0;

  read(ledger: { version: number }): string {
    return this.cache.read(ledger, () => `${(this.serialised += 1)}`);
  }
}

test('[JOIN-7] serialises the content once for all that load it at once', () => {
  const bench = new Bench();
  const ledger = { version: 1 };
  expect([1, 2, 3].map(() => bench.read(ledger))).toEqual(['1', '1', '1']);
  ledger.version = 2;
  expect([1, 2].map(() => bench.read(ledger))).toEqual(['2', '2']);
});

test('[JOIN-7] forgets it after a second', async () => {
  const bench = new Bench();
  const ledger = { version: 1 };
  bench.read(ledger);
  await bench.host.pass(999);
  expect(bench.read(ledger)).toBe('1');
  await bench.host.pass(1);
  expect(bench.read(ledger)).toBe('2');
  ledger.version = 2;
  await bench.host.pass(500);
  expect(bench.read(ledger)).toBe('3');
  await bench.host.pass(999);
  expect(bench.read(ledger)).toBe('3');
});

test('[JOIN-7] a room does so for all that load it at once', async () => {
  const host = new FakeRoomHost();
  await host.seed({ v: 1 });
  counts.serialised = 0;
  const contents = await Promise.all([1, 2, 3].map(() => host.room.content()));
  expect(contents.map(({ json }) => json)).toEqual(Array.from(contents, () => '[{},{"v":1}]'));
  expect(counts.serialised).toBe(1);
});

test('[DURABLE-3] never gives what a failed write had, though its version is given again', async () => {
  const storage = new StrictStorage();
  const host = new FakeRoomHost({}, storage);
  await host.seed({ v: 1 });
  storage.failWrites(1, { takesEffect: false });
  host.room.store.setValue('v', 'lost');
  await expect(host.room.content()).rejects.toMatchObject({ code: 'unavailable' });
  await settle();
  host.room.store.setValue('v', 'kept');
  expect(await host.room.content()).toMatchObject({
    cursor: { version: 2 },
    json: '[{},{"v":"kept"}]',
  });
});
