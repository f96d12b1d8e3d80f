import { expect, test } from 'vitest';

import { encodeChanges } from '../../../src/protocol/codec.ts';
import { CommitHistory } from '../../../src/server/history/commit-history.ts';
import { changesOf, inShort } from '../../support/fake-connection.ts';

const historyOf = (...versions: readonly number[]): CommitHistory => {
  const history = new CommitHistory();
  for (const version of versions)
    history.add(
      version,
      encodeChanges(changesOf({ [`value ${version}`]: version, last: version })),
    );
  return history;
};

test('[JOIN-2] composes what happened since a version', () => {
  const history = historyOf(4, 5, 6);
  expect(inShort(history.since(4, 6))).toEqual({
    leaves: [
      ['value 5', 5],
      ['last', 6],
      ['value 6', 6],
    ],
  });
  expect(inShort(history.since(6, 6))).toEqual({ leaves: [] });
});

test('[JOIN-3] does not know what happened before it begins, nor after it ends', () => {
  const history = historyOf(4, 5, 6);
  expect(history.since(3, 6)).toBeDefined();
  expect(history.since(2, 6)).toBeUndefined();
  expect(history.since(7, 6)).toBeUndefined();
});

test('forgets what is before a version', () => {
  const history = historyOf(1, 2, 3, 4, 5, 6, 7, 8);
  history.trimBefore(4);
  expect(history.since(3, 8)).toBeDefined();
  expect(history.since(2, 8)).toBeUndefined();
  history.trimBefore(9);
  expect(history.since(7, 8)).toBeUndefined();
  expect(inShort(history.since(8, 8))).toEqual({ leaves: [] });
});

test('takes not much more room than the content, and at least a megabyte', () => {
  const history = new CommitHistory();
  const text = 'x'.repeat(100_000);
  for (let version = 1; version <= 100; version += 1) {
    history.add(version, encodeChanges(changesOf({ text })));
    history.trimToSize(10);
  }
  expect(history.since(90, 100)).toBeDefined();
  expect(history.since(89, 100)).toBeUndefined();
});
