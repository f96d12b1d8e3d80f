import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import type { Store } from 'tinybase';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Undo } from '../../src/client/features/undo/index.ts';
import type { PartyKitPersister } from '../../src/client/index.ts';
import { launchBrowser, openPage, untilShown } from '../support/browser.ts';
import { blockWith, type DocumentedApp, makeDocumentedApp } from '../support/documented-app.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import { HELPERS } from './fixtures/documented-helpers.ts';

declare global {
  interface Window {
    /** The functions of the documents, for the test to call. */
    helpers: Readonly<Record<HelperName, (text?: string) => Promise<unknown>>>;
    offlinePage: PartyKitPersister;
    lasting: { readonly persister: PartyKitPersister; readonly store: Store; readonly undo: Undo };
  }
}

type HelperName =
  | 'card'
  | 'logOut'
  | 'progress'
  | 'refusals'
  | 'saved'
  | 'show'
  | 'title'
  | 'unload';

const COMMAND_LINE = fileURLToPath(
  new URL('../../node_modules/partykit/dist/bin.mjs', import.meta.url),
);
/** Pages of the documents, by their document. */
const PAGES = {
  'app.tsx': 'README.md',
  'react-store.tsx': 'docs/react.md',
  'react-offline.tsx': 'docs/react.md',
  'react-undo.tsx': 'docs/react.md',
  'react-unload.tsx': 'docs/react.md',
} as const;
/** Files with functions of the documents, by their document and a part of the block. */
const FUNCTIONS = {
  'client-unload.ts': ['docs/client.md', 'askBeforeUnload'],
  'devtools-in-development.ts': ['docs/devtools.md', '// devtools-in-development.ts'],
  'migrating-hook.tsx': ['docs/migrating.md', 'function useRoomStore'],
  'offline-log-out.ts': ['docs/offline.md', 'function logOut'],
  'offline-unload.ts': ['docs/offline.md', 'const protect'],
  'performance-progress.ts': ['docs/performance.md', 'function showProgress'],
  'permissions-explain.ts': ['docs/permissions.md', 'function explain'],
  'provider-page.ts': ['docs/auth.md', '// provider-page.ts'],
  'strict-room.ts': ['docs/permissions.md', '// strict-room.ts'],
  'undo-drag.ts': ['docs/undo.md', '// undo-drag.ts'],
  'undo-hooks.ts': ['docs/undo.md', '// undo-hooks.ts'],
  'word-field.ts': ['docs/text.md', '// word-field.ts'],
} as const;
/** Short pages of the documents, by their document and a part of the block, with what they tell the test. */
const SHORT_PAGES = {
  'client-metadata.ts': [
    'docs/client.md',
    '// client-metadata.ts',
    "document.body.append('Team: ', JSON.stringify(board.store.getTables()));",
  ],
  'client-schemas.ts': ['docs/client.md', '// client-schemas.ts', ''],
  'client-offline.ts': [
    'docs/client.md',
    '// client-offline.ts',
    "document.body.append('Undone: ', JSON.stringify([store.getValues(), undo.getCheckpointIds()[2].length]));",
  ],
  'offline-page.ts': [
    'docs/offline.md',
    '// offline-page.ts',
    'Object.assign(globalThis, { offlinePage: persister });',
  ],
} as const;
/** Shows the components of docs/react.md. */
const COMPONENTS = `
import { PartySocket } from 'partysocket';
import { createRoot } from 'react-dom/client';
import { createStore } from 'tinybase';
import { useCreateStore, useValue } from 'tinybase/ui-react';
import { usePartyKitPersister } from 'tinybase-partykit/react';
import { Title } from './react-offline.tsx';
import { Pets } from './react-store.tsx';
import { UndoButtons } from './react-undo.tsx';
import { useWarnBeforeUnload } from './react-unload.tsx';

function Edited() {
  const store = useCreateStore(createStore);
  const open = () => new PartySocket({ host: location.host, room: 'edited' });
  const persister = usePartyKitPersister(store, open, []);
  useWarnBeforeUnload(persister);
  return (
    <section>
      <button onClick={() => store.setValue('title', 'Edited')}>Edit</button>
      <UndoButtons persister={persister} />
      <output>{String(useValue('title', store) ?? 'None')}</output>
    </section>
  );
}

const root = createRoot(document.body.appendChild(document.createElement('main')));
root.render(<><Pets room="pets" /><Title room="titled" /><Edited /></>);
`;
const SCRIPTS = ['app.tsx', 'lasting-page.ts', 'components.tsx', 'helpers.tsx', 'short-pages.ts'];

/** Returns a block. The test has a port of its own. */
const pageOf = (document: string, name: string): string =>
  blockWith(document, `// ${name}`).replaceAll("'localhost:1999'", 'location.host');

let app: DocumentedApp;
let server: ServerProcess;
let browser: Browser;

beforeAll(async () => {
  app = makeDocumentedApp();
  app.write('room.ts', blockWith('README.md', '// room.ts'));
  for (const [name, document] of Object.entries(PAGES)) app.write(name, pageOf(document, name));
  app.write('components.tsx', COMPONENTS);
  const inspected = 'Object.assign(globalThis, { lasting: { persister, store, undo } });\n';
  app.write('lasting-page.ts', pageOf('README.md', 'lasting-page.ts') + inspected);
  app.write('tsconfig.json', blockWith('docs/react.md', '"jsx": "react-jsx"'));
  for (const [name, [document, text]] of Object.entries(FUNCTIONS))
    app.write(name, blockWith(document, text));
  app.write('helpers.tsx', HELPERS);
  for (const [name, [document, text, told]] of Object.entries(SHORT_PAGES))
    app.write(name, `${blockWith(document, text)}${told}\n`);
  app.write(
    'short-pages.ts',
    Object.keys(SHORT_PAGES)
      .map((name) => `import './${name}';\n`)
      .join(''),
  );
  for (const script of SCRIPTS.map((file) => file.replace(/\.tsx?$/, '')))
    app.write(
      `public/${script}.html`,
      `<!doctype html><link rel="icon" href="data:,"><body><script type="module" src="/dist/${script}.js"></script></body>`,
    );
  const config = JSON.parse(blockWith('README.md', '"my-app"')) as { serve: object };
  const serve = { ...config.serve, build: { entry: SCRIPTS } };
  const parties = { strict: 'strict-room.ts' };
  app.write('partykit.json', JSON.stringify({ ...config, parties, serve }));
  server = await startServerProcess({
    name: 'partykit dev of documented pages',
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

test('the React app of README.md adds tasks, undoes its own, and shows them in another window', async () => {
  const [one, two] = [
    await openPage(browser, `${server.origin}/app.html`),
    await openPage(browser, `${server.origin}/app.html`),
  ];
  for (const { page } of [one, two]) await untilShown(page, /Saved/);
  for (const task of ['Buy bread', 'Water the plants']) {
    await one.page.locator('input').fill(task);
    await one.page.getByRole('button', { name: 'Add' }).click();
  }
  await untilShown(two.page, /Buy bread.*Water the plants|Water the plants.*Buy bread/);
  await one.page.getByRole('button', { name: 'Undo' }).click();
  await until('the undo', async () => (await two.page.locator('li').count()) === 1);
  expect(await two.page.locator('li').textContent()).toBe('Buy bread');
  await two.page.reload();
  await untilShown(two.page, /Buy bread.*Saved/);
  expect([...one.problems(), ...two.problems()]).toEqual([]);
});

test('the lasting page of README.md has its content and edits after a reload without the server', async () => {
  const { page } = await openPage(browser, `${server.origin}/lasting-page.html`);
  const ready = (): Promise<unknown> =>
    until('the page', () => page.evaluate(() => 'lasting' in globalThis));
  await ready();
  await page.evaluate(async () => {
    const { persister, store, undo } = globalThis.window.lasting;
    store.setValue('title', 'Kept');
    store.setValue('title', 'Undone');
    undo.goBackward();
    await persister.whenConfirmed();
  });
  // The page itself still comes: only the room cannot be reached.
  await page.route('**/parties/**', (route) => route.abort());
  await page.routeWebSocket('**/parties/**', (socket) => socket.close());
  await page.reload();
  await ready();
  const shown = await page.evaluate(() => globalThis.window.lasting.store.getValue('title'));
  expect(shown).toBe('Kept');
});

test('the components of docs/react.md show a Store, work with offline data, and undo', async () => {
  const { page, problems } = await openPage(browser, `${server.origin}/components.html`);
  await untilShown(page, /Fido is a dog\.Saved/);
  await untilShown(page, /Online/);
  const output = page.locator('output');
  await page.getByRole('button', { name: 'Edit' }).click();
  await until('the edit', async () => (await output.textContent()) === 'Edited');
  await page.getByRole('button', { name: 'Undo' }).click();
  await until('the undo', async () => (await output.textContent()) === 'None');
  await page.getByRole('button', { name: 'Redo' }).click();
  await until('the redo', async () => (await output.textContent()) === 'Edited');
  expect(problems()).toEqual([]);
});

const launchersIn = (page: Page): Promise<number> =>
  page.getByRole('button', { name: /^Devtools of/ }).count();

test('the functions of the documents do in a browser what their documents say', async () => {
  const origin = server.origin.replace('127.0.0.1', 'localhost');
  const context = await browser.newContext();
  const urls: string[] = [];
  context.on('page', (opened) => opened.on('websocket', (socket) => urls.push(socket.url())));
  const { page, problems } = await openPage(context, `${origin}/helpers.html`);
  const ask = (name: HelperName, text?: string): Promise<unknown> =>
    page.evaluate(async ([helper, said]) => await globalThis.window.helpers[helper](said), [
      name,
      text,
    ] as const);
  await until('the page', () => page.evaluate(() => 'helpers' in globalThis));

  // docs/auth.md
  expect(urls[0]).toMatch(/\/parties\/main\/drawn%20board\?.*\btoken=provided\b/);
  // docs/devtools.md
  expect(await launchersIn(page)).toBe(1);
  const elsewhere = await openPage(browser, `${server.origin}/helpers.html`);
  await until('the other page', () => elsewhere.page.evaluate(() => 'helpers' in globalThis));
  expect(await launchersIn(elsewhere.page)).toBe(0);

  // docs/undo.md
  await page.mouse.move(250, 250);
  await page.mouse.down();
  await page.mouse.move(260, 270, { steps: 5 });
  await page.mouse.up();
  await page.mouse.move(300, 300);
  expect(await ask('card')).toEqual({ x: 260, y: 270 });
  await page.getByRole('button', { name: 'Undo Move' }).click();
  expect(await ask('card')).toEqual({ x: 0, y: 0 });
  await page.getByRole('button', { name: 'Redo Move' }).click();
  expect(await ask('card')).toEqual({ x: 260, y: 270 });

  // docs/text.md
  const field = page.locator('input');
  await field.pressSequentially('Buy bread');
  expect(await ask('show', 'By another')).toBe('Buy bread');
  await field.blur();
  expect(await ask('saved')).toEqual(['Buy ', 'Buy bread']);
  expect(await ask('show', 'By another')).toBe('By another');

  // docs/migrating.md
  await ask('title');
  await untilShown(page, /Hooked/);
  // docs/offline.md and docs/client.md
  expect(await ask('unload')).toEqual([
    [true, false],
    [true, false],
  ]);
  const question = 'Only this device has 1 of your edits. Remove them?';
  expect(await ask('logOut')).toEqual([[false, true], [question, question], 1, []]);
  // docs/performance.md
  const texts = (await ask('progress')) as readonly string[];
  expect(texts).toContainEqual(expect.stringMatching(/^Loading: [1-9]\d* KiB$/));
  expect(texts.at(-1)).toBe('');
  // docs/permissions.md
  expect(await ask('refusals')).toEqual([
    expect.stringMatching(/^things\/chair went back: [a-z-]+\.$/),
  ]);
  expect(problems()).toEqual([]);
});

test('the short pages of docs/client.md and docs/offline.md enter their room', async () => {
  await fetch(server.room('my-board', '/store'), {
    method: 'PUT',
    body: JSON.stringify([{ notes: { first: { text: 'Hello' } } }, {}]),
  });
  const context = await browser.newContext();
  const [urls, logged]: [string[], string[]] = [[], []];
  context.on('page', (opened) => opened.on('websocket', (socket) => urls.push(socket.url())));
  context.on('console', (message) => logged.push(message.text()));
  await context.route('**/api/red/token?room=my-board', (route) =>
    route.fulfill({ body: 'token-of-red' }),
  );
  const { page, problems } = await openPage(context, `${server.origin}/short-pages.html`);
  await untilShown(page, /Team: \{"notes":\{"first":\{"text":"Hello"\}\}\}/);
  await untilShown(page, /Undone: \[\{\},1\]/);
  expect(urls.filter((url) => url.includes('token=token-of-red'))).toHaveLength(1);
  await until('the schema to be used', () => logged.includes('Hello'));
  await until('the page of docs/offline.md', () =>
    page.evaluate(
      () => globalThis.window.offlinePage?.getStore().getCell('notes', 'first', 'text') === 'Hello',
    ),
  );
  expect(problems()).toEqual([]);
});
