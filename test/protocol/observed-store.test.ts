import { createMergeableStore, createMiddleware, createStore, type Store } from 'tinybase';
import { describe, expect, test } from 'vitest';

import { ObservedStore } from '../../src/protocol/observed-store.ts';
import { readContent, type TransactionLog } from '../../src/protocol/store-access.ts';
import { listed } from './arbitrary-changes.ts';

interface Observation {
  readonly store: Store;
  readonly observed: ObservedStore;
  readonly logs: TransactionLog[];
}

function observe(store: Store = createStore()): Observation {
  const logs: TransactionLog[] = [];
  return { store, observed: new ObservedStore(store, (log) => logs.push(log)), logs };
}

function throwing(): never {
  throw new Error('thrown');
}

describe.each([
  ['Store', (): Store => createStore()],
  ['MergeableStore', (): Store => createMergeableStore('one')],
])('a %s', (_kind, create) => {
  test("tells the owner's transactions from those applied", () => {
    const { store, observed, logs } = observe(create());
    store.setCell('t', 'r', 'c', 1);
    store.transaction(() => store.setValue('v', 1).setValue('w', 1));
    const outcome = observed.apply(() => store.setCell('t', 'r', 'c', 2));
    store.startTransaction().setValue('v', 2).finishTransaction();
    expect(outcome).toMatchObject({ type: 'applied', error: undefined });
    expect(outcome.type === 'applied' && outcome.log && listed(outcome.log.before)).toEqual([
      ['["t","r","c"]', 1],
    ]);
    expect(logs.map(({ changes }) => listed(changes.leaves))).toEqual([
      [['["t","r","c"]', 1]],
      [
        ['[null,"","v"]', 1],
        ['[null,"","w"]', 1],
      ],
      [['[null,"","v"]', 2]],
    ]);
  });

  test('says nothing of transactions that changed nothing or were rolled back', () => {
    const { store, logs } = observe(create());
    store.transaction(() => undefined);
    store.transaction(() => store.setValue('v', 1).delValue('v'));
    store.transaction(
      () => store.setValue('v', 1),
      () => true,
    );
    expect(() =>
      store.transaction(() => {
        store.setValue('v', 1);
        throwing();
      }),
    ).toThrow('thrown');
    expect(logs).toEqual([]);
  });
});

test('reads the log only if it is needed, as the Store is when everything is over', () => {
  const { store, observed } = observe();
  const shown: unknown[] = [];
  const set = (value: number, isNeeded: boolean): unknown => {
    const outcome = observed.apply(
      () => store.setValue('v', value),
      () => {
        shown.push(store.getValue('v'));
        return isNeeded;
      },
    );
    return outcome.type === 'applied' && outcome.log && listed(outcome.log.before);
  };
  store.addValueListener('v', () => store.getValue('v') === 2 && store.setValue('v', 3), true);
  expect(set(1, true)).toEqual([['[null,"","v"]', undefined]]);
  expect(set(2, false)).toBeUndefined();
  expect(set(4, true)).toEqual([['[null,"","v"]', 3]]);
  expect(shown).toEqual([1, 3, 4]);
});

test("[VIEW-6] applies nothing into the owner's open transaction, however deep", () => {
  const { store, observed, logs } = observe();
  let calls = 0;
  const tryToApply = (): string => observed.apply(() => calls++).type;
  store.startTransaction();
  expect(tryToApply()).toBe('busy');
  store.startTransaction();
  store.setValue('v', 1);
  expect(tryToApply()).toBe('busy');
  store.finishTransaction();
  expect(tryToApply()).toBe('busy');
  store.finishTransaction(() => true);
  expect(calls).toBe(0);
  expect(store.hasValues()).toBe(false);
  expect(tryToApply()).toBe('applied');
  expect(logs).toEqual([]);
});

test('[VIEW-6] applies nothing while listeners are called, of whatever phase', () => {
  const { store, observed } = observe();
  const outcomes: string[] = [];
  const tryToApply = (): void => {
    outcomes.push(observed.apply(() => store.setValue('w', 1)).type);
  };
  store.addStartTransactionListener(tryToApply);
  store.addValueListener('v', tryToApply, true);
  store.addWillFinishTransactionListener(tryToApply);
  store.addValueListener('v', tryToApply);
  store.addDidFinishTransactionListener(tryToApply);
  store.setValue('v', 1);
  expect(outcomes).toEqual(['busy', 'busy', 'busy', 'busy', 'busy']);
  expect(store.getValues()).toEqual({ v: 1 });
});

test('applies nothing from within itself', () => {
  const { store, observed } = observe();
  const inner: string[] = [];
  const outcome = observed.apply(() => {
    store.setValue('v', 1);
    inner.push(observed.apply(() => store.setValue('w', 1)).type);
  });
  expect(inner).toEqual(['busy']);
  expect(outcome.type === 'applied' && outcome.log && listed(outcome.log.changes.leaves)).toEqual([
    ['[null,"","v"]', 1],
  ]);
  expect(store.getValues()).toEqual({ v: 1 });
});

test('tells after a busy time as before it', () => {
  const { store, observed, logs } = observe();
  store.transaction(() => {
    observed.apply(() => undefined);
    store.setValue('v', 1);
  });
  observed.apply(() => store.setValue('v', 2));
  store.setValue('v', 3);
  expect(logs.map(({ changes }) => listed(changes.leaves))).toEqual([
    [['[null,"","v"]', 1]],
    [['[null,"","v"]', 3]],
  ]);
});

describe('when the owner throws', () => {
  const before = [['[null,"","v"]', 0]];

  const cases: readonly (readonly [string, 'applied' | 'failed', (store: Store) => void])[] = [
    ['a start listener', 'failed', (store) => store.addStartTransactionListener(throwing)],
    ['a mutator listener', 'failed', (store) => store.addValueListener(null, throwing, true)],
    [
      'middleware',
      'failed',
      (store) => createMiddleware(store).addWillSetValueCallback(() => throwing()),
    ],
    [
      'a will-finish listener',
      'failed',
      (store) => store.addWillFinishTransactionListener(throwing),
    ],
    ['a plain listener', 'applied', (store) => store.addValueListener(null, throwing)],
    [
      'a did-finish listener',
      'applied',
      (store) => store.addDidFinishTransactionListener(throwing),
    ],
  ];

  test.each(cases)('[VIEW-7] in %s: %s, and the error is told', (_who, type, prepare) => {
    const { store, observed, logs } = observe(createStore().setValue('v', 0));
    prepare(store);
    const outcome = observed.apply(() => store.setValue('v', 1));
    expect(outcome).toMatchObject({ type, error: new Error('thrown') });
    expect(listed(readContent(store))).toEqual(
      type === 'applied' ? [['[null,"","v"]', 1]] : before,
    );
    expect(logs).toEqual([]);
  });

  test.each(cases)('[VIEW-7] in %s that was there first: %s', (_who, type, prepare) => {
    const store = createStore().setValue('v', 0);
    prepare(store);
    const { observed, logs } = observe(store);
    const outcome = observed.apply(() => store.setValue('v', 1));
    expect(outcome).toMatchObject({ type, error: new Error('thrown') });
    expect(logs).toEqual([]);
  });

  test('[VIEW-7] in the actions themselves: nothing is changed', () => {
    const { store, observed } = observe();
    const outcome = observed.apply(() => {
      store.setValue('v', 1);
      throwing();
    });
    expect(outcome).toMatchObject({ type: 'failed', error: new Error('thrown') });
    expect(store.hasValues()).toBe(false);
    expect(observed.apply(() => store.setValue('v', 1)).type).toBe('applied');
  });

  test("[VIEW-7] in the owner's own transaction: it is told if it was kept", () => {
    const { store, logs } = observe();
    const listenerId = store.addValueListener('v', throwing);
    expect(() => store.setValue('v', 1)).toThrow('thrown');
    expect(logs).toHaveLength(1);
    store.delListener(listenerId);
    store.addWillFinishTransactionListener(throwing);
    expect(() => store.setValue('v', 2)).toThrow('thrown');
    expect(logs).toHaveLength(1);
  });
});

test('hears what mutator listeners and will-finish listeners add', () => {
  const { store, observed, logs } = observe();
  store.addValueListener('v', () => store.setValue('mutated', true), true);
  store.addWillFinishTransactionListener(() => store.setValue('finished', true));
  const outcome = observed.apply(() => store.setValue('v', 1));
  expect(outcome.type === 'applied' && outcome.log && listed(outcome.log.changes.leaves)).toEqual([
    ['[null,"","finished"]', true],
    ['[null,"","mutated"]', true],
    ['[null,"","v"]', 1],
  ]);
  store.setValue('v', 2);
  expect(logs).toHaveLength(1);
});

test('stops', () => {
  const { store, observed, logs } = observe();
  observed.stop();
  store.setValue('v', 1);
  expect(logs).toEqual([]);
  expect(store.getListenerStats().transaction).toBe(0);
  // The Store gives the ids that are free to these listeners.
  let calls = 0;
  store.addValuesListener(() => (calls += 1));
  store.addTablesListener(() => (calls += 1));
  observed.stop();
  store.setValue('v', 2).setCell('t', 'r', 'c', 1);
  expect(calls).toBe(2);
});

test('[VIEW-7] stops before the next transaction if a mutator listener has thrown in the last one', () => {
  const { store, observed, logs } = observe();
  const id = store.addValueListener('v', throwing, true);
  expect(() => store.setValue('v', 1)).toThrow('thrown');
  store.delListener(id);
  observed.stop(true);
  store.setValue('v', 2);
  expect(logs).toEqual([]);
  expect(store.getListenerStats().transaction).toBe(0);
});
