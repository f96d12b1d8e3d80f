import { createStore, type Store } from 'tinybase';
import { expect, test } from 'vitest';

import { observeForUndo } from '../../../../src/client/features/undo/undo-observer.ts';
import type { Undo } from '../../../../src/client/features/undo/index.ts';
import { writeAims } from '../../../../src/client/replica/aims.ts';
import { Replica } from '../../../../src/client/replica/replica.ts';
import { ChangesBuilder, composeChanges, type Changes } from '../../../../src/protocol/changes.ts';
import type { Leaf } from '../../../../src/protocol/leaf.ts';
import { LeafMap } from '../../../../src/protocol/leaf-map.ts';
import { readTransactionLog, type TransactionLog } from '../../../../src/protocol/store-access.ts';
import { correctionOf } from '../../../../src/server/writes/correction.ts';

/** The room refuses it. */
const REFUSED = 99;
const DEFAULT = 7;
/** No message can carry it. */
const UNSENDABLE = { toJSON: () => '\uFFFDtext' };

/** A room with one client, its schema and the way between both. */
class World {
  readonly store: Store = createStore();
  readonly replica: Replica;
  readonly undo: Undo;
  readonly #room: Store = createStore();
  readonly #answers: { readonly changes: Changes; readonly correction: Changes | undefined }[] = [];
  #lastPush = 0;
  #answered = 0;
  #count = 10;

  constructor(isFilled: boolean, hasDefault: boolean, mergeMilliseconds: number) {
    for (const store of isFilled ? [this.store, this.#room] : [])
      store.setRow('t', 'r', { a: 1, b: 2, d: 3 });
    this.replica = new Replica(this.store, {
      onPending: () => undefined,
      onRefused: () => undefined,
      onError: (error) => {
        throw error;
      },
    });
    this.undo = observeForUndo(this.replica, () => this.next(), { mergeMilliseconds }).undo;
    this.replica.startTracking();
    this.replica.setFollowing(true);
    this.replica.setSaving(true);
    this.replica.limitPushes(200);
    if (!hasDefault) return;
    this.#room.addRowListener(
      null,
      null,
      (room, table, row) => {
        if (room.hasRow(table, row) && !room.hasCell(table, row, 'd'))
          room.setCell(table, row, 'd', DEFAULT);
      },
      true,
    );
  }

  /** Returns another number each time. */
  next(): number {
    return (this.#count += 1);
  }

  receive(): boolean {
    const push = this.replica.pending.find(({ number }) => number > this.#lastPush);
    if (push === undefined) return false;
    this.#lastPush = push.number;
    const { changes } = push;
    const logs: TransactionLog[] = [];
    const listenerId = this.#room.addDidFinishTransactionListener((room) =>
      logs.push(readTransactionLog(room)),
    );
    this.#room.transaction(() => {
      for (const [table, rows] of changes.deletedRows)
        for (const row of rows) this.#room.delRow(table, row);
      const aims = new LeafMap<Leaf | undefined>();
      changes.leaves.forEach((leaf, ...at) => {
        if (leaf !== REFUSED) aims.set(...at, leaf);
      });
      writeAims(this.#room, aims);
    });
    this.#room.delListener(listenerId);
    const [log] = logs;
    this.#answers.push({
      changes: log?.changes ?? new ChangesBuilder(),
      correction: correctionOf(this.#room, changes, log?.before ?? new LeafMap()).changes,
    });
    return true;
  }

  /** The client hears the next answer. */
  tell(): boolean {
    const answer = this.#answers[this.#answered];
    if (answer === undefined) return this.receive() && this.tell();
    this.#answered += 1;
    if (answer.correction === undefined) this.replica.acknowledge();
    else this.replica.acknowledgeCorrected(answer.correction);
    return true;
  }

  settle(): void {
    while (this.tell());
  }

  /** The room applies a push, and the connection is lost before the answer comes. */
  lose(): void {
    this.receive();
    const lost = this.#answers.slice(this.#answered);
    this.#answered = this.#answers.length;
    const changes = composeChanges(lost.map((answer) => answer.changes));
    this.replica.catchUp({ lastPush: this.#lastPush, changes });
  }

  undoAll(): void {
    while (this.undo.getCheckpointIds()[0].length > 0) this.undo.goBackward();
  }

  redoAll(): void {
    while (this.undo.getCheckpointIds()[2].length > 0) this.undo.goForward();
  }
}

type Action = (world: World) => unknown;

const large = (world: World): string => 'x'.repeat(300) + String(world.next());
const set =
  (cell: string): Action =>
  (world) =>
    world.store.setCell('t', 'r', cell, world.next());

const EDITS = {
  row: (world) => world.store.setRow('t', 'r', { a: world.next() }),
  set: set('a'),
  setDefaulted: set('d'),
  deleteRow: ({ store }) => store.delRow('t', 'r'),
} as const satisfies Readonly<Record<string, Action>>;

const deleteCell: Action = ({ store }) => store.delCell('t', 'r', 'a');

const ODD_EDITS = {
  refused: ({ store }) => store.setCell('t', 'r', 'a', REFUSED),
  refusedInPart: (world) => world.store.setPartialRow('t', 'r', { a: REFUSED, b: world.next() }),
  unsendable: ({ store }) => store.setCell('t', 'r', 'a', UNSENDABLE),
  unsendableInPart: (world) =>
    world.store.setPartialRow('t', 'r', { a: UNSENDABLE, b: world.next() }),
  tooLarge: (world) => world.store.setCell('t', 'r', 'a', large(world)),
} as const satisfies Readonly<Record<string, Action>>;

const MEANWHILE = {
  answer: (world) => world.tell(),
  lose: (world) => world.lose(),
  hold: ({ replica }) => replica.setSaving(false),
} as const satisfies Readonly<Record<string, Action>>;

/** Returns each sequence of three actions. */
function sequencesOf(actions: Readonly<Record<string, Action>>): readonly (readonly string[])[] {
  const names = Object.keys(actions);
  return names.flatMap((first) =>
    names.flatMap((second) => names.map((third) => [first, second, third])),
  );
}

/** Expects that undoing all gives the content before, and that redoing all gives the one after. */
function expectUndone(
  parts: ConstructorParameters<typeof World>,
  actions: Readonly<Record<string, Action>>,
  names: readonly string[],
): void {
  const world = new World(...parts);
  const before = world.store.getContent();
  for (const name of names) actions[name]?.(world);
  world.replica.setSaving(true);
  world.settle();
  const after = world.store.getContent();
  const what = JSON.stringify([parts, names]);
  // Nothing writes an unsendable leaf again.
  const isRedone = !names.some((name) => name.startsWith('unsendable'));
  for (let time = 0; time < 2; time += 1) {
    world.undoAll();
    if (time === 1) world.settle();
    expect(world.store.getContent(), what).toEqual(before);
    world.redoAll();
    if (isRedone) expect(world.store.getContent(), what).toEqual(after);
  }
}

const CONTENTS = [true, false];
const MERGE_TIMES = [0, Infinity];

test.each(MERGE_TIMES)(
  '[UNDO-5] with nobody else about, undoing any three edits in a room with defaults gives the row before (merged within %d)',
  (mergeTime) => {
    const { answer, hold } = MEANWHILE;
    const actions = { ...EDITS, answer, hold };
    // With a default, the only step that made a row would have nothing left there.
    if (mergeTime === 0) Object.assign(actions, { deleteCell });
    for (const isFilled of CONTENTS)
      for (const names of sequencesOf(actions))
        expectUndone([isFilled, true, mergeTime], actions, names);
  },
);

test.each(MERGE_TIMES)(
  '[UNDO-6] with nobody else about, undoing any three edits gives the content before, whatever the room refuses, stays here or was answered in vain (merged within %d)',
  (mergeTime) => {
    const { row, set: setCell, deleteRow } = EDITS;
    const { answer, lose } = MEANWHILE;
    const actions = { row, setCell, deleteRow, ...ODD_EDITS, answer, lose };
    for (const isFilled of CONTENTS)
      for (const names of sequencesOf(actions))
        expectUndone([isFilled, false, mergeTime], actions, names);
  },
);

const ACTIONS = {
  ...EDITS,
  deleteCell,
  ...MEANWHILE,
  undo: ({ undo }: World) => undo.goBackward(),
  value: ({ store }: World) => store.setValue('v', 1),
};

test.each([
  ['a row made anew, undone before the answer', true, 0, 'deleteRow,row,undo,value'],
  [
    'a deletion of what was left of a row, undone before the answer',
    true,
    0,
    'row,deleteCell,undo,value',
  ],
  ['a default that was edited, undone', false, 0, 'row,setDefaulted,undo,value'],
  ['a row made twice in a step', false, Infinity, 'set,deleteRow,row,setDefaulted'],
])(
  '[UNDO-5] undoing all gives the row before, in a room with defaults, after %s',
  (_what, isFilled, mergeTime, names) =>
    expectUndone([isFilled, true, mergeTime], ACTIONS, names.split(',')),
);
