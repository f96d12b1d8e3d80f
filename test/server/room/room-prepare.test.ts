import { createMiddleware, createStore, type Store } from 'tinybase';
import { expect, test } from 'vitest';

import { FakeRoomHost } from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

/** A room whose `prepareStore` throws so often before it succeeds. */
const failing = async (
  times: number,
  prepare: (store: Store, attempt: number) => void,
): Promise<{ host: FakeRoomHost; attempts: () => number }> => {
  const storage = new StrictStorage();
  await new FakeRoomHost({}, storage).seed({ open: true });
  let attempts = 0;
  const host = new FakeRoomHost(
    {
      prepareStore: (store) => {
        attempts += 1;
        prepare(store, attempts);
        if (attempts <= times) throw new Error('not yet');
      },
    },
    storage,
  );
  return { host, attempts: () => attempts };
};

const start = async (host: FakeRoomHost, failures: number): Promise<void> => {
  for (let failure = 0; failure < failures; failure += 1)
    await expect(host.room.start()).rejects.toMatchObject({ code: 'unavailable' });
  await host.room.start();
};

test.each([0, 1, 2])(
  'a prepareStore that threw %i times has its listeners, middleware and schema once',
  async (failures) => {
    const called: string[] = [];
    const { host, attempts } = await failing(failures, (store, attempt) => {
      store.addValueListener('open', () => called.push('listener'));
      store.addValueListener('open', () => called.push('mutator'), true);
      createMiddleware(store).addWillSetValueCallback((_id, value) => {
        called.push('middleware');
        return value;
      });
      store.addWillFinishTransactionListener(() => called.push('transaction'));
      if (attempt === 1) store.setValuesSchema({ open: { type: 'boolean' } });
    });
    await start(host, failures);
    expect(attempts()).toBe(failures + 1);
    called.length = 0;
    host.room.store.setValue('open', false);
    expect(called.toSorted()).toEqual(['listener', 'middleware', 'mutator', 'transaction']);
    expect(host.room.store.hasValuesSchema() ? 1 : 0).toBe(failures === 0 ? 1 : 0);
    expect(await host.content()).toEqual([{}, { open: false }]);
  },
);

test('nothing of what a prepareStore wrote that then threw is in the room', async () => {
  const { host } = await failing(2, (store, attempt) => {
    store.setValue('attempts', Number(store.getValue('attempts') ?? 0) + 1);
    store.setValue(`of ${attempt}`, 1);
  });
  await start(host, 2);
  expect(await host.content()).toEqual([{}, { open: true, attempts: 1, 'of 3': 1 }]);
});

test('a prepareStore that threw within its own transaction keeps nothing waiting', async () => {
  const { host } = await failing(1, (store, attempt) => {
    if (attempt === 1) store.startTransaction().setValue('half', 1);
  });
  await start(host, 1);
  expect(await host.content()).toEqual([{}, { open: true }]);
});

test('an early write of the app survives a prepareStore that threw', async () => {
  const { host } = await failing(2, () => undefined);
  host.room.store.setCell('t', 'r', 'early', 1);
  await start(host, 2);
  expect(await host.content()).toEqual([{ t: { r: { early: 1 } } }, { open: true }]);
  expect(host.room.store.getContent()).toEqual(
    createStore()
      .setContent([{ t: { r: { early: 1 } } }, { open: true }])
      .getContent(),
  );
});

test('hooks, hydration and commits use the Store of the attempt that succeeded', async () => {
  const { host } = await failing(1, () => undefined);
  await start(host, 1);
  const ada = await host.join('ada');
  await ada.push(1, { open: false, t: { r: { c: 1 } } });
  expect(ada.hearOne('ack').isCommit).toBe(true);
  expect(host.room.store.getContent()).toEqual([{ t: { r: { c: 1 } } }, { open: false }]);
  host.hibernate();
  expect(await host.content()).toEqual([{ t: { r: { c: 1 } } }, { open: false }]);
});

test('listeners and a schema from before stay when a prepareStore throws', async () => {
  const called: string[] = [];
  const { host } = await failing(1, (store, attempt) => {
    if (attempt === 1) store.setValue('by', attempt);
  });
  host.room.store.setValuesSchema({ open: { type: 'boolean' }, by: { type: 'number' } });
  host.room.store.addValueListener('open', () => called.push('early'));
  await start(host, 1);
  called.length = 0;
  host.room.store.setValue('open', 'no boolean');
  host.room.store.setValue('open', false);
  expect(called).toEqual(['early']);
  expect(await host.content()).toEqual([{}, { open: false }]);
});
