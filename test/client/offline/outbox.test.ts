import { createStore } from 'tinybase';
import { describe, expect, test } from 'vitest';

import {
  ManualOfflineStorage,
  MemoryLocks,
  MemoryOfflineStorage,
} from '../../support/offline-doubles.ts';
import type { LastWrite, OfflineStorage } from '../../../src/client/offline/offline-storage.ts';
import { Deferred } from '../../support/deferred.ts';
import { changesOf, OTHER_ADDRESS, SECOND } from '../session/scripted-room.ts';
import { NOW, OfflineTab, settle, type Browser } from './offline-tab.ts';

const browser = (
  storage = new MemoryOfflineStorage(),
): Browser & { storage: MemoryOfflineStorage; locks: MemoryLocks } => ({
  storage,
  locks: new MemoryLocks(),
});

/** A tab that is live at version 1 of a room with this content, and has written its base. */
async function liveTab(on: Browser, content: unknown = [{}, { v: 0 }]): Promise<OfflineTab> {
  const tab = new OfflineTab(on);
  await tab.start();
  await tab.answerGet(1, content);
  await tab.join();
  await tab.time.pass(SECOND);
  return tab;
}

/** The entries of a storage, with the ids left out of the keys. */
const texts = ({ entries }: MemoryOfflineStorage): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...entries].map(([key, text]) => [
      key.replace(/^.*\]/, '').replace(/^(.)[\w-]{22}/, '$1'),
      text,
    ]),
  );

/** The length of all texts. */
const lengthOf = (entries: ReadonlyMap<string, string>): number =>
  [...entries.values()].reduce((sum, text) => sum + text.length, 0);

const pendingOf = (tab: OfflineTab): readonly (readonly [number, string])[] =>
  tab.session.replica.pending.map(({ number, encoded }) => [number, encoded]);

/** A tab that is loaded, whose next writes wait. */
async function writingTab(): Promise<{
  on: Browser;
  tab: OfflineTab;
  storage: ManualOfflineStorage;
}> {
  const storage = new ManualOfflineStorage();
  const on = browser(storage);
  const tab = new OfflineTab(on);
  await tab.start();
  await tab.answerGet(1, [{}, {}]);
  await storage.writeAll();
  return { on, tab, storage };
}

/** A browser that takes last writes at once, and does them when a page has ended. */
function slowBrowser() {
  const storage = new MemoryOfflineStorage();
  const last = new Map<string, LastWrite>();
  const writeLast = (write: LastWrite): void => void last.set(write.guard.key, write);
  storage.writeLast = writeLast;
  const opened = new Deferred<MemoryOfflineStorage>();
  const locks = new MemoryLocks();
  return {
    on: { storage: () => opened.promise, locks, writeLast },
    stored: storage,
    open: () => opened.resolve(storage),
    next: (): Browser => {
      for (const { guard, remove, set } of last.values())
        if (guard.values.includes(storage.entries.get(guard.key))) storage.apply({ remove, set });
      return { storage, locks };
    },
  };
}

/** A tab that has ended with an edit. */
async function leaveRecord(on: Browser): Promise<void> {
  const before = new OfflineTab(on);
  await before.start();
  before.store.setValue('before', 1);
  await settle();
  before.die();
}

const isPage = (key: string): boolean => key.includes('page');

/** A tab that has ended with an edit which waits for saving to start. */
async function leaveHeld(on: Browser): Promise<void> {
  const tab = new OfflineTab(on);
  void tab.session.follow();
  await settle();
  tab.store.setValue('mine', 1);
  await settle();
  tab.die();
}

describe('what a client persists', () => {
  test('[KEEP-1] is a head, an entry for each push, and a base without what is pending', async () => {
    const on = browser();
    const tab = await liveTab(on);
    tab.store.setValue('v', 1);
    tab.store.setValue('w', 1);
    await settle();
    tab.ack(1, 2);
    await tab.time.pass(SECOND);
    const { h, ...others } = texts(on.storage);
    expect(JSON.parse(h ?? '')).toEqual([1, expect.any(Number), 2, expect.any(Number)]);
    expect(others).toEqual({
      'e/0000000000000002': 'u[{},{"w":1}]',
      'b/page0000000000000000': '[["e",1],1]',
      'b/page0000000000000001': '[{},{"v":0}]',
      'b/since0000000000000000': '[["e",2],"[{},{\\"v\\":1}]"]',
    });
  });

  test('[KEEP-1] a push is one entry, whatever else is pending', async () => {
    const on = browser();
    const tab = await liveTab(on);
    tab.store.setValue('a', 1);
    await settle();
    tab.store.setValue('b', 1);
    await settle();
    const last = on.storage.writes.at(-1);
    expect([last?.remove, [...(last?.set.values() ?? [])]]).toEqual([[], ['u[{},{"b":1}]']]);
  });

  test('[KEEP-1] a change of the base is one entry, until there are many', async () => {
    const on = browser();
    const tab = await liveTab(on, [{}, { long: 'x'.repeat(200_000) }]);
    const pages = on.storage.writes.findLast(({ set }) => set.size > 3);
    expect([...(pages?.set.keys() ?? [])].filter((key) => key.includes('page'))).toHaveLength(5);
    for (let version = 2; version < 12; version += 1) {
      tab.commit(version, [{}, { long: 'y'.repeat(30_000), [`v${version}`]: 1 }]);
      await tab.time.pass(SECOND);
    }
    const sizes = on.storage.writes.slice(-10).map(({ set }) => set.size);
    // Its entry and the head; once, all pages.
    expect(sizes.filter((size) => size === 2).length).toBeGreaterThan(7);
    const since = [...on.storage.entries.keys()].filter((key) => key.includes('since'));
    expect(since.length).toBeLessThan(10);
    tab.die();
    const next = new OfflineTab(on);
    await next.start();
    expect(next.store.getValues()).toEqual(tab.store.getValues());
  });

  test('[KEEP-2] has the generation before its hello is sent', async () => {
    const storage = new ManualOfflineStorage();
    const tab = new OfflineTab(browser(storage));
    await tab.start();
    await tab.answerGet(1, [{}, {}]);
    tab.open();
    await settle();
    expect(tab.sent()).toEqual([]);
    await storage.writeAll();
    const { generation } = tab.hello();
    const [, kept] = JSON.parse(texts(storage)['h'] ?? '') as number[];
    expect(kept).toBeGreaterThanOrEqual(generation);
    // The next one needs no further write.
    tab.close();
    tab.open();
    expect(tab.hello().generation).toBe(generation + 1);
  });

  test('[KEEP-2] has a push before it is sent', async () => {
    const storage = new ManualOfflineStorage();
    const tab = new OfflineTab(browser(storage));
    await tab.start();
    await tab.answerGet(1, [{}, {}]);
    tab.open();
    await storage.writeAll();
    tab.welcome({ generation: tab.hello().generation });
    tab.store.setValue('v', 1);
    tab.store.setValue('v', 2);
    await settle();
    expect(tab.sent()).toEqual([]);
    storage.next().take();
    await settle();
    expect(tab.pushes().map(([number]) => number)).toEqual([1]);
    await storage.writeAll();
    expect(tab.pushes().map(([number]) => number)).toEqual([2]);
  });

  test('[KEEP-2] has a push that is made at the moment when a write ends', async () => {
    for (let turns = 0; turns < 12; turns += 1) {
      const storage = new ManualOfflineStorage();
      const tab = new OfflineTab(browser(storage));
      await tab.start();
      await tab.answerGet(1, [{}, {}]);
      await storage.writeAll();
      tab.store.setValue('a', 1);
      storage.next().take();
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      tab.store.setValue('b', 1);
      await settle();
      expect(storage.waiting, `after ${turns} turns`).toHaveLength(1);
    }
  });

  describe('[OFFLINE-13] at the end of the page', () => {
    test('a write under way is not waited for, and what is made later is kept, too', async () => {
      const { tab, storage } = await writingTab();
      tab.store.setValue('a', 1);
      await settle();
      tab.store.setValue('b', 1);
      tab.end(true);
      tab.store.setValue('c', 1);
      expect(texts(storage)).toMatchObject({
        'e/0000000000000001': 'u[{},{"a":1}]',
        'e/0000000000000002': 'u[{},{"b":1}]',
        'e/0000000000000003': 'u[{},{"c":1}]',
      });
    });

    test('a write under way is kept also if its session was destroyed just before', async () => {
      const { on, tab } = await writingTab();
      tab.store.setValue('a', 1);
      await settle();
      tab.store.setValue('b', 1);
      tab.session.destroy();
      tab.end(true);
      tab.die();
      const next = new OfflineTab(on);
      await next.start();
      expect(next.store.getValues()).toEqual({ a: 1, b: 1 });
      expect(next.errors).toEqual([]);
    });

    test('nothing is written once all of a destroyed session is durable', async () => {
      const { tab, storage } = await writingTab();
      tab.store.setValue('a', 1);
      tab.session.destroy();
      await storage.writeAll();
      const { length } = storage.writes;
      tab.end(true);
      expect(storage.writes).toHaveLength(length);
    });

    test('nothing is written if all is durable, or after the page has come back', async () => {
      const { tab, storage } = await writingTab();
      const { size } = storage.entries;
      tab.end(true);
      tab.end(false);
      tab.store.setValue('a', 1);
      expect(storage.entries.size).toBe(size);
      await storage.writeAll();
      expect(texts(storage)['e/0000000000000001']).toBe('u[{},{"a":1}]');
    });

    test('a page that comes back goes on, and takes away what was answered', async () => {
      const { tab, storage } = await writingTab();
      tab.open();
      await storage.writeAll();
      tab.welcome({ generation: tab.hello().generation });
      tab.store.setValue('a', 1);
      await settle();
      tab.end(true);
      tab.end(false);
      await storage.writeAll();
      expect(tab.pushes()).toHaveLength(1);
      tab.ack(1, 2);
      await tab.time.pass(SECOND);
      await storage.writeAll();
      expect(Object.keys(texts(storage)).filter((key) => key.startsWith('e'))).toEqual([]);
    });

    test('what was said stays undone once a page that came back has written more', async () => {
      const { tab, storage } = await writingTab();
      const said: LastWrite[] = [];
      storage.writeLast = (write) => void said.push(write);
      tab.store.setValue('a', 1);
      await settle();
      tab.end(true);
      tab.end(false);
      await storage.writeAll();
      tab.session.stopSaving();
      tab.store.setValue('b', 1);
      await storage.writeAll();
      // Another page has read it before.
      for (const write of said) MemoryOfflineStorage.prototype.writeLast.call(storage, write);
      expect(said).toHaveLength(1);
      expect(texts(storage)).toMatchObject({
        'e/0000000000000001': 'u[{},{"a":1}]',
        'e/held': 'u[{},{"b":1}]',
      });
    });

    test('what was said is done before or after the write under way, and once more after that', async () => {
      for (const order of ['before', 'after', 'twice']) {
        const storage = new ManualOfflineStorage();
        const on = browser(storage);
        const tab = new OfflineTab(on);
        await tab.start();
        const said: LastWrite[] = [];
        storage.writeLast = (write) => void said.push(write);
        tab.store.setValue('a', 1);
        await settle();
        tab.store.setValue('b', 1);
        tab.end(true);
        const say = (): void => {
          for (const write of said) MemoryOfflineStorage.prototype.writeLast.call(storage, write);
        };
        if (order !== 'after') say();
        if (order !== 'before') {
          storage.next().take();
          say();
        }
        tab.die();
        const next = new OfflineTab(on);
        await next.start();
        expect([order, next.store.getValues()]).toEqual([order, { a: 1, b: 1 }]);
      }
    });

    test('edits are kept though the first write of the record is cut off', async () => {
      const storage = new ManualOfflineStorage();
      const on = browser(storage);
      const tab = new OfflineTab(on);
      await tab.start();
      tab.store.setValue('a', 1);
      await settle();
      expect(storage.entries.size).toBe(0);
      tab.end(true);
      tab.store.setValue('b', 1);
      tab.die();
      const next = new OfflineTab(on);
      await next.start();
      expect(next.store.getValues()).toEqual({ a: 1, b: 1 });
      expect(next.errors).toEqual([]);
    });

    test('edits are kept though the write of another client id is cut off: under that id', async () => {
      const { on, tab, storage } = await writingTab();
      tab.open();
      await storage.writeAll();
      const former = tab.hello();
      tab.store.setValue('a', 1);
      await storage.writeAll();
      tab.welcome({ generation: former.generation, lastPush: former.nextPush + 7 });
      await tab.time.pass(SECOND);
      expect(storage.waiting).toHaveLength(1);
      tab.store.setValue('b', 1);
      tab.end(true);
      tab.store.setValue('c', 1);
      tab.die();
      const next = new OfflineTab(on);
      await next.start();
      expect(next.store.getValues()).toEqual({ a: 1, b: 1, c: 1 });
      expect(next.errors).toEqual([]);
      await storage.writeAll();
      await next.answerGet(1, [{}, {}]);
      next.open();
      await storage.writeAll();
      expect(next.hello().clientId).not.toBe(former.clientId);
    });

    describe('before the storage is open', () => {
      test.for(['no', 'another'] as const)(
        'edits are kept, where there is %s record',
        async (kind) => {
          const { on, next, stored } = slowBrowser();
          if (kind === 'another') await leaveRecord({ ...on, storage: stored });
          const slow = { ...on, storage: () => new Promise<OfflineStorage>(() => undefined) };
          const tab = new OfflineTab(slow);
          await tab.start();
          tab.store.setValue('a', 1);
          tab.end(true);
          tab.store.setValue('b', 1);
          tab.die();
          const later = new OfflineTab(next());
          await later.start();
          if (kind === 'no') expect(later.store.getValues()).toEqual({ a: 1, b: 1 });
          const kept = [...stored.entries.values()].filter((text) => text.includes('"b"'));
          expect(kept).toEqual(['u[{},{"a":1,"b":1}]']);
          expect(later.errors).toEqual([]);
        },
      );

      test.for([
        ['no', true],
        ['no', false],
        ['another', true],
        ['another', false],
      ] as const)(
        'edits are kept once, if it opens after all: %s record, the page ends: %s',
        async ([kind, isEnding]) => {
          const { on, next, open, stored } = slowBrowser();
          if (kind === 'another') await leaveRecord({ ...on, storage: stored });
          const tab = new OfflineTab(on);
          await tab.start();
          tab.store.setValue('a', 1);
          tab.end(true);
          tab.end(isEnding);
          open();
          await settle();
          tab.die();
          const later = new OfflineTab(next());
          await later.start();
          expect(later.store.getValues()).toMatchObject({ a: 1 });
          const kept = [...stored.entries.values()].filter((text) => text.includes('"a"'));
          expect(kept).toEqual(['u[{},{"a":1}]']);
        },
      );
    });

    test('that edits cannot be kept is told once, and only if there are any', async () => {
      const { tab, storage } = await writingTab();
      const full = new Error('full');
      storage.writeLast = () => {
        throw full;
      };
      tab.open();
      await storage.writeAll();
      tab.welcome({ generation: tab.hello().generation });
      tab.commit(2, [{}, { w: 0 }]);
      await tab.time.pass(SECOND);
      // The base is being written.
      expect(storage.waiting).toHaveLength(1);
      tab.end(true);
      expect(tab.errors).toEqual([]);
      tab.store.setValue('a', 1);
      tab.store.setValue('b', 1);
      tab.end(false);
      tab.end(true);
      expect(tab.errors).toMatchObject([{ code: 'offline', cause: full }]);
      expect(String(tab.errors)).toContain('may be lost');
    });

    test('nothing is kept in a record that was cleared', async () => {
      const { tab, storage } = await writingTab();
      tab.store.setValue('a', 1);
      await settle();
      storage.entries.clear();
      tab.end(true);
      expect(texts(storage)).toEqual({});
    });
  });

  test('[KEEP-3] has a push until a base includes it, and only then confirms its ack', async () => {
    const storage = new ManualOfflineStorage();
    const tab = new OfflineTab(browser(storage));
    await tab.start();
    await tab.answerGet(1, [{}, {}]);
    tab.open();
    await storage.writeAll();
    tab.welcome({ generation: tab.hello().generation });
    tab.store.setValue('v', 1);
    await storage.writeAll();
    tab.ack(1, 2);
    await tab.time.pass(SECOND);
    expect(storage.waiting).toHaveLength(1);
    const acked = (): number => {
      tab.sent();
      tab.close();
      tab.open();
      const { generation, ackedPush } = tab.hello();
      tab.welcome({ generation, lastPush: 1, cursor: { epoch: 'e', version: 2 } });
      return ackedPush;
    };
    expect(acked()).toBe(0);
    expect(texts(storage)['e/0000000000000001']).toBe('u[{},{"v":1}]');
    await storage.writeAll();
    expect(texts(storage)['e/0000000000000001']).toBeUndefined();
    expect(acked()).toBe(1);
  });

  test('[VIEW-8] has held edits, which are held again after a restart', async () => {
    const on = browser();
    const tab = await liveTab(on);
    tab.session.stopSaving();
    tab.store.setValue('held', 1);
    tab.store.setValue('held', 2);
    await settle();
    tab.die();
    const next = new OfflineTab(on);
    void next.session.follow();
    await settle();
    expect(next.store.getValues()).toEqual({ v: 0, held: 2 });
    await next.join();
    expect(next.sent()).toEqual([]);
    void next.session.startSaving();
    await settle();
    expect(next.pushes()).toEqual([[NOW + 1, [{}, { held: 2 }]]]);
  });

  test('[KEEP-1] a write of held edits is as long as what is new, and all of them are there after a restart', async () => {
    const on = browser();
    const tab = await liveTab(on);
    tab.session.stopSaving();
    const first = on.storage.writes.length;
    for (let edit = 0; edit < 300; edit += 1) {
      tab.store.setRow('t', `row ${edit}`, { a: edit, b: edit });
      await settle();
    }
    const lengths = on.storage.writes.slice(first).map(({ set }) => lengthOf(set));
    expect(lengths).toHaveLength(300);
    expect(Math.max(...lengths)).toBeLessThan(50);
    tab.store.delRow('t', 'row 8');
    await settle();
    tab.store.setCell('t', 'row 8', 'b', 'again');
    await settle();
    tab.die();
    const next = new OfflineTab(on);
    void next.session.follow();
    await settle();
    expect(next.store.getTables()).toEqual(tab.store.getTables());
    expect(next.store.getRow('t', 'row 8')).toEqual({ b: 'again' });
    // They are one entry, and then there are more.
    next.store.setRow('t', 'row 300', { a: 1 });
    await settle();
    expect(Object.keys(texts(on.storage)).filter((key) => key.startsWith('e'))).toEqual([
      'e/held',
      'e/held0000000000000000',
    ]);
    next.die();
    const last = new OfflineTab(on);
    await last.start();
    expect(last.store.getTables()).toEqual(next.store.getTables());
    // They are one push, and nothing of them is held.
    expect(Object.keys(texts(on.storage)).filter((key) => key.startsWith('e'))).toEqual([
      `e/${String(NOW + 1).padStart(16, '0')}`,
    ]);
  });

  test('[KEEP-1] held edits of the same cell do not fill the device', async () => {
    const on = browser();
    const tab = await liveTab(on);
    tab.session.stopSaving();
    const first = on.storage.writes.length;
    for (let edit = 0; edit < 400; edit += 1) {
      tab.store.setValue('text', `${edit} ${'x'.repeat(1000)}`);
      await settle();
    }
    expect(lengthOf(on.storage.entries)).toBeLessThan(70_000);
    const written = on.storage.writes.slice(first).reduce((sum, { set }) => sum + lengthOf(set), 0);
    expect(written).toBeLessThan(450_000);
    tab.die();
    const next = new OfflineTab(on);
    void next.session.follow();
    await settle();
    expect(next.store.getValues()).toEqual(tab.store.getValues());
  });

  test('[OFFLINE-13] a page that ends keeps all held edits, though several entries have them', async () => {
    const { on, tab, storage } = await writingTab();
    tab.session.stopSaving();
    for (const value of [1, 2]) {
      tab.store.setValue('a', value);
      await storage.writeAll();
    }
    tab.store.setValue('a', 3);
    await settle();
    tab.store.setValue('c', 1);
    tab.end(true);
    tab.die();
    const next = new OfflineTab(on);
    void next.session.follow();
    await settle();
    expect(next.store.getValues()).toEqual({ a: 3, c: 1 });
  });

  test.for([true, false])(
    '[VIEW-9] has no edit that loaded content has replaced (following: %j)',
    async (isFollowing) => {
      const on = browser();
      const tab = await liveTab(on);
      tab.session.stopSaving();
      if (!isFollowing) tab.session.stopFollowing();
      tab.store.setValue('v', 1);
      await settle();
      expect(texts(on.storage)['e/held']).toBe('u[{},{"v":1}]');
      void tab.session.load();
      await tab.answerGet(2, [{}, { v: 2 }]);
      expect(tab.refusals).toMatchObject([{ valueId: 'v', value: 1, reason: 'loaded' }]);
      expect(texts(on.storage)['e/held']).toBeUndefined();
    },
  );

  test.each([
    ['and nothing is pending', false],
    ['and a push is on its way', true],
  ])('[VIEW-9] has no held edits that a load has replaced, %s', async (_what, isPushing) => {
    const on = browser();
    const tab = await liveTab(on);
    if (isPushing) tab.store.setValue('pushed', 1);
    await settle();
    const shown = isPushing ? { v: 0, pushed: 1 } : { v: 0 };
    tab.session.stopSaving();
    tab.store.setValue('held', 1);
    await settle();
    expect(texts(on.storage)['e/held']).toBeDefined();
    void tab.session.load();
    await tab.answerGet(1, [{}, { v: 0 }]);
    expect(tab.store.getValues()).toEqual(shown);
    await tab.time.pass(SECOND);
    tab.die();
    const next = new OfflineTab(on);
    await next.start();
    expect(next.store.getValues()).toEqual(shown);
  });
});

describe('a start', () => {
  test('[OFFLINE-2] shows what was shown last before any request, and then catches up from there', async () => {
    const on = browser();
    const tab = await liveTab(on);
    tab.commit(2, [{ t: { r: { a: 1 } } }, {}]);
    await tab.time.pass(SECOND);
    tab.store.setValue('mine', 1);
    tab.store.delRow('t', 'r');
    await settle();
    tab.die();
    const next = new OfflineTab(on);
    let transactions = 0;
    next.store.addDidFinishTransactionListener(() => (transactions += 1));
    await next.start();
    expect(next.store.getContent()).toEqual([{}, { v: 0, mine: 1 }]);
    expect(transactions).toBe(1);
    expect(next.session.sync).toMatchObject({ phase: 'connecting', unsaved: 2 });
    const hello = await next.join({
      cursor: { epoch: 'e', version: 3 },
      changes: changesOf([{}, { theirs: 1 }]),
    });
    expect(hello).toMatchObject({ cursor: { epoch: 'e', version: 2 }, nextPush: 1, ackedPush: 0 });
    expect(next.gets.count).toBe(0);
    expect(next.pushes()).toEqual([
      [1, [{}, { mine: 1 }]],
      [2, [{}, {}, { t: ['r'] }]],
    ]);
    expect(next.store.getContent()).toEqual([{}, { v: 0, mine: 1, theirs: 1 }]);
  });

  test('[OFFLINE-2] keeps edits that are made while the storage opens, on top of what it had', async () => {
    const on = browser();
    const tab = await liveTab(on, [{ t: { r: { a: 1, b: 1 } } }, {}]);
    tab.store.setCell('t', 'r', 'a', 2);
    await settle();
    tab.die();
    const next = new OfflineTab(on);
    void next.session.follow();
    void next.session.startSaving();
    next.store.setCell('t', 'r', 'a', 3);
    next.store.setCell('t', 's', 'a', 1);
    await settle();
    expect(next.store.getTables()).toEqual({ t: { r: { a: 3, b: 1 }, s: { a: 1 } } });
    await next.join();
    expect(next.pushes()).toEqual([[1, [{ t: { r: { a: 2 } } }, {}]]]);
    next.ack(1, 2);
    next.welcome({ generation: next.hello().generation, cursor: { epoch: 'e', version: 2 } });
    expect(next.pushes()).toEqual([[NOW + 1, [{ t: { r: { a: 3 }, s: { a: 1 } } }, {}]]]);
  });

  test('[OFFLINE-2] waits while the app has a transaction open', async () => {
    const on = browser();
    const tab = await liveTab(on);
    tab.die();
    const next = new OfflineTab(on);
    next.store.startTransaction();
    await next.start();
    expect(next.store.getValues()).toEqual({});
    next.store.finishTransaction();
    await next.time.pass(10);
    expect(next.store.getValues()).toEqual({ v: 0 });
  });

  test('[KEEP-3] keeps the held edits of a record that a page has read and could not show', async () => {
    const on = browser();
    await leaveHeld(on);
    const next = new OfflineTab(on);
    next.store.startTransaction();
    void next.session.follow();
    await settle();
    next.session.destroy();
    await settle();
    next.die();
    const last = new OfflineTab(on);
    void last.session.follow();
    await settle();
    expect(last.store.getValues()).toEqual({ mine: 1 });
  });

  test('[KEEP-3] keeps the held edits of a record that it cannot show for long, though it would copy content of another tab', async () => {
    const on = browser();
    await liveTab(on);
    await leaveHeld(on);
    const next = new OfflineTab(on);
    next.store.startTransaction();
    void next.session.follow();
    await settle();
    await next.time.pass(2 * SECOND);
    expect([...on.storage.entries.keys()].filter(isPage)).toHaveLength(2);
    next.die();
    const last = new OfflineTab(on);
    void last.session.follow();
    await settle();
    expect(last.store.getValues()).toEqual({ v: 0, mine: 1 });
    await last.time.pass(SECOND);
    expect([...on.storage.entries.keys()].filter(isPage)).toHaveLength(4);
  });

  test('[KEEP-3] keeps the held edits of a record, at whatever moment its session ends', async () => {
    for (let turns = 0; turns < 50; turns += 1) {
      const on = browser();
      await leaveHeld(on);
      const next = new OfflineTab(on);
      void next.session.follow();
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      next.session.destroy();
      await settle();
      const last = new OfflineTab(on);
      void last.session.follow();
      await settle();
      expect([turns, last.store.getValues()]).toEqual([turns, { mine: 1 }]);
    }
  });

  test('[OFFLINE-2] loads where saving alone went on without showing what came', async () => {
    const on = browser();
    (await liveTab(on)).die();
    const tab = new OfflineTab(on);
    void tab.session.startSaving();
    await settle();
    await tab.join();
    tab.commit(2, [{}, { unseen: 1 }]);
    void tab.session.follow();
    await settle();
    await tab.answerGet(2, [{}, { v: 0, unseen: 1 }]);
    expect(tab.store.getValues()).toEqual({ v: 0, unseen: 1 });
  });

  test('[SEED-3] replaces what the Store held by what was kept', async () => {
    const on = browser();
    (await liveTab(on)).die();
    const tab = new OfflineTab(on, undefined, createStore().setValue('seed', 1));
    await tab.start();
    expect(tab.store.getValues()).toEqual({ v: 0 });
  });

  test('[SEED-2] gives a room that has lost its Store nothing of what was kept', async () => {
    const on = browser();
    (await liveTab(on)).die();
    const tab = new OfflineTab(on);
    await tab.start();
    tab.open();
    await settle();
    const { generation } = tab.hello();
    tab.welcome({ generation, changes: undefined, cursor: { epoch: 'f', version: 0 } });
    await tab.answerGet(0, undefined, 'f');
    expect(tab.putContents).toEqual([[{}, {}]]);
  });
});

/** Points the socket of a tab that saves at another room. What is kept for it is not read yet. */
async function move(on: Browser): Promise<OfflineTab> {
  const tab = await liveTab(on);
  tab.moveToAnotherRoom();
  return tab;
}

/** A tab that dies in the other room, with edits that were not sent. */
async function leave(on: Browser, edit: (tab: OfflineTab) => void): Promise<void> {
  const tab = new OfflineTab(on);
  tab.address = OTHER_ADDRESS;
  edit(tab);
  await settle();
  tab.die();
}

describe('a socket that leads to another room', () => {
  test('[ONCE-1] gives each push a number of its own, also one that is made while the storage is read', async () => {
    const tab = await move(browser());
    tab.store.setValue('early', 1);
    await settle();
    tab.store.setValue('late', 1);
    expect(pendingOf(tab)).toEqual([
      [1, '[{},{"early":1}]'],
      [2, '[{},{"late":1}]'],
    ]);
  });

  test('[KEEP-1] sends what is kept for it first, and then what is made while that is read', async () => {
    const on = browser();
    await leave(on, (tab) => {
      void tab.session.startSaving();
      tab.store.setValue('kept', 1);
    });
    const tab = await move(on);
    tab.store.setValue('early', 1);
    await settle();
    expect(tab.store.getValues()).toEqual({ v: 0, kept: 1, early: 1 });
    expect(pendingOf(tab).map(([, encoded]) => encoded)).toEqual([
      '[{},{"kept":1}]',
      '[{},{"early":1}]',
    ]);
    const [kept, early] = pendingOf(tab);
    expect(early?.[0]).toBeGreaterThan(kept?.[0] ?? Infinity);
  });

  test('[VIEW-8] makes a push of the held edits that are kept for it, because the client saves', async () => {
    const on = browser();
    await leave(on, (tab) => {
      void tab.session.follow();
      tab.store.setValue('held', 1);
    });
    const tab = await move(on);
    await settle();
    expect(tab.session.replica.held).toBeUndefined();
    expect(pendingOf(tab).map(([, encoded]) => encoded)).toEqual(['[{},{"held":1}]']);
  });
});
