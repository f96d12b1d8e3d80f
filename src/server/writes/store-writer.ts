import type { Changes } from '../../protocol/changes.ts';
import type { RefusalReason } from '../../protocol/messages.ts';
import type { ApplyOutcome, ObservedStore } from '../../protocol/observed-store.ts';
import type { TransactionLog } from '../../protocol/store-access.ts';

import { applyChanges } from './apply-changes.ts';
import { effectsOf } from './effects.ts';
import { HookRound, type Allowed } from './hook-round.ts';
import { hasHooks, type RoomHooks } from './hooks.ts';
import type { Later } from '../room/later.ts';
import type { RoomErrorSource } from '../room/room-options.ts';

/** What became of changes that somebody asked for. */
export interface WriteOutcome {
  /** What happened in the Store; undefined if nothing did. */
  readonly log: TransactionLog | undefined;
  /** Set if hooks refused part of it, or all of it was refused. */
  readonly refusal: RefusalReason | undefined;
}

/** Who asks for changes. */
export interface Asker<Origin> {
  readonly origin: Origin;
  readonly isInitialSave: boolean;
  /** Asked right before the changes are applied: false drops them without a word. */
  readonly isStillWanted: () => boolean;
}

/** What a {@link StoreWriter} needs of its room. */
export interface StoreWriterOptions<Origin> {
  readonly hooks: () => RoomHooks<Origin>;
  readonly hookTimeoutMilliseconds: () => number;
  readonly onRoomError: (error: unknown, where: RoomErrorSource) => void;
  /** Resolves to true when storage has taken all that the Store has, to false if that was lost. */
  readonly whenWritten: () => Promise<boolean>;
  /** Changes with each transaction of the room's own code. */
  readonly revision: () => number;
  readonly after: (milliseconds: number, callback: () => void) => () => void;
}

/** How often an open transaction is looked at. Its end is noticed at once; a rollback may tell nobody. */
const BUSY_RETRY_MILLISECONDS = 20;
/** From how long on an open transaction is reported. */
const BUSY_REPORT_MILLISECONDS = 5_000;

const nothing = (): void => undefined;

const TIMEOUT = Symbol('timeout');
const DROPPED: WriteOutcome = { log: undefined, refusal: undefined };

/**
 * Applies what peers ask for to the room's Store: as one transaction, as far as the hooks allow, and never while the
 * room's own code has a transaction open.
 */
export class StoreWriter<Origin> {
  readonly #observed: ObservedStore;
  readonly #options: StoreWriterOptions<Origin>;

  constructor(observed: ObservedStore, options: StoreWriterOptions<Origin>) {
    this.#observed = observed;
    this.#options = options;
  }

  /**
   * Applies changes. `finish` is called right after, before anything else can happen to the Store. Works within the
   * call if no hook is overridden and no transaction is open.
   */
  write<T>(asked: Changes, asker: Asker<Origin>, finish: (outcome: WriteOutcome) => T): Later<T> {
    const hooks = this.#options.hooks();
    if (hasHooks(hooks)) return this.#writeAllowed(hooks, asked, asker, finish);
    let wasWanted = true;
    return this.run(
      () => {
        wasWanted = asker.isStillWanted();
        if (wasWanted) applyChanges(this.#observed.store, asked);
      },
      (log) =>
        finish(wasWanted ? { log, refusal: log === undefined ? 'failed' : undefined } : DROPPED),
    );
  }

  /**
   * Runs actions on the Store as a transaction of the room's own. `finish` gets its log, or undefined if it was rolled
   * back. Works within the call if no transaction is open.
   */
  run<T>(actions: () => void, finish: (log: TransactionLog | undefined) => T): Later<T> {
    const outcome = this.#observed.apply(actions);
    if (outcome.type === 'busy') return this.#runWhenFree(actions, finish);
    return finish(this.#logOf(outcome));
  }

  /**
   * As {@link StoreWriter.run}, for actions that may touch everything, whose log would cost as much as they do. `finish`
   * gets what was thrown, if anything was: then they may have been rolled back.
   */
  runUnlogged<T>(actions: () => void, finish: (error: unknown) => T): Later<T> {
    const outcome = this.#observed.apply(actions, false);
    if (outcome.type === 'busy') {
      return this.whenFree().then(() => this.runUnlogged(actions, finish));
    }
    this.#logOf(outcome);
    return finish(outcome.error);
  }

  /** Resolves when no transaction is open. */
  async whenFree(): Promise<void> {
    let waited = 0;
    for (;;) {
      if (this.isFree()) return;
      await this.#nextChance();
      waited += BUSY_RETRY_MILLISECONDS;
      if (waited === BUSY_REPORT_MILLISECONDS) {
        const message =
          "A transaction of the room's Store has been open for seconds: finish it, everybody waits for it.";
        this.#options.onRoomError(new Error(message), 'transaction');
      }
    }
  }

  /** True if no transaction is open and no listener is being called. */
  isFree(): boolean {
    return this.#observed.apply(() => undefined).type !== 'busy';
  }

  async #runWhenFree<T>(
    actions: () => void,
    finish: (log: TransactionLog | undefined) => T,
  ): Promise<T> {
    for (;;) {
      await this.whenFree();
      const outcome = this.#observed.apply(actions);
      if (outcome.type !== 'busy') return finish(this.#logOf(outcome));
    }
  }

  async #writeAllowed<T>(
    hooks: RoomHooks<Origin>,
    asked: Changes,
    asker: Asker<Origin>,
    finish: (outcome: WriteOutcome) => T,
  ): Promise<T> {
    const round = new HookRound(hooks, asker.origin, asker.isInitialSave);
    const timeout = this.#startTimeout();
    let wanted = asked;
    try {
      for (;;) {
        const revision = this.#options.revision();
        const isAsBefore = (): boolean => revision === this.#options.revision();
        if (!(await this.#options.whenWritten())) return finish(DROPPED);
        await this.whenFree();
        // What the room's own code did meanwhile may not be durable yet, and hooks see no such thing (`DURABLE-1`).
        if (!isAsBefore()) {
          wanted = asked;
          continue;
        }
        const allowed = await this.#ask(round, wanted, timeout.promise);
        if (typeof allowed === 'string') {
          // Not before a transaction of the room's own code is over: what is in the Store may be rolled back yet.
          return await this.run(nothing, () => finish({ log: undefined, refusal: allowed }));
        }
        if (!asker.isStillWanted()) return finish(DROPPED);
        // What is left may empty a row which all of it would not have emptied: a question of its own.
        wanted = isAsBefore() ? allowed.changes : asked;
        if (allowed.isRefused || !isAsBefore()) continue;
        const outcome = this.#observed.apply(() => applyChanges(this.#observed.store, wanted));
        if (outcome.type === 'busy') continue;
        const log = this.#logOf(outcome);
        const refusal = log === undefined ? 'failed' : wanted === asked ? undefined : 'hook';
        return finish({ log, refusal });
      }
    } finally {
      timeout.cancel();
    }
  }

  async #ask(
    round: HookRound<Origin>,
    asked: Changes,
    timeout: Promise<typeof TIMEOUT>,
  ): Promise<Allowed | RefusalReason> {
    try {
      const effects = effectsOf(this.#observed.store, asked);
      const allowed = await Promise.race([round.allowed(effects, asked), timeout]);
      if (allowed !== TIMEOUT) return allowed;
    } catch (error) {
      this.#options.onRoomError(error, 'hook');
      return 'failed';
    }
    const message = `A hook did not settle within ${this.#options.hookTimeoutMilliseconds()} ms: the push was refused.`;
    this.#options.onRoomError(new Error(message), 'hook');
    return 'timeout';
  }

  #startTimeout(): { readonly promise: Promise<typeof TIMEOUT>; readonly cancel: () => void } {
    const milliseconds = this.#options.hookTimeoutMilliseconds();
    let cancel: (() => void) | undefined;
    const promise = new Promise<typeof TIMEOUT>((resolve) => {
      cancel = this.#options.after(milliseconds, () => resolve(TIMEOUT));
    });
    return { promise, cancel: () => cancel?.() };
  }

  #logOf(outcome: Exclude<ApplyOutcome, { type: 'busy' }>): TransactionLog | undefined {
    if (outcome.type === 'failed') {
      this.#options.onRoomError(outcome.error, 'mutator');
      return undefined;
    }
    if (outcome.error !== undefined) this.#options.onRoomError(outcome.error, 'listener');
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
      const cancel = this.#options.after(BUSY_RETRY_MILLISECONDS, proceed);
      const listenerId = store.addDidFinishTransactionListener(proceed);
    });
  }
}
