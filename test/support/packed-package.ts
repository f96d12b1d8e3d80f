import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** A folder with this package as it would be published, installed for the apps in it. */
export interface PackedPackage {
  readonly folder: string;
  readonly remove: () => void;
}

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

const run = async (
  folder: string,
  command: string,
  parameters: readonly string[],
): Promise<string> =>
  (await promisify(execFile)(command, parameters, { cwd: folder })).stdout.trim();

/** Packs this package from its sources, and installs it beside packages of the repository. Whoever does it removes it. */
export const packPackage = async (others: readonly string[]): Promise<PackedPackage> => {
  const folder = mkdtempSync(join(tmpdir(), 'packed-'));
  const built = join(folder, 'built');
  mkdirSync(built);
  const { files } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
    files: string[];
  };
  for (const name of [...files, 'package.json', 'README.md', 'LICENSE'].filter(
    (file) => file !== 'dist',
  )) {
    cpSync(join(REPOSITORY, name), join(built, name), {
      recursive: true,
      filter: (path) => !path.slice(REPOSITORY.length).includes('node_modules'),
    });
  }
  const compiler = join(REPOSITORY, 'node_modules/typescript/bin/tsc');
  const project = ['--project', 'tsconfig.build.json', '--outDir', join(built, 'dist')];
  await run(REPOSITORY, process.execPath, [compiler, ...project]);
  const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  const archive = await run(built, 'npm', pack);
  const installed = join(folder, 'node_modules/tinybase-partykit');
  mkdirSync(installed, { recursive: true });
  await run(installed, 'tar', ['-xzf', join(folder, archive), '--strip-components=1']);
  for (const name of others) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(REPOSITORY, 'node_modules', name), link);
  }
  return {
    folder,
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
};
