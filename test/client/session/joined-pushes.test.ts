import { expect, test } from 'vitest';

import { PREFIX, ScriptedRoom } from './scripted-room.ts';

test('[FRAME-5] transactions of one turn leave in one frame, in order, each as a push of its own', async () => {
  const room = new ScriptedRoom({ isTurnHeld: true });
  await room.live();
  for (let number = 1; number <= 3; number += 1) room.store.setValue('v', number);
  expect(room.frames()).toEqual([]);
  room.endTurn();
  const frames = room.frames();
  expect(frames).toHaveLength(1);
  expect(frames[0]).toHaveLength(3);
  room.store.setValue('v', 4);
  room.endTurn();
  expect(room.pushes().map(([number]) => number)).toEqual([4]);
});

test('[FRAME-5] before another part sends, and before the session ends, they leave at once', async () => {
  const room = new ScriptedRoom({ isTurnHeld: true });
  await room.live();
  room.store.setValue('v', 1);
  room.session.sendNow();
  expect(room.pushes()).toHaveLength(1);
  room.store.setValue('v', 2);
  room.session.destroy();
  expect(room.pushes()).toHaveLength(1);
  room.endTurn();
  expect(room.frames()).toEqual([]);
});

test('[FRAME-5] what waits when the socket closes is sent after the next welcome', async () => {
  const room = new ScriptedRoom({ isTurnHeld: true });
  await room.live();
  room.store.setValue('v', 1);
  room.close();
  room.endTurn();
  expect(room.frames()).toEqual([]);
  room.open();
  room.endTurn();
  room.welcome({ generation: room.hello().generation });
  room.endTurn();
  expect(room.pushes()).toHaveLength(1);
});

test('[FRAME-5] a frame ends before it gets long', async () => {
  const room = new ScriptedRoom({ isTurnHeld: true });
  await room.live();
  for (let number = 1; number <= 210; number += 1)
    room.store.setValue(`v${number + 100}`, 'x'.repeat(900));
  room.endTurn();
  const lengths = room.frames().map(({ length }) => length);
  expect(lengths).toHaveLength(3);
  expect(lengths[0]).toBe(lengths[1]);
});

test('[PART-4] frames have half the size after each close because one was too large, but not less than 8 KiB', async () => {
  const room = new ScriptedRoom({ isTurnHeld: true });
  await room.live();
  const limits = { framePushBytes: 40_000, pushBytes: 1_000_000 };
  for (let number = 1; number <= 30; number += 1)
    room.store.setValue(`v${number}`, 'x'.repeat(900));
  room.store.setValue('large', 'x'.repeat(9000));
  room.endTurn();
  room.frames();
  const errors = room.errors.length;
  const longest: number[] = [];
  const types: unknown[] = [];
  for (const code of [1006, 1009, 1009, 1009, 1009]) {
    room.close({ code });
    room.open();
    room.endTurn();
    room.welcome({ generation: room.hello().generation, limits });
    room.endTurn();
    // What was lost four times waits.
    await room.time.pass(3000);
    room.endTurn();
    const frames = room.frames();
    longest.push(Math.max(...frames.map((messages) => messages.join('\n').length)));
    types.push(frames.flat().at(-1)?.at(PREFIX.length));
  }
  // The last push is whole, or in parts of a quarter.
  expect(types).toEqual(['p', 'p', 'p', 'm', 'm']);
  const [before = 0, first = 0, second = 0, third = 0, fourth = 0] = longest;
  expect(before).toBeGreaterThan(30_000);
  expect(first).toBeGreaterThan(15_000);
  expect(first).toBeLessThanOrEqual(20_000);
  expect(second).toBeLessThanOrEqual(10_000);
  expect(third).toBeLessThanOrEqual(8192);
  expect(fourth).toBe(third);
  // It is no error as long as the next connection works.
  expect(room.errors).toHaveLength(errors);
});
