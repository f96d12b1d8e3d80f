import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The versions of TypeScript that an app may have. */
type Compiler = '7' | '5.4';

/** The folder of an app that depends on this package as it is published. */
export interface CompiledApp {
  /** Writes a file, by its path in the folder. */
  readonly write: (path: string, text: string) => void;
  /**
   * Returns what a compiler says of files in the folder: an empty string if all is well. It is as strict as it can be, unless
   * there are other options.
   */
  readonly compile: (
    version: Compiler,
    files: readonly string[],
    options?: readonly string[],
  ) => Promise<string>;
  readonly remove: () => void;
}

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const COMPILERS: Readonly<Record<Compiler, string>> = {
  7: join(REPOSITORY, 'node_modules/typescript/bin/tsc'),
  5.4: join(REPOSITORY, 'test/stock/node_modules/typescript-5/bin/tsc'),
};
const DEPENDENCIES = [
  ...['tinybase', 'partykit', 'partysocket', 'partyserver', 'jose', 'idb', 'zod'],
  ...['react', 'react-dom', '@types/react', '@types/react-dom'],
];
const OPTIONS = [
  ...['--noEmit', '--strict', '--noImplicitOverride', '--skipLibCheck'],
  ...['--noUncheckedIndexedAccess', '--isolatedModules', '--verbatimModuleSyntax'],
  ...['--allowImportingTsExtensions', '--target', 'es2022', '--module', 'nodenext'],
  ...['--lib', 'es2022,dom,dom.iterable', '--jsx', 'react-jsx'],
];

/** Makes the folder of an app. Whoever makes it removes it. Throws what the compiler says if the sources have errors. */
export const makeCompiledApp = async (): Promise<CompiledApp> => {
  const folder = mkdtempSync(join(tmpdir(), 'compiled-app-'));
  const run = (compiler: string, options: readonly string[]): Promise<string> =>
    new Promise((resolve) => {
      execFile(process.execPath, [compiler, ...options], { cwd: folder }, (error, stdout, stderr) =>
        resolve(stdout + stderr + (stdout === '' ? (error?.message ?? '') : '')),
      );
    });
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };

  for (const name of DEPENDENCIES) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(REPOSITORY, 'node_modules', name), link);
  }
  const ours = join(folder, 'node_modules/tinybase-partykit');
  mkdirSync(ours);
  cpSync(join(REPOSITORY, 'package.json'), join(ours, 'package.json'));
  const problems = await run(COMPILERS[7], [
    ...['-p', join(REPOSITORY, 'tsconfig.build.json'), '--emitDeclarationOnly'],
    ...['--outDir', join(ours, 'dist')],
  ]);
  if (problems !== '') throw new Error(problems);
  write('package.json', '{"type": "module"}');

  return {
    write,
    compile: (version, files, options = OPTIONS) => run(COMPILERS[version], [...files, ...options]),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
};
