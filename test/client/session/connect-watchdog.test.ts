import { describe, expect, test } from 'vitest';

import { TinyBasePartyKitError } from '../../../src/protocol/errors.ts';
import { ScriptedRoom, SECOND } from './scripted-room.ts';

/** A session that waits for its socket. */
async function waiting(): Promise<ScriptedRoom> {
  const room = new ScriptedRoom();
  void room.session.follow();
  await room.answerGet(1, [{}, {}]);
  expect(room.session.sync.phase).toBe('connecting');
  return room;
}

/** A session that has said hello. */
async function greeted(): Promise<ScriptedRoom> {
  const room = await waiting();
  room.open();
  room.sent();
  return room;
}

describe('a socket that does not open', () => {
  test('is reported after 10 seconds, once, with its address and what to look at', async () => {
    const room = await waiting();
    await room.time.pass(10 * SECOND - 1);
    expect(room.errors).toEqual([]);
    await room.time.pass(1);
    expect(room.errors).toMatchObject([{ code: 'network' }]);
    expect(String(room.errors[0])).toMatch(
      /ws:\/\/host\.test\/room .*running.*wss.*0\.0\.0\.0.*2 KB/,
    );
    for (let attempt = 0; attempt < 10; attempt++) room.close();
    await room.time.pass(100 * SECOND);
    expect(room.errors).toHaveLength(1);
    expect(room.time.waiting).toBe(0);
  });

  test('is not reported while it has no query, so that nothing was tried', async () => {
    const room = await waiting();
    const error = new TinyBasePartyKitError('network', 'The function "token" failed.');
    room.session.queried(false, error);
    await room.time.pass(20 * SECOND);
    for (let attempt = 0; attempt < 10; attempt++) room.close();
    await room.time.pass(20 * SECOND);
    expect(room.errors).toEqual([error]);
    expect(room.session.sync.error).toBe(error);
    room.session.queried(false, error);
    expect(room.errors).toEqual([error]);
    room.session.queried(true);
    room.close();
    await room.time.pass(10 * SECOND);
    expect(String(room.errors[1])).toContain('does not open');
  });

  test('is reported when it has failed three times in a row, if that is earlier', async () => {
    const room = await waiting();
    room.close();
    room.close();
    expect(room.errors).toEqual([]);
    room.close();
    expect(room.errors).toMatchObject([{ code: 'network' }]);
    await room.time.pass(100 * SECOND);
    expect(room.errors).toHaveLength(1);
  });

  test('is reported also while the content does not come', async () => {
    const room = new ScriptedRoom();
    void room.session.follow();
    await room.time.pass(10 * SECOND);
    expect(room.session.sync.phase).toBe('loading');
    expect(room.errors).toMatchObject([{ code: 'network' }]);
  });

  test('is reported again in the next outage: a close is no failure, and a connection that lasts ends it', async () => {
    const room = new ScriptedRoom();
    await room.live();
    await room.time.pass(5 * SECOND);
    for (let outage = 1; outage <= 2; outage++) {
      room.close();
      room.close();
      room.close();
      await room.time.pass(9 * SECOND);
      expect(room.errors).toHaveLength(outage - 1);
      room.close();
      expect(room.errors).toHaveLength(outage);
      room.open();
      room.welcome({ generation: room.hello().generation });
      await room.time.pass(9 * SECOND);
    }
    room.close();
    await room.time.pass(9 * SECOND);
    room.open();
    room.welcome({ generation: room.hello().generation });
    await room.time.pass(9 * SECOND);
    expect(room.errors).toHaveLength(2);
  });

  test.each<readonly [string, (room: ScriptedRoom) => void]>([
    ['stopped', (room) => room.session.stopFollowing()],
    ['was destroyed', (room) => room.session.destroy()],
  ])('is of no interest to a session that %s', async (_what, end) => {
    const room = await waiting();
    end(room);
    for (let attempt = 0; attempt < 4; attempt++) room.close();
    await room.time.pass(100 * SECOND);
    expect(room.errors).toEqual([]);
    expect(room.time.waiting).toBe(0);
  });
});

describe('a socket that is closed', () => {
  test('by the server on purpose is reported at once, with the code and reason, until it was live', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (let time = 1; time <= 2; time++) {
      room.close({ code: 4001, reason: 'Log in first.' });
      expect(room.errors).toHaveLength(time);
      expect(room.errors.at(-1)).toMatchObject({ code: 'network' });
      expect(String(room.errors.at(-1))).toMatch(/closed by the server.*4001.*"Log in first\."/);
      expect(String(room.errors.at(-1))).not.toContain('running');
      room.open();
      room.close({ code: 4001, reason: 'Log in first.' });
      expect(room.errors).toHaveLength(time);
      room.open();
      const [hello] = room.sent().slice(-1);
      if (hello?.type === 'hello') room.welcome({ generation: hello.generation });
    }
  });

  test.each([1000, 1001, 1006, 1012, 4503])(
    'with the code %i is not: that is an end like any other, or the room has said why',
    async (code) => {
      const room = new ScriptedRoom();
      await room.live();
      room.close({ code });
      room.open();
      expect(room.errors).toEqual([]);
    },
  );

  test.each([1000, 1005, 1006, 4403])(
    'with the code %i each time that it has opened is reported at the third, once, until it has lasted',
    async (code) => {
      const room = await waiting();
      room.open();
      for (let outage = 1; outage <= 2; outage++) {
        for (let time = 1; time <= 10; time++) {
          room.close({ code });
          room.open();
          // The first close begins the outage, if it was live before.
          expect(room.errors).toHaveLength(time < outage + 2 ? outage - 1 : outage);
        }
        const told = String(room.errors.at(-1));
        expect(told).toContain(`closed by the server or the network, with the code ${code}`);
        expect(told).not.toContain('does not open');
        const [hello] = room.sent().slice(-1);
        if (hello?.type === 'hello') room.welcome({ generation: hello.generation });
        await room.time.pass(5 * SECOND);
      }
      expect(room.session.sync.error).toBeUndefined();
    },
  );

  test('again and again when it is live, perhaps because of what the client sends, is reported once', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (let time = 1; time <= 20; time++) {
      await room.time.pass(SECOND);
      room.store.setValue('v', time);
      room.close();
      expect(room.errors).toHaveLength(time < 3 ? 0 : 1);
      room.open();
      const [hello] = room.sent().slice(-1);
      if (hello?.type === 'hello') room.welcome({ generation: hello.generation });
    }
    expect(String(room.errors[0])).toContain(
      'closed by the server or the network, with the code 1006',
    );
    await room.time.pass(5 * SECOND);
    for (let time = 1; time <= 4; time++) {
      room.close();
      room.open();
    }
    expect(room.errors).toHaveLength(2);
  });

  test('for long, soon after it was live again for a moment, is reported again', async () => {
    const room = new ScriptedRoom();
    await room.live();
    await room.time.pass(5 * SECOND);
    for (let outage = 1; outage <= 2; outage++) {
      room.close();
      await room.time.pass(20 * SECOND);
      expect(room.errors).toHaveLength(outage);
      expect(room.session.sync.error).toMatchObject({ code: 'network' });
      room.open();
      room.welcome({ generation: room.hello().generation });
      await room.time.pass(SECOND);
      room.sent();
    }
  });

  test('again and again when it is live and nothing waits, as when a developer saves the code of a room, is no failure', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (let time = 1; time <= 10; time++) {
      await room.time.pass(SECOND);
      room.store.setValue('v', time);
      room.ack(time, time + 1);
      room.close();
      // The server is not up again yet.
      await room.time.pass(SECOND);
      room.close();
      await room.time.pass(SECOND);
      room.open();
      const [hello] = room.sent().slice(-1);
      const cursor = { epoch: 'e', version: time + 1 };
      if (hello?.type === 'hello')
        room.welcome({ generation: hello.generation, cursor, lastPush: time });
    }
    expect(room.errors).toEqual([]);
    // An end without having been live is one.
    for (let time = 1; time <= 4; time++) room.close();
    expect(room.errors).toHaveLength(1);
  });

  test('again and again as soon as it is live, though nothing waits, is reported: the server, or something between, may close it each time', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (let time = 1; time <= 4; time++) {
      await room.time.pass(SECOND / 2);
      room.close();
      await room.time.pass(SECOND);
      room.open();
      room.welcome({ generation: room.hello().generation });
    }
    expect(room.errors).toHaveLength(1);
    expect(String(room.errors[0])).toContain(
      'closed by the server or the network, with the code 1006',
    );
  });

  test('again and again, after the room has said why, is reported as what the room said', async () => {
    const room = await waiting();
    for (let time = 1; time <= 10; time++) {
      room.open();
      room.receive({ type: 'error', code: 'full', message: 'as many as it takes' });
      room.close({ code: 4420 });
      await room.time.pass(SECOND);
    }
    expect(room.errors).toMatchObject([{ code: 'full' }]);
  });

  test('by the app is reported as that, after 10 seconds', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.close({ isByApp: true, code: 1000 });
    await room.time.pass(10 * SECOND - 1);
    expect(room.errors).toEqual([]);
    await room.time.pass(1);
    expect(String(room.errors[0])).toMatch(/the app called close\(\).*reconnect\(\)/);
    expect(String(room.errors[0])).not.toContain('running');
  });

  test('before it has opened may be one that the server does not let in', async () => {
    const room = await waiting();
    for (let attempt = 0; attempt < 3; attempt++) room.close();
    expect(String(room.errors[0])).toContain('onBeforeConnect');
  });
});

describe('a hello without an answer', () => {
  test('is reported after 10 seconds, with what to look at', async () => {
    const room = await greeted();
    await room.time.pass(10 * SECOND - 1);
    expect(room.errors).toEqual([]);
    await room.time.pass(1);
    expect(room.errors).toMatchObject([{ code: 'network' }]);
    expect(String(room.errors[0])).toMatch(/messagePrefix.*onMessage.*super\.onMessage/);
  });

  test('keeps its connection until that has been silent for 40 seconds: the room may be busy', async () => {
    const room = await greeted();
    await room.time.pass(39 * SECOND);
    expect(room.reconnects).toBe(0);
    room.welcome({ generation: 1 });
    expect(room.session.sync.phase).toBe('live');
    expect(room.errors).toHaveLength(1);
  });

  test.each<readonly [string, (room: ScriptedRoom) => void]>([
    ['was answered', (room) => room.welcome({ generation: 1 })],
    [
      'was answered by a room without a Store',
      (room) =>
        room.welcome({
          generation: 1,
          changes: undefined,
          cursor: { epoch: 'e', version: 0 },
        }),
    ],
    ['is not waited for any more', (room) => room.session.destroy()],
  ])('is not reported if it %s', async (_what, end) => {
    const room = await greeted();
    end(room);
    await room.time.pass(20 * SECOND);
    expect(room.errors).toEqual([]);
  });
});
