import { expect, test } from 'vitest';

import { createBackoff } from '../../../src/client/session/backoff.ts';
import { ManualTime } from './scripted-room.ts';

test('replaces an attempt that waits', async () => {
  const time = new ManualTime();
  let attempts = 0;
  const backoff = createBackoff(
    { after: time.after, now: () => time.now, random: () => 0.5 },
    () => attempts++,
  );
  backoff.retry();
  backoff.retry();
  await time.pass(1000);
  expect(attempts).toBe(1);
});

test('prevents an attempt that waits', async () => {
  const time = new ManualTime();
  const backoff = createBackoff(
    { after: time.after, now: () => time.now, random: () => 0.5 },
    () => {
      throw new Error('stopped');
    },
  );
  backoff.retry();
  backoff.stop();
  await time.pass(1000);
  expect(time.waiting).toBe(0);
});

test('makes an attempt that waits at once, and no other', async () => {
  const time = new ManualTime();
  let attempts = 0;
  const backoff = createBackoff(
    { after: time.after, now: () => time.now, random: () => 0.5 },
    () => attempts++,
  );
  backoff.hurry();
  backoff.retry();
  backoff.hurry();
  expect(attempts).toBe(1);
  backoff.hurry();
  await time.pass(1000);
  expect(attempts).toBe(1);
});

test('is immediate first, then waits between half and all of a time that doubles up to 30 seconds', () => {
  for (const [random, share] of [
    [0, 0.5],
    [0.5, 0.75],
    [1, 1],
  ] as const) {
    const delays: number[] = [];
    const backoff = createBackoff(
      {
        after: (milliseconds) => {
          delays.push(milliseconds);
          return () => undefined;
        },
        now: () => 0,
        random: () => random,
      },
      () => undefined,
    );
    for (let attempt = 0; attempt < 20; attempt++) backoff.retry();
    expect(delays.slice(0, 4)).toEqual([0, 200 * share, 400 * share, 800 * share]);
    expect(delays.at(-1)).toBe(30_000 * share);
    backoff.reset(true);
    backoff.retry();
    expect(delays.at(-1)).toBe(0);
  }
});

test('[JOIN-10] what goes well a moment after an attempt does not make the next one immediate', async () => {
  const time = new ManualTime();
  const attempts: number[] = [];
  const backoff = createBackoff({ after: time.after, now: () => time.now, random: () => 0.5 }, () =>
    attempts.push(time.now),
  );
  for (let round = 0; round < 3; round += 1) {
    backoff.retry();
    await time.pass(1000);
    backoff.reset();
  }
  await time.pass(4300);
  backoff.reset();
  // The first one does not wait.
  expect(backoff.retry(true)).toBe(1);
  expect(backoff.retry(true)).toBe(2);
  await time.pass(1000);
  expect(attempts).toEqual([0, 1150, 2300, 7300, 7450]);
  await time.pass(4150);
  backoff.retry(true);
  expect(attempts.at(-1)).toBe(12_450);
});
