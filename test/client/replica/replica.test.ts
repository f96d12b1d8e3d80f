import { createMiddleware, createStore, type Cell, type Store } from 'tinybase';
import { describe, expect, test } from 'vitest';

import type { Refusal } from '../../../src/client/replica/refusal.ts';
import { Replica } from '../../../src/client/replica/replica.ts';
import type { Changes } from '../../../src/protocol/changes.ts';
import { decodeChanges, decodeContent, encodeChanges } from '../../../src/protocol/codec.ts';
import { VALUES } from '../../../src/protocol/leaf.ts';
import { localOnlyLeaves } from './local-only-leaves.ts';

interface Client {
  readonly store: Store;
  readonly replica: Replica;
  readonly refusals: Refusal[];
  readonly errors: unknown[];
  /** The number of times that there was something new to send. */
  readonly heard: { pending: number };
}

/** A client that follows and saves; its Store holds what the room does. */
function clientOf(prepare: (store: Store) => void = () => undefined): Client {
  const store = createStore();
  prepare(store);
  const refusals: Refusal[] = [];
  const errors: unknown[] = [];
  const heard = { pending: 0 };
  const replica = new Replica(store, {
    onPending: () => (heard.pending += 1),
    onRefused: (refused) => refusals.push(...refused),
    onError: (error) => errors.push(error),
  });
  replica.startTracking();
  replica.setFollowing(true);
  replica.setSaving(true);
  return { store, replica, refusals, errors, heard };
}

const changesOf = (json: unknown): Changes => decodeChanges(JSON.stringify(json));

/** The pushes that wait, as they are on the wire. */
const pushesOf = ({ replica }: Client): unknown[] =>
  replica.pending.map(({ changes }) => JSON.parse(encodeChanges(changes)) as unknown);

const DELETED = '\uFFFC';

function throwing(): never {
  throw new Error('thrown');
}

function withDefault(store: Store): void {
  store.setTablesSchema({
    t: { a: { type: 'number' }, done: { type: 'boolean', default: false } },
  });
}

function withSchema(store: Store): void {
  store.setSchema({ t: { a: { type: 'number' } } }, { v: { type: 'number', default: 0 } });
}

describe('a commit', () => {
  test('[VIEW-3] is one transaction, and listeners fire for net changes only', () => {
    const client = clientOf((store) => store.setRow('t', 'r', { same: 1, changed: 1, mine: 0 }));
    const { store, replica } = client;
    store.setCell('t', 'r', 'mine', 'pending');
    const calls: string[] = [];
    let transactions = 0;
    store.addCellListener(null, null, null, (_store, _table, _row, cell) => calls.push(cell));
    store.addDidFinishTransactionListener(() => (transactions += 1));
    replica.commit(changesOf([{ t: { r: { same: 1, changed: 2, mine: 3, new: 4 } } }, {}]));
    expect(calls.sort()).toEqual(['changed', 'new']);
    expect(transactions).toBe(1);
    expect(store.getRow('t', 'r')).toEqual({ same: 1, changed: 2, mine: 'pending', new: 4 });
    expect(replica.base.leaf('t', 'r', 'mine')).toBe(3);
  });

  test('[VIEW-3] that deletes a row leaves what a pending push has put into it', () => {
    const client = clientOf((store) => store.setRow('t', 'r', { a: 1, b: 1 }));
    client.store.setCell('t', 'r', 'b', 2);
    client.replica.commit(changesOf([{}, {}, { t: ['r'] }]));
    expect(client.store.getRow('t', 'r')).toEqual({ b: 2 });
    client.replica.acknowledge();
    expect(client.store.getRow('t', 'r')).toEqual({ b: 2 });
    expect(client.replica.overlay.isEmpty).toBe(true);
  });

  test('[VIEW-6] waits for the end of a transaction that the app has open, which may roll back', () => {
    const { store, replica } = clientOf((prepared) => prepared.setValue('v', 1));
    store.startTransaction();
    store.setValue('v', 2);
    expect(replica.commit(changesOf([{}, { v: 3 }]))).toBe(false);
    store.finishTransaction(() => true);
    expect(store.getValue('v')).toBe(1);
    expect(replica.commit(changesOf([{}, { v: 3 }]))).toBe(true);
    expect(store.getValue('v')).toBe(3);
    expect(replica.pending).toEqual([]);
  });

  test('of which nothing is followed keeps only covered leaves true', () => {
    const client = clientOf((store) => store.setValues({ mine: 1, other: 1 }));
    client.replica.setFollowing(false);
    client.store.setValue('mine', 2);
    client.replica.commit(changesOf([{}, { mine: 3, other: 3 }]));
    expect(client.store.getValues()).toEqual({ mine: 2, other: 1 });
    expect(client.replica.base.leaf(VALUES, '', 'mine')).toBe(3);
    client.replica.acknowledgeCorrected(changesOf([{}, { mine: 3 }]));
    expect(client.store.getValues()).toEqual({ mine: 3, other: 1 });
  });
});

describe('an ack', () => {
  test('[VIEW-4] folds its push, and the correction on top', () => {
    const client = clientOf((store) => store.setValues({ a: 1, b: 1 }));
    client.store.transaction(() => client.store.setValues({ a: 2, b: 2 }));
    client.store.setValue('b', 3);
    client.replica.acknowledgeCorrected(changesOf([{}, { a: 1, b: 1 }]));
    expect(client.store.getValues()).toEqual({ a: 1, b: 3 });
    expect(client.replica.base.leaf(VALUES, '', 'b')).toBe(1);
    client.replica.acknowledge();
    expect(client.replica.base.leaf(VALUES, '', 'b')).toBe(3);
    expect(client.replica.overlay.isEmpty).toBe(true);
  });

  test('[VIEW-4] without a correction touches no Store', () => {
    const { store, replica } = clientOf();
    store.setValue('v', 1);
    let transactions = 0;
    store.addStartTransactionListener(() => (transactions += 1));
    store.startTransaction();
    replica.acknowledge();
    expect(transactions).toBe(1);
    expect(replica.overlay.isEmpty).toBe(true);
  });
});

describe('a welcome', () => {
  test('[ONCE-4] drops pushes without folding them: what was refused does not come back', () => {
    const client = clientOf((store) => store.setValues({ a: 1, b: 1, c: 1 }));
    for (const id of ['a', 'b', 'c']) client.store.setValue(id, 2);
    // The room took the first push, refused the second, and has not seen the third.
    client.replica.catchUp({ lastPush: 2, changes: changesOf([{}, { a: 2 }]) });
    expect(client.store.getValues()).toEqual({ a: 2, b: 1, c: 2 });
    expect(client.replica.base.leaf(VALUES, '', 'c')).toBe(1);
    expect(client.replica.pending.map(({ number }) => number)).toEqual([3]);
    expect(client.replica.oldestUnanswered).toBe(3);
  });

  test('[ONCE-4] shows what became of dropped pushes also where nothing else is followed', () => {
    for (const isReload of [false, true]) {
      const client = clientOf((store) => store.setValues({ mine: 1, other: 1 }));
      client.replica.setFollowing(false);
      client.store.setValue('mine', 2);
      if (isReload)
        client.replica.catchUp({
          content: decodeContent('[{},{"mine":2,"other":2}]'),
          lastPush: 1,
        });
      else client.replica.catchUp({ lastPush: 1, changes: changesOf([{}, { mine: 2, other: 2 }]) });
      expect(client.store.getValues()).toEqual({ mine: 2, other: 1 });
      expect(client.replica.overlay.isEmpty).toBe(true);
    }
  });

  test('[ONCE-4] of a room that knows more pushes than are held begins after them', () => {
    const client = clientOf();
    client.replica.catchUp({ lastPush: 7, changes: changesOf([{}, {}]) });
    client.store.setValue('v', 1);
    expect(client.replica.pending.map(({ number }) => number)).toEqual([8]);
  });

  test('[JOIN-6] does not bring back what a dropped push had deleted, if the content has it not', () => {
    const client = clientOf((store) => store.setRow('t', 'r', { a: 1 }).setValue('v', 1));
    client.store.transaction(() => client.store.delRow('t', 'r').delValue('v'));
    client.replica.catchUp({ content: decodeContent('[{},{}]'), lastPush: 1 });
    expect(client.store.getContent()).toEqual([{}, {}]);
    expect(client.replica.overlay.isEmpty).toBe(true);
  });

  test('[JOIN-6] shows reloaded content and what is pending in one transaction', () => {
    const client = clientOf((store) => store.setValues({ a: 1, b: 1 }));
    client.store.setValue('a', 2);
    client.store.setValue('b', 2);
    const seen: unknown[] = [];
    client.store.addValuesListener((store) => seen.push(store.getValues()));
    const content = decodeContent('[{},{"a":2,"b":1,"c":1}]');
    client.replica.catchUp({ content, lastPush: 1, changes: changesOf([{}, { c: 2 }]) });
    expect(seen).toEqual([{ a: 2, b: 2, c: 2 }]);
  });
});

describe('what is pushed', () => {
  test('[VIEW-5] of a row that was emptied is its deletion, whatever others have put into it', () => {
    const client = clientOf((store) => store.setCell('t', 'r', 'c', 1));
    client.store.delRow('t', 'r');
    expect(pushesOf(client)).toEqual([[{}, {}, { t: ['r'] }]]);
    client.replica.commit(changesOf([{ t: { r: { other: 1 } } }, {}]));
    expect(client.store.hasRow('t', 'r')).toBe(false);
    client.replica.acknowledge();
    expect(client.store.hasRow('t', 'r')).toBe(false);
    expect(client.replica.overlay.isEmpty).toBe(true);
    client.replica.commit(changesOf([{ t: { r: { other: 1 } } }, {}]));
    expect(client.store.getRow('t', 'r')).toEqual({ other: 1 });
  });

  test('[VIEW-5] of a row that was deleted and set again is cells, and others keep theirs', () => {
    const client = clientOf((store) => store.setRow('t', 'r', { a: 1, b: 1 }));
    client.store.transaction(() => client.store.delRow('t', 'r').setCell('t', 'r', 'a', 2));
    expect(pushesOf(client)).toEqual([[{ t: { r: { a: 2, b: DELETED } } }, {}]]);
    client.replica.commit(changesOf([{ t: { r: { other: 1 } } }, {}]));
    expect(client.store.getRow('t', 'r')).toEqual({ a: 2, other: 1 });
  });

  test('[VIEW-5] of a deleted table is its rows: rows of others stay', () => {
    const client = clientOf((store) => store.setTable('t', { r: { c: 1 }, s: { c: 1 } }));
    client.store.delTable('t');
    expect(pushesOf(client)).toEqual([[{}, {}, { t: ['r', 's'] }]]);
    client.replica.commit(changesOf([{ t: { other: { c: 1 } } }, {}]));
    expect(client.store.getTable('t')).toEqual({ other: { c: 1 } });
  });

  test('[VIEW-8] of what was done while not saving is one push, made when saving starts', () => {
    const client = clientOf((store) => store.setRow('t', 'r', { a: 1 }));
    client.replica.setSaving(false);
    client.store.setCell('t', 'r', 'a', 2);
    client.store.delRow('t', 'r');
    client.store.setCell('t', 'r', 'b', 3).setValue('v', 1);
    expect(client.replica.pending).toEqual([]);
    expect(client.replica.held).toBeDefined();
    client.replica.commit(changesOf([{ t: { r: { a: 5, c: 5 } } }, {}]));
    expect(client.store.getRow('t', 'r')).toEqual({ b: 3 });
    client.replica.setSaving(true);
    expect(pushesOf(client)).toEqual([[{ t: { r: { b: 3 } } }, { v: 1 }, { t: ['r'] }]]);
    expect(client.replica.held).toBeUndefined();
    client.replica.acknowledge();
    expect(client.replica.overlay.isEmpty).toBe(true);
  });

  test('[VIEW-9] is not what a load replaces, and the load reports what pending pushes undo of it', () => {
    const client = clientOf();
    const { store, replica, refusals } = client;
    store.setCell('t', 'r', 'c', 1).setCell('t', 's', 'c', 1);
    store.setValue('w', 1).setValue('v', 1).setValue('u', 1);
    replica.setSaving(false);
    store.delRow('t', 'r').delCell('t', 's', 'c', true);
    store.delValue('w').setValue('v', 2).setValue('u', 2).setValue('u', 1).delValue('never');
    const content = decodeContent('[{},{"v":2,"u":3}]');
    expect(replica.catchUp({ content, isShown: true, heldReplacedBy: content })).toBe(true);
    expect(store.getContent()).toEqual([{ t: { r: { c: 1 }, s: { c: 1 } } }, { w: 1, v: 1, u: 1 }]);
    expect(refusals).toEqual([
      { type: 'row', tableId: 't', rowId: 'r', reason: 'loaded' },
      { type: 'row', tableId: 't', rowId: 's', reason: 'loaded' },
      { type: 'value', valueId: 'w', value: undefined, reason: 'loaded' },
      { type: 'value', valueId: 'v', value: 2, reason: 'loaded' },
    ]);
  });

  test('is told of with each edit, pushed or held', () => {
    const client = clientOf();
    client.store.setValue('v', 1);
    client.store.setValue('v', 2);
    expect(client.heard.pending).toBe(2);
    client.replica.setSaving(false);
    client.store.setValue('v', 3);
    client.store.setValue('v', 4);
    expect(client.heard.pending).toBe(4);
  });

  test('[SEED-3] has nothing that was there before tracking began', () => {
    const store = createStore();
    const replica = new Replica(store, {
      onPending: () => undefined,
      onRefused: throwing,
      onError: throwing,
    });
    store.setValue('u', 1);
    replica.setSaving(true);
    store.setValue('v', 1);
    expect(replica.pending).toEqual([]);
    expect(replica.overlay.isEmpty).toBe(true);
  });
});

describe('a push over the limit', () => {
  const large = 'x'.repeat(200);

  test('[ONCE-7] gets no number, becomes local-only and is reported with its values', () => {
    const client = clientOf((store) => store.setRow('t', 'r', { a: 1 }));
    client.replica.limitPushes(100);
    client.store.transaction(() => client.store.delRow('t', 'r').setValue('v', large));
    expect(client.replica.pending).toEqual([]);
    expect(client.replica.oldestUnanswered).toBe(1);
    expect(client.store.getContent()).toEqual([{}, { v: large }]);
    expect(client.refusals).toEqual([
      { type: 'row', tableId: 't', rowId: 'r', reason: 'too-large' },
      { type: 'value', valueId: 'v', value: large, reason: 'too-large' },
    ]);
    expect(client.replica.base.leaf('t', 'r', 'a')).toBe(1);
    client.store.setValue('w', 1);
    expect(pushesOf(client)).toEqual([[{}, { w: 1 }]]);
  });

  test('[ONCE-7] that was held becomes local-only when saving starts', () => {
    const client = clientOf();
    client.replica.limitPushes(100);
    client.replica.setSaving(false);
    client.store.setValue('v', large);
    expect(client.refusals).toEqual([]);
    client.replica.setSaving(true);
    expect(client.replica.pending).toEqual([]);
    expect(client.refusals).toEqual([
      { type: 'value', valueId: 'v', value: large, reason: 'too-large' },
    ]);
    expect(client.store.getValue('v')).toBe(large);
    expect(client.replica.base.leaf(VALUES, '', 'v')).toBeUndefined();
  });

  test('[ONCE-7] that has a number already keeps it and does nothing', () => {
    const client = clientOf();
    client.store.setValue('v', large);
    client.store.setValue('w', 1);
    client.replica.withdraw(1, 'too-large');
    expect(pushesOf(client)).toEqual([
      [{}, {}],
      [{}, { w: 1 }],
    ]);
    expect(client.refusals).toHaveLength(1);
    client.replica.acknowledge();
    expect(client.store.getValues()).toEqual({ v: large, w: 1 });
    expect(client.replica.base.leaf(VALUES, '', 'v')).toBeUndefined();
  });
});

const cut = (cell: Cell): Cell => (typeof cell === 'string' ? cell.slice(0, 4) : cell);

describe('what is derived', () => {
  test('[DERIVE-1] is a default that is pushed once, and marked', () => {
    const client = clientOf(withDefault);
    client.replica.commit(changesOf([{ t: { r: { a: 1 } } }, {}]), false, 7);
    expect(client.store.getRow('t', 'r')).toEqual({ a: 1, done: false });
    expect(pushesOf(client)).toEqual([[{ t: { r: { done: false } } }, {}]]);
    expect(client.replica.pending[0]).toMatchObject({ isDerived: true, reactsTo: 7 });
    expect(client.replica.base.leaf('t', 'r', 'done')).toBeUndefined();
    client.replica.acknowledge();
    expect(client.replica.base.leaf('t', 'r', 'done')).toBe(false);
    client.replica.commit(changesOf([{ t: { r: { a: 2 } } }, {}]));
    expect(client.replica.pending).toEqual([]);
    client.store.setCell('t', 'r', 'a', 3);
    expect(client.replica.pending[0]?.isDerived).toBeUndefined();
  });

  test('[DERIVE-1] is no default of a leaf that the commit has set, though it is not shown', () => {
    const client = clientOf(withDefault);
    const { replica, store, refusals } = client;
    replica.commit(changesOf([{ t: { r: { a: 'no number' } } }, {}]));
    expect(store.getTables()).toEqual({});
    replica.setFollowing(false);
    // Local-only leaves end with the room's next change of them, whatever is shown.
    replica.commit(changesOf([{ t: { r: { a: 1, done: true } } }, {}]));
    expect(store.getTables()).toEqual({ t: { r: { a: 1, done: false } } });
    expect(pushesOf(client)).toEqual([]);
    expect(refusals.at(-1)).toMatchObject({ cellId: 'done', reason: 'own-schema' });
    replica.setFollowing(true);
    replica.catchUp({ content: decodeContent('[{"t":{"r":{"a":1,"done":true}}},{}]') });
    expect(store.getTables()).toEqual({ t: { r: { a: 1, done: true } } });
  });

  test('[DERIVE-1] is nothing where the room deleted the row, defaults and all', () => {
    const client = clientOf((store) => {
      withDefault(store);
      store.setRow('t', 'r', { a: 1, done: true });
    });
    client.replica.commit(changesOf([{}, {}, { t: ['r'] }]));
    expect(client.store.hasRow('t', 'r')).toBe(false);
    expect(client.replica.overlay.isEmpty).toBe(true);
  });

  test('[DERIVE-1] is what a mutator listener makes of other leaves than those that were set', () => {
    const client = clientOf((store) => {
      store.addValueListener(
        'n',
        (_store, _id, value) => {
          if (Number(value) > 10) store.setValue('n', 10);
          store.setValue('seen', value);
        },
        true,
      );
    });
    client.replica.commit(changesOf([{}, { n: 50 }]));
    expect(client.store.getValues()).toEqual({ n: 10, seen: 50 });
    expect(pushesOf(client)).toEqual([[{}, { seen: 50 }]]);
    expect(client.replica.base.leaf(VALUES, '', 'n')).toBe(50);
    expect(client.refusals).toEqual([
      { type: 'value', valueId: 'n', value: 50, reason: 'own-listener' },
    ]);
  });

  test.each<
    readonly [string, (store: Store) => void, Parameters<typeof changesOf>[0], unknown, string]
  >([
    [
      'a mutator listener cuts',
      (store) => {
        store.addCellListener(
          't',
          null,
          'title',
          (_store, _table, row, _cell, title) => {
            store.setCell('t', row, 'title', cut(title));
          },
          true,
        );
      },
      [{ t: { r: { title: 'a title' } } }, {}],
      [{ t: { r: { title: 'a ti' } } }, {}],
      'own-listener',
    ],
    [
      'a mutator listener restores, though the Store logs nothing',
      (store) => {
        store.setCell('t', 'r', 'fixed', 1);
        store.addCellListener('t', 'r', 'fixed', () => store.setCell('t', 'r', 'fixed', 1), true);
      },
      [{ t: { r: { fixed: 2 } } }, {}],
      [{ t: { r: { fixed: 1 } } }, {}],
      'own-listener',
    ],
    [
      'middleware cuts',
      (store) => {
        createMiddleware(store).addWillSetCellCallback((_table, _row, _cell, cell) => cut(cell));
      },
      [{ t: { r: { title: 'a title' } } }, {}],
      [{ t: { r: { title: 'a ti' } } }, {}],
      'own-middleware',
    ],
    [
      'a default replaces, where it was deleted',
      (store) => {
        withDefault(store);
        store.setRow('t', 'r', { a: 1, done: true });
      },
      [{ t: { r: { done: DELETED } } }, {}],
      [{ t: { r: { a: 1, done: false } } }, {}],
      'own-schema',
    ],
    [
      'a mutator listener puts into a row that was deleted',
      (store) => {
        store.setRow('t', 'r', { a: 1 });
        store.addRowListener('t', 'r', () => store.setCell('t', 'r', 'gone', true), true);
      },
      [{}, {}, { t: ['r'] }],
      [{ t: { r: { gone: true } } }, {}],
      'own-listener',
    ],
  ])('[DERIVE-1] is not what %s', (_what, prepare, changes, shown, reason) => {
    const client = clientOf(prepare);
    client.replica.commit(changesOf(changes));
    expect(client.store.getContent()).toEqual(shown);
    expect(client.replica.pending).toEqual([]);
    expect(client.replica.overlay.localOnly).toBe(1);
    expect(client.refusals).toMatchObject([{ reason }]);
    client.replica.setSaving(false);
    client.replica.setSaving(true);
    expect(client.replica.pending).toEqual([]);
  });

  test('[DERIVE-1] is one push for each commit, and none for one that is derived itself', () => {
    const client = clientOf((store) => {
      store.addTablesListener(() => store.setValues({ rows: store.getRowCount('t'), m: 1 }), true);
    });
    client.replica.commit(changesOf([{ t: { r: { a: 1 }, s: { a: 1 } } }, {}]));
    expect(pushesOf(client)).toEqual([[{}, { rows: 2, m: 1 }]]);
    client.replica.commit(changesOf([{ t: { q: { a: 1 } } }, {}]), true);
    expect(pushesOf(client)).toEqual([[{}, { rows: 2, m: 1 }]]);
    expect(client.store.getValue('rows')).toBe(3);
    expect(client.replica.overlay.localOnly).toBe(1);
    expect(client.refusals).toMatchObject([{ valueId: 'rows', reason: 'own-listener' }]);
  });

  test('[DERIVE-1] keeps nothing of leaves that come and go', () => {
    const client = clientOf(withDefault);
    for (let row = 0; row < 10; row += 1) {
      client.replica.commit(changesOf([{ t: { [row]: { a: 1 } } }, {}]));
      client.replica.acknowledge();
      client.replica.commit(changesOf([{}, {}, { t: [String(row)] }]));
    }
    expect(client.replica.overlay.isEmpty).toBe(true);
  });

  test('[DERIVE-2] is not pushed after a correction, and stays local-only', () => {
    const client = clientOf((store) => {
      store.addValueListener('n', () => store.setValue('seen', store.getValue('n') ?? 0), true);
    });
    client.store.setValue('n', 5);
    client.replica.acknowledgeCorrected(changesOf([{}, { n: 2 }]));
    expect(client.store.getValue('seen')).toBe(2);
    expect(client.replica.pending).toEqual([]);
    expect(client.replica.overlay.localOnly).toBe(1);
    client.replica.setSaving(false);
    client.replica.setSaving(true);
    expect(client.replica.pending).toEqual([]);
    expect(client.refusals).toMatchObject([{ valueId: 'seen', reason: 'own-listener' }]);
  });

  test('[DERIVE-2] is nothing of what a welcome or a reload brings', () => {
    const client = clientOf(withDefault);
    client.replica.catchUp({ changes: changesOf([{ t: { r: { a: 1 } } }, {}]) });
    client.replica.catchUp({ content: decodeContent('[{"t":{"r":{"a":1},"s":{"a":1}}},{}]') });
    expect(client.store.getCell('t', 's', 'done')).toBe(false);
    expect(client.replica.pending).toEqual([]);
    expect(client.replica.overlay.localOnly).toBe(2);
    expect(client.refusals.map(({ reason }) => reason)).toContain('own-schema');
  });

  test('[DERIVE-2] while not saving waits, and is pushed when saving starts', () => {
    const client = clientOf(withDefault);
    client.replica.setSaving(false);
    client.replica.commit(changesOf([{ t: { r: { a: 1 }, s: { a: 1 } } }, {}]));
    expect(client.replica.pending).toEqual([]);
    expect(client.replica.held).toBeUndefined();
    client.replica.commit(changesOf([{ t: { s: { done: true } } }, {}]));
    client.replica.setSaving(true);
    expect(pushesOf(client)).toEqual([[{ t: { r: { done: false } } }, {}]]);
    expect(client.replica.pending[0]?.isDerived).toBe(true);
    client.replica.acknowledge();
    expect(client.replica.overlay.isEmpty).toBe(true);
  });
});

/** Gives what it is told to when it is written as JSON. */
const speaking = (spoken: unknown): Cell => ({ toJSON: () => spoken });

describe('what a Store takes of the user', () => {
  test.each<readonly [string, Cell, unknown]>([
    ['a text that toJSON gives', speaking('1.50 EUR'), '1.50 EUR'],
    ['a number that toJSON gives', speaking(1.5), 1.5],
    ['a boolean that toJSON gives', speaking(false), false],
    ['null that toJSON gives', speaking(null), null],
    ['an object that toJSON gives', speaking({ a: [1] }), '\uFFFD{"a":[1]}'],
    ['an array of such', [speaking(1), speaking(undefined), NaN], '\uFFFD[1,null,null]'],
    ['an object of such', { a: speaking('x'), b: speaking(undefined) }, '\uFFFD{"a":"x"}'],
    ['numbers that JSON does not have', { a: NaN, b: -Infinity }, '\uFFFD{"a":null,"b":null}'],
  ])('[LOCAL-3] is sent as the Store shows it: %s', (_what, cell, leaf) => {
    const client = clientOf();
    client.store.setCell('t', 'r', 'c', cell).setValue('v', cell);
    expect(pushesOf(client)).toEqual([
      [{ t: { r: { c: leaf } } }, {}],
      [{}, { v: leaf }],
    ]);
    client.replica.acknowledge();
    client.replica.acknowledge();
    expect(client.replica.overlay.isEmpty).toBe(true);
    client.replica.commit(changesOf([{ t: { r: { c: leaf } } }, { v: leaf }]));
    expect(client.replica.overlay.isEmpty).toBe(true);
    expect(client.refusals).toEqual([]);
    expect(client.replica.readBase()?.get('t', 'r', 'c')).toBe(leaf);
  });

  test.each<readonly [string, (store: Store) => void, unknown]>([
    [
      'nothing that toJSON gives',
      (store) => store.setCell('t', 'r', 'c', speaking(undefined)),
      undefined,
    ],
    [
      'a function that toJSON gives',
      (store) =>
        store.setCell(
          't',
          'r',
          'c',
          speaking(() => 1),
        ),
      undefined,
    ],
    [
      'the text of an object',
      (store) => store.setCell('t', 'r', 'c', speaking('\uFFFD[1]')),
      '\uFFFD[1]',
    ],
    ['the mark of a deletion', (store) => store.setCell('t', 'r', 'c', speaking(DELETED)), DELETED],
  ])('[LOCAL-3] stays here and is reported if no leaf can say it: %s', (_what, set, shown) => {
    const client = clientOf();
    client.replica.commit(changesOf([{ t: { r: { b: 1, c: 1 } } }, {}]));
    set(client.store);
    expect(client.replica.pending).toEqual([]);
    expect(client.replica.overlay.localOnly).toBe(1);
    expect(client.refusals).toEqual([
      { type: 'cell', tableId: 't', rowId: 'r', cellId: 'c', cell: shown, reason: 'malformed' },
    ]);
    expect(client.replica.base.leaf('t', 'r', 'c')).toBe(1);
    // The rest of the row is kept true, and the leaf too once somebody sets it.
    client.store.setCell('t', 'r', 'b', 2);
    expect(pushesOf(client)).toEqual([[{ t: { r: { b: 2 } } }, {}]]);
    client.replica.acknowledge();
    client.replica.catchUp({ content: decodeContent('[{"t":{"r":{"b":3,"c":1}}},{}]') });
    expect(client.replica.overlay.localOnly).toBe(1);
    client.replica.commit(changesOf([{ t: { r: { c: 2 } } }, {}]));
    expect(client.store.getRow('t', 'r')).toEqual({ b: 3, c: 2 });
    expect(client.replica.overlay.isEmpty).toBe(true);
  });

  test('[LOCAL-3] is told where it was the only thing that happened', () => {
    const client = clientOf();
    client.store.setCell('t', 'r', 'c', speaking(undefined));
    expect(client.replica.overlay.localOnly).toBe(1);
    expect(client.refusals).toHaveLength(1);
    client.store.delCell('t', 'r', 'c');
    expect(client.replica.overlay.localOnly).toBe(0);
  });

  test('[LOCAL-3] does not keep the rest of its transaction from being sent', () => {
    const client = clientOf();
    client.store.transaction(() => {
      client.store.setRow('t', 'r', { a: 1, b: speaking(undefined) });
      client.store.setRow('t', 's', { b: speaking(undefined) });
      client.store.setValues({ v: 1, w: speaking(DELETED) });
    });
    expect(pushesOf(client)).toEqual([[{ t: { r: { a: 1 } } }, { v: 1 }]]);
    expect(client.replica.overlay.localOnly).toBe(3);
    expect(client.refusals).toHaveLength(3);
    client.store.delValue('w');
    expect(client.replica.overlay.localOnly).toBe(2);
    client.replica.discardLocal();
    expect(client.store.getContent()).toEqual([{ t: { r: { a: 1 } } }, { v: 1 }]);
  });

  test('[LOCAL-3] [DERIVE-1] is not derived if no leaf can say it', () => {
    const client = clientOf((store) => {
      store.addWillFinishTransactionListener(() => {
        if (store.hasValue('n')) store.setValue('m', speaking(DELETED));
      });
    });
    client.replica.commit(changesOf([{}, { n: 1 }]));
    expect(client.replica.pending).toEqual([]);
    expect(client.refusals).toMatchObject([{ valueId: 'm', reason: 'malformed' }]);
  });
});

describe("what the client's own schema refuses", () => {
  test('[LOCAL-1] stays with the room, is not sent, and is reported with its value', () => {
    const client = clientOf(withSchema);
    client.replica.commit(
      changesOf([{ t: { r: { a: 'no', b: 1 } }, u: { r: { a: 1 } } }, { v: 'no' }]),
    );
    expect(client.store.getContent()).toEqual([{}, { v: 0 }]);
    expect(client.replica.pending).toEqual([]);
    expect(client.replica.base.leaf('t', 'r', 'a')).toBe('no');
    expect(client.replica.base.leaf('u', 'r', 'a')).toBe(1);
    expect(client.replica.base.leaf(VALUES, '', 'v')).toBe('no');
    const reason = 'own-schema';
    expect(client.refusals).toEqual([
      { type: 'cell', tableId: 't', rowId: 'r', cellId: 'a', cell: 'no', reason },
      { type: 'cell', tableId: 't', rowId: 'r', cellId: 'b', cell: 1, reason },
      { type: 'cell', tableId: 'u', rowId: 'r', cellId: 'a', cell: 1, reason },
      { type: 'value', valueId: 'v', value: 'no', reason },
    ]);
  });

  test('[LOCAL-1] is no obstacle to cells that a schema requires', () => {
    const client = clientOf((store) => {
      store.setTablesSchema({
        t: { a: { type: 'number', required: true }, b: { type: 'string', required: true } },
      });
    });
    client.replica.commit(changesOf([{ t: { r: { b: 'x' }, s: { a: 1, b: 'x' } } }, {}]));
    expect(client.store.getTable('t')).toEqual({ r: { b: 'x' }, s: { a: 1, b: 'x' } });
    expect(client.replica.overlay.isEmpty).toBe(true);
    expect(client.refusals).toEqual([]);
  });

  test('[LOCAL-2] ends when the room sets the leaf', () => {
    const client = clientOf(withSchema);
    client.replica.commit(changesOf([{ t: { r: { a: 'no' } } }, {}]));
    client.replica.commit(changesOf([{ t: { r: { a: 1 } } }, {}]));
    expect(client.store.getCell('t', 'r', 'a')).toBe(1);
    expect(client.replica.overlay.isEmpty).toBe(true);
  });

  test('[LOCAL-2] ends when the user sets the leaf', () => {
    const client = clientOf(withSchema);
    client.replica.commit(changesOf([{ t: { r: { a: 'no' } } }, {}]));
    client.store.setCell('t', 'r', 'a', 2);
    expect(pushesOf(client)).toEqual([[{ t: { r: { a: 2 } } }, {}]]);
    expect(localOnlyLeaves(client.replica).isEmpty).toBe(true);
    client.replica.acknowledge();
    expect(client.replica.overlay.isEmpty).toBe(true);
  });

  test('[LOCAL-2] survives a reload in which the room left the leaf as it was', () => {
    const client = clientOf();
    client.replica.limitPushes(50);
    client.store.setValue('v', 'x'.repeat(100));
    client.replica.catchUp({ content: decodeContent('[{},{"w":1}]') });
    expect(client.store.getValues()).toEqual({ v: 'x'.repeat(100), w: 1 });
    client.replica.catchUp({ content: decodeContent('[{},{"v":1}]') });
    expect(client.store.getValues()).toEqual({ v: 1 });
  });

  test('[LOCAL-2] ends when the room has refused the push that the own app made it of', () => {
    const former = clientOf();
    former.store.setValue('v', 300);
    const client = clientOf((store) =>
      store.addValueListener(
        'v',
        (_store, id, value) => value === 300 && store.setValue(id, 100),
        true,
      ),
    );
    client.replica.restore(undefined, { pushes: former.replica.pending, lastNumber: 1 });
    expect([client.store.getValue('v'), client.replica.overlay.localOnly]).toEqual([100, 1]);
    client.replica.catchUp({ lastPush: 1, changes: changesOf([{}, { w: 1 }]) });
    expect(client.store.getValues()).toEqual({ w: 1 });
    expect(client.replica.overlay.isEmpty).toBe(true);
  });

  test.each<readonly [string, (replica: Replica) => boolean]>([
    [
      'the room refuses it',
      (replica) => replica.acknowledgeCorrected(changesOf([{ t: { r: { a: DELETED } } }, {}])),
    ],
    ['a welcome has nothing of it', (replica) => replica.catchUp({ lastPush: 1 })],
    [
      'the content has nothing of it',
      (replica) => replica.catchUp({ lastPush: 1, content: decodeContent('[{},{}]') }),
    ],
  ])(
    '[LOCAL-2] ends for the defaults of a deleted row with the edit that had kept it: %s',
    (_how, end) => {
      const client = clientOf((store) => {
        withDefault(store);
        store.setRow('t', 'r', { a: 1, done: true });
      });
      client.store.setCell('t', 'r', 'a', 2);
      client.replica.commit(changesOf([{}, {}, { t: ['r'] }]));
      expect(client.store.getRow('t', 'r')).toEqual({ a: 2, done: false });
      expect(client.replica.overlay.localOnly).toBe(1);
      expect(end(client.replica)).toBe(true);
      expect(client.store.getTables()).toEqual({});
      expect(client.replica.overlay.isEmpty).toBe(true);
    },
  );

  test('[LOCAL-2] stays with a row of which something else is left', () => {
    const client = clientOf((store) => {
      withDefault(store);
      store.setRow('t', 'r', { a: 1, done: true });
    });
    client.store.setCell('t', 'r', 'a', 2);
    client.replica.commit(changesOf([{}, {}, { t: ['r'] }]));
    client.replica.commit(changesOf([{ t: { r: { a: 3 } } }, {}]));
    client.replica.catchUp({ lastPush: 1 });
    expect(client.store.getRow('t', 'r')).toEqual({ a: 3, done: false });
    expect(client.replica.overlay.localOnly).toBe(1);
  });

  test('[LOCAL-2] keeps a row of which the room has something that the Store shows in another way', () => {
    const client = clientOf(withDefault);
    const { replica, store } = client;
    replica.commit(changesOf([{ t: { r: { a: 1, done: null } } }, {}]));
    replica.commit(changesOf([{ t: { r: { a: DELETED } } }, {}]));
    expect(store.getRow('t', 'r')).toEqual({ done: false });
    expect(replica.base.leaf('t', 'r', 'done')).toBeNull();
  });

  test('[LOCAL-2] keeps a row in which an edit is pending below what the Store made of it', () => {
    const client = clientOf((store) => {
      store.setValue('most', 9);
      store.addValueListener(
        'most',
        (_store, _id, most) => {
          if (Number(store.getCell('t', 'r', 'n')) > Number(most))
            store.setCell('t', 'r', 'n', most);
        },
        true,
      );
    });
    const { replica, store } = client;
    store.setCell('t', 'r', 'title', 'refused');
    store.setCell('t', 'r', 'n', 5);
    expect(replica.catchUp({ changes: changesOf([{}, { most: 3 }]) })).toBe(true);
    expect(store.getRow('t', 'r')).toEqual({ title: 'refused', n: 3 });
    replica.acknowledgeCorrected(changesOf([{ t: { r: { title: DELETED } } }, {}]));
    expect(store.getRow('t', 'r')).toEqual({ n: 3 });
    replica.acknowledge();
    expect(replica.base.leaf('t', 'r', 'n')).toBe(5);
    expect(store.getRow('t', 'r')).toEqual({ n: 3 });
  });

  test('[LOCAL-1] is reported once of a kept push, also if the welcome says that the room has it', () => {
    const former = clientOf();
    for (const a of ['no', 'never']) former.store.setRow('t', 'r', { a, b: 1 });
    former.store.setPartialRow('t', 'r', { a: 'no' });
    for (const isContent of [false, true]) {
      const client = clientOf((store) => {
        store.setTablesSchema({ t: { a: { type: 'number' } } });
      });
      client.replica.restore(undefined, { pushes: former.replica.pending, lastNumber: 3 });
      expect(client.refusals).toMatchObject([{ cell: 'no' }, { cell: 1 }]);
      const lastPush = former.replica.lastNumber;
      const shown = [{ t: { r: { a: 'no', b: 2 } } }, {}];
      client.replica.catchUp({
        lastPush,
        ...(isContent
          ? { content: decodeContent(JSON.stringify(shown)) }
          : { changes: changesOf(shown) }),
      });
      expect(client.replica.overlay.localOnly).toBe(2);
      // The room altered one of them.
      expect(client.refusals.slice(2)).toMatchObject([{ cellId: 'b', cell: 2 }]);
    }
  });

  test('[LOCAL-2] stays when the room has refused a push, if its user made it since', () => {
    const client = clientOf();
    client.store.setValue('v', 1);
    client.replica.limitPushes(50);
    client.store.setValue('v', 'x'.repeat(100));
    client.replica.catchUp({ lastPush: 1, changes: changesOf([{}, { w: 1 }]) });
    expect(client.store.getValues()).toEqual({ v: 'x'.repeat(100), w: 1 });
  });

  test('[LOCAL-2] ends when the app discards it', () => {
    const client = clientOf((store) => store.setValue('v', 1));
    client.replica.limitPushes(50);
    client.store.setValue('v', 'x'.repeat(100));
    client.store.startTransaction();
    expect(client.replica.discardLocal()).toBe(false);
    client.store.finishTransaction();
    expect(client.replica.discardLocal()).toBe(true);
    expect(client.store.getValue('v')).toBe(1);
    expect(client.replica.overlay.isEmpty).toBe(true);
    expect(client.replica.pending).toEqual([]);
  });
});

/** A client that looks, and lets nobody change anything of some tables. */
function guarded(store: Store): void {
  store.setTables({ fixed: { r: { a: 1, b: 1 } } });
  store.setValues({ fixed: 1 });
  createMiddleware(store)
    .addWillSetCellCallback((table, _row, _cell, leaf) => (table === 'fixed' ? undefined : leaf))
    .addWillSetValueCallback((id, value) => (id === 'fixed' ? undefined : value))
    .addWillDelCellCallback((table) => table !== 'fixed')
    .addWillDelRowCallback((table) => table !== 'fixed')
    .addWillDelValueCallback((id) => id !== 'fixed');
}

describe("what the client's own middleware does not let pass", () => {
  test.each<readonly [string, Parameters<typeof changesOf>[0], readonly unknown[]]>([
    [
      'cells and values',
      [
        { fixed: { r: { a: 2, new: 2 } }, t: { r: { a: 2 } } },
        { fixed: 2, v: 2 },
      ],
      [
        ['a', 2],
        ['new', 2],
        ['fixed', 2],
      ],
    ],
    [
      'the deletion of cells and values',
      [{ fixed: { r: { a: DELETED } } }, { fixed: DELETED }],
      [
        ['a', undefined],
        ['fixed', undefined],
      ],
    ],
    [
      'the deletion of a row',
      [{}, {}, { fixed: ['r'] }],
      [
        ['a', undefined],
        ['b', undefined],
      ],
    ],
  ])('[LOCAL-1] stays with the room, is not sent, and is reported: %s', (_what, changes, told) => {
    const client = clientOf(guarded);
    client.replica.commit(changesOf(changes));
    expect(client.store.getTable('fixed')).toEqual({ r: { a: 1, b: 1 } });
    expect(client.store.getValue('fixed')).toBe(1);
    expect(client.replica.pending).toEqual([]);
    expect(client.refusals.map(({ reason }) => reason)).toEqual(told.map(() => 'own-middleware'));
    const leaves = client.refusals.map((refusal) => {
      if (refusal.type === 'cell') return [refusal.cellId, refusal.cell];
      return refusal.type === 'value' ? [refusal.valueId, refusal.value] : [];
    });
    expect(leaves).toEqual(told);
  });

  test('[LOCAL-1] is shown as soon as it passes', () => {
    let isOpen = false;
    const client = clientOf((store) => {
      createMiddleware(store).addWillSetValueCallback((_id, value) => (isOpen ? value : undefined));
    });
    client.replica.commit(changesOf([{}, { v: 1 }]));
    expect(client.store.getValues()).toEqual({});
    isOpen = true;
    client.replica.commit(changesOf([{}, { v: 2 }]));
    expect(client.store.getValues()).toEqual({ v: 2 });
    expect(client.replica.overlay.isEmpty).toBe(true);
    expect(client.replica.pending).toEqual([]);
  });
});

describe('an app that throws', () => {
  test('[VIEW-7] in a listener has the commit shown and kept', () => {
    const client = clientOf((store) => store.addValueListener('v', throwing));
    client.replica.commit(changesOf([{}, { v: 1, w: 1 }]));
    expect(client.errors).toEqual([new Error('thrown')]);
    expect(client.store.getValues()).toEqual({ v: 1, w: 1 });
    expect(client.replica.overlay.isEmpty).toBe(true);
  });

  test.each<readonly [string, (store: Store) => void]>([
    ['a mutator listener', (store) => store.addValueListener('v', throwing, true)],
    ['middleware', (store) => createMiddleware(store).addWillSetValueCallback(() => throwing())],
    ['a will-finish listener', (store) => store.addWillFinishTransactionListener(throwing)],
    ['a start listener', (store) => store.addStartTransactionListener(throwing)],
  ])(
    '[VIEW-7] in %s shows nothing of the commit, has it reported and pushes nothing',
    (_who, prepare) => {
      const client = clientOf((store) => prepare(store.setValues({ v: 0, w: 0 })));
      client.replica.commit(changesOf([{}, { v: 1, w: 1 }]));
      expect(client.errors).toEqual([new Error('thrown')]);
      expect(client.store.getValues()).toEqual({ v: 0, w: 0 });
      expect(client.replica.pending).toEqual([]);
      expect(client.replica.base.leaf(VALUES, '', 'v')).toBe(1);
      expect(client.replica.base.leaf(VALUES, '', 'w')).toBe(1);
      expect(client.refusals).toEqual([
        { type: 'value', valueId: 'v', value: 1, reason: 'own-listener' },
        { type: 'value', valueId: 'w', value: 1, reason: 'own-listener' },
      ]);
    },
  );

  test('[VIEW-7] in a listener that discards local-only leaves meanwhile pushes nothing of it', () => {
    const client = clientOf();
    client.store.addValueListener('v', () => {
      client.replica.discardLocal();
      throwing();
    });
    client.replica.commit(changesOf([{}, { v: 1 }]));
    expect(client.replica.pending).toEqual([]);
    expect(client.replica.overlay.isEmpty).toBe(true);
  });
});

describe('giving up', () => {
  test('reports all that is not confirmed, and leaves the Store as it is', () => {
    const client = clientOf((store) => store.setRow('t', 'r', { a: 1 }));
    client.store.delRow('t', 'r');
    client.replica.setSaving(false);
    client.store.setValue('v', [1]);
    expect(client.replica.abandon('destroyed')).toEqual([
      { type: 'row', tableId: 't', rowId: 'r', reason: 'destroyed' },
      { type: 'value', valueId: 'v', value: [1], reason: 'destroyed' },
    ]);
    expect(client.store.getContent()).toEqual([{}, { v: [1] }]);
    expect(client.replica.overlay.isEmpty).toBe(true);
    expect(client.replica.held).toBeUndefined();
  });

  test('stops observing', () => {
    const client = clientOf();
    client.store.setValue('v', 1);
    expect(client.replica.pending).toHaveLength(1);
    client.replica.stop();
    client.store.setValue('v', 2);
    expect(client.replica.pending).toHaveLength(1);
  });
});

describe('restoring', () => {
  test('[KEEP-1] puts pending pushes back on top of the base', () => {
    const first = clientOf((store) => store.setRow('t', 'r', { a: 1, b: 1 }));
    first.store.setCell('t', 'r', 'a', 2);
    first.store.delRow('t', 'r');
    first.store.setCell('t', 'r', 'c', 3);
    const second = clientOf((store) => store.setRow('t', 'r', { a: 1, b: 1 }));
    expect(
      second.replica.restore(undefined, { pushes: first.replica.pending, lastNumber: 3 }),
    ).toBe(true);
    expect(second.store.getRow('t', 'r')).toEqual({ c: 3 });
    expect(second.replica.base.leaf('t', 'r', 'b')).toBe(1);
    expect(second.replica.oldestUnanswered).toBe(1);
    for (let acks = 0; acks < 3; acks++) second.replica.acknowledge();
    expect(second.replica.overlay.isEmpty).toBe(true);
    second.store.setValue('v', 1);
    expect(second.replica.oldestUnanswered).toBe(4);
  });
});

describe('the base', () => {
  test('cannot be read while the app has a transaction open', () => {
    const { store, replica } = clientOf();
    store.startTransaction();
    expect(replica.readBase()).toBeUndefined();
    store.finishTransaction();
    expect(replica.readBase()?.isEmpty).toBe(true);
  });

  test('[SEED-2] is the Store without edits made here', () => {
    const client = clientOf((store) => store.setValues({ a: 1, b: 1 }));
    client.replica.setSaving(false);
    client.store.setValue('a', 2).delValue('b').setValue('c', 3);
    const base = client.replica.readBase();
    expect([base?.get(VALUES, '', 'a'), base?.get(VALUES, '', 'b')]).toEqual([1, 1]);
    expect(base?.count()).toBe(2);
  });
});
