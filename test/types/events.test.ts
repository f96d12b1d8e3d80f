import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CompiledApp, makeCompiledApp } from '../support/compiled-app.ts';

const FOLDER = fileURLToPath(new URL('events', import.meta.url));

let app: CompiledApp;
beforeAll(async () => {
  app = await makeCompiledApp();
  for (const name of readdirSync(FOLDER))
    app.write(join('events', name), readFileSync(join(FOLDER, name), 'utf8'));
}, 60_000);
afterAll(() => app?.remove());

test.each(['7', '5.4'] as const)(
  'names, inputs, results and data of events are known on the page from `import type` of the room alone, on TypeScript %s',
  async (version) => {
    const files = readdirSync(FOLDER).map((name) => join('events', name));
    expect(await app.compile(version, files)).toBe('');
  },
  60_000,
);
