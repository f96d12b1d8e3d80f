import { expect, test } from 'vitest';

import { encodeChanges } from '../../../src/protocol/codec.ts';
import { CommitLog } from '../../../src/server/history/commit-log.ts';
import { changesOf, inShort } from '../../support/fake-connection.ts';

const logOf = (...versions: readonly number[]): CommitLog => {
  const log = new CommitLog();
  for (const version of versions)
    log.add(version, encodeChanges(changesOf({ [`value ${version}`]: version, last: version })));
  return log;
};

test('[JOIN-2] composes what happened since a version', () => {
  const log = logOf(4, 5, 6);
  expect(inShort(log.since(4, 6))).toEqual({
    leaves: [
      ['value 5', 5],
      ['last', 6],
      ['value 6', 6],
    ],
  });
  expect(inShort(log.since(6, 6))).toEqual({ leaves: [] });
});

test('[JOIN-3] does not know what happened before it begins, nor after it ends', () => {
  const log = logOf(4, 5, 6);
  expect(log.since(3, 6)).toBeDefined();
  expect(log.since(2, 6)).toBeUndefined();
  expect(log.since(7, 6)).toBeUndefined();
});

test('forgets what is before a version', () => {
  const log = logOf(1, 2, 3, 4, 5, 6, 7, 8);
  log.trimBefore(4);
  expect(log.since(3, 8)).toBeDefined();
  expect(log.since(2, 8)).toBeUndefined();
  log.trimBefore(9);
  expect(log.since(7, 8)).toBeUndefined();
  expect(inShort(log.since(8, 8))).toEqual({ leaves: [] });
});

test('takes not much more room than the content, and at least a megabyte', () => {
  const log = new CommitLog();
  const text = 'x'.repeat(100_000);
  for (let version = 1; version <= 100; version += 1) {
    log.add(version, encodeChanges(changesOf({ text })));
    log.trimToSize(10);
  }
  expect(log.since(90, 100)).toBeDefined();
  expect(log.since(89, 100)).toBeUndefined();
});
