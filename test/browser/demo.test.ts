import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.ts';
import { type PageServer, startPageServer } from '../support/page-server.ts';
import { type Party, startParty } from '../support/party.ts';
import { until } from '../support/until.ts';

let party: Party;
let pageServer: PageServer;
let browser: Browser;

beforeAll(async () => {
  party = await startParty({ entry: 'demo/room.ts', config: 'partykit.json' });
  pageServer = await startPageServer({
    entry: 'demo/page.ts',
    scriptPath: '/dist/page.js',
    folder: 'demo/public',
  });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await pageServer?.stop();
  await party?.stop();
});

const addTask = async (page: Page, text: string): Promise<void> => {
  await page.getByLabel('New task').fill(text);
  await page.getByRole('button', { name: 'Add' }).click();
};

const taskTexts = (page: Page): Promise<string[]> =>
  page
    .getByLabel('Task', { exact: true })
    .evaluateAll((inputs) =>
      inputs.map((input) => (input instanceof HTMLInputElement ? input.value : '')),
    );

const untilConnected = (page: Page): Promise<unknown> =>
  until('the page to be connected', async () =>
    (await page.getByRole('status').textContent())?.startsWith('Connected'),
  );

test.each([
  ['served by the room', () => `${party.origin}/?room=own-origin`],
  [
    'at the address that partykit dev prints first',
    () => `http://0.0.0.0:${party.port}/?room=any-address`,
  ],
  ['served by another origin', () => pageServer.page({ room: 'other-origin', host: party.host })],
])('two windows of the demo, %s, see each other edit', async (_where, getUrl) => {
  const first = await openPage(browser, getUrl());
  await untilConnected(first.page);
  const second = await openPage(browser, getUrl());
  await untilConnected(second.page);

  await addTask(first.page, 'Buy bread');
  await until('the first task in the second window', async () =>
    (await taskTexts(second.page)).includes('Buy bread'),
  );
  await addTask(second.page, 'Water the plants');
  await until(
    'both tasks in the first window',
    async () => (await taskTexts(first.page)).length === 2,
  );

  await first.page.getByLabel('Title of the list').fill('Saturday');
  await until(
    'the new title in the second window',
    async () => (await second.page.getByLabel('Title of the list').inputValue()) === 'Saturday',
  );

  await second.page.getByLabel('Done').first().check();
  await until('the tick in the first window', () =>
    first.page.getByLabel('Done').first().isChecked(),
  );

  await first.page.getByLabel('Delete').first().click();
  await until(
    'one task in the second window',
    async () => (await taskTexts(second.page)).length === 1,
  );

  expect(first.problems()).toEqual([]);
  expect(second.problems()).toEqual([]);
  await first.page.close();
  await second.page.close();
});

test('a window that is cut, while both edit, and heals: both end equal', async () => {
  const room = pageServer.page({ room: 'cut', host: party.host });
  const first = await openPage(browser, room);
  await untilConnected(first.page);
  const second = await openPage(browser, room);
  await untilConnected(second.page);
  await addTask(first.page, 'Before');
  await until(
    'the task in the second window',
    async () => (await taskTexts(second.page)).length === 1,
  );

  await first.page.getByRole('button', { name: 'Cut the network' }).click();
  expect(await first.page.getByRole('status').textContent()).toContain('Network cut');
  await addTask(first.page, 'Made offline');
  await first.page.getByLabel('Title of the list').fill('Title made offline');
  await addTask(second.page, 'Made meanwhile');
  await second.page.getByLabel('Done').first().check();
  expect(await first.page.getByRole('status').textContent()).toMatch(/[1-9]\d* unsaved edit/);
  expect(await taskTexts(second.page)).toHaveLength(2);

  await first.page.getByRole('button', { name: 'Reconnect' }).click();
  await until('all edits of the first window to be saved', async () =>
    (await first.page.getByRole('status').textContent())?.endsWith('all edits saved'),
  );
  await until('three tasks in both windows', async () => {
    const [here, there] = [await taskTexts(first.page), await taskTexts(second.page)];
    return here.length === 3 && here.toSorted().join() === there.toSorted().join();
  });
  expect(await second.page.getByLabel('Title of the list').inputValue()).toBe('Title made offline');
  expect(await first.page.getByLabel('Done').first().isChecked()).toBe(true);
  await first.page.close();
  await second.page.close();
});

test('a browser that loses its network notices, and is equal to the others once it has one again', async () => {
  const context = await browser.newContext();
  const url = pageServer.page({ room: 'offline', host: party.host });
  const { page } = await openPage(context, url);
  await untilConnected(page);
  const other = await openPage(browser, url);
  await untilConnected(other.page);

  await context.setOffline(true);
  await addTask(page, 'Made offline');
  await addTask(other.page, 'Made meanwhile');
  // Without the browser's word, a connection that says nothing is believed in for 40 seconds.
  await until('the page to notice', async () =>
    (await page.getByRole('status').textContent())?.startsWith('Connecting'),
  );
  expect(await taskTexts(page)).toEqual(['Made offline']);

  await context.setOffline(false);
  // PartySocket waits for up to 10 seconds before it tries again.
  await until(
    'the edit to be saved',
    async () => (await page.getByRole('status').textContent())?.endsWith('all edits saved'),
    { deadlineMilliseconds: 30_000 },
  );
  await until('two tasks in both windows', async () => {
    const [here, there] = [await taskTexts(page), await taskTexts(other.page)];
    return here.length === 2 && here.toSorted().join() === there.toSorted().join();
  });
  await context.close();
  await other.page.close();
});

test('what the room refuses comes back, and the page says why', async () => {
  const { page } = await openPage(browser, pageServer.page({ room: 'refusal', host: party.host }));
  await untilConnected(page);
  await addTask(page, 'Not done yet');
  await page.getByLabel('Delete').click();
  await until('the refusal to show', () => page.getByRole('alert').isVisible());
  expect(await page.getByRole('alert').textContent()).toContain('refused to delete');
  expect(await taskTexts(page)).toEqual(['Not done yet']);

  await page.getByLabel('Done').check();
  await page.getByLabel('Delete').click();
  await until('the task to be gone', async () => (await taskTexts(page)).length === 0);
  await page.close();
});

test('a window asks before it is left with edits that are not saved, and only then', async () => {
  const { page } = await openPage(browser, pageServer.page({ room: 'leaving', host: party.host }));
  const questions: string[] = [];
  page.on('dialog', (dialog) => {
    questions.push(dialog.type());
    void dialog.accept();
  });
  await untilConnected(page);
  await addTask(page, 'Saved');
  await until('the edit to be saved', async () =>
    (await page.getByRole('status').textContent())?.endsWith('all edits saved'),
  );
  await page.reload();
  expect(questions).toEqual([]);

  await untilConnected(page);
  await page.getByRole('button', { name: 'Cut the network' }).click();
  await addTask(page, 'Made offline');
  await page.reload();
  expect(questions).toEqual(['beforeunload']);
  await page.close();
});

test('a server that is killed and comes back has everything, and the open window goes on', async () => {
  const { page } = await openPage(browser, pageServer.page({ room: 'killed', host: party.host }));
  await untilConnected(page);
  await addTask(page, 'Saved before');
  await until('the edit to be saved', async () =>
    (await page.getByRole('status').textContent())?.endsWith('all edits saved'),
  );
  await party.kill9();
  await until('the page to notice', async () =>
    (await page.getByRole('status').textContent())?.startsWith('Connecting'),
  );
  await addTask(page, 'Made while it was down');
  const problem = page.getByText('Is the server running?');
  await until('the page to say what is wrong', () => problem.isVisible(), {
    deadlineMilliseconds: 20_000,
  });
  await party.restart();
  await until(
    'the edit to be saved',
    async () => (await page.getByRole('status').textContent())?.endsWith('all edits saved'),
    { deadlineMilliseconds: 30_000 },
  );
  expect(await page.locator('#problem').isVisible()).toBe(false);
  const other = await openPage(browser, pageServer.page({ room: 'killed', host: party.host }));
  await untilConnected(other.page);
  expect((await taskTexts(other.page)).toSorted()).toEqual([
    'Made while it was down',
    'Saved before',
  ]);
  await page.close();
  await other.page.close();
});
