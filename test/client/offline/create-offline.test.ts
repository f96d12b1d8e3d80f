import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import type PartySocket from 'partysocket';
import { createStore } from 'tinybase';
import { expect, test, vi } from 'vitest';

import { createPartyKitPersister, type PartyKitPersister } from '../../../src/client/index.ts';
import {
  createIndexedDbOffline,
  createOffline,
  openIndexedDbStorage,
  type Offline,
  type IndexedDbOfflineOptions,
  type OfflineOptions,
} from '../../../src/client/offline/index.ts';
import { offlineOf } from '../../../src/client/offline/offline.ts';
import type { LastWrite, OfflineStorage } from '../../../src/client/offline/offline-storage.ts';
import { Deferred } from '../../support/deferred.ts';
import { MemoryLocks, MemoryOfflineStorage } from '../../support/offline-doubles.ts';
import { until } from '../../support/until.ts';
import { FakePartySocket, roomOn } from '../fake-party-socket.ts';

const full = (): never => {
  throw new Error('full');
};

const storage = (): never => {
  throw new Error('Nothing opens it.');
};

test.each([
  ['a wrong name', { usr: 'ann' }, '"usr"'],
  ['another case', { User: 'ann' }, 'did you mean "user"?'],
  ['the user alone', 'ann', 'option user'],
  ['an empty text', '', 'option user'],
  ['null', null, 'option user'],
  ['a user that is a number', { user: 7 }, 'option user'],
  ['a user that is null', { user: null }, 'option user'],
  ['a promise of a user', { user: Promise.resolve('ann') }, 'option user'],
  ['a promise of options', Promise.resolve({ user: 'ann' }), 'option user'],
  ['a Map', new Map([['user', 'ann']]), 'option user'],
])('users never share edits because of %s', (_title, options, reason) => {
  const error = expect.objectContaining({
    code: 'misuse',
    message: expect.stringContaining(reason) as unknown,
  }) as Error;
  expect(() => createIndexedDbOffline(options as IndexedDbOfflineOptions)).toThrow(error);
  const isEmpty = typeof options !== 'object' || !options || Object.keys(options).length === 0;
  const given: unknown = isEmpty ? options : Object.assign({ storage }, options);
  expect(() => createOffline(given as OfflineOptions)).toThrow(error);
});

test.each([null, 5, {}, Promise.resolve('ann')])(
  'a database whose name is no text is an error: %o',
  async (databaseName) => {
    const error = { code: 'misuse', message: expect.stringContaining('databaseName') as unknown };
    const name = databaseName as never;
    expect(() => createIndexedDbOffline({ databaseName: name })).toThrow(
      expect.objectContaining(error),
    );
    await expect(openIndexedDbStorage(name)).rejects.toMatchObject(error);
  },
);

test.each([undefined, null, {}, Promise.resolve()])(
  'a storage that nothing opens is told: %j',
  (given) => {
    const error = expect.objectContaining({ code: 'misuse' }) as Error;
    expect(() => createOffline({ storage: given as never })).toThrow(error);
  },
);

test('a device without users, or with one, is fine', () => {
  for (const options of [
    undefined,
    {},
    { user: undefined },
    { user: 'ann' },
    { databaseName: 'd' },
    // Half a character.
    { databaseName: '\ud800' },
  ])
    expect(createIndexedDbOffline(options)).toBeDefined();
  expect(createOffline({ storage })).toBeDefined();
});

test('[OFFLINE-7] a storage of the app that throws keeps nothing, and loses nothing', async () => {
  const offline = createOffline({
    storage: () => ({ read: async () => new Map(), write: full }),
    locks: { take: async () => full },
  });
  const socket = new FakePartySocket();
  const { room, fetch } = roomOn(socket);
  const errors: unknown[] = [];
  const store = createStore();
  const persister = createPartyKitPersister(
    store,
    socket as unknown as PartySocket,
    { offline, fetch },
    (error) => errors.push(error),
  );
  socket.open();
  const started = persister.startAutoPersisting([{}, { v: 1 }]);
  store.setValue('early', 1);
  await started;
  store.setValue('v', 2);
  await persister.whenConfirmed();
  expect(room.content?.get(null, '', 'v')).toBe(2);
  expect(room.content?.get(null, '', 'early')).toBe(1);
  expect(errors).toMatchObject([{ code: 'offline' }]);
  await persister.destroy();
});

/** A device in memory, whose reads wait as long as `reading` does. */
function slowDevice(): {
  readonly memory: MemoryOfflineStorage;
  readonly offline: Offline;
  reading: Promise<void>;
  onRead: () => void;
} {
  const memory = new MemoryOfflineStorage();
  const offline = createOffline({
    storage: () => ({
      read: async (prefix) => {
        device.onRead();
        await device.reading;
        return memory.read(prefix);
      },
      write: (write) => memory.write(write),
    }),
    locks: new MemoryLocks().of({}),
  });
  const device = { memory, offline, reading: Promise.resolve(), onRead: () => undefined };
  return device;
}

test.each(['before', 'while'])(
  '[OFFLINE-8] a persister keeps nothing if everything was cleared %s it opened its storage',
  async (when) => {
    const device = slowDevice();
    const { memory, offline } = device;
    const reading = new Deferred<void>();
    device.reading = reading.promise;
    const socket = new FakePartySocket();
    const { room, fetch } = roomOn(socket);
    const store = createStore();
    const persister = createPartyKitPersister(store, socket as unknown as PartySocket, {
      offline,
      fetch,
    });
    socket.open();
    const read = new Deferred<void>();
    device.onRead = () => read.resolve();
    if (when === 'before') await offline.clear();
    const started = persister.startAutoPersisting([{}, { v: 1 }]);
    if (when === 'while') {
      await read.promise;
      await offline.clear();
    }
    reading.resolve();
    await started;
    store.setValue('v', 2);
    await persister.whenConfirmed();
    await persister.destroy();
    expect(room.content?.get(null, '', 'v')).toBe(2);
    expect(memory.entries).toEqual(new Map());
  },
);

test('[OFFLINE-8] [OFFLINE-1] edits that were handed on are sent, though everything was cleared meanwhile', async () => {
  const device = slowDevice();
  const { offline } = device;
  const socket = new FakePartySocket();
  const { room, fetch } = roomOn(socket);
  const store = createStore();
  const create = (): PartyKitPersister =>
    createPartyKitPersister(store, socket as unknown as PartySocket, { offline, fetch });
  socket.open();
  const first = create();
  await first.startAutoPersisting([{}, { v: 1 }]);
  socket.close();
  store.setValue('v', 2);
  await first.destroy();
  const reading = new Deferred<void>();
  device.reading = reading.promise;
  const second = create();
  const read = new Deferred<void>();
  device.onRead = () => read.resolve();
  const started = second.startAutoPersisting();
  await read.promise;
  await offline.clear();
  reading.resolve();
  socket.open();
  await started;
  await second.whenConfirmed();
  expect(room.content?.get(null, '', 'v')).toBe(2);
  await second.destroy();
});

test('a persister that was destroyed is not held, with all that its Store has, as long as the page lives', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const { offline } = slowDevice();
  const createAndDestroy = async (): Promise<WeakRef<object>> => {
    const store = createStore();
    const socket = new FakePartySocket() as unknown as PartySocket;
    await createPartyKitPersister(store, socket, { offline }).destroy();
    return new WeakRef(store);
  };
  const store = await createAndDestroy();
  await until('the Store to be forgotten', () => {
    collectGarbage();
    return store.deref() === undefined;
  });
  expect(offline).toBeDefined();
});

test('[OFFLINE-8] an app can ask how many edits are kept before it clears them', async () => {
  const { memory, offline } = slowDevice();
  const page = (room: string) => {
    const socket = new FakePartySocket(room);
    const { fetch } = roomOn(socket);
    const store = createStore();
    const options = { offline, fetch };
    const persister = createPartyKitPersister(store, socket as unknown as PartySocket, options);
    socket.open();
    return { socket, store, persister };
  };
  const [first, other] = [page('first'), page('other')];
  for (const { persister } of [first, other]) await persister.startAutoPersisting([{}, { v: 1 }]);
  expect(await offline.countUnsaved()).toBe(0);
  first.socket.close();
  first.store.setValue('v', 2);
  first.store.setValue('v', 3);
  await other.persister.stopAutoSave();
  const hasHeld = (count: number): boolean =>
    [...memory.entries.keys()].filter((key) => key.includes('/held')).length === count;
  other.store.setValue('held', 1);
  await until('the first held edit', () => hasHeld(1));
  other.store.setValue('held', 2);
  await until('the second held edit', () => hasHeld(2));
  expect(await offline.countUnsaved()).toBe(3);
  const bob = createOffline({ storage: () => memory, user: 'bob' });
  expect(await bob.countUnsaved()).toBe(0);
  first.socket.open();
  await other.persister.startAutoSave();
  for (const { persister } of [first, other]) {
    await persister.whenConfirmed();
    await persister.destroy();
  }
  await until('no edits', async () => (await offline.countUnsaved()) === 0);
});

test('[OFFLINE-8] everything is cleared also if the page ends before the storage has done it', async () => {
  const memory = new MemoryOfflineStorage();
  const opening = new Deferred<OfflineStorage>();
  for (const user of ['ann', 'bob']) memory.entries.set(`["${user}",…`, 'kept');
  const writeLast = (write: LastWrite): void => memory.writeLast(write);
  const lastClient = { get: () => undefined, set: () => undefined };
  const device = { storage: () => opening.promise, user: 'ann' };
  void offlineOf(device, { lastClient, writeLast }).clear();
  expect([...memory.entries.keys()]).toEqual(['["bob",…']);
  opening.resolve(memory);
  await offlineOf({ ...device, user: 'bob' }, { lastClient, writeLast: full }).clear();
  expect([...memory.entries.keys()]).toEqual([]);
});

test.each([
  ['clear', 'could not be removed'],
  ['countUnsaved', 'could not be counted'],
] as const)(
  '[OFFLINE-8] %s says in a sentence that it could not, also if the storage does not answer',
  async (name, text) => {
    const sentence = { code: 'offline', message: expect.stringContaining(text) as unknown };
    // Node has no IndexedDB, as some private windows.
    await expect(createIndexedDbOffline()[name]()).rejects.toMatchObject(sentence);
    const failing = createOffline({ storage: () => ({ read: full, write: full }) });
    await expect(failing[name]()).rejects.toMatchObject(sentence);
    vi.useFakeTimers();
    try {
      const silent = createOffline({ storage: () => new Promise<never>(() => undefined) });
      const clearing = expect(silent[name]()).rejects.toMatchObject(sentence);
      await vi.advanceTimersByTimeAsync(10_000);
      await clearing;
    } finally {
      vi.useRealTimers();
    }
  },
);
