import type { TableKey } from '../../../protocol/leaf.ts';
import { LeafMap } from '../../../protocol/leaf-map.ts';
import type { Replica } from '../../replica/replica.ts';
import { LOCAL, type OwnWrite } from './own-write.ts';
import { Step } from './step.ts';

/** A new write. What it does not say is as in a write that is not merged with another one. */
type NewWrite = Partial<OwnWrite> &
  Pick<OwnWrite, 'table' | 'row' | 'cell' | 'push' | 'before' | 'after' | 'step'>;

/**
 * The user's own writes: by leaf and by row, in order, with their steps. It only keeps them. The Recorder adds them, and the
 * Reconciler says what becomes of them. After each call, this is true:
 *
 * - The writes of a leaf are in the order of their pushes. An edit that stays here has the place at which it was made.
 * - A write with a step is the only one that this step has of the leaf, and the step counts it as it is now.
 * - A write without a step is loose: it is kept until its push is answered, because the answer is about it, too.
 */
export class OwnWrites {
  /** Has the Cells that the room set in rows that the user's pushes made: no step alone has them (UNDO-5). */
  given: Step = new Step('', '', 0);
  readonly #replica: Pick<Replica, 'oldestUnanswered'>;
  readonly #byLeaf = new LeafMap<OwnWrite[]>();
  /** Writes that are pending, and have no step or change nothing. */
  readonly #loose = new Set<OwnWrite>();
  /** The oldest unanswered push when loose writes were forgotten last. */
  #forgotten = 0;

  constructor(replica: Pick<Replica, 'oldestUnanswered'>) {
    this.#replica = replica;
  }

  /** The writes of each leaf, oldest first. A leaf without writes is not in it. */
  get byLeaf(): Pick<LeafMap<readonly OwnWrite[]>, 'isEmpty' | 'forEach' | 'rows' | 'tables'> {
    return this.#byLeaf;
  }

  /** Returns the writes of a leaf, oldest first. */
  of(table: TableKey, row: string, cell: string): readonly OwnWrite[] {
    return this.#byLeaf.get(table, row, cell) ?? [];
  }

  /** Returns the writes of a row. */
  inRow(table: TableKey, row: string): readonly OwnWrite[] {
    return [...this.#byLeaf.cells(table, row).values()].flat();
  }

  /** Returns the first write of a row that passes a test. */
  findInRow(
    table: TableKey,
    row: string,
    isSought: (write: OwnWrite) => boolean,
  ): OwnWrite | undefined {
    for (const writes of this.#byLeaf.cells(table, row).values()) {
      const found = writes.find(isSought);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Adds a write to its leaf, after all writes of its push and of those before it, and to its step. */
  insert(parts: NewWrite): OwnWrite {
    const { push, before, after, step } = parts;
    const write: OwnWrite = {
      firstPush: push,
      merged: undefined,
      base: before,
      isDeletion: after === undefined,
      ...parts,
    };
    const writes = this.#beside(write);
    const index = push === LOCAL ? -1 : writes.findIndex((later) => later.push > push);
    writes.splice(index < 0 ? writes.length : index, 0, write);
    this.#byLeaf.set(write.table, write.row, write.cell, writes);
    this.#attach(write);
    if (step === undefined) this.#loose.add(write);
    return write;
  }

  /** Changes a write, and what its step counts. */
  change(write: OwnWrite, parts: Partial<OwnWrite>): void {
    const { step } = write;
    step?.remove(write);
    Object.assign(write, parts);
    if (step) this.#attach(write);
  }

  /** Takes writes from their steps. They stay until their push is answered. */
  end(writes: readonly OwnWrite[]): void {
    for (const write of [...writes]) {
      write.step?.remove(write);
      write.step = undefined;
      this.#loosen(write);
    }
  }

  /** Takes a write that the room has not taken out of those that are merged with it. */
  part(parted: OwnWrite): void {
    const { push, firstPush } = parted;
    let first: number | undefined;
    for (const write of this.#beside(parted))
      if (write.firstPush === firstPush && write.push > push)
        write.firstPush = first ??= write.push;
  }

  /** Removes a write that the room has refused. An edit that stays here, and lay on it, lies on what was beneath it. */
  refuse(write: OwnWrite): void {
    this.part(write);
    const writes = this.#beside(write);
    const next = writes[writes.indexOf(write) + 1];
    if (next?.push === LOCAL) this.change(next, { before: write.before });
    this.remove(write);
  }

  /** Removes a write at once, even if its push is pending. */
  remove(write: OwnWrite): void {
    write.step?.remove(write);
    write.step = write.merged = undefined;
    const writes = this.#beside(write);
    const index = writes.indexOf(write);
    if (index >= 0) writes.splice(index, 1);
    if (writes.length === 0) this.#byLeaf.delete(write.table, write.row, write.cell);
  }

  /** Takes all writes from a step. */
  release(step: Step): void {
    const isOwn = (write: OwnWrite): boolean => write.step !== this.given;
    for (const write of step.writes()) {
      const { table, row } = write;
      if (write.push < this.#replica.oldestUnanswered) this.#forget(write);
      else this.end([write]);
      // No step can make the row come and go any more.
      if (!this.findInRow(table, row, isOwn)) this.end(this.inRow(table, row));
    }
  }

  /** Forgets the loose writes of the pushes before that number. */
  forgetLoose(oldestUnanswered: number): void {
    if (oldestUnanswered === this.#forgotten) return;
    this.#forgotten = oldestUnanswered;
    for (const write of this.#loose) {
      if (write.push >= oldestUnanswered) continue;
      this.#loose.delete(write);
      if (write.before === write.after || write.step === undefined) this.#forget(write);
    }
  }

  /** Forgets all writes. */
  clear(): void {
    this.given = new Step('', '', 0);
    this.#byLeaf.clear();
    this.#loose.clear();
  }

  /** Returns all writes of the leaf of a write. */
  #beside({ table, row, cell }: OwnWrite): OwnWrite[] {
    return this.#byLeaf.get(table, row, cell) ?? [];
  }

  /** Adds a write to its step. One that changes nothing stays as long as others may set something beneath it. */
  #attach(write: OwnWrite): void {
    write.step?.add(write);
    if (write.before === write.after) this.#loosen(write);
  }

  /**
   * Removes a write that no step needs, or keeps it until its push is answered. The room sees a push as one, so one write is enough for
   * all that follow each other without a step: held edits may wait for ever, and must not pile up.
   */
  #loosen(write: OwnWrite): void {
    const { push, after, step } = write;
    const writes = this.#beside(write);
    const former = writes[writes.indexOf(write) - 1];
    const isSecond =
      step === undefined && former !== undefined && !former.step && former.push === push;
    if (isSecond) this.change(former, { after });
    if (isSecond || push < this.#replica.oldestUnanswered) this.remove(write);
    else this.#loose.add(write);
  }

  /** Removes an answered write that no step needs. The one before it leaves what this one left. */
  #forget(write: OwnWrite): void {
    const { after } = write;
    const writes = this.#beside(write);
    if (writes.at(-1) === write) {
      let former = writes.at(-2);
      // Nothing shows any more what the room gave with the row.
      if (former?.step === this.given && former.after !== after) {
        this.remove(former);
        former = writes.at(-2);
      }
      if (former) this.change(former, { after });
    }
    // A refusal of one that is merged with it shows it again.
    if (write.push !== LOCAL)
      for (const later of writes) if (later.merged === write) later.base = after;
    this.remove(write);
  }
}
