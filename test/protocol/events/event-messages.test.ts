import { expect, test } from 'vitest';

import * as fromClient from '../../../src/protocol/events/event-from-client.ts';
import { isEventName } from '../../../src/protocol/events/event-names.ts';
import * as fromRoom from '../../../src/protocol/events/event-from-room.ts';
import { namedCalls } from '../../../src/protocol/events/named-calls.ts';

test.each([
  [{ name: 'wave', input: undefined, id: undefined }, '["wave"]'],
  [{ name: 'wave', input: null, id: undefined }, '["wave",null]'],
  [{ name: 'wave', input: undefined, id: 3 }, '["wave",null,3,1]'],
  [{ name: 'wave', input: null, id: 3 }, '["wave",null,3]'],
  [{ name: 'addNote', input: { text: 'a"b' }, id: 0 }, '["addNote",{"text":"a\\"b"},0]'],
  [{ name: 'sum', input: [1, [2]], id: undefined }, '["sum",[1,[2]]]'],
])('a call %j is %s on the wire, and is read back', (message, json) => {
  expect(fromClient.encode(message)).toBe(json);
  expect(fromClient.decode(json)).toEqual(message);
});

test.each([
  [{ type: 'event', name: 'closed', data: undefined, from: undefined }, '["closed"]'],
  [{ type: 'event', name: 'closed', data: null, from: undefined }, '["closed",null]'],
  [{ type: 'event', name: 'waved', data: undefined, from: 'ada' }, '["waved",null,"ada",1]'],
  [{ type: 'event', name: 'waved', data: null, from: 'ada' }, '["waved",null,"ada"]'],
  [{ type: 'event', name: 'waved', data: { by: 'a' }, from: '' }, '["waved",{"by":"a"},""]'],
  [{ type: 'result', id: 7, result: undefined }, '[7]'],
  [{ type: 'result', id: 7, result: null }, '[7,null]'],
  [{ type: 'result', id: 7, result: ['x'] }, '[7,["x"]]'],
  [
    { type: 'failure', id: 7, error: { code: 'failed', message: 'no' } },
    '[7,null,{"code":"failed","message":"no"}]',
  ],
] as const)('%j is %s on the wire, and is read back', (message, json) => {
  expect(fromRoom.encode(message)).toBe(json);
  expect(fromRoom.decode(json)).toMatchObject(message);
});

test.each([
  '',
  '{}',
  '[]',
  '[1]',
  '["a",1,-1]',
  '["a",1,"1"]',
  '["a",1,2,1]',
  '["a",null,2,2]',
  '["a"',
  'null',
  '["a",1,2,3,4]',
])('a call %s is malformed', (json) => {
  expect(() => fromClient.decode(json)).toThrow(expect.objectContaining({ code: 'malformed' }));
});

test.each([
  '',
  '{}',
  '[]',
  '[null]',
  '[-1]',
  '[1.5]',
  '["a",1,2]',
  '["a",1,"b",2]',
  '[1,null,{}]',
  '[1,null,{"code":"x","message":"y"}]',
  '[1,2,null,1]',
])('a message %s of a room is malformed', (json) => {
  expect(() => fromRoom.decode(json)).toThrow(expect.objectContaining({ code: 'malformed' }));
});

test('data that JSON does not have cannot be sent', () => {
  const circular: unknown[] = [];
  circular.push(circular);
  for (const data of [() => 1, Symbol('s'), 1n, circular, { toJSON: () => undefined }]) {
    const event = { type: 'event', name: 'a', data, from: undefined } as const;
    expect(() => fromRoom.encode(event)).toThrow(TypeError);
    expect(() => fromClient.encode({ name: 'a', input: data, id: 1 })).toThrow(TypeError);
  }
});

test.each([
  ['["addNote",{"text":[[[[],7]', 7],
  ['["addNote",null,12]', 12],
  ['["addNote",null]', undefined],
  ['{"addNote":1,12]', undefined],
  ['["addNote",12', undefined],
])('of a call that nobody can read, %s, the number is still known: %s', (json, id) => {
  expect(fromClient.decodeCallId(json)).toBe(id);
});

test('[EVENT-4] names are identifiers that functions, objects and promises do not have', () => {
  for (const name of ['addNote', 'ä', '$', '_a1', 'data', 'error', 'send', 'broadcast'])
    expect([name, isEventName(name)]).toEqual([name, true]);
  const wrong = ['', '1a', 'a b', 'a-b', 'a.b', '💥', 'a\n', 'a"'];
  const reserved = ['then', 'catch', 'finally', 'call', 'apply', 'bind', 'name', 'length'];
  const inherited = ['constructor', '__proto__', 'toString', 'valueOf', 'hasOwnProperty', 'toJSON'];
  const others = ['prototype', 'arguments', 'caller', '__defineGetter__'];
  for (const name of [...wrong, ...reserved, ...inherited, ...others])
    expect([name, isEventName(name)]).toEqual([name, false]);
});

test('[EVENT-4] both forms call by name, and nobody takes them for a promise', async () => {
  const called: unknown[] = [];
  const calls = namedCalls((name, data) => called.push([name, data]));
  const byName = calls as unknown as Record<string, (data?: unknown) => unknown>;
  calls('one', 1);
  byName['two']?.(2);
  byName['three']?.();
  expect(called).toEqual([
    ['one', 1],
    ['two', 2],
    ['three', undefined],
  ]);
  expect(await (calls as unknown)).toBe(calls);
  expect(await Promise.all([calls as unknown, calls as unknown])).toEqual([calls, calls]);
  expect(byName['then']).toBeUndefined();
  expect(JSON.stringify({ calls })).toBe('{}');
  expect(String(calls)).toContain('function');
  expect(called).toHaveLength(3);
});
