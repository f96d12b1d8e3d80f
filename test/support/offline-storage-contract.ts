import type { OfflineStorage } from '../../src/client/offline/offline-storage.ts';

/** A promise of every `OfflineStorage`. It runs in any environment, and throws if the storage breaks the promise. */
interface StoragePromise {
  readonly title: string;
  /** `open` opens the same storage again, empty at first, as after a restart of the process. */
  readonly check: (open: () => Promise<OfflineStorage>) => Promise<void>;
}

const all = (entries: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(entries));

const nothing: ReadonlyMap<string, string> = new Map();

async function expectEntries(
  storage: OfflineStorage,
  prefix: string,
  expected: Readonly<Record<string, string>>,
): Promise<void> {
  const found = describe([...(await storage.read(prefix))]);
  const wanted = describe(Object.entries(expected));
  if (found !== wanted) throw new Error(`read ${found} in place of ${wanted}`);
}

function describe(entries: readonly (readonly [string, string])[]): string {
  return JSON.stringify(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

function expectTrue(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(`it is false that ${what}`);
}

/** Everything that a storage has to keep. */
export const OFFLINE_STORAGE_CONTRACT: readonly StoragePromise[] = [
  {
    title: 'is empty at first',
    check: async (open) => expectEntries(await open(), '', {}),
  },
  {
    title: 'reads what begins with a prefix, and nothing else',
    check: async (open) => {
      const storage = await open();
      const set = all({ a: '0', 'a/1': '1', 'a/2': '2', aa: '3', 'b/1': '4', 'A/1': '5' });
      expectTrue(await storage.write({ remove: [], set }), 'the write was done');
      await expectEntries(storage, 'a/', { 'a/1': '1', 'a/2': '2' });
      await expectEntries(storage, 'a', { a: '0', 'a/1': '1', 'a/2': '2', aa: '3' });
      await expectEntries(storage, 'c', {});
    },
  },
  {
    title: 'keeps any text, in keys as in values',
    check: async (open) => {
      const set = all({
        '["%_\\"\'",null]h*?': 'a%b_c',
        '["ü\u{1F600}\\u0000"]e': 'ü\u{1F600}\\',
        '["x"]b': 'long'.repeat(300_000),
        '["x"]e': '',
      });
      await (await open()).write({ remove: [], set });
      await expectEntries(await open(), '[', Object.fromEntries(set));
      await expectEntries(await open(), '["%_', { '["%_\\"\'",null]h*?': 'a%b_c' });
    },
  },
  {
    title: 'removes by prefix first, and then sets',
    check: async (open) => {
      const storage = await open();
      await storage.write({ remove: [], set: all({ 'a/1': '1', 'a/2': '2', b: '3' }) });
      await storage.write({ remove: ['a/', 'none'], set: all({ 'a/2': 'new', c: '4' }) });
      await expectEntries(storage, '', { 'a/2': 'new', b: '3', c: '4' });
    },
  },
  {
    title: 'does nothing if the guard does not hold',
    check: async (open) => {
      const storage = await open();
      await storage.write({ remove: [], set: all({ head: '1', other: '1' }) });
      const wrong = [
        { key: 'head', value: '2' },
        { key: 'head', value: undefined },
        { key: 'hea', value: '1' },
      ];
      for (const guard of wrong) {
        const isDone = await storage.write({ guard, remove: ['other'], set: all({ head: '3' }) });
        expectTrue(!isDone, `a write was refused with the guard ${JSON.stringify(guard)}`);
      }
      await expectEntries(storage, '', { head: '1', other: '1' });
      const guard = { key: 'head', value: '1' };
      expectTrue(await storage.write({ guard, remove: [], set: all({ head: '2' }) }), 'it holds');
      const none = { key: 'new', value: undefined };
      expectTrue(
        await storage.write({ guard: none, remove: [], set: all({ new: '1' }) }),
        'so too',
      );
      await expectEntries(storage, '', { head: '2', other: '1', new: '1' });
    },
  },
  {
    title: 'does writes in the order of the calls, and of two with the same guard only the first',
    check: async (open) => {
      const storage = await open();
      const guard = { key: 'head', value: undefined };
      const done = await Promise.all([
        storage.write({ guard, remove: [], set: all({ head: 'first' }) }),
        storage.write({ guard, remove: [], set: all({ head: 'second' }) }),
        storage.write({ remove: ['head'], set: nothing }),
        storage.write({ guard, remove: [], set: all({ head: 'third' }) }),
      ]);
      expectTrue(JSON.stringify(done) === '[true,false,true,true]', `done: ${String(done)}`);
      await expectEntries(storage, '', { head: 'third' });
    },
  },
  {
    title: 'reads what was written before the call, as of one moment',
    check: async (open) => {
      const storage = await open();
      const writing = storage.write({ remove: [], set: all({ 'a/1': '1', 'a/2': '1' }) });
      const reading = storage.read('a/');
      const later = storage.write({ remove: ['a/'], set: all({ 'a/3': '2' }) });
      const found = [...(await reading).keys()].toSorted().join();
      await Promise.all([writing, later]);
      expectTrue(found === 'a/1,a/2', `it reads a/1,a/2 and not ${found}`);
    },
  },
  {
    title: 'does a last write before anybody reads after it, if its guard holds',
    check: async (open) => {
      const page = await open();
      const say = (key: string, values: readonly (string | undefined)[], name: string): void =>
        page.writeLast?.({ guard: { key, values }, remove: [name], set: all({ [key]: name }) });
      if (page.writeLast === undefined) return;
      await page.write({ remove: [], set: all({ head: '1', head2: '1', a: '1', b: '1' }) });
      say('head', ['0', '1'], 'a');
      say('head2', ['0', undefined], 'b');
      say('new', ['0', undefined], 'c');
      say('none', ['0'], 'd');
      await expectEntries(await open(), '', { head: 'a', head2: '1', b: '1', new: 'c' });
    },
  },
  {
    title: 'does a last write that two have read once, though its guard holds again',
    check: async (open) => {
      const [page, one, other] = [await open(), await open(), await open()];
      page.writeLast?.({
        guard: { key: 'a', values: [undefined] },
        remove: [],
        set: all({ a: '1' }),
      });
      const guard = { key: 'a', value: page.writeLast && '1' };
      const reading = one.read('');
      const moving = one.write({ guard, remove: ['a'], set: nothing });
      await Promise.all([reading, moving, other.read('')]);
      expectTrue(await moving, 'the write comes after what was left');
      await expectEntries(await open(), '', {});
    },
  },
  {
    title: 'has after a restart what it has said to be durable',
    check: async (open) => {
      const storage = await open();
      await storage.write({ remove: [], set: all({ a: '1', b: '1' }) });
      await storage.write({ remove: ['a'], set: all({ b: '2' }) });
      await expectEntries(await open(), '', { b: '2' });
    },
  },
];
