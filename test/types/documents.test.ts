import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CompiledApp, makeCompiledApp } from '../support/compiled-app.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const DOCUMENTS = ['README.md', ...filesIn('docs', '.md')];
const SOURCES = filesIn('src', '.ts');

interface Block {
  /** What its first line says in a comment, so that others can import it; or where it stands. */
  readonly file: string;
  readonly text: string;
}

function filesIn(folder: string, ending: string): readonly string[] {
  return readdirSync(`${REPOSITORY}/${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`);
}

/** The TypeScript in a document, or in the doc comments of a source, each block a module. */
function blocksOf(document: string): readonly Block[] {
  const text = readFileSync(`${REPOSITORY}/${document}`, 'utf8').replaceAll(/^ *\* ?/gm, '');
  return [...text.matchAll(/^ *```(tsx?)\n(.*?)^ *```$/gms)].map(
    ({ index, 1: extension = '', 2: code = '' }) => {
      const line = text.slice(0, index).split('\n').length;
      const [, name] = /^\/\/ ([\w-]+\.tsx?)\b/.exec(code) ?? [];
      return {
        file: name ?? `${document.replaceAll(/\W/g, '-')}-line-${line}.${extension}`,
        text: code,
      };
    },
  );
}

let app: CompiledApp;
beforeAll(async () => {
  app = await makeCompiledApp();
}, 60_000);
afterAll(() => app?.remove());

test('the TypeScript in README.md, docs/ and doc comments compiles, as strict as can be', async () => {
  const examples = SOURCES.flatMap(blocksOf);
  expect(examples.length).toBeGreaterThan(3);
  // What runs in Node alone has no types here. The test of its document runs it.
  const blocks = [...DOCUMENTS.flatMap(blocksOf), ...examples].filter(
    ({ text }) => !text.includes("from 'node:"),
  );
  const files = blocks.map(({ file }) => file);
  expect(files).toEqual(expect.arrayContaining(['room.ts', 'page.ts', 'worker.ts']));
  expect(files).toEqual([...new Set(files)]);
  for (const { file, text } of blocks) app.write(file, text);
  expect(await app.compile('7', files)).toBe('');
}, 60_000);
