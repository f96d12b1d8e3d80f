import { createStore } from 'tinybase';
import { describe, expect, test } from 'vitest';

import { encodeChanges } from '../../../src/protocol/codec.ts';
import { readTransactionLog, type TransactionLog } from '../../../src/protocol/store-access.ts';
import { birthsOf } from '../../../src/server/history/births.ts';
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

describe('[JOIN-2] a catch-up leaves out rows that were born and died in it', () => {
  const store = createStore();
  const history = new CommitHistory();
  let version = 0;
  const commit = (action: () => void): void => {
    let log: TransactionLog | undefined;
    const id = store.addDidFinishTransactionListener(() => {
      log = readTransactionLog(store);
    });
    store.transaction(action);
    store.delListener(id);
    if (log === undefined) throw new Error('nothing happened');
    const births = birthsOf(store, log.changes, log.before);
    history.add((version += 1), encodeChanges(log.changes), undefined, births);
  };
  const caughtUp = (from: number): unknown =>
    JSON.parse(history.catchUpSince(from, version)?.encoded ?? 'null');

  test('whether a commit made that row alone, or did other things beside', () => {
    commit(() => store.setCell('t', 'old', 'a', 1));
    commit(() => store.setCell('t', 'brief', 'a', 1));
    commit(() => store.delRow('t', 'brief'));
    commit(() =>
      store.setCell('t', 'old', 'b', 1).setCell('t', 'other', 'a', 1).setCell('u', '1', 'a', 1),
    );
    commit(() => store.delRow('t', 'other').delRow('u', '1'));
    expect(caughtUp(1)).toEqual([{ t: { old: { b: 1 } } }, {}]);
    expect(caughtUp(2)).toEqual([{ t: { old: { b: 1 } } }, {}, { t: ['brief'] }]);
  });

  test('but not of a row that was there, though it died and was born again', () => {
    const start = version;
    commit(() => store.delRow('t', 'old'));
    commit(() => store.setCell('t', 'old', 'c', 1));
    commit(() => store.delRow('t', 'old'));
    expect(caughtUp(start)).toEqual([{}, {}, { t: ['old'] }]);
    commit(() => store.setCell('t', 'old', 'a', 1));
    commit(() => store.setCell('t', 'old', 'new', 1));
    commit(() => store.delRow('t', 'old'));
    expect(caughtUp(version - 2), 'a Cell that is new is no row that is new').toEqual([
      {},
      {},
      { t: ['old'] },
    ]);
    expect(caughtUp(version - 3)).toEqual([{}, {}]);
  });

  test('nor of commits that were loaded: it is not known any more', () => {
    const loaded = new CommitHistory();
    loaded.add(1, '[{"t":{"r":{"a":1}}},{}]');
    loaded.add(2, '[{},{},{"t":["r"]}]');
    expect(JSON.parse(loaded.catchUpSince(0, 2)?.encoded ?? '')).toEqual([{}, {}, { t: ['r'] }]);
  });
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
