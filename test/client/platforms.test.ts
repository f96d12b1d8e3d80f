import { readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createContext, runInContext } from 'node:vm';

import { build } from 'esbuild';
import { beforeAll, expect, test } from 'vitest';

import type * as Client from '../../src/client/index.ts';
import type { Store } from 'tinybase';
import { decodeContent } from '../../src/protocol/codec.ts';
import { FakePartySocket, roomOn } from './fake-party-socket.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

/** The client and TinyBase, as an app bundles them. */
let script = '';

beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: `export * from './src/client/index.ts'; export { createStore } from 'tinybase/store';`,
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

type Bundle = typeof Client & { readonly createStore: () => Store };

/** Runs the client where there is nothing but the language and these globals. Resolves to what kept it from being live. */
async function trouble(globals: Readonly<Record<string, unknown>>): Promise<string | undefined> {
  const socket = new FakePartySocket();
  socket.readyState = 1;
  Object.assign(socket.partySocketOptions, { query: { name: 'a b' } });
  const { room, fetch, requests } = roomOn(socket);
  const leaves = decodeContent('[{"pets":{"fido":{"legs":4}}},{}]');
  if (leaves !== undefined) room.seed(leaves);
  const module: { exports: unknown } = { exports: {} };
  const given = Object.hasOwn(globals, 'fetch') ? { fetch: withoutStreams(fetch) } : {};
  const context = createContext({ ...globals, ...given, module });
  const errors: unknown[] = [];
  try {
    runInContext(NEWER, context);
    runInContext(`(() => {const {exports} = module; ${script}})()`, context);
    const { createPartyKitPersister, createStore } = module.exports as Bundle;
    const store = createStore();
    const persister = createPartyKitPersister(store, socket as never, {}, (error) =>
      errors.push(error),
    );
    await persister.startAutoPersisting();
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    // Near the limit of a push, so that its length in bytes counts.
    store.setValue('text', 'é'.repeat(2_000_000));
    store.setCell('pets', 'fido', 'legs', 3);
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
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
