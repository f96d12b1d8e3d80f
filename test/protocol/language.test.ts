import { readdir, readFile } from 'node:fs/promises';

import { expect, test } from 'vitest';

const ROOT = new URL('../..', import.meta.url);
const FOLDERS = ['src', 'demo', 'examples'];

/** The first words that make a clause, which has no subject and no verb of its own. */
const CLAUSE = /^(?:What|Who|Whom|Whose|Whether|That|Where|How|Why)\b/;

/** Finds the text of each doc comment, with the line on which it begins. */
function docComments(code: string): readonly { readonly line: number; readonly text: string }[] {
  return [...code.matchAll(/\/\*\*[\s*]*(.*)/g)].map(({ index, 1: text = '' }) => ({
    line: code.slice(0, index).split('\n').length,
    text,
  }));
}

/** Returns the names of the TypeScript files in a folder, without those of installed packages. */
async function filesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(new URL(`${folder}/`, ROOT), { recursive: true });
  return names
    .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
    .map((name) => `${folder}/${name}`);
}

test('a doc comment begins with a verb or a noun phrase, never with a clause', async () => {
  const clauses: string[] = [];
  let count = 0;
  for (const file of (await Promise.all(FOLDERS.map(filesIn))).flat()) {
    for (const { line, text } of docComments(await readFile(new URL(file, ROOT), 'utf8'))) {
      count += 1;
      if (CLAUSE.test(text)) clauses.push(`${file}:${line}: ${text}`);
    }
  }
  expect(count).toBeGreaterThan(1000);
  expect(clauses).toEqual([]);
});

test('a doc comment is found on one line and on several', () => {
  const code = 'const a = 1;\n/** What it is. */\n/**\n * Whether it is.\n * More.\n */';
  expect(docComments(code)).toEqual([
    { line: 2, text: 'What it is. */' },
    { line: 3, text: 'Whether it is.' },
  ]);
});
