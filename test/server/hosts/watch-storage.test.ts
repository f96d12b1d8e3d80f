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

  rollback(): void {
    this.isRolledBack = true;
    this.#storage.deleted.length = 0;
  }
}

class TransactionalStorage extends FakeStorage {
  readonly deleted: unknown[] = [];
  attempts = 1;

  async transaction<T>(closure: (transaction: FakeTransaction) => Promise<T>): Promise<T> {
    for (; this.attempts > 1; this.attempts--) await closure(new FakeTransaction(this));
    return await closure(new FakeTransaction(this));
  }
}

/** Watches a storage. `told` has the keys of each deletion that was told, and how each transaction ended. */
const deletionsOf = <Watched extends object>(
  storage: Watched,
): { storage: Watched; told: unknown[] } => {
  const told: unknown[] = [];
  watchStorage(storage, {
    aroundDeleteAll: (proceed) => proceed(),
    aroundSetAlarm: (proceed) => proceed(),
    aroundDelete: (proceed) => proceed(),
    afterDeletion: async (keys) => void told.push([...keys]),
    onTransaction: () => async (isKept, deleted) => {
      if (deleted !== undefined) told.push({ isKept, deleted });
    },
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
    expect(told).toEqual([{ isKept: true, deleted: ['a', 'b', 'c'] }]);
    expect(storage.deleted).toEqual(['a', ['b', 'c']]);
  });

  test.each<readonly [string, (transaction: FakeTransaction) => Promise<unknown>]>([
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
  ])('is not kept if it %s', async (what, closure) => {
    const { storage, told } = watchedTransactions();
    const ended = storage.transaction(closure);
    if (what === 'fails') await expect(ended).rejects.toThrow('of the app');
    else await ended;
    expect(told).toEqual([{ isKept: false, deleted: ['a'] }]);
  });

  test('is told once, and is not kept, if the host has run it again', async () => {
    const { storage, told } = watchedTransactions();
    storage.attempts = 2;
    await storage.transaction((transaction) => transaction.delete('a'));
    expect(told).toEqual([{ isKept: false, deleted: ['a', 'a'] }]);
  });
});

/** The storage of SQLite as hosts have it. */
class SqliteStorage extends TransactionalStorage {
  readonly puts: unknown[] = [];
  readonly kv: { delete(key: string): boolean; put(key: string, value: unknown): void } = {
    delete: (key) => this.deleted.push(key) > 0,
    put: (key) => void this.puts.push(key),
  };

  async put(entries: unknown, _value?: unknown): Promise<void> {
    this.puts.push(entries);
  }

  async delete(keys: unknown): Promise<void> {
    this.deleted.push(keys);
  }

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
    expect([storage.deleted, storage.puts]).toEqual([['a'], ['a']]);
  });

  test('is told of when the outermost transaction has ended, without what is put back or rolled back', () => {
    const { storage, told } = watchedSqlite();
    const result = storage.transactionSync(() => {
      storage.kv.delete('a');
      storage.kv.delete('b');
      storage.kv.put('b', 1);
      void storage.delete(['f', 'g', 'h', 'i']);
      void storage.put('f', 1);
      void storage.put({ g: 1, h: 1 });
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
    expect(told).toEqual([['a', 'i', 'c']]);
    storage.kv.delete('e');
    expect(told).toEqual([['a', 'i', 'c'], ['e']]);
  });
});
