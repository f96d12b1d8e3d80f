import type { KeyValueStorage, WriteOptions } from '../storage/key-value-storage.ts';
import { deleteKeys } from '../storage/ordered-writes.ts';

/** The port's limit, see {@link KeyValueStorage}. */
const KEYS_A_CALL = 128;

/** A write of a key. */
interface Note {
  readonly value: unknown;
  /** The write before it, in the same transactions. */
  readonly before: Note | undefined;
  hasFailed?: boolean;
}

/** A write that has failed while a transaction of the app was open. */
interface Failure {
  readonly error: unknown;
  /** True if it was made again: what was written before it, or after it, makes no room without it. */
  readonly isOfAgain: boolean;
}

/** The value of a key that was deleted. */
const DELETED = Symbol('deleted');

/**
 * The storage as the room itself uses it. On every host, what the room writes while a `transaction` of the app is open belongs to
 * that transaction. If it is rolled back, the room's writes are undone with it, though they have settled: so the room writes
 * them again (`DURABLE-6`).
 */
export class OwnStorage implements KeyValueStorage {
  readonly #storage: KeyValueStorage;
  #transactions = 0;
  /** The last write of each key by the room, since the first of the open transactions began. */
  readonly #written = new Map<string, Note>();
  /** Settles when everything is written again. Later writes wait for it: without what comes before them, they make no room. */
  #again: Promise<unknown> | undefined;
  /** A failure of such a write; undefined if there was none. */
  #failure: Failure | undefined;

  constructor(storage: KeyValueStorage) {
    this.#storage = storage;
  }

  /** True while a transaction of the app is open. */
  get isInTransaction(): boolean {
    return this.#transactions > 0;
  }

  /** Call it when a transaction of the app begins. */
  beginTransaction(): void {
    this.#transactions += 1;
  }

  /**
   * Call it when a transaction of the app has ended, before anything else is done. Resolves when the room's writes are there. Rejects
   * if they are not, or may not be: something that the room takes for stored is gone.
   */
  async endTransaction(isKept: boolean): Promise<void> {
    this.#transactions -= 1;
    const written = Array.from(this.#written, ([key, { value }]) => [key, value] as const);
    const failure = this.#failure;
    if (this.#transactions === 0) {
      this.#written.clear();
      this.#failure = undefined;
    }
    if (isKept) return;
    // What was there before the first of the transactions is a room.
    if (failure?.isOfAgain === true) throw failure.error;
    const again = Promise.all(this.#writeAgain(written));
    this.#again = again;
    try {
      await again;
    } catch (error) {
      if (this.#transactions > 0) this.#failure = { error, isOfAgain: true };
      throw error;
    } finally {
      if (this.#again === again) this.#again = undefined;
    }
    // It may have taken effect all the same, and the room may have read it since.
    if (failure !== undefined) throw failure.error;
  }

  get(keys: string[]): Promise<Map<string, unknown>> {
    return this.#storage.get(keys);
  }

  list(options: Parameters<KeyValueStorage['list']>[0]): Promise<Map<string, unknown>> {
    return this.#storage.list(options);
  }

  put(entries: Record<string, unknown>, options?: WriteOptions): Promise<void>;
  put(key: string, value: unknown, options?: WriteOptions): Promise<void>;
  put(
    written: Record<string, unknown> | string,
    second: unknown,
    third?: WriteOptions,
  ): Promise<void> {
    return this.#afterAgain(() => this.#put(written, second, third));
  }

  #put(
    written: Record<string, unknown> | string,
    second: unknown,
    third: WriteOptions | undefined,
  ): Promise<void> {
    const isOne = typeof written === 'string';
    const put = isOne
      ? this.#storage.put(written, second, third)
      : this.#storage.put(written, areOptions(second) ? second : undefined);
    if (this.#transactions === 0) return put;
    return this.#noting(isOne ? [[written, second]] : Object.entries(written), put);
  }

  delete(keys: string[], options?: WriteOptions): Promise<number> {
    return this.#afterAgain(() => {
      const deleted = this.#storage.delete(keys, options);
      if (this.#transactions === 0) return deleted;
      return this.#noting(
        keys.map((key) => [key, DELETED]),
        deleted,
      );
    });
  }

  sync(): Promise<void> {
    return this.#storage.sync?.() ?? Promise.resolve();
  }

  /** Writes at once, or when what is being written again is there. Rejects if that fails. */
  #afterAgain<T>(write: () => Promise<T>): Promise<T> {
    return this.#again?.then(() => this.#afterAgain(write)) ?? write();
  }

  /** Notes a write that has begun in a transaction. If it fails, it must not be made again: the room starts again without it. */
  #noting<T>(entries: readonly (readonly [string, unknown])[], done: Promise<T>): Promise<T> {
    for (const [key, value] of entries) {
      const before = this.#written.get(key);
      const note: Note = { value, before };
      // The last write of a key comes last.
      this.#written.delete(key);
      this.#written.set(key, note);
      done.catch((error: unknown) => {
        note.hasFailed = true;
        if (this.#transactions > 0) this.#failure ??= { error, isOfAgain: false };
        if (this.#written.get(key) !== note) return;
        const last = lastOf(before);
        if (last === undefined) this.#written.delete(key);
        else this.#written.set(key, last);
      });
    }
    return done;
  }

  /** Puts everything in one turn, so that a host makes it durable together. */
  *#writeAgain(written: readonly (readonly [string, unknown])[]): Iterable<Promise<unknown>> {
    const put = written.filter(([, value]) => value !== DELETED);
    for (let start = 0; start < put.length; start += KEYS_A_CALL)
      yield this.#storage.put(Object.fromEntries(put.slice(start, start + KEYS_A_CALL)));
    const deleted = written.flatMap(([key, value]) => (value === DELETED ? [key] : []));
    yield deleteKeys(this.#storage, deleted);
  }
}

/** Returns the last of these writes of a key that has not failed. */
function lastOf(note: Note | undefined): Note | undefined {
  return note?.hasFailed === true ? lastOf(note.before) : note;
}

function areOptions(candidate: unknown): candidate is WriteOptions {
  return typeof candidate === 'object' && candidate !== null && 'allowConcurrency' in candidate;
}
