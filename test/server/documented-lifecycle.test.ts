import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { blockWith } from '../support/documented-app.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

const ROOT = new URL('../../', import.meta.url);

test.each([
  ['saved-board.ts', 'test/room/fixtures/saved-board.ts'],
  ['database-service.ts', 'test/support/database-service.ts'],
])('the guide shows %s as the contract of hosts runs it', async (name, path) => {
  const guide = await readFile(new URL('docs/lifecycle.md', ROOT), 'utf8');
  const [, shown] = guide.split(`\`\`\`ts\n// ${name}\n`);
  const run = await readFile(new URL(path, ROOT), 'utf8');
  expect(shown?.split('```')[0]).toBe(
    run.replace('../../../src/server/index.ts', 'tinybase-partykit/server'),
  );
});

test('database-server.ts of docs/lifecycle.md keeps rooms, also after it was started again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'documented-database-'));
  const port = await freePort();
  await symlink(fileURLToPath(new URL('node_modules', ROOT)), join(folder, 'node_modules'));
  for (const name of ['database-service.ts', 'database-server.ts']) {
    const code = blockWith('docs/lifecycle.md', `// ${name}`).replace('4000', String(port));
    await writeFile(join(folder, name), code);
  }
  const [bundle = '', start = ''] = blockWith('docs/lifecycle.md', 'npx esbuild').split('\n');
  execFileSync('bash', ['-ec', bundle], { cwd: folder, stdio: 'ignore' });

  const url = `http://127.0.0.1:${port}/rooms/${encodeURIComponent('a room/ä')}`;
  const content = [{ pets: { fido: { legs: 4 } } }, {}];
  const started = async <Result>(use: () => Promise<Result>): Promise<Result> => {
    const server = spawn('bash', ['-ec', `exec ${start}`], { cwd: folder, stdio: 'ignore' });
    try {
      await until(
        'the server',
        () =>
          fetch(url).then(
            ({ status }) => status < 500,
            () => false,
          ),
        {
          deadlineMilliseconds: 30_000,
        },
      );
      return await use();
    } finally {
      const ended = new Promise((resolve) => server.once('exit', resolve));
      server.kill();
      await ended;
    }
  };
  try {
    await started(async () => {
      expect((await fetch(url)).status).toBe(404);
      expect((await fetch(url, { method: 'PUT', body: 'no JSON' })).status).toBe(500);
      const body = JSON.stringify({ content, version: 1, epoch: 'first' });
      expect((await fetch(url, { method: 'PUT', body })).status).toBe(204);
    });
    expect(await started(async (): Promise<unknown> => (await fetch(url)).json())).toEqual(content);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 90_000);
