import type { KeyValueStorage } from '../../src/server/storage/key-value-storage.ts';
import { entriesOf, type Written } from '../../test/support/written.ts';

/** Storage that costs next to nothing, and counts. */
export class MemoryStorage implements KeyValueStorage {
  readonly values: Map<string, unknown> = new Map();
  keysWritten = 0;
  keysDeleted = 0;

  get bytes(): number {
    let bytes = 0;
    for (const value of this.values.values()) {
      if (typeof value === 'string') bytes += value.length;
      else if (ArrayBuffer.isView(value)) bytes += value.byteLength;
    }
    return bytes;
  }

  get(keys: string[]): Promise<Map<string, unknown>> {
    const found = keys.filter((key) => this.values.has(key));
    return Promise.resolve(new Map(found.map((key) => [key, this.values.get(key)])));
  }

  put(written: Written, lone?: unknown): Promise<void> {
    for (const [key, value] of Object.entries(entriesOf(written, lone))) {
      this.values.set(key, value);
      this.keysWritten += 1;
    }
    return Promise.resolve();
  }

  delete(keys: string[]): Promise<number> {
    this.keysDeleted += keys.length;
    return Promise.resolve(keys.filter((key) => this.values.delete(key)).length);
  }

  list(options: Parameters<KeyValueStorage['list']>[0]): Promise<Map<string, unknown>> {
    const { prefix = '', start = '', end, limit = Infinity } = options;
    const keys = [...this.values.keys()].filter(
      (key) => key.startsWith(prefix) && key >= start && (end === undefined || key < end),
    );
    const found = keys.toSorted().slice(0, limit);
    return Promise.resolve(new Map(found.map((key) => [key, this.values.get(key)])));
  }
}
