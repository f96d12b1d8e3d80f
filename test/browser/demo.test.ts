import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.ts';
import { contrastsOf } from '../support/contrast.ts';
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

/** The first four notes, in the order of a new board. */
const [DRAG, WRITE, , PINNED] = [0, 1, 2, 3];
const FIRST_COUNT = 4;

const inRoom = (room: string): string =>
  `${party.origin}/?${String(new URLSearchParams({ room }))}`;

const sidesOf = (page: Page): { readonly left: Locator; readonly right: Locator } => ({
  left: page.locator('.pane').first(),
  right: page.locator('.pane').nth(1),
});

const part = (root: Locator | Page, name: string): Locator => root.locator(`[data-part="${name}"]`);

const textOf = async (locator: Locator): Promise<string> => (await locator.textContent()) ?? '';

const textsIn = (side: Locator): Promise<string[]> =>
  side
    .getByLabel('Note', { exact: true })
    .evaluateAll((fields) =>
      fields.map((field) => (field instanceof HTMLTextAreaElement ? field.value : '')),
    );

/** The place of a note on its board, as a style: it does not depend on the size of the window. */
const placeOf = (side: Locator, note: number): Promise<string> =>
  side
    .locator('.note')
    .nth(note)
    .evaluate((element) => element.getAttribute('style') ?? '');

const untilState = (
  side: Locator,
  state: string,
  deadlineMilliseconds = 15_000,
): Promise<unknown> =>
  until(`the state "${state}"`, async () => (await textOf(part(side, 'state'))) === state, {
    deadlineMilliseconds,
  });

/** The notes of a side, with their places, all as they are at one moment. */
const boardOf = (side: Locator): Promise<string[]> =>
  side
    .locator('.note')
    .evaluateAll((notes) =>
      notes.map((note) =>
        [
          note.querySelector('textarea')?.value,
          note.getAttribute('style')?.replace(/--hue.*/, ''),
        ].join(' at '),
      ),
    );

const untilEqual = (sides: readonly Locator[], count: number): Promise<unknown> =>
  until(`${count} notes on each board, all equal`, async () => {
    const boards = await Promise.all(sides.map(boardOf));
    return boards.every((board) => board.length === count && board.join() === boards[0]?.join());
  });

/** Opens the page as a person who was never there. */
async function visit(
  url: string,
  options: BrowserContextOptions = {},
  people: readonly (readonly [string, string])[] = [],
): Promise<{
  readonly page: Page;
  readonly left: Locator;
  readonly right: Locator;
  readonly problems: () => readonly string[];
  readonly close: () => Promise<void>;
}> {
  const context = await browser.newContext(options);
  await context.addInitScript((names) => {
    for (const [key, name] of names)
      sessionStorage.setItem(key, sessionStorage.getItem(key) ?? name);
  }, people);
  const { page, problems } = await openPage(context, url);
  const sides = sidesOf(page);
  await untilState(sides.left, 'Synced');
  return { page, ...sides, problems, close: () => context.close() };
}

const addNote = async (side: Locator, text: string): Promise<void> => {
  await part(side, 'add').click();
  // The new note has the focus.
  await side.page().keyboard.type(text);
  await side.page().keyboard.press('Tab');
};

/** Takes a note by its bar and moves it, without letting go. */
const drag = async (side: Locator, note: number, right: number, down: number): Promise<void> => {
  const box = await part(side.locator('.note').nth(note), 'handle').boundingBox();
  if (box === null) throw new Error('The note is not visible.');
  const { mouse } = side.page();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await mouse.move(x, y);
  await mouse.down();
  await mouse.move(x + right / 2, y + down / 2);
  await mouse.move(x + right, y + down);
};

test.each([
  ['served by the room', () => inRoom('own-origin')],
  [
    'at the address that partykit dev prints first',
    () => `http://0.0.0.0:${party.port}/?room=any-address`,
  ],
  ['served by another origin', () => pageServer.page({ room: 'other-origin', host: party.host })],
])(
  'both sides and a second window of the demo, %s, see each other edit',
  async (_where, getUrl) => {
    const first = await visit(getUrl());
    const second = await visit(`${getUrl()}&panes=1`);
    expect(await second.page.locator('.pane').count()).toBe(1);

    await addNote(first.left, 'Buy bread');
    await addNote(second.left, 'Water the plants');
    await untilEqual([first.left, first.right, second.left], FIRST_COUNT + 2);

    await first.right.getByLabel('Delete').first().click();
    await untilEqual([first.left, first.right, second.left], FIRST_COUNT + 1);

    expect(first.problems()).toEqual([]);
    expect(second.problems()).toEqual([]);
    await first.close();
    await second.close();
  },
);

test('everybody sees a note that is dragged; the drop alone is an edit', async () => {
  const { page, left, right, close } = await visit(inRoom('drag'));
  const before = await placeOf(right, DRAG);
  const version = await textOf(part(right, 'version'));
  await drag(left, DRAG, 90, 60);
  await until('the note to be dragged on the other side', async () =>
    /held/.test((await right.locator('.note').nth(DRAG).getAttribute('class')) ?? ''),
  );
  const name = await textOf(part(left, 'name'));
  expect(await textOf(part(right.locator('.note').nth(DRAG), 'foot'))).toBe(`${name} moves this`);
  expect(await textOf(part(right, 'version'))).toBe(version);

  await page.mouse.up();
  await until(
    'the commit',
    async () => Number(await textOf(part(right, 'version'))) === Number(version) + 1,
  );
  expect(await placeOf(right, DRAG)).not.toBe(before);
  await untilEqual([left, right], FIRST_COUNT);
  await close();
});

test('a text travels word by word, and a pause sends the rest', async () => {
  const { left, right, close, page } = await visit(inRoom('words'));
  const version = Number(await textOf(part(left, 'version')));
  await part(left, 'add').click();
  await page.keyboard.type('Hello wor');
  await until('the first word', async () => (await textsIn(right)).includes('Hello '));
  await until('the rest', async () => (await textsIn(right)).includes('Hello wor'));
  // The note, the word and the rest: not one for each key.
  await until(
    'the last ack',
    async () => Number(await textOf(part(left, 'version'))) >= version + 3,
  );
  expect(Number(await textOf(part(left, 'version')))).toBe(version + 3);
  await close();
});

test('two people in one note: each sees the other there, and the last word wins', async () => {
  const first = await visit(`${inRoom('one-note')}&panes=1`);
  const name = await textOf(part(first.left, 'name'));
  let second = await visit(`${inRoom('one-note')}&panes=1`);
  let other = await textOf(part(second.left, 'name'));
  // Names are made at random, so two people may have the same.
  while (other === name) {
    await second.close();
    second = await visit(`${inRoom('one-note')}&panes=1`);
    other = await textOf(part(second.left, 'name'));
  }
  const field = first.left.getByLabel('Note', { exact: true }).nth(WRITE);
  const otherField = second.left.getByLabel('Note', { exact: true }).nth(WRITE);
  await field.focus();
  await otherField.focus();
  const foot = part(first.left.locator('.note').nth(WRITE), 'foot');
  await until('the warning', async () =>
    (await textOf(foot)).startsWith(`${other} writes here, too`),
  );
  await field.fill('First ');
  await until('the first text', async () => (await otherField.inputValue()) === 'First ');
  await otherField.fill('Last ');
  await until('the last text', async () => (await field.inputValue()) === 'Last ');
  await first.close();
  await second.close();
});

test('a text that is being written is not replaced by one that arrives', async () => {
  const { left, right, close, page } = await visit(inRoom('being-written'));
  const field = left.getByLabel('Note', { exact: true }).nth(WRITE);
  await field.focus();
  await page.keyboard.press('End');
  await field.evaluate((element) => {
    if (!(element instanceof HTMLTextAreaElement)) return;
    element.value = 'half';
    element.dispatchEvent(new Event('input'));
  });
  await page.evaluate(() => {
    const [, other] = document.querySelectorAll('.pane');
    const [, otherField] = other?.querySelectorAll('textarea') ?? [];
    if (otherField === undefined) return;
    otherField.value = 'Whole ';
    otherField.dispatchEvent(new Event('input'));
  });
  await until(
    'the one that came last on both sides',
    async () => (await textsIn(left))[WRITE] === 'half' && (await textsIn(right))[WRITE] === 'half',
  );
  await close();
});

test('people see each other, their pointers and their waves', async () => {
  const { page, left, right, close } = await visit(inRoom('people'));
  const name = await textOf(part(left, 'name'));
  await until('the other person', async () => (await textOf(part(right, 'people'))).includes(name));
  const box = await part(left, 'board').boundingBox();
  await page.mouse.move((box?.x ?? 0) + 200, (box?.y ?? 0) + 150);
  await until('the pointer', async () => (await textOf(part(right, 'pointers'))) === name);
  expect(await textOf(part(left, 'pointers'))).toBe('');

  await part(left, 'wave').click();
  await until('the wave', async () => (await textOf(part(right, 'news'))) === `${name} waves.`);
  expect(await textOf(part(left, 'news'))).toBe('You wave.');
  await until('the pointer to be gone', async () => (await textOf(part(right, 'pointers'))) === '');
  await close();
});

test('who waves without an end does not hide the board', async () => {
  const { page, left, close } = await visit(`${inRoom('waves')}&panes=1`);
  const other = await visit(`${inRoom('waves')}&panes=1`);
  await page.evaluate(() => {
    const counts: number[] = [];
    Object.assign(window, { counts });
    new MutationObserver(() => counts.push(document.querySelectorAll('.wave').length)).observe(
      document.body,
      { childList: true, subtree: true },
    );
  });
  await part(other.left, 'wave').evaluate((button) => {
    for (let click = 0; click < 100; click += 1) (button as HTMLElement).click();
  });
  await until('the waves', () => left.locator('.wave').first().isVisible());
  await until('the end of the waves', async () => (await left.locator('.wave').count()) === 0);
  const most = await page.evaluate(() =>
    Math.max(...(window as unknown as { counts: number[] }).counts),
  );
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(12);
  await other.close();
  await close();
});

test('a side that is cut, while both edit, and heals: both end equal, and the catch-up is small', async () => {
  const { left, right, close } = await visit(inRoom('cut'));
  await part(left, 'network').click();
  expect(await part(left, 'network').getAttribute('aria-checked')).toBe('false');
  await untilState(left, 'Network cut');
  await until('the news', async () => (await textOf(part(left, 'news'))) === 'Network cut');
  await addNote(left, 'Made offline');
  await addNote(right, 'Made meanwhile');
  expect(await textOf(part(left, 'state'))).toMatch(/^Network cut · [1-9]\d* unsaved$/);
  expect(await textsIn(right)).not.toContain('Made offline');

  await part(left, 'network').click();
  await untilState(left, 'Synced');
  await untilEqual([left, right], FIRST_COUNT + 2);
  expect(await textOf(part(left, 'commits'))).toMatch(/caught up/);
  expect(await textOf(part(left, 'catch-up'))).toMatch(/^\d+ B of \d+ B$/);
  expect(await textOf(part(left, 'round-trip'))).toMatch(/^\d+ ms$/);
  await close();
});

test('commits are listed with their authors and bytes', async () => {
  const { left, right, close } = await visit(inRoom('commits'));
  await left.getByLabel('Delete').first().click();
  const name = await textOf(part(left, 'name'));
  const first = (side: Locator): Locator => part(side, 'commits').locator('li').first();
  await until('the commit of the other', async () =>
    new RegExp(`^#2${name}\\d+ B$`).test(await textOf(first(right))),
  );
  await until('the own commit', async () => /^#2you\d+ B$/.test(await textOf(first(left))));
  await close();
});

test('a browser that loses its network notices, and is equal to the others once it has one again', async () => {
  const first = await visit(`${inRoom('offline')}&panes=1`);
  const second = await visit(`${inRoom('offline')}&panes=1`);
  await first.page.context().setOffline(true);
  await addNote(first.left, 'Made offline');
  await addNote(second.left, 'Made meanwhile');
  // Without the browser's word, a connection that says nothing is believed in for 40 seconds.
  await until('the page to notice', async () =>
    (await textOf(part(first.left, 'state'))).startsWith('Connecting'),
  );
  expect(await textsIn(first.left)).not.toContain('Made meanwhile');
  await first.page.context().setOffline(false);
  await untilState(first.left, 'Synced', 30_000);
  await untilEqual([first.left, second.left], FIRST_COUNT + 2);
  await first.close();
  await second.close();
});

test('a refused edit comes back, and the page says why', async () => {
  const { page, left, right, close } = await visit(inRoom('refusal'));
  const place = await placeOf(left, PINNED);
  await drag(left, PINNED, -120, -60);
  await page.mouse.up();
  await until('the refusal', () => part(left, 'refusal').isVisible());
  expect(await textOf(left.getByRole('alert'))).toContain('a pinned note stays as it is');
  expect(await placeOf(left, PINNED)).toBe(place);
  expect(await placeOf(right, PINNED)).toBe(place);

  await left.locator('.note').nth(PINNED).getByLabel('Delete').click();
  await until('the note to be back', async () => (await textsIn(left)).length === FIRST_COUNT);

  await left.locator('.note').nth(PINNED).getByLabel('Pin').click();
  await until(
    'the pin to be gone on the other side',
    async () =>
      (await right.locator('.note').nth(PINNED).getByLabel('Pin').getAttribute('aria-pressed')) ===
      'false',
  );
  await left.locator('.note').nth(PINNED).getByLabel('Delete').click();
  await untilEqual([left, right], FIRST_COUNT - 1);
  await close();
});

test('who may only read sees every edit, and is told that the own ones are refused', async () => {
  const reader = await visit(`${inRoom('reader')}&panes=1&reader`);
  const writer = await visit(`${inRoom('reader')}&panes=1`);
  await reader.left.getByLabel('Delete').first().click();
  await until('the refusal', async () =>
    (await textOf(part(reader.left, 'refusal'))).includes('you may only read'),
  );
  await writer.left.getByLabel('Delete').first().click();
  await untilEqual([reader.left, writer.left], FIRST_COUNT - 1);
  await reader.close();
  await writer.close();
});

test('who may only read is not offered what readers cannot do', async () => {
  const { page, close } = await visit(`${inRoom('reader-of-two')}&reader`);
  expect(await part(page, 'trials').isVisible()).toBe(false);
  await close();
});

test('the page says which rule of the board an edit breaks', async () => {
  const { left, right, close } = await visit(inRoom('rules'));
  const refusal = part(left, 'refusal');
  const field = left.getByLabel('Note', { exact: true }).nth(WRITE);
  const text = await field.inputValue();
  // The field takes no more, but a page may do anything.
  await field.evaluate((element) => {
    if (!(element instanceof HTMLTextAreaElement)) return;
    element.value = 'ab '.repeat(3_000);
    element.dispatchEvent(new Event('input'));
  });
  await until('the refusal of the text', async () =>
    (await textOf(refusal)).includes('a note has at most 280 characters'),
  );
  await until('the text to be back', async () => (await field.inputValue()) === text);

  const most = 60;
  await part(left, 'add').evaluate(
    (button, clicks) => {
      if (!(button instanceof HTMLElement)) return;
      for (let click = 0; click < clicks; click += 1) button.click();
    },
    most + 1 - FIRST_COUNT,
  );
  await until(
    'the refusal of the last one',
    async () => (await textOf(refusal)) === 'Refused: a board has at most 60 notes.',
  );
  await untilEqual([left, right], most);
  // No note hides another one.
  const places = await left
    .locator('.note')
    .evaluateAll((notes) =>
      notes.map((note) => (note instanceof HTMLElement ? note.style.left + note.style.top : '')),
    );
  expect(new Set(places).size).toBe(most);
  await close();
});

test('a page that has kept a name which is none draws another one', async () => {
  const nobody = [
    ['board-person-left', 'a '],
    ['board-person-right', 'b  \u202E'],
  ] as const;
  const { left, right, close } = await visit(inRoom('nobody'), {}, nobody);
  for (const side of [left, right])
    expect(await textOf(part(side, 'name'))).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/);
  await close();
});

test('undo takes back the own edits alone, by button and by key', async () => {
  const { page, left, right, close } = await visit(inRoom('undo'));
  expect(await part(left, 'undo').getAttribute('aria-disabled')).toBe('true');
  await left.getByLabel('Delete').nth(DRAG).click();
  await until('the first deletion', async () => (await textsIn(right)).length === FIRST_COUNT - 1);
  await addNote(right, 'Stays');
  await part(left, 'undo').click();
  await untilEqual([left, right], FIRST_COUNT + 1);
  await part(left, 'redo').click();
  await untilEqual([left, right], FIRST_COUNT);
  await part(left, 'undo').focus();
  await page.keyboard.press('Control+z');
  await untilEqual([left, right], FIRST_COUNT + 1);
  await page.keyboard.press('Control+Shift+z');
  await untilEqual([left, right], FIRST_COUNT);
  expect(await textsIn(left)).toContain('Stays');
  await close();
});

test('undo takes a note away that one has added and written, and the focus goes to the next one', async () => {
  const { page, left, right, close } = await visit(inRoom('undo-added'));
  await part(left, 'add').click();
  await page.keyboard.type('Not this ');
  await until('the text', async () => (await textsIn(right)).includes('Not this '));
  await page.keyboard.press('Control+z');
  await page.keyboard.press('Control+z');
  await untilEqual([left, right], FIRST_COUNT);
  expect(
    await left
      .getByLabel('Note', { exact: true })
      .last()
      .evaluate((it) => it.matches(':focus')),
  ).toBe(true);
  expect(await part(left, 'refusal').isVisible()).toBe(false);
  await close();
});

test('each trial does what it says', async () => {
  const { page, left, right, close, problems } = await visit(inRoom('trials'));
  const caption = page.locator('[data-part="caption"]');
  const expectations = [
    ['refused', /^The room refused it/],
    ['both', /^Both wrote the same note/],
    ['backend', /^The room answered: 201/],
    ['undo', /undoes\. Only that note goes back/],
    ['cut', /^Both boards are equal\. Catching up took [1-9]\d* B; the whole board has \d+ B/],
  ] as const;
  for (const [name, sentence] of expectations) {
    await part(page, `try-${name}`).click();
    await until(`the end of ${name}`, async () => sentence.test(await textOf(caption)), {
      deadlineMilliseconds: 20_000,
    });
  }
  await untilEqual([left, right], FIRST_COUNT + 1);
  expect(problems()).toEqual([]);
  await close();
});

test('edits that were not sent are there after a reload, and are sent later', async () => {
  const { page, left, right, close } = await visit(inRoom('reload'));
  const name = await textOf(part(left, 'name'));
  const reloaded = page.waitForEvent('load');
  await part(page, 'try-reload').click();
  await reloaded;
  await untilState(right, 'Synced');
  await untilState(left, 'Network cut · 1 unsaved');
  expect(await textOf(part(left, 'name'))).toBe(name);
  expect(await textsIn(left)).toHaveLength(FIRST_COUNT + 1);
  expect(await textsIn(right)).toHaveLength(FIRST_COUNT);
  await part(left, 'network').click();
  await untilState(left, 'Synced');
  await untilEqual([left, right], FIRST_COUNT + 1);
  await until('the news', async () =>
    (await textOf(part(page, 'caption'))).endsWith('the room has every edit.'),
  );
  await close();
});

test('the strip tells a load of the whole content from a catch-up', async () => {
  const { page, left, close } = await visit(inRoom('loads'));
  expect(await textOf(part(left, 'catch-up'))).toMatch(/^all \d+ B$/);
  await part(left, 'network').click();
  await untilState(left, 'Network cut');
  await part(left, 'network').click();
  await untilState(left, 'Synced');
  expect(await textOf(part(left, 'catch-up'))).toMatch(/^\d+ B of \d+ B$/);
  await until('both sides to keep the content', async () => (await keptContents(page)) === 2);
  await page.reload();
  await untilState(left, 'Synced');
  expect(await textOf(part(left, 'catch-up'))).toMatch(/^\d+ B of \d+ B$/);
  await close();
});

/** The number of contents that the device keeps. */
const keptContents = (page: Page): Promise<number> =>
  page.evaluate(async () => {
    // oxlint-disable-next-line unicorn/consistent-function-scoping -- It runs in the page.
    const answer = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve) => {
        request.addEventListener('success', () => resolve(request.result));
      });
    const database = await answer(indexedDB.open('tinybase-partykit'));
    const keys = await answer(database.transaction('entries').objectStore('entries').getAllKeys());
    database.close();
    return keys.filter((key) => typeof key === 'string' && /page0+$/.test(key)).length;
  });

test.skipIf(spawnSync('curl', ['--version']).status !== 0)(
  'the command that the page shows adds a note',
  async () => {
    const { page, left, right, close } = await visit(inRoom('backend'));
    const command = await textOf(part(page, 'command'));
    const { stdout } = await promisify(execFile)('bash', ['-c', command]);
    expect(stdout).toBe('Everybody who is connected has it.\n');
    await untilEqual([left, right], FIRST_COUNT + 1);
    expect(await textsIn(left)).toContain('Hello from the backend');
    await close();
  },
);

test('who is alone in a window sees the command, and copies it beside the button', async () => {
  const { page, close } = await visit(`${inRoom('alone')}&panes=1`, {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const command = await textOf(part(page, 'command'));
  expect(command).toContain('/parties/main/alone/notes');
  await page.getByRole('button', { name: 'Copy the command' }).click();
  await until('the news', async () => (await textOf(part(page, 'copied'))).startsWith('Copied'));
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(command);
  await close();
});

test('a page that may not use the clipboard says what to do', async () => {
  const { page, close } = await visit(`http://0.0.0.0:${party.port}/?room=no-clipboard`);
  await page.getByRole('button', { name: 'Copy the command' }).click();
  await until('the news', async () =>
    /Select the command/.test(await textOf(part(page, 'copied'))),
  );
  await close();
});

test('a backend without the token, without a text, or with another method is refused', async () => {
  const url = party.room('backend-refused', '/notes');
  const Authorization = 'Bearer everybody-knows-this';
  const post = async (headers: Record<string, string>, body: string): Promise<number> =>
    (await fetch(url, { method: 'POST', headers, body })).status;
  expect(await post({}, '{"text":"a"}')).toBe(401);
  expect(await post({ Authorization: 'Bearer guessed' }, '{"text":"a"}')).toBe(401);
  expect(await post({ Authorization }, '{"text":""}')).toBe(400);
  expect(await post({ Authorization }, 'no JSON')).toBe(400);
  expect((await fetch(url)).status).toBe(405);
  expect(await post({ Authorization }, '{"text":"a"}')).toBe(201);
});

test.each([
  ['nothing', '', 'lobby'],
  ['spaces', '%20%20', 'lobby'],
  ['dots', '..', 'lobby'],
  ['an end with a star', 'a*', 'a'],
  ['more than a name may have', 'ab'.repeat(100), 'ab'.repeat(40)],
  ['what a URL has to escape', encodeURIComponent('a b/ä?#%&'), 'a b-ä----'],
])('a room name may be anything: %s', async (_what, given, name) => {
  const { page, left, right, close } = await visit(`${party.origin}/?room=${given}`);
  expect(new URL(page.url()).searchParams.get('room')).toBe(name);
  expect(await page.getByLabel('Room').inputValue()).toBe(name);
  const text = `A note for ${name}`;
  await addNote(left, text);
  await until('the note', async () => (await textsIn(right)).includes(text));
  await close();
});

test('each side has the devtools of its own client', async () => {
  const { page, left, right, close } = await visit(inRoom('devtools'));
  for (const side of [left, right]) {
    const name = await textOf(part(side, 'name'));
    await side.getByRole('button', { name: `Devtools of ${name}: Live` }).click();
    const panel = page.getByRole('region', { name: `Devtools of ${name}` });
    await until('the room', async () => /parties\/main\/devtools/.test(await textOf(panel)));
    await addNote(side, `A note of ${name}`);
    await until('the ack', async () => /ack \d+, version/.test(await textOf(panel)));
    await panel.getByRole('button', { name: 'Close' }).click();
    expect(await panel.count()).toBe(0);
  }
  await close();
});

test('the field in the header leads to another room', async () => {
  const { page, close } = await visit(inRoom('from-here'));
  await page.getByLabel('Room').fill('to-there');
  await page.getByRole('button', { name: 'Go', exact: true }).click();
  await until('the other room', () => page.url().includes('room=to-there'));
  await untilState(sidesOf(page).left, 'Synced');
  await close();
});

test('everything works with the keyboard alone, and the focus is never lost', async () => {
  const { page, left, right, close } = await visit(inRoom('keyboard'));
  const focused = (): Promise<string> =>
    page.evaluate(
      () =>
        document.activeElement?.getAttribute('aria-label') ??
        document.activeElement?.textContent ??
        '',
    );
  const before = await placeOf(right, DRAG);
  await part(left.locator('.note').nth(DRAG), 'handle').focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  await until('the note to move', async () => (await placeOf(right, DRAG)) !== before);

  const texts = await textsIn(left);
  await left.getByLabel('Delete').nth(DRAG).focus();
  await page.keyboard.press('Enter');
  expect(await focused()).toBe('Note');
  expect(await page.evaluate(() => (document.activeElement as HTMLTextAreaElement).value)).toBe(
    texts[WRITE],
  );
  await left.locator('.note').nth(2).getByLabel('Pin').press('Enter');
  for (let note = 0; note < FIRST_COUNT - 1; note += 1) {
    await left.getByLabel('Delete').first().press('Enter');
  }
  expect(await focused()).toBe('Add a note');
  expect(await part(left, 'empty').isVisible()).toBe(true);
  await page.keyboard.press('Enter');
  expect(await focused()).toBe('Note');
  await close();
});

test('on a phone, what gets the focus is not behind the buttons at the top', async () => {
  const { page, left, close } = await visit(inRoom('behind'), {
    viewport: { width: 360, height: 760 },
  });
  await part(page, 'copy').focus();
  for (
    let step = 0;
    !(await part(left, 'network').evaluate((it) => it.matches(':focus')));
    step += 1
  ) {
    expect(step).toBeLessThan(60);
    await page.keyboard.press('Shift+Tab');
    const behind = await page.evaluate(() => {
      const { bottom = 0 } = document.querySelector('.trials')?.getBoundingClientRect() ?? {};
      const focused = document.activeElement;
      return focused !== null && focused.getBoundingClientRect().top < bottom
        ? (focused.ariaLabel ?? focused.textContent)
        : '';
    });
    expect(behind).toBe('');
  }
  await close();
});

test('a screen reader tells what a key has done, and phases that last', async () => {
  const { page, left, close } = await visit(`${inRoom('told')}&panes=1`);
  await until('the phase', async () => (await textOf(part(left, 'news'))) === 'Synced');
  await page.evaluate(() => {
    const told: string[] = [];
    Object.assign(window, { told });
    const news = document.querySelector('[data-part="news"]');
    if (news !== null)
      new MutationObserver(() => told.push(news.textContent)).observe(news, { childList: true });
  });
  const untilTold = (sentence: string): Promise<unknown> =>
    until(sentence, async () => (await textOf(part(left, 'news'))) === sentence);

  await part(left.locator('.note').nth(DRAG), 'handle').focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  await untilTold('7 % from the left, 7 % from the top.');
  await page.keyboard.press('Control+z');
  await untilTold('Undone.');
  await page.keyboard.press('Control+Shift+z');
  await untilTold('Redone.');
  await part(left, 'network').press('Enter');
  await untilTold('Network cut');
  await part(left, 'network').press('Enter');
  await untilTold('Synced');
  expect(await page.evaluate(() => (window as unknown as { told: string[] }).told)).toEqual([
    '7 % from the left, 7 % from the top.',
    'Undone.',
    'Redone.',
    'Network cut',
    'Synced',
  ]);
  await close();
});

test('a screen reader tells a phase that lasts while one edits', async () => {
  const { page, left, close } = await visit(`${inRoom('told-while')}&panes=1`);
  await until('the phase', async () => (await textOf(part(left, 'news'))) === 'Synced');
  await part(left, 'network').click();
  await part(left.locator('.note').nth(DRAG), 'handle').focus();
  let presses = 0;
  await until('the phase', async () => {
    presses += 1;
    await page.keyboard.press(presses % 2 === 1 ? 'ArrowRight' : 'ArrowLeft');
    return (await textOf(part(left, 'news'))) === 'Network cut';
  });
  await close();
});

test('a screen reader is not told where a note is that is gone', async () => {
  const { page, left, close } = await visit(`${inRoom('told-gone')}&panes=1`);
  await until('the phase', async () => (await textOf(part(left, 'news'))) === 'Synced');
  const told = await part(left, 'news').evaluateHandle((news) => {
    const sentences: string[] = [];
    new MutationObserver(() => sentences.push(news.textContent)).observe(news, { childList: true });
    return sentences;
  });
  await part(left.locator('.note').nth(DRAG), 'handle').focus();
  await page.keyboard.press('ArrowRight');
  await left.getByLabel('Delete').nth(DRAG).click();
  await part(left.locator('.note').nth(DRAG), 'handle').focus();
  await page.keyboard.press('ArrowDown');
  const moved = '98 % from the left, 7 % from the top.';
  await until(moved, async () => (await textOf(part(left, 'news'))) === moved);
  expect(await told.jsonValue()).toEqual([moved]);
  await close();
});

test('every control has a name, and is large enough for a finger at 360 pixels', async () => {
  const { page, close } = await visit(inRoom('phone'), { viewport: { width: 360, height: 760 } });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
  const controls = await page
    .locator('button, input, textarea, a, summary')
    .filter({ visible: true })
    .evaluateAll((all) =>
      all.map((element) => ({
        name:
          element.getAttribute('aria-label') ??
          (element instanceof HTMLInputElement
            ? element.labels?.[0]?.textContent
            : element.textContent),
        size: Math.min(
          element.getBoundingClientRect().width,
          element.getBoundingClientRect().height,
        ),
      })),
    );
  expect(controls.length).toBeGreaterThan(30);
  // WCAG 2.2, 2.5.8: 24 by 24 CSS pixels.
  expect(controls.filter(({ name, size }) => !name?.trim() || size < 24)).toEqual([]);
  await close();
});

test('at 360 pixels, many people hide neither the own name nor the switch of the network', async () => {
  const { page, left, close } = await visit(inRoom('crowd'), {
    viewport: { width: 360, height: 760 },
  });
  const others = await Promise.all([1, 2].map(() => visit(inRoom('crowd'))));
  await until('five others', async () => (await left.locator('.people li').count()) === 5);
  // A text that is wider than its element is written over the next one.
  const parts = await left
    .locator(':scope > header > *')
    .evaluateAll((all) => all.map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth));
  expect(parts).toEqual([0, 0, 0, 0]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
  for (const visitor of others) await visitor.close();
  await close();
});

test.each([360, 390])(
  'at %s pixels, no note hides another one, with 1 note or many',
  async (width) => {
    const { page, left, close } = await visit(`${inRoom(`notes-at-${width}`)}&panes=1`, {
      viewport: { width, height: 760 },
      reducedMotion: 'reduce',
    });
    await left.getByLabel('Pin').nth(PINNED).click();
    for (let note = 1; note < FIRST_COUNT; note += 1)
      await left.getByLabel('Delete').nth(1).click();
    for (const count of [1, 6, 12, 13, 22, 40]) {
      while ((await left.locator('.note').count()) < count) await addNote(left, 'Who has the map?');
      const hidden = await left.locator('.board').evaluate((board) => {
        const boxes = [...board.querySelectorAll('.note')].map((note) =>
          note.getBoundingClientRect(),
        );
        const edge = board.getBoundingClientRect();
        return [
          ...boxes.filter((a) =>
            boxes.some(
              (b) =>
                a !== b &&
                a.right > b.left &&
                b.right > a.left &&
                a.bottom > b.top &&
                b.bottom > a.top,
            ),
          ),
          ...boxes.filter(
            (a) =>
              a.left < edge.left ||
              a.right > edge.right ||
              a.top < edge.top ||
              a.bottom > edge.bottom,
          ),
          // A text that is longer than its note.
          ...[...board.querySelectorAll('textarea')]
            .filter(({ scrollHeight, clientHeight }) => scrollHeight > clientHeight)
            .map(({ value }) => value),
        ];
      });
      expect(hidden, `${count} notes`).toEqual([]);
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    await close();
  },
);

test('a screen reader tells which note a button is for, and who wrote a text', async () => {
  const { page, close } = await visit(`${inRoom('reader-of-screens')}&panes=1`);
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  const described = (name: string): string[] =>
    nodes
      .filter((node) => node.name?.value === name)
      .map((node) => String(node.description?.value));
  expect(described('Delete')).toHaveLength(FIRST_COUNT);
  expect(described('Delete')).toContain('Drag me by my bar.');
  expect(described('Note')).toContain('by the room');
  await close();
});

test.each([
  ['light', 'Lime'],
  ['dark', 'Indigo'],
] as const)(
  'every text has enough contrast in %s colours, also that of %s',
  async (scheme, hue) => {
    const { page, left, right, close } = await visit(
      inRoom(`contrast-${scheme}`),
      { colorScheme: scheme },
      [
        ['board-person-left', `a ${hue} Otter`],
        ['board-person-right', 'b Ruby Heron'],
      ],
    );
    await addNote(left, 'By one of them');
    await untilEqual([left, right], FIRST_COUNT + 1);
    await until('the author of the commits', async () =>
      /Otter/.test(await textOf(part(right, 'commits').locator('li').first())),
    );
    const contrasts = await contrastsOf(page);
    expect(contrasts.length).toBeGreaterThan(50);
    // WCAG 2.2, 1.4.3.
    expect(contrasts.filter(({ contrast }) => contrast < 4.5)).toEqual([]);
    await close();
  },
);

test('who wants less motion gets none', async () => {
  const { page, left, right, close } = await visit(inRoom('calm'), { reducedMotion: 'reduce' });
  await page.evaluate(() => {
    const seen: string[] = [];
    Object.assign(window, { seen });
    for (const type of ['animationstart', 'transitionrun'])
      addEventListener(type, ({ target }) => seen.push((target as Element).className), true);
  });
  await part(page, 'try-refused').click();
  await until('the refusal', () => part(left, 'refusal').isVisible());
  await part(left, 'wave').click();
  await addNote(left, 'Calm');
  await untilEqual([left, right], FIRST_COUNT + 1);
  expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
  expect(await page.evaluate(() => (window as unknown as { seen: string[] }).seen)).toEqual([]);
  await close();
});

test('where the system chooses the colours, the switch of the network is still seen', async () => {
  const { left, close } = await visit(`${inRoom('forced')}&panes=1`, { forcedColors: 'active' });
  const track = (): Promise<string> =>
    part(left, 'network').evaluate(
      (element) => getComputedStyle(element, '::before').backgroundImage,
    );
  const on = await track();
  await part(left, 'network').click();
  const off = await track();
  for (const image of [on, off]) expect(image).toMatch(/radial-gradient/);
  expect(on).not.toBe(off);
  await close();
});

test('a trial that is under way when the server dies says so, and ends when the server is back', async () => {
  const { page, left, right, close } = await visit(inRoom('died'));
  const caption = (): Promise<string> => textOf(part(page, 'caption'));
  await part(page, 'try-cut').click();
  await until('the trial', async () => (await caption()).includes('has no network'));
  await party.kill9();
  await until(
    'the caption',
    async () => (await caption()).startsWith('The server does not answer any more.'),
    { deadlineMilliseconds: 30_000 },
  );
  await party.restart();
  await until('the end', async () => (await caption()).startsWith('Both boards are equal.'), {
    deadlineMilliseconds: 30_000,
  });
  await untilEqual([left, right], FIRST_COUNT);
  await close();
});

test('a server that is killed and comes back has everything, and the open page goes on', async () => {
  const { page, left, right, close } = await visit(inRoom('killed'));
  await addNote(left, 'Saved before');
  await untilEqual([left, right], FIRST_COUNT + 1);
  await untilState(left, 'Synced');
  await party.kill9();
  await until('the page to notice', async () =>
    (await textOf(part(left, 'state'))).startsWith('Connecting'),
  );
  await addNote(left, 'Made while it was down');
  await until('the page to say what is wrong', () => part(left, 'problem').isVisible(), {
    deadlineMilliseconds: 20_000,
  });
  expect(await textOf(part(left, 'problem'))).toContain('Is the server running?');
  await part(page, 'try-refused').click();
  await until('the caption', async () =>
    (await textOf(part(page, 'caption'))).startsWith('The server does not answer.'),
  );
  await party.restart();
  await untilState(left, 'Synced', 30_000);
  await untilState(right, 'Synced', 30_000);
  expect(await part(left, 'problem').isVisible()).toBe(false);
  await untilEqual([left, right], FIRST_COUNT + 2);
  const later = await visit(inRoom('killed'));
  await untilEqual([left, later.left], FIRST_COUNT + 2);
  await later.close();
  await close();
});

const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url));
/** The name, the window, and the way to a free place of the board. */
const pictures: readonly (readonly [string, BrowserContextOptions, readonly [number, number]])[] = [
  ['light', { viewport: { width: 1200, height: 900 }, colorScheme: 'light' }, [14, 118]],
  ['dark', { viewport: { width: 1200, height: 900 }, colorScheme: 'dark' }, [14, 118]],
  ['phone', { viewport: { width: 360, height: 780 }, deviceScaleFactor: 2 }, [2, 70]],
];

test.runIf(process.env['PICTURES'] === '1').each(pictures)(
  'draws docs/images/demo-%s.png',
  async (name, options, free) => {
    mkdirSync(IMAGES, { recursive: true });
    const { page, left, right, close } = await visit(inRoom(`trip-${name}`), options, [
      ['board-person-left', 'a Coral Otter'],
      ['board-person-right', 'b Azure Heron'],
    ]);
    await addNote(left, 'Bring the tent');
    await addNote(right, 'Who has the map?');
    await part(right, 'network').click();
    await part(left, 'wave').click();
    await part(left.locator('.note').nth(WRITE), 'handle').focus();
    await page.keyboard.press('ArrowDown');
    await part(right, 'network').click();
    await untilState(right, 'Synced');
    await untilEqual([left, right], FIRST_COUNT + 2);
    await right.getByLabel('Note', { exact: true }).nth(4).focus();
    await page.evaluate(() => scrollTo(0, innerWidth < 500 ? 290 : 0));
    // To a free place: no note hides another one.
    await drag(left, DRAG, ...free);
    await until('the drag on the other side', () => right.locator('.note.held').isVisible());
    await page.waitForTimeout(600);
    await page.screenshot({ path: `${IMAGES}demo-${name}.png` });
    await page.mouse.up();
    expect(await part(left, 'state').isVisible()).toBe(true);
    await close();
  },
);
