import type { Store } from 'tinybase';
import { expect, test } from 'vitest';

import type { Save } from '../../../../src/server/index.ts';
import { Deferred } from '../../../support/deferred.ts';
import { settle } from '../../../support/fake-connection.ts';
import { LifecycleWorld } from '../../../support/lifecycle-world.ts';

test('[SAVE-2] 20 edits give few saves: trailing, 2 s apart, the last one with everything', async () => {
  const world = LifecycleWorld.logging();
  await world.connect();
  await world.host.seed({ v: 0 });
  for (let edit = 1; edit <= 20; edit += 1) {
    await world.pass(200);
    world.set(edit);
  }
  await world.pass(3_000);
  expect(world.take()).toEqual(['saved 10 {"v":9}', 'saved 20 {"v":19}', 'saved 21 {"v":20}']);
  await world.pass(60_000);
  expect(world.take()).toEqual([]);
  expect(world.errors).toEqual([]);
});

test.each([
  ['a save', 0, ['saved 2 {"v":1}']],
  ['a further attempt', 1, ['failed', 'saved 2 {"v":1}']],
])('[SAVE-2] %s does not wait for a clock that was set back', async (_what, failures, log) => {
  let left = failures;
  const world = LifecycleWorld.logging(
    {},
    {
      onStorageUpdated: (save) => {
        if ((left -= 1) >= 0) {
          world.log.push('failed');
          throw new Error('The database is down.');
        }
        world.note('saved', save);
      },
    },
  );
  await world.connect();
  await world.host.seed({ v: 0 });
  await world.pass(3_000);
  left = failures;
  world.take();
  world.set(1);
  if (failures > 0) await world.pass(2_100);
  world.host.clockSkew = -86_400_000;
  await world.pass(6_000);
  expect(world.take()).toEqual(log);
});

test('[SAVE-2] a save tells the changes since the last one, and who made them', async () => {
  const saves: unknown[] = [];
  const world = new LifecycleWorld({
    onStorageUpdated: ({ changes, callers, epoch }) => saves.push([changes, callers, epoch]),
  });
  await world.start();
  await world.host.seed({ v: 1, t: { r: { c: 1, d: 2 } } });
  const ada = await world.host.join('ada');
  await world.pass(2_500);
  await ada.push(1, { v: 2, t: { r: { c: undefined }, s: { deep: '\uFFFD[1]' } } });
  await ada.push(2, { v: 3 });
  world.host.room.store.delRow('t', 's');
  await world.pass(2_500);
  world.host.room.store.delRow('t', 'r');
  world.host.room.store.setRow('t', 'r', { c: 3 });
  await world.pass(2_500);
  const { epoch } = await world.host.cursor();
  expect(saves).toEqual([
    [undefined, ['request'], epoch],
    [[{ t: { r: { c: undefined }, s: undefined } }, { v: 3 }, 1], [ada], epoch],
    [undefined, [], epoch],
  ]);
});

test('[SAVE-2] saves never overlap: what happens during one is in the next', async () => {
  const ends: Deferred<void>[] = [];
  const world = LifecycleWorld.logging(
    {},
    {
      onStorageUpdated: async (save) => {
        world.note('begins', save);
        const end = new Deferred<void>();
        ends.push(end);
        await end.promise;
        world.log.push('ends');
      },
    },
  );
  await world.connect();
  await world.host.seed({ v: 0 });
  await world.pass(2_000);
  world.set(1);
  await world.pass(9_000);
  world.set(2);
  expect(world.take()).toEqual(['begins 1 {"v":0}']);
  ends[0]?.resolve();
  await world.pass(100);
  expect(world.take()).toEqual(['ends', 'begins 3 {"v":2}']);
  ends[1]?.resolve();
  await world.pass(10_000);
  expect(world.take()).toEqual(['ends']);
});

test('a save hook that changes the room each time is told so, once, and others are not', async () => {
  const store = (): Store => world.host.room.store;
  let isChanging = true;
  const world: LifecycleWorld = LifecycleWorld.logging(
    {},
    {
      onStorageUpdated: async (save) => {
        world.note('saved', save);
        await Promise.resolve();
        if (isChanging) store().setValue('saved', save.version);
      },
    },
  );
  await world.start();
  store().setValue('v', 1);
  await world.pass(19_000);
  expect(world.take()).toHaveLength(9);
  expect(world.errors).toEqual([]);
  // A user edits between two saves.
  store().setValue('v', 2);
  await world.pass(18_000);
  expect(world.take()).toHaveLength(9);
  expect(world.errors).toEqual([]);
  await world.pass(60_000);
  expect(world.errors.map(String)).toEqual([expect.stringContaining('is called for ever')]);
  isChanging = false;
  await world.pass(10_000);
  world.take();
  await world.pass(10_000);
  expect(world.take()).toEqual([]);
});

test('[SAVE-2] content that is saved is durable: what was lost meanwhile is not', async () => {
  const world = LifecycleWorld.logging();
  await world.connect();
  await world.host.seed({ v: 0 });
  await world.pass(2_500);
  world.set('kept');
  await world.pass(1_900);
  world.take();
  // The save is due while the write is on its way.
  world.storage.failWrites(1, { takesEffect: false });
  world.set('lost');
  await world.host.pass(100);
  await world.pass(5_000);
  expect(world.take()).toEqual(['saved 2 {"v":"kept"}']);
});

test('[SAVE-2] the room is killed before a save: it saves when it is loaded, and not twice', async () => {
  const world = LifecycleWorld.logging();
  await world.connect();
  await world.host.seed({ v: 0 });
  await world.pass(2_500);
  world.set(1);
  await settle();
  await world.restart();
  await world.connect();
  expect(world.take()).toEqual(['saved 1 {"v":0}']);
  await world.pass(2_500);
  expect(world.take()).toEqual(['saved 2 {"v":1}']);
  await world.restart();
  await world.connect();
  await world.pass(60_000);
  expect(world.take()).toEqual([]);
});

test('[SAVE-2] a hibernated room knows what it has saved', async () => {
  const world = LifecycleWorld.logging();
  const ada = await world.connect();
  await world.host.seed({ v: 0 });
  await world.pass(2_500);
  world.take();
  const [woken] = world.sleep(ada);
  await world.start();
  await world.pass(60_000);
  expect(world.take()).toEqual([]);
  if (woken !== undefined) await world.leave(woken);
  await world.pass(10_500);
  expect(world.take()).toEqual(['emptied 1 {"v":0}']);
});

test('[SAVE-2] a restored room is another history, and is saved', async () => {
  const world = LifecycleWorld.logging();
  await world.connect();
  await world.host.seed({ v: 0 });
  await world.pass(2_500);
  const document = await world.host.room.exportRoom();
  world.set(1);
  await world.pass(2_500);
  world.take();
  await world.host.room.restoreRoom(document);
  await world.pass(2_500);
  expect(world.take()).toEqual(['saved 1 {"v":0}']);
});

test('[SAVE-3] a save that throws is called again 1 s later, then twice as long each time, for ever', async () => {
  const times: number[] = [];
  let isDown = true;
  const world = LifecycleWorld.logging(
    {},
    {
      onStorageUpdated: async (save) => {
        times.push(world.host.time);
        if (isDown) throw new Error('The database is down.');
        world.note('saved', save);
      },
    },
  );
  await world.connect();
  await world.host.seed({ v: 0 });
  await world.pass(2_000_000);
  const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  expect(pauses.slice(0, 12)).toEqual(
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600].map((seconds) => seconds * 1_000),
  );
  expect(world.errors).toHaveLength(times.length);
  isDown = false;
  world.set('later');
  await world.pass(600_000);
  expect(world.take()).toEqual(['saved 2 {"v":"later"}']);
  isDown = true;
  times.length = 0;
  world.set('again');
  await world.pass(4_000);
  expect(times).toHaveLength(2);
});

test.each(['onStorageUpdated', 'onRoomDeleted'] as const)(
  '[SAVE-3] nothing is cleared while %s throws; then all is saved, in order',
  async (failing) => {
    let isDown = true;
    const world = LifecycleWorld.logging(
      { isEphemeral: true },
      {
        [failing]: (save: Save) => {
          if (isDown) throw new Error('down');
          world.note(failing === 'onRoomDeleted' ? 'emptied' : 'saved', save);
        },
      },
    );
    const ada = await world.connect();
    await world.host.seed({ v: 0 });
    await world.leave(ada);
    await world.pass(60_000);
    const before = world.take();
    expect(before).toEqual(failing === 'onRoomDeleted' ? ['saved 1 {"v":0}'] : []);
    expect(await world.host.content()).toEqual([{}, { v: 0 }]);
    isDown = false;
    await world.pass(60_000);
    expect([...before, ...world.take()]).toEqual(['saved 1 {"v":0}', 'emptied 1 {"v":0}']);
    expect((await world.storage.copy().list()).size).toBe(0);
  },
);

test('[SAVE-3] a save that failed waits for a room that has to be loaded first', async () => {
  let left = 1;
  const world = LifecycleWorld.logging(
    {},
    {
      onStorageUpdated: (save) => {
        if ((left -= 1) >= 0) throw new Error('The database is down.');
        world.note('saved', save);
      },
    },
  );
  await world.start();
  await world.host.seed({ v: 0 });
  // A client stays, and a stock peer would be closed.
  await world.host.join('ada');
  await world.pass(2_500);
  expect(world.errors).toHaveLength(1);
  world.storage.failWrites(1, { takesEffect: false });
  const { storage } = world;
  const loading = new Deferred<void>();
  const get = storage.get.bind(storage);
  storage.get = async (keys) => await loading.promise.then(async () => await get(keys));
  world.set('lost');
  await settle();
  let looks = 0;
  Object.defineProperty(world.host, 'clockSkew', {
    get: () => {
      if ((looks += 1) > 1_000) throw new Error('The room does not come to rest.');
      return 0;
    },
  });
  await world.host.pass(1_000);
  expect(world.take()).toEqual([]);
  loading.resolve();
  await settle();
  await world.host.pass(2_000);
  expect(world.take()).toEqual(['saved 1 {"v":0}']);
});

test('the room empties: after 10 s alone, once, and after what was to be saved', async () => {
  const world = LifecycleWorld.logging({ storageUpdatedMilliseconds: 60_000 });
  const [ada, bob] = [await world.connect(), await world.connect()];
  await world.host.seed({ v: 0 });
  await world.leave(ada);
  await world.pass(20_000);
  expect(world.take()).toEqual([]);
  await world.leave(bob);
  await world.pass(9_000);
  expect(world.take()).toEqual([]);
  await world.pass(1_500);
  expect(world.take()).toEqual(['saved 1 {"v":0}', 'emptied 1 {"v":0}']);
  await world.pass(600_000);
  expect(world.take()).toEqual([]);
  const visitor = await world.connect();
  await world.leave(visitor);
  await world.pass(11_000);
  expect(world.take()).toEqual(['emptied 1 {"v":0}']);
});

test('somebody who comes back in time keeps the room from emptying, also right before', async () => {
  const world = LifecycleWorld.logging(
    {},
    {
      onStorageUpdated: async (save) => {
        world.note('saved', save);
        if (save.version === 2) await world.connect();
      },
    },
  );
  const ada = await world.connect();
  await world.host.seed({ v: 0 });
  await world.leave(ada);
  await world.pass(9_900);
  const again = await world.connect();
  await world.pass(60_000);
  expect(world.take()).toEqual(['saved 1 {"v":0}']);
  await world.leave(again);
  await world.pass(9_900);
  // It is saved right before the emptying, and somebody comes meanwhile.
  world.set(1);
  await world.pass(60_000);
  expect(world.take()).toEqual(['saved 2 {"v":1}']);
});

test('a change in an empty room is saved, and the room empties again', async () => {
  const world = LifecycleWorld.logging();
  const ada = await world.connect();
  await world.host.seed({ v: 0 });
  await world.leave(ada);
  await world.pass(60_000);
  world.take();
  world.set(1);
  await world.pass(60_000);
  expect(world.take()).toEqual(['saved 2 {"v":1}', 'emptied 2 {"v":1}']);
});

test('a room that nobody ever connected to empties', async () => {
  const world = LifecycleWorld.logging();
  await world.start();
  await world.host.seed({ v: 0 });
  await world.pass(60_000);
  expect(world.take()).toEqual(['saved 1 {"v":0}', 'emptied 1 {"v":0}']);
});

test('a room without a Store has nothing to save', async () => {
  const world = LifecycleWorld.logging({ isEphemeral: true });
  const ada = await world.connect();
  await world.leave(ada);
  await world.pass(60_000);
  expect(world.take()).toEqual([]);
  expect([world.storage.size, world.storage.alarm]).toEqual([0, null]);
});

test('an ephemeral room is gone when it has emptied, and begins again with what was saved', async () => {
  let saved: unknown = [{}, { v: 'from the database' }];
  let loads = 0;
  const world = LifecycleWorld.logging(
    { isEphemeral: true },
    {
      getInitialStorage: async () => {
        loads += 1;
        return saved as never;
      },
      onRoomDeleted: (save) => {
        world.note('emptied', save);
        saved = save.content;
      },
    },
  );
  const ada = await world.connect();
  world.set('edited');
  await world.leave(ada);
  await world.pass(20_000);
  expect(world.take()).toEqual(['saved 2 {"v":"edited"}', 'emptied 2 {"v":"edited"}']);
  expect([world.storage.size, world.storage.alarm, loads]).toEqual([0, null, 1]);
  await world.connect();
  expect(world.host.room.store.getValues()).toEqual({ v: 'edited' });
  expect(loads).toBe(2);
  await world.pass(60_000);
  expect(world.take()).toEqual([]);
});

test.each(['comes', 'changes'])(
  'an ephemeral room stays if somebody %s while its hook runs',
  async (what) => {
    const end = new Deferred<void>();
    let calls = 0;
    const world = LifecycleWorld.logging(
      { isEphemeral: true },
      {
        onRoomDeleted: async (save) => {
          world.note('emptied', save);
          calls += 1;
          if (calls === 1) await end.promise;
        },
      },
    );
    const ada = await world.connect();
    await world.host.seed({ v: 0 });
    await world.leave(ada);
    await world.pass(11_000);
    expect(world.take()).toEqual(['saved 1 {"v":0}', 'emptied 1 {"v":0}']);
    const bob = what === 'comes' ? await world.connect() : undefined;
    if (what === 'changes') world.set(1);
    await settle();
    end.resolve();
    await world.pass(5_000);
    expect(world.host.room.hasStore).toBe(true);
    if (bob !== undefined) await world.leave(bob);
    await world.pass(20_000);
    expect(world.take()).toEqual(
      bob === undefined ? ['saved 2 {"v":1}', 'emptied 2 {"v":1}'] : ['emptied 1 {"v":0}'],
    );
    expect(world.storage.size).toBe(0);
  },
);

test('a visit while the hook runs is followed by another emptying', async () => {
  const end = new Deferred<void>();
  let calls = 0;
  const world = LifecycleWorld.logging(
    {},
    {
      onRoomDeleted: async (save) => {
        world.note('emptied', save);
        calls += 1;
        if (calls === 1) await end.promise;
      },
    },
  );
  await world.leave(await world.connect());
  await world.host.seed({ v: 0 });
  await world.pass(11_000);
  await world.leave(await world.connect());
  end.resolve();
  await world.pass(20_000);
  expect(world.take()).toEqual(['saved 1 {"v":0}', 'emptied 1 {"v":0}', 'emptied 1 {"v":0}']);
});

test('keys of the app and revoked users outlive an ephemeral room', async () => {
  const world = LifecycleWorld.logging({ isEphemeral: true });
  await world.storage.put('mine', 1);
  await world.storage.put('@tinybase-partykit/revoked', '[]');
  const ada = await world.connect();
  await world.host.seed({ v: 0 });
  await world.leave(ada);
  await world.pass(20_000);
  expect([...(await world.storage.list()).keys()].toSorted()).toEqual([
    '@tinybase-partykit/revoked',
    'mine',
  ]);
});

test('a hook that takes long is reported, and nothing else is called meanwhile', async () => {
  const world = new LifecycleWorld({ onStorageUpdated: () => new Promise(() => undefined) });
  const ada = await world.connect();
  await world.host.seed({ v: 0 });
  await world.leave(ada);
  await world.pass(120_000);
  expect(world.errors.map(String)).toEqual([expect.stringContaining('has not settled')]);
});

test('an option that is no number is reported, once, and the default is used', async () => {
  const world = LifecycleWorld.logging({ storageUpdatedMilliseconds: 'soon' as never });
  await world.connect();
  await world.host.seed({ v: 0 });
  await world.pass(2_500);
  world.host.room.store.transaction(() => world.set(1));
  await world.pass(2_500);
  expect(world.take()).toHaveLength(2);
  expect(world.errors.map(String)).toEqual([
    expect.stringContaining('storageUpdatedMilliseconds is a string'),
  ]);
});
