import { createStore, type Store } from 'tinybase';
import { describe, expect, test } from 'vitest';

import { decodeHead, encodeHead } from '../../../src/client/offline/client-record.ts';
import type {
  LastWrite,
  OfflineStorage,
  OfflineWrite,
} from '../../../src/client/offline/offline-storage.ts';
import { Deferred } from '../../support/deferred.ts';
import {
  ManualOfflineStorage,
  MemoryLocks,
  MemoryOfflineStorage,
  type WaitingWrite,
} from '../../support/offline-doubles.ts';
import { changesOf, SECOND } from '../session/scripted-room.ts';
import { NOW, OfflineTab, settle, type Browser } from './offline-tab.ts';

const browser = (): Browser & { storage: MemoryOfflineStorage; locks: MemoryLocks } => ({
  storage: new MemoryOfflineStorage(),
  locks: new MemoryLocks(),
});

/** A tab that is live at version 1 of a room, and has written its base. */
async function liveTab(on: Browser, lastClient?: { id?: string }): Promise<OfflineTab> {
  const tab = new OfflineTab(on, lastClient);
  await tab.start();
  if (tab.gets.waiting.length > 0) await tab.answerGet(1, [{}, { v: 0 }]);
  await tab.join();
  await tab.time.pass(SECOND);
  return tab;
}

/** A tab that was put aside with an edit that was not sent, its client id, and a function that lets it come back. */
async function asideTab(
  on: Browser,
  before: (tab: OfflineTab) => unknown = () => undefined,
): Promise<{ tab: OfflineTab; clientId: string; comeBack: () => void }> {
  const memory: { id?: string } = {};
  const tab = await liveTab(on, memory);
  tab.close();
  tab.store.setValue('v', 'old');
  await settle();
  await before(tab);
  return { tab, clientId: memory.id ?? '', comeBack: tab.putAside() };
}

/** Holds back what is read from now on, as it is then. `end` lets later reads answer at once, and `give` gives what was held back. */
function holdReads(storage: OfflineStorage): { end: () => void; give: () => void } {
  const read = storage.read.bind(storage);
  const held = new Deferred<void>();
  storage.read = async (prefix) => {
    const entries = await read(prefix);
    await held.promise;
    return entries;
  };
  return {
    end: () => {
      storage.read = read;
    },
    give: () => held.resolve(),
  };
}

/** A Store whose session has ended with an edit, which is on the device. */
async function leftStore(on: Browser, memory: { id?: string } = {}): Promise<Store> {
  const store = createStore();
  const tab = new OfflineTab(on, memory, store);
  await tab.start();
  await tab.answerGet(1, [{}, { v: 0 }]);
  await tab.join();
  await tab.time.pass(SECOND);
  tab.close();
  store.setValue('mine', 1);
  await settle();
  tab.session.destroy();
  await settle();
  return store;
}

/** A tab that shows version 1 of a room, and does not save: its edits are held. */
async function followingTab(on: Browser & { storage: ManualOfflineStorage }): Promise<OfflineTab> {
  const tab = new OfflineTab(on, {});
  void tab.session.follow();
  await on.storage.writeAll();
  if (tab.gets.waiting.length > 0) await tab.answerGet(1, [{}, { v: 0 }]);
  await joinAll(tab, on.storage);
  await tab.time.pass(SECOND);
  await on.storage.writeAll();
  return tab;
}

/** As {@link followingTab}, and it saves, and is offline now. */
async function savingTab(on: Browser & { storage: ManualOfflineStorage }): Promise<OfflineTab> {
  const tab = new OfflineTab(on);
  await tab.start();
  await tab.answerGet(1, [{}, { v: 0 }]);
  await joinAll(tab, on.storage);
  await tab.time.pass(SECOND);
  await on.storage.writeAll();
  tab.close();
  return tab;
}

/** Comes online in a room without changes since, and lets every write happen. Returns the changes that the tab sends. */
async function joinAll(tab: OfflineTab, storage: ManualOfflineStorage): Promise<unknown[]> {
  tab.open();
  await storage.writeAll();
  tab.welcome({ generation: tab.hello().generation });
  await storage.writeAll();
  return tab.pushes().map(([, changes]) => changes);
}

/** A tab that has come back, and said an edit as it was put aside, which nobody has heard. Its first write is under way. */
async function spokenTab(): Promise<{
  storage: ManualOfflineStorage;
  tab: OfflineTab;
  said: LastWrite[];
  put: (write: LastWrite) => void;
}> {
  const storage = new ManualOfflineStorage();
  const put = storage.writeLast.bind(storage);
  const said: LastWrite[] = [];
  storage.writeLast = (write) => said.push(write);
  const tab = new OfflineTab({ storage, locks: new MemoryLocks() });
  await tab.start();
  await tab.answerGet(1, [{}, { v: 0 }]);
  tab.open();
  await settle();
  tab.store.setValue('v', 'said');
  tab.putAside()();
  return { storage, tab, said, put };
}

/** A tab that dies with these Values unsent, without having met the room. */
async function leave(on: Browser, values: Record<string, number>): Promise<void> {
  const tab = new OfflineTab(on);
  await tab.start();
  for (const [id, value] of Object.entries(values)) tab.store.setValue(id, value);
  await settle();
  tab.die();
}

/** A storage that may be full. */
class FillingStorage extends MemoryOfflineStorage {
  isFull = false;
  canRemove = true;

  override async write(write: OfflineWrite): Promise<boolean> {
    if (this.isFull && (write.set.size > 0 || !this.canRemove)) throw new Error('full');
    return this.apply(write);
  }
}

describe('tabs of one browser', () => {
  test('[OFFLINE-3] have a client id each, and what a copied tab remembers is no claim', async () => {
    const on = browser();
    const memory: { id?: string } = {};
    const first = await liveTab(on, memory);
    const { id } = memory;
    const copy = new OfflineTab(on, { ...memory });
    await copy.start();
    copy.open();
    await settle();
    expect(copy.hello().clientId).not.toBe(id);
    first.die();
    const reloaded = new OfflineTab(on, memory);
    await reloaded.start();
    reloaded.open();
    await settle();
    expect(reloaded.hello().clientId).toBe(id);
  });

  test('[OFFLINE-3] show the latest content that any of them has', async () => {
    const on = browser();
    const first = await liveTab(on);
    first.commit(2, [{}, { later: 1 }]);
    await first.time.pass(SECOND);
    const second = new OfflineTab(on);
    await second.start();
    expect(second.store.getValues()).toEqual({ v: 0, later: 1 });
    // It writes that content as its own, so it lasts when the other one is gone.
    await second.join({ cursor: { epoch: 'e', version: 2 } });
    await second.time.pass(SECOND);
    const pages = [...on.storage.entries.keys()].filter((key) => key.includes('page'));
    expect(pages).toHaveLength(4);
  });

  test('[OFFLINE-3] keep the content of another one without edits of their own', async () => {
    const on = browser();
    const offline = new OfflineTab(on);
    await offline.start();
    const living = await liveTab(on);
    living.commit(2, [{}, { w: 0 }]);
    await living.time.pass(SECOND);
    offline.store.setValue('v', 1);
    await settle();
    offline.die();
    const next = new OfflineTab(on);
    await next.start();
    expect(next.store.getValues()).toEqual({ v: 1, w: 0 });
    await next.time.pass(SECOND);
    const pages = [...on.storage.entries].filter(([key]) => key.includes('page'));
    const contents = pages.map(([, text]) => text).filter((text) => text.includes('"v"'));
    expect(contents).toEqual(['[{},{"v":0}]', '[{},{"v":0,"w":0}]']);
  });

  test('[OFFLINE-3] without locks keep content, and no edits', async () => {
    const on: Browser & { storage: MemoryOfflineStorage } = { storage: new MemoryOfflineStorage() };
    const first = await liveTab(on);
    first.store.setValue('mine', 1);
    expect(first.pushes()).toHaveLength(1);
    await settle();
    const second = new OfflineTab(on);
    await second.start();
    expect(second.store.getValues()).toEqual({ v: 0 });
    second.open();
    await settle();
    expect(second.hello()).toMatchObject({ nextPush: 1, cursor: { epoch: 'e', version: 1 } });
    expect([...on.storage.entries.keys()].some((key) => key.includes(']e'))).toBe(false);
  });

  test('[OFFLINE-4] of another user, room or prefix find nothing', async () => {
    const on = browser();
    const ann = new OfflineTab({ ...on, user: 'ann' });
    await ann.start();
    await ann.answerGet(1, [{}, { secret: 1 }]);
    await ann.join();
    ann.store.setValue('mine', 1);
    await ann.time.pass(SECOND);
    ann.die();
    for (const user of ['bob', undefined, 'an', 'ann"]', 'ann","x']) {
      const other = new OfflineTab({ ...on, ...(user === undefined ? {} : { user }) });
      await other.start();
      expect(other.store.getContent()).toEqual([{}, {}]);
      other.die();
    }
    const again = new OfflineTab({ ...on, user: 'ann' });
    await again.start();
    expect(again.store.getValues()).toEqual({ secret: 1, mine: 1 });
  });

  test('[OFFLINE-8] clear removes what a user has, in open tabs too, and nothing of others', async () => {
    const on = browser();
    await liveTab({ ...on, user: 'bob' });
    const size = on.storage.entries.size;
    const ann = await liveTab({ ...on, user: 'ann' });
    await on.storage.write({ remove: ['["ann",'], set: new Map() });
    ann.store.setValue('v', 1);
    await settle();
    expect(ann.errors).toMatchObject([{ code: 'offline' }]);
    expect(ann.pushes()).toHaveLength(1);
    await ann.time.pass(SECOND);
    expect(on.storage.entries.size).toBe(size);
    expect(ann.errors).toHaveLength(1);
  });

  test('[OFFLINE-8] [OFFLINE-14] edits that another tab has cleared are kept by a page that was put aside before that, and once more after it', async () => {
    const storage = new ManualOfflineStorage();
    const on = { storage, locks: new MemoryLocks() };
    const tab = await followingTab(on);
    void tab.session.startSaving();
    tab.close();
    tab.store.setValue('v', 'said');
    const first = tab.putAside();
    storage.next().take();
    first();
    await storage.writeAll();
    storage.apply({ remove: ['['], set: new Map() });
    tab.store.setValue('later', 1);
    await storage.writeAll();
    expect(tab.errors).toMatchObject([{ code: 'offline' }]);
    const second = tab.putAside();
    second();
    await storage.writeAll();
    expect(await joinAll(tab, storage)).toEqual([
      [{}, { v: 'said' }],
      [{}, { later: 1 }],
    ]);
  });

  test('[OFFLINE-8] [OFFLINE-1] edits that another tab has cleared are reported when their client ends, also on a full device', async () => {
    for (const isFull of [false, true]) {
      const storage = new FillingStorage();
      const tab = new OfflineTab({ ...browser(), storage });
      await tab.start();
      tab.store.setValue('mine', 1);
      await settle();
      await storage.write({ remove: ['[null,'], set: new Map() });
      storage.isFull = isFull;
      tab.session.destroy();
      await settle();
      await tab.time.pass(3 * SECOND);
      expect(tab.refusals).toMatchObject([{ valueId: 'mine', value: 1, reason: 'destroyed' }]);
    }
  });
});

describe('edits of a tab that has ended', () => {
  test('[OFFLINE-5] are adopted by one that lives: what the room has not processed, as its own', async () => {
    const on = browser();
    const living = await liveTab(on);
    await leave(on, { a: 1, b: 2, c: 3 });
    await living.time.pass(10 * SECOND);
    const asked = living.hello();
    expect(asked).toMatchObject({ cursor: undefined, nextPush: 1, ackedPush: 0 });
    living.store.setValue('own', 1);
    await settle();
    // It had sent one of them before it ended.
    living.welcome({ generation: asked.generation, lastPush: 1, changes: undefined });
    await settle();
    expect(living.store.getValues()).toEqual({ v: 0, own: 1, b: 2, c: 3 });
    const { generation, clientId } = living.hello();
    expect(clientId).not.toBe(asked.clientId);
    living.welcome({
      generation,
      cursor: { epoch: 'e', version: 2 },
      changes: changesOf([{}, { a: 1 }]),
    });
    expect(living.pushes()).toEqual([
      [1, [{}, { own: 1 }]],
      [2, [{}, { b: 2 }]],
      [3, [{}, { c: 3 }]],
    ]);
    expect([...on.storage.entries.keys()].some((key) => key.includes(asked.clientId))).toBe(false);
    expect(on.locks.count).toBe(1);
    expect(living.errors).toEqual([]);
  });

  test('[OFFLINE-5] [JOIN-4] are adopted by the answer to the last hello for it, and not by an earlier one', async () => {
    const on = browser();
    const living = await liveTab(on);
    await leave(on, { a: 1, b: 2 });
    await living.time.pass(10 * SECOND);
    const first = living.hello();
    living.receive({ type: 'error', code: 'stale', message: 'The place is lost.' });
    await living.time.pass(SECOND);
    const second = living.hello();
    expect(second.clientId).toBe(first.clientId);
    living.welcome({ generation: first.generation, lastPush: 0, changes: undefined });
    await settle();
    // A push that came late has been processed in between.
    living.welcome({ generation: second.generation, lastPush: 1, changes: undefined });
    await settle();
    const { generation } = living.hello();
    living.welcome({ generation });
    expect(living.pushes()).toEqual([[1, [{}, { b: 2 }]]]);
  });

  test('[OFFLINE-5] [JOIN-4] are not taken for those of another one, whose answer comes too late', async () => {
    const on = browser();
    const living = await liveTab(on);
    const others = [new OfflineTab(on), new OfflineTab(on)];
    for (const [index, other] of others.entries()) {
      await other.start();
      other.store.setValue('edited', index);
    }
    await settle();
    for (const other of others) other.die();
    await living.time.pass(10 * SECOND);
    const first = living.hello();
    await living.time.pass(10 * SECOND);
    const second = living.hello();
    expect(second).toMatchObject({ cursor: undefined, nextPush: 1 });
    expect(second.clientId).not.toBe(first.clientId);
    // The room has processed all of the first one, and nothing of the second.
    living.welcome({ generation: first.generation, lastPush: 1, changes: undefined });
    await settle();
    expect(living.sent()).toEqual([]);
    living.welcome({ generation: second.generation, lastPush: 0, changes: undefined });
    await settle();
    const own = living.hello();
    // The late answer does not raise it.
    expect(own.generation).toBeLessThan(first.generation);
    living.welcome({ generation: own.generation });
    expect(living.pushes()).toHaveLength(1);
    expect(living.errors).toEqual([]);
  });

  test('[OFFLINE-5] are moved in one write, and sent only after it', async () => {
    const on = browser();
    const living = await liveTab(on);
    await leave(on, { a: 1, b: 2 });
    await living.time.pass(10 * SECOND);
    const asked = living.hello();
    living.welcome({ generation: asked.generation, lastPush: 0, changes: undefined });
    await settle();
    const move = on.storage.writes.at(-1);
    expect(move?.remove.every((key) => key.includes(asked.clientId))).toBe(true);
    expect([...(move?.set.values() ?? [])].toSorted()).toEqual(['u[{},{"a":1}]', 'u[{},{"b":2}]']);
  });

  test('[OFFLINE-5] are adopted once, though several tabs live', async () => {
    const on = browser();
    const tabs = [await liveTab(on), await liveTab(on)];
    await leave(on, { a: 1 });
    for (const tab of tabs) await tab.time.pass(10 * SECOND);
    expect(tabs.map((tab) => tab.sent().length)).toEqual([1, 0]);
    // The one that had asked dies as well.
    tabs[0]?.die();
    await tabs[1]?.time.pass(10 * SECOND);
    expect(tabs[1]?.sent()).toMatchObject([{ type: 'hello', nextPush: 1 }]);
  });

  test('[OFFLINE-5] are adopted from a few tabs at once: the own hello does not wait for all of them', async () => {
    const on = browser();
    const living = await liveTab(on);
    const others = Array.from({ length: 5 }, () => new OfflineTab(on));
    for (const [index, other] of others.entries()) {
      await other.start();
      other.store.setValue(`v${index}`, 1);
    }
    await settle();
    for (const other of others) other.die();
    /** Answers every hello until there is none; returns how many came before the own one. */
    const answer = async (): Promise<number> => {
      for (let asked = 0; ; asked += 1) {
        const { generation, cursor } = living.hello();
        living.welcome({ generation, ...(cursor === undefined && { changes: undefined }) });
        await settle();
        if (cursor !== undefined) return asked;
      }
    };
    await living.time.pass(10 * SECOND);
    expect(await answer()).toBe(3);
    expect(living.session.sync.phase).toBe('live');
    expect(living.pushes()).toHaveLength(3);
    living.receive({ type: 'alive' });
    await living.time.pass(10 * SECOND);
    expect(await answer()).toBe(2);
  });

  test('[OFFLINE-11] are free for the tab that made them, if it is loaded again at the same time as one without a network', async () => {
    const on = browser();
    const memory = {};
    const before = [new OfflineTab(on), new OfflineTab(on, memory)];
    for (const [index, tab] of before.entries()) {
      await tab.start();
      tab.store.setValue(`v${index}`, 1);
    }
    await settle();
    for (const tab of before) tab.die();
    const first = new OfflineTab(on);
    await first.start();
    expect(first.store.getValues()).toEqual({ v0: 1 });
    // It looks for closed tabs, and holds the other one.
    expect(on.locks.count).toBe(2);
    await first.time.pass(SECOND / 2);
    const second = new OfflineTab(on, memory);
    await second.start();
    expect(second.store.getValues()).toEqual({ v1: 1 });
  });

  test('[OFFLINE-11] are adopted as soon as the page is live, also if it takes long to connect', async () => {
    const on = browser();
    const before = [new OfflineTab(on), new OfflineTab(on)];
    for (const [index, tab] of before.entries()) {
      await tab.start();
      tab.store.setValue(`v${index}`, 1);
    }
    await settle();
    for (const tab of before) tab.die();
    const slow = new OfflineTab(on);
    await slow.start();
    await slow.time.pass(SECOND);
    expect(on.locks.count).toBe(1);
    if (slow.gets.waiting.length > 0) await slow.answerGet(1, [{}, { v: 0 }]);
    await slow.join();
    expect(slow.pushes()).toHaveLength(1);
    await slow.time.pass(SECOND / 10);
    expect(slow.hello()).toMatchObject({ cursor: undefined, nextPush: 1 });
  });

  test('[OFFLINE-11] wait while a push of the tab that lives travels in parts', async () => {
    const on = browser();
    const living = await liveTab(on);
    await leave(on, { v: 1 });
    living.store.setValue('large', 'x'.repeat(2000));
    await settle();
    expect(living.sent()[0]).toMatchObject({ type: 'part', number: 1, offset: 0 });
    await living.time.pass(10 * SECOND);
    expect(living.sent().filter((message) => message?.type === 'hello')).toEqual([]);
    living.receive({ type: 'alive' });
    living.ack(1, 2);
    await living.time.pass(10 * SECOND);
    expect(living.hello()).toMatchObject({ cursor: undefined, nextPush: 1 });
  });

  test('[OFFLINE-5] wait for a tab that saves, and do not hold up one whose room does not answer', async () => {
    const on = browser();
    const living = await liveTab(on);
    living.session.stopSaving();
    await leave(on, { a: 1 });
    await living.time.pass(10 * SECOND);
    expect(living.sent()).toEqual([]);
    living.receive({ type: 'alive' });
    void living.session.startSaving();
    await living.time.pass(10 * SECOND);
    const asked = living.hello();
    await living.time.pass(10 * SECOND);
    const own = living.hello();
    expect(own.clientId).not.toBe(asked.clientId);
    living.welcome({ generation: own.generation });
    expect(living.session.sync.phase).toBe('live');
  });

  test('[OFFLINE-5] that waited for saving are one push more', async () => {
    const on = browser();
    const living = await liveTab(on);
    const other = new OfflineTab(on);
    void other.session.follow();
    await settle();
    other.store.setValue('held', 1);
    other.store.setValue('held', 2);
    await settle();
    other.die();
    await living.time.pass(10 * SECOND);
    living.welcome({ generation: living.hello().generation, changes: undefined });
    await settle();
    living.welcome({ generation: living.hello().generation });
    expect(living.pushes()).toEqual([[1, [{}, { held: 2 }]]]);
  });
});

describe('edits of a session that has ended', () => {
  test.each(['at once', 'later'])(
    '[OFFLINE-1] are handed to the next one on that Store, which continues the client: %s',
    async (when) => {
      const on = browser();
      const store = createStore();
      const first = new OfflineTab(on, undefined, store);
      await first.start();
      await first.answerGet(1, [{}, { v: 0 }]);
      const { clientId } = await first.join();
      store.setValue('mine', 1);
      first.session.stopSaving();
      store.setValue('held', 1);
      first.session.destroy();
      if (when === 'later') await settle();
      const second = new OfflineTab(on, undefined, store);
      await second.start();
      await first.time.pass(10 * SECOND);
      expect(first.refusals).toEqual([]);
      const hello = await second.join();
      expect(hello).toMatchObject({ clientId, nextPush: 1 });
      const sent = [...second.pushes()];
      expect(sent[0]).toEqual([1, [{}, { mine: 1 }]]);
      if (when === 'later') {
        // The device does not tell what was sent, so it goes on with a later number (OFFLINE-9).
        second.ack(1, 2);
        await settle();
        const cursor = { epoch: 'e', version: 2 };
        second.welcome({ generation: second.hello().generation, cursor, lastPush: 1 });
        await settle();
        sent.push(...second.pushes());
      }
      expect(sent.map(([, changes]) => changes)).toEqual([
        [{}, { mine: 1 }],
        [{}, { held: 1 }],
      ]);
      if (when === 'at once') expect(sent[1]?.[0]).toBe(2);
      expect(on.locks.count).toBe(1);
    },
  );

  test.each(['lands late', 'takes too long', 'fails'])(
    '[OFFLINE-1] [OFFLINE-3] are sent by the next one, and by no other page, though the last write %s',
    async (which) => {
      const storage = new ManualOfflineStorage();
      const on = { ...browser(), storage };
      const memory = {};
      const store = createStore();
      const first = new OfflineTab(on, memory, store);
      await first.start();
      await first.answerGet(1, [{}, { v: 0 }]);
      store.setValue('mine', 1);
      await storage.writeAll();
      store.setValue('late', 1);
      await settle();
      first.session.destroy();
      const second = new OfflineTab(on, memory, store);
      await second.start();
      await second.time.pass(5 * SECOND);
      await second.answerGet(1, [{}, { v: 0 }]);
      expect(store.getValues()).toEqual({ v: 0, mine: 1, late: 1 });
      const { clientId } = await second.join();
      const sent = [...second.pushes()];
      // What is not on the device waits (KEEP-2).
      expect(sent).toEqual([[1, [{}, { mine: 1 }]]]);
      if (which === 'fails') storage.next().fail(new Error('full'));
      if (which === 'takes too long') await first.time.pass(30 * SECOND);
      await storage.writeAll();
      const other = new OfflineTab(on);
      await other.start();
      if (other.gets.waiting.length > 0) await other.answerGet(1, [{}, { v: 0 }]);
      await storage.writeAll();
      other.open();
      await storage.writeAll();
      const hello = other.hello();
      expect(hello.clientId).not.toBe(clientId);
      other.welcome({ generation: hello.generation });
      await storage.writeAll();
      expect(other.pushes()).toEqual([]);
      sent.push(...second.pushes());
      expect(sent.slice(1)).toEqual([[2, [{}, { late: 1 }]]]);
      const told = which === 'lands late' ? [] : [{ code: 'offline' }];
      expect(second.errors).toMatchObject(told);
      expect([first.refusals, second.refusals]).toEqual([[], []]);
      if (which !== 'lands late') return;
      second.ack(1, 2);
      second.ack(2, 3);
      await second.time.pass(SECOND);
      await storage.writeAll();
      // What is answered leaves the record (KEEP-3).
      expect([...storage.entries.keys()].filter((key) => key.includes(`${clientId}/0`))).toEqual(
        [],
      );
    },
  );

  test.each(['a living one', 'a new one', 'one that has gone'])(
    '[OFFLINE-1] [OFFLINE-5] are sent once if %s has taken them over before the next one on that Store begins',
    async (which) => {
      const on = browser();
      const living = await liveTab(on);
      const store = createStore();
      const memory = {};
      const first = new OfflineTab(on, memory, store);
      await first.start();
      await first.join();
      await first.time.pass(SECOND);
      first.close();
      store.setValue('mine', 1);
      await settle();
      first.session.destroy();
      await settle();
      const other = which === 'a living one' ? living : new OfflineTab(on);
      if (other === living) {
        living.sent();
        await living.time.pass(10 * SECOND);
        living.welcome({ generation: living.hello().generation });
        await settle();
      } else {
        await other.start();
        other.open();
        await settle();
      }
      const { clientId, generation } = other.hello();
      other.welcome({ generation });
      await settle();
      const sent = other.pushes();
      expect(sent).toMatchObject([[1, [{}, { mine: 1 }]]]);
      const last = { cursor: { epoch: 'e', version: 1 }, lastPush: 0 };
      if (which === 'one that has gone') {
        other.ack(1, 2);
        other.store.setValue('more', 1);
        await settle();
        const again = other.hello();
        const cursor = { epoch: 'e', version: 2 };
        other.welcome({ generation: again.generation, cursor, lastPush: 1 });
        await settle();
        [[last.lastPush] = [0]] = other.pushes();
        other.ack(last.lastPush, 3);
        last.cursor.version = 3;
        await other.time.pass(SECOND);
        other.die();
      } else {
        // React in strict mode mounts a component twice.
        const strict = new OfflineTab(on, memory, store);
        void strict.session.follow();
        strict.session.destroy();
      }
      const second = new OfflineTab(on, memory, store);
      await second.start();
      await second.time.pass(4 * SECOND);
      second.open();
      await settle();
      const hello = second.hello();
      expect(hello.clientId === clientId).toBe(which === 'one that has gone');
      second.welcome({ ...last, generation: hello.generation });
      await settle();
      expect([second.sent(), second.errors]).toEqual([[], []]);
      expect(second.session.sync.unsaved).toBe(0);
    },
  );

  test.each([false, true])(
    '[OFFLINE-1] [OFFLINE-3] leave no lock to the next one if it ends while it opens its record: with a session before it (%s)',
    async (hasFormer) => {
      for (let turns = 0; turns < 50; turns += 1) {
        const on = browser();
        const store = createStore();
        const memory = {};
        if (hasFormer) {
          const first = new OfflineTab(on, memory, store);
          await first.start();
          store.setValue('mine', 1);
          await settle();
          first.session.destroy();
          await settle();
        }
        const tab = new OfflineTab(on, memory, store);
        void tab.session.follow();
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
        tab.session.destroy();
        await settle();
        expect([turns, on.locks.count]).toEqual([turns, 0]);
      }
    },
  );

  test('[OFFLINE-1] are left to a page that has taken them over and uses their record', async () => {
    const on = browser();
    const store = await leftStore(on);
    const other = new OfflineTab(on);
    await other.start();
    const { clientId } = await other.join();
    expect(other.pushes()).toMatchObject([[1, [{}, { mine: 1 }]]]);
    const second = new OfflineTab(on, {}, store);
    await second.start();
    const hello = await second.join();
    expect(hello.clientId).not.toBe(clientId);
    expect([second.pushes(), second.session.sync.unsaved]).toEqual([[], 0]);
  });

  test('[OFFLINE-1] [OFFLINE-2] are left to it also by a session that cannot read the device', async () => {
    const on = browser();
    const store = await leftStore(on);
    const other = new OfflineTab(on);
    await other.start();
    const { clientId } = await other.join();
    const second = new OfflineTab(
      { ...on, storage: () => new Promise<never>(() => undefined) },
      {},
      store,
    );
    await second.start();
    await second.time.pass(5 * SECOND);
    await second.answerGet(1, [{}, { v: 0 }]);
    const hello = await second.join();
    expect(hello.clientId).not.toBe(clientId);
    expect([second.pushes(), second.session.sync.unsaved]).toEqual([[], 0]);
    expect(second.errors).toMatchObject([{ code: 'offline' }]);
  });

  test('[OFFLINE-1] are left to it also by a session that ends with edits of its own before it knows of that', async () => {
    const on = browser();
    const memory = {};
    const store = await leftStore(on, memory);
    const other = new OfflineTab(on);
    await other.start();
    other.store.setValue('theirs', 1);
    await settle();
    other.die();
    const strict = new OfflineTab(on, memory, store);
    void strict.session.follow();
    store.setValue('later', 1);
    strict.session.destroy();
    await settle();
    const second = new OfflineTab(on, memory, store);
    await second.start();
    expect(second.session.sync.unsaved).toBe(3);
    expect(second.store.getValues()).toEqual({ v: 0, mine: 1, theirs: 1, later: 1 });
    expect(strict.refusals).toEqual([]);
  });

  test('[OFFLINE-1] are reported if no session begins, and those of the device are not', async () => {
    const on = browser();
    const memory = {};
    const store = await leftStore(on, memory);
    const strict = new OfflineTab(on, memory, store);
    void strict.session.follow();
    store.setValue('later', 1);
    strict.session.destroy();
    await strict.time.pass(3 * SECOND);
    const refusal = { type: 'value', valueId: 'later', value: 1, reason: 'destroyed' };
    expect(strict.refusals).toEqual([refusal]);
  });

  test.each(['has gone', 'is there'])(
    '[OFFLINE-1] that the device did not take are sent by the next one, and the others by the page that has taken them over: it %s',
    async (which) => {
      const storage = new FillingStorage();
      const on = { ...browser(), storage };
      const store = createStore();
      const memory = {};
      const first = new OfflineTab(on, memory, store);
      await first.start();
      await first.answerGet(1, [{}, { v: 0 }]);
      await first.join();
      await first.time.pass(SECOND);
      first.close();
      store.setValue('mine', 1);
      await settle();
      storage.isFull = true;
      store.setValue('late', 1);
      await settle();
      first.session.destroy();
      await first.time.pass(2 * SECOND);
      expect(first.refusals).toMatchObject([{ valueId: 'late', reason: 'destroyed' }]);
      storage.isFull = false;
      const other = new OfflineTab(on);
      await other.start();
      const { clientId } = await other.join();
      expect(other.pushes()).toMatchObject([[1, [{}, { mine: 1 }]]]);
      const last = { cursor: { epoch: 'e', version: which === 'has gone' ? 2 : 1 }, lastPush: 0 };
      if (which === 'has gone') {
        other.ack(1, 2);
        await other.time.pass(SECOND);
        other.die();
      }
      const second = new OfflineTab(on, memory, store);
      await second.start();
      const hello = await second.join(last);
      expect(hello.clientId === clientId).toBe(which === 'has gone');
      expect(second.pushes().map(([, changes]) => changes)).toEqual([[{}, { late: 1 }]]);
    },
  );

  test.each([true, false])(
    '[OFFLINE-1] that were held are sent once, though the device took only a part: it allows to remove that (%s)',
    async (canRemove) => {
      const storage = new FillingStorage();
      const on = { ...browser(), storage };
      const memory = {};
      const store = createStore();
      const first = new OfflineTab(on, memory, store);
      void first.session.follow();
      await settle();
      await first.answerGet(1, [{}, { v: 0 }]);
      store.setValue('kept', 1);
      await first.time.pass(SECOND);
      storage.isFull = true;
      storage.canRemove = canRemove;
      store.setValue('late', 1);
      await settle();
      first.session.destroy();
      await first.time.pass(2 * SECOND);
      expect(first.refusals).toMatchObject([{ valueId: 'kept' }, { valueId: 'late' }]);
      storage.isFull = false;
      const other = new OfflineTab(on);
      await other.start();
      await other.join();
      const second = new OfflineTab(on, memory, store);
      await second.start();
      await second.join();
      const sent = [...other.pushes(), ...second.pushes()].map(([, changes]) => changes);
      expect(sent).toEqual([[{}, canRemove ? { kept: 1, late: 1 } : { kept: 1 }]]);
    },
  );

  test('[OFFLINE-1] that were held, and are on the device, are neither removed nor reported if that is full later', async () => {
    const storage = new FillingStorage();
    const on = { ...browser(), storage };
    const first = new OfflineTab(on);
    void first.session.follow();
    await settle();
    await first.answerGet(1, [{}, { v: 0 }]);
    await first.join();
    await first.time.pass(SECOND);
    first.store.setValue('kept', 1);
    await settle();
    storage.isFull = true;
    first.commit(2, [{}, { w: 0 }]);
    await first.time.pass(SECOND);
    expect(first.errors).toMatchObject([{ code: 'offline' }]);
    first.session.destroy();
    await first.time.pass(3 * SECOND);
    expect(first.refusals).toEqual([]);
    const other = new OfflineTab(on);
    await other.start();
    await other.join();
    expect(other.pushes()).toMatchObject([[NOW + 1, [{}, { kept: 1 }]]]);
  });

  test('[OFFLINE-1] that were sent, but are not on the device, are not sent again once others may have the record', async () => {
    const storage = new FillingStorage();
    const on = { ...browser(), storage };
    const memory = {};
    const store = createStore();
    const first = new OfflineTab(on, memory, store);
    await first.start();
    await first.answerGet(1, [{}, { v: 0 }]);
    await first.join();
    await first.time.pass(SECOND);
    storage.isFull = true;
    store.setValue('mine', 1);
    await settle();
    expect(first.pushes()).toEqual([[1, [{}, { mine: 1 }]]]);
    first.session.destroy();
    await first.time.pass(2 * SECOND);
    expect(first.refusals).toMatchObject([{ valueId: 'mine', reason: 'destroyed' }]);
    const second = new OfflineTab(on, memory, store);
    await second.start();
    await second.join({ lastPush: 1, cursor: { epoch: 'e', version: 2 } });
    expect([second.pushes(), second.session.sync.unsaved]).toEqual([[], 0]);
  });

  test('[OFFLINE-1] [DERIVE-1] that its Store made itself are not sent as edits of the user, if the device did not take them', async () => {
    const storage = new FillingStorage();
    const on = { ...browser(), storage };
    const memory = {};
    const store = createStore();
    const first = new OfflineTab(on, memory, store);
    await first.start();
    await first.answerGet(1, [{}, { v: 0 }]);
    await first.join();
    await first.time.pass(SECOND);
    store.setValue('kept', 1);
    await settle();
    storage.isFull = true;
    store.addValueListener('w', () => void store.setValue('derived', 1), true);
    first.commit(2, [{}, { w: 1 }]);
    store.setValue('mine', 1);
    first.close();
    await settle();
    first.session.destroy();
    await first.time.pass(2 * SECOND);
    storage.isFull = false;
    const other = new OfflineTab(on);
    await other.start();
    const second = new OfflineTab(on, memory, store);
    await second.start();
    await second.join();
    expect(second.pushes()).toEqual([[1, [{}, { mine: 1 }]]]);
  });

  test('[OFFLINE-1] [OFFLINE-5] are not those that it was about to adopt, if the device did not take them', async () => {
    const storage = new FillingStorage();
    const on = { ...browser(), storage };
    const store = createStore();
    const first = new OfflineTab(on, {}, store);
    await first.start();
    await first.answerGet(1, [{}, { v: 0 }]);
    await first.join();
    await first.time.pass(SECOND);
    await leave(on, { theirs: 1 });
    await first.time.pass(10 * SECOND);
    storage.isFull = true;
    first.welcome({ generation: first.hello().generation, changes: undefined });
    store.setValue('mine', 1);
    first.session.destroy();
    const second = new OfflineTab(on, {}, store);
    await second.start();
    await second.join();
    expect(second.pushes()).toEqual([
      [1, [{}, {}]],
      [2, [{}, { mine: 1 }]],
    ]);
  });

  test('[OFFLINE-1] [OFFLINE-13] leave in its record what a page has said as it ended, before its first write', async () => {
    const storage = new ManualOfflineStorage();
    const on = { ...browser(), storage };
    const store = createStore();
    const memory = {};
    const first = new OfflineTab(on, memory, store);
    await first.start();
    store.setValue('mine', 1);
    first.session.destroy();
    await storage.writeAll();
    const other = new OfflineTab(on);
    await other.start();
    other.store.setValue('theirs', 1);
    await settle();
    other.end(true);
    other.die();
    storage.waiting.length = 0;
    const second = new OfflineTab(on, memory, store);
    await second.start();
    await storage.writeAll();
    expect(second.store.getValues()).toEqual({ mine: 1, theirs: 1 });
    expect(second.session.sync.unsaved).toBe(2);
  });

  test('[OFFLINE-1] [OFFLINE-13] of the next one survive the end of the page while it waits for the record', async () => {
    const storage = new ManualOfflineStorage();
    const on = {
      ...browser(),
      storage,
      writeLast: (write: LastWrite) => storage.writeLast(write),
    };
    const store = createStore();
    const first = new OfflineTab(on, {}, store);
    await first.start();
    await first.answerGet(1, [{}, { v: 0 }]);
    await storage.writeAll();
    await first.time.pass(SECOND);
    await storage.writeAll();
    store.setValue('mine', 1);
    await settle();
    first.session.destroy();
    const second = new OfflineTab(on, {}, store);
    await second.start();
    store.setValue('late', 1);
    second.end(true);
    second.die();
    first.die();
    storage.waiting.length = 0;
    const living = new OfflineTab(on);
    await living.start();
    await storage.writeAll();
    living.open();
    await storage.writeAll();
    const asked = living.hello();
    living.welcome({ generation: asked.generation, changes: undefined });
    await storage.writeAll();
    living.welcome({ generation: living.hello().generation });
    await storage.writeAll();
    expect(living.session.sync.unsaved).toBe(2);
    expect(living.store.getValues()).toEqual({ v: 0, mine: 1, late: 1 });
  });

  test('[JOIN-4] no answer to an earlier one on that socket is for a later one with another record', async () => {
    const on = browser();
    const store = createStore();
    const first = new OfflineTab(on, {}, store);
    await first.start();
    await first.answerGet(1, [{}, { v: 0 }]);
    first.open();
    await settle();
    const { generation } = first.hello();
    first.session.destroy();
    const second = new OfflineTab({ ...on, user: 'guest' }, {}, store);
    await second.start();
    await second.answerGet(1, [{}, { v: 0 }]);
    second.open();
    await settle();
    expect(second.hello().generation).toBeGreaterThan(generation);
  });

  test('[OFFLINE-1] are not reported if they are durable: the next page sends them', async () => {
    const on = browser();
    const first = await liveTab(on);
    first.store.setValue('mine', 1);
    first.session.destroy();
    await settle();
    await first.time.pass(10 * SECOND);
    expect(first.refusals).toEqual([]);
    const second = new OfflineTab(on);
    await second.start();
    expect(second.store.getValues()).toEqual({ v: 0, mine: 1 });
  });

  test('[OFFLINE-1] stay in the record of their room when the socket leads to another one', async () => {
    const on = browser();
    const tab = await liveTab(on);
    tab.store.setValue('mine', 1);
    tab.moveToAnotherRoom();
    await settle();
    await tab.answerGet(1, [{}, { other: 1 }], 'f');
    expect(tab.store.getValues()).toEqual({ other: 1 });
    tab.die();
    expect(tab.refusals).toEqual([]);
    const next = new OfflineTab(on);
    await next.start();
    expect(next.store.getValues()).toEqual({ v: 0, mine: 1 });
  });
});

/** A browser from whose record the second push was lost, after it was sent. */
async function withLostPush(): Promise<ReturnType<typeof browser>> {
  const on = browser();
  const first = await liveTab(on);
  first.store.setValue('a', 1);
  await settle();
  const copy = new Map(on.storage.entries);
  first.store.setValue('lost', 1);
  await settle();
  expect(first.pushes()).toHaveLength(2);
  first.die();
  on.storage.entries.clear();
  for (const [key, text] of copy) on.storage.entries.set(key, text);
  return on;
}

/** The room has both. */
const WELCOME = {
  lastPush: 2,
  cursor: { epoch: 'e', version: 3 },
  changes: changesOf([{}, { a: 1, lost: 1 }]),
};

describe('after a power failure', () => {
  test('[OFFLINE-9] a page begins with a number that no page before it has used', async () => {
    const on = await withLostPush();
    const tab = new OfflineTab(on);
    await tab.start();
    tab.store.setValue('mine', 1);
    const first = await tab.join(WELCOME);
    expect(first.nextPush).toBe(1);
    const { clientId, generation, nextPush } = tab.hello();
    expect([clientId, nextPush]).toEqual([first.clientId, NOW + 1]);
    tab.welcome({ ...WELCOME, generation, lastPush: NOW, changes: changesOf([{}, {}]) });
    expect(tab.pushes()).toEqual([[NOW + 1, [{}, { mine: 1 }]]]);
    expect(tab.store.getValues()).toEqual({ v: 0, a: 1, lost: 1, mine: 1 });
    expect(tab.errors).toEqual([]);
  });

  test('[OFFLINE-9] an edit of a page that met no room is not taken for the lost one', async () => {
    const on = await withLostPush();
    await leave(on, { mine: 1 });
    const tab = new OfflineTab(on);
    await tab.start();
    await tab.join(WELCOME);
    expect(tab.hello().nextPush).toBe(NOW + 1);
    expect(tab.store.getValues()).toEqual({ v: 0, a: 1, lost: 1, mine: 1 });
  });

  test('[OFFLINE-9] nor if another page adopts it, saved or not', async () => {
    const on = await withLostPush();
    const ended = new OfflineTab(on);
    await ended.start();
    ended.store.setValue('mine', 1);
    ended.session.stopSaving();
    ended.store.setValue('held', 1);
    await settle();
    const living = await liveTab(on);
    ended.die();
    await living.time.pass(10 * SECOND);
    living.welcome({ ...WELCOME, generation: living.hello().generation, changes: undefined });
    await settle();
    living.welcome({ ...WELCOME, generation: living.hello().generation, lastPush: 0 });
    expect(living.pushes()).toEqual([
      [1, [{}, { mine: 1 }]],
      [2, [{}, { held: 1 }]],
    ]);
  });

  test('[OFFLINE-9] what was held is sent, even if the room knows more pushes than the record', async () => {
    const on = browser();
    const ended = await liveTab(on);
    ended.session.stopSaving();
    ended.store.setValue('held', 1);
    await settle();
    const living = await liveTab(on);
    ended.die();
    await living.time.pass(10 * SECOND);
    living.welcome({ generation: living.hello().generation, lastPush: 7, changes: undefined });
    await settle();
    living.welcome({ generation: living.hello().generation });
    expect(living.pushes()).toEqual([[1, [{}, { held: 1 }]]]);
  });

  test('[OFFLINE-9] pushes with later numbers wait until those before the gap are answered', async () => {
    const on = await withLostPush();
    const tab = new OfflineTab(on);
    await tab.start();
    tab.store.setValue('mine', 1);
    await settle();
    await tab.join({ cursor: { epoch: 'e', version: 1 }, lastPush: 0 });
    tab.store.setValue('more', 1);
    await settle();
    expect(tab.pushes()).toEqual([[1, [{}, { a: 1 }]]]);
    tab.ack(1, 2);
    const { generation, nextPush } = tab.hello();
    expect(nextPush).toBe(NOW + 1);
    tab.welcome({ generation, lastPush: NOW, cursor: { epoch: 'e', version: 2 } });
    expect(tab.pushes()).toEqual([
      [NOW + 1, [{}, { mine: 1 }]],
      [NOW + 2, [{}, { more: 1 }]],
    ]);
  });

  test('[OFFLINE-9] only the removal of edits waits for the disk', async () => {
    const on = browser();
    const tab = await liveTab(on);
    tab.store.setValue('mine', 1);
    await settle();
    expect(on.storage.writes.some(({ isStrict }) => isStrict)).toBe(false);
    tab.ack(1, 2);
    await tab.time.pass(SECOND);
    expect(on.storage.writes.filter(({ isStrict }) => isStrict)).toEqual([
      on.storage.writes.at(-1),
    ]);
    expect(on.storage.writes.at(-1)?.remove).toHaveLength(1);
  });
});

describe('a record that is older than what the room knows', () => {
  /** More than any page of this device has used. */
  const lastPush = NOW + 5;

  test('[OFFLINE-6] takes no number twice: what was not sent goes under a new client id', async () => {
    const on = await withLostPush();
    const next = new OfflineTab(on);
    await next.start();
    next.store.setValue('c', 1);
    next.open();
    await settle();
    const hello = next.hello();
    next.welcome({ ...WELCOME, generation: hello.generation, lastPush });
    await next.time.pass(0);
    const again = next.hello();
    expect(again.clientId).not.toBe(hello.clientId);
    const { cursor } = WELCOME;
    expect(again).toMatchObject({ nextPush: NOW + 1, cursor });
    // A room believes that everything before the next push was processed.
    next.welcome({ generation: again.generation, lastPush: NOW, cursor });
    expect(next.pushes()).toEqual([[NOW + 1, [{}, { c: 1 }]]]);
    expect(next.store.getValues()).toEqual({ v: 0, a: 1, lost: 1, c: 1 });
    expect(next.errors).toEqual([]);
    // The record is the new client's from now on.
    next.die();
    const last = new OfflineTab(on);
    await last.start();
    // It has nothing of what the former client has sent.
    const lastHello = await last.join({ lastPush: 0, cursor });
    expect(lastHello).toMatchObject({ clientId: again.clientId, nextPush: NOW + 1 });
    expect(last.pushes()).toEqual([[NOW + 1, [{}, { c: 1 }]]]);
  });

  test('[OFFLINE-6] has its new client id on disk before hello is said under it', async () => {
    const on = { storage: new ManualOfflineStorage(), locks: new MemoryLocks() };
    const { storage } = on;
    const tab = new OfflineTab(on);
    await tab.start();
    await tab.answerGet(1, [{}, {}]);
    tab.open();
    await storage.writeAll();
    const first = tab.hello();
    tab.store.setValue('a', 1);
    await storage.writeAll();
    tab.welcome({ generation: first.generation, lastPush: 5 });
    await tab.time.pass(0);
    expect(tab.sent()).toEqual([]);
    expect(storage.waiting.map(({ write }) => write.isStrict)).toEqual([true]);
    await storage.writeAll();
    const again = tab.hello();
    expect(again.clientId).not.toBe(first.clientId);
    // The session after this one finds it by that id.
    tab.session.destroy();
    await storage.writeAll();
    const next = new OfflineTab(on, undefined, tab.store);
    await next.start();
    next.open();
    await storage.writeAll();
    expect(next.hello().clientId).toBe(again.clientId);
  });

  test('[OFFLINE-6] [OFFLINE-1] keeps its new client id in the next session, though the device was full when it took that', async () => {
    const storage = new FillingStorage();
    const on = { ...browser(), storage };
    const tab = new OfflineTab(on);
    await tab.start();
    await tab.answerGet(1, [{}, {}]);
    tab.open();
    await settle();
    const { clientId, generation } = tab.hello();
    tab.store.setValue('a', 1);
    await tab.time.pass(SECOND);
    storage.isFull = true;
    tab.welcome({ generation, lastPush: 5 });
    await tab.time.pass(0);
    expect(tab.hello().clientId).not.toBe(clientId);
    tab.session.destroy();
    storage.isFull = false;
    const next = new OfflineTab(on, undefined, tab.store);
    await next.start();
    const again = await next.join();
    expect(again.clientId).not.toBe(clientId);
    next.die();
    tab.die();
    const last = new OfflineTab(on);
    await last.start();
    expect((await last.join()).clientId).toBe(again.clientId);
    expect(last.pushes().map(([, changes]) => changes)).toEqual([[{}, { a: 1 }]]);
  });
});

describe('a page that the browser has put aside, and whose locks it has taken away', () => {
  test('[OFFLINE-14] goes on as the same client if nobody has taken over its edits, and holds the lock of its record again', async () => {
    const on = browser();
    const { tab, clientId, comeBack } = await asideTab(on);
    expect(on.locks.count).toBe(0);
    const confirmed = tab.session.whenConfirmed();
    comeBack();
    tab.store.setValue('later', 1);
    await settle();
    expect(on.locks.count).toBe(1);
    const other = new OfflineTab(on);
    await other.start();
    await other.join();
    expect(other.pushes()).toEqual([]);
    const hello = await tab.join({ lastPush: 0 });
    expect(hello.clientId).toBe(clientId);
    const pushes = tab.pushes();
    expect(pushes.map(([, changes]) => changes)).toEqual([
      [{}, { v: 'old' }],
      [{}, { later: 1 }],
    ]);
    pushes.forEach(([number], index) => tab.ack(number, 2 + index));
    await confirmed;
    expect(tab.errors).toEqual([]);
  });

  test.each([
    ['while it opened its record', undefined],
    ['while it looked for the record of the page before it', 'cccccccccccccccccccc99'],
  ])(
    '[OFFLINE-14] takes its lock again each time, also if it was put aside %s',
    async (_when, id) => {
      const on = browser();
      const opened = new Deferred<void>();
      const read = on.storage.read.bind(on.storage);
      on.storage.read = async (prefix) => {
        if (on.locks.count > 0) await opened.promise;
        return await read(prefix);
      };
      const tab = new OfflineTab(on, id === undefined ? {} : { id });
      await tab.start();
      expect(on.locks.count).toBe(1);
      tab.putAside()();
      expect(on.locks.count).toBe(0);
      opened.resolve();
      await settle();
      expect(on.locks.count).toBe(1);
      tab.putAside()();
      await settle();
      expect(on.locks.count).toBe(1);
      tab.session.destroy();
      await settle();
      expect(on.locks.count).toBe(0);
      expect(tab.errors).toEqual([]);
    },
  );

  test('[OFFLINE-14] leaves its edits to the page that has its record also if its device was full before', async () => {
    const on = browser();
    const { tab, clientId, comeBack } = await asideTab(on, async ({ store }) => {
      const write = on.storage.write.bind(on.storage);
      on.storage.write = () => Promise.reject(new Error('full'));
      store.setValue('unwritten', 1);
      await settle();
      on.storage.write = write;
    });
    expect(tab.errors).toMatchObject([{ code: 'offline' }]);
    const other = new OfflineTab(on);
    await other.start();
    await other.join();
    expect(other.pushes()).toMatchObject([[expect.any(Number), [{}, { v: 'old' }]]]);
    comeBack();
    await settle();
    const hello = await tab.join();
    expect(hello.clientId).not.toBe(clientId);
    expect(tab.pushes().map(([, changes]) => changes)).toEqual([[{}, { unwritten: 1 }]]);
  });

  test('[OFFLINE-14] [OFFLINE-1] reports what it has sent, but could not write, and does not send it over a newer edit', async () => {
    const storage = new FillingStorage();
    const tab = await liveTab({ storage, locks: new MemoryLocks() });
    storage.isFull = true;
    tab.store.setValue('v', 'mine');
    await settle();
    expect(tab.pushes()).toEqual([[1, [{}, { v: 'mine' }]]]);
    const comeBack = tab.putAside();
    comeBack();
    await settle();
    tab.open();
    await settle();
    tab.welcome({
      generation: tab.hello().generation,
      cursor: { epoch: 'e', version: 3 },
      changes: changesOf([{}, { v: 'newer' }]),
    });
    await settle();
    expect(tab.pushes()).toEqual([]);
    expect(tab.store.getValues()).toEqual({ v: 'newer' });
    expect(tab.refusals).toMatchObject([{ valueId: 'v', value: 'mine', reason: 'destroyed' }]);
  });

  test('[OFFLINE-14] [OFFLINE-1] whose device was full leaves no lost lock to the next session: that one takes it', async () => {
    const on = browser();
    const write = on.storage.write.bind(on.storage);
    on.storage.write = () => Promise.reject(new Error('full'));
    const tab = new OfflineTab(on, {});
    await tab.start();
    tab.store.setValue('v', 'old');
    await settle();
    tab.putAside()();
    await settle();
    on.storage.write = write;
    tab.session.destroy();
    const next = new OfflineTab(on, {}, tab.store);
    await next.start();
    const other = await liveTab(on);
    expect(other.pushes()).toEqual([]);
    await next.answerGet(1, [{}, { v: 0 }]);
    await next.join();
    expect(next.pushes().map(([, changes]) => changes)).toEqual([[{}, { v: 'old' }]]);
    expect([tab.refusals, next.refusals]).toEqual([[], []]);
  });

  test('[OFFLINE-14] sends what another page has said last into their record', async () => {
    const storage = new ManualOfflineStorage();
    const on = { storage, locks: new MemoryLocks() };
    const aside = asideTab(on);
    for (let turn = 0; turn < 100; turn += 1) {
      await settle();
      storage.waiting.shift()?.take();
    }
    const { tab, comeBack } = await aside;
    const other = new OfflineTab(on);
    await other.start();
    other.store.setValue('other', 1);
    expect(storage.waiting.length).toBe(1);
    other.end(true);
    other.die();
    storage.waiting.length = 0;
    comeBack();
    await storage.writeAll();
    tab.open();
    await storage.writeAll();
    tab.welcome({ generation: tab.hello().generation });
    await storage.writeAll();
    const first = tab.pushes();
    expect(first.map(([, changes]) => changes)).toEqual([[{}, { v: 'old' }]]);
    for (const [number] of first) tab.ack(number, 2);
    await storage.writeAll();
    tab.welcome({ generation: tab.hello().generation, cursor: { epoch: 'e', version: 2 } });
    await storage.writeAll();
    expect(tab.pushes().map(([, changes]) => changes)).toEqual([[{}, { other: 1 }]]);
  });

  test.each([
    ['held edits that it has written', undefined],
    [
      'held edits that it said as it went, whose write comes later',
      (write: WaitingWrite) => write.take(),
    ],
    [
      'held edits that it said as it went, whose write was cut off',
      (write: WaitingWrite) => write.fail(new Error('cut off')),
    ],
  ])('[OFFLINE-14] does not send twice: %s', async (_what, endWrite) => {
    const storage = new ManualOfflineStorage();
    const on = { storage, locks: new MemoryLocks() };
    const tab = new OfflineTab(on, {});
    void tab.session.follow();
    await storage.writeAll();
    await tab.answerGet(1, [{}, { v: 0 }]);
    tab.open();
    await storage.writeAll();
    tab.welcome({ generation: tab.hello().generation });
    await tab.time.pass(SECOND);
    await storage.writeAll();
    tab.store.setValue('v', 'old');
    if (endWrite === undefined) await storage.writeAll();
    const comeBack = tab.putAside();
    const write = endWrite && storage.next();
    const other = new OfflineTab(on);
    await other.start();
    await storage.writeAll();
    other.open();
    await storage.writeAll();
    other.welcome({ generation: other.hello().generation });
    await storage.writeAll();
    expect(other.pushes()).toMatchObject([[expect.any(Number), [{}, { v: 'old' }]]]);
    comeBack();
    void tab.session.startSaving();
    tab.store.setValue('later', 1);
    if (write) endWrite(write);
    await storage.writeAll();
    tab.open();
    await storage.writeAll();
    tab.welcome({ generation: tab.hello().generation });
    await storage.writeAll();
    expect(tab.pushes().map(([, changes]) => changes)).toEqual([[{}, { later: 1 }]]);
    expect([tab.errors, tab.refusals]).toEqual([[], []]);
  });

  test('[OFFLINE-14] does not send twice: held edits of the page before it, if it was put aside while it opened their record', async () => {
    const on = browser();
    const before = new OfflineTab(on);
    void before.session.follow();
    await settle();
    await before.answerGet(1, [{}, { v: 0 }]);
    await before.join();
    await before.time.pass(SECOND);
    before.store.setValue('v', 'old');
    await settle();
    before.die();
    const opened = new Deferred<void>();
    const read = on.storage.read.bind(on.storage);
    // The content is the last that it reads.
    on.storage.read = async (prefix) => {
      if (prefix.includes(']b')) await opened.promise;
      return await read(prefix);
    };
    const tab = new OfflineTab(on);
    void tab.session.follow();
    await settle();
    const comeBack = tab.putAside();
    on.storage.read = read;
    const other = await liveTab(on);
    expect(other.pushes()).toMatchObject([[expect.any(Number), [{}, { v: 'old' }]]]);
    comeBack();
    opened.resolve();
    await tab.start();
    await tab.join();
    expect(tab.pushes()).toEqual([]);
    expect([tab.errors, tab.refusals]).toEqual([[], []]);
  });

  test('[OFFLINE-14] does not send twice: what it said as it went, if it was put aside again before it knew whose its record is', async () => {
    const storage = new ManualOfflineStorage();
    const locks = new MemoryLocks();
    const of = locks.of.bind(locks);
    let isSlow = false;
    locks.of = (page) => ({
      take: async (...lock) => {
        const release = await of(page).take(...lock);
        if (isSlow) await settle();
        return release;
      },
    });
    const on = { storage, locks };
    const tab = await savingTab(on);
    tab.store.setValue('v', 'written');
    tab.store.setValue('v', 'said');
    const first = tab.putAside();
    storage.next().take();
    const asked = holdReads(storage);
    first();
    await settle();
    const second = tab.putAside();
    asked.end();
    const other = new OfflineTab(on);
    await other.start();
    other.open();
    await storage.writeAll();
    other.welcome({ generation: other.hello().generation });
    await storage.writeAll();
    expect(other.pushes().map(([, changes]) => changes)).toEqual([
      [{}, { v: 'written' }],
      [{}, { v: 'said' }],
    ]);
    isSlow = true;
    asked.give();
    second();
    await settle();
    isSlow = false;
    await settle();
    await storage.writeAll();
    tab.open();
    await storage.writeAll();
    tab.welcome({ generation: tab.hello().generation });
    await storage.writeAll();
    expect(tab.pushes()).toEqual([]);
  });

  test('[OFFLINE-14] sends nothing that another page has taken over, if it was put aside again while it looked at its record', async () => {
    const on = browser();
    const other = await liveTab(on);
    const { tab, clientId, comeBack } = await asideTab(on);
    const first = holdReads(on.storage);
    comeBack();
    await settle();
    first.end();
    const comeBackAgain = tab.putAside();
    await other.time.pass(10 * SECOND);
    const asked = other.hello();
    expect(asked.clientId).toBe(clientId);
    other.welcome({ generation: asked.generation });
    await settle();
    other.welcome({ generation: other.hello().generation });
    await settle();
    expect(other.pushes().map(([, changes]) => changes)).toEqual([[{}, { v: 'old' }]]);
    const second = holdReads(on.storage);
    comeBackAgain();
    await settle();
    first.give();
    await settle();
    second.give();
    await settle();
    await tab.join({ lastPush: 0 });
    expect(tab.pushes()).toEqual([]);
  });

  test('[OFFLINE-14] [OFFLINE-1] writes no edits that it reports, if it is destroyed while it looks at its record', async () => {
    const on = browser();
    const { tab, comeBack } = await asideTab(on);
    const looked = holdReads(on.storage);
    comeBack();
    tab.store.setValue('later', 1);
    await settle();
    looked.end();
    tab.session.destroy();
    await settle();
    looked.give();
    await tab.time.pass(40 * SECOND);
    expect(tab.refusals).toMatchObject([{ valueId: 'later', reason: 'destroyed' }]);
    const next = new OfflineTab(on);
    await next.start();
    await next.join({ lastPush: 0 });
    expect(next.pushes().map(([, changes]) => changes)).toEqual([[{}, { v: 'old' }]]);
  });

  test('[OFFLINE-14] [OFFLINE-11] writes nothing to the record of a page that has come back, though it was about to take over its edits', async () => {
    const on = browser();
    const other = await liveTab(on);
    const { tab, comeBack } = await asideTab(on);
    const asked = new Deferred<void>();
    const read = on.storage.read.bind(on.storage);
    on.storage.read = async (prefix) => {
      const entries = await read(prefix);
      if (prefix.includes(']e')) await asked.promise;
      return entries;
    };
    await other.time.pass(10 * SECOND);
    const comeBackToo = other.putAside();
    comeBack();
    await settle();
    comeBackToo();
    asked.resolve();
    await settle();
    tab.store.setValue('later', 1);
    await settle();
    expect(tab.errors).toEqual([]);
    await tab.join();
    expect(tab.pushes().map(([, changes]) => changes)).toEqual([
      [{}, { v: 'old' }],
      [{}, { later: 1 }],
    ]);
  });

  test.each([
    ['were written', true],
    ['it said as it went', false],
  ])(
    '[OFFLINE-14] does not send twice: held edits that %s, if others are added as it comes back',
    async (_which, isWritten) => {
      const on = browser();
      const tab = new OfflineTab(on);
      void tab.session.follow();
      await settle();
      await tab.answerGet(1, [{}, { v: 0 }]);
      await tab.join();
      await tab.time.pass(SECOND);
      const write = on.storage.write.bind(on.storage);
      if (!isWritten) on.storage.write = () => new Promise(() => undefined);
      tab.store.setValue('v', 'old');
      await settle();
      const comeBack = tab.putAside();
      on.storage.write = write;
      const other = await liveTab(on);
      expect(other.pushes()).toMatchObject([[expect.any(Number), [{}, { v: 'old' }]]]);
      comeBack();
      tab.store.setValue('later', 1);
      await tab.start();
      await tab.join();
      expect(tab.pushes().map(([, changes]) => changes)).toEqual([[{}, { later: 1 }]]);
    },
  );

  test('[OFFLINE-14] does not send twice: held edits that it said as it went, if it was put aside in the write after that', async () => {
    const storage = new ManualOfflineStorage();
    const put = storage.writeLast.bind(storage);
    const said: LastWrite[] = [];
    storage.writeLast = (write) => said.push(write);
    const on = { storage, locks: new MemoryLocks() };
    const tab = await followingTab(on);
    tab.store.setValue('v', 'written');
    await settle();
    tab.store.setValue('w', 'said');
    const comeBack = tab.putAside();
    storage.next().take();
    await settle();
    const write = storage.next();
    for (const last of said) put(last);
    const other = new OfflineTab(on);
    await other.start();
    expect(await joinAll(other, storage)).toEqual([[{}, { v: 'written', w: 'said' }]]);
    comeBack();
    void tab.session.startSaving();
    tab.store.setValue('later', 1);
    write.take();
    await storage.writeAll();
    expect(await joinAll(tab, storage)).toEqual([[{}, { later: 1 }]]);
    expect([tab.errors, tab.refusals]).toEqual([[], []]);
  });

  test('[OFFLINE-14] sends held edits that it said as it went, and has removed from a full device since', async () => {
    const storage = new FillingStorage();
    const on = { storage, locks: new MemoryLocks() };
    const tab = new OfflineTab(on, {});
    void tab.session.follow();
    await settle();
    await tab.answerGet(1, [{}, { v: 0 }]);
    await tab.join();
    await tab.time.pass(SECOND);
    tab.close();
    storage.isFull = true;
    tab.store.setValue('v', 'held');
    tab.end(true);
    tab.end(false);
    await settle();
    void tab.session.startSaving();
    await settle();
    const comeBack = tab.putAside();
    storage.isFull = false;
    const other = new OfflineTab(on);
    await other.start();
    await other.join();
    expect(other.pushes()).toEqual([]);
    comeBack();
    await settle();
    await tab.join();
    expect(tab.pushes().map(([, changes]) => changes)).toEqual([[{}, { v: 'held' }]]);
  });

  test('[OFFLINE-14] [OFFLINE-13] sends held edits that it could not say as it went, though it had said earlier ones', async () => {
    const storage = new ManualOfflineStorage();
    const on = { storage, locks: new MemoryLocks() };
    const tab = await followingTab(on);
    tab.store.setValue('v', 'said');
    await settle();
    tab.end(true);
    tab.end(false);
    const say = storage.writeLast.bind(storage);
    storage.writeLast = () => {
      throw new Error('full');
    };
    tab.store.setValue('w', 'not said');
    const comeBack = tab.putAside();
    storage.writeLast = say;
    // The write under way is cut off.
    storage.waiting.length = 0;
    const other = new OfflineTab(on);
    await other.start();
    expect(await joinAll(other, storage)).toEqual([[{}, { v: 'said' }]]);
    comeBack();
    void tab.session.startSaving();
    await storage.writeAll();
    expect(await joinAll(tab, storage)).toEqual([[{}, { w: 'not said' }]]);
    expect(tab.errors).toMatchObject([{ code: 'offline' }]);
  });

  test.each([
    ['taken over', false],
    ['moved to its own record', true],
  ])(
    '[OFFLINE-14] does not send twice: what another page has %s, if it learns first that its write came too late, and then of the lock',
    async (_how, isMoved) => {
      const storage = new ManualOfflineStorage();
      const on = { storage, locks: new MemoryLocks() };
      const tab = await followingTab(on);
      void tab.session.startSaving();
      tab.close();
      tab.store.setValue('v', 'written');
      await storage.writeAll();
      tab.store.setValue('v', 'said');
      const comeBack = tab.putAside();
      const write = storage.next();
      const other = new OfflineTab(on);
      await other.start();
      const edits = [
        [{}, { v: 'written' }],
        [{}, { v: 'said' }],
      ];
      expect(await joinAll(other, storage)).toEqual(edits);
      if (isMoved) storage.apply({ remove: ['['], set: new Map() });
      write.take();
      await settle();
      comeBack();
      await storage.writeAll();
      if (isMoved) await tab.answerGet(3, [{}, { v: 'said' }]);
      expect(await joinAll(tab, storage)).toEqual([]);
      expect(tab.refusals).toEqual([]);
    },
  );

  test('[OFFLINE-14] [OFFLINE-7] goes on, without its record, if the device does not answer any more', async () => {
    const on = browser();
    const { tab, comeBack } = await asideTab(on);
    const read = on.storage.read.bind(on.storage);
    on.storage.read = () => new Promise(() => undefined);
    comeBack();
    tab.store.setValue('later', 1);
    await tab.time.pass(30 * SECOND);
    await tab.time.pass(5 * SECOND);
    await tab.answerGet(1, [{}, { v: 0 }]);
    await tab.join();
    expect(tab.pushes().map(([, changes]) => changes)).toEqual([[{}, { later: 1 }]]);
    expect(tab.errors.at(-1)).toMatchObject({ code: 'offline' });
    on.storage.read = read;
    const next = await liveTab(on);
    expect(next.pushes().map(([, changes]) => changes)).toEqual([[{}, { v: 'old' }]]);
  });

  test.each([
    ['goes on as the same client, with its edits', false],
    ['leaves its edits to the page that has its record', true],
  ])(
    '[OFFLINE-14] [OFFLINE-8] whose device is cleared by itself before it knows whose its record is %s',
    async (_what, isTaken) => {
      const on = browser();
      const { tab, clientId, comeBack } = await asideTab(on);
      const other = new OfflineTab(on);
      if (isTaken) {
        await other.start();
        await other.join();
        expect(other.pushes()).toHaveLength(1);
        // It is put aside, too: the lock is free.
        other.putAside();
      }
      comeBack();
      tab.outbox?.forget();
      await on.storage.write({ remove: ['['], set: new Map() });
      tab.store.setValue('later', 1);
      await settle();
      // It is as a page without a device.
      if (isTaken) await tab.answerGet(1, [{}, { v: 0 }]);
      const hello = await tab.join();
      expect(hello.clientId === clientId).toBe(!isTaken);
      const sent = [[{}, { later: 1 }]];
      expect(tab.pushes().map(([, changes]) => changes)).toEqual(
        isTaken ? sent : [[{}, { v: 'old' }], ...sent],
      );
      expect(on.storage.entries).toEqual(new Map());
      expect([tab.errors, tab.refusals]).toEqual([[], []]);
      await leave(on, { more: 1 });
      await tab.time.pass(11 * SECOND);
      expect(tab.sent()).toEqual([{ type: 'ping' }]);
    },
  );

  test('[OFFLINE-14] [OFFLINE-8] does not stop the next session on its Store, whose device is cleared before that begins', async () => {
    const on = browser();
    const { tab, comeBack } = await asideTab(on);
    comeBack();
    tab.session.destroy();
    const next = new OfflineTab(on, {}, tab.store);
    next.outbox?.forget();
    await next.start();
    next.store.setValue('later', 1);
    // It has entered the room twice.
    while (next.gets.waiting.length > 0) await next.answerGet(1, [{}, { v: 0 }]);
    await next.join();
    expect(next.pushes().map(([, changes]) => changes)).toContainEqual([{}, { later: 1 }]);
  });

  test('[OFFLINE-14] sends what it said as it went, if nobody has heard it, and its write was cut off', async () => {
    const storage = new ManualOfflineStorage();
    storage.writeLast = () => undefined;
    const tab = await savingTab({ storage, locks: new MemoryLocks() });
    tab.store.setValue('v', 'new');
    const comeBack = tab.putAside();
    const write = storage.next();
    comeBack();
    write.fail(new Error('cut off'));
    await storage.writeAll();
    tab.open();
    await storage.writeAll();
    tab.welcome({ generation: tab.hello().generation });
    await storage.writeAll();
    expect(tab.pushes().map(([, changes]) => changes)).toEqual([[{}, { v: 'new' }]]);
    expect([tab.errors, tab.refusals]).toEqual([[], []]);
  });

  test('[OFFLINE-13] [OFFLINE-14] goes on with its record if another page has put there what it said as it went, after the write under way', async () => {
    const { storage, tab, said, put } = await spokenTab();
    storage.next().take();
    // It knows its record by then.
    await settle();
    for (const write of said) put(write);
    await storage.writeAll();
    tab.open();
    await storage.writeAll();
    tab.welcome({ generation: tab.hello().generation });
    await storage.writeAll();
    expect(tab.pushes().map(([, changes]) => changes)).toEqual([[{}, { v: 'said' }]]);
    expect(tab.errors).toEqual([]);
  });

  test('[OFFLINE-13] [OFFLINE-14] goes on with its record if another page has put there what it said as it went, and it has said more since', async () => {
    const { storage, tab, said, put } = await spokenTab();
    const heard = said.splice(0);
    storage.next().take();
    await settle();
    for (const write of heard) put(write);
    tab.store.setValue('w', 'said later');
    tab.putAside()();
    await storage.writeAll();
    tab.open();
    await storage.writeAll();
    tab.welcome({ generation: tab.hello().generation });
    await storage.writeAll();
    expect(tab.pushes().map(([, changes]) => changes)).toEqual([
      [{}, { v: 'said' }],
      [{}, { w: 'said later' }],
    ]);
    expect(tab.errors).toEqual([]);
  });

  test('[OFFLINE-13] [OFFLINE-14] removes the held edits that it said as it went when it has given them a number, also if another page has put them into its record', async () => {
    const storage = new ManualOfflineStorage();
    const put = storage.writeLast.bind(storage);
    const said: LastWrite[] = [];
    storage.writeLast = (write) => said.push(write);
    const on = { storage, locks: new MemoryLocks() };
    const tab = new OfflineTab(on, {});
    void tab.session.follow();
    await settle();
    await tab.answerGet(1, [{}, { v: 0 }]);
    tab.open();
    await settle();
    tab.store.setValue('v', 'held');
    tab.putAside()();
    storage.next().take();
    for (const write of said) put(write);
    void tab.session.startSaving();
    await storage.writeAll();
    tab.open();
    await storage.writeAll();
    tab.welcome({ generation: tab.hello().generation });
    await storage.writeAll();
    const pushes = tab.pushes();
    expect(pushes.map(([, changes]) => changes)).toEqual([[{}, { v: 'held' }]]);
    for (const [number] of pushes) tab.ack(number, 2);
    await tab.time.pass(SECOND);
    await storage.writeAll();
    tab.die();
    const next = new OfflineTab(on);
    await next.start();
    await storage.writeAll();
    next.open();
    await storage.writeAll();
    next.welcome({ generation: next.hello().generation, cursor: { epoch: 'e', version: 2 } });
    await storage.writeAll();
    expect(next.pushes()).toEqual([]);
  });

  test('[OFFLINE-14] sends nothing that another page has taken over either if a next session goes on with its Store at once', async () => {
    const on = browser();
    const { tab, comeBack } = await asideTab(on);
    const other = new OfflineTab(on);
    await other.start();
    const { clientId } = await other.join();
    expect(other.pushes()).toHaveLength(1);
    comeBack();
    tab.session.destroy();
    const next = new OfflineTab(on, {}, tab.store);
    await next.start();
    next.store.setValue('later', 1);
    await settle();
    expect((await next.join()).clientId).not.toBe(clientId);
    expect(next.pushes().map(([, changes]) => changes)).toEqual([[{}, { later: 1 }]]);
    expect([tab.errors, tab.refusals, next.errors, next.refusals]).toEqual([[], [], [], []]);
  });

  test.each([
    ['were written', true],
    ['it said as it went', false],
  ])(
    '[OFFLINE-14] [OFFLINE-8] neither reports edits that %s, nor sends them, if it is destroyed as it comes back, after another page has taken them',
    async (_which, isWritten) => {
      const on = browser();
      const other = await liveTab(on);
      const write = on.storage.write.bind(on.storage);
      const guarded = new Deferred<boolean>();
      const { tab, clientId, comeBack } = await asideTab(on, (aside) => {
        if (isWritten) return;
        on.storage.write = () => guarded.promise;
        aside.store.setValue('said', 1);
      });
      on.storage.write = write;
      await other.time.pass(10 * SECOND);
      const asked = other.hello();
      expect(asked.clientId).toBe(clientId);
      other.welcome({ generation: asked.generation });
      await settle();
      other.welcome({ generation: other.hello().generation });
      await settle();
      expect(other.pushes()).toHaveLength(isWritten ? 1 : 2);
      expect([...on.storage.entries.keys()].join()).not.toContain(clientId);
      comeBack();
      tab.session.destroy();
      guarded.resolve(false);
      await tab.time.pass(40 * SECOND);
      expect(tab.refusals).toEqual([]);
      const next = new OfflineTab(on, {}, tab.store);
      await next.start();
      await next.join();
      expect(next.pushes()).toEqual([]);
    },
  );

  test('[OFFLINE-14] leaves its record to a page that has changed the head, though it has heard of no loss', async () => {
    const on = browser();
    const memory: { id?: string } = {};
    const tab = await liveTab(on, memory);
    const key = [...on.storage.entries.keys()].find((each) => each.endsWith(`h${memory.id}`)) ?? '';
    const generation = NOW * 2;
    const head = encodeHead({ generation, lastNumber: 0, savedAt: 0, clientId: undefined });
    await on.storage.write({ remove: [], set: new Map([[key, head]]) });
    tab.store.setValue('mine', 1);
    await settle();
    // Nobody has the lock any more: it goes on with the record as it is now, and not as the client that it was.
    expect(decodeHead(on.storage.entries.get(key) ?? '').generation).toBeGreaterThan(generation);
    expect([...on.storage.entries.values()]).toContain('u[{},{"mine":1}]');
    expect(tab.session.sync).toMatchObject({ phase: 'loading', unsaved: 1 });
    expect([tab.errors, tab.refusals]).toEqual([[], []]);
  });

  test('[OFFLINE-14] opens its socket again if the room had refused it, and another page has its edits', async () => {
    const on = browser();
    const { tab, comeBack } = await asideTab(on, async (refused) => {
      refused.open();
      refused.receive({ type: 'error', code: 'forbidden', message: 'no' });
      await settle();
    });
    expect(tab.session.sync).toMatchObject({ phase: 'stopped', code: 'forbidden' });
    const { reconnects } = tab;
    const other = new OfflineTab(on);
    await other.start();
    comeBack();
    await settle();
    await tab.time.pass(SECOND);
    expect(tab.session.sync.phase).not.toBe('stopped');
    expect(tab.reconnects).toBe(reconnects + 1);
  });

  test.each([
    ['and uses their record', false],
    ['into a record of its own', true],
  ])(
    '[OFFLINE-14] sends nothing that another page has taken over %s, shows what came of it, and sends what was edited since',
    async (_how, isMoved) => {
      const on = browser();
      const living = isMoved ? await liveTab(on) : undefined;
      const { tab, clientId, comeBack } = await asideTab(on);
      const other = living ?? new OfflineTab(on);
      if (isMoved) await other.time.pass(10 * SECOND);
      else {
        await other.start();
        other.open();
        await settle();
      }
      const asked = other.hello();
      expect(asked.clientId).toBe(clientId);
      other.welcome({ generation: asked.generation });
      await settle();
      if (isMoved) {
        other.welcome({ generation: other.hello().generation });
        await settle();
      }
      expect(other.pushes()).toMatchObject([[expect.any(Number), [{}, { v: 'old' }]]]);
      comeBack();
      const confirmed = expect(tab.session.whenConfirmed()).rejects.toMatchObject({
        code: 'replaced',
      });
      tab.store.setValue('later', 1);
      tab.open();
      await confirmed;
      await settle();
      const hello = tab.hello();
      expect(hello.clientId).not.toBe(clientId);
      tab.welcome({
        generation: hello.generation,
        cursor: { epoch: 'e', version: 3 },
        changes: changesOf([{}, { v: 'new' }]),
      });
      await settle();
      expect(tab.pushes().map(([, changes]) => changes)).toEqual([[{}, { later: 1 }]]);
      expect(tab.store.getValues()).toEqual({ v: 'new', later: 1 });
      expect([tab.errors, tab.refusals]).toEqual([[], []]);
    },
  );
});
