import { readFile } from 'node:fs/promises';

import { expect, test } from 'vitest';

import { mutate } from '../mutations/source-mutation.ts';
import { SOURCE_MUTATIONS } from '../mutations/source-mutations.ts';

test('each mutation finds its text in the source once, and changes it', async () => {
  for (const mutation of SOURCE_MUTATIONS) {
    const path = new URL(`../../src/${mutation.file}`, import.meta.url);
    const source = await readFile(path, 'utf8');
    expect(mutate(source, mutation), mutation.title).not.toBe(source);
  }
});
