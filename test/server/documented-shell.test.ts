import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { createRoomHandle, createToken } from '../../src/backend/index.ts';
import { blockWith } from '../support/documented-app.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const PACKAGE = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'documented-shell-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = (command: string): string =>
  execFileSync('bash', ['-ec', command], { cwd: folder, encoding: 'utf8' });

test.each([
  ['docs/auth.md', 'AUTH_SECRET'],
  ['docs/client.md', 'AUTH_SECRET'],
  ['docs/handle.md', 'ADMIN_SECRET'],
  ['docs/react.md', 'AUTH_SECRET'],
])('the command of %s writes a secret that is long enough', async (document, name) => {
  run(/^echo .*$/m.exec(blockWith(document, `echo "${name}=`))?.[0] ?? '');
  const secret = parseEnv(readFileSync(join(folder, '.env'), 'utf8'))[name] ?? '';
  const room = 'my-board';
  await expect(createToken({ secret, room, user: { id: 'u1' } })).resolves.toMatch(/^ey/);
  expect(() => createRoomHandle({ origin: 'http://localhost:1999', room, secret })).not.toThrow();
});

test('the command of docs/handle.md keeps what is in the file', () => {
  run(blockWith('docs/auth.md', 'echo "AUTH_SECRET='));
  run(blockWith('docs/handle.md', 'echo "ADMIN_SECRET='));
  expect(Object.keys(parseEnv(readFileSync(join(folder, '.env'), 'utf8'))).toSorted()).toEqual([
    'ADMIN_SECRET',
    'AUTH_SECRET',
  ]);
});

const INSTALLATIONS = [
  ['README.md', 'npm init -y'],
  ['docs/start.md', 'npm init -y'],
  ['docs/react.md', 'npm init -y'],
] as const;

test.each(INSTALLATIONS)('the first command of %s makes an app of ES modules', (document, text) => {
  const [first = ''] = blockWith(document, text).split('\n');
  const app = `${folder}${/mkdir (\S+)/.test(first) ? '/my-app' : ''}`;
  run(first);
  expect(JSON.parse(readFileSync(`${app}/package.json`, 'utf8'))).toMatchObject({
    type: 'module',
  });
});

test.each([...INSTALLATIONS, ['docs/troubleshooting.md', 'npm install tinybase'] as const])(
  'what %s installs is this release, and packages that it is tested with',
  (document, text) => {
    const known = { ...PACKAGE.dependencies, ...PACKAGE.devDependencies };
    const lines = blockWith(document, text).matchAll(/^npm install (?:-D )?([^#\n]*)/gm);
    const installed = [...lines].flatMap(([, names = '']) => names.trim().split(/\s+/));
    expect(installed.length).toBeGreaterThan(0);
    for (const name of installed) {
      const [packageName = '', major] = name.split(/(?<=.)@/);
      if (packageName.endsWith('.tgz'))
        expect(packageName).toMatch(new RegExp(`/tinybase-partykit-${PACKAGE.version}\\.tgz$`));
      else
        expect(known[packageName]?.startsWith(major === undefined ? '' : `${major}.`)).toBe(true);
    }
  },
);

test.each([
  ['README.md', 'npm ci  '],
  ['docs/performance.md', 'npm run bench -- race  '],
])('the scripts and files that the commands of %s name are there', (document, text) => {
  const commands = blockWith(document, text);
  for (const [, script = ''] of commands.matchAll(/npm run (\S+)/g))
    expect(Object.keys(PACKAGE.scripts)).toContain(script);
  for (const [, name = ''] of commands.matchAll(/npm run bench -- (\S+)/g))
    expect(existsSync(join(REPOSITORY, `bench/${name}.ts`))).toBe(true);
  for (const [, file = ''] of commands.matchAll(/\bnode (\S+)/g))
    expect(existsSync(join(REPOSITORY, file))).toBe(true);
  for (const [, option = ''] of commands.matchAll(/race.* --(\w+)/g))
    expect(readFileSync(join(REPOSITORY, 'bench/race.ts'), 'utf8')).toContain(`${option}: {`);
  expect(commands).toMatch(/npm ci/);
});

test.each(['README.md', 'docs/start.md', 'docs/react.md'])(
  '%s starts the room with options that `partykit dev` has',
  (document) => {
    const [, options = ''] =
      /^npx partykit dev (.*)$/m.exec(blockWith(document, 'npx partykit dev')) ?? [];
    const help = execFileSync(
      process.execPath,
      [join(REPOSITORY, 'node_modules/partykit/dist/bin.mjs'), 'dev', '--help'],
      { encoding: 'utf8' },
    );
    expect(options).not.toBe('');
    for (const option of options.split(' ')) expect(help).toContain(option);
  },
);
