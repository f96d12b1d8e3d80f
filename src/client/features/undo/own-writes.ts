import { VALUES, type Leaf } from '../../../protocol/leaf.ts';
import { LeafMap } from '../../../protocol/leaf-map.ts';
import { readLeaf, type TransactionLog } from '../../../protocol/store-access.ts';
import type { Aims } from '../../replica/aims.ts';
import type { Replica } from '../../replica/replica.ts';
import type { OwnWrite } from './own-write.ts';
import type { Step } from './step.ts';

/**
 * The user's own writes, by leaf, and what the room made of them. It holds the writes of all steps, and writes without a
 * step as long as their push is pending. Each leaf shows what its last write left there (UNDO-3).
 */
export class OwnWrites {
  readonly #replica: Replica;
  /** The writes of each leaf, oldest first. */
  readonly #writes = new LeafMap<OwnWrite[]>();
  /** Writes without a step that were pending when they lost it. */
  #loose: OwnWrite[] = [];

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** Adds a transaction of the user to a step. */
  add({ before: old, changes }: TransactionLog, step: Step): void {
    const { lastNumber, hasHeld, nextPush } = this.#replica;
    // Held edits will be the next push.
    const push = hasHeld ? lastNumber + 1 : lastNumber;
    this.#forgetLoose(nextPush);
    old.forEach((before, table, row, cell) => {
      const writes = this.#writes.get(table, row, cell) ?? [];
      // Somebody whom the replica does not observe has set the leaf.
      if (writes.length > 0 && writes.at(-1)?.after !== before) this.#endAll(writes);
      const merged = step.writeOf(table, row, cell);
      if (merged !== undefined) this.#end(merged);
      const write: OwnWrite = {
        table,
        row,
        cell,
        push,
        firstPush: merged?.firstPush ?? push,
        before: merged === undefined ? before : merged.before,
        after: changes.leaves.get(table, row, cell),
        step,
      };
      writes.push(write);
      // The leaf was forgotten if nothing but an ended write was left.
      this.#writes.set(table, row, cell, writes);
      this.#attach(write);
    });
  }

  /** Takes all writes from a step. */
  release(step: Step): void {
    for (const write of step.writes()) this.#end(write);
  }

  clear(): void {
    this.#writes.clear();
    this.#loose = [];
  }

  /**
   * Ends the writes that the room refused, or that somebody else has set since (UNDO-3, UNDO-6), and corrects what the others
   * put back (UNDO-4). The parameters are those of `EditObserver.folded`.
   */
  fold(aims: Aims, log: TransactionLog | undefined, nextPush: number, isAck: boolean): void {
    this.#forgetLoose(nextPush);
    if (this.#writes.isEmpty) return;
    const touched = new Set<OwnWrite[]>();
    aims.forEach((_aim, table, row, cell) => {
      const writes = this.#writes.get(table, row, cell);
      const isCovered = writes?.some(({ push }) => push >= nextPush) === true;
      if (writes !== undefined && isCovered) touched.add(writes);
    });
    log?.before.forEach((_before, table, row, cell) => {
      const writes = this.#writes.get(table, row, cell);
      if (writes !== undefined) touched.add(writes);
    });
    for (const writes of touched) this.#foldLeaf(writes, nextPush, isAck);
    if (log !== undefined && !isAck) this.#endDeletedRows(log);
  }

  #foldLeaf(writes: OwnWrite[], nextPushBefore: number, isAck: boolean): void {
    const [first] = writes;
    if (first === undefined) return;
    const { table, row, cell } = first;
    const { nextPush, lastNumber, hasHeld, store } = this.#replica;
    const room = this.#replica.baseLeaf(table, row, cell);
    if (!hasHeld) {
      // The content of a `load` has replaced held edits (VIEW-9).
      for (const write of writes.filter(({ push }) => push > lastNumber)) {
        this.#end(write);
        this.#forget(write);
      }
    }
    const answered = writes.filter(({ push }) => push >= nextPushBefore && push < nextPush);
    const isTheirs = !this.#answer(answered, room, isAck);
    if (isTheirs) this.#endAll(writes.filter(({ push }) => push < nextPush));
    this.#putBeneath(
      writes.filter(
        ({ push, firstPush }) => push >= nextPush && (isTheirs || firstPush >= nextPush),
      ),
      room,
    );
    const last = writes.at(-1);
    if (last !== undefined && last.after !== readLeaf(store, table, row, cell))
      this.#endAll(writes);
  }

  /** Puts a leaf beneath the first of the pending writes, and beneath those that are merged with it. */
  #putBeneath(pending: readonly OwnWrite[], leaf: Leaf | undefined): void {
    const [next] = pending;
    for (const write of pending) {
      if (write.firstPush <= (next?.push ?? 0)) this.#change(write, () => (write.before = leaf));
    }
  }

  /** Compares writes that the room has answered with its result. Returns false if somebody else has set the leaf. */
  #answer(answered: readonly OwnWrite[], room: Leaf | undefined, isAck: boolean): boolean {
    const [oldest] = answered;
    const last = answered.at(-1);
    if (oldest === undefined || last === undefined) return false;
    const accepted = answered.findLast(({ after }) => after === room);
    if (accepted !== undefined || oldest.before === room) {
      const acceptedPush = accepted?.push ?? -1;
      for (const write of answered.slice(accepted ? answered.indexOf(accepted) + 1 : 0)) {
        if (write.firstPush <= acceptedPush) this.#change(write, () => (write.after = room));
        else this.#end(write);
      }
      return true;
    }
    // The room altered it: an undo starts from that.
    if (isAck) this.#change(last, () => (last.after = room));
    return isAck;
  }

  /** Ends the writes of rows that others have deleted (UNDO-5). */
  #endDeletedRows({ before }: TransactionLog): void {
    for (const table of before.tables()) {
      if (table === VALUES) continue;
      for (const row of before.rows(table).keys()) {
        if (this.#replica.store.hasRow(table, row)) continue;
        for (const writes of [...this.#writes.cells(table, row).values()]) this.#endAll(writes);
      }
    }
  }

  #change(write: OwnWrite, change: () => void): void {
    const { step } = write;
    step?.remove(write);
    change();
    if (step !== undefined) this.#attach(write);
  }

  /** Adds a write to its step, unless it changes nothing. */
  #attach(write: OwnWrite): void {
    if (write.before !== write.after) write.step?.add(write);
    else {
      write.step = undefined;
      this.#loosen(write);
    }
  }

  #endAll(writes: readonly OwnWrite[]): void {
    for (const write of [...writes]) this.#end(write);
  }

  /** Takes a write from its step. */
  #end(write: OwnWrite): void {
    if (write.step === undefined) return;
    write.step.remove(write);
    write.step = undefined;
    this.#loosen(write);
  }

  /** Forgets a write without a step, or keeps it until its push is answered. */
  #loosen(write: OwnWrite): void {
    if (write.push < this.#replica.nextPush) this.#forget(write);
    else this.#loose.push(write);
  }

  #forgetLoose(nextPush: number): void {
    if (this.#loose.length === 0) return;
    this.#loose = this.#loose.filter((write) => {
      const isPending = write.push >= nextPush;
      if (!isPending) this.#forget(write);
      return isPending;
    });
  }

  #forget(write: OwnWrite): void {
    const { table, row, cell } = write;
    const writes = this.#writes.get(table, row, cell);
    const index = writes?.indexOf(write) ?? -1;
    if (index >= 0) writes?.splice(index, 1);
    if (writes?.length === 0) this.#writes.delete(table, row, cell);
  }
}
