/** The claims of docs/migrating.md about the synchronizers of TinyBase, with its own server and real sockets. */
import { type AddressInfo } from 'node:net';
import {
  createMergeableStore,
  type MergeableContent,
  type MergeableStore,
  type Store,
} from 'tinybase';
import { createCustomPersister } from 'tinybase/persisters';
import { createWsSynchronizer } from 'tinybase/synchronizers/synchronizer-ws-client';
import { createWsServer } from 'tinybase/synchronizers/synchronizer-ws-server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { until } from '../support/until.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** Of TinyBase's `Persists`, an ambient const enum that cannot be named here. */
const MERGEABLE_STORE_ONLY = 2;

let sockets: WebSocketServer;
const ends: (() => Promise<unknown>)[] = [];

/** The server keeps a Store for each path, which takes only colours. */
const createServerStore = (): MergeableStore => {
  const store = createMergeableStore();
  store.setTablesSchema({ pets: { color: { type: 'string' } } });
  return store;
};

beforeAll(async () => {
  sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => sockets.once('listening', resolve));
  const server = createWsServer(sockets, () =>
    createCustomPersister(
      createServerStore(),
      () => Promise.resolve(undefined),
      () => Promise.resolve(),
      () => undefined,
      () => undefined,
      undefined,
      MERGEABLE_STORE_ONLY,
    ),
  );
  ends.push(() => server.destroy());
});

afterAll(async () => {
  for (const end of ends.toReversed()) await end();
  sockets.close();
});

interface Device {
  readonly store: MergeableStore;
  /** Connects, and sends what it has. */
  readonly start: () => Promise<void>;
}

/** A device whose clock is that much fast, and which has no network yet. */
const createDevice = (path: string, fastMilliseconds = 0): Device => {
  const store = createMergeableStore(undefined, () => Date.now() + fastMilliseconds);
  return {
    store,
    start: async () => {
      const { port } = sockets.address() as AddressInfo;
      const synchronizer = await createWsSynchronizer(
        store,
        new WebSocket(`ws://127.0.0.1:${port}/${path}`),
      );
      ends.push(() => synchronizer.destroy());
      await synchronizer.startSync();
    },
  };
};
const colorIn = (store: Store): unknown => store.getCell('pets', 'fido', 'color');
const sizeOf = (content: MergeableContent): number => JSON.stringify(content).length;

test('a clock that is ten seconds fast wins over an edit that is made later', async () => {
  const [ada, bob] = [createDevice('fast', 10 * SECOND), createDevice('fast')];
  ada.store.setCell('pets', 'fido', 'color', 'made first');
  bob.store.setCell('pets', 'fido', 'color', 'made later');
  await Promise.all([ada.start(), bob.start()]);
  await until('equal', () => colorIn(bob.store) === 'made first');
  expect(colorIn(ada.store)).toBe('made first');
});

test('nobody gets the edits of a device whose clock is six minutes fast', async () => {
  const [ada, bob, carl] = [
    createDevice('too-fast', 6 * MINUTE),
    createDevice('too-fast'),
    createDevice('too-fast'),
  ];
  await Promise.all([ada.start(), bob.start(), carl.start()]);
  ada.store.setCell('pets', 'fido', 'color', 'brown');
  carl.store.setCell('pets', 'rex', 'color', 'black');
  await until('an edit of another device', () =>
    [ada, bob].every(({ store }) => store.hasRow('pets', 'rex')),
  );
  expect(colorIn(bob.store)).toBeUndefined();
});

test('the server hands on what the schema of its own Store refuses', async () => {
  const [ada, bob] = [createDevice('refused'), createDevice('refused')];
  await Promise.all([ada.start(), bob.start()]);
  ada.store.setCell('pets', 'fido', 'weapon', 'sword');
  await until('the other device', () => bob.store.hasCell('pets', 'fido', 'weapon'));
});

test('three cells a row take over three times as much with their stamps, also when they were deleted', () => {
  const store = createMergeableStore();
  for (let row = 0; row < 1000; row++)
    store.setRow('pets', `r${row}`, { species: 'dog', legs: 4, name: `n${row}` });
  const plain = JSON.stringify(store.getContent()).length;
  expect(sizeOf(store.getMergeableContent())).toBeGreaterThan(3 * plain);
  store.delTables();
  expect(sizeOf(store.getMergeableContent())).toBeGreaterThan(3 * plain);
});
