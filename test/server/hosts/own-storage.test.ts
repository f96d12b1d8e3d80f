import { expect, test } from 'vitest';

import { OwnStorage } from '../../../src/server/hosts/own-storage.ts';
import { watchStorage } from '../../../src/server/hosts/watch-storage.ts';
import { deleteKeys, isOwnDelete } from '../../../src/server/storage/ordered-writes.ts';
import { entriesOf, type Written } from '../../support/written.ts';

/** A storage with transactions to which everything belongs that is written while they are open, as on every host. */
class Storage {
  rows = new Map<string, unknown>();
  puts = 0;
  error: Error | undefined;
  onPut: (() => void) | undefined;
  /** The keys that somebody else than the room has deleted. */
  readonly deletedByApp: string[] = [];

  async get(keys: string[]): Promise<Map<string, unknown>> {
    return new Map([...this.rows].filter(([key]) => keys.includes(key)));
  }

  async list(): Promise<Map<string, unknown>> {
    return new Map(this.rows);
  }

  async put(written: Written, value?: unknown): Promise<void> {
    await Promise.resolve();
    this.onPut?.();
    if (this.error !== undefined) throw this.error;
    this.puts += 1;
    for (const [key, each] of Object.entries(entriesOf(written, value))) this.rows.set(key, each);
  }

  async delete(keys: string[], options?: unknown): Promise<number> {
    if (this.error !== undefined) throw this.error;
    if (!isOwnDelete(options)) this.deletedByApp.push(...keys);
    return keys.filter((key) => this.rows.delete(key)).length;
  }

  async deleteAll(): Promise<void> {}

  async setAlarm(): Promise<void> {}

  async transaction(closure: (transaction: { rollback(): void }) => unknown): Promise<void> {
    const before = new Map(this.rows);
    const rollback = (): void => void (this.rows = new Map(before));
    try {
      await closure({ rollback });
    } catch (error) {
      rollback();
      throw error;
    }
  }
}

const watched = () => {
  const storage = new Storage();
  const errors: unknown[] = [];
  const own = new OwnStorage(storage);
  watchStorage(storage, {
    aroundDeleteAll: (proceed) => proceed(),
    aroundSetAlarm: (proceed) => proceed(),
    onTransaction: () => {
      own.beginTransaction();
      return (isKept) =>
        own.endTransaction(isKept).catch((error: unknown) => void errors.push(error));
    },
  });
  return { storage, own, errors };
};

test('[DURABLE-6] what the room writes during a transaction that is rolled back is written again, and nothing of the app', async () => {
  const { storage, own } = watched();
  await own.put({ before: 1, removed: 1 });
  await storage.transaction(async (transaction) => {
    await storage.put('of the app', 1);
    await own.put('before', 2);
    await own.put({ one: 1, two: 2, taken: 1 });
    await own.put('one', 3);
    await deleteKeys(own, ['removed', 'taken']);
    transaction.rollback();
  });
  expect(storage.deletedByApp).toEqual([]);
  expect(Object.fromEntries(storage.rows)).toEqual({ before: 2, one: 3, two: 2 });
});

test('[DURABLE-6] it is there before the app hears that its transaction has failed', async () => {
  const { storage, own } = watched();
  const failed = storage.transaction(async () => {
    await own.put(Object.fromEntries(Array.from({ length: 300 }, (_, index) => [index, index])));
    throw new Error('of the app');
  });
  await expect(failed).rejects.toThrow('of the app');
  expect(storage.rows.size).toBe(300);
});

test('[DURABLE-6] what was written in a transaction within another one stays if either of them is rolled back', async () => {
  const { storage, own } = watched();
  await storage.transaction(async (outer) => {
    await own.put('early', 1);
    await storage.transaction(async (inner) => {
      await own.put('inner', 1);
      inner.rollback();
    });
    expect(storage.rows.get('inner')).toBe(1);
    outer.rollback();
  });
  expect([...storage.rows.keys()].toSorted()).toEqual(['early', 'inner']);
});

test('[DURABLE-6] after a write that failed, nothing of a transaction that is rolled back is written again', async () => {
  const { storage, own, errors } = watched();
  await own.put({ kept: 1 });
  await storage.transaction(async (transaction) => {
    await own.put('twice', 1);
    storage.error = new Error('The disk is full.');
    await expect(own.put('twice', 2)).rejects.toThrow('full');
    await expect(own.put({ once: 1, twice: 3 })).rejects.toThrow('full');
    await expect(deleteKeys(own, ['kept'])).rejects.toThrow('full');
    storage.error = undefined;
    transaction.rollback();
  });
  expect(Object.fromEntries(storage.rows)).toEqual({ kept: 1 });
  expect(errors.map(String)).toEqual(['Error: The disk is full.']);
  await storage.transaction((transaction) => transaction.rollback());
  expect(errors).toHaveLength(1);
});

test('[DURABLE-6] what the room writes next waits for what is written again, and fails with that', async () => {
  const { storage, own, errors } = watched();
  const later: Promise<unknown>[] = [];
  const ended = storage.transaction(async (transaction) => {
    await own.put('first', 1);
    transaction.rollback();
    storage.error = new Error('The disk is full.');
    storage.onPut = () => {
      storage.onPut = undefined;
      later.push(own.put('second', 2), deleteKeys(own, ['third']));
      // There is space again.
      storage.error = undefined;
      throw new Error('The disk is full.');
    };
  });
  await ended;
  expect((await Promise.allSettled(later)).map(({ status }) => status)).toEqual([
    'rejected',
    'rejected',
  ]);
  expect([storage.rows.size, errors.length]).toEqual([0, 1]);
  await own.put('second', 2);
  expect([...storage.rows.keys()]).toEqual(['second']);
});

test('nothing is written twice if no transaction is rolled back', async () => {
  const { storage, own } = watched();
  await own.put('a', 1);
  await storage.transaction(() => own.put('b', 1));
  expect(storage.puts).toBe(2);
  await storage.transaction((transaction) => transaction.rollback());
  expect(storage.puts).toBe(2);
});

test('[DURABLE-6] a failure to write it again is told', async () => {
  const { storage, own, errors } = watched();
  await storage.transaction(async (transaction) => {
    await own.put('a', 1);
    transaction.rollback();
    storage.error = new Error('The disk is full.');
  });
  expect(errors).toEqual([storage.error]);
});

test('[DURABLE-6] what could not be written again within another transaction, and what came after it, is not written when that is rolled back', async () => {
  const { storage, own, errors } = watched();
  const full = new Error('The disk is full.');
  await own.put('before', 1);
  await storage.transaction(async (outer) => {
    await storage.transaction(async (inner) => {
      await own.put({ first: 1, second: 1 });
      inner.rollback();
      storage.error = full;
    });
    storage.error = undefined;
    // The room has started again with what it read: neither of them.
    await own.put('first', 2);
    outer.rollback();
  });
  expect(Object.fromEntries(storage.rows)).toEqual({ before: 1 });
  // It starts once more.
  expect(errors).toEqual([full, full]);
  await storage.transaction(async (transaction) => {
    await own.put('first', 3);
    transaction.rollback();
  });
  expect(Object.fromEntries(storage.rows)).toEqual({ before: 1, first: 3 });
});
