import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.ts';
import { type PageServer, startPageServer } from '../support/page-server.ts';
import { type Party, startParty } from '../support/party.ts';
import { until } from '../support/until.ts';
// The types of the page's globals.
import type { EventfulPage } from './pages/eventful-page.ts';

let party: Party;
let pageServer: PageServer;
let browser: Browser;

beforeAll(async () => {
  party = await startParty({
    entry: 'test/room/fixtures/plain.ts',
    config: 'test/room/fixtures/partykit-rooms.json',
  });
  pageServer = await startPageServer({ entry: 'test/browser/pages/eventful-page.ts' });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await pageServer?.stop();
  await party?.stop();
});

/** A person's window, in a browser of their own. */
const open = async (room: string, id: string): Promise<Page> => {
  const context = await browser.newContext();
  const { page } = await openPage(context, pageServer.page({ host: party.host, room, id }));
  await untilLive(page);
  return page;
};
const untilLive = (page: Page): Promise<unknown> =>
  until('the page to be live', async () => (await phaseOf(page)) === 'live');
const phaseOf = (page: Page): Promise<string> =>
  page.evaluate(() => globalThis.window.eventful.persister.getSync().phase);
const heardBy = (page: Page): Promise<EventfulPage['heard']> =>
  page.evaluate(() => globalThis.window.eventful.heard);
const endedBy = (page: Page): Promise<EventfulPage['ended']> =>
  page.evaluate(() => globalThis.window.eventful.ended);
const untilEnded = (page: Page, count: number): Promise<unknown> =>
  until(`the end of ${count} calls`, async () => (await endedBy(page)).length === count);
/** Edits and calls in turn. Resolves to the edits that each call saw, and the note that it has made, as the Store shows it. */
const editAndCall = (page: Page): Promise<readonly (readonly [number, unknown])[]> =>
  page.evaluate(async () => {
    const { store, events, socket } = globalThis.window.eventful;
    const seen: [number, unknown][] = [];
    for (let step = 1; step <= 10; step += 1) {
      store.setCell('edits', `${socket.id}${step}`, 'made', true);
      const count = await events.call.count();
      const id = await events.call.addNote({ text: `${socket.id} ${step}` });
      seen.push([count, store.getCell('notes', id, 'text')]);
    }
    return seen;
  });
const untilHeard = (page: Page, count: number): Promise<unknown> =>
  until(`${count} events`, async () => (await heardBy(page)).length === count);

test('[EVENT-7] two people send and call: what is for all reaches both, what is for one reaches that one', async () => {
  const [ada, bob] = [await open('talk', 'ada'), await open('talk', 'bob')];
  await ada.evaluate(() => {
    globalThis.window.eventful.events.send.wave();
    globalThis.window.eventful.events.send('double', { value: 2 });
  });
  const doubled = await bob.evaluate(async () => [
    await globalThis.window.eventful.events.call.double({ value: 21 }),
    await globalThis.window.eventful.events.call('double', { value: 4 }),
  ]);
  expect(doubled).toEqual([42, 8]);
  await Promise.all([untilHeard(ada, 2), untilHeard(bob, 3)]);
  expect(await heardBy(ada)).toEqual([
    ['waved', 'ada', 'ada'],
    ['doubled', 4, 'ada'],
  ]);
  expect(await heardBy(bob)).toEqual(
    expect.arrayContaining([
      ['waved', 'ada', 'ada'],
      ['doubled', 42, 'bob'],
      ['doubled', 8, 'bob'],
    ]),
  );
  await Promise.all([ada.context().close(), bob.context().close()]);
});

test('[EVENT-1] [EVENT-2] calls see the edits before them, and events come with what they tell of', async () => {
  const [ada, bob] = [await open('order', 'ada'), await open('order', 'bob')];
  const [adas, bobs] = await Promise.all([editAndCall(ada), editAndCall(bob)]);
  for (const [name, seen] of [
    ['ada', adas],
    ['bob', bobs],
  ] as const) {
    expect(seen.map(([, text]) => text)).toEqual(seen.map((_, index) => `${name} ${index + 1}`));
    for (const [index, [count]] of seen.entries()) expect(count).toBeGreaterThan(index);
  }
  await Promise.all([untilHeard(ada, 20), untilHeard(bob, 20)]);
  // Nobody hears of a note without having it, and both hear of all in one order.
  expect(await heardBy(ada)).toEqual(await heardBy(bob));
  expect((await heardBy(ada)).filter((event) => (event as unknown[])[1] === undefined)).toEqual([]);
  await Promise.all([ada.context().close(), bob.context().close()]);
});

test('[EVENT-5] a call that is under way when the server is killed rejects; one made meanwhile waits and runs once', async () => {
  const ada = await open('cut', 'ada');
  await ada.evaluate(async () => {
    const { store, persister, events } = globalThis.window.eventful;
    await events.call.addNote({ text: 'before' });
    store.setValue('confirmed', true);
    await persister.whenConfirmed();
    void events.call.wait(60_000).catch((error: unknown) => {
      globalThis.window.eventful.ended.push((error as { code: unknown }).code);
    });
  });
  await party.kill9();
  await untilEnded(ada, 1);
  await ada.evaluate(() => {
    const { events, ended } = globalThis.window.eventful;
    void events.call.addNote({ text: 'meanwhile' }).then((id) => ended.push(id));
  });
  await party.restart();
  await untilEnded(ada, 2);
  expect(await endedBy(ada)).toEqual(['network', 'note1']);
  await untilLive(ada);
  const notes = await ada.evaluate(() => globalThis.window.eventful.store.getTable('notes'));
  // The room counts notes from the beginning of each of its lives.
  expect(notes).toEqual({ note1: { text: 'meanwhile' } });
  const answer = await fetch(`${party.origin}/parties/eventful/cut/store`);
  expect(await answer.json()).toMatchObject([{ notes }, { confirmed: true }]);
  await ada.context().close();
});
