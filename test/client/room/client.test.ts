import { createStore, type Store } from 'tinybase';
import { describe, expect, onTestFinished, test, vi } from 'vitest';

import { until } from '../../support/until.ts';
import { ignoring } from '../../support/ignoring.ts';

import { createClient, type Client, type RoomOptions } from '../../../src/client/room/index.ts';

/** A WebSocket that never opens. */
class NeverOpens extends EventTarget {
  readonly readyState = 0;
  close(): void {}
}

// Nothing listens there, also while `npm run dev` runs.
const OPTIONS = { createStore, host: 'localhost:1987', WebSocket: NeverOpens };
const clientOf = (options: object): Client<unknown, unknown> =>
  createClient(options as unknown as RoomOptions);

describe('an option that is missing is told in a sentence, by createRoom and by enter', () => {
  test.each([
    ['option createStore', {}],
    ['option createStore', { ...OPTIONS, createStore: undefined }],
    ['option host', { ...OPTIONS, host: undefined }],
    ['option host', { ...OPTIONS, host: '' }],
  ])('%s: %#', async (what, options) => {
    const client = clientOf(options);
    const error = { code: 'misuse', message: expect.stringContaining(what) as unknown };
    await expect(client.enter('board')).rejects.toMatchObject(error);
    await expect(async () => client.createRoom('board')).rejects.toMatchObject(error);
    expect(client.getRooms()).toEqual([]);
  });

  test('a room may have the host that its client does not have', () => {
    const client = clientOf({ createStore, WebSocket: NeverOpens });
    expect(client.createRoom('board', { host: 'localhost:1999' }).id).toBe('board');
  });
});

test('an async prepareStore is told: its schema would come when the Store is filled, and delete content for everybody', async () => {
  const entered = clientOf({ ...OPTIONS, prepareStore: async () => undefined }).enter('board');
  await expect(entered).rejects.toMatchObject({
    code: 'misuse',
    message: expect.stringContaining('prepareStore returned a promise') as unknown,
  });
  const right = clientOf({ ...OPTIONS, prepareStore: (store: Store) => store.setTablesSchema({}) });
  expect(right.createRoom('board').id).toBe('board');
});

test.each([
  ['async', async () => createStore()],
  ['without an answer', () => undefined],
])('a createStore that is %s is told in a sentence', async (_what, create) => {
  await expect(clientOf({ ...OPTIONS, createStore: create }).enter('board')).rejects.toMatchObject({
    code: 'misuse',
    message: 'createClient got no Store from its function createStore: it may not be async.',
  });
});

test('a host with a space is told in a sentence, and not taken for a server that is away', async () => {
  const entered = clientOf({ ...OPTIONS, host: ' localhost:1999' }).enter('board');
  await expect(entered).rejects.toMatchObject({
    code: 'misuse',
    message: 'The host of the PartySocket has a space: " localhost:1999".',
  });
});

/** The error for an option of that name. */
const errorOf = (name: string, caller = 'createClient'): object => ({
  code: 'misuse',
  message: expect.stringContaining(
    `The object for ${caller} has options that do not exist: "${name}"`,
  ) as unknown,
});

test('options that do not exist are reported, or warned of, by createClient and createRoom', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const errors: unknown[] = [];
  const onIgnoredError = (error: unknown): unknown => errors.push(error);
  const client = clientOf({ ...OPTIONS, onIgnoredError, tokens: () => 'x' });
  client.createRoom('board', { initialContent: [{}, {}] } as object);
  await Promise.resolve();
  expect(errors).toMatchObject([errorOf('tokens'), errorOf('initialContent', 'createRoom')]);
  expect(warn).not.toHaveBeenCalled();
  clientOf({ ...OPTIONS, Host: 'x' });
  await Promise.resolve();
  expect(warn.mock.calls).toMatchObject([[expect.any(String), errorOf('Host')]]);
  warn.mockRestore();
});

test.each([undefined, null, 7, {}, ''])('enter(%j) needs the id of a room', async (id) => {
  const entered = clientOf(OPTIONS).enter(id as string);
  await expect(entered).rejects.toMatchObject({
    code: 'misuse',
    message: expect.stringContaining('the id of a room') as unknown,
  });
});

test('the state of the persister has the error of the function "token", and a hint about the socket is not reported', async () => {
  vi.useFakeTimers();
  const errors: unknown[] = [];
  const client = clientOf({
    ...OPTIONS,
    token: () => Promise.reject(new Error('HTTP 500')),
    onIgnoredError: (error: unknown) => errors.push(error),
  });
  const room = client.createRoom('board');
  client.enter(room).catch(() => undefined);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(errors).toMatchObject([
    { code: 'network', message: expect.stringContaining('failed (HTTP 500)') as unknown },
  ]);
  expect(room.persister.getSync().error).toBe(errors[0]);
  const left = client.leave(room);
  await vi.advanceTimersByTimeAsync(5_000);
  await left;
  vi.useRealTimers();
});

test('[CLIENT-1] who leaves before the room is reached hears from enter that the room was left', async () => {
  const client = clientOf({ ...OPTIONS, onIgnoredError: () => undefined });
  const entered = client.enter('board');
  await client.leave('board');
  await expect(entered).rejects.toMatchObject({
    code: 'destroyed',
    message: 'The room was left: enter it again.',
  });
});

test('[CLIENT-1] leave waits also for the edit whose listener, or whose transaction, calls it', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const client = clientOf({ ...OPTIONS, onIgnoredError: () => undefined });
  const open = async (id: string): Promise<Store> => {
    client.enter(id).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(100);
    return client.getRoom(id)?.store ?? createStore();
  };
  const [heard, changed] = [await open('heard'), await open('changed')];
  const leaving: Promise<void>[] = [];
  heard.addValueListener('v', () => void leaving.push(client.leave('heard')));
  heard.setValue('v', 1);
  changed.transaction(() => {
    changed.setValue('v', 1);
    leaving.push(client.leave('changed'));
  });
  await vi.advanceTimersByTimeAsync(1_900);
  expect(client.getRooms().map(({ id }) => id)).toEqual(['heard', 'changed']);
  await vi.advanceTimersByTimeAsync(200);
  await Promise.all(leaving);
  expect(client.getRooms()).toEqual([]);
});

test('[CLIENT-1] leave does not wait for edits that are held because the app has stopped saving', async () => {
  const errors: unknown[] = [];
  const client = clientOf({ ...OPTIONS, onIgnoredError: (error: unknown) => errors.push(error) });
  client.enter('board').catch(() => undefined);
  await new Promise<void>((resolve) => setImmediate(resolve));
  const { store, persister } = client.getRoom('board') ?? never();
  await persister.stopAutoSave();
  store.setValue('v', 1);
  const begun = performance.now();
  await client.leave('board');
  expect(performance.now() - begun).toBeLessThan(500);
  expect(errors).toMatchObject([
    { code: 'destroyed', message: expect.stringContaining('1 unconfirmed edits') as unknown },
  ]);
});

test('[CLIENT-2] an app that has no token is asked once for each time that it enters', async () => {
  let asked = 0;
  const token = (): string | null => {
    asked++;
    return null;
  };
  const client = clientOf({ ...OPTIONS, token, onIgnoredError: () => undefined });
  const room = client.createRoom('board');
  for (const times of [1, 2, 3]) {
    await expect(client.enter(room)).rejects.toMatchObject({ code: 'unauthorized' });
    // PartySocket waits for the next turn before it asks.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(asked).toBe(times);
  }
  await room.persister.startAutoLoad();
  expect(asked).toBe(4);
  await client.leave(room);
});

test('[CLIENT-1] leave waits for edits that were on their way when the app has stopped saving', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const client = clientOf({ ...OPTIONS, onIgnoredError: () => undefined });
  client.enter('board').catch(() => undefined);
  await vi.advanceTimersByTimeAsync(100);
  const { store, persister } = client.getRoom('board') ?? never();
  store.setValue('v', 1);
  await persister.stopAutoSave();
  const leaving = client.leave('board');
  await vi.advanceTimersByTimeAsync(1_900);
  expect(client.getRooms()).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(200);
  await leaving;
  expect(client.getRooms()).toEqual([]);
});

test.each([
  [
    'sync',
    () => {
      throw new Error('of the app');
    },
  ],
  ['async', () => Promise.reject(new Error('of the app'))],
])(
  'onIgnoredError gets what an onAuthorizationFail throws that is %s',
  async (_kind, onAuthorizationFail) => {
    const errors: unknown[] = [];
    const client = clientOf({
      ...OPTIONS,
      token: () => null,
      onAuthorizationFail,
      onIgnoredError: (error: unknown) => errors.push(error),
    });
    await expect(client.enter('board')).rejects.toMatchObject({ code: 'unauthorized' });
    await vi.waitFor(() =>
      expect(errors).toMatchObject([{ code: 'unauthorized' }, { message: 'of the app' }]),
    );
    await client.leave('board');
  },
);

test('[CLIENT-2] if token and query fail at once, neither failure is left unhandled', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): unknown => unhandled.push(error);
  process.on('unhandledRejection', note);
  const told = new Promise((resolve) => {
    const client = clientOf({
      ...OPTIONS,
      token: () => {
        throw new Error('of token');
      },
      query: () => Promise.reject(new Error('of query')),
      onIgnoredError: resolve,
    });
    client.enter('board').catch(() => undefined);
    onTestFinished(() => client.leave('board'));
  });
  expect(await told).toMatchObject({ code: 'network' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

test('[CLIENT-1] entering twice opens one socket, and who enters while leaving stays', async () => {
  vi.useFakeTimers();
  const urls: string[] = [];
  class Noted extends NeverOpens {
    constructor(url: string) {
      super();
      urls.push(url);
    }
  }
  const client = clientOf({ ...OPTIONS, WebSocket: Noted, onIgnoredError: ignoring('network') });
  const ends: unknown[] = [];
  const enter = (): void => void client.enter('board').catch((error: unknown) => ends.push(error));
  enter();
  enter();
  await vi.advanceTimersByTimeAsync(100);
  const room = client.getRoom('board');
  const leaving = client.leave('board');
  enter();
  await vi.advanceTimersByTimeAsync(3_000);
  await leaving;
  expect(client.getRoom('board')).toBe(room);
  expect([urls.length, ends]).toEqual([1, []]);
  const left = client.leave('board');
  await vi.advanceTimersByTimeAsync(3_000);
  await left;
  expect(client.getRooms()).toEqual([]);
  expect(ends).toMatchObject(Array.from({ length: 3 }, () => ({ code: 'destroyed' })));
  vi.useRealTimers();
});

test.each([
  ['the function "token" of an app that knows no user', null, 'the user may not enter.'],
  ['an object with a token, as PartySocket takes it', { token: 'x' }, 'return the token itself'],
  ['nothing', undefined, 'return the token itself'],
  ['an empty text', '', 'returned an empty text: return the token itself'],
])('enter rejects after %s, and says why', async (_title, token, reason) => {
  const client = clientOf({
    ...OPTIONS,
    token: () => token,
    onIgnoredError: ignoring('unauthorized'),
  });
  await expect(client.enter('board')).rejects.toMatchObject({
    code: 'unauthorized',
    message: expect.stringContaining(reason) as unknown,
  });
});

test('a misspelt option of enter is reported, and what is no object of options is an error at once', async () => {
  const errors: unknown[] = [];
  const client = clientOf({ ...OPTIONS, onIgnoredError: (error: unknown) => errors.push(error) });
  for (const entry of ['ann', 5, null, Promise.resolve({})])
    await expect(client.enter('board', entry as never)).rejects.toMatchObject({ code: 'misuse' });
  expect(client.getRooms()).toEqual([]);
  void client.enter('board', { metaData: 'ann' } as never).catch(() => undefined);
  await until('an error', () => errors.length > 0);
  expect(errors[0]).toMatchObject({
    code: 'misuse',
    message: expect.stringContaining('did you mean "metadata"') as unknown,
  });
  await client.leave('board');
});

test('leave of what is no room is an error, and of a room that was left is none', async () => {
  const client = clientOf(OPTIONS);
  for (const room of [undefined, null, {}, clientOf(OPTIONS).createRoom('board')])
    await expect(client.leave(room as never)).rejects.toMatchObject({
      code: 'misuse',
      message: expect.stringContaining('leave needs the id') as unknown,
    });
  const room = client.createRoom('board');
  await client.leave(room);
  await client.leave(room);
  await client.leave('another');
});

test.each([
  ['text', 'a=b'],
  ['URLSearchParams', new URLSearchParams('a=b')],
])('[CLIENT-2] %s from "query" would not be in the URL: that is told', async (_title, given) => {
  const errors: unknown[] = [];
  const client = clientOf({
    ...OPTIONS,
    query: () => given as never,
    onIgnoredError: (error: unknown) => errors.push(error),
  });
  const entering = client.enter('board').catch(() => undefined);
  await until('an error', () => errors.length > 0);
  expect(errors).toMatchObject([
    { code: 'network', message: expect.stringContaining('no plain object') as unknown },
  ]);
  await client.leave('board');
  await entering;
});

test.each([
  ['the page of a server that answers every path', '<!doctype html><p>'],
  ['a page without a space', '<html/>'],
  ['a message', 'Bad Gateway'],
  ['a token and the end of a line', 'aaa.bbb.ccc\n'],
])('[CLIENT-2] %s is no token: that is told, and the app is asked again', async (_title, text) => {
  const errors: unknown[] = [];
  let asked = 0;
  const client = clientOf({
    ...OPTIONS,
    token: () => {
      asked++;
      return text;
    },
    onAuthorizationFail: never,
    onIgnoredError: (error: unknown) => errors.push(error),
  });
  const entering = client.enter('board').catch(() => undefined);
  await until('another attempt', () => asked === 2);
  expect(errors).toMatchObject([
    { code: 'network', message: expect.stringContaining('is it a page?') as unknown },
  ]);
  expect(client.getRoom('board')?.persister.getSync()).toMatchObject({
    phase: 'loading',
    error: { code: 'network' },
  });
  await client.leave('board');
  await entering;
});

test('[CLIENT-1] an edit of a room that was left is told, once, unless it empties the Store or somebody else has that', async () => {
  const errors: unknown[] = [];
  const store = createStore();
  const onIgnoredError = (error: unknown): unknown => errors.push(error);
  const client = clientOf({ ...OPTIONS, store, onIgnoredError });
  const room = client.createRoom('board');
  const told = async (): Promise<readonly string[]> => {
    await new Promise((resolve) => setImmediate(resolve));
    return errors.splice(0).map(String);
  };
  const stay = async (): Promise<void> => {
    const entering = client.enter(room).catch(() => undefined);
    await client.leave(room);
    await entering;
  };
  const tells = [expect.stringContaining('The room was left') as unknown];
  await stay();
  store.setValue('v', 1);
  store.setValue('v', 2);
  expect(await told()).toEqual(tells);
  await stay();
  store.delValues();
  expect(await told()).toEqual([]);
  store.setCell('t', 'r', 'c', 1);
  expect(await told()).toEqual(tells);
  await stay();
  const entered = client.enter(room).catch(() => undefined);
  store.setValue('v', 3);
  expect(await told()).toEqual([]);
  await client.leave(room);
  await entered;
  await told();
  const other = clientOf({ ...OPTIONS, store }).createRoom('other');
  other.persister.startAutoSave().catch(() => undefined);
  store.setValue('v', 4);
  expect(await told()).toEqual([]);
  await other.persister.destroy();
});

test('[CLIENT-1] rooms that one Store had, one after the other, tell of an edit once, and not of what prepareStore does', async () => {
  const errors: unknown[] = [];
  const store = createStore();
  const onIgnoredError = (error: unknown): unknown => errors.push(error);
  const client = clientOf({ ...OPTIONS, onIgnoredError });
  for (const prepared of [1, 2, 3]) {
    const prepareStore = (): unknown => store.setValue('prepared', prepared);
    const room = client.createRoom('board', { store, prepareStore });
    const entering = client.enter(room).catch(() => undefined);
    await client.leave(room);
    await entering;
  }
  expect(errors.map(String).filter((text) => text.includes('was left'))).toEqual([]);
  expect(store.getListenerStats().transaction).toBe(2);
});

describe('a function of the app that does not end', () => {
  test.each([['token'], ['query']])(
    'is told in place of a socket that does not open: %s',
    async (name) => {
      vi.useFakeTimers();
      const errors: unknown[] = [];
      const client = clientOf({
        ...OPTIONS,
        [name]: () => new Promise(() => undefined),
        onIgnoredError: (error: unknown) => errors.push(error),
      });
      void client.enter('board').catch(() => undefined);
      await vi.advanceTimersByTimeAsync(120_000);
      expect(String(errors[0])).toContain('"token" or "query" has not answered');
      expect(String(errors[1])).toContain('"token" or "query" failed (no answer for 30 s)');
      // No other: the socket that waits for it is not to blame.
      expect(new Set(errors.map(String))).toHaveProperty('size', 2);
      expect(client.getRoom('board')?.persister.getSync()).toMatchObject({
        error: { code: 'network' },
      });
      void client.leave('board');
      await vi.advanceTimersByTimeAsync(5_000);
      vi.useRealTimers();
    },
  );

  test('is no error if it takes some seconds', async () => {
    vi.useFakeTimers();
    const errors: unknown[] = [];
    const client = clientOf({
      ...OPTIONS,
      token: () => new Promise((resolve) => setTimeout(() => resolve('t'), 8_000)),
      onIgnoredError: (error: unknown) => errors.push(error),
    });
    void client.enter('board').catch(() => undefined);
    await vi.advanceTimersByTimeAsync(9_500);
    expect(errors).toEqual([]);
    void client.leave('board');
    await vi.advanceTimersByTimeAsync(5_000);
    vi.useRealTimers();
  });
});

function never(): never {
  throw new Error('The room is not there.');
}

function createThrowing(): Store {
  const store = createStore();
  store.addCellListener('connections', null, 'x', () => {
    throw new Error('of the app');
  });
  return store;
}

test('a listener of the presence Store that throws while a room is created leaves nothing behind that listens to the network', async () => {
  const listening = new Set<unknown>();
  vi.stubGlobal('addEventListener', (_type: string, listener: unknown) => listening.add(listener));
  vi.stubGlobal('removeEventListener', (_type: string, listener: unknown) =>
    listening.delete(listener),
  );
  onTestFinished(() => void vi.unstubAllGlobals());
  const client = clientOf({ ...OPTIONS, createStore: createThrowing, initialPresence: { x: 1 } });
  await expect(client.enter('board')).rejects.toThrow('of the app');
  await Promise.resolve();
  expect(listening.size).toBe(0);
  const calm = clientOf({ ...OPTIONS, initialPresence: { x: 1 } }).createRoom('board');
  expect(listening.size).toBeGreaterThan(0);
  await calm.persister.destroy();
});
