import { PartySocket } from 'partysocket';
import { createStore, type Store } from 'tinybase';
import { expect, test, vi } from 'vitest';

import { createPresence, type Presence } from '../../../../src/client/features/presence/index.ts';
import { createPartyKitPersister } from '../../../../src/client/index.ts';
import { TinyBasePartyKitError } from '../../../../src/protocol/errors.ts';
import { ignoring } from '../../../support/ignoring.ts';
import { FakePartySocket } from '../../fake-party-socket.ts';

/** A fake PartySocket with an id. */
class FakeSocket extends FakePartySocket {
  id = 'ada';
}

const asPartySocket = (socket: FakeSocket): PartySocket => socket as unknown as PartySocket;
const PICTURE = 'r[{"connections":{"ada":{"x":1},"bob":{"x":2}}},{},{"connections":0,"users":0}]';

test('[PRES-1] joins as soon as the socket is open, or at once, with the initial cells', () => {
  const later = new FakeSocket();
  const presence = createPresence(createStore(), asPartySocket(later), { initial: { x: 1 } });
  expect(later.sent).toEqual([]);
  later.open();
  expect(later.sent).toEqual(['r{"x":1}']);
  presence.destroy();

  const open = new FakeSocket();
  open.open();
  const prefixed = createPresence(createStore(), asPartySocket(open), { messagePrefix: 'p:' });
  expect(open.sent).toEqual(['p:r{}']);
  prefixed.destroy();
  expect(open.sent).toEqual(['p:r{}', 'p:r[]']);
});

/** Creates a presence with options that the types may not know, and ends it. */
const createAndEnd = (given: object): void =>
  createPresence(createStore(), asPartySocket(new FakeSocket()), given).destroy();

test('options that do not exist are reported, or warned of', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const options = { intial: { x: 1 } } as object;
  const errors: unknown[] = [];
  createAndEnd({ ...options, onIgnoredError: (error: unknown) => errors.push(error) });
  expect(warn).not.toHaveBeenCalled();
  createAndEnd(options);
  const error = { code: 'misuse', message: expect.stringContaining('"intial"') as unknown };
  expect(errors).toMatchObject([error]);
  expect(warn.mock.calls).toMatchObject([[expect.any(String), error]]);
  warn.mockRestore();
});

test.each([
  ['Store', undefined, new FakeSocket()],
  ['Store', new FakeSocket(), createStore()],
  ['PartySocket', createStore(), undefined],
  ['PartySocket', createStore(), Object.assign(new EventTarget(), { send: () => undefined })],
])('a missing %s is told in a sentence: %#', (what, store, socket) => {
  const create = (): unknown =>
    createPresence(store as unknown as Store, socket as unknown as PartySocket);
  expect(create).toThrow(TinyBasePartyKitError);
  expect(create).toThrow(`createPresence got no ${what} as its`);
});

test.each([undefined, null, 'x', 7])('set(%j) is told in a sentence', (cells) => {
  const presence = createPresence(createStore(), asPartySocket(new FakeSocket()));
  const set = (): void => presence.set(cells as unknown as object);
  expect(set).toThrow(TinyBasePartyKitError);
  expect(set).toThrow('presence.set got no object with cells.');
  presence.destroy();
});

test('[PRES-10] a client that should never ask does not ask at once: a timer that is too long for the platform would', () => {
  vi.useFakeTimers();
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.5);
  try {
    const socket = new FakeSocket();
    const options = { initial: { x: 1 }, checkMilliseconds: 2 ** 31 - 1 };
    const presence = createPresence(createStore(), asPartySocket(socket), options);
    socket.open();
    socket.receive(PICTURE);
    vi.advanceTimersByTime(60_000);
    expect(socket.sent).toEqual(['r{"x":1}']);
    presence.destroy();
  } finally {
    random.mockRestore();
    vi.useRealTimers();
  }
});

test('shows the others, and hears nothing of other frames or after destroy', () => {
  const socket = new FakeSocket();
  const store = createStore();
  const presence = createPresence(store, asPartySocket(socket), { initial: { x: 1 } });
  socket.open();
  for (const frame of ['ready', 'r', 'r{', 'chat', 'c[1,[{},{}]]', new ArrayBuffer(3)])
    socket.receive(frame);
  expect(store.getRowIds('connections')).toEqual(['ada']);
  socket.receive(PICTURE);
  expect(presence.getStore().getTable('connections')).toEqual({ ada: { x: 1 }, bob: { x: 2 } });
  presence.set({ x: 3 });
  expect(presence.getId()).toBe('ada');
  presence.destroy();
  expect(store.getTables()).toEqual({});
  socket.receive(PICTURE);
  socket.reconnect();
  // As a listener of the page does that was added before.
  presence.set({ x: 4 });
  expect(store.getTables()).toEqual({});
  expect(socket.sent.filter((frame) => frame === 'r[]')).toHaveLength(1);
});

test('[PRES-5] a page that removes the rows of others from its Store still tells them what it does', () => {
  vi.useFakeTimers();
  try {
    const socket = new FakeSocket();
    const store = createStore();
    const presence = createPresence(store, asPartySocket(socket), { initial: { x: 1 } });
    const move = (x: number): string[] => {
      socket.sent.splice(0);
      presence.set({ x });
      vi.advanceTimersByTime(100);
      return socket.sent;
    };
    socket.open();
    socket.receive(PICTURE);
    store.delTables();
    expect(move(2)).toEqual(['r{"x":2}']);
    socket.receive('r[{},{},{"connections":["bob"]}]');
    expect(move(3)).toEqual([]);
    // Somebody who comes is told what was not sent.
    socket.receive('r[{"connections":{"eve":{"x":5}}},{}]');
    vi.advanceTimersByTime(100);
    expect(socket.sent).toEqual(['r{"x":3}']);
    presence.destroy();
  } finally {
    vi.useRealTimers();
  }
});

test('[PRES-6] a row that would close the connection is not sent, and goes back to the one before', async () => {
  vi.useFakeTimers();
  try {
    const socket = new FakeSocket();
    const store = createStore();
    const errors: unknown[] = [];
    const long = 'é'.repeat(2 ** 18);
    const presence = createPresence<{ presence: Presence<object> }>(store, asPartySocket(socket), {
      initial: { x: 1, avatar: long },
      onIgnoredError: (error) => errors.push(error),
    });
    const set = async (cells: object): Promise<readonly unknown[]> => {
      socket.sent.splice(0);
      presence.set(cells);
      await vi.advanceTimersByTimeAsync(100);
      return [store.getRow('connections', 'ada'), ...socket.sent];
    };
    socket.open();
    expect(socket.sent).toEqual(['r{}']);
    socket.receive(
      'r[{"connections":{"ada":{"user":null},"bob":{"x":2}}},{},{"connections":0,"users":0}]',
    );
    vi.advanceTimersByTime(100);
    expect(await set({ x: 1 })).toEqual([{ x: 1 }, 'r{"x":1}']);
    expect(await set({ x: 2, avatar: long })).toEqual([{ x: 1 }, 'r{"x":1}']);
    expect(await set({ x: 3 })).toEqual([{ x: 3 }, 'r{"x":3}']);
    expect(errors).toMatchObject([{ code: 'too-large' }, { code: 'too-large' }]);
    // The Store takes no row back while its listeners run, so the app may be first.
    presence.set({ avatar: long });
    expect(await set({ x: 4, avatar: 'short' })).toEqual([
      { x: 4, avatar: 'short' },
      'r{"x":4,"avatar":"short"}',
    ]);
    presence.set({ avatar: long });
    presence.destroy();
    await vi.advanceTimersByTimeAsync(100);
    expect(store.getTables()).toEqual({});
  } finally {
    vi.useRealTimers();
  }
});

test('[PRES-6] a presence that a listener destroys as its row goes back sends nothing more', () => {
  const socket = new FakeSocket();
  const store = createStore();
  const presence = createPresence(store, asPartySocket(socket), {
    initial: { avatar: 'é'.repeat(2 ** 18) },
    onIgnoredError: ignoring('too-large'),
  });
  store.addRowListener('connections', 'ada', () => presence.destroy());
  socket.open();
  expect(socket.sent).toEqual(['r[]']);
});

test('[PRES-9] a connection that is lost again before its picture leaves no timer that empties a later one', () => {
  vi.useFakeTimers();
  try {
    const socket = new FakeSocket();
    const presence = createPresence(createStore(), asPartySocket(socket), { initial: { x: 1 } });
    const shown = (): readonly string[] => presence.getStore().getRowIds('connections');
    const lose = (): void => {
      socket.close();
      vi.advanceTimersByTime(2_000);
      socket.open();
    };
    socket.open();
    socket.receive(PICTURE);
    lose();
    lose();
    socket.receive(PICTURE);
    vi.advanceTimersByTime(6_000);
    expect(shown()).toEqual(['ada', 'bob']);
    // Without a picture, the time counts from the first loss.
    lose();
    lose();
    expect(shown()).toEqual(['ada', 'bob']);
    lose();
    expect(shown()).toEqual(['ada']);
    presence.destroy();
  } finally {
    vi.useRealTimers();
  }
});

test('[PRES-9] in another room nobody of the last one is shown, and the id may be another', () => {
  vi.useFakeTimers();
  try {
    const socket = new FakeSocket();
    const presence = createPresence(createStore(), asPartySocket(socket), { initial: { x: 1 } });
    socket.open();
    socket.receive(PICTURE);
    socket.close();
    vi.advanceTimersByTime(4_999);
    expect(presence.getStore().getRowIds('connections')).toEqual(['ada', 'bob']);
    socket.roomUrl = 'wss://host.test/parties/main/another';
    socket.id = 'eve';
    socket.open();
    expect(presence.getStore().getTable('connections')).toEqual({ eve: { x: 1 } });
    expect(presence.getId()).toBe('eve');
    expect(socket.sent.at(-1)).toBe('r{"x":1}');
    presence.destroy();
  } finally {
    vi.useRealTimers();
  }
});

test('[PRES-3] a socket whose id somebody else uses gets another one, in the same room', () => {
  vi.useFakeTimers();
  class Socket extends EventTarget {
    static readonly OPEN = 1;
    readonly readyState = 0;
    close(): void {}
    send(): void {}
  }
  try {
    const socket = new PartySocket({
      host: 'host.test',
      room: 'room',
      path: 'inner',
      id: 'ada',
      WebSocket: Socket,
    });
    socket.updateProperties({ room: 'another', party: 'chat', path: 'inner' });
    const { roomUrl } = socket;
    const presence = createPresence(createStore(), socket, {
      onIgnoredError: ignoring('forbidden'),
    });
    socket.dispatchEvent(new Event('open'));
    const json = '{"error":{"code":"forbidden","message":"Somebody else uses it."}}';
    socket.dispatchEvent(new MessageEvent('message', { data: `r${json}` }));
    vi.advanceTimersByTime(999);
    expect(socket.id).toBe('ada');
    vi.advanceTimersByTime(1);
    expect(socket.id).toMatch(/^[\w-]{20,}$/);
    expect(socket.roomUrl).toBe(roomUrl);
    expect(roomUrl).toBe('wss://host.test/parties/chat/another/inner');
    socket.dispatchEvent(new Event('open'));
    expect(presence.getId()).toBe(socket.id);
    presence.destroy();
    socket.close();
  } finally {
    vi.useRealTimers();
  }
});

test('a newer presence on the same socket replaces an older one, which leaves the Store alone', async () => {
  const socket = new FakeSocket();
  const store = createStore();
  const onIgnoredError = vi.fn();
  createPresence(store, asPartySocket(socket), { initial: { x: 1 }, onIgnoredError });
  socket.open();
  socket.receive(PICTURE);
  const other = createPresence(store, asPartySocket(socket), { messagePrefix: 'other' });
  await Promise.resolve();
  expect(onIgnoredError).not.toHaveBeenCalled();
  other.destroy();
  const newer = createPresence(store, asPartySocket(socket));
  await Promise.resolve();
  expect(onIgnoredError.mock.calls).toMatchObject([[{ code: 'replaced' }]]);
  expect(socket.sent.filter((frame) => frame === 'r{}')).toHaveLength(1);
  newer.destroy();
});

test('a presence that was replaced and is then destroyed, or is destroyed twice, takes nothing from a newer one or the app', async () => {
  const socket = new FakeSocket();
  const [store, other] = [createStore(), createStore()];
  const create = (of: Store): Presence<unknown> =>
    createPresence(of, asPartySocket(socket), { onIgnoredError: ignoring('replaced') });
  socket.open();
  const one = create(store);
  socket.receive(PICTURE);
  const two = create(other);
  one.destroy();
  expect(store.getTables(), 'its own Store').toEqual({});
  socket.receive(PICTURE);
  const three = create(other);
  socket.sent.length = 0;
  two.destroy();
  expect(socket.sent).toEqual([]);
  expect(Object.keys(other.getTable('connections'))).toContain('bob');
  three.set({ x: 3 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.receive(PICTURE);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(socket.sent.at(-1)).toBe('r{"x":3}');
  three.destroy();
  let calls = 0;
  for (const table of ['a', 'b']) other.addTableListener(table, () => (calls += 1));
  three.destroy();
  other.setCell('a', 'r', 'c', 1).setCell('b', 'r', 'c', 1);
  expect(calls).toBe(2);
});

test('a Store with the presence of another socket is told: each would take the rows of the other for deleted', async () => {
  const store = createStore();
  const errors: unknown[] = [];
  const onIgnoredError = (error: unknown): unknown => errors.push(error);
  const presenceOn = (socket: FakeSocket, messagePrefix = ''): Presence<unknown> =>
    createPresence(store, asPartySocket(socket), { messagePrefix, onIgnoredError });
  const told = async (): Promise<unknown> => {
    await Promise.resolve();
    return errors.splice(0).map(String);
  };
  const [one, two] = [new FakeSocket(), new FakeSocket()];
  const first = presenceOn(one);
  presenceOn(one, 'other').destroy();
  const again = presenceOn(one);
  expect(await told()).toEqual([expect.stringContaining('A newer presence uses this socket')]);
  first.destroy();
  const second = presenceOn(two);
  const message = 'createPresence got no Store of its own, but that of another presence.';
  expect(await told()).toEqual([expect.stringContaining(message)]);
  again.destroy();
  second.destroy();
  presenceOn(one).destroy();
  expect(await told()).toEqual([]);
});

test('an onIgnoredError that throws keeps no presence from being made, also where the Store has another one', async () => {
  const written = vi.spyOn(console, 'error').mockReturnValue(undefined);
  const store = createStore();
  const first = createPresence(store, asPartySocket(new FakeSocket()));
  const second = createPresence(store, asPartySocket(new FakeSocket()), {
    onIgnoredError: (error: unknown) => {
      throw error;
    },
  });
  await vi.waitFor(() => expect(written).toHaveBeenCalledOnce());
  first.destroy();
  second.destroy();
  written.mockRestore();
});

test('an error that ends every attempt is told, and others go 5 s later', async () => {
  const socket = new FakeSocket();
  const onIgnoredError = vi.fn();
  const presence = createPresence(createStore(), asPartySocket(socket), { onIgnoredError });
  socket.open();
  socket.receive('e{"code":"unauthorized","message":"There is no token."}');
  await Promise.resolve();
  expect(onIgnoredError.mock.calls).toMatchObject([[{ code: 'unauthorized' }]]);
  expect(socket.closes).toEqual([[4401, 'unauthorized']]);
  presence.destroy();
});

test.each(['too-large', 'malformed', 'full', 'unavailable', 'failed'])(
  '[GATE-4] why the room refuses the connection is told, once until something else comes: %s',
  async (code) => {
    const socket = new FakeSocket();
    const onIgnoredError = vi.fn();
    const presence = createPresence(createStore(), asPartySocket(socket), { onIgnoredError });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      socket.open();
      socket.receive(`e{"code":"${code}","message":"No."}`);
      socket.closeByServer(4000);
    }
    await Promise.resolve();
    expect(onIgnoredError.mock.calls).toMatchObject([[{ code, message: 'No.' }]]);
    expect(socket.closes).toEqual([]);
    presence.destroy();
  },
);

test('[PRES-2] the cell user of the own row goes back if the app changes it in the Store', async () => {
  const socket = new FakeSocket();
  const store = createStore();
  const presence = createPresence(store, asPartySocket(socket), { initial: { x: 1 } });
  const row = async (): Promise<unknown> => {
    await Promise.resolve();
    return store.getRow('connections', 'ada');
  };
  store.setCell('connections', 'ada', 'user', 'eve');
  expect(await row()).toEqual({ x: 1 });
  socket.open();
  socket.receive('r[{"connections":{"ada":{"x":1,"user":"u1"},"bob":{"x":2}},"users":{}},{}]');
  store.setCell('connections', 'ada', 'user', 'eve');
  expect(await row()).toEqual({ x: 1, user: 'u1' });
  store.delRow('connections', 'ada');
  expect(await row()).toEqual({ user: 'u1' });
  socket.receive('r[{"connections":{"ada":{"user":null}}},{}]');
  store.setRow('connections', 'ada', { x: 3, user: 'eve' });
  await row();
  socket.receive('r[{"connections":{"ada":{"user":"u2"}}},{}]');
  store.transaction(() => {
    store.delCell('connections', 'ada', 'user').setCell('connections', 'ada', 'x', 4);
  });
  expect(await row()).toEqual({ x: 4, user: 'u2' });
  socket.id = 'ann';
  socket.reconnect();
  expect(store.getRow('connections', 'ann')).toEqual({ x: 4 });
  store.setCell('connections', 'ann', 'user', 'u2');
  await row();
  expect(store.getRow('connections', 'ann')).toEqual({ x: 4 });
  expect(socket.sent.filter((frame) => frame.includes('user'))).toEqual([]);
  socket.receive('r[{"connections":{"ann":{"user":"u2"}}},{}]');
  store.setCell('connections', 'ann', 'user', 'eve');
  presence.destroy();
  await row();
  expect(store.getTables()).toEqual({});
});

test('[PRES-2] the cell user cannot be set', () => {
  const presence = createPresence(createStore(), asPartySocket(new FakeSocket()));
  expect(() => presence.set({ user: 'eve' })).toThrow(
    expect.objectContaining({ code: 'malformed' }),
  );
  presence.destroy();
});

test('a createPresence that throws because of its initial cells leaves nothing on the socket and the Store', async () => {
  const socket = new FakeSocket();
  const store = createStore();
  const onIgnoredError = vi.fn();
  socket.open();
  const create = (initial: object): Presence<unknown> =>
    createPresence(store, asPartySocket(socket), { initial, onIgnoredError });
  const first = create({ x: 1 });
  expect(() => create({ user: 'eve' })).toThrow(expect.objectContaining({ code: 'malformed' }));
  // The former one still has the socket.
  first.set({ x: 2 });
  socket.receive(PICTURE);
  await vi.waitFor(() => expect(socket.sent.at(-1)).toBe('r{"x":2}'));
  first.destroy();
  expect(() => create({ user: 'eve' })).toThrow();
  socket.sent.length = 0;
  socket.close();
  socket.open();
  store.setCell('connections', 'ada', 'x', 3);
  expect(socket.sent).toEqual([]);
  // Nor is the Store taken for that of another socket.
  createPresence(store, asPartySocket(new FakeSocket()), { onIgnoredError }).destroy();
  await Promise.resolve();
  expect(onIgnoredError).not.toHaveBeenCalled();
});

test('a value that no Store can hold, such as NaN, is told once: the cell keeps what it had', async () => {
  const onIgnoredError = vi.fn();
  const presence = createPresence(createStore(), asPartySocket(new FakeSocket()), {
    initial: { x: 1 },
    onIgnoredError,
  });
  presence.set({ x: NaN, at: Infinity });
  presence.set({ x: NaN });
  await Promise.resolve();
  expect(onIgnoredError.mock.calls.map(String)).toEqual([
    expect.stringContaining('presence.set got no value that a Store can hold for the cell x'),
  ]);
  expect(presence.getStore().getRow('connections', 'ada')).toEqual({ x: 1 });
  presence.destroy();
});

test.each(['user', 'x'])('a presence whose first cells cannot be set is none: %s', (cell) => {
  const socket = new FakeSocket();
  const store = createStore();
  const listener = store.addCellListener('connections', null, 'x', () => {
    throw new Error('of the app');
  });
  const create = (): unknown =>
    createPresence(store, asPartySocket(socket), { initial: { [cell]: 1 } });
  expect(create).toThrow();
  socket.open();
  store.delListener(listener);
  store.setCell('connections', 'ada', 'y', 1);
  expect(socket.sent).toEqual([]);
});

test('what onIgnoredError throws is written to the console, and keeps presence from nothing', async () => {
  const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const socket = new FakeSocket();
  const presence = createPresence(createStore(), asPartySocket(socket), {
    initial: { x: 1 },
    onIgnoredError: () => {
      throw new Error('the app');
    },
  });
  socket.open();
  socket.receive(PICTURE);
  socket.receive(
    'r{"own":[{"connections":{"ada":{"x":5}}},{}],"of":"{\\"x\\":1}","error":{"code":"malformed","message":"no"}}',
  );
  await new Promise((resolve) => setImmediate(resolve));
  expect(written.mock.calls).toMatchObject([[{ message: 'the app' }]]);
  expect(presence.getStore().getCell('connections', 'ada', 'x')).toBe(5);
  presence.destroy();
  written.mockRestore();
});

test('cells that a listener of the Store sets are set when the listeners are done', async () => {
  const socket = new FakeSocket();
  socket.open();
  const store = createStore();
  const presence = createPresence(store, asPartySocket(socket), { initial: { x: 1 } });
  let seen = 0;
  store.addRowListener('connections', 'bob', () => presence.set({ seen: ++seen }));
  socket.receive(PICTURE);
  socket.receive('r[{"connections":{"bob":{"x":3}}},{}]');
  await Promise.resolve();
  await Promise.resolve();
  expect(store.getRow('connections', 'ada')).toEqual({ x: 1, seen: 2 });
  await vi.waitFor(() => expect(socket.sent.at(-1)).toBe('r{"x":1,"seen":2}'));
  presence.destroy();
});

test('what a listener destroys is gone when the listeners are done', async () => {
  const socket = new FakeSocket();
  socket.open();
  const store = createStore();
  const presence = createPresence(store, asPartySocket(socket), { initial: { x: 1 } });
  store.addRowListener('connections', 'bob', () => presence.destroy());
  socket.receive(PICTURE);
  await Promise.resolve();
  await Promise.resolve();
  expect(store.getTables()).toEqual({});
});

test.each([
  ['a change', 'r[{"connections":{"bob":{"x":3}}},{}]'],
  ['a picture without the own row', 'r[{"connections":{"bob":{"x":3}}},{},{"connections":0}]'],
  [
    'a correction',
    'r{"own":[{"connections":{"ada":{"x":3}}},{}],"error":{"code":"overloaded","message":"m"}}',
  ],
])(
  'a presence that is destroyed by a listener of %s sends nothing more, and leaves the socket open',
  async (_what, frame) => {
    vi.useFakeTimers();
    try {
      const socket = new FakeSocket();
      socket.open();
      const reconnect = vi.spyOn(socket, 'reconnect');
      const store = createStore();
      const presence = createPresence(store, asPartySocket(socket), {
        initial: { x: 1 },
        onIgnoredError: ignoring('overloaded'),
      });
      socket.receive(PICTURE);
      const listenerId = store.addCellListener('connections', null, 'x', () => {
        store.delListener(listenerId);
        presence.destroy();
      });
      socket.receive(frame);
      await vi.advanceTimersByTimeAsync(300_000);
      expect(socket.sent).toEqual(['r{"x":1}', 'r[]']);
      expect(reconnect).not.toHaveBeenCalled();
    } finally {
      vi.useRealTimers();
    }
  },
);

test('[PRES-7] what was set in a transaction that is rolled back is not sent', () => {
  vi.useFakeTimers();
  try {
    const socket = new FakeSocket();
    const store = createStore();
    const options: object = { initial: { x: 1, y: 1 } };
    const presence = createPresence(store, asPartySocket(socket), options);
    const set = (cells: object): void => presence.set(cells);
    const joined = (): string | undefined => {
      socket.close();
      vi.advanceTimersByTime(1_000);
      socket.open();
      return socket.sent.at(-1);
    };
    const setAndRollBack = (cells: object): unknown =>
      store.transaction(
        () => set(cells),
        () => true,
      );
    setAndRollBack({ x: 5 });
    setAndRollBack({ x: undefined, z: 5 });
    expect(store.getRow('connections', 'ada')).toEqual({ x: 1, y: 1 });
    expect(joined()).toBe('r{"x":1,"y":1}');
    store.transaction(() => {
      set({ x: 6, y: 7 });
      set({ y: 8 });
    });
    expect(joined()).toBe('r{"x":6,"y":8}');
    presence.destroy();
  } finally {
    vi.useRealTimers();
  }
});

test('[STORE-1] presence does not take the Store of a persister: it would delete the table users for everybody', () => {
  const store = createStore();
  const socket = asPartySocket(new FakeSocket());
  createPartyKitPersister(store, socket);
  expect(() => createPresence(store, socket)).toThrow(
    expect.objectContaining({
      code: 'misuse',
      message: expect.stringContaining('that of a persister') as unknown,
    }),
  );
});

test('[STORE-1] a persister does not start with the Store of presence, and says so', async () => {
  vi.useFakeTimers();
  try {
    const store = createStore();
    const socket = new FakeSocket();
    const errors: unknown[] = [];
    createPresence(store, asPartySocket(socket)).destroy();
    // Presences may share the Store.
    createPresence(store, asPartySocket(socket)).destroy();
    const persister = createPartyKitPersister(store, asPartySocket(socket), {}, (error) =>
      errors.push(error),
    );
    void persister.startAutoPersisting([{ users: { ada: { name: 'Ada' } } }, {}]);
    await vi.advanceTimersByTimeAsync(5_000);
    socket.open();
    expect(errors).toMatchObject([{ code: 'misuse' }]);
    expect([socket.sent, persister.getSync().phase]).toEqual([[], 'idle']);
    await persister.destroy();
  } finally {
    vi.useRealTimers();
  }
});
