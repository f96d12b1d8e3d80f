import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { INSECURE_HOST, launchBrowser, launchContext, openPage } from '../support/browser.ts';
import { OFFLINE_STORAGE_CONTRACT } from '../support/offline-storage-contract.ts';
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

const open = async (
  context: BrowserContext,
  room: string,
  query: Readonly<Record<string, string>> = {},
): Promise<Page> => {
  const { page } = await openPage(context, pageServer.page({ host: party.host, room, ...query }));
  return page;
};

const firstShown = (page: Page): Promise<string> =>
  until('the page to have started', () => page.evaluate(() => window.app.firstShown));

/** The codes of errors, but for those of the network. */
const errorCodes = (page: Page): Promise<readonly (string | undefined)[]> =>
  page.evaluate(() =>
    window.app.errors.map((text) => text.split(':')[0]).filter((code) => code !== 'network'),
  );

test('offline storage (addon-indexeddb): edits that were not sent survive a reload without a network, and are sent later', async () => {
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

test('[OFFLINE-13] edits made while the page ends are kept: before a reload in the same task, and as it goes', async () => {
  const context = await browser.newContext();
  const page = await open(context, 'last');
  await isSaved(page);
  await party.kill9();
  const shown: Record<string, number> = {};
  for (let round = 0; round < 5; round++) {
    const loadAgain = page.waitForEvent('load');
    await page.evaluate(async (number) => {
      const { store } = window.app;
      addEventListener('pagehide', () => void store.setValue(`gone${number}`, number));
      for (let edit = 0; edit < 3; edit++) {
        store.setValue(`edit${number}`, edit);
        await Promise.resolve();
      }
      setTimeout(() => location.reload());
    }, round);
    await loadAgain;
    Object.assign(shown, { [`edit${round}`]: 2, [`gone${round}`]: round });
    expect(JSON.parse(await firstShown(page))).toEqual([{}, shown]);
  }
  await party.restart();
  await isSaved(page);
  expect(await contentOf('last')).toEqual([{}, shown]);
  await context.close();
});

test('[OFFLINE-13] an edit made before IndexedDB is open is kept, once', async () => {
  const context = await browser.newContext();
  const { page } = await openPage(context, 'about:blank');
  await page.addInitScript(() => {
    let current: unknown;
    Object.defineProperty(window, 'app', {
      get: () => current,
      set: (app: Window['app']) => {
        current = app;
        if (sessionStorage.getItem('edited') !== null) return;
        sessionStorage.setItem('edited', 'yes');
        // After the call that starts the persister.
        queueMicrotask(() => {
          app.store.addRow('edits', { early: 1 });
          location.reload();
        });
      },
    });
  });
  await page.goto(pageServer.page({ host: party.host, room: 'early' }));
  await until('the edit to be shown', async () =>
    (await page.evaluate(() => JSON.stringify(window.app.store.getTables()))).includes('early'),
  );
  await isSaved(page);
  expect(await contentOf('early')).toEqual([{ edits: { 0: { early: 1 } } }, {}]);
  expect(await errorCodes(page)).toEqual([]);
  await context.close();
});

test('[OFFLINE-13] edits made while a page ends are kept in its own database, though another one has a name like it', async () => {
  const context = await browser.newContext();
  const page = await open(context, 'named', { database: 'app:dev' });
  await isSaved(page);
  await party.kill9();
  await page.evaluate(() =>
    addEventListener('pagehide', () => void window.app.store.setValue('gone', 'yes')),
  );
  await page.goto(pageServer.page({ host: party.host, room: 'named', database: 'app' }));
  expect(await firstShown(page)).toBe('[{},{}]');
  await page.goto(pageServer.page({ host: party.host, room: 'named', database: 'app:dev' }));
  expect(await firstShown(page)).toBe('[{},{"gone":"yes"}]');
  await party.restart();
  await isSaved(page);
  await context.close();
});

test('[OFFLINE-14] a page that the browser keeps for its "back" button leaves no transaction open, and writes when it is back', async () => {
  const context = await browser.newContext();
  const page = await open(context, 'aside');
  await isSaved(page);
  const isStored = async (id: string): Promise<boolean> =>
    (await entriesOf(page)).some(([key, text]) => key.includes(']e') && text.includes(id));
  await page.evaluate(async () => {
    const { persister, store } = window.app;
    persister.getConnection().close();
    // This write is under way when the next event comes.
    store.setValue('before', 1);
    await Promise.resolve();
    dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }));
    store.setValue('gone', 1);
    await new Promise((resolve) => setTimeout(resolve, 500));
  });
  expect([await isStored('before'), await isStored('gone')]).toEqual([false, false]);
  expect(await page.evaluate(() => JSON.stringify(localStorage))).toContain('gone');
  await page.evaluate(() => {
    dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
  });
  await until('the edits to be stored', async () => (await isStored('before')) && isStored('gone'));
  await page.evaluate(() => window.app.persister.getConnection().reconnect());
  await isSaved(page);
  expect(await contentOf('aside')).toEqual([{}, { before: 1, gone: 1 }]);
  expect(await errorCodes(page)).toEqual([]);
  await context.close();
});

test('IndexedDB keeps the contract of storages', async () => {
  const context = await browser.newContext();
  const page = await open(context, 'contract');
  const results = await page.evaluate(() => window.app.checkStorage());
  expect(Object.keys(results)).toHaveLength(OFFLINE_STORAGE_CONTRACT.length);
  expect(Object.entries(results).filter(([, result]) => result !== 'kept')).toEqual([]);
  await context.close();
});

test('two tabs of one browser have records of their own, and one sends what the other leaves as it crashes', async () => {
  const context = await browser.newContext();
  const first = await open(context, 'tabs');
  await isSaved(first);
  const second = await open(context, 'tabs');
  await isSaved(second);
  // The second one loses its network alone, edits, and crashes.
  await second.evaluate(() => window.app.persister.getConnection().close());
  await setValue(second, 'left', 'yes');
  await until('the edit to be on disk', async () =>
    (await entriesOf(second)).some(([key, text]) => key.includes(']e') && text.includes('left')),
  );
  const hasCrashed = second.waitForEvent('crash');
  const session = await context.newCDPSession(second);
  session.send('Page.crash').catch(() => undefined);
  await hasCrashed;
  await until(
    'the first tab to send it',
    async () => JSON.stringify(await contentOf('tabs')) === '[{},{"left":"yes"}]',
    { deadlineMilliseconds: 30_000 },
  );
  await isSaved(first);
  expect(await values(first)).toEqual({ left: 'yes' });
  expect(await errorCodes(first)).toEqual([]);
  await context.close();
});

test('[OFFLINE-14] a page whose lock the browser takes away takes it again, and goes on', async () => {
  const context = await browser.newContext();
  const page = await open(context, 'lost');
  await isSaved(page);
  const heldLocks = (): Promise<readonly (string | undefined)[]> =>
    page.evaluate(async () => {
      const { held = [] } = await navigator.locks.query();
      return held.map(({ name }) => name);
    });
  const before = await heldLocks();
  expect(before).toHaveLength(1);
  const [name = ''] = before;
  await page.evaluate(() => window.app.persister.getConnection().close());
  await setValue(page, 'unsent', 'yes');
  const other = await context.newPage();
  await other.goto(pageServer.origin);
  await other.evaluate((lock) => navigator.locks.request(lock, { steal: true }, () => 1), name);
  await until('the lock to be held', async () => (await heldLocks()).join() === name);
  await page.evaluate(() => window.app.persister.getConnection().reconnect());
  await isSaved(page);
  expect(await contentOf('lost')).toEqual([{}, { unsent: 'yes' }]);
  expect(await errorCodes(page)).toEqual([]);
  await context.close();
});

test('another user of the browser sees and sends nothing, and clear removes everything', async () => {
  const context = await browser.newContext();
  const ann = await open(context, 'users', { user: 'ann' });
  await isSaved(ann);
  await ann.evaluate(() => window.app.persister.getConnection().close());
  await setValue(ann, 'secret', 'yes');
  await until('the edit to be on disk', async () =>
    (await entriesOf(ann)).some(([, text]) => text.includes('secret')),
  );
  await ann.close();
  const bob = await open(context, 'users', { user: 'bob' });
  await isSaved(bob);
  expect(await values(bob)).toEqual({});
  await bob.close();
  const again = await open(context, 'users', { user: 'ann' });
  await isSaved(again);
  expect(await values(again)).toEqual({ secret: 'yes' });
  await again.evaluate(() => window.app.offline.clear());
  expect((await entriesOf(again)).filter(([key]) => key.includes('ann'))).toEqual([]);
  await setValue(again, 'later', 'yes');
  await isSaved(again);
  expect(await errorCodes(again)).toEqual([]);
  await context.close();
});

test('a database that is deleted or damaged, or is not there, is reported once and costs nothing else', async () => {
  const context = await browser.newContext();
  const page = await open(context, 'damaged');
  await isSaved(page);
  await setValue(page, 'v', 'one');
  await isKept(page, 'one');
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        const deleting = indexedDB.deleteDatabase('tinybase-partykit');
        deleting.addEventListener('success', () => resolve(undefined));
      }),
  );
  await setValue(page, 'v', 'two');
  await isSaved(page);
  expect(await errorCodes(page)).toEqual(['offline']);
  // A database of a later version.
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        sessionStorage.clear();
        const opening = indexedDB.open('tinybase-partykit', 99);
        opening.addEventListener('success', () => {
          opening.result.close();
          resolve(undefined);
        });
      }),
  );
  await page.reload();
  await isSaved(page);
  expect(await values(page)).toEqual({ v: 'two' });
  expect(await errorCodes(page)).toEqual(['offline']);
  await page.addInitScript('Object.defineProperty(globalThis, "indexedDB", { value: undefined })');
  await page.reload();
  await isSaved(page);
  await setValue(page, 'v', 'three');
  await isSaved(page);
  expect(await errorCodes(page)).toEqual(['offline']);
  await context.close();
});

/** Sets the space that IndexedDB has in this browser, in bytes; undefined: as much as ever. */
const limitStorage = async (context: BrowserContext, quotaSize?: number): Promise<void> => {
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  const { origin } = new URL(pageServer.page({}));
  await session.send('Storage.overrideQuotaForOrigin', {
    origin,
    ...(quotaSize !== undefined && { quotaSize }),
  });
};

test('[OFFLINE-7] a full disk is told once, edits reach the room, and a page with room on disk keeps them again', async () => {
  const context = await browser.newContext();
  // A browser remembers for a while how much space there was: so there is none from the beginning.
  await limitStorage(context, 300_000);
  const page = await open(context, 'full');
  await isSaved(page);
  await setValue(page, 'before', 'yes');
  await isSaved(page);
  // A browser compresses what it stores.
  const large = randomBytes(75_000).toString('base64');
  for (let edit = 0; edit < 10; edit++)
    await setValue(page, 'large', randomBytes(75_000).toString('base64'));
  await setValue(page, 'large', large);
  await until('the full disk to be told', async () => (await errorCodes(page)).length > 0);
  await isSaved(page);
  await setValue(page, 'after', 'yes');
  await isSaved(page);
  expect(await contentOf('full')).toEqual([{}, { before: 'yes', large, after: 'yes' }]);
  // Without a network, edits live in the tab.
  await party.kill9();
  await setValue(page, 'waiting', 'yes');
  expect(await values(page)).toEqual({ before: 'yes', large, after: 'yes', waiting: 'yes' });
  await party.restart();
  await isSaved(page);
  const all = { before: 'yes', large, after: 'yes', waiting: 'yes' };
  expect(await contentOf('full')).toEqual([{}, all]);
  expect(await errorCodes(page)).toEqual(['offline']);
  // Still full.
  await page.reload();
  await isSaved(page);
  expect(await values(page)).toEqual(all);
  for (let edit = 0; edit < 10; edit++)
    await setValue(page, 'more', randomBytes(75_000).toString('base64'));
  await setValue(page, 'more', large);
  await until('the full disk to be told', async () => (await errorCodes(page)).length > 0);
  await isSaved(page);
  expect(await errorCodes(page)).toEqual(['offline']);
  await limitStorage(context);
  await page.reload();
  await isSaved(page);
  await setValue(page, 'last', 'yes');
  await isKept(page, 'last');
  await party.kill9();
  await setValue(page, 'unsent', 'yes');
  await page.reload();
  expect(JSON.parse(await firstShown(page))).toEqual([
    {},
    { ...all, more: large, last: 'yes', unsent: 'yes' },
  ]);
  expect(await errorCodes(page)).toEqual([]);
  await party.restart();
  await isSaved(page);
  await context.close();
});

test('[OFFLINE-3] a page without Web Locks says once that it keeps no edits, and keeps the content', async () => {
  const context = await browser.newContext();
  const url = new URL(pageServer.page({ host: party.host, room: 'no-locks' }));
  url.hostname = INSECURE_HOST;
  const { page } = await openPage(context, url.href);
  await isSaved(page);
  await setValue(page, 'sent', 'yes');
  await isSaved(page);
  await isKept(page, 'sent');
  expect(await page.evaluate(() => window.app.errors)).toEqual([
    expect.stringContaining('offline: This page keeps content, but no edits'),
  ]);
  await party.kill9();
  await page.reload();
  expect(JSON.parse(await firstShown(page))).toEqual([{}, { sent: 'yes' }]);
  expect(await errorCodes(page)).toEqual(['offline']);
  await party.restart();
  await isSaved(page);
  await context.close();
});

test('[OFFLINE-13] a page ends as ever if localStorage is full or forbidden', async () => {
  const context = await browser.newContext();
  const page = await open(context, 'no-last');
  const thrown: string[] = [];
  page.on('pageerror', ({ message }) => thrown.push(message));
  await isSaved(page);
  await setValue(page, 'kept', 'yes');
  await isKept(page, 'kept');
  await party.kill9();
  const endWithEdit = async (value: string): Promise<void> => {
    const loadAgain = page.waitForEvent('load');
    await page.evaluate((text) => {
      addEventListener('pagehide', () => void window.app.store.setValue('last', text));
      setTimeout(() => location.reload());
    }, value);
    await loadAgain;
  };
  // Whatever the browser still wrote of it, what was kept before is there.
  await page.evaluate(() => {
    for (let length = 2 ** 22; length > 0; length = Math.floor(length / 2)) {
      try {
        for (let part = 0; ; part++)
          localStorage.setItem(`full${length}-${part}`, 'x'.repeat(length));
      } catch {
        // A smaller one may fit.
      }
    }
  });
  await endWithEdit('full');
  expect(JSON.parse(await firstShown(page))).toMatchObject([{}, { kept: 'yes' }]);
  expect(await errorCodes(page)).toEqual([]);
  await page.addInitScript(() => {
    Object.defineProperty(globalThis, 'localStorage', {
      get: () => {
        throw new DOMException('Access is denied.', 'SecurityError');
      },
    });
  });
  await page.reload();
  await firstShown(page);
  await endWithEdit('forbidden');
  expect(JSON.parse(await firstShown(page))).toMatchObject([{}, { kept: 'yes' }]);
  expect([await errorCodes(page), thrown]).toEqual([[], []]);
  await party.restart();
  await isSaved(page);
  expect(await contentOf('no-last')).toMatchObject([{}, { kept: 'yes' }]);
  await context.close();
});

/** Sets each entry of the database whose key has this in it. */
const setEntries = (page: Page, part: string, text: string): Promise<void> =>
  page.evaluate(
    async ([place, value]) => {
      // oxlint-disable-next-line unicorn/consistent-function-scoping -- It runs in the page.
      const answer = <T>(request: IDBRequest<T>): Promise<T> =>
        new Promise((resolve) => {
          request.addEventListener('success', () => resolve(request.result));
        });
      const database = await answer(indexedDB.open('tinybase-partykit'));
      const store = database.transaction('entries', 'readwrite').objectStore('entries');
      const keys = (await answer(store.getAllKeys())) as string[];
      await Promise.all(
        keys
          .filter((key) => key.includes(place ?? ''))
          .map((key) => answer(store.put(value ?? '', key))),
      );
      database.close();
    },
    [part, text],
  );

test('[OFFLINE-7] a damaged record and one of a later version are told once, and cost nothing of the room', async () => {
  const context = await browser.newContext();
  const page = await open(context, 'altered');
  await isSaved(page);
  await setValue(page, 'v', 'one');
  await isKept(page, 'one');
  // Damaged content, a damaged head, and a head of a later version.
  for (const [place, text] of [
    [']b', '[[]'],
    [']h', '[1,"x"]'],
    [']h', '[2,"later"]'],
  ] as const) {
    await setEntries(page, place, text);
    await page.reload();
    await isSaved(page);
    expect(await values(page)).toEqual({ v: 'one' });
    expect(await errorCodes(page)).toEqual(['offline']);
    await setValue(page, 'v', 'two');
    await setValue(page, 'v', 'one');
    await isSaved(page);
  }
  expect((await entriesOf(page)).filter(([, text]) => text === '[2,"later"]')).toHaveLength(1);
  await page.reload();
  await isSaved(page);
  expect(await contentOf('altered')).toEqual([{}, { v: 'one' }]);
  await context.close();
});

test('a browser that is killed starts from what it kept, with the server down', async () => {
  const profile = mkdtempSync(join(tmpdir(), 'offline-profile-'));
  try {
    const killed = await launchContext(profile);
    const page = await open(killed.context, 'killed');
    await isSaved(page);
    await setValue(page, 'sent', 'yes');
    await isKept(page, 'sent');
    await party.kill9();
    await setValue(page, 'unsent', 'yes');
    await until('the edit to be on disk', async () =>
      (await entriesOf(page)).some(([key, text]) => key.includes(']e') && text.includes('unsent')),
    );
    await killed.kill();

    const next = await launchContext(profile);
    const again = await open(next.context, 'killed');
    expect(await firstShown(again)).toBe('[{},{"sent":"yes","unsent":"yes"}]');
    await party.restart();
    await isSaved(again);
    expect(await contentOf('killed')).toEqual([{}, { sent: 'yes', unsent: 'yes' }]);
    expect(await errorCodes(again)).toEqual([]);
    await next.context.close();
  } finally {
    rmSync(profile, { recursive: true, force: true });
  }
});
