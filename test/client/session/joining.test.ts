import { describe, expect, test } from 'vitest';

import { changesOf, PREFIX, ScriptedRoom, SECOND } from './scripted-room.ts';

describe('joining', () => {
  test('[JOIN-1] loads over HTTP, then says hello with the cursor of what it loaded', async () => {
    const room = new ScriptedRoom();
    room.open();
    expect(room.sent()).toEqual([]);
    const following = room.session.follow();
    expect(room.session.sync.phase).toBe('loading');
    expect(room.sent()).toEqual([]);
    await room.answerGet(7, [{ t: { r: { c: 1 } } }, {}]);
    await following;
    expect(room.store.getTables()).toEqual({ t: { r: { c: 1 } } });
    const hello = room.hello();
    expect(hello).toEqual({
      type: 'hello',
      clientId: '0'.padStart(22, 'c'),
      generation: 1,
      cursor: { epoch: 'e', version: 7 },
      nextPush: 1,
      ackedPush: 0,
    });
    expect(room.session.sync.phase).toBe('catching-up');
    room.welcome({ generation: 1, cursor: { epoch: 'e', version: 8 } });
    expect(room.session.sync.phase).toBe('live');
    room.commit(9, [{}, { v: 1 }]);
    expect(room.store.getValues()).toEqual({ v: 1 });
    expect(room.session.cursor).toEqual({ epoch: 'e', version: 9 });
  });

  test('[VIEW-3] makes no transaction of a welcome that brings nothing', async () => {
    const room = new ScriptedRoom();
    let transactions = 0;
    void room.session.follow();
    await room.answerGet(1, [{}, { v: 1 }]);
    room.store.addDidFinishTransactionListener(() => {
      transactions += 1;
    });
    room.open();
    room.welcome({ generation: 1 });
    expect([room.session.sync.phase, transactions]).toEqual(['live', 0]);
  });

  test('[JOIN-1] shows what the welcome brings', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    await room.answerGet(1, [{}, { v: 1 }]);
    room.open();
    const changes = changesOf([{}, { v: 2 }]);
    room.welcome({ generation: 1, cursor: { epoch: 'e', version: 5 }, changes });
    expect(room.store.getValues()).toEqual({ v: 2 });
    expect(room.session.cursor?.version).toBe(5);
  });

  test('[JOIN-4] says hello with a higher generation each time, and heeds only its welcome', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    await room.answerGet(1, [{}, {}]);
    room.open();
    expect(room.hello().generation).toBe(1);
    room.close();
    room.open();
    expect(room.hello().generation).toBe(2);
    room.welcome({ generation: 1 });
    expect(room.session.sync.phase).toBe('catching-up');
    room.welcome({ generation: 3 });
    expect(room.session.sync.phase).toBe('catching-up');
    room.welcome({ generation: 2 });
    expect(room.session.sync.phase).toBe('live');
  });

  test('[JOIN-4] begins with a generation of its own, for an older client may have used the socket', async () => {
    const room = new ScriptedRoom({ firstGeneration: 41 });
    void room.session.follow();
    await room.answerGet(1, [{}, {}]);
    room.open();
    expect(room.hello().generation).toBe(42);
    room.welcome({ generation: 1 });
    expect(room.session.sync.phase).toBe('catching-up');
    room.welcome({ generation: 42 });
    expect(room.session.sync.phase).toBe('live');
  });

  test('[JOIN-4] says hello above the generation that the room knows of its client', async () => {
    const room = new ScriptedRoom({ firstGeneration: 41 });
    void room.session.follow();
    await room.answerGet(1, [{}, {}]);
    room.open();
    expect(room.hello().generation).toBe(42);
    room.welcome({ generation: 90, changes: undefined });
    expect(room.session.sync.phase).toBe('connecting');
    await room.time.pass(10_000);
    expect(room.hello().generation).toBe(91);
    room.welcome({ generation: 91 });
    expect(room.session.sync.phase).toBe('live');
    // A client that was let in leaves out what comes late.
    room.welcome({ generation: 95, changes: undefined });
    expect(room.session.sync.phase).toBe('live');
  });

  test.each([2 ** 52 + 1, Number.MAX_SAFE_INTEGER])(
    '[JOIN-4] does not believe a room that says the generation %i, after which there are few or none',
    async (generation) => {
      const room = new ScriptedRoom({ firstGeneration: 41 });
      void room.session.follow();
      await room.answerGet(1, [{}, {}]);
      room.open();
      room.sent();
      room.welcome({ generation, changes: undefined });
      expect(room.errors).toMatchObject([{ code: 'malformed' }]);
      expect(room.session.sync).toMatchObject({ phase: 'connecting', error: room.errors[0] });
      await room.time.pass(5000);
      expect(room.hello().generation).toBe(43);
      room.welcome({ generation, changes: undefined });
      expect(room.errors).toHaveLength(1);
      await room.time.pass(5000);
      expect(room.hello().generation).toBe(44);
      room.welcome({ generation: 44 });
      expect(room.session.sync).toMatchObject({ phase: 'live', error: undefined });
    },
  );

  test('[JOIN-4] goes above the highest generation that it believes, in very many hellos', async () => {
    const room = new ScriptedRoom({ firstGeneration: 41 });
    void room.session.follow();
    await room.answerGet(1, [{}, {}]);
    room.open();
    room.sent();
    room.welcome({ generation: 2 ** 52, changes: undefined });
    expect(room.errors).toEqual([]);
    await room.time.pass(5000);
    expect(room.hello().generation).toBe(2 ** 52 + 1);
    room.welcome({ generation: 2 ** 52 + 1 });
    expect(room.session.sync.phase).toBe('live');
  });

  test('[JOIN-4] takes a second welcome of the same generation for nothing', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.commit(2, [{}, { v: 1 }]);
    room.welcome({ generation: 1 });
    expect(room.session.cursor?.version).toBe(2);
    expect(room.session.sync.phase).toBe('live');
  });

  test('[JOIN-6] shows reloaded content together with the welcome if it may hold its own pushes', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { v: 1 }]);
    room.store.setValue('v', 2);
    const seen: unknown[] = [];
    room.store.addValueListener('v', (_store, _id, value) => seen.push(value));
    room.close();
    room.open();
    room.sent();
    // The room took the push, and another set the value after it.
    room.welcome({ generation: 2, changes: undefined, cursor: { epoch: 'e', version: 9 } });
    await room.answerGet(9, [{}, { v: 3, other: 1 }]);
    expect(room.store.getValues()).toEqual({ v: 2 });
    const { cursor, generation, nextPush } = room.hello();
    expect({ cursor, nextPush }).toEqual({ cursor: { epoch: 'e', version: 9 }, nextPush: 1 });
    room.welcome({ generation, lastPush: 1, cursor: { epoch: 'e', version: 9 } });
    expect(seen).toEqual([3]);
    expect(room.store.getValues()).toEqual({ v: 3, other: 1 });
    // What another has set since cannot be told from what was refused.
    expect(room.refusals).toEqual([]);
    expect(room.session.sync).toEqual({ phase: 'live', unsaved: 0, localOnly: 0 });
    expect(room.pushes()).toEqual([]);
  });

  test('[JOIN-6] shows content that was to be loaded once, even if nothing is followed', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { other: 1 }]);
    room.session.stopFollowing();
    room.store.setValue('mine', 1);
    void room.session.load();
    room.sent();
    await room.answerGet(3, [{}, { mine: 1, other: 2 }]);
    expect(room.store.getValues()).toEqual({ mine: 1, other: 1 });
    room.welcome({
      generation: room.hello().generation,
      lastPush: 1,
      cursor: { epoch: 'e', version: 3 },
    });
    expect(room.store.getValues()).toEqual({ mine: 1, other: 2 });
    room.commit(4, [{}, { other: 3 }]);
    expect(room.store.getValues()).toEqual({ mine: 1, other: 2 });
  });

  test('[JOIN-6] never shows a part of a row that its own push and a later deletion left', async () => {
    const room = new ScriptedRoom();
    await room.live([{ t: { r: { a: 1, b: 1 } } }, {}]);
    room.store.setCell('t', 'r', 'a', 2);
    const seen: unknown[] = [];
    room.store.addRowListener('t', 'r', () => seen.push(room.store.getRow('t', 'r')));
    room.close();
    room.open();
    room.sent();
    room.welcome({ generation: 2, changes: undefined, cursor: { epoch: 'e', version: 9 } });
    // The room took the push, and then another deleted the row.
    await room.answerGet(9, [{}, {}]);
    room.welcome({
      generation: room.hello().generation,
      lastPush: 1,
      cursor: { epoch: 'e', version: 9 },
    });
    expect(seen).toEqual([{}]);
  });

  test('[JOIN-6] shows content at once if nothing of its own can be in it', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    void room.session.startSaving();
    room.store.setValue('mine', 1);
    await room.answerGet(1, [{}, { v: 1 }]);
    expect(room.store.getValues()).toEqual({ mine: 1, v: 1 });
  });

  test('[JOIN-7] loads again when told to without having asked, and keeps what is pending', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('mine', 1);
    room.sent();
    room.welcome({ generation: 1, changes: undefined, cursor: { epoch: 'e', version: 4 } });
    expect(room.session.sync).toMatchObject({ phase: 'loading', unsaved: 1 });
    // Not live: neither commits nor acks count.
    room.commit(2, [{}, { v: 1 }]);
    room.ack(1, 2);
    expect(room.session.sync.unsaved).toBe(1);
    expect(room.store.getValues()).toEqual({ mine: 1 });
    await room.answerGet(5, [{}, { v: 5 }]);
    room.welcome({ generation: room.hello().generation, cursor: { epoch: 'e', version: 5 } });
    expect(room.store.getValues()).toEqual({ mine: 1, v: 5 });
    expect(room.pushes()).toEqual([[1, [{}, { mine: 1 }]]]);
  });

  test('[JOIN-7] follows a room that gets its Store later', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    await room.answerGet(0);
    room.open();
    const { cursor, generation } = room.hello();
    expect(cursor).toBeUndefined();
    const empty = { epoch: 'e', version: 0 };
    room.welcome({ generation, changes: undefined, cursor: empty });
    expect(room.session.sync.phase).toBe('empty');
    room.welcome({ generation, changes: undefined, cursor: { epoch: 'e', version: 1 } });
    await room.answerGet(1, [{}, { v: 1 }]);
    expect(room.store.getValues()).toEqual({ v: 1 });
    room.welcome({ generation: room.hello().generation });
    expect(room.session.sync.phase).toBe('live');
  });

  test('[JOIN-8] loads anew a room of another epoch; pending pushes stay pending', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { old: 1 }]);
    room.store.setValue('mine', 1);
    room.close();
    room.open();
    room.sent();
    room.welcome({ generation: 2, changes: undefined, cursor: { epoch: 'f', version: 3 } });
    await room.answerGet(3, [{}, { new: 1 }], 'f');
    const { cursor, generation, nextPush } = room.hello();
    expect(cursor).toEqual({ epoch: 'f', version: 3 });
    expect(nextPush).toBe(1);
    room.welcome({ generation, cursor: { epoch: 'f', version: 3 } });
    expect(room.store.getValues()).toEqual({ mine: 1, new: 1 });
    expect(room.pushes()).toEqual([[1, [{}, { mine: 1 }]]]);
  });

  test('[JOIN-8] tells of another epoch also if the one that was shown was never welcomed', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    await room.answerGet(1, [{}, { old: 1 }]);
    expect(room.store.getValues()).toEqual({ old: 1 });
    room.open();
    const { generation } = room.hello();
    room.welcome({ generation, changes: undefined, cursor: { epoch: 'f', version: 3 } });
    await room.answerGet(3, [{}, { new: 1 }], 'f');
    expect(room.errors).toEqual([]);
    room.welcome({ generation: room.hello().generation, cursor: { epoch: 'f', version: 3 } });
    expect(room.errors).toMatchObject([{ code: 'stale' }]);
    expect(String(room.errors[0])).toContain('began anew');
  });

  test('says hello once, however often it is told to stop and start meanwhile', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    await room.answerGet(1, [{}, {}]);
    room.open();
    room.hello();
    void room.session.startSaving();
    room.session.stopSaving();
    void room.session.startSaving();
    room.session.stopFollowing();
    expect(room.sent()).toEqual([]);
    room.welcome({ generation: 1 });
    expect(room.session.sync.phase).toBe('live');
  });
});

describe('frames', () => {
  test('[FRAME-1] of the app are left alone', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (const data of [
      'chat',
      `${PREFIX}zzz`,
      'c[2,[{},{"v":1}]]',
      new ArrayBuffer(1),
      undefined,
    ]) {
      room.session.received(data);
    }
    expect(room.errors).toEqual([]);
    expect(room.store.getValues()).toEqual({});
    expect(room.session.sync.phase).toBe('live');
  });

  test('[FRAME-1] that do not decode may be of the app, and change nothing', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.session.received(`${PREFIX}c[2,[{},`);
    room.session.received(`${PREFIX}c{}`);
    room.commit(2, [{}, { v: 1 }]);
    expect(room.store.getValues()).toEqual({ v: 1 });
  });

  test('[FRAME-3] are sent only while the socket is open, hello first', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.close();
    room.store.setValue('v', 1);
    await room.time.pass(100 * SECOND);
    room.open();
    room.store.setValue('w', 1);
    const { generation } = room.hello();
    expect(room.queued).toEqual([]);
    room.welcome({ generation });
    expect(room.pushes()).toEqual([
      [1, [{}, { v: 1 }]],
      [2, [{}, { w: 1 }]],
    ]);
  });

  test('[FRAME-3] are not sent on a socket that is closing', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.isOpen = false;
    room.store.setValue('v', 1);
    await room.time.pass(100 * SECOND);
    expect(room.queued).toEqual([]);
    room.close();
    room.open();
    room.welcome({ generation: room.hello().generation });
    expect(room.pushes()).toEqual([[1, [{}, { v: 1 }]]]);
  });

  test('[STOCK-4] of stock peers are ignored by who is not on a stock room', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.session.received(`${PREFIX}s[{},{"v":1},1]`);
    expect(room.store.getValues()).toEqual({});
    expect(room.session.sync.phase).toBe('live');
  });
});

describe('order', () => {
  test.each([
    ['a gap', 3],
    ['a repetition', 1],
  ])(
    '[ORDER-4] takes no commit after %s, and says hello again on the same socket',
    async (_what, version) => {
      const room = new ScriptedRoom();
      await room.live();
      room.commit(version, [{}, { v: 1 }]);
      expect(room.store.getValues()).toEqual({});
      await room.time.pass(0);
      expect(room.hello()).toMatchObject({ generation: 2, cursor: { epoch: 'e', version: 1 } });
      expect(room.reconnects).toBe(0);
    },
  );

  test.each<readonly [string, (room: ScriptedRoom) => void]>([
    ['of a push that is not the oldest', (room) => room.ack(2, 2)],
    ['of a push that was not made', (room) => room.ack(9, 2)],
    ['that skips a version', (room) => room.ack(1, 3)],
    [
      'that made no commit and yet a version',
      (room) =>
        room.receive({
          type: 'ack',
          number: 1,
          version: 2,
          isCommit: false,
          correction: undefined,
          reason: undefined,
        }),
    ],
  ])('[ORDER-5] takes no ack %s', async (_what, answer) => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    room.store.setValue('b', 1);
    room.sent();
    answer(room);
    expect(room.session.sync.unsaved).toBe(2);
    expect(room.session.cursor?.version).toBe(1);
    await room.time.pass(0);
    expect(room.hello()).toMatchObject({ generation: 2, nextPush: 1 });
  });

  test('[ORDER-5] takes an ack of the oldest push, with a commit or without', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    room.store.setValue('b', 1);
    room.ack(1, 2);
    expect(room.session.cursor?.version).toBe(2);
    room.receive({
      type: 'ack',
      number: 2,
      version: 2,
      isCommit: false,
      correction: undefined,
      reason: undefined,
    });
    expect(room.session.cursor?.version).toBe(2);
    expect(room.session.sync.unsaved).toBe(0);
  });

  test('[ORDER-6] counts nothing between a disorder and the welcome', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('mine', 1);
    room.commit(5, [{}, { v: 5 }]);
    room.commit(2, [{}, { v: 2 }]);
    room.ack(1, 2);
    await room.time.pass(0);
    room.commit(2, [{}, { v: 2 }]);
    room.ack(1, 2);
    expect(room.store.getValues()).toEqual({ mine: 1 });
    expect(room.session.sync).toMatchObject({ phase: 'catching-up', unsaved: 1 });
  });

  test('[ORDER-6] says hello again when the room says that it has lost its place', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.receive({ type: 'error', code: 'stale', message: 'm' });
    await room.time.pass(0);
    expect(room.hello().generation).toBe(2);
    expect(room.errors).toMatchObject([{ code: 'stale' }]);
  });

  test.each<readonly [string, number, number, boolean]>([
    ['has lost nothing', 2, 1, false],
    ['missed a commit', 3, 1, true],
    ['is ahead of a room that lost some', 1, 1, true],
    ['had a push lost', 2, 0, true],
    ['missed an ack', 2, 2, true],
  ])('[ORDER-7] finds by a pong that it %s', async (_what, version, lastPush, isLost) => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    room.ack(1, 2);
    if (lastPush === 2) room.store.setValue('b', 1);
    room.sent();
    const isUnanswered = lastPush === 2;
    await room.time.pass((isUnanswered ? 5 : 25) * SECOND);
    expect(room.sent()).toEqual([{ type: isUnanswered ? 'ping' : 'check' }]);
    room.receive({ type: 'pong', version, lastPush });
    await room.time.pass(0);
    expect(room.sent().map((message) => message?.type)).toEqual(isLost ? ['hello'] : []);
  });

  test('[ORDER-7] finds by a pong that its hello was lost', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    await room.answerGet(1, [{}, {}]);
    room.open();
    room.hello();
    await room.time.pass(25 * SECOND);
    expect(room.sent()).toEqual([{ type: 'check' }]);
    room.receive({ type: 'pong', version: 1, lastPush: 0 });
    await room.time.pass(0);
    expect(room.hello().generation).toBe(2);
  });

  test('[ORDER-8] asks the room itself until that has said that nothing is missing, then lets it sleep', async () => {
    const room = new ScriptedRoom();
    await room.live();
    const asked = async (): Promise<readonly (string | undefined)[]> => {
      await room.time.pass(25 * SECOND);
      return room.sent().map((message) => message?.type);
    };
    expect(await asked()).toEqual(['check']);
    room.receive({ type: 'alive' });
    expect(await asked(), 'a host cannot tell').toEqual(['check']);
    room.receive({ type: 'pong', version: 1, lastPush: 0 });
    expect(await asked()).toEqual(['ping']);
    room.receive({ type: 'alive' });
    expect(await asked()).toEqual(['ping']);
    room.receive({ type: 'alive' });

    room.receive({ type: 'commit', version: 2, changes: changesOf([{}, { b: 1 }]) });
    expect(await asked(), 'something was heard').toEqual(['check']);
    room.receive({ type: 'pong', version: 2, lastPush: 0 });
    room.store.setValue('a', 1);
    await room.time.pass(5 * SECOND);
    expect(room.sent()).toMatchObject([{ type: 'push' }, { type: 'ping' }]);
    room.receive({ type: 'alive' });
    expect(await asked(), 'something was sent').toEqual(['check']);
    expect(room.reconnects).toBe(0);
  });

  test('[ORDER-7] connects again 10 seconds after an edit of which nothing comes, and sends it there', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    await room.time.pass(10 * SECOND - 1);
    expect(room.reconnects).toBe(0);
    await room.time.pass(1);
    expect(room.reconnects).toBe(1);
    room.close();
    room.sent();
    room.open();
    room.welcome({ generation: room.hello().generation });
    expect(room.pushes()).toEqual([[1, [{}, { a: 1 }]]]);
  });

  test('[ORDER-8] counts a host that answers as alive, and one that does not as dead', async () => {
    const room = new ScriptedRoom();
    await room.live();
    await room.time.pass(25 * SECOND);
    room.receive({ type: 'alive' });
    await room.time.pass(24 * SECOND);
    expect(room.reconnects).toBe(0);
    await room.time.pass(16 * SECOND);
    expect(room.reconnects).toBe(1);
  });

  test('[ORDER-7] does not take a push for lost that it sent after the ping', async () => {
    const room = new ScriptedRoom();
    await room.live();
    await room.time.pass(25 * SECOND);
    room.store.setValue('a', 1);
    room.receive({ type: 'pong', version: 1, lastPush: 0 });
    await room.time.pass(0);
    expect(room.sent().map((message) => message?.type)).toEqual(['check', 'push']);
  });
});

test('[JOIN-10] content that is too old, again and again, is asked for with a pause, aloud, and past caches', async () => {
  const room = new ScriptedRoom();
  room.open();
  void room.session.follow();
  for (let attempt = 0; attempt < 20; attempt += 1) {
    await room.answerGet(1, [{}, { v: 'old' }]);
    const { generation } = room.hello();
    room.welcome({ generation, cursor: { epoch: 'e', version: 900 }, changes: undefined });
    for (let second = 0; room.gets.waiting.length === 0 && second < 60; second += 1)
      await room.time.pass(second === 0 ? 0 : SECOND);
  }
  expect(room.time.now).toBeGreaterThan(60 * SECOND);
  expect(room.errors).toMatchObject([{ code: 'network' }]);
  expect(String(room.errors[0])).toContain('cache');
  const [first, second, ...past] = room.uniques;
  expect([first, second]).toEqual([undefined, undefined]);
  expect(past).not.toContain(undefined);
  expect(new Set(past).size).toBe(past.length);
  await room.answerGet(900, [{}, { v: 'new' }]);
  const { generation } = room.hello();
  room.welcome({ generation, cursor: { epoch: 'e', version: 900 } });
  expect(room.session.sync).toMatchObject({ phase: 'live', error: undefined });
  // What comes later is no accident of before.
  await room.time.pass(5 * SECOND);
  room.welcome({ generation, cursor: { epoch: 'e', version: 901 }, changes: undefined });
  expect(room.uniques.at(-1)).toBeUndefined();
  expect(room.gets.waiting).toHaveLength(1);
});

test('[HTTP-8] a request that hangs is made anew when the socket opens, and one that is on its way is not', async () => {
  const room = new ScriptedRoom();
  void room.session.follow();
  await room.time.pass(SECOND);
  room.open();
  expect(room.gets.waiting).toHaveLength(1);
  room.close();
  await room.time.pass(5 * SECOND);
  room.open();
  expect(room.gets.waiting).toHaveLength(2);
  room.gets.take();
  await room.answerGet(1, [{}, { v: 1 }]);
  expect(room.hello().cursor).toEqual({ epoch: 'e', version: 1 });
  expect(room.store.getValue('v')).toBe(1);
});

test('[HTTP-8] the number of bytes that have come is in the state while it loads', async () => {
  const room = new ScriptedRoom();
  void room.session.follow();
  expect(room.session.sync.loadedBytes).toBeUndefined();
  for (const bytes of [10, 70_000, 100_000, 140_000]) room.heardBytes(bytes);
  expect(room.syncs.map(({ loadedBytes }) => loadedBytes)).toEqual([undefined, 70_000, 140_000]);
  await room.answerGet(1, [{}, { v: 1 }]);
  expect(room.session.sync.loadedBytes).toBeUndefined();
});
