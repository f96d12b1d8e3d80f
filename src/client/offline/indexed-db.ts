/** The one file that knows IndexedDB, Web Locks, sessionStorage and localStorage. */
import { openDB, type IDBPDatabase, type IDBPTransaction } from 'idb';

import { notGot } from '../../protocol/option-kinds.ts';
import type { OfflineDevice } from './durable-outbox.ts';
import { assertOptions, offlineOf, type Offline } from './offline.ts';
import { LastWords, type LeftWrite } from './last-words.ts';
import type { LastWrite, OfflineLocks, OfflineStorage, OfflineWrite } from './offline-storage.ts';

const DATABASE = 'tinybase-partykit';
const ENTRIES = 'entries';
/** The version of the database. That of its entries is in `client-record.ts`. */
const VERSION = 1;

const LOCKS_MESSAGE =
  'This page keeps content, but no edits: it has no Web Locks. Open it by HTTPS, or from localhost.';

/** The options of {@link createIndexedDbOffline}. */
export interface IndexedDbOfflineOptions {
  /** The id of the user whose edits these are. Another user of the same browser neither shows nor sends them. */
  readonly user?: string | undefined;
  /** The name of the database; `'tinybase-partykit'` by default. */
  readonly databaseName?: string | undefined;
}

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof IndexedDbOfflineOptions, true>> = {
  user: true,
  databaseName: true,
};

/**
 * Creates the offline part of a persister for browsers: content, cursor and edits are kept in IndexedDB. Use one for all
 * persisters of a user. Throws `misuse` for options that do not exist: with a wrong name of `user`, users would share their edits.
 *
 * @example
 * ```ts
 * import { PartySocket } from 'partysocket';
 * import { createStore } from 'tinybase';
 * import { createPartyKitPersister } from 'tinybase-partykit/client';
 * import { createIndexedDbOffline } from 'tinybase-partykit/client/offline';
 *
 * const socket = new PartySocket({ host: location.host, room: 'my-board' });
 * const offline = createIndexedDbOffline();
 * const persister = createPartyKitPersister(createStore(), socket, { offline });
 * await persister.startAutoPersisting();
 * ```
 */
export function createIndexedDbOffline(options: IndexedDbOfflineOptions = {}): Offline {
  assertOptions('createIndexedDbOffline', options, OPTIONS);
  const { user, databaseName = DATABASE } = options;
  const storage = new IndexedDbStorage(databaseName);
  const open = async (): Promise<OfflineStorage> => {
    await storage.open();
    return storage;
  };
  const locks = webLocks();
  return offlineOf(
    { storage: open, locks, user },
    {
      lack: locks === undefined ? LOCKS_MESSAGE : undefined,
      lastClient: TAB_MEMORY,
      onEnd: listenForEnd,
      writeLast: (write) => storage.writeLast(write),
    },
  );
}

/** Opens a storage in IndexedDB. Rejects if there is none. */
export async function openIndexedDbStorage(databaseName: string): Promise<OfflineStorage> {
  const storage = new IndexedDbStorage(databaseName);
  await storage.open();
  return storage;
}

class IndexedDbStorage implements OfflineStorage {
  readonly #name: string;
  readonly #lastWords: LastWords;
  readonly #stay = new PageStay();
  #database: Promise<IDBPDatabase> | undefined;

  constructor(name: string) {
    const given: unknown = name;
    // The browser would take its text for one: that of a promise is the same for all users.
    if (typeof given !== 'string') throw notGot('IndexedDB', 'text as its option databaseName');
    this.#name = name;
    // No name is the beginning of another one's key.
    const prefix = `tinybase-partykit:last:${VERSION}:${JSON.stringify(name)}:`;
    this.#lastWords = new LastWords(prefix);
  }

  open(): Promise<IDBPDatabase> {
    // Somebody who deletes the database, or needs a newer version of it, does not have to wait.
    const close = (): void => {
      const closed = this.#database;
      this.#database = undefined;
      void closed?.then((database) => database.close());
    };
    if (this.#database === undefined) {
      this.#database = openDB(this.#name, VERSION, {
        upgrade: (database) => {
          database.createObjectStore(ENTRIES);
        },
        blocking: close,
        // A browser may end a connection by itself. The next access makes another one.
        terminated: close,
      });
      this.#database.catch(() => {
        this.#database = undefined;
      });
    }
    return this.#database;
  }

  async read(prefix: string): Promise<ReadonlyMap<string, string>> {
    const left = this.#lastWords.left();
    if (left.length > 0) await this.#writeLeft(left);
    return await this.#access('readonly', 'relaxed', async ({ store }) => {
      const [keys, values]: [unknown[], unknown[]] = await Promise.all([
        store.getAllKeys(rangeOf(prefix)),
        store.getAll(rangeOf(prefix)),
      ]);
      return new Map(keys.map((key, index) => [String(key), String(values[index])]));
    });
  }

  async write({ guard, remove, set, isStrict }: OfflineWrite): Promise<boolean> {
    // A write that began earlier may lack some of them.
    const { count } = this.#lastWords;
    // That of a user is removed without a guard.
    const left = guard === undefined ? this.#lastWords.left() : [];
    if (left.length > 0) await this.#writeLeft(left);
    const durability = isStrict === true ? 'strict' : 'relaxed';
    const isDone = await this.#access('readwrite', durability, async ({ store, done }) => {
      if (guard !== undefined && (await store.get(guard.key)) !== guard.value) {
        await done;
        return false;
      }
      const requests: Promise<unknown>[] = remove.map((prefix) => store.delete(rangeOf(prefix)));
      for (const [key, value] of set) requests.push(store.put(value, key));
      await Promise.all([...requests, done]);
      return true;
    });
    if (isDone) this.#lastWords.takeBack(count);
    return isDone;
  }

  writeLast(write: LastWrite): void {
    this.#lastWords.say(write);
  }

  /** Does the last writes of pages that have ended. One may be done twice, as a power failure does it. */
  async #writeLeft(left: readonly LeftWrite[]): Promise<void> {
    for (const { guard, remove, set, isLeft, forget } of left) {
      await this.#access('readwrite', 'strict', async ({ store, done }) => {
        const requests: Promise<unknown>[] = [done];
        const current: unknown = await store.get(guard.key);
        // Another page may have done it meanwhile, and more than that.
        if (guard.values.some((value) => value === current) && isLeft()) {
          for (const prefix of remove) requests.push(store.delete(rangeOf(prefix)));
          for (const [key, value] of set) requests.push(store.put(value, key));
        }
        await Promise.all(requests);
      });
      forget();
    }
  }

  /** Uses a transaction. If the browser puts the page aside meanwhile, that is aborted, and the page does it when it is back. */
  async #access<T, Mode extends 'readonly' | 'readwrite'>(
    mode: Mode,
    durability: IDBTransactionDurability,
    use: (transaction: IDBPTransaction<unknown, [typeof ENTRIES], Mode>) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      await this.#stay.present();
      const database = await this.open();
      if (this.#stay.isAside) continue;
      const transaction = database.transaction(ENTRIES, mode, { durability });
      // A request that fails says so itself.
      transaction.done.catch(() => undefined);
      const end = this.#stay.during(() => {
        try {
          transaction.abort();
        } catch {
          // It is done.
        }
      });
      try {
        return await use(transaction);
      } catch (error) {
        if (!end()) throw error;
      } finally {
        end();
      }
    }
  }
}

/** The time in which a page that comes back hears that its locks were taken away. */
const RETURN_MILLISECONDS = 100;

/**
 * Tells if the browser keeps this page for its "back" button. Safari stops all that such a page does, also its transactions, and those of
 * other pages wait for them.
 */
class PageStay {
  readonly #uses = new Map<object, () => void>();
  #back: Promise<void> | undefined;

  constructor() {
    const { window }: { readonly window?: Window } = globalThis;
    window?.addEventListener('pagehide', ({ persisted }) => {
      // A page that ends takes its transactions along.
      if (!persisted || this.#back !== undefined) return;
      this.#back = new Promise((resolve) => {
        window.addEventListener(
          'pageshow',
          () =>
            setTimeout(() => {
              this.#back = undefined;
              resolve();
            }, RETURN_MILLISECONDS),
          { once: true },
        );
      });
      const uses = [...this.#uses.values()];
      this.#uses.clear();
      for (const abort of uses) abort();
    });
  }

  get isAside(): boolean {
    return this.#back !== undefined;
  }

  /** Resolves when the page is there. */
  async present(): Promise<void> {
    while (this.#back !== undefined) await this.#back;
  }

  /** Calls back if the page is put aside. Returns a function that ends this, which returns true if it was. */
  during(abort: () => void): () => boolean {
    const key = {};
    this.#uses.set(key, abort);
    return () => !this.#uses.delete(key);
  }
}

/** Every key that begins with the prefix. No key has a character that comes after the last of the range. */
function rangeOf(prefix: string): IDBKeyRange {
  return IDBKeyRange.bound(prefix, `${prefix}\uffff`);
}

/** Returns the locks of this origin; undefined where there are none, as on a page that came by plain HTTP. */
function webLocks(): OfflineLocks | undefined {
  const { navigator }: { readonly navigator?: { readonly locks?: LockManager } } = globalThis;
  const locks = navigator?.locks;
  if (locks === undefined) return undefined;
  return {
    take: (name, milliseconds, onLost) =>
      new Promise((resolve) => {
        let isHeld = false;
        const controller = new AbortController();
        const timer =
          milliseconds > 0 ? setTimeout(() => controller.abort(), milliseconds) : undefined;
        const options =
          milliseconds > 0 ? { signal: controller.signal } : { ifAvailable: true as const };
        locks
          .request(name, options, (lock) => {
            clearTimeout(timer);
            isHeld = lock !== null;
            return lock === null
              ? resolve(undefined)
              : new Promise<void>((release) => resolve(release));
          })
          .catch(() => {
            // The lock was held, and the browser has taken it away.
            if (isHeld) onLost?.();
            else resolve(undefined);
          });
      }),
  };
}

/** Calls back when the page is about to end. It may come back from that: a browser keeps pages for its "back" button. */
function listenForEnd(callback: (isEnding: boolean) => void): () => void {
  // Workers have no such event.
  const { window }: { readonly window?: Window } = globalThis;
  const tell = ({ type }: Event): void => callback(type === 'pagehide');
  window?.addEventListener('pagehide', tell);
  window?.addEventListener('pageshow', tell);
  return () => {
    window?.removeEventListener('pagehide', tell);
    window?.removeEventListener('pageshow', tell);
  };
}

/** The memory of a tab. Another tab may have a copy of it. */
const TAB_MEMORY: OfflineDevice['lastClient'] = {
  get: (scope) => withTab((tab) => tab.getItem(keyOf(scope)) ?? undefined),
  set: (scope, recordId) => withTab((tab) => tab.setItem(keyOf(scope), recordId)),
};

function keyOf(scope: string): string {
  return `tinybase-partykit:${scope}`;
}

/** A browser may refuse access to it, or not have it at all. Then a page continues any client that has ended. */
function withTab<T>(use: (tab: Storage) => T): T | undefined {
  try {
    return use(sessionStorage);
  } catch {
    return undefined;
  }
}
