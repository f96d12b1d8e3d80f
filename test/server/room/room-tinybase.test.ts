import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createStore, type Store } from 'tinybase';
import { expect, test } from 'vitest';

import { errorOfOldTinyBase } from '../../../src/server/room/old-tinybase.ts';

/** Installed for the tests of compatibility. */
const OLD = fileURLToPath(new URL('../../stock/node_modules/tinybase-7/index.js', import.meta.url));

test('a TinyBase that this package supports is no error', () => {
  expect(errorOfOldTinyBase(createStore)).toBeUndefined();
});

test.runIf(existsSync(OLD))('an older TinyBase is one that names the version', async () => {
  const old = (await import(OLD)) as { createStore: () => Store };
  const error = errorOfOldTinyBase(old.createStore);
  expect(error).toMatchObject({ code: 'misuse' });
  expect(error?.message).toMatch(/older than 9\.4.*npm install tinybase@10/);
});
