import { describe, expect, test } from 'vitest';

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

/** As hosts have it: with an object for each transaction, that needs itself as `this`. */
class FakeTransaction {
  readonly #storage: TransactionalStorage;
  isRolledBack = false;

  constructor(storage: TransactionalStorage) {
    this.#storage = storage;
  }

  async delete(keys: unknown): Promise<boolean> {
    this.#storage.deleted.push(keys);
    return true;
  }

  async put(keys: string | Record<string, unknown>, _value?: unknown): Promise<void> {
    const put: unknown[] = typeof keys === 'string' ? [keys] : Object.keys(keys);
    this.#storage.put.push(...put);
  }

  rollback(): void {
    this.isRolledBack = true;
    this.#storage.deleted.length = 0;
  }
}

class TransactionalStorage extends FakeStorage {
  readonly deleted: unknown[] = [];
  readonly put: unknown[] = [];
  attempts = 1;

  async transaction<T>(closure: (transaction: FakeTransaction) => Promise<T>): Promise<T> {
    for (; this.attempts > 1; this.attempts--) await closure(new FakeTransaction(this));
    return await closure(new FakeTransaction(this));
  }
}

/** Watches a storage. `told` has the keys of each deletion that was told. */
const deletionsOf = <Watched extends object>(
  storage: Watched,
): { storage: Watched; told: unknown[] } => {
  const told: unknown[] = [];
  watchStorage(storage, {
    aroundDeleteAll: (proceed) => proceed(),
    aroundSetAlarm: (proceed) => proceed(),
    afterDeletion: async (keys) => void told.push([...keys]),
  });
  return { storage, told };
};

const watchedTransactions = (): { storage: TransactionalStorage; told: unknown[] } =>
  deletionsOf(new TransactionalStorage());

describe('a transaction', () => {
  test('is told with the keys that it has deleted, when it has ended, before the app goes on', async () => {
    const { storage, told } = watchedTransactions();
    const result = storage.transaction(async (transaction) => {
      expect(await transaction.delete('a')).toBe(true);
      await transaction.delete(['b', 'c']);
      expect(told).toEqual([]);
      return 'result';
    });
    expect(await result).toBe('result');
    expect(told).toEqual([['a', 'b', 'c']]);
    expect(storage.deleted).toEqual(['a', ['b', 'c']]);
  });

  test.each<readonly [string, (transaction: FakeTransaction) => Promise<unknown>]>([
    ['deletes nothing', () => Promise.resolve()],
    [
      'is rolled back',
      async (transaction) => {
        await transaction.delete('a');
        transaction.rollback();
      },
    ],
    [
      'fails',
      async (transaction) => {
        await transaction.delete('a');
        throw new Error('of the app');
      },
    ],
  ])('is not told if it %s', async (what, closure) => {
    const { storage, told } = watchedTransactions();
    const ended = storage.transaction(closure);
    if (what === 'fails') await expect(ended).rejects.toThrow('of the app');
    else await ended;
    expect(told).toEqual([]);
  });

  test('is not told of keys that it puts back, as one that restores a copy of the storage', async () => {
    const { storage, told } = watchedTransactions();
    await storage.transaction(async (transaction) => {
      await transaction.put('d', 1);
      await transaction.delete(['a', 'b', 'c', 'd']);
      await transaction.put('a', 1);
      await transaction.put({ b: 2, e: 3 });
    });
    expect(told).toEqual([['c', 'd']]);
    expect(storage.put).toEqual(['d', 'a', 'b', 'e']);
  });

  test('is told once, though the host has run it again', async () => {
    const { storage, told } = watchedTransactions();
    storage.attempts = 2;
    await storage.transaction((transaction) => transaction.delete('a'));
    expect(told).toEqual([['a']]);
  });
});

/** The storage of SQLite as hosts have it. */
class SqliteStorage extends TransactionalStorage {
  readonly kv: { delete(key: string): boolean; put(key: string, value: unknown): void } = {
    delete: (key) => this.deleted.push(key) > 0,
    put: (key) => void this.put.push(key),
  };

  transactionSync<T>(closure: () => T): T {
    return closure();
  }
}

const watchedSqlite = (): { storage: SqliteStorage; told: unknown[] } =>
  deletionsOf(new SqliteStorage());

describe('the storage of SQLite', () => {
  test('is told of at once, outside of a transaction', () => {
    const { storage, told } = watchedSqlite();
    expect(storage.kv.delete('a')).toBe(true);
    storage.kv.put('a', 1);
    expect(told).toEqual([['a']]);
    expect([storage.deleted, storage.put]).toEqual([['a'], ['a']]);
  });

  test('is told of when the outermost transaction has ended, without what is put back or rolled back', () => {
    const { storage, told } = watchedSqlite();
    const result = storage.transactionSync(() => {
      storage.kv.delete('a');
      storage.kv.delete('b');
      storage.kv.put('b', 1);
      storage.transactionSync(() => storage.kv.delete('c'));
      const rolledBack = (): void =>
        storage.transactionSync(() => {
          storage.kv.delete('d');
          throw new Error('of the app');
        });
      expect(rolledBack).toThrow('of the app');
      expect(told).toEqual([]);
      return 'result';
    });
    expect(result).toBe('result');
    expect(told).toEqual([['a', 'c']]);
    storage.kv.delete('e');
    expect(told).toEqual([['a', 'c'], ['e']]);
  });
});
