import { createStore } from 'tinybase';
import { describe, expect, test } from 'vitest';

import { encodeClientMessage } from '../../../src/protocol/codec.ts';
import {
  changesOf,
  failure,
  jsonOf,
  PREFIX,
  ScriptedRoom,
  SECOND,
  stateOf,
} from '../session/scripted-room.ts';

/** The room answers GET as a stock one does, and hello with nothing. */
const answerAsStock = async (room: ScriptedRoom, content?: unknown): Promise<void> => {
  await room.answerGet(undefined, content);
  expect(room.session.sync.phase).toBe('catching-up');
  expect(room.hello().cursor).toBeUndefined();
  await room.time.pass(3 * SECOND);
};

/** A session that is live, as far as it goes, on a stock room with this content. */
const reduced = async (
  content: unknown = [{}, {}],
  options: ConstructorParameters<typeof ScriptedRoom>[0] = {},
): Promise<ScriptedRoom> => {
  const room = new ScriptedRoom(options);
  room.open();
  void room.session.follow();
  void room.session.startSaving();
  await answerAsStock(room, content);
  // It might have been a room of ours without a Store.
  if (JSON.stringify(content) === '[{},{}]') await answerAsStock(room, content);
  expect(room.session.sync.phase).toBe('reduced');
  return room;
};

/** The broadcast of the room, in stock form. */
const broadcast = (room: ScriptedRoom, changes: unknown): void =>
  room.session.received(
    encodeClientMessage(PREFIX, { type: 'stock', changes: changesOf(changes) }),
  );

/** Changes sent since the last call; there was nothing else. */
const changesSent = (room: ScriptedRoom): readonly unknown[] =>
  room.sent().map((message) => {
    if (message?.type !== 'stock') throw new Error(`not stock: ${JSON.stringify(message)}`);
    return jsonOf(message);
  });

describe('a room whose answer to GET has no cursor', () => {
  test('[STOCK-4] is a stock one: its content and changes are shown, and edits are sent as such', async () => {
    const room = await reduced([{ t: { r: { c: 1 } } }, { v: 1 }]);
    expect(room.store.getContent()).toEqual([{ t: { r: { c: 1 } } }, { v: 1 }]);
    expect(room.sent()).toEqual([]);
    broadcast(room, [{ t: { r: { c: 2 } } }, {}]);
    broadcast(room, [{}, { v: '\uFFFC' }]);
    expect(room.store.getContent()).toEqual([{ t: { r: { c: 2 } } }, {}]);
    room.store.transaction(() => room.store.setValue('v', { a: 1 }).setCell('t', 'r', 'd', null));
    room.store.delRow('t', 'r');
    expect(changesSent(room)).toEqual([
      [{ t: { r: { d: null } } }, { v: '\uFFFD{"a":1}' }],
      [{}, {}, { t: 0 }],
    ]);
    expect(room.session.sync).toEqual({ phase: 'reduced', unsaved: 0, localOnly: 0 });
    expect(room.session.stats).toEqual({ loads: 3, saves: 3 });
  });

  test('[STOCK-5] says that a table was deleted when its last row is', async () => {
    const row = { c: 1 };
    const room = await reduced([{ t: { a: row, b: row }, u: { a: row }, w: { a: row } }, {}]);
    room.sent();
    room.store.delRow('t', 'a');
    room.store.delTable('t');
    room.store.transaction(() => room.store.delCell('u', 'a', 'c').setCell('t', 'd', 'c', 2));
    room.store.transaction(() => room.store.delTable('w').setCell('w', 'a', 'c', 2));
    room.session.stopSaving();
    room.store.delTable('t').setCell('w', 'b', 'c', 1).delRow('w', 'b');
    void room.session.startSaving();
    expect(changesSent(room)).toEqual([
      [{}, {}, { t: ['a'] }],
      [{}, {}, { t: 0 }],
      [{ t: { d: { c: 2 } } }, {}, { u: 0 }],
      [{ w: { a: { c: 2 } } }, {}],
      [{}, {}, { t: 0, w: ['b'] }],
    ]);
  });

  test('[STOCK-4] tells once that guarantees are reduced', async () => {
    const room = await reduced();
    room.close();
    room.open();
    await answerAsStock(room, [{}, {}]);
    expect(room.errors).toMatchObject([{ code: 'protocol' }]);
    expect(String(room.errors[0])).toContain("TinyBase's own server");
  });

  test('edits made before, while loading and while away are sent when it is there', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    void room.session.startSaving();
    room.store.setValue('a', 1);
    await room.answerGet(undefined, [{}, { room: 1 }]);
    room.store.setValue('b', 1);
    expect(room.session.sync).toMatchObject({ phase: 'connecting', unsaved: 2 });
    const confirmed = room.session.whenConfirmed();
    expect(await stateOf(confirmed)).toBe('waiting');
    room.open();
    room.store.setValue('c', 1);
    await answerAsStock(room, [{}, { room: 2 }]);
    expect(changesSent(room)).toEqual([
      [{}, { a: 1 }],
      [{}, { b: 1 }],
      [{}, { c: 1 }],
    ]);
    expect(await stateOf(confirmed)).toBe('settled');
    expect(room.store.getValues()).toEqual({ room: 2, a: 1, b: 1, c: 1 });
    expect(room.queued).toEqual([]);
  });

  test('what arrives while the content is loaded is shown on top of it', async () => {
    const room = new ScriptedRoom();
    room.open();
    void room.session.follow();
    broadcast(room, [{ t: { r: { c: 2 } } }, {}]);
    broadcast(room, [{}, { w: '\uFFFC' }]);
    expect(room.store.getContent()).toEqual([{}, {}]);
    await answerAsStock(room, [{ t: { r: { c: 1 } } }, { v: 1, w: 1 }]);
    expect(room.store.getContent()).toEqual([{ t: { r: { c: 2 } } }, { v: 1 }]);
  });

  test('content that was asked for before the socket opened is asked for again', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    room.open();
    await room.answerGet(undefined, [{}, { v: 1 }]);
    expect(room.session.sync.phase).toBe('loading');
    await answerAsStock(room, [{}, { v: 2 }]);
    expect(room.store.getValues()).toEqual({ v: 2 });
    expect(room.session.sync.phase).toBe('reduced');
  });

  test('whoever comes back loads what was missed', async () => {
    const room = await reduced([{ t: { r: { c: 1 } } }, {}]);
    room.close();
    expect(room.session.sync.phase).toBe('connecting');
    room.open();
    await answerAsStock(room, [{}, { v: 2 }]);
    expect(room.store.getContent()).toEqual([{}, { v: 2 }]);
    expect(room.session.sync.phase).toBe('reduced');
  });

  test('changes wait for the end of a transaction of the app', async () => {
    const room = await reduced();
    room.store.startTransaction();
    broadcast(room, [{}, { v: 1 }]);
    expect(room.store.getValues()).toEqual({});
    room.store.finishTransaction();
    await room.time.pass(SECOND);
    expect(room.store.getValues()).toEqual({ v: 1 });
  });

  test('a row that is deleted and set in what goes out as one is sent in two parts', async () => {
    const room = new ScriptedRoom();
    room.open();
    void room.session.follow();
    await answerAsStock(room, [{ t: { r: { c: 1, d: 1 } } }, {}]);
    room.store.delRow('t', 'r');
    room.store.setCell('t', 'r', 'c', 2);
    void room.session.startSaving();
    expect(changesSent(room)).toEqual([
      [{}, {}, { t: ['r'] }],
      [{ t: { r: { c: 2 } } }, {}],
    ]);
  });

  test('a transaction larger than a frame may be is reported, and harms nothing', async () => {
    const room = await reduced();
    room.store.setValue('v', 'x'.repeat(1_048_576));
    room.store.setValue('w', 1);
    expect(changesSent(room)).toEqual([[{}, { w: 1 }]]);
    expect(room.refusals).toMatchObject([{ type: 'value', valueId: 'v', reason: 'too-large' }]);
    expect(room.session.sync.unsaved).toBe(0);
  });
});

describe('a stock room without a Store', () => {
  test('gets the seed by PUT, and then what was edited meanwhile', async () => {
    const room = new ScriptedRoom({ store: createStore().setValue('seed', 1) });
    room.open();
    void room.session.follow();
    void room.session.startSaving();
    await room.answerGet(undefined);
    expect(room.putContents).toEqual([[{}, { seed: 1 }]]);
    room.store.setValue('v', 1);
    room.puts.take().answer(undefined);
    await room.time.pass(0);
    await answerAsStock(room, [{}, { seed: 1 }]);
    expect(changesSent(room)).toEqual([[{}, { v: 1 }]]);
    expect(room.session.sync.phase).toBe('reduced');
  });

  test('is loaded when somebody else has given it one', async () => {
    const room = new ScriptedRoom();
    room.open();
    void room.session.follow();
    await answerAsStock(room);
    expect(room.session.sync.phase).toBe('empty');
    broadcast(room, [{}, { v: 2 }]);
    await room.time.pass(SECOND);
    await answerAsStock(room, [{}, { seed: 1, v: 2 }]);
    expect(room.store.getValues()).toEqual({ seed: 1, v: 2 });
    expect(room.session.sync.phase).toBe('reduced');
  });
});

describe('a room that changes its server', () => {
  test('[STOCK-4] is a room of ours as soon as a GET has a cursor', async () => {
    const room = await reduced([{}, { v: 1 }]);
    room.close();
    room.store.setValue('mine', 1);
    room.open();
    await room.answerGet(1, [{}, { v: 1 }]);
    const { generation } = room.hello();
    room.welcome({ generation });
    expect(room.session.sync.phase).toBe('live');
    expect(room.pushes()).toEqual([[1, [{}, { mine: 1 }]]]);
    broadcast(room, [{}, { v: 'stock' }]);
    expect(room.store.getValue('v')).toBe(1);
  });

  test('[STOCK-4] is asked for its content again when nobody answers hello, and that alone makes it a stock one', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.close();
    room.store.setValue('v', 1);
    room.open();
    expect(room.hello()).toMatchObject({ generation: 2 });
    await room.time.pass(60 * SECOND);
    expect([room.reconnects, room.session.sync.phase]).toEqual([1, 'catching-up']);
    expect(String(room.errors.at(-1))).toContain('Does messagePrefix match');
    room.sent();
    room.close();
    room.open();
    expect(room.session.sync.phase).toBe('loading');
    await answerAsStock(room, [{}, { w: 1 }]);
    expect(room.session.sync.phase).toBe('reduced');
    expect(changesSent(room)).toEqual([[{}, { v: 1 }]]);
    expect(room.store.getValues()).toEqual({ v: 1, w: 1 });
  });

  test('is asked for its content again when it speaks as a room of ours', async () => {
    const room = await reduced();
    room.receive({ type: 'error', code: 'malformed', message: 'no such thing' });
    await room.time.pass(SECOND);
    await room.answerGet(1, [{}, {}]);
    expect(room.hello()).toMatchObject({ cursor: { epoch: 'e', version: 1 } });
  });

  test('[STOCK-4] gets no stock changes before it had time to answer hello', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('v', 1);
    room.sent();
    void room.session.follow();
    await room.answerGet(undefined, [{}, { room: 1 }]);
    room.hello();
    await room.time.pass(2 * SECOND);
    expect(room.sent()).toEqual([]);
    await room.time.pass(SECOND);
    expect(changesSent(room)).toEqual([[{}, { v: 1 }]]);
    expect(room.reconnects).toBe(0);
  });

  test('that cannot be loaded is asked again', async () => {
    const room = await reduced();
    room.close();
    room.open();
    await room.failGet(failure('network'));
    await room.time.pass(SECOND);
    await room.answerGet(undefined, [{}, { v: 1 }]);
    expect(room.store.getValues()).toEqual({ v: 1 });
  });
});

describe('a room of ours whose app answers GET', () => {
  test('[STOCK-4] is one of ours when it welcomes, and its content counts from that version', async () => {
    const room = new ScriptedRoom();
    room.open();
    void room.session.follow();
    void room.session.startSaving();
    await room.answerGet(undefined, [{}, { v: 1 }]);
    room.store.setValue('mine', 1);
    const cursor = { epoch: 'e', version: 7 };
    room.welcome({ generation: room.hello().generation, cursor, changes: undefined });
    await room.answerGet(undefined, [{}, { v: 2, gone: 1 }]);
    const { generation, ...hello } = room.hello();
    expect(hello.cursor).toEqual(cursor);
    room.welcome({
      generation,
      cursor: { epoch: 'e', version: 9 },
      changes: changesOf([{}, { v: 3, gone: '\uFFFC' }]),
    });
    expect(room.session.sync.phase).toBe('live');
    expect(room.store.getValues()).toEqual({ v: 3, mine: 1 });
    expect(room.sent()).toMatchObject([{ type: 'push', number: 1 }]);
    expect(room.errors).toMatchObject([{ code: 'network' }]);
    expect(String(room.errors[0])).toContain('return super.onRequest(request)');
  });

  test('[STOCK-4] is not empty because an answer is', async () => {
    const room = new ScriptedRoom({ store: createStore().setValue('mine', 1) });
    room.open();
    void room.session.follow();
    await room.answerGet(undefined);
    const cursor = { epoch: 'e', version: 7 };
    room.welcome({ generation: room.hello().generation, cursor, changes: undefined });
    await room.answerGet(undefined);
    expect(room.session.sync).toMatchObject({ phase: 'loading', error: { code: 'network' } });
    for (let tries = 0; tries < 12; tries++) {
      await room.time.pass(30 * SECOND);
      await room.answerGet(undefined);
    }
    expect(room.errors).toHaveLength(1);
    expect(String(room.errors[0])).toContain('return super.onRequest(request)');
    expect(room.sent()).toEqual([]);
    await room.time.pass(30 * SECOND);
    await room.answerGet(8, [{}, { room: 1 }]);
    room.welcome({ generation: room.hello().generation, cursor: { ...cursor, version: 8 } });
    expect(room.session.sync).toMatchObject({ phase: 'live', error: undefined });
    expect(room.store.getValues()).toEqual({ room: 1 });
  });

  test('[STOCK-4] keeps what is shown of it, if answers are empty later', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { room: 1 }]);
    void room.session.load();
    for (let tries = 0; tries <= 8; tries++) {
      await room.time.pass(30 * SECOND);
      await room.answerGet(undefined);
      if (tries < 8) room.puts.take().answer(undefined);
    }
    expect(room.puts.waiting).toHaveLength(0);
    expect(room.store.getValues()).toEqual({ room: 1 });
  });

  test('[STOCK-4] [HTTP-7] has no Store at version 0, whatever the answer is', async () => {
    const room = new ScriptedRoom({ store: createStore().setValue('seed', 1) });
    room.open();
    void room.session.follow();
    void room.session.startSaving();
    await room.answerGet(undefined, [{}, {}]);
    const cursor = { epoch: 'e', version: 0 };
    room.welcome({ generation: room.hello().generation, cursor, changes: undefined });
    await room.answerGet(undefined, [{}, {}]);
    expect(room.putContents).toEqual([[{}, { seed: 1 }]]);
  });
});
