import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.ts';
import { type PageServer, startPageServer } from '../support/page-server.ts';
import { type Party, startParty } from '../support/party.ts';
import { until } from '../support/until.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(REPOSITORY, 'node_modules/.cache');

let party: Party;
let pageServer: PageServer;
let browser: Browser;
let folder: string;

/** Writes the page of docs/undo.md, with the sources in place of the package. */
const writePage = (host: string): string => {
  const document = readFileSync(join(REPOSITORY, 'docs/undo.md'), 'utf8');
  const [, text] = /^```ts\n(\/\/ undo-page\.ts\n.*?)^```$/ms.exec(document) ?? [];
  if (text === undefined) throw new Error('docs/undo.md has no block undo-page.ts.');
  const page = text
    .replace("'tinybase-partykit/client'", `'${REPOSITORY}src/client/index.ts'`)
    .replace("'tinybase-partykit/client/undo'", `'${REPOSITORY}src/client/features/undo/index.ts'`)
    .replace('location.host', JSON.stringify(host));
  const file = join(folder, 'undo-page.ts');
  writeFileSync(file, page);
  return relative(REPOSITORY, file);
};

beforeAll(async () => {
  mkdirSync(CACHE, { recursive: true });
  folder = mkdtempSync(join(CACHE, 'undo-'));
  party = await startParty({
    entry: 'test/room/fixtures/plain.ts',
    config: 'test/room/fixtures/partykit-rooms.json',
  });
  pageServer = await startPageServer({ entry: writePage(party.host) });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await pageServer?.stop();
  await party?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

const shown = async (page: Page): Promise<string> => {
  const buttons = page.locator('button');
  const isEnabled = async (name: string): Promise<boolean> =>
    buttons.filter({ hasText: name }).isEnabled();
  const legs = await page.locator('output').textContent();
  return `${legs}, undo ${await isEnabled('Undo')}, redo ${await isEnabled('Redo')}`;
};
const untilShown = (page: Page, expected: string): Promise<unknown> =>
  until(`"${expected}"`, async () => (await shown(page)) === expected);
const click = (page: Page, name: string): Promise<void> =>
  page.locator('button').filter({ hasText: name }).click();

test('two windows of the example in docs/undo.md undo their own edits, by buttons and by keys', async () => {
  const first = await openPage(browser, pageServer.page());
  const second = await openPage(browser, pageServer.page());
  for (const { page } of [first, second]) {
    await page.locator('output').waitFor();
    await untilShown(page, '4 legs, undo false, redo false');
  }
  await click(first.page, 'More legs');
  await untilShown(first.page, '5 legs, undo true, redo false');
  await untilShown(second.page, '5 legs, undo false, redo false');
  await first.page.keyboard.press('Control+z');
  await untilShown(first.page, '4 legs, undo false, redo true');
  await untilShown(second.page, '4 legs, undo false, redo false');
  await first.page.keyboard.press('Control+Shift+Z');
  await untilShown(second.page, '5 legs, undo false, redo false');
  await untilShown(first.page, '5 legs, undo true, redo false');
  expect(await first.page.locator('button').first().getAttribute('title')).toBe('More legs');

  // The second one sets the same leaf: it is theirs now, and the first has nothing to undo.
  await click(second.page, 'More legs');
  await untilShown(second.page, '6 legs, undo true, redo false');
  await untilShown(first.page, '6 legs, undo false, redo false');
  await click(second.page, 'Undo');
  await untilShown(second.page, '5 legs, undo false, redo true');
  await untilShown(first.page, '5 legs, undo false, redo false');

  // After a reload of the page there is nothing to undo.
  await second.page.reload();
  await second.page.locator('output').waitFor();
  await untilShown(second.page, '5 legs, undo false, redo false');
  expect([first.problems(), second.problems()]).toEqual([[], []]);
  await first.page.close();
  await second.page.close();
});
