import type { Store } from 'tinybase';

import { deletesRow, type Changes } from '../../protocol/changes.ts';
import { isUnsendableLeaf, type Leaf, type TableKey } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import { readDefaults, readLeaf, type TransactionLog } from '../../protocol/store-access.ts';
import type { Aims } from './aims.ts';
import type { RefusalReason } from './refusal.ts';

/** A leaf that misses its aim. */
export interface Difference {
  readonly table: TableKey;
  readonly row: string;
  readonly cell: string;
  /** The aim: the leaf that the Store had to show or to keep. */
  readonly aim: Leaf | undefined;
  readonly shown: Leaf | undefined;
  /** True if it may be sent: no part of the remote change set that leaf (DERIVE-1). */
  readonly mayBeSent: boolean;
  /** The reason to report if it is not sent. */
  readonly reason: RefusalReason;
}

/** The aims of a Store, and the result. */
export interface ReactionParts {
  readonly store: Store;
  readonly aims: Aims;
  /** The leaves that missed their aim right after they were written. */
  readonly notTaken: LeafMap<true>;
  /** Undefined if the Store rolled everything back. */
  readonly log: TransactionLog | undefined;
  /** The commit that is shown; undefined if reactions to it may not be sent. */
  readonly commit: Changes | undefined;
}

/** The reaction of a Store to a remote change, by its schema, defaults, middleware and mutator listeners. */
export class Reaction {
  readonly #parts: ReactionParts;
  #defaults: ReturnType<typeof readDefaults> | undefined;

  constructor(parts: ReactionParts) {
    this.#parts = parts;
  }

  /** Visits every leaf that misses its aim. */
  forEach(visit: (difference: Difference) => void): void {
    const { store, aims, log } = this.#parts;
    const compare = (
      aim: Leaf | undefined,
      table: TableKey,
      row: string,
      cell: string,
      reasonOf: (shown: Leaf | undefined) => RefusalReason,
    ): void => {
      const shown = readLeaf(store, table, row, cell);
      if (shown === aim) return;
      const mayBeSent = !isUnsendableLeaf(shown) && this.maySend(table, row, cell);
      visit({ table, row, cell, aim, shown, mayBeSent, reason: reasonOf(shown) });
    };
    aims.forEach((aim, table, row, cell) =>
      compare(aim, table, row, cell, (shown) => this.#reasonOf(aim, shown, table, row, cell)),
    );
    log?.before.forEach((old, table, row, cell) => {
      if (aims.has(table, row, cell)) return;
      compare(old, table, row, cell, (shown) => this.#ownReason(shown, table, cell));
    });
  }

  /** Returns true if only the Store's own code changed the leaf, in reaction to a commit of a user (DERIVE-1). */
  maySend(table: TableKey, row: string, cell: string): boolean {
    const { aims, log, commit } = this.#parts;
    if (commit === undefined || log === undefined) return false;
    // While not following, a leaf that the commit set may have no aim.
    const isSet = aims.has(table, row, cell) || commit.leaves.has(table, row, cell);
    return !isSet && !deletesRow(commit, table, row);
  }

  /** Returns the reason why a leaf misses its aim. */
  #reasonOf(
    aim: Leaf | undefined,
    shown: Leaf | undefined,
    table: TableKey,
    row: string,
    cell: string,
  ): RefusalReason {
    const { notTaken, log } = this.#parts;
    if (isUnsendableLeaf(aim)) return 'malformed';
    if (log?.refused.has(table, row, cell) === true) return 'own-schema';
    if (log !== undefined && notTaken.has(table, row, cell)) return 'own-middleware';
    if (aim === undefined && this.#isDefault(shown, table, cell)) return 'own-schema';
    return 'own-listener';
  }

  /** Returns the reason why a leaf changed that had no aim. */
  #ownReason(shown: Leaf | undefined, table: TableKey, cell: string): RefusalReason {
    if (isUnsendableLeaf(shown)) return 'malformed';
    return this.#isDefault(shown, table, cell) ? 'own-schema' : 'own-listener';
  }

  #isDefault(shown: Leaf | undefined, table: TableKey, cell: string): boolean {
    if (shown === undefined) return false;
    this.#defaults ??= readDefaults(this.#parts.store);
    return shown === this.#defaults(table, cell);
  }
}
