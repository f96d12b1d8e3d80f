import {
  isClientRecordExpired,
  isClientRecordOld,
  type ClientRecord,
} from '../storage/client-record.ts';
import { CLIENT_ID_LENGTH } from '../../protocol/messages/hello.ts';
import { isAhead } from '../room/clock.ts';
import { spaceIn } from '../room/shared-limit.ts';

/** The number of clients without a record, which never pushed, whose generation is remembered. */
const MOST_IDLE_CLIENTS = 10_000;

/** The number of records that are kept after a day without a sign of their client: about 1 MB. */
const MOST_OLD_RECORDS = 10_000;

/** The pause between two searches for records that can be dropped. */
const SEARCH_MILLISECONDS = 10_000;

/** The room's memory of each client id: its last processed push, and its generation. */
export class ClientRecords {
  readonly #records: Map<string, ClientRecord>;
  /** The highest generation of clients that have no record, because they never pushed. */
  readonly #idleGenerations = new Map<string, number>();

  /** The number of records of each user, in a room that knows users. */
  readonly #ofUsers = new Map<string, number>();

  /** The time of the last search. */
  #searched = -Infinity;

  constructor(records: ReadonlyMap<string, ClientRecord>) {
    this.#records = new Map(records);
    for (const clientId of records.keys()) this.#count(clientId, 1);
  }

  /** Returns the number of the client's last processed push; 0 if unknown. */
  lastPush(clientId: string): number {
    return this.#records.get(clientId)?.lastPush ?? 0;
  }

  /** Returns the highest generation of the client's hellos; 0 if unknown. */
  generation(clientId: string): number {
    return this.#records.get(clientId)?.generation ?? this.#idleGenerations.get(clientId) ?? 0;
  }

  /** Remembers a hello. */
  noteHello(clientId: string, generation: number, ackedPush: number, now: number): void {
    const record = this.#records.get(clientId);
    if (record !== undefined) {
      this.#records.set(clientId, { ...record, generation, touched: now });
      this.noteAcked(clientId, ackedPush, now);
      return;
    }
    this.#idleGenerations.delete(clientId);
    this.#idleGenerations.set(clientId, generation);
    if (this.#idleGenerations.size <= MOST_IDLE_CLIENTS) return;
    for (const oldest of this.#idleGenerations.keys()) {
      this.#idleGenerations.delete(oldest);
      break;
    }
  }

  /** Remembers that the client has the acks up to that number. */
  noteAcked(clientId: string, ackedPush: number, now: number): void {
    const record = this.#records.get(clientId);
    if (record === undefined) return;
    const known = Math.min(ackedPush, record.lastPush);
    if (known > record.ackedPush)
      this.#records.set(clientId, { ...record, ackedPush: known, touched: now });
  }

  /**
   * Returns true if the client has a record or may get one (`FLOOD-5`): there are at most `most` records, and while few are left, a
   * user has at most its share. Before it returns false, it drops the confirmed records of clients that are away (`ONCE-5`).
   */
  hasSpace(
    clientId: string,
    most: number,
    now: number,
    connected: () => ReadonlySet<string>,
  ): boolean {
    if (this.#records.has(clientId) || this.#isSpaceFor(clientId, most)) return true;
    // A search of all records costs time, and the result of a moment ago is still good.
    if (Math.abs(now - this.#searched) < SEARCH_MILLISECONDS) return false;
    this.#searched = now;
    const present = connected();
    this.sweep(now, present);
    for (const [id, { lastPush, ackedPush }] of this.#records)
      if (ackedPush >= lastPush && !present.has(id)) this.#forget(id);
    return this.#isSpaceFor(clientId, most);
  }

  /** Remembers that a push was processed. */
  notePush(clientId: string, number: number, now: number): void {
    const record = this.#records.get(clientId);
    const generation = record?.generation ?? this.#takeIdleGeneration(clientId);
    const ackedPush = record?.ackedPush ?? 0;
    if (record === undefined) this.#count(clientId, 1);
    this.#records.set(clientId, { lastPush: number, ackedPush, touched: now, generation });
  }

  /** Drops records that were kept long enough (`ONCE-5`), except those of connected clients. */
  sweep(now: number, connected: ReadonlySet<string>): void {
    const old: (readonly [string, ClientRecord])[] = [];
    for (const entry of this.#records) {
      const [clientId, record] = entry;
      // The clock was set back since: the record counts as touched now.
      if (isAhead(record.touched, now)) this.#records.set(clientId, { ...record, touched: now });
      if (connected.has(clientId)) continue;
      if (isClientRecordExpired(record, now)) this.#forget(clientId);
      else if (isClientRecordOld(record, now)) old.push(entry);
    }
    old.sort(([, a], [, b]) => b.touched - a.touched);
    for (const [clientId] of old.slice(MOST_OLD_RECORDS)) this.#forget(clientId);
  }

  /** Returns a copy of all records. */
  snapshot(): ReadonlyMap<string, ClientRecord> {
    return new Map(this.#records);
  }

  #isSpaceFor(clientId: string, most: number): boolean {
    const ofUser = this.#ofUsers.get(userOf(clientId)) ?? 0;
    return spaceIn(most, this.#records.size, ofUser) === 'free';
  }

  #forget(clientId: string): void {
    if (this.#records.delete(clientId)) this.#count(clientId, -1);
  }

  #count(clientId: string, change: 1 | -1): void {
    const user = userOf(clientId);
    // In a room that knows no users, all would be one.
    if (user === '') return;
    const records = (this.#ofUsers.get(user) ?? 0) + change;
    if (records > 0) this.#ofUsers.set(user, records);
    else this.#ofUsers.delete(user);
  }

  #takeIdleGeneration(clientId: string): number {
    const generation = this.#idleGenerations.get(clientId) ?? 0;
    this.#idleGenerations.delete(clientId);
    return generation;
  }
}

/** Returns the user of a client: the end of its id in the records (`GATE-12`). Returns an empty text if it has none. */
function userOf(clientId: string): string {
  return clientId.slice(CLIENT_ID_LENGTH);
}
