import { expect, test } from 'vitest';

import { watchStorage } from '../../../src/server/hosts/watch-storage.ts';

/** A storage as hosts have it: its methods are the prototype's, and need it as `this`. */
class FakeStorage {
  readonly #calls: unknown[][] = [];

  get calls(): readonly unknown[][] {
    return this.#calls;
  }

  async deleteAll(...received: unknown[]): Promise<void> {
    this.#calls.push(['deleteAll', ...received]);
  }

  async setAlarm(...received: unknown[]): Promise<void> {
    this.#calls.push(['setAlarm', ...received]);
  }
}

const watched = (): { storage: FakeStorage; seen: string[] } => {
  const storage = new FakeStorage();
  const seen: string[] = [];
  const around = (name: string) => async (proceed: () => Promise<unknown>) => {
    seen.push(`before ${name}`);
    const answer = await proceed();
    seen.push(`after ${name}`);
    return answer;
  };
  const isWatched = watchStorage(storage, {
    aroundDeleteAll: around('deleteAll'),
    aroundSetAlarm: around('setAlarm'),
  });
  expect(isWatched).toBe(true);
  return { storage, seen };
};

test('what the app calls goes through the watcher, with its parameters', async () => {
  const { storage, seen } = watched();
  await storage.setAlarm(5, { allowUnconfirmed: true });
  await storage.deleteAll({});
  expect(seen).toEqual([
    'before setAlarm',
    'after setAlarm',
    'before deleteAll',
    'after deleteAll',
  ]);
  expect(storage.calls).toEqual([
    ['setAlarm', 5, { allowUnconfirmed: true }],
    ['deleteAll', {}],
  ]);
});

test('the call is made at once: what the app calls after it comes after it', () => {
  const { storage } = watched();
  void storage.setAlarm(1);
  void storage.deleteAll();
  expect(storage.calls).toEqual([['setAlarm', 1], ['deleteAll']]);
});

test('the keys of the storage are the same as before', () => {
  expect(Object.keys(watched().storage)).toEqual([]);
});

test('what fails, fails for the app', async () => {
  const storage = new FakeStorage();
  watchStorage(storage, {
    aroundDeleteAll: () => Promise.reject(new Error('the room is busy')),
    aroundSetAlarm: (proceed) => proceed(),
  });
  await expect(storage.deleteAll()).rejects.toThrow('the room is busy');
  expect(storage.calls).toEqual([]);
});

test('a storage that cannot be watched is left as it is', async () => {
  const storage = Object.freeze(new FakeStorage());
  const isWatched = watchStorage(storage, {
    aroundDeleteAll: () => Promise.reject(new Error('not reached')),
    aroundSetAlarm: () => Promise.reject(new Error('not reached')),
  });
  expect(isWatched).toBe(false);
  await storage.deleteAll();
  expect(storage.calls).toEqual([['deleteAll']]);
});
