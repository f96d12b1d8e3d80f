import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.ts';
import { installReact18 } from '../support/install-next.ts';
import { type PageServer, startPageServer } from '../support/page-server.ts';
import { type Party, startParty } from '../support/party.ts';
import { until } from '../support/until.ts';
import type { Shown } from './react/page.tsx';

const MOUNTS = 50;
/** After so many mounts, one lasts until it is live, and ends with an edit. */
const LIVE_EVERY = 10;

let party: Party;
let browser: Browser;
const pageServers: PageServer[] = [];

beforeAll(async () => {
  party = await startParty({
    entry: 'test/room/fixtures/plain.ts',
    config: 'test/room/fixtures/partykit-rooms.json',
  });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await Promise.all(pageServers.map((server) => server.stop()));
  await party?.stop();
});

const show = (page: Page, shown: Shown, value?: string): Promise<void> =>
  page.evaluate(([tree, text]) => window.tested.show(tree, text), [shown, value] as const);
const untilText = async (page: Page, text: string): Promise<void> => {
  await until(text, async () => (await page.locator('main').textContent())?.includes(text));
};
const sockets = (page: Page): Promise<{ made: number; open: number }> =>
  page.evaluate(() => window.tested.sockets());
const untilClosed = async (page: Page, open: number): Promise<void> => {
  await until(`${open} sockets`, async () => (await sockets(page)).open === open);
};
/** The people in a room, as the room itself knows them. */
const peopleIn = async (room: string): Promise<number> => {
  const response = await fetch(`${party.origin}/parties/present/${room}/presence`);
  const { connections = {} } = (await response.json()) as { connections?: object };
  return Object.keys(connections).length;
};
const contentOf = async (room: string): Promise<unknown> =>
  (await fetch(`${party.origin}/parties/present/${room}/store`)).json();
const end = async (page: Page, problems: () => readonly string[]): Promise<void> => {
  expect(await page.evaluate(() => window.tested.errors())).toEqual([]);
  expect(problems().filter((text) => !text.includes('closed before'))).toEqual([]);
  await page.close();
};

describe.each([
  ['19', (): Record<string, string> => ({})],
  ['18', installReact18],
])('with React %s', (version, getAliases) => {
  let url: string;
  beforeAll(async () => {
    const server = await startPageServer({
      entry: fileURLToPath(new URL('react/page.tsx', import.meta.url)),
      alias: getAliases(),
    });
    pageServers.push(server);
    url = server.page({ host: party.host });
  });

  test.each(['room', 'store'] as const)(
    `${MOUNTS} mounts of a %s in strict mode leave no socket, lose no edit, and replace nothing`,
    async (type) => {
      const id = `mounts-${type}-${version}`;
      const { page, problems } = await openPage(browser, url);
      const expected: Record<string, string> = {};
      for (let mount = 0; mount < MOUNTS; mount++) {
        await show(page, { type, id });
        if (mount % LIVE_EVERY === 0) await untilText(page, 'live');
        const value = mount === 0 ? 'first' : `v${mount}`;
        if (mount % LIVE_EVERY === 0) expected[value] = value;
        await show(page, { type: 'nothing' }, expected[value]);
      }
      await untilClosed(page, 0);
      expect(await contentOf(id)).toEqual([{}, expected]);
      expect(await peopleIn(id)).toBe(0);

      const { made } = await sockets(page);
      await show(page, { type, id });
      await untilText(page, 'live: "first"');
      expect(await sockets(page)).toEqual({ made: made + 1, open: 1 });
      await show(page, { type: 'nothing' });
      await untilClosed(page, 0);
      await end(page, problems);
    },
  );

  test('one socket for all mounts of a Store is closed and opened with them', async () => {
    const id = `shared-socket-${version}`;
    const { page, problems } = await openPage(browser, url);
    for (const value of ['first', 'second']) {
      await show(page, { type: 'store', id, isShared: true });
      await untilText(page, 'live');
      await show(page, { type: 'nothing' }, value);
      await untilClosed(page, 0);
    }
    expect(await contentOf(id)).toEqual([{}, { first: 'first', second: 'second' }]);
    await end(page, problems);
  });

  test('a provider for another room leaves the one and enters the other', async () => {
    const [one, other] = [`one-${version}`, `other-${version}`];
    const { page, problems } = await openPage(browser, url);
    await show(page, { type: 'room', id: one });
    await untilText(page, 'live: null, 1 here');
    await show(page, { type: 'room', id: other }, 'first');
    expect(await page.locator('main').textContent()).not.toContain(one);
    await untilText(page, `${other}live: null, 1 here`);
    await untilClosed(page, 1);
    expect([await peopleIn(one), await peopleIn(other)]).toEqual([0, 1]);
    expect(await contentOf(one)).toEqual([{}, { first: 'first' }]);
    await end(page, problems);
  });

  test('a component for another room is never rendered with the persister of the one before', async () => {
    const [one, other] = [`store-one-${version}`, `store-other-${version}`];
    const { page, problems } = await openPage(browser, url);
    await show(page, { type: 'store', id: one });
    await untilText(page, 'live');
    await show(page, { type: 'store', id: other }, 'first');
    await untilText(page, 'live: null');
    await untilClosed(page, 1);
    expect(await contentOf(one)).toEqual([{}, { first: 'first' }]);
    await show(page, { type: 'nothing' });
    await untilClosed(page, 0);
    await end(page, problems);
  });

  test('a component with another token never shows that there is no persister, nor that nothing is started', async () => {
    const id = `tokens-${version}`;
    const { page, problems } = await openPage(browser, url);
    await show(page, { type: 'store', id });
    await untilText(page, 'live');
    await page.evaluate(() => window.tested.takePhases());
    await show(page, { type: 'store', id, token: 'another' }, 'first');
    await until('another socket', async () => (await sockets(page)).made === 2);
    await untilText(page, 'live: "first"');
    await untilClosed(page, 1);
    const phases = await page.evaluate(() => window.tested.takePhases());
    expect(phases).not.toContain('no persister');
    expect(phases).not.toContain('idle');
    expect(await contentOf(id)).toEqual([{}, { first: 'first' }]);
    await show(page, { type: 'nothing' });
    await untilClosed(page, 0);
    await end(page, problems);
  });

  test('a component shows that its persister waits for the Store, as long as it does', async () => {
    const { page } = await openPage(browser, url);
    await show(page, { type: 'second', id: `second-${version}` });
    await untilText(page, 'idle');
    for (const isFollowing of [true, false]) {
      await page.evaluate((is) => window.tested.follow(is), isFollowing);
      await untilText(page, isFollowing ? 'loading' : 'idle');
    }
    await page.close();
  });

  test('a dependency that is new in each render ends the component, and not the server', async () => {
    const { page, problems } = await openPage(browser, url);
    await show(page, { type: 'store', id: `new-${version}`, isNew: true }).catch(() => undefined);
    await until('an error', () =>
      problems().some((text) => text.includes('is another one in each render')),
    );
    await untilClosed(page, 0);
    expect((await sockets(page)).made).toBeLessThan(15);
    await page.close();
  });

  test('the edits of a component that is unmounted without a server are told to its onIgnoredError', async () => {
    const { page } = await openPage(browser, url);
    await show(page, { type: 'store', id: `away-${version}`, isAway: true });
    await untilText(page, 'loading');
    await show(page, { type: 'nothing' }, 'first');
    const lost = /^TinyBasePartyKitError: The component ended, or changed its room/;
    await until('the report', async () =>
      (await page.evaluate(() => window.tested.errors())).some((error) => lost.test(error)),
    );
    await page.close();
  });

  test.each(['once', 'and comes back, and leaves again'])(
    'an edit that the room refuses while its provider leaves %s is told to the onIgnoredError of the client',
    async (times) => {
      const { page } = await openPage(browser, url);
      const room = { type: 'room', id: `refused-${times}-${version}`, party: 'refusing' } as const;
      await show(page, room);
      await untilText(page, 'live');
      await page.evaluate(
        ([shown, isOnce]) => {
          window.tested.show({ type: 'nothing' }, 'noSetValue');
          if (isOnce) return;
          window.tested.show(shown);
          window.tested.show({ type: 'nothing' });
        },
        [room, times === 'once'] as const,
      );
      await untilClosed(page, 0);
      expect(await page.evaluate(() => window.tested.errors())).toEqual([
        expect.stringContaining('The component ended, or changed its room'),
      ]);
      await page.close();
    },
  );

  test('two providers of one room share it, and the last one leaves it', async () => {
    const id = `shared-${version}`;
    const { page, problems } = await openPage(browser, url);
    await show(page, { type: 'room', id, count: 2 });
    await until('both', async () =>
      (await page.locator('p').allTextContents()).every((text) => text.startsWith('live')),
    );
    await show(page, { type: 'room', id, count: 1 });
    await untilText(page, '1 here');
    expect(await sockets(page)).toEqual({ made: 1, open: 1 });
    await show(page, { type: 'nothing' });
    await untilClosed(page, 0);
    await end(page, problems);
  });

  test('a provider that is rendered again renders nothing within it again', async () => {
    const { page, problems } = await openPage(browser, url);
    await show(page, { type: 'room', id: `renders-${version}` });
    await untilText(page, 'live');
    expect(await page.evaluate(() => window.tested.renderProvider())).toBe(0);
    await show(page, { type: 'nothing' });
    await untilClosed(page, 0);
    await end(page, problems);
  });

  test('a provider without an id says what it needs', async () => {
    const { page, problems } = await openPage(browser, url);
    // React throws at whoever rendered, or tells the window.
    const thrown = await show(page, { type: 'room', id: undefined as never }).then(
      () => '',
      String,
    );
    await until('an error', () => thrown !== '' || problems().length > 0);
    expect(`${thrown} ${problems().join(' ')}`).toContain(
      'createRoom and enter need the id of a room',
    );
    expect(await sockets(page)).toEqual({ made: 0, open: 0 });
    await page.close();
  });

  test('components follow a room that has stopped for good and is entered again', async () => {
    const id = `again-${version}`;
    const { page } = await openPage(browser, url);
    await show(page, { type: 'room', id, count: 2 });
    await untilText(page, 'live: null, 1 here');
    await page.evaluate((room) => window.tested.replacePersister(room), id);
    await untilText(page, 'stopped');
    await page.evaluate((room) => window.tested.enterAgain(room), id);
    await until('both', async () =>
      (await page.locator('p').allTextContents()).every((text) => text.startsWith('live')),
    );
    await show(page, { type: 'nothing' }, 'first');
    await untilClosed(page, 0);
    expect(await contentOf(id)).toEqual([{}, { first: 'first' }]);
    await page.close();
  });

  test('a component that is unmounted while its token is on the way opens no socket', async () => {
    const { page, problems } = await openPage(browser, url);
    await page.evaluate(() => window.tested.holdTokens());
    await show(page, { type: 'room', id: `token-${version}` });
    await untilText(page, 'loading');
    await show(page, { type: 'nothing' });
    await page.evaluate(() => window.tested.releaseTokens());
    await show(page, { type: 'room', id: `token-${version}` });
    await untilText(page, 'live');
    expect(await sockets(page)).toEqual({ made: 1, open: 1 });
    await end(page, problems);
  });

  test.runIf(version === '19')(
    'a tree that is hidden and shown again leaves and enters, with the same state',
    async () => {
      const id = `hidden-${version}`;
      const { page, problems } = await openPage(browser, url);
      await show(page, { type: 'room', id });
      await untilText(page, 'live');
      for (let round = 1; round <= 3; round++) {
        await show(page, { type: 'room', id, isHidden: true }, 'first');
        await untilClosed(page, 0);
        expect(await peopleIn(id)).toBe(0);
        await show(page, { type: 'room', id });
        await untilText(page, 'live: "first", 1 here');
        expect(await sockets(page)).toEqual({ made: round + 1, open: 1 });
      }
      await end(page, problems);
    },
  );

  test.runIf(version === '19')(
    'a tree that is hidden and shown again shows the content while it enters',
    async () => {
      const id = `shown-${version}`;
      const { page, problems } = await openPage(browser, url);
      await show(page, { type: 'room', id });
      await untilText(page, 'live');
      await show(page, { type: 'room', id, isHidden: true }, 'first');
      await untilClosed(page, 0);
      await page.evaluate(() => window.tested.holdTokens());
      await show(page, { type: 'room', id });
      await untilText(page, 'loading: "first"');
      await page.evaluate(() => window.tested.releaseTokens());
      await untilText(page, 'live: "first", 1 here');
      await end(page, problems);
    },
  );
});
