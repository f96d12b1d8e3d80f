import type PartySocket from 'partysocket';
import { createStore } from 'tinybase';
import { expect, test } from 'vitest';

import { createPartyKitPersister } from '../../../src/client/index.ts';
import {
  createIndexedDbOffline,
  createOffline,
  type IndexedDbOfflineOptions,
  type OfflineOptions,
} from '../../../src/client/offline/index.ts';
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
])('users never share edits because of %s', (_title, options, reason) => {
  const error = expect.objectContaining({
    code: 'misuse',
    message: expect.stringContaining(reason) as unknown,
  }) as Error;
  expect(() => createIndexedDbOffline(options as IndexedDbOfflineOptions)).toThrow(error);
  const given: unknown = typeof options === 'object' && options ? { storage, ...options } : options;
  expect(() => createOffline(given as OfflineOptions)).toThrow(error);
});

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
