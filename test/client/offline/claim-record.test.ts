import { expect, test } from 'vitest';

import { claimRecord, lockOf } from '../../../src/client/offline/claim-record.ts';
import {
  encodeHead,
  encodeHeld,
  RecordKeys,
  scopeOf,
} from '../../../src/client/offline/client-record.ts';
import type { OfflineLocks, OfflineWrite } from '../../../src/client/offline/offline-storage.ts';
import { MemoryLocks, MemoryOfflineStorage } from '../../support/offline-doubles.ts';
import { changesOf } from '../session/scripted-room.ts';

const KEYS = new RecordKeys(scopeOf(undefined, 'ws://host/room', ''));
const ID = 'c'.repeat(22);
/** The record that an earlier session of this page has written. */
const OWN = { fresh: ID, preferred: ID };
const HEAD = encodeHead({ generation: 7, lastNumber: 3, savedAt: 0, clientId: undefined });

function recordWith(head: string): MemoryOfflineStorage {
  const storage = new MemoryOfflineStorage();
  storage.entries.set(KEYS.head(ID), head);
  storage.entries.set(KEYS.held(ID), encodeHeld(changesOf([{ t: { r: { c: 1 } } }, {}])));
  return storage;
}

/** Locks of which one is taken at the first time that it is asked for, and free from then on. */
function lateLocks(late: string): OfflineLocks {
  const locks = new MemoryLocks().of({});
  let isLate = true;
  return {
    take: async (name, milliseconds) => {
      if (name !== late || !isLate) return await locks.take(name, milliseconds);
      isLate = false;
      return undefined;
    },
  };
}

test('[OFFLINE-3] a page whose own record was locked until now by its earlier session goes on with all of it', async () => {
  const storage = recordWith(HEAD);
  const claimed = await claimRecord({ storage, locks: lateLocks(lockOf(ID)), keys: KEYS }, OWN);
  expect(claimed).toMatchObject({ recordId: ID, headText: HEAD });
  expect(claimed?.head).toMatchObject({ generation: 7, lastNumber: 3 });
  expect(claimed?.edits.held?.leaves.get('t', 'r', 'c')).toBe(1);
});

test('[OFFLINE-7] a page does not go on with its own record if a newer version has written it meanwhile', async () => {
  const storage = recordWith('[1000,1,1,1]');
  await expect(
    claimRecord({ storage, locks: lateLocks(lockOf(ID)), keys: KEYS }, OWN),
  ).rejects.toThrow('newer');
  expect(storage.writes).toEqual([]);
});

test('without locks, a page goes on with no edits, not even those of its own id', async () => {
  const claimed = await claimRecord(
    { storage: recordWith(HEAD), locks: undefined, keys: KEYS },
    { fresh: ID, preferred: undefined },
  );
  expect(claimed).toMatchObject({ recordId: ID, head: undefined });
  expect(claimed?.edits).toEqual({ pushes: [], held: undefined, damaged: [] });
});

test('[OFFLINE-3] a page waits long for the record of its earlier session, and takes no other in its place', async () => {
  const storage = recordWith(HEAD);
  storage.entries.set(KEYS.head('o'.repeat(22)), HEAD);
  const asked: [string, number][] = [];
  const busy: OfflineLocks = {
    take: async (name, milliseconds) => {
      asked.push([name, milliseconds]);
      return undefined;
    },
  };
  expect(await claimRecord({ storage, locks: busy, keys: KEYS }, OWN)).toBeUndefined();
  expect(asked).toEqual([
    [lockOf(ID), 4000],
    [lockOf(ID), 0],
  ]);
});

test('[OFFLINE-3] a page whose earlier session has written nothing leaves no moment for another one to take its lock', async () => {
  const storage = new MemoryOfflineStorage();
  const locks = new MemoryLocks().of({});
  let releases = 0;
  const counted: OfflineLocks = {
    take: async (name, milliseconds) => {
      const release = await locks.take(name, milliseconds);
      return (
        release &&
        (() => {
          releases += 1;
          release();
        })
      );
    },
  };
  const claimed = await claimRecord({ storage, locks: counted, keys: KEYS }, OWN);
  expect(claimed).toMatchObject({ recordId: ID, headText: undefined });
  expect(releases).toBe(0);
});

test('a page that is loaded again reads no edits but its own, and these once', async () => {
  const storage = recordWith(HEAD);
  const read: string[] = [];
  const counted = {
    read: (prefix: string) => {
      read.push(prefix);
      return storage.read(prefix);
    },
    write: (write: OfflineWrite) => storage.write(write),
  };
  await claimRecord(
    { storage: counted, locks: new MemoryLocks().of({}), keys: KEYS },
    { fresh: 'fresh', preferred: ID },
  );
  expect(read.filter((prefix) => prefix.startsWith(KEYS.edits))).toEqual([KEYS.editsOf(ID)]);
});
