import { setImmediate as nextTurn } from 'node:timers/promises';

import type { PartySocket } from 'partysocket';
import { createStore, type Content, type Store } from 'tinybase';
import { createCustomPersister } from 'tinybase/persisters';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { createPartyKitPersister, type PartyKitPersister } from '../../src/client/index.ts';
import { changesOf } from '../support/fake-connection.ts';
import { decodeContent, encodeContent } from '../../src/protocol/codec.ts';
import { FakePartySocket, roomOn } from './fake-party-socket.ts';
import type { SmallRoom } from './session/small-room.ts';

/** Each room's own fetch, by what its URL has. */
const fetches = new Map<string, typeof fetch>();
const persisters: PartyKitPersister[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  vi.stubGlobal('fetch', async (url: string, init?: RequestInit) => {
    for (const [name, answer] of fetches) if (url.includes(`/${name}/`)) return answer(url, init);
    throw new Error(`no room at ${url}`);
  });
});

afterEach(async () => {
  const ending = persisters.splice(0).map((persister) => persister.destroy());
  vi.runAllTimers();
  await Promise.all(ending);
  fetches.clear();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

interface Place {
  readonly socket: FakePartySocket;
  readonly room: SmallRoom;
}

function placeOf(name: string, content?: Content): Place {
  const socket = new FakePartySocket(name);
  socket.readyState = 1;
  const { room, fetch } = roomOn(socket);
  fetches.set(name, fetch);
  const leaves = content && decodeContent(JSON.stringify(content));
  if (leaves !== undefined) room.seed(leaves);
  return { socket, room };
}

interface Persisted {
  readonly persister: PartyKitPersister;
  readonly errors: unknown[];
}

function persist(store: Store, socket: FakePartySocket): Persisted {
  const errors: unknown[] = [];
  const connection = socket as unknown as PartySocket;
  const persister = createPartyKitPersister(store, connection, {}, (error) => errors.push(error));
  persisters.push(persister);
  return { persister, errors };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
}

const contentOf = ({ content }: SmallRoom): unknown =>
  content === undefined ? undefined : JSON.parse(encodeContent(content));

describe('two persisters of one Store', () => {
  test.each([
    ['in one room', 'a', undefined],
    ['in two rooms', 'b', [{}, { b: 1 }] as Content],
    ['in two rooms, one of which has no Store', 'c', undefined],
  ])(
    '[STORE-1] do not answer each other %s: the second one waits, and says so',
    async (_what, name, other) => {
      const store = createStore();
      const a = placeOf('a', [{}, { a: 1 }]);
      const b = name === 'a' ? a : placeOf(name, other);
      const secondSocket = name === 'a' ? new FakePartySocket('a') : b.socket;
      secondSocket.readyState = 1;
      const first = persist(store, a.socket);
      const second = persist(store, secondSocket);
      await first.persister.startAutoPersisting();
      const starting = second.persister.startAutoPersisting([{}, { given: 1 }]);
      await settled();
      const before = a.room.cursor.version;
      for (let edit = 1; edit <= 3; edit += 1) store.setValue('edit', edit);
      a.room.commit(changesOf({ remote: 1 }));
      await settled();
      expect(a.room.cursor.version).toBe(before + 4);
      expect(store.getValues()).toEqual({ a: 1, edit: 3, remote: 1 });
      if (b !== a) expect(contentOf(b.room)).toEqual(other);
      expect(second.errors).toEqual([]);
      vi.advanceTimersByTime(3000);
      await settled();
      vi.advanceTimersByTime(3000);
      await starting;
      expect(second.errors).toMatchObject([{ code: 'misuse' }]);
      expect(first.errors).toEqual([]);
      expect(second.persister.getSync()).toMatchObject({ phase: 'idle', unsaved: 0 });
      expect(second.persister.isAutoLoading()).toBe(true);
    },
  );

  test('[STORE-1] [SEED-2] the second one begins when the first ends, and gives its room nothing of the other', async () => {
    const store = createStore();
    const a = placeOf('a', [{ t: { r: { c: 1 } } }, { a: 1 }]);
    const b = placeOf('b');
    const first = persist(store, a.socket);
    const second = persist(store, b.socket);
    await first.persister.startAutoPersisting();
    await settled();
    const starting = second.persister.startAutoPersisting([{}, { given: 1 }]);
    await settled();
    await first.persister.destroy();
    await starting;
    await settled();
    expect(contentOf(b.room)).toEqual([{}, { given: 1 }]);
    expect(store.getContent()).toEqual([{}, { given: 1 }]);
    expect(contentOf(a.room)).toEqual([{ t: { r: { c: 1 } } }, { a: 1 }]);
    store.setValue('b', 1);
    await settled();
    expect(contentOf(b.room)).toEqual([{}, { given: 1, b: 1 }]);
    expect([...first.errors, ...second.errors]).toEqual([]);
  });

  test.each([
    ['without content of its own', undefined, [{}, {}]],
    ['with it', [{}, { given: 1 }] as Content, [{}, { given: 1 }]],
  ])(
    '[SEED-2] one after the other, the second room gets nothing of the first: %s',
    async (_what, given, expected) => {
      const store = createStore();
      const a = placeOf('a', [{}, { a: 1 }]);
      const b = placeOf('b');
      const first = persist(store, a.socket);
      await first.persister.startAutoPersisting();
      await settled();
      await first.persister.destroy();
      await persist(store, b.socket).persister.startAutoPersisting(given);
      await settled();
      expect(contentOf(b.room)).toEqual(expected);
      expect(store.getContent()).toEqual(expected);
    },
  );

  test('[STORE-1] stopping, or destroying, the one that waits ends the wait', async () => {
    const store = createStore();
    const a = placeOf('a', [{}, { a: 1 }]);
    const b = placeOf('b', [{}, { b: 1 }]);
    const first = persist(store, a.socket);
    const [second, third] = [persist(store, b.socket), persist(store, placeOf('c').socket)];
    await first.persister.startAutoPersisting();
    const starting = [second.persister.startAutoPersisting(), third.persister.startAutoLoad()];
    await third.persister.destroy();
    await second.persister.stopAutoLoad();
    await settled();
    await second.persister.stopAutoSave();
    await Promise.all(starting);
    await first.persister.destroy();
    vi.advanceTimersByTime(10_000);
    await settled();
    expect(store.getValues()).toEqual({ a: 1 });
    expect([first, second, third].flatMap(({ errors }) => errors)).toEqual([]);
    // The Store is free again.
    await persist(store, placeOf('d', [{}, { d: 1 }]).socket).persister.startAutoLoad();
    expect(store.getValues()).toEqual({ d: 1 });
  });

  test('[STORE-1] one that is destroyed in the moment when the Store becomes free does not take it', async () => {
    const store = createStore();
    const first = persist(store, placeOf('a', [{}, { a: 1 }]).socket);
    const { socket } = placeOf('b', [{}, { b: 1 }]);
    socket.readyState = 0;
    const second = persist(store, socket);
    await first.persister.startAutoPersisting();
    void second.persister.startAutoPersisting();
    let isDestroyed = false;
    first.persister.addSyncListener((_persister, { phase }) => {
      if (phase !== 'stopped') return;
      void second.persister.destroy();
      isDestroyed = true;
    });
    await first.persister.destroy();
    await settled();
    expect(isDestroyed).toBe(true);
    const third = persist(store, placeOf('c', [{}, { c: 1 }]).socket);
    void third.persister.startAutoPersisting();
    await settled();
    expect(third.persister.getSync().phase).toBe('live');
    expect(store.getValues()).toEqual({ c: 1 });
    expect([first, second, third].flatMap(({ errors }) => errors)).toEqual([]);
  });

  test('[STORE-1] one that was destroyed does not take the Store', async () => {
    const store = createStore();
    const a = placeOf('a', [{}, { a: 1 }]);
    const first = persist(store, a.socket);
    await first.persister.destroy();
    await first.persister.startAutoLoad();
    expect(first.errors).toMatchObject([{ code: 'destroyed' }]);
    await persist(store, placeOf('b', [{}, { b: 1 }]).socket).persister.startAutoLoad();
    expect(store.getValues()).toEqual({ b: 1 });
  });

  test('[STORE-1] a component that mounts twice works, and nothing is reported', async () => {
    for (const isDestroyedFirst of [true, false]) {
      const store = createStore();
      const { socket, room } = placeOf('a', [{}, { a: 1 }]);
      const first = persist(store, socket);
      const started = first.persister.startAutoPersisting();
      if (isDestroyedFirst) void first.persister.destroy();
      const second = persist(store, socket);
      const restarted = second.persister.startAutoPersisting();
      if (!isDestroyedFirst) void first.persister.destroy();
      await Promise.all([started, restarted]);
      await settled();
      store.setValue('b', 1);
      await settled();
      expect(contentOf(room)).toEqual([{}, { a: 1, b: 1 }]);
      expect(second.persister.getSync()).toMatchObject({ phase: 'live', unsaved: 0 });
      expect([...first.errors, ...second.errors]).toEqual([]);
    }
  });

  test('[STORE-1] a component that mounts twice, with a socket of its own each, works too', async () => {
    const store = createStore();
    const a = placeOf('a', [{}, { a: 1 }]);
    const first = persist(store, a.socket);
    const started = first.persister.startAutoPersisting();
    const again = placeOf('a', [{}, { a: 1 }]);
    const second = persist(store, again.socket);
    const restarted = second.persister.startAutoPersisting();
    await first.persister.destroy();
    await Promise.all([started, restarted]);
    await settled();
    store.setValue('b', 1);
    await settled();
    expect(contentOf(again.room)).toEqual([{}, { a: 1, b: 1 }]);
    vi.advanceTimersByTime(5000);
    expect([...first.errors, ...second.errors]).toEqual([]);
  });
});

test('another kind of persister may load before ours starts, and save after', async () => {
  let copy: Content = [{}, { a: 'old', gone: true }];
  const store = createStore();
  const { socket, room } = placeOf('a', [{}, { a: 1 }]);
  const local = createCustomPersister(
    store,
    async () => copy,
    async (getContent) => {
      copy = getContent();
    },
    () => undefined,
    () => undefined,
  );
  await local.load();
  expect(store.getValue('a')).toBe('old');
  await persist(store, socket).persister.startAutoPersisting();
  await settled();
  await local.startAutoSave();
  room.commit(changesOf({ a: 2 }));
  store.setValue('b', 1);
  await settled();
  expect(contentOf(room)).toEqual([{}, { a: 2, b: 1 }]);
  expect(copy).toEqual([{}, { a: 2, b: 1 }]);
  await local.destroy();
});
