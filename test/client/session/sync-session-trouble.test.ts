import { setImmediate as nextTurn } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import type { ErrorCode } from '../../../src/protocol/errors.ts';
import { changesOf, contentOf, failure, ScriptedRoom, SECOND } from './scripted-room.ts';

describe('trouble', () => {
  test('[GATE-7] asks for another connection each time that a token has expired, unless two in a row are refused', async () => {
    const room = new ScriptedRoom();
    const expired = { type: 'error', code: 'expired', message: 'm' } as const;
    await room.live();
    for (const generation of [2, 3, 4]) {
      room.receive(expired);
      room.close();
      room.open();
      room.hello();
      room.welcome({ generation });
    }
    expect([room.reconnects, room.session.sync.phase]).toEqual([3, 'live']);
    room.receive(expired);
    room.close();
    room.open();
    room.receive(expired);
    expect(room.session.sync).toMatchObject({ phase: 'stopped', code: 'unauthorized' });
  });

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

  test('waits longer each time that the room calls it stale, and not after it went well for a while', async () => {
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
    await room.time.pass(5 * SECOND);
    room.commit(2, [{}, { v: 1 }]);
    room.receive({ type: 'error', code: 'stale', message: 'm' });
    await room.time.pass(0);
    expect(room.sent()).toHaveLength(1);
  });

  test('[OFFLINE-6] waits longer each time that the room tells a number that was never sent', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.close();
    room.store.setValue('mine', 1);
    room.open();
    const delays: number[] = [];
    const ids = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const begin = room.time.now;
      let hello = room.sent().find((message) => message?.type === 'hello');
      while (hello === undefined) {
        await room.time.pass(10);
        hello = room.sent().find((message) => message?.type === 'hello');
      }
      delays.push(room.time.now - begin);
      if (hello.type !== 'hello') throw new Error('no hello');
      ids.add(hello.clientId);
      room.welcome({ generation: hello.generation, lastPush: hello.nextPush + 7 });
    }
    expect(delays).toEqual([0, 10, 150, 300, 600]);
    expect(ids.size).toBe(5);
    expect(room.session.sync.unsaved).toBe(1);
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

  test.each([false, true])(
    '[JOIN-5] goes on if the room has replaced a client that used the socket before: after its own hello (%s)',
    async (isAfterHello) => {
      const room = new ScriptedRoom();
      void room.session.follow();
      void room.session.startSaving();
      if (isAfterHello) await room.answerGet(1, [{}, { v: 0 }]);
      room.open();
      expect(room.sent()).toHaveLength(isAfterHello ? 1 : 0);
      room.receive({ type: 'error', code: 'replaced', message: 'm' });
      room.close();
      if (!isAfterHello) await room.answerGet(1, [{}, { v: 0 }]);
      room.open();
      room.welcome({ generation: room.hello().generation });
      expect([room.session.sync.phase, room.errors, room.stops]).toEqual(['live', [], []]);
    },
  );

  test.each<ErrorCode>(['protocol', 'replaced'])(
    'stops at the error %s, for good',
    async (code) => {
      const room = new ScriptedRoom();
      await room.live();
      room.store.setValue('v', 1);
      const confirmed = room.session.whenConfirmed();
      room.receive({ type: 'error', code, message: 'm' });
      expect(room.session.sync).toMatchObject({ phase: 'stopped', unsaved: 1, code });
      expect(room.session.sync.error).toBe(room.errors[0]);
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

  test('[JOIN-8] tells once that the room began anew, when its content has replaced what was shown', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { old: 1 }]);
    room.store.setValue('mine', 1);
    room.sent();
    for (const [index, epoch] of ['f', 'f', 'g'].entries()) {
      room.close();
      room.open();
      room.welcome({ generation: room.hello().generation, changes: undefined });
      await room.answerGet(1, [{}, { [epoch]: index }], epoch);
      expect(room.errors).toHaveLength(Math.min(index, 1));
      room.welcome({ generation: room.hello().generation, cursor: { epoch, version: 1 } });
      room.sent();
      expect(room.store.getValues()).toEqual({ [epoch]: index, mine: 1 });
      expect(room.errors).toHaveLength(index < 2 ? 1 : 2);
      expect(room.errors.at(-1)).toMatchObject({ code: 'stale' });
      expect(String(room.errors.at(-1))).toContain('began anew');
      expect(room.session.sync).toMatchObject({ phase: 'live', error: undefined });
      await room.time.pass(5 * SECOND);
      room.sent();
    }
  });

  test('[JOIN-9] says hello with the tag that it was told last, and tells once that the storage was set back', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { old: 1 }]);
    room.receive({ type: 'commit', version: 2, changes: changesOf([{}, { b: 1 }]), tag: 'second' });
    room.receive({ type: 'commit', version: 3, changes: changesOf([{}, { b: 2 }]) });
    room.close();
    room.open();
    const { cursor, generation } = room.hello();
    expect(cursor).toEqual({ epoch: 'e', version: 3, tag: 'second' });
    room.welcome({ generation, changes: undefined, isSetBack: true });
    await room.answerGet(2, [{}, { old: 1 }], 'e');
    expect(room.errors).toEqual([]);
    room.welcome({ generation: room.hello().generation, cursor: { epoch: 'e', version: 2 } });
    expect(room.store.getValues()).toEqual({ old: 1 });
    expect(room.errors).toMatchObject([{ code: 'stale' }]);
    expect(room.session.sync).toMatchObject({ phase: 'live', error: undefined });
    room.close();
    room.open();
    expect(room.hello().cursor).toEqual({ epoch: 'e', version: 2 });
  });

  test('[JOIN-8] tells nothing of the kind of another room, nor where nothing is shown', async () => {
    const moved = new ScriptedRoom();
    await moved.live([{}, { old: 1 }]);
    moved.moveToAnotherRoom();
    await moved.answerGet(1, [{}, {}], 'f');
    moved.welcome({ generation: moved.hello().generation, cursor: { epoch: 'f', version: 1 } });
    expect(moved.session.sync.phase).toBe('live');
    expect(moved.errors).toEqual([]);
    const sending = new ScriptedRoom();
    void sending.session.startSaving();
    sending.isOpen = true;
    for (const epoch of ['e', 'f']) {
      await sending.answerGet(1, [{}, {}], epoch);
      sending.welcome({ generation: sending.hello().generation, cursor: { epoch, version: 1 } });
      expect(sending.session.sync.phase).toBe('live');
      sending.close();
      sending.open();
      sending.welcome({ generation: sending.hello().generation, changes: undefined });
    }
    expect(sending.errors).toEqual([]);
  });

  test('stops when a load is answered in a way that will not change', async () => {
    const room = new ScriptedRoom();
    const following = room.session.follow();
    await room.failGet(failure('protocol'));
    await following;
    expect(room.session.sync).toMatchObject({ phase: 'stopped', code: 'protocol' });
  });

  test('stays stopped, whatever a load that was under way brings', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.welcome({ generation: 1, changes: undefined, cursor: { epoch: 'e', version: 4 } });
    room.receive({ type: 'error', code: 'replaced', message: 'm' });
    await room.answerGet(4, [{}, { v: 1 }]);
    expect(room.session.sync.phase).toBe('stopped');
    expect(room.sent()).toEqual([]);
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

  test('checks the connection at once when the network changes, and makes another if nothing is heard for 5 seconds', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.session.networkChanged();
    expect(room.sent()).toEqual([{ type: 'check' }]);
    room.receive({ type: 'pong', version: 1, lastPush: 0 });
    await room.time.pass(5 * SECOND);
    expect(room.reconnects).toBe(0);
    room.session.networkChanged();
    room.session.networkChanged();
    await room.time.pass(5 * SECOND);
    expect(room.reconnects).toBe(1);
    room.close();
    room.session.networkChanged();
    await room.time.pass(5 * SECOND);
    expect([room.reconnects, room.queued]).toEqual([1, []]);
  });

  test.each<readonly [string, (room: ScriptedRoom) => void]>([
    ['the socket opens', (room) => room.open()],
    ['the network changes', (room) => room.session.networkChanged()],
  ])('loads at once when %s, and not once more for an older plan', async (_what, happens) => {
    const room = new ScriptedRoom();
    void room.session.follow();
    for (let attempt = 0; attempt < 8; attempt++) {
      await room.failGet(failure('network'));
      await room.time.pass(30 * SECOND);
    }
    await room.failGet(failure('network'));
    const { count } = room.gets;
    happens(room);
    expect(room.gets.count).toBe(count + 1);
    happens(room);
    await room.time.pass(60 * SECOND);
    expect(room.gets.count).toBe(count + 1);
  });

  test('does not load twice for what it is told while it loads', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.welcome({ generation: 1, changes: undefined, cursor: { epoch: 'e', version: 4 } });
    room.receive({ type: 'error', code: 'stale', message: 'm' });
    await room.time.pass(SECOND);
    expect(room.gets.waiting).toHaveLength(1);
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

describe('an app that leaves a transaction of its Store open', () => {
  test('is told once, after 10 seconds in which something waited for it', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.startTransaction();
    await room.time.pass(60 * SECOND);
    expect(room.errors).toEqual([]);
    room.commit(2, [{}, { v: 1 }]);
    await room.time.pass(9 * SECOND);
    expect(room.errors).toEqual([]);
    await room.time.pass(60 * SECOND);
    expect(room.errors).toMatchObject([{ code: 'misuse' }]);
    expect(String(room.errors[0])).toContain('finishTransaction()');
    room.store.finishTransaction();
    await room.time.pass(SECOND);
    expect(room.store.getValues()).toEqual({ v: 1 });
  });

  test('is told again the next time, and not of many short ones', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (let version = 2; version < 22; version++) {
      room.store.startTransaction();
      room.commit(version, [{}, { v: version }]);
      await room.time.pass(SECOND);
      room.store.finishTransaction();
      await room.time.pass(SECOND);
    }
    expect(room.errors).toEqual([]);
    for (let version = 22; version < 24; version++) {
      room.store.startTransaction();
      room.commit(version, [{}, { v: version }]);
      await room.time.pass(11 * SECOND);
      room.store.finishTransaction();
      await room.time.pass(SECOND);
    }
    expect(room.errors).toHaveLength(2);
    expect(room.store.getValues()).toEqual({ v: 23 });
  });

  test('sees what waited for it soon after its end, however fast it edits then', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.startTransaction();
    room.commit(2, [{}, { v: 1 }]);
    room.store.finishTransaction();
    for (let edits = 0; edits < 5; edits++) {
      room.store.setValue('edits', edits);
      await room.time.pass(4);
    }
    expect(room.store.getValue('v')).toBe(1);
  });

  test('is told where the initial content waits for it', async () => {
    const room = new ScriptedRoom();
    room.open();
    room.store.startTransaction();
    void room.session.follow();
    await room.answerGet(1, [{}, { v: 1 }]);
    await room.time.pass(11 * SECOND);
    expect(room.errors.map(String).join()).toContain('finishTransaction()');
  });
});
