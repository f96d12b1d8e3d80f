import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';

import { PartySocket, type PartySocketOptions } from 'partysocket';
import { createMergeableStore, createStore, type Content, type Store } from 'tinybase';
import { createPartyKitPersister as createStockPersister } from 'tinybase/persisters/persister-partykit-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import {
  createPartyKitPersister,
  TinyBasePartyKitError,
  type PartyKitPersister,
  type PartyKitPersisterConfig,
  type Refusal,
} from '../../src/client/index.ts';
import { decodeContent, encodeContent, encodeRoomMessage } from '../../src/protocol/codec.ts';
import { FakePartySocket, roomOn } from './fake-party-socket.ts';
import type { SmallRoom } from './session/small-room.ts';

beforeEach(() => {
  vi.stubGlobal('fetch', async () => new Response(''));
});

/** What was made in a test and is to be destroyed with it. */
const persisters: PartyKitPersister[] = [];

afterEach(async () => {
  await Promise.all(persisters.splice(0).map((persister) => persister.destroy()));
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

interface Persisted {
  readonly store: Store;
  readonly socket: FakePartySocket;
  readonly room: SmallRoom;
  readonly persister: PartyKitPersister;
  readonly errors: unknown[];
  readonly requests: string[];
}

/** A persister on an open socket to a room that holds this. */
function persist(content?: Content, config: PartyKitPersisterConfig = {}): Persisted {
  const store = createStore();
  const socket = new FakePartySocket();
  socket.readyState = 1;
  const { room, fetch, requests } = roomOn(socket, config.messagePrefix);
  if (content !== undefined) {
    const leaves = decodeContent(JSON.stringify(content));
    if (leaves !== undefined) room.seed(leaves);
  }
  vi.stubGlobal('fetch', fetch);
  const errors: unknown[] = [];
  const persister = createPersister(store, socket, config, (error) => errors.push(error));
  return { store, socket, room, persister, errors, requests };
}

function createPersister(
  store: Store,
  socket: FakePartySocket,
  config?: PartyKitPersisterConfig | 'http' | 'https',
  onIgnoredError?: (error: unknown) => void,
): PartyKitPersister {
  const persister = createPartyKitPersister(
    store,
    socket as unknown as PartySocket,
    config,
    onIgnoredError,
  );
  persisters.push(persister);
  return persister;
}

function throwing(): never {
  throw new Error('listener');
}

/** As an async function that throws. */
const rejecting = (async () => throwing()) as unknown as () => void;

/** Lets all that follows from what happened, happen. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn();
}

async function urlOf(
  options: PartySocketOptions,
  config?: PartyKitPersisterConfig | 'http' | 'https',
  change?: (socket: PartySocket) => void,
): Promise<string> {
  const urls: string[] = [];
  vi.stubGlobal('fetch', async (url: unknown) => {
    // Every GET asks for the cursor, too.
    urls.push(String(url).replace(/[?&]cursor$/, ''));
    return new Response('');
  });
  const socket = new PartySocket({ ...options, startClosed: true, disableNameValidation: true });
  change?.(socket);
  const persister = createPartyKitPersister(createStore(), socket, config);
  await persister.load();
  await persister.destroy();
  return urls.join(' ');
}

async function answered(response: () => Response): Promise<Persisted> {
  const persisted = persist();
  vi.stubGlobal('fetch', async () => response());
  await persisted.persister.startAutoLoad();
  return persisted;
}

describe.each([
  ["TinyBase's", createStockPersister],
  ['ours', createPartyKitPersister],
])('what apps know of a persister: %s', (_whose, create) => {
  const make = (onIgnoredError?: (error: unknown) => void): PartyKitPersister =>
    create(
      createStore(),
      new FakePartySocket() as unknown as PartySocket,
      {},
      onIgnoredError,
    ) as PartyKitPersister;

  test('has the members of a TinyBase persister, and is frozen', () => {
    const persister = make();
    for (const member of [
      'load',
      'startAutoLoad',
      'stopAutoLoad',
      'isAutoLoading',
      'save',
      'startAutoSave',
      'stopAutoSave',
      'isAutoSaving',
      'startAutoPersisting',
      'stopAutoPersisting',
      'getStatus',
      'addStatusListener',
      'delListener',
      'schedule',
      'getStore',
      'getStats',
      'getConnection',
      'destroy',
    ]) {
      expect(persister).toHaveProperty(member, expect.any(Function));
    }
    expect(Object.isFrozen(persister)).toBe(true);
  });

  test('begins idle, with nothing done', () => {
    const persister = make();
    expect(persister.getStatus()).toBe(0);
    expect(persister.getStats()).toEqual({ loads: 0, saves: 0 });
    expect([persister.isAutoLoading(), persister.isAutoSaving()]).toEqual([false, false]);
  });

  test('is on the Store and the socket that it was given', () => {
    const store = createStore();
    const socket = new FakePartySocket() as unknown as PartySocket;
    const persister = create(store, socket);
    expect(persister.getStore()).toBe(store);
    expect(persister.getConnection()).toBe(socket);
  });

  test('schedules actions one after the other, reports those that fail, and goes on', async () => {
    const errors: unknown[] = [];
    const persister = make((error) => errors.push(error));
    const done: string[] = [];
    const first = persister.schedule(
      async () => {
        await nextTurn();
        done.push('slow');
      },
      async () => {
        done.push('failing');
        throw new Error('failed');
      },
    );
    const second = persister.schedule(async () => {
      done.push('last');
    });
    expect(await first).toBe(persister);
    await second;
    expect(done).toEqual(['slow', 'failing', 'last']);
    expect(errors).toEqual([new Error('failed')]);
    expect(await persister.schedule()).toBe(persister);
  });

  test('stops, saves nothing and destroys without having begun', async () => {
    const persister = make();
    expect(await persister.stopAutoLoad()).toBe(persister);
    expect(await persister.stopAutoSave()).toBe(persister);
    expect(await persister.stopAutoPersisting()).toBe(persister);
    expect(await persister.destroy()).toBe(persister);
    expect(await persister.destroy()).toBe(persister);
  });
});

describe('ours', () => {
  test('loads, follows, saves and tells so', async () => {
    const { store, room, persister } = persist([{ t: { r: { c: 1 } } }, {}]);
    expect(await persister.startAutoPersisting()).toBe(persister);
    expect([persister.isAutoLoading(), persister.isAutoSaving()]).toEqual([true, true]);
    await settled();
    store.setCell('t', 'r', 'c', 2);
    await persister.whenConfirmed();
    expect(room.content?.get('t', 'r', 'c')).toBe(2);
    expect(persister.getSync()).toStrictEqual({
      phase: 'live',
      unsaved: 0,
      localOnly: 0,
      code: undefined,
      error: undefined,
    });
    expect(persister.getStats()).toEqual({ loads: 1, saves: 2 });
    await persister.stopAutoPersisting();
    expect([persister.isAutoLoading(), persister.isAutoSaving()]).toEqual([false, false]);
    expect(persister.getSync().phase).toBe('idle');
  });

  test('has status numbers and listeners as TinyBase has', async () => {
    const { store, persister } = persist([{}, {}]);
    const statuses: number[] = [];
    const listenerId = persister.addStatusListener((told, status) => {
      expect(told).toBe(persister);
      expect(persister.getStatus()).toBe(status);
      statuses.push(status);
    });
    await persister.startAutoPersisting();
    await settled();
    store.setValue('v', 1);
    await persister.whenConfirmed();
    // Loading, saving, and the edit.
    expect(statuses).toEqual([1, 0, 2, 0, 2, 0]);
    persister.delListener(listenerId);
    await persister.load();
    expect(statuses).toHaveLength(6);
  });

  test('has members that work when taken off it', async () => {
    const { store, persister } = persist([{}, { v: 1 }]);
    const phases: string[] = [];
    const listenerId = persister.addSyncListener.call(undefined, (_persister, { phase }) =>
      phases.push(phase),
    );
    expect(await persister.startAutoLoad.call(undefined)).toBe(persister);
    await settled();
    expect(persister.isAutoLoading.call(undefined)).toBe(true);
    expect(persister.getStatus.call(undefined)).toBe(0);
    expect(persister.getSync.call(undefined).phase).toBe('live');
    expect(phases).toEqual(['loading', 'connecting', 'catching-up', 'live']);
    expect(persister.delListener.call(undefined, listenerId)).toBe(persister);
    expect(store.getValues()).toEqual({ v: 1 });
  });

  test('reports refusals with their values', async () => {
    const { store, socket, persister } = persist([{}, {}]);
    const refused: unknown[] = [];
    persister.addRefusalListener((_persister, refusals) => refused.push(...refusals));
    await persister.startAutoPersisting();
    await settled();
    socket.onSend = () => undefined;
    store.setValue('v', { o: 1 });
    socket.receive('a[1,1,0,[{},{"v":"\uFFFC"}],"hook"]');
    expect(refused).toEqual([{ type: 'value', valueId: 'v', value: { o: 1 }, reason: 'hook' }]);
    expect(store.getValues()).toEqual({});
  });

  test.each<readonly [string, unknown]>([
    ['too large', 'x'.repeat(5_000_000)],
    ['too deep', JSON.parse('['.repeat(300) + ']'.repeat(300))],
  ])('takes what a refusal listener writes of an edit that is %s', async (_what, cell) => {
    const { store, persister } = persist([{ t: { r: { c: 0 } } }, {}]);
    await persister.startAutoPersisting();
    await settled();
    persister.addRefusalListener((_persister, refusals) => {
      for (const { tableId = '', rowId = '' } of refusals.filter((one) => 'tableId' in one))
        store.setCell(tableId, rowId, 'rejected', true);
    });
    store.setCell('t', 'r', 'c', cell as never);
    await settled();
    expect(store.getCell('t', 'r', 'rejected')).toBe(true);
    await persister.whenConfirmed();
  });

  test('[OFFLINE-1] reports the edits of a transaction that was open when it was destroyed, and no later ones', async () => {
    const { store, room, persister } = persist([{}, { v: 1 }]);
    await persister.startAutoPersisting();
    await settled();
    const refused: unknown[] = [];
    persister.addRefusalListener((_persister, refusals) => {
      refused.push(...refusals);
      store.setValue('told', true);
    });
    store.startTransaction().setValue('v', 2);
    await persister.destroy();
    store.finishTransaction();
    store.setValue('v', 3);
    await settled();
    expect(store.getValues()).toEqual({ v: 3, told: true });
    expect(refused).toEqual([{ type: 'value', valueId: 'v', value: 2, reason: 'destroyed' }]);
    expect(store.getListenerStats().transaction).toBe(0);
    expect(room.content?.get(null, '', 'v')).toBe(1);
  });

  test.each([false, true])(
    '[OFFLINE-1] leaves what it got from another one if it ends within the same transaction. Another comes: %s',
    async (isContinued) => {
      const { store, room, persister, socket } = persist([{}, { v: 1 }]);
      await persister.startAutoPersisting();
      await settled();
      const refused: unknown[] = [];
      const hear = (heard: typeof persister): void =>
        void heard.addRefusalListener((_persister, refusals) => refused.push(...refusals));
      hear(persister);
      const { onSend } = socket;
      socket.onSend = () => undefined;
      store.setValue('v', 2);
      vi.useFakeTimers();
      try {
        const destroyed = persister.destroy();
        await vi.advanceTimersByTimeAsync(2_000);
        await destroyed;
        store.startTransaction();
        const next = createPersister(store, socket);
        hear(next);
        void next.startAutoPersisting();
        await vi.advanceTimersByTimeAsync(20);
        const ended = next.destroy();
        await vi.advanceTimersByTimeAsync(20);
        await ended;
        store.finishTransaction();
        if (!isContinued) await vi.advanceTimersByTimeAsync(2_000);
      } finally {
        vi.useRealTimers();
      }
      const reported = { type: 'value', valueId: 'v', value: 2, reason: 'destroyed' };
      if (!isContinued) return expect(refused).toEqual([reported]);
      socket.onSend = onSend;
      const last = createPersister(store, socket);
      await last.startAutoPersisting();
      await last.whenConfirmed();
      expect([refused, room.content?.get(null, '', 'v')]).toEqual([[], 2]);
    },
  );

  test('[OFFLINE-1] leaves a transaction that was open when it was destroyed to the next persister', async () => {
    const { store, room, persister } = persist([{}, { v: 1 }]);
    await persister.startAutoPersisting();
    await settled();
    const refused: unknown[] = [];
    persister.addRefusalListener((_persister, refusals) => refused.push(...refusals));
    store.startTransaction().setValue('v', 2);
    await persister.destroy();
    const next = createPersister(store, persister.getConnection() as unknown as FakePartySocket);
    void next.startAutoPersisting();
    store.finishTransaction();
    await settled();
    await next.whenConfirmed();
    expect([refused, room.content?.get(null, '', 'v')]).toEqual([[], 2]);
  });

  test.each([
    ['throws', throwing],
    ['rejects', rejecting],
  ])('keeps a listener that %s from harming others, and reports it', async (_what, listener) => {
    const { persister, errors } = persist([{}, {}]);
    const calls: string[] = [];
    persister.addSyncListener(listener);
    persister.addSyncListener((_persister, { phase }) => calls.push(phase));
    await persister.startAutoLoad();
    await settled();
    expect(calls.at(-1)).toBe('live');
    expect(errors).toContainEqual(new Error('listener'));
  });

  test('is not harmed by an onIgnoredError that throws: the call rejects, and the work goes on', async () => {
    const socket = new FakePartySocket();
    socket.readyState = 1;
    const { room, fetch } = roomOn(socket);
    room.seed(decodeContent('[{},{"v":1}]') ?? never());
    let requests = 0;
    vi.stubGlobal('fetch', (...args: Parameters<typeof fetch>) =>
      ++requests === 1 ? Promise.reject(new TypeError('offline')) : fetch(...args),
    );
    const store = createStore();
    const persister = createPersister(store, socket, {}, () => {
      throw new Error('from the app');
    });
    await expect(persister.startAutoLoad()).rejects.toThrow('from the app');
    await vi.waitFor(() => expect(store.getValues()).toEqual({ v: 1 }));
  });

  test('writes an error with which onIgnoredError rejects to the console', async () => {
    const written = vi.spyOn(console, 'error').mockReturnValue(undefined);
    const persister = createPersister(createStore(), new FakePartySocket(), {}, rejecting);
    persister.addStatusListener(throwing);
    void persister.startAutoLoad();
    await settled();
    expect(written.mock.calls[0]).toContainEqual(new Error('listener'));
    written.mockRestore();
  });

  test('writes an error of onIgnoredError to the console when no call can reject with it', async () => {
    const written = vi.spyOn(console, 'error').mockReturnValue(undefined);
    const { socket } = persist([{}, {}]);
    const persister = createPersister(createStore(), socket, {}, () => {
      throw new Error('from the app');
    });
    await persister.startAutoPersisting();
    await settled();
    socket.receive(encodeRoomMessage('', { type: 'error', code: 'overloaded', message: '' }));
    expect(written).toHaveBeenCalledWith(expect.any(String), new Error('from the app'));
    written.mockRestore();
  });

  test('takes a MergeableStore as a plain Store', async () => {
    const store = createMergeableStore('one');
    const { room, socket } = persist([{}, { v: 1 }]);
    const persister = createPersister(store, socket);
    await persister.startAutoPersisting();
    await settled();
    store.setValue('w', 2);
    await persister.whenConfirmed();
    expect(store.getValues()).toEqual({ v: 1, w: 2 });
    expect(room.content?.get(null, '', 'w')).toBe(2);
  });

  test('leaves frames with another prefix to the app', async () => {
    const { store, socket, persister, errors } = persist([{}, {}], { messagePrefix: 'tb/' });
    await persister.startAutoPersisting();
    await settled();
    expect(socket.sent.every((frame) => frame.startsWith('tb/'))).toBe(true);
    socket.receive('c[2,[{},{"v":1}]]');
    socket.receive(new ArrayBuffer(3));
    expect(store.getValues()).toEqual({});
    expect(errors).toEqual([]);
  });
});

function never(): never {
  throw new Error('never');
}

describe('the initial content', () => {
  test('is shown and becomes the initial content of a room that has none', async () => {
    const { store, room, persister } = persist();
    await persister.startAutoPersisting([{ t: { r: { c: [1] } } }, { v: 1 }]);
    expect(store.getContent()).toEqual([{ t: { r: { c: [1] } } }, { v: 1 }]);
    await settled();
    expect(room.content?.get('t', 'r', 'c')).toBe('\uFFFD[1]');
    expect(persister.getSync().phase).toBe('live');
  });

  test('is not looked at where the room has a Store', async () => {
    const { store, persister, errors } = persist([{}, { v: 1 }]);
    const initialContent = vi.fn<() => Content>(() => [{}, { v: 2 }]);
    await persister.load(initialContent);
    expect(initialContent).not.toHaveBeenCalled();
    // TinyBase's own documentation passes this, where it is not needed.
    await persister.startAutoLoad({ pets: {} } as unknown as Content);
    expect(store.getValues()).toEqual({ v: 1 });
    expect(errors).toEqual([]);
  });

  test('may be a function, called once', async () => {
    const { store, persister } = persist();
    const initialContent = vi.fn<() => Content>(() => [{}, { v: 2 }]);
    await persister.startAutoPersisting(initialContent);
    expect(initialContent).toHaveBeenCalledOnce();
    expect(store.getValues()).toEqual({ v: 2 });
  });

  test('is taken as far as a Store takes it', async () => {
    const { store, persister, errors } = persist();
    const content = [
      { t: { r: { a: 1, b: () => 1 } }, u: 7 },
      { v: Number.NaN, w: 1 },
    ];
    await persister.load(content as unknown as Content);
    expect(store.getContent()).toEqual(
      createStore()
        .setContent(content as unknown as Content)
        .getContent(),
    );
    expect(errors).toEqual([]);
  });

  test.each<readonly [string, unknown]>([
    ['a promise of an async function', async () => [{}, { v: 1 }]],
    ['an object of tables', { pets: { fido: {} } }],
    ['JSON', '[{},{"v":1}]'],
    ['a function that gives a text', () => 'nothing'],
    ['a Store', createStore()],
  ])('that is none is reported, because the room would be empty: %s', async (_what, content) => {
    const { persister, errors } = persist();
    await persister.startAutoPersisting(content as Content);
    expect(errors).toMatchObject([{ code: 'misuse' }]);
    expect(String(errors[0])).toContain('[tables, values]');
  });

  test('may be missing, also where a function gives it', async () => {
    for (const content of [undefined, null, () => undefined, () => null]) {
      const { persister, errors } = persist();
      await persister.startAutoPersisting(content as unknown as Content);
      expect(errors).toEqual([]);
    }
  });

  test('that throws is reported', async () => {
    const { store, persister, errors } = persist();
    await persister.startAutoLoad(() => {
      throw new Error('no content');
    });
    expect(errors).toEqual([new Error('no content')]);
    expect(store.getContent()).toEqual([{}, {}]);
  });
});

describe('the URL', () => {
  const room = { host: 'example.com', room: 'r' };

  const cases: readonly (readonly [
    string,
    string,
    PartySocketOptions,
    (PartyKitPersisterConfig | 'http' | 'https')?,
  ])[] = [
    ['of a room', 'https://example.com/parties/main/r/store', room],
    [
      'on localhost',
      'http://localhost:1999/parties/main/r/store',
      { ...room, host: 'localhost:1999' },
    ],
    [
      'of a host with a scheme',
      'https://example.com/parties/main/r/store',
      { ...room, host: 'https://example.com/' },
    ],
    ['of a party', 'https://example.com/parties/chat/r/store', { ...room, party: 'chat' }],
    ['with a path', 'https://example.com/parties/main/r/a/b/store', { ...room, path: 'a/b' }],
    ['with a prefix', 'https://example.com/rooms/main/r/store', { ...room, prefix: 'rooms' }],
    ['with a basePath', 'https://example.com/any/where/store', { ...room, basePath: 'any/where' }],
    ['over ws', 'http://example.com/parties/main/r/store', { ...room, protocol: 'ws' }],
    [
      'of a room with a space',
      'https://example.com/parties/main/a%20b/store',
      { ...room, room: 'a b' },
    ],
    [
      'of a room that ends with a space',
      'https://example.com/parties/main/team%20/store',
      { ...room, room: 'team ' },
    ],
    [
      'of a room that begins with a space, with a path that ends with one',
      'https://example.com/parties/main/%20team/a%20/store',
      { ...room, room: ' team', path: 'a ' },
    ],
    [
      'of a room with dots',
      'https://example.com/parties/main/a..b/store',
      { ...room, room: 'a..b' },
    ],
    [
      'of a room with a slash',
      'https://example.com/parties/main/a/b/store',
      { ...room, room: 'a/b' },
    ],
    [
      'of an encoded room',
      'https://example.com/parties/main/%252e%2F%23/store',
      { ...room, room: encodeURIComponent('%2e/#') },
    ],
    [
      'of a room in other letters',
      'https://example.com/parties/main/%C3%BC%F0%9F%90%95/store',
      { ...room, room: 'ü🐕' },
    ],
    [
      'of a room with a question mark',
      'https://example.com/parties/main/a/store?b?token=t',
      { ...room, room: 'a?b', query: { token: 't' } },
    ],
    [
      'of a room with a line break, which a URL leaves out',
      'https://example.com/parties/main/ab/store?token=t',
      { ...room, room: 'a\nb', query: { token: 't' } },
    ],
    [
      'of a room with a line separator',
      'https://example.com/parties/main/a%E2%80%A8b/store',
      { ...room, room: 'a\u2028b' },
    ],
    [
      'with a query',
      'https://example.com/parties/main/r/store?token=a%26b',
      { ...room, query: { token: 'a&b', none: undefined, no: null } },
    ],
    [
      'with an asynchronous query',
      'https://example.com/parties/main/r/store?token=t',
      { ...room, query: async () => ({ token: 't' }) },
    ],
    [
      'with a storePath',
      'https://example.com/parties/main/r/my/store',
      room,
      { storePath: '/my/store' },
    ],
    [
      'with a storePath without a slash',
      'https://example.com/parties/main/r/my',
      room,
      { storePath: 'my' },
    ],
    [
      'with a storeProtocol',
      'http://example.com/parties/main/r/store',
      room,
      { storeProtocol: 'http' },
    ],
    [
      'with a storeProtocol alone',
      'https://localhost:1/parties/main/r/store',
      { ...room, host: 'localhost:1' },
      'https',
    ],
    [
      'of an IPv6 host',
      'http://[::1]:1999/parties/main/r/store',
      { ...room, host: '[::1]:1999', protocol: 'ws' },
    ],
  ];

  test.each(cases.map(([what, url, options, config]) => ({ what, url, options, config })))(
    '$what is $url',
    async ({ url, options, config }) => {
      expect(await urlOf(options, config)).toBe(url);
    },
  );

  test.each([
    ...['.', '..', '%2e', '.%2E', '.\t', 'a/../b', 'a\\..\\b', '/a', 'a#b'].map(
      (name) => [name, '/store'] as const,
    ),
    ...['/../other/store', '..', '/%2e%2e/other/store', '/store#old'].map(
      (path) => ['r', path] as const,
    ),
  ])(
    'of the room %j with the storePath %j is refused: its content would be another one’s',
    async (name, storePath) => {
      const requests = vi.fn<typeof fetch>();
      vi.stubGlobal('fetch', requests);
      const socket = new PartySocket({
        ...room,
        room: name,
        startClosed: true,
        disableNameValidation: true,
      });
      const errors: unknown[] = [];
      const persister = createPartyKitPersister(
        createStore(),
        socket,
        { storePath },
        (error: unknown) => errors.push(error),
      );
      persisters.push(persister);
      void persister.startAutoPersisting();
      await vi.waitFor(() => expect(persister.getSync()).toMatchObject({ phase: 'stopped' }));
      const { error } = persister.getSync();
      expect(error).toMatchObject({ code: 'malformed' });
      expect(String(error)).toContain('encodeURIComponent');
      expect(requests).not.toHaveBeenCalled();
    },
  );

  test('follows updateProperties', async () => {
    const url = await urlOf(room, {}, (socket) =>
      socket.updateProperties({ room: 'other', party: 'chat' }),
    );
    expect(url).toBe('https://example.com/parties/chat/other/store');
  });

  test('follows a query that updateProperties has changed', async () => {
    const first = { ...room, query: { token: 'old' } };
    const changed = (query: unknown): Promise<string> =>
      urlOf(first, {}, (socket) => socket.updateProperties({ query: query as never }));
    const url = 'https://example.com/parties/main/r/store';
    expect(await changed({ token: 'new', _pk: 'x y', none: null })).toBe(
      `${url}?token=new&_pk=x+y`,
    );
    expect(await changed(async () => ({ token: 'later?' }))).toBe(`${url}?token=later%3F`);
    expect(await changed({})).toBe(url);
    // A PartySocket of a later version may keep it elsewhere.
    const later = await urlOf(first, {}, (socket) => Reflect.deleteProperty(socket, '_url'));
    expect(later).toBe(`${url}?token=old`);
  });

  test('asks for the query anew each time: a token may have expired', async () => {
    let tokens = 0;
    const urls: string[] = [];
    vi.stubGlobal('fetch', async (url: unknown) => {
      // Every GET asks for the cursor, too.
      urls.push(String(url).replace(/[?&]cursor$/, ''));
      return new Response('');
    });
    const query = async (): Promise<{ token: string }> => ({ token: String(++tokens) });
    const socket = new PartySocket({ ...room, query, startClosed: true });
    const persister = createPartyKitPersister(createStore(), socket);
    await persister.load();
    await persister.load();
    expect(urls.map((url) => new URL(url).searchParams.get('token'))).toEqual(['1', '2']);
  });

  test('that cannot be had is an error of the network, without the token in its message', async () => {
    const { socket, errors, persister } = persist();
    socket.partySocketOptions.query = async () => {
      throw new Error('not signed in');
    };
    await persister.load();
    expect(errors).toMatchObject([{ code: 'network', cause: new Error('not signed in') }]);
    socket.partySocketOptions.query = { token: 'secret' };
    vi.stubGlobal('fetch', async () => new Response('', { status: 500 }));
    await persister.load();
    expect(String(errors[1])).not.toContain('secret');
  });
});

test('a query that fails is the error that is shown, and no socket that does not open', async () => {
  const { socket, errors, persister } = persist();
  socket.readyState = 3;
  socket.partySocketOptions.query = async () => await Promise.reject(new Error('no token'));
  void persister.startAutoLoad();
  await settled();
  for (let close = 0; close < 10; close++) socket.dispatchEvent(new Event('close'));
  expect(errors).toMatchObject([{ code: 'network', cause: new Error('no token') }]);
  expect(persister.getSync().error).toBe(errors[0]);
  await persister.destroy();
});

test('a socket that does not open is reported with its address, without the token', async () => {
  const { socket, errors, persister } = persist([{}, {}]);
  socket.partySocketOptions.query = { token: 'secret' };
  await persister.startAutoLoad();
  await settled();
  socket.readyState = 3;
  for (let close = 0; close < 4; close++) socket.dispatchEvent(new Event('close'));
  expect(errors).toMatchObject([{ code: 'network' }]);
  expect(String(errors[0])).toContain('wss://host.test/parties/main/room ');
  expect(String(errors[0])).not.toContain('secret');
});

describe('HTTP', () => {
  test('is asked across origins and past caches', async () => {
    const { persister } = persist();
    const inits: (RequestInit | undefined)[] = [];
    vi.stubGlobal('fetch', async (_url: unknown, init?: RequestInit) => {
      inits.push(init);
      return new Response('');
    });
    await persister.load();
    expect(inits).toMatchObject([{ method: 'GET', mode: 'cors', cache: 'no-store' }]);
  });

  test.each([
    ['a correction', '{"correction":[{},{"v":"\uFFFC"}],"reason":"hook"}', 1],
    ['nothing', '', 0],
    ['a page of somebody else', '<!doctype html>', 0],
    ['another shape', '{"correction":[],"reason":"hook"}', 0],
    ['a cursor that is none', '{"cursor":[]}', 0],
    ['a reason of a later version', '{"correction":[{},{"v":"\uFFFC"}],"reason":"later"}', 1],
  ])('[SEED-4] takes from the answer to a PUT: %s', async (_what, answer, count) => {
    const { errors, persister, room } = persist();
    const { fetch } = globalThis;
    const refusals: Refusal[] = [];
    persister.addRefusalListener((_persister, refused) => refusals.push(...refused));
    vi.stubGlobal('fetch', async (url: unknown, init?: RequestInit) => {
      const response = await fetch(String(url), init);
      return init?.method === 'PUT' ? new Response(answer, { status: 201 }) : response;
    });
    await persister.startAutoPersisting([{}, { v: 1 }]);
    expect(room.content).toBeDefined();
    expect(refusals).toHaveLength(count);
    expect(errors).toEqual([]);
    await persister.destroy();
  });

  test.each([
    [404, 'not-found'],
    [503, 'unavailable'],
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [502, 'network'],
    [500, 'network'],
    [426, 'protocol'],
  ])(
    'answers %i as the error %s, with the Response unread as its cause, which consoles do not show',
    async (status, code) => {
      const { errors, persister } = await answered(() => new Response('why', { status }));
      const [error] = errors;
      if (!(error instanceof TinyBasePartyKitError)) throw new Error('not ours');
      expect(error.code).toBe(code);
      expect(error.cause).toBeInstanceOf(Response);
      expect(error.cause instanceof Response && error.cause.bodyUsed).toBe(false);
      // A console would show the URL of the Response, which may have a token.
      expect(inspect(error, { depth: 9 })).not.toContain('Response {');
      expect(persister.getSync().phase).toBe(error.isRetryable ? 'loading' : 'stopped');
      await persister.destroy();
    },
  );

  test.each([
    ['a page of somebody else', () => new Response('<!doctype html><p>Sign in to the Wi-Fi')],
    ['JSON of somebody else', () => new Response('{"ok":true}')],
    [
      'a body that breaks off',
      () =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.error(new TypeError('terminated')),
          }),
        ),
    ],
  ])('answers %s is of the network, and is asked again', async (_what, response) => {
    const { errors, persister } = await answered(response);
    expect(errors).toMatchObject([{ code: 'network' }]);
    expect(persister.getSync().phase).toBe('loading');
    await persister.destroy();
  });

  test.each([
    ['nothing', () => undefined],
    ['null, later', async () => null],
    ['an error', () => Promise.reject(new Error('from the app'))],
  ])('a fetch of the app that gives %s is of the network, too', async (_what, answer) => {
    const { errors, persister } = await answered(answer as unknown as () => Response);
    expect(errors).toMatchObject([{ code: 'network', message: /had no answer/ }]);
    await persister.destroy();
  });

  test('answers content of a room that does not decode is malformed, for good', async () => {
    const { errors, persister } = await answered(
      () => new Response('{"cursor":["e",1],"content":[{"t":1},{}]}'),
    );
    expect(errors).toMatchObject([{ code: 'malformed' }]);
    expect(persister.getSync()).toMatchObject({ phase: 'stopped', code: 'malformed' });
  });
});

describe('several persisters on one socket', () => {
  test('the newer replaces the older one of the same prefix at once', async () => {
    const { store, socket, room, persister: older, errors } = persist([{}, { v: 1 }]);
    const refusals: unknown[] = [];
    older.addRefusalListener((_persister, refused) => refusals.push(...refused));
    await older.startAutoPersisting();
    await settled();
    socket.onSend = () => undefined;
    store.setValue('unsent', 1);
    const confirming = older.whenConfirmed();
    const newer = createPersister(store, socket);
    expect(older.isAutoSaving()).toBe(false);
    await expect(confirming).rejects.toMatchObject({ code: 'replaced' });
    expect([refusals, errors]).toEqual([[], []]);
    expect(older.getSync()).toMatchObject({ phase: 'stopped', unsaved: 0, code: 'replaced' });
    const again = roomOn(socket);
    vi.stubGlobal('fetch', again.fetch);
    again.room.seed(room.load().content ?? never());
    await newer.startAutoPersisting();
    await settled();
    const before = socket.sent.length;
    store.setValue('w', 1);
    await Promise.resolve();
    expect(socket.sent.length - before).toBe(1);
    await newer.whenConfirmed();
    expect(store.getListenerStats().transaction).toBe(2);
  });

  test('does so too while the older one says its farewell', async () => {
    const { store, socket, persister: older } = persist([{}, {}]);
    await older.startAutoPersisting();
    await settled();
    socket.onSend = () => undefined;
    store.setValue('v', 1);
    const destroying = older.destroy();
    createPersister(store, socket);
    await destroying;
    expect(store.getListenerStats().transaction).toBe(2);
  });

  test('one of another Store does so, too, and an app that has destroyed the older one is told of no replacement', async () => {
    const { store, socket, persister: older, errors } = persist([{}, {}]);
    await older.startAutoPersisting();
    await settled();
    socket.onSend = () => undefined;
    store.setValue('v', 1);
    const destroying = older.destroy();
    createPersister(createStore(), socket);
    await destroying;
    expect(store.getListenerStats().transaction).toBe(0);
    expect(errors).toEqual([]);
  });

  test('those of different prefixes and Stores live side by side', async () => {
    const { socket, persister: one } = persist([{}, {}], { messagePrefix: 'a' });
    const two = createPersister(createStore(), socket, { messagePrefix: 'b' });
    await one.startAutoLoad();
    expect(one.isAutoLoading()).toBe(true);
    await two.destroy();
    expect(one.isAutoLoading()).toBe(true);
  });

  test('one that was destroyed hears the socket no more', async () => {
    const { socket, persister, errors } = persist([{}, {}]);
    const remove = vi.spyOn(socket, 'removeEventListener');
    const added: string[] = [];
    await persister.destroy();
    for (const [type] of remove.mock.calls) added.push(type);
    expect(added.sort()).toEqual([
      'close',
      'message',
      'open',
      expect.stringMatching(/::/),
      expect.stringContaining('query'),
      expect.stringContaining('send'),
      expect.stringContaining('stop'),
    ]);
    await persister.startAutoPersisting();
    expect([persister.isAutoLoading(), persister.isAutoSaving()]).toEqual([false, false]);
    expect(errors).toMatchObject([{ code: 'destroyed' }, { code: 'destroyed' }]);
  });

  test('one that is destroyed while live waits for what it sent, two seconds at most', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { store, socket, persister } = persist([{}, {}]);
    await persister.startAutoPersisting();
    await settled();
    store.setValue('v', 1);
    let isDestroyed = false;
    void persister.destroy().then(() => (isDestroyed = true));
    await settled();
    expect(isDestroyed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    const other = createPersister(store, socket);
    await other.startAutoPersisting();
    await settled();
    socket.onSend = () => undefined;
    store.setValue('v', 2);
    isDestroyed = false;
    void other.destroy().then(() => (isDestroyed = true));
    await settled();
    expect(isDestroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(2000);
    await settled();
    expect(isDestroyed).toBe(true);
    await vi.advanceTimersByTimeAsync(2000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('one that is destroyed right after it was started sends what was edited since', async () => {
  const { store, socket, room, persister } = persist([{}, {}]);
  const refusals: Refusal[] = [];
  persister.addRefusalListener((_persister, refused) => refusals.push(...refused));
  const { onSend } = socket;
  socket.onSend = (frame) => setImmediate(() => onSend(frame));
  await persister.startAutoPersisting();
  expect(persister.getSync().phase).toBe('catching-up');
  store.setValue('v', 1);
  await persister.destroy();
  expect(room.content?.get(null, '', 'v')).toBe(1);
  expect(refusals).toEqual([]);
});

test('one that is destroyed does not wait for an edit that is only held', async () => {
  const { store, persister } = persist([{}, {}]);
  await persister.startAutoLoad();
  await settled();
  const refusals: Refusal[] = [];
  persister.addRefusalListener((_persister, refused) => refusals.push(...refused));
  store.setValue('held', 1);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  await persister.destroy();
  await vi.advanceTimersByTimeAsync(2000);
  expect(refusals).toMatchObject([{ valueId: 'held', reason: 'destroyed' }]);
});

test('a component that React mounts twice reports nothing: the second persister takes over', async () => {
  const { store, socket, room, persister: first, errors } = persist([{}, { v: 1 }]);
  void first.startAutoPersisting();
  const second = createPersister(store, socket, {}, (error) => errors.push(error));
  void first.destroy();
  await second.startAutoPersisting();
  await settled();
  store.setValue('mine', 1);
  await second.whenConfirmed();
  expect(room.content?.get(null, '', 'mine')).toBe(1);
  expect(errors).toEqual([]);
  expect(socket.closes).toEqual([]);
});

describe('mistakes of the app', () => {
  test.each([
    ['Store', undefined, new FakePartySocket()],
    ['Store', {}, new FakePartySocket()],
    ['Store', 'pets', new FakePartySocket()],
    ['PartySocket', createStore(), undefined],
    ['PartySocket', createStore(), { host: 'localhost:1999', room: 'r' }],
    ['PartySocket', createStore(), Object.assign(new EventTarget(), { send: () => undefined })],
    ['PartySocket', createStore(), createStore()],
  ])('a missing %s is told in a sentence: %#', (what, store, socket) => {
    const create = (): unknown =>
      createPartyKitPersister(store as unknown as Store, socket as unknown as PartySocket);
    expect(create).toThrow(TinyBasePartyKitError);
    expect(create).toThrow(`got no ${what} as its`);
  });

  test('an option that does not exist is reported, with the one that is meant', () => {
    const { errors } = persist(undefined, { storepath: '/x', other: 1 } as PartyKitPersisterConfig);
    expect(errors).toMatchObject([{ code: 'misuse' }]);
    expect(String(errors[0])).toMatch(/"storepath" \(did you mean "storePath"\?\), "other"/);
  });

  test('and written to the console where there is no onIgnoredError', () => {
    const written = vi.spyOn(console, 'warn').mockReturnValue(undefined);
    const config = { messageprefix: 'x' } as PartyKitPersisterConfig;
    createPersister(createStore(), new FakePartySocket(), config);
    createPersister(createStore(), new FakePartySocket(), { messagePrefix: 'x' });
    expect(written.mock.calls).toEqual([
      [expect.any(String), expect.objectContaining({ code: 'misuse' })],
    ]);
    written.mockRestore();
  });

  test('what getSync gives cannot be changed', async () => {
    const { persister } = persist([{}, {}]);
    expect(Object.isFrozen(persister.getSync())).toBe(true);
    await persister.startAutoLoad();
    await settled();
    expect(Object.isFrozen(persister.getSync())).toBe(true);
    expect(persister.getSync().phase).toBe('live');
  });

  test('a listener that starts a refused persister again at once starts it once, and the page does not freeze', async () => {
    const { socket, persister } = persist([{}, {}]);
    await persister.startAutoLoad();
    await settled();
    // The token is on its way, so nothing else comes.
    socket.partySocketOptions.query = () => new Promise(() => undefined);
    let starts = 0;
    persister.addSyncListener((_persister, { phase }) => {
      if (phase === 'stopped' && (starts += 1) < 100) void persister.startAutoLoad();
    });
    socket.receive('e{"code":"unauthorized","message":"No."}');
    await settled();
    expect([starts, persister.getSync().phase]).toEqual([1, 'loading']);
  });

  test.each(['GET', 'hello'])(
    '[GATE-13] an app that starts again each time that %s is refused does not storm its server',
    async (refused) => {
      vi.useFakeTimers();
      const { socket, persister } = persist([{}, { v: 1 }]);
      const { fetch: toRoom } = globalThis;
      let attempts = 0;
      vi.stubGlobal('fetch', async (url: string) => {
        attempts += 1;
        return refused === 'GET' ? new Response('', { status: 401 }) : await toRoom(url);
      });
      socket.onSend = () => socket.receive('e{"code":"forbidden","message":"No."}');
      persister.addSyncListener((_persister, { phase }) => {
        if (phase === 'stopped' && attempts < 200) void persister.startAutoPersisting();
      });
      void persister.startAutoPersisting();
      await vi.advanceTimersByTimeAsync(0);
      expect(attempts).toBeGreaterThanOrEqual(2);
      expect(attempts).toBeLessThan(5);
      const atOnce = attempts;
      await vi.advanceTimersByTimeAsync(60_000);
      expect(attempts).toBeGreaterThan(atOnce + 2);
      expect(attempts).toBeLessThan(30);
      // A user who signs in later waits for nothing.
      const before = attempts;
      socket.reconnect();
      await vi.advanceTimersByTimeAsync(0);
      expect(attempts).toBeGreaterThan(before);
      void persister.destroy();
      await vi.advanceTimersByTimeAsync(10_000);
      vi.useRealTimers();
    },
  );

  test.each([
    [401, false],
    [403, false],
    [401, true],
  ])(
    'startAutoPersisting asks a room that answers %i once (saving first: %s), and saves when the app begins again',
    async (status, startSaveFirst) => {
      const { store, socket, persister, errors } = persist([{}, { old: 1 }]);
      const { fetch: answer } = globalThis;
      const requests = vi.fn<typeof fetch>(async () => new Response('No.', { status }));
      vi.stubGlobal('fetch', requests);
      await persister.startAutoPersisting(undefined, startSaveFirst);
      await settled();
      expect(requests).toHaveBeenCalledTimes(1);
      expect(errors).toHaveLength(1);
      expect([
        persister.getSync().phase,
        persister.isAutoLoading(),
        persister.isAutoSaving(),
      ]).toEqual(['stopped', true, true]);
      vi.stubGlobal('fetch', answer);
      await persister.startAutoLoad();
      socket.open();
      store.setValue('v', 1);
      await persister.whenConfirmed();
      expect(store.getValues()).toEqual({ old: 1, v: 1 });
    },
  );

  test('a socket that the server or the app has closed is told as such', async () => {
    const { socket, persister, errors } = persist([{}, {}]);
    await persister.startAutoPersisting();
    await settled();
    socket.closeByServer(4001, 'no');
    expect(String(errors[0])).toContain(
      'closed by the server or the network, with the code 4001 and the reason "no"',
    );
    socket.open();
    await settled();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    socket.close();
    vi.advanceTimersByTime(10_000);
    expect(String(errors[1])).toContain('the app called close()');
  });
});

describe('the network of a browser', () => {
  test.each(['offline', 'online'])('is checked at once when it is %s', async (type) => {
    const listeners = new Set<() => void>();
    vi.stubGlobal('addEventListener', (added: string, listener: () => void) => {
      if (added === type) listeners.add(listener);
    });
    vi.stubGlobal('removeEventListener', (removed: string, listener: () => void) => {
      if (removed === type) listeners.delete(listener);
    });
    const { store, socket, persister } = persist([{}, {}]);
    await persister.startAutoLoad();
    await settled();
    for (const listener of listeners) listener();
    expect(socket.sent.at(-1)).toBe('i[1]');
    const newer = createPersister(store, socket);
    expect(listeners.size).toBe(1);
    await newer.destroy();
    expect(listeners.size).toBe(0);
  });
});

describe('updateProperties', () => {
  test('to another room leaves everything of the old one behind', async () => {
    const { store, socket, persister } = persist([{}, { old: 1 }]);
    const refusals: unknown[] = [];
    persister.addRefusalListener((_persister, refused) => refusals.push(...refused));
    await persister.startAutoPersisting();
    await settled();
    socket.close();
    store.setValue('unsent', 1);
    const other = roomOn(socket);
    other.room.seed(decodeContent('[{},{"new":1}]') ?? never());
    vi.stubGlobal('fetch', other.fetch);
    socket.roomUrl = 'wss://host.test/parties/main/other';
    socket.sent.length = 0;
    socket.open();
    await settled();
    expect(refusals).toEqual([
      { type: 'value', valueId: 'unsent', value: 1, reason: 'another-room' },
    ]);
    expect(store.getValues()).toEqual({ new: 1 });
    expect(other.requests).toEqual(['GET https://host.test/parties/main/other/store?cursor']);
    expect(persister.getSync().phase).toBe('live');
    expect(socket.sent.filter((frame) => frame.startsWith('p'))).toEqual([]);
  });

  test('[SEED-2] of a socket that had no room yet gives the room what the Store has, and no room of the name undefined', async () => {
    const { store, socket, persister } = persist();
    socket.close();
    store.setValue('v', 1);
    const requests = vi.fn<typeof fetch>();
    vi.stubGlobal('fetch', requests);
    socket.partySocketOptions.room = undefined as unknown as string;
    socket.roomUrl = 'wss://host.test/parties/main/undefined';
    void persister.startAutoPersisting();
    await settled();
    expect(persister.getSync()).toMatchObject({ phase: 'stopped', code: 'malformed' });
    expect(requests).not.toHaveBeenCalled();
    const { room, fetch: toRoom } = roomOn(socket);
    vi.stubGlobal('fetch', toRoom);
    socket.partySocketOptions.room = 'room';
    socket.roomUrl = 'wss://host.test/parties/main/room';
    socket.open();
    await settled();
    expect(persister.getSync().phase).toBe('live');
    expect(room.content && encodeContent(room.content)).toBe('[{},{"v":1}]');
  });

  test('sends nothing on the old connection from then on', async () => {
    const { store, socket, persister } = persist([{}, {}]);
    await persister.startAutoPersisting();
    await settled();
    socket.sent.length = 0;
    socket.roomUrl = 'wss://host.test/parties/main/other';
    store.setValue('v', 1);
    await Promise.resolve();
    expect(socket.sent).toEqual([]);
    socket.roomUrl = 'wss://host.test/parties/main/room';
    store.setValue('v', 2);
    await settled();
    expect(socket.sent.some((frame) => frame.startsWith('p'))).toBe(true);
    socket.close();
  });

  test('[JOIN-12] takes no token of the other room to the old one', async () => {
    const { store, socket, persister, requests } = persist([{}, { v: 1 }]);
    await persister.startAutoPersisting();
    await settled();
    requests.length = 0;
    socket.roomUrl = 'wss://host.test/parties/main/other';
    socket.partySocketOptions.query = { token: 'of the other' };
    await persister.load();
    expect(requests).toEqual(['GET https://host.test/parties/main/room/store?cursor']);
    expect(store.getValues()).toEqual({ v: 1 });
  });

  test('to a new query of the same room is a reconnect like any other', async () => {
    const { store, socket, persister } = persist([{}, {}]);
    await persister.startAutoPersisting();
    await settled();
    socket.close();
    store.setValue('v', 1);
    socket.partySocketOptions.query = { token: 'new' };
    socket.open();
    await persister.whenConfirmed();
    expect(store.getValues()).toEqual({ v: 1 });
  });
});

test('works where crypto, AbortSignal.timeout and btoa are missing, and the parts of an URL cannot be set', async () => {
  const timeout = Object.getOwnPropertyDescriptor(AbortSignal, 'timeout') ?? {};
  const parts = Object.getOwnPropertyDescriptors(URL.prototype);
  try {
    Reflect.deleteProperty(AbortSignal, 'timeout');
    for (const [name, part] of Object.entries(parts))
      if (part.set !== undefined)
        Object.defineProperty(URL.prototype, name, { ...part, set: failing(name) });
    vi.stubGlobal('crypto', undefined);
    vi.stubGlobal('btoa', undefined);
    const { persister, store, room, errors } = persist([{}, { v: 1 }]);
    await persister.startAutoPersisting();
    store.setValue('w', 1);
    await persister.whenConfirmed();
    expect(persister.getSync().phase).toBe('live');
    expect(room.cursor.version).toBe(2);
    expect(errors).toEqual([]);
    await persister.destroy();
  } finally {
    Object.defineProperties(URL.prototype, parts);
    Object.defineProperty(AbortSignal, 'timeout', timeout);
    vi.unstubAllGlobals();
  }
});

function failing(name: string): () => void {
  return () => {
    throw new TypeError(`URL.${name} is not implemented`);
  };
}
