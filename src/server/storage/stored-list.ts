import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { isList } from './json-shape.ts';
import type { KeyValueStorage } from './key-value-storage.ts';

/** The description of a {@link StoredList}. */
export interface StoredListOptions<Item> {
  readonly key: string;
  readonly isItem: (candidate: unknown) => candidate is Item;
  /** The message if the list cannot be read, or is damaged. */
  readonly unreadable: string;
  /** The message if the list cannot be written. */
  readonly unwritable: string;
}

/** A list that a feature keeps in one row of storage, as JSON. */
export class StoredList<Item> {
  readonly #storage: KeyValueStorage;
  readonly #options: StoredListOptions<Item>;

  constructor(storage: KeyValueStorage, options: StoredListOptions<Item>) {
    this.#storage = storage;
    this.#options = options;
  }

  /** Resolves to the list; empty if none is stored. Rejects with `unavailable`. */
  async read(): Promise<readonly Item[]> {
    const { key, unreadable } = this.#options;
    try {
      return this.#itemsOf((await this.#storage.get([key])).get(key));
    } catch (cause) {
      throw new TinyBasePartyKitError('unavailable', unreadable, { cause });
    }
  }

  /** Resolves when the list is on disk. Rejects with `unavailable`. */
  async write(items: readonly Item[]): Promise<void> {
    const { key, unwritable } = this.#options;
    try {
      await this.#storage.put(key, JSON.stringify(items));
      await this.#storage.sync?.();
    } catch (cause) {
      throw new TinyBasePartyKitError('unavailable', unwritable, { cause });
    }
  }

  #itemsOf(row: unknown): readonly Item[] {
    if (row === undefined) return [];
    const list: unknown = typeof row === 'string' ? JSON.parse(row) : undefined;
    if (isList(list) && list.every(this.#options.isItem)) return list;
    throw new TypeError(`The stored list ${this.#options.key} is damaged.`);
  }
}
