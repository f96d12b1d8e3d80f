import { createStore, type Store } from 'tinybase';
import { expect, test, vi } from 'vitest';
import { createClient } from '../../../src/client/room/index.ts';
import { ignoring } from '../../support/ignoring.ts';
import { makeToken } from '../../support/tokens.ts';

const HOST = { host: 'localhost:1999' };

/** Returns the number of listeners of a Store. */
const listenersOf = (store: Store): number =>
  Object.values(store.getListenerStats()).reduce((sum, count) => sum + count, 0);

test('schemas of a room are set in prepareStore, and presence has none', async () => {
  const client = createClient({
    ...HOST,
    createStore,
    prepareStore: (store) => store.setTablesSchema({ pets: { species: { type: 'string' } } }),
  });
  const { store, presence } = client.createRoom('prepared');
  store.setCell('people', 'ada', 'name', 'Ada');
  presence.set({ x: 1 });
  expect(store.getTables()).toEqual({});
  expect(presence.getStore().getTables()).toEqual({
    connections: { [presence.getId()]: { x: 1 } },
  });
  await client.leave('prepared');
});

test('a Store with a schema cannot be that of presence, which the client says', () => {
  const client = createClient({
    ...HOST,
    createStore: () => createStore().setTablesSchema({ pets: { species: { type: 'string' } } }),
  });
  expect(() => client.createRoom('schema')).toThrow('prepareStore');
  expect(client.getRooms()).toEqual([]);
});

test('a room whose initialPresence cannot be set is not made, and leaves no listener of its Store', () => {
  const stores: Store[] = [];
  const client = createClient({
    ...HOST,
    createStore: () => {
      const store = createStore();
      stores.push(store);
      return store;
    },
  });
  const initialPresence: object = { user: 'eve' };
  expect(() => client.createRoom('wrong', { initialPresence })).toThrow(
    expect.objectContaining({ code: 'malformed' }),
  );
  expect(client.getRooms()).toEqual([]);
  expect(stores.map(listenersOf)).toEqual(stores.map(() => 0));
});

test('a room that was created and not entered opens nothing, and is left at once', async () => {
  const client = createClient({
    ...HOST,
    createStore,
    onIgnoredError: ignoring('destroyed'),
    WebSocket: () => {
      throw new Error('There is no socket yet.');
    },
  });
  const room = client.createRoom('created');
  room.store.setValue('v', 1);
  expect(room.persister.getSync().phase).toBe('idle');
  await client.leave(room);
  expect(client.getRooms()).toEqual([]);
});

test('[CLIENT-2] a client that has left a room is still that of its user, in every room', async () => {
  class OpenWebSocket extends EventTarget {
    readyState = 0;
    constructor() {
      super();
      queueMicrotask(() => {
        this.readyState = 1;
        this.dispatchEvent(new Event('open'));
      });
    }
    /** The answer of a room. */
    send(): void {
      queueMicrotask(() => this.dispatchEvent(new MessageEvent('message', { data: 'o[]' })));
    }
    close(): void {
      this.readyState = 3;
    }
  }
  let sub = 'ann';
  const refusals: string[] = [];
  const client = createClient({
    ...HOST,
    createStore,
    onIgnoredError: ignoring('unauthorized'),
    onAuthorizationFail: ({ message }) => refusals.push(message),
    WebSocket: OpenWebSocket,
    persister: { fetch: () => new Promise(() => undefined) },
    token: () => makeToken({ claims: { sub } }),
  });
  const { socket } = client.createRoom('red');
  const admitted = new Promise((resolve) => socket.addEventListener('message', resolve));
  client.enter('red').catch(() => undefined);
  await admitted;
  await client.leave('red');
  // In another tab, which has the same cookies, somebody else has signed in.
  sub = 'bob';
  for (const room of ['red', 'blue']) {
    await expect(client.enter(room)).rejects.toThrow('another user');
    await client.leave(room);
  }
  expect(refusals).toHaveLength(2);
});

test('a room whose socket has used up its maxRetries opens it again when it is entered again', async () => {
  const made: EventTarget[] = [];
  class ClosedWebSocket extends EventTarget {
    readyState = 0;
    constructor() {
      super();
      made.push(this);
    }
    end(): void {
      this.readyState = 3;
      this.dispatchEvent(Object.assign(new Event('close'), { code: 1006 }));
    }
    close(): void {}
  }
  const client = createClient({
    ...HOST,
    createStore,
    onIgnoredError: ignoring('network'),
    WebSocket: ClosedWebSocket,
    maxRetries: 0,
    persister: { fetch: () => new Promise(() => undefined) },
  });
  const { persister } = client.createRoom('given-up');
  void client.enter('given-up').catch(() => undefined);
  await vi.waitFor(() => expect(made).toHaveLength(1));
  for (const socket of made) if (socket instanceof ClosedWebSocket) socket.end();
  expect(String(persister.getSync().error)).toContain('closed for good');
  void client.enter('given-up').catch(() => undefined);
  await vi.waitFor(() => expect(made).toHaveLength(2));
  await client.leave('given-up');
});

test.each(['full', 'forbidden'])(
  '[GATE-4] what the room refuses to the whole connection is told once, and not by each part: %s',
  async (code) => {
    const made: EventTarget[] = [];
    class OpenWebSocket extends EventTarget {
      readyState = 1;
      constructor() {
        super();
        made.push(this);
        queueMicrotask(() => this.dispatchEvent(new Event('open')));
      }
      send(): void {}
      close(): void {}
    }
    const errors: unknown[] = [];
    const client = createClient({
      ...HOST,
      createStore,
      WebSocket: OpenWebSocket,
      persister: { fetch: () => new Promise(() => undefined) },
      onIgnoredError: (error) => errors.push(error),
    });
    const room = client.createRoom('refused');
    client.enter(room).catch(() => undefined);
    await vi.waitFor(() => expect(room.socket.readyState).toBe(1));
    const data = `e${JSON.stringify({ code, message: 'No.' })}`;
    made[0]?.dispatchEvent(new MessageEvent('message', { data }));
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(errors).toMatchObject([{ code, message: 'No.' }]);
    await client.leave('refused');
  },
);

test('what ends all parts, such as a token that the app does not have, is told once', async () => {
  const errors: unknown[] = [];
  const client = createClient({
    ...HOST,
    createStore,
    WebSocket: EventTarget,
    token: () => null,
    onIgnoredError: (error) => errors.push(error),
  });
  await expect(client.enter('refused')).rejects.toMatchObject({ code: 'unauthorized' });
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(errors).toMatchObject([{ code: 'unauthorized' }]);
  await client.leave('refused');
});

test('a room cannot be entered where there is no WebSocket, which the client says', async () => {
  vi.stubGlobal('WebSocket', undefined);
  try {
    const client = createClient({ ...HOST, createStore });
    await expect(client.enter('node')).rejects.toThrow('the package ws');
    await client.leave('node');
  } finally {
    vi.unstubAllGlobals();
  }
});
