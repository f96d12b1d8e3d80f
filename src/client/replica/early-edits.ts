import { addChanges, ChangesBuilder, type Changes } from '../../protocol/changes.ts';
import type { Leaf, TableKey } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import { refusalsOfReplaced, type Refusal } from './refusal.ts';

/**
 * The edits made after a persister was created and before it was started. They belong to the seed: the room's content may
 * replace them, and then they are reported (SEED-5).
 */
export class EarlyEdits {
  #changes: ChangesBuilder | undefined;

  /** True while there are edits that no content of the room has answered. */
  get isAny(): boolean {
    return this.#changes !== undefined;
  }

  add(changes: Changes): void {
    this.#changes ??= new ChangesBuilder();
    addChanges(this.#changes, changes);
  }

  /** Forgets the edits of these leaves: they are reported for another reason. */
  forget(leaves: LeafMap<Leaf | undefined>): void {
    leaves.forEach((_leaf, table, row, cell) => this.#changes?.leaves.delete(table, row, cell));
    if (this.#changes?.isEmpty === true) this.#changes = undefined;
  }

  /** Forgets the edits and returns them. */
  take(): Changes | undefined {
    const changes = this.#changes;
    this.#changes = undefined;
    return changes;
  }

  /** Forgets the edits. Returns refusals for those that this content does not have, except leaves that were edited since. */
  answer(
    content: LeafMap<Leaf>,
    isEditedSince: (table: TableKey, row: string, cell: string) => boolean,
  ): readonly Refusal[] {
    const changes = this.take();
    return changes === undefined
      ? []
      : refusalsOfReplaced(changes, content, 'before-start', isEditedSince);
  }
}
