import type { Changes } from '../../protocol/changes.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { RefusalReason } from '../../protocol/messages.ts';

import type { AskedOrigin } from '../room/change-origin.ts';
import type { ErrorReporter } from '../room/error-reporter.ts';
import type { RoomHost } from '../room/room-host.ts';
import type { RoomSettings } from '../room/room-settings.ts';
import type { RoomStore } from '../room/room-store.ts';
import { HookCheck, type Allowed } from './hook-check.ts';
import type { RoomHooks } from './hooks.ts';
import { RowClaims } from './row-claims.ts';
import { diffOf } from './store-diff.ts';
import type { StoreWriter } from './store-writer.ts';
import { areEqual, TouchedRows } from './touched-rows.ts';
import { withoutDeletedRows } from './without-deleted-rows.ts';
import { DROPPED, type SeedOutcome, type WriteTarget } from './write-target.ts';

/** The number of times that hooks are asked about the same change, if its rows change while they are asked. */
const MOST_ROUNDS = 4;

const TIMEOUT = Symbol('timeout');
const MOVED = Symbol('moved');

/** A change that waits for hooks. */
interface Decision<Connection, Request> {
  readonly target: WriteTarget<Connection, Request>;
  readonly asked: Changes;
  readonly origin: AskedOrigin<Connection, Request>;
  readonly rows: TouchedRows;
  readonly timeout: Promise<typeof TIMEOUT>;
}

/**
 * Applies the part of changes that the hooks allow. Hooks are asked outside of the room's queue, so the room keeps running meanwhile.
 * If the rows of a change were changed before the last answer came, the hooks are asked again (`HOOK-4`). Nothing can change the Store
 * between the last answer and the commit.
 */
export class CheckedWriter<Connection, Request> {
  readonly #observed: Pick<RoomStore, 'store'>;
  readonly #writer: Pick<StoreWriter<Connection, Request>, 'apply' | 'refuse' | 'whenFree'>;
  readonly #settings: Pick<RoomSettings<Connection, Request>, 'hookTimeoutMilliseconds'>;
  readonly #reporter: ErrorReporter;
  readonly #host: Pick<RoomHost<never>, 'after'>;
  readonly #claims = new RowClaims();

  constructor(
    observed: Pick<RoomStore, 'store'>,
    writer: Pick<StoreWriter<Connection, Request>, 'apply' | 'refuse' | 'whenFree'>,
    settings: Pick<RoomSettings<Connection, Request>, 'hookTimeoutMilliseconds'>,
    reporter: ErrorReporter,
    host: Pick<RoomHost<never>, 'after'>,
  ) {
    this.#observed = observed;
    this.#writer = writer;
    this.#settings = settings;
    this.#reporter = reporter;
    this.#host = host;
  }

  /** Asks the hooks, applies what they allow, and has the target settle it. */
  write(
    hooks: RoomHooks<Connection | Request>,
    target: WriteTarget<Connection, Request>,
    asked: Changes,
    origin: AskedOrigin<Connection, Request>,
  ): Promise<SeedOutcome | undefined> {
    const rows = new TouchedRows(asked);
    const decide = async (): Promise<SeedOutcome | undefined> => {
      const { hookTimeoutMilliseconds } = this.#settings;
      let cancel: (() => void) | undefined;
      const timeout = new Promise<typeof TIMEOUT>((resolve) => {
        cancel = this.#host.after(hookTimeoutMilliseconds, () => resolve(TIMEOUT));
      });
      try {
        return await this.#decide(hooks, { target, asked, origin, rows, timeout });
      } finally {
        cancel?.();
      }
    };
    // Initial contents do not wait for each other: the first one that is decided wins (`SEED-1`).
    return origin.type === 'seed'
      ? decide()
      : this.#claims.run(rows, () => target.takes(origin), decide);
  }

  async #decide(
    hooks: RoomHooks<Connection | Request>,
    decision: Decision<Connection, Request>,
  ): Promise<SeedOutcome | undefined> {
    const { target, asked, origin } = decision;
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const ground = await this.#writtenGround(decision);
      if (ground === TIMEOUT) return await this.#timeOut(decision);
      if (ground === undefined || !target.takes(origin))
        return target.settle(asked, origin, DROPPED);
      const check = new HookCheck(hooks, origin, !target.hasStore);
      const outcome = await this.#round(check, decision, ground);
      if (outcome !== MOVED) return outcome.settled;
    }
    const message = `The rows that a push touches changed ${MOST_ROUNDS} times while hooks were asked about it, and the push was refused: do not write to them in a hook.`;
    return await this.#refuse(decision, 'timeout', new Error(message));
  }

  /**
   * Resolves to the content of the touched rows, as soon as that is written: hooks see nothing earlier (`DURABLE-1`). Resolves to
   * undefined if it was lost.
   */
  async #writtenGround({
    target,
    rows,
    timeout,
  }: Decision<Connection, Request>): Promise<
    readonly (Leaf | undefined)[] | undefined | typeof TIMEOUT
  > {
    for (;;) {
      await this.#writer.whenFree();
      const ground = rows.read(this.#observed.store);
      const isWritten = await Promise.race([target.whenWritten(), timeout]);
      if (isWritten === TIMEOUT) return TIMEOUT;
      if (!isWritten) return undefined;
      await this.#writer.whenFree();
      if (areEqual(ground, rows.read(this.#observed.store))) return ground;
    }
  }

  /** Asks until everything is answered. Resolves to {@link MOVED} if the touched rows changed meanwhile (`HOOK-4`). */
  async #round(
    check: HookCheck<Connection, Request>,
    decision: Decision<Connection, Request>,
    ground: readonly (Leaf | undefined)[],
  ): Promise<{ readonly settled: SeedOutcome | undefined } | typeof MOVED> {
    const { target, asked, origin, rows, timeout } = decision;
    // Nothing is asked about what is ignored.
    const regarded = withoutDeletedRows(this.#observed.store, target, asked, origin);
    let wanted = regarded;
    for (;;) {
      const { version } = target;
      let answer: Allowed | Promise<void> | typeof TIMEOUT | void;
      try {
        answer = check.allowed(diffOf(this.#observed.store, wanted), wanted);
        if (answer instanceof Promise) answer = await Promise.race([answer, timeout]);
      } catch (error) {
        return { settled: await this.#refuse(decision, 'failed', error) };
      }
      if (answer === TIMEOUT) return { settled: await this.#timeOut(decision) };
      if (answer === undefined) await this.#writer.whenFree();
      if (!target.takes(origin)) return { settled: target.settle(asked, origin, DROPPED) };
      if (!areEqual(ground, rows.read(this.#observed.store))) return MOVED;
      // The effect on other parts may have changed: for example, the table would now become empty.
      if (answer === undefined || version !== target.version) continue;
      // The allowed part may empty a row that the whole would not have emptied: the hooks are asked about it, too.
      wanted = answer.changes;
      if (answer.isRefused) continue;
      const outcome = this.#writer.apply(target, wanted, origin);
      if (outcome === undefined) {
        await this.#writer.whenFree();
        continue;
      }
      const refusal = outcome.refusal ?? (wanted === regarded ? undefined : 'hook');
      return { settled: target.settle(asked, origin, { log: outcome.log, refusal }) };
    }
  }

  async #timeOut(decision: Decision<Connection, Request>): Promise<SeedOutcome | undefined> {
    const { hookTimeoutMilliseconds } = this.#settings;
    const message = `A hook did not settle within ${hookTimeoutMilliseconds} ms, and the push was refused: answer sooner, or raise hookTimeoutMilliseconds.`;
    return await this.#refuse(decision, 'timeout', new Error(message));
  }

  async #refuse(
    { target, asked, origin }: Decision<Connection, Request>,
    reason: RefusalReason,
    error: unknown,
  ): Promise<SeedOutcome | undefined> {
    if (!target.takes(origin)) return target.settle(asked, origin, DROPPED);
    this.#reporter.report(error, 'hook');
    return await this.#writer.refuse(target, asked, origin, reason);
  }
}
