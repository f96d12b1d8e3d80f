import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import type { Store } from 'tinybase';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PartyKitPersister } from '../../src/client/index.ts';
import { launchBrowser, openPage } from '../support/browser.ts';
import { blockWith, type DocumentedApp, makeDocumentedApp } from '../support/documented-app.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';

declare global {
  interface Window {
    lasting: { readonly persister: PartyKitPersister; readonly store: Store };
  }
}

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
const SCRIPTS = ['app', 'lasting-page', 'components'];

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
  const inspected = 'Object.assign(globalThis, { lasting: { persister, store } });\n';
  app.write('lasting-page.ts', pageOf('README.md', 'lasting-page.ts') + inspected);
  app.write('tsconfig.json', blockWith('docs/react.md', '"jsx": "react-jsx"'));
  for (const script of SCRIPTS)
    app.write(
      `public/${script}.html`,
      `<!doctype html><link rel="icon" href="data:,"><body><script type="module" src="/dist/${script}.js"></script></body>`,
    );
  const entry = SCRIPTS.map((name) => (name === 'lasting-page' ? `${name}.ts` : `${name}.tsx`));
  const config = JSON.parse(blockWith('README.md', '"my-app"')) as { serve: object };
  app.write(
    'partykit.json',
    JSON.stringify({ ...config, serve: { ...config.serve, build: { entry } } }),
  );
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

const untilShown = (page: Page, text: RegExp): Promise<unknown> =>
  until(`"${text.source}"`, async () =>
    text.test((await page.locator('body').textContent()) ?? ''),
  );

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
    globalThis.window.lasting.store.setValue('title', 'Kept');
    await globalThis.window.lasting.persister.whenConfirmed();
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
