import type { Cursor } from '../../protocol/messages.ts';

/** The record with which a client sends its pending pushes after a restart, exactly once (KEEP-1). Written as a whole. */
export interface OutboxRecord {
  readonly clientId: string;
  /** The highest generation that a hello may have been sent with. */
  readonly generation: number;
  /** The highest push number given out. */
  readonly lastNumber: number;
  /** The pending pushes, and those that no base record includes yet, oldest first. */
  readonly pushes: readonly StoredPush[];
}

/** A push as it is persisted. */
interface StoredPush {
  readonly number: number;
  /** The changes, encoded. */
  readonly changes: string;
  /** Set if the Store made it in reaction to a commit, without its user (DERIVE-1). */
  readonly isDerived?: true | undefined;
}

/** The room's content at a cursor, without pending pushes (KEEP-1). Written as a whole. */
export interface BaseRecord {
  readonly cursor: Cursor;
  /** The content `[tables, values]`, encoded. */
  readonly content: string;
  /** The highest push number that the content includes, or that the room had refused. */
  readonly folded: number;
}

/** The storage of a client. Each write replaces the record, and settles when that is durable. */
export interface ClientStorage {
  writeOutbox(record: OutboxRecord): Promise<void>;
  writeBase(record: BaseRecord): Promise<void>;
}

/** The records of {@link ClientStorage} when the client started. */
export interface RestoredRecords {
  readonly outbox: OutboxRecord | undefined;
  readonly base: BaseRecord | undefined;
}
