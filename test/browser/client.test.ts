import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.ts';
import { type Party, startParty } from '../support/party.ts';
import { SECRET } from '../support/token-secret.ts';
import { until } from '../support/until.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(REPOSITORY, 'node_modules/.cache');

let party: Party;
let browser: Browser;
let folder: string;

/** Writes a block of docs/client.md as a file, with the sources in place of the package. */
const writeBlock = (name: string): void => {
  const document = readFileSync(join(REPOSITORY, 'docs/client.md'), 'utf8');
  const [, text] = new RegExp(`^\`\`\`ts\\n(// ${name}\\n.*?)^\`\`\`$`, 'ms').exec(document) ?? [];
  if (text === undefined) throw new Error(`docs/client.md has no block ${name}.`);
  const sources = text
    .replaceAll(
      /'tinybase-partykit\/server\/(\w+)'/g,
      `'${REPOSITORY}src/server/features/$1/index.ts'`,
    )
    .replaceAll(/'tinybase-partykit\/([\w/]+)'/g, `'${REPOSITORY}src/$1/index.ts'`);
  writeFileSync(join(folder, name), sources);
};

beforeAll(async () => {
  mkdirSync(CACHE, { recursive: true });
  folder = mkdtempSync(join(CACHE, 'client-'));
  writeBlock('client-room.ts');
  writeBlock('client-page.ts');
  mkdirSync(join(folder, 'public'));
  writeFileSync(
    join(folder, 'public/index.html'),
    '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body></body>' +
      '<script type="module" src="/dist/client-page.js"></script>',
  );
  const config = join(folder, 'partykit.json');
  const serve = { path: join(folder, 'public'), build: join(folder, 'client-page.ts') };
  writeFileSync(config, JSON.stringify({ name: 'client', compatibilityDate: '2024-07-18', serve }));
  party = await startParty({
    entry: relative(REPOSITORY, join(folder, 'client-room.ts')),
    config: relative(REPOSITORY, config),
    variables: { AUTH_SECRET: SECRET },
  });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await party?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

const open = (query: string): ReturnType<typeof openPage> =>
  openPage(browser, `${party.origin}/${query}`);

test('two people enter the example in docs/client.md, see each other and write; a stranger may not enter', async () => {
  const ada = await open('?name=Ada');
  const bob = await open('?name=Bob');
  for (const { page } of [ada, bob]) {
    await until('both people', async () => {
      const names = await page.locator('p').textContent();
      return names === 'Ada, Bob' || names === 'Bob, Ada';
    });
  }
  await ada.page.locator('body').dblclick({ position: { x: 5, y: 5 }, force: true });
  await until(
    'the note',
    async () => (await bob.page.locator('li').allTextContents()).join() === 'Hello,A note by Ada',
  );
  await ada.page.keyboard.press('a');
  await until('the wave', async () => (await bob.page.title()) === 'Ada waves');
  await ada.page.close();
  await until('Ada to be gone', async () => (await bob.page.locator('p').textContent()) === 'Bob');

  const stranger = await open('');
  await until('the refusal', async () =>
    (await stranger.page.locator('body').textContent())?.includes('enter: unauthorized'),
  );
  expect([...ada.problems(), ...bob.problems()]).toEqual([]);
});
