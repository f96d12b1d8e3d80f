import type { Changes } from '../../protocol/changes.ts';
import type { Cursor, RefusalReason, SeedCorrection } from '../../protocol/messages.ts';
import type { TransactionLog } from '../../protocol/store-access.ts';

import type { AskedOrigin } from '../room/change-origin.ts';

/** The result of applying changes. */
export interface WriteOutcome {
  /** The log of the transaction; undefined if there was none. */
  readonly log: TransactionLog | undefined;
  /** The reason, if hooks refused a part of the changes, or all of them were refused. */
  readonly refusal: RefusalReason | undefined;
}

/** The outcome of changes that came too late. */
export const DROPPED: WriteOutcome = { log: undefined, refusal: undefined };

/** The result of offering initial content to a room. */
export type SeedOutcome =
  /** The allowed part became the room's initial content. If nothing was allowed, the room still has no Store. */
  | {
      readonly type: 'created';
      readonly refused: SeedCorrection | undefined;
      /** Undefined unless the room holds just the offered content (`HTTP-9`). */
      readonly cursor: Cursor | undefined;
    }
  /** The room has a Store already. */
  | { readonly type: 'exists' };

/** The state of the room that changes are applied to. */
export interface WriteTarget<Connection, Request> {
  /** Rises with every change to the Store. */
  readonly version: number;
  /** False until the initial content. */
  readonly hasStore: boolean;
  /** The approximate memory of the content, in the units of `limits.contentBytes`. */
  readonly contentBytes: number;
  /** Returns false if a change came too late. Asked right before it is applied. */
  takes(origin: AskedOrigin<Connection, Request>): boolean;
  /** Returns true if the row was deleted after that version, as far as the room knows. */
  wasDeletedSince(version: number, table: string, row: string): boolean;
  /** Resolves to true when everything that the Store has is written, to false if that was lost. */
  whenWritten(): Promise<boolean>;
  /**
   * Called right after the changes were applied or refused, before anything else can happen to the Store. Returns the outcome of
   * initial content, unless it came too late.
   */
  settle(
    asked: Changes,
    origin: AskedOrigin<Connection, Request>,
    outcome: WriteOutcome,
  ): SeedOutcome | undefined;
}
