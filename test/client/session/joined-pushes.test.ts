import { expect, test } from 'vitest';

import { ScriptedRoom } from './scripted-room.ts';

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
