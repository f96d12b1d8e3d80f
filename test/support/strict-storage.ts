import { Serializer } from 'node:v8';

import type { KeyValueStorage } from '../../src/server/storage/key-value-storage.ts';
import { entriesOf, type Written } from './written.ts';

const KEY_BYTES = 2_048;
const VALUE_BYTES = 131_072;
const KEYS_A_CALL = 128;
const IS_ASCII = /^[\u0020-\u007e]*$/;

/** What was asked of a {@link StrictStorage} and passed its checks. */
export interface StorageCounts {
  puts: number;
  deletes: number;
  /** Gets and lists. */
  reads: number;
  keysPut: number;
  keysDeleted: number;
  /** Of values, serialised. */
  bytesPut: number;
}

interface PlannedFailure {
  spared: number;
  left: number;
  readonly takesEffect: boolean;
}

/** Options of a {@link StrictStorage}. */
export interface StrictStorageOptions {
  /**
   * Called once for each call to the storage, with what makes the oldest call in flight take effect and settle: run it
   * when that should happen. Calls take effect in the order they were made, whatever order these are run in. Without
   * it, a call takes effect as soon as it is made.
   */
  readonly defer?: (run: () => void) => void;
}

/**
 * Storage in memory that is as strict as production: key, value and call sizes, structured clones in and out, keys in
 * the order of their bytes, one call one atomic effect. It can be made to fail and to crash.
 */
export class StrictStorage implements KeyValueStorage {
  readonly counts: StorageCounts = {
    puts: 0,
    deletes: 0,
    reads: 0,
    keysPut: 0,
    keysDeleted: 0,
    bytesPut: 0,
  };
  readonly #values: Map<string, unknown>;
  readonly #defer: (run: () => void) => void;
  /** Each makes its call take effect, and returns what settles it. */
  #inFlight: (() => () => void)[] = [];
  #failure: PlannedFailure | undefined;
  #isFrozen = false;
  /** True once a call has failed. */
  #hasFailed = false;

  constructor(
    options: StrictStorageOptions = {},
    values: ReadonlyMap<string, unknown> = new Map(),
  ) {
    this.#defer = options.defer ?? ((run) => run());
    this.#values = new Map(values);
  }

  /** How many calls have been made that did not take effect yet. */
  get inFlight(): number {
    return this.#inFlight.length;
  }

  /** How many keys there are. */
  get size(): number {
    return this.#values.size;
  }

  /** Makes the next `count` puts and deletes reject, with or without taking effect; or those after some are spared. */
  failWrites(count: number, options: { takesEffect: boolean; spared?: number }): void {
    this.#failure = { spared: 0, left: count, ...options };
  }

  /**
   * The process dies: nothing settles any more. Of the calls in flight the first `effects` still take effect, or those
   * before the first that fails, on a host that does no more once one has failed. What is
   * then on disk is in {@link StrictStorage.copy}.
   */
  freeze(
    effects = 0,
    { stopsAtFailure = false }: { readonly stopsAtFailure?: boolean } = {},
  ): void {
    this.#isFrozen = true;
    this.#hasFailed = false;
    for (const takeEffect of this.#inFlight.splice(0).slice(0, effects)) {
      takeEffect();
      if (stopsAtFailure && this.#hasFailed) break;
    }
  }

  /** Another storage with what is on this one's disk now. Calls in flight are not in it. */
  copy(options: StrictStorageOptions = {}): StrictStorage {
    return new StrictStorage(options, this.#values);
  }

  async get(keys: string[]): Promise<Map<string, unknown>> {
    assertKeys(keys);
    this.counts.reads += 1;
    return await this.#call(() => {
      const found = new Map<string, unknown>();
      for (const key of keys) if (this.#values.has(key)) found.set(key, this.#read(key));
      return found;
    });
  }

  async put(written: Written, lone?: unknown): Promise<void> {
    const entries = entriesOf(written, lone);
    assertKeys(Object.keys(entries));
    const clones = Object.entries(entries).map(([key, value]) => {
      this.counts.bytesPut += assertValue(key, value);
      return [key, structuredClone(value)] as const;
    });
    this.counts.puts += 1;
    this.counts.keysPut += clones.length;
    await this.#write(() => {
      for (const [key, value] of clones) this.#values.set(key, value);
    });
  }

  async delete(keys: string[]): Promise<number> {
    assertKeys(keys);
    const names = [...keys];
    this.counts.deletes += 1;
    this.counts.keysDeleted += names.length;
    return await this.#write(() => names.filter((key) => this.#values.delete(key)).length);
  }

  async deleteAll(): Promise<void> {
    this.counts.deletes += 1;
    await this.#write(() => this.#values.clear());
  }

  async list(options: Parameters<KeyValueStorage['list']>[0] = {}): Promise<Map<string, unknown>> {
    const { prefix = '', start = '', end, limit = Infinity } = options;
    this.counts.reads += 1;
    return await this.#call(() => {
      const first = byteOrder(start);
      const last = end === undefined ? undefined : byteOrder(end);
      const keys = [...this.#values.keys()]
        .filter((key) => key.startsWith(prefix) && byteOrder(key) >= first)
        .filter((key) => last === undefined || byteOrder(key) < last)
        .sort((a, b) => (byteOrder(a) < byteOrder(b) ? -1 : 1));
      return new Map(keys.slice(0, limit).map((key) => [key, this.#read(key)]));
    });
  }

  #read(key: string): unknown {
    return structuredClone(this.#values.get(key));
  }

  async #write<T>(effect: () => T): Promise<T> {
    const failure = this.#failure;
    if (failure === undefined || failure.left === 0 || failure.spared-- > 0) {
      return await this.#call(effect);
    }
    failure.left -= 1;
    return await this.#call(() => {
      if (failure.takesEffect) effect();
      throw new Error('the disk failed');
    });
  }

  #call<T>(effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#isFrozen) return;
      this.#inFlight.push(() => {
        try {
          const result = effect();
          return () => resolve(result);
        } catch (error) {
          this.#hasFailed = true;
          return () => reject(error);
        }
      });
      this.#defer(() => this.#inFlight.shift()?.()());
    });
  }
}

function assertKeys(keys: readonly string[]): void {
  if (keys.length > KEYS_A_CALL) throw new RangeError(`${keys.length} keys in one call`);
  for (const key of keys) {
    if (key === '') throw new RangeError('an empty key');
    if (Buffer.byteLength(key) > KEY_BYTES) throw new RangeError(`the key ${key} is too long`);
  }
}

/** Returns the value's size in bytes. */
function assertValue(key: string, value: unknown): number {
  if (value === undefined) throw new TypeError(`the value of ${key} is undefined`);
  // Not v8.serialize: that writes only the bytes of a view, and hosts write all of the buffer behind it.
  const serializer = new Serializer();
  serializer.writeHeader();
  serializer.writeValue(value);
  const { length } = serializer.releaseBuffer();
  if (length > VALUE_BYTES) throw new RangeError(`the value of ${key} takes ${length} bytes`);
  return length;
}

/** A string whose order, by UTF-16 units, is that of the key's bytes in UTF-8. */
function byteOrder(key: string): string {
  return IS_ASCII.test(key) ? key : Buffer.from(key).toString('latin1');
}
