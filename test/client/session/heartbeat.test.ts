import { describe, expect, test } from 'vitest';

import { createHeartbeat, type Heartbeat } from '../../../src/client/session/heartbeat.ts';
import { ManualTime, SECOND } from './scripted-room.ts';

function beating(): {
  readonly heartbeat: Heartbeat;
  readonly time: ManualTime;
  readonly done: string[];
  readonly timers: () => number;
} {
  const time = new ManualTime();
  const done: string[] = [];
  let timers = 0;
  const after: typeof time.after = (milliseconds, callback) => {
    timers += 1;
    return time.after(milliseconds, callback);
  };
  const heartbeat = createHeartbeat(
    { after, now: () => time.now },
    {
      ping: (isCheck) => done.push(isCheck ? 'check' : 'ping'),
      dead: () => done.push('dead'),
    },
  );
  heartbeat.start();
  return { heartbeat, time, done, timers: () => timers };
}

describe('a heartbeat', () => {
  test('[ORDER-7] tells with each pong what was sent before its ping, and not what was sent since', async () => {
    const { heartbeat, time } = beating();
    heartbeat.sent(3, 9);
    heartbeat.heard(true, false);
    await time.pass(25 * SECOND);
    heartbeat.sent(4, 9);
    expect(heartbeat.pinged()).toBe(3);
    heartbeat.answered();
    expect(heartbeat.pinged()).toBeUndefined();
  });

  test('[ORDER-8] checks again if something was sent after the check that was answered', async () => {
    const { heartbeat, time, done } = beating();
    await time.pass(25 * SECOND);
    heartbeat.sent(1, 9);
    heartbeat.heard(true, false);
    heartbeat.answered();
    await time.pass(25 * SECOND);
    heartbeat.answered();
    await time.pass(25 * SECOND);
    expect(done).toEqual(['check', 'check', 'ping']);
  });

  test('[ORDER-7] asks 5 seconds after a push without any sign of life, by a ping that no hook delays, and waits 5 seconds', async () => {
    const { heartbeat, time, done } = beating();
    await time.pass(10 * SECOND);
    heartbeat.sent(1, 9);
    await time.pass(2 * SECOND);
    // Who types on does not put it off.
    heartbeat.sent(2, 9);
    await time.pass(3 * SECOND - 1);
    expect(done).toEqual([]);
    await time.pass(1);
    expect(done).toEqual(['ping']);
    await time.pass(5 * SECOND);
    expect(done).toEqual(['ping', 'dead']);
  });

  test('[ORDER-7] does not ask sooner if something was heard, or if a slow line may still be busy', async () => {
    const { heartbeat, time, done } = beating();
    heartbeat.sent(1, 9);
    await time.pass(4 * SECOND);
    heartbeat.heard(true, false);
    await time.pass(24 * SECOND);
    expect(done).toEqual([]);
    heartbeat.sent(2, 100_000);
    await time.pass(29 * SECOND);
    expect(done).toEqual([]);
    await time.pass(SECOND);
    expect(done).toEqual(['check']);
  });

  test('starts no timer for each message, and asks after 24 to 25 seconds of silence', async () => {
    const { heartbeat, time, done, timers } = beating();
    for (let index = 0; index < 1000; index += 1) {
      heartbeat.heard(true, false);
      await time.pass(10);
    }
    expect(timers()).toBeLessThan(12);
    await time.pass(24 * SECOND - 20);
    expect(done).toEqual([]);
    await time.pass(SECOND + 20);
    expect(done).toEqual(['check']);
  });

  test('[ORDER-7] waits again in full after the answer to a push that came within the same second', async () => {
    const { heartbeat, time, done } = beating();
    heartbeat.heard(true, false);
    heartbeat.sent(1, 9);
    heartbeat.heard(true, false);
    await time.pass(24 * SECOND);
    expect(done).toEqual([]);
    await time.pass(SECOND);
    expect(done).toEqual(['check']);
  });

  test('[ORDER-7] is not put off by what others do while a push waits', async () => {
    const { heartbeat, time, done } = beating();
    heartbeat.sent(1, 9);
    for (let second = 0; second < 25; second += 1) {
      heartbeat.heard(true, true);
      await time.pass(SECOND);
    }
    expect(done).toEqual(['check']);
  });

  test('asks at once when there is reason to, and waits 5 seconds', async () => {
    const { heartbeat, time, done } = beating();
    await time.pass(SECOND);
    heartbeat.check();
    expect(done).toEqual(['check']);
    await time.pass(5 * SECOND - 1);
    expect(done).toEqual(['check']);
    await time.pass(1);
    expect(done).toEqual(['check', 'dead']);
    heartbeat.check();
    expect(done).toHaveLength(2);
    expect(time.waiting).toBe(0);
  });

  test('goes on when what it asked at once is answered', async () => {
    const { heartbeat, time, done } = beating();
    heartbeat.check();
    heartbeat.answered();
    await time.pass(25 * SECOND);
    expect(done).toEqual(['check', 'ping']);
  });

  test('[ORDER-7] takes the pong to an earlier ping for no more than it tells', async () => {
    const { heartbeat, time } = beating();
    heartbeat.sent(3, 9);
    heartbeat.heard(true, false);
    await time.pass(25 * SECOND);
    heartbeat.sent(4, 9);
    heartbeat.check();
    expect(heartbeat.pinged()).toBe(3);
    heartbeat.answered();
    expect(heartbeat.pinged()).toBeUndefined();
  });

  test('begins anew with each conversation', async () => {
    const { heartbeat, time, done } = beating();
    await time.pass(24 * SECOND);
    heartbeat.start();
    await time.pass(24 * SECOND);
    expect(done).toEqual([]);
    await time.pass(SECOND);
    expect(done).toEqual(['check']);
    heartbeat.stop();
    heartbeat.heard(true, false);
    heartbeat.alive();
    await time.pass(100 * SECOND);
    expect(done).toEqual(['check']);
    expect(time.waiting).toBe(0);
  });
});
