import { expect, test } from 'vitest';

import { FakeRoomHost, settle, type FakeConnection } from '../../support/fake-connection.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const SMALL = { page: 40, slice: 60, smallestCheckpoint: 100, smallestRetention: 50 };

/** Whatever happens to a room that is emptied, wiped and restored at the same time, in an order that the seed gives. */
const disturb = async (seed: number): Promise<void> => {
  const random = seededRandom(seed);
  const runs: (() => void)[] = [];
  const storage = new StrictStorage({ defer: (run) => runs.push(run) });
  const letGo = async (): Promise<void> => {
    for (let turn = 0; turn < 200; turn += 1) {
      for (const run of runs.splice(0)) run();
      await settle();
      if (runs.length === 0) return;
    }
    throw new Error('The room never comes to rest.');
  };
  const host = new FakeRoomHost({ storageSizes: () => SMALL }, storage);
  const during = async <Result>(work: Promise<Result>): Promise<Result> => {
    const state = { isDone: false };
    const end = work.finally(() => {
      state.isDone = true;
    });
    end.catch(() => undefined);
    await settle();
    while (!state.isDone) await letGo();
    return await end;
  };
  await during(host.seed({ t: { r: { c: 0 } } }));
  const document = await during(host.room.exportRoom());
  const ada: FakeConnection = host.connect();
  const work: Promise<unknown>[] = [];
  const actions: readonly (() => Promise<unknown>)[] = [
    () => host.room.wipe(),
    () => host.room.restoreRoom(JSON.parse(JSON.stringify(document))),
    () => host.room.storageEmptied(storage.deleteAll()),
    async () => void host.room.store.setValue('own', random.below(9)),
    () => host.seed({ seeded: random.below(9) }),
    async () => {
      for (const run of runs.splice(0, random.below(3))) run();
      await settle();
    },
    async () => {
      await ada.hello({ generation: (generation += 1) });
      await ada.push(1, { pushed: random.below(9) });
    },
  ];
  let generation = 0;
  for (let step = 0; step < 12; step += 1) {
    const action = actions[random.below(actions.length)];
    const done = action?.().catch(() => undefined);
    if (done !== undefined) work.push(done);
    if (random.below(2) === 0) await settle();
  }
  await during(Promise.all(work));
  await letGo();
  // The room serves, and memory and disk are the same.
  const content = await during(host.content());
  const { epoch, version } = await during(host.cursor());
  host.hibernate();
  expect(await during(host.content()), `seed ${seed}`).toEqual(content);
  // A room without a Store stores nothing, and so has a new epoch each time.
  if (version > 0)
    expect(await during(host.cursor()), `seed ${seed}`).toMatchObject({ epoch, version });
  // A newcomer's edit is confirmed and kept.
  const bob = host.connect();
  const cursor = await during(host.cursor());
  await during(bob.hello({ cursor, clientId: 'bob'.padEnd(22, '_') }));
  await letGo();
  bob.hear();
  await during(bob.push(1, { last: seed }));
  await letGo();
  expect(
    bob.hearTypes().some((type) => type === 'ack' || type === 'welcome'),
    `seed ${seed}`,
  ).toBe(true);
  host.hibernate();
  expect(JSON.stringify(await during(host.content())), `seed ${seed}`).toContain(`"last":${seed}`);
};

test('[LIFE-7] [LIFE-8] a room that is emptied, wiped and restored at the same time is one room in the end, in memory and on disk', async () => {
  for (let seed = 1; seed <= 60; seed += 1) await disturb(seed);
});
