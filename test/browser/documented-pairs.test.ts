import type { Browser, Page } from 'playwright-core';
import type { Store } from 'tinybase';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { PartyKitPersister } from '../../src/client/index.ts';
import { launchBrowser, openPage } from '../support/browser.ts';
import { type DocumentedPair, startDocumentedPair } from '../support/documented-pair.ts';
import type { Party } from '../support/party.ts';
import { SECRET } from '../support/token-secret.ts';
import { until } from '../support/until.ts';

declare global {
  interface Window {
    documented: { readonly persister: PartyKitPersister; readonly store: Store };
  }
}

let browser: Browser;
let party: Party | undefined;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterEach(() => party?.stop());
afterAll(() => browser?.close());

/** A window, and what its page wrote to the console. */
interface Window {
  readonly page: Page;
  readonly logged: string[];
  readonly problems: () => readonly string[];
}

const open = async (query = ''): Promise<Window> => {
  const logged: string[] = [];
  const context = await browser.newContext();
  context.on('console', (message) => logged.push(message.text()));
  const { page, problems } = await openPage(context, `${party?.origin ?? ''}/${query}`);
  return { page, logged, problems };
};
const start = async (app: DocumentedPair): Promise<Party> => {
  party = await startDocumentedPair(app);
  return party;
};
const untilText = ({ page }: Window, text: string): Promise<unknown> =>
  until(text, async () => (await page.locator('body').textContent())?.includes(text));
const untilLogged = ({ logged }: Window, text: string): Promise<unknown> =>
  until(`"${text}" to be logged`, () => logged.some((line) => line.includes(text)));
/** The examples have the port that `partykit dev` has by default. */
const withHostOfPage = (text: string): string =>
  text.replaceAll("'localhost:1999'", 'location.host');

test('the pair in README.md works in two windows', async () => {
  await start({ document: 'README.md', room: 'room.ts', page: 'page.ts', edit: withHostOfPage });
  const [one, two] = [await open(), await open()];
  for (const window of [one, two])
    await untilText(window, '"fido": {\n      "species": "dog"\n    }');
  expect([...one.problems(), ...two.problems(), ...one.logged, ...two.logged]).toEqual([]);
});

test('the pair in docs/auth.md lets in who has a token, and nobody without one', async () => {
  const { origin } = await start({
    document: 'docs/auth.md',
    room: 'guarded-room.ts',
    page: 'guarded-page.ts',
    variables: { AUTH_SECRET: SECRET },
    edit: (text) =>
      withHostOfPage(text) +
      (text.includes('new PartySocket')
        ? 'Object.assign(globalThis, { documented: { persister, store } });\n'
        : ''),
  });
  const [ada, eve, nobody] = [await open('?name=Ada'), await open('?name=Eve'), await open()];
  await untilText(nobody, 'You may not enter: unauthorized');
  for (const window of [ada, eve]) await untilText(window, 'live');
  await eve.page.getByRole('button').click();
  await ada.page.getByRole('button').click();
  await ada.page.evaluate(() => globalThis.window.documented.persister.whenConfirmed());
  for (const { page } of [ada, eve])
    await until('one pet', () =>
      page.evaluate(() => globalThis.window.documented.store.getRowCount('pets') === 1),
    );
  expect([...ada.problems(), ...eve.problems()]).toEqual([]);
  const store = `${origin}/parties/main/my-board/store`;
  expect((await fetch(store)).status).toBe(401);
  const token = await (await fetch(`${origin}/api/token?room=my-board&name=Eve`)).text();
  const content = await fetch(`${store}?token=${encodeURIComponent(token)}`);
  const [{ pets }] = (await content.json()) as [{ pets: object }];
  expect(Object.values(pets)).toEqual([{ species: 'dog' }]);
});

test('the pair in docs/events.md calls, and both windows hear', async () => {
  await start({
    document: 'docs/events.md',
    room: 'events-room.ts',
    page: 'events-page.ts',
  });
  const one = await open();
  await untilLogged(one, 'Somebody has come');
  const two = await open();
  await untilLogged(two, 'Somebody has come');
  await one.page.getByRole('button').click();
  await untilLogged(one, 'is stored.');
  for (const window of [one, two]) {
    await untilLogged(window, ' waves');
    await untilLogged(window, 'added {"text":"Buy bread"}');
  }
  await untilLogged(one, 'That makes 42');
  expect(two.logged.filter((line) => line.includes('makes'))).toEqual([]);
  expect([...one.problems(), ...two.problems()]).toEqual([]);
});
