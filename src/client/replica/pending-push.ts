import type { Changes } from '../../protocol/changes.ts';
import type { MaybeReaction } from '../../protocol/derived-mark.ts';

/** A transaction that waits for its ack. It is derived if the Store made it in reaction to a commit, without its user (DERIVE-1). */
export interface PendingPush extends MaybeReaction {
  readonly number: number;
  readonly changes: Changes;
  /** The changes, encoded once. */
  readonly encoded: string;
  /** The tables that it left empty: a room of TinyBase's own server is told so, and asks `canDelTable` (STOCK-5). */
  readonly deletedTables?: ReadonlySet<string>;
}
