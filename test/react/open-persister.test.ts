import type PartySocket from 'partysocket';
import { createStore, type Store } from 'tinybase';
import { expect, test, vi } from 'vitest';

import { createPartyKitPersister, type PartyKitPersister } from '../../src/client/index.ts';
import { checkOptions, openPersister, type OpenPersister } from '../../src/react/open-persister.ts';
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
  expect(opened.persister.getConnection()).toBe(socket);
  expect(socket.readyState).toBe(1);
  await opened.close();
  expect(socket.readyState).toBe(3);
  expect(() => openPersister(create, on(undefined))).toThrow('got no Store');
  expect(socket.readyState).toBe(3);
});

test('wrong options are an error at once, and those that do not exist are reported', () => {
  const never = vi.fn();
  for (const options of [null, 5, Promise.resolve({}), { onIgnoredError: 5 }])
    expect(() => checkOptions(options as never, never)).toThrow('usePartyKitPersister got no');
  checkOptions({}, never);
  expect(never).not.toHaveBeenCalled();
  const errors: unknown[] = [];
  checkOptions({ initialcontent: [{}, {}] } as never, (error) => errors.push(error));
  expect(String(errors)).toContain('did you mean "initialContent"');
});

test('what is no socket is told as such', () => {
  for (const given of [Promise.resolve(), undefined])
    expect(() => openPersister(() => given as never, on(createStore()))).toThrow(
      'got no PartySocket',
    );
});

test('a socket that is given again, as in strict mode one of a module, stays open, and opens again', async () => {
  const socket = new FakePartySocket();
  socket.open();
  const open = (): OpenPersister =>
    openPersister(() => socket as unknown as PartySocket, on(createStore()));
  const first = open();
  const closing = first.close();
  const second = open();
  await closing;
  expect(socket.readyState).toBe(1);
  await second.close();
  expect(socket.readyState).toBe(3);
  const third = open();
  expect(socket.readyState).toBe(1);
  await third.close();
  expect(socket.readyState).toBe(3);
});

test('a socket that the app opens itself stays closed until then', async () => {
  const socket = new FakePartySocket();
  socket.close();
  const { close } = openPersister(() => socket as unknown as PartySocket, on(createStore()));
  expect(socket.readyState).toBe(3);
  await close();
});
