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

/** Writes a block of docs/presence.md as a file, with the sources in place of the package. */
const writeBlock = (name: string, edit: (text: string) => string = (text) => text): string => {
  const document = readFileSync(join(REPOSITORY, 'docs/presence.md'), 'utf8');
  const [, text] = new RegExp(`^\`\`\`ts\\n(// ${name}\\n.*?)^\`\`\`$`, 'ms').exec(document) ?? [];
  if (text === undefined) throw new Error(`docs/presence.md has no block ${name}.`);
  const sources = text
    .replaceAll(
      /'tinybase-partykit\/(client|server)\/presence'/g,
      `'${REPOSITORY}src/$1/features/presence/index.ts'`,
    )
    .replaceAll(/'tinybase-partykit\/(client|server)'/g, `'${REPOSITORY}src/$1/index.ts'`);
  const file = join(folder, name);
  writeFileSync(file, edit(sources));
  return relative(REPOSITORY, file);
};

beforeAll(async () => {
  mkdirSync(CACHE, { recursive: true });
  folder = mkdtempSync(join(CACHE, 'presence-'));
  const entry = writeBlock('presence-room.ts');
  const config = join(folder, 'partykit.json');
  writeFileSync(config, '{"name": "presence", "compatibilityDate": "2024-07-18"}');
  party = await startParty({ entry, config: relative(REPOSITORY, config) });
  const page = writeBlock('presence-page.ts', (text) =>
    text.replace('location.host', JSON.stringify(party.host)),
  );
  pageServer = await startPageServer({ entry: page });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await pageServer?.stop();
  await party?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

const cursors = (page: Page): Promise<readonly string[]> =>
  page.locator('div').evaluateAll((divs) => divs.map(({ style }) => `${style.left} ${style.top}`));

test('two windows of the example in docs/presence.md show each other’s cursors, and who has gone', async () => {
  const first = await openPage(browser, pageServer.page());
  const second = await openPage(browser, pageServer.page());
  await until(
    'the first window to show one cursor',
    async () => (await cursors(first.page)).length === 1,
  );
  for (let step = 0; step <= 20; step += 1) await first.page.mouse.move(100 + step, 50);
  await until(
    'the last position',
    async () => (await cursors(second.page)).join() === '120px 50px',
  );
  await second.page.mouse.move(7, 8);
  await until('the other’s position', async () => (await cursors(first.page)).join() === '7px 8px');

  await first.page.reload();
  await until('the cursor again', async () => (await cursors(first.page)).join() === '7px 8px');
  await until(
    'one cursor, without the old one',
    async () => (await cursors(second.page)).join() === '0px 0px',
  );
  await second.page.close();
  await until('the cursor to be gone', async () => (await cursors(first.page)).length === 0);
  expect([first.problems(), second.problems()]).toEqual([[], []]);
  await first.page.close();
});
