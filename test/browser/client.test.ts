import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
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

/** Writes a block of a document as a file, with the sources in place of the package. */
const writeBlock = (page: string, name: string): void => {
  const document = readFileSync(join(REPOSITORY, 'docs', page), 'utf8');
  const [, text] =
    new RegExp(`^\`\`\`tsx?\\n(// ${name}\\n.*?)^\`\`\`$`, 'ms').exec(document) ?? [];
  if (text === undefined) throw new Error(`docs/${page} has no block ${name}.`);
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
  writeBlock('client.md', 'client-room.ts');
  writeBlock('client.md', 'client-page.ts');
  writeBlock('react.md', 'react-page.tsx');
  mkdirSync(join(folder, 'public'));
  for (const [name, script] of [
    ['index', 'dist/client-page'],
    ['react', 'react-page'],
  ] as const) {
    writeFileSync(
      join(folder, `public/${name}.html`),
      '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body></body>' +
        `<script type="module" src="/${script}.js"></script>`,
    );
  }
  await build({
    entryPoints: [join(folder, 'react-page.tsx')],
    outfile: join(folder, 'public/react-page.js'),
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    logLevel: 'silent',
  });
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

test('useRoom, useConnection, useEvent, useBroadcast, useOthers and useStorage: two people use the React example in docs/react.md, in two rooms; a stranger may not enter', async () => {
  const ada = await open('react.html?name=Ada');
  const bob = await open('react.html?name=Bob');
  const untilText = async ({ page }: typeof ada, text: string): Promise<void> => {
    await until(text, async () => (await page.locator('main').textContent())?.includes(text));
  };
  for (const person of [ada, bob]) await untilText(person, 'live, 0 unsaved');
  await ada.page.getByText('Add a note').click();
  await untilText(bob, 'A note by Ada');
  await ada.page.getByText('Wave').click();
  await untilText(bob, 'Ada waves');
  await bob.page.getByText('The other room').click();
  await until('an empty room', async () => (await bob.page.locator('li').count()) === 1);
  await until(
    'Bob alone',
    async () => (await bob.page.locator('p').allTextContents()).join() === ',Bob,live, 0 unsaved',
  );
  await until('Ada alone', async () =>
    (await ada.page.locator('p').allTextContents()).includes('Ada'),
  );
  const stranger = await open('react.html');
  await untilText(stranger, 'You may not enter: unauthorized');
  expect([...ada.problems(), ...bob.problems()]).toEqual([]);
});
