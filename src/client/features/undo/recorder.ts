import { deletesRow, type Changes } from '../../../protocol/changes.ts';
import { isUnsendableLeaf, VALUES } from '../../../protocol/leaf.ts';
import type { TransactionLog } from '../../../protocol/store-access.ts';
import { HELD } from '../../replica/overlay.ts';
import type { Replica } from '../../replica/replica.ts';
import { leafBeneath } from './beneath.ts';
import { LOCAL, type OwnWrite } from './own-write.ts';
import type { OwnWrites } from './own-writes.ts';
import type { Step } from './step.ts';

/** Records what the user's edits did, with the number of their push, and the Cells that the room gave to the rows that they made. */
export class Recorder {
  readonly #replica: Replica;
  readonly #writes: OwnWrites;

  constructor(replica: Replica, writes: OwnWrites) {
    this.#replica = replica;
    this.#writes = writes;
  }

  /** Adds a transaction of the user to a step. */
  add({ before: old, changes }: TransactionLog, step: Step): void {
    const writes = this.#writes;
    const { lastNumber, held, oldestUnanswered, overlay } = this.#replica;
    writes.forgetLoose(oldestUnanswered);
    old.forEach((shown, table, row, cell) => {
      const ofLeaf = writes.of(table, row, cell);
      let before = shown;
      const last = ofLeaf.at(-1);
      // Somebody whom the replica does not observe has set the leaf.
      if (last && last.after !== before) writes.end(ofLeaf);
      const isLocal = overlay.get(table, row, cell)?.local !== undefined;
      const push = isLocal ? LOCAL : held ? HELD : lastNumber;
      const merged = step.writeOf(table, row, cell);
      // Nothing can show that again: an undo puts back what was there before it.
      if (last && last !== merged && isUnsendableLeaf(before)) {
        ({ before } = last);
        writes.end([last]);
      }
      // Nobody else sees what several held edits made of a leaf one after the other.
      const isOnePush = merged?.push === push;
      const formerlyMerged = isOnePush ? merged.merged : merged;
      if (isOnePush) writes.remove(merged);
      else if (merged !== undefined) writes.end([merged]);
      writes.insert({
        table,
        row,
        cell,
        push,
        // What stayed here, beneath another edit, is in no push.
        firstPush: merged === undefined || merged.firstPush === LOCAL ? push : merged.firstPush,
        merged: formerlyMerged,
        before: merged === undefined ? before : merged.before,
        base:
          merged === undefined || merged.push < oldestUnanswered
            ? leafBeneath(this.#replica, push, table, row, cell)
            : merged.base,
        isDeletion: deletesRow(changes, table, row) || merged?.isDeletion === true,
        after: changes.leaves.get(table, row, cell),
        step,
      });
    });
  }

  /** Gives the writes of held edits the number of the last push, or none if they stay here. */
  numberHeld(isLocal: boolean): void {
    const number = isLocal ? LOCAL : this.#replica.lastNumber;
    this.#writes.byLeaf.forEach((writes) => {
      for (const write of writes) {
        if (write.push === HELD) write.push = number;
        if (write.firstPush === HELD) write.firstPush = number;
      }
    });
  }

  /**
   * Adds the Cells that the room set in a row that the user's push made (UNDO-5). Call it before the push and its correction are
   * folded.
   */
  give(push: number, { leaves }: Changes): void {
    const { given: step } = this.#writes;
    for (const table of leaves.tables()) {
      if (table === VALUES) continue;
      for (const [row, cells] of leaves.rows(table)) {
        if (this.#replica.base.cells(table, row).length > 0) continue;
        const isOfPush = (write: OwnWrite): boolean => write.push === push;
        if (!this.#writes.findInRow(table, row, isOfPush)) continue;
        for (const [cell, after] of cells) {
          // A Cell that the user has set is the user's: the room has altered it (UNDO-6).
          const isAltered = this.#writes.of(table, row, cell).some(isOfPush);
          if (after === undefined || isAltered) continue;
          // One of an earlier life of the row.
          const former = step.writeOf(table, row, cell);
          if (former) this.#writes.end([former]);
          this.#writes.insert({ table, row, cell, push, before: undefined, after, step });
        }
      }
    }
  }
}
