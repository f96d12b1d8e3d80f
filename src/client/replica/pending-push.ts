import type { Changes } from '../../protocol/changes.ts';

/** A transaction that waits for its ack. */
export interface PendingPush {
  readonly number: number;
  readonly changes: Changes;
  /** The changes, encoded once. */
  readonly encoded: string;
  /** Set if the Store made it in reaction to a commit, without its user (DERIVE-1). */
  readonly isDerived?: true | undefined;
  /** The tables that it left empty: a room of TinyBase's own server is told so, and asks `canDelTable` (STOCK-5). */
  readonly deletedTables?: ReadonlySet<string>;
}
