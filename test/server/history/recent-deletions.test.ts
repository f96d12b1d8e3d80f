import { expect, test } from 'vitest';

import { RecentDeletions } from '../../../src/server/history/recent-deletions.ts';

const rowsFrom = (first: number, count: number): ReadonlySet<string> =>
  new Set(Array.from({ length: count }, (_, index) => `row ${first + index}`));

test('[DERIVE-3] the latest deletions are remembered, with their latest versions, and older ones are forgotten', () => {
  const deletions = new RecentDeletions();
  const knows = (row: string, version: number): boolean => deletions.isAfter(version, 't', row);
  deletions.note(2, new Map([['t', rowsFrom(0, 1)]]));
  expect([knows('row 0', 1), knows('row 0', 2), knows('row 1', 1)]).toEqual([true, false, false]);
  // The same row, again and again, makes nothing be forgotten.
  for (let version = 3; version <= 20_000; version += 1)
    deletions.note(version, new Map([['t', rowsFrom(1, 1)]]));
  expect([knows('row 0', 1), knows('row 1', 19_999), knows('row 1', 20_000)]).toEqual([
    true,
    true,
    false,
  ]);
  deletions.note(20_001, new Map([['t', rowsFrom(2, 3_000)]]));
  expect([knows('row 0', 1), knows('row 2', 20_000)]).toEqual([true, true]);
  deletions.note(20_002, new Map([['t', rowsFrom(3_002, 100_000)]]));
  expect([knows('row 0', 1), knows('row 2', 20_000)]).toEqual([false, false]);
  const remembered = [...rowsFrom(3_002, 100_000)].filter((row) => knows(row, 20_001));
  expect(remembered.length).toBeGreaterThan(3_000);
  expect(remembered.length).toBeLessThan(6_600);
  expect(remembered.at(-1)).toBe('row 103001');
  // A whole table.
  deletions.note(20_003, new Map([['t', 'all']]));
  expect([knows('any', 20_002), deletions.isAfter(1, 'u', 'any')]).toEqual([true, false]);
});
