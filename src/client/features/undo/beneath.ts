import { changesLeaf, deletesRow } from '../../../protocol/changes.ts';
import type { Leaf, TableKey } from '../../../protocol/leaf.ts';
import { HELD } from '../../replica/overlay.ts';
import type { PendingPush } from '../../replica/pending-push.ts';
import type { Replica } from '../../replica/replica.ts';
import type { OwnWrite } from './own-write.ts';
import type { OwnWrites } from './own-writes.ts';

/**
 * Keeps what lies beneath the pending writes as it is now: the leaves of others, and those of earlier pushes. The undo of a pending
 * write shows that (UNDO-4).
 */
export class Beneath {
  readonly #replica: Replica;
  readonly #writes: OwnWrites;

  constructor(replica: Replica, writes: OwnWrites) {
    this.#replica = replica;
    this.#writes = writes;
  }

  /** Corrects what lies beneath the pending writes of a leaf, after a fold. */
  put(pending: readonly OwnWrite[]): void {
    const [first] = pending;
    if (first === undefined) return;
    const { table, row, cell } = first;
    // A push that was restored, or derived, may lie between: it is no write of this user.
    const push = this.#oldestPush(table, row, cell);
    const number = push?.number ?? first.push;
    const next = pending.find(isOf(number));
    // A deletion that comes before all writes of the leaf hides it.
    if (next === undefined && push !== undefined && deletesRow(push.changes, table, row))
      this.addHidden(table, row, cell);
    const lowest = next ?? first;
    // Those of a withdrawn push lay beneath: nothing shows them again.
    this.#writes.end(pending.slice(0, pending.indexOf(lowest)));
    this.lay(lowest, pending);
  }

  /** Lays the leaf that is there now beneath one of the writes, and beneath those that lie on the same. With `isHidden`, no undo shows it. */
  lay(first: OwnWrite, writes: readonly OwnWrite[], isHidden = false): void {
    const leaf = leafBeneath(this.#replica, first.firstPush, first.table, first.row, first.cell);
    const { before } = first;
    let beneath: OwnWrite | undefined;
    for (const write of writes) {
      // What was undone before it was sent leaves nothing: the next write lies on the same.
      const isOnSame =
        beneath !== undefined &&
        (write.merged === beneath ||
          (beneath.step === undefined && write.push === beneath.push && write.before === before));
      const isLaid = write === first || isOnSame;
      // The room sees a push as one.
      if (isLaid || write.firstPush === first.firstPush) write.base = leaf;
      this.#writes.change(write, { before: isLaid && !isHidden ? leaf : write.before });
      if (isLaid) beneath = write;
    }
  }

  /** Adds a leaf that others have set to the pending deletion of its row, which hides it. */
  addHidden(table: TableKey, row: string, cell: string): void {
    const before = this.#replica.base.leaf(table, row, cell);
    if (before === undefined) return;
    const first = this.#oldestPush(table, row, cell);
    // A push that was restored, or derived, may hide it before: the deletion hides that.
    if (first !== undefined && !deletesRow(first.changes, table, row)) return;
    const push = first?.number ?? HELD;
    const isOfPush = isOf(push);
    const isDeleting = (write: OwnWrite): boolean => write.isDeletion && isOfPush(write);
    // It has no step if it was undone meanwhile.
    const step = this.#writes.findInRow(
      table,
      row,
      (write) => write.step !== undefined && isDeleting(write),
    )?.step;
    if (!step && !this.#writes.findInRow(table, row, isDeleting)) return;
    // Those that came after that push stay, and all if the room has made that of the last of them, or gave it with the row.
    const former = this.#writes.of(table, row, cell).filter((write) => write.push <= push);
    if (former.at(-1)?.after !== before) this.#writes.end(former);
    const own = step?.writeOf(table, row, cell);
    const hidden = { table, row, cell, push, before, after: undefined };
    if (own && own.push <= push) {
      // The step had edited the leaf before: that is put back.
      this.#writes.end([own]);
      this.#writes.insert({
        ...hidden,
        firstPush: own.firstPush,
        merged: own,
        before: own.before,
        base: before,
        step,
      });
      return;
    }
    // A later write of the same step puts the leaf back.
    const added = this.#writes.insert({ ...hidden, step: own ? undefined : step });
    // It lies beneath all writes that are merged with that one.
    for (let write = own; write && write !== added; write = write.merged ??= added)
      this.#writes.change(write, { before, base: before, firstPush: push });
  }

  /** Returns the oldest pending push that changes the leaf. */
  #oldestPush(table: TableKey, row: string, cell: string): PendingPush | undefined {
    return this.#replica.pending.find(({ changes }) => changesLeaf(changes, table, row, cell));
  }
}

/** Returns a test: true for a write that the push has, alone or merged with others. */
function isOf(number: number): (write: OwnWrite) => boolean {
  return ({ firstPush, push }) => firstPush <= number && push >= number;
}

/** Returns what the pushes before that number, and the room, make of a leaf. */
export function leafBeneath(
  replica: Replica,
  push: number,
  table: TableKey,
  row: string,
  cell: string,
): Leaf | undefined {
  let leaf = replica.base.leaf(table, row, cell);
  for (const write of replica.overlay.get(table, row, cell)?.writes ?? [])
    if (write.push < push) ({ leaf } = write);
  return leaf;
}
