import { expect, test, vi } from 'vitest';

import { SocketHost } from '../../../src/server/hosts/socket-host.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

/** A socket that throws as real ones do (RFC 6455, section 5.5.1). */
class Socket {
  readyState = 1;
  reason: string | undefined;
  readonly frames: string[] = [];

  send(frame: string): void {
    this.frames.push(frame);
  }

  close(_code?: number, reason: string = ''): void {
    if (new TextEncoder().encode(reason).length > 123)
      throw new SyntaxError('The reason is too long.');
    this.readyState = 3;
    this.reason = reason;
  }
}

test.each([
  ['a short reason', 'a short reason'],
  ['x'.repeat(123), 'x'.repeat(123)],
  ['x'.repeat(124), `${'x'.repeat(40)}…`],
  ['€'.repeat(42), `${'€'.repeat(40)}…`],
])('[GATE-4] a socket is closed whatever the reason: %s', (reason, expected) => {
  const socket = new Socket();
  const host = new SocketHost<Socket>({
    storage: new StrictStorage(),
    sockets: () => [socket],
    onError: () => undefined,
  });
  host.connectionOf(socket).close(4403, reason);
  expect(socket.reason).toBe(expected);
});

test.each([Infinity, 2 ** 31, 2 ** 40])(
  'a timer of %s ms waits, though no timer of the platform is that long',
  (milliseconds) => {
    vi.useFakeTimers();
    try {
      const host = new SocketHost<Socket>({
        storage: new StrictStorage(),
        sockets: () => [],
        onError: () => undefined,
      });
      let isCalled = false;
      const cancel = host.after(milliseconds, () => (isCalled = true));
      vi.advanceTimersByTime(60_000);
      expect(isCalled).toBe(false);
      cancel();
    } finally {
      vi.useRealTimers();
    }
  },
);

function hostOf(...sockets: readonly Socket[]): SocketHost<Socket> {
  return new SocketHost<Socket>({
    storage: new StrictStorage(),
    sockets: () => sockets,
    onError: () => undefined,
  });
}

test('[DURABLE-6] frames that are held leave in order, and a socket that the room closes meanwhile is closed after them', () => {
  const [one, two] = [new Socket(), new Socket()];
  const host = hostOf(one, two);
  host.hold();
  host.connectionOf(one).send('a');
  host.connectionOf(two).send('c');
  host.connectionOf(one).send('b');
  expect([one.frames, two.frames]).toEqual([[], []]);
  host.connectionOf(two).close(4403, 'evicted');
  host.connectionOf(two).send('after it');
  expect([one.frames, two.frames, two.readyState]).toEqual([[], [], 1]);
  expect(host.connectionOf(two).isClosedByRoom).toBe(true);
  host.release();
  host.connectionOf(one).send('d');
  expect([one.frames, two.frames]).toEqual([['a', 'b', 'd'], ['c']]);
  expect([one.readyState, two.readyState]).toEqual([1, 3]);
});

test('[DURABLE-6] sockets whose frames are dropped are closed, and hear nothing', () => {
  const [one, two] = [new Socket(), new Socket()];
  const host = hostOf(one, two);
  host.hold();
  host.connectionOf(one).send('undone');
  host.drop();
  host.connectionOf(one).send('later');
  host.connectionOf(two).send('later');
  expect(host.connectionOf(one).isClosedByRoom).toBe(true);
  host.release();
  expect([one.frames, two.frames]).toEqual([[], ['later']]);
  expect([one.readyState, two.readyState]).toEqual([3, 1]);
});

test('[DURABLE-6] frames that are held for long are reported, once', () => {
  vi.useFakeTimers();
  try {
    let reports = 0;
    const host = new SocketHost<Socket>({
      storage: new StrictStorage(),
      sockets: () => [],
      onError: () => undefined,
      onLongHold: () => (reports += 1),
    });
    host.hold();
    vi.advanceTimersByTime(4_000);
    host.release();
    vi.advanceTimersByTime(4_000);
    expect(reports).toBe(0);
    host.hold();
    vi.advanceTimersByTime(4_000);
    // Another transaction within it.
    host.hold();
    vi.advanceTimersByTime(60_000);
    expect(reports).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});
