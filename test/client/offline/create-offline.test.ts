import { expect, test } from 'vitest';

import {
  createIndexedDbOffline,
  createOffline,
  type IndexedDbOfflineOptions,
  type OfflineOptions,
} from '../../../src/client/offline/index.ts';

const storage = (): never => {
  throw new Error('Nothing opens it.');
};

test.each([
  ['a wrong name', { usr: 'ann' }, '"usr"'],
  ['another case', { User: 'ann' }, 'did you mean "user"?'],
  ['the user alone', 'ann', 'option user'],
  ['an empty text', '', 'option user'],
  ['null', null, 'option user'],
  ['a user that is a number', { user: 7 }, 'option user'],
  ['a user that is null', { user: null }, 'option user'],
  ['a promise of a user', { user: Promise.resolve('ann') }, 'option user'],
])('users never share edits because of %s', (_title, options, reason) => {
  const error = expect.objectContaining({
    code: 'misuse',
    message: expect.stringContaining(reason) as unknown,
  }) as Error;
  expect(() => createIndexedDbOffline(options as IndexedDbOfflineOptions)).toThrow(error);
  const given: unknown = typeof options === 'object' && options ? { storage, ...options } : options;
  expect(() => createOffline(given as OfflineOptions)).toThrow(error);
});

test('a device without users, or with one, is fine', () => {
  for (const options of [
    undefined,
    {},
    { user: undefined },
    { user: 'ann' },
    { databaseName: 'd' },
  ])
    expect(createIndexedDbOffline(options)).toBeDefined();
  expect(createOffline({ storage })).toBeDefined();
});
