import { expect, it } from 'vitest';

import { StrictStorage } from '../../support/strict-storage.ts';

it('takes keys, values and calls up to the limits, and none over them', async () => {
  const storage = new StrictStorage();
  const keys = Array.from({ length: 129 }, (_, index) => `${index}`);
  const entries = Object.fromEntries(keys.map((key) => [key, key]));
  await expect(storage.put(entries)).rejects.toThrow('129 keys');
  await expect(storage.get(keys)).rejects.toThrow('129 keys');
  await expect(storage.delete(keys)).rejects.toThrow('129 keys');
  await storage.put({ ['€'.repeat(682)]: 1 });
  await expect(storage.put({ ['€'.repeat(683)]: 1 })).rejects.toThrow('too long');
  await storage.put({ a: 'x'.repeat(131_060), b: '€'.repeat(65_530) });
  await expect(storage.put({ a: 'x'.repeat(131_072) })).rejects.toThrow('bytes');
  await expect(storage.put({ a: '€'.repeat(65_536) })).rejects.toThrow('bytes');
  const view = new Uint8Array(200_000).subarray(0, 1);
  await expect(storage.put({ a: view })).rejects.toThrow('bytes');
  expect(storage.size).toBe(3);
});

it('keeps copies, and gives copies', async () => {
  const storage = new StrictStorage();
  const value = { list: [1] };
  await storage.put({ a: value });
  value.list.push(2);
  const [first] = (await storage.get(['a', 'b'])).values();
  expect(first).toEqual({ list: [1] });
  (first as typeof value).list.push(3);
  expect((await storage.list({})).get('a')).toEqual({ list: [1] });
});

it('lists in the order of bytes, from start to before end', async () => {
  const storage = new StrictStorage();
  // UTF-16 has the emoji, a surrogate pair, before the last of them.
  await storage.put({ '\u{ffff}': 1, '😀': 2, b: 3, a: 4, ba: 5 });
  expect([...(await storage.list({})).keys()]).toEqual(['a', 'b', 'ba', '\u{ffff}', '😀']);
  expect([...(await storage.list({ start: 'b', end: '😀' })).keys()]).toEqual([
    'b',
    'ba',
    '\u{ffff}',
  ]);
  expect([...(await storage.list({ prefix: 'b', limit: 1 })).keys()]).toEqual(['b']);
});

it('lets calls take effect in order, when it is told to', async () => {
  const runs: (() => void)[] = [];
  const storage = new StrictStorage({ defer: (run) => runs.push(run) });
  const first = storage.put({ a: 1 });
  const second = storage.put({ a: 2 });
  expect(storage.copy().size).toBe(0);
  // The last to be deferred runs first: the oldest call takes effect all the same.
  runs.pop()?.();
  await first;
  expect((await storage.copy().get(['a'])).get('a')).toBe(1);
  runs.pop()?.();
  await second;
  expect((await storage.copy().get(['a'])).get('a')).toBe(2);
});

it('dies with as many calls in flight taking effect as it is told, and settles none of them', async () => {
  const runs: (() => void)[] = [];
  const storage = new StrictStorage({ defer: (run) => runs.push(run) });
  let settled = 0;
  const settle = (): void => {
    settled += 1;
  };
  for (const key of ['a', 'b', 'c']) storage.put({ [key]: 1 }).then(settle, settle);
  storage.freeze(2);
  storage.put({ d: 1 }).then(settle, settle);
  for (const run of runs) run();
  const disk = storage.copy();
  expect([...(await disk.list({})).keys()]).toEqual(['a', 'b']);
  expect(settled).toBe(0);
});

it('fails the writes it is told to, with or without their effect', async () => {
  const storage = new StrictStorage();
  storage.failWrites(1, { takesEffect: true, spared: 1 });
  await storage.put({ a: 1 });
  await expect(storage.put({ b: 1 })).rejects.toThrow('the disk failed');
  await storage.put({ c: 1 });
  storage.failWrites(1, { takesEffect: false });
  await expect(storage.delete(['a'])).rejects.toThrow('the disk failed');
  expect([...(await storage.list({})).keys()]).toEqual(['a', 'b', 'c']);
  expect(storage.counts).toMatchObject({ puts: 3, deletes: 1, reads: 1, keysPut: 3 });
});
