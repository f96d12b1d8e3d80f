import { runInNewContext } from 'node:vm';

import type PartySocket from 'partysocket';
import { WebSocket as ReconnectingWebSocket } from 'partysocket';
import { createStore } from 'tinybase';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { createEvents } from '../../src/client/features/events/index.ts';
import { createPresence } from '../../src/client/features/presence/index.ts';
import { createUndo } from '../../src/client/features/undo/index.ts';
import { createPartyKitPersister, warnBeforeUnload } from '../../src/client/index.ts';
import { createOffline } from '../../src/client/offline/index.ts';
import { createClient } from '../../src/client/room/index.ts';
import { createDevtools } from '../../src/devtools/index.ts';
import { isPlain } from '../../src/protocol/option-kinds.ts';
import { createRoomHooks } from '../../src/react/index.ts';
import { openPersister } from '../../src/react/open-persister.ts';
import { FakePartySocket } from './fake-party-socket.ts';

const socket = (): PartySocket => new FakePartySocket() as unknown as PartySocket;
const untyped = (value: unknown): never => value as never;

const persister = (options: unknown): unknown =>
  createPartyKitPersister(createStore(), socket(), untyped(options));
const presence = (options: unknown): unknown =>
  createPresence(createStore(), socket(), untyped(options));
const events = (options: unknown): unknown => createEvents(socket(), untyped(options));
const undo = (options: unknown): unknown =>
  createUndo(createPartyKitPersister(createStore(), socket()), untyped(options));
const client = (options: object): unknown =>
  createClient(untyped({ createStore, host: 'host.test', ...options }));
const room = (options: object): unknown =>
  createClient({ createStore, host: 'host.test' }).createRoom('room', untyped(options));
const offline = (options: object): unknown =>
  createOffline(untyped({ storage: () => undefined, ...options }));

const notText = [5, null, true, {}, () => ''];
const notFunction = [5, null, true, {}, 'text'];
const notTime = [NaN, -1, Infinity, 2 ** 31, '5000', null, {}, 10n];
/** Objects whose content no code would see as options. */
const notPlain = [Promise.resolve({}), new Map(), new URLSearchParams('a=b'), [], new Date(0)];
const notObject = [5, null, true, 'text', () => ({}), ...notPlain];

/** Options of each function, with values that code without types may give. */
const CASES: readonly (readonly [(options: object) => unknown, string, readonly unknown[]])[] = [
  [persister, 'offline', [true, false, 5, null, 'text', {}, { createOutbox: 5 }, () => ({})]],
  [persister, 'storeProtocol', [...notText, '', 'ws', 'HTTPS']],
  [persister, 'storePath', notText],
  [persister, 'messagePrefix', notText],
  [persister, 'fetch', notFunction],
  [persister, 'credentials', [...notText, '', 'yes']],
  [presence, 'initial', notObject],
  [presence, 'messagePrefix', notText],
  [presence, 'onIgnoredError', notFunction],
  [presence, 'lingerMilliseconds', notTime],
  [presence, 'checkMilliseconds', notTime],
  [events, 'messagePrefix', notText],
  [events, 'timeoutMilliseconds', notTime],
  [events, 'onIgnoredError', notFunction],
  [undo, 'size', [NaN, -1, '5', null, {}]],
  [undo, 'characters', [NaN, -1, '5', null, {}]],
  [undo, 'mergeMilliseconds', [NaN, -1, '5', null, {}]],
  [undo, 'onIgnoredError', notFunction],
  [offline, 'locks', [5, null, true, {}, { take: 5 }]],
];

/** Those of a room, which a client may have, too. */
const ROOM_CASES: readonly (readonly [string, readonly unknown[]])[] = [
  ['host', [5, null, {}]],
  ['party', notText],
  ['createStore', notFunction],
  ['store', notObject],
  ['prepareStore', notFunction],
  ['token', notFunction],
  ['tokenParameter', notText],
  ['query', [5, null, true, 'a=b', ...notPlain]],
  ['initialPresence', notObject],
  ['WebSocket', notFunction],
  ['debug', [5, null, 'yes']],
  ['debugLogger', notFunction],
  ['reconnectTimeoutMs', notTime],
  ['onAuthorizationFail', notFunction],
  ['onIgnoredError', notFunction],
  ['messagePrefix', notText],
  ['callTimeoutMilliseconds', notTime],
  ['persister', notObject],
];

const nothing = (names: readonly string[]): object =>
  Object.fromEntries(names.map((name) => [name, undefined]));

function expectMisuse(create: (options: object) => unknown, name: string, value: unknown): void {
  let thrown: unknown;
  try {
    create({ [name]: value });
  } catch (error) {
    thrown = error;
  }
  expect(thrown, `${name}: ${typeof value}`).toMatchObject({
    name: 'TinyBasePartyKitError',
    code: 'misuse',
  });
  expect(String(thrown)).toContain(name);
}

describe('a wrong option is an error at once, which names it', () => {
  test.each(CASES)('%o: %s', (create, name, values) => {
    for (const value of values) {
      expectMisuse(create, name, value);
    }
  });

  test.each(ROOM_CASES)('createClient and createRoom: %s', (name, values) => {
    for (const value of values) {
      for (const create of [client, room]) {
        expectMisuse(create, name, value);
      }
    }
  });

  test('also where the room’s persister gets it', () => {
    expect(() => room({ persister: { offline: true } })).toThrow('Offline as its option offline');
    expect(() => room({ tokenParameter: '' })).toThrow('tokenParameter');
  });
});

describe('options that are no object are an error at once', () => {
  test.each([
    ['createPartyKitPersister', persister, [5, true, () => ({}), 'ws', '', ...notPlain]],
    ['createPresence', presence, notObject],
    ['createEvents', events, notObject],
    ['createUndo', undo, notObject],
    ['createClient', (options: unknown) => createClient(untyped(options)), notObject],
    [
      'createRoom',
      (id: unknown) =>
        createClient({ createStore, host: 'host.test' }).createRoom('room', untyped(id)),
      [5, true, 'text', () => ({}), ...notPlain],
    ],
  ] as const)('%s', (_name, create, values) => {
    for (const value of values)
      expect(() => create(value), typeof value).toThrow(
        expect.objectContaining({ name: 'TinyBasePartyKitError', code: 'misuse' }),
      );
  });

  test.each([5, true, 'text', {}])('onIgnoredError of a persister: %o', (onIgnoredError) => {
    expect(() =>
      createPartyKitPersister(createStore(), socket(), {}, untyped(onIgnoredError)),
    ).toThrow('onIgnoredError');
  });
});

describe('what is no parameter of a function is an error at once, which says so', () => {
  test.each<readonly [string, (given: unknown) => unknown]>([
    ['warnBeforeUnload got no persister', (given) => warnBeforeUnload(untyped(given))],
    ['createUndo got no persister', (given) => createUndo(untyped(given))],
    ['createRoomHooks got no client', (given) => createRoomHooks(untyped(given))],
    ['createDevtools got no persister', (given) => createDevtools(untyped(given))],
    ['createEvents got no PartySocket', (given) => createEvents(untyped(given))],
    ['createPresence got no Store', (given) => createPresence(untyped(given), socket())],
  ])('%s', (message, create) => {
    const others = [undefined, null, 5, 'text', {}, Promise.resolve({}), () => ({})];
    for (const given of others) expect(() => create(given)).toThrow(message);
  });

  test('a socket that reconnects and has no room is no PartySocket', () => {
    const reconnecting = new ReconnectingWebSocket('ws://localhost:1', undefined, {
      WebSocket: EventTarget,
      startClosed: true,
    });
    for (const create of [
      () => createPartyKitPersister(createStore(), untyped(reconnecting)),
      () => createEvents(untyped(reconnecting)),
      () => createPresence(createStore(), untyped(reconnecting)),
    ])
      expect(create).toThrow('got no PartySocket');
  });

  test.each<readonly [string, object]>([
    ['option name', { name: 5 }],
    ['option messagePrefix', { messagePrefix: null }],
    ['option corner', { corner: 'bottom' }],
    ['option parent', { parent: null }],
    ['option parent', { parent: '#panel' }],
    ['option isOpen', { isOpen: 'yes' }],
    ['object as its options', Promise.resolve({})],
  ])('%s of createDevtools: %o', (name, options) => {
    const create = (): unknown =>
      createDevtools(createPartyKitPersister(createStore(), socket()), options);
    expect(create).toThrow(
      expect.objectContaining({
        code: 'misuse',
        message: expect.stringContaining(name) as unknown,
      }),
    );
  });

  test('createSocket of usePartyKitPersister is a function', () => {
    for (const given of [undefined, null, socket()])
      expect(() => openPersister(untyped(given), untyped(undefined))).toThrow('createSocket');
  });
});

test('an option that is undefined is one that is left out', () => {
  for (const [create, name] of CASES) expect(() => create(nothing([name])), name).not.toThrow();
  const given = ROOM_CASES.map(([name]) => name).filter(
    (name) => name !== 'createStore' && name !== 'host',
  );
  expect(() => client(nothing(given))).not.toThrow();
  expect(() => room(nothing(given))).not.toThrow();
});

test('null or false in place of a configuration counts as none, as with TinyBase’s own persister', () => {
  for (const none of [null, false])
    expect(() =>
      createPartyKitPersister(createStore(), socket(), untyped(none), untyped(null)),
    ).not.toThrow();
});

test('an object of another realm, without a prototype, of a class or of a module is one with options', async () => {
  for (const given of [
    runInNewContext('({})'),
    Object.create(null),
    new (class Options {
      readonly size = 5;
    })(),
    await import('node:path/posix'),
  ])
    expect(isPlain(given)).toBe(true);
});

test('options that are right are taken', () => {
  const noLocks = createOffline({ storage: untyped(() => undefined) });
  for (const storeProtocol of ['http', 'https'])
    expect(() => persister({ storeProtocol })).not.toThrow();
  for (const credentials of ['omit', 'same-origin', 'include'])
    expect(() => persister({ credentials })).not.toThrow();
  expect(() =>
    persister({ offline: noLocks, fetch, storePath: '', messagePrefix: '' }),
  ).not.toThrow();
  expect(() => presence({ lingerMilliseconds: 0, checkMilliseconds: 0.5 })).not.toThrow();
  expect(() => undo({ mergeMilliseconds: Infinity, size: Infinity })).not.toThrow();
  expect(() => room({ reconnectTimeoutMs: () => 5, query: {} })).not.toThrow();
});

describe('an error for an onIgnoredError that is not there is a warning in the console, with the page that explains it', () => {
  const PAGE = 'tinybase-partykit, see its docs/troubleshooting.md:';
  afterEach(() => vi.restoreAllMocks());

  test.each([
    ['a persister', (used: PartySocket) => createPartyKitPersister(createStore(), used)],
    ['presence', (used: PartySocket) => createPresence(createStore(), used)],
    ['events', (used: PartySocket) => createEvents(used)],
  ])('of %s', async (_of, create) => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue(undefined);
    const used = socket();
    create(used);
    create(used);
    await vi.waitFor(() =>
      expect(warn.mock.calls).toEqual([[PAGE, expect.objectContaining({ code: 'replaced' })]]),
    );
  });

  test('of undo', async () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue(undefined);
    const store = createStore();
    const error = new Error('of a listener');
    createUndo(createPartyKitPersister(store, socket())).addCheckpointIdsListener(() => {
      throw error;
    });
    store.setValue('title', 'Edited');
    await vi.waitFor(() => expect(warn.mock.calls).toEqual([[PAGE, error]]));
  });
});
