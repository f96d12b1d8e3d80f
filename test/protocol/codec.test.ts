import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { ALL_ROWS, ChangesBuilder, type Changes } from '../../src/protocol/changes.ts';
import {
  decodeChanges,
  decodeClientMessage,
  decodeContent,
  decodeETag,
  decodeLoadedContent,
  decodeWholePush,
  decodeRoomMessage,
  decodeSeedAnswer,
  decodeSendableContent,
  encodeChanges,
  encodeClientMessage,
  encodeContent,
  encodeETag,
  encodeLoadedContent,
  encodeAlive,
  encodePing,
  encodePushFrame,
  encodeRoomMessage,
  encodeSeedAnswer,
} from '../../src/protocol/codec.ts';
import { ERRORS, TinyBasePartyKitError, type ErrorCode } from '../../src/protocol/errors.ts';
import * as event from '../../src/protocol/events/event-from-room.ts';
import { VALUES } from '../../src/protocol/leaf.ts';
import type {
  Ack,
  ClientMessage,
  SentMessage,
  Commit,
  Cursor,
  RoomMessage,
} from '../../src/protocol/messages.ts';
import type { StockChanges } from '../../src/protocol/messages/stock.ts';
import * as presence from '../../src/protocol/presence/presence-from-room.ts';
import { changes, contents, described, listed } from './arbitrary-changes.ts';

const counts = fc.nat(Number.MAX_SAFE_INTEGER);
const pushNumbers = counts.map((count) => Math.max(1, count));
const clientIds = fc.stringMatching(/^[\w-]{22}$/);
const cursors: fc.Arbitrary<Cursor> = fc.record({
  epoch: fc.stringMatching(/^[\w-]{1,64}$/),
  version: counts,
});
const prefixes = fc.constantFrom('', 'p', '__proto__', '\uD800', 's');
const pushes = fc.record({
  type: fc.constant('push' as const),
  number: pushNumbers,
  changes,
});

const marks = fc.record({ type: fc.constant('mark' as const), text: fc.string() });
/** Changes that TinyBase's own messages can tell: they have no deletion of a row that is set again. */
const stockChanges: fc.Arbitrary<StockChanges> = changes.map(({ deletedRows, leaves }) => {
  const builder = new ChangesBuilder();
  for (const [table, rows] of deletedRows) {
    if (rows !== ALL_ROWS) {
      for (const row of rows)
        if (leaves.cells(table, row).size === 0) builder.deleteRow(table, row);
    } else if (leaves.rows(table).size === 0) builder.deleteTable(table);
  }
  leaves.forEach((leaf, table, row, cell) => builder.setLeaf(table, row, cell, leaf));
  return { type: 'stock', changes: builder };
});

const clientMessages: fc.Arbitrary<SentMessage> = fc.oneof(
  pushes,
  marks,
  stockChanges,
  fc
    .record({
      number: pushNumbers,
      offset: fc.nat(),
      rest: fc.nat(),
      text: fc.string({ minLength: 1 }),
    })
    .map(({ number, offset, rest, text }): SentMessage => {
      return { type: 'part', number, offset, length: offset + text.length + rest, text };
    }),
  fc.constant<SentMessage>({ type: 'ping' }),
  fc.constant<SentMessage>({ type: 'check' }),
  fc.record({
    type: fc.constant('hello' as const),
    clientId: clientIds,
    generation: counts,
    cursor: fc.option(cursors, { nil: undefined }),
    nextPush: pushNumbers,
    ackedPush: counts,
  }),
);

const roomMessages: fc.Arbitrary<RoomMessage> = fc.oneof(
  marks,
  stockChanges,
  fc.record({ type: fc.constant('receipt' as const), number: pushNumbers, offset: counts }),
  fc.record({
    type: fc.constant('welcome' as const),
    generation: counts,
    cursor: cursors,
    lastPush: counts,
    limits: fc.record(
      {
        framePushBytes: counts,
        pushBytes: counts,
        rate: fc.record({ messagesPerSecond: counts, messageBurst: counts }),
      },
      { requiredKeys: ['framePushBytes', 'pushBytes'] },
    ),
    changes: fc.option(changes, { nil: undefined }),
  }),
  fc.record({ type: fc.constant('commit' as const), version: counts, changes }),
  fc.record({
    type: fc.constant('ack' as const),
    number: pushNumbers,
    version: counts,
    isCommit: fc.boolean(),
    correction: fc.option(changes, { nil: undefined }),
    reason: fc.constantFrom('hook', 'schema', 'failed', 'timeout', 'too-large', undefined),
  }),
  fc.record({ type: fc.constant('pong' as const), version: counts, lastPush: counts }),
  fc.constant<RoomMessage>({ type: 'alive' }),
  fc.record({
    type: fc.constant('error' as const),
    code: fc.constantFrom(...(Object.keys(ERRORS) as ErrorCode[])),
    message: fc.string(),
  }),
);

/** A message with its changes in comparable form. */
function comparable(message: ClientMessage | RoomMessage | undefined): unknown {
  const plain: Record<string, unknown> = { ...message };
  for (const key of ['changes', 'correction']) {
    const part = plain[key];
    if (part !== undefined) plain[key] = described(part as Changes);
  }
  return plain;
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof TinyBasePartyKitError) return error.code;
    throw error;
  }
  return 'nothing was thrown';
}

describe('frames', () => {
  test('what a client sends is what a room gets', () => {
    fc.assert(
      fc.property(prefixes, clientMessages, (prefix, message) => {
        const frame = encodeClientMessage(prefix, message);
        expect(comparable(decodeClientMessage(prefix, frame))).toEqual(comparable(message));
      }),
    );
  });

  test('[FRAME-4] a hello of another version may have any shape', () => {
    fc.assert(
      fc.property(prefixes, counts, fc.jsonValue(), (prefix, version, rest) => {
        const protocol = version === 1 ? 0 : version;
        const frame = `${prefix}h${JSON.stringify({ rest, protocol, client: rest })}`;
        expect(decodeClientMessage(prefix, frame)).toEqual({ type: 'foreign-hello', protocol });
      }),
    );
  });

  test('what a room sends is what a client gets', () => {
    fc.assert(
      fc.property(prefixes, roomMessages, (prefix, message) => {
        const frame = encodeRoomMessage(prefix, message);
        expect(comparable(decodeRoomMessage(prefix, frame))).toEqual(comparable(message));
      }),
    );
  });

  test('a push in parts is what it was in a frame, wherever it is cut', () => {
    fc.assert(
      fc.property(pushes, fc.integer({ min: 1, max: 9 }), (push, size) => {
        const json = encodeClientMessage('', push).slice(1);
        const { length } = json;
        let whole = '';
        for (let offset = 0; offset < length; offset += size) {
          const text = json.slice(offset, offset + size);
          const part = { type: 'part', number: push.number, offset, length, text } as const;
          const frame = Buffer.from(encodeClientMessage('', part)).toString();
          expect(decodeClientMessage('', frame)).toEqual(part);
          whole += text;
        }
        expect(comparable(decodeWholePush(push.number, whole))).toEqual(comparable(push));
        expect(codeOf(() => decodeWholePush(push.number + 1, whole))).toBe('malformed');
      }),
    );
  });

  test('survives encoding as UTF-8 on the way', () => {
    fc.assert(
      fc.property(clientMessages, (message) => {
        const frame = encodeClientMessage('', message);
        const bytes = new TextEncoder().encode(frame);
        expect(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)).toBe(frame);
      }),
    );
  });

  test('a push frame can be made of changes that are encoded already', () => {
    fc.assert(
      fc.property(pushes, (push) => {
        const frame = encodePushFrame('x', push.number, encodeChanges(push.changes));
        expect(frame).toBe(encodeClientMessage('x', push));
      }),
    );
  });

  test('a ping is one constant text, and so is the answer that a host can give', () => {
    expect(encodePing('x/')).toBe('x/i[]');
    expect(encodeAlive('x/')).toBe('x/o[]');
    expect(decodeRoomMessage('x/', 'x/o[]')).toEqual({ type: 'alive' });
    expect(encodeClientMessage('x/', { type: 'ping' })).toBe('x/i[]');
    expect(decodeClientMessage('x/', 'x/i[]')).toEqual({ type: 'ping' });
  });

  test('has the letters and shapes of docs/protocol.md', () => {
    const empty = new ChangesBuilder();
    const cursor = { epoch: 'e', version: 2 };
    const ack = { type: 'ack', number: 1, version: 2, isCommit: true } as const;
    const frames = [
      encodeClientMessage('', {
        type: 'hello',
        clientId: 'c'.repeat(22),
        generation: 3,
        cursor,
        nextPush: 4,
        ackedPush: 5,
      }),
      encodeClientMessage('', { type: 'push', number: 1, changes: empty }),
      encodeRoomMessage('', {
        type: 'welcome',
        generation: 1,
        cursor,
        lastPush: 3,
        limits: { framePushBytes: 4, pushBytes: 5 },
        changes: undefined,
      }),
      encodeRoomMessage('', {
        type: 'welcome',
        generation: 1,
        cursor,
        lastPush: 3,
        limits: { framePushBytes: 4, pushBytes: 5 },
        changes: empty,
        content: decodeContent('[{"t":{"r":{"c":1}}},{}]'),
      }),
      encodeRoomMessage('', { type: 'commit', version: 1, changes: empty }),
      encodeRoomMessage('', { type: 'commit', version: 1, changes: empty, tag: 't' }),
      encodeRoomMessage('', { ...ack, correction: undefined, reason: undefined, tag: 't' }),
      encodeRoomMessage('', { ...ack, correction: undefined, reason: undefined }),
      encodeRoomMessage('', { ...ack, correction: empty, reason: undefined }),
      encodeRoomMessage('', { ...ack, isCommit: false, correction: undefined, reason: 'hook' }),
      encodeRoomMessage('', { type: 'pong', version: 1, lastPush: 2 }),
      encodeClientMessage('', { type: 'check' }),
      encodeRoomMessage('', { type: 'error', code: 'stale', message: 'm' }),
    ];
    expect(frames).toEqual([
      `h{"protocol":1,"client":"${'c'.repeat(22)}","generation":3,"cursor":["e",2],"next":4,"acked":5}`,
      'p[1,[{},{}]]',
      'w{"generation":1,"cursor":["e",2],"pushed":3,"limits":[4,5],"changes":null}',
      'w{"generation":1,"cursor":["e",2],"pushed":3,"limits":[4,5],"changes":[{},{}],"content":[{"t":{"r":{"c":1}}},{}]}',
      'c[1,[{},{}]]',
      'c[1,[{},{}],0,"t"]',
      'a[1,2,1,null,null,"t"]',
      'a[1,2,1]',
      'a[1,2,1,[{},{}]]',
      'a[1,2,0,null,"hook"]',
      'o[1,2]',
      'i[1]',
      'e{"code":"stale","message":"m"}',
    ]);
  });

  test('[FRAME-1] leaves binary frames, other prefixes and other letters to the app', () => {
    const others: unknown[] = [
      undefined,
      null,
      7,
      new ArrayBuffer(2),
      new Uint8Array([105]),
      new Blob(['i[]']),
      '',
      'x',
      'x/',
      'y/i[]',
      'i[]',
      'x/z[]',
      'x/{"type":"chat"}',
      'x/r[]',
      'x/v[]',
    ];
    for (const data of others) {
      expect(decodeClientMessage('x/', data)).toBeUndefined();
      expect(decodeRoomMessage('x/', data)).toBeUndefined();
    }
    // Letters of the other direction are not ours either.
    expect(decodeClientMessage('', 'w{}')).toBeUndefined();
    expect(decodeRoomMessage('', 'h{}')).toBeUndefined();
  });
});

describe('changes', () => {
  test('[CHANGES-2] any string is an ordinary id, and what was encoded is decoded', () => {
    fc.assert(
      fc.property(changes, (some) => {
        expect(described(decodeChanges(encodeChanges(some)))).toEqual(described(some));
      }),
      { numRuns: 300 },
    );
  });

  test('[CHANGES-2] has deleted rows by table, and 0 for all of them', () => {
    const builder = new ChangesBuilder();
    builder.deleteRow('t', 'r');
    builder.deleteTable('__proto__');
    builder.setLeaf('t', 'r', 'c', null);
    builder.setLeaf(VALUES, '', 'v', undefined);
    const text = encodeChanges(builder);
    expect(text).toBe('[{"t":{"r":{"c":null}}},{"v":"\uFFFC"},{"t":["r"],"__proto__":0}]');
    expect(decodeChanges(text).deletedRows.get('__proto__')).toBe(ALL_ROWS);
    const content = '[{"__proto__":{"__proto__":{"__proto__":1}}},{"__proto__":2}]';
    const decoded = decodeContent(content);
    expect(decoded && encodeContent(decoded)).toBe(content);
  });

  test('[CHANGES-1] reads an object or array in any spelling and holds it in one', () => {
    const spellings = [
      '"\uFFFD{\\"1\\":1,\\"b\\":[2]}"',
      '"\uFFFD { \\"b\\" : [ 2 ] , \\"1\\" : 1.0 } "',
      '{"b": [2], "1": 1}',
    ];
    for (const spelling of spellings) {
      const decoded = decodeChanges(`[{"t":{"r":{"c":${spelling}}}},{}]`);
      expect(decoded.leaves.get('t', 'r', 'c')).toBe('\uFFFD{"1":1,"b":[2]}');
    }
  });

  test.each([
    ['a message', (error: string) => decodeRoomMessage('', `e${error}`)],
    ['the answer to a call', (error: string) => event.decode(`[1,null,${error}]`)],
    ['presence', (error: string) => presence.decode(`{"error":${error}}`)],
  ])('[FRAME-6] takes the first 2,000 characters of an error of %s', (_what, decode) => {
    const errorOf = (length: number): unknown =>
      Object(decode(JSON.stringify({ code: 'failed', message: 'm'.repeat(length) })));
    const [short, long] = [errorOf(2000), errorOf(1_000_000)];
    expect(JSON.stringify(short)).toContain(`"${'m'.repeat(2000)}"`);
    expect(long).toEqual(short);
  });

  test('[FRAME-6] does not cut a character of an error in two', () => {
    const whole = `m\n${'m'.repeat(1997)}\u{1F415}`;
    for (const message of [whole, `${whole}\n\u{1F415}`]) {
      const frame = `e${JSON.stringify({ code: 'failed', message })}`;
      expect(decodeRoomMessage('', frame)).toMatchObject({ message: whole });
    }
  });

  test('pollutes no prototype', () => {
    decodeChanges('[{"__proto__":{"__proto__":{"polluted":1}}},{"__proto__":1},{"__proto__":0}]');
    decodeContent('[{"__proto__":{"__proto__":{"polluted":1}}},{"__proto__":{"polluted":1}}]');
    decodeRoomMessage('', 's[{"__proto__":{"__proto__":"\uFFFC","r":{"polluted":1}}},{},1]');
    encodeRoomMessage('', {
      type: 'stock',
      changes: decodeChanges('[{"__proto__":{"polluted":{"polluted":1}}},{},{"__proto__":["r"]}]'),
    });
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect('polluted' in {}).toBe(false);
  });
});

describe('content', () => {
  test('what was encoded is decoded', () => {
    fc.assert(
      fc.property(contents, (content) => {
        const decoded = decodeContent(encodeContent(content));
        expect(decoded && listed(decoded)).toEqual(listed(content));
      }),
    );
  });

  test('an empty text is no Store, and [{},{}] is an empty one', () => {
    expect(decodeContent('')).toBeUndefined();
    expect(decodeContent('[{},{}]')?.isEmpty).toBe(true);
  });

  test('cannot hold a deletion', () => {
    expect(codeOf(() => decodeContent('[{"t":{"r":{"c":"\uFFFC"}}},{}]'))).toBe('malformed');
    expect(codeOf(() => decodeContent('[{"t":"\uFFFC"},{}]'))).toBe('malformed');
  });
});

/** Everything that decodes a text, with a text that it takes. */
const decoders: readonly (readonly [string, (text: string) => unknown, string])[] = [
  ['hello', (text) => decodeClientMessage('', `h${text}`), helloText()],
  ['push', (text) => decodeClientMessage('', `p${text}`), '[1,[{"t":{"r":{"c":1}}},{}]]'],
  ['check', (text) => decodeClientMessage('', `i${text}`), '[1]'],
  ['client stock', (text) => decodeClientMessage('', `s${text}`), '[{"t":{"r":{"c":1}}},{},1]'],
  [
    'welcome',
    (text) => decodeRoomMessage('', `w${text}`),
    '{"generation":1,"cursor":["e",1],"pushed":0,"limits":[1,2],"changes":[{},{}]}',
  ],
  ['commit', (text) => decodeRoomMessage('', `c${text}`), '[1,[{},{"v":1},{"t":["r"]}]]'],
  ['ack', (text) => decodeRoomMessage('', `a${text}`), '[1,1,1,[{},{}],"hook"]'],
  ['pong', (text) => decodeRoomMessage('', `o${text}`), '[1,0]'],
  [
    'error',
    (text) => decodeRoomMessage('', `e${text}`),
    '{"code":"malformed","message":"m","push":1}',
  ],
  ['room stock', (text) => decodeRoomMessage('', `s${text}`), '[{"t":{"r":"\uFFFC"}},{},1]'],
  ['changes', decodeChanges, '[{"t":{"r":{"c":1}}},{"v":1},{"t":0}]'],
  ['content', decodeContent, '[{"t":{"r":{"c":1}}},{"v":1}]'],
  ['seed correction', decodeSeedAnswer, '{"correction":[{},{"v":1}],"reason":"hook"}'],
  ['part of a push', (text) => decodeClientMessage('', `m${text}`), '[1,2,4,"xy"]'],
  ['receipt', (text) => decodeRoomMessage('', `m${text}`), '[1,2]'],
];

function helloText(): string {
  return `{"protocol":1,"client":"${'c'.repeat(22)}","generation":1,"cursor":null,"next":1,"acked":0}`;
}

type Json = unknown[] | { [key: string]: unknown };

/** Every text that differs from this one in one place: a part missing, of another type, or out of range. */
function* mutations(text: string): Generator<string> {
  const replacements: unknown[] = [null, true, -1, 0.5, 2 ** 53, 'x', '\uFFFC', [], {}, [[]]];
  for (const replacement of replacements) yield JSON.stringify(replacement);
  const paths = [...pathsOf(JSON.parse(text) as Json)];
  for (const path of paths) {
    for (const replacement of [undefined, ...replacements]) {
      const copy = JSON.parse(text) as Json;
      let parent = copy as Record<string, unknown>;
      for (const key of path.slice(0, -1)) parent = parent[key] as Record<string, unknown>;
      const last = path.at(-1) ?? '';
      if (replacement === undefined) delete parent[last];
      else parent[last] = replacement;
      yield JSON.stringify(copy);
    }
  }
  for (let length = 0; length < text.length; length++) yield text.slice(0, length);
  yield `${text}]`;
  yield `[${text}]`;
}

function* pathsOf(json: unknown): Generator<string[]> {
  if (typeof json !== 'object' || json === null) return;
  for (const [key, child] of Object.entries(json)) {
    yield [key];
    for (const path of pathsOf(child)) yield [key, ...path];
  }
}

describe.each(decoders)('a malformed %s', (_what, decode, valid) => {
  test('is refused with a typed error, or is valid after all', () => {
    expect(() => decode(valid)).not.toThrow();
    let refused = 0;
    for (const text of mutations(valid)) {
      const code = codeOf(() => decode(text));
      expect(['malformed', 'nothing was thrown']).toContain(code);
      if (code === 'malformed') refused++;
    }
    expect(refused).toBeGreaterThan(valid.length / 2);
  });

  test('may be any text or JSON', () => {
    const texts = fc.oneof(fc.json(), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(texts, (text) => {
        expect(['malformed', 'nothing was thrown']).toContain(codeOf(() => decode(text)));
      }),
      { numRuns: 40 },
    );
  });

  test('may be nested too deeply to be written again', () => {
    const deep = nested(20_000);
    for (const text of [deep, `[${deep},{}]`, `[{"t":{"r":{"c":${deep}}}},{}]`]) {
      expect(codeOf(() => decode(text))).toBe('malformed');
    }
  });
});

function messageOf(decode: () => unknown): string {
  try {
    decode();
  } catch (error) {
    return error instanceof Error ? error.message : 'no error';
  }
  return 'nothing was thrown';
}

describe('what is wrong, and where, is said of', () => {
  test.each([
    ['[]', 'expected [tables, values]'],
    ['[{}]', 'expected [tables, values]'],
    ['{"tables":{}}', 'expected [tables, values]'],
    ['[{},{},{}]', 'expected [tables, values]'],
    ['null', 'expected [tables, values]'],
    ['[[],{}]', 'tables must be an object'],
    ['[{},null]', 'values must be an object'],
    ['[{"pets":[]},{}]', 'pets must be an object of rows'],
    ['[{"pets":{"fido":"dog"}},{}]', 'pets/fido must be an object of cells'],
    [
      '[{"pets":{"fido":{"species":"dog","age":"\uFFFC"}}},{}]',
      'a Store cannot hold the cell pets/fido/age',
    ],
    ['[{},{"ok":[1],"open":"\uFFFD{"}]', 'a Store cannot hold the value open'],
    [`[{"${'x'.repeat(70)}":1},{}]`, `${'x'.repeat(60)}… must be an object of rows`],
  ])('content: %s', (text, fault) => {
    expect(messageOf(() => decodeContent(text))).toBe(`Invalid content: ${fault}`);
  });

  test.each([
    ['[1,[]]', 'expected [tables, values] or [tables, values, deletedRows]'],
    ['[1,[{"pets":{"fido":1}},{}]]', 'pets/fido must be an object of cells'],
    [
      '[1,[{"pets":{"fido":{"old":"\uFFFC","age":"\uFFFD{"}}},{}]]',
      'a Store cannot hold the cell pets/fido/age',
    ],
    ['[1,[{},{},{"pets":[]}]]', 'expected an array'],
    ['[0,[{},{}]]', 'push numbers begin at 1'],
  ])('a push: %s', (text, fault) => {
    expect(messageOf(() => decodeClientMessage('', `p${text}`))).toBe(`Invalid push: ${fault}`);
    expect(messageOf(() => decodeWholePush(1, text))).toBe(`Invalid push: ${fault}`);
  });

  test('content that misses or has anything else, in other words than its codec has', () => {
    for (const text of mutations('[{"t":{"r":{"c":1}}},{"v":1}]')) {
      expect(messageOf(() => decodeContent(text))).not.toMatch(
        /expected an? (array|object)|this leaf/,
      );
    }
  });
});

function nested(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth);
}

describe.each([201, 257, 3_907, 20_000, 200_000, 1_000_000])('[CHANGES-4] %i levels', (depth) => {
  const plain = nested(depth);
  const objects = `${'{\\"a\\":'.repeat(depth)}1${'}'.repeat(depth)}`;
  const leaves = [
    plain,
    `"\uFFFD${plain}"`,
    `"\uFFFD${objects}"`,
    `"\uFFFD${'['.repeat(2 * depth)}"`,
  ];

  test.each([
    ['content', (leaf: string) => decodeSendableContent(`[{"t":{"r":{"c":${leaf}}}},{}]`)],
    ['Values', (leaf: string) => decodeSendableContent(`[{},{"v":${leaf}}]`)],
    ['a push', (leaf: string) => decodeClientMessage('', `p[1,[{"t":{"r":{"c":${leaf}}}},{}]]`)],
    ['a push in parts', (leaf: string) => decodeWholePush(1, `[1,[{},{"v":${leaf}}]]`)],
    [
      'stock changes',
      (leaf: string) => decodeClientMessage('', `s[{"t":{"r":{"c":${leaf}}}},{},1]`),
    ],
  ])('are refused in %s that comes to a room', (_where, decode) => {
    for (const leaf of leaves) {
      expect(codeOf(() => decode(leaf))).toBe('malformed');
      expect(messageOf(() => decode(leaf))).toMatch(/levels deep$/);
    }
  });

  test('do not keep a client or a storage from reading what else there is', () => {
    const leaf = `"\uFFFD${plain}"`;
    const json = `[{"t":{"r":{"c":${leaf},"d":1}}},{}]`;
    const heard = [
      decodeChanges(json).leaves,
      decodeContent(json),
      (decodeRoomMessage('', `c[2,${json}]`) as Commit).changes.leaves,
      (decodeRoomMessage('', `a[2,2,1,${json}]`) as Ack).correction?.leaves,
      (decodeRoomMessage('', `s${json.slice(0, -1)},1]`) as StockChanges).changes.leaves,
    ];
    for (const decoded of heard) {
      expect(decoded?.get('t', 'r', 'd')).toBe(1);
      expect(decoded?.get('t', 'r', 'c')).toBe(`\uFFFD${plain}`);
    }
  });
});

test('[CHANGES-4] 200 levels are none too many, and brackets in texts do not count', () => {
  const leaf = `\uFFFD${nested(200)}`;
  const brackets = `\uFFFD["${'['.repeat(1000)}\\"[[["]`;
  const json = JSON.stringify([{ t: { r: { c: leaf, d: brackets } } }, {}]);
  for (const content of [decodeSendableContent(json), decodeContent(json)]) {
    expect(content?.get('t', 'r', 'c')).toBe(leaf);
    expect(content?.get('t', 'r', 'd')).toBe(brackets);
  }
  const plain = decodeSendableContent(`[{"t":{"r":{"c":${nested(200)}}}},{}]`);
  expect(plain?.get('t', 'r', 'c')).toBe(leaf);
  expect(messageOf(() => decodeSendableContent(`[{"t":{"r":{"c":${nested(201)}}}},{}]`))).toBe(
    'Invalid content: The Cell ["t","r","c"] is nested more than 200 levels deep',
  );
});

describe('a malformed leaf', () => {
  const refused = ['[1', 'x', '{"a":NaN}', ''].map((json) => JSON.stringify(`\uFFFD${json}`));

  test.each(refused)('is refused with a typed error: %s', (leaf) => {
    expect(codeOf(() => decodeChanges(`[{"t":{"r":{"c":${leaf}}}},{}]`))).toBe('malformed');
    expect(codeOf(() => decodeChanges(`[{},{"v":${leaf}}]`))).toBe('malformed');
    expect(codeOf(() => decodeClientMessage('', `s[{},{"v":${leaf}},1]`))).toBe('malformed');
  });

  test.each(['undefined', '"\uFFFC"', '"\uFFFD[1]"'])(
    '[CHANGES-4] is one that no message may carry: %s',
    (json) => {
      const leaf = JSON.stringify(`\uFFFD${json}`);
      expect(codeOf(() => decodeClientMessage('', `p[1,[{},{"v":${leaf}}]]`))).toBe('malformed');
      expect(codeOf(() => decodeClientMessage('', `s[{},{"v":${leaf}},1]`))).toBe('malformed');
      // Whoever reads what a room holds is not stopped by one.
      expect(decodeChanges(`[{},{"v":${leaf}}]`).leaves.get(null, '', 'v')).toBe(`\uFFFD${json}`);
    },
  );

  test('is one where a number has no value in JSON', () => {
    expect(codeOf(() => decodeContent('[{},{"v":1e999}]'))).toBe('malformed');
  });
});

describe('numbers, ids and codes', () => {
  test.each([
    ['a push number of 0', 'p[0,[{},{}]]'],
    ['a push number that is not whole', 'p[1.5,[{},{}]]'],
    ['a push number over the safe integers', `p[${2 ** 53},[{},{}]]`],
    ['a push that is neither derived nor an edit', 'p[1,[{},{}],0]'],
    ['a push with anything more', 'p[1,[{},{}],1,1]'],
    ['a negative ack', `h${helloText().replace('"acked":0', '"acked":-1')}`],
    ['a client id that is too short', `h${helloText().replace('c'.repeat(22), 'c'.repeat(21))}`],
    ['a client id with a line end', `h${helloText().replace('c"', 'c\\n"')}`],
    ['a client id of other characters', `h${helloText().replace('cc', '+/')}`],
    ['an empty epoch', `h${helloText().replace('null', '["",1]')}`],
    ['an epoch over 64 characters', `h${helloText().replace('null', `["${'e'.repeat(65)}",1]`)}`],
    ['no rows where rows are deleted', 'p[1,[{},{},{"t":[]}]]'],
    ['a row id that is a number', 'p[1,[{},{},{"t":[1]}]]'],
    ['a table of deleted rows that is 1', 'p[1,[{},{},{"t":1}]]'],
  ])('refuses %s', (_what, frame) => {
    expect(codeOf(() => decodeClientMessage('', frame))).toBe('malformed');
  });

  test('refuses an error code that is not one, and those every object has', () => {
    for (const code of ['', 'no', 'constructor', '__proto__', 'toString']) {
      const frame = `e${JSON.stringify({ code, message: '' })}`;
      expect(codeOf(() => decodeRoomMessage('', frame))).toBe('malformed');
    }
  });

  test('reads over a reason that a later version may add', () => {
    expect(decodeRoomMessage('', 'a[1,1,0,null,"later"]')).toMatchObject({ reason: undefined });
  });
});

describe('seed corrections', () => {
  test.each(['hook', 'schema', 'failed', 'timeout', undefined] as const)(
    '[SEED-4] are decoded as they were encoded, with the reason %s',
    (reason) => {
      fc.assert(
        fc.property(changes, (correction) => {
          const decoded = decodeSeedAnswer(encodeSeedAnswer({ correction, reason }));
          if (decoded.correction === undefined) throw new Error('a correction became a cursor');
          expect(decoded.reason).toBe(reason);
          expect(described(decoded.correction)).toEqual(described(correction));
        }),
        { numRuns: 50 },
      );
    },
  );
});

test('[HTTP-9] the cursor of an answer 201 is decoded as it was encoded', () => {
  const cursor = { epoch: 'e', version: 1, tag: 'x' };
  expect(decodeSeedAnswer(encodeSeedAnswer({ cursor }))).toEqual({ cursor });
  expect(() => decodeSeedAnswer('{"cursor":["e"]}')).toThrow('correction');
});

describe('content with its cursor', () => {
  test('is what it was; version 0 and null are a room without a Store', () => {
    const cursor = { epoch: 'e', version: 7 };
    const json = '[{"t":{"r":{"c":1}}},{"v":"\uFFFD[1]"}]';
    const { content, ...loaded } = decodeLoadedContent(encodeLoadedContent(cursor, json));
    expect(loaded).toEqual({ cursor });
    expect(content && encodeContent(content)).toBe(json);
    expect(decodeLoadedContent(encodeLoadedContent(cursor, undefined)).content).toBeUndefined();
    const empty = { epoch: 'e', version: 0 };
    expect(decodeLoadedContent(encodeLoadedContent(empty, '[{},{}]'))).toEqual({
      cursor: empty,
      content: undefined,
    });
  });

  test('is plain content without one, and nothing else', () => {
    expect(decodeLoadedContent('')).toEqual({ cursor: undefined, content: undefined });
    expect(decodeLoadedContent('[{},{}]').cursor).toBeUndefined();
    for (const text of [
      '{}',
      '{"cursor":null,"content":null}',
      '<html>',
      '{"cursor":["e",1]}',
      '1',
    ])
      expect(codeOf(() => decodeLoadedContent(text))).toBe('malformed');
  });
});

describe('ETags', () => {
  test('[HTTP-1] what was encoded is decoded, also when a cache made it weak', () => {
    fc.assert(
      fc.property(cursors, (cursor) => {
        const etag = encodeETag(cursor);
        expect(etag).toBe(`"${cursor.epoch}.${cursor.version}"`);
        expect(decodeETag(etag)).toEqual(cursor);
        expect(decodeETag(`W/${etag}`)).toEqual(cursor);
      }),
    );
  });

  test('[STOCK-4] any other is not of a room of ours', () => {
    const others = [
      null,
      '',
      '*',
      'e.1',
      '"e"',
      '"e.1',
      '"e.1"x',
      '"e.-1"',
      '"e.1.5.6"',
      '".1"',
      'w/"e.1"',
      '"33a64df551425fcc55e4d42a148795d9f25f89d4"',
      '"e.9007199254740993"',
      `"${'e'.repeat(65)}.1"`,
    ];
    for (const etag of others) expect([etag, decodeETag(etag)]).toEqual([etag, undefined]);
  });
});
