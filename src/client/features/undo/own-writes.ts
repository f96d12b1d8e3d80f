import { deletesRow, type Changes } from '../../../protocol/changes.ts';
import { isUnsendableLeaf, VALUES, type Leaf, type TableKey } from '../../../protocol/leaf.ts';
import { LeafMap } from '../../../protocol/leaf-map.ts';
import { readLeaf, type TransactionLog } from '../../../protocol/store-access.ts';
import type { Aims } from '../../replica/aims.ts';
import { HELD } from '../../replica/overlay.ts';
import type { PendingPush } from '../../replica/pending-push.ts';
import type { Replica } from '../../replica/replica.ts';
import { LOCAL, type OwnWrite } from './own-write.ts';
import { Step } from './step.ts';

/**
 * The user's own writes, by leaf, and what the room made of them. It holds the writes of all steps, and writes without a
 * step as long as their push is pending. Each leaf shows what its last write left there (UNDO-3).
 */
export class OwnWrites {
  readonly #replica: Replica;
  /** The writes of each leaf, oldest first. */
  readonly #writes = new LeafMap<OwnWrite[]>();
  /** Writes that are pending, and have no step or change nothing. */
  readonly #loose = new Set<OwnWrite>();
  /** Has the Cells that the room set in rows that the user's pushes made: no step alone has them (UNDO-5). */
  #given = new Step('', '', 0);
  /** The oldest unanswered push when loose writes were forgotten last. */
  #forgotten = 0;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** Adds a transaction of the user to a step. */
  add({ before: old, changes }: TransactionLog, step: Step): void {
    const { lastNumber, held, oldestUnanswered, overlay } = this.#replica;
    this.#forgetLoose(oldestUnanswered);
    old.forEach((shown, table, row, cell) => {
      const writes = this.#writes.get(table, row, cell) ?? [];
      let before = shown;
      const last = writes.at(-1);
      // Somebody whom the replica does not observe has set the leaf.
      if (last && last.after !== before) this.#endAll(writes);
      const after = changes.leaves.get(table, row, cell);
      const isLocal = overlay.get(table, row, cell)?.local !== undefined;
      const push = isLocal ? LOCAL : held ? HELD : lastNumber;
      const merged = step.writeOf(table, row, cell);
      // Nothing can show that again: an undo puts back what was there before it.
      if (last && last !== merged && isUnsendableLeaf(before)) {
        ({ before } = last);
        this.#end(last);
      }
      // Nobody else sees what several held edits made of a leaf one after the other.
      const isOnePush = merged?.push === push;
      const formerlyMerged = isOnePush ? merged.merged : merged;
      if (isOnePush) this.#settle(merged);
      else if (merged !== undefined) this.#end(merged);
      const write: OwnWrite = {
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
            ? this.#beneath(push, table, row, cell)
            : merged.base,
        isDeletion: deletesRow(changes, table, row) || merged?.isDeletion === true,
        after,
        step,
      };
      writes.push(write);
      // The leaf was forgotten if nothing but an ended write was left.
      this.#writes.set(table, row, cell, writes);
      this.#attach(write);
    });
  }

  /** Gives the writes of held edits the number of the last push, or none if they stay here. */
  numberHeld(isLocal: boolean): void {
    const number = isLocal ? LOCAL : this.#replica.lastNumber;
    this.#writes.forEach((writes) => {
      for (const write of writes) {
        if (write.push === HELD) write.push = number;
        if (write.firstPush === HELD) write.firstPush = number;
      }
    });
  }

  /**
   * Corrects what lies beneath the writes that follow those of a withdrawn push. If its leaves do not stay here, its own writes end,
   * and no undo puts them back (UNDO-6).
   */
  withdraw({ number, changes }: PendingPush, isLocal: boolean): void {
    this.#writes.forEach((writes, table, row, cell) => {
      if (!covers(changes, table, row, cell)) return;
      for (const write of writes.filter(({ push }) => push === number)) {
        const isAll = write.firstPush === number;
        if (isAll) this.#part(write);
        if (isLocal) {
          write.push = LOCAL;
          if (isAll) write.firstPush = LOCAL;
        } else if (isAll) {
          this.#uncover(write);
          this.#settle(write);
        }
        // One that was merged with an earlier push leaves what that one left.
        else this.#change(write, () => (write.after = this.#beneath(number, table, row, cell)));
      }
      const later = writes.filter(({ firstPush }) => firstPush > number);
      const [next] = later;
      if (next) this.#lay(next, later, isLocal);
    });
  }

  /**
   * Notes the Cells that the room set in a row that the user's push made (UNDO-5). Call it before the push and its correction are
   * folded.
   */
  give(push: number, { leaves }: Changes): void {
    for (const table of leaves.tables()) {
      if (table === VALUES) continue;
      for (const [row, cells] of leaves.rows(table)) {
        if (this.#replica.base.cells(table, row).length > 0) continue;
        const isOfPush = (write: OwnWrite): boolean => write.push === push;
        if (!this.#findInRow(table, row, isOfPush)) continue;
        for (const [cell, after] of cells) {
          // A Cell that the user has set is the user's: the room has altered it (UNDO-6).
          const isAltered = this.#writes.get(table, row, cell)?.some(isOfPush) === true;
          if (after === undefined || isAltered) continue;
          // One of an earlier life of the row.
          const former = this.#given.writeOf(table, row, cell);
          if (former) this.#end(former);
          this.#insert(this.#given, push, undefined, after, table, row, cell);
        }
      }
    }
  }

  /** Returns the leaves that a step puts back as the Store is now. */
  aimsOf(step: Step): Aims {
    const { store } = this.#replica;
    const isOwn = (...at: Address): boolean =>
      this.#writes.get(...at)?.at(-1)?.after === readLeaf(store, ...at);
    return step.aims(store, this.#given, isOwn);
  }

  /** Takes all writes from a step. */
  release(step: Step): void {
    const isOwn = (write: OwnWrite): boolean => write.step !== this.#given;
    for (const write of step.writes()) {
      const { table, row } = write;
      if (write.push < this.#replica.oldestUnanswered) this.#forget(write);
      else this.#end(write);
      // No step can make the row come and go any more.
      if (!this.#findInRow(table, row, isOwn)) this.#endAll(this.#inRow(table, row));
    }
  }

  clear(): void {
    this.#given = new Step('', '', 0);
    this.#writes.clear();
    this.#loose.clear();
  }

  /**
   * Ends the writes that the room refused, or that somebody else has set since (UNDO-3, UNDO-6), and corrects what the others
   * put back (UNDO-4). The parameters are those of `EditObserver.folded`.
   */
  fold(
    aims: Aims,
    log: TransactionLog | undefined,
    oldestUnanswered: number,
    isAck: boolean,
    changes: Changes | undefined,
  ): void {
    this.#forgetLoose(oldestUnanswered);
    if (this.#writes.isEmpty) return;
    const { base, store } = this.#replica;
    const touched = new Set<OwnWrite[]>();
    aims.forEach((aim, table, row, cell) => {
      const writes = this.#writes.get(table, row, cell);
      const isPending = writes?.some(({ push }) => push >= oldestUnanswered) === true;
      // The Store's log lacks what others set to what it was, and what the Store's schema or a listener refused.
      const isTouched =
        isPending ||
        (writes !== undefined &&
          (changes?.leaves.has(table, row, cell) === true ||
            base.leaf(table, row, cell) !== readLeaf(store, table, row, cell)));
      if (isTouched) touched.add(writes);
      else if (aim === undefined) this.#addHidden(table, row, cell);
    });
    const touch = (_leaf: unknown, table: TableKey, row: string, cell: string): void => {
      const writes = this.#writes.get(table, row, cell);
      if (writes) touched.add(writes);
    };
    log?.before.forEach(touch);
    // What is not shown has no aim.
    if (aims.isEmpty) changes?.leaves.forEach(touch);
    for (const writes of touched) this.#foldLeaf(writes, oldestUnanswered, isAck);
    if (!isAck) this.#endDeletedRows(aims, oldestUnanswered, changes);
  }

  /** Returns the oldest pending push that covers the leaf. */
  #oldestPush(table: TableKey, row: string, cell: string): PendingPush | undefined {
    return this.#replica.pending.find(({ changes }) => covers(changes, table, row, cell));
  }

  /** Returns what the pushes before that number, and the room, make of the leaf. */
  #beneath(push: number, table: TableKey, row: string, cell: string): Leaf | undefined {
    let leaf = this.#replica.base.leaf(table, row, cell);
    for (const write of this.#replica.overlay.get(table, row, cell)?.writes ?? [])
      if (write.push < push) ({ leaf } = write);
    return leaf;
  }

  /** Adds a leaf that others have set to the pending deletion of its row, which hides it (UNDO-4). */
  #addHidden(table: TableKey, row: string, cell: string): void {
    const before = this.#replica.base.leaf(table, row, cell);
    if (before === undefined) return;
    const first = this.#oldestPush(table, row, cell);
    // A push that was restored, or derived, may hide it before: the deletion hides that.
    if (first !== undefined && !deletesRow(first.changes, table, row)) return;
    const push = first?.number ?? HELD;
    const isOfPush = isOf(push);
    const isDeleting = (write: OwnWrite): boolean => write.isDeletion && isOfPush(write);
    // It has no step if it was undone meanwhile.
    const step = this.#findInRow(
      table,
      row,
      (write) => write.step !== undefined && isDeleting(write),
    )?.step;
    if (!step && !this.#findInRow(table, row, isDeleting)) return;
    // Those that came after that push stay, and all if the room has made that of the last of them, or gave it with the row.
    const former = this.#writes.get(table, row, cell)?.filter((write) => write.push <= push) ?? [];
    if (former.at(-1)?.after !== before) this.#endAll(former);
    const own = step?.writeOf(table, row, cell);
    if (own && own.push <= push) {
      // The step had edited the leaf before: that is put back.
      this.#end(own);
      const merged = this.#insert(step, push, own.before, undefined, table, row, cell);
      merged.merged = own;
      merged.base = before;
      merged.firstPush = own.firstPush;
      this.#loose.add(merged);
      return;
    }
    // A later write of the same step puts the leaf back.
    const added = this.#insert(own ? undefined : step, push, before, undefined, table, row, cell);
    this.#loose.add(added);
    // It lies beneath all writes that are merged with that one.
    for (let write = own; write && write !== added; write = write.merged ??= added) {
      this.#change(write, () => {
        write.before = write.base = before;
        write.firstPush = push;
      });
    }
  }

  /** Adds what a push has made of a leaf that its user has not touched, after all writes of that push. */
  #insert(
    step: Step | undefined,
    push: number,
    before: Leaf | undefined,
    after: Leaf | undefined,
    table: TableKey,
    row: string,
    cell: string,
  ): OwnWrite {
    const write: OwnWrite = {
      table,
      row,
      cell,
      push,
      firstPush: push,
      before,
      base: before,
      merged: undefined,
      isDeletion: after === undefined,
      after,
      step,
    };
    const writes = this.#writes.get(table, row, cell) ?? [];
    const index = writes.findIndex((later) => later.push > push);
    writes.splice(index < 0 ? writes.length : index, 0, write);
    // The list was forgotten if nothing but ended writes was left.
    this.#writes.set(table, row, cell, writes);
    this.#attach(write);
    return write;
  }

  #foldLeaf(writes: OwnWrite[], oldestUnansweredBefore: number, isAck: boolean): void {
    const [first] = writes;
    if (first === undefined) return;
    const { table, row, cell } = first;
    const { oldestUnanswered, held, store } = this.#replica;
    const room = this.#replica.base.leaf(table, row, cell);
    const shown = readLeaf(store, table, row, cell);
    if (!held) {
      // The content of a `load` has replaced held edits (VIEW-9).
      for (const write of writes.filter(({ push }) => push === HELD)) this.#settle(write);
    }
    const answered = writes.filter(
      ({ push }) => push >= oldestUnansweredBefore && push < oldestUnanswered,
    );
    const isTheirs = !this.#answer(answered, room, isAck);
    if (isTheirs) this.#endAll(writes.filter(({ push }) => push < oldestUnanswered));
    this.#putBeneath(
      writes.filter(
        ({ push, firstPush }) =>
          push >= oldestUnanswered && (isTheirs || firstPush >= oldestUnanswered),
      ),
    );
    // A deletion may hide what the room has there.
    const isCovered = writes.some(({ push }) => push >= oldestUnanswered);
    if (!isCovered && room !== shown) this.#addHidden(table, row, cell);
    const isLost = (last: OwnWrite | undefined): last is OwnWrite =>
      last !== undefined && last.after !== shown;
    // What stayed here is gone with what lay on it.
    for (let last = writes.at(-1); isLost(last) && last.push === LOCAL; last = writes.at(-1)) {
      const merged = last;
      if (merged.firstPush === LOCAL) this.#settle(merged);
      else this.#change(merged, () => (merged.after = shown));
    }
    if (isLost(writes.at(-1))) this.#endAll(writes);
  }

  /** Puts what lies beneath the pending writes there (UNDO-4). */
  #putBeneath(pending: readonly OwnWrite[]): void {
    const [first] = pending;
    if (first === undefined) return;
    const { table, row, cell } = first;
    // A push that was restored, or derived, may lie between: it is no write of this user.
    const push = this.#oldestPush(table, row, cell);
    const number = push?.number ?? first.push;
    const next = pending.find(isOf(number));
    // A deletion that comes before all writes of the leaf hides it.
    if (next === undefined && push !== undefined && deletesRow(push.changes, table, row))
      this.#addHidden(table, row, cell);
    const lowest = next ?? first;
    // Those of a withdrawn push lay beneath: nothing shows them again.
    this.#endAll(pending.slice(0, pending.indexOf(lowest)));
    this.#lay(lowest, pending);
  }

  /** Lays what is there beneath one of the writes, and beneath those that follow it on the same. With `isHidden`, no undo shows it. */
  #lay(first: OwnWrite, writes: readonly OwnWrite[], isHidden = false): void {
    const leaf = this.#beneath(first.firstPush, first.table, first.row, first.cell);
    const { before } = first;
    let beneath: OwnWrite | undefined;
    for (const write of writes) {
      // What was undone before it was sent leaves nothing: the next write lies on the same.
      const isOnSame =
        beneath !== undefined &&
        (write.merged === beneath ||
          (beneath.step === undefined && write.push === beneath.push && write.before === before));
      const isLaid = write === first || isOnSame;
      this.#change(write, () => {
        // The room sees a push as one.
        if (isLaid || write.firstPush === first.firstPush) write.base = leaf;
        if (isLaid && !isHidden) write.before = leaf;
      });
      if (isLaid) beneath = write;
    }
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
        if (hasAccepted) this.#change(write, () => (write.after = room));
        else {
          this.#part(write);
          this.#uncover(write);
          this.#end(write);
        }
      }
      return true;
    }
    // The room altered it: an undo starts from that.
    if (isAck) this.#change(last, () => (last.after = room));
    return isAck;
  }

  /** Ends the writes of rows that the room does not have any more, or that came back (UNDO-5). */
  #endDeletedRows(aims: Aims, oldestUnansweredBefore: number, changes: Changes | undefined): void {
    const { oldestUnanswered, overlay } = this.#replica;
    // What is not shown has no aim.
    const isHidden = aims.isEmpty && changes !== undefined && changes.deletedRows.size > 0;
    const rows = isHidden ? this.#writes : aims;
    for (const table of rows.tables()) {
      if (table === VALUES) continue;
      for (const row of rows.rows(table).keys()) {
        const isDeleted = changes !== undefined && deletesRow(changes, table, row);
        if (aims.isEmpty && !isDeleted) continue;
        // What stays here is still shown, unless the deletion took its place.
        const writes = this.#inRow(table, row).filter(
          ({ push, cell }) =>
            push < oldestUnanswered &&
            (push !== LOCAL || overlay.get(table, row, cell)?.local === undefined),
        );
        const isBefore = ({ push }: OwnWrite): boolean => push < oldestUnansweredBefore;
        // The deletion may be that of an own push, whose answer was lost.
        if (!writes.every((write) => isBefore(write) || write.after !== undefined)) continue;
        if (this.#replica.base.cells(table, row).length === 0) this.#endAll(writes);
        else if (isDeleted) this.#endAll(writes.filter(isBefore));
      }
    }
  }

  #findInRow(
    table: TableKey,
    row: string,
    isSought: (write: OwnWrite) => boolean,
  ): OwnWrite | undefined {
    for (const writes of this.#writes.cells(table, row).values()) {
      const found = writes.find(isSought);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #inRow(table: TableKey, row: string): readonly OwnWrite[] {
    return [...this.#writes.cells(table, row).values()].flat();
  }

  #change(write: OwnWrite, change: () => void): void {
    const { step } = write;
    step?.remove(write);
    change();
    if (step) this.#attach(write);
  }

  /** Adds a write to its step. One that changes nothing stays as long as others may set something beneath it. */
  #attach(write: OwnWrite): void {
    write.step?.add(write);
    if (write.before === write.after) this.#loosen(write);
  }

  #endAll(writes: readonly OwnWrite[]): void {
    for (const write of [...writes]) this.#end(write);
  }

  /** Takes a write that the room has not taken out of those that are merged with it. */
  #part({ table, row, cell, push, firstPush }: OwnWrite): void {
    const merged = (this.#writes.get(table, row, cell) ?? []).filter(
      (write) => write.firstPush === firstPush && write.push > push,
    );
    const first = Math.min(...merged.map((write) => write.push));
    for (const write of merged) write.firstPush = first;
  }

  /** Lays an edit that stays here on what lay beneath one that the room refused. */
  #uncover(write: OwnWrite): void {
    const { table, row, cell, before } = write;
    const writes = this.#writes.get(table, row, cell) ?? [];
    const next = writes[writes.indexOf(write) + 1];
    if (next?.push === LOCAL) this.#change(next, () => (next.before = before));
  }

  /** Takes a write from its step. */
  #end(write: OwnWrite): void {
    write.step?.remove(write);
    write.step = undefined;
    this.#loosen(write);
  }

  /** Forgets a write that no step needs, or keeps it until its push is answered. */
  #loosen(write: OwnWrite): void {
    if (write.push < this.#replica.oldestUnanswered || this.#isSecondOfPush(write))
      this.#settle(write);
    else this.#loose.add(write);
  }

  /** True if the write has no step, as has the one before it, of the same push: the room sees only one of them. */
  #isSecondOfPush(write: OwnWrite): boolean {
    if (write.step !== undefined) return false;
    const writes = this.#writes.get(write.table, write.row, write.cell) ?? [];
    const former = writes[writes.indexOf(write) - 1];
    return former !== undefined && former.step === undefined && former.push === write.push;
  }

  #forgetLoose(oldestUnanswered: number): void {
    if (oldestUnanswered === this.#forgotten) return;
    this.#forgotten = oldestUnanswered;
    for (const write of this.#loose) {
      if (write.push >= oldestUnanswered) continue;
      this.#loose.delete(write);
      if (write.before === write.after || write.step === undefined) this.#forget(write);
    }
  }

  /** Forgets an answered write that no step needs. The one before it leaves what this one left. */
  #forget(write: OwnWrite): void {
    const { table, row, cell, after } = write;
    const writes = this.#writes.get(table, row, cell) ?? [];
    if (writes.at(-1) === write) {
      let former = writes.at(-2);
      // Nothing shows any more what the room gave with the row.
      if (former?.step === this.#given && former.after !== after) {
        this.#settle(former);
        former = writes.at(-2);
      }
      const shown = former;
      if (shown) this.#change(shown, () => (shown.after = after));
    }
    if (write.push === LOCAL) return this.#settle(write);
    // A refusal of one that is merged with it shows it again.
    for (const later of writes) if (later.merged === write) later.base = after;
    this.#settle(write);
  }

  #settle(write: OwnWrite): void {
    write.step?.remove(write);
    write.step = write.merged = undefined;
    const { table, row, cell } = write;
    const writes = this.#writes.get(table, row, cell);
    const index = writes?.indexOf(write) ?? -1;
    if (index >= 0) writes?.splice(index, 1);
    if (writes?.length === 0) this.#writes.delete(table, row, cell);
  }
}

type Address = readonly [table: TableKey, row: string, cell: string];

/** Returns a test: true for a write that the push has, alone or merged with others. */
function isOf(number: number): (write: OwnWrite) => boolean {
  return ({ firstPush, push }) => firstPush <= number && push >= number;
}

function covers(changes: Changes, table: TableKey, row: string, cell: string): boolean {
  return changes.leaves.has(table, row, cell) || deletesRow(changes, table, row);
}
