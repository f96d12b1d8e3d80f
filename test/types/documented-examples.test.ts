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
