import { expect, test } from 'vitest';

import {
  addGateHeaders,
  responseHeadersTo,
  type AllowedOrigins,
} from '../../../src/server/http/cors.ts';

const from = (origin: string | undefined, asked?: string): Request =>
  new Request('http://room.example/store', {
    headers: {
      ...(origin === undefined ? {} : { Origin: origin }),
      ...(asked === undefined ? {} : { 'Access-Control-Request-Headers': asked }),
    },
  });

test('without allowedOrigins, the configured headers are all there is', () => {
  const open = responseHeadersTo(from('https://a.example'), {});
  expect(open.get('Access-Control-Allow-Origin')).toBe('*');
  expect(open.get('Access-Control-Allow-Credentials')).toBeNull();
  const own = responseHeadersTo(from('https://a.example'), { responseHeaders: { 'X-Own': '1' } });
  expect([...own]).toEqual([['x-own', '1']]);
});

test('[HTTP-5] an allowed origin is named, and everything that it asks for', () => {
  const headers = responseHeadersTo(from('https://a.example', 'x-tab'), {
    allowedOrigins: ['https://b.example', 'https://a.example/'],
    responseHeaders: { 'Access-Control-Allow-Origin': '*', 'X-Own': '1', Vary: 'Accept' },
  });
  expect(Object.fromEntries(headers)).toEqual({
    'access-control-allow-credentials': 'true',
    'access-control-allow-headers': 'x-tab',
    'access-control-allow-methods': 'GET, HEAD, PUT, OPTIONS',
    'access-control-allow-origin': 'https://a.example',
    vary: 'Accept, Origin, Access-Control-Request-Headers',
    'x-own': '1',
  });
});

test.each([
  undefined,
  'null',
  'https://a.example.evil',
  'http://a.example',
  'https://a.example:8443',
  'https://sub.a.example',
])('[HTTP-5] the origin %s is not allowed', (origin) => {
  const headers = responseHeadersTo(from(origin), {
    allowedOrigins: ['https://a.example', '*'],
    responseHeaders: { 'Access-Control-Allow-Origin': '*' },
  });
  expect(Object.fromEntries(headers)).toEqual({ vary: 'Origin' });
});

test('[HTTP-5] a function decides, and one that throws allows nothing', () => {
  const errors: unknown[] = [];
  const named = (allowedOrigins: (origin: string) => boolean): string | null =>
    responseHeadersTo(from('https://a.example'), {
      allowedOrigins,
      onError: (error) => errors.push(error),
    }).get('Access-Control-Allow-Origin');
  expect(named((origin) => origin.endsWith('.example'))).toBe('https://a.example');
  expect(named(() => undefined as never)).toBeNull();
  expect(errors).toEqual([]);
  expect(named((async () => true) as never)).toBeNull();
  expect(errors.splice(0)).toMatchObject([{ code: 'misuse' }]);
  const failure = new Error('no list');
  expect(
    named(() => {
      throw failure;
    }),
  ).toBeNull();
  expect(errors).toEqual([failure]);
});

test('[HTTP-5] of a list, its texts are allowed, and nothing else of it', () => {
  const allowedOrigins = [/evil/u, 'https://a.example', null] as never;
  const named = (origin: string): string | null =>
    responseHeadersTo(from(origin), { allowedOrigins }).get('Access-Control-Allow-Origin');
  expect(named('https://a.example')).toBe('https://a.example');
  for (const origin of ['https://evil.example', 'null']) expect(named(origin)).toBeNull();
});

const GATE = (origin: string): Readonly<Record<string, string>> => ({
  'Access-Control-Allow-Origin': origin,
  Vary: 'Origin',
});

test.each<readonly [string, AllowedOrigins | undefined, string, string | null, string | null]>([
  ['only the gate has a list', undefined, 'https://gate.example', 'https://gate.example', null],
  ['both allow it', ['https://app.example'], 'https://app.example', 'https://app.example', 'true'],
  ['the gate names another one', ['https://app.example'], 'https://gate.example', null, null],
  ['the gate alone allows it', ['https://other.example'], 'https://app.example', null, null],
])(
  '[GATE-10] [HTTP-5] a page may read an answer if all lists allow it: %s',
  (_what, allowedOrigins, gate, named, credentials) => {
    const request = new Request('https://room.example', {
      headers: { Origin: 'https://app.example' },
    });
    const responseHeaders = { Vary: 'Accept-Encoding' };
    const headers = responseHeadersTo(request, { responseHeaders, allowedOrigins });
    addGateHeaders(headers, GATE(gate), { allowedOrigins });
    expect(headers.get('Access-Control-Allow-Origin')).toBe(named);
    expect(headers.get('Access-Control-Allow-Credentials')).toBe(credentials);
    const vary = (headers.get('Vary') ?? '').split(', ');
    expect(vary).toContain('Accept-Encoding');
    expect(vary.filter((part) => part === 'Origin')).toHaveLength(1);
  },
);
