import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));

/** The folder of an app with Next and React 18. */
export const NEXT_FOLDER: string = fileURLToPath(new URL('../next/', import.meta.url));

/** Installs what `test/next/package.json` wants, unless it is there. */
export const installNext = (): void => {
  if (existsSync(`${NEXT_FOLDER}node_modules/.package-lock.json`)) return;
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: NEXT_FOLDER,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
};

/** Returns aliases for a bundler, which make a page use React 18. */
export const installReact18 = (): Record<string, string> => {
  installNext();
  return Object.fromEntries(
    ['react', 'react-dom'].map((name) => [name, `${NEXT_FOLDER}node_modules/${name}`]),
  );
};

const outputOf = (error: unknown): string => {
  const { stdout, stderr } = error as { stdout?: Buffer; stderr?: Buffer };
  return `${stdout?.toString()}${stderr?.toString()}`;
};

const run = (folder: string, command: readonly string[]): void => {
  try {
    execFileSync(process.execPath, command, {
      cwd: folder,
      env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' },
    });
  } catch (error) {
    throw new Error(`${command.join(' ')} failed: ${outputOf(error)}`, { cause: error });
  }
};

/** Builds an app with Next, as its `next build` does. */
export const buildNextApp = (folder: string): void =>
  run(folder, [`${NEXT_FOLDER}node_modules/next/dist/bin/next`, 'build']);

/** Builds the package, and then the app of `test/next` with it, as a user of Next does. */
export const buildNext = (): void => {
  installNext();
  const ours = `${NEXT_FOLDER}node_modules/tinybase-partykit`;
  rmSync(ours, { recursive: true, force: true });
  mkdirSync(ours);
  cpSync(`${REPOSITORY}package.json`, `${ours}/package.json`);
  run(REPOSITORY, [
    `${REPOSITORY}node_modules/typescript/bin/tsc`,
    ...['-p', 'tsconfig.build.json', '--outDir', `${ours}/dist`],
  ]);
  buildNextApp(NEXT_FOLDER);
};
