import { mkdirSync, mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PartySocket } from 'partysocket';
import type { Store } from 'tinybase';
import type { PartyKitPersister } from '../../src/client/index.ts';
import type { createDevtools, Devtools } from '../../src/devtools/index.ts';
import { launchBrowser, openPage } from '../support/browser.ts';
import { blockWith } from '../support/documented-app.ts';
import { type PageServer, startPageServer } from '../support/page-server.ts';
import { type Party, startParty } from '../support/party.ts';
import { until } from '../support/until.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(REPOSITORY, 'node_modules/.cache');

let party: Party;
let pageServer: PageServer;
let reactServer: PageServer;
let policyServer: PageServer;
let browser: Browser;
let folder: string;

/** Writes the page of docs/devtools.md, with the sources in place of the package. The test gets what the page has. */
const writePage = (host: string): string => {
  const page = blockWith('docs/devtools.md', '// devtools-page.ts')
    .replace("'tinybase-partykit/client'", `'${REPOSITORY}src/client/index.ts'`)
    .replace("'tinybase-partykit/devtools'", `'${REPOSITORY}src/devtools/index.ts'`)
    .replace('location.host', JSON.stringify(host))
    .replace("room: 'my-board'", "room: new URL(location.href).searchParams.get('room') ?? ''")
    .replace('createDevtools(persister)', 'const devtools = createDevtools(persister)');
  const file = join(folder, 'devtools-page.ts');
  writeFileSync(
    file,
    `${page}\nObject.assign(globalThis, { store, socket, persister, devtools, createDevtools });\n`,
  );
  return relative(REPOSITORY, file);
};

/** Writes an app with the React component of docs/devtools.md and TinyBase's Inspector. React mounts each component twice. */
const writeReactPage = (host: string): string => {
  const component = blockWith('docs/devtools.md', '// devtools-react.tsx')
    .replace("'tinybase-partykit/client'", `'${REPOSITORY}src/client/index.ts'`)
    .replace("'tinybase-partykit/devtools'", `'${REPOSITORY}src/devtools/index.ts'`);
  const file = join(folder, 'react-page.tsx');
  writeFileSync(
    file,
    `${component}
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { PartySocket } from 'partysocket';
import { createStore } from 'tinybase';
import { Provider } from 'tinybase/ui-react';
import { Inspector } from 'tinybase/ui-react-inspector';
import { createPartyKitPersister } from '${REPOSITORY}src/client/index.ts';

const store = createStore();
const socket = new PartySocket({ host: ${JSON.stringify(host)}, room: 'react' });
const persister = createPartyKitPersister(store, socket);
createRoot(document.body.appendChild(document.createElement('main'))).render(
  <StrictMode>
    <Provider store={store}>
      <Inspector open />
      <RoomDevtools persister={persister} />
    </Provider>
  </StrictMode>,
);
await persister.startAutoPersisting([{ pets: { fido: { legs: 4 } } }, {}]);
`,
  );
  return relative(REPOSITORY, file);
};

/** Writes a page whose policy forbids inline styles and scripts. */
const writeStrictFolder = (): string => {
  const policy = "default-src 'self'; connect-src * ws:; img-src data:";
  writeFileSync(
    join(folder, 'index.html'),
    `<!doctype html><meta charset="utf-8"><meta http-equiv="content-security-policy" content="${policy}">
<link rel="icon" href="data:,"><title>test</title><script type="module" src="/page.js"></script>`,
  );
  return relative(REPOSITORY, folder);
};

beforeAll(async () => {
  mkdirSync(CACHE, { recursive: true });
  folder = mkdtempSync(join(CACHE, 'devtools-'));
  party = await startParty({
    entry: 'test/room/fixtures/refusing.ts',
    config: 'test/room/fixtures/partykit-rooms.json',
  });
  const entry = writePage(party.host);
  pageServer = await startPageServer({ entry });
  policyServer = await startPageServer({ entry, folder: writeStrictFolder() });
  reactServer = await startPageServer({ entry: writeReactPage(party.host) });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await pageServer?.stop();
  await reactServer?.stop();
  await policyServer?.stop();
  await party?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

interface OpenedPanel {
  readonly page: Page;
  readonly launcher: Locator;
  readonly panel: Locator;
  readonly problems: () => readonly string[];
}

const open = (room: string, options?: BrowserContextOptions): Promise<OpenedPanel> =>
  openUrl(pageServer.page({ room }), options);

const openUrl = async (url: string, options?: BrowserContextOptions): Promise<OpenedPanel> => {
  const { page, problems } = await openPage(await browser.newContext(options), url);
  const launcher = page.getByRole('button', { name: /^Devtools of/ });
  await until('the state "Live"', async () =>
    ((await launcher.textContent()) ?? '').endsWith('Live'),
  );
  return { page, launcher, panel: page.getByRole('region', { name: /^Devtools of/ }), problems };
};

/** The objects that the page of the document has given to the test. */
interface PageGlobals {
  readonly store: Store;
  readonly socket: PartySocket;
  readonly persister: PartyKitPersister;
  readonly devtools: Devtools;
  readonly createDevtools: typeof createDevtools;
}

/** Runs a function in the page, with what the page has. */
const run = <Result>(
  page: Page,
  action: (globals: PageGlobals) => Result,
): Promise<Awaited<Result>> =>
  page.evaluate(
    `Promise.resolve((${String(action)})(globalThis)).then((result) => typeof result === 'object' ? undefined : result)`,
  ) as Promise<Awaited<Result>>;

/** The fact with that name, as the panel shows it. */
const fact = async (panel: Locator, name: string): Promise<string> =>
  (await panel
    .locator('dt', { hasText: new RegExp(`^${name}$`) })
    .locator('+ dd')
    .textContent()) ?? '';

const untilFact = (panel: Locator, name: string, expected: RegExp): Promise<unknown> =>
  until(`${name} ${String(expected)}`, async () => expected.test(await fact(panel, name)));

const moreLegs = (page: Page): Promise<void> =>
  page.getByRole('button', { name: 'More legs' }).click();

test('the panel of docs/devtools.md tells phase, room, version, catch-up, round trip and frames', async () => {
  const { page, launcher, panel, problems } = await open('facts');
  expect(await panel.isVisible()).toBe(false);
  await launcher.click();
  await untilFact(panel, 'State', /^Live$/);
  expect(await fact(panel, 'Room')).toBe(`${party.host}/parties/main/facts`);
  expect(await fact(panel, 'Unsaved')).toBe('none');
  expect(await fact(panel, 'Local-only')).toBe('none');
  const before = Number(await fact(panel, 'Version'));
  await moreLegs(page);
  await untilFact(panel, 'Version', new RegExp(`^${before + 1}$`));
  await untilFact(panel, 'Round trip', /^\d+ ms$/);
  expect(await fact(panel, 'Sent')).toMatch(/^\d+ frames, \d/);
  expect(await fact(panel, 'Received')).toMatch(/^\d+ frames?, \d/);

  // Frames are newest first, with those from before it was opened.
  const frames = panel.getByLabel('Frames, newest first').locator('li');
  const texts = await frames.allTextContents();
  expect(texts[0]).toMatch(/^↓ack 1, version \d+\d+ B/);
  expect(texts.some((text) => text.includes('↑hello'))).toBe(true);
  await frames.first().locator('summary').click();
  expect(await frames.first().locator('pre').textContent()).toMatch(/^a\[1,/);

  // A reconnect loads the changes, and not the content.
  await run(page, ({ socket }) => socket.reconnect());
  await untilFact(panel, 'Last catch-up', /^\d+ B; the whole content: \d+ B$/);
  expect(problems()).toEqual([]);
  await page.context().close();
});

test('it tells of edits that wait, and of an error, with the page that explains it', async () => {
  const { page, launcher, panel } = await open('waits');
  await launcher.click();
  await run(page, ({ socket }) => socket.close());
  await moreLegs(page);
  await moreLegs(page);
  await untilFact(panel, 'Unsaved', /^2 edits$/);
  await untilFact(panel, 'State', /^Connecting$/);
  expect(await launcher.textContent()).toBe('Devtools · Connecting · 2 unsaved');
  await until('the error', async () =>
    /See “network” in docs\/troubleshooting\.md/.test(
      (await panel.locator('.problem').textContent()) ?? '',
    ),
  );
  await run(page, ({ socket }) => socket.reconnect());
  await untilFact(panel, 'Unsaved', /^none$/);
  await until('no error', async () => !(await panel.locator('.problem').isVisible()));
  await page.context().close();
});

test('it lists refusals with their reason, address and value, and nothing of them is markup', async () => {
  const { page, launcher, panel } = await open('refusals');
  await launcher.click();
  await run(page, ({ store }) =>
    store.setCell('noSetTable', '<img src=x onerror=alert(1)>', 'text', '<b>no</b>'),
  );
  const refusal = panel.getByLabel('Refusals').locator('li').first();
  await until('the refusal', async () => ((await refusal.textContent()) ?? '').startsWith('hook'));
  expect(await refusal.textContent()).toContain(
    'hook noSetTable / <img src=x onerror=alert(1)> / text = "<b>no</b>"',
  );
  expect(await panel.locator('img').count()).toBe(0);
  const [, document = ''] =
    /Reasons: (\S+) of the package/.exec((await panel.textContent()) ?? '') ?? [];
  expect(readFileSync(join(REPOSITORY, document), 'utf8')).toContain('### Refusals');
  await page.context().close();
});

test('it works with the keyboard, and gives the focus back', async () => {
  const { page, launcher, panel } = await open('keys');
  const focused = (): Promise<string | null | undefined> =>
    page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.ariaLabel);
  await launcher.focus();
  await page.keyboard.press('Enter');
  expect(await panel.isVisible()).toBe(true);
  expect(await launcher.getAttribute('aria-expanded')).toBe('true');
  expect(await focused()).toBe('Close');
  await page.keyboard.press('Escape');
  expect(await panel.isVisible()).toBe(false);
  expect(await focused()).toMatch(/^Devtools of keys: Live$/);
  expect(await launcher.getAttribute('aria-expanded')).toBe('false');
  await page.context().close();
});

test('no style of the page reaches the panel, and none of the panel reaches the page', async () => {
  const { page, launcher, panel } = await open('style');
  const buttonStyle = (): Promise<string> =>
    page
      .getByRole('button', { name: 'More legs' })
      .evaluate((button) => getComputedStyle(button).borderRadius);
  const before = await buttonStyle();
  await page.addStyleTag({
    content:
      '* { color: rgb(1, 2, 3) !important; font-size: 40px; display: block; } dl, h2 { display: none }',
  });
  await launcher.click();
  const title = panel.locator('h2');
  expect(await title.isVisible()).toBe(true);
  expect(await title.evaluate((element) => getComputedStyle(element).fontSize)).toBe('13px');
  expect(await title.evaluate((element) => getComputedStyle(element).color)).not.toBe(
    'rgb(1, 2, 3)',
  );
  expect(await buttonStyle()).toBe(before);
  await page.context().close();
});

const paper = (panel: Locator): Promise<string> =>
  panel.evaluate((element) => getComputedStyle(element).backgroundColor);

test('a Content Security Policy that forbids inline styles and scripts leaves it as it is', async () => {
  const { page, launcher, panel, problems } = await openUrl(policyServer.page({ room: 'policy' }));
  await launcher.click();
  await untilFact(panel, 'State', /^Live$/);
  expect(await panel.evaluate((element) => getComputedStyle(element).borderRadius)).toBe('12px');
  expect(problems()).toEqual([]);
  // The policy is there.
  await page.addStyleTag({ content: 'body { color: red }' }).catch(() => undefined);
  expect(await page.evaluate(() => getComputedStyle(document.body).color)).toBe('rgb(0, 0, 0)');
  await page.context().close();
});

test('it is as dark as the page, or as the system where the page says nothing', async () => {
  const dark = await open('dark', { colorScheme: 'dark' });
  await dark.launcher.click();
  expect(await paper(dark.panel)).toBe('rgb(31, 33, 38)');
  await dark.page.context().close();
  const light = await open('light', { colorScheme: 'light' });
  await light.launcher.click();
  expect(await paper(light.panel)).toBe('rgb(255, 255, 255)');
  // The page that says dark is dark, whatever the system is.
  await run(light.page, ({ devtools, createDevtools: create, persister }) => {
    devtools.destroy();
    document.documentElement.style.colorScheme = 'dark';
    create(persister, { isOpen: true });
  });
  expect(await paper(light.panel)).toBe('rgb(31, 33, 38)');
  await light.page.context().close();
});

test('on a phone it fits, and every control has a name and is large enough', async () => {
  const { page, launcher, panel } = await open('phone', { viewport: { width: 320, height: 640 } });
  await launcher.click();
  await moreLegs(page);
  const box = await panel.boundingBox();
  expect(box?.x).toBeGreaterThanOrEqual(0);
  expect((box?.x ?? 0) + (box?.width ?? 999)).toBeLessThanOrEqual(320);
  expect((box?.y ?? 0) + (box?.height ?? 999)).toBeLessThanOrEqual(640);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
  const controls = await page.locator('button, summary').evaluateAll((all) =>
    all.map((element) => ({
      name: element.ariaLabel ?? element.textContent,
      size: Math.min(element.getBoundingClientRect().width, element.getBoundingClientRect().height),
    })),
  );
  // WCAG 2.2, 2.5.8: 24 by 24 CSS pixels. The page's own button is one of them, and has no style.
  expect(
    controls.filter(({ name, size }) => !name?.trim() || (size < 24 && name !== 'More legs')),
  ).toEqual([]);
  await page.context().close();
});

test('when it is destroyed, nothing of it is left, and the persister works on', async () => {
  const { page, launcher } = await open('destroyed');
  await launcher.click();
  await run(page, ({ devtools }) => devtools.destroy());
  expect(await launcher.count()).toBe(0);
  expect(await run(page, ({ socket }) => Object.hasOwn(socket, 'send'))).toBe(false);
  await moreLegs(page);
  await run(page, ({ persister }) => persister.whenConfirmed());
  const other = await open('destroyed');
  expect(await run(other.page, ({ store }) => store.getCell('pets', 'fido', 'legs'))).toBe(5);
  await other.page.context().close();
  await page.context().close();
});

test('in React, it is there once, beside the Inspector of TinyBase', async () => {
  const { page, launcher, panel, problems } = await openUrl(reactServer.page());
  expect(await launcher.count()).toBe(1);
  const inspector = page.getByText('Store: default');
  await inspector.waitFor();
  await launcher.click();
  await untilFact(panel, 'State', /^Live$/);
  await panel.getByRole('button', { name: 'Close' }).click();
  await inspector.click();
  expect(await page.getByText('Tables', { exact: true }).isVisible()).toBe(true);
  expect(problems()).toEqual([]);
  await page.context().close();
});

const IMAGES = join(REPOSITORY, 'docs/images');
const pictures: readonly (readonly [string, BrowserContextOptions])[] = [
  [
    'light',
    { viewport: { width: 500, height: 620 }, colorScheme: 'light', deviceScaleFactor: 1.5 },
  ],
  ['dark', { viewport: { width: 500, height: 620 }, colorScheme: 'dark', deviceScaleFactor: 1.5 }],
];

test.runIf(process.env['PICTURES'] === '1').each(pictures)(
  'draws docs/images/devtools-%s.png',
  async (name, options) => {
    const { page, launcher, panel } = await open(`trip-${name}`, options);
    await page.addStyleTag({ content: ':root { color-scheme: light dark; }' });
    await launcher.click();
    await run(page, ({ store }) =>
      store.transaction(() => {
        for (let pet = 1; pet <= 80; pet += 1)
          store.setRow('pets', `pet-${pet}`, { species: 'dog', legs: 4 });
      }),
    );
    await run(page, ({ store }) => store.setCell('pets', 'felix', 'noSetCell', 5));
    await until('the refusal', () => panel.locator('.refusals b').isVisible());
    await run(page, ({ socket }) => socket.reconnect());
    await untilFact(panel, 'Last catch-up', /whole/);
    await moreLegs(page);
    await moreLegs(page);
    await until('both acks', async () => (await fact(panel, 'Round trip')).endsWith('ms'));
    await run(page, ({ persister }) => persister.whenConfirmed());
    await page.mouse.move(0, 0);
    await page.screenshot({ path: join(IMAGES, `devtools-${name}.png`) });
    expect(await panel.isVisible()).toBe(true);
    await page.context().close();
  },
);
