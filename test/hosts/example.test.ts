import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Clients } from '../support/clients.ts';
import { untilEqual } from '../support/content.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const TOKEN = 'a token of this test';
const INSTALLATION_MILLISECONDS = 300_000;

const run = async (folder: string, command: string, ...parameters: string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)(command, parameters, { cwd: folder });
  return stdout;
};

let folder: string;
let host: ServerProcess;
const clients = new Clients();

/** This package as it would be published, from the sources as they are. */
const pack = async (): Promise<string> => {
  const packed = join(folder, 'package');
  await mkdir(packed);
  for (const name of ['package.json', 'src', 'README.md', 'LICENSE'])
    await cp(join(REPOSITORY, name), join(packed, name), { recursive: true });
  await run(
    REPOSITORY,
    process.execPath,
    'node_modules/typescript/bin/tsc',
    '--project',
    'tsconfig.build.json',
    '--outDir',
    join(packed, 'dist'),
  );
  const name = await run(
    packed,
    'npm',
    'pack',
    '--silent',
    '--ignore-scripts',
    '--pack-destination',
    folder,
  );
  return join(folder, name.trim());
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'example-'));
  const copy = join(folder, 'cloudflare');
  await cp(join(REPOSITORY, 'examples/cloudflare'), copy, {
    recursive: true,
    // npm leaves the last two out of a package, and somebody may copy the example from there.
    filter: (path) =>
      !/node_modules|\.wrangler|\.npmrc$|\.gitignore$/.test(path.slice(REPOSITORY.length)),
  });
  const manifest = await readFile(join(copy, 'package.json'), 'utf8');
  const dependency = /("tinybase-partykit": )"\^[^"]*"/;
  expect(manifest).toMatch(dependency);
  await writeFile(
    join(copy, 'package.json'),
    manifest.replace(dependency, `$1${JSON.stringify(`file:${await pack()}`)}`),
  );
  await run(copy, 'npm', 'install', '--no-audit', '--no-fund', '--silent');
  await writeFile(join(copy, '.dev.vars'), `BACKEND_TOKEN=${TOKEN}\n`);
  host = await startServerProcess({
    name: 'the example',
    command: (port, persistPath) => [
      'node_modules/wrangler/bin/wrangler.js',
      'dev',
      `--port=${port}`,
      '--ip=127.0.0.1',
      `--persist-to=${persistPath}`,
      '--show-interactive-dev-session=false',
    ],
    workingFolder: copy,
  });
}, INSTALLATION_MILLISECONDS);

afterAll(async () => {
  await clients.closeAll();
  await host?.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
});

test('its types fit those of Cloudflare and of a browser', async () => {
  await run(join(folder, 'cloudflare'), 'npm', 'run', 'check');
});

test('it is bundled as it would be deployed', async () => {
  const copy = join(folder, 'cloudflare');
  const output = await run(copy, 'npx', 'wrangler', 'deploy', '--dry-run', '--outdir', 'bundle');
  expect(output).toContain('env.ROOM (RoomObject)');
  expect(await readFile(join(copy, 'bundle/worker.js'), 'utf8')).toContain('RoomObject');
});

test('its page is served, and clients of its rooms are equal, also after a crash', async () => {
  const page = await (await fetch(host.origin)).text();
  const script = /<script type="module" src="([^"]+)"/.exec(page)?.[1] ?? '';
  expect((await fetch(`${host.origin}${script}`)).headers.get('Content-Type')).toContain(
    'javascript',
  );

  const here = { host: host.host, room: 'lobby' };
  const one = await clients.open({ ...here, seed: [{}, {}] });
  const two = await clients.open(here);
  one.store.setRow('notes', 'a', { text: 'from one' });
  two.store.setRow('notes', 'b', { text: 'x'.repeat(501) });
  await Promise.all([one.confirmed(), two.confirmed()]);
  const content = await untilEqual([one.store, two.store], host.room('lobby', '/store'));
  expect(content.get('["notes","a","text"]')).toBe('"from one"');
  expect(two.refusals.length).toBeGreaterThan(0);
  const backend = { Authorization: `Bearer ${TOKEN}` };
  const count = await fetch(`${host.origin}/count`, { headers: backend });
  expect(await count.json()).toBe(one.store.getRowCount('notes'));
  for (const stranger of ['Bearer undefined', 'Bearer ', 'Bearer null', '']) {
    const headers = { Authorization: stranger };
    for (const [path, init] of [
      ['/note', { method: 'POST', body: 'from a stranger', headers }],
      ['/count', { headers }],
    ] as const)
      expect((await fetch(host.origin + path, init)).status).toBe(401);
  }
  await fetch(`${host.origin}/note`, {
    method: 'POST',
    body: 'from the backend',
    headers: backend,
  });
  await until('the note of the backend', () =>
    Object.values(two.store.getTable('notes')).some(({ text }) => text === 'from the backend'),
  );
  await host.restart();
  await untilEqual([one.store, two.store], host.room('lobby', '/store'));
});

test('its rooms run by workerd alone, and keep what they have through a crash', async () => {
  const alone = await startServerProcess({
    name: 'workerd',
    program: join(folder, 'cloudflare/node_modules/.bin/workerd'),
    command: (port, persistPath) => [
      'serve',
      'workerd.capnp',
      `--socket-addr=http=127.0.0.1:${port}`,
      `--directory-path=disk=${persistPath}`,
    ],
    workingFolder: join(folder, 'cloudflare'),
  });
  try {
    const here = { host: alone.host, room: 'alone' };
    // Nobody has set the token there.
    const headers = { Authorization: 'Bearer undefined' };
    expect((await fetch(`${alone.origin}/count`, { headers })).status).toBe(401);
    const one = await clients.open({ ...here, seed: [{ notes: { a: { text: 'kept' } } }, {}] });
    const two = await clients.open(here);
    two.store.setCell('notes', 'b', 'text', 'kept, too');
    await two.confirmed();
    await alone.restart();
    const content = await untilEqual([one.store, two.store], alone.room('alone', '/store'));
    expect(content.get('["notes","b","text"]')).toBe('"kept, too"');
  } finally {
    await clients.closeAll();
    await alone.stop();
  }
});
