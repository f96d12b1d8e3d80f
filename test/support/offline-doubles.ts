import { setImmediate as nextTurn } from 'node:timers/promises';

import type {
  LastWrite,
  OfflineLocks,
  OfflineStorage,
  OfflineWrite,
} from '../../src/client/offline/offline-storage.ts';

/** A storage in memory. Give several tabs the same one. */
export class MemoryOfflineStorage implements OfflineStorage {
  readonly entries: Map<string, string> = new Map();
  /** The writes so far that had an effect. */
  readonly writes: OfflineWrite[] = [];

  async read(prefix: string): Promise<ReadonlyMap<string, string>> {
    return new Map([...this.entries].filter(([key]) => key.startsWith(prefix)));
  }

  async write(write: OfflineWrite): Promise<boolean> {
    return this.apply(write);
  }

  writeLast({ guard, remove, set }: LastWrite): void {
    if (guard.values.includes(this.entries.get(guard.key))) this.apply({ remove, set });
  }

  apply(write: OfflineWrite): boolean {
    const { guard, remove, set } = write;
    if (guard !== undefined && this.entries.get(guard.key) !== guard.value) return false;
    for (const prefix of remove)
      for (const key of this.entries.keys()) if (key.startsWith(prefix)) this.entries.delete(key);
    for (const [key, value] of set) this.entries.set(key, value);
    this.writes.push(write);
    return true;
  }
}

export interface WaitingWrite {
  readonly write: OfflineWrite;
  readonly take: () => void;
  readonly fail: (error: unknown) => void;
}

/** A storage whose writes take effect when the test says so. */
export class ManualOfflineStorage extends MemoryOfflineStorage {
  readonly waiting: WaitingWrite[] = [];

  override write(write: OfflineWrite): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ write, take: () => resolve(this.apply(write)), fail: reject });
    });
  }

  /** Lets writes happen, one after the other, until none waits. */
  async writeAll(): Promise<void> {
    for (;;) {
      for (let turn = 0; turn < 5; turn += 1) await nextTurn();
      if (this.waiting.length === 0) return;
      this.next().take();
    }
  }

  /** The oldest write that waits. */
  next(): WaitingWrite {
    const next = this.waiting.shift();
    if (next === undefined) throw new Error('nothing was written');
    return next;
  }
}

/** Locks in memory. A tab that dies frees its locks: see {@link MemoryLocks.end}. */
export class MemoryLocks {
  /** The tabs that hold them, each hold in an object of its own. */
  readonly #held = new Map<
    string,
    { readonly tab: object; readonly onLost: (() => void) | undefined }
  >();

  /** The locks as one tab has them. */
  of(tab: object): OfflineLocks {
    return {
      take: async (name, _milliseconds, onLost) => {
        if (this.#held.has(name)) return undefined;
        const hold = { tab, onLost };
        this.#held.set(name, hold);
        // What a dead tab still does frees no lock that another one has taken since.
        return () => this.#held.get(name) === hold && this.#held.delete(name);
      },
    };
  }

  /** Frees the locks of a tab. */
  end(tab: object): void {
    for (const [name, hold] of this.#held) if (hold.tab === tab) this.#held.delete(name);
  }

  /** Takes all locks away from a tab. It hears of that when the returned function is called, as it comes back. */
  takeAway(tab: object): () => void {
    const taken = [...this.#held.values()].filter((hold) => hold.tab === tab);
    this.end(tab);
    return () => {
      for (const { onLost } of taken) onLost?.();
    };
  }

  /** The number of locks that are held. */
  get count(): number {
    return this.#held.size;
  }
}
