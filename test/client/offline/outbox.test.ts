import { setImmediate as nextTurn } from 'node:timers/promises';

import { createStore } from 'tinybase';
import { describe, expect, test } from 'vitest';

import { changesOf, ManualStorage, ScriptedRoom, SECOND } from '../session/scripted-room.ts';

const CLIENT_ID = '0'.padStart(22, 'c');

/** Lets every write that was begun, and those that follow from it, settle. */
async function write(storage: ManualStorage): Promise<void> {
  while (storage.outboxWrites.waiting.length + storage.baseWrites.waiting.length > 0) {
    for (const { answer } of storage.outboxWrites.waiting.splice(0)) answer();
    for (const { answer } of storage.baseWrites.waiting.splice(0)) answer();
    await nextTurn();
  }
}

async function liveWith(storage: ManualStorage): Promise<ScriptedRoom> {
  const room = new ScriptedRoom({ storage });
  void room.session.follow();
  void room.session.startSaving();
  await room.answerGet(1, [{}, { v: 0 }]);
  room.open();
  await write(storage);
  room.welcome({ generation: room.hello().generation });
  return room;
}

/** The push number that the next hello on a new socket confirms. Answers outbox writes, and no base writes. */
async function confirmedIn(room: ScriptedRoom, storage: ManualStorage): Promise<number> {
  room.sent();
  room.close();
  room.open();
  while (storage.outboxWrites.waiting.length > 0) {
    storage.outboxWrites.take().answer();
    await nextTurn();
  }
  const { generation, nextPush, ackedPush } = room.hello();
  room.welcome({ generation, lastPush: nextPush - 1, cursor: { epoch: 'e', version: 2 } });
  return ackedPush;
}

describe('what a client persists', () => {
  test('[KEEP-1] is an outbox, and a base without what is pending', async () => {
    const storage = new ManualStorage();
    const room = await liveWith(storage);
    room.store.setValue('v', 1);
    room.store.setValue('w', 1);
    await write(storage);
    room.ack(1, 2);
    await room.time.pass(SECOND);
    await write(storage);
    expect(storage.base).toEqual({
      cursor: { epoch: 'e', version: 2 },
      content: '[{},{"v":1}]',
      folded: 1,
    });
    expect(storage.outbox).toEqual({
      clientId: CLIENT_ID,
      generation: 1,
      lastNumber: 2,
      pushes: [{ number: 2, changes: '[{},{"w":1}]' }],
    });
  });

  test('[KEEP-2] has the generation before its hello is sent', async () => {
    const storage = new ManualStorage();
    const room = new ScriptedRoom({ storage });
    void room.session.follow();
    await room.answerGet(1, [{}, {}]);
    room.open();
    await room.time.pass(SECOND);
    expect(room.sent()).toEqual([]);
    await write(storage);
    expect(storage.outbox?.generation).toBe(1);
    expect(room.hello().generation).toBe(1);
  });

  test('[KEEP-2] has a push before it is sent', async () => {
    const storage = new ManualStorage();
    const room = await liveWith(storage);
    room.store.setValue('v', 1);
    room.store.setValue('v', 2);
    await nextTurn();
    expect(room.sent()).toEqual([]);
    storage.outboxWrites.take().answer();
    await nextTurn();
    expect(storage.outbox?.pushes.map(({ number }) => number)).toEqual([1]);
    expect(room.pushes().map(([number]) => number)).toEqual([1]);
    await write(storage);
    expect(room.pushes().map(([number]) => number)).toEqual([2]);
  });

  test('[KEEP-2] is not taken for durable because that of another room was', async () => {
    const storage = new ManualStorage();
    const room = await liveWith(storage);
    await room.time.pass(SECOND);
    await write(storage);
    room.store.setValue('v', 1);
    room.session.moveToAnotherRoom();
    await room.answerGet(1, [{}, {}], 'f');
    storage.outboxWrites.take().answer();
    await nextTurn();
    expect(room.sent()).toEqual([]);
    await write(storage);
    expect(storage.outbox).toMatchObject({ clientId: '1'.padStart(22, 'c'), generation: 1 });
    expect(room.hello()).toMatchObject({ generation: 1, ackedPush: 0 });
  });

  test('[KEEP-3] is not confirmed by a base of another room', async () => {
    const storage = new ManualStorage();
    const room = await liveWith(storage);
    room.store.setValue('v', 1);
    await write(storage);
    room.ack(1, 2);
    await room.time.pass(SECOND);
    room.session.moveToAnotherRoom();
    await room.answerGet(1, [{}, {}], 'f');
    room.sent();
    storage.baseWrites.take().answer();
    await nextTurn();
    await write(storage);
    expect(room.hello()).toMatchObject({ generation: 1, ackedPush: 0 });
  });

  test('[KEEP-3] has a push until a base includes it, and only then confirms its ack', async () => {
    const storage = new ManualStorage();
    const room = await liveWith(storage);
    room.store.setValue('v', 1);
    await write(storage);
    room.ack(1, 2);
    room.store.setValue('v', 2);
    await write(storage);
    expect(storage.outbox?.pushes.map(({ number }) => number)).toEqual([1, 2]);
    expect(await confirmedIn(room, storage)).toBe(0);
    await room.time.pass(SECOND);
    expect(storage.baseWrites.waiting).toHaveLength(1);
    room.store.setValue('v', 3);
    await nextTurn();
    for (const { answer } of storage.outboxWrites.waiting.splice(0)) answer();
    await nextTurn();
    expect(storage.outbox?.pushes.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(await confirmedIn(room, storage)).toBe(0);
    await write(storage);
    expect(storage.base?.folded).toBe(1);
    expect(storage.outbox?.pushes.map(({ number }) => number)).toEqual([2, 3]);
    expect(await confirmedIn(room, storage)).toBe(1);
  });

  test('[KEEP-3] is confirmed at once where nothing is persisted', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('v', 1);
    room.ack(1, 2);
    room.sent();
    room.close();
    room.open();
    expect(room.hello()).toMatchObject({ nextPush: 2, ackedPush: 1 });
  });

  test('is written again after a failure, which is reported', async () => {
    const storage = new ManualStorage();
    const room = await liveWith(storage);
    await room.time.pass(SECOND);
    await write(storage);
    room.store.setValue('v', 1);
    storage.outboxWrites.take().fail(new Error('full'));
    await nextTurn();
    expect(room.errors).toEqual([new Error('full')]);
    expect(room.sent()).toEqual([]);
    await room.time.pass(SECOND);
    await write(storage);
    expect(room.pushes()).toEqual([[1, [{}, { v: 1 }]]]);
    room.ack(1, 2);
    await room.time.pass(SECOND);
    storage.baseWrites.take().fail(new Error('full'));
    await room.time.pass(3 * SECOND);
    await write(storage);
    expect(storage.base?.folded).toBe(1);
  });

  test('is written no more after the end', async () => {
    const storage = new ManualStorage();
    const room = await liveWith(storage);
    room.store.setValue('v', 1);
    storage.outboxWrites.take().fail(new Error('full'));
    await nextTurn();
    room.session.destroy();
    expect(room.time.waiting).toBe(0);
    const { count } = storage.outboxWrites;
    await room.time.pass(10 * SECOND);
    expect([storage.outboxWrites.count, storage.baseWrites.count]).toEqual([count, 0]);
  });

  test('is no base that the Store does not show yet', async () => {
    const storage = new ManualStorage();
    const room = new ScriptedRoom({ storage });
    void room.session.startSaving();
    await room.answerGet(1, [{}, {}]);
    room.open();
    await write(storage);
    room.welcome({ generation: room.hello().generation });
    room.commit(2, [{}, { unseen: 1 }]);
    void room.session.follow();
    await room.time.pass(2 * SECOND);
    expect(storage.baseWrites.count).toBe(0);
    await room.answerGet(2, [{}, { unseen: 1 }]);
    await write(storage);
    room.welcome({ generation: room.hello().generation, cursor: { epoch: 'e', version: 2 } });
    await room.time.pass(2 * SECOND);
    await write(storage);
    expect(storage.base).toMatchObject({ content: '[{},{"unseen":1}]' });
  });
});

describe('a restart', () => {
  const outbox = {
    clientId: CLIENT_ID,
    generation: 4,
    lastNumber: 9,
    pushes: [
      { number: 7, changes: '[{},{"folded":1}]' },
      { number: 8, changes: '[{},{"v":8}]' },
      { number: 9, changes: '[{},{"w":9}]' },
    ],
  };
  const base = {
    cursor: { epoch: 'e', version: 3 },
    content: '[{},{"folded":1,"v":3}]',
    folded: 7,
  };

  test('[KEEP-1] goes on from the base with what was pending on top', async () => {
    const storage = new ManualStorage();
    const room = new ScriptedRoom({ storage, restored: { outbox, base } });
    expect(room.store.getValues()).toEqual({ folded: 1, v: 8, w: 9 });
    void room.session.startSaving();
    room.open();
    await write(storage);
    const { cursor, generation, nextPush, ackedPush, clientId } = room.hello();
    expect({ cursor, generation, nextPush, ackedPush, clientId }).toEqual({
      cursor: base.cursor,
      generation: 5,
      nextPush: 8,
      ackedPush: 7,
      clientId: CLIENT_ID,
    });
    // The room had dealt with the first of the two before the restart.
    room.welcome({
      generation,
      lastPush: 8,
      cursor: { epoch: 'e', version: 5 },
      changes: changesOf([{}, { v: 80 }]),
    });
    expect(room.pushes()).toEqual([[9, [{}, { w: 9 }]]]);
    expect(room.store.getValues()).toEqual({ folded: 1, v: 80, w: 9 });
    room.store.setValue('x', 1);
    await write(storage);
    expect(room.pushes().map(([number]) => number)).toEqual([10]);
  });

  test('[KEEP-1] without a base loads, and shows the content with the welcome', async () => {
    const room = new ScriptedRoom({ restored: { outbox, base: undefined } });
    expect(room.store.getValues()).toEqual({ folded: 1, v: 8, w: 9 });
    void room.session.follow();
    await room.answerGet(5, [{}, { folded: 1, v: 80, other: 1 }]);
    expect(room.store.getValues()).toEqual({ folded: 1, v: 8, w: 9 });
    room.open();
    const { generation, nextPush } = room.hello();
    expect(nextPush).toBe(7);
    room.welcome({ generation, lastPush: 8, cursor: { epoch: 'e', version: 5 } });
    expect(room.store.getValues()).toEqual({ folded: 1, v: 80, w: 9, other: 1 });
  });

  test('[KEEP-1] without an outbox goes on from the base with a new client id', () => {
    const room = new ScriptedRoom({ restored: { outbox: undefined, base } });
    expect(room.store.getValues()).toEqual({ folded: 1, v: 3 });
    void room.session.startSaving();
    room.open();
    expect(room.hello()).toMatchObject({ cursor: base.cursor, generation: 1, nextPush: 1 });
  });

  test('[SEED-2] gives a room that has lost its Store nothing of the base', async () => {
    const room = new ScriptedRoom({ restored: { outbox: undefined, base } });
    void room.session.startSaving();
    room.open();
    const { generation } = room.hello();
    room.welcome({ generation, changes: undefined, cursor: { epoch: 'f', version: 0 } });
    await room.answerGet(0, undefined, 'f');
    expect(room.putContents).toEqual([[{}, {}]]);
  });

  test('[SEED-3] replaces what the Store held by the base', () => {
    const store = createStore().setValue('seed', 1);
    const room = new ScriptedRoom({ store, restored: { outbox, base } });
    expect(room.store.hasValue('seed')).toBe(false);
  });
});
