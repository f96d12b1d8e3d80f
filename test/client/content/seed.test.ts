import { setImmediate as nextTurn } from 'node:timers/promises';

import { createStore } from 'tinybase';
import type { SeedCorrection } from '../../../src/protocol/messages.ts';
import { describe, expect, test } from 'vitest';

import {
  changesOf,
  contentOf,
  failure,
  ScriptedRoom,
  SECOND,
  stateOf,
} from '../session/scripted-room.ts';

/** The room's word that it refused these Values of initial content. */
const refusal = (...ids: string[]): SeedCorrection => ({
  correction: changesOf([{}, Object.fromEntries(ids.map((id) => [id, '\uFFFC']))]),
  reason: 'hook',
});

describe('the initial content', () => {
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
    room.puts.take().answer(undefined);
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
    await nextTurn();
    // Its answer tells if the room has a Store by now.
    expect(room.putContents).toEqual([seed]);
    expect(room.gets.count).toBe(1);
    room.puts.take().answer(undefined);
    await nextTurn();
    await room.answerGet(7, [{}, { v: 'of another' }]);
    expect(room.store.getContent()).toEqual([{}, { v: 'of another' }]);
  });

  test('[HTTP-9] counts as loaded with an answer that has its cursor', async () => {
    const room = new ScriptedRoom();
    room.store.setContent([{}, { v: 1 }]);
    const saving = Promise.all([room.session.follow(), room.session.startSaving()]);
    await room.answerGet(0);
    room.store.setValue('w', 2);
    room.puts.take().answer({ cursor: { epoch: 'e', version: 1 } });
    await saving;
    expect(room.gets.count).toBe(1);
    room.open();
    const { cursor, generation } = room.hello();
    expect(cursor).toEqual({ epoch: 'e', version: 1 });
    room.welcome({ generation });
    expect(room.store.getValues()).toEqual({ v: 1, w: 2 });
    expect(room.pushes()).toEqual([[1, [{}, { w: 2 }]]]);
    expect(room.refusals).toEqual([]);
  });

  test('[HTTP-9] that a later request has replaced is not taken for the content', async () => {
    const room = new ScriptedRoom();
    room.store.setContent([{}, { v: 1 }]);
    void room.session.follow();
    void room.session.startSaving();
    await room.answerGet(0);
    void room.session.load();
    room.puts.take().answer({ cursor: { epoch: 'e', version: 1 } });
    await nextTurn();
    await room.answerGet(3, [{}, { v: 3 }]);
    room.open();
    expect(room.hello().cursor).toEqual({ epoch: 'e', version: 3 });
    expect(room.store.getValues()).toEqual({ v: 3 });
  });

  test('[SEED-2] that was refused as a whole stays here, and the next edit is pushed as initial content', async () => {
    const room = new ScriptedRoom();
    room.store.setContent([{}, { v: 1, w: 1 }]);
    void room.session.follow();
    const saving = room.session.startSaving();
    await room.answerGet(0);
    room.store.setValue('w', 2);
    room.puts.take().answer(refusal('v', 'w'));
    await nextTurn();
    await room.answerGet(0);
    await saving;
    expect(room.putContents).toEqual([[{}, { v: 1, w: 1 }]]);
    room.open();
    const hello = room.hello();
    expect(hello.cursor).toEqual({ epoch: 'e', version: 0 });
    room.welcome({ generation: hello.generation, cursor: { epoch: 'e', version: 0 } });
    expect(room.session.sync).toMatchObject({ phase: 'live', unsaved: 1, localOnly: 1 });
    expect(room.store.getValues()).toEqual({ v: 1, w: 2 });
    expect(room.refusals).toMatchObject([
      { valueId: 'v', value: 1, reason: 'hook' },
      { valueId: 'w', value: 1, reason: 'hook' },
    ]);
    expect(room.pushes()).toEqual([[1, [{}, { w: 2 }]]]);

    // The room takes the push: everybody loads, and nobody else has set what is local-only here.
    room.welcome({ generation: hello.generation, changes: undefined, lastPush: 1 });
    await room.answerGet(1, [{}, { w: 2 }]);
    room.welcome({ generation: room.hello().generation, lastPush: 1 });
    expect(room.session.sync).toMatchObject({ phase: 'live', unsaved: 0, localOnly: 1 });
    expect(room.store.getValues()).toEqual({ v: 1, w: 2 });
    room.commit(2, [{}, { v: 3 }]);
    expect(room.store.getValues()).toEqual({ v: 3, w: 2 });
    expect(room.session.sync.localOnly).toBe(0);
    expect(room.refusals).toHaveLength(2);
    expect(room.errors).toEqual([]);
  });

  test('[SEED-2] that was refused is not given again, though the room begins a new epoch each time it starts', async () => {
    const room = new ScriptedRoom();
    void room.session.follow(contentOf([{}, { v: 1 }]));
    void room.session.startSaving();
    await room.answerGet(0);
    room.puts.take().answer(refusal('v'));
    await nextTurn();
    await room.answerGet(0);
    room.open();
    for (const epoch of ['e', 'ex', 'exx']) {
      const { generation } = room.hello();
      room.welcome({ generation, cursor: { epoch, version: 0 } });
      expect(room.session.sync).toMatchObject({ phase: 'live', localOnly: 1 });
      await room.time.pass(5 * SECOND);
      room.close();
      room.open();
      room.welcome({ generation: room.hello().generation, changes: undefined });
      await room.answerGet(0, undefined, `${epoch}x`);
    }
    expect(room.putContents).toHaveLength(1);
    expect(room.refusals).toHaveLength(1);
    expect(room.errors).toEqual([]);
    expect(room.store.getValues()).toEqual({ v: 1 });
    room.session.discardLocal();
    expect(room.store.getValues()).toEqual({});
  });

  test('[SEED-2] that was refused is kept where nothing is followed, and where it was just deleted', async () => {
    const room = new ScriptedRoom();
    room.store.setContent([{ t: { r: { a: 1, b: 1 }, s: { a: 1 } } }, {}]);
    void room.session.startSaving();
    await room.answerGet(0);
    room.store.delRow('t', 's');
    room.puts.take().answer({
      correction: changesOf([{ t: { r: { a: '\uFFFC', b: '\uFFFC' }, s: { a: '\uFFFC' } } }, {}]),
      reason: 'hook',
    });
    await nextTurn();
    await room.answerGet(0);
    room.open();
    room.welcome({ generation: room.hello().generation, cursor: { epoch: 'e', version: 0 } });
    expect(room.store.getTables()).toEqual({ t: { r: { a: 1, b: 1 } } });
    expect(room.session.sync).toMatchObject({ localOnly: 2, unsaved: 1 });
    expect(room.refusals).toHaveLength(3);
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
    room.puts.take().fail(failure('unavailable'));
    await room.time.pass(SECOND);
    await room.answerGet(1, [{}, { v: 1 }]);
    expect(room.putContents).toHaveLength(2);
    expect(room.errors).toMatchObject([{ code: 'network' }, { code: 'unavailable' }]);
  });

  test.each([
    ['too-large', 'too-large'],
    ['malformed', 'malformed'],
  ] as const)(
    '[SEED-8] that the room answers with %s stays here, local-only, and the rest goes on',
    async (code, reason) => {
      const room = new ScriptedRoom();
      room.store.setContent([{}, { v: 1 }]);
      void room.session.follow();
      const saving = room.session.startSaving();
      await room.answerGet(0);
      room.puts.take().fail(failure(code));
      await nextTurn();
      await room.answerGet(0);
      await saving;
      expect(room.errors).toMatchObject([{ code }]);
      expect(room.refusals).toMatchObject([{ valueId: 'v', value: 1, reason }]);
      room.open();
      room.welcome({ generation: room.hello().generation, cursor: { epoch: 'e', version: 0 } });
      room.store.setValue('w', 1);
      expect(room.pushes()).toEqual([[1, [{}, { w: 1 }]]]);
      expect(room.store.getValues()).toEqual({ v: 1, w: 1 });
      expect(room.putContents).toHaveLength(1);
    },
  );

  test.each<readonly [string, (room: ScriptedRoom) => void]>([
    ['by something else', (room) => room.puts.take().fail(failure('network'))],
    ['with 201 or 205, and has no Store', (room) => room.puts.take().answer(undefined)],
  ])(
    '[SEED-8] that is answered %s is given 8 times, then stays here, local-only, and the rest goes on',
    async (_how, answer) => {
      const room = new ScriptedRoom();
      room.open();
      room.store.setContent([{}, { v: 1, w: 1 }]);
      room.store.setValue('early', 1);
      void room.session.follow();
      void room.session.startSaving();
      await room.answerGet(0);
      room.store.setValue('w', 2);
      for (let tries = 1; tries <= 8; tries++) {
        expect(room.putContents).toHaveLength(tries);
        expect(room.refusals).toEqual([]);
        answer(room);
        await nextTurn();
        // GET is answered: after the last try, nothing has to wait.
        if (tries < 8) while (room.gets.count === tries) await room.time.pass(100);
        await room.answerGet(0);
      }
      expect(room.putContents).toHaveLength(8);
      expect(room.refusals).toMatchObject([
        { valueId: 'v', value: 1, reason: 'undelivered' },
        { valueId: 'w', value: 1, reason: 'undelivered' },
        { valueId: 'early', value: 1, reason: 'undelivered' },
      ]);
      const { generation } = room.hello();
      room.welcome({ generation, cursor: { epoch: 'e', version: 0 } });
      expect(room.session.sync).toMatchObject({ phase: 'live', unsaved: 1, localOnly: 2 });
      expect(room.pushes()).toEqual([[1, [{}, { w: 2 }]]]);
      expect(room.store.getValues()).toEqual({ v: 1, w: 2, early: 1 });
      // The push was the initial content, and nothing has failed since.
      room.welcome({ generation, lastPush: 1, changes: undefined });
      await room.answerGet(1, [{}, { w: 2 }]);
    },
  );

  test('[SEED-8] of a user who may only read is not shown once the room has refused it', async () => {
    const room = new ScriptedRoom();
    room.store.setContent([{}, { v: 1, w: 1 }]);
    room.store.setValue('early', 1);
    void room.session.follow();
    void room.session.startSaving();
    await room.answerGet(0);
    room.store.setValue('w', 2);
    room.puts.take().fail(failure('forbidden'));
    await nextTurn();
    expect(room.store.getValues()).toEqual({ v: 1, w: 2, early: 1 });
    await room.answerGet(0);
    expect(room.store.getValues()).toEqual({ w: 2 });
    expect(room.refusals).toMatchObject([
      { valueId: 'v', value: 1, reason: 'access' },
      { valueId: 'w', value: 1, reason: 'access' },
      { valueId: 'early', value: 1, reason: 'access' },
    ]);
    room.open();
    room.welcome({ generation: room.hello().generation, cursor: { epoch: 'e', version: 0 } });
    expect(room.session.sync).toMatchObject({ phase: 'live', unsaved: 1, localOnly: 0 });
    room.receive({
      type: 'ack',
      number: 1,
      version: 0,
      isCommit: false,
      correction: changesOf([{}, { w: '\uFFFC' }]),
      reason: 'access',
    });
    expect(room.store.getValues()).toEqual({});
    expect(room.refusals).toHaveLength(4);
    expect(room.session.sync).toMatchObject({ phase: 'live', unsaved: 0, localOnly: 0 });
  });

  test('[SEED-8] that is given where GET has an old answer is looked for past caches, and told', async () => {
    const room = new ScriptedRoom();
    room.store.setContent([{}, { v: 1 }]);
    void room.session.follow();
    void room.session.startSaving();
    for (let tries = 0; tries < 3; tries++) {
      await room.answerGet(0);
      expect(room.errors).toHaveLength(tries < 2 ? 0 : 1);
      room.puts.take().answer(undefined);
      await room.time.pass(SECOND);
    }
    expect(String(room.errors[0])).toContain('in the place of the room');
    const [first, second, third, fourth] = room.uniques;
    expect([first, second]).toEqual([undefined, undefined]);
    expect(third).toBeTypeOf('string');
    expect(fourth).not.toBe(third);
    await room.answerGet(1, [{}, { v: 1 }]);
    expect(room.refusals).toEqual([]);
  });

  test('[SEED-8] that the room cannot take now is given until it can', async () => {
    const room = new ScriptedRoom();
    room.store.setContent([{}, { v: 1 }]);
    void room.session.startSaving();
    for (let tries = 1; tries <= 20; tries++) {
      await room.answerGet(0);
      expect(room.putContents).toHaveLength(tries);
      room.puts.take().fail(failure('unavailable'));
      await room.time.pass(30 * SECOND);
    }
    expect(room.refusals).toEqual([]);
  });

  test('[SEED-8] that got lost is given again once a room has had a Store and lost it', async () => {
    const room = new ScriptedRoom();
    void room.session.follow(contentOf([{}, { initial: 1 }]));
    void room.session.startSaving();
    await room.answerGet(0);
    room.puts.take().answer(refusal('initial'));
    await nextTurn();
    await room.answerGet(1, [{}, { theirs: 1 }]);
    void room.session.follow();
    await room.answerGet(0, undefined, 'f');
    expect(room.putContents).toHaveLength(2);
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

  test('[SEED-2] is not shown in place of what a room held before it lost its Store', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { old: 1 }]);
    void room.session.follow(contentOf([{}, { initial: 1 }]));
    await room.answerGet(0, undefined, 'f');
    expect(room.store.hasValue('initial')).toBe(false);
    expect(room.putContents).toEqual([[{}, { initial: 1 }]]);
  });

  test('[SEED-2] is kept for the time when a refused client is let in', async () => {
    const room = new ScriptedRoom();
    void room.session.follow(contentOf([{}, { initial: 1 }]));
    void room.session.startSaving();
    room.open();
    // The socket is refused before the request for the content is answered.
    room.receive({ type: 'error', code: 'unauthorized', message: 'There is no token.' });
    room.store.setValue('mine', 1);
    void room.session.follow();
    room.gets.take();
    await room.answerGet(0);
    expect(room.store.getValues()).toEqual({ initial: 1, mine: 1 });
    expect(room.putContents).toEqual([[{}, { initial: 1 }]]);
  });

  test('[SEED-2] of a room that lost its Store is what startAutoLoad was given, as often as that happens', async () => {
    const room = new ScriptedRoom();
    let calls = 0;
    void room.session.follow(() => contentOf([{}, { initial: ++calls }]));
    void room.session.startSaving();
    await room.answerGet(1, [{}, { old: 1 }]);
    room.open();
    room.welcome({ generation: room.hello().generation });
    expect(calls).toBe(0);
    for (const [index, epoch] of ['f', 'g'].entries()) {
      room.store.setValue('mine', index);
      room.sent();
      room.close();
      room.open();
      room.welcome({ generation: room.hello().generation, changes: undefined });
      await room.answerGet(0, undefined, epoch);
      expect(room.putContents[index]).toEqual([{}, { initial: index + 1 }]);
      room.puts.take().answer(undefined);
      await nextTurn();
      await room.answerGet(1, [{}, { initial: index + 1 }], epoch);
      room.welcome({
        generation: room.hello().generation,
        cursor: { epoch, version: 1 },
        lastPush: 0,
      });
      // The edit was never confirmed.
      expect(room.store.getValues()).toEqual({ initial: index + 1, mine: index });
      room.sent();
    }
  });

  test('[SEED-2] of another room without a Store is what startAutoLoad was given, and nothing of what is shown', async () => {
    const room = new ScriptedRoom();
    void room.session.follow(contentOf([{}, { initial: 1 }]));
    void room.session.startSaving();
    await room.answerGet(1, [{}, { old: 1 }]);
    room.moveToAnotherRoom();
    await room.answerGet(0, undefined, 'f');
    expect(room.putContents).toEqual([[{}, { initial: 1 }]]);
  });

  test('[SEED-2] of a room that lost its Store, if all of it is refused, is not shown, nor what the room had', async () => {
    const room = new ScriptedRoom();
    void room.session.follow(contentOf([{}, { initial: 1 }]));
    void room.session.startSaving();
    await room.answerGet(1, [{}, { old: 1 }]);
    room.moveToAnotherRoom();
    await room.answerGet(0, undefined, 'f');
    room.puts.take().answer(refusal('initial'));
    await nextTurn();
    await room.answerGet(0, undefined, 'f');
    expect(room.putContents).toEqual([[{}, { initial: 1 }]]);
    expect(room.refusals).toMatchObject([{ valueId: 'initial', reason: 'hook' }]);
    expect(room.store.getValues()).toEqual({});
    expect(room.hello().cursor).toEqual({ epoch: 'f', version: 0 });
  });

  test('[SEED-4] that was refused in part is reported, once, when the Store shows what came of it', async () => {
    const room = new ScriptedRoom();
    void room.session.follow(contentOf([{ t: { r: { a: 1, b: 1 } } }, { v: 1 }]));
    void room.session.startSaving();
    await room.answerGet(0);
    room.store.setCell('t', 'r', 'b', 2);
    const shown: unknown[] = [];
    room.onRefused = () => shown.push(room.store.getContent());
    room.puts
      .take()
      .answer({ correction: changesOf([{ t: { r: { b: '\uFFFC' } } }, { v: 0 }]), reason: 'hook' });
    await nextTurn();
    expect(room.refusals).toEqual([]);
    // The answer to this one is lost: what was refused is told after the next.
    await room.failGet(failure('network'));
    await room.time.pass(0);
    expect(room.refusals).toEqual([]);
    await room.answerGet(1, [{ t: { r: { a: 1 } } }, { v: 0 }]);
    expect(room.refusals).toEqual([
      { type: 'cell', tableId: 't', rowId: 'r', cellId: 'b', cell: 1, reason: 'hook' },
      { type: 'value', valueId: 'v', value: 1, reason: 'hook' },
    ]);
    expect(shown).toEqual([[{ t: { r: { a: 1, b: 2 } } }, { v: 0 }]]);
    void room.session.follow();
    await room.answerGet(1, [{ t: { r: { a: 1 } } }, { v: 0 }]);
    expect(room.refusals).toHaveLength(2);
  });

  test('[SEED-4] that was refused as a whole is reported, too', async () => {
    const room = new ScriptedRoom();
    void room.session.follow(contentOf([{}, { v: 1 }]));
    const saving = room.session.startSaving();
    await room.answerGet(0);
    room.puts.take().answer({ correction: changesOf([{}, { v: '\uFFFC' }]), reason: 'failed' });
    await nextTurn();
    await room.answerGet(0);
    const refused = [{ type: 'value', valueId: 'v', value: 1, reason: 'failed' }];
    expect(room.refusals).toEqual(refused);
    await saving;
    expect(room.store.getValues()).toEqual({ v: 1 });
    void room.session.follow();
    await room.answerGet(0);
    expect(room.refusals).toEqual(refused);
  });

  test('[SEED-4] that was refused is reported at once where something else was asked for meanwhile', async () => {
    const correction = { correction: changesOf([{}, { v: '\uFFFC' }]), reason: 'hook' } as const;
    const room = new ScriptedRoom();
    room.store.setContent([{}, { v: 1 }]);
    void room.session.startSaving();
    await room.answerGet(0);
    void room.session.follow();
    await room.answerGet(0);
    room.puts.take().answer(correction);
    await nextTurn();
    expect(room.refusals).toMatchObject([{ valueId: 'v', value: 1, reason: 'hook' }]);
    room.puts.take().answer(undefined);
    await nextTurn();
    await room.answerGet(1, [{}, {}]);
    expect(room.refusals).toHaveLength(1);
  });

  test('[SEED-4] that was refused is reported before the session ends', async () => {
    const correction = { correction: changesOf([{}, { v: '\uFFFC' }]), reason: 'hook' } as const;
    const room = new ScriptedRoom();
    room.store.setContent([{}, { v: 1 }]);
    void room.session.startSaving();
    await room.answerGet(0);
    room.puts.take().answer(correction);
    await nextTurn();
    expect(room.refusals).toEqual([]);
    room.session.destroy();
    expect(room.refusals).toMatchObject([{ valueId: 'v', value: 1, reason: 'hook' }]);
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

  describe('edits made before anything is started', () => {
    test('[SEED-5] are unsaved until content comes, and reported if it does not have them', async () => {
      const room = new ScriptedRoom();
      room.store.setValues({ same: 1, other: 1 });
      room.store.setRow('t', 'r', { c: 1 });
      expect(room.session.sync.unsaved).toBe(1);
      let isConfirmed = false;
      void room.session.whenConfirmed().then(() => (isConfirmed = true));
      await nextTurn();
      expect(isConfirmed).toBe(false);
      await room.live([{}, { same: 1, other: 2 }]);
      expect(isConfirmed).toBe(true);
      expect(room.session.sync).toMatchObject({ unsaved: 0, localOnly: 0 });
      expect(room.store.getContent()).toEqual([{}, { same: 1, other: 2 }]);
      expect(room.refusals).toEqual([
        { type: 'value', valueId: 'other', value: 1, reason: 'before-start' },
        { type: 'cell', tableId: 't', rowId: 'r', cellId: 'c', cell: 1, reason: 'before-start' },
      ]);
    });

    test('[SEED-5] are confirmed where they become the initial content', async () => {
      const room = new ScriptedRoom();
      room.store.setValue('v', 1);
      void room.session.startSaving();
      await room.answerGet(0);
      expect(room.session.sync.unsaved).toBe(1);
      room.puts.take().answer(undefined);
      await nextTurn();
      await room.answerGet(1, [{}, { v: 1 }]);
      expect(room.session.sync.unsaved).toBe(0);
      expect(room.refusals).toEqual([]);
    });

    test('[SEED-5] are reported if nothing is ever started', () => {
      const room = new ScriptedRoom();
      room.store.setValue('v', 1);
      room.session.destroy();
      expect(room.refusals).toMatchObject([{ valueId: 'v', reason: 'destroyed' }]);
    });
  });

  test('[SEED-5] of saving alone is reported where the room has content: it is shown, and not saved', async () => {
    const room = new ScriptedRoom({ store: createStore().setValues({ same: 1, mine: 1 }) });
    void room.session.startSaving();
    await room.answerGet(1, [{}, { same: 1, theirs: 1 }]);
    expect(room.store.getValues()).toEqual({ same: 1, mine: 1 });
    expect(room.refusals).toEqual([
      { type: 'value', valueId: 'mine', value: 1, reason: 'before-start' },
    ]);
    expect(room.session.sync.unsaved).toBe(0);
  });
});
