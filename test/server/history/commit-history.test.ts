import { createStore } from 'tinybase';
import { describe, expect, test } from 'vitest';

import { encodeChanges } from '../../../src/protocol/codec.ts';
import type { Cursor } from '../../../src/protocol/messages.ts';
import { readTransactionLog, type TransactionLog } from '../../../src/protocol/store-access.ts';
import { birthsOf } from '../../../src/server/history/births.ts';
import { CommitHistory } from '../../../src/server/history/commit-history.ts';
import type { LoadedRoom } from '../../../src/server/storage/stored-room.ts';
import { changesOf, inShort } from '../../support/fake-connection.ts';

/** The cursor of a version. */
const at = (version: number): Cursor => ({ epoch: 'e', version, tag: undefined });

/** A history of a room that was loaded at that version. */
const historyFrom = (version: number, log: LoadedRoom['log'] = []): CommitHistory =>
  new CommitHistory({ cursor: at(version), log, before: at(version - log.length) }, undefined);

const historyOf = (...versions: readonly number[]): CommitHistory => {
  const history = historyFrom((versions[0] ?? 1) - 1);
  for (const version of versions)
    history.add(encodeChanges(changesOf({ [`value ${version}`]: version, last: version })));
  return history;
};

test('[JOIN-2] composes what happened since a version', () => {
  const history = historyOf(4, 5, 6);
  expect(inShort(history.since(at(4)))).toEqual({
    leaves: [
      ['value 5', 5],
      ['last', 6],
      ['value 6', 6],
    ],
  });
  expect(inShort(history.since(at(6)))).toEqual({ leaves: [] });
});

describe('[JOIN-2] a catch-up leaves out rows that were born and died in it', () => {
  const store = createStore();
  const history = historyFrom(0);
  const commit = (action: () => void): void => {
    let log: TransactionLog | undefined;
    const id = store.addDidFinishTransactionListener(() => {
      log = readTransactionLog(store);
    });
    store.transaction(action);
    store.delListener(id);
    if (log === undefined) throw new Error('nothing happened');
    const births = birthsOf(store, log.changes, log.before);
    history.add(encodeChanges(log.changes), births);
  };
  const caughtUp = (from: number): unknown =>
    JSON.parse(history.catchUpSince(at(from), false)?.encoded ?? 'null');

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
    const start = history.version;
    commit(() => store.delRow('t', 'old'));
    commit(() => store.setCell('t', 'old', 'c', 1));
    commit(() => store.delRow('t', 'old'));
    expect(caughtUp(start)).toEqual([{}, {}, { t: ['old'] }]);
    commit(() => store.setCell('t', 'old', 'a', 1));
    commit(() => store.setCell('t', 'old', 'new', 1));
    commit(() => store.delRow('t', 'old'));
    expect(caughtUp(history.version - 2), 'a Cell that is new is no row that is new').toEqual([
      {},
      {},
      { t: ['old'] },
    ]);
    expect(caughtUp(history.version - 3)).toEqual([{}, {}]);
  });

  test('nor of commits that were loaded: it is not known any more', () => {
    const changes = changesOf({});
    const loaded = historyFrom(2, [
      { version: 1, changes, encoded: '[{"t":{"r":{"a":1}}},{}]', author: undefined },
      { version: 2, changes, encoded: '[{},{},{"t":["r"]}]', author: undefined },
    ]);
    expect(JSON.parse(loaded.catchUpSince(at(0), false)?.encoded ?? '')).toEqual([
      {},
      {},
      { t: ['r'] },
    ]);
  });
});

test('[JOIN-3] does not know what happened before it begins, nor after it ends', () => {
  const history = historyOf(4, 5, 6);
  expect(history.since(at(3))).toBeDefined();
  expect(history.since(at(2))).toBeUndefined();
  expect(history.since(at(7))).toBeUndefined();
});

test('forgets what is before a version', () => {
  const history = historyOf(1, 2, 3, 4, 5, 6, 7, 8);
  history.trimBefore(4);
  expect(history.since(at(3))).toBeDefined();
  expect(history.since(at(2))).toBeUndefined();
  history.trimBefore(9);
  expect(history.since(at(7))).toBeUndefined();
  expect(inShort(history.since(at(8)))).toEqual({ leaves: [] });
});

test('takes not much more room than the content, and at least a megabyte', () => {
  const history = historyFrom(0);
  const text = 'x'.repeat(100_000);
  for (let version = 1; version <= 100; version += 1) {
    history.add(encodeChanges(changesOf({ text })));
    history.trimToSize(10);
  }
  expect(history.since(at(90))).toBeDefined();
  expect(history.since(at(89))).toBeUndefined();
});
