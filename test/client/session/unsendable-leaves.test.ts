import { setImmediate as nextTurn } from 'node:timers/promises';

import { createStore } from 'tinybase';
import { describe, expect, test } from 'vitest';

import { decodeContent, encodeContent } from '../../../src/protocol/codec.ts';
import { readContent } from '../../../src/protocol/store-access.ts';
import { contentOf, ScriptedRoom } from './scripted-room.ts';

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const parsed = (depth: number): never => JSON.parse(nested(depth)) as never;

/** Counts without recursion: a comparison of whole values may need more stack than there is. */
const levelsOf = (value: unknown): number => {
  let levels = 0;
  for (let inner = value; Array.isArray(inner); inner = inner[0] as unknown) levels += 1;
  return levels;
};
const refusalsOf = (room: ScriptedRoom): readonly unknown[] =>
  room.refusals.map((refusal) =>
    refusal.type === 'value' ? { ...refusal, value: levelsOf(refusal.value) } : refusal,
  );

test('[CHANGES-4] 200 levels are sent', async () => {
  const room = new ScriptedRoom();
  await room.live();
  room.store.setValue('v', parsed(200));
  expect(room.pushes()).toEqual([[1, [{}, { v: `\uFFFD${nested(200)}` }]]]);
  expect(room.refusals).toEqual([]);
});

describe.each([201, 3_907])('[CHANGES-4] an edit of %i levels', (depth) => {
  const deep = `\uFFFD${nested(depth)}`;
  const refusal = { type: 'value', valueId: 'v', reason: 'malformed', value: depth };

  test('is not sent and reported; the rest of its transaction is sent', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { v: 'room’s' }]);
    room.store.transaction(() => {
      room.store.setValue('v', parsed(depth));
      room.store.setValue('w', 1);
    });
    expect(room.pushes()).toEqual([[1, [{}, { w: 1 }]]]);
    expect(refusalsOf(room)).toEqual([refusal]);
    expect(room.session.sync).toMatchObject({ phase: 'live', unsaved: 1, localOnly: 1 });
    room.ack(1, 2);
    expect(levelsOf(room.store.getValue('v'))).toBe(depth);
    room.session.discardLocal();
    expect(room.store.getValues()).toEqual({ v: 'room’s', w: 1 });
    expect(room.errors).toEqual([]);
  });

  test('makes no push if it is all there is, and gives way to the room and to the user', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { v: 'room’s' }]);
    room.store.setValue('v', parsed(depth));
    expect(room.pushes()).toEqual([]);
    expect(room.session.sync).toMatchObject({ unsaved: 0, localOnly: 1 });
    room.store.setValue('v', 'shallow');
    expect(room.pushes()).toEqual([[1, [{}, { v: 'shallow' }]]]);
    expect(room.session.sync).toMatchObject({ unsaved: 1, localOnly: 0 });
  });

  test('made while nothing is saved is not sent when saving starts', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    await room.answerGet(1, [{}, {}]);
    room.open();
    room.welcome({ generation: room.hello().generation });
    room.store.setValue('v', parsed(depth));
    room.store.setValue('w', 1);
    void room.session.startSaving();
    expect(room.pushes()).toEqual([[1, [{}, { w: 1 }]]]);
    expect(refusalsOf(room)).toEqual([refusal]);
  });

  test('that is part of initial content is left out of it and reported', async () => {
    for (const given of ['by the app', 'by the Store']) {
      const room = new ScriptedRoom();
      const seed = [{}, { v: deep, w: 1 }];
      if (given === 'by the Store') room.store.setJson(JSON.stringify(seed));
      void room.session.follow(given === 'by the app' ? contentOf(seed) : undefined);
      void room.session.startSaving();
      await room.answerGet(0);
      expect(room.putContents).toEqual([[{}, { w: 1 }]]);
      room.puts.take().answer(undefined);
      await nextTurn();
      await room.answerGet(1, [{}, { w: 1 }]);
      expect(refusalsOf(room)).toEqual([refusal]);
      expect(room.store.getContent()).toEqual([{}, { w: 1 }]);
    }
  });
});

describe.each([201, 3_907, 20_000, 200_000])(
  '[CHANGES-4] %i levels that the room holds',
  (depth) => {
    const deep = `\uFFFD${nested(depth)}`;

    test.each([
      ['content', false],
      ['a commit', true],
    ])('are kept out and reported where they come in %s', async (_where, isCommit) => {
      const room = new ScriptedRoom();
      await room.live([{}, isCommit ? { v: 'old', w: 0 } : { v: deep, w: 1 }]);
      if (isCommit) {
        room.commit(2, [{}, { v: deep, w: 1 }]);
        expect(room.store.getValues()).toEqual({ v: 'old', w: 1 });
      } else expect(room.store.getValues()).toEqual({ w: 1 });
      expect(room.refusals).toMatchObject([{ type: 'value', valueId: 'v', reason: 'malformed' }]);
      expect(room.session.sync).toMatchObject({ phase: 'live', unsaved: 0, localOnly: 1 });
      expect(room.stops).toEqual([]);
      // Both go on as ever.
      room.store.setValue('x', 1);
      expect(room.pushes()).toEqual([[1, [{}, { x: 1 }]]]);
      room.commit(isCommit ? 3 : 2, [{}, { v: 'new' }]);
      expect(room.store.getValue('v')).toBe('new');
      expect(room.session.sync).toMatchObject({ phase: 'live', unsaved: 1, localOnly: 0 });
      expect(room.errors).toEqual([]);
    });

    test('can be part of what a client keeps', () => {
      const content = decodeContent(`[{},{"v":"${deep}"}]`);
      expect(content && encodeContent(content)).toBe(`[{},{"v":"${deep}"}]`);
      const room = new ScriptedRoom();
      room.store.setJson(JSON.stringify([{}, { v: deep }]));
      expect(readContent(room.store).count()).toBe(1);
    });
  },
);

test('[LOCAL-3] that its own schema sets by default keeps no client from being live', async () => {
  const unreadable = { toJSON: () => undefined };
  const store = createStore().setTablesSchema({
    t: { c: { type: 'object', default: unreadable }, d: { type: 'number' } },
  });
  store.setCell('t', 'r', 'd', 1);
  const room = new ScriptedRoom({ store });
  await room.live([{ t: { r: { d: 2 } } }, {}]);
  expect(room.session.sync).toMatchObject({ phase: 'live', localOnly: 1 });
  expect(room.refusals).toMatchObject([{ cellId: 'c', reason: 'own-middleware' }]);
  expect(room.store.getCell('t', 'r', 'd')).toBe(2);
  expect(room.errors).toEqual([]);
});
