import type { KeyValueStorage } from './key-value-storage.ts';
import { deleteKeys } from './ordered-writes.ts';

/** The keys that have to be removed. */
export class StorageGarbage {
  /** The keys that nothing on disk names. */
  #certain: readonly string[] = [];
  /** The keys of a snapshot whose manifest may or may not be on disk. */
  #doubtful: readonly string[] = [];
  #size = 0;

  /** The approximate size of the known garbage, in bytes. */
  get size(): number {
    return this.#size;
  }

  /** Starts again with the keys that a load found. */
  reset(keys: readonly string[], size: number): void {
    this.#certain = keys;
    this.#doubtful = [];
    this.#size = size;
  }

  /**
   * Writes a manifest with these keys, then adds the keys that it `replaced`. If the write rejects, either manifest may be
   * on disk: then no key of the two is removed until another manifest has been written.
   */
  async replace(
    keys: readonly string[],
    write: () => Promise<void>,
    replaced: readonly string[],
  ): Promise<void> {
    const doubtful = this.#doubtful;
    this.#doubtful = [...doubtful, ...keys];
    await write();
    this.#doubtful = [];
    this.#certain = [...this.#certain, ...doubtful, ...replaced];
  }

  /** Adds keys for a manifest that will never be written. The keys themselves may be on disk. */
  abandon(keys: readonly string[]): void {
    this.#certain = [...this.#certain, ...keys];
  }

  /** Removes all keys that nothing on disk names. */
  async sweep(storage: KeyValueStorage): Promise<void> {
    await deleteKeys(storage, this.#certain);
    this.#certain = [];
    this.#size = 0;
  }
}
