import { expect, test } from 'vitest';

import { isCount } from '../../../src/server/storage/json-shape.ts';
import { StoredList } from '../../../src/server/storage/stored-list.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

function listIn(storage: StrictStorage): StoredList<number> {
  return new StoredList<number>(storage, {
    key: 'counts',
    isItem: isCount,
    unreadable: 'It cannot be read.',
    unwritable: 'It cannot be written.',
  });
}

test('what was written is there for a later object; nothing is an empty list', async () => {
  const storage = new StrictStorage();
  expect(await listIn(storage).read()).toEqual([]);
  await listIn(storage).write([3, 1]);
  expect(await listIn(storage).read()).toEqual([3, 1]);
});

test.each([['no JSON'], ['{"0":1}'], ['[1,-1]'], [7]])(
  'a damaged row is unavailable: %s',
  async (row) => {
    const storage = new StrictStorage();
    await storage.put({ counts: row });
    await expect(listIn(storage).read()).rejects.toMatchObject({
      code: 'unavailable',
      message: 'It cannot be read.',
    });
  },
);

test('a write that fails is unavailable', async () => {
  const storage = new StrictStorage();
  storage.failWrites(1, { takesEffect: false });
  await expect(listIn(storage).write([1])).rejects.toMatchObject({
    code: 'unavailable',
    message: 'It cannot be written.',
  });
});
