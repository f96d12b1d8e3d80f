import * as fc from 'fast-check';
import { createStore, type Store } from 'tinybase';
import { expect, test } from 'vitest';

import { observeForUndo } from '../../../../src/client/features/undo/undo-observer.ts';
import type { Undo, UndoOptions } from '../../../../src/client/features/undo/index.ts';
import { Replica } from '../../../../src/client/replica/replica.ts';
import {
  applyChangesToLeaves,
  isEmptyChanges,
  type Changes,
} from '../../../../src/protocol/changes.ts';
import { encodeChanges, encodeContent } from '../../../../src/protocol/codec.ts';
import { VALUES, type Leaf } from '../../../../src/protocol/leaf.ts';
import { LeafMap } from '../../../../src/protocol/leaf-map.ts';
import {
  readContent,
  readLeaf,
  readTransactionLog,
  type TransactionLog,
} from '../../../../src/protocol/store-access.ts';
import { writeAims } from '../../../../src/client/replica/aims.ts';
import { correctionOf } from '../../../../src/server/writes/correction.ts';
import { edit, transactions } from '../../../protocol/arbitrary-edits.ts';
import { seededRandom } from '../../../support/seeded-random.ts';
import { remoteChanges, remoteContents } from '../../replica/arbitrary-remote.ts';

const RUNS = 150;
/** Always these, and another one each time. A failure tells it: `SEED=… npx vitest run --project unit undo-property`. */
const SEEDS: readonly number[] = [20_261_128, 1, 2, seededRandom().seed];

interface Client {
  readonly store: Store;
  readonly replica: Replica;
  readonly undo: Undo;
}

function clientOf(content: LeafMap<Leaf>, options?: UndoOptions): Client {
  const store = storeOf(content);
  const replica = new Replica(store, {
    onPending: () => undefined,
    onRefused: () => undefined,
    onError: (error) => {
      throw error;
    },
  });
  let now = 0;
  const { undo } = observeForUndo(replica, () => (now += 1), options);
  replica.startTracking();
  replica.setFollowing(true);
  replica.setSaving(true);
  return { store, replica, undo };
}

function storeOf(content: LeafMap<Leaf>): Store {
  const store = createStore();
  writeAims(store, content);
  return store;
}

const canUndo = ({ undo }: Client): boolean => undo.getCheckpointIds()[0].length > 0;
const canRedo = ({ undo }: Client): boolean => undo.getCheckpointIds()[2].length > 0;
const undoAll = (client: Client): void => {
  while (canUndo(client)) client.undo.goBackward();
};
const redoAll = (client: Client): void => {
  while (canRedo(client)) client.undo.goForward();
};

/** Adds a cell to each new row, as the schema of a room does. */
function addDefaults(store: Store, cell: string): void {
  store.addRowListener(
    null,
    null,
    (_store, table, row) => {
      if (store.hasRow(table, row) && !store.hasCell(table, row, cell))
        store.setCell(table, row, cell, 'default');
    },
    true,
  );
}

/** A room without hooks, and the way to it and back. */
class Room {
  readonly store: Store;
  /** Messages of the room on their way to the client: an ack, or a commit of others. */
  readonly #told: { readonly commit?: Changes; readonly correction?: Changes | undefined }[] = [];
  readonly #client: Client;
  /** The content without the user's own edits. */
  readonly ofOthers: LeafMap<Leaf>;
  /** The number of pushes of the page before: these are no edits of the user here. */
  readonly #restored: number;
  #lastPush = 0;
  #log: TransactionLog | undefined;

  constructor(content: LeafMap<Leaf>, client: Client, restored = 0) {
    this.store = storeOf(content);
    this.ofOthers = readContent(this.store);
    this.#client = client;
    this.#restored = restored;
    this.store.addDidFinishTransactionListener(() => {
      this.#log = readTransactionLog(this.store);
    });
  }

  /** Applies changes of others. */
  commit(changes: Changes): void {
    const commit = this.#apply(changes)?.changes;
    if (commit === undefined || isEmptyChanges(commit)) return;
    this.#told.push({ commit });
    applyChangesToLeaves(this.ofOthers, commit);
  }

  /** Applies the next push of the client. */
  receive(): boolean {
    const push = this.#client.replica.pending.find(({ number }) => number > this.#lastPush);
    if (push === undefined) return false;
    this.#lastPush = push.number;
    if (push.number <= this.#restored) applyChangesToLeaves(this.ofOthers, push.changes);
    const before = this.#apply(push.changes)?.before ?? new LeafMap();
    this.#told.push({ correction: correctionOf(this.store, push.changes, before).changes });
    return true;
  }

  /** The client hears the next message. */
  tell(): boolean {
    const told = this.#told.shift();
    if (told === undefined) return false;
    const { replica } = this.#client;
    if (told.commit !== undefined) replica.commit(told.commit);
    else if (told.correction !== undefined) replica.acknowledgeCorrected(told.correction);
    else replica.acknowledge();
    return true;
  }

  settle(): void {
    while (this.receive() || this.tell());
  }

  #apply(changes: Changes): TransactionLog | undefined {
    this.#log = undefined;
    this.store.transaction(() => {
      for (const [table, rows] of changes.deletedRows) {
        if (rows === 'all') this.store.delTable(table);
        else for (const row of rows) this.store.delRow(table, row);
      }
      const aims = new LeafMap<Leaf | undefined>();
      changes.leaves.forEach((leaf, ...address) => aims.set(...address, leaf));
      writeAims(this.store, aims);
    });
    return this.#log;
  }
}

/** Histories without undo. */
const happenings = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: fc.constant('edit'), edits: transactions }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('commit'), changes: remoteChanges }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('receive') }) },
    { weight: 5, arbitrary: fc.record({ type: fc.constant('tell') }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('saving'), isSaving: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('checkpoint') }) },
  ),
  { maxLength: 30 },
);
/** The edits that delete nothing. */
const ADDING: ReadonlySet<string> = new Set(['setCell', 'setPartialRow', 'setValue']);
const mergeTimes = fc.constantFrom(0, 2, Infinity);

test.each(SEEDS)(
  '[UNDO-1] [UNDO-2] with nobody else about, undoing all gives the content before, and redoing all gives it back (seed %i)',
  (seed) => {
    fc.assert(
      fc.property(
        remoteContents,
        fc.array(
          fc.oneof({ weight: 4, arbitrary: transactions }, fc.constantFrom('undo', 'redo', 'ack')),
          {
            maxLength: 20,
          },
        ),
        mergeTimes,
        (content, actions, mergeMilliseconds) => {
          const client = clientOf(content, { mergeMilliseconds });
          const { store, replica, undo } = client;
          const before = encodeContent(readContent(store));
          for (const action of actions) {
            if (action === 'undo') undo.goBackward();
            else if (action === 'redo') undo.goForward();
            else if (action === 'ack') replica.acknowledge();
            else edit(store, action);
          }
          const after = sorted(store);
          undoAll(client);
          expect(sorted(store)).toEqual(sorted(storeOf(content)));
          expect(before).toBe(encodeContent(content));
          redoAll(client);
          undoAll(client);
          redoAll(client);
          while (canRedo(client)) undo.goForward();
          if (!actions.includes('undo')) expect(sorted(store)).toEqual(after);
          while (replica.pending.length > 0) replica.acknowledge();
          expect(replica.overlay.isEmpty).toBe(true);
        },
      ),
      { numRuns: RUNS, seed },
    );
  },
);

test.each(SEEDS)(
  '[UNDO-5] with nobody else about, undoing all takes away the rows that the user made, with the cell that the room added (seed %i)',
  (seed) => {
    fc.assert(
      fc.property(
        remoteContents,
        // A default takes the place of a cell that is deleted from a row which stays.
        happenings.map((all) =>
          all.filter((it) =>
            it.type === 'edit'
              ? it.edits.every(([type]) => type === 'delRow' || ADDING.has(type))
              : it.type !== 'commit',
          ),
        ),
        fc.constantFrom('a', 'added'),
        mergeTimes,
        (content, all, cell, mergeMilliseconds) => {
          for (const table of content.tables())
            for (const [row, cells] of table === VALUES ? [] : content.rows(table))
              if (!cells.has(cell)) content.set(table, row, cell, 'default');
          const client = clientOf(content, { mergeMilliseconds });
          const room = new Room(content, client);
          addDefaults(room.store, cell);
          const before = sorted(room.store);
          live(all, client, room);
          room.settle();
          undoAll(client);
          room.settle();
          expect(sorted(client.store)).toEqual(before);
          redoAll(client);
          room.settle();
          undoAll(client);
          room.settle();
          expect(sorted(room.store)).toEqual(before);
        },
      ),
      { numRuns: RUNS, seed },
    );
  },
);

test.each(SEEDS)(
  '[UNDO-3] [UNDO-4] [UNDO-5] undoing all gives what others have made, as if there had been no edit of one’s own (seed %i)',
  (seed) => {
    fc.assert(
      fc.property(remoteContents, happenings, mergeTimes, (content, all, mergeMilliseconds) => {
        const client = clientOf(content, { mergeMilliseconds });
        const room = new Room(content, client);
        live(all, client, room);
        expectUndone(client, room);
      }),
      { numRuns: RUNS, seed },
    );
  },
);

test.each(SEEDS)(
  '[UNDO-3] [UNDO-4] undoing all leaves what the page before has made, also if its edits are back after the first own ones (seed %i)',
  (seed) => {
    fc.assert(
      fc.property(
        remoteContents,
        // A deletion would hide what the page before has set in the row.
        transactions.filter((edits) => edits.every(([type]) => ADDING.has(type))),
        fc.array(remoteChanges, { maxLength: 2 }),
        happenings,
        mergeTimes,
        (content, early, restored, all, mergeMilliseconds) => {
          const client = clientOf(content, { mergeMilliseconds });
          const { store, replica } = client;
          const room = new Room(content, client, restored.length);
          replica.setSaving(false);
          edit(store, early);
          const pushes = restored.map(({ leaves }, index) => {
            const changes: Changes = { leaves, deletedRows: new Map() };
            return { number: index + 1, changes, encoded: encodeChanges(changes) };
          });
          replica.restore(undefined, { pushes, lastNumber: pushes.length });
          live(all, client, room);
          expectUndone(client, room);
        },
      ),
      { numRuns: RUNS, seed },
    );
  },
);

test.each(SEEDS)(
  '[UNDO-3] no undo and no redo changes a leaf that somebody else has changed last (seed %i)',
  (seed) => {
    const moves = fc.constantFrom<'undo' | 'redo'>('undo', 'redo');
    const steps = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.record({ type: fc.constant('edit'), edits: transactions }) },
        {
          weight: 3,
          arbitrary: fc.record({ type: fc.constant('commit'), changes: remoteChanges }),
        },
        {
          weight: 4,
          arbitrary: fc.record({
            type: fc.constant('ack'),
            correction: fc.option(remoteChanges, { nil: undefined, freq: 2 }),
          }),
        },
        { weight: 1, arbitrary: fc.record({ type: fc.constant('load'), content: remoteContents }) },
        {
          weight: 1,
          arbitrary: fc.record({
            type: fc.constant('welcome'),
            dropped: fc.nat(3),
            changes: remoteChanges,
          }),
        },
        { weight: 5, arbitrary: fc.record({ type: fc.constant('move'), move: moves }) },
        {
          weight: 1,
          arbitrary: fc.record({ type: fc.constant('saving'), isSaving: fc.boolean() }),
        },
        { weight: 1, arbitrary: fc.record({ type: fc.constant('discard') }) },
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(remoteContents, steps, mergeTimes, (content, all, mergeMilliseconds) => {
        const client = clientOf(content, { mergeMilliseconds });
        const { store, replica, undo } = client;
        /** The leaves that were changed last by this client's user. */
        const own = new LeafMap<true>();
        let isOwn = true;
        store.addDidFinishTransactionListener(() => {
          readTransactionLog(store).before.forEach((_before, ...address) => {
            if (isOwn) own.set(...address, true);
            else own.delete(...address);
          });
        });
        const asOther = (action: () => void): void => {
          isOwn = false;
          action();
          isOwn = true;
        };
        for (const step of all) {
          switch (step.type) {
            case 'edit':
              edit(store, step.edits);
              break;
            case 'commit':
              asOther(() => replica.commit(step.changes));
              break;
            case 'ack':
              if (replica.pending.length === 0) break;
              if (step.correction === undefined) replica.acknowledge();
              else {
                const { correction } = step;
                asOther(() => replica.acknowledgeCorrected(correction));
              }
              break;
            case 'load':
              asOther(() =>
                replica.catchUp({
                  content: step.content,
                  isShown: true,
                  heldReplacedBy: step.content,
                }),
              );
              break;
            case 'welcome':
              asOther(() =>
                replica.catchUp({
                  lastPush: Math.min(
                    replica.oldestUnanswered - 1 + step.dropped,
                    replica.pending.at(-1)?.number ?? 0,
                  ),
                  changes: step.changes,
                }),
              );
              break;
            case 'saving':
              replica.setSaving(step.isSaving);
              break;
            case 'discard':
              asOther(() => replica.discardLocal());
              break;
            case 'move': {
              const before = readContent(store);
              if (step.move === 'undo') undo.goBackward();
              else undo.goForward();
              const changed = new LeafMap<true>();
              const note = (leaf: Leaf | undefined, ...[table, row, cell]: Address): void => {
                if (readLeaf(store, table, row, cell) !== before.get(table, row, cell))
                  changed.set(table, row, cell, true);
                void leaf;
              };
              before.forEach((leaf, ...address) => note(leaf, ...address));
              readContent(store).forEach((leaf, ...address) => note(leaf, ...address));
              changed.forEach((_true, ...address) => expect(own.has(...address)).toBe(true));
              break;
            }
          }
        }
        expect(replica.observer).toBeDefined();
      }),
      { numRuns: RUNS, seed },
    );
  },
);

function live(all: readonly Happening[], { store, replica, undo }: Client, room: Room): void {
  for (const happening of all) {
    if (happening.type === 'edit') edit(store, happening.edits);
    else if (happening.type === 'commit') room.commit(happening.changes);
    else if (happening.type === 'receive') room.receive();
    else if (happening.type === 'tell') room.tell();
    else if (happening.type === 'saving') replica.setSaving(happening.isSaving);
    else undo.addCheckpoint();
  }
  replica.setSaving(true);
  room.settle();
}

/** Undoes all, redoes it, and undoes it again: what others have made is left. */
function expectUndone(client: Client, room: Room): void {
  const shown = sorted(client.store);
  expect(shown).toEqual(sorted(room.store));
  undoAll(client);
  expect(sorted(client.store)).toEqual(flat(room.ofOthers));
  redoAll(client);
  expect(sorted(client.store)).toEqual(shown);
  undoAll(client);
  room.settle();
  expect(sorted(room.store)).toEqual(flat(room.ofOthers));
  expect(client.replica.overlay.isEmpty).toBe(true);
}

type Happening = typeof happenings extends fc.Arbitrary<readonly (infer Each)[]> ? Each : never;
type Address = Parameters<LeafMap<Leaf>['has']>;

function flat(content: LeafMap<Leaf>): readonly (readonly [string, Leaf])[] {
  const leaves: (readonly [string, Leaf])[] = [];
  content.forEach((leaf, ...address) => leaves.push([JSON.stringify(address), leaf]));
  return leaves.toSorted(([left], [right]) => (left < right ? -1 : 1));
}

function sorted(store: Store): readonly (readonly [string, Leaf])[] {
  return flat(readContent(store));
}
