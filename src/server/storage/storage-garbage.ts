import type { KeyValueStorage } from './key-value-storage.ts';
import { deleteKeys } from './ordered-writes.ts';

/** Keys that are to be removed. */
export class StorageGarbage {
  /** Nothing on disk names these. */
  #certain: readonly string[] = [];
  /** What a snapshot is made of whose manifest was to be written: it may be on disk, or not. */
  #doubtful: readonly string[] = [];
  #size = 0;

  /** What is known to be in it, in bytes, nearly. */
  get size(): number {
    return this.#size;
  }

  /** Begins anew, with what a load found. */
  reset(keys: readonly string[], size: number): void {
    this.#certain = keys;
    this.#doubtful = [];
    this.#size = size;
  }

  /**
   * Writes a manifest with these keys, then adds what it `replaced`. If that rejects, both the new manifest and the old
   * one may be on disk: then the keys of neither are removed before another has been written.
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

  /** Adds keys that were written, or perhaps not, for a manifest that never will be. */
  abandon(keys: readonly string[]): void {
    this.#certain = [...this.#certain, ...keys];
  }

  /** Removes all that nothing on disk names. */
  async sweep(storage: KeyValueStorage): Promise<void> {
    await deleteKeys(storage, this.#certain);
    this.#certain = [];
    this.#size = 0;
  }
}
