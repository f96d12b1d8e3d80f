import type { Changes } from '../../protocol/changes.ts';
import {
  describeUnsendableLeaf,
  findUnsendableLeaves,
  withoutLeaves,
} from '../../protocol/unsendable-leaves.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { isUnsendableLeaf, type Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import { readLeaf, writeLeaf } from '../../protocol/store-access.ts';

import type { ErrorReporter } from '../room/error-reporter.ts';
import type { RoomStore } from '../room/room-store.ts';
import type { StoreWriter } from './store-writer.ts';

const NOTHING = new LeafMap<never>();

/**
 * Keeps *unsendable leaves* out of the room: those that no message may carry (`CHANGES-4`), because they have too many levels, or come
 * from some kinds of `toJSON`. No message brings one, but the room's own code, its listeners and its storage may.
 */
export class UnsendableLeaves {
  readonly #observed: Pick<RoomStore, 'store'>;
  readonly #writer: Pick<StoreWriter<never, never>, 'isFree' | 'whenFree'>;
  readonly #reporter: ErrorReporter;

  constructor(
    observed: Pick<RoomStore, 'store'>,
    writer: Pick<StoreWriter<never, never>, 'isFree' | 'whenFree'>,
    reporter: ErrorReporter,
  ) {
    this.#observed = observed;
    this.#writer = writer;
    this.#reporter = reporter;
  }

  /**
   * Returns changes of the Store without unsendable leaves. Soon afterwards, puts back the leaves that these have overwritten, which
   * are in `before`. Call it right after the transaction.
   */
  undoIn(changes: Changes, before: LeafMap<Leaf | undefined>): Changes {
    const leaves = this.#undo(changes.leaves, before);
    return leaves === changes.leaves ? changes : { deletedRows: changes.deletedRows, leaves };
  }

  /** Returns the Store's content without unsendable leaves. Deletes these soon afterwards. */
  deleteIn(content: LeafMap<Leaf>): LeafMap<Leaf> {
    return this.#undo(content, NOTHING);
  }

  /** Returns content without unsendable leaves, and reports these. */
  leaveOut<T extends Leaf | undefined>(leaves: LeafMap<T>): LeafMap<T> {
    const unsendable = findUnsendableLeaves(leaves);
    return unsendable === undefined ? leaves : this.#without(leaves, unsendable);
  }

  #undo<T extends Leaf | undefined>(
    leaves: LeafMap<T>,
    before: LeafMap<Leaf | undefined>,
  ): LeafMap<T> {
    const unsendable = findUnsendableLeaves(leaves);
    if (unsendable === undefined) return leaves;
    void this.#putBack(unsendable, before);
    return this.#without(leaves, unsendable);
  }

  #without<T extends Leaf | undefined>(leaves: LeafMap<T>, unsendable: LeafMap<Leaf>): LeafMap<T> {
    unsendable.forEach((leaf, table, row, cell) => {
      const message = `${describeUnsendableLeaf(leaf, table, row, cell)}, so the room does not keep it: set plain JSON with fewer levels.`;
      this.#reporter.report(new TinyBasePartyKitError('malformed', message), 'room');
    });
    return withoutLeaves(leaves, unsendable);
  }

  async #putBack(unsendable: LeafMap<Leaf>, before: LeafMap<Leaf | undefined>): Promise<void> {
    const { store } = this.#observed;
    const undo = (): void =>
      unsendable.forEach((leaf, table, row, cell) => {
        if (readLeaf(store, table, row, cell) !== leaf) return;
        const old = before.get(table, row, cell);
        writeLeaf(store, table, row, cell, isUnsendableLeaf(old) ? undefined : old);
      });
    try {
      // Not at once: the transaction is not over, or is being settled.
      do await this.#writer.whenFree();
      while (!this.#writer.isFree());
      store.transaction(undo);
    } catch (error) {
      this.#reporter.report(error, 'listener');
    }
  }
}
