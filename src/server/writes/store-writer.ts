import type { Store } from 'tinybase';

import { ALL_ROWS, type Changes } from '../../protocol/changes.ts';
import type { RefusalReason } from '../../protocol/messages.ts';
import type { ApplyOutcome, ObservedStore } from '../../protocol/observed-store.ts';
import { writeLeaf, type TransactionLog } from '../../protocol/store-access.ts';

import type { AskedOrigin } from '../room/change-origin.ts';
import type { ErrorReporter } from '../room/error-reporter.ts';
import type { MaybePromise } from '../room/maybe-promise.ts';
import type { RoomFeatures } from '../room/room-features.ts';
import type { RoomHost } from '../room/room-host.ts';
import type { RoomSettings } from '../room/room-settings.ts';
import { growthOf, mostGrowth } from './content-size.ts';
import { HookCheck, type Allowed } from './hook-check.ts';
import type { RoomHooks } from './hooks.ts';
import { diffOf } from './store-diff.ts';

/** The result of applying changes. */
export interface WriteOutcome {
  /** The log of the transaction; undefined if there was none. */
  readonly log: TransactionLog | undefined;
  /** Set if hooks refused part of the changes, or all of them were refused. */
  readonly refusal: RefusalReason | undefined;
}

/** The state of the room that changes are applied to. */
export interface WriteTarget<Origin, RequestOrigin, Settled> {
  /** Rises with every change to the Store. */
  readonly version: number;
  /** About how much memory the content takes, in the units of `limits.contentBytes`. */
  readonly contentBytes: number;
  /** Returns false if a change came too late. Asked right before it is applied. */
  takes(origin: AskedOrigin<Origin, RequestOrigin>): boolean;
  /** Resolves to true when storage has taken everything that the Store has, to false if that was lost. */
  whenWritten(): Promise<boolean>;
  /** Called right after the changes were applied or refused, before anything else can happen to the Store. */
  settle(
    asked: Changes,
    origin: AskedOrigin<Origin, RequestOrigin>,
    outcome: WriteOutcome,
  ): Settled;
}

/** The time after which the writer looks again for an open transaction. It hears of the end, but perhaps not of a rollback. */
const BUSY_RETRY_MILLISECONDS = 20;
/** The time that a transaction may be open before it is reported. */
const BUSY_REPORT_MILLISECONDS = 5_000;

const TIMEOUT = Symbol('timeout');
const DROPPED: WriteOutcome = { log: undefined, refusal: undefined };

/**
 * Applies changes of peers to the room's Store: as one transaction, as far as the hooks allow, and never while the room's
 * own code has a transaction open.
 */
export class StoreWriter<Origin, RequestOrigin> {
  readonly #observed: ObservedStore;
  readonly #settings: Pick<
    RoomSettings<Origin, RequestOrigin>,
    'hooks' | 'hookTimeoutMilliseconds' | 'limits'
  >;
  readonly #reporter: ErrorReporter;
  readonly #features: Pick<RoomFeatures<Origin, RequestOrigin>, 'mayWrite'>;
  readonly #host: Pick<RoomHost<never>, 'after'>;

  constructor(
    observed: ObservedStore,
    settings: Pick<
      RoomSettings<Origin, RequestOrigin>,
      'hooks' | 'hookTimeoutMilliseconds' | 'limits'
    >,
    reporter: ErrorReporter,
    features: Pick<RoomFeatures<Origin, RequestOrigin>, 'mayWrite'>,
    host: Pick<RoomHost<never>, 'after'>,
  ) {
    this.#features = features;
    this.#observed = observed;
    this.#settings = settings;
    this.#reporter = reporter;
    this.#host = host;
  }

  /**
   * Applies changes, and has the target settle them. Works within the call if no hook is overridden and no transaction is
   * open.
   */
  write<Settled>(
    target: WriteTarget<Origin, RequestOrigin, Settled>,
    asked: Changes,
    origin: AskedOrigin<Origin, RequestOrigin>,
  ): MaybePromise<Settled> {
    if (!this.#features.mayWrite(origin)) return this.#refuse(target, asked, origin, 'access');
    const { hooks } = this.#settings;
    if (hooks !== undefined) return this.#writeChecked(hooks, target, asked, origin);
    const outcome = this.#apply(target, asked, origin);
    return outcome === undefined
      ? this.#writeWhenFree(target, asked, origin)
      : target.settle(asked, origin, outcome);
  }

  /**
   * Runs actions that may touch everything as a transaction of the room, without a log, which would cost as much as the
   * actions. Returns what was thrown, if anything was: then they may have been rolled back. Returns `busy`, having done
   * nothing, while a transaction is open.
   */
  applyUnlogged(actions: () => void): { readonly error: unknown } | 'busy' {
    const outcome = this.#observed.apply(actions, false);
    if (outcome.type === 'busy') return 'busy';
    this.#logOf(outcome);
    return { error: outcome.error };
  }

  /** Resolves when no transaction is open. */
  async whenFree(): Promise<void> {
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
  }

  /** Returns true if no transaction is open and no listener is being called. */
  isFree(): boolean {
    return this.#observed.apply(() => undefined).type !== 'busy';
  }

  /** Returns undefined, having done nothing, while a transaction is open. */
  #apply(
    target: WriteTarget<Origin, RequestOrigin, unknown>,
    changes: Changes,
    origin: AskedOrigin<Origin, RequestOrigin>,
  ): WriteOutcome | undefined {
    if (!target.takes(origin)) return DROPPED;
    const { store } = this.#observed;
    let isTooLarge = false;
    const outcome = this.#observed.apply(() => {
      isTooLarge = this.#isTooLarge(target, changes);
      if (!isTooLarge) applyChanges(store, changes);
    });
    if (outcome.type === 'busy') return undefined;
    if (isTooLarge) return { log: undefined, refusal: 'too-large' };
    const log = this.#logOf(outcome);
    return { log, refusal: log === undefined ? 'failed' : undefined };
  }

  /** Returns true for changes that would make the content larger, beyond its limit (`LIMIT-1`). */
  #isTooLarge(target: { readonly contentBytes: number }, changes: Changes): boolean {
    const left = this.#settings.limits.contentBytes - target.contentBytes;
    return (
      mostGrowth(changes) > left && growthOf(this.#observed.store, changes) > Math.max(left, 0)
    );
  }

  async #writeWhenFree<Settled>(
    target: WriteTarget<Origin, RequestOrigin, Settled>,
    asked: Changes,
    origin: AskedOrigin<Origin, RequestOrigin>,
  ): Promise<Settled> {
    for (;;) {
      await this.whenFree();
      const outcome = this.#apply(target, asked, origin);
      if (outcome !== undefined) return target.settle(asked, origin, outcome);
    }
  }

  async #writeChecked<Settled>(
    hooks: RoomHooks<Origin | RequestOrigin>,
    target: WriteTarget<Origin, RequestOrigin, Settled>,
    asked: Changes,
    origin: AskedOrigin<Origin, RequestOrigin>,
  ): Promise<Settled> {
    const check = new HookCheck(hooks, origin);
    const timeout = this.#startTimeout();
    let wanted = asked;
    try {
      for (;;) {
        const { version } = target;
        if (!(await target.whenWritten())) return target.settle(asked, origin, DROPPED);
        await this.whenFree();
        // The room's own code may have changed the Store meanwhile, and hooks see nothing before it is durable (`DURABLE-1`).
        if (version !== target.version) {
          wanted = asked;
          continue;
        }
        const allowed = await this.#ask(check, wanted, timeout.promise);
        if (typeof allowed === 'string') return await this.#refuse(target, asked, origin, allowed);
        const isAsBefore = version === target.version;
        // The allowed part may empty a row that the whole would not have emptied: the hooks are asked about it, too.
        wanted = isAsBefore ? allowed.changes : asked;
        if (target.takes(origin) && (allowed.isRefused || !isAsBefore)) continue;
        const outcome = this.#apply(target, wanted, origin);
        if (outcome === undefined) continue;
        const isPartial = outcome.log !== undefined && wanted !== asked;
        const refusal = isPartial ? 'hook' : outcome.refusal;
        return target.settle(asked, origin, { log: outcome.log, refusal });
      }
    } finally {
      timeout.cancel();
    }
  }

  /** Refuses changes as a whole. What an open transaction did so far may be rolled back: the answer waits for its end. */
  #refuse<Settled>(
    target: WriteTarget<Origin, RequestOrigin, Settled>,
    asked: Changes,
    origin: AskedOrigin<Origin, RequestOrigin>,
    refusal: RefusalReason,
  ): MaybePromise<Settled> {
    return this.isFree()
      ? target.settle(asked, origin, { log: undefined, refusal })
      : this.whenFree().then(() => this.#refuse(target, asked, origin, refusal));
  }

  async #ask(
    check: HookCheck<Origin, RequestOrigin>,
    asked: Changes,
    timeout: Promise<typeof TIMEOUT>,
  ): Promise<Allowed | RefusalReason> {
    try {
      const diff = diffOf(this.#observed.store, asked);
      const allowed = await Promise.race([check.allowed(diff, asked), timeout]);
      if (allowed !== TIMEOUT) return allowed;
    } catch (error) {
      this.#reporter.report(error, 'hook');
      return 'failed';
    }
    const { hookTimeoutMilliseconds } = this.#settings;
    const message = `A hook did not settle within ${hookTimeoutMilliseconds} ms, and the push was refused: answer sooner, or raise hookTimeoutMilliseconds.`;
    this.#reporter.report(new Error(message), 'hook');
    return 'timeout';
  }

  #startTimeout(): { readonly promise: Promise<typeof TIMEOUT>; readonly cancel: () => void } {
    const { hookTimeoutMilliseconds } = this.#settings;
    let cancel: (() => void) | undefined;
    const promise = new Promise<typeof TIMEOUT>((resolve) => {
      cancel = this.#host.after(hookTimeoutMilliseconds, () => resolve(TIMEOUT));
    });
    return { promise, cancel: () => cancel?.() };
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
