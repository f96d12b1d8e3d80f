import { setImmediate as nextTurn } from 'node:timers/promises';

import type PartySocket from 'partysocket';
import { createStore, type Content, type Store } from 'tinybase';
import { createPartyKitPersister as createStockPersister } from 'tinybase/persisters/persister-partykit-client';
import { afterEach, expect, test, vi } from 'vitest';

import { createUndo, type Undo } from '../../../../src/client/features/undo/index.ts';
import { createPartyKitPersister, type PartyKitPersister } from '../../../../src/client/index.ts';
import { decodeContent } from '../../../../src/protocol/codec.ts';
import { FakePartySocket, roomOn } from '../../fake-party-socket.ts';
import { changesOf } from '../../session/scripted-room.ts';
import type { SmallRoom } from '../../session/small-room.ts';

const persisters: PartyKitPersister[] = [];

afterEach(async () => {
  await Promise.all(persisters.splice(0).map((persister) => persister.destroy()));
  vi.unstubAllGlobals();
});

interface Undoable {
  readonly store: Store;
  readonly socket: FakePartySocket;
  readonly room: SmallRoom;
  readonly persister: PartyKitPersister;
  readonly undo: Undo;
}

const CONTENT: Content = [{ pets: { fido: { legs: 4 } } }, {}];

function undoable(content: Content | undefined = CONTENT): Undoable {
  const store = createStore();
  const socket = new FakePartySocket();
  socket.readyState = 1;
  const { room, fetch } = roomOn(socket);
  const leaves = content && decodeContent(JSON.stringify(content));
  if (leaves !== undefined) room.seed(leaves);
  vi.stubGlobal('fetch', fetch);
  const persister = persist(store, socket);
  return { store, socket, room, persister, undo: createUndo(persister) };
}

function persist(store: Store, socket: FakePartySocket): PartyKitPersister {
  const persister = createPartyKitPersister(store, socket as unknown as PartySocket);
  persisters.push(persister);
  return persister;
}

async function live(all: Undoable): Promise<Undoable> {
  await all.persister.startAutoPersisting();
  await settled();
  expect(all.persister.getSync().phase).toBe('live');
  return all;
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await nextTurn();
}

const legs = (store: Store): unknown => store.getCell('pets', 'fido', 'legs');

test('[UNDO-1] [UNDO-2] loading is no step, and an undo reaches the room', async () => {
  const { store, persister, room, undo } = await live(undoable());
  expect(undo.getCheckpointIds()).toEqual([[], '0', []]);
  store.setCell('pets', 'fido', 'legs', 3);
  undo.goBackward();
  await persister.whenConfirmed();
  expect([legs(store), room.content?.get('pets', 'fido', 'legs')]).toEqual([4, 4]);
  undo.goForward();
  await persister.whenConfirmed();
  expect([legs(store), room.content?.get('pets', 'fido', 'legs')]).toEqual([3, 3]);
});

test('[UNDO-4] [UNDO-9] edits made offline are undone to what others have set meanwhile, after the reconnect', async () => {
  const { store, socket, persister, room, undo } = await live(undoable());
  store.setCell('pets', 'fido', 'legs', 3);
  await persister.whenConfirmed();
  socket.closeByServer(1006);
  store.setCell('pets', 'fido', 'legs', 2);
  store.setCell('pets', 'rex', 'legs', 1);
  undo.goBackward();
  expect(store.hasRow('pets', 'rex')).toBe(false);
  room.commit(changesOf([{ pets: { fido: { legs: 9 } } }, {}]));
  socket.open();
  await settled();
  await persister.whenConfirmed();
  expect([legs(store), undo.getCheckpointIds()]).toEqual([2, [['0'], '2', ['3']]]);
  undo.goBackward();
  await persister.whenConfirmed();
  expect([legs(store), room.content?.get('pets', 'fido', 'legs')]).toEqual([9, 9]);
  undo.goForward().goForward();
  await persister.whenConfirmed();
  expect(store.getTable('pets')).toEqual({ fido: { legs: 2 }, rex: { legs: 1 } });
});

test('[UNDO-1] edits made before the start are steps, unless the room’s content replaces them', async () => {
  const early = undoable();
  early.store.setCell('pets', 'fido', 'legs', 3);
  early.store.setCell('pets', 'rex', 'legs', 1);
  early.undo.goBackward();
  expect(early.store.hasRow('pets', 'rex')).toBe(false);
  await live(early);
  expect([legs(early.store), early.undo.getCheckpointIds()[0]]).toEqual([4, []]);
});

test('[UNDO-1] edits of the initial content are steps, if it became the room’s', async () => {
  const store = createStore();
  const socket = new FakePartySocket();
  socket.readyState = 1;
  const { room, fetch } = roomOn(socket);
  vi.stubGlobal('fetch', fetch);
  store.setCell('pets', 'rex', 'legs', 4);
  const persister = persist(store, socket);
  const undo = createUndo(persister);
  store.setCell('pets', 'fido', 'legs', 3);
  await live({ store, socket, room, persister, undo });
  undo.goBackward();
  await persister.whenConfirmed();
  expect(store.getTables()).toEqual({ pets: { rex: { legs: 4 } } });
  expect(room.content?.has('pets', 'fido', 'legs')).toBe(false);
});

test('[UNDO-9] ends with its persister: by destroy, or by another on the same socket', async () => {
  const { store, persister, socket, undo } = await live(undoable());
  store.setCell('pets', 'fido', 'legs', 3);
  await persister.destroy();
  expect(undo.getCheckpointIds()).toEqual([[], '0', []]);
  store.setCell('pets', 'fido', 'legs', 2);
  undo.goBackward();
  expect(legs(store)).toBe(2);

  const second = persist(store, socket);
  const secondUndo = createUndo(second);
  expect(secondUndo).not.toBe(undo);
  await second.startAutoPersisting();
  await settled();
  store.setCell('pets', 'fido', 'legs', 1);
  expect(secondUndo.getCheckpointIds()[0]).toEqual(['0']);
  persist(store, socket);
  expect(secondUndo.getCheckpointIds()).toEqual([[], '0', []]);
  secondUndo.goBackward();
  expect(legs(store)).toBe(1);
});

test('[UNDO-9] ends where the socket leads to another room', async () => {
  const { store, socket, undo } = await live(undoable());
  store.setCell('pets', 'fido', 'legs', 3);
  socket.close();
  socket.roomUrl = 'wss://host.test/parties/main/another';
  socket.open();
  await settled();
  expect(undo.getCheckpointIds()).toEqual([[], '0', []]);
  const sent = socket.sent.length;
  undo.goBackward();
  await settled();
  expect(socket.sent).toHaveLength(sent);
});

test('one persister has one undo, until that is destroyed', () => {
  const { persister, store, undo } = undoable();
  expect(createUndo(persister, { size: 1 })).toBe(undo);
  undo.destroy();
  const next = createUndo(persister);
  expect(next).not.toBe(undo);
  store.setCell('pets', 'fido', 'legs', 3);
  expect([undo.getCheckpointIds()[0], next.getCheckpointIds()[0]]).toEqual([[], ['0']]);
});

test('undos of two persisters of one Store: only that of the one that holds it has steps', async () => {
  const { store, persister, undo } = await live(undoable());
  const other = new FakePartySocket('other');
  const waiting = persist(store, other);
  const waitingUndo = createUndo(waiting);
  void waiting.startAutoPersisting();
  store.setCell('pets', 'fido', 'legs', 3);
  expect([undo.getCheckpointIds()[0], waitingUndo.getCheckpointIds()[0]]).toEqual([['0'], []]);
  await persister.destroy();
});

test.each([
  ['nothing', () => undefined],
  ['a Store', createStore],
  [
    'TinyBase’s own persister',
    () => createStockPersister(createStore(), new FakePartySocket() as unknown as PartySocket),
  ],
])('%s is no persister', (_what, create) => {
  expect(() => createUndo(create() as PartyKitPersister)).toThrow(
    expect.objectContaining({ code: 'misuse' }),
  );
});
