import { createContext, runInContext } from 'node:vm';

import { build } from 'esbuild';
import { expect, test } from 'vitest';

/** The client as one script of its own, TinyBase and PartySocket left to whoever runs it. */
async function bundled(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [new URL('../../src/client/index.ts', import.meta.url).pathname],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'neutral',
    external: ['tinybase', 'tinybase/*', 'partysocket'],
  });
  return outputFiles[0]?.text ?? '';
}

test('importing the client touches no globals', async () => {
  const module = { exports: {} };
  const required: string[] = [];
  const require = (name: string): object => {
    required.push(name);
    return {};
  };
  // Nothing but what the language itself has: no fetch, no crypto, no timers, no window.
  const context = createContext({ module, exports: module.exports, require });
  runInContext('delete globalThis.console; delete globalThis.WebAssembly', context);
  const before = Object.getOwnPropertyNames(runInContext('globalThis', context));
  runInContext(`(() => {${await bundled()}})()`, context);
  expect(Object.getOwnPropertyNames(runInContext('globalThis', context))).toEqual(before);
  expect(Object.keys(module.exports)).toContain('createPartyKitPersister');
  // Whichever part of TinyBase an app imports, it is not bundled twice.
  expect(required).toEqual([]);
});
