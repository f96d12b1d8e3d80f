import { expect, test } from 'vitest';

import { Backoff } from '../../../src/client/session/backoff.ts';
import { ManualTime } from './scripted-room.ts';

test('replaces an attempt that waits', async () => {
  const time = new ManualTime();
  const backoff = new Backoff(time.after, () => 0.5);
  const attempts: string[] = [];
  backoff.retry(() => attempts.push('first'));
  backoff.retry(() => attempts.push('second'));
  await time.pass(1000);
  expect(attempts).toEqual(['second']);
});

test('prevents an attempt that waits', async () => {
  const time = new ManualTime();
  const backoff = new Backoff(time.after, () => 0.5);
  backoff.retry(() => {
    throw new Error('stopped');
  });
  backoff.stop();
  await time.pass(1000);
  expect(time.waiting).toBe(0);
});

test('makes an attempt that waits at once, and no other', async () => {
  const time = new ManualTime();
  const backoff = new Backoff(time.after, () => 0.5);
  const attempts: string[] = [];
  backoff.hurry();
  backoff.retry(() => attempts.push('retried'));
  backoff.hurry();
  expect(attempts).toEqual(['retried']);
  backoff.hurry();
  await time.pass(1000);
  expect(attempts).toEqual(['retried']);
});

test('is immediate first, then waits between half and all of a time that doubles up to 30 seconds', () => {
  for (const [random, share] of [
    [0, 0.5],
    [0.5, 0.75],
    [1, 1],
  ] as const) {
    const delays: number[] = [];
    const backoff = new Backoff(
      (milliseconds) => {
        delays.push(milliseconds);
        return () => undefined;
      },
      () => random,
    );
    for (let attempt = 0; attempt < 20; attempt++) backoff.retry(() => undefined);
    expect(delays.slice(0, 4)).toEqual([0, 200 * share, 400 * share, 800 * share]);
    expect(delays.at(-1)).toBe(30_000 * share);
    backoff.reset();
    backoff.retry(() => undefined);
    expect(delays.at(-1)).toBe(0);
  }
});
