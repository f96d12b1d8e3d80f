/** A write of an {@link OfflineStorage}: all of it happens, or nothing. */
export interface OfflineWrite {
  /** If given, nothing is written unless this key has this value; undefined: unless there is no such key. */
  readonly guard?: { readonly key: string; readonly value: string | undefined } | undefined;
  /** Removes every key that begins with one of these texts. This comes before `set`. */
  readonly remove: readonly string[];
  readonly set: ReadonlyMap<string, string>;
  /**
   * True if this write, and all writes before it, have to survive a power failure too. A power failure may undo any others, the
   * latest ones first (OFFLINE-9).
   */
  readonly isStrict?: boolean | undefined;
}

/** The entries that a page sets as the last it does (OFFLINE-13). */
export interface LastWrite {
  /**
   * Nothing is written unless this key has one of these values, or unless there is no such key if undefined is one of them. A page
   * that comes back changes the value, so that its words of before do not undo what it writes from then on.
   */
  readonly guard: { readonly key: string; readonly values: readonly (string | undefined)[] };
  /** Removes every key that begins with one of these texts. This comes before `set`. */
  readonly remove: readonly string[];
  readonly set: ReadonlyMap<string, string>;
}

/**
 * The place where a device keeps what a room's client has to remember: texts by key. An app brings its own for a platform
 * without IndexedDB. Keys and values hold any characters. A value is up to a few MiB long.
 */
export interface OfflineStorage {
  /** Returns every entry whose key begins with `prefix`, as of one moment, after all writes that were called before. */
  read(prefix: string): Promise<ReadonlyMap<string, string>>;
  /**
   * Resolves to true when the write survives the end of the process, and to false if the guard prevented it. Writes take
   * effect in the order of the calls.
   */
  write(write: OfflineWrite): Promise<boolean>;
  /**
   * Called when the page is about to end, for edits whose write may be cut off by that. The write takes effect before anything is
   * read after the end of the page. It takes the place of an earlier one whose guard has the same key. Without this method those edits
   * may be lost. If it throws an error, the app is told so.
   */
  writeLast?(write: LastWrite): void;
}

/** Locks that all tabs or processes on one {@link OfflineStorage} share. The end of a process frees its locks. */
export interface OfflineLocks {
  /**
   * Takes a lock, and returns a function that frees it. Returns undefined if another holder does not free it in this time; with
   * 0, if it is not free now. `onLost` is called if the lock is taken away from its holder, as Safari does it to a page that it keeps for
   * its "back" button.
   */
  take(name: string, milliseconds: number, onLost?: () => void): Promise<(() => void) | undefined>;
}

/** Returns the error of a storage that takes too long. */
export function noAnswer(): Error {
  return new Error('The storage of this device does not answer.');
}
