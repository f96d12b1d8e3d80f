import { changesLeaf, deletesRow, type Changes } from '../../../protocol/changes.ts';
import { VALUES, type Leaf, type TableKey } from '../../../protocol/leaf.ts';
import { readLeaf } from '../../../protocol/store-access.ts';
import type { Aims } from '../../replica/aims.ts';
import type { EditObserver } from '../../replica/edit-observer.ts';
import { HELD } from '../../replica/overlay.ts';
import type { PendingPush } from '../../replica/pending-push.ts';
import type { Replica } from '../../replica/replica.ts';
import { Beneath, leafBeneath } from './beneath.ts';
import { LOCAL, type OwnWrite } from './own-write.ts';
import type { OwnWrites } from './own-writes.ts';

/**
 * Compares the user's writes with what the room made of them. It takes from the steps what the room refused (UNDO-6), and what others
 * have set or deleted since (UNDO-3, UNDO-5).
 */
export class Reconciler {
  readonly #replica: Replica;
  readonly #writes: OwnWrites;
  readonly #beneath: Beneath;

  constructor(replica: Replica, writes: OwnWrites) {
    this.#replica = replica;
    this.#writes = writes;
    this.#beneath = new Beneath(replica, writes);
  }

  /**
   * Corrects what lies beneath the writes that follow those of a withdrawn push. If its leaves do not stay here, its own writes end,
   * and no undo puts them back (UNDO-6).
   */
  withdraw({ number, changes }: PendingPush, isLocal: boolean): void {
    this.#writes.byLeaf.forEach((writes, table, row, cell) => {
      if (!changesLeaf(changes, table, row, cell)) return;
      for (const write of writes.filter(({ push }) => push === number)) {
        const isAll = write.firstPush === number;
        if (isLocal) {
          if (isAll) {
            this.#writes.part(write);
            write.firstPush = LOCAL;
          }
          write.push = LOCAL;
        } else if (isAll) this.#writes.refuse(write);
        // One that was merged with an earlier push leaves what that one left.
        else
          this.#writes.change(write, {
            after: leafBeneath(this.#replica, number, table, row, cell),
          });
      }
      const later = writes.filter(({ firstPush }) => firstPush > number);
      const [next] = later;
      if (next) this.#beneath.lay(next, later, isLocal);
    });
  }

  /** Compares the writes of all leaves that a fold of the replica has touched. */
  fold(
    ...[aims, log, oldestUnanswered, isAck, changes, isShown]: Parameters<EditObserver['folded']>
  ): void {
    this.#writes.forgetLoose(oldestUnanswered);
    if (this.#writes.byLeaf.isEmpty) return;
    const { base, store } = this.#replica;
    const touched = new Set<readonly OwnWrite[]>();
    aims.forEach((aim, table, row, cell) => {
      const writes = this.#writes.of(table, row, cell);
      // The Store's log lacks what others set to what it was, and what the Store's schema or a listener refused.
      const isTouched =
        writes.length > 0 &&
        (writes.some(({ push }) => push >= oldestUnanswered) ||
          changes?.leaves.has(table, row, cell) === true ||
          base.leaf(table, row, cell) !== readLeaf(store, table, row, cell));
      if (isTouched) touched.add(writes);
      else if (aim === undefined) this.#beneath.addHidden(table, row, cell);
    });
    const touch = (_leaf: unknown, table: TableKey, row: string, cell: string): void => {
      touched.add(this.#writes.of(table, row, cell));
    };
    log?.before.forEach(touch);
    // What is not shown has an aim only if it was covered here.
    if (!isShown) changes?.leaves.forEach(touch);
    for (const writes of touched) this.#foldLeaf(writes, oldestUnanswered, isAck);
    if (!isAck) this.#endDeletedRows(aims, oldestUnanswered, changes);
  }

  #foldLeaf(writes: readonly OwnWrite[], oldestUnansweredBefore: number, isAck: boolean): void {
    const [first] = writes;
    if (first === undefined) return;
    const { table, row, cell } = first;
    const { oldestUnanswered, held, store } = this.#replica;
    const room = this.#replica.base.leaf(table, row, cell);
    const shown = readLeaf(store, table, row, cell);
    if (!held) {
      // The content of a `load` has replaced held edits (VIEW-9).
      for (const write of writes.filter(({ push }) => push === HELD)) this.#writes.remove(write);
    }
    const answered = writes.filter(
      ({ push }) => push >= oldestUnansweredBefore && push < oldestUnanswered,
    );
    const isTheirs = !this.#answer(answered, room, isAck);
    if (isTheirs) this.#writes.end(writes.filter(({ push }) => push < oldestUnanswered));
    this.#beneath.put(
      writes.filter(
        ({ push, firstPush }) =>
          push >= oldestUnanswered && (isTheirs || firstPush >= oldestUnanswered),
      ),
    );
    // A deletion may hide what the room has there.
    const isCovered = writes.some(({ push }) => push >= oldestUnanswered);
    if (!isCovered && room !== shown) this.#beneath.addHidden(table, row, cell);
    let last = writes.at(-1);
    // What stayed here is gone with what lay on it.
    for (; last && last.after !== shown && last.push === LOCAL; last = writes.at(-1)) {
      if (last.firstPush === LOCAL) this.#writes.remove(last);
      else this.#writes.change(last, { after: shown });
    }
    if (last && last.after !== shown) this.#writes.end(writes);
  }

  /** Compares writes that the room has answered with its result. Returns false if somebody else has set the leaf. */
  #answer(answered: readonly OwnWrite[], room: Leaf | undefined, isAck: boolean): boolean {
    const [oldest] = answered;
    const last = answered.at(-1);
    if (oldest === undefined || last === undefined) return false;
    // The room has seen only the last write of each push.
    const index = answered
      .map(({ after, push }, at) => (answered[at + 1]?.push === push ? NaN : after))
      .lastIndexOf(room);
    const accepted = answered[index];
    if (accepted !== undefined || oldest.base === room) {
      for (const write of answered.slice(index + 1)) {
        const hasAccepted = accepted
          ? write.firstPush <= accepted.push
          : write.firstPush < oldest.push;
        if (hasAccepted) this.#writes.change(write, { after: room });
        else this.#writes.refuse(write);
      }
      return true;
    }
    // The room altered it: an undo starts from that.
    if (isAck) this.#writes.change(last, { after: room });
    return isAck;
  }

  /** Ends the writes of rows that the room does not have any more, or that came back (UNDO-5). */
  #endDeletedRows(aims: Aims, oldestUnansweredBefore: number, changes: Changes | undefined): void {
    const { oldestUnanswered, overlay } = this.#replica;
    // What is not shown may have no aim, nor what was gone before.
    const rows = changes?.deletedRows.size ? this.#writes.byLeaf : aims;
    for (const table of rows.tables()) {
      if (table === VALUES) continue;
      for (const row of rows.rows(table).keys()) {
        const isDeleted = changes !== undefined && deletesRow(changes, table, row);
        if (!isDeleted && aims.cells(table, row).size === 0) continue;
        // What stays here is still shown, unless the deletion took its place.
        const writes = this.#writes
          .inRow(table, row)
          .filter(
            ({ push, cell }) =>
              push < oldestUnanswered &&
              (push !== LOCAL || overlay.get(table, row, cell)?.local === undefined),
          );
        const isBefore = ({ push }: OwnWrite): boolean => push < oldestUnansweredBefore;
        // The deletion may be that of an own push, whose answer was lost.
        if (!writes.every((write) => isBefore(write) || write.after !== undefined)) continue;
        if (this.#replica.base.cells(table, row).length === 0) this.#writes.end(writes);
        else if (isDeleted) this.#writes.end(writes.filter(isBefore));
      }
    }
  }
}
