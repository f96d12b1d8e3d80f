const DAY_MILLISECONDS = 24 * 60 * 60 * 1000;
const UNCONFIRMED_MILLISECONDS = 30 * DAY_MILLISECONDS;

/** What the room remembers of a client id. */
export interface ClientRecord {
  /** The highest push number that the room has dealt with. */
  readonly lastPush: number;
  /** The highest push number whose ack the client confirmed. Storage may know of fewer than the room did. */
  readonly ackedPush: number;
  /** When it last pushed or confirmed, in milliseconds since 1970. */
  readonly touched: number;
  /** The highest generation of its hellos. Storage may know of a lower one than the room did. */
  readonly generation: number;
}

/**
 * True if a record may go (`ONCE-5`): a day after it was touched if its last push is confirmed, 30 days otherwise.
 * `now` in milliseconds since 1970.
 */
export function isClientRecordExpired(record: ClientRecord, now: number): boolean {
  const isConfirmed = record.ackedPush >= record.lastPush;
  return isConfirmed
    ? isClientRecordOld(record, now)
    : now - record.touched > UNCONFIRMED_MILLISECONDS;
}

/** True if a record may go where there are too many. */
export function isClientRecordOld({ touched }: ClientRecord, now: number): boolean {
  return now - touched > DAY_MILLISECONDS;
}
