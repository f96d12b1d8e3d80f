import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.ts';
import { type PageServer, startPageServer } from '../support/page-server.ts';
import { type Party, startParty } from '../support/party.ts';
import { until } from '../support/until.ts';
import type { OfflinePage } from './fixtures/offline-page.ts';

declare global {
  interface Window {
    app: OfflinePage;
  }
}

let party: Party;
let pageServer: PageServer;
let browser: Browser;

beforeAll(async () => {
  party = await startParty({
    entry: 'test/room/fixtures/plain.ts',
    config: 'test/room/fixtures/partykit-rooms.json',
  });
  pageServer = await startPageServer({ entry: 'test/browser/fixtures/offline-page.ts' });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await pageServer?.stop();
  await party?.stop();
});

const setValue = (page: Page, id: string, value: string): Promise<unknown> =>
  page.evaluate(
    ([key, text]) => void window.app.store.setValue(key ?? '', text ?? ''),
    [id, value],
  );

const values = (page: Page): Promise<unknown> => page.evaluate(() => window.app.store.getValues());

const isSaved = (page: Page): Promise<void> =>
  until('every edit to be confirmed', () =>
    page.evaluate(() => {
      const { phase, unsaved } = window.app.persister.getSync();
      return phase === 'live' && unsaved === 0;
    }),
  ).then(() => undefined);

/** The content is on disk with this Value, and nothing is pending. */
const isKept = (page: Page, valueId: string): Promise<unknown> =>
  until('the content to be kept', async () => {
    const entries = await entriesOf(page);
    const isInBase = entries.some(([key, text]) => key.includes(']b') && text.includes(valueId));
    return isInBase && !entries.some(([key]) => key.includes(']e'));
  });

/** Everything in the database. */
const entriesOf = (page: Page): Promise<readonly (readonly [string, string])[]> =>
  page.evaluate(async () => {
    // oxlint-disable-next-line unicorn/consistent-function-scoping -- It runs in the page.
    const answer = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve) => {
        request.addEventListener('success', () => resolve(request.result));
      });
    const database = await answer(indexedDB.open('tinybase-partykit'));
    const store = database.transaction('entries').objectStore('entries');
    const [keys, texts] = await Promise.all([
      answer(store.getAllKeys()),
      answer(store.getAll() as IDBRequest<string[]>),
    ]);
    database.close();
    return keys.map((key, index) => [key as string, texts[index] ?? '']);
  });

const contentOf = async (room: string): Promise<unknown> => {
  const response = await fetch(party.room(room, '/store'));
  return await response.json();
};

const open = async (context: BrowserContext, room: string): Promise<Page> => {
  const { page } = await openPage(context, pageServer.page({ host: party.host, room }));
  return page;
};

test('edits that were not sent survive a reload without a network, and are sent later', async () => {
  const context = await browser.newContext();
  const page = await open(context, 'reload');
  await isSaved(page);
  await setValue(page, 'sent', 'yes');
  await isSaved(page);
  await isKept(page, 'sent');
  await party.kill9();
  await setValue(page, 'unsent', 'yes');
  await until('the edit to wait', () =>
    page.evaluate(() => window.app.persister.getSync().unsaved === 1),
  );
  await until('the content to be kept', async () => {
    await page.reload();
    const shown = await until('the page to have started', () =>
      page.evaluate(() => window.app.firstShown),
    );
    return shown === JSON.stringify([{}, { sent: 'yes', unsent: 'yes' }]);
  });
  expect(await page.evaluate(() => window.app.persister.getSync())).toMatchObject({ unsaved: 1 });
  await party.restart();
  await isSaved(page);
  expect(await contentOf('reload')).toEqual([{}, { sent: 'yes', unsent: 'yes' }]);
  expect(await values(page)).toEqual({ sent: 'yes', unsent: 'yes' });
  expect(
    await page.evaluate(() => [
      window.app.errors.filter((text) => !text.startsWith('network')),
      window.app.refusals,
    ]),
  ).toEqual([[], []]);
  await context.close();
});
