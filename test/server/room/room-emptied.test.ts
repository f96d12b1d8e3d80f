import { describe, expect, test } from 'vitest';

import { FakeRoomHost, settle } from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const SMALL = { page: 40, slice: 60, smallestCheckpoint: 100, smallestRetention: 50 };

/** The app calls `storage.deleteAll()`. */
const emptyStorage = (host: FakeRoomHost): Promise<void> =>
  host.room.storageEmptied((host.storage as StrictStorage).deleteAll());

const keysOf = async (storage: StrictStorage): Promise<string[]> => [
  ...(await storage.list()).keys(),
];

describe('a room whose storage the app empties', () => {
  test('[LIFE-7] is an empty room at once, aloud', async () => {
    const host = new FakeRoomHost();
    await host.seed({ open: true });
    const ada = await host.join('ada');
    const before = await host.cursor();
    const stock = host.connect();
    await stock.say('s[{},{"heard":1},1]');
    ada.hear();
    const emptied = emptyStorage(host);
    expect(host.room.store.getContent()).toEqual([{}, {}]);
    await emptied;
    expect(ada.hearOne('error').code).toBe('stale');
    expect(stock.closed?.code).toBe(4503);
    expect(host.errors.map(({ error }) => String(error))).toEqual([
      expect.stringContaining('deleteAll'),
    ]);
    const { epoch, version } = await host.cursor();
    expect([epoch === before.epoch, version]).toEqual([false, 0]);
    await ada.hello({ generation: 2, cursor: before, nextPush: 1 });
    expect(ada.hearOne('welcome').changes).toBeUndefined();
  });

  test('[LIFE-7] keeps what comes after, and clients push again what was not confirmed', async () => {
    const runs: (() => void)[] = [];
    let isSlow = false;
    const storage = new StrictStorage({ defer: (run) => (isSlow ? runs.push(run) : run()) });
    const host = new FakeRoomHost({}, storage);
    await host.seed({ open: true });
    const ada = await host.join('ada');
    isSlow = true;
    await ada.push(1, { mine: 1 });
    const emptied = emptyStorage(host);
    isSlow = false;
    for (const run of runs.splice(0)) run();
    await emptied;
    await settle();
    expect(ada.hearTypes()).toEqual(['error']);
    await ada.hello({ generation: 2, cursor: await host.cursor() });
    expect(ada.hearOne('welcome').lastPush).toBe(0);
    await ada.push(1, { mine: 1 });
    expect(await host.content()).toEqual([{}, { mine: 1 }]);
    host.hibernate();
    expect(await host.content()).toEqual([{}, { mine: 1 }]);
  });

  test('[LIFE-7] asks storage for nothing more if it had no Store, and says nothing', async () => {
    const host = new FakeRoomHost();
    await host.room.start();
    await emptyStorage(host);
    expect(host.errors).toEqual([]);
    await host.seed({ open: true });
    host.hibernate();
    expect(await host.content()).toEqual([{}, { open: true }]);
  });

  test('[LIFE-7] waits for the end of an open transaction', async () => {
    const host = new FakeRoomHost();
    await host.seed({ open: true });
    host.room.store.startTransaction();
    const emptied = emptyStorage(host);
    await settle();
    expect(host.room.store.getValues()).toEqual({ open: true });
    host.room.store.finishTransaction();
    await emptied;
    await host.pass(20);
    expect(await host.content()).toBeUndefined();
    expect(host.room.store.getContent()).toEqual([{}, {}]);
  });

  test('[LIFE-7] is empty at whatever moment it happens, and keeps what comes after', async () => {
    for (let moment = 0; moment < 40; moment += 1) {
      const runs: (() => void)[] = [];
      const storage = new StrictStorage({ defer: (run) => runs.push(run) });
      const host = new FakeRoomHost({ storageSizes: () => SMALL }, storage);
      let steps = 0;
      const step = async (): Promise<void> => {
        await settle();
        runs.shift()?.();
        await settle();
        await host.pass(1);
        steps += 1;
      };
      const started = host.room.start();
      while (!host.room.isLoaded) await step();
      await started;
      steps = 0;
      let emptied: Promise<void> | undefined;
      for (let edit = 0; edit < 60; edit += 1) {
        if (emptied === undefined) {
          host.room.store.setCell('t', `r${edit % 7}`, 'c', `a long text, number ${edit}`);
        }
        await step();
        if (steps !== moment) continue;
        emptied = emptyStorage(host);
        host.room.store.setValue('after', moment);
      }
      for (let left = 0; left < 50; left += 1) await step();
      await emptied;
      if (moment === 0) continue;
      const restarted = new FakeRoomHost({}, storage.copy());
      expect([moment, await restarted.content()]).toEqual([moment, [{}, { after: moment }]]);
      expect(await host.cursor().then(({ version }) => version)).toBe(1);
    }
  }, 30_000);

  test.each(['a checkpoint', 'its initial content'])(
    '[LIFE-7] can be loaded wherever the process dies after the call, while %s is written',
    async (what) => {
      const outcomes = new Set<string>();
      for (let moment = 1; moment < 30; moment += what === 'a checkpoint' ? 1 : 3) {
        for (let effects = 0; effects < 4; effects += 1) {
          const runs: (() => void)[] = [];
          const storage = new StrictStorage({ defer: (run) => runs.push(run) });
          const host = new FakeRoomHost({ storageSizes: () => SMALL }, storage);
          const step = async (): Promise<void> => {
            await settle();
            runs.shift()?.();
            await host.pass(1);
          };
          void host.room.start();
          while (!host.room.isLoaded) await step();
          if (what === 'a checkpoint') {
            host.room.store.setValue('open', true);
            for (let steps = 0; steps < 5; steps += 1) await step();
          }
          // The initial content has more pages than fit in one call.
          const rows = what === 'a checkpoint' ? 6 : 300;
          host.room.store.transaction(() => {
            for (let row = 0; row < rows; row += 1)
              host.room.store.setCell('t', `r${row}`, 'c', `a long text, number ${row}`);
          });
          for (let steps = 0; steps < moment; steps += 1) await step();
          void emptyStorage(host);
          await settle();
          for (let effect = 0; effect < effects; effect += 1) await step();
          storage.freeze(effects);
          const woken = new FakeRoomHost({}, storage.copy());
          const content = await woken.content();
          outcomes.add(content === undefined ? 'empty' : 'not yet emptied');
        }
      }
      expect([...outcomes].toSorted()).toEqual(['empty', 'not yet emptied']);
    },
    30_000,
  );

  test('[LIFE-7] is loaded as it is on disk if the call fails', async () => {
    const storage = new StrictStorage();
    const host = new FakeRoomHost({}, storage);
    await host.seed({ open: true });
    const before = await host.cursor();
    storage.failWrites(1, { takesEffect: false });
    await emptyStorage(host);
    await settle();
    expect(await host.content()).toEqual([{}, { open: true }]);
    expect((await host.cursor()).epoch).toBe(before.epoch);
  });

  test.each(['the manifest', 'all keys'])(
    '[LIFE-7] is an empty room from the next checkpoint or load on if something else removed %s',
    async (which) => {
      for (const isLoaded of [false, true]) {
        const storage = new StrictStorage();
        const host = new FakeRoomHost({ storageSizes: () => SMALL }, storage);
        await host.seed({ open: true });
        const keys = await keysOf(storage);
        await storage.delete(
          which === 'all keys' ? keys : keys.filter((key) => key.endsWith('manifest')),
        );
        host.room.store.setValue('lost', 1);
        await host.room.whenDurable();
        if (isLoaded) host.hibernate();
        for (let edit = isLoaded ? 5 : 0; edit < 5 && host.errors.length === 0; edit += 1) {
          host.room.store.setValue('lost', `a text that makes checkpoints come, number ${edit}`);
          await host.room.whenDurable().catch(() => undefined);
          await settle();
        }
        expect(await host.content()).toBeUndefined();
        expect(host.room.store.getContent()).toEqual([{}, {}]);
        expect(host.errors.map(({ error }) => String(error)).join()).toContain('emptied');
        await host.seed({ again: true });
        host.hibernate();
        expect(await host.content()).toEqual([{}, { again: true }]);
      }
    },
  );
});

describe('wipe', () => {
  test('[LIFE-8] removes what the room stored and nothing else, in a new epoch, on disk when it resolves', async () => {
    const storage = new StrictStorage();
    await storage.put({
      hasStore: 1,
      't"t","r","c"': 1,
      visits: 7,
      '@tinybase-partykit/room-id': 'r',
    });
    const host = new FakeRoomHost({}, storage);
    const ada = await host.join('ada');
    await ada.push(1, { 'a long text': 'x'.repeat(200_000) });
    const before = await host.cursor();
    ada.hear();
    await host.room.wipe();
    expect(await keysOf(storage)).toEqual(['@tinybase-partykit/room-id', 'visits']);
    expect(host.room.store.getContent()).toEqual([{}, {}]);
    expect(ada.hearOne('error').code).toBe('stale');
    const { epoch, version } = await host.cursor();
    expect([epoch === before.epoch, version]).toEqual([false, 0]);
    await ada.hello({ generation: 2, cursor: await host.cursor(), nextPush: 2 });
    ada.hear();
    await ada.push(2, { mine: 1 });
    host.hibernate();
    expect(await host.content()).toEqual([{}, { mine: 1 }]);
    expect(host.errors).toEqual([]);
  });

  test('[LIFE-8] waits for its turn, and what comes after it counts', async () => {
    const host = new FakeRoomHost({ hooks: () => ({ canSetValue: async () => true }) });
    await host.seed({ open: true });
    const ada = await host.join('ada');
    void ada.push(1, { before: 1 });
    const wiped = host.room.wipe();
    await wiped;
    host.room.store.setValue('after', 1);
    expect(await host.content()).toEqual([{}, { after: 1 }]);
    const restored = host.room.restoreRoom(await host.room.exportRoom());
    await host.room.wipe();
    await restored;
    expect(await host.content()).toBeUndefined();
  });

  test('[LIFE-8] helps a room that cannot be loaded', async () => {
    const storage = new StrictStorage();
    const host = new FakeRoomHost({}, storage);
    await host.seed({ open: true });
    await storage.delete((await keysOf(storage)).filter((key) => key.includes('blob/')));
    host.hibernate();
    await expect(host.room.start()).rejects.toMatchObject({ code: 'unavailable' });
    await host.room.wipe();
    expect(await host.content()).toBeUndefined();
    await host.seed({ again: true });
    host.hibernate();
    expect(await host.content()).toEqual([{}, { again: true }]);
  });

  test('[LIFE-8] resolves if everything is removed, though the room cannot be loaded after that', async () => {
    const storage = new StrictStorage();
    await new FakeRoomHost({}, storage).seed({ open: true });
    let isBroken = true;
    const prepareStore = (): void => {
      if (isBroken) throw new Error('no');
    };
    const host = new FakeRoomHost({ prepareStore }, storage);
    await expect(host.room.start()).rejects.toMatchObject({ code: 'unavailable' });
    await host.room.wipe();
    expect(await keysOf(storage)).toEqual([]);
    isBroken = false;
    expect(await host.content()).toBeUndefined();
  });

  test('[LIFE-8] rejects if storage fails, and the room is as it is on disk', async () => {
    const storage = new StrictStorage();
    const host = new FakeRoomHost({}, storage);
    await host.seed({ open: true });
    storage.failWrites(1, { takesEffect: false });
    await expect(host.room.wipe()).rejects.toMatchObject({ code: 'unavailable' });
    expect(await host.content()).toEqual([{}, { open: true }]);
  });
});
