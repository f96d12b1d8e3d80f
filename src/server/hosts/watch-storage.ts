/** Called when a transaction of the app has ended. */
export type TransactionEnd = (isKept: boolean, deleted?: readonly unknown[]) => Promise<void>;

/** The room's work around calls of the app on its storage. Each method calls `proceed` once, or fails the app's call. */
export interface StorageWatcher {
  /** The app empties the whole storage of the object, including the room's keys. */
  aroundDeleteAll(proceed: () => Promise<unknown>): Promise<unknown>;
  /** The app sets its alarm to that time. Call `proceed` synchronously, so that later calls of the app come later. */
  aroundSetAlarm(proceed: () => Promise<unknown>, time: unknown): Promise<unknown>;
  /** The app asks for the time of its alarm. */
  aroundGetAlarm?(proceed: () => Promise<unknown>): Promise<unknown>;
  /** The app deletes its alarm. */
  aroundDeleteAlarm?(proceed: () => Promise<unknown>): Promise<unknown>;
  /** The app, or the room itself, deletes a key or several. `options` are those of that call. */
  aroundDelete?(proceed: () => Promise<unknown>, keys: unknown, options: unknown): Promise<unknown>;
  /**
   * The app has deleted these keys by the storage of SQLite, or in a synchronous transaction. A transaction may be open. The app does
   * not wait for this. May not reject.
   */
  afterDeletion?(keys: readonly unknown[]): Promise<void>;
  /**
   * A transaction of the app begins. Returns the function that is called when it has ended: with false if what was written meanwhile
   * was undone, and with the keys that its own object has deleted, perhaps to put them back. The app goes on when that has settled; at
   * once after a synchronous transaction. May not throw or reject.
   */
  onTransaction?(): TransactionEnd;
  /** Somebody reads these keys, perhaps the room itself. May not throw. */
  onGet?(keys: unknown): void;
}

/**
 * Hands an app's calls of `deleteAll` and `delete`, and those about its alarm, to a watcher. It sets methods on the storage
 * object itself, so it works for every reference to the same object: `party.storage`, `ctx.storage`, a copy, and calls within a
 * transaction.
 *
 * It sees `transaction.delete` of a transaction's own object, and `kv.delete`, also within `transactionSync`, and tells of it when
 * the transaction has ended. It does not see `transaction.setAlarm` (`transaction.deleteAll` throws on every host), point-in-time
 * recovery, or an app that calls the prototype's method. `sql` does not reach the keys.
 *
 * @returns false if the host does not allow methods to be set on the object.
 */
export function watchStorage(storage: object, watcher: StorageWatcher): boolean {
  const hasDeleteAll = surround(storage, 'deleteAll', (proceed) =>
    watcher.aroundDeleteAll(proceed),
  );
  const hasSetAlarm = surround(storage, 'setAlarm', (proceed, time) =>
    watcher.aroundSetAlarm(proceed, time),
  );
  if (watcher.aroundGetAlarm !== undefined)
    surround(storage, 'getAlarm', (proceed) => watcher.aroundGetAlarm?.(proceed) ?? proceed());
  if (watcher.aroundDeleteAlarm !== undefined)
    surround(
      storage,
      'deleteAlarm',
      (proceed) => watcher.aroundDeleteAlarm?.(proceed) ?? proceed(),
    );
  const isUndecided = watchDeletions(storage, watcher);
  if (watcher.aroundDelete !== undefined)
    surround(storage, 'delete', (proceed, keys, options) =>
      isUndecided(keys) ? proceed() : (watcher.aroundDelete?.(proceed, keys, options) ?? proceed()),
    );
  if (watcher.onGet !== undefined) observe(storage, 'get', (keys) => watcher.onGet?.(keys));
  return hasDeleteAll && hasSetAlarm;
}

/** Tells of the first parameter of each call of a method when it has returned. The method is otherwise as it was. */
function observe(target: object, name: string, onCalled: (first: unknown) => void): void {
  const method: unknown = Reflect.get(target, name);
  if (typeof method !== 'function') return;
  const value = (...received: unknown[]): unknown => {
    const result: unknown = Reflect.apply(method, target, received);
    onCalled(received[0]);
    return result;
  };
  define(target, name, value);
}

/**
 * Tells of transactions, and of the keys that an app deletes in one, or by the storage of SQLite.
 *
 * @returns a function that takes the parameter of a `delete` of the storage itself. It returns true if a synchronous transaction runs,
 * whose end decides if these keys are deleted: then they are told after that.
 */
function watchDeletions(storage: object, watcher: StorageWatcher): (keys: unknown) => boolean {
  surroundTransaction(storage, () => watcher.onTransaction?.());
  const kv: unknown = Reflect.get(storage, 'kv');
  if (typeof kv !== 'object' || kv === null) return () => false;
  /** The keys that were deleted in the synchronous transaction that runs. */
  let deleted: Set<unknown> | undefined;
  observe(kv, 'delete', (key) => {
    if (deleted === undefined) void watcher.afterDeletion?.([key]);
    else deleted.add(key);
  });
  // An app may put a copy of its storage in the place of what it has.
  const forget = (entries: unknown): void => {
    if (deleted === undefined) return;
    const isOne = typeof entries !== 'object' || entries === null;
    for (const key of isOne ? [entries] : Object.keys(entries)) deleted.delete(key);
  };
  observe(kv, 'put', forget);
  observe(storage, 'put', forget);
  const method: unknown = Reflect.get(storage, 'transactionSync');
  if (typeof method !== 'function') return () => false;
  const value = (...received: unknown[]): unknown => {
    const outer = deleted;
    const onEnd = outer === undefined ? watcher.onTransaction?.() : undefined;
    deleted = new Set(outer);
    let isDone = false;
    try {
      const result: unknown = Reflect.apply(method, storage, received);
      isDone = true;
      return result;
    } finally {
      const own = deleted;
      // What a transaction within another one has deleted is deleted when the outer one ends.
      deleted = isDone && outer !== undefined ? own : outer;
      void onEnd?.(isDone);
      if (isDone && outer === undefined && own.size > 0) void watcher.afterDeletion?.([...own]);
    }
  };
  define(storage, 'transactionSync', value);
  return (keys) => {
    for (const key of listOf(keys)) deleted?.add(key);
    return deleted !== undefined;
  };
}

/** Returns the keys of a call that takes one or several. */
function listOf(keys: unknown): readonly unknown[] {
  return Array.isArray(keys) ? keys : [keys];
}

/** Tells of the beginning and the end of a transaction. */
function surroundTransaction(
  storage: object,
  onTransaction: () => TransactionEnd | undefined,
): void {
  const method: unknown = Reflect.get(storage, 'transaction');
  if (typeof method !== 'function') return;
  const value = async (closure: unknown, ...others: unknown[]): Promise<unknown> => {
    if (typeof closure !== 'function')
      return await Reflect.apply(method, storage, [closure, ...others]);
    const deleted: unknown[] = [];
    let attempts = 0;
    let isRolledBack = false;
    let onEnd: TransactionEnd | undefined;
    const observed = (...received: unknown[]): unknown => {
      // Not before: it may wait until other transactions have ended.
      onEnd ??= onTransaction();
      // A host may run it again, after a conflict.
      attempts += 1;
      const [transaction] = received;
      if (typeof transaction === 'object' && transaction !== null) {
        observe(transaction, 'delete', (keys) => {
          for (const key of listOf(keys)) deleted.push(key);
        });
        observe(transaction, 'rollback', () => (isRolledBack = true));
      }
      return Reflect.apply(closure, undefined, received);
    };
    let isDone = false;
    try {
      const result: unknown = await Reflect.apply(method, storage, [observed, ...others]);
      isDone = true;
      return result;
    } finally {
      await onEnd?.(isDone && attempts === 1 && !isRolledBack, deleted);
    }
  };
  define(storage, 'transaction', value);
}

function surround(
  storage: object,
  name: string,
  around: (proceed: () => Promise<unknown>, first: unknown, second: unknown) => Promise<unknown>,
): boolean {
  const method: unknown = Reflect.get(storage, name);
  if (typeof method !== 'function') return false;
  const value = (...received: unknown[]): Promise<unknown> =>
    around(
      async (): Promise<unknown> => Reflect.apply(method, storage, received),
      received[0],
      received[1],
    );
  return define(storage, name, value);
}

function define(storage: object, name: string, value: unknown): boolean {
  return Reflect.defineProperty(storage, name, {
    value,
    configurable: true,
    writable: true,
    enumerable: false,
  });
}
