import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CompiledApp, makeCompiledApp } from '../support/compiled-app.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('examples', import.meta.url));
/** The whole migration: these paths, and no more. */
const PATHS = [
  ['tinybase/persisters/persister-partykit-client', 'tinybase-partykit/client'],
  ['tinybase/persisters/persister-partykit-server', 'tinybase-partykit/server'],
] as const;

let app: CompiledApp;

beforeAll(async () => {
  app = await makeCompiledApp();
  for (const pair of ['stock', 'ours']) {
    for (const name of readdirSync(EXAMPLES)) {
      let text = readFileSync(join(EXAMPLES, name), 'utf8');
      if (pair === 'ours') for (const [stock, own] of PATHS) text = text.replaceAll(stock, own);
      app.write(join(pair, name), text);
    }
  }
}, 60_000);
afterAll(() => app?.remove());

test.each([
  ['stock', '7'],
  ['ours', '7'],
  ['stock', '5.4'],
  ['ours', '5.4'],
] as const)(
  'what was written for TinyBase’s pair compiles with the paths of %s, on TypeScript %s',
  async (pair, version) => {
    const files = readdirSync(EXAMPLES).map((name) => join(pair, name));
    expect(await app.compile(version, files)).toBe('');
  },
  60_000,
);

/** Imports each entry of the package, except those for hosts that need types of Cloudflare's. */
const ENTRIES = `
import { createAuth, createEdgeGuard, defineAuth } from 'tinybase-partykit/server/auth';
import { createPresence } from 'tinybase-partykit/server/presence';
import { createToken } from 'tinybase-partykit/backend';
import { createPresence as createClientPresence } from 'tinybase-partykit/client/presence';
import { createEvents, event, procedure } from 'tinybase-partykit/server/events';
import { createEvents as createClientEvents } from 'tinybase-partykit/client/events';
import { createUndo } from 'tinybase-partykit/client/undo';

export const all: readonly unknown[] = [createAuth, createEdgeGuard, defineAuth, createPresence, createToken, createClientPresence, createEvents, event, procedure, createClientEvents, createUndo];
`;
const HOST_ENTRIES = `
import { durableObject, routeRoomRequest } from 'tinybase-partykit/server/durable-object';
import { partyServer } from 'tinybase-partykit/server/partyserver';

export const all: readonly unknown[] = [durableObject, routeRoomRequest, partyServer];
`;

test.each(['stock', 'ours'])(
  'an app that finds modules as Node 10 did compiles with the paths of %s',
  async (pair) => {
    const files = readdirSync(EXAMPLES).map((name) => join(pair, name));
    if (pair === 'ours') {
      app.write('ours/entries.ts', ENTRIES);
      app.write('ours/host-entries.ts', HOST_ENTRIES);
      files.push('ours/entries.ts', 'ours/host-entries.ts');
    }
    const options = [
      ...['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022'],
      ...['--module', 'esnext', '--moduleResolution', 'node', '--lib', 'es2022,dom,dom.iterable'],
    ];
    expect(await app.compile('5.4', files, options)).toBe('');
  },
  60_000,
);

/** True for a problem of another package than TinyBase's and this one. */
const isTheirs = (line: string): boolean =>
  /node_modules\/(?!tinybase)[^/]+\//.test(line.replace(/.*(?=node_modules\/)/, ''));

test.each([
  ['stock', 'es2020'],
  ['ours', 'es2018'],
])(
  'the types of %s need no newer library than %s, also where the compiler checks declarations',
  async (pair, target) => {
    const files = readdirSync(EXAMPLES).map((name) => join(pair, name));
    app.write('ours/entries.ts', ENTRIES);
    if (pair === 'ours') files.push('ours/entries.ts');
    const options = [
      ...['--noEmit', '--strict', '--target', target, '--lib', `${target},dom,dom.iterable`],
      ...['--module', 'esnext', '--moduleResolution', 'bundler'],
    ];
    const problems = await app.compile('5.4', files, options);
    // PartySocket and PartyKit have problems of their own.
    const lines = problems.split('\n').filter((line) => line !== '' && !line.startsWith(' '));
    expect(lines.filter((line) => !isTheirs(line))).toEqual([]);
  },
  60_000,
);

test('every entry of the package has types where modules are found as Node 10 did', () => {
  const { exports, typesVersions } = JSON.parse(
    readFileSync(join(REPOSITORY, 'package.json'), 'utf8'),
  ) as {
    exports: Record<string, string | { readonly types: string }>;
    typesVersions: { readonly '*': Record<string, readonly string[]> };
  };
  const types = Object.entries(exports).flatMap(([path, entry]) =>
    typeof entry === 'string' ? [] : [[path.replace('./', ''), [entry.types]] as const],
  );
  expect(typesVersions['*']).toEqual(Object.fromEntries(types));
});

test('every entry of the package has types that both compilers find', () => {
  const { exports } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
    exports: Record<string, unknown>;
  };
  expect(Object.keys(exports)).toEqual(
    expect.arrayContaining([
      './client',
      './client/with-schemas',
      './server',
      './server/with-schemas',
    ]),
  );
});
