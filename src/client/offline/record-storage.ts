import { inTime } from '../../protocol/in-time.ts';
import type { FormerClient } from '../replica/former-client.ts';
import type { RecordScope } from './claim-record.ts';
import type { RecordKeys } from './client-record.ts';
import { noAnswer, type OfflineStorage, type OfflineWrite } from './offline-storage.ts';
import type { RecordWrite, StoredRecord } from './stored-record.ts';

/** A write that takes longer counts as failed. */
const WRITE_MILLISECONDS = 30_000;

/** Reads and writes one record on the device. Whatever takes too long counts as failed, and may still happen. */
export class RecordStorage {
  readonly #storage: OfflineStorage;
  readonly #keys: RecordKeys;
  readonly #record: StoredRecord;
  readonly #after: (milliseconds: number, callback: () => void) => () => void;
  #settled: Promise<unknown> = Promise.resolve();
  /** The removal of the record by this page, once there is one. Resolves to true if the record was as the page knew it. */
  #removed: Promise<boolean> | undefined;

  constructor(
    { storage, keys }: RecordScope,
    record: StoredRecord,
    after: (milliseconds: number, callback: () => void) => () => void,
  ) {
    this.#storage = storage;
    this.#keys = keys;
    this.#record = record;
    this.#after = after;
  }

  /** Settles when no write is under way, not even one that took too long. */
  get settled(): Promise<unknown> {
    return this.#settled;
  }

  /** Resolves to false if the head is neither the one that this page knows nor that of its own last words. */
  write(batch: RecordWrite): Promise<boolean> {
    const written = this.#write(batch.write);
    this.#record.moves.freeAfter(written);
    // Also if it is too late: the session has gone on then, and this tells what is in the record.
    const noted = written.then((isDone) => {
      if (isDone) this.#record.stored(batch);
      return isDone;
    });
    this.#settleAfter(noted);
    return this.#inTime(noted);
  }

  /** Keeps the edits of a page that may end before a write is done. Throws an error if they could not be kept. */
  writeLast(client: FormerClient): void {
    const last = this.#record.lastWrite(client);
    try {
      this.#storage.writeLast?.(last);
      this.#record.said(client, last);
    } catch (cause) {
      const { guard, set } = last;
      if (set.size > (set.has(guard.key) ? 1 : 0)) throw cause;
    }
  }

  /** Reads pages and changes of the base as one if there are many changes. */
  async compact(): Promise<void> {
    const { base, id } = this.#record;
    if (!base.hasManyChanges) return;
    base.compact(await this.#inTime(this.#storage.read(this.#keys.baseOf(id))));
  }

  /** Resolves to true when all held edits are removed, and to false if they cannot be. */
  async removeHeld(): Promise<boolean> {
    const { held } = this.#record;
    held.removed();
    return await this.#inTime(this.#remove([held.key], true)).catch(() => false);
  }

  /** Removes the record. */
  remove(): void {
    const removed = this.#remove(this.#keys.all(this.#record.id), false);
    this.#removed = removed.catch(() => false);
  }

  /** Resolves to the head as it is now, and to true if this page has removed the record, which nobody had changed. */
  find(): Promise<readonly [string | undefined, boolean | undefined]> {
    const asked = Promise.all([this.#head(), this.#removed]);
    return this.#inTime(asked);
  }

  /** Resolves to false if somebody has removed the record. One that cannot be read may be there. */
  isThere(): Promise<boolean> {
    return this.#inTime(this.#head()).then(
      (text) => text !== undefined,
      () => true,
    );
  }

  async #head(): Promise<string | undefined> {
    const { key } = this.#record.head;
    return (await this.#storage.read(key)).get(key);
  }

  async #write(write: OfflineWrite): Promise<boolean> {
    if (await this.#storage.write(write)) return true;
    const guard = this.#record.head.saidGuard;
    return guard.value !== undefined && (await this.#storage.write({ ...write, guard }));
  }

  #remove(remove: readonly string[], isStrict: boolean): Promise<boolean> {
    const { guard } = this.#record.head;
    const removed = this.#storage.write({ guard, remove, set: new Map(), isStrict });
    this.#settleAfter(removed);
    return removed;
  }

  #inTime<T>(promise: Promise<T>): Promise<T> {
    return inTime(promise, WRITE_MILLISECONDS, this.#after, noAnswer);
  }

  #settleAfter(write: Promise<unknown>): void {
    const before = this.#settled;
    const end = (): Promise<unknown> => before;
    this.#settled = write.then(end, end);
  }
}
