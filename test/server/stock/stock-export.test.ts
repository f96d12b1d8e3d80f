import { describe, expect, test } from 'vitest';

import { exportToStockStorage, loadStoreFromStorage } from '../../../src/server/index.ts';
import { DyingStorage } from '../../support/dying-storage.ts';
import { FakeRoomHost } from '../../support/fake-connection.ts';
import { askStock, stockServerOn } from '../../support/stock-storage.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const CONTENT = [
  {
    pets: { fido: { species: 'dog', tags: '\uFFFD[1]' }, 'a "b", c': { '': null } },
    gone: { r: { c: 1.5 } },
  },
  { open: true, gone: 'text', '': 0 },
];
const OTHER_KEYS = { another: 1, theme: ['dark'], 't"a","b"': 2 };

/** All keys and values but this package's own. */
const visible = async (storage: StrictStorage): Promise<Record<string, unknown>> =>
  Object.fromEntries(
    [...(await storage.list())].filter(([key]) => !key.includes('@tinybase-partykit/')),
  );

const stockStorage = async (prefix: string): Promise<StrictStorage> => {
  const storage = new StrictStorage();
  await askStock(stockServerOn(storage, prefix), CONTENT);
  await storage.put(OTHER_KEYS);
  return storage;
};

describe.each(['', 'my_'])('a room that the stock server stored under the prefix %j', (prefix) => {
  const options = { storagePrefix: () => prefix };

  test('is taken over whole whatever write the process dies in, and until then stays as it was', async () => {
    const before = await visible(await stockStorage(prefix));
    let isDone = false;
    for (let write = 1; !isDone; write++) {
      for (const takesEffect of [false, true]) {
        const disk = await stockStorage(prefix);
        const dying = new DyingStorage(disk, { write, takesEffect });
        await new FakeRoomHost(options, dying).room.start().catch(() => undefined);
        isDone = !dying.isDead;
        expect(await visible(disk)).toEqual(before);
        expect(await loadStoreFromStorage(disk, prefix)).toEqual(CONTENT);
        expect(JSON.parse(await askStock(stockServerOn(disk, prefix)))).toEqual(CONTENT);
        const survivor = new FakeRoomHost(options, disk);
        expect(await survivor.content()).toEqual(CONTENT);
        expect((await survivor.cursor()).version).toBe(1);
      }
    }
  });

  test('is taken over once: what is then written there is not read again', async () => {
    const storage = await stockStorage(prefix);
    const cursor = await new FakeRoomHost(options, storage).cursor();
    await storage.put({ [`${prefix}vlater`]: 1 });
    const later = new FakeRoomHost(options, storage);
    expect(await later.cursor()).toEqual(cursor);
    expect(await later.content()).toEqual(CONTENT);
  });

  test('goes back to the stock server with what has become of it, and from there to ours again', async () => {
    const storage = await stockStorage(prefix);
    const host = new FakeRoomHost(options, storage);
    await host.room.start();
    host.room.store.delTable('gone').setCell('pets', 'felix', 'tags', { list: [1] });
    host.room.store.setValue('__proto__', 1);
    const content = await host.content();
    expect(await exportToStockStorage(storage, prefix)).toEqual([]);
    expect(JSON.parse(await askStock(stockServerOn(storage, prefix)))).toEqual(content);
    expect(await storage.list()).toEqual(new Map(Object.entries(await visible(storage))));
    expect((await storage.get(Object.keys(OTHER_KEYS))).size).toBe(3);
    expect(await exportToStockStorage(storage, prefix)).toEqual([]);
    const again = new FakeRoomHost(options, storage);
    expect(await again.content()).toEqual(content);
    expect((await again.cursor()).version).toBe(1);
  });

  test('is readable by one of the two, whatever write of the way back the process dies in', async () => {
    let isDone = false;
    for (let write = 1; !isDone; write++) {
      for (const takesEffect of [false, true]) {
        const disk = await stockStorage(prefix);
        const host = new FakeRoomHost(options, disk);
        await host.room.start();
        host.room.store.delTable('gone').setValue('open', false);
        const content = await host.content();
        const dying = new DyingStorage(disk, { write, takesEffect });
        await exportToStockStorage(dying, prefix).catch(() => undefined);
        isDone = !dying.isDead;
        expect(await loadStoreFromStorage(disk, prefix)).toEqual(content);
        const seen = await askStock(stockServerOn(disk, prefix));
        if (seen !== '' && dying.writes > 1) expect(JSON.parse(seen)).toEqual(content);
        await exportToStockStorage(disk, prefix);
        expect(JSON.parse(await askStock(stockServerOn(disk, prefix)))).toEqual(content);
      }
    }
  });
});

test('a room that was never a stock one can be exported; one without a Store has nothing to export', async () => {
  const storage = new StrictStorage();
  expect(await exportToStockStorage(storage)).toEqual([]);
  expect(storage.size).toBe(0);
  const host = new FakeRoomHost({}, storage);
  await host.seed({ pets: { fido: { species: 'dog' } } });
  await exportToStockStorage(storage);
  expect(await askStock(stockServerOn(storage))).toBe('[{"pets":{"fido":{"species":"dog"}}},{}]');
});

test('with an empty prefix, a key of the app that may be a Value is read as one, as stock does, and never removed', async () => {
  const storage = await stockStorage('');
  await storage.put({ version: 3, visits: new Map([[1, 2]]), t: 1, 't[]': 2 });
  const host = new FakeRoomHost({}, storage);
  expect(await host.content()).toEqual([CONTENT[0], { ...CONTENT[1], ersion: 3 }]);
  host.room.store.delValue('ersion').delValue('gone');
  await host.content();
  await storage.put({ views: 4 });
  expect(await exportToStockStorage(storage)).toEqual(['version', 'vgone', 'views']);
  const { size } = await storage.get(['version', 'views', 'visits', 't', 't[]', 'vgone']);
  expect(size).toBe(6);
});

test.each([
  ['a leaf', { text: 'x'.repeat(131_073) }, 'The Value "text" is more than 131072 bytes'],
  ['a leaf of two bytes a character', { text: '\u2190'.repeat(65_537) }, 'more than 131072 bytes'],
  ['an id', { t: { r: { ['x'.repeat(2_048)]: 1 } } }, 'ids of more than 2048 bytes'],
])(
  '%s that the stock server cannot store stops the export before it changed anything',
  async (_what, seed, message) => {
    const storage = new StrictStorage();
    const host = new FakeRoomHost({}, storage);
    await host.seed(seed);
    const before = await storage.list();
    await expect(exportToStockStorage(storage)).rejects.toMatchObject({
      code: 'too-large',
      message: expect.stringContaining(message) as string,
    });
    expect(await storage.list()).toEqual(before);
  },
);
