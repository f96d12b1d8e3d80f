import { expect, test } from 'vitest';

import { responseHeadersTo } from '../../../src/server/http/cors.ts';

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
  expect(named((async () => true) as never)).toBeNull();
  const failure = new Error('no list');
  expect(
    named(() => {
      throw failure;
    }),
  ).toBeNull();
  expect(errors).toEqual([failure]);
});
