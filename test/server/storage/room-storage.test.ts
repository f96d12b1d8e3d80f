import {
  hasStoreInStorage,
  loadStoreFromStorage,
} from 'tinybase/persisters/persister-partykit-server';
import { describe, expect, it } from 'vitest';

import { ChangesBuilder } from '../../../src/protocol/changes.ts';
import { RoomStorage } from '../../../src/server/storage/room-storage.ts';
import { describeRoomStorage } from '../../support/room-storage-contract.ts';
import {
  areSameLeaves,
  RoomModel,
  setCell,
  TINY_SIZES,
  type Transaction,
} from '../../support/stored-room-model.ts';
import { Deferred } from '../../support/deferred.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

type StockStorage = Parameters<typeof loadStoreFromStorage>[0];

describeRoomStorage('strict storage in memory', () => new StrictStorage());

describe('RoomStorage', () => {
  it.each([false, true])(
    '[DURABLE-4] appends rows at any moment of a checkpoint, and loads both (reloaded after it: %s)',
    async (isReloaded) => {
      let longest = 0;
      for (let moment = 0; moment <= longest; moment += 1) {
        const model = new RoomModel('epoch', rowsOf('seed'), TINY_SIZES);
        const { room, storage, runs } = await makeSlowRoom(model);
        await finish(room.append(model.commit([{ changes: rowsOf('a'), clientId: 'a' }]), 0), runs);
        const checkpoint = room.checkpoint(model.source);
        for (let step = 0; step < moment; step += 1) await runNext(runs);
        // Rows that were written already, rows that will be, one that moves to another page and one that is new.
        const changes = rowsOf('b', 3);
        changes.deleteRow('t', '0');
        const append = room.append(
          model.commit([
            { changes, clientId: 'b' },
            deleting('3'),
            setting('new', 'y'.repeat(200_000)),
          ]),
          0,
        );
        model.appended = append;
        await finish(append, runs);
        longest = Math.max(longest, moment + (await finish(checkpoint, runs)));
        await expectOnDisk(storage, model);
        if (isReloaded) await finish(room.load(), runs);
        await finish(room.append(model.commit([setting('c', 1)]), 0), runs);
        await expectOnDisk(storage, model);
        await finish(room.append(model.commit([deleting('0')]), 0), runs);
        await finish(room.checkpoint(model.source), runs);
        await expectOnDisk(storage, model);
      }
      expect(longest).toBeGreaterThanOrEqual(8);
    },
    60_000,
  );

  it('[DURABLE-4] does not load before a checkpoint has ended, so that none ends after it', async () => {
    const model = new RoomModel('epoch', setCell('seed', 1));
    const { room, storage, runs } = await makeSlowRoom(model);
    const checkpoint = room.checkpoint(model.source);
    const load = room.load();
    await finish(checkpoint, runs);
    await finish(load, runs);
    await finish(room.append(model.commit([setting('a', 1)]), 0), runs);
    await finish(room.checkpoint(model.source), runs);
    await expectOnDisk(storage, model);
  });

  it.each([0, 1, 2, 3, 4, 5, 6])(
    '[JOIN-8] is replaced while rows are being written, and has none of them (after %s turns)',
    async (turns) => {
      for (const fails of [false, true]) {
        const model = new RoomModel('epoch', setCell('seed', 1));
        const { room, storage, runs } = await makeSlowRoom(model);
        const restored = new RoomModel('other', setCell('other', 1));
        const creation = room.create(restored.room);
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
        if (fails) storage.failWrites(1, { takesEffect: true });
        const append = room.append(model.commit([setting('a', 1)]), 0).catch(() => undefined);
        await finish(append, runs);
        const isCreated = await finish(creation, runs).then(
          () => true,
          () => false,
        );
        storage.failWrites(0, { takesEffect: true });
        if (!isCreated) continue;
        await expectOnDisk(storage, restored);
        await finish(room.append(restored.commit([setting('b', 1)]), 0), runs);
        await expectOnDisk(storage, restored);
      }
    },
  );

  it('refuses a row while another is being written', async () => {
    const model = new RoomModel();
    const { room, storage, runs } = await makeSlowRoom(model);
    const second = model.fork().commit([setting('a', 2)]);
    const append = room.append(model.commit([setting('a', 1)]), 0);
    await expect(room.append(second, 0)).rejects.toMatchObject({ code: 'unavailable' });
    await finish(append, runs);
    await expectOnDisk(storage, model);
  });

  it.each([false, true])(
    '[DURABLE-2] has a row whole or not at all after a write that failed (it took effect: %s)',
    async (takesEffect) => {
      const storage = new StrictStorage();
      const room = new RoomStorage(storage, { prefix: '' });
      const before = new RoomModel();
      await room.create(before.room);
      const after = before.fork();
      storage.failWrites(1, { takesEffect });
      const entries = after.commit([setting('a', 1), setting('b', 2)]);
      await expect(room.append(entries, 0)).rejects.toThrow('the disk failed');
      const model = takesEffect ? after : before;
      expect((await room.load())?.cursor).toEqual(model.room.cursor);
      await room.append(model.commit([setting('c', 3)]), 0);
      await expectOnDisk(storage, model);
    },
  );

  it.each([false, true])(
    '[DURABLE-4] goes on after any failed write of a checkpoint (it took effect: %s)',
    async (takesEffect) => {
      let failures = 0;
      const sizes = new Set<number>();
      for (let hasFailed = true; hasFailed; failures += 1) {
        const storage = new StrictStorage();
        const model = new RoomModel('epoch', rowsOf('seed'), TINY_SIZES);
        const room = new RoomStorage(storage, { prefix: '', sizes: TINY_SIZES });
        await room.create(model.room);
        await room.append(model.commit([{ changes: rowsOf('a'), clientId: 'a' }]), 0);
        storage.failWrites(1, { takesEffect, spared: failures });
        hasFailed = await room.checkpoint(model.source).then(
          () => false,
          () => true,
        );
        storage.failWrites(0, { takesEffect });
        await room.append(model.commit([setting('b', 2)]), 0);
        await expectOnDisk(storage, model);
        await room.checkpoint(model.source);
        await expectOnDisk(storage, model);
        sizes.add(storage.size);
      }
      // Nothing is left of a snapshot that is not valid.
      expect(sizes.size).toBe(1);
      expect(failures).toBeGreaterThan(4);
    },
  );

  it('[DURABLE-4] gives a snapshot up if what its pages may have never gets into the log', async () => {
    let failures = 0;
    for (let moment = 0; moment < 100; moment += 1) {
      const model = new RoomModel('epoch', rowsOf('seed', 6), TINY_SIZES);
      const { room, storage, runs } = await makeSlowRoom(model);
      const change = model.commit([{ changes: rowsOf('a', 6), clientId: 'a' }]);
      await finish(room.append(change, 0), runs);
      const before = model.fork();
      const checkpoint = room.checkpoint(model.source).then(
        () => undefined,
        () => (failures += 1),
      );
      for (let step = 0; step < moment % 10; step += 1) await runNext(runs);
      const lost = model.commit([{ changes: rowsOf('lost', 6), clientId: 'a' }]);
      const begun = new Deferred<{ readonly append: Promise<void> }>();
      model.appended = begun.promise.then(({ append }) => append);
      model.appended.catch(() => undefined);
      for (let step = 0; step < moment / 10; step += 1) await runNext(runs);
      storage.failWrites(1, { takesEffect: false });
      const append = room.append(lost, 0);
      begun.resolve({ append });
      await expect(finish(append, runs)).rejects.toThrow('the disk failed');
      await finish(checkpoint, runs);
      await expectOnDisk(storage, before);
      await finish(room.load(), runs);
      await finish(room.append(before.commit([setting('b', 1)]), 0), runs);
      await finish(room.checkpoint(before.source), runs);
      await expectOnDisk(storage, before);
    }
    expect(failures).toBeGreaterThan(20);
  });

  it('[DURABLE-4] reads no page while the content has what may be rolled back', async () => {
    const storage = new StrictStorage();
    const model = new RoomModel('epoch', rowsOf('seed'), TINY_SIZES);
    const room = new RoomStorage(storage, { prefix: '', sizes: TINY_SIZES });
    await room.create(model.room);
    await room.append(model.commit([{ changes: rowsOf('a'), clientId: 'a' }]), 0);
    let looks = 0;
    const open = model.fork();
    open.commit([{ changes: rowsOf('rolled back'), clientId: 'a' }]);
    await room.checkpoint({
      ...model.source,
      isReadable: () => (looks += 1) % 3 === 0,
      content: {
        get: (...address) => (looks % 3 === 0 ? model : open).content.get(...address),
        cells: (...address) => (looks % 3 === 0 ? model : open).content.cells(...address),
      },
    });
    expect(looks).toBeGreaterThan(12);
    await expectOnDisk(storage, model);
  });

  it('reports storage that cannot be read as unavailable', async () => {
    const broken = new StrictStorage();
    broken.get = () => Promise.reject(new Error('no disk'));
    const room = new RoomStorage(broken, { prefix: '' });
    await expect(room.load()).rejects.toMatchObject({ code: 'unavailable', isRetryable: true });
  });

  it('keeps 10,000 clients, in parts beside the manifest', async () => {
    const storage = new StrictStorage();
    const model = new RoomModel();
    const room = new RoomStorage(storage, { prefix: '' });
    await room.create(model.room);
    for (let index = 0; index < 10_000; index += 1) {
      const id = `${index}`.padStart(22, '_');
      model.clients.set(id, { lastPush: index, ackedPush: 0, touched: 1e12, generation: index });
    }
    await room.checkpoint(model.source);
    expect((await new RoomStorage(storage, { prefix: '' }).load())?.clients).toEqual(model.clients);
    await room.checkpoint(model.source);
    expect(storage.size).toBeLessThan(12);
    // A checkpoint would write all of them again, more than 400 KB: it does not pay before as much has come.
    await room.append(model.commit([setting('a', 'x'.repeat(300_000))]), 0);
    expect(room.wantsCheckpoint).toBe(false);
    await room.append(model.commit([setting('a', 'y'.repeat(300_000))]), 0);
    expect(room.wantsCheckpoint).toBe(true);
  });

  it('takes a prefix of up to 1,900 bytes', async () => {
    const storage = new StrictStorage();
    const model = new RoomModel();
    const longest = 'é'.repeat(950);
    const room = new RoomStorage(storage, { prefix: longest });
    await room.create(model.room);
    await room.append(model.commit([setting('a', 'x'.repeat(300_000))]), 0);
    expect(() => new RoomStorage(storage, { prefix: `${longest}x` })).toThrow(
      'The storagePrefix has 1901 bytes, and at most 1900 are possible: make it shorter.',
    );
  });

  it.each(['', 'p/'])('shows nothing to a stock server with the prefix "%s"', async (prefix) => {
    const storage = new StrictStorage();
    const model = new RoomModel('epoch', setCell('a', 1));
    await storage.put({ [`${prefix}vstock`]: 1, [`${prefix}t"t","r","c"`]: 2 });
    const room = new RoomStorage(storage, { prefix });
    expect(await room.load()).toBeUndefined();
    await room.create(model.room);
    await room.append(model.commit([setting('b', 2)]), 0);
    const stock = {
      get: async (key: string) => (await storage.get([key])).get(key),
      list: async (options: { prefix: string }) => await storage.list(options),
    } as unknown as StockStorage;
    expect(await hasStoreInStorage(stock, prefix)).toBe(false);
    expect(await loadStoreFromStorage(stock, prefix)).toEqual([
      { t: { r: { c: 2 } } },
      { stock: 1 },
    ]);
  });
});

interface SlowRoom {
  readonly room: RoomStorage;
  readonly storage: StrictStorage;
  /** The calls to storage that have not taken effect. */
  readonly runs: (() => void)[];
}

/** A room that is loaded, on storage whose calls wait until they are run. */
async function makeSlowRoom(model: RoomModel): Promise<SlowRoom> {
  const disk = new StrictStorage();
  const { sizes } = model;
  await new RoomStorage(disk, { prefix: '', sizes }).create(model.room);
  // What a crash left: a checkpoint removes it first, and so takes longer.
  await disk.put({ '@tinybase-partykit/blob/0000000000000900/000000': new Uint8Array(1) });
  const runs: (() => void)[] = [];
  const storage = disk.copy({ defer: (run) => runs.push(run) });
  const room = new RoomStorage(storage, { prefix: '', sizes });
  await finish(room.load(), runs);
  return { room, storage, runs };
}

/** Lets one call take effect, and those who wait for it go on. Returns false if there is none. */
async function runNext(runs: (() => void)[]): Promise<boolean> {
  const run = runs.shift();
  run?.();
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  return run !== undefined;
}

/** Lets calls take effect until the promise resolves; returns how many that took. */
async function finish(promise: Promise<unknown>, runs: (() => void)[]): Promise<number> {
  let steps = 0;
  const settled = promise.then(
    () => true,
    () => true,
  );
  await runNext([]);
  while (!(await Promise.race([settled, Promise.resolve(false)])) && (await runNext(runs)))
    steps += 1;
  await promise;
  return steps;
}

async function expectOnDisk(storage: StrictStorage, model: RoomModel): Promise<void> {
  const loaded = await new RoomStorage(storage.copy(), { prefix: '' }).load();
  expect(loaded?.cursor).toEqual(model.room.cursor);
  expect(loaded && areSameLeaves(loaded.content, model.content)).toBe(true);
}

/** A content, or a change of all of it, that takes some pages of tiny ones; the last has room for another row. */
function rowsOf(leaf: string, count = 12): ChangesBuilder {
  const changes = new ChangesBuilder();
  for (let row = 0; row < count; row += 1) changes.setLeaf('t', `${row}`, 'c', leaf.padEnd(30));
  return changes;
}

function deleting(row: string): Transaction {
  const changes = new ChangesBuilder();
  changes.deleteRow('t', row);
  return { changes, clientId: undefined };
}

function setting(row: string, leaf: string | number): Transaction {
  return { changes: setCell(row, leaf), clientId: undefined };
}
