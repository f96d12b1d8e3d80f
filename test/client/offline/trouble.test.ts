import { describe, expect, test, vi } from 'vitest';

import type { OfflineStorage, OfflineWrite } from '../../../src/client/offline/offline-storage.ts';
import { Deferred } from '../../support/deferred.ts';
import { MemoryLocks, MemoryOfflineStorage } from '../../support/offline-doubles.ts';
import { SECOND } from '../session/scripted-room.ts';
import { NOW, OfflineTab, settle, type Browser } from './offline-tab.ts';

const full = new DOMException('The disk is full.', 'QuotaExceededError');

const noStorage = (): Promise<OfflineStorage> => Promise.reject(new Error('private window'));

/** A storage of which some part does not work. */
class BrokenStorage extends MemoryOfflineStorage {
  readFails = false;
  writeFails = false;
  /** It takes no more, but lets go. */
  isFull = false;
  /** If given, what it lets go waits for this. */
  removing: Promise<void> | undefined;
  isSilent = false;
  /** The record of this id cannot be read on its own. */
  unreadable: string | undefined;

  override async read(prefix: string): Promise<ReadonlyMap<string, string>> {
    if (this.isSilent) await new Promise(() => undefined);
    if (this.readFails || (this.unreadable !== undefined && prefix.includes(this.unreadable)))
      throw full;
    return super.read(prefix);
  }

  override async write(write: OfflineWrite): Promise<boolean> {
    if (this.isSilent) await new Promise(() => undefined);
    if (write.set.size === 0) await this.removing;
    if (this.writeFails || (this.isFull && write.set.size > 0)) throw full;
    return super.write(write);
  }
}

function browser(): Browser & { storage: BrokenStorage; locks: MemoryLocks } {
  return { storage: new BrokenStorage(), locks: new MemoryLocks() };
}

/** Edits in a room, as a client without offline data does. Returns the errors. */
async function works(tab: OfflineTab): Promise<readonly unknown[]> {
  if (tab.gets.waiting.length > 0) await tab.answerGet(1, [{}, { v: 0 }]);
  await tab.join();
  tab.store.setValue('mine', 1);
  await settle();
  expect(tab.pushes()).toEqual([[1, [{}, { mine: 1 }]]]);
  expect(tab.store.getValues()).toEqual({ v: 0, mine: 1 });
  return tab.errors;
}

/** Shows the room, and saves nothing. */
async function follow(tab: OfflineTab): Promise<void> {
  void tab.session.follow();
  await settle();
  if (tab.gets.waiting.length > 0) await tab.answerGet(1, [{}, { v: 0 }]);
  await tab.join();
}

/** An edit is made and held, and the page ends. */
async function holdEdit(on: Browser): Promise<void> {
  const tab = new OfflineTab(on);
  await follow(tab);
  tab.store.setValue('mine', 1);
  await tab.time.pass(2 * SECOND);
  tab.die();
}

describe('[OFFLINE-7] a client works, and says once that it keeps nothing,', () => {
  test('[OFFLINE-7] where there is no storage', async () => {
    const tab = new OfflineTab({ storage: noStorage, locks: new MemoryLocks() });
    await tab.start();
    expect(await works(tab)).toMatchObject([
      { code: 'offline', cause: new Error('private window') },
    ]);
  });

  test('[OFFLINE-7] where it cannot be read', async () => {
    const on = browser();
    on.storage.readFails = true;
    const tab = new OfflineTab(on);
    await tab.start();
    expect(await works(tab)).toMatchObject([{ code: 'offline', cause: full }]);
  });

  test('[OFFLINE-7] where it does not answer', async () => {
    const on = browser();
    on.storage.isSilent = true;
    const tab = new OfflineTab(on);
    await tab.start();
    expect(tab.gets.count).toBe(0);
    await tab.time.pass(5 * SECOND);
    expect(await works(tab)).toMatchObject([{ code: 'offline' }]);
  });

  test('[OFFLINE-7] where it is full from the beginning', async () => {
    const on = browser();
    on.storage.writeFails = true;
    const tab = new OfflineTab(on);
    await tab.start();
    expect(await works(tab)).toMatchObject([{ code: 'offline', cause: full }]);
  });

  test('[OFFLINE-7] where it is full later, and what waited for it is sent', async () => {
    const on = browser();
    const tab = new OfflineTab(on);
    await tab.start();
    await works(tab);
    on.storage.writeFails = true;
    tab.store.setValue('second', 1);
    tab.store.setValue('third', 1);
    await settle();
    expect(tab.pushes().map(([number]) => number)).toEqual([2, 3]);
    await tab.time.pass(10 * SECOND);
    expect(tab.errors).toMatchObject([{ code: 'offline', cause: full }]);
    tab.die();
    // The record is older than what the room knows now; nothing of it is applied twice or lost (OFFLINE-6).
    on.storage.writeFails = false;
    const next = new OfflineTab(on);
    await next.start();
    expect(next.store.getValues()).toMatchObject({ mine: 1 });
  });

  test('[OFFLINE-7] where it is full, and held edits that were kept before are sent once', async () => {
    const on = browser();
    await holdEdit(on);
    on.storage.isFull = true;
    const tab = new OfflineTab(on);
    await tab.start();
    await tab.join();
    await settle();
    expect(tab.pushes()).toEqual([[NOW + 1, [{}, { mine: 1 }]]]);
    tab.die();
    on.storage.isFull = false;
    const next = new OfflineTab(on);
    await next.time.pass(SECOND);
    await next.start();
    await next.join({ lastPush: NOW + 1 });
    await settle();
    expect(next.pushes()).toEqual([]);
  });

  test.each([true, false])(
    '[OFFLINE-7] where it is full, and sends such edits when they are removed (%s) or cannot be',
    async (isRemoved) => {
      const on = browser();
      await holdEdit(on);
      on.storage.isFull = true;
      const removing = new Deferred<void>();
      on.storage.removing = removing.promise.then(() => {
        if (!isRemoved) throw full;
      });
      const tab = new OfflineTab(on);
      await tab.start();
      await tab.join();
      expect(tab.pushes()).toEqual([]);
      removing.resolve();
      await settle();
      expect(tab.pushes()).toEqual([[NOW + 1, [{}, { mine: 1 }]]]);
    },
  );

  test('[OFFLINE-7] where it is full, and edits that are held stay kept', async () => {
    const on = browser();
    await holdEdit(on);
    on.storage.isFull = true;
    const tab = new OfflineTab(on);
    await follow(tab);
    tab.store.setValue('other', 2);
    await tab.time.pass(2 * SECOND);
    tab.die();
    on.storage.isFull = false;
    const next = new OfflineTab(on);
    await next.start();
    expect(next.store.getValues()).toEqual({ v: 0, mine: 1 });
  });

  test('[OFFLINE-7] where it is full, and what the page said of held edits as it was about to end is removed once', async () => {
    const on = browser();
    const removals = vi.fn<() => void>();
    const tab = new OfflineTab(on);
    await follow(tab);
    on.storage.isFull = true;
    tab.store.setValue('mine', 1);
    tab.end(true);
    tab.end(false);
    void tab.session.startSaving();
    await settle();
    const write = on.storage.write.bind(on.storage);
    on.storage.write = (removal) => {
      removals();
      return write(removal);
    };
    tab.commit(2, [{}, { v: 1 }]);
    tab.store.setValue('more', 1);
    await settle();
    expect(tab.pushes()).toHaveLength(2);
    expect(removals).not.toHaveBeenCalled();
  });

  test('[OFFLINE-7] where a write does not settle', async () => {
    const on = browser();
    const tab = new OfflineTab(on);
    await tab.start();
    await works(tab);
    on.storage.isSilent = true;
    tab.store.setValue('second', 1);
    await tab.time.pass(30 * SECOND);
    expect(tab.sent().at(-1)).toMatchObject({ type: 'push', number: 2 });
    expect(tab.errors).toMatchObject([{ code: 'offline' }]);
  });
});

test.for([20, SECOND])(
  '[OFFLINE-6] a page begins above the generations of one that could not write them, %i ms before',
  async (pause) => {
    const on = browser();
    const first = new OfflineTab(on);
    await first.start();
    await works(first);
    await first.time.pass(SECOND);
    first.die();
    on.storage.writeFails = true;
    const broken = new OfflineTab(on);
    await broken.time.pass(pause);
    await broken.start();
    await broken.join();
    broken.sent();
    broken.close();
    const { generation } = await broken.join();
    broken.die();
    on.storage.writeFails = false;
    const next = new OfflineTab(on);
    await next.time.pass(2 * pause);
    await next.start();
    expect((await next.join()).generation).toBeGreaterThan(generation);
  },
);

/** A browser in which a tab has ended with content and two edits. */
async function withRecord(): Promise<ReturnType<typeof browser>> {
  const on = browser();
  const tab = new OfflineTab(on);
  await tab.start();
  await tab.answerGet(1, [{}, { v: 0 }]);
  await tab.join();
  await tab.time.pass(SECOND);
  tab.commit(2, [{}, { w: 0 }]);
  await tab.time.pass(SECOND);
  tab.store.setValue('a', 1);
  tab.store.setValue('b', 1);
  await settle();
  tab.die();
  return on;
}
const keyOf = (on: ReturnType<typeof browser>, part: string): string =>
  [...on.storage.entries.keys()].find((key) => key.includes(part)) ?? 'none';

describe('a record that is damaged', () => {
  test.for([
    ['a page is missing', 'page0000000000000001', undefined],
    ['a page is cut', 'page0000000000000001', '[{},{"v'],
    ['the first page is missing', 'page0000000000000000', undefined],
    ['the cursor is none', 'page0000000000000000', '[["e",-1],1]'],
    ['a change is missing', 'since0000000000000000', 'not JSON'],
  ] as const)('[OFFLINE-7] loses its content alone: %s', async ([, part, text]) => {
    const on = await withRecord();
    if (text === undefined) on.storage.entries.delete(keyOf(on, part));
    else on.storage.entries.set(keyOf(on, part), text);
    const tab = new OfflineTab(on);
    await tab.start();
    expect(tab.store.getValues()).toEqual({ a: 1, b: 1 });
    expect(tab.errors).toMatchObject([{ code: 'offline' }]);
    await tab.answerGet(2, [{}, { v: 0, w: 0 }]);
    await tab.join({ cursor: { epoch: 'e', version: 2 } });
    expect(tab.pushes()).toHaveLength(2);
    await tab.time.pass(SECOND);
    tab.die();
    // The next one finds a record that is whole.
    const next = new OfflineTab(on);
    await next.start();
    expect(next.store.getValues()).toEqual({ v: 0, w: 0, a: 1, b: 1 });
    expect(next.errors).toEqual([]);
  });

  test('[OFFLINE-7] loses the edit that cannot be read, and sends the others', async () => {
    const on = await withRecord();
    on.storage.entries.set(keyOf(on, '/0000000000000001'), 'u[{},');
    const tab = new OfflineTab(on);
    await tab.start();
    expect(tab.store.getValues()).toEqual({ v: 0, w: 0, b: 1 });
    expect(tab.errors).toMatchObject([{ code: 'offline' }]);
    await tab.join({ cursor: { epoch: 'e', version: 2 } });
    expect(tab.pushes()).toEqual([[2, [{}, { b: 1 }]]]);
    expect(on.storage.entries.has(keyOf(on, '/0000000000000001'))).toBe(false);
  });

  test.for(['', 'cut off'])(
    '[OFFLINE-7] is left alone if its key names no client: %j',
    async (id) => {
      const on = await withRecord();
      const key = keyOf(on, ']h');
      const edit = keyOf(on, '/0000000000000001');
      const of = key.slice(-22);
      for (const [name, text] of [
        [key, on.storage.entries.get(key)],
        [edit, on.storage.entries.get(edit)],
      ] as const)
        on.storage.entries.set(name.replace(of, id), text ?? '');
      for (const name of on.storage.entries.keys())
        if (name.includes(of)) on.storage.entries.delete(name);
      const tab = new OfflineTab(on);
      await tab.start();
      expect(await works(tab)).toMatchObject([{ code: 'offline' }]);
    },
  );

  test.for([
    ['cannot be read', '{'],
    ['names no client', '[1,1,2,3,"x"]'],
    ['names no client', '[1,1,2,3,""]'],
  ] as const)('[OFFLINE-7] keeps its edits, though its head %s: %s', async ([, text]) => {
    const on = await withRecord();
    on.storage.entries.set(keyOf(on, ']h'), text);
    const tab = new OfflineTab(on);
    await tab.start();
    expect(tab.store.getValues()).toEqual({ a: 1, b: 1 });
    await tab.answerGet(2, [{}, { v: 0, w: 0 }]);
    await tab.join({ cursor: { epoch: 'e', version: 2 } });
    expect(tab.pushes()).toHaveLength(2);
    expect(tab.errors).toMatchObject([{ code: 'offline' }]);
  });

  test.for([
    ['any tab', () => undefined],
    ['the tab that had it', (id: string) => ({ id })],
  ] as const)('[OFFLINE-7] of a later format is left as it is: by %s', async ([, memoryOf]) => {
    const on = await withRecord();
    const head = keyOf(on, ']h');
    on.storage.entries.set(head, '[2,{"anything":1}]');
    const before = new Map(on.storage.entries);
    const tab = new OfflineTab(on, memoryOf(head.slice(-22)));
    await tab.start();
    expect(await works(tab)).toMatchObject([{ code: 'offline' }]);
    await tab.time.pass(60 * SECOND);
    for (const [key, text] of before) expect(on.storage.entries.get(key)).toBe(text);
  });
});

/** A tab that is live at version 1, and has written all that it keeps. */
async function liveTab(on: Browser): Promise<OfflineTab> {
  const tab = new OfflineTab(on);
  await tab.start();
  if (tab.gets.waiting.length > 0) await tab.answerGet(1, [{}, { v: 0 }]);
  await tab.join();
  await tab.time.pass(SECOND);
  return tab;
}

/** Tabs that die, each with an edit that the room has not seen. */
async function leave(on: Browser, ...ids: string[]): Promise<void> {
  const tabs: OfflineTab[] = [];
  for (const id of ids) {
    const tab = new OfflineTab(on);
    tabs.push(tab);
    await tab.start();
    tab.store.setValue(id, 1);
    await settle();
  }
  for (const tab of tabs) tab.die();
}

/** Answers the hello of the client that has ended, and the own one. Returns the pushes that follow. */
async function adopt(tab: OfflineTab): Promise<ReturnType<OfflineTab['pushes']>> {
  for (let hellos = 0; hellos < 2; hellos += 1) {
    const { generation, cursor } = tab.hello();
    tab.welcome({ generation, ...(cursor === undefined && { changes: undefined }) });
    await settle();
  }
  return tab.pushes();
}

describe('edits of a closed tab that cannot be taken over', () => {
  test('[OFFLINE-7] in part are sent in part, and that is said', async () => {
    const on = browser();
    const living = await liveTab(on);
    await leave(on, 'a', 'b');
    on.storage.entries.set(keyOf(on, ']e'), 'u[{},');
    await living.time.pass(10 * SECOND);
    expect(await adopt(living)).toEqual([[1, [{}, { b: 1 }]]]);
    expect(living.errors).toMatchObject([{ code: 'offline' }]);
    expect([...on.storage.entries.values()]).not.toContain('u[{},');
  });

  test('[OFFLINE-11] are said to wait once, and sent when the storage works again', async () => {
    const on = browser();
    const living = await liveTab(on);
    await leave(on, 'a');
    on.storage.writeFails = true;
    for (let searches = 0; searches < 2; searches += 1) {
      await living.time.pass(10 * SECOND);
      expect(living.sent()).toEqual([]);
      living.receive({ type: 'alive' });
    }
    expect(living.errors).toMatchObject([{ code: 'offline', cause: full }]);
    on.storage.writeFails = false;
    await living.time.pass(10 * SECOND);
    expect(await adopt(living)).toEqual([[1, [{}, { a: 1 }]]]);
    expect(on.locks.count).toBe(1);
    expect(living.errors).toHaveLength(1);
  });

  test('[OFFLINE-11] keep out nobody: another tab may be able to', async () => {
    const on = browser();
    const one = await liveTab(on);
    const other = await liveTab(on);
    await leave(on, 'a');
    on.storage.writeFails = true;
    await one.time.pass(10 * SECOND);
    on.storage.writeFails = false;
    await other.time.pass(10 * SECOND);
    expect(await adopt(other)).toEqual([[1, [{}, { a: 1 }]]]);
    expect(one.pushes()).toEqual([]);
  });

  test('[OFFLINE-11] do not hold up those of others', async () => {
    const on = browser();
    const living = await liveTab(on);
    await leave(on, 'a', 'b');
    on.storage.unreadable = /\]e([^/]+)/.exec(keyOf(on, ']e'))?.[1] ?? 'none';
    await living.time.pass(10 * SECOND);
    expect(await adopt(living)).toEqual([[1, [{}, { b: 1 }]]]);
    expect(living.errors).toMatchObject([{ code: 'offline', cause: full }]);
  });

  test('[OFFLINE-11] keep out nobody, if the write that moves them fails', async () => {
    const on = browser();
    const one = await liveTab(on);
    const other = await liveTab(on);
    await leave(on, 'a');
    await one.time.pass(10 * SECOND);
    on.storage.writeFails = true;
    one.welcome({ generation: one.hello().generation, changes: undefined });
    await settle();
    one.welcome({ generation: one.hello().generation });
    // Nothing takes the place of its number.
    expect(one.pushes()).toEqual([[1, [{}, {}]]]);
    expect(one.refusals).toMatchObject([{ valueId: 'a', reason: 'destroyed' }]);
    on.storage.writeFails = false;
    await other.time.pass(10 * SECOND);
    expect(await adopt(other)).toEqual([[1, [{}, { a: 1 }]]]);
  });

  test.for([
    ['has no network', true],
    ['does not save', false],
  ] as const)('[OFFLINE-11] wait for no tab that %s', async ([, isSaving]) => {
    const on = browser();
    const living = await liveTab(on);
    await leave(on, 'a', 'b');
    // It continues the record of one of them, and searches at once.
    const other = new OfflineTab(on);
    if (isSaving) await other.start();
    else {
      void other.session.follow();
      await settle();
      await other.join();
    }
    expect(on.locks.count).toBe(3);
    await other.time.pass(10 * SECOND);
    await living.time.pass(10 * SECOND);
    expect(await adopt(living)).toHaveLength(1);
  });

  test('[OFFLINE-11] nor for one that could not read what it would continue', async () => {
    const on = browser();
    const living = await liveTab(on);
    await leave(on, 'a');
    const records = [...on.storage.entries.keys()].flatMap(
      (key) => /\]e([^/]+)/.exec(key)?.[1] ?? [],
    );
    [on.storage.unreadable] = records;
    const tab = new OfflineTab(on);
    await tab.start();
    expect(tab.errors).toMatchObject([{ code: 'offline' }]);
    on.storage.unreadable = undefined;
    await living.time.pass(10 * SECOND);
    expect(await adopt(living)).toEqual([[1, [{}, { a: 1 }]]]);
  });
});

test('a page whose device has failed does not look for closed tabs when it connects again', async () => {
  const on = browser();
  const tab = new OfflineTab(on);
  await tab.start();
  on.storage.writeFails = true;
  expect(await works(tab)).toMatchObject([{ code: 'offline' }]);
  const read = vi.spyOn(on.storage, 'read');
  tab.close();
  await tab.join({ lastPush: 1 });
  await tab.time.pass(SECOND);
  expect(read).not.toHaveBeenCalled();
});
