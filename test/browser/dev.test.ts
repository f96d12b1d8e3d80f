import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
let started: ChildProcess | undefined;
let holder: Server | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dev-'));
});
afterEach(async () => {
  if (started?.pid !== undefined) process.kill(-started.pid, 'SIGKILL');
  holder?.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

test.each([
  ['usual one', (port: number) => ({ PORT: String(port) }), () => []],
  ['one that was asked for', () => ({}), (port: number) => ['--port', String(port)]],
])(
  'npm run dev says which port it has taken if another server has the %s',
  async (_which, variables, options) => {
    const taken = await freePort();
    holder = createServer().listen(taken, '127.0.0.1');
    await once(holder, 'listening');
    let printed = '';
    // A process group of its own, so that everything ends with it.
    const command = ['demo/dev.mjs', '--no-hotkeys', '--persist', folder, ...options(taken)];
    started = spawn(process.execPath, command, {
      cwd: REPOSITORY,
      detached: true,
      env: { ...process.env, ...variables(taken) },
    });
    for (const stream of [started.stdout, started.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
      });
    const [, address = ''] = await until('the address', () =>
      new RegExp(`^Port ${taken} is taken\\. The demo is at (http://localhost:\\d+)$`, 'm').exec(
        printed,
      ),
    );
    const page = await until(`a page at ${address}`, async () => (await fetch(address)).text(), {
      deadlineMilliseconds: 30_000,
    });
    expect(page).toContain('One board, two people');
  },
);
