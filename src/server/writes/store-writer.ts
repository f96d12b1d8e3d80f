import type { Store } from 'tinybase';

import { ALL_ROWS, type Changes } from '../../protocol/changes.ts';
import type { RefusalReason } from '../../protocol/messages.ts';
import type { ApplyOutcome } from '../../protocol/observed-store.ts';
import { writeLeaf, type TransactionLog } from '../../protocol/store-access.ts';

import type { AskedOrigin } from '../room/change-origin.ts';
import type { ErrorReporter } from '../room/error-reporter.ts';
import type { MaybePromise } from '../room/maybe-promise.ts';
import type { RoomFeatures } from '../room/room-features.ts';
import type { RoomHost } from '../room/room-host.ts';
import type { RoomSettings } from '../room/room-settings.ts';
import type { RoomStore } from '../room/room-store.ts';
import { CheckedWriter } from './checked-writer.ts';
import { predictGrowth, highestGrowth } from './content-size.ts';
import { findReplacedObjects, restoreObjects, type ReplacedObjects } from './replaced-objects.ts';
import { withoutDeletedRows } from './without-deleted-rows.ts';
import { DROPPED, type SeedOutcome, type WriteOutcome, type WriteTarget } from './write-target.ts';

/** The pause before the writer looks again if a transaction is open: it may not hear of a rollback. */
const BUSY_RETRY_MILLISECONDS = 20;
/** The time that a transaction may be open before it is reported. */
const BUSY_REPORT_MILLISECONDS = 5_000;

/**
 * Applies changes of peers to the room's Store: what the hooks allow of each, in one transaction. It waits while the room's own
 * code has a transaction open.
 */
export class StoreWriter<Connection, Request> {
  readonly #observed: RoomStore;
  readonly #settings: Pick<RoomSettings<Connection, Request>, 'hooks' | 'limits'>;
  readonly #reporter: ErrorReporter;
  readonly #features: Pick<RoomFeatures<Connection, Request>, 'mayWrite'>;
  readonly #host: Pick<RoomHost<never>, 'after'>;
  readonly #checked: CheckedWriter<Connection, Request>;
  /** Settles when no transaction is open; undefined while nobody waits for that. */
  #whenFree: Promise<void> | undefined;

  constructor(
    observed: RoomStore,
    settings: Pick<
      RoomSettings<Connection, Request>,
      'hooks' | 'hookTimeoutMilliseconds' | 'limits'
    >,
    reporter: ErrorReporter,
    features: Pick<RoomFeatures<Connection, Request>, 'mayWrite'>,
    host: Pick<RoomHost<never>, 'after'>,
  ) {
    this.#features = features;
    this.#observed = observed;
    this.#settings = settings;
    this.#reporter = reporter;
    this.#host = host;
    this.#checked = new CheckedWriter(observed, this, settings, reporter, host);
  }

  /**
   * Applies changes, and has the target settle them. Works within the call if no hook is overridden and no transaction is
   * open.
   */
  write(
    target: WriteTarget<Connection, Request>,
    asked: Changes,
    origin: AskedOrigin<Connection, Request>,
  ): MaybePromise<SeedOutcome | undefined> {
    if (!this.#features.mayWrite(origin)) return this.refuse(target, asked, origin, 'access');
    const { hooks } = this.#settings;
    if (hooks !== undefined) return this.#checked.write(hooks, target, asked, origin);
    const outcome = this.apply(target, asked, origin);
    return outcome === undefined
      ? this.#writeWhenFree(target, asked, origin)
      : target.settle(asked, origin, outcome);
  }

  /**
   * Runs actions as a transaction without a log: for actions that may touch everything, a log costs as much as they do. Returns the
   * error, if one was thrown: then the actions may have been rolled back. Returns `busy`, and does nothing, while a transaction is
   * open.
   */
  applyUnlogged(actions: () => void): { readonly error: unknown } | 'busy' {
    const outcome = this.#observed.apply(actions, () => false);
    if (outcome.type === 'busy') return 'busy';
    this.#logOf(outcome);
    return { error: outcome.error };
  }

  /** Resolves when no transaction is open. */
  async whenFree(): Promise<void> {
    if (this.isFree()) return;
    this.#whenFree ??= this.#waitUntilFree();
    await this.#whenFree;
  }

  /** Waits for the end of a transaction: one wait for all callers. */
  async #waitUntilFree(): Promise<void> {
    let waited = 0;
    while (!this.isFree()) {
      await this.#nextChance();
      waited += BUSY_RETRY_MILLISECONDS;
      if (waited === BUSY_REPORT_MILLISECONDS) {
        const message =
          "A transaction of the room's Store has been open for 5 seconds, and everybody waits for it: finish it.";
        this.#reporter.report(new Error(message), 'transaction');
      }
    }
    this.#whenFree = undefined;
  }

  /** Returns true if no transaction is open and no listener is being called. */
  isFree(): boolean {
    return this.#observed.apply(() => undefined).type !== 'busy';
  }

  /** Applies changes at once. Returns undefined, and does nothing, while a transaction is open. */
  apply(
    target: WriteTarget<Connection, Request>,
    changes: Changes,
    origin: AskedOrigin<Connection, Request>,
  ): WriteOutcome | undefined {
    if (!target.takes(origin)) return DROPPED;
    const { store } = this.#observed;
    let isTooLarge = false;
    let replaced: ReplacedObjects | undefined;
    const outcome = this.#observed.apply(() => {
      const wanted = withoutDeletedRows(store, target, changes, origin);
      isTooLarge = this.#isTooLarge(target, wanted);
      if (isTooLarge) return;
      replaced = findReplacedObjects(store, wanted);
      applyChanges(store, wanted);
    });
    if (outcome.type === 'busy') return undefined;
    if (isTooLarge) return { log: undefined, refusal: 'too-large' };
    const log = this.#logOf(outcome);
    if (log !== undefined) return { log, refusal: undefined };
    const restored = replaced && this.#restore(replaced);
    // Without a Store, the room has told nobody of these objects, and a log would make it one (SEED-6).
    return { log: target.hasStore ? restored : undefined, refusal: 'failed' };
  }

  /** Brings back what the Store did not, after a transaction of {@link apply} was rolled back. Returns the log, if there is one. */
  #restore(replaced: ReplacedObjects): TransactionLog | undefined {
    if (replaced.isEmpty) return undefined;
    const outcome = this.#observed.apply(() => restoreObjects(this.#observed.store, replaced));
    return outcome.type === 'busy' ? undefined : this.#logOf(outcome);
  }

  /** Returns true for changes that would make the content larger, beyond its limit (`LIMIT-1`). */
  #isTooLarge(target: { readonly contentBytes: number }, changes: Changes): boolean {
    const left = this.#settings.limits.contentBytes - target.contentBytes;
    return (
      highestGrowth(changes) > left &&
      predictGrowth(this.#observed.store, changes) > Math.max(left, 0)
    );
  }

  async #writeWhenFree(
    target: WriteTarget<Connection, Request>,
    asked: Changes,
    origin: AskedOrigin<Connection, Request>,
  ): Promise<SeedOutcome | undefined> {
    for (;;) {
      await this.whenFree();
      const outcome = this.apply(target, asked, origin);
      if (outcome !== undefined) return target.settle(asked, origin, outcome);
    }
  }

  /** Refuses changes as a whole. Waits for the end of an open transaction: the answer has values that it may still roll back. */
  refuse(
    target: WriteTarget<Connection, Request>,
    asked: Changes,
    origin: AskedOrigin<Connection, Request>,
    refusal: RefusalReason,
  ): MaybePromise<SeedOutcome | undefined> {
    return this.isFree()
      ? target.settle(asked, origin, { log: undefined, refusal })
      : this.whenFree().then(() => this.refuse(target, asked, origin, refusal));
  }

  #logOf(outcome: Exclude<ApplyOutcome, { type: 'busy' }>): TransactionLog | undefined {
    if (outcome.type === 'failed') {
      this.#reporter.report(outcome.error, 'mutator');
      return undefined;
    }
    if (outcome.error !== undefined) this.#reporter.report(outcome.error, 'listener');
    return outcome.log;
  }

  /** Resolves when a transaction finishes, or after a while. */
  #nextChance(): Promise<void> {
    const { store } = this.#observed;
    return new Promise((resolve) => {
      const proceed = (): void => {
        cancel();
        store.delListener(listenerId);
        resolve();
      };
      const cancel = this.#host.after(BUSY_RETRY_MILLISECONDS, proceed);
      const listenerId = store.addDidFinishTransactionListener(proceed);
    });
  }
}

/**
 * Applies changes to a Store: deletes rows, then sets leaves, then deletes leaves, so that a row that loses some cells and
 * gets others is never empty in between. Call it in a transaction.
 */
export function applyChanges(store: Store, changes: Changes): void {
  for (const [table, rows] of changes.deletedRows) {
    if (rows === ALL_ROWS) store.delTable(table);
    else for (const row of rows) store.delRow(table, row);
  }
  changes.leaves.forEach((leaf, table, row, cell) => {
    if (leaf !== undefined) writeLeaf(store, table, row, cell, leaf);
  });
  changes.leaves.forEach((leaf, table, row, cell) => {
    if (leaf === undefined) writeLeaf(store, table, row, cell, undefined);
  });
}
