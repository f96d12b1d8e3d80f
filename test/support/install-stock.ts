import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = new URL('../stock/', import.meta.url);

/** What `test/stock/package.json` wants is installed, in that version. */
const isInstalled = (name: string, specifier: string): boolean => {
  try {
    const text = readFileSync(new URL(`node_modules/${name}/package.json`, FOLDER), 'utf8');
    const { version } = JSON.parse(text) as { version: string };
    return specifier.endsWith(`@${version}`);
  } catch {
    return false;
  }
};

/** Installs what the tests of `test/stock` and `test/types` compare with, unless it is there. */
export const setup = (): void => {
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', FOLDER), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  if (Object.entries(dependencies).every(([name, specifier]) => isInstalled(name, specifier))) {
    return;
  }
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: fileURLToPath(FOLDER),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
};
