import { readFile } from 'node:fs/promises';

import { expect, test } from 'vitest';

const ROOT = new URL('../..', import.meta.url);

interface Row {
  readonly item: string;
  readonly verdict: string;
  readonly file: string;
  readonly title: string;
}

/** The rows of docs/migrating.md that compare, each with the test that it names. */
async function rows(): Promise<readonly Row[]> {
  const document = await readFile(new URL('docs/migrating.md', ROOT), 'utf8');
  const matches = document.matchAll(/^\| (.+?) \| (\w+) \| .*?\| `([\w/-]+)`: (.+) \|$/gm);
  return [...matches].map(([, item = '', verdict = '', file = '', title = '']) => ({
    item,
    verdict,
    file,
    title,
  }));
}

test('every row of docs/migrating.md says same, better or different, and why', async () => {
  const document = await readFile(new URL('docs/migrating.md', ROOT), 'utf8');
  const written = document.split('## Item by item')[1]?.match(/^\| (?!item)[^-]/gm) ?? [];
  const found = await rows();
  expect(found.length).toBe(written.length);
  expect(found.length).toBeGreaterThan(45);
  for (const { item, verdict } of found) {
    expect([item, verdict]).toEqual([item, expect.stringMatching(/^(?:same|better|different)$/)]);
  }
});

test('every test that docs/migrating.md names is there', async () => {
  const missing: string[] = [];
  for (const { file, title } of await rows()) {
    const code = await readFile(new URL(`test/${file}.test.ts`, ROOT), 'utf8').catch(() => '');
    if (!code.includes(title)) missing.push(`${file}: ${title}`);
  }
  expect(missing).toEqual([]);
});
