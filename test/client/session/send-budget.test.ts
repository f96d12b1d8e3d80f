import { describe, expect, test } from 'vitest';

import { weightOf } from '../../../src/protocol/frame.ts';
import { RateLimiter } from '../../../src/server/room/rate-limiter.ts';
import { decodeClientMessage } from '../../../src/protocol/codec.ts';
import { MemoryLocks, MemoryOfflineStorage } from '../../support/offline-doubles.ts';
import { OfflineTab, settle } from '../offline/offline-tab.ts';
import { PREFIX, ScriptedRoom } from './scripted-room.ts';

const RATE = { messagesPerSecond: 40, messageBurst: 20 };
const LIMITS = { framePushBytes: 100_000, pushBytes: 1_000_000, rate: RATE };

const live = async (rate = RATE): Promise<ScriptedRoom> => {
  const room = new ScriptedRoom();
  void room.session.follow();
  void room.session.startSaving();
  await room.answerGet(1, [{}, {}]);
  room.open();
  room.welcome({ generation: room.hello().generation, limits: { ...LIMITS, rate } });
  return room;
};

describe('a client that knows what its room takes', () => {
  test.each([
    ['small pushes', 1, RATE],
    ['pushes that count as three', 40_000, RATE],
    ['pushes to a room that takes one message at once', 1, { ...RATE, messageBurst: 1 }],
  ])('[FLOOD-6] sends %s no faster, all of them, in order', async (_what, length, rate) => {
    const room = await live(rate);
    const limiter = new RateLimiter();
    const numbers: number[] = [];
    // The hello.
    limiter.take(100, 0, rate);
    for (let index = 0; index < 100; index += 1)
      room.store.setValue(`v${index}`, 'x'.repeat(length));
    for (let time = 0; time <= 30_000; time += 250) {
      for (const frame of room.frames()) {
        const messages = frame.map((text) => decodeClientMessage(PREFIX, text));
        const pushes = messages.filter((message) => message?.type === 'push');
        if (pushes.length === 0) continue;
        expect(limiter.take(length * pushes.length, time, rate, pushes.length)).toBe(true);
        for (const { number } of pushes) {
          numbers.push(number);
          room.ack(number, number + 1);
        }
      }
      await room.time.pass(250);
    }
    expect(numbers).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  });

  test('[FLOOD-6] counts many ids and short texts as the room does', async () => {
    const room = await live();
    const texts = ['one', 'two', 'three'];
    for (const text of texts) {
      const values = Array.from({ length: 2_000 }, (_, index) => [`${text}${index}`, 1] as const);
      room.store.setPartialValues(Object.fromEntries(values));
    }
    const limiter = new RateLimiter();
    limiter.take(100, 0, RATE);
    let count = 0;
    for (let time = 0; time <= 20_000; time += 250) {
      for (const frame of room.frames()) {
        const pushes = frame.filter((text) => decodeClientMessage(PREFIX, text)?.type === 'push');
        if (pushes.length === 0) continue;
        const weight = pushes.reduce((sum, text) => sum + weightOf(text), 0);
        expect(limiter.take(weight, time, RATE, pushes.length)).toBe(true);
        for (const end = count + pushes.length; count < end;) room.ack((count += 1), count + 1);
      }
      await room.time.pass(250);
    }
    expect(count).toBe(texts.length);
  });

  test('[FLOOD-6] sends what is within the budget at once', async () => {
    const room = await live();
    for (let index = 0; index < 15; index += 1) room.store.setValue(`v${index}`, 1);
    expect(room.pushes()).toHaveLength(15);
  });

  test('[FLOOD-6] counts on after a hello on the same socket, as the room does, and not on another one', async () => {
    const room = await live();
    const sendAgain = (): void => {
      const { generation } = room.hello();
      room.welcome({ generation, limits: LIMITS });
    };
    for (let index = 0; index < 30; index += 1) room.store.setValue(`v${index}`, 1);
    // The hello counts as one.
    expect(room.pushes()).toHaveLength(17);
    room.receive({ type: 'error', code: 'stale', message: 'The place is lost.' });
    await room.time.pass(0);
    sendAgain();
    expect(room.pushes()).toEqual([]);
    room.close();
    room.open();
    sendAgain();
    expect(room.pushes()).toHaveLength(30);
  });

  test('[FLOOD-6] counts all hellos: those for clients that have ended, and one that was told to load', async () => {
    const rate = { ...RATE, messageBurst: 10 };
    const limits = { ...LIMITS, rate };
    const on = { storage: new MemoryOfflineStorage(), locks: new MemoryLocks() };
    const tab = new OfflineTab(on);
    await tab.start();
    await tab.answerGet(1, [{}, {}]);
    await tab.join({ limits });
    const others = Array.from({ length: 3 }, () => new OfflineTab(on));
    for (const [index, other] of others.entries()) {
      await other.start();
      other.store.setValue(`v${index}`, 1);
    }
    await settle();
    for (const other of others) other.die();
    await tab.time.pass(10_000);
    for (let index = 0; index < 30; index += 1) tab.store.setValue(`w${index}`, 'x'.repeat(16_000));
    const limiter = new RateLimiter();
    let pushes = 0;
    for (let isTold = false; pushes === 0;) {
      await settle();
      if (tab.gets.waiting.length > 0) await tab.answerGet(1, [{}, {}]);
      for (const frame of tab.frames()) {
        const weight = frame.reduce((sum, text) => sum + weightOf(text), 0);
        expect(limiter.take(weight, 0, rate, frame.length)).toBe(true);
        for (const text of frame) {
          const message = decodeClientMessage(PREFIX, text);
          if (message?.type === 'push') pushes += 1;
          if (message?.type !== 'hello') continue;
          const { generation, cursor } = message;
          const isLoading = cursor === undefined || !isTold;
          isTold ||= cursor !== undefined;
          tab.welcome({ generation, limits, ...(isLoading && { changes: undefined }) });
        }
      }
    }
    expect(pushes).toBeLessThan(30);
  });

  test('[FLOOD-6] counts a hello only as long as the room does, also if no push follows', async () => {
    const room = await live();
    for (let time = 0; time < 20; time += 1) {
      room.receive({ type: 'error', code: 'stale', message: 'The place is lost.' });
      let said: ReturnType<ScriptedRoom['sent']> = [];
      while (said.length === 0) {
        await room.time.pass(1000);
        said = room.sent();
      }
      const [hello] = said;
      if (hello?.type === 'hello') room.welcome({ generation: hello.generation, limits: LIMITS });
    }
    expect(room.session.sync.phase).toBe('live');
    for (let index = 0; index < 10; index += 1) room.store.setValue(`v${index}`, 1);
    expect(room.pushes()).toHaveLength(10);
  });

  test('has no timer for who sends little, and none when the socket has closed', async () => {
    const room = await live();
    const timers = room.time.waiting;
    room.store.setValue('a', 1);
    expect(room.time.waiting).toBe(timers);
    for (let index = 0; index < 50; index += 1) room.store.setValue(`v${index}`, 1);
    expect(room.time.waiting).toBe(timers + 1);
    room.session.destroy();
    // Only the edits wait for another session.
    await room.time.pass(2000);
    expect(room.time.waiting).toBe(0);
  });
});

test('a room without such a limit does not tell one', async () => {
  const room = new ScriptedRoom();
  await room.live();
  for (let index = 0; index < 500; index += 1) room.store.setValue(`v${index}`, 1);
  expect(room.pushes()).toHaveLength(500);
});

test('[FLOOD-7] a client sends a mark back at once, also while the app has a transaction open', async () => {
  const room = new ScriptedRoom();
  await room.live();
  room.sent();
  room.store.transaction(() => {
    room.receive({ type: 'mark', text: 'read so far' });
    expect(room.sent()).toEqual([{ type: 'mark', text: 'read so far' }]);
  });
});
