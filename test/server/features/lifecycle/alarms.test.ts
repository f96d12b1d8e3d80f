import { expect, test } from 'vitest';

import { AlarmStorage } from '../../../support/alarm-storage.ts';
import { Deferred } from '../../../support/deferred.ts';
import { settle } from '../../../support/fake-connection.ts';
import { LifecycleWorld } from '../../../support/lifecycle-world.ts';

const seeded = async (world: LifecycleWorld): Promise<LifecycleWorld> => {
  await world.connect();
  await world.host.seed({ v: 0 });
  await settle();
  return world;
};

/** It loses the alarm that there was when it fails. */
class FailingAlarm extends AlarmStorage {
  isFailing = false;

  override async setAlarm(time: number | Date): Promise<void> {
    if (!this.isFailing) return await super.setAlarm(time);
    this.isFailing = false;
    this.alarm = null;
    throw new Error('the disk failed');
  }
}

/** It refuses the times that hosts refuse. */
class HostAlarm extends AlarmStorage {
  override async setAlarm(time: number | Date): Promise<void> {
    if (!(Number(time) > 0 && Number(time) < Date.UTC(2190))) throw new TypeError('refused');
    await super.setAlarm(time);
  }
}

test('[SAVE-4] killed before a save, and nobody comes back: the alarm saves and empties', async () => {
  const world = await seeded(LifecycleWorld.logging());
  await world.pass(2_500);
  world.set(1);
  await settle();
  const { time } = world.host;
  expect(world.storage.alarm).toBeLessThanOrEqual(time + 32_000);
  await world.restart();
  await world.pass(33_000);
  expect(world.take()).toEqual(['saved 1 {"v":0}', 'saved 2 {"v":1}']);
  await world.pass(11_000);
  expect(world.take()).toEqual(['emptied 2 {"v":1}']);
  await world.pass(600_000);
  expect(world.take()).toEqual([]);
});

test('[SAVE-4] killed in the time before it empties, and nobody comes back: the alarm empties it', async () => {
  const world = LifecycleWorld.logging();
  const ada = await world.connect();
  await world.host.seed({ v: 0 });
  await world.pass(2_500);
  await world.leave(ada);
  await world.pass(5_000);
  expect(world.take()).toEqual(['saved 1 {"v":0}']);
  await world.restart();
  await world.pass(30_000);
  expect(world.take()).toEqual(['emptied 1 {"v":0}']);
});

test('[SAVE-4] a visit without a change also ends with an emptying, if the room is killed in that time', async () => {
  const world = LifecycleWorld.logging();
  const ada = await world.connect();
  await world.host.seed({ v: 0 });
  await world.leave(ada);
  await world.pass(20_000);
  world.take();
  await world.leave(await world.connect());
  await world.pass(5_000);
  await world.restart();
  await world.pass(30_000);
  expect(world.take()).toEqual(['emptied 1 {"v":0}']);
});

test('[SAVE-4] killed after it has emptied: it does not empty again until somebody was there', async () => {
  const world = LifecycleWorld.logging();
  await world.leave(await world.connect());
  await world.host.seed({ v: 0 });
  await world.pass(20_000);
  expect(world.take()).toEqual(['saved 1 {"v":0}', 'emptied 1 {"v":0}']);
  await world.restart();
  await world.start();
  await world.pass(60_000);
  expect(world.take()).toEqual([]);
});

test('[SAVE-4] a host that loses alarms: the load saves, empties, and sets the alarms again', async () => {
  const world = await seeded(LifecycleWorld.logging());
  const appTime = world.host.time + 100_000;
  await world.app.setAlarm(appTime);
  await world.restart(1_000, false);
  expect(world.storage.alarm).toBe(null);
  await world.start();
  expect(world.storage.alarm).toBeLessThanOrEqual(world.host.time + 11_000);
  await world.pass(30_000);
  expect(world.take()).toEqual(['saved 1 {"v":0}', 'emptied 1 {"v":0}']);
  await world.pass(100_000);
  expect(world.appAlarms).toEqual([appTime]);
});

test('[SAVE-4] an alarm is set for each attempt, and it makes the attempt if the room is asleep', async () => {
  const world = await seeded(
    LifecycleWorld.logging(
      {},
      {
        onStorageUpdated: (save) => {
          world.note('tries', save);
          throw new Error('down');
        },
      },
    ),
  );
  await world.pass(2_500);
  expect(world.take()).toEqual(['tries 1 {"v":0}']);
  for (let life = 0; life < 3; life += 1) {
    expect(world.storage.alarm).not.toBe(null);
    await world.restart();
    await world.pass(33_000);
    expect(world.take()[0]).toBe('tries 1 {"v":0}');
  }
});

test('[SAVE-4] an alarm that finds everything done does nothing, and sets none', async () => {
  const world = await seeded(LifecycleWorld.logging());
  await world.pass(3_000);
  world.take();
  expect(world.storage.alarm).not.toBe(null);
  await world.pass(40_000);
  expect([world.take(), world.storage.alarm]).toEqual([[], null]);
});

test('[SAVE-4] an alarm of a room that cannot be loaded comes again', async () => {
  const world = await seeded(LifecycleWorld.logging());
  await world.lifecycle.postpone();
  expect(world.storage.alarm).toBe(world.host.time + 30_000);
});

test('[SAVE-5] the alarm of a room that cannot be loaded is not the app’s, if the app has deleted its own', async () => {
  const world = LifecycleWorld.logging();
  await world.app.setAlarm(world.host.time + 1_000);
  await world.app.deleteAlarm();
  await world.lifecycle.postpone();
  await world.restart();
  expect(await world.app.getAlarm()).toBe(null);
  await world.pass(40_000);
  expect(world.appAlarms).toEqual([]);
});

test('[SAVE-5] an alarm of the app that comes to a room that cannot be loaded comes again', async () => {
  const world = LifecycleWorld.logging();
  const appTime = world.host.time + 1_000;
  await world.app.setAlarm(appTime);
  await world.lifecycle.postpone();
  await world.restart();
  expect(await world.app.getAlarm()).toBe(appTime);
  await world.pass(40_000);
  expect(world.appAlarms).toEqual([appTime]);
});

test('[SAVE-5] an alarm of the app that is earlier stays, and ours comes after it', async () => {
  const world = LifecycleWorld.logging();
  const early = world.host.time + 1_000;
  await world.app.setAlarm(early);
  await seeded(world);
  expect(world.storage.alarm).toBe(early);
  await world.pass(1_500);
  expect(world.appAlarms).toEqual([early]);
  expect(world.storage.alarm).toBeGreaterThan(world.host.time);
  await world.restart();
  await world.pass(60_000);
  expect(world.appAlarms).toEqual([early]);
  expect(world.take()).toEqual(['saved 1 {"v":0}', 'emptied 1 {"v":0}']);
});

test('[SAVE-5] an alarm of the app that is later is set again after ours, and its handler hears of no other', async () => {
  const world = LifecycleWorld.logging();
  const late = world.host.time + 90_000;
  await world.app.setAlarm(late);
  await seeded(world);
  expect(world.storage.alarm).toBeLessThan(late);
  expect(await world.app.getAlarm()).toBe(late);
  await world.restart();
  await world.pass(33_000);
  expect(world.appAlarms).toEqual([]);
  expect(await world.app.getAlarm()).toBe(late);
  await world.pass(60_000);
  expect(world.appAlarms).toEqual([late]);
  expect(await world.app.getAlarm()).toBe(null);
  expect(world.take()).toEqual(['saved 1 {"v":0}', 'emptied 1 {"v":0}']);
});

test('[SAVE-5] an alarm that the app sets between, before and after ours', async () => {
  const world = await seeded(LifecycleWorld.logging());
  const ours = world.storage.alarm ?? 0;
  await world.app.setAlarm(ours + 5_000);
  expect(world.storage.alarm).toBe(ours);
  await world.app.setAlarm(ours - 5_000);
  expect(world.storage.alarm).toBe(ours - 5_000);
  await world.app.setAlarm(ours + 7_000);
  expect(world.storage.alarm).toBe(ours);
  await world.app.deleteAlarm();
  expect([world.storage.alarm, await world.app.getAlarm()]).toEqual([ours, null]);
  await world.app.setAlarm(ours + 9_000);
  await world.restart();
  await world.pass(50_000);
  expect(world.appAlarms).toEqual([ours + 9_000]);
});

test('[SAVE-5] an alarm of the app at the same time as ours is both', async () => {
  const world = await seeded(LifecycleWorld.logging());
  const ours = world.storage.alarm ?? 0;
  await world.app.setAlarm(ours);
  await world.restart();
  await world.pass(33_000);
  expect(world.appAlarms).toEqual([ours]);
  expect(world.take()).toEqual(['saved 1 {"v":0}']);
});

test('[SAVE-5] a handler of the app that sets its next alarm each time is called each time', async () => {
  const world = LifecycleWorld.logging();
  world.onAlarm = async () => {
    await world.app.setAlarm(world.host.time + 1_000);
  };
  const first = world.host.time + 1_000;
  await world.app.setAlarm(first);
  await seeded(world);
  await world.pass(5_500);
  expect(world.appAlarms).toEqual([0, 1, 2, 3, 4].map((second) => first + second * 1_000));
});

test('[SAVE-5] a handler of the app that throws is called again, and our work is done all the same', async () => {
  const world = LifecycleWorld.logging();
  await world.app.setAlarm(world.host.time + 1_000);
  await seeded(world);
  let calls = 0;
  world.onAlarm = async () => {
    calls += 1;
    if (calls === 1) throw new Error('not yet');
  };
  await world.pass(1_500);
  expect(world.errors.map(String)).toEqual(['Error: not yet']);
  // The host tries again.
  world.storage.alarm = world.host.time;
  await world.fireDue();
  expect(calls).toBe(2);
  expect(await world.app.getAlarm()).toBe(null);
  await world.pass(40_000);
  expect(calls).toBe(2);
  expect(world.take()).toEqual(['saved 1 {"v":0}']);
});

test('[SAVE-5] an alarm that the app deletes stays deleted, also if its handler fails after that', async () => {
  const world = LifecycleWorld.logging();
  await world.app.setAlarm(world.host.time + 1_000);
  await seeded(world);
  let calls = 0;
  world.onAlarm = async () => {
    calls += 1;
    await world.app.deleteAlarm();
    throw new Error('after all');
  };
  await world.pass(1_500);
  expect(world.errors.map(String)).toEqual(['Error: after all']);
  expect(await world.app.getAlarm()).toBe(null);
  world.storage.alarm = world.host.time;
  await world.fireDue();
  await world.pass(40_000);
  expect(calls).toBe(1);
});

test('[SAVE-5] an alarm that is older than the hooks is the app’s', async () => {
  const storage = new AlarmStorage();
  await storage.setAlarm(1_050_000);
  const world = new LifecycleWorld({ onStorageUpdated: () => undefined }, {}, storage);
  await seeded(world);
  expect(storage.alarm).toBeLessThan(1_050_000);
  await world.pass(60_000);
  expect(world.appAlarms).toEqual([1_050_000]);
});

test('[SAVE-5] an app that empties the storage has no alarm, or the one that its host keeps', async () => {
  for (const isKept of [false, true]) {
    const world = LifecycleWorld.logging();
    const time = world.host.time + 20_000;
    await world.app.setAlarm(time);
    await seeded(world);
    await world.pass(3_000);
    world.storage.alarm = time;
    const emptied = world.storage.deleteAll();
    if (isKept) world.storage.alarm = time;
    world.lifecycle.storageEmptied(emptied);
    await world.host.room.storageEmptied(emptied);
    await settle();
    expect(await world.app.getAlarm()).toBe(isKept ? time : null);
    await world.pass(30_000);
    expect(world.appAlarms).toEqual(isKept ? [time] : []);
  }
});

test('[SAVE-5] the app keeps its alarm if its host does not empty the storage, as within a transaction', async () => {
  const world = await seeded(LifecycleWorld.logging());
  const time = (world.storage.alarm ?? 0) + 9_000;
  await world.app.setAlarm(time);
  const refuse = async (): Promise<void> => {
    const emptied = Promise.reject(new Error('of the host'));
    world.lifecycle.storageEmptied(emptied);
    await world.host.room.storageEmptied(emptied);
    await settle();
  };
  await refuse();
  expect(await world.app.getAlarm()).toBe(time);
  const later = time + 1_000;
  await Promise.all([refuse(), world.app.setAlarm(later)]);
  expect(await world.app.getAlarm()).toBe(later);
  await world.pass(60_000);
  expect(world.appAlarms).toEqual([later]);
});

test('[SAVE-5] an alarm that the app sets after it has emptied the storage, in the same transaction, stays', async () => {
  const world = await seeded(LifecycleWorld.logging());
  await world.app.setAlarm(world.host.time + 1_000);
  await world.storage.deleteAll();
  const time = world.host.time + 50_000;
  await world.app.setAlarm(time);
  // The room hears of it at the end of the transaction.
  world.lifecycle.storageEmptied(Promise.resolve());
  await world.host.room.storageEmptied(Promise.resolve());
  await settle();
  expect(await world.app.getAlarm()).toBe(time);
  await world.pass(60_000);
  expect(world.appAlarms).toEqual([time]);
});

test('[SAVE-5] an alarm of the room that outlives an emptied storage is not the app’s', async () => {
  const world = await seeded(LifecycleWorld.logging());
  const { alarm } = world.storage;
  expect(alarm).not.toBeNull();
  const emptied = world.storage.deleteAll();
  world.storage.alarm = alarm;
  world.lifecycle.storageEmptied(emptied);
  await world.host.room.storageEmptied(emptied);
  await settle();
  await world.restart();
  await world.start();
  await world.pass(60_000);
  expect(world.appAlarms).toEqual([]);
});

test('[SAVE-7] a room whose app empties the storage writes nothing for its hooks before it has content again', async () => {
  const answer = new Deferred<null>();
  let loads = 0;
  const getInitialStorage = (): Promise<null> | null => ((loads += 1) > 1 ? answer.promise : null);
  const world = await seeded(LifecycleWorld.logging({}, { getInitialStorage }));
  const emptied = world.storage.deleteAll();
  world.lifecycle.storageEmptied(emptied);
  await world.host.room.storageEmptied(emptied);
  await settle();
  expect(world.storage.alarm).toBeNull();
  expect(await world.storage.list()).toEqual(new Map());
  answer.resolve(null);
  await world.host.seed({ v: 1 });
  await world.pass(2_500);
  expect(world.take()).toEqual(['saved 1 {"v":1}']);
});

test('[SAVE-5] an app that deletes its alarm and sets another one, and waits for neither, has the other one', async () => {
  const world = LifecycleWorld.logging();
  const time = world.host.time + 5_000;
  // Before the room has read its rows, and when it has.
  for (const later of [0, 1_000]) {
    const changes = [
      world.app.setAlarm(time + later + 9_000),
      world.app.deleteAlarm(),
      world.app.setAlarm(time + later),
    ];
    await world.start();
    await Promise.all(changes);
    expect(await world.app.getAlarm()).toBe(time + later);
    expect(world.storage.alarm).toBe(time + later);
  }
  await world.pass(60_000);
  expect(world.appAlarms).toEqual([time + 1_000]);
});

test('[SAVE-4] an app that deletes its alarm before the room is loaded deletes no alarm of the room', async () => {
  const world = LifecycleWorld.logging();
  await world.connect();
  world.set('edited');
  await settle();
  const ours = world.storage.alarm;
  await world.restart();
  await world.app.deleteAlarm();
  expect([world.storage.alarm, ours]).toEqual([ours, expect.any(Number)]);
  expect(await world.app.getAlarm()).toBe(null);
});

test('[SAVE-5] an alarm that the app has deleted before the room could be loaded is not the app’s later', async () => {
  const world = LifecycleWorld.logging();
  await world.storage.setAlarm(world.host.time + 50_000);
  await world.app.deleteAlarm();
  await world.restart();
  await seeded(world);
  expect(await world.app.getAlarm()).toBe(null);
  await world.pass(100_000);
  expect(world.appAlarms).toEqual([]);
});

test('[SAVE-5] an alarm of the room is not the app’s, also if the row that tells so was not written at first', async () => {
  const world = LifecycleWorld.logging();
  const { storage } = world;
  const put = storage.put.bind(storage);
  let failures = 0;
  storage.put = async (written, value) => {
    if (written !== '@tinybase-partykit/saved' || failures > 0) return await put(written, value);
    failures += 1;
    throw new Error('the disk failed');
  };
  await seeded(world);
  expect(failures).toBe(1);
  await world.connect();
  await settle();
  await world.restart();
  await world.start();
  expect(world.storage.alarm).not.toBe(null);
  expect(await world.app.getAlarm()).toBe(null);
});

test('[SAVE-5] the first alarm of the room is not the app’s, where it waited behind one that the app has deleted', async () => {
  const world = LifecycleWorld.logging();
  const { time } = world.host;
  await world.app.setAlarm(time + 1_000);
  await seeded(world);
  await world.app.deleteAlarm();
  expect(world.storage.alarm).toBeGreaterThan(time + 1_000);
  await world.restart();
  await world.start();
  expect(await world.app.getAlarm()).toBe(null);
  await world.pass(60_000);
  expect(world.appAlarms).toEqual([]);
});

test.each(['setAlarm', 'deleteAlarm'] as const)(
  '[SAVE-4] a host that fails at %s of the app has the alarm of the room all the same',
  async (method) => {
    const storage = new FailingAlarm();
    const world = await seeded(
      new LifecycleWorld({ onStorageUpdated: () => undefined }, {}, storage),
    );
    world.set(1);
    const early = world.host.time + 1_000;
    if (method === 'deleteAlarm') await world.app.setAlarm(early);
    storage.isFailing = true;
    const change = method === 'setAlarm' ? world.app.setAlarm(early) : world.app.deleteAlarm();
    await expect(change).rejects.toThrow('the disk failed');
    await settle();
    expect(storage.alarm).toBeLessThanOrEqual(world.host.time + 32_000);
    expect(storage.alarm).not.toBe(null);
  },
);

test.each([-5, 0, Number.NaN, Date.UTC(2200), Number.MAX_SAFE_INTEGER])(
  '[SAVE-5] %d, which no host takes, is refused, and the alarms stay as they are',
  async (time) => {
    const hooks = { onStorageUpdated: () => undefined };
    const world = await seeded(new LifecycleWorld(hooks, {}, new HostAlarm()));
    for (const before of [null, world.host.time + 90_000]) {
      if (before !== null) await world.app.setAlarm(before);
      await expect(world.app.setAlarm(time)).rejects.toThrow('refused');
      expect(await world.app.getAlarm()).toBe(before);
      expect(world.storage.alarm).toBeLessThanOrEqual(world.host.time + 32_000);
      expect(world.storage.alarm).toBeGreaterThan(world.host.time);
    }
    await world.pass(100_000);
    expect([world.appAlarms.length, world.errors]).toEqual([1, []]);
  },
);

test('[SAVE-5] an alarm of the app outlives an ephemeral room', async () => {
  const world = LifecycleWorld.logging({ isEphemeral: true });
  const late = world.host.time + 90_000;
  await world.app.setAlarm(late);
  const ada = await world.connect();
  await world.host.seed({ v: 0 });
  await world.leave(ada);
  await world.pass(30_000);
  expect(world.take()).toEqual(['saved 1 {"v":0}', 'emptied 1 {"v":0}']);
  await world.pass(90_000);
  expect(world.appAlarms).toEqual([late]);
});

test('[SAVE-6] the id of the room is stored before an alarm is set, and once', async () => {
  const world = await seeded(LifecycleWorld.logging());
  const id = async (): Promise<unknown> =>
    (await world.storage.get(['@tinybase-partykit/room-id'])).get('@tinybase-partykit/room-id');
  expect(world.storage.alarm).not.toBe(null);
  expect(await id()).toBe('the room');
});

test('[SAVE-7] a room that is edited all the time sets its alarm about every 30 s', async () => {
  const world = await seeded(LifecycleWorld.logging());
  for (let edit = 0; edit < 100; edit += 1) {
    await world.pass(1_000);
    world.set(edit);
  }
  expect(world.take().length).toBeGreaterThan(30);
  expect(world.storage.alarmWrites).toBeLessThanOrEqual(5);
});

test('[SAVE-7] a save writes two rows at most, and so does an emptying', async () => {
  const world = LifecycleWorld.logging();
  const written = (): number => world.storage.counts.keysPut + world.storage.alarmWrites;
  const ada = await world.connect();
  await world.host.seed({ v: 0 });
  await world.pass(2_500);
  for (let life = 0; life < 3; life += 1) {
    const before = written();
    world.set(life);
    await settle();
    const commits = 1;
    await world.pass(2_500);
    expect(written() - before - commits).toBeLessThanOrEqual(2);
    if (life === 1) {
      const [woken] = world.sleep(ada);
      await world.start();
      if (woken !== undefined) ada.frames.push(...woken.frames);
    }
  }
  for (let visit = 0; visit < 3; visit += 1) {
    const visitor = await world.connect();
    for (const connection of world.host.open) {
      if (connection !== visitor) await world.leave(connection);
    }
    const before = written();
    await world.leave(visitor);
    await world.pass(20_000);
    expect(world.take().at(-1)).toContain('emptied');
    expect(written() - before).toBeLessThanOrEqual(2);
  }
});
