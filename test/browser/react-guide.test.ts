import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, openPage, untilShown } from '../support/browser.ts';
import { blockWith, type DocumentedApp, makeDocumentedApp } from '../support/documented-app.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { SECRET } from '../support/token-secret.ts';

const COMMAND_LINE = fileURLToPath(
  new URL('../../node_modules/partykit/dist/bin.mjs', import.meta.url),
);
const GUIDE = 'docs/react.md';
/** The files of the guide's app, by the document and a part of the block that has each. */
const FILES = {
  'client-room.ts': ['docs/client.md', '// client-room.ts'],
  'react-page.tsx': [GUIDE, '// react-page.tsx'],
  'public/index.html': [GUIDE, '/dist/react-page.js"></script>'],
  'partykit.json': [GUIDE, '"my-app"'],
  'tsconfig.json': [GUIDE, '"jsx": "react-jsx"'],
} as const;

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

test('the app of docs/react.md, made from an empty folder, has users, presence and events', async () => {
  const [ada, bob] = [
    await openPage(browser, `${server.origin}/?name=Ada`),
    await openPage(browser, `${server.origin}/?name=Bob`),
  ];
  for (const { page } of [ada, bob]) await untilShown(page, /Ada, Bob|Bob, Ada/);
  await ada.page.getByRole('button', { name: 'Add a note' }).click();
  await untilShown(bob.page, /A note by Ada/);
  await bob.page.getByRole('button', { name: 'Wave' }).click();
  await untilShown(ada.page, /Bob waves/);
  expect([...ada.problems(), ...bob.problems()]).toEqual([]);
});

test('the app of docs/react.md does not let in who has no name', async () => {
  const { page } = await openPage(browser, server.origin);
  await untilShown(page, /You may not enter: unauthorized/);
});
