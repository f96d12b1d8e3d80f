import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.ts';
import { buildNext, NEXT_FOLDER } from '../support/install-next.ts';
import { type Party, startParty } from '../support/party.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';

let party: Party;
let next: ServerProcess;
let browser: Browser;

beforeAll(async () => {
  buildNext();
  party = await startParty({
    entry: 'test/room/fixtures/plain.ts',
    config: 'test/room/fixtures/partykit-rooms.json',
  });
  next = await startServerProcess({
    name: 'next start',
    command: (port) => [
      `${NEXT_FOLDER}node_modules/next/dist/bin/next`,
      'start',
      ...['--hostname', '127.0.0.1', '--port', `${port}`],
    ],
    workingFolder: NEXT_FOLDER,
  });
  browser = await launchBrowser();
}, 180_000);
afterAll(async () => {
  await browser?.close();
  await next?.stop();
  await party?.stop();
});

test.each([
  ['app', 'app/index.html', '/'],
  ['old', 'pages/old.html', '/old'],
])(
  'Next renders the fallback of a room in its %s router, and the page enters it',
  async (id, file, path) => {
    const html = readFileSync(`${NEXT_FOLDER}.next/server/${file}`, 'utf8');
    expect(html).toContain('<p>One moment …</p>');
    const { page, problems } = await openPage(browser, `${next.origin}${path}?host=${party.host}`);
    await until('the room', async () =>
      (await page.locator('p').allTextContents()).includes(`Hello from ${id}, live`),
    );
    expect(problems()).toEqual([]);
    await page.close();
  },
);

test('the page of the Pages Router runs React 18', () => {
  const version = execFileSync(process.execPath, ['-p', "require('react').version"], {
    cwd: NEXT_FOLDER,
  });
  expect(version.toString()).toMatch(/^18\./);
});
