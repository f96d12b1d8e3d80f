import { expect, test } from 'vitest';

import { AlarmStorage } from '../support/alarm-storage.ts';
import { settle } from '../support/fake-connection.ts';
import { SmallParty, SmallServer } from '../support/small-server.ts';

const URL_OF_STORE = 'http://host/parties/main/board/store';

/** A storage with a transaction, to which everything belongs that is written while it is open. */
class TransactionalStorage extends AlarmStorage {
  async transaction(closure: (transaction: { rollback(): void }) => unknown): Promise<void> {
    const before = await this.list();
    let isRolledBack = false;
    await closure({ rollback: () => void (isRolledBack = true) });
    if (!isRolledBack) return;
    await super.deleteAll();
    await super.put(Object.fromEntries(before));
  }
}

test('[DURABLE-6] if the room cannot write again what a transaction has undone, it starts again with what is on disk, and nobody has heard of the rest', async () => {
  const storage = new TransactionalStorage();
  const room = new SmallServer(new SmallParty('board', {}, storage));
  await room.start();
  room.store.setValue('v', 1);
  await room.whenDurable();
  const stock = room.party.connect('ada');
  await room.onMessage('s[{},{"heard":true},1]', stock);
  await settle();
  const evicted = room.party.connect('eve');
  await room.onMessage('s[{},{"heard":true},1]', evicted);
  stock.heard.splice(0);
  await storage.transaction(async (transaction) => {
    room.store.setValue('v', 2);
    await settle();
    await room.evict({ connection: 'eve' });
    transaction.rollback();
    // The rollback of this storage writes twice.
    storage.failWrites(9, { takesEffect: false, spared: 2 });
  });
  await settle();
  expect(stock.heard).toEqual([]);
  // It loads again.
  expect([stock.closeCode, evicted.closeCode]).toEqual([4503, 4403]);
  expect(String(room.errors)).toContain('A transaction of the app was undone');
  storage.failWrites(0, { takesEffect: false });
  await room.start();
  expect(room.store.getValues()).toEqual({ v: 1, heard: true });
  room.store.setValue('v', 3);
  await room.whenDurable();
  const next = new SmallServer(new SmallParty('board', {}, storage.copy()));
  await next.start();
  expect(next.store.getValues()).toEqual({ v: 3, heard: true });
});

/** Resolves to false if the promise waits for the transaction. */
const isSettled = (promise: Promise<unknown>): Promise<boolean> =>
  Promise.race([promise.then(() => true), settle().then(() => false)]);

test('[DURABLE-6] no request is answered, and nothing is called durable, before the transaction has ended', async () => {
  const storage = new TransactionalStorage();
  const room = new SmallServer(new SmallParty('board', {}, storage));
  await room.start();
  const answers: Promise<Response>[] = [];
  await storage.transaction(async () => {
    answers.push(
      room.onRequest(new Request(URL_OF_STORE, { method: 'PUT', body: '[{},{"v":1}]' })),
    );
    expect(await isSettled(Promise.all(answers))).toBe(false);
    answers.push(room.onRequest(new Request(URL_OF_STORE)));
    expect(await isSettled(Promise.race(answers))).toBe(false);
  });
  const [put, get] = await Promise.all(answers);
  expect([put?.status, await get?.text()]).toEqual([201, '[{},{"v":1}]']);
  room.store.setValue('v', 2);
  const durable = room.whenDurable();
  await storage.transaction(async () => {
    expect(await isSettled(durable)).toBe(false);
  });
  await durable;
});

test('[DURABLE-6] a request fails, and so does whenDurable(), if what it told was undone and cannot be written again', async () => {
  const storage = new TransactionalStorage();
  const room = new SmallServer(new SmallParty('board', {}, storage));
  await room.start();
  const put = new Request(URL_OF_STORE, { method: 'PUT', body: '[{},{"v":1}]' });
  let answer: Promise<Response> | undefined;
  await storage.transaction(async (transaction) => {
    answer = room.onRequest(put);
    await settle();
    transaction.rollback();
    storage.failWrites(9, { takesEffect: false, spared: 2 });
  });
  expect((await answer)?.status).toBe(503);
  storage.failWrites(0, { takesEffect: false });
  await room.start();
  room.store.setValue('v', 2);
  const durable = room.whenDurable().catch((error: unknown) => error);
  await storage.transaction(async (transaction) => {
    await settle();
    transaction.rollback();
    storage.failWrites(9, { takesEffect: false, spared: 2 });
  });
  expect(await durable).toMatchObject({ code: 'unavailable' });
});

test('[SAVE-5] [DURABLE-6] an alarm of the room is not taken for one of the app, also if the first one was undone', async () => {
  const storage = new TransactionalStorage();
  class Saving extends SmallServer {
    override onStorageUpdated(): void {
      throw new Error('later');
    }
  }
  const room = new Saving(new SmallParty('board', {}, storage));
  await room.start();
  await settle();
  await storage.transaction(async (transaction) => {
    room.store.setValue('v', 1);
    await settle();
    transaction.rollback();
    storage.alarm = null;
    storage.failWrites(9, { takesEffect: false, spared: 2 });
  });
  storage.failWrites(0, { takesEffect: false });
  await room.start();
  room.store.setValue('v', 2);
  await room.whenDurable();
  await settle();
  expect(storage.alarm).not.toBe(null);
  const next = await storage.reopen();
  const later = new Saving(new SmallParty('board', {}, next));
  await later.start();
  await settle();
  expect(await next.getAlarm()).toBe(null);
});
