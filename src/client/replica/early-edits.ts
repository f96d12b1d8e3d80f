import type { Store } from 'tinybase';

import { addChanges, ChangesBuilder, type Changes } from '../../protocol/changes.ts';
import type { Leaf, TableKey } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import { readContent } from '../../protocol/store-access.ts';
import type { Overlay } from './overlay.ts';
import { refusalsOfReplaced, type Refusal } from './refusal.ts';

/**
 * The edits made after a persister was created and before it was started. They belong to the seed: the room's content may
 * replace them, and then they are reported (SEED-5).
 */
export class EarlyEdits {
  readonly #store: Store;
  readonly #overlay: Overlay;
  #changes: ChangesBuilder | undefined;
  #hasMetContent = false;

  constructor(store: Store, overlay: Overlay) {
    this.#store = store;
    this.#overlay = overlay;
  }

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

  /**
   * Takes content of the room. The first content ends all early edits: returns refusals for those that the content does not have, except
   * for leaves that were edited since. If the content is not shown, everything that the Store shows counts as an early edit.
   */
  meet(content: LeafMap<Leaf>, isShown: boolean): readonly Refusal[] {
    if (this.#hasMetContent) return [];
    this.#hasMetContent = true;
    const isEdited = (table: TableKey, row: string, cell: string): boolean =>
      this.#overlay.get(table, row, cell) !== undefined;
    if (!isShown) {
      readContent(this.#store).forEach((leaf, table, row, cell) => {
        if (isEdited(table, row, cell) || content.get(table, row, cell) === leaf) return;
        const changes = new ChangesBuilder();
        changes.setLeaf(table, row, cell, leaf);
        this.add(changes);
      });
    }
    const changes = this.take();
    return changes === undefined
      ? []
      : refusalsOfReplaced(changes, content, 'before-start', isEdited);
  }
}
