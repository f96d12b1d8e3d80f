import { expect, test } from 'vitest';

import { HeldFrames } from '../../../src/server/hosts/held-frames.ts';
import { ManualTime } from '../../support/manual-time.ts';

class Socket {
  readonly heard: string[] = [];
  isCloseHeld = false;

  send(frame: string): void {
    this.heard.push(frame);
  }

  close(code: number, reason: string): void {
    this.heard.push(`closed ${code} ${reason}`);
  }

  onCloseHeld(): void {
    this.isCloseHeld = true;
  }
}

test('[DURABLE-6] frames that are held leave in order, and a socket that the room closes meanwhile is closed after them', () => {
  const frames = new HeldFrames({ after: new ManualTime().after });
  const [one, two] = [new Socket(), new Socket()];
  frames.hold();
  frames.send(one, 'a');
  frames.send(two, 'c');
  frames.send(one, 'b');
  frames.close(two, 4403, 'evicted');
  frames.send(two, 'after it');
  frames.close(two, 4404, 'once more');
  expect([one.heard, two.heard]).toEqual([[], []]);
  expect([one.isCloseHeld, two.isCloseHeld]).toEqual([false, true]);
  frames.release();
  frames.send(one, 'd');
  expect(one.heard).toEqual(['a', 'b', 'd']);
  expect(two.heard).toEqual(['c', 'closed 4403 evicted']);
});

test('[DURABLE-6] sockets whose frames are dropped are closed, and hear nothing', () => {
  const frames = new HeldFrames({ after: new ManualTime().after });
  const [one, two] = [new Socket(), new Socket()];
  frames.hold();
  frames.send(one, 'undone');
  frames.drop();
  frames.send(one, 'later');
  frames.send(two, 'later');
  expect([one.isCloseHeld, two.isCloseHeld]).toEqual([true, false]);
  frames.release();
  expect(one.heard).toEqual(['closed 4503 unavailable']);
  expect(two.heard).toEqual(['later']);
});

test('[DURABLE-6] who waits for the release hears of it, and at once if frames are dropped', async () => {
  const frames = new HeldFrames({ after: new ManualTime().after });
  expect(await frames.whenReleased()).toBe(true);
  frames.hold();
  const dropped = frames.whenReleased();
  frames.drop();
  expect(await dropped).toBe(false);
  const released = frames.whenReleased();
  frames.release();
  expect(await released).toBe(true);
});

test('[DURABLE-6] frames that are held for long are reported, once', () => {
  const time = new ManualTime();
  let reports = 0;
  const frames = new HeldFrames({ after: time.after, onLongHold: () => (reports += 1) });
  frames.hold();
  time.pass(4_000);
  frames.release();
  time.pass(4_000);
  expect(reports).toBe(0);
  frames.hold();
  time.pass(4_000);
  // Another transaction within it.
  frames.hold();
  time.pass(60_000);
  expect(reports).toBe(1);
});
