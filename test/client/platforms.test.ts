import { readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createContext, runInContext } from 'node:vm';

import { build } from 'esbuild';
import { beforeAll, expect, test } from 'vitest';

import type { createUndo } from '../../src/client/features/undo/index.ts';
import type * as Client from '../../src/client/index.ts';
import type { createOffline, OfflineOptions } from '../../src/client/offline/index.ts';
import type { Store } from 'tinybase';
import { decodeContent } from '../../src/protocol/codec.ts';
import { FakePartySocket, roomOn } from './fake-party-socket.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

/** The storage of an app, as in React Native. It has the platform's own Map. */
const STORAGE = `
  const entries = new Map();
  export const device = {
    storage: () => ({
      read: async (prefix) => new Map([...entries].filter(([key]) => key.startsWith(prefix))),
      write: async ({ guard, remove, set }) => {
        if (guard && entries.get(guard.key) !== guard.value) return false;
        for (const prefix of remove)
          for (const key of [...entries.keys()]) if (key.startsWith(prefix)) entries.delete(key);
        for (const [key, value] of set) entries.set(key, value);
        return true;
      },
    }),
    locks: { take: async () => () => undefined },
    user: undefined,
  };`;

/** The client, its undo and offline parts and TinyBase, as an app bundles them. */
let script = '';

beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        export * from './src/client/index.ts';
        export { createUndo } from './src/client/features/undo/index.ts';
        export { createOffline } from './src/client/offline/index.ts';
        export { createStore } from 'tinybase/store';
        ${STORAGE}`,
      resolveDir: ROOT,
      loader: 'ts',
    },
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'neutral',
    external: ['partysocket'],
  });
  script = outputFiles[0]?.text ?? '';
});

/** As in React Native: what it reads is there, and nothing can be set. */
class ReadOnlyUrl {
  readonly #url: URL;

  constructor(url: string) {
    this.#url = new URL(url);
  }

  get href(): string {
    return this.#url.href;
  }
}

/** As in React Native: there is no more than this. */
class SmallSearchParams {
  readonly #pairs: string[] = [];

  append(name: string, value: string): void {
    this.#pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  }

  toString(): string {
    return this.#pairs.join('&');
  }
}

/** As in React Native: a body is not a stream. */
const withoutStreams =
  (fetch: typeof globalThis.fetch) =>
  async (...request: Parameters<typeof fetch>): Promise<unknown> => {
    const response = await fetch(...request);
    const { status, ok, headers } = response;
    const text = await response.text();
    const small = { status, ok, headers, text: () => Promise.resolve(text), clone: () => small };
    return small;
  };

/** All that a platform needs to have, beside the language. docs/hosts.md has the same list. */
const REQUIRED: Readonly<Record<string, unknown>> = {
  fetch: undefined,
  setTimeout,
  clearTimeout,
  queueMicrotask,
  URL: ReadOnlyUrl,
  URLSearchParams: SmallSearchParams,
  AbortController: class {
    readonly signal: object = {};
    abort(): void {}
  },
  TextEncoder,
  Event,
};

/** Methods that a language of 2022 lacks (Safari 15.4, Chrome 93, Firefox 92, Hermes). */
const NEWER = `
  for (const name of ['findLast', 'findLastIndex', 'toReversed', 'toSorted', 'toSpliced', 'with'])
    delete Array.prototype[name];
  for (const name of ['groupBy']) delete Object[name];
  for (const name of ['groupBy']) delete Map[name];
  for (const name of ['withResolvers', 'try']) delete Promise[name];
  for (const name of ['isWellFormed', 'toWellFormed']) delete String.prototype[name];
  for (const name of ['union', 'difference', 'intersection']) delete Set.prototype[name];
  for (const name of ['Iterator', 'WeakRef', 'FinalizationRegistry', 'Atomics', 'WebAssembly', 'console'])
    delete globalThis[name];
`;

type Bundle = typeof Client & {
  readonly createStore: () => Store;
  readonly createUndo: typeof createUndo;
  readonly createOffline: typeof createOffline;
  readonly device: OfflineOptions;
};

/** Runs the bundle where there is nothing but the language and these globals. */
function load(globals: Readonly<Record<string, unknown>>): Bundle {
  const module: { exports: unknown } = { exports: {} };
  const context = createContext({ ...globals, module });
  runInContext(NEWER, context);
  runInContext(`(() => {const {exports} = module; ${script}})()`, context);
  return module.exports as Bundle;
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
};

/** Runs the client where there is nothing but the language and these globals. Resolves to what kept it from being live. */
async function trouble(globals: Readonly<Record<string, unknown>>): Promise<string | undefined> {
  const socket = new FakePartySocket();
  socket.readyState = 1;
  Object.assign(socket.partySocketOptions, { query: { name: 'a b' } });
  const { room, fetch, requests } = roomOn(socket);
  const leaves = decodeContent('[{"pets":{"fido":{"legs":4}}},{}]');
  if (leaves !== undefined) room.seed(leaves);
  const given = Object.hasOwn(globals, 'fetch') ? { fetch: withoutStreams(fetch) } : {};
  const errors: unknown[] = [];
  try {
    const { createPartyKitPersister, createStore } = load({ ...globals, ...given });
    const store = createStore();
    const persister = createPartyKitPersister(store, socket as never, {}, (error) =>
      errors.push(error),
    );
    await persister.startAutoPersisting();
    await turns();
    // Near the limit of a push, so that its length in bytes counts.
    store.setValue('text', 'é'.repeat(2_000_000));
    store.setCell('pets', 'fido', 'legs', 3);
    await turns();
    const { phase, unsaved } = persister.getSync();
    const made = JSON.stringify([phase, unsaved, store.getTable('pets')]);
    await persister.destroy();
    if (made !== '["live",0,{"fido":{"legs":3}}]') return `${made} ${errors.join(' ')}`;
    expect(requests[0]).toContain('?name=a%20b&cursor');
    return errors.length === 0 ? undefined : errors.join(' ');
  } catch (error) {
    return String(error);
  }
}

test('the client works where there are only the globals that docs/hosts.md requires', async () => {
  expect(await trouble(REQUIRED)).toBeUndefined();
});

test('undo and offline work there, too', async () => {
  const socket = new FakePartySocket();
  socket.readyState = 1;
  const { room, fetch } = roomOn(socket);
  const leaves = decodeContent('[{"pets":{"fido":{"legs":4}}},{}]');
  if (leaves !== undefined) room.seed(leaves);
  const { createPartyKitPersister, createStore, createUndo, createOffline, device } = load({
    ...REQUIRED,
    fetch: withoutStreams(fetch),
  });
  const errors: unknown[] = [];
  const open = (on: FakePartySocket): { store: Store; persister: Client.PartyKitPersister } => {
    const store = createStore();
    const offline = createOffline(device);
    const persister = createPartyKitPersister(store, on as never, { offline }, (error) =>
      errors.push(String(error)),
    );
    return { store, persister };
  };
  const { store, persister } = open(socket);
  const undo = createUndo(persister);
  await persister.startAutoPersisting();
  await turns();
  // One edit is answered, and the next ones wait, so that an undo finds them.
  store.setCell('pets', 'fido', 'legs', 3);
  await turns();
  socket.readyState = 0;
  store.setCell('pets', 'fido', 'legs', 2);
  store.setCell('pets', 'fido', 'legs', 1);
  undo.goBackward();
  expect(store.getCell('pets', 'fido', 'legs')).toBe(2);
  await turns();
  await persister.destroy();
  // The page comes back, without a network.
  const next = open(new FakePartySocket());
  void next.persister.startAutoPersisting();
  await turns();
  expect(errors).toEqual([]);
  expect(next.store.getTables()).toEqual({ pets: { fido: { legs: 2 } } });
  await next.persister.destroy();
});

test.each(['fetch', 'URL', 'URLSearchParams', 'AbortController', 'TextEncoder', 'Event'])(
  'it does not work without %s, so that the list has no more than it needs',
  async (missing) => {
    const globals = Object.fromEntries(
      Object.entries(REQUIRED).filter(([name]) => name !== missing),
    );
    expect(await trouble(globals)).toBeDefined();
  },
);

test('docs/hosts.md lists exactly these', async () => {
  const document = await readFile(`${ROOT}docs/hosts.md`, 'utf8');
  const [, line = ''] = /^- \*\*Globals\*\*: (.*?)\.$/ms.exec(document) ?? [];
  const listed = [...line.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  expect(new Set(listed)).toEqual(new Set(Object.keys(REQUIRED)));
});
