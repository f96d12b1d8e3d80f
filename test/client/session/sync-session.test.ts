import { setImmediate as nextTurn } from 'node:timers/promises';

import { createStore } from 'tinybase';
import { describe, expect, test } from 'vitest';

import { observeForUndo } from '../../../src/client/features/undo/undo-observer.ts';
import {
  ADDRESS,
  changesOf,
  contentOf,
  failure,
  OTHER_ADDRESS,
  ScriptedRoom,
  SECOND,
} from './scripted-room.ts';

/** Resolves to a session that is live in a room without a Store. */
async function emptyRoom(): Promise<ScriptedRoom> {
  const room = new ScriptedRoom();
  room.open();
  void room.session.follow();
  await room.answerGet(0);
  const { generation } = room.hello();
  room.welcome({ generation, cursor: { epoch: 'e', version: 0 }, changes: undefined });
  expect(room.session.sync.phase).toBe('empty');
  return room;
}

describe('starting and stopping', () => {
  test('loads once, and follows nothing', async () => {
    const room = new ScriptedRoom();
    room.open();
    const loading = room.session.load();
    await room.answerGet(1, [{}, { v: 1 }]);
    await loading;
    expect(room.store.getValues()).toEqual({ v: 1 });
    expect(room.sent()).toEqual([]);
    expect(room.session.sync.phase).toBe('idle');
    expect(room.time.waiting).toBe(0);
  });

  test('loading once gives up after one failure', async () => {
    const room = new ScriptedRoom();
    const loading = room.session.load(contentOf([{}, { initial: 1 }]));
    await room.failGet(failure('network'));
    await loading;
    expect(room.store.getValues()).toEqual({ initial: 1 });
    await room.time.pass(100 * SECOND);
    expect(room.gets.count).toBe(1);
    expect(room.session.sync.phase).toBe('idle');
  });

  test('saves once: what is held is sent, and later edits are held', async () => {
    const room = new ScriptedRoom();
    room.open();
    await startAndLoad(room);
    room.session.stopFollowing();
    room.store.setValue('a', 1);
    expect(room.session.sync).toMatchObject({ phase: 'idle', unsaved: 1 });
    await room.session.save();
    room.welcome({ generation: room.hello().generation });
    expect(room.pushes()).toEqual([[1, [{}, { a: 1 }]]]);
    room.store.setValue('b', 1);
    room.ack(1, 2);
    expect(room.sent()).toEqual([]);
    expect(room.session.sync).toMatchObject({ phase: 'idle', unsaved: 1 });
  });

  test('saving once makes the Store the initial content of a room that has none', async () => {
    const room = new ScriptedRoom();
    room.store.setValue('v', 1);
    const saving = room.session.save();
    await room.answerGet(0);
    expect(room.putContents).toEqual([[{}, { v: 1 }]]);
    room.puts.take().answer(undefined);
    await nextTurn();
    await room.answerGet(1, [{}, { v: 1 }]);
    await saving;
    expect(room.session.sync.phase).toBe('idle');
  });

  test('[VIEW-8] sends what was done while not saving as one push when saving starts again', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.session.stopSaving();
    room.store.setValue('a', 1);
    room.store.setValue('b', 1);
    room.commit(2, [{}, { c: 1 }]);
    expect(room.sent()).toEqual([]);
    expect(room.session.sync.unsaved).toBe(1);
    await room.session.startSaving();
    expect(room.pushes()).toEqual([[1, [{}, { a: 1, b: 1 }]]]);
  });

  test('what is pending is still sent when saving and following have stopped', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.close();
    room.store.setValue('a', 1);
    room.session.stopSaving();
    room.session.stopFollowing();
    room.open();
    room.welcome({ generation: room.hello().generation });
    expect(room.pushes()).toEqual([[1, [{}, { a: 1 }]]]);
    room.ack(1, 2);
    expect(room.session.sync).toMatchObject({ phase: 'idle', unsaved: 0 });
    room.commit(3, [{}, { b: 1 }]);
    expect(room.store.getValues()).toEqual({ a: 1 });
  });

  test('saving without following sends and shows nothing of others', async () => {
    const room = new ScriptedRoom();
    room.open();
    room.store.setValue('own', 1);
    const saving = room.session.startSaving();
    await room.answerGet(1, [{}, { v: 1 }]);
    await saving;
    room.welcome({ generation: room.hello().generation });
    room.commit(2, [{}, { v: 2 }]);
    room.store.setValue('own', 2);
    expect(room.store.getValues()).toEqual({ own: 2 });
    expect(room.pushes()).toEqual([[1, [{}, { own: 2 }]]]);
    void room.session.follow();
    await room.answerGet(3, [{}, { own: 2, v: 2 }]);
    room.welcome({
      generation: room.hello().generation,
      lastPush: 1,
      cursor: { epoch: 'e', version: 3 },
    });
    expect(room.store.getValues()).toEqual({ own: 2, v: 2 });
  });

  test('keeps edits made before, while and after loading, in order', async () => {
    const room = new ScriptedRoom();
    room.open();
    void room.session.follow();
    room.store.setValue('a', 'while loading');
    await room.answerGet(1, [{}, { a: 'room', b: 'room' }]);
    room.store.setValue('b', 'while joining');
    room.welcome({ generation: room.hello().generation });
    expect(room.store.getValues()).toEqual({ a: 'while loading', b: 'while joining' });
    expect(room.sent()).toEqual([]);
    await room.session.startSaving();
    room.store.setValue('c', 'while live');
    expect(room.pushes()).toEqual([
      [1, [{}, { a: 'while loading', b: 'while joining' }]],
      [2, [{}, { c: 'while live' }]],
    ]);
  });

  test('[VIEW-6] waits for the end of a transaction that is open while content arrives', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    room.store.startTransaction();
    await room.answerGet(1, [{}, { v: 1 }]);
    expect(room.session.sync.phase).toBe('loading');
    room.store.setValue('mine', 1);
    room.store.finishTransaction();
    await room.time.pass(SECOND);
    expect(room.store.getValues()).toEqual({ mine: 1, v: 1 });
    expect(room.session.sync.phase).toBe('connecting');
  });

  test('[VIEW-6] waits with commits too, and keeps their order', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.startTransaction();
    room.commit(2, [{}, { v: 2 }]);
    room.commit(3, [{}, { v: 3 }]);
    room.store.setValue('v', 1);
    await room.time.pass(SECOND);
    expect(room.store.getValue('v')).toBe(1);
    room.store.finishTransaction(() => true);
    await room.time.pass(SECOND);
    expect(room.store.getValue('v')).toBe(3);
    expect(room.session.cursor?.version).toBe(3);
    expect(room.sent()).toEqual([]);
  });

  test('[JOIN-12] a socket that is pointed at another room and back, without a new connection, goes on where it was', async () => {
    const room = new ScriptedRoom();
    room.open();
    void room.session.follow();
    room.address = OTHER_ADDRESS;
    await room.answerGet(1, [{}, { v: 1 }]);
    await room.time.pass(5 * SECOND);
    expect(room.sent()).toEqual([]);
    room.address = ADDRESS;
    await room.time.pass(10 * SECOND);
    const { generation } = room.hello();
    room.welcome({ generation });
    expect(room.session.sync.phase).toBe('live');
  });

  test('[JOIN-12] an edit made while the socket is pointed at another room for a moment is sent with the next pong', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.address = OTHER_ADDRESS;
    room.store.setValue('v', 1);
    await nextTurn();
    room.address = ADDRESS;
    expect(room.pushes()).toEqual([]);
    await room.time.pass(SECOND);
    room.receive({ type: 'pong', version: 1, lastPush: 0 });
    await nextTurn();
    expect(room.pushes()).toEqual([[1, [{}, { v: 1 }]]]);
  });

  test('[FRAME-3] a socket that closes and opens within a transaction gets no ping before hello', async () => {
    const room = await emptyRoom();
    room.store.startTransaction();
    room.store.setValue('v', 1);
    // Giving the room its initial content waits for the end, and so does all that comes after.
    void room.session.startSaving();
    room.close();
    room.open();
    await room.time.pass(60 * SECOND);
    expect(room.sent()).toEqual([]);
    room.store.finishTransaction();
    await room.time.pass(SECOND);
    expect(room.session.sync.phase).toBe('loading');
  });

  test('[VIEW-6] [SEED-2] saving that starts within a transaction gives a room its initial content after it', async () => {
    const room = await emptyRoom();
    room.store.startTransaction();
    room.store.setValue('v', 1);
    const saving = room.session.startSaving();
    await room.time.pass(11 * SECOND);
    expect(room.errors).toMatchObject([{ code: 'misuse' }]);
    room.store.finishTransaction();
    await room.time.pass(SECOND);
    expect(room.putContents).toEqual([[{}, {}]]);
    room.puts.take().answer({ cursor: { epoch: 'e', version: 1 } });
    await saving;
    room.welcome({ generation: room.hello().generation });
    expect(room.pushes()).toEqual([[1, [{}, { v: 1 }]]]);
    await room.time.pass(4 * SECOND);
    expect(room.errors).toHaveLength(1);
  });

  test('saving that starts within a transaction does not begin any more if the session ends', async () => {
    const room = new ScriptedRoom();
    room.open();
    void room.session.follow();
    await room.answerGet(0);
    room.store.startTransaction();
    const saving = room.session.startSaving();
    room.session.destroy();
    await saving;
    room.store.finishTransaction();
    await room.time.pass(SECOND);
    expect([room.putContents, room.time.waiting]).toEqual([[], 0]);
  });
});

async function startAndLoad(room: ScriptedRoom): Promise<void> {
  void room.session.follow();
  await room.answerGet(1, [{}, {}]);
  room.welcome({ generation: room.hello().generation });
}

describe('another room', () => {
  test('[JOIN-12] gets nothing of the old one: cursor, client id and pending edits stay behind', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { old: 1 }]);
    room.store.setValue('mine', 1);
    const before = room.session.sync.unsaved;
    room.moveToAnotherRoom();
    expect(before).toBe(1);
    expect(room.refusals).toEqual([
      { type: 'value', valueId: 'mine', value: 1, reason: 'another-room' },
    ]);
    expect(room.session.sync).toMatchObject({ phase: 'loading', unsaved: 0 });
    expect(room.session.cursor).toBeUndefined();
    room.sent();
    await room.answerGet(3, [{}, { other: 1 }], 'f');
    const hello = room.hello();
    expect(hello).toMatchObject({ generation: 1, nextPush: 1, ackedPush: 0 });
    expect(hello.clientId).toBe('1'.padStart(22, 'c'));
    room.welcome({ generation: 1, cursor: { epoch: 'f', version: 3 } });
    expect(room.store.getValues()).toEqual({ other: 1 });
    expect(room.pushes()).toEqual([]);
    room.store.setValue('mine', 2);
    expect(room.pushes()).toEqual([[1, [{}, { mine: 2 }]]]);
  });

  test('that has no Store is given an empty one, not what the old one held', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { old: 1 }]);
    room.moveToAnotherRoom();
    await room.answerGet(0, undefined, 'f');
    expect(room.putContents).toEqual([[{}, {}]]);
  });

  test('is given the initial content of the app, also if the old one refused all of it', async () => {
    const room = new ScriptedRoom();
    void room.session.follow(contentOf([{}, { v: 1 }]));
    void room.session.startSaving();
    await room.answerGet(0);
    room.puts.take().answer({ correction: changesOf([{}, { v: '\uFFFC' }]), reason: 'hook' });
    await nextTurn();
    await room.answerGet(0);
    expect(room.putContents).toHaveLength(1);
    room.moveToAnotherRoom();
    await room.answerGet(0, undefined, 'f');
    expect(room.putContents.at(-1)).toEqual([{}, { v: 1 }]);
  });

  test('[SEED-2] [JOIN-12] is not given what the Store held for the old one, which may have taken it', async () => {
    const store = createStore().setValue('v', 1);
    const room = new ScriptedRoom({ store });
    void room.session.startSaving();
    await room.answerGet(0);
    room.store.setValue('mine', 1);
    expect(room.putContents).toEqual([[{}, { v: 1 }]]);
    room.moveToAnotherRoom();
    expect(room.refusals).toMatchObject([{ valueId: 'mine', reason: 'another-room' }]);
    await room.answerGet(0, undefined, 'f');
    expect(room.putContents.slice(1)).toEqual([[{}, {}]]);
  });

  test('[SEED-2] is not given it by a later persister either', async () => {
    const store = createStore().setValue('v', 1);
    const before = new ScriptedRoom({ store });
    void before.session.startSaving();
    await before.answerGet(0);
    before.session.destroy();
    const same = new ScriptedRoom({ store });
    void same.session.startSaving();
    await same.answerGet(0);
    expect(same.putContents).toEqual([[{}, { v: 1 }]]);
    same.session.destroy();
    const later = new ScriptedRoom({ store });
    later.address = OTHER_ADDRESS;
    void later.session.startSaving();
    await later.answerGet(0, undefined, 'f');
    expect(later.putContents).toEqual([[{}, {}]]);
  });

  test('[OFFLINE-1] gets the edits of one that has ended, also after they were reported', async () => {
    const first = new ScriptedRoom();
    await first.live();
    first.close();
    first.store.setValue('mine', 1);
    first.session.destroy();
    await first.time.pass(3 * SECOND);
    expect(first.refusals).toMatchObject([{ valueId: 'mine', reason: 'destroyed' }]);
    const second = new ScriptedRoom({ store: first.store, firstId: 100 });
    await second.live();
    expect(second.pushes()).toEqual([[1, [{}, { mine: 1 }]]]);
  });

  test.for([
    ['is live', undefined],
    ['was stopped', 'forbidden'],
  ] as const)(
    '[JOIN-12] [OFFLINE-1] gets no edits of a persister that %s and ends on the way',
    async ([, code]) => {
      const room = new ScriptedRoom();
      await room.live([{}, { old: 1 }]);
      room.store.setValue('mine', 1);
      if (code !== undefined) room.receive({ type: 'error', code, message: 'm' });
      room.close();
      room.address = OTHER_ADDRESS;
      room.session.destroy();
      const { store } = room;
      const next = new ScriptedRoom({ store });
      next.address = OTHER_ADDRESS;
      next.isOpen = true;
      void next.session.follow();
      void next.session.startSaving();
      await next.answerGet(1, [{}, {}], 'f');
      next.welcome({ generation: next.hello().generation, cursor: { epoch: 'f', version: 1 } });
      expect(next.pushes()).toEqual([]);
      await room.time.pass(2000);
      expect(room.refusals).toMatchObject([{ valueId: 'mine', reason: 'destroyed' }]);
    },
  );

  test('[JOIN-12] gets no edit that was about to leave, if the session cannot leave the old one yet', async () => {
    const room = new ScriptedRoom({ isTurnHeld: true });
    await room.live();
    room.store.setValue('v', 1);
    room.store.startTransaction();
    room.address = OTHER_ADDRESS;
    room.close();
    room.open();
    // Another part of the client sends on that socket.
    room.session.sendNow();
    room.endTurn();
    expect(room.sent()).toEqual([]);
    room.store.finishTransaction();
  });

  test('is gone to also by a session that was stopped', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.receive({ type: 'error', code: 'replaced', message: 'm' });
    room.moveToAnotherRoom();
    expect(room.session.sync).toMatchObject({ phase: 'loading', code: undefined });
  });

  test('[JOIN-12] is given nothing that was meant for the old one, from when the socket is pointed at it', async () => {
    const room = new ScriptedRoom({ store: createStore().setValue('v', 1) });
    void room.session.startSaving();
    room.address = OTHER_ADDRESS;
    await room.answerGet(0);
    expect(room.putContents).toEqual([]);
    expect(room.session.sync.phase).toBe('loading');
    await room.answerGet(0, undefined, 'f');
    expect(room.putContents).toEqual([[{}, {}]]);
    room.moveToAnotherRoom();
    expect(room.putContents).toHaveLength(1);
    expect(room.requested).toEqual([ADDRESS, OTHER_ADDRESS, OTHER_ADDRESS]);
  });

  test.each([true, false])(
    '[JOIN-12] is not given the seed of the old one if a listener of the initial content points the socket at it (closed: %s)',
    async (isClosed) => {
      const room = new ScriptedRoom({ store: createStore().setValue('of', 'the Store') });
      const listenerId = room.store.addValueListener('v', () => {
        room.address = OTHER_ADDRESS;
        if (isClosed) room.close();
      });
      void room.session.follow(contentOf([{}, { v: 1 }]));
      void room.session.startSaving();
      await room.answerGet(0);
      room.store.delListener(listenerId);
      await room.answerGet(0, undefined, 'f');
      expect(room.requested).toEqual([ADDRESS, ADDRESS, OTHER_ADDRESS, OTHER_ADDRESS]);
      expect(room.putContents).toEqual([
        [{}, { v: 1 }],
        [{}, { v: 1 }],
      ]);
    },
  );

  test('[JOIN-12] is not gone to before the connection to the old one is closed', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { old: 1 }]);
    room.address = OTHER_ADDRESS;
    room.session.networkChanged();
    room.store.setValue('mine', 1);
    await room.time.pass(2000);
    expect(room.sent()).toEqual([]);
    room.address = ADDRESS;
    room.store.setValue('mine', 2);
    expect(room.pushes()).toEqual([
      [1, [{}, { mine: 1 }]],
      [2, [{}, { mine: 2 }]],
    ]);
    room.address = OTHER_ADDRESS;
    room.close();
    expect(room.session.sync.phase).toBe('loading');
    room.address = ADDRESS;
    room.open();
    expect(room.requested).toEqual([ADDRESS, OTHER_ADDRESS, ADDRESS]);
  });

  test('[JOIN-12] is given a seed also if the socket is pointed elsewhere and back while a transaction is open', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { old: 1 }]);
    room.close();
    room.address = OTHER_ADDRESS;
    room.session.networkChanged();
    room.store.startTransaction();
    room.address = 'ws://host.test/third';
    await room.answerGet(0, undefined, 'f');
    expect(room.putContents).toEqual([]);
    room.address = OTHER_ADDRESS;
    room.store.finishTransaction();
    await room.time.pass(5000);
    expect(room.putContents).toEqual([[{}, {}]]);
    expect(room.requested).toEqual([ADDRESS, OTHER_ADDRESS, OTHER_ADDRESS]);
  });

  test('[JOIN-12] does not refuse a client for what something has answered in the old one', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    room.address = OTHER_ADDRESS;
    await room.failGet(failure('forbidden'));
    expect(room.session.sync).toMatchObject({ phase: 'loading', code: undefined });
  });

  test('[JOIN-12] may say that the token has expired, though the old one has said so', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.receive({ type: 'error', code: 'expired', message: 'm' });
    room.moveToAnotherRoom();
    await room.answerGet(1, [{}, {}], 'f');
    const { reconnects } = room;
    room.receive({ type: 'error', code: 'expired', message: 'm' });
    expect(room.session.sync.phase).toBe('catching-up');
    expect(room.reconnects).toBe(reconnects + 1);
  });

  test('[JOIN-12] is not at the cursor that the old one has told, if its content has none', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.welcome({ generation: 1, changes: undefined, cursor: { epoch: 'e', version: 9 } });
    expect(room.session.sync.phase).toBe('loading');
    room.address = OTHER_ADDRESS;
    room.close();
    room.gets.take();
    await room.answerGet(undefined, [{}, { v: 1 }]);
    expect([room.session.cursor, room.errors]).toEqual([undefined, []]);
  });

  test('[JOIN-12] is gone to by a session that is stopped only when the socket is there', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.receive({ type: 'error', code: 'forbidden', message: 'm' });
    room.close();
    room.address = OTHER_ADDRESS;
    room.session.networkChanged();
    expect(room.session.sync.phase).toBe('stopped');
    room.isOpen = true;
    room.moveToAnotherRoom();
    expect(room.session.sync.phase).toBe('loading');
  });

  test('[JOIN-12] [UNDO-9] an edit that is made on the way is of the old one, and no step in the new one', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { old: 1 }]);
    const { undo } = observeForUndo(room.session.replica, () => 0);
    room.address = OTHER_ADDRESS;
    room.store.setValue('old', 2);
    room.close();
    expect(room.refusals).toMatchObject([{ valueId: 'old', value: 2, reason: 'another-room' }]);
    expect(undo.getCheckpointIds()).toEqual([[], '0', []]);
  });

  test.each(['its listener', 'it', 'what comes next'])(
    '[JOIN-12] gets no edit of a transaction that is open while %s points the socket at it',
    async (what) => {
      const room = new ScriptedRoom();
      await room.live([{}, { old: 1 }]);
      const move = (): void => {
        room.address = OTHER_ADDRESS;
        // PartySocket tells of the close within reconnect().
        room.close();
      };
      const listenerId = room.store.addValueListener('mine', () => {
        if (what === 'its listener') move();
      });
      room.store.transaction(() => {
        room.store.setValue('mine', 1);
        // It waits for the Store.
        if (what === 'what comes next') room.commit(2, [{}, { old: 2 }]);
        if (what !== 'its listener') move();
      });
      room.store.delListener(listenerId);
      room.open();
      expect(room.refusals).toMatchObject([{ valueId: 'mine', reason: 'another-room' }]);
      room.sent();
      await room.answerGet(3, [{}, { other: 1 }], 'f');
      room.welcome({ generation: room.hello().generation, cursor: { epoch: 'f', version: 3 } });
      expect(room.pushes()).toEqual([]);
    },
  );

  test('[JOIN-12] gets nothing of a transaction that is open while the socket opens there', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { old: 1 }]);
    room.store.startTransaction();
    room.store.setValue('mine', 1);
    room.address = OTHER_ADDRESS;
    room.close();
    room.open();
    // A ping would be for the old one.
    await room.time.pass(60 * SECOND);
    room.store.setValue('mine', 2);
    room.store.finishTransaction();
    expect(room.sent()).toEqual([]);
    await room.time.pass(SECOND);
    expect(room.refusals).toMatchObject([{ valueId: 'mine', value: 2, reason: 'another-room' }]);
    await room.answerGet(3, [{}, { other: 1 }], 'f');
    room.welcome({ generation: room.hello().generation, cursor: { epoch: 'f', version: 3 } });
    expect(room.pushes()).toEqual([]);
    expect(room.store.getValues()).toEqual({ other: 1 });
    expect(room.requested).toEqual([ADDRESS, OTHER_ADDRESS]);
  });

  test('does not get the answer to a load of the old one', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    const old = room.gets.take();
    room.moveToAnotherRoom();
    old.answer({ cursor: { epoch: 'e', version: 1 }, content: contentOf([{}, { old: 1 }]) });
    await nextTurn();
    expect(room.store.getValues()).toEqual({});
    await room.answerGet(1, [{}, { new: 1 }], 'f');
    expect(room.store.getValues()).toEqual({ new: 1 });
  });
});

describe('the end', () => {
  test('reports what is not confirmed, and leaves nothing running', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('mine', 1);
    room.session.destroy();
    await room.time.pass(2000);
    expect(room.refusals).toEqual([
      { type: 'value', valueId: 'mine', value: 1, reason: 'destroyed' },
    ]);
    expect(room.session.sync).toMatchObject({ phase: 'stopped', unsaved: 0, code: 'destroyed' });
    expect(room.syncs.filter(({ phase }) => phase === 'stopped')).toHaveLength(1);
    expect(room.errors).toEqual([]);
    expect(room.time.waiting).toBe(0);
    expect(room.store.getListenerStats().transaction).toBe(0);
    room.sent();
    room.commit(2, [{}, { v: 1 }]);
    room.close();
    room.open();
    room.store.setValue('more', 1);
    expect(room.store.getValues()).toEqual({ mine: 1, more: 1 });
    expect(room.sent()).toEqual([]);
    room.session.destroy();
    expect(room.refusals).toHaveLength(1);
  });

  test('leaves nothing of local-only leaves to be discarded', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.startTransaction();
    room.session.discardLocal();
    expect(room.time.waiting).toBeGreaterThan(0);
    room.session.destroy();
    room.store.finishTransaction();
    await room.time.pass(SECOND);
    room.session.discardLocal();
    expect(room.time.waiting).toBe(0);
  });

  test('settles what is loading, whose answer means nothing any more', async () => {
    const room = new ScriptedRoom();
    const following = room.session.follow();
    const get = room.gets.take();
    room.session.destroy();
    await following;
    get.fail(failure('network'));
    await nextTurn();
    expect(room.errors).toEqual([]);
    expect(room.time.waiting).toBe(0);
  });

  test('is final: what is started after it is reported and does nothing', async () => {
    const room = new ScriptedRoom();
    room.session.destroy();
    await room.session.follow();
    await room.session.startSaving();
    await room.session.load();
    await room.session.save();
    const code = 'destroyed';
    expect(room.errors).toMatchObject([{ code }, { code }, { code }, { code }]);
    room.moveToAnotherRoom();
    room.session.replaced();
    expect(room.errors).toHaveLength(4);
    expect([room.session.isFollowing, room.session.isSaving]).toEqual([false, false]);
    expect(room.gets.count).toBe(0);
    expect(room.session.sync).toMatchObject({ phase: 'stopped', unsaved: 0, code });
  });

  test('by another session on the socket is reported once, and says so from then on', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('mine', 1);
    const confirmed = room.session.whenConfirmed();
    room.session.replaced();
    const code = 'replaced';
    expect(room.errors).toMatchObject([{ code }]);
    expect(room.session.sync.error).toBe(room.errors[0]);
    expect(room.session.sync).toMatchObject({ phase: 'stopped', unsaved: 0, code });
    await expect(confirmed).rejects.toMatchObject({ code });
    await room.time.pass(2000);
    expect(room.refusals).toMatchObject([{ valueId: 'mine', reason: 'destroyed' }]);
    room.session.destroy();
    expect(room.errors).toHaveLength(1);
    await expect(room.session.whenConfirmed()).rejects.toMatchObject({ code });
    expect(room.time.waiting).toBe(0);
    expect(room.store.getListenerStats().transaction).toBe(0);
  });
});

test('counts loads and saves that the app began, changes of others and pushes', async () => {
  const room = new ScriptedRoom({ store: createStore() });
  await room.live();
  expect(room.session.stats).toEqual({ loads: 1, saves: 1 });
  room.commit(2, [{}, { v: 1 }]);
  room.store.setValue('w', 1);
  expect(room.session.stats).toEqual({ loads: 2, saves: 2 });
});

test('[DERIVE-3] a reaction says to which version it reacts, and tells the app nothing if its row was deleted meanwhile', async () => {
  const room = new ScriptedRoom();
  room.store.setTablesSchema({ t: { a: { type: 'number' }, d: { type: 'number', default: 0 } } });
  await room.live();
  room.sent();
  room.commit(2, [{ t: { r: { a: 1 } } }, {}]);
  room.commit(3, [{}, {}, { t: ['r'] }]);
  const pushes = room.sent().filter((message) => message?.type === 'push');
  expect(pushes).toMatchObject([{ isDerived: true, reactsTo: 2 }]);
  const ack = { type: 'ack', version: 3, isCommit: false } as const;
  const correction = changesOf([{ t: { r: { d: '\uFFFC' } } }, {}]);
  room.receive({ ...ack, number: 1, correction, reason: undefined });
  expect([room.store.getTables(), room.refusals]).toEqual([{}, []]);
  expect(room.session.sync).toMatchObject({ unsaved: 0, localOnly: 0 });
  // What a user has set is always told.
  room.store.setCell('t', 'r', 'a', 1);
  room.receive({
    ...ack,
    number: 2,
    correction: changesOf([{ t: { r: { a: '\uFFFC', d: '\uFFFC' } } }, {}]),
    reason: undefined,
  });
  expect(room.refusals).toMatchObject([
    { cellId: 'a', reason: 'unknown' },
    { cellId: 'd', reason: 'unknown' },
  ]);
});

test('[DERIVE-3] a client that loads the room again forgets to which version a reaction reacts: those of the room may begin again', async () => {
  const room = new ScriptedRoom();
  room.store.setTablesSchema({ t: { a: { type: 'number' }, d: { type: 'number', default: 0 } } });
  await room.live();
  room.sent();
  room.commit(2, [{ t: { r: { a: 1 } } }, {}]);
  const reconnect = (): number => {
    room.close();
    room.sent();
    room.open();
    return room.hello().generation;
  };
  const reactions = (): unknown => room.sent().map((sent) => (sent?.type === 'push' ? sent : {}));
  room.welcome({ generation: reconnect(), cursor: { epoch: 'e', version: 2 } });
  expect(reactions()).toMatchObject([{ number: 1, isDerived: true, reactsTo: 2 }]);
  const cursor = { epoch: 'f', version: 1 };
  room.welcome({ generation: reconnect(), cursor, changes: undefined });
  await room.answerGet(1, [{}, {}], 'f');
  room.welcome({ generation: room.hello().generation, cursor });
  expect(reactions()).toMatchObject([{ number: 1, isDerived: true, reactsTo: 1 }]);
  expect(room.store.getTables()).toEqual({ t: { r: { d: 0 } } });
});
