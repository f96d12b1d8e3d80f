import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('examples', import.meta.url));
const COMPILERS = {
  7: join(REPOSITORY, 'node_modules/typescript/bin/tsc'),
  5.4: join(REPOSITORY, 'test/stock/node_modules/typescript-5/bin/tsc'),
};
/** The whole migration: these paths, and no more. */
const PATHS = [
  ['tinybase/persisters/persister-partykit-client', 'tinybase-partykit/client'],
  ['tinybase/persisters/persister-partykit-server', 'tinybase-partykit/server'],
] as const;

let folder: string;

/** What a compiler says. */
const compile = (compiler: string, ...options: string[]): Promise<string> =>
  new Promise((resolve) => {
    execFile(process.execPath, [compiler, ...options], { cwd: folder }, (error, stdout, stderr) => {
      resolve(stdout + stderr + (stdout === '' ? (error?.message ?? '') : ''));
    });
  });

/** An app that depends on this package as it is published. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'documented-examples-'));
  for (const name of ['tinybase', 'partykit', 'partysocket']) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(REPOSITORY, 'node_modules', name), link);
  }
  const ours = join(folder, 'node_modules/tinybase-partykit');
  mkdirSync(ours);
  cpSync(join(REPOSITORY, 'package.json'), join(ours, 'package.json'));
  const build = ['-p', join(REPOSITORY, 'tsconfig.build.json'), '--emitDeclarationOnly'];
  expect(await compile(COMPILERS[7], ...build, '--outDir', join(ours, 'dist'))).toBe('');
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  for (const pair of ['stock', 'ours']) {
    mkdirSync(join(folder, pair));
    for (const name of readdirSync(EXAMPLES)) {
      let text = readFileSync(join(EXAMPLES, name), 'utf8');
      if (pair === 'ours') for (const [stock, own] of PATHS) text = text.replaceAll(stock, own);
      writeFileSync(join(folder, pair, name), text);
    }
  }
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['stock', '7'],
  ['ours', '7'],
  ['stock', '5.4'],
  ['ours', '5.4'],
] as const)(
  'what was written for TinyBase’s pair compiles with the paths of %s, on TypeScript %s',
  async (pair, version) => {
    const output = await compile(
      COMPILERS[version],
      ...readdirSync(EXAMPLES).map((name) => join(pair, name)),
      ...['--noEmit', '--strict', '--noImplicitOverride', '--skipLibCheck'],
      ...['--noUncheckedIndexedAccess', '--isolatedModules', '--verbatimModuleSyntax'],
      ...['--target', 'es2022', '--module', 'nodenext', '--lib', 'es2022,dom,dom.iterable'],
    );
    expect(output).toBe('');
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
