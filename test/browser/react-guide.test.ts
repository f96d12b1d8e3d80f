import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, openPage, untilShown } from '../support/browser.ts';
import { blockWith, type DocumentedApp, makeDocumentedApp } from '../support/documented-app.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { SECRET } from '../support/token-secret.ts';
import { until } from '../support/until.ts';

const COMMAND_LINE = fileURLToPath(
  new URL('../../node_modules/partykit/dist/bin.mjs', import.meta.url),
);
const VITE = fileURLToPath(new URL('../../node_modules/vite/bin/vite.js', import.meta.url));
const GUIDE = 'docs/react.md';
/** The files of the guide's app, by the document and a part of the block that has each. */
const FILES = {
  'client-room.ts': ['docs/client.md', '// client-room.ts'],
  'react-page.tsx': [GUIDE, '// react-page.tsx'],
  'public/index.html': [GUIDE, '/dist/react-page.js"></script>'],
  'partykit.json': [GUIDE, '"my-app"'],
  'tsconfig.json': [GUIDE, '"jsx": "react-jsx"'],
  'vite.config.js': [GUIDE, '// vite.config.js'],
} as const;
/** The config of the guide in a test: this package is its sources, which are elsewhere, and the room has another port. */
const TEST_CONFIG = `
import config from './vite.config.js';
const { proxy } = JSON.parse(JSON.stringify(config.server).replaceAll(':1999', ':' + process.env['ROOM_PORT']));
export default { cacheDir: './vite-cache', server: { proxy, fs: { strict: false } } };
`;

let app: DocumentedApp;
let server: ServerProcess;
let browser: Browser;

beforeAll(async () => {
  app = makeDocumentedApp();
  for (const [file, [document, text]] of Object.entries(FILES))
    app.write(file, blockWith(document, text));
  app.write('.env', `AUTH_SECRET=${SECRET}\n`);
  server = await startServerProcess({
    name: 'partykit dev of the React guide',
    command: (port, persistPath) => [
      ...[COMMAND_LINE, 'dev', `--port=${port}`, `--persist=${persistPath}`],
      ...['--disable-request-cf-fetch', '--no-hotkeys'],
    ],
    workingFolder: app.folder,
  });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
  app?.remove();
});

test('the app of docs/react.md, made from an empty folder, has users, presence, events and undo', async () => {
  const [ada, bob] = [
    await openPage(browser, `${server.origin}/?name=Ada`),
    await openPage(browser, `${server.origin}/?name=Bob`),
  ];
  for (const { page } of [ada, bob]) await untilShown(page, /Ada, Bob|Bob, Ada/);
  await ada.page.getByRole('button', { name: 'Add a note' }).click();
  await untilShown(bob.page, /A note by Ada/);
  await bob.page.getByRole('button', { name: 'Wave' }).click();
  await untilShown(ada.page, /Bob waves/);
  await ada.page.getByRole('button', { name: 'Undo' }).click();
  await until('the undo', async () => (await bob.page.locator('li').count()) === 1);
  expect([...ada.problems(), ...bob.problems()]).toEqual([]);
});

test('the app of docs/react.md with Vite has its notes after a reload while the server of the rooms is down, and sends them later', async () => {
  app.write(
    'index.html',
    blockWith(...FILES['public/index.html']).replace('/dist/react-page.js', '/react-page.tsx'),
  );
  app.write('test.config.js', TEST_CONFIG);
  process.env['ROOM_PORT'] = String(server.port);
  const vite = await startServerProcess({
    name: 'Vite of the React guide',
    command: (port) => [
      ...[VITE, `--port=${port}`, '--strictPort', '--host=127.0.0.1', '--config=test.config.js'],
    ],
    workingFolder: app.folder,
  });
  try {
    const { page } = await openPage(browser, `${vite.origin}/?name=Cem`);
    await untilShown(page, /live, 0 unsaved/);
    await server.kill9();
    await untilShown(page, /connecting, 0 unsaved/);
    await page.getByRole('button', { name: 'Add a note' }).click();
    await untilShown(page, /A note by Cem.*, 1 unsaved/);
    await page.reload();
    await untilShown(page, /A note by Cem.*, 1 unsaved/);
    await server.restart();
    const { page: other } = await openPage(browser, `${server.origin}/?name=Dan`);
    await untilShown(other, /A note by Cem/);
    await untilShown(page, /live, 0 unsaved/);
  } finally {
    await vite.stop();
  }
});

test('the app of docs/react.md does not let in who has no name', async () => {
  const { page } = await openPage(browser, server.origin);
  await untilShown(page, /You may not enter: unauthorized/);
});
