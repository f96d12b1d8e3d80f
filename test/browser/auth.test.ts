import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRoomHandle, createToken, type RoomHandle } from '../../src/backend/index.ts';
import { launchBrowser, openPage } from '../support/browser.ts';
import { type PageServer, startPageServer } from '../support/page-server.ts';
import { type Party, startParty } from '../support/party.ts';
import { SECRET } from '../support/tokens.ts';
import { until } from '../support/until.ts';
// The types of the page's globals.
import type { GuardedPage } from './pages/guarded-page.ts';

const PARTY = 'commanded';

let party: Party;
let pageServer: PageServer;
let browser: Browser;

beforeAll(async () => {
  party = await startParty({
    entry: 'test/room/fixtures/plain.ts',
    config: 'test/room/fixtures/partykit-rooms.json',
  });
  pageServer = await startPageServer({ entry: 'test/browser/pages/guarded-page.ts' });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await pageServer?.stop();
  await party?.stop();
});

/** One person's window, and the backend that gives them tokens. */
interface Person {
  readonly context: BrowserContext;
  readonly page: Page;
  /** The number of tokens that the page has asked for. */
  readonly asked: () => number;
  readonly set: (valueId: string, value: number) => Promise<void>;
  readonly values: () => Promise<ReturnType<GuardedPage['store']['getValues']>>;
  readonly sync: () => Promise<ReturnType<GuardedPage['persister']['getSync']>>;
}

const openPerson = async (room: string, giveToken: () => Promise<string>): Promise<Person> => {
  const context = await browser.newContext();
  let asked = 0;
  await context.exposeFunction('giveToken', () => {
    asked += 1;
    return giveToken();
  });
  const { page } = await openPage(context, pageServer.page({ host: party.host, room }));
  await page.waitForFunction(() => globalThis.window.guarded !== undefined);
  return {
    context,
    page,
    asked: () => asked,
    set: (valueId, value) =>
      page.evaluate(([id, number]) => void globalThis.window.guarded.store.setValue(id, number), [
        valueId,
        value,
      ] as const),
    values: () => page.evaluate(() => globalThis.window.guarded.store.getValues()),
    sync: () => page.evaluate(() => globalThis.window.guarded.persister.getSync()),
  };
};

const tokenFor = (room: string, id: string, expiresInSeconds = 3600): Promise<string> =>
  createToken({ secret: SECRET, party: PARTY, room, user: { id }, expiresInSeconds });
const handleOf = (room: string): RoomHandle =>
  createRoomHandle({ origin: party.origin, room, party: PARTY, secret: SECRET });
const untilPhase = (person: Person, phase: string): Promise<unknown> =>
  until(`the phase ${phase}`, async () => (await person.sync()).phase === phase);

test('[GATE-7] tokens that end while somebody edits lose no edit, and ask for no more tokens than needed', async () => {
  const room = 'ending';
  let seconds = 3;
  const ada = await openPerson(room, () => tokenFor(room, 'ada', seconds));
  const bob = await openPerson(room, () => tokenFor(room, 'bob'));
  await Promise.all([ada, bob].map((person) => untilPhase(person, 'live')));
  // It edits until its third connection is live.
  const editing = ada.page.evaluate(async () => {
    const { store, persister } = globalThis.window.guarded;
    let made = 0;
    const timer = setInterval(() => {
      made += 1;
      store.setCell('edits', String(made), 'number', made);
    }, 50);
    await new Promise<void>((resolve) => {
      persister.addSyncListener((_persister, { phase }) => {
        if (phase === 'live' && globalThis.window.guarded.opened === 3) resolve();
      });
    });
    clearInterval(timer);
    await persister.whenConfirmed();
    return made;
  });
  await until(
    'the second connection',
    async () => (await ada.page.evaluate(() => globalThis.window.guarded.opened)) === 2,
  );
  seconds = 3600;
  const edits = await editing;
  expect(edits).toBeGreaterThan(20);
  await until(
    'every edit at the other',
    async () =>
      (await bob.page.evaluate(() => globalThis.window.guarded.store.getRowCount('edits'))) ===
      edits,
  );
  // One for each connection, and for each of the first requests over HTTP.
  expect(ada.asked()).toBeLessThan(10);
  expect((await ada.sync()).phase).toBe('live');
  await Promise.all([ada, bob].map(({ context }) => context.close()));
});

test('[ADMIN-2] an evicted page stops, keeps its edits, and sends them after a new login', async () => {
  const room = 'evicting';
  let isLoggedIn = true;
  const ada = await openPerson(room, async () =>
    isLoggedIn ? await tokenFor(room, 'ada') : 'none',
  );
  const bob = await openPerson(room, () => tokenFor(room, 'bob'));
  await Promise.all([ada, bob].map((person) => untilPhase(person, 'live')));
  await ada.set('before', 1);
  await until('the edit at the other', async () => (await bob.values())['before'] === 1);
  isLoggedIn = false;
  expect(await handleOf(room).evict({ user: 'ada' })).toBe(1);
  await untilPhase(ada, 'stopped');
  expect((await ada.sync()).code).toBe('forbidden');
  await ada.set('unsent', 2);
  await bob.set('meanwhile', 3);
  await until('the room to know', async () => (await handleOf(room).getSize()) === 1);
  const asked = ada.asked();
  // A client that did not stop would have tried again by then.
  await new Promise((resolve) => {
    setTimeout(resolve, 1_500);
  });
  expect([ada.asked(), (await ada.sync()).phase]).toEqual([asked, 'stopped']);
  expect(await ada.values()).toEqual({ first: 'content', before: 1, unsent: 2 });

  // Without a good token it stops again, and keeps what it has.
  await ada.page.evaluate(() =>
    globalThis.window.guarded.persister.startAutoLoad().then(() => undefined),
  );
  await until('a refusal', async () => (await ada.sync()).code === 'unauthorized');
  isLoggedIn = true;
  await ada.page.evaluate(() =>
    globalThis.window.guarded.persister.startAutoLoad().then(() => undefined),
  );
  const all = { first: 'content', before: 1, unsent: 2, meanwhile: 3 };
  for (const person of [ada, bob])
    await until('all edits', async () => Object.keys(await person.values()).length === 4);
  expect([await ada.values(), await bob.values()]).toEqual([all, all]);
  expect((await ada.sync()).phase).toBe('live');
  await Promise.all([ada, bob].map(({ context }) => context.close()));
});

test('[GATE-4] a page without a token stops, and what was edited there arrives after the login', async () => {
  const room = 'login';
  let isLoggedIn = false;
  const ada = await openPerson(room, async () =>
    isLoggedIn ? await tokenFor(room, 'ada') : 'none',
  );
  await untilPhase(ada, 'stopped');
  await ada.set('unsent', 1);
  const asked = ada.asked();
  await new Promise((resolve) => {
    setTimeout(resolve, 1_500);
  });
  expect([ada.asked(), asked < 5]).toEqual([asked, true]);
  isLoggedIn = true;
  await ada.page.evaluate(() => globalThis.window.guarded.socket.reconnect());
  await untilPhase(ada, 'live');
  await ada.page.evaluate(() => globalThis.window.guarded.persister.whenConfirmed());
  const document = await handleOf(room).exportRoom();
  expect(document?.content).toEqual([{}, { first: 'content', unsent: 1 }]);
  await ada.context.close();
});

test('[GATE-4] Chromium sees the close code of a refused socket at once, where the room has an edge guard', async () => {
  const context = await browser.newContext();
  const { page } = await openPage(
    context,
    pageServer.page({ host: party.host, room: 'refused-at-once' }),
  );
  const url = `ws://${party.host}/parties/edge/refused-at-once?token=none`;
  const [code, milliseconds] = await page.evaluate(
    (address) =>
      new Promise<readonly [number, number]>((resolve) => {
        const socket = new WebSocket(address);
        let opened = 0;
        socket.addEventListener('open', () => (opened = performance.now()));
        socket.addEventListener('close', (event) =>
          resolve([event.code, performance.now() - opened]),
        );
      }),
    url,
  );
  expect(code).toBe(4401);
  // Without the guard, it is 2 s: Chromium waits for the other side.
  expect(milliseconds).toBeLessThan(1_000);
  await context.close();
});
