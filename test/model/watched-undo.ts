import type { Id } from 'tinybase';

import { observeForUndo } from '../../src/client/features/undo/undo-observer.ts';
import type { Undo } from '../../src/client/features/undo/index.ts';
import type { CatchUp, Replica } from '../../src/client/replica/replica.ts';
import { deletesRow, type Changes } from '../../src/protocol/changes.ts';
import { VALUES, type Leaf, type TableKey } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import { readContent, type TransactionLog } from '../../src/protocol/store-access.ts';
import type { LogEntry } from '../../src/server/storage/log-row.ts';
import { isUnique } from './edits.ts';
import { describeDifferences, differences, leafName } from './leaves.ts';
import { isListeners } from './store-variants.ts';
import { PropertyFailure } from './world.ts';

/** Few, so that the oldest are forgotten. */
const SIZE = 6;

/** Stands for all cells of a row that its user has deleted. */
const ROW = 'whole row';

/** The parts of a client that its undo concerns. */
export interface UndoOwner {
  readonly name: string;
  /** True while the user does something. */
  readonly isUsersTurn: boolean;
  /** True if neither the client's app nor the room's changes anything by itself. */
  readonly isPlain: boolean;
  readonly now: () => number;
  /** True if an edit of that leaf, or the deletion of its row, was too large to be sent, or not to be read. */
  readonly wasWithdrawn: (table: TableKey, row: string, cell: string) => boolean;
  readonly fail: (failure: PropertyFailure) => void;
}

/** The undo of a client, and the properties that must hold of it. */
export class WatchedUndo {
  readonly #undo: Undo;
  readonly #replica: Replica;
  readonly #owner: UndoOwner;
  /** The leaves that the user was the last to change, as far as the Store shows. */
  readonly #own: LeafMap<true>;
  /** All that the user has ever made of a leaf. */
  readonly #made = new Set<string>();
  #ids: ReadonlySet<string> = new Set('0');
  /** Rows with edits whose answer was lost: the client does not know what lay beneath them. */
  readonly #unanswered = new LeafMap<true>();

  constructor(replica: Replica, owner: UndoOwner, own: LeafMap<true>) {
    this.#replica = replica;
    this.#owner = owner;
    this.#own = own;
    this.#undo = observeForUndo(replica, owner.now, { size: SIZE, mergeMilliseconds: 1 }).undo;
    this.#undo.addCheckpointIdsListener(() => this.#checkIds());
    this.#watchCatchUps();
  }

  #watchCatchUps(): void {
    const replica = this.#replica;
    const catchUp = replica.catchUp.bind(replica);
    const note = (table: TableKey, row: string): void =>
      this.#unanswered.set(table, row, ROW, true);
    Object.assign(replica, {
      catchUp: (missed: CatchUp): boolean => {
        const { lastPush = 0, changes: toldOfOthers } = missed;
        /** Rows with edits that are not confirmed. */
        const edited = new LeafMap<true>();
        const held = replica.held && { number: Infinity, changes: replica.held };
        for (const { number, changes } of held ? [...replica.pending, held] : replica.pending) {
          const noteEdited = (table: TableKey, row: string): void => {
            edited.set(table, row, ROW, true);
            if (number <= lastPush) note(table, row);
          };
          changes.leaves.forEach((_leaf, table, row) => noteEdited(table, row));
          for (const [table, rows] of changes.deletedRows)
            for (const row of rows) noteEdited(table, row);
        }
        // A row that its user had deleted may have come and gone meanwhile: the client does not hear of that. Its Store may show what
        // is local-only there.
        this.#own.forEach((_own, table, row, cell) => {
          if (cell !== ROW || table === VALUES) return;
          const isGone = replica.base.cells(table, row).length === 0;
          if (isGone || !replica.store.hasRow(table, row)) note(table, row);
        });
        const isDone = catchUp(missed);
        if (isDone && toldOfOthers !== undefined) this.#theirs(toldOfOthers, edited);
        return isDone;
      },
    });
  }

  /** Others have set leaves, perhaps to what they were, where the user has edited nothing meanwhile (UNDO-3, UNDO-5). */
  #theirs(changes: Changes, edited: LeafMap<true>): void {
    const theirs: [TableKey, string, string][] = [];
    this.#own.forEach((_own, table, row, cell) => {
      const isSet = changes.leaves.has(table, row, cell) || deletesRow(changes, table, row);
      if (isSet && !edited.has(table, row, ROW)) theirs.push([table, row, cell]);
    });
    for (const address of theirs) this.#own.delete(...address);
  }

  /** Undo or redo, as the user asks for it. */
  move(isBackward: boolean): void {
    if (isBackward) this.#undo.goBackward();
    else this.#undo.goForward();
  }

  checkpoint(): void {
    this.#undo.addCheckpoint();
  }

  /** The user has edited something: there is no redo (UNDO-7). */
  checkEdited(): void {
    if (this.#replica.claim.isElsewhere || this.#undo.getCheckpointIds()[2].length === 0) return;
    this.#fail('can redo after an edit');
  }

  /** There is nothing left to undo or redo (UNDO-9). */
  checkEnded(): void {
    const [backward, , forward] = this.#undo.getCheckpointIds();
    if (backward.length + forward.length > 0) this.#fail('can undo after its end');
  }

  /** Undoes all steps, makes them again, and undoes them again. To be called while nothing is on its way. */
  undoAll(entries: readonly LogEntry[], isOwn: (entry: LogEntry) => boolean): void {
    const { store } = this.#replica;
    const undone = new Set(this.#undo.getCheckpointIds()[2]);
    const before = readContent(store);
    this.#undoEach(entries, isOwn);
    // A step that turns out to have nothing to put back is gone, also one that was undone before.
    const next = (): Id | undefined => this.#undo.getCheckpointIds()[2][0];
    for (let id = next(); id !== undefined && !undone.has(id); id = next()) this.#undo.goForward();
    const found = this.#owner.isPlain ? differences(before, readContent(store)) : [];
    if (found.length > 0) this.#fail(`did not redo what it undid: ${describeDifferences(found)}`);
    this.#undoEach(entries, isOwn);
  }

  #undoEach(entries: readonly LogEntry[], isOwn: (entry: LogEntry) => boolean): void {
    const { store } = this.#replica;
    while (this.#undo.getCheckpointIds()[0].length > 0) {
      const before = readContent(store);
      const made = new Set(this.#made);
      this.#undo.goBackward();
      const after = readContent(store);
      for (const { table, row, cell, right } of differences(before, after)) {
        // What never reached the room is put back by itself.
        if (this.#owner.wasWithdrawn(table, row, cell)) continue;
        if (this.#unanswered.has(table, row, ROW)) continue;
        // What a listener counts, it counts again.
        if (isListeners(cell)) continue;
        const touching = entries.filter(
          ({ changes }) =>
            changes !== undefined &&
            (changes.leaves.has(table, row, cell) || deletesRow(changes, table, row)),
        );
        // What this user made, or put back earlier, may be ordered after what others did meanwhile.
        if (made.has(madeOf(table, row, cell, right))) continue;
        this.#checkRestored(touching, isOwn, table, row, cell, right);
        if (before.cells(table, row).size === 0) this.#checkRow(entries, isOwn, table, row);
      }
    }
  }

  /** Checks that no undo puts back a leaf that others have overwritten (UNDO-3, UNDO-4). */
  #checkRestored(
    touching: readonly LogEntry[],
    isOwn: (entry: LogEntry) => boolean,
    table: TableKey,
    row: string,
    cell: string,
    leaf: Leaf | undefined,
  ): void {
    // A listener may keep a leaf as it was, so that its user never saw what others set.
    if (!this.#owner.isPlain || !isUnique(leaf)) return;
    const origin = touching.findLastIndex(
      ({ changes }) => changes?.leaves.get(table, row, cell) === leaf,
    );
    if (origin < 0 || touching.slice(origin + 1).every(isOwn)) return;
    this.#fail(
      `put back ${leafName(table, row, cell)} = ${String(leaf)}, which others had replaced`,
    );
  }

  /** A row that is restored was deleted by its own user (UNDO-5). */
  #checkRow(
    entries: readonly LogEntry[],
    isOwn: (entry: LogEntry) => boolean,
    table: TableKey,
    row: string,
  ): void {
    if (table === VALUES) return;
    const last = entries.findLastIndex(
      ({ changes }) => changes !== undefined && deletesRow(changes, table, row),
    );
    const deletion = entries[last];
    if (deletion === undefined || isOwn(deletion)) return;
    // The row came back since: then an edit of this user that is still under way has deleted it.
    const isBack = entries
      .slice(last)
      .some(({ changes }) =>
        [...(changes?.leaves.cells(table, row).values() ?? [])].some((leaf) => leaf !== undefined),
      );
    if (isBack) return;
    this.#fail(`brought back the row ${table} ${row}, which others had deleted`);
  }

  /** A transaction has finished: an undo changes only what its own user has changed last (UNDO-3). */
  finished({ before, changes }: TransactionLog, isMove: boolean): void {
    const { isUsersTurn, isPlain } = this.#owner;
    before.forEach((_before, table, row, cell) => {
      const isOwn = this.#own.has(table, row, cell) || this.#own.has(table, row, ROW);
      if (isMove && isPlain && !isOwn)
        this.#fail(`changed ${leafName(table, row, cell)}, which others have set`);
    });
    before.forEach((_before, table, row, cell) => {
      const made = madeOf(table, row, cell, changes.leaves.get(table, row, cell));
      if (isUsersTurn) this.#made.add(made);
      // A refusal may bring back what the user had made before.
      if (!this.#made.has(made)) this.#own.delete(table, row, cell);
      else this.#own.set(table, row, cell, true);
      if (!isUsersTurn) return;
      // The deletion hides what others set in the row before it, and a refusal of a part does not show that.
      if (deletesRow(changes, table, row)) this.#own.set(table, row, ROW, true);
    });
  }

  /** Only an edit of the user makes a step (UNDO-1). */
  #checkIds(): void {
    const [backward, current = '', forward] = this.#undo.getCheckpointIds();
    const ids = new Set([...backward, current, ...forward]);
    const hasNew = [...ids].some((id) => Number(id) > Math.max(...[...this.#ids].map(Number)));
    this.#ids = new Set([...this.#ids, ...ids]);
    if (hasNew && !this.#owner.isUsersTurn) this.#fail('has a step that its user did not make');
  }

  #fail(what: string): void {
    this.#owner.fail(new PropertyFailure('undo', `${this.#owner.name} ${what}`));
  }
}

function madeOf(table: TableKey, row: string, cell: string, leaf: Leaf | undefined): string {
  return `${leafName(table, row, cell)} ${String(leaf)}`;
}
