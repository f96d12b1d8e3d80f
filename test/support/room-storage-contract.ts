import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ChangesBuilder } from '../../src/protocol/changes.ts';
import type { KeyValueStorage } from '../../src/server/storage/key-value-storage.ts';
import type { ClientRecord } from '../../src/server/storage/client-record.ts';
import type { StorageSizes } from '../../src/server/storage/storage-sizes.ts';
import { DyingStorage } from './dying-storage.ts';
import { anyStep, open, reopen, runToDeath, type Step } from './room-process.ts';
import {
  anyChanges,
  RoomModel,
  setCell,
  TINY_SIZES,
  type Transaction,
} from './stored-room-model.ts';

const anySizes = fc.constantFrom(undefined, TINY_SIZES);

function anySteps(maxLength: number): fc.Arbitrary<Step[]> {
  return fc.array(anyStep, { maxLength });
}

type MakeStorage = () => KeyValueStorage | Promise<KeyValueStorage>;

const SLOW_RUNS = 15;
const LARGE_TEST_MILLISECONDS = 120_000;
const DAY_MILLISECONDS = 24 * 60 * 60 * 1000;

/** Options of {@link describeRoomStorage}. */
export interface RoomStorageContractOptions {
  /** True where calls take milliseconds: tries less, and nothing of many megabytes. */
  readonly isSlow?: boolean;
}

/** Proves that rooms are durable on a host's storage. `makeStorage` gives an empty one each time. */
export function describeRoomStorage(
  name: string,
  makeStorage: MakeStorage,
  { isSlow = false }: RoomStorageContractOptions = {},
): void {
  const runs = isSlow ? { numRuns: SLOW_RUNS } : {};
  const scenarios = SCENARIOS.filter(({ isLarge = false }) => !isSlow || !isLarge);
  describe(`a room on ${name}`, () => {
    it('has no Store before its creation', async () => {
      expect(await open(await makeStorage()).load()).toBeUndefined();
    });

    it('[DURABLE-4] [ONCE-1] loads as it was written, whatever is in it', async () => {
      await fc.assert(
        fc.asyncProperty(anyChanges, anySizes, anySteps(12), async (seed, sizes, steps) => {
          const storage = await makeStorage();
          const model = new RoomModel('epoch', seed, sizes);
          let room = open(storage, undefined, sizes);
          await room.create(model.room);
          for (const step of steps) {
            if (step === 'reload') room = await reopen(storage, model);
            else if (step === 'checkpoint') await room.checkpoint(model.source);
            else await room.append(model.commit(step), 0);
          }
          await reopen(storage, model);
        }),
        runs,
      );
    });

    it('[DURABLE-2] writes one key, in one call, for a commit or a row of commits', async () => {
      const storage = new DyingStorage(await makeStorage());
      const model = new RoomModel();
      const room = open(storage);
      await room.create(model.room);
      const { length } = storage.puts;
      await room.append(model.commit([setting('row', 1)]), 0);
      await room.append(model.commit([setting('row', 2), setting('row', '€'.repeat(50_000))]), 0);
      expect(storage.puts.slice(length).map((keys) => keys.length)).toEqual([1, 1]);
      await room.append([], 0);
      expect(storage.writes).toBe(length + 2);
    });

    it.each(isSlow ? ['x', '😀'] : ['x', 'é', '€', '😀'])(
      'stores rows of "%s" of any size around the limits',
      async (unit) => {
        const storage = await makeStorage();
        const model = new RoomModel();
        const room = open(storage);
        await room.create(model.room);
        for (const limit of [64_000, 65_536, 127 * 1024, 128 * 1024, 254 * 1024]) {
          for (const size of [limit - 1_000, limit - 60, limit - 40, limit, limit + 1_000]) {
            const leaf = unit.repeat(Math.floor(size / unit.length));
            await room.append(model.commit([setting('row', leaf)]), 0);
          }
        }
        await reopen(storage, model);
      },
    );

    it('[DURABLE-4] dies in any write of any history, and goes on from before it or after it', async () => {
      const anyDeath = fc.record({
        write: fc.integer({ min: 1, max: 14 }),
        takesEffect: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(anySteps(10), anySizes, anyDeath, async (steps, sizes, death) => {
          const storage = await makeStorage();
          const start = new RoomModel('epoch', undefined, sizes);
          const { room, model } = await runToDeath(storage, death, start, steps);
          // The second one puts small pages together, whose size is known by then.
          for (let pass = 0; pass < 2; pass += 1) await room.checkpoint(model.source);
          const { length } = await keysOf(storage);
          const again = await reopen(storage, model);
          await again.checkpoint(model.source);
          // A room that was loaded knows the sizes of its pages better, and may put more of them together.
          expect((await keysOf(storage)).length).toBeLessThanOrEqual(length);
        }),
        runs,
      );
    });

    it.each(scenarios)(
      '[DURABLE-4] dies in each write in turn of $what, and goes on from before it or after it',
      { timeout: LARGE_TEST_MILLISECONDS },
      async ({ steps, seed, sizes, fewestWrites }) => {
        const made = steps();
        const keyCounts = new Set<number>();
        let write = 0;
        for (let hasDied = true; hasDied;) {
          write += 1;
          const storage = await makeStorage();
          // Without effect: with it, the disk is as after a death in the next write.
          const death = { write, takesEffect: false };
          const end = await runToDeath(storage, death, new RoomModel('epoch', seed(), sizes), made);
          ({ hasDied } = end);
          for (let pass = 0; pass < 2; pass += 1) await end.room.checkpoint(end.model.source);
          keyCounts.add((await keysOf(storage)).length);
        }
        expect(write).toBeGreaterThan(fewestWrites);
        // Nothing is left of any of the deaths.
        expect(keyCounts.size).toBe(1);
      },
    );

    it(
      '[DURABLE-4] gives a version to another commit after a failed write, and loads that one',
      async () => {
        const disk = await makeStorage();
        const model = new RoomModel();
        await open(disk).create(model.room);
        for (const write of [1, 2]) {
          const dying = open(new DyingStorage(disk, { write, takesEffect: write === 1 }));
          await dying.load();
          const lost = model.fork().commit([setting('row', '€'.repeat(6_000_000))]);
          await expect(dying.append(lost, 0)).rejects.toThrow();
          const room = await reopen(disk, model);
          await room.append(model.commit([setting('row', `${write}`.repeat(150_000 * write))]), 0);
        }
        await reopen(disk, model);
      },
      LARGE_TEST_MILLISECONDS,
    );

    it(
      'removes what a crash left, at the next checkpoint',
      async () => {
        const disk = await makeStorage();
        const model = new RoomModel();
        await open(disk).create(model.room);
        const keys = await keysOf(disk);
        const dying = open(new DyingStorage(disk, { write: 2, takesEffect: false }));
        await dying.load();
        const lost = model.fork().commit([setting('row', '€'.repeat(6_000_000))]);
        await expect(dying.append(lost, 0)).rejects.toThrow();
        expect((await keysOf(disk)).length).toBeGreaterThan(keys.length);
        const room = await reopen(disk, model);
        expect(room.wantsCheckpoint).toBe(true);
        await room.checkpoint(model.source);
        expect(room.wantsCheckpoint).toBe(false);
        expect(await keysOf(disk)).toHaveLength(keys.length);
        await reopen(disk, model);
      },
      LARGE_TEST_MILLISECONDS,
    );

    it(
      'removes what a crash left before it writes a snapshot, so that crashes do not fill the disk',
      { timeout: LARGE_TEST_MILLISECONDS },
      async () => {
        const disk = await makeStorage();
        const model = new RoomModel('epoch', filled(20, 60), TINY_SIZES);
        const first = open(disk, undefined, TINY_SIZES);
        await first.create(model.room);
        await first.append(model.commit([{ changes: filled(20, 70), clientId: 'ann' }]), 0);
        const keyCounts: number[] = [];
        // The first process dies in one of many puts; those after it have a delete to do before.
        for (const write of [9, 10, 10]) {
          const dying = new DyingStorage(disk, { write, takesEffect: false });
          const room = open(dying, undefined, TINY_SIZES);
          await room.load();
          await expect(room.checkpoint(model.source)).rejects.toThrow();
          keyCounts.push((await keysOf(disk)).length);
        }
        expect(new Set(keyCounts).size).toBe(1);
        await reopen(disk, model);
      },
    );

    it('refuses to write after a write that failed, until it is loaded again', async () => {
      const disk = await makeStorage();
      const model = new RoomModel();
      await open(disk).create(model.room);
      const room = open(new DyingStorage(disk, { write: 1, takesEffect: true }));
      await room.load();
      const entries = model.commit([setting('row', 1)]);
      await expect(room.append(entries, 0)).rejects.toMatchObject({ code: 'unavailable' });
      await expect(room.append(model.fork().commit([setting('row', 2)]), 0)).rejects.toThrow(
        /load it/,
      );
      await expect(room.checkpoint(model.source)).rejects.toThrow(/load it/);
      await reopen(disk, model);
    });

    it('refuses a row that would leave a gap', async () => {
      const model = new RoomModel();
      const room = open(await makeStorage());
      await room.create(model.room);
      model.commit([setting('row', 1)]);
      await expect(room.append(model.commit([setting('row', 2)]), 0)).rejects.toThrow(/version 3/);
    });

    it('wants a checkpoint once the log since the last is larger than the snapshot and 256 KiB', async () => {
      const model = new RoomModel();
      const room = open(await makeStorage());
      await room.create(model.room);
      expect(room.wantsCheckpoint).toBe(false);
      await room.append(model.commit([setting('a', 'x'.repeat(250_000))]), 0);
      expect(room.wantsCheckpoint).toBe(false);
      await room.append(model.commit([setting('b', 'x'.repeat(250_000))]), 0);
      expect(room.wantsCheckpoint).toBe(true);
      await room.checkpoint(model.source);
      expect(room.wantsCheckpoint).toBe(false);
      await room.append(model.commit([setting('a', 'y'.repeat(400_000))]), 0);
      expect(room.wantsCheckpoint).toBe(false);
      await room.append(model.commit([setting('b', 'y'.repeat(400_000))]), 0);
      expect(room.wantsCheckpoint).toBe(true);
    });

    it('keeps about as much log as there is content, and says which version it begins with', async () => {
      const storage = await makeStorage();
      const model = new RoomModel();
      const room = open(storage);
      await room.create(model.room);
      for (let index = 0; index < 100; index += 1) {
        await room.append(model.commit([setting('row', `${index}`.padEnd(2_000))]), 0);
      }
      // 64 KiB hold 32 rows of 2,000 characters and their ids.
      const oldest = await room.checkpoint(model.source);
      expect(oldest).toBe(model.version - 31);
      const loaded = await open(storage).load();
      expect(loaded?.log[0]?.version).toBe(oldest);
      expect(loaded?.log.at(-1)?.version).toBe(model.version);
      await room.append(model.commit([setting('large', 'x'.repeat(150_000))]), 0);
      expect(await room.checkpoint(model.source)).toBe(model.version);
      const clearing = new ChangesBuilder();
      clearing.deleteTable('t');
      await room.append(model.commit([{ changes: clearing, clientId: undefined }]), 0);
      // 150,000 characters are more than an empty room keeps.
      expect(await room.checkpoint(model.source)).toBe(model.version);
      await reopen(storage, model);
    });

    it('[JOIN-8] is replaced by a creation in another epoch', async () => {
      const storage = await makeStorage();
      const model = new RoomModel();
      const room = open(storage);
      await room.create(model.room);
      await room.append(model.commit([setting('a', 1), setting('b', 2)]), 0);
      const restored = new RoomModel('other', setCell('c', 3));
      await open(storage).create(restored.room);
      const other = await reopen(storage, restored);
      await other.append(restored.commit([setting('d', 4)]), 0);
      await other.checkpoint(restored.source);
      expect((await open(storage).load())?.log).toHaveLength(1);
      await reopen(storage, restored);
    });

    it('[ONCE-5] forgets a client a day after its last push was confirmed, or 30 days after any other', async () => {
      const storage = await makeStorage();
      const model = new RoomModel();
      const now = 100 * DAY_MILLISECONDS;
      const record = (days: number, ackedPush: number): ClientRecord => {
        return { lastPush: 7, ackedPush, touched: now - days * DAY_MILLISECONDS, generation: 3 };
      };
      model.clients.set('confirmed', record(1, 7));
      model.clients.set('confirmed earlier', record(1.001, 7));
      model.clients.set('unconfirmed', record(30, 6));
      model.clients.set('unconfirmed earlier', record(30.001, 6));
      const room = open(storage);
      await room.create(model.room);
      const long = now - 40 * DAY_MILLISECONDS;
      await room.append(model.commit([{ ...setting('row', 0), clientId: 'old' }], long), long);
      await room.append(model.commit([{ ...setting('row', 1), clientId: 'new' }], now), now);
      await room.checkpoint(model.source);
      const loaded = await open(storage).load();
      // The row is kept for catching up, and must not bring its author back.
      expect(loaded?.log.map(({ author }) => author?.clientId)).toEqual(['old', 'new']);
      expect([...(loaded?.clients.keys() ?? [])]).toEqual(['confirmed', 'unconfirmed', 'new']);
      expect(loaded?.clients.get('confirmed')).toEqual(record(1, 7));
    });

    it('keeps rooms with other prefixes, and keys of others, apart', async () => {
      const storage = await makeStorage();
      const models = ['', 'app:', 'app:2'].map((prefix) => ({
        prefix,
        model: new RoomModel(`e${prefix}`),
      }));
      await storage.put({ 'app:mine': 1, zebra: 2, 'app:hasStore': 1 });
      for (const { prefix, model } of models) await open(storage, prefix).create(model.room);
      for (const { prefix, model } of models) {
        const room = await reopen(storage, model, prefix);
        await room.append(model.commit([setting(prefix, prefix)]), 0);
        await room.checkpoint(model.source);
      }
      for (const { prefix, model } of models) await reopen(storage, model, prefix);
      expect((await storage.get(['app:mine', 'zebra', 'app:hasStore'])).size).toBe(3);
    });

    it('does not load, and does not touch, what another release has written', async () => {
      const storage = await makeStorage();
      const model = new RoomModel();
      await open(storage).create(model.room);
      const manifest = (await keysOf(storage)).find((key) => key.endsWith('manifest')) ?? '';
      const known = (await storage.get([manifest])).get(manifest) as string;
      const others = [1, 3].map((format) => known.replace('"format":2', `"format":${format}`));
      for (const other of [...others, { format: 3 }]) {
        await storage.put({ [manifest]: other });
        const room = open(storage);
        const error = { code: 'unavailable', message: containing(manifest) };
        await expect(room.load()).rejects.toMatchObject(error);
        await expect(room.create(model.room)).rejects.toMatchObject(error);
        await expect(room.append(model.fork().commit([setting('a', 1)]), 0)).rejects.toThrow(
          /load it/,
        );
        expect((await storage.get([manifest])).get(manifest)).toEqual(other);
      }
    });

    it('does not load when anything valid is missing or damaged, and names the key', async () => {
      const storage = await makeStorage();
      const model = new RoomModel('epoch', setCell('seed', 1));
      const room = open(storage);
      await room.create(model.room);
      await room.append(model.commit([setting('a', 1)]), 0);
      await room.append(model.commit([setting('a', 'x'.repeat(200_000))]), 0);
      await room.append(model.commit([setting('a', 2)]), 0);
      const keys = await keysOf(storage);
      // All but the manifest, without which there is no room, and the last row, without which it is older.
      const needed = keys.filter((key) => !key.endsWith('manifest') && !/log\/0+3$/.test(key));
      expect(needed).toHaveLength(keys.length - 2);
      for (const key of keys) {
        const value = (await storage.get([key])).get(key);
        if (needed.includes(key)) {
          await storage.delete([key]);
          await expect(open(storage).load()).rejects.toMatchObject({ code: 'unavailable' });
        }
        for (const damaged of [
          '',
          '[',
          '{}',
          '0\n[9]\n[{},{}]',
          '0\n[1]',
          7,
          new Uint8Array(3),
          new TextEncoder().encode('[{},{}]'),
        ]) {
          await storage.put({ [key]: damaged });
          await expect(open(storage).load()).rejects.toMatchObject({
            code: 'unavailable',
            message: containing('@tinybase-partykit/'),
          });
        }
        await storage.put({ [key]: value });
      }
      await reopen(storage, model);
    });

    it('does not load when the last row that the snapshot includes is missing', async () => {
      const storage = await makeStorage();
      const model = new RoomModel();
      const room = open(storage);
      await room.create(model.room);
      await room.append(model.commit([setting('a', 1)]), 0);
      await room.checkpoint(model.source);
      const row = (await keysOf(storage)).find((key) => key.includes('log/')) ?? '';
      await storage.delete([row]);
      const error = { code: 'unavailable', message: containing(row) };
      await expect(open(storage).load()).rejects.toMatchObject(error);
    });
  });
}

interface Scenario {
  readonly what: string;
  /** True for many megabytes. */
  readonly isLarge?: boolean;
  readonly seed: () => ChangesBuilder;
  readonly sizes?: Partial<StorageSizes>;
  readonly steps: () => readonly Step[];
  /** How many deaths there are to die, at least. */
  readonly fewestWrites: number;
}

const SCENARIOS: readonly Scenario[] = [
  {
    what: 'a small room',
    seed: () => new ChangesBuilder(),
    steps: () => [
      [setting('a', 1)],
      'checkpoint',
      'reload',
      [setting('b', 2), setting('a', 3)],
      'checkpoint',
    ],
    fewestWrites: 7,
  },
  {
    what: 'a content of 20 MB',
    isLarge: true,
    seed: () => filled(160, 131_072),
    steps: () => [[setting('a', 1)], 'checkpoint'],
    fewestWrites: 6,
  },
  {
    what: 'many pages that all change',
    seed: () => filled(20, 60),
    sizes: TINY_SIZES,
    steps: () => [
      [setting('a', 1)],
      [{ changes: filled(25, 70), clientId: 'ann' }],
      'checkpoint',
      'reload',
      [{ changes: filled(3, 4_000), clientId: 'ann' }, setting('a', 2)],
      [{ changes: emptied(20), clientId: 'ann' }],
      'checkpoint',
    ],
    fewestWrites: 30,
  },
  {
    what: 'a push of 17 MB',
    isLarge: true,
    seed: () => new ChangesBuilder(),
    sizes: { slice: 8 * 1024 * 1024 },
    steps: () => [
      [{ changes: filled(130, 131_072), clientId: 'ann' }],
      'checkpoint',
      [setting('a', 1)],
    ],
    fewestWrites: 7,
  },
  {
    what: 'a log that is trimmed',
    isLarge: true,
    seed: () => new ChangesBuilder(),
    steps: () => [
      ...Array.from({ length: 180 }, (_, index) => [setting('a', `${index}`.padEnd(1_500))]),
      'checkpoint',
    ],
    fewestWrites: 184,
  },
];

function setting(row: string, leaf: string | number): Transaction {
  return { changes: setCell(row, leaf), clientId: 'ann' };
}

/** That many rows with one cell of that many bytes each. */
function filled(rows: number, bytes: number): ChangesBuilder {
  const changes = new ChangesBuilder();
  for (let index = 0; index < rows; index += 1) {
    changes.setLeaf('large', `${index}`, 'cell', `${index}`.padEnd(bytes, 'x'));
  }
  return changes;
}

/** Deletes that many of the rows that {@link filled} sets. */
function emptied(rows: number): ChangesBuilder {
  const changes = new ChangesBuilder();
  for (let index = 0; index < rows; index += 1) changes.deleteRow('large', `${index}`);
  return changes;
}

function containing(text: string): unknown {
  return expect.stringContaining(text);
}

async function keysOf(storage: KeyValueStorage): Promise<string[]> {
  return [...(await storage.list({})).keys()];
}
