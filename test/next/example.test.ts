import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.ts';
import { buildNextApp, installNext, NEXT_FOLDER } from '../support/install-next.ts';
import { packPackage, type PackedPackage } from '../support/packed-package.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/next', import.meta.url));
const OF_REPOSITORY = ['partykit', 'jose', 'idb', 'zod', '@types/node', '@types/react'];
const OF_NEXT = ['next', 'react', 'react-dom', 'tinybase', 'partysocket', 'typescript'];

let packed: PackedPackage;
let room: ServerProcess;
let next: ServerProcess;
let browser: Browser;

beforeAll(async () => {
  installNext();
  packed = await packPackage([...OF_REPOSITORY, '@types/react-dom']);
  for (const name of OF_NEXT)
    symlinkSync(join(NEXT_FOLDER, 'node_modules', name), join(packed.folder, 'node_modules', name));
  const folder = join(packed.folder, 'next');
  cpSync(EXAMPLE, folder, {
    recursive: true,
    filter: (path) => !/node_modules|\.next|\.partykit\//.test(path.slice(EXAMPLE.length)),
  });
  room = await startServerProcess({
    name: 'the room of examples/next',
    command: (port, persistPath) => [
      join(packed.folder, 'node_modules/partykit/dist/bin.mjs'),
      ...['dev', `--port=${port}`, `--persist=${persistPath}`],
      ...['--disable-request-cf-fetch', '--no-hotkeys'],
    ],
    workingFolder: folder,
  });
  process.env['NEXT_PUBLIC_ROOM_HOST'] = room.host;
  // It also checks the types.
  buildNextApp(folder);
  next = await startServerProcess({
    name: 'the page of examples/next',
    command: (port) => [
      join(packed.folder, 'node_modules/next/dist/bin/next'),
      ...['start', '--hostname', '127.0.0.1', '--port', `${port}`],
    ],
    workingFolder: folder,
  });
  browser = await launchBrowser();
}, 180_000);
afterAll(async () => {
  await browser?.close();
  await next?.stop();
  await room?.stop();
  packed?.remove();
});

test('examples/next compiles, its server renders the fallback, and two windows show the same', async () => {
  expect(await (await fetch(next.origin)).text()).toContain('One moment …');
  const [ada, bob] = [
    await openPage(browser, `${next.origin}/?name=Ada`),
    await openPage(browser, `${next.origin}/?name=Bob`),
  ];
  for (const { page } of [ada, bob])
    await until('the window to be live', async () =>
      (await page.getByRole('status').textContent())?.startsWith('live'),
    );
  await ada.page.getByLabel('Note').fill('Buy bread');
  await ada.page.getByRole('button', { name: 'Add' }).click();
  await until('the note in the other window', () => bob.page.getByText('Buy bread').isVisible());
  await until('both people', async () =>
    /^(?:AdaBob|BobAda)$/.test((await ada.page.getByLabel('Here').textContent()) ?? ''),
  );
  expect([...ada.problems(), ...bob.problems()]).toEqual([]);
});
