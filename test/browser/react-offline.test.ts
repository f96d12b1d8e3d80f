import { fileURLToPath } from 'node:url';
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
  party = await startParty({
    entry: 'test/room/fixtures/plain.ts',
    config: 'test/room/fixtures/partykit-rooms.json',
  });
  pageServer = await startPageServer({
    entry: fileURLToPath(new URL('react/offline-page.tsx', import.meta.url)),
  });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await pageServer?.stop();
  await party?.stop();
});

const add = (page: Page, note: string): Promise<void> => page.locator('input').fill(note);
const click = (page: Page, name: string): Promise<void> =>
  page.getByRole('button', { name, exact: true }).click();
const untilText = async (page: Page, selector: string, text: string): Promise<void> => {
  await until(text, async () => (await page.locator(selector).textContent()) === text);
};

test.each(['client', 'persister'])(
  'with a %s, React shows unsent edits after a reload without the server, and sends them later',
  async (kind) => {
    const context = await browser.newContext();
    const room = `notes-${kind}`;
    const url = pageServer.page({ host: party.host, room, with: kind });
    const { page, problems } = await openPage(context, url);
    await untilText(page, 'output', 'live 0');
    await add(page, 'one');
    await untilText(page, 'output', 'live 0');
    await party.kill9();
    await add(page, 'two');
    await add(page, 'three');
    await click(page, 'Undo');
    await untilText(page, 'p', 'one two');
    await until('the content to be kept', async () => {
      await page.reload();
      await page.locator('output').waitFor();
      return (await page.locator('p').textContent()) === 'one two';
    });
    // Steps are not kept, and the next edits have some.
    expect(await page.getByRole('button', { name: 'Undo' }).isDisabled()).toBe(true);
    await add(page, 'four');
    await click(page, 'Undo');
    await untilText(page, 'p', 'one two');
    await click(page, 'Redo');
    await untilText(page, 'p', 'four one two');
    await party.restart();
    await untilText(page, 'output', 'live 0');
    const response = await fetch(party.room(room, '/store'));
    expect(await response.json()).toEqual([{}, { one: true, two: true, four: true }]);
    const reported = await page.evaluate(() => window.reported);
    expect(reported.filter((text) => !text.startsWith('network'))).toEqual([]);
    const expected = /ERR_CONNECTION_REFUSED|closed before|WebSocket connection/;
    expect(problems().filter((text) => !expected.test(text))).toEqual([]);
    await context.close();
  },
);

test('with a client, React tells of an edit that neither the room nor the device has when its provider leaves', async () => {
  const context = await browser.newContext();
  const url = pageServer.page({
    host: party.host,
    room: 'left',
    with: 'client',
    storage: 'broken',
  });
  const { page } = await openPage(context, url);
  await untilText(page, 'output', 'live 0');
  await party.kill9();
  await add(page, 'mine');
  await click(page, 'Leave');
  const told = (): Promise<readonly string[]> =>
    page.evaluate(() => window.reported.filter((text) => text.startsWith('destroyed')));
  await until('the report', async () => (await told()).length > 0);
  expect(await told()).toEqual([
    expect.stringContaining('The component ended, or changed its room'),
  ]);
  await context.close();
  await party.restart();
});
