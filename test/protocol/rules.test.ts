import { readdir, readFile } from 'node:fs/promises';

import { expect, test } from 'vitest';

const ROOT = new URL('../..', import.meta.url);

/** The ids of the rules, in the order of the specification. */
async function specifiedRules(): Promise<readonly string[]> {
  const document = await readFile(new URL('docs/protocol.md', ROOT), 'utf8');
  return [...document.matchAll(/^\| ([A-Z]+-\d+) \|/gm)].map(([, id = '']) => id);
}

/** The ids in brackets at the beginning of test titles, wherever a title stands in the code. */
async function testedRules(): Promise<ReadonlySet<string>> {
  const tested = new Set<string>();
  const names = await readdir(new URL('test/', ROOT), { recursive: true });
  const files = names.filter(
    (name) =>
      name.endsWith('.ts') && !name.startsWith('protocol/rules') && !name.includes('node_modules'),
  );
  for (const name of files) {
    const code = await readFile(new URL(`test/${name}`, ROOT), 'utf8');
    for (const [title] of code.matchAll(/['"`](?:\[[A-Z]+-\d+\] )+/g)) {
      for (const [, id = ''] of title.matchAll(/\[([A-Z]+-\d+)\]/g)) tested.add(id);
    }
  }
  return tested;
}

test('every rule of docs/protocol.md is in the title of a test, and no title has another', async () => {
  const specified = await specifiedRules();
  const tested = await testedRules();
  expect({
    untested: specified.filter((id) => !tested.has(id)),
    unknown: [...tested].filter((id) => !specified.includes(id)),
  }).toEqual({ untested: [], unknown: [] });
});

test('every rule has an id of its own', async () => {
  const specified = await specifiedRules();
  expect(specified.length).toBeGreaterThan(50);
  expect(specified).toEqual([...new Set(specified)]);
});
