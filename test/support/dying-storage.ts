import type { KeyValueStorage } from '../../src/server/storage/key-value-storage.ts';
import { entriesOf, type Written } from './written.ts';

/** Where a process dies: in its put or delete with that number, counted from 1, with or without its effect. */
export interface Death {
  readonly write: number;
  readonly takesEffect: boolean;
}

/** Storage of a process that dies in one of its writes: that one and all later calls reject. Counts what it is asked. */
export class DyingStorage implements KeyValueStorage {
  readonly #storage: KeyValueStorage;
  readonly #death: Death | undefined;
  #isDead = false;
  /** Puts and deletes so far. */
  writes = 0;
  /** The keys of each put so far. */
  readonly puts: string[][] = [];

  constructor(storage: KeyValueStorage, death?: Death) {
    this.#storage = storage;
    this.#death = death;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  async get(keys: string[]): Promise<Map<string, unknown>> {
    this.#assertAlive();
    return await this.#storage.get(keys);
  }

  async put(written: Written, value?: unknown): Promise<void> {
    const entries = entriesOf(written, value);
    this.puts.push(Object.keys(entries));
    await this.#write(() => this.#storage.put(entries));
  }

  async delete(keys: string[]): Promise<number> {
    return await this.#write(() => this.#storage.delete(keys));
  }

  async list(options: Parameters<KeyValueStorage['list']>[0]): Promise<Map<string, unknown>> {
    this.#assertAlive();
    return await this.#storage.list(options);
  }

  async #write<T>(effect: () => Promise<T>): Promise<T> {
    this.#assertAlive();
    this.writes += 1;
    this.#isDead = this.writes === this.#death?.write;
    if (this.#isDead && this.#death?.takesEffect !== true) this.#assertAlive();
    const result = await effect();
    this.#assertAlive();
    return result;
  }

  #assertAlive(): void {
    if (this.#isDead) throw new Error('the process died');
  }
}
