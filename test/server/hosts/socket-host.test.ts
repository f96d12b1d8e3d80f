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

test('[DURABLE-6] a socket whose close is held counts as closed by the room, though it is open', () => {
  const socket = new Socket();
  const host = new SocketHost<Socket>({
    storage: new StrictStorage(),
    sockets: () => [socket],
    onError: () => undefined,
  });
  const connection = host.connectionOf(socket);
  host.heldFrames.hold();
  connection.send('before it');
  connection.close(4403, 'evicted');
  expect([socket.frames, socket.readyState, connection.isClosedByRoom]).toEqual([[], 1, true]);
  host.heldFrames.release();
  expect([socket.frames, socket.readyState, socket.reason]).toEqual([['before it'], 3, 'evicted']);
});
