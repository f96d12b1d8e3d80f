import type { Store } from 'tinybase';

import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { cellIds } from './stock-layout.ts';

/** The part of a room that the watch needs. */
interface WatchedRoom {
  readonly store: Store;
  readonly isLoaded: boolean;
}

/**
 * Notices an app that reads the Store where TinyBase's own server keeps it: in keys of storage. Nothing is there in a room of
 * this package, or what was there before the takeover. It reports that once.
 */
export class StockKeyWatch {
  readonly #room: WatchedRoom;
  readonly #prefix: () => string;
  readonly #onError: (error: unknown) => void;
  #isReported = false;

  constructor(room: WatchedRoom, prefix: () => string, onError: (error: unknown) => void) {
    this.#room = room;
    this.#prefix = prefix;
    this.#onError = onError;
  }

  /** `keys` is what `storage.get` is called with: a key or a list of keys. */
  onGet(keys: unknown): void {
    // The room itself reads such keys while it loads.
    if (this.#isReported || !this.#room.isLoaded) return;
    for (const key of Array.isArray(keys) ? keys : [keys]) {
      const call = typeof key === 'string' ? this.#callInstead(key) : undefined;
      if (call === undefined) continue;
      this.#isReported = true;
      const message = `storage.get(${JSON.stringify(key)}) read a key of TinyBase's own server. This room does not keep its Store there, so the app gets undefined or an old value. Use this.store.${call}.`;
      this.#onError(new TinyBasePartyKitError('misuse', message));
      return;
    }
  }

  /** Returns the call that reads what the Store has under that key of TinyBase's own layout; undefined if it has nothing. */
  #callInstead(key: string): string | undefined {
    const prefix = this.#prefix();
    if (!key.startsWith(prefix)) return undefined;
    const { store } = this.#room;
    const id = key.slice(prefix.length + 1);
    switch (key[prefix.length]) {
      case 'v':
        return store.hasValue(id) ? `getValue(${JSON.stringify(id)})` : undefined;
      case 't': {
        const [table, row, cell] = cellIds(id) ?? [];
        if (table === undefined || row === undefined || cell === undefined) return undefined;
        return store.hasCell(table, row, cell)
          ? `getCell(${[table, row, cell].map((part) => JSON.stringify(part)).join(', ')})`
          : undefined;
      }
      default:
        return undefined;
    }
  }
}
