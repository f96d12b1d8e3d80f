import type { KeyValueStorage, WriteOptions } from '../storage/key-value-storage.ts';
import { deleteKeys, KEYS_A_CALL } from '../storage/ordered-writes.ts';

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
  readonly #written = new Map<string, unknown>();
  /** Settles when everything is written again. Later writes wait for it: without what comes before them, they make no room. */
  #again: Promise<unknown> | undefined;
  /** The first failure of such a write; undefined if there was none. */
  #failure: { readonly error: unknown } | undefined;

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
   * if they are not: something that the room takes for stored is gone. So after a failed write, nothing is written again: what was there
   * before the transaction is a room, and a part of what came after it may be none.
   */
  async endTransaction(isKept: boolean): Promise<void> {
    this.#transactions -= 1;
    const written = [...this.#written];
    const failure = this.#failure;
    if (this.#transactions === 0) {
      this.#written.clear();
      this.#failure = undefined;
    }
    if (isKept) return;
    if (failure !== undefined) throw failure.error;
    const again = Promise.all(this.#writeAgain(written));
    this.#again = again;
    try {
      await again;
    } catch (error) {
      this.#failed(error);
      throw error;
    } finally {
      if (this.#again === again) this.#again = undefined;
    }
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

  /** Notes a write that has begun in a transaction. */
  #noting<T>(entries: readonly (readonly [string, unknown])[], done: Promise<T>): Promise<T> {
    for (const [key, value] of entries) {
      // The last write of a key comes last.
      this.#written.delete(key);
      this.#written.set(key, value);
    }
    done.catch((error: unknown) => this.#failed(error));
    return done;
  }

  #failed(error: unknown): void {
    if (this.#transactions > 0) this.#failure ??= { error };
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

function areOptions(candidate: unknown): candidate is WriteOptions {
  return typeof candidate === 'object' && candidate !== null && 'allowConcurrency' in candidate;
}
