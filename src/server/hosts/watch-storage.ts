/** What a room does around the calls that an app makes on its storage. Each runs `proceed` once, or fails the app's call. */
export interface StorageWatcher {
  /** The app empties the whole storage of the object, the room's keys among it. */
  aroundDeleteAll(proceed: () => Promise<unknown>): Promise<unknown>;
  /** The app sets its alarm. `proceed` is to be called within the call, so that later calls of the app come later. */
  aroundSetAlarm(proceed: () => Promise<unknown>): Promise<unknown>;
}

/**
 * Hands an app's calls of `deleteAll` and `setAlarm` to a watcher, by methods of the storage object's own. It reaches
 * every way to the same object: `party.storage`, `ctx.storage`, a copy of the reference, and calls within a transaction.
 *
 * It does not reach the methods of a transaction's own object (`transaction.setAlarm`; `transaction.deleteAll` throws on
 * every host), `delete` of single keys, point-in-time recovery, or an app that calls the prototype's method.
 *
 * @returns false if the host does not let the object have methods of its own.
 */
export function watchStorage(storage: object, watcher: StorageWatcher): boolean {
  const hasDeleteAll = surround(storage, 'deleteAll', (proceed) =>
    watcher.aroundDeleteAll(proceed),
  );
  const hasSetAlarm = surround(storage, 'setAlarm', (proceed) => watcher.aroundSetAlarm(proceed));
  return hasDeleteAll && hasSetAlarm;
}

function surround(
  storage: object,
  name: string,
  around: (proceed: () => Promise<unknown>) => Promise<unknown>,
): boolean {
  const method: unknown = Reflect.get(storage, name);
  if (typeof method !== 'function') return false;
  const value = (...received: unknown[]): Promise<unknown> =>
    around(async (): Promise<unknown> => Reflect.apply(method, storage, received));
  return Reflect.defineProperty(storage, name, {
    value,
    configurable: true,
    writable: true,
    enumerable: false,
  });
}
