const DAY_MILLISECONDS = 24 * 60 * 60 * 1000;
const UNCONFIRMED_MILLISECONDS = 30 * DAY_MILLISECONDS;

/** The room's record of a client id. */
export interface ClientRecord {
  /** The highest push number that the room has processed. */
  readonly lastPush: number;
  /** The highest push number whose ack the client confirmed. The stored number may be lower than the room's was. */
  readonly ackedPush: number;
  /** The time of its last push or confirmation, in milliseconds since 1970. */
  readonly touched: number;
  /** The highest generation of its hellos. The stored one may be lower than the room's was. */
  readonly generation: number;
}

/** Records that a push of a client was processed at that time. */
export function notePush(
  records: Map<string, ClientRecord>,
  clientId: string,
  lastPush: number,
  touched: number,
): void {
  const { ackedPush = 0, generation = 0 } = records.get(clientId) ?? {};
  records.set(clientId, { lastPush, ackedPush, touched, generation });
}

/**
 * Returns true if a record may be removed (`ONCE-5`): a day after it was touched if its last push is confirmed, and after 30 days
 * if it is not. `now` is in milliseconds since 1970.
 */
export function isClientRecordExpired(record: ClientRecord, now: number): boolean {
  const isConfirmed = record.ackedPush >= record.lastPush;
  return isConfirmed
    ? isClientRecordOld(record, now)
    : now - record.touched > UNCONFIRMED_MILLISECONDS;
}

/** Returns true if a record was not touched for a day: it may be removed when there are too many. */
export function isClientRecordOld({ touched }: ClientRecord, now: number): boolean {
  return now - touched > DAY_MILLISECONDS;
}
