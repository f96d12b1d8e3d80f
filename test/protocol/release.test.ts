import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../.ci/release.mjs', import.meta.url));
const MANIFEST = {
  name: 'a-package',
  version: '1.2.3',
  repository: 'github:somebody/a-package',
  homepage: 'https://a-package.example',
  bugs: 'https://a-package.example/bugs',
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'release-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const git = (...command: string[]): void => {
  const author = ['-c', 'user.name=A', '-c', 'user.email=a@example.com'];
  execFileSync('git', [...author, ...command], { cwd: folder, stdio: 'ignore' });
};

/** Commits a package, and returns what the script says to it. */
const check = ({
  manifest = {},
  changelog = '# Changelog\n\n## 1.2.3\n',
  tag = 'v1.2.3',
  change = () => undefined,
}: {
  manifest?: object;
  changelog?: string;
  tag?: string;
  change?: () => void;
} = {}): { said: string; status: number | null } => {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...MANIFEST, ...manifest }));
  writeFileSync(join(folder, 'CHANGELOG.md'), changelog);
  git('init');
  git('add', '.');
  git('commit', '--message', 'A release');
  git('tag', tag);
  change();
  const { stdout, stderr, status } = spawnSync(process.execPath, [SCRIPT, '--check'], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { said: (stdout + stderr).trim(), status };
};

test('a release can be published if its commit is clean, tagged and described', () => {
  expect(check()).toEqual({ said: 'a-package 1.2.3 can be published.', status: 0 });
});

test.each([
  ['an address', { manifest: { repository: undefined } }, 'package.json has no "repository".'],
  ['a change log', { changelog: '# Changelog\n' }, 'CHANGELOG.md has no heading "## 1.2.3".'],
  ['its tag', { tag: 'v1.2.2' }, 'The commit has no tag v1.2.3.'],
  [
    'a clean work tree',
    { change: () => writeFileSync(join(folder, 'new.txt'), '') },
    'The work tree has changes.',
  ],
])('a release without %s is not published', (_what, options, sentence) => {
  const { said, status } = check(options);
  expect(said).toContain(sentence);
  expect(said).not.toContain('can be published');
  expect(status).toBe(1);
});
