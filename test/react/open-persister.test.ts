import type PartySocket from 'partysocket';
import { createStore, type Store } from 'tinybase';
import { expect, test } from 'vitest';

import { createPartyKitPersister, type PartyKitPersister } from '../../src/client/index.ts';
import { openPersister } from '../../src/react/open-persister.ts';
import { FakePartySocket } from '../client/fake-party-socket.ts';

const on =
  (store: unknown) =>
  (socket: PartySocket): PartyKitPersister =>
    createPartyKitPersister(store as Store, socket);

test('a socket on which no persister can be made is closed again', async () => {
  const socket = new FakePartySocket();
  socket.open();
  const create = (): PartySocket => socket as unknown as PartySocket;
  const opened = openPersister(create, on(createStore()));
  expect(opened.socket).toBe(socket);
  expect(socket.readyState).toBe(1);
  await opened.persister.destroy();
  expect(() => openPersister(create, on(undefined))).toThrow('got no Store');
  expect(socket.readyState).toBe(3);
});

test('what is no socket is told as such', () => {
  for (const given of [Promise.resolve(), undefined])
    expect(() => openPersister(() => given as never, on(createStore()))).toThrow(
      'got no PartySocket',
    );
});
