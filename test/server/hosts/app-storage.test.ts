import { createStore } from 'tinybase';
import { expect, test } from 'vitest';

import { AppStorage } from '../../../src/server/hosts/app-storage.ts';
import { OwnStorage } from '../../../src/server/hosts/own-storage.ts';
import { RoomId } from '../../../src/server/hosts/room-id.ts';
import { watchStorage } from '../../../src/server/hosts/watch-storage.ts';
import { StockKeyWatch } from '../../../src/server/stock/stock-key-watch.ts';
import { deleteKeys } from '../../../src/server/storage/ordered-writes.ts';
import { manifestKey } from '../../../src/server/storage/storage-keys.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const MANIFEST = manifestKey('');

interface Transaction {
  rollback(): void;
  delete(keys: string[]): Promise<unknown>;
  put(entries: Record<string, unknown>): Promise<void>;
}

/** A storage with transactions: all that is done while one is open belongs to it, unless `isApart`. */
class TransactionalStorage extends StrictStorage {
  isApart = false;
  readonly kv: { delete(key: string): void } = { delete: (key) => void super.delete([key]) };

  isRefusing = false;

  override async deleteAll(): Promise<void> {
    if (this.isRefusing) throw new Error('within a transaction');
    await super.deleteAll();
  }

  async setAlarm(): Promise<void> {}

  transactionSync(closure: () => void): void {
    closure();
  }

  async transaction(closure: (transaction: Transaction) => unknown): Promise<void> {
    const before = await this.list();
    let isRolledBack = false;
    await closure({
      rollback: () => void (isRolledBack = true),
      delete: (keys) => super.delete(keys),
      put: (entries) => super.put(entries),
    });
    if (!isRolledBack || this.isApart) return;
    const added = [...(await this.list()).keys()].filter((key) => !before.has(key));
    await super.delete(added);
    await super.put(Object.fromEntries(before));
  }
}

/** A storage with a manifest, and the number of times that its room was emptied. */
const watched = async () => {
  const storage = new TransactionalStorage();
  await storage.put({ [MANIFEST]: 1, ofApp: 1 });
  const told: {
    emptied: number;
    isHeld: boolean;
    undone: unknown[];
    keysAtRelease: Promise<ReadonlyMap<string, unknown>> | undefined;
  } = { emptied: 0, isHeld: false, undone: [], keysAtRelease: undefined };
  const own = new OwnStorage(storage);
  const room = {
    storageEmptied: async () => void (told.emptied += 1),
    storageUndone: (error: unknown) => void told.undone.push(error),
  };
  watchStorage(
    storage,
    new AppStorage({
      room,
      roomId: new RoomId({ id: 'room' }, own, () => ''),
      ownStorage: own,
      heldFrames: {
        hold: () => void (told.isHeld = true),
        drop: () => undefined,
        release: () => {
          told.isHeld = false;
          told.keysAtRelease = storage.list();
        },
      },
      stockKeys: new StockKeyWatch(
        { store: createStore(), isLoaded: false },
        () => '',
        () => undefined,
      ),
      storagePrefix: () => '',
      lifecycle: () => undefined,
    }),
  );
  return { storage, own, told };
};

const DELETIONS: readonly (readonly [string, (storage: TransactionalStorage) => unknown])[] = [
  ['storage', (storage) => storage.delete([MANIFEST, 'ofApp'])],
  ['deleteAll', (storage) => storage.deleteAll()],
  ['storage of SQLite', (storage) => storage.kv.delete(MANIFEST)],
];

test.each(DELETIONS)(
  '[LIFE-7] what the app deletes by the %s empties the room at once',
  async (_by, remove) => {
    const { storage, told } = await watched();
    await remove(storage);
    expect(told.emptied).toBe(1);
  },
);

test.each(DELETIONS)(
  '[LIFE-7] what the app deletes by the %s in a transaction empties the room when that has ended',
  async (_by, remove) => {
    const { storage, told } = await watched();
    await storage.transaction(async () => {
      await storage.transaction(() => remove(storage));
      expect(told.emptied).toBe(0);
    });
    expect(told.emptied).toBe(1);
  },
);

test.each(DELETIONS)(
  '[LIFE-7] what the app deletes by the %s in a transaction that is rolled back does not empty the room',
  async (_by, remove) => {
    const { storage, told } = await watched();
    await storage.transaction(async (transaction) => {
      await storage.transaction(() => remove(storage));
      transaction.rollback();
    });
    expect([told.emptied, (await storage.list()).size]).toEqual([0, 2]);
  },
);

const BOTH = [
  ['storage', 'storage'],
  ['storage', 'transaction'],
  ['transaction', 'storage'],
  ['transaction', 'transaction'],
] as const;

test.each(BOTH)(
  '[LIFE-7] an app that deletes by the %s, and puts a copy back by the %s in the same transaction, does not empty the room',
  async (deletes, puts) => {
    const { storage, told } = await watched();
    const copy = Object.fromEntries(await storage.list());
    await storage.transaction(async (transaction) => {
      const by = { storage, transaction };
      await by[deletes].delete(Object.keys(copy));
      await by[puts].put(copy);
    });
    expect([told.emptied, (await storage.list()).size]).toEqual([0, 2]);
    await storage.transaction(async (transaction) => {
      const by = { storage, transaction };
      await by[puts].put(copy);
      await by[deletes].delete(Object.keys(copy));
    });
    expect(told.emptied).toBe(1);
  },
);

test('[LIFE-7] a transaction after which nobody knows what is there empties nothing: the next checkpoint or load tells', async () => {
  const { storage, told } = await watched();
  await storage.transaction(async () => {
    await storage.delete([MANIFEST]);
    storage.get = () => Promise.reject(new Error('of the disk'));
  });
  expect(told.emptied).toBe(0);
});

test('[LIFE-7] a host that has no deleteAll in a transaction empties nothing', async () => {
  const { storage, told } = await watched();
  const refused = storage.transaction(async () => {
    storage.isRefusing = true;
    await storage.deleteAll();
  });
  await expect(refused).rejects.toThrow('within a transaction');
  expect([told.emptied, (await storage.list()).size]).toEqual([0, 2]);
});

test('[LIFE-7] where a rollback does not bring back the manifest, the room is emptied', async () => {
  const { storage, told } = await watched();
  storage.isApart = true;
  await storage.transaction(async (transaction) => {
    await storage.delete([MANIFEST]);
    transaction.rollback();
  });
  expect(told.emptied).toBe(1);
});

test('[LIFE-8] what the room itself deletes in a transaction does not empty it again', async () => {
  const { storage, own, told } = await watched();
  await storage.transaction(() => deleteKeys(own, [MANIFEST]));
  expect(told.emptied).toBe(0);
});

test('[DURABLE-6] nobody hears anything before the outermost transaction has ended, and what was undone is written again', async () => {
  const { storage, own, told } = await watched();
  await storage.transaction(async (transaction) => {
    await storage.transaction(() => own.put('row', 1));
    expect(told.isHeld).toBe(true);
    transaction.rollback();
  });
  expect(told.isHeld).toBe(false);
  expect((await told.keysAtRelease)?.has('row')).toBe(true);
});

test('[DURABLE-6] the id of the room is stored again if it was undone with a transaction and could not be written again', async () => {
  const { storage, told } = await watched();
  await storage.transaction(async (transaction) => {
    await storage.setAlarm();
    transaction.rollback();
    // The rollback of this storage writes twice.
    storage.failWrites(9, { takesEffect: false, spared: 2 });
  });
  storage.failWrites(0, { takesEffect: false });
  expect([told.undone.length, (await storage.list()).size]).toEqual([1, 2]);
  await storage.setAlarm();
  expect([...(await storage.list()).keys()]).toContain('@tinybase-partykit/room-id');
});

test('[LIFE-7] a transaction within another one may delete any number of keys', async () => {
  const { storage, told } = await watched();
  await storage.transaction(() => {
    storage.transactionSync(() => {
      for (let key = 0; key < 200_000; key += 1) storage.kv.delete(`${key}`);
      storage.kv.delete(MANIFEST);
    });
  });
  expect(told.emptied).toBe(1);
});
