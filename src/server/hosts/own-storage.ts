import type { KeyValueStorage, WriteOptions } from '../storage/key-value-storage.ts';
import { deleteKeys } from '../storage/ordered-writes.ts';

/** The port's limit, see {@link KeyValueStorage}. */
const KEYS_A_CALL = 128;

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
   * if they are not: something that the room takes for stored is gone.
   */
  async endTransaction(isKept: boolean): Promise<void> {
    this.#transactions -= 1;
    const written = [...this.#written];
    if (this.#transactions === 0) this.#written.clear();
    if (isKept) return;
    await Promise.all(this.#writeAgain(written));
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
    if (typeof written === 'string') {
      if (this.#transactions > 0) this.#note(written, second);
      return this.#storage.put(written, second, third);
    }
    if (this.#transactions > 0)
      for (const [key, value] of Object.entries(written)) this.#note(key, value);
    return this.#storage.put(written, areOptions(second) ? second : undefined);
  }

  delete(keys: string[], options?: WriteOptions): Promise<number> {
    if (this.#transactions > 0) for (const key of keys) this.#note(key, DELETED);
    return this.#storage.delete(keys, options);
  }

  sync(): Promise<void> {
    return this.#storage.sync?.() ?? Promise.resolve();
  }

  #note(key: string, value: unknown): void {
    // The last write of a key comes last.
    this.#written.delete(key);
    this.#written.set(key, value);
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
