import { createMiddleware } from 'tinybase';
import { describe, expect, test } from 'vitest';

import type { ErrorCode } from '../../../src/protocol/errors.ts';
import { contentOf, failure, ScriptedRoom, SECOND } from './scripted-room.ts';

const told = (room: ScriptedRoom): readonly unknown[] =>
  room.syncs.map(({ phase, error }) => [phase, error?.code]);

describe('the error that keeps a session from being live', () => {
  test('is in its state until it is live, and told of once', async () => {
    const room = new ScriptedRoom();
    room.open();
    void room.session.follow();
    for (let attempt = 0; attempt < 5; attempt++) {
      await room.failGet(failure('unavailable'));
      await room.time.pass(30 * SECOND);
    }
    expect(room.errors).toMatchObject([{ code: 'unavailable' }]);
    expect(room.session.sync).toMatchObject({ phase: 'loading', code: undefined });
    expect(room.session.sync.error).toBe(room.errors[0]);
    await room.answerGet(1, [{}, {}]);
    room.welcome({ generation: room.hello().generation });
    expect(room.session.sync.error).toBeUndefined();
    expect(told(room)).toEqual([
      ['loading', undefined],
      ['loading', 'unavailable'],
      ['connecting', 'unavailable'],
      ['catching-up', 'unavailable'],
      ['live', undefined],
    ]);
  });

  test('is told of again when it was live meanwhile, or something else went wrong', async () => {
    const room = new ScriptedRoom();
    room.open();
    void room.session.follow();
    const codes: readonly ErrorCode[] = ['network', 'network', 'unavailable', 'network'];
    for (const code of codes) {
      await room.failGet(failure(code));
      await room.time.pass(30 * SECOND);
    }
    await room.answerGet(1, [{}, {}]);
    room.welcome({ generation: room.hello().generation });
    room.welcome({ generation: 1, changes: undefined, cursor: { epoch: 'e', version: 4 } });
    await room.failGet(failure('network'));
    expect(room.errors).toMatchObject([
      { code: 'network' },
      { code: 'unavailable' },
      { code: 'network' },
      { code: 'network' },
    ]);
  });

  test('with which the room ends being live is in its state, and others are not', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.receive({ type: 'error', code: 'malformed', message: 'm' });
    room.receive({ type: 'error', code: 'malformed', message: 'm' });
    expect(room.errors).toHaveLength(2);
    expect(room.session.sync).toMatchObject({ phase: 'live', error: undefined });
    room.receive({ type: 'error', code: 'overloaded', message: 'm' });
    expect(room.session.sync).toMatchObject({
      phase: 'connecting',
      error: { code: 'overloaded' },
    });
  });

  test('with which a single load fails is told of each time: nothing keeps on trying', async () => {
    const room = new ScriptedRoom();
    for (let attempt = 1; attempt <= 2; attempt++) {
      void room.session.load();
      await room.failGet(failure('network'));
      expect(room.errors).toHaveLength(attempt);
      expect(room.session.sync).toMatchObject({ phase: 'idle', error: undefined });
    }
  });
});

describe('the number of local-only leaves', () => {
  test('[LOCAL-1] [LOCAL-2] is told when a leaf becomes local-only, and when it ends', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValuesSchema({ n: { type: 'number' } });
    room.syncs.length = 0;
    room.commit(2, [{}, { n: 'no number', m: 'none of the schema' }]);
    expect(room.session.sync.localOnly).toBe(2);
    expect(room.refusals).toHaveLength(2);
    room.commit(3, [{}, { n: 7 }]);
    expect(room.session.sync.localOnly).toBe(1);
    room.store.delSchema();
    room.session.discardLocal();
    expect(room.session.sync.localOnly).toBe(0);
    expect(room.syncs.map(({ localOnly }) => localOnly)).toEqual([2, 1, 0]);
  });

  test('[ONCE-7] counts what is too large, until it is set again', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('v', 'x'.repeat(20_000));
    expect(room.session.sync).toMatchObject({ unsaved: 0, localOnly: 1 });
    room.session.stopSaving();
    room.store.setValue('other', 1);
    room.store.setValue('v', 'small');
    expect(room.syncs.at(-1)).toMatchObject({ unsaved: 1, localOnly: 0 });
  });

  test.each(['schema', 'listener', 'middleware'])(
    '[SEED-2] what a %s makes of initial content is a part of it',
    async (what) => {
      const room = new ScriptedRoom();
      const { store } = room;
      if (what === 'schema')
        store.setValuesSchema({ n: { type: 'number' }, m: { type: 'number', default: 9 } });
      if (what === 'listener') store.addValueListener('n', () => store.setValue('m', 9), true);
      if (what === 'middleware')
        createMiddleware(store).addWillSetValueCallback((_id, value) =>
          value === 'nine' ? 9 : value,
        );
      const seed = what === 'middleware' ? { n: 1, m: 'nine' } : { n: 1 };
      void room.session.follow(contentOf([{}, seed]));
      void room.session.startSaving();
      await room.failGet(failure('network'));
      expect(room.syncs.at(-1)).toMatchObject({ phase: 'loading', localOnly: 0 });
      await room.time.pass(SECOND);
      await room.answerGet(0);
      expect(room.putContents).toEqual([[{}, { n: 1, m: 9 }]]);
      // What the app gave and the Store does not show is reported.
      expect(room.refusals).toHaveLength(what === 'middleware' ? 1 : 0);
    },
  );

  test('[SEED-2] what the Store refuses of initial content is reported, and not given', async () => {
    const room = new ScriptedRoom();
    room.store.setValuesSchema({ n: { type: 'number' } });
    void room.session.follow(contentOf([{}, { n: 'one' }]));
    void room.session.startSaving();
    await room.answerGet(0);
    expect(room.putContents).toEqual([[{}, {}]]);
    expect(room.refusals).toMatchObject([{ valueId: 'n', value: 'one', reason: 'own-schema' }]);
    expect(room.session.sync.localOnly).toBe(0);
  });

  test('[SEED-2] initial content is not lost if a listener throws while it is shown', async () => {
    const room = new ScriptedRoom();
    room.store.addWillFinishTransactionListener(() => {
      throw new Error('of the app');
    });
    void room.session.follow(contentOf([{}, { n: 1 }]));
    void room.session.startSaving();
    await room.answerGet(0);
    expect(room.putContents).toEqual([[{}, { n: 1 }]]);
  });

  test('is none once the session has ended', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('v', 'x'.repeat(20_000));
    room.session.destroy();
    expect(room.syncs.at(-1)).toMatchObject({ phase: 'stopped', localOnly: 0 });
  });

  test('tells once that edits wait and nothing saves them, and not where something did', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    await room.answerGet(1, [{}, {}]);
    room.store.setValue('v', 1);
    await room.time.pass(9 * SECOND);
    room.store.setValue('v', 2);
    expect(room.errors).toEqual([]);
    await room.time.pass(60 * SECOND);
    room.store.setValue('v', 3);
    await room.time.pass(60 * SECOND);
    const reminders = room.errors.filter((error) => String(error).includes('startAutoSave'));
    expect(reminders).toMatchObject([{ code: 'misuse' }]);
    const other = new ScriptedRoom();
    void other.session.follow();
    await other.answerGet(1, [{}, {}]);
    other.store.setValue('v', 1);
    void other.session.save();
    other.store.setValue('v', 2);
    await other.time.pass(60 * SECOND);
    expect(other.errors.filter((error) => String(error).includes('startAutoSave'))).toEqual([]);
  });

  test('does not tell so while what the app has started goes on: it may save next', async () => {
    const room = new ScriptedRoom();
    const following = room.session.follow();
    room.store.setValue('v', 1);
    await room.time.pass(29 * SECOND);
    const reminders = (): readonly unknown[] =>
      room.errors.filter((error) => String(error).includes('startAutoSave'));
    expect(reminders()).toEqual([]);
    await room.answerGet(1, [{}, {}]);
    await following;
    await room.time.pass(30 * SECOND);
    expect(reminders()).toHaveLength(1);
  });
});
