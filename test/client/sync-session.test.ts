import { setImmediate as nextTurn } from 'node:timers/promises';

import { createStore } from 'tinybase';
import { describe, expect, test } from 'vitest';

import { decodeLargePush } from '../../src/protocol/codec.ts';
import { TinyBasePartyKitError, type ErrorCode } from '../../src/protocol/errors.ts';
import { changesOf, contentOf, jsonOf, PREFIX, ScriptedRoom } from './scripted-room.ts';

const SECOND = 1000;

const failure = (code: ErrorCode): TinyBasePartyKitError => new TinyBasePartyKitError(code, code);

/** Whether a promise has settled by now, and how. */
async function stateOf(promise: Promise<unknown>): Promise<'settled' | 'rejected' | 'waiting'> {
  const waiting = nextTurn('waiting' as const);
  const settled = promise.then(
    () => 'settled' as const,
    () => 'rejected' as const,
  );
  return await Promise.race([settled, waiting]);
}

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
      protocol: 1,
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
    await room.answerGet(9, [{}, { v: 3 }]);
    expect(room.store.getValue('v')).toBe(2);
    const { cursor, generation, nextPush } = room.hello();
    expect({ cursor, nextPush }).toEqual({ cursor: { epoch: 'e', version: 9 }, nextPush: 1 });
    room.welcome({ generation, lastPush: 1, cursor: { epoch: 'e', version: 9 } });
    expect(seen).toEqual([3]);
    expect(room.session.sync).toEqual({ phase: 'live', unsaved: 0, code: undefined });
    expect(room.pushes()).toEqual([]);
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

  test('[STOCK-4] are not exchanged with a server whose GET has no ETag of a room', async () => {
    const room = new ScriptedRoom();
    room.open();
    void room.session.follow();
    await room.answerGet(undefined, [{}, { v: 1 }]);
    expect(room.errors).toMatchObject([{ code: 'network' }]);
    expect(room.sent()).toEqual([]);
    room.session.received(`${PREFIX}s[{},{"v":1},1]`);
    expect(room.store.getValues()).toEqual({});
    await room.time.pass(SECOND);
    expect(room.gets.count).toBe(2);
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
    await room.time.pass(25 * SECOND);
    expect(room.sent()).toEqual([{ type: 'check' }]);
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
    expect(await asked(), 'something was sent').toEqual(['push', 'check']);
    expect(room.reconnects).toBe(0);
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

describe('pushes', () => {
  test('[ONCE-1] are numbered 1, 2, 3 … and sent in order', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    room.store.setValue('b', 1);
    room.store.transaction(() => room.store.setValues({ a: 2, b: 2 }));
    expect(room.pushes()).toEqual([
      [1, [{}, { a: 1 }]],
      [2, [{}, { b: 1 }]],
      [3, [{}, { a: 2, b: 2 }]],
    ]);
    room.ack(1, 2);
    room.store.setValue('c', 1);
    const [push] = room.sent();
    expect(push).toMatchObject({ type: 'push', number: 4, ackedPush: 1 });
  });

  test('[ONCE-1] are sent again, and only those not answered, after a hello', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (const id of ['a', 'b', 'c']) room.store.setValue(id, 1);
    room.ack(1, 2);
    room.close();
    room.open();
    room.sent();
    room.welcome({ generation: 2, lastPush: 1, cursor: { epoch: 'e', version: 2 } });
    expect(room.pushes().map(([number]) => number)).toEqual([2, 3]);
  });

  test('[ONCE-4] that the room has dealt with are dropped: the catch-up has what was accepted', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { a: 0, b: 0, c: 0 }]);
    for (const id of ['a', 'b', 'c']) room.store.setValue(id, 1);
    room.close();
    room.open();
    expect(room.sent().at(-1)).toMatchObject({ nextPush: 1 });
    // The first was accepted, the second refused; the third never came.
    room.welcome({
      generation: 2,
      lastPush: 2,
      cursor: { epoch: 'e', version: 2 },
      changes: changesOf([{}, { a: 1 }]),
    });
    expect(room.store.getValues()).toEqual({ a: 1, b: 0, c: 1 });
    expect(room.session.sync.unsaved).toBe(1);
    expect(room.refusals).toEqual([{ type: 'value', valueId: 'b', value: 1, reason: 'unknown' }]);
    expect(room.pushes()).toEqual([[3, [{}, { c: 1 }]]]);
  });

  test('[ONCE-4] of which a row deletion was refused are reported too', async () => {
    const room = new ScriptedRoom();
    await room.live([{ t: { r: { c: 1 }, s: { c: 1 } } }, {}]);
    room.store.delRow('t', 'r');
    room.store.delRow('t', 's');
    room.close();
    room.open();
    room.sent();
    room.welcome({
      generation: 2,
      lastPush: 2,
      cursor: { epoch: 'e', version: 2 },
      changes: changesOf([{}, {}, { t: ['s'] }]),
    });
    expect(room.store.getTables()).toEqual({ t: { r: { c: 1 } } });
    expect(room.refusals).toEqual([{ type: 'row', tableId: 't', rowId: 'r', reason: 'unknown' }]);
  });

  test('are reported, leaf by leaf, where the room corrects them', async () => {
    const room = new ScriptedRoom();
    await room.live([{ t: { r: { c: 1 } } }, {}]);
    room.store.transaction(() => room.store.setValues({ a: 1, b: 1 }).delRow('t', 'r'));
    room.ack(1, 2, [{ t: { r: { c: 1 } } }, { a: 0 }]);
    expect(room.store.getContent()).toEqual([{ t: { r: { c: 1 } } }, { a: 0, b: 1 }]);
    expect(room.refusals).toEqual([
      { type: 'row', tableId: 't', rowId: 'r', reason: 'hook' },
      { type: 'value', valueId: 'a', value: 1, reason: 'hook' },
    ]);
  });

  test('[ONCE-6] over the frame limit go over HTTP, after the acks of earlier ones and before later ones', async () => {
    const room = new ScriptedRoom();
    await room.live();
    const large = 'x'.repeat(2000);
    room.store.setValue('a', 1);
    room.store.setValue('large', large);
    room.store.setValue('b', 1);
    expect(room.pushes().map(([number]) => number)).toEqual([1]);
    expect(room.postBodies).toEqual([]);
    room.ack(1, 2);
    const [body = ''] = room.postBodies;
    const { clientId, generation, push } = decodeLargePush(body);
    expect([clientId, generation, push.number]).toEqual(['0'.padStart(22, 'c'), 1, 2]);
    expect(jsonOf(push)).toEqual([{}, { large }]);
    room.posts.take().answer();
    await nextTurn();
    expect(room.pushes()).toEqual([]);
    room.ack(2, 3);
    expect(room.pushes().map(([number]) => number)).toEqual([3]);
    expect(room.postBodies).toHaveLength(1);
  });

  test('[ONCE-6] over the frame limit go again after a failure, with the new generation', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(2000));
    room.posts.take().fail(failure('network'));
    await room.time.pass(0);
    room.welcome({ generation: room.hello().generation });
    expect(room.postBodies.map((body) => decodeLargePush(body).generation)).toEqual([1, 2]);
    expect(room.postBodies.map((body) => decodeLargePush(body).push.number)).toEqual([1, 1]);
    // The answer to a request of an earlier conversation means nothing any more.
    room.close();
    room.posts.take().fail(failure('network'));
    await room.time.pass(0);
    expect(room.sent()).toEqual([]);
  });

  test('[ONCE-7] that turn out too large keep their number, empty, and become local-only', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(2000));
    room.store.setValue('b', 1);
    room.posts.take().fail(failure('too-large'));
    await nextTurn();
    expect(room.pushes()).toEqual([
      [1, [{}, {}]],
      [2, [{}, { b: 1 }]],
    ]);
    expect(room.refusals).toMatchObject([{ valueId: 'large', reason: 'too-large' }]);
    room.receive({
      type: 'ack',
      number: 1,
      version: 1,
      isCommit: false,
      correction: undefined,
      reason: undefined,
    });
    room.ack(2, 2);
    expect(room.session.sync.unsaved).toBe(0);
    expect(room.store.getValues()).toMatchObject({ b: 1, large: 'x'.repeat(2000) });
  });

  test('do not pile up on the way', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (let n = 1; n <= 600; n++) room.store.setValue('n', n);
    expect(room.pushes()).toHaveLength(512);
    for (let n = 1; n <= 10; n++) room.ack(n, n + 1);
    expect(room.pushes().map(([number]) => number)).toEqual([
      513, 514, 515, 516, 517, 518, 519, 520, 521, 522,
    ]);
  });
});

describe('the first content', () => {
  const seed = [{ t: { r: { c: 1 } } }, { v: 1 }];

  test('[SEED-2] is PUT without edits made since, then loaded', async () => {
    const room = new ScriptedRoom();
    room.store.setContent([{}, { v: 1, w: 1 }]);
    void room.session.follow();
    room.store.setValue('v', 2);
    const saving = room.session.startSaving();
    await room.answerGet(0);
    expect(room.putContents).toEqual([[{}, { v: 1, w: 1 }]]);
    room.store.setValue('w', 2);
    room.puts.take().answer();
    await nextTurn();
    expect(await stateOf(saving)).toBe('waiting');
    await room.answerGet(1, [{}, { v: 1, w: 1 }]);
    await saving;
    room.open();
    room.welcome({ generation: room.hello().generation });
    expect(room.store.getValues()).toEqual({ v: 2, w: 2 });
    expect(room.pushes()).toEqual([
      [1, [{}, { v: 2 }]],
      [2, [{}, { w: 2 }]],
    ]);
  });

  test('[SEED-2] is what startAutoLoad was given, if the room has no Store', async () => {
    const room = new ScriptedRoom();
    const following = room.session.follow(contentOf(seed));
    await room.answerGet(0);
    await following;
    expect(room.store.getContent()).toEqual(seed);
    expect(room.putContents).toEqual([]);
    void room.session.startSaving();
    await room.answerGet(0);
    expect(room.putContents).toEqual([seed]);
  });

  test('[SEED-2] that was refused as a whole is followed by an empty one, once', async () => {
    const room = new ScriptedRoom();
    room.store.setContent([{}, { v: 1 }]);
    void room.session.follow();
    const saving = room.session.startSaving();
    await room.answerGet(0);
    room.puts.take().answer();
    await nextTurn();
    await room.answerGet(0);
    expect(room.putContents).toEqual([
      [{}, { v: 1 }],
      [{}, {}],
    ]);
    room.puts.take().answer();
    await nextTurn();
    await room.answerGet(0);
    await saving;
    expect(room.putContents).toHaveLength(2);
    expect(room.puts.waiting).toEqual([]);
  });

  test('[SEED-2] that had no answer may have arrived: it is loaded, and PUT again if not', async () => {
    const room = new ScriptedRoom();
    room.store.setContent([{}, { v: 1 }]);
    void room.session.follow();
    const saving = room.session.startSaving();
    await room.answerGet(0);
    room.puts.take().fail(failure('network'));
    await nextTurn();
    // It cannot be said when there will be an answer.
    expect(await stateOf(saving)).toBe('settled');
    await room.time.pass(0);
    await room.answerGet(0);
    expect(room.putContents).toEqual([
      [{}, { v: 1 }],
      [{}, { v: 1 }],
    ]);
    room.puts.take().fail(failure('network'));
    await room.time.pass(SECOND);
    await room.answerGet(1, [{}, { v: 1 }]);
    expect(room.putContents).toHaveLength(2);
    expect(room.errors).toMatchObject([{ code: 'network' }, { code: 'network' }]);
  });

  test('[SEED-2] that is too large for the room ends the session, and stays in the Store', async () => {
    const room = new ScriptedRoom();
    room.store.setContent([{}, { v: 1 }]);
    const saving = room.session.startSaving();
    await room.answerGet(0);
    room.puts.take().fail(failure('too-large'));
    await saving;
    expect(room.session.sync).toMatchObject({ phase: 'stopped', code: 'too-large' });
    expect(room.stops).toEqual([[4413, 'too-large']]);
    expect(room.store.getValues()).toEqual({ v: 1 });
    await room.time.pass(100 * SECOND);
    expect(room.gets.waiting).toEqual([]);
  });

  test('[SEED-2] of a room that lost its Store is not the content of the dead epoch', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { old: 1 }]);
    room.store.setValue('mine', 1);
    room.close();
    room.open();
    room.sent();
    room.welcome({ generation: 2, changes: undefined, cursor: { epoch: 'f', version: 0 } });
    await room.answerGet(0, undefined, 'f');
    expect(room.putContents).toEqual([[{}, {}]]);
  });

  test('[SEED-3] is not what the Store held, if the room has a Store; a join uploads nothing', async () => {
    const room = new ScriptedRoom();
    room.store.setContent([{}, { v: 1, mine: 1 }]);
    await room.live([{}, { v: 2 }]);
    expect(room.store.getValues()).toEqual({ v: 2 });
    expect(room.putContents).toEqual([]);
    expect(room.sent()).toEqual([]);
    expect(room.session.sync.unsaved).toBe(0);
  });
});

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

  test('saving once makes the Store the first content of a room that has none', async () => {
    const room = new ScriptedRoom();
    room.store.setValue('v', 1);
    const saving = room.session.save();
    await room.answerGet(0);
    expect(room.putContents).toEqual([[{}, { v: 1 }]]);
    room.puts.take().answer();
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
});

async function startAndLoad(room: ScriptedRoom): Promise<void> {
  void room.session.follow();
  await room.answerGet(1, [{}, {}]);
  room.welcome({ generation: room.hello().generation });
}

describe('trouble', () => {
  test('waits longer after each failure to load, at most 30 seconds', async () => {
    const room = new ScriptedRoom();
    const following = room.session.follow();
    await room.failGet(failure('network'));
    await following;
    const delays: number[] = [];
    for (let attempt = 0; attempt < 12; attempt++) {
      const begin = room.time.now;
      while (room.gets.waiting.length === 0) await room.time.pass(10);
      delays.push(room.time.now - begin);
      await room.failGet(failure('unavailable'));
    }
    expect(delays).toEqual([...delays].sort((one, other) => one - other));
    expect(delays.slice(0, 4)).toEqual([10, 150, 300, 600]);
    expect(Math.max(...delays)).toBeLessThanOrEqual(30 * SECOND);
    expect(delays.at(-1)).toBeGreaterThan(20 * SECOND);
    room.open();
    expect(room.session.sync.phase).toBe('loading');
  });

  test('waits longer each time that the room calls it stale, and not after something went well', async () => {
    const room = new ScriptedRoom();
    await room.live();
    const delays: number[] = [];
    for (let round = 0; round < 4; round++) {
      room.receive({ type: 'error', code: 'stale', message: 'm' });
      const begin = room.time.now;
      let hello;
      do {
        await room.time.pass(10);
        [hello] = room.sent();
      } while (hello === undefined);
      delays.push(room.time.now - begin);
      if (hello.type === 'hello') room.welcome({ generation: hello.generation });
    }
    expect(delays).toEqual([10, 150, 300, 600]);
    room.commit(2, [{}, { v: 1 }]);
    room.receive({ type: 'error', code: 'stale', message: 'm' });
    await room.time.pass(0);
    expect(room.sent()).toHaveLength(1);
  });

  test('says hello at once when the socket opens, and not once more for an older plan', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (let round = 0; round < 3; round++) {
      room.receive({ type: 'error', code: 'stale', message: 'm' });
      await room.time.pass(round * SECOND);
      for (const message of room.sent()) {
        if (message?.type === 'hello') room.welcome({ generation: message.generation });
      }
    }
    room.receive({ type: 'error', code: 'stale', message: 'm' });
    room.close();
    room.open();
    room.sent();
    await room.time.pass(20 * SECOND);
    expect(room.sent()).toEqual([]);
  });

  test.each<ErrorCode>(['protocol', 'replaced'])(
    'stops at the error %s, for good',
    async (code) => {
      const room = new ScriptedRoom();
      await room.live();
      room.store.setValue('v', 1);
      const confirmed = room.session.whenConfirmed();
      room.receive({ type: 'error', code, message: 'm' });
      expect(room.session.sync).toEqual({ phase: 'stopped', unsaved: 1, code });
      expect(room.stops).toEqual([[code === 'protocol' ? 4426 : 4410, code]]);
      await expect(confirmed).rejects.toMatchObject({ code });
      await expect(room.session.whenConfirmed()).rejects.toMatchObject({ code });
      room.sent();
      room.close();
      room.open();
      await room.time.pass(100 * SECOND);
      await room.session.follow();
      await room.session.startSaving();
      expect(room.sent()).toEqual([]);
      expect(room.gets.waiting).toEqual([]);
      expect(room.time.waiting).toBe(0);
    },
  );

  test.each<ErrorCode>(['stale', 'unavailable', 'not-found', 'network'])(
    'goes on after the error %s',
    async (code) => {
      const room = new ScriptedRoom();
      await room.live();
      room.receive({ type: 'error', code, message: 'm' });
      await room.time.pass(0);
      expect(room.hello().generation).toBe(2);
    },
  );

  test.each<ErrorCode>(['malformed', 'too-large'])(
    'goes on as it is after the error %s, which may be about a message of the app',
    async (code) => {
      const room = new ScriptedRoom();
      await room.live();
      room.receive({ type: 'error', code, message: 'm' });
      await room.time.pass(0);
      expect(room.sent()).toEqual([]);
      expect(room.session.sync.phase).toBe('live');
      expect(room.errors).toMatchObject([{ code }]);
    },
  );

  test('stops when a load is answered in a way that will not change', async () => {
    const room = new ScriptedRoom();
    const following = room.session.follow();
    await room.failGet(failure('protocol'));
    await following;
    expect(room.session.sync).toMatchObject({ phase: 'stopped', code: 'protocol' });
  });

  test('pings after 25 quiet seconds, and reconnects when nothing is heard for 15 more', async () => {
    const room = new ScriptedRoom();
    await room.live();
    await room.time.pass(24 * SECOND);
    room.commit(2, [{}, { v: 1 }]);
    await room.time.pass(24 * SECOND);
    expect(room.sent()).toEqual([]);
    await room.time.pass(1 * SECOND);
    expect(room.sent()).toEqual([{ type: 'check' }]);
    await room.time.pass(14 * SECOND);
    expect(room.reconnects).toBe(0);
    await room.time.pass(1 * SECOND);
    expect(room.reconnects).toBe(1);
    await room.time.pass(100 * SECOND);
    expect(room.reconnects).toBe(1);
  });

  test('gives a connection on which something is heard after a ping 15 seconds more', async () => {
    const room = new ScriptedRoom();
    await room.live();
    await room.time.pass(35 * SECOND);
    expect(room.sent()).toHaveLength(1);
    room.commit(2, [{}, { v: 1 }]);
    await room.time.pass(14 * SECOND);
    expect(room.reconnects).toBe(0);
    await room.time.pass(1 * SECOND);
    expect(room.reconnects).toBe(1);
    expect(room.sent()).toEqual([]);
  });

  test('reconnects when a hello has no answer', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    await room.answerGet(1, [{}, {}]);
    room.open();
    await room.time.pass(40 * SECOND);
    expect(room.reconnects).toBe(1);
  });

  test('keeps a quiet connection to a room without a Store', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    await room.answerGet(0);
    room.open();
    room.welcome({
      generation: room.hello().generation,
      changes: undefined,
      cursor: { epoch: 'e', version: 0 },
    });
    for (let round = 0; round < 4; round++) {
      await room.time.pass(25 * SECOND);
      expect(room.sent()).toEqual([{ type: round === 0 ? 'check' : 'ping' }]);
      room.receive({ type: 'pong', version: 0, lastPush: 0 });
    }
    expect(room.reconnects).toBe(0);
  });

  test('does not ping while the socket is closed', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.close();
    await room.time.pass(100 * SECOND);
    expect(room.reconnects).toBe(0);
    expect(room.queued).toEqual([]);
  });

  test('forgets what an older load brings', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    void room.session.load();
    expect(room.gets.waiting).toHaveLength(2);
    const [older, newer] = room.gets.waiting.splice(0);
    newer?.answer({ cursor: { epoch: 'e', version: 2 }, content: contentOf([{}, { v: 2 }]) });
    await nextTurn();
    older?.answer({ cursor: { epoch: 'e', version: 1 }, content: contentOf([{}, { v: 1 }]) });
    await nextTurn();
    expect(room.store.getValues()).toEqual({ v: 2 });
    expect(room.session.cursor?.version).toBe(2);
  });
});

describe('whenConfirmed', () => {
  test('settles at once if nothing is unsaved', async () => {
    expect(await stateOf(new ScriptedRoom().session.whenConfirmed())).toBe('settled');
  });

  test('settles with the ack of the last edit made before it, whatever was edited since', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    room.store.setValue('b', 1);
    const confirmed = room.session.whenConfirmed();
    room.store.setValue('c', 1);
    room.ack(1, 2);
    expect(await stateOf(confirmed)).toBe('waiting');
    room.ack(2, 3);
    expect(await stateOf(confirmed)).toBe('settled');
    expect(room.session.sync.unsaved).toBe(1);
  });

  test('waits for held edits to be sent and confirmed', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.session.stopSaving();
    room.store.setValue('a', 1);
    const confirmed = room.session.whenConfirmed();
    expect(await stateOf(confirmed)).toBe('waiting');
    await room.session.startSaving();
    expect(await stateOf(confirmed)).toBe('waiting');
    room.ack(1, 2);
    expect(await stateOf(confirmed)).toBe('settled');
  });

  test('settles with a welcome that says that the room has dealt with them', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    const confirmed = room.session.whenConfirmed();
    room.close();
    room.open();
    room.welcome({ generation: 2, lastPush: 1, cursor: { epoch: 'e', version: 2 } });
    expect(await stateOf(confirmed)).toBe('settled');
  });

  test.each<readonly [string, (room: ScriptedRoom) => void]>([
    ['the session is destroyed', (room) => room.session.destroy()],
    ['the socket leads to another room', (room) => room.session.moveToAnotherRoom()],
  ])('rejects when %s first', async (_what, end) => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    const confirmed = room.session.whenConfirmed();
    end(room);
    await expect(confirmed).rejects.toBeInstanceOf(TinyBasePartyKitError);
    expect(await stateOf(room.session.whenConfirmed())).toBe('settled');
  });
});

describe('another room', () => {
  test('gets nothing of the old one: cursor, client id and pending edits stay behind', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { old: 1 }]);
    room.store.setValue('mine', 1);
    const before = room.session.sync.unsaved;
    room.session.moveToAnotherRoom();
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
    room.session.moveToAnotherRoom();
    await room.answerGet(0, undefined, 'f');
    expect(room.putContents).toEqual([[{}, {}]]);
  });

  test('is given a seed of its own, also if the old one refused all of it', async () => {
    const room = new ScriptedRoom();
    room.store.setValue('v', 1);
    void room.session.startSaving();
    await room.answerGet(0);
    room.puts.take().answer();
    await nextTurn();
    await room.answerGet(0);
    room.puts.take().answer();
    await nextTurn();
    await room.answerGet(0);
    expect(room.putContents).toHaveLength(2);
    room.session.moveToAnotherRoom();
    await room.answerGet(0, undefined, 'f');
    expect(room.putContents.at(-1)).toEqual([{}, { v: 1 }]);
  });

  test('is gone to also by a session that was stopped', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.receive({ type: 'error', code: 'replaced', message: 'm' });
    room.session.moveToAnotherRoom();
    expect(room.session.sync).toMatchObject({ phase: 'loading', code: undefined });
  });

  test('does not get the answer to a load of the old one', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    const old = room.gets.take();
    room.session.moveToAnotherRoom();
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
    expect(room.refusals).toEqual([
      { type: 'value', valueId: 'mine', value: 1, reason: 'destroyed' },
    ]);
    expect(room.session.sync).toMatchObject({ phase: 'idle', unsaved: 0 });
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

  test('is final', async () => {
    const room = new ScriptedRoom();
    room.session.destroy();
    await room.session.follow();
    await room.session.startSaving();
    await room.session.load();
    await room.session.save();
    expect([room.session.isFollowing, room.session.isSaving]).toEqual([false, false]);
    expect(room.gets.count).toBe(0);
    expect(room.session.sync.phase).toBe('idle');
  });
});

test('counts what was applied and sent', async () => {
  const room = new ScriptedRoom({ store: createStore() });
  await room.live();
  expect(room.session.stats).toEqual({ loads: 1, saves: 0 });
  room.commit(2, [{}, { v: 1 }]);
  room.store.setValue('w', 1);
  expect(room.session.stats).toEqual({ loads: 2, saves: 1 });
});
