import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { decodeClientMessage, decodeRoomMessage } from '../../src/protocol/codec.ts';
import {
  encodeFrame,
  readFrame,
  weightOf,
  type MessageDefinition,
} from '../../src/protocol/frame.ts';
import { asArray, asString, decodeJson } from '../../src/protocol/json.ts';
import * as ack from '../../src/protocol/messages/ack.ts';
import { CLIENT_LETTERS } from '../../src/protocol/messages/client-message.ts';
import * as commit from '../../src/protocol/messages/commit.ts';
import * as error from '../../src/protocol/messages/error.ts';
import * as hello from '../../src/protocol/messages/hello.ts';
import * as ping from '../../src/protocol/messages/ping.ts';
import * as pong from '../../src/protocol/messages/pong.ts';
import * as push from '../../src/protocol/messages/push.ts';
import * as mark from '../../src/protocol/messages/mark.ts';
import * as part from '../../src/protocol/messages/push-part.ts';
import { ROOM_LETTERS } from '../../src/protocol/messages/room-message.ts';
import * as stock from '../../src/protocol/messages/stock.ts';
import * as welcome from '../../src/protocol/messages/welcome.ts';

const PREFIXES = ['', 'p', 'x/', '__proto__', '\uD800', '😀'];

describe('a frame', () => {
  test.each(PREFIXES)('is read as it was encoded, with the prefix %j', (prefix) => {
    for (const json of ['', '[]', '{"a":"😀"}', 'not JSON', prefix]) {
      expect(readFrame(prefix, encodeFrame(prefix, 'z', json))).toEqual({ letter: 'z', json });
    }
  });

  test('[FRAME-1] is not binary, and has its prefix and a letter', () => {
    for (const data of [undefined, null, 7, {}, ['x/z'], new Uint8Array([120]), '', 'x/', 'y/z[]'])
      expect(readFrame('x/', data)).toBeUndefined();
    expect(readFrame('', '')).toBeUndefined();
  });
});

/** A message that the core does not know. */
interface Greeting {
  readonly type: 'greeting';
  readonly name: string;
}

const greeting: MessageDefinition<Greeting> = {
  letter: 'g',
  encode: ({ name }) => JSON.stringify([name]),
  decode: (json) =>
    decodeJson('greeting', json, (parsed) => {
      return { type: 'greeting', name: asString(asArray(parsed, 1, 1)[0]) };
    }),
};

describe('a feature', () => {
  test('defines a message of its own, which the core leaves alone', () => {
    const message: Greeting = { type: 'greeting', name: 'Ada' };
    const text = encodeFrame('x/', greeting.letter, greeting.encode(message));
    expect(text).toBe('x/g["Ada"]');
    expect(decodeClientMessage('x/', text)).toBeUndefined();
    expect(decodeRoomMessage('x/', text)).toBeUndefined();
    const frame = readFrame('x/', text);
    expect(frame?.letter).toBe(greeting.letter);
    expect(greeting.decode(frame?.json ?? '')).toEqual(message);
    expect(() => greeting.decode('[1]')).toThrow('Invalid greeting: expected a string');
  });
});

/** Takes a module that defines messages, and nothing else. */
function letterOf<Message>({ letter }: MessageDefinition<Message>): string {
  return letter;
}

/** The messages of the core, in the order of the table in docs/protocol.md. */
const LETTERS: Readonly<Record<string, string>> = {
  hello: hello.letter,
  push: letterOf(push),
  part: letterOf(part),
  ping: letterOf(ping),
  check: letterOf(ping),
  welcome: letterOf(welcome),
  commit: letterOf(commit),
  ack: letterOf(ack),
  receipt: letterOf(part),
  pong: letterOf(pong),
  alive: letterOf(pong),
  error: letterOf(error),
  mark: letterOf(mark),
  'stock changes': letterOf(stock),
};

/** The lines of the table in docs/protocol.md. */
const listed = Array.from(
  readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8').matchAll(
    /^\| `(\w)` \| ([\w ]+?) +\| (client|host, room|room|both) +\|/gm,
  ),
  ([, letter = '', name = '', from = '']) => ({ letter, name, from }),
);

test('docs/protocol.md lists every message with its letter, and no other', () => {
  expect(listed.map(({ name, letter }) => [name, letter])).toEqual(Object.entries(LETTERS));
});

test.each([
  ['client', CLIENT_LETTERS],
  ['room', ROOM_LETTERS],
] as const)('no two messages from a %s have the same letter', (side, letters) => {
  expect(new Set(letters).size).toBe(letters.length);
  for (const letter of letters) expect(letter).toHaveLength(1);
  const ofSide = listed.filter(({ from }) => from === 'both' || from.split(', ').includes(side));
  expect(new Set(letters)).toEqual(new Set(ofSide.map(({ letter }) => letter)));
});

const changesIn = (cells: number, text: string): string =>
  JSON.stringify([
    { t: { r: Object.fromEntries(Array.from({ length: cells }, (_, id) => [`${id}`, text])) } },
    {},
  ]);

describe('[FLOOD-1] the weight of a frame', () => {
  const BACKSLASHES = ['', 'x', '"', '\\', '\\\\', '\\"', '"\\', '\n"'];

  test.each(BACKSLASHES)('has two quotes for each id and text, such as %j', (text) => {
    // Of each cell, its id and its text; and the ids of table and row.
    expect(weightOf(changesIn(1_000, text))).toBe((4 * 1_000 + 4) * 32);
  });

  test.each(BACKSLASHES)('of a part is that of what is in it, such as %j', (text) => {
    const json = changesIn(1_000, text);
    const frame = `m${part.encode({ type: 'part', number: 1, offset: 0, length: json.length, text: json })}`;
    expect(weightOf(frame, true)).toBe(weightOf(json));
  });
});
