import { createStore } from 'tinybase';
import { TinyBasePartyKitServer as StockServer } from 'tinybase/persisters/persister-partykit-server';
import { expect, test } from 'vitest';

import { exportToStockStorage } from '../../../src/server/stock/stock-export.ts';
import {
  hasStoreInStorage,
  loadStoreFromStorage,
} from '../../../src/server/stock/stored-content.ts';
import { FakeRoomHost } from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const CONTENT = [
  {
    pets: { fido: { species: 'dog', tags: '\uFFFD[1]' }, 'a "b", c': { '': null } },
    __proto__x: { r: { c: 1.5 } },
  },
  { open: true, 'v v': 'text' },
] as const;

/** A storage as TinyBase's own server leaves it, written by it. */
const writeStock = async (prefix: string, content: unknown): Promise<StrictStorage> => {
  const storage = new StrictStorage();
  const transaction = {
    get: async (key: string) => (await storage.get([key])).get(key),
    put: (entries: Record<string, unknown>) => storage.put(entries),
    delete: (keys: string[]) => storage.delete(keys),
    list: (options: { prefix: string }) => storage.list(options),
  };
  const party = {
    storage: {
      ...transaction,
      transaction: (run: (inside: typeof transaction) => unknown) => run(transaction),
    },
  };
  const server = new StockServer(party as never);
  server.config.storagePrefix = prefix;
  const request = new Request('http://example.com/store', {
    method: 'PUT',
    body: JSON.stringify(content),
  });
  await server.onRequest(request as never);
  return storage;
};

test.each(['', 'my_'])(
  'reads what a room of ours stored under the prefix %j',
  async (storagePrefix) => {
    const storage = new StrictStorage();
    expect(await hasStoreInStorage(storage, storagePrefix)).toBe(false);
    expect(await loadStoreFromStorage(storage, storagePrefix)).toEqual([{}, {}]);
    const host = new FakeRoomHost({ storagePrefix: () => storagePrefix }, storage);
    await host.seed({
      pets: { fido: { species: 'dog', tags: '\uFFFD[1]' }, ['__proto__']: { legs: 4 } },
      open: true,
    });
    expect(await hasStoreInStorage(storage, storagePrefix)).toBe(true);
    expect(await loadStoreFromStorage(storage, storagePrefix)).toEqual([
      { pets: { fido: { species: 'dog', tags: '\uFFFD[1]' }, ['__proto__']: { legs: 4 } } },
      { open: true },
    ]);
    expect(await hasStoreInStorage(storage, 'other_')).toBe(false);
  },
);

test.each(['', 'my_'])(
  'reads what TinyBase’s own server stored under the prefix %j',
  async (prefix) => {
    const storage = await writeStock(prefix, CONTENT);
    expect(await hasStoreInStorage(storage, prefix)).toBe(true);
    expect(await loadStoreFromStorage(storage, prefix)).toEqual(CONTENT);
  },
);

test('[STOCK-6] a room that takes over tells of texts that it leaves out', async () => {
  const storage = await writeStock('', CONTENT);
  await storage.put({
    't"pets","fido","odd"': '\uFFFC',
    vodd: '\uFFFDnot JSON',
    vfine: '\uFFFD[1]',
  });
  const host = new FakeRoomHost({}, storage);
  await host.room.start();
  expect(host.room.store.getValue('fine')).toEqual([1]);
  expect(host.room.store.hasCell('pets', 'fido', 'odd')).toBe(false);
  expect(host.errors.map(({ error }) => String(error))).toEqual([
    expect.stringMatching(/left out 2 texts .*"t\\"pets\\",\\"fido\\",\\"odd\\"", "vodd"/),
  ]);
  host.hibernate();
  await host.room.start();
  expect(host.errors).toHaveLength(1);
});

test('a room takes over what TinyBase’s own server stored, keeps it as version 1, and goes on from there', async () => {
  const storage = await writeStock('my_', CONTENT);
  await storage.put({ another: 1, my_thing: 2 });
  const host = new FakeRoomHost({ storagePrefix: () => 'my_' }, storage);
  const expected: unknown = JSON.parse(createStore().setJson(JSON.stringify(CONTENT)).getJson());
  expect(await host.content()).toEqual(expected);
  const cursor = await host.cursor();
  expect(cursor.version).toBe(1);
  expect(await host.seed({ other: 1 })).toBe('exists');
  host.room.store.setValue('open', false);
  expect((await host.cursor()).version).toBe(2);
  host.hibernate();
  expect(await host.cursor()).toEqual({ epoch: cursor.epoch, version: 2 });
  expect(await host.content()).toMatchObject([{}, { open: false }]);
  expect((await storage.get(['another'])).get('another')).toBe(1);
});

test('a takeover that fails is tried again', async () => {
  const storage = await writeStock('', CONTENT);
  storage.failWrites(1, { takesEffect: false });
  const host = new FakeRoomHost({}, storage);
  await expect(host.room.start()).rejects.toMatchObject({ code: 'unavailable' });
  expect((await host.cursor()).version).toBe(1);
});

test.each([hasStoreInStorage, loadStoreFromStorage, exportToStockStorage])(
  '%o tells what is no storage or no prefix, and reads and removes nothing',
  async (use) => {
    const storage = new StrictStorage();
    await storage.put({ vapp: 1 });
    const stored = { ...storage.counts };
    for (const given of [undefined, null, 5, 'text', {}, new Map(), Promise.resolve(storage)])
      await expect(use(given as never)).rejects.toMatchObject({
        code: 'misuse',
        message: expect.stringContaining('this.party.storage') as unknown,
      });
    for (const prefix of [null, 5, true, [], {}, Symbol('prefix')])
      await expect(use(storage, prefix as never)).rejects.toMatchObject({
        code: 'misuse',
        message: expect.stringContaining('storagePrefix') as unknown,
      });
    expect(storage.counts).toEqual(stored);
  },
);
