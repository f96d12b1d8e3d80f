import { createCheckpoints, createStore, type Store } from 'tinybase';
import { describe, expect, test, vi } from 'vitest';

import { observeForUndo } from '../../../../src/client/features/undo/undo-observer.ts';
import type { Undo, UndoOptions } from '../../../../src/client/features/undo/index.ts';
import type { Refusal } from '../../../../src/client/replica/refusal.ts';
import { Replica } from '../../../../src/client/replica/replica.ts';
import type { Changes } from '../../../../src/protocol/changes.ts';
import { decodeChanges, decodeContent, encodeChanges } from '../../../../src/protocol/codec.ts';
import { LeafMap } from '../../../../src/protocol/leaf-map.ts';

interface Client {
  readonly store: Store;
  readonly replica: Replica;
  readonly undo: Undo;
  readonly refusals: Refusal[];
  readonly clock: { now: number };
}

/** A client that follows and saves; its Store holds what the room does. */
function clientOf(
  prepare: (store: Store) => void = () => undefined,
  options?: UndoOptions,
): Client {
  const store = createStore();
  prepare(store);
  const refusals: Refusal[] = [];
  const replica = new Replica(store, {
    onPending: () => undefined,
    onRefused: (refused) => refusals.push(...refused),
    onError: () => undefined,
  });
  const clock = { now: 0 };
  const { undo } = observeForUndo(replica, () => clock.now, options);
  replica.startTracking();
  replica.setFollowing(true);
  replica.setSaving(true);
  return { store, replica, undo, refusals, clock };
}

const changesOf = (json: unknown): Changes => decodeChanges(JSON.stringify(json));

/** The room makes this of a new pet. */
const addedTo = (cells: object): Changes => changesOf([{ pets: { felix: cells } }, {}]);

const DELETED = '\uFFFC';

const withPets = (store: Store): void => {
  store.setTables({ pets: { fido: { legs: 4, color: 'brown' } } });
  store.setValue('open', true);
};
const acknowledgeAll = ({ replica }: Client): void => {
  while (replica.pending.length > 0) replica.acknowledge();
};
/** The room answers all pushes, and sets a default in each new pet that has none. */
function answer({ replica }: Client): void {
  for (let push = replica.pending[0]; push !== undefined; push = replica.pending[0]) {
    const { leaves } = push.changes;
    const isNew = leaves.has('pets', 'felix', 'legs') && !leaves.has('pets', 'felix', 'isTame');
    if (isNew) replica.acknowledgeCorrected(addedTo({ isTame: false }));
    else replica.acknowledge();
  }
}

/** Restores pushes of the page before, from number 1 on. */
function restorePushes({ replica }: Client, ...edits: readonly unknown[]): void {
  const pushes = edits.map((json, index) => {
    const changes = changesOf(json);
    return { number: index + 1, changes, encoded: encodeChanges(changes) };
  });
  replica.restore(undefined, { pushes, lastNumber: pushes.length });
}

/** The room refuses a push because its user may only read, and the client shows the room's version. */
function forbid({ replica }: Client, number: number): void {
  const changes = replica.pending.find((push) => push.number === number)?.changes;
  replica.withdraw(number, 'access');
  replica.discardLocal(changes);
}

/** The numbers of steps to undo and to redo. */
const countsOf = ({ undo }: Client): readonly [number, number] => {
  const [backward, , forward] = undo.getCheckpointIds();
  return [backward.length, forward.length];
};

function throwing(): never {
  throw new Error('thrown');
}

function closeWith({ store, undo }: Client, label = ''): void {
  undo.transaction(() => store.setValue('open', false), label);
}

describe('a step', () => {
  test('[UNDO-1] is one transaction, with all that it changed: cells, Values, rows, objects and arrays', () => {
    const client = clientOf(withPets);
    const { store, undo } = client;
    store.setCell('pets', 'fido', 'tags', [1, { a: null }]);
    store.setRow('pets', 'felix', { legs: 4, at: { x: 1 } });
    store.transaction(() => {
      store.setCell('pets', 'fido', 'legs', 3);
      store.delCell('pets', 'fido', 'color');
      store.delValue('open');
      store.setValues({ name: 'shop', owner: { name: 'Ada' } });
      store.delRow('pets', 'felix');
    });
    const end = store.getContent();
    expect(countsOf(client)).toEqual([3, 0]);
    undo.goBackward();
    expect(store.getContent()).toEqual([
      {
        pets: {
          fido: { legs: 4, color: 'brown', tags: [1, { a: null }] },
          felix: { legs: 4, at: { x: 1 } },
        },
      },
      { open: true },
    ]);
    undo.goBackward();
    expect(store.hasRow('pets', 'felix')).toBe(false);
    undo.goBackward();
    expect(store.getContent()).toEqual([
      { pets: { fido: { legs: 4, color: 'brown' } } },
      { open: true },
    ]);
    undo.goBackward();
    expect(countsOf(client)).toEqual([0, 3]);
    for (let redo = 0; redo < 4; redo++) undo.goForward();
    expect(store.getContent()).toEqual(end);
    expect(countsOf(client)).toEqual([3, 0]);
  });

  test('[UNDO-1] is no commit, loaded content, initial content or correction, where TinyBase’s Checkpoints undo everything', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    const checkpoints = createCheckpoints(store);
    store.setCell('pets', 'fido', 'legs', 3);
    acknowledgeAll(client);
    replica.commit(changesOf([{ pets: { rex: { legs: 5 } } }, {}]));
    checkpoints.addCheckpoint();
    expect(countsOf(client)).toEqual([1, 0]);
    undo.goBackward();
    expect(store.getTable('pets')).toEqual({
      fido: { legs: 4, color: 'brown' },
      rex: { legs: 5 },
    });
    undo.goForward();
    checkpoints.addCheckpoint();
    checkpoints.goTo('0');
    expect(store.hasRow('pets', 'rex')).toBe(false);
  });

  test('[UNDO-1] has what mutator listeners make of the edit, and is none of what they make of a commit', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.addCellListener(
      'pets',
      null,
      'legs',
      (_store, _table, row, _cell, legs) => store.setCell('sums', row, 'twice', Number(legs) * 2),
      true,
    );
    replica.commit(changesOf([{ pets: { rex: { legs: 1 } } }, {}]));
    expect(store.getCell('sums', 'rex', 'twice')).toBe(2);
    expect(replica.pending.map(({ isDerived }) => isDerived)).toEqual([true]);
    expect(countsOf(client)).toEqual([0, 0]);
    store.setCell('pets', 'rex', 'legs', 3);
    expect(store.getCell('sums', 'rex', 'twice')).toBe(6);
    undo.goBackward();
    expect([store.getCell('pets', 'rex', 'legs'), store.getCell('sums', 'rex', 'twice')]).toEqual([
      1, 2,
    ]);
    expect(countsOf(client)).toEqual([0, 1]);
  });

  test('[UNDO-3] loses a leaf that the own listeners change in reaction to a commit', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.addCellListener('pets', null, 'legs', () => store.setValue('open', 'listener'), true);
    store.setValue('open', false);
    acknowledgeAll(client);
    replica.commit(changesOf([{ pets: { rex: { legs: 1 } } }, {}]));
    expect(countsOf(client)).toEqual([0, 0]);
    undo.goBackward();
    expect(store.getValue('open')).toBe('listener');
  });

  test('is not made by a transaction that changes nothing or is rolled back', () => {
    const client = clientOf(withPets);
    const { store } = client;
    store.setValue('open', true);
    store.transaction(
      () => store.setValue('open', false),
      () => true,
    );
    expect(countsOf(client)).toEqual([0, 0]);
  });
});

describe('an undo', () => {
  test('[UNDO-2] is one transaction and one push, and its redo is another', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.transaction(() => {
      store.setCell('pets', 'fido', 'legs', 3);
      store.setValue('open', false);
    });
    let transactions = 0;
    store.addDidFinishTransactionListener(() => (transactions += 1));
    undo.goBackward();
    expect([transactions, replica.pending.length]).toEqual([1, 2]);
    undo.goForward();
    expect([transactions, replica.pending.length]).toEqual([2, 3]);
    acknowledgeAll(client);
    expect(replica.overlay.isEmpty).toBe(true);
    expect(store.getContent()).toEqual([
      { pets: { fido: { legs: 3, color: 'brown' } } },
      { open: false },
    ]);
  });

  test('[UNDO-2] while nothing is saved is held, as any edit', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    replica.setSaving(false);
    store.setCell('pets', 'fido', 'legs', 3);
    store.setCell('pets', 'fido', 'legs', 2);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    replica.setSaving(true);
    expect(replica.pending).toHaveLength(1);
    undo.goBackward();
    replica.acknowledge();
    undo.goForward();
    undo.goForward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(2);
  });

  test('[UNDO-2] makes its redo from what it really changed', () => {
    const client = clientOf(withPets);
    const { store, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    store.addCellListener('pets', null, 'legs', () => store.setValue('touched', true), true);
    undo.goBackward();
    expect(store.getValue('touched')).toBe(true);
    undo.goForward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
  });

  test('in a transaction or in a listener is an error and changes nothing', () => {
    const client = clientOf(withPets);
    const { store, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    const thrown: unknown[] = [];
    const attempt = (): void => {
      try {
        undo.goBackward();
      } catch (error) {
        thrown.push(error);
      }
    };
    store.transaction(attempt);
    const listenerId = store.addValueListener('open', attempt);
    store.setValue('open', false);
    store.delListener(listenerId);
    expect(thrown).toMatchObject([{ code: 'misuse' }, { code: 'misuse' }]);
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    expect(countsOf(client)).toEqual([2, 0]);
    undo.goBackward();
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
  });

  test('that a listener of the app stops keeps its step', () => {
    const client = clientOf(withPets);
    const { store, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    const listenerId = store.addWillFinishTransactionListener(() => {
      throw new Error('thrown');
    });
    expect(() => undo.goBackward()).toThrow('thrown');
    store.delListener(listenerId);
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
    expect(countsOf(client)).toEqual([0, 1]);
  });

  test('skips a step that the own schema lets change nothing', () => {
    const client = clientOf(withPets);
    const { store, undo } = client;
    store.setValue('open', false);
    store.setCell('pets', 'fido', 'color', 'red');
    store.setTablesSchema({ pets: { legs: { type: 'number' }, color: { type: 'string' } } });
    expect(countsOf(client)).toEqual([2, 0]);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'color')).toBe('brown');
  });
});

describe('what others do', () => {
  test('[UNDO-3] stays: a leaf that somebody else has set since leaves the step', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setPartialRow('pets', 'fido', { legs: 3, color: 'red' });
    acknowledgeAll(client);
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    undo.goBackward();
    expect(store.getRow('pets', 'fido')).toEqual({ legs: 5, color: 'brown' });
    undo.goForward();
    expect(store.getRow('pets', 'fido')).toEqual({ legs: 5, color: 'red' });
  });

  test.each([
    ['another', [{ pets: { fido: { legs: 5 } } }, {}], [{ pets: { fido: { legs: 3 } } }, {}]],
    ['none', [{ pets: { fido: { legs: '\uFFFC' } } }, {}], [{ pets: { fido: { legs: 3 } } }, {}]],
  ])('[UNDO-3] stays, even if they set it back after %s to what it was', (_what, first, second) => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    acknowledgeAll(client);
    replica.commit(changesOf(first));
    replica.commit(changesOf(second));
    expect(countsOf(client)).toEqual([0, 0]);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
  });

  test.each([
    ['the leaf', [{ pets: { fido: { legs: 3 } } }, {}]],
    ['its row', [{ pets: { fido: { legs: 3 } } }, {}, { pets: ['fido'] }]],
    ['its table', [{ pets: { fido: { legs: 3 } } }, {}, { pets: 0 }]],
  ])(
    '[UNDO-3] stays, if they deleted %s and set it back while the client was away',
    (_what, all) => {
      const client = clientOf(withPets);
      const { store, replica, undo } = client;
      store.setCell('pets', 'fido', 'legs', 3);
      acknowledgeAll(client);
      replica.catchUp({ changes: changesOf(all) });
      expect(countsOf(client)).toEqual([0, 0]);
      undo.goBackward();
      expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    },
  );

  test('[UNDO-3] a step all of whose leaves are others’ now is forgotten, with its checkpoint', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setValue('open', false);
    store.setCell('pets', 'fido', 'legs', 3);
    acknowledgeAll(client);
    const heard: unknown[] = [];
    undo.addCheckpointIdsListener((told) => heard.push(told.getCheckpointIds()));
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    expect(heard).toEqual([[['0'], '1', []]]);
    undo.goBackward();
    expect(store.getContent()).toEqual([
      { pets: { fido: { legs: 5, color: 'brown' } } },
      { open: true },
    ]);
  });

  test('[UNDO-3] stays theirs, even if a listener of the own app keeps the Store from showing it', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    acknowledgeAll(client);
    const listenerId = store.addCellListener('pets', 'fido', 'legs', throwing, true);
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    store.delListener(listenerId);
    expect([store.getCell('pets', 'fido', 'legs'), replica.overlay.localOnly]).toEqual([3, 1]);
    expect(countsOf(client)).toEqual([0, 0]);
    undo.goBackward();
    expect(replica.pending).toEqual([]);
  });

  test('[UNDO-3] is overwritten if it was not folded yet: the undo is ordered after it', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    acknowledgeAll(client);
    undo.goBackward();
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
    replica.acknowledge();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
    // The redo takes the undo back: without it, theirs would show.
    undo.goForward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(5);
  });

  test('[UNDO-3] stays when the room’s content is loaded anew', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setPartialRow('pets', 'fido', { legs: 3, color: 'red' });
    store.setValue('open', false);
    acknowledgeAll(client);
    const content = '[{"pets":{"fido":{"legs":5,"color":"red"}}},{"open":false}]';
    replica.catchUp({ content: decodeContent(content) });
    expect(countsOf(client)).toEqual([2, 0]);
    undo.goBackward();
    undo.goBackward();
    expect(store.getContent()).toEqual([
      { pets: { fido: { legs: 5, color: 'brown' } } },
      { open: true },
    ]);
  });

  test('[UNDO-4] comes back if it was set beneath a pending edit', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    store.setCell('pets', 'fido', 'legs', 2);
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    acknowledgeAll(client);
    expect(store.getCell('pets', 'fido', 'legs')).toBe(2);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(5);
    undo.goForward();
    undo.goForward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(2);
  });

  test('[UNDO-4] comes back beneath the pending one of two edits, and the answered one is no more', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    replica.acknowledge();
    store.setCell('pets', 'fido', 'legs', 2);
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    replica.acknowledge();
    expect(countsOf(client)).toEqual([1, 0]);
    undo.goBackward();
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(5);
  });

  test('[UNDO-4] beneath an edit that was undone already changes nothing of the redo', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    undo.goBackward();
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    acknowledgeAll(client);
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
    undo.goForward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
  });

  test('[UNDO-4] beneath held edits comes back with the undo of the first of them', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    replica.setSaving(false);
    for (const legs of [3, 2, 1]) store.setCell('pets', 'fido', 'legs', legs);
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    const seen = [1, 2, 3].map(() => {
      undo.goBackward();
      return store.getCell('pets', 'fido', 'legs');
    });
    expect(seen).toEqual([2, 3, 5]);
    for (let redo = 0; redo < 3; redo++) undo.goForward();
    replica.setSaving(true);
    acknowledgeAll(client);
    undo.goTo('0');
    expect(store.getCell('pets', 'fido', 'legs')).toBe(5);
  });

  test('[UNDO-4] beneath a held edit comes back also if that was undone and redone before it was sent', () => {
    for (const others of [
      [{ pets: { fido: { legs: 5 } } }, {}],
      [{ pets: { fido: { legs: DELETED } } }, {}],
    ]) {
      const client = clientOf(withPets);
      const { store, replica, undo } = client;
      replica.setSaving(false);
      store.setCell('pets', 'fido', 'legs', 3);
      for (let time = 0; time < 3; time++) undo.goBackward().goForward();
      replica.commit(changesOf(others));
      undo.goBackward();
      expect(store.getCell('pets', 'fido', 'legs')).toBe(replica.base.leaf('pets', 'fido', 'legs'));
      undo.goForward();
      expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    }
  });

  test('[UNDO-4] beneath a pending push that no step has, restored or derived, changes nothing', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    const restored = changesOf([{ pets: { fido: { legs: 7 } } }, {}]);
    replica.restore(undefined, {
      pushes: [{ number: 1, changes: restored, encoded: '' }],
      lastNumber: 1,
    });
    expect(undo.getCheckpointIds()).toEqual([[], '0', []]);
    store.setCell('pets', 'fido', 'legs', 3);
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(7);
    acknowledgeAll(client);
    undo.goForward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
  });

  test('[UNDO-4] beneath a restored push that comes before a deletion is none of what the deletion hides', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    const restored = changesOf([{ pets: { fido: { name: 'Fido' } } }, {}]);
    const removed = changesOf([{ pets: { fido: { name: DELETED } } }, {}]);
    replica.restore(undefined, {
      pushes: [
        { number: 1, changes: restored, encoded: '' },
        { number: 2, changes: removed, encoded: '' },
      ],
      lastNumber: 2,
    });
    store.delRow('pets', 'fido');
    replica.commit(changesOf([{ pets: { fido: { name: 'theirs' } } }, {}]));
    undo.goBackward();
    expect(store.getRow('pets', 'fido')).toEqual({ legs: 4, color: 'brown' });
  });

  test('[UNDO-5] a row that somebody has deleted comes back neither whole nor in part', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    store.delCell('pets', 'fido', 'color');
    store.setCell('pets', 'fido', 'name', 'Fido');
    store.setValue('open', false);
    acknowledgeAll(client);
    replica.commit(changesOf([{}, {}, { pets: ['fido'] }]));
    expect(countsOf(client)).toEqual([1, 0]);
    undo.goBackward();
    expect(store.getContent()).toEqual([{}, { open: true }]);
  });

  test('[UNDO-3] [UNDO-5] what others do counts also while it is not shown', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    store.setRow('pets', 'felix', { legs: 4 });
    store.setCell('pets', 'fido', 'color', 'black');
    acknowledgeAll(client);
    replica.setFollowing(false);
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    replica.commit(changesOf([{}, {}, { pets: ['felix'] }]));
    expect(store.getRow('pets', 'felix')).toEqual({ legs: 4 });
    expect(countsOf(client)).toEqual([1, 0]);
    undo.goBackward();
    expect(store.getRow('pets', 'fido')).toEqual({ legs: 3, color: 'brown' });
  });

  test('[UNDO-3] [UNDO-5] what others do while it is not shown counts also if they set what stays here, too', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    store.setRow('pets', 'felix', { legs: 4 });
    acknowledgeAll(client);
    store.setCell('pets', 'fido', 'color', 'black');
    replica.withdraw(replica.lastNumber, 'too-large');
    acknowledgeAll(client);
    replica.setFollowing(false);
    replica.commit(
      changesOf([{ pets: { fido: { legs: 5, color: 'red' } } }, {}, { pets: ['felix'] }]),
    );
    while (countsOf(client)[0] > 0) undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    expect(store.getRow('pets', 'felix')).toEqual({ legs: 4 });
  });

  test('[UNDO-6] a refused edit leaves its step also while remote changes are not shown', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    replica.setFollowing(false);
    replica.commit(changesOf([{}, {}, { pets: ['fido'] }]));
    store.setCell('pets', 'fido', 'legs', 3);
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: DELETED } } }, {}]));
    expect(countsOf(client)).toEqual([0, 0]);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBeUndefined();
  });

  test('[UNDO-5] a new row is undone as a row, but not the cells that others have set in it', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setRow('pets', 'felix', { legs: 4 });
    undo.goBackward();
    expect(replica.pending[1]?.changes.deletedRows).toEqual(
      new Map([['pets', new Set(['felix'])]]),
    );
    undo.goForward();
    acknowledgeAll(client);
    replica.commit(changesOf([{ pets: { felix: { color: 'black' } } }, {}]));
    undo.goBackward();
    expect(store.getRow('pets', 'felix')).toEqual({ color: 'black' });
  });

  test.each([
    ['its page has the schema, too', true],
    ['the room alone has the schema', false],
  ])('[UNDO-5] a new row goes with its defaults, and comes back, if %s', (_what, hasSchema) => {
    const client = clientOf((store) => {
      if (hasSchema)
        store.setTablesSchema({
          pets: { legs: { type: 'number' }, isTame: { type: 'boolean', default: false } },
        });
    });
    const { store, replica, undo } = client;
    store.setRow('pets', 'felix', { legs: 4 });
    if (hasSchema) replica.acknowledge();
    else replica.acknowledgeCorrected(addedTo({ isTame: false }));
    for (let time = 0; time < 2; time++) {
      undo.goBackward();
      expect(store.getTables()).toEqual({});
      expect(replica.pending[0]?.changes.deletedRows.size).toBe(1);
      acknowledgeAll(client);
      undo.goForward();
      expect(store.getRow('pets', 'felix')).toEqual({ legs: 4, isTame: false });
      acknowledgeAll(client);
      expect(countsOf(client)).toEqual([1, 0]);
    }
  });

  test.each([
    ['undone and redone before the answer', (undo: Undo) => undo.goBackward().goForward()],
    ['undone before the answer', (undo: Undo) => undo.goBackward()],
  ])('[UNDO-5] a new row goes with its defaults, if it was %s', (_what, move) => {
    for (const isHeld of [true, false]) {
      const client = clientOf();
      const { store, replica, undo } = client;
      if (isHeld) replica.setSaving(false);
      store.setRow('pets', 'felix', { legs: 4 });
      move(undo);
      replica.setSaving(true);
      while (replica.pending.length > 0) {
        const isNew = replica.pending[0]?.changes.leaves.has('pets', 'felix', 'legs') === true;
        if (isNew) replica.acknowledgeCorrected(addedTo({ isTame: false }));
        else replica.acknowledge();
      }
      if (countsOf(client)[1] === 1) undo.goForward();
      undo.goBackward();
      expect(store.getTables()).toEqual({});
    }
  });

  test('[UNDO-5] a new row goes with a default that a later, pending edit covers', () => {
    for (const mergeMilliseconds of [0, Infinity]) {
      const client = clientOf(undefined, { mergeMilliseconds });
      const { store, replica, undo } = client;
      store.setRow('pets', 'felix', { legs: 4 });
      store.setCell('pets', 'felix', 'name', 'F');
      store.setCell('pets', 'felix', 'name', 'Felix');
      replica.acknowledgeCorrected(addedTo({ name: '' }));
      expect(store.getRow('pets', 'felix')).toEqual({ legs: 4, name: 'Felix' });
      const seen = Array.from({ length: countsOf(client)[0] }, () => {
        undo.goBackward();
        return store.getRow('pets', 'felix');
      });
      expect(seen).toEqual(
        mergeMilliseconds === 0 ? [{ legs: 4, name: 'F' }, { legs: 4, name: '' }, {}] : [{}],
      );
      acknowledgeAll(client);
      for (let redo = 0; redo < 3; redo++) undo.goForward();
      expect(store.getRow('pets', 'felix')).toEqual({ legs: 4, name: 'Felix' });
    }
  });

  test('[UNDO-5] a new row that was deleted in the same step, before the answer, does not come back as its defaults', () => {
    const client = clientOf(undefined, { mergeMilliseconds: Infinity });
    const { store, replica, undo } = client;
    store.setRow('pets', 'felix', { legs: 4 });
    store.delRow('pets', 'felix');
    store.setValue('open', true);
    replica.acknowledgeCorrected(addedTo({ isTame: false }));
    acknowledgeAll(client);
    undo.goBackward();
    expect(store.getContent()).toEqual([{}, {}]);
  });

  test('[UNDO-5] a new row whose deletion was undone goes with its defaults, whenever the room answers', () => {
    for (const isDeletedAgain of [false, true]) {
      for (const [afterNew, afterDeletion, afterUndo] of [
        [false, false, false],
        [false, false, true],
        [false, true, false],
        [true, false, false],
      ]) {
        const client = clientOf();
        const { store, undo } = client;
        store.setRow('pets', 'felix', { legs: 4 });
        if (afterNew) answer(client);
        store.delRow('pets', 'felix');
        if (afterDeletion) answer(client);
        undo.goBackward();
        const isKnown = afterNew || afterDeletion;
        expect(store.getRow('pets', 'felix')).toEqual({
          legs: 4,
          ...(isKnown && { isTame: false }),
        });
        if (afterUndo) answer(client);
        if (isDeletedAgain) {
          store.delRow('pets', 'felix');
          answer(client);
          undo.goBackward();
        }
        answer(client);
        expect(store.getRow('pets', 'felix')).toEqual({ legs: 4, isTame: false });
        undo.goBackward();
        expect(store.getTables()).toEqual({});
        answer(client);
        undo.goForward();
        expect(store.getRow('pets', 'felix')).toEqual({ legs: 4, isTame: false });
      }
    }
  });

  test('[UNDO-5] a row that is made anew goes back to the one before, with its own cells', () => {
    const client = clientOf();
    const { store, replica, undo } = client;
    store.setRow('pets', 'felix', { legs: 4, isTame: true });
    replica.acknowledge();
    store.delRow('pets', 'felix');
    replica.acknowledge();
    store.setRow('pets', 'felix', { legs: 3 });
    replica.acknowledgeCorrected(addedTo({ isTame: false }));
    undo.goBackward();
    expect(store.getTables()).toEqual({});
    undo.goBackward();
    expect(store.getRow('pets', 'felix')).toEqual({ legs: 4, isTame: true });
  });

  test.each([false, true])(
    '[UNDO-5] a step that has made a row and deleted it brings back no row of defaults (answered in between: %j)',
    (isAnswered) => {
      const client = clientOf(undefined, { mergeMilliseconds: Infinity });
      const { store, undo } = client;
      store.setValue('v', 1);
      store.setRow('pets', 'felix', { legs: 4 });
      if (isAnswered) answer(client);
      store.delRow('pets', 'felix');
      answer(client);
      // What changes nothing any more is forgotten.
      client.replica.commit(decodeChanges('[{},{"theirs":1}]'));
      undo.goBackward();
      expect(store.getContent()).toEqual([{}, { theirs: 1 }]);
      answer(client);
      undo.goForward();
      expect(store.getContent()).toEqual([{}, { v: 1, theirs: 1 }]);
    },
  );

  test('[UNDO-5] a deleted row comes back as it was, though the room has since given a default to one that was made anew', () => {
    const client = clientOf();
    const { store, undo } = client;
    store.setRow('pets', 'felix', { legs: 4, isTame: true });
    acknowledgeAll(client);
    store.delRow('pets', 'felix');
    store.setRow('pets', 'felix', { legs: 3 });
    undo.goBackward();
    answer(client);
    undo.goBackward();
    expect(store.getRow('pets', 'felix')).toEqual({ legs: 4, isTame: true });
  });

  test('[UNDO-5] a step that has deleted a row and made it anew goes back to the one before', () => {
    const client = clientOf(undefined, { mergeMilliseconds: Infinity });
    const { store, undo } = client;
    store.setRow('pets', 'felix', { legs: 4, isTame: true });
    acknowledgeAll(client);
    undo.addCheckpoint();
    store.delRow('pets', 'felix');
    store.setRow('pets', 'felix', { legs: 3 });
    answer(client);
    expect(store.getRow('pets', 'felix')).toEqual({ legs: 3, isTame: false });
    undo.goBackward();
    expect(store.getRow('pets', 'felix')).toEqual({ legs: 4, isTame: true });
  });

  test('[UNDO-5] a default stays if the undone step has not made the row, or what is left is not the default', () => {
    const client = clientOf();
    const { store, replica, undo } = client;
    store.setRow('pets', 'felix', { legs: 4 });
    replica.acknowledgeCorrected(addedTo({ isTame: false }));
    store.delCell('pets', 'felix', 'legs');
    store.setCell('pets', 'felix', 'name', 'Felix');
    undo.goBackward();
    expect(store.getRow('pets', 'felix')).toEqual({ isTame: false });
    undo.goBackward();
    store.setCell('pets', 'felix', 'isTame', true);
    undo.setSize(100).addCheckpoint();
    acknowledgeAll(client);
    expect(store.getRow('pets', 'felix')).toEqual({ legs: 4, isTame: true });
    undo.goBackward().goBackward();
    expect(store.getTables()).toEqual({});
  });

  test('[UNDO-6] what the room altered in a new row goes with the row, merged with a later edit too', () => {
    const client = clientOf(undefined, { mergeMilliseconds: Infinity });
    const { store, replica, undo } = client;
    store.setRow('pets', 'felix', { legs: 4, name: 'f' });
    store.setCell('pets', 'felix', 'name', 'fe');
    replica.acknowledgeCorrected(addedTo({ name: 'F' }));
    expect(store.getCell('pets', 'felix', 'name')).toBe('fe');
    undo.goBackward();
    expect(store.getTables()).toEqual({});
  });

  test('[UNDO-5] a default that the room gave while its changes are not shown stays: others may have made the row', () => {
    const client = clientOf();
    const { store, replica, undo } = client;
    replica.setFollowing(false);
    store.setRow('pets', 'felix', { legs: 4 });
    replica.acknowledgeCorrected(addedTo({ isTame: false }));
    undo.goBackward();
    expect(store.getTables()).toEqual({ pets: { felix: { isTame: false } } });
  });

  test('[UNDO-5] a default that the room gave to a new row stays with the cells that others have set in it, or if they have set it', () => {
    for (const [theirs, left] of [
      [{ color: 'black' }, { color: 'black', isTame: false }],
      [{ isTame: false }, { isTame: false }],
    ] as const) {
      const client = clientOf();
      const { store, replica, undo } = client;
      store.setRow('pets', 'felix', { legs: 4 });
      replica.acknowledgeCorrected(addedTo({ isTame: false }));
      replica.commit(addedTo(theirs));
      undo.goBackward();
      expect(store.getRow('pets', 'felix')).toEqual(left);
      expect(replica.pending[0]?.changes.leaves.cells('pets', 'felix')).toEqual(
        new Map([['legs', undefined]]),
      );
    }
  });

  test('[UNDO-5] a default alone is no step: nothing of the edit is left', () => {
    const client = clientOf();
    const { store, replica, undo } = client;
    store.setValue('open', true);
    replica.acknowledge();
    store.setRow('pets', 'felix', { legs: 'none' });
    replica.acknowledgeCorrected(addedTo({ legs: DELETED, isTame: false }));
    expect(countsOf(client)).toEqual([1, 0]);
    undo.goBackward();
    expect(store.getContent()).toEqual([{ pets: { felix: { isTame: false } } }, {}]);
    expect(countsOf(client)).toEqual([0, 1]);
  });

  test('[UNDO-5] what the room adds elsewhere in answer to an edit stays: in a row that was there, in another row, and in Values', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'name', 'Fido');
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { isTame: false } } }, {}]));
    store.setRow('pets', 'felix', { legs: 4 });
    replica.acknowledgeCorrected(changesOf([{ log: { '1': { row: 'felix' } } }, { pets: 2 }]));
    undo.goBackward().goBackward();
    expect(store.getContent()).toEqual([
      {
        pets: { fido: { legs: 4, color: 'brown', isTame: false } },
        log: { '1': { row: 'felix' } },
      },
      { open: true, pets: 2 },
    ]);
  });

  test('[UNDO-5] what comes back because the room refuses a deletion by the page before is no default', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    replica.setSaving(false);
    const held = changesOf([{}, {}, { pets: ['fido'] }]);
    replica.restore(undefined, { pushes: [], held, lastNumber: 0 });
    store.setCell('pets', 'fido', 'name', 'Fido');
    replica.setSaving(true);
    const back = { pets: { fido: { legs: 4, color: 'brown' } } };
    replica.acknowledgeCorrected(changesOf([back, {}]));
    undo.goBackward();
    expect(store.getTables()).toEqual(back);
  });

  test('[UNDO-5] a deleted row comes back around the cells that others have set in it since', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.delRow('pets', 'fido');
    acknowledgeAll(client);
    replica.commit(changesOf([{ pets: { fido: { legs: 1 } } }, {}]));
    undo.goBackward();
    expect(store.getRow('pets', 'fido')).toEqual({ legs: 1, color: 'brown' });
  });

  test('[UNDO-5] a row that somebody has deleted and made anew while the client was away is theirs', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.delCell('pets', 'fido', 'legs');
    acknowledgeAll(client);
    const anew = changesOf([{ pets: { fido: { color: 'brown' } } }, {}, { pets: ['fido'] }]);
    replica.catchUp({ changes: anew });
    undo.goBackward();
    expect(store.getRow('pets', 'fido')).toEqual({ color: 'brown' });
  });

  test('[UNDO-5] a row that its own user has deleted comes back, though the answer was lost', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.delCell('pets', 'fido', 'legs');
    acknowledgeAll(client);
    store.delRow('pets', 'fido');
    const mixed = changesOf([{ pets: { fido: { name: 'Fido' } } }, {}, { pets: ['fido'] }]);
    replica.catchUp({ lastPush: replica.lastNumber, changes: mixed });
    undo.goBackward();
    undo.goBackward();
    expect(store.getRow('pets', 'fido')).toEqual({ name: 'Fido', color: 'brown', legs: 4 });
  });

  test('[UNDO-7] ends no redo, and an edit of one’s own ends all', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setValue('open', false);
    store.setCell('pets', 'fido', 'legs', 3);
    undo.goBackward().goBackward();
    replica.commit(changesOf([{ pets: { rex: { legs: 1 } } }, {}]));
    replica.catchUp({ changes: changesOf([{ pets: { rex: { legs: 2 } } }, {}]) });
    expect(countsOf(client)).toEqual([0, 2]);
    undo.goForward();
    expect(countsOf(client)).toEqual([1, 1]);
    store.setCell('pets', 'fido', 'color', 'red');
    expect(countsOf(client)).toEqual([2, 0]);
  });

  test('[UNDO-3] an edit before the edits of the page before are back takes nothing of theirs', () => {
    const client = clientOf();
    const { store, replica, undo } = client;
    replica.setSaving(false);
    store.setCell('pets', 'fido', 'color', 'black');
    restorePushes(client, [{}, {}, { pets: ['fido'] }]);
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    replica.setSaving(true);
    acknowledgeAll(client);
    expect(store.getTables()).toEqual({ pets: { fido: { color: 'black' } } });
    undo.goBackward();
    expect(store.getTables()).toEqual({});
    undo.goForward();
    expect(store.getTables()).toEqual({ pets: { fido: { color: 'black' } } });
  });

  test.each([true, false])(
    '[UNDO-3] an edit that is sent with held edits of the page before takes nothing that their deletion hides: %s',
    (isFirst) => {
      const client = clientOf();
      const { store, replica, undo } = client;
      replica.setSaving(false);
      if (isFirst) store.setCell('pets', 'fido', 'color', 'black');
      const held = changesOf([{}, {}, { pets: ['fido'] }]);
      replica.restore(undefined, { pushes: [], held, lastNumber: 0 });
      if (!isFirst) store.setCell('pets', 'fido', 'color', 'black');
      replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
      replica.setSaving(true);
      acknowledgeAll(client);
      expect(store.getTables()).toEqual({ pets: { fido: { color: 'black' } } });
      undo.goBackward();
      expect(store.getTables()).toEqual({});
    },
  );

  test('[UNDO-4] a deletion and an edit of its row, in one transaction or in one step, bring back what the deletion hid', () => {
    for (const isOne of [true, false]) {
      const client = clientOf(withPets, { mergeMilliseconds: Infinity });
      const { store, replica, undo } = client;
      replica.setSaving(false);
      const edit = (): void => {
        store.delRow('pets', 'fido');
        store.setRow('pets', 'fido', { legs: 3, color: 'black' });
      };
      if (isOne) store.transaction(edit);
      else edit();
      replica.commit(changesOf([{ pets: { fido: { name: 'theirs' } } }, {}]));
      undo.goBackward();
      expect(store.getRow('pets', 'fido')).toEqual({ legs: 4, color: 'brown', name: 'theirs' });
    }
  });

  test('[UNDO-4] an edit before the content and edits of the page before are back is undone to these', () => {
    const client = clientOf();
    const { store, replica, undo } = client;
    replica.setSaving(false);
    store.setRow('pets', 'fido', { legs: 2, color: 'black' });
    restorePushes(client, [{ pets: { fido: { legs: 3 } } }, {}]);
    replica.commit(changesOf([{ pets: { fido: { legs: 5, color: 'brown' } } }, {}]));
    undo.goBackward();
    expect(store.getRow('pets', 'fido')).toEqual({ legs: 3, color: 'brown' });
    undo.goForward();
    replica.setSaving(true);
    acknowledgeAll(client);
    undo.goBackward();
    expect(store.getRow('pets', 'fido')).toEqual({ legs: 3, color: 'brown' });
  });

  test('[UNDO-4] an edit before the start is undone to what others set beneath it, after a restored edit was confirmed', () => {
    const client = clientOf();
    const { store, replica, undo } = client;
    replica.setSaving(false);
    store.setCell('pets', 'fido', 'legs', 2);
    restorePushes(client, [{ pets: { fido: { color: 'brown' } } }, {}]);
    replica.acknowledge();
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    replica.setSaving(true);
    acknowledgeAll(client);
    undo.goBackward();
    expect(store.getRow('pets', 'fido')).toEqual({ legs: 5, color: 'brown' });
  });

  test('[UNDO-6] an edit before the edits of the page before are back leaves its step if the room refuses it', () => {
    const client = clientOf();
    const { store, replica } = client;
    replica.setSaving(false);
    store.setCell('pets', 'fido', 'legs', 2);
    restorePushes(client, [{ pets: { fido: { legs: 3 } } }, {}]);
    replica.setSaving(true);
    replica.acknowledge();
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 3 } } }, {}]));
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    expect(countsOf(client)).toEqual([0, 0]);
  });
});

describe('what the room refuses', () => {
  test('[UNDO-6] leaves the step, and a step that was refused as a whole is gone', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setValue('open', false);
    store.setPartialRow('pets', 'fido', { legs: 3, color: 'red' });
    replica.acknowledgeCorrected(changesOf([{}, { open: true }]));
    expect(countsOf(client)).toEqual([1, 0]);
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 4 } } }, {}]));
    expect(countsOf(client)).toEqual([1, 0]);
    store.setCell('pets', 'fido', 'legs', 2);
    undo.goBackward();
    undo.goBackward();
    expect(store.getRow('pets', 'fido')).toEqual({ legs: 4, color: 'brown' });
    expect(countsOf(client)).toEqual([0, 2]);
  });

  test('[UNDO-6] leaves the earlier steps of the leaf as they are', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    store.setCell('pets', 'fido', 'legs', 2);
    store.setCell('pets', 'fido', 'legs', 1);
    replica.acknowledge();
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 3 } } }, {}]));
    expect(store.getCell('pets', 'fido', 'legs')).toBe(1);
    replica.acknowledge();
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
    expect(countsOf(client)).toEqual([0, 2]);
  });

  test('[UNDO-6] and what it alters: an undo goes back to before the edit', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 300);
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 100 } } }, {}]));
    expect(store.getCell('pets', 'fido', 'legs')).toBe(100);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
    undo.goForward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(100);
  });

  test.each([
    ['accepted both', 2, [{}, {}], 2, [4, 3]],
    ['accepted the first', 3, [{}, {}], 1, [4]],
    ['refused both', 4, [{}, {}], 0, []],
    ['somebody else set it', 7, [{}, {}], 0, []],
  ])(
    '[UNDO-6] is found out when acks were lost: the room %s',
    (_what, shown, _changes, count, before) => {
      const client = clientOf(withPets);
      const { store, replica, undo } = client;
      store.setCell('pets', 'fido', 'legs', 3);
      store.setCell('pets', 'fido', 'legs', 2);
      replica.catchUp({
        lastPush: 2,
        changes: changesOf(shown === 4 ? [{}, {}] : [{ pets: { fido: { legs: shown } } }, {}]),
      });
      expect(store.getCell('pets', 'fido', 'legs')).toBe(shown);
      expect(countsOf(client)).toEqual([count, 0]);
      for (const legs of before.toReversed()) {
        undo.goBackward();
        expect(store.getCell('pets', 'fido', 'legs')).toBe(legs);
      }
    },
  );

  test('[UNDO-6] by acks that were lost, beneath a pending edit', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    store.setCell('pets', 'fido', 'legs', 2);
    store.setCell('pets', 'fido', 'legs', 1);
    replica.catchUp({ lastPush: 2, changes: changesOf([{ pets: { fido: { legs: 3 } } }, {}]) });
    replica.acknowledge();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(1);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
  });

  test('[UNDO-6] does not leave the step if it stays here: too large, or unsendable', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    replica.limitPushes(100);
    store.setCell('pets', 'fido', 'color', 'x'.repeat(200));
    expect([replica.overlay.localOnly, replica.pending.length]).toEqual([1, 0]);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'color')).toBe('brown');
    acknowledgeAll(client);
    expect(replica.overlay.localOnly).toBe(0);
    store.setCell('pets', 'fido', 'color', 'y'.repeat(200));
    replica.discardLocal();
    expect(store.getCell('pets', 'fido', 'color')).toBe('brown');
    expect(countsOf(client)).toEqual([0, 0]);
  });

  test('[UNDO-5] [UNDO-6] that stays here is no step once others have deleted the row', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.delCell('pets', 'fido', 'color');
    replica.withdraw(1, 'malformed');
    replica.commit(changesOf([{}, {}, { pets: ['fido'] }]));
    expect(countsOf(client)).toEqual([0, 0]);
    undo.goBackward();
    expect(store.hasRow('pets', 'fido')).toBe(false);
  });

  test('[UNDO-6] above a leaf that no message can carry is undone to what was before both', () => {
    const client = clientOf(withPets);
    const { store, undo } = client;
    store.setCell('pets', 'fido', 'color', { toJSON: () => '\uFFFDtext' });
    store.setCell('pets', 'fido', 'color', 'red');
    expect(countsOf(client)).toEqual([1, 0]);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'color')).toBe('brown');
    expect(countsOf(client)).toEqual([0, 1]);
    undo.goForward();
    expect(store.getCell('pets', 'fido', 'color')).toBe('red');
    expect(countsOf(client)).toEqual([1, 0]);
  });

  test('[UNDO-6] leaves the step also above an edit that the room will never take', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    store.setCell('pets', 'fido', 'legs', 2);
    replica.withdraw(1, 'malformed');
    replica.acknowledge();
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 4 } } }, {}]));
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
    expect(countsOf(client)).toEqual([0, 0]);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
  });

  test('[UNDO-6] leaves the step also where the edit replaced what was local-only', () => {
    const client = clientOf(withPets);
    const { store, replica } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    replica.withdraw(1, 'malformed');
    replica.acknowledge();
    store.setCell('pets', 'fido', 'legs', 2);
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 4 } } }, {}]));
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
    expect(countsOf(client)).toEqual([0, 0]);
  });

  test('[UNDO-6] above two edits that the room will never take, and in a merged step', () => {
    const client = clientOf(withPets, { mergeMilliseconds: 10 });
    const { store, replica, clock } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    clock.now = 20;
    store.setCell('pets', 'fido', 'legs', 2);
    store.setCell('pets', 'fido', 'legs', 1);
    replica.withdraw(2, 'malformed');
    replica.withdraw(1, 'malformed');
    replica.acknowledge();
    replica.acknowledge();
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 4 } } }, {}]));
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
    expect(countsOf(client)).toEqual([0, 0]);
  });

  test('[UNDO-6] leaves no step above a refused edit of the page before', () => {
    const client = clientOf(withPets);
    const { store, replica } = client;
    restorePushes(client, [{ pets: { fido: { legs: 3 } } }, {}]);
    store.setCell('pets', 'fido', 'legs', 2);
    replica.withdraw(1, 'access');
    replica.acknowledge();
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 4 } } }, {}]));
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
    expect(countsOf(client)).toEqual([0, 0]);
  });

  test('[UNDO-6] an edit above one that a reader may not make is undone to what the room has', () => {
    const client = clientOf(withPets);
    const { store, undo } = client;
    restorePushes(client, [{ pets: { fido: { legs: 3, age: 9 } } }, {}]);
    store.setRow('pets', 'fido', { legs: 2, color: 'black' });
    forbid(client, 1);
    acknowledgeAll(client);
    expect(store.getRow('pets', 'fido')).toEqual({ legs: 2, color: 'black' });
    expect(countsOf(client)).toEqual([1, 0]);
    undo.goBackward();
    expect(store.getRow('pets', 'fido')).toEqual({ legs: 4, color: 'brown' });
  });

  test('[UNDO-6] a held edit above one that a reader may not make is undone to what the room has, redone too', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    restorePushes(client, [{ pets: { fido: { legs: 3 } } }, {}]);
    replica.setSaving(false);
    store.setCell('pets', 'fido', 'legs', 2);
    undo.goBackward();
    undo.goForward();
    replica.setSaving(true);
    forbid(client, 1);
    acknowledgeAll(client);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
  });

  test('[UNDO-6] an edit above two of the page before is undone to the one that the room takes', () => {
    for (const [refused, expected] of [
      [1, 5],
      [2, 3],
    ] as const) {
      const client = clientOf(withPets);
      const { store, undo } = client;
      restorePushes(
        client,
        [{ pets: { fido: { legs: 3 } } }, {}],
        [{ pets: { fido: { legs: 5 } } }, {}],
      );
      store.setCell('pets', 'fido', 'legs', 2);
      forbid(client, refused);
      acknowledgeAll(client);
      undo.goBackward();
      expect(store.getCell('pets', 'fido', 'legs')).toBe(expected);
    }
  });

  test('[UNDO-6] an edit above one of the page before that stays here is undone to that one', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    restorePushes(client, [{ pets: { fido: { legs: 3 } } }, {}]);
    store.setCell('pets', 'fido', 'legs', 2);
    replica.withdraw(1, 'malformed');
    acknowledgeAll(client);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
  });

  test('[UNDO-6] an edit that a reader may not make leaves its step, beneath a later one too', () => {
    const client = clientOf(withPets);
    const { store, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    store.setCell('pets', 'fido', 'legs', 2);
    forbid(client, 1);
    expect(countsOf(client)).toEqual([1, 0]);
    acknowledgeAll(client);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
    expect(countsOf(client)).toEqual([0, 1]);
  });

  test('[UNDO-6] an edit that a reader may not make leaves the pending one beneath it in the step', () => {
    for (const mergeMilliseconds of [0, 10]) {
      const client = clientOf(withPets, { mergeMilliseconds });
      const { store, undo } = client;
      store.setCell('pets', 'fido', 'legs', 3);
      store.setCell('pets', 'fido', 'legs', 2);
      forbid(client, 2);
      expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
      expect(countsOf(client)).toEqual([1, 0]);
      acknowledgeAll(client);
      undo.goBackward();
      expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
    }
  });

  test('[UNDO-6] an edit above one that the room will never take is undone to that one', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    store.setCell('pets', 'fido', 'legs', 2);
    replica.withdraw(1, 'malformed');
    acknowledgeAll(client);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
  });

  test('[UNDO-6] a held edit that was changed and undone to is no step if the room refuses it', () => {
    const client = clientOf();
    const { store, replica, undo } = client;
    replica.setSaving(false);
    store.setCell('pets', 'fido', 'legs', 4);
    store.delCell('pets', 'fido', 'legs');
    undo.goBackward();
    expect(store.getTables()).toEqual({ pets: { fido: { legs: 4 } } });
    replica.setSaving(true);
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: DELETED } } }, {}]));
    expect(store.getTables()).toEqual({});
    expect(countsOf(client)).toEqual([0, 0]);
  });

  test('[UNDO-6] a merged edit above an undo of the same push is no step if the room refuses all, whatever others set', () => {
    const client = clientOf((store) => store.setValue('v', 'old'), { mergeMilliseconds: 500 });
    const { store, replica, undo } = client;
    store.setValue('v', 'first');
    replica.setSaving(false);
    undo.goBackward();
    store.setValue('v', 'second');
    replica.setSaving(true);
    store.setValue('v', 'third');
    replica.commit(changesOf([{}, { v: 'theirs' }]));
    for (let push = 1; push <= 3; push += 1)
      replica.acknowledgeCorrected(changesOf([{}, { v: 'theirs' }]));
    expect(countsOf(client)).toEqual([0, 0]);
    undo.goBackward();
    expect(store.getValue('v')).toBe('theirs');
  });

  test('[UNDO-6] an edit that stayed here beneath a later one is no step once others have set the leaf', () => {
    const client = clientOf();
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    store.delCell('pets', 'fido', 'legs');
    replica.withdraw(1, 'malformed');
    expect(countsOf(client)).toEqual([2, 0]);
    replica.commit(changesOf([{ pets: { fido: { legs: 4 } } }, {}]));
    replica.commit(changesOf([{ pets: { fido: { legs: DELETED } } }, {}]));
    acknowledgeAll(client);
    expect(countsOf(client)).toEqual([0, 0]);
    undo.goBackward();
    expect(replica.pending).toEqual([]);
  });

  test('[UNDO-6] an edit beneath a refused one that another undo has put back meanwhile can be undone', () => {
    for (const isNew of [false, true]) {
      const client = clientOf(withPets);
      const { store, replica, undo } = client;
      const legs = (): unknown => store.getCell('pets', 'fido', 'legs');
      for (const each of [3, 2, 1]) store.setCell('pets', 'fido', 'legs', each);
      undo.goBackward();
      replica.acknowledge();
      replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 3 } } }, {}]));
      acknowledgeAll(client);
      expect(legs()).toBe(2);
      // It ends the redo, which was the last to set the leaf.
      if (isNew) store.setValue('open', false);
      if (isNew) undo.goBackward();
      undo.goBackward();
      expect(legs()).toBe(4);
      undo.goForward();
      expect(legs()).toBe(2);
      undo.goForward();
      expect(legs()).toBe(isNew ? 2 : 1);
    }
  });

  test('[UNDO-6] a refused deletion of a row is no step', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.delRow('pets', 'fido');
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 4, color: 'brown' } } }, {}]));
    expect(store.getRow('pets', 'fido')).toEqual({ legs: 4, color: 'brown' });
    expect(countsOf(client)).toEqual([0, 0]);
    undo.goBackward();
    expect(replica.pending).toEqual([]);
  });

  test('[UNDO-6] a refused undo is no step to redo', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    replica.acknowledge();
    undo.goBackward();
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 3 } } }, {}]));
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    expect(countsOf(client)).toEqual([0, 0]);
  });

  test('[UNDO-6] a refused edit that was undone meanwhile is no step to redo', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    undo.goBackward();
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 4 } } }, {}]));
    expect(countsOf(client)).toEqual([0, 0]);
    replica.acknowledge();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
  });
});

describe('merging and limits', () => {
  test('[UNDO-8] joins transactions within a time, until a checkpoint, an undo or a redo', () => {
    const client = clientOf(withPets, { mergeMilliseconds: 500 });
    const { store, undo, clock } = client;
    const type = (text: string): void => void store.setCell('pets', 'fido', 'color', text);
    type('b');
    clock.now += 499;
    type('bl');
    clock.now += 499;
    type('blu');
    clock.now += 500;
    type('blue');
    expect(countsOf(client)).toEqual([2, 0]);
    undo.addCheckpoint();
    type('blue!');
    expect(countsOf(client)).toEqual([3, 0]);
    undo.goBackward();
    type('blue?');
    type('blue??');
    expect(countsOf(client)).toEqual([3, 0]);
    for (const color of ['blue', 'blu', 'brown']) {
      undo.goBackward();
      expect(store.getCell('pets', 'fido', 'color')).toBe(color);
    }
    acknowledgeAll(client);
    for (let redo = 0; redo < 3; redo++) undo.goForward();
    expect(store.getCell('pets', 'fido', 'color')).toBe('blue??');
  });

  test('[UNDO-8] joins no transactions because the clock was set back', () => {
    for (const mergeMilliseconds of [0, 500]) {
      const client = clientOf(withPets, { mergeMilliseconds });
      client.store.setCell('pets', 'fido', 'color', 'b');
      client.clock.now -= 1000;
      client.store.setCell('pets', 'fido', 'color', 'bl');
      expect(countsOf(client)).toEqual([2, 0]);
    }
  });

  test('[UNDO-8] joins no transactions that a checkpoint, an undo or another label parts, though what came between them is no step', () => {
    const parts: readonly ((client: Client) => void)[] = [
      (client) => {
        client.undo.addCheckpoint();
        closeWith(client);
      },
      (client) => {
        client.undo.transaction(() => client.store.setCell('pets', 'fido', 'legs', 5), 'other');
        client.undo.goBackward();
        closeWith(client);
      },
      (client) => closeWith(client, 'other'),
    ];
    for (const part of parts) {
      const client = clientOf(withPets, { mergeMilliseconds: Infinity });
      const { store, replica } = client;
      store.setCell('pets', 'fido', 'color', 'red');
      part(client);
      acknowledgeAll(client);
      // Somebody sets it: then it is no step.
      replica.commit(changesOf([{}, { open: true }]));
      expect(countsOf(client)).toEqual([1, 0]);
      store.setCell('pets', 'fido', 'color', 'blue');
      expect(countsOf(client)).toEqual([2, 0]);
    }
  });

  test('[UNDO-8] a checkpoint gives its label to no step before the last one, though that is none any more', () => {
    const client = clientOf(withPets, { mergeMilliseconds: Infinity });
    const { store, replica, undo } = client;
    const labelOf = (): string | undefined => undo.getCheckpoint(undo.getCheckpointIds()[1] ?? '');
    store.setCell('pets', 'fido', 'color', 'red');
    undo.addCheckpoint('Paint');
    store.setValue('open', false);
    store.setValue('open', true);
    undo.addCheckpoint('Close and open');
    expect(labelOf()).toBe('Paint');
    store.setCell('pets', 'fido', 'legs', 3);
    replica.acknowledge();
    acknowledgeAll(client);
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    undo.addCheckpoint('Lose a leg');
    expect([labelOf(), countsOf(client)]).toEqual(['Paint', [1, 0]]);
  });

  test('[UNDO-8] joins transactions of one label, if the app says so', () => {
    const client = clientOf(withPets);
    const { store, undo, clock } = client;
    const drag = (x: number): void => {
      undo.transaction(() => store.setCell('pets', 'fido', 'x', x), 'Move', true);
      clock.now += 10_000;
    };
    for (const x of [1, 2, 3]) drag(x);
    undo.addCheckpoint();
    for (const x of [4, 5]) drag(x);
    undo.transaction(() => store.setCell('pets', 'fido', 'x', 6), 'Jump', true);
    undo.transaction(() => store.setCell('pets', 'fido', 'x', 7), 'Jump');
    const labels: unknown[] = [];
    undo.forEachCheckpoint((_id, label) => labels.push(label));
    expect(labels).toEqual(['', 'Move', 'Move', 'Jump', 'Jump']);
    const seen = labels.slice(1).map(() => {
      undo.goBackward();
      return store.getCell('pets', 'fido', 'x');
    });
    expect(seen).toEqual([6, 5, 3, undefined]);
  });

  test('[UNDO-8] with Infinity, only addCheckpoint ends a step, as in TinyBase', () => {
    const client = clientOf(withPets, { mergeMilliseconds: Infinity });
    const { store, undo, clock } = client;
    store.setValue('a', 1);
    clock.now += 1e9;
    store.setValue('b', 1);
    expect(undo.addCheckpoint('both')).toBe('1');
    store.setValue('c', 1);
    expect(undo.addCheckpoint()).toBe('2');
    expect(undo.addCheckpoint('nothing since')).toBe('2');
    expect(['0', '1', '2', '3'].map((id) => undo.getCheckpoint(id))).toEqual([
      '',
      'both',
      '',
      undefined,
    ]);
    undo.goTo('0');
    expect(store.getValues()).toEqual({ open: true });
    undo.goTo('2');
    expect(store.getValues()).toEqual({ open: true, a: 1, b: 1, c: 1 });
    undo.goTo('1').goTo('nowhere');
    expect(undo.getCheckpointIds()).toEqual([['0'], '1', ['2']]);
  });

  test('[UNDO-8] [UNDO-4] a merged step puts back what others set beneath its first pending edit', () => {
    const client = clientOf(withPets, { mergeMilliseconds: Infinity });
    const { store, replica, undo } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    replica.acknowledge();
    store.setCell('pets', 'fido', 'legs', 2);
    store.setCell('pets', 'fido', 'legs', 1);
    replica.commit(changesOf([{ pets: { fido: { legs: 9 } } }, {}]));
    acknowledgeAll(client);
    expect(store.getCell('pets', 'fido', 'legs')).toBe(1);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(9);
  });

  test('[UNDO-8] [UNDO-6] a merged step outlives the refusal of one of its edits', () => {
    const client = clientOf(withPets, { mergeMilliseconds: Infinity });
    const { store, replica, undo } = client;
    for (const legs of [3, 2, 1]) store.setCell('pets', 'fido', 'legs', legs);
    replica.acknowledge();
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 3 } } }, {}]));
    replica.acknowledgeCorrected(changesOf([{ pets: { fido: { legs: 3 } } }, {}]));
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    expect(countsOf(client)).toEqual([1, 0]);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
  });

  test('[UNDO-8] [UNDO-4] a merged step with a deletion puts back what others set last beneath it', () => {
    const client = clientOf(withPets, { mergeMilliseconds: Infinity });
    const { store, replica, undo } = client;
    store.delRow('pets', 'fido');
    store.setCell('pets', 'fido', 'legs', 1);
    store.setCell('pets', 'fido', 'legs', 2);
    store.setCell('pets', 'fido', 'name', 'Fido');
    store.setCell('pets', 'fido', 'name', 'Rex');
    replica.commit(changesOf([{ pets: { fido: { name: 'theirs' } } }, {}]));
    replica.commit(changesOf([{}, {}, { pets: ['fido'] }]));
    replica.commit(changesOf([{ pets: { fido: { name: 'theirs, later' } } }, {}]));
    undo.goBackward();
    expect(store.getTables()).toEqual({ pets: { fido: { name: 'theirs, later' } } });
    acknowledgeAll(client);
    expect(replica.overlay.isEmpty).toBe(true);
  });

  test('[UNDO-7] a held edit is still undone after the redo of the next one has ended', () => {
    const { store, replica, undo } = clientOf(withPets);
    replica.setSaving(false);
    for (const legs of [3, 2]) store.setCell('pets', 'fido', 'legs', legs);
    undo.goBackward();
    store.setCell('pets', 'felix', 'legs', 5);
    undo.goBackward().goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
    undo.goForward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
  });

  test('[UNDO-8] [UNDO-4] held edits of two steps, and edits that were merged with the last of them, are told apart', () => {
    const client = clientOf(withPets, { mergeMilliseconds: Infinity });
    const { store, replica, undo } = client;
    replica.setSaving(false);
    store.setCell('pets', 'fido', 'legs', 3);
    undo.addCheckpoint();
    store.setCell('pets', 'fido', 'legs', 2);
    replica.setSaving(true);
    store.setCell('pets', 'fido', 'legs', 1);
    replica.commit(changesOf([{ pets: { fido: { legs: 5 } } }, {}]));
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(3);
    undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(5);
  });

  test('[UNDO-8] a merged step that changes nothing in the end is none', () => {
    const client = clientOf(withPets, { mergeMilliseconds: Infinity });
    const { store } = client;
    store.setCell('pets', 'fido', 'legs', 3);
    store.setCell('pets', 'fido', 'legs', 4);
    expect(countsOf(client)).toEqual([0, 0]);
    store.setCell('pets', 'fido', 'legs', 5);
    client.undo.goBackward();
    expect(store.getCell('pets', 'fido', 'legs')).toBe(4);
  });

  test('[UNDO-8] forgets the oldest steps beyond the size, and beyond the characters', () => {
    const client = clientOf(withPets, { size: 3, characters: 1000 });
    const { store, undo } = client;
    for (let step = 1; step <= 5; step++) store.setValue('step', step);
    expect(undo.getCheckpointIds()).toEqual([['2', '3', '4'], '5', []]);
    undo.goBackward();
    undo.setSize(2);
    expect(undo.getCheckpointIds()).toEqual([['3'], '4', ['5']]);
    store.setValue('text', 'x'.repeat(600));
    expect(undo.getCheckpointIds()).toEqual([['3', '4'], '6', []]);
    store.setValue('text', 'y'.repeat(300));
    expect(undo.getCheckpointIds()).toEqual([['6'], '7', []]);
    store.setValue('text', 'z'.repeat(2000));
    expect(undo.getCheckpointIds()).toEqual([[], '8', []]);
    undo.goBackward();
    expect(store.getValue('text')).toBe('z'.repeat(2000));
  });

  test.each([{ size: -1 }, { size: Number.NaN }, { characters: '9' }, { mergeMilliseconds: null }])(
    'a limit that is none is an error: %o',
    (options) => {
      expect(() => clientOf(withPets, options as UndoOptions)).toThrow(
        expect.objectContaining({ code: 'misuse' }),
      );
    },
  );
});

describe('the end', () => {
  test('[UNDO-9] comes with another room, and with the end of the replica', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    store.setValue('open', false);
    store.setValue('open', null);
    undo.goBackward();
    replica.abandon('another-room');
    expect(undo.getCheckpointIds()).toEqual([[], '0', []]);
    undo.goBackward();
    undo.goForward();
    expect(store.getValue('open')).toBe(false);
    store.setValue('open', 1);
    expect(countsOf(client)).toEqual([1, 0]);
    replica.stop();
    replica.abandon('destroyed');
    store.setValue('open', 2);
    expect(countsOf(client)).toEqual([0, 0]);
  });

  test('destroy forgets all steps and removes all listeners', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    const before = store.getListenerStats().transaction;
    let calls = 0;
    undo.addCheckpointIdsListener(() => (calls += 1));
    undo.addCheckpointListener(null, () => (calls += 1));
    expect(undo.getListenerStats()).toEqual({ checkpointIds: 1, checkpoint: 1 });
    store.setValue('open', false);
    expect(calls).toBe(1);
    undo.destroy();
    expect(undo.getListenerStats()).toEqual({ checkpointIds: 0, checkpoint: 0 });
    expect(store.getListenerStats().transaction).toBe((before ?? 0) - 1);
    store.setValue('open', true);
    undo.goBackward();
    expect([calls, store.getValue('open'), undo.getCheckpointIds()]).toEqual([
      1,
      true,
      [[], '0', []],
    ]);
    expect(replica.observer).toBeUndefined();
    // The Store gives the id that is free to this listener.
    let starts = 0;
    store.addStartTransactionListener(() => (starts += 1));
    undo.destroy();
    store.setValue('open', false);
    expect(starts).toBe(1);
  });
});

describe('checkpoints', () => {
  test('ids are one object until they change, and labels have listeners', () => {
    const client = clientOf(withPets);
    const { store, replica, undo } = client;
    const ids = undo.getCheckpointIds();
    replica.commit(changesOf([{ pets: { rex: { legs: 1 } } }, {}]));
    expect(undo.getCheckpointIds()).toBe(ids);
    const heard: unknown[] = [];
    undo.addCheckpointListener('1', (_undo, id) => heard.push(id, undo.getCheckpoint(id)));
    const listenerId = undo.addCheckpointListener(null, (_undo, id) => heard.push('any', id));
    store.setValue('open', false);
    expect(undo.getCheckpointIds()).not.toBe(ids);
    undo.addCheckpoint('close');
    undo.setCheckpoint('1', 'close');
    undo.delListener(listenerId);
    undo.setCheckpoint('1', 'Close');
    undo.setCheckpoint('9', 'none');
    expect(heard).toEqual(['1', 'close', 'any', '1', '1', 'Close']);
    expect([undo.hasCheckpoint('1'), undo.hasCheckpoint('9')]).toEqual([true, false]);
    expect(undo.getStore()).toBe(store);
  });

  test('a listener that throws or rejects is reported, and the others are called', async () => {
    const errors: unknown[] = [];
    const client = clientOf(withPets, { onIgnoredError: (error) => errors.push(error) });
    let calls = 0;
    client.undo.addCheckpointIdsListener(() => {
      throw new Error('thrown');
    });
    const rejecting = (async () => {
      throw new Error('rejected');
    }) as unknown as () => void;
    client.undo.addCheckpointIdsListener(rejecting);
    client.undo.addCheckpointIdsListener(() => (calls += 1));
    client.store.setValue('open', false);
    await new Promise((resolve) => setImmediate(resolve));
    expect([calls, errors]).toEqual([1, [new Error('thrown'), new Error('rejected')]]);
    expect(client.replica.pending).toHaveLength(1);
  });

  test('clear forgets all, and clearForward what can be redone', () => {
    const client = clientOf(withPets);
    const { store, undo } = client;
    store.setValue('open', false);
    store.setValue('open', null);
    undo.goBackward().clearForward();
    expect(undo.getCheckpointIds()).toEqual([['0'], '1', []]);
    undo.clear().goBackward();
    expect([store.getValue('open'), undo.getCheckpointIds()]).toEqual([false, [[], '0', []]]);
  });

  test('the label of an inner transaction is that of the whole, and of no other', () => {
    const client = clientOf(withPets);
    const { store, undo } = client;
    const result = undo.transaction(() => {
      store.setValue('a', 1);
      return 7;
    }, 'first');
    store.transaction(() => {
      store.setValue('b', 1);
      undo.transaction(() => store.setValue('c', 1), 'inner');
    });
    store.transaction(
      () => undo.transaction(() => store.setValue('d', 1), 'rolled back'),
      () => true,
    );
    store.setValue('e', 1);
    expect(result).toBe(7);
    expect(['1', '2', '3'].map((id) => undo.getCheckpoint(id))).toEqual(['first', 'inner', '']);
  });
});

test('an option that does not exist is reported, with the one that is meant', () => {
  const errors: unknown[] = [];
  const onIgnoredError = (error: unknown): unknown => errors.push(error);
  const options = { mergemilliseconds: 5, onIgnoredError };
  clientOf(withPets, options);
  expect(errors).toMatchObject([
    {
      code: 'misuse',
      message:
        'The object for createUndo has options that do not exist: "mergemilliseconds" (did you mean "mergeMilliseconds"?). There are: mergeMilliseconds, size, characters, onIgnoredError.',
    },
  ]);
});

test('an onIgnoredError that throws harms neither the edit nor what the room answers, and is written to the console', async () => {
  const written = vi.spyOn(console, 'error').mockReturnValue(undefined);
  const client = clientOf(withPets, { onIgnoredError: throwing });
  const { store, replica, undo } = client;
  undo.addCheckpointIdsListener(throwing);
  store.setValue('open', false);
  await new Promise((resolve) => setImmediate(resolve));
  expect(written.mock.calls).toEqual([[new Error('thrown')]]);
  expect(() => undo.goBackward()).not.toThrow();
  expect(store.getValue('open')).toBe(true);
  store.setValue('open', 7);
  replica.acknowledge();
  replica.acknowledge();
  expect(replica.acknowledgeCorrected(changesOf([{}, { open: true }]))).toBe(true);
  expect([store.getValue('open'), replica.pending]).toEqual([true, []]);
  await new Promise((resolve) => setImmediate(resolve));
  written.mockRestore();
});

test('an edit looks at none of the pushes that wait: 10,000 edits offline took 11 s', () => {
  const { store, replica } = clientOf(withPets);
  for (let row = 0; row < 100; row += 1) store.setCell('pets', `${row}`, 'legs', row);
  const { pending } = replica;
  let looks = 0;
  const watched = new Proxy(pending, {
    get: (list, key): unknown => {
      looks += 1;
      return Reflect.get(list, key);
    },
  });
  Object.defineProperty(replica, 'pending', { value: watched });
  store.setCell('pets', 'felix', 'legs', 4);
  store.setCell('pets', 'felix', 'legs', 3);
  expect(pending).toHaveLength(102);
  expect(looks).toBe(0);
});

test('an edit walks over none of the writes that wait without a step: 20,000 edits offline took 7 s', () => {
  const { store } = clientOf(withPets, { size: 1 });
  const edit = (round: number): void => {
    if (round % 2 === 0) store.setRow('pets', 'rex', { legs: round });
    else store.delRow('pets', 'rex');
  };
  for (let round = 0; round < 200; round += 1) edit(round);
  const walks: number[] = [];
  const walk = Set.prototype[Symbol.iterator];
  vi.spyOn(Set.prototype, Symbol.iterator).mockImplementation(function counted(this: Set<unknown>) {
    walks.push(this.size);
    return walk.call(this);
  });
  edit(200);
  vi.restoreAllMocks();
  expect(walks).not.toEqual([]);
  expect(Math.max(...walks)).toBeLessThan(100);
});

test('an undo of a new row looks at each Cell that the room gave a few times: 4000 Cells took 0.5 s', () => {
  const { store, replica, undo } = clientOf();
  const given = Object.fromEntries(Array.from({ length: 500 }, (_, id) => [`${id}`, 2]));
  store.setRow('pets', 'felix', { legs: 4 });
  replica.acknowledgeCorrected(addedTo(given));
  const reads = vi.spyOn(LeafMap.prototype, 'has');
  undo.goBackward();
  const { length } = reads.mock.calls;
  vi.restoreAllMocks();
  expect(store.getTables()).toEqual({});
  expect(length).toBeLessThan(500 * 10);
});

test.each(['refuses', 'adds'])(
  'an answer that %s many Cells of a new row looks at each write of the row once: 4000 Cells took 2 s',
  (which) => {
    const { store, replica } = clientOf();
    const ids = Array.from({ length: 500 }, (_, id) => `${id}`);
    const all = (leaf: unknown): object => Object.fromEntries(ids.map((id) => [id, leaf]));
    store.setRow('pets', 'felix', { legs: 4, ...(which === 'refuses' && all(1)) });
    const flat = vi.spyOn(Array.prototype, 'flat');
    replica.acknowledgeCorrected(addedTo(all(which === 'refuses' ? DELETED : 2)));
    const { length } = flat.mock.calls;
    vi.restoreAllMocks();
    expect(store.getRow('pets', 'felix')).toEqual({ legs: 4, ...(which === 'adds' && all(2)) });
    expect(length).toBeLessThan(10);
  },
);
