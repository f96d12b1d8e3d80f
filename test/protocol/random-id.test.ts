import { afterEach, expect, test, vi } from 'vitest';

import { randomId } from '../../src/protocol/random-id.ts';

afterEach(() => vi.restoreAllMocks());

test('is another one each time', () => {
  const ids = new Set(Array.from({ length: 1000 }, randomId));
  expect(ids.size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[\w-]{22}$/);
});

test.each([
  [0xff, '_____________________w'],
  [0xfb, '-_v7-_v7-_v7-_v7-_v7-w'],
  [0, 'AAAAAAAAAAAAAAAAAAAAAA'],
])('is all of 128 bits, in base64url: bytes of %i', (byte, id) => {
  vi.spyOn(crypto, 'getRandomValues').mockImplementation((array) => {
    if (array instanceof Uint8Array) array.fill(byte);
    return array;
  });
  expect(randomId()).toBe(id);
  expect(Uint8Array.from(Buffer.from(id, 'base64url'))).toEqual(new Uint8Array(16).fill(byte));
});

test('is another one each time where there is no crypto, too', () => {
  vi.stubGlobal('crypto', undefined);
  const ids = new Set(Array.from({ length: 1000 }, randomId));
  vi.unstubAllGlobals();
  expect(ids.size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[\w-]{22}$/);
});
