import type PartySocket from 'partysocket';
import { expect, test } from 'vitest';

import { Traffic, type WatchedFrame } from '../../src/devtools/traffic.ts';
import { composeChanges } from '../../src/protocol/changes.ts';
import { encodeClientMessage, encodeRoomMessage } from '../../src/protocol/codec.ts';
import type { RoomMessage } from '../../src/protocol/messages.ts';
import { FakePartySocket } from '../client/fake-party-socket.ts';

const changes = composeChanges([]);
const push = (number: number): string => encodeClientMessage('', { type: 'push', number, changes });
const ack = (number: number, version: number): string =>
  encodeRoomMessage('', {
    type: 'ack',
    number,
    version,
    isCommit: true,
    correction: undefined,
    reason: undefined,
  });
const welcome = (version: number, isReload = false): RoomMessage => ({
  type: 'welcome',
  generation: 1,
  cursor: { epoch: 'e', version },
  lastPush: 0,
  limits: { framePushBytes: 1, pushBytes: 1 },
  changes: isReload ? undefined : changes,
});

interface Watched {
  readonly socket: FakePartySocket;
  readonly traffic: Traffic;
  readonly seen: WatchedFrame[];
  now: number;
}

function watch(): Watched {
  const socket = new FakePartySocket();
  socket.open();
  const seen: WatchedFrame[] = [];
  const watched = { socket, seen, now: 0 };
  const traffic = new Traffic(
    socket as unknown as PartySocket,
    '',
    () => watched.now,
    (frame) => seen.push(frame),
  );
  return Object.assign(watched, { traffic });
}

test('frames are counted by direction, in bytes of UTF-8', () => {
  const { socket, traffic, seen } = watch();
  socket.send('äpp');
  socket.receive('my €');
  socket.receive(new ArrayBuffer(5));
  expect(traffic.sent).toEqual({ frames: 1, bytes: 4 });
  expect(traffic.received).toEqual({ frames: 2, bytes: 11 });
  expect(seen.map(({ direction, bytes }) => [direction, bytes])).toEqual([
    ['sent', 4],
    ['received', 6],
    ['received', 5],
  ]);
  expect(socket.sent).toEqual(['äpp']);
});

test('a frame of several messages is one frame, and each message counts', () => {
  const { socket, traffic, seen } = watch();
  socket.send([push(1), push(2), push(3), push(4), push(5)].join('\n'));
  expect(traffic.sent.frames).toBe(1);
  expect(seen[0]?.description).toBe('push 1 · push 2 · push 3 · 2 more');
  socket.receive(`${ack(1, 6)}\n${ack(2, 7)}`);
  expect(traffic.version).toBe(7);
});

test('the version follows each message that tells it', () => {
  const { socket, traffic } = watch();
  expect(traffic.version).toBeUndefined();
  socket.receive(encodeRoomMessage('', welcome(3)));
  expect(traffic.version).toBe(3);
  socket.receive(encodeRoomMessage('', { type: 'commit', version: 4, changes }));
  expect(traffic.version).toBe(4);
  socket.receive(ack(1, 5));
  expect(traffic.version).toBe(5);
  socket.receive(encodeRoomMessage('', { type: 'pong', version: 6, lastPush: 1 }));
  expect(traffic.version).toBe(6);
});

test('the catch-up is the last welcome, with its bytes', () => {
  const { socket, traffic } = watch();
  const text = encodeRoomMessage('', welcome(3));
  socket.receive(text);
  expect(traffic.catchUp).toEqual({ bytes: text.length, isReload: false });
  socket.receive(encodeRoomMessage('', welcome(9, true)));
  expect(traffic.catchUp?.isReload).toBe(true);
});

test('the round trip is that of the last push, or ping', () => {
  const watched = watch();
  const { socket, traffic } = watched;
  socket.send(push(1));
  watched.now = 30;
  socket.send(push(2));
  watched.now = 45;
  socket.receive(ack(1, 1));
  expect(traffic.roundTripMilliseconds).toBe(45);
  socket.receive(ack(2, 2));
  expect(traffic.roundTripMilliseconds).toBe(15);
  socket.send(encodeClientMessage('', { type: 'ping' }));
  watched.now = 52;
  socket.receive(encodeRoomMessage('', { type: 'alive' }));
  expect(traffic.roundTripMilliseconds).toBe(7);
});

test('a push of an earlier connection has no round trip', () => {
  const watched = watch();
  const { socket, traffic } = watched;
  socket.send(push(1));
  socket.send(
    encodeClientMessage('', {
      type: 'hello',
      clientId: 'abcdefghijklmnopqrstuv',
      generation: 2,
      cursor: undefined,
      nextPush: 1,
      ackedPush: 0,
    }),
  );
  watched.now = 60_000;
  socket.receive(ack(1, 1));
  expect(traffic.roundTripMilliseconds).toBeUndefined();
});

test('only the newest frames are kept, and only the beginning of a long one', () => {
  const { socket, traffic } = watch();
  for (let count = 0; count < 500; count += 1) socket.receive(`x${count}`);
  socket.receive('y'.repeat(100_000));
  expect(traffic.received.frames).toBe(501);
  expect(traffic.frames.length).toBeLessThan(100);
  expect(traffic.frames.at(-2)?.text).toBe('x499');
  expect(traffic.frames.at(-1)?.text.length).toBeLessThan(3_000);
  expect(traffic.frames.at(-1)?.bytes).toBe(100_000);
});

test('when it stops, the socket is as it was, and nothing more is counted', () => {
  const { socket, traffic } = watch();
  expect(Object.hasOwn(socket, 'send')).toBe(true);
  traffic.stop();
  traffic.stop();
  expect(Object.hasOwn(socket, 'send')).toBe(false);
  socket.send('a');
  socket.receive('b');
  expect([traffic.sent.frames, traffic.received.frames]).toEqual([0, 0]);
  expect(socket.sent).toEqual(['a']);
});

test('two on one socket stop in any order', () => {
  const { socket, traffic } = watch();
  const second = new Traffic(
    socket as unknown as PartySocket,
    '',
    () => 0,
    () => undefined,
  );
  traffic.stop();
  socket.send('a');
  expect([traffic.sent.frames, second.sent.frames]).toEqual([0, 1]);
  second.stop();
  socket.send('b');
  expect(second.sent.frames).toBe(1);
  expect(socket.sent).toEqual(['a', 'b']);
});
