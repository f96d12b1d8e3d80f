import { describe, expect, test } from 'vitest';

import { describeMessage, readMessage, type Direction } from '../../src/devtools/read-message.ts';
import { composeChanges } from '../../src/protocol/changes.ts';
import { encodeClientMessage, encodeRoomMessage } from '../../src/protocol/codec.ts';
import type { SentMessage, RoomMessage } from '../../src/protocol/messages.ts';

const changes = composeChanges([]);
const limits = { framePushBytes: 1, pushBytes: 2 };
// An epoch is any text.
const cursor = { epoch: 'a"],"cursor":["b",9', version: 12 };

const fromClient: readonly (readonly [SentMessage, string])[] = [
  [{ type: 'push', number: 7, changes }, 'push 7'],
  [{ type: 'part', number: 8, offset: 0, length: 9, text: 'abc' }, 'part 8'],
  [{ type: 'ping' }, 'ping'],
  [{ type: 'check' }, 'ping'],
  [{ type: 'mark', text: 'x' }, 'mark'],
];
const fromRoom: readonly (readonly [RoomMessage, string])[] = [
  [{ type: 'commit', version: 31, changes }, 'commit 31'],
  [
    { type: 'ack', number: 7, version: 32, isCommit: true, correction: changes, reason: 'hook' },
    'ack 7, version 32',
  ],
  [{ type: 'welcome', generation: 1, cursor, lastPush: 0, limits, changes }, 'welcome, version 12'],
  [{ type: 'welcome', generation: 1, cursor, lastPush: 0, limits, changes: undefined }, 'reload'],
  [
    {
      type: 'welcome',
      generation: 1,
      cursor,
      lastPush: 0,
      limits,
      changes: undefined,
      isSetBack: true,
    },
    'reload',
  ],
  [{ type: 'pong', version: 33, lastPush: 7 }, 'pong, version 33'],
  [{ type: 'alive' }, 'alive'],
  [{ type: 'receipt', number: 8, offset: 3 }, 'receipt 8'],
  [{ type: 'error', code: 'too-large', message: 'because' }, 'error too-large'],
];

const described = (prefix: string, direction: Direction, text: string): string =>
  describeMessage(readMessage(prefix, direction, text));

describe.each(['', 'board/'])('with the prefix "%s"', (prefix) => {
  test.each(fromClient)('%j of the client is told as "%s"', (message, expected) => {
    expect(described(prefix, 'sent', encodeClientMessage(prefix, message))).toBe(expected);
  });

  test.each(fromRoom)('%j of the room is told as "%s"', (message, expected) => {
    expect(described(prefix, 'received', encodeRoomMessage(prefix, message))).toBe(expected);
  });

  test.each(['', 'p', 'hello', 'commit', '{"my": 1}', 'c{}', 'a[1]', 'w{}', 'e{}', '[1]'])(
    'a frame of the app is told as one: %s',
    (text) => {
      expect(described(prefix, 'received', text === '' ? text : prefix + text)).toBe('of the app');
    },
  );
});

test('a frame with another prefix is the app’s own', () => {
  expect(described('board/', 'received', 'c[1,[{},{}]]')).toBe('of the app');
});
