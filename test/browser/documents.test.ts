import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { build } from 'esbuild';
import type { Browser } from 'playwright-core';
import type { Store } from 'tinybase';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';

import { createToken } from '../../src/backend/index.ts';
import { createEvents } from '../../src/client/features/events/index.ts';
import { launchBrowser, openPage } from '../support/browser.ts';
import { Clients, type Client } from '../support/clients.ts';
import { blockWith, type DocumentedApp, makeDocumentedApp } from '../support/documented-app.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { SECRET } from '../support/token-secret.ts';
import { until } from '../support/until.ts';

const COMMAND_LINE = fileURLToPath(
  new URL('../../node_modules/partykit/dist/bin.mjs', import.meta.url),
);
/** The parties of the app: rooms of the documents, by their document and their first line. */
const PARTIES = {
  notes: ['docs/permissions.md', '// notes-room.ts'],
  bank: ['docs/permissions.md', '// bank-room.ts'],
  strict: ['docs/permissions.md', '// strict-room.ts'],
  counting: ['docs/text.md', '// counting-room.ts'],
  backend: ['docs/server-writes.md', "env['BACKEND_TOKEN']"],
} as const;

let app: DocumentedApp;
let server: ServerProcess;
let browser: Browser;
const clients = new Clients();

beforeAll(async () => {
  app = makeDocumentedApp();
  app.write('room.ts', blockWith('README.md', '// room.ts'));
  app.write('public/index.html', blockWith('README.md', '/dist/page.js"></script></body>'));
  // The test has a port of its own.
  const page = blockWith('README.md', '// page.ts');
  app.write('page.ts', page.replace("'localhost:1999'", 'location.host'));
  const parties: Record<string, string> = {};
  for (const [name, [document, text]] of Object.entries(PARTIES)) {
    app.write(`${name}.ts`, blockWith(document, text));
    parties[name] = `./${name}.ts`;
  }
  const config = JSON.parse(blockWith('README.md', '"my-app"')) as object;
  app.write('partykit.json', JSON.stringify({ ...config, parties }));
  server = await startServerProcess({
    name: 'partykit dev of the documents',
    command: (port, persistPath) => [
      ...[COMMAND_LINE, 'dev', `--port=${port}`, `--persist=${persistPath}`],
      ...['--disable-request-cf-fetch', '--no-hotkeys'],
      ...['--var', `AUTH_SECRET=${SECRET}`, '--var', 'BACKEND_TOKEN=a-long-random-text'],
    ],
    workingFolder: app.folder,
  });
  browser = await launchBrowser();
});

afterEach(() => clients.closeAll());

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  app?.remove();
});

const open = (party: string, query?: Record<string, string>): Promise<Client> =>
  clients.open({ host: server.host, room: 'one', party, ...(query && { query }), seed: [{}, {}] });

const enter = async (id: string): Promise<Client> =>
  open('notes', {
    token: await createToken({ secret: SECRET, party: 'notes', room: 'one', user: { id } }),
  });

/** Runs a command of a document at a room of this server. */
const runShell = (command: string, room: string): Promise<{ readonly stdout: string }> =>
  promisify(execFile)(
    'bash',
    [
      '-ec',
      command.replace('http://localhost:1999/parties/main/my-room', `${server.origin}/${room}`),
    ],
    { env: { ...process.env, BACKEND_TOKEN: 'a-long-random-text' } },
  );

test('the pair of README.md shows two windows the same, before and after the server was stopped', async () => {
  const [first, second] = [
    await openPage(browser, server.origin),
    await openPage(browser, server.origin),
  ];
  const shown = (page: typeof first.page): Promise<string | null> =>
    page.locator('pre').textContent();
  await until('the first pet', async () => (await shown(second.page))?.includes('"fido"'));
  await first.page.getByRole('button', { name: 'Add a pet' }).click();
  await until('the second pet', async () => /"legs": 4/.test((await shown(second.page)) ?? ''));
  expect(await shown(first.page)).toBe(await shown(second.page));
  expect(first.problems()).toEqual([]);

  await server.kill9();
  await first.page.getByRole('button', { name: 'Add a pet' }).click();
  await server.restart();
  await until(
    'the third pet',
    async () => (await shown(second.page))?.match(/"legs": 4/g)?.length === 2,
    { deadlineMilliseconds: 30_000 },
  );
  await first.page.close();
  await second.page.close();
});

test('docs/permissions.md: everybody signs, nobody changes what others wrote, and a refusal is partial', async () => {
  const [ada, eve] = [await enter('ada'), await enter('eve')];
  const roomHas = async (expected: object): Promise<void> => {
    await Promise.all([ada.confirmed(), eve.confirmed()]);
    await until(`the room to have ${JSON.stringify(expected)}`, () => {
      expect(ada.store.getTables()).toEqual(expected);
      expect(eve.store.getTables()).toEqual(expected);
      return true;
    });
  };
  const n1 = { text: 'Hi', by: 'ada' };
  ada.store.setRow('notes', 'n1', n1);
  await roomHas({ notes: { n1 } });
  ada.store.setRow('notes', 'n2', { text: 'Hi', by: 'eve' });
  await roomHas({ notes: { n1, n2: { text: 'Hi' } } });
  eve.store.setCell('notes', 'n2', 'by', 'eve');
  await roomHas({ notes: { n1, n2: { text: 'Hi', by: 'eve' } } });
  ada.store.transaction(() => {
    ada.store.setCell('notes', 'n1', 'text', 'Hello');
    ada.store.setCell('notes', 'n2', 'text', 'Hello');
  });
  await roomHas({ notes: { n1: { text: 'Hello', by: 'ada' }, n2: { text: 'Hi', by: 'eve' } } });
  ada.store.delRow('notes', 'n2');
  eve.store.delCell('notes', 'n1', 'text');
  await roomHas({ notes: { n1: { text: 'Hello', by: 'ada' }, n2: { text: 'Hi', by: 'eve' } } });
  ada.store.setCell('notes', 'n1', 'text', 'x'.repeat(281));
  ada.store.delRow('notes', 'n1');
  await roomHas({ notes: { n2: { text: 'Hi', by: 'eve' } } });
  ada.store.setCell('other', 'row', 'cell', 'text');
  await roomHas({ notes: { n2: { text: 'Hi', by: 'eve' } } });
  expect([...new Set(ada.refusals.map(({ reason }) => reason))]).toEqual(['hook', 'schema']);
});

test('docs/permissions.md: a transfer by a procedure is all or nothing', async () => {
  const accounts = { a: { balance: 10 }, b: { balance: 0 } };
  const client = await clients.open({
    host: server.host,
    room: 'one',
    party: 'bank',
    seed: [{ accounts }, {}],
  });
  const events = createEvents(client.socket);
  const transfer = (amount: number): Promise<unknown> =>
    events.call('transfer', { from: 'a', to: 'b', amount });
  expect(await transfer(7)).toBe('done');
  expect(await transfer(7)).toBe('too little');
  const after = { accounts: { a: { balance: 3 }, b: { balance: 7 } } };
  expect(client.store.getTables()).toEqual(after);
  client.store.transaction(() => {
    client.store.setCell('accounts', 'b', 'balance', 100);
    client.store.delRow('accounts', 'a');
  });
  client.store.delTable('accounts');
  client.store.setRow('accounts', 'c', { balance: 1 });
  await client.confirmed();
  expect(client.store.getTables()).toEqual(after);
});

test('docs/permissions.md: a hook that throws refuses the whole transaction', async () => {
  const client = await open('strict');
  client.store.transaction(() => {
    client.store.setCell('goods', 'tea', 'name', 'Tea');
    client.store.setCell('goods', 'tea', 'price', -1);
  });
  await client.confirmed();
  expect(client.store.getTables()).toEqual({});
  expect(new Set(client.refusals.map(({ reason }) => reason))).toEqual(new Set(['failed']));
});

test('docs/text.md: a procedure counts exactly, whoever calls it at the same time', async () => {
  const [one, two] = [await open('counting'), await open('counting')];
  const calls = [one, two].flatMap(({ socket }) => {
    const events = createEvents(socket);
    return Array.from({ length: 20 }, () => events.call('add'));
  });
  await Promise.all(calls);
  await until('both to show it', () =>
    [one, two].every(({ store }) => store.getValue('count') === calls.length),
  );
});

test('docs/server-writes.md: its command adds a pet, and its robot counts them', async () => {
  app.write('robot.ts', blockWith('docs/server-writes.md', '// robot.ts'));
  await build({
    entryPoints: [join(app.folder, 'robot.ts')],
    outfile: join(app.folder, 'robot.mjs'),
    ...{ bundle: true, format: 'esm', platform: 'node' },
  });
  const { runRobot } = (await import(join(app.folder, 'robot.mjs'))) as {
    runRobot: (host: string, room: string, WebSocket: unknown) => Promise<Store>;
  };
  const watcher = await clients.open({ host: server.host, room: 'my-room', seed: [{}, {}] });
  const robot = await runRobot(server.host, 'my-room', WebSocket);
  watcher.store.setRow('pets', 'rex', { species: 'dog' });
  await until('the robot to count', () => {
    const count = Object.keys(robot.getTable('pets')).length;
    return count > 0 && watcher.store.getValue('count') === count;
  });

  const other = await open('backend');
  const { stdout: status } = await runShell(
    blockWith('docs/server-writes.md', 'curl -H').replace('curl ', "curl -s -w '%{http_code}' "),
    'parties/backend/one',
  );
  expect(status).toBe('204');
  await until('the pet', () => other.store.getCell('pets', 'rex', 'species') === 'dog');

  const { stdout: content } = await runShell(
    blockWith('docs/server-writes.md', '/my-room/store'),
    'parties/main/my-room',
  );
  expect(JSON.parse(content)).toEqual(watcher.store.getContent());
});

test('docs/testing.md: its test passes in the folder of an app', async () => {
  const tested = makeDocumentedApp();
  try {
    tested.write('room.ts', blockWith('README.md', '// room.ts'));
    const { serve: _page, ...config } = JSON.parse(blockWith('README.md', '"my-app"')) as {
      serve: unknown;
    };
    tested.write('partykit.json', JSON.stringify(config));
    tested.write('room.test.ts', blockWith('docs/testing.md', '// room.test.mjs'));
    await build({
      entryPoints: [join(tested.folder, 'room.test.ts')],
      outfile: join(tested.folder, 'room.test.mjs'),
      ...{ bundle: true, format: 'esm', platform: 'node', packages: 'external' },
    });
    const { stdout } = await promisify(execFile)(process.execPath, ['--test', 'room.test.mjs'], {
      cwd: tested.folder,
    });
    expect(stdout).toMatch(/pass 2\n/);
    expect(stdout).toMatch(/fail 0\n/);
  } finally {
    tested.remove();
  }
});
