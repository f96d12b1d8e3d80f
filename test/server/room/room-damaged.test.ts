import type { Store } from 'tinybase';
import { describe, expect, test } from 'vitest';

import type { RoomDocument } from '../../../src/protocol/room-handle.ts';
import { RoomStorage } from '../../../src/server/storage/room-storage.ts';
import { leavesOf } from '../../support/content.ts';
import { DyingStorage } from '../../support/dying-storage.ts';
import { clientId, FakeRoomHost, settle } from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const SMALL = { page: 40, slice: 60, smallestCheckpoint: 100, smallestRetention: 50 };

const keysOf = async (storage: StrictStorage): Promise<string[]> => [
  ...(await storage.list()).keys(),
];

const exported = async (host: FakeRoomHost): Promise<RoomDocument> => {
  const document = await host.room.exportRoom();
  if (document === undefined) throw new Error('The room has no Store.');
  // As a file would have it.
  return JSON.parse(JSON.stringify(document)) as RoomDocument;
};

const leavesIn = (document: RoomDocument): Map<string, string> =>
  new Map(leavesOf(document.content as Parameters<typeof leavesOf>[0]));

/** A room with several pages, rows in the snapshot and since, one of them in parts, and a manifest in parts. */
const storedRoom = async (): Promise<{
  storage: StrictStorage;
  content: ReadonlyMap<string, string>;
}> => {
  const storage = new StrictStorage();
  const clients = new Map(
    Array.from({ length: 1_500 }, (_, index) => [
      clientId(`c${index}`),
      { lastPush: 1, ackedPush: 0, touched: 1_000_000, generation: 1 },
    ]),
  );
  const first = new FakeRoomHost({}, storage);
  await first.seed({
    t: Object.fromEntries(
      ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((id) => [id, { text: id.repeat(9) }]),
    ),
  });
  const opened = new RoomStorage(storage, { prefix: '', sizes: SMALL });
  const room = await opened.load();
  if (room === undefined) throw new Error('It is not stored.');
  await opened.create({ ...room, clients });
  const host = new FakeRoomHost(
    { storageSizes: () => ({ ...SMALL, smallestCheckpoint: 1e9 }) },
    storage,
  );
  const ada = await host.join('ada');
  await ada.push(1, { t: { a: { text: 'changed' }, b: undefined } });
  await ada.push(2, { long: 'x'.repeat(200_000) });
  await ada.push(3, { t: { i: { text: 'new' } }, open: true });
  const content = leavesIn(await exported(host));
  return { storage, content };
};

const DAMAGES: Readonly<Record<string, (value: unknown) => unknown>> = {
  missing: () => undefined,
  'cut off': (value) =>
    ArrayBuffer.isView(value)
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice(0, -3)
      : String(value).slice(0, -3),
  'no JSON': (value) =>
    ArrayBuffer.isView(value) ? new Uint8Array(value.byteLength).fill(0x7b) : '{{{',
  'of another type': () => 7,
  'the name of more parts than anybody can ask for': () => [1, 1e9, 5],
};

describe('a room that cannot be loaded because its storage is damaged', () => {
  test.each(Object.entries(DAMAGES))(
    'is exported as far as it can be read, and restored from that, wherever a key is %s',
    async (name, damage) => {
      const { storage, content } = await storedRoom();
      const unloadable: string[] = [];
      for (const key of await keysOf(storage)) {
        const damaged = storage.copy();
        const value = damage((await storage.get([key])).get(key));
        if (value === undefined) await damaged.delete([key]);
        else await damaged.put({ [key]: value });
        const host = new FakeRoomHost({ storageSizes: () => SMALL }, damaged);
        const isLoaded = await host.room.start().then(
          () => true,
          () => false,
        );
        if (isLoaded) continue;
        unloadable.push(key);
        const document = await exported(host);
        const told = document.incomplete?.join(' ') ?? '';
        expect([key, told]).toEqual([key, expect.stringContaining('@tinybase-partykit/')]);
        const leaves = leavesIn(document);
        // A page that is lost, or a row of the log, takes at most a few rows with it, or a change of them.
        const right = [...leaves].filter(([id, leaf]) => content.get(id) === leaf);
        expect([key, right.length >= content.size - 4]).toEqual([key, true]);
        if (key.endsWith('manifest')) expect([key, leaves]).toEqual([key, content]);
        await host.room.restoreRoom(document);
        expect(leavesIn(await exported(host))).toEqual(leaves);
        expect((await exported(host)).incomplete).toBeUndefined();
        host.room.store.setValue('after', 1);
        await host.room.whenDurable();
        host.hibernate();
        expect(leavesIn(await exported(host))).toEqual(new Map(leaves).set('["after"]', '1'));
      }
      expect(unloadable.some((key) => key.includes('log/'))).toBe(true);
      expect(unloadable.some((key) => key.includes('blob/'))).toBe(true);
      expect(unloadable.some((key) => key.endsWith('manifest'))).toBe(name !== 'missing');
    },
    60_000,
  );

  test('[ONCE-1] keeps the records of clients that it can read, so that nothing is applied twice', async () => {
    const { storage } = await storedRoom();
    const page = (await keysOf(storage)).find((key) => key.includes('blob/')) ?? '';
    await storage.put({ [page]: 7 });
    const host = new FakeRoomHost({}, storage);
    await host.room.restoreRoom({ ...(await exported(host)), content: [{}, {}] });
    for (const [name, lastPush] of [
      ['ada', 3],
      ['c7', 1],
    ] as const) {
      const connection = host.connect();
      const cursor = await host.cursor();
      await connection.hello({ clientId: clientId(name), generation: 5, cursor });
      expect(connection.hearOne('welcome').lastPush).toBe(lastPush);
    }
  });

  test('is as it was, or restored, wherever the process dies while it is restored', async () => {
    const { storage } = await storedRoom();
    const page = (await keysOf(storage)).find((key) => key.includes('blob/')) ?? '';
    await storage.put({ [page]: 7 });
    const document = {
      ...(await exported(new FakeRoomHost({}, storage.copy()))),
      content: [{}, {}],
    };
    const counted = new DyingStorage(storage.copy());
    await new FakeRoomHost({}, counted).room.restoreRoom(document);
    expect(counted.writes).toBeGreaterThan(1);
    const outcomes = new Set<string>();
    for (let write = 1; write <= counted.writes; write += 1) {
      for (const takesEffect of [false, true]) {
        const copy = storage.copy();
        const dying = new DyingStorage(copy, { write, takesEffect });
        await new FakeRoomHost({}, dying).room.restoreRoom(document).catch(() => undefined);
        const host = new FakeRoomHost({}, copy);
        const { incomplete } = await exported(host);
        outcomes.add(incomplete === undefined ? 'restored' : 'as it was');
        if (incomplete === undefined) expect(await host.content()).toEqual([{}, {}]);
      }
    }
    expect([...outcomes].toSorted()).toEqual(['as it was', 'restored']);
  });

  test('leaves nothing of the damaged one on disk', async () => {
    const { storage } = await storedRoom();
    const document = await exported(new FakeRoomHost({}, storage.copy()));
    await storage.put({
      [(await keysOf(storage)).find((key) => key.endsWith('manifest')) ?? '']: 7,
    });
    await new FakeRoomHost({}, storage).room.restoreRoom(document);
    const fresh = new StrictStorage();
    await new FakeRoomHost({}, fresh).room.restoreRoom(document);
    expect(storage.size).toBe(fresh.size);
  });

  test('takes a document that is over the limit of the content if it was over it itself', async () => {
    const { storage } = await storedRoom();
    const page = (await keysOf(storage)).find((key) => key.includes('blob/')) ?? '';
    await storage.put({ [page]: 7 });
    const host = new FakeRoomHost({ limits: () => ({ contentBytes: 500 }) }, storage);
    const document = await exported(host);
    const larger = { ...document, content: [{}, { long: 'x'.repeat(300_000) }] };
    await expect(host.room.restoreRoom(larger)).rejects.toMatchObject({ code: 'too-large' });
    await host.room.restoreRoom(document);
    expect(leavesIn(await exported(host))).toEqual(leavesIn(document));
  });

  test('a document of it does not leave out what storage would not give: then there is none', async () => {
    const { storage } = await storedRoom();
    class Failing extends StrictStorage {
      override list(): Promise<never> {
        return Promise.reject(new Error('the disk is away'));
      }
    }
    const failing = new Failing({}, await storage.list());
    const host = new FakeRoomHost({}, failing);
    await expect(host.room.exportRoom()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(
      host.room.restoreRoom({
        ...(await exported(new FakeRoomHost({}, storage))),
        content: [{}, {}],
      }),
    ).rejects.toMatchObject({ code: 'unavailable' });
    expect(failing.counts.puts + failing.counts.deletes).toBe(0);
  });

  test('is not touched, and not exported, if a later release wrote it', async () => {
    const { storage } = await storedRoom();
    const document = await exported(new FakeRoomHost({}, storage.copy()));
    await new FakeRoomHost({}, storage).room.wipe();
    await new FakeRoomHost({}, storage).room.restoreRoom({
      ...document,
      content: [{}, { open: true }],
    });
    const key = (await keysOf(storage)).find((name) => name.endsWith('manifest')) ?? '';
    const manifest = String((await storage.get([key])).get(key));
    await storage.put({ [key]: manifest.replace('"format":2', '"format":3') });
    const before = await storage.list();
    const host = new FakeRoomHost({}, storage);
    for (const call of [host.room.exportRoom(), host.room.restoreRoom(document)])
      await expect(call).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('use the release that wrote it') as unknown,
      });
    expect(await storage.list()).toEqual(before);
  });

  test('connected clients follow it when it is restored', async () => {
    const { storage } = await storedRoom();
    const document = await exported(new FakeRoomHost({}, storage.copy()));
    const page = (await keysOf(storage)).find((key) => key.includes('blob/')) ?? '';
    await storage.put({ [page]: 7 });
    const host = new FakeRoomHost({}, storage);
    const bob = host.connect();
    await bob.hello({ clientId: clientId('bob'), cursor: { epoch: 'epoch1', version: 1 } });
    expect(bob.hearOne('error').code).toBe('unavailable');
    await host.room.restoreRoom(document);
    // The room has never heard its hello, so it comes again.
    expect(bob.closed?.code).toBe(4503);
    const again = await host.join('bob', { generation: 2 });
    await again.push(1, { mine: 1 });
    expect(again.hearOne('ack').isCommit).toBe(true);
  });
});

const refusing = (store: Store): void => {
  if (store.getValue('bad') === true) throw new Error('I cannot work with this.');
  store.setValue('prepared', Number(store.getValue('prepared') ?? 0) + 1);
};

describe('a room that cannot be loaded because of its own code', () => {
  test('is exported whole, and restored to what its prepareStore accepts', async () => {
    const storage = new StrictStorage();
    const before = new FakeRoomHost({}, storage);
    const ada = await before.join('ada');
    await ada.push(1, { bad: true, other: 1 });
    const cursor = await before.cursor();
    const host = new FakeRoomHost({ prepareStore: refusing }, storage);
    const document = await exported(host);
    expect(document).toEqual({
      format: 'tinybase-partykit room',
      formatVersion: 1,
      epoch: cursor.epoch,
      version: cursor.version,
      content: [{}, { bad: true, other: 1 }],
    });
    await expect(host.room.restoreRoom(document)).rejects.toMatchObject({
      code: 'malformed',
      message: expect.stringContaining('prepareStore') as unknown,
    });
    expect((await exported(host)).content).toEqual(document.content);
    await host.room.restoreRoom({ ...document, content: [{}, { other: 1 }] });
    expect(await host.content()).toEqual([{}, { other: 1, prepared: 1 }]);
    expect(host.room.store.getValues()).toEqual({ other: 1, prepared: 1 });
    host.hibernate();
    expect(await host.content()).toEqual([{}, { other: 1, prepared: 2 }]);
  });

  test('a listener that throws while the content is loaded does not keep it from being exported and restored', async () => {
    const storage = new StrictStorage();
    await new FakeRoomHost({}, storage).seed({ bad: true, other: 1 });
    const host = new FakeRoomHost({}, storage);
    host.room.store.addValueListener(
      'bad',
      () => {
        throw new Error('no');
      },
      true,
    );
    const document = await exported(host);
    expect(document.content).toEqual([{}, { bad: true, other: 1 }]);
    expect(document.incomplete).toBeUndefined();
    await host.room.restoreRoom({ ...document, content: [{}, { other: 2 }] });
    expect(await host.content()).toEqual([{}, { other: 2 }]);
  });

  test('what TinyBase’s own server stored is exported if it cannot be taken over', async () => {
    const storage = new StrictStorage();
    await storage.put({ hasStore: 1, vopen: true, 't"t","r","c"': 1 });
    const host = new FakeRoomHost({}, storage);
    storage.failWrites(1_000, { takesEffect: false });
    expect((await exported(host)).content).toEqual([{ t: { r: { c: 1 } } }, { open: true }]);
  });

  test('what the room’s own code writes while it is restored is lost, and reported', async () => {
    const runs: (() => void)[] = [];
    let isSlow = false;
    const storage = new StrictStorage({ defer: (run) => (isSlow ? runs.push(run) : run()) });
    await new FakeRoomHost({}, storage).seed({ bad: true });
    const host = new FakeRoomHost({ prepareStore: refusing }, storage);
    const document = await exported(host);
    isSlow = true;
    const restored = host.room.restoreRoom({ ...document, content: [{}, { good: 1 }] });
    for (let step = 0; step < 20; step += 1) {
      await settle();
      runs.shift()?.();
    }
    isSlow = false;
    for (const run of runs.splice(0)) run();
    await restored;
    expect(await host.content()).toEqual([{}, { good: 1, prepared: 1 }]);
    expect(host.room.store.getValues()).toEqual({ good: 1, prepared: 1 });
  });
});
