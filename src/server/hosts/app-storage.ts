import type { RoomLifecycle } from '../features/lifecycle/room-lifecycle.ts';
import type { Room } from '../room/room.ts';
import type { StockKeyWatch } from '../stock/stock-key-watch.ts';
import { isOwnDelete } from '../storage/ordered-writes.ts';
import { manifestKey } from '../storage/storage-keys.ts';
import type { HeldFrames } from './held-frames.ts';
import type { OwnStorage } from './own-storage.ts';
import type { RoomId } from './room-id.ts';
import type { StorageWatcher, TransactionEnd } from './watch-storage.ts';

/** In a list of deleted keys: all keys. */
const ALL_KEYS = Symbol('all keys');

/** The parts of a room that hear of the app's calls on the storage. */
export interface AppStorageParts<Connection extends object, Request> {
  readonly room: Pick<Room<Connection, Request>, 'storageEmptied' | 'storageUndone'>;
  readonly roomId: RoomId;
  readonly ownStorage: OwnStorage;
  readonly heldFrames: Pick<HeldFrames, 'hold' | 'drop' | 'release'>;
  readonly stockKeys: StockKeyWatch;
  readonly storagePrefix: () => string;
  /** Undefined if the app has no method of it. */
  readonly lifecycle: () => RoomLifecycle<Connection, Request> | undefined;
}

/**
 * Handles the app's calls on the storage that it shares with the room. It notices when they empty the room, keeps frames back while a
 * transaction is open, and keeps the app's alarm apart from that of the room.
 */
export class AppStorage<Connection extends object, Request> implements StorageWatcher {
  readonly #parts: AppStorageParts<Connection, Request>;
  /** The keys that the app has deleted in each open transaction: they are back if that is rolled back. */
  readonly #open: unknown[][] = [];

  constructor(parts: AppStorageParts<Connection, Request>) {
    this.#parts = parts;
  }

  onGet(keys: unknown): void {
    this.#parts.stockKeys.onGet(keys);
  }

  onTransaction(): TransactionEnd {
    const { room, roomId, ownStorage, heldFrames } = this.#parts;
    const deleted: unknown[] = [];
    this.#open.push(deleted);
    heldFrames.hold();
    ownStorage.beginTransaction();
    const undo = this.#saving?.beginTransaction();
    return async (isKept, deletedByOwnObject = []) => {
      this.#open.splice(this.#open.indexOf(deleted), 1);
      try {
        await ownStorage.endTransaction(isKept).catch((error: unknown) => {
          heldFrames.drop();
          roomId.forgetStored();
          this.#saving?.storageUndone();
          room.storageUndone(error);
        });
        if (!isKept) await undo?.();
        await this.afterDeletion(await this.#gone([...deleted, ...deletedByOwnObject]));
      } finally {
        if (this.#open.length === 0) heldFrames.release();
      }
    };
  }

  async aroundDeleteAll(proceed: () => Promise<unknown>): Promise<unknown> {
    if (this.#isUndecided([ALL_KEYS])) return await proceed();
    const emptied = proceed();
    await this.#allDeleted(emptied);
    return await emptied;
  }

  async aroundDelete(
    proceed: () => Promise<unknown>,
    keys: unknown,
    options: unknown,
  ): Promise<unknown> {
    const deleted: readonly unknown[] = Array.isArray(keys) ? keys : [keys];
    if (isOwnDelete(options) || this.#isUndecided(deleted) || !this.#isEmptiedBy(deleted))
      return await proceed();
    const emptied = proceed();
    await this.#parts.room.storageEmptied(emptied);
    return await emptied;
  }

  async afterDeletion(deleted: readonly unknown[]): Promise<void> {
    if (this.#isUndecided(deleted)) return;
    if (deleted.includes(ALL_KEYS)) await this.#allDeleted(Promise.resolve());
    else if (this.#isEmptiedBy(deleted)) await this.#parts.room.storageEmptied(Promise.resolve());
  }

  async aroundSetAlarm(proceed: () => Promise<unknown>, time: unknown): Promise<unknown> {
    const set = this.#saving?.setAlarm(time, proceed) ?? proceed();
    const [, answer] = await Promise.all([this.#parts.roomId.store(), set]);
    return answer;
  }

  aroundGetAlarm(proceed: () => Promise<unknown>): Promise<unknown> {
    return this.#saving?.getAlarm() ?? proceed();
  }

  aroundDeleteAlarm(proceed: () => Promise<unknown>): Promise<unknown> {
    return this.#saving?.deleteAlarm(proceed) ?? proceed();
  }

  /** The lifecycle of a room that saves, and so shares its alarm with the app. */
  get #saving(): RoomLifecycle<Connection, Request> | undefined {
    const lifecycle = this.#parts.lifecycle();
    return lifecycle?.isSaving === true ? lifecycle : undefined;
  }

  async #allDeleted(emptied: Promise<unknown>): Promise<void> {
    const { room, roomId, lifecycle } = this.#parts;
    roomId.forgetStored();
    lifecycle()?.storageEmptied(emptied);
    await room.storageEmptied(emptied);
  }

  /**
   * Resolves to the keys of the room among these that are not there after a transaction. A rollback brings them back, but on some hosts
   * `delete` of the storage is no part of a transaction; and an app may put back a copy.
   */
  async #gone(deleted: readonly unknown[]): Promise<readonly unknown[]> {
    const { ownStorage, roomId, storagePrefix } = this.#parts;
    const manifest = manifestKey(storagePrefix());
    const areAll = deleted.includes(ALL_KEYS);
    const keys = [manifest, roomId.key].filter((key) => areAll || deleted.includes(key));
    if (keys.length === 0) return keys;
    const rows = await ownStorage.get(keys).catch(() => new Map(keys.map((key) => [key, true])));
    const gone = keys.filter((key) => !rows.has(key));
    return areAll && gone.includes(manifest) ? [ALL_KEYS] : gone;
  }

  /** Returns true if a transaction is open, whose end decides if these keys are deleted. */
  #isUndecided(deleted: readonly unknown[]): boolean {
    const open = this.#open.at(-1);
    if (open === undefined) return false;
    // One by one: there may be more than a call takes parameters.
    for (const key of deleted) open.push(key);
    return true;
  }

  /** Takes keys that the app has deleted. Returns true if that empties the room (`LIFE-7`). */
  #isEmptiedBy(deleted: readonly unknown[]): boolean {
    const { roomId, storagePrefix } = this.#parts;
    if (deleted.includes(roomId.key)) roomId.forgetStored();
    return deleted.includes(manifestKey(storagePrefix()));
  }
}
