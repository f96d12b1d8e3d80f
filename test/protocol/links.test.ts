import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const PACKAGE = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
  files: string[];
};
/** The paths that a package always has: https://docs.npmjs.com/cli/v11/configuring-npm/package-json#files */
const PACKED = [...PACKAGE.files, 'package.json', 'README.md', 'LICENSE'];

const isPacked = (path: string): boolean =>
  PACKED.some((packed) => path === packed || path.startsWith(`${packed}/`));

const documents: readonly string[] = ['.', 'docs', 'examples']
  .flatMap((folder) =>
    readdirSync(join(REPOSITORY, folder), { recursive: folder !== '.', encoding: 'utf8' }).map(
      (name) => join(folder, name),
    ),
  )
  .filter((path) => /\.(?:md|txt)$/.test(path) && !path.includes('node_modules'));

const textOf = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');

/** Returns the anchors of a document, as GitHub makes them of its headings. */
const anchorsOf = (path: string): readonly string[] =>
  [
    ...textOf(path)
      .replaceAll(/^```.*?^```/gms, '')
      .matchAll(/^#+ (.*)$/gm),
  ].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );

/** Returns the links of a document to other files and to headings, outside of its code. */
const linksOf = (path: string): readonly string[] =>
  [
    ...textOf(path)
      .replaceAll(/^```.*?^```/gms, '')
      .replaceAll(/`[^`]*`/g, '`')
      .matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g),
  ]
    .map(([, target = '', source]) => source ?? target)
    .filter((target) => !/^[a-z]+:/.test(target));

/** Returns what is wrong with a link; undefined if it is good. */
const problemOf = (document: string, link: string): string | undefined => {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? document : relative('.', join(dirname(document), path));
  if (!existsSync(join(REPOSITORY, target))) return 'leads to no file';
  if (isPacked(document) && !isPacked(target)) return 'leads to a file that the package lacks';
  if (anchor === undefined) return undefined;
  if (statSync(join(REPOSITORY, target)).isDirectory() || !anchorsOf(target).includes(anchor))
    return 'leads to no heading';
  return undefined;
};

test('every link in a document leads to a file that is there, also in the package, and to a heading', () => {
  const links = documents.flatMap((document) =>
    linksOf(document).map((link) => ({ document, link })),
  );
  expect(links.length).toBeGreaterThan(100);
  const problems = links.flatMap(({ document, link }) => {
    const problem = problemOf(document, link);
    return problem === undefined ? [] : [`${document}: ${link} ${problem}`];
  });
  expect(problems).toEqual([]);
});

test('README.md, llms.txt and CONTRIBUTING.md lead to every document', () => {
  const names = readdirSync(join(REPOSITORY, 'docs')).filter((name) => name.endsWith('.md'));
  for (const index of ['llms.txt', 'CONTRIBUTING.md']) {
    const linked = linksOf(index);
    expect(names.filter((name) => !linked.includes(`docs/${name}`))).toEqual([]);
  }
  const linked = linksOf('README.md');
  // For those who work on the package, and for a host.
  const others = new Set(['storage.md', 'scale.md', 'performance.md', 'hosts.md']);
  expect(names.filter((name) => !others.has(name) && !linked.includes(`docs/${name}`))).toEqual([]);
});

test('a link that leads nowhere is found', () => {
  expect(problemOf('README.md', 'docs/nowhere.md')).toBe('leads to no file');
  expect(problemOf('README.md', 'docs/api.md#nowhere')).toBe('leads to no heading');
  expect(problemOf('README.md', 'test/protocol/links.test.ts')).toBe(
    'leads to a file that the package lacks',
  );
  expect(problemOf('docs/api.md', '../README.md#a-working-pair')).toBeUndefined();
});
