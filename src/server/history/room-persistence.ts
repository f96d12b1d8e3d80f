import { isSayable } from '../../protocol/cursor.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import { readContent, type TransactionLog } from '../../protocol/store-access.ts';

import { UNLOADED } from '../room/delivery.ts';
import type { MaybePromise } from '../room/maybe-promise.ts';
import type { RoomErrorSource } from '../room/room-options.ts';
import { assertContentFits, contentBytes, measureContent } from '../writes/content-size.ts';
import type { RoomParts } from '../room/room-parts.ts';
import { readStockContent, removeStockContent } from '../stock/stock-layout.ts';
import { RoomStorage } from '../storage/room-storage.ts';
import type { SalvagedRoom } from '../storage/salvage.ts';
import type { LoadedRoom } from '../storage/stored-room.ts';
import { Checkpoints } from './checkpoints.ts';
import type { PendingEntry } from './durability-gate.ts';
import { StoreHydration, type Hydrated } from './hydrate-store.ts';
import { RoomState } from './room-state.ts';
import { WriteFailures } from './write-failures.ts';

/** The number of keys that the report of left out texts names. */
const MOST_KEYS_TOLD = 20;
/** 48 bits: no two lives of a room have the same tag. */
const TAG_LENGTH = 8;
/** Told to everybody when the room is emptied. */
const EMPTIED = 'The storage of the room was emptied: load the content again.';
const CURSOR_DAMAGED =
  'The stored name of the history of this room is damaged, so the room began a new one with the content that it has: clients load it, and no edit that was confirmed is lost.';
const MANIFEST_GONE =
  'The storage of this room was emptied while the room was running: its content is gone, and so are edits made since. Call wipe() in place of removing keys.';

/** Keeps the room's state equal to its storage: loads it, replaces it, empties it, and discards it when a write fails (`DURABLE-3`). */
export class RoomPersistence<Connection, Request> {
  readonly #parts: RoomParts<Connection, Request>;
  readonly #hydration: StoreHydration<Connection, Request>;
  readonly checkpoints: Checkpoints<Connection, Request>;
  readonly #failures: WriteFailures;
  #storage: RoomStorage | undefined;
  #current: RoomState<Connection, Request> | undefined;
  #hasLoaded = false;
  /** The number of times that the storage was emptied, or that something in it was undone. */
  #emptyings = 0;
  #losses = 0;

  constructor(parts: RoomParts<Connection, Request>) {
    this.#parts = parts;
    this.#hydration = new StoreHydration(parts);
    this.#failures = new WriteFailures(parts);
    this.checkpoints = new Checkpoints(parts, this);
  }

  /** The current state; undefined until loaded, and after a failed write. */
  get current(): RoomState<Connection, Request> | undefined {
    return this.#current;
  }

  /** The number of times that changes of the room's own code may have been lost. A wipe or a restore alone loses none. */
  get losses(): number {
    return this.#losses;
  }

  /** True once the room was loaded: from then on, a transaction is lost if there is no state. */
  get hasLoaded(): boolean {
    return this.#hasLoaded;
  }

  /** True during a pause after storage has failed again: a push would only make everybody start again (`DURABLE-3`). */
  get isFailing(): boolean {
    return this.#failures.isPause;
  }

  /** The room's storage; undefined before the first load. */
  get storage(): RoomStorage | undefined {
    return this.#storage;
  }

  /** Returns the state, and loads it if necessary. Do not call it again before it has settled. Rejects with `unavailable`. */
  load(): MaybePromise<RoomState<Connection, Request>> {
    return this.#current ?? this.#load();
  }

  /** Commits a transaction of the room's own code, right after it. */
  commitOwn(log: TransactionLog): void {
    if (this.#hydration.claims(log)) return;
    const { represented, reporter } = this.#parts;
    if (this.#current !== undefined)
      this.#current.commit(log, { type: 'room', callers: represented.now });
    else if (this.#hasLoaded) {
      this.#losses += 1;
      const cause = new Error('The room was being loaded or restored.');
      reporter.reportLost(cause, [log.changes]);
    }
  }

  /**
   * Replaces the room, on disk and then in memory, by that content in a new epoch. Everything of the state must be durable.
   * Transactions of the room's own code are lost from now on until this settles. Records of clients stay: a processed push
   * is not applied again. Rejects with `malformed` if the Store does not take the content, and with `unavailable`; then the
   * room is loaded from whatever is on disk.
   */
  async replace(
    state: RoomState<Connection, Request>,
    content: LeafMap<Leaf>,
    version: number,
  ): Promise<void> {
    assertContentFits(
      content,
      Math.max(this.#parts.settings.limits.contentBytes, state.contentBytes),
    );
    const cursor = { epoch: this.#parts.host.randomId(), version };
    const clients = state.clients.snapshot();
    this.#current = undefined;
    try {
      // Asked first: on disk, content that the Store does not take would keep the room from ever loading.
      await this.#assertTaken(content);
      await this.#storage?.create({ cursor, content, clients });
      this.#failures.end();
    } finally {
      await this.load();
    }
  }

  /**
   * Resolves to what can be read of a room that cannot be loaded; undefined if it has no Store. Rejects with `unavailable` if
   * storage fails.
   */
  async salvage(): Promise<SalvagedRoom | undefined> {
    const { host, settings, unsendableLeaves } = this.#parts;
    const salvaged = await this.#openStorage().salvage();
    if (salvaged !== undefined)
      return { ...salvaged, content: unsendableLeaves.leaveOut(salvaged.content) };
    const content = await readStockContent(host.storage, settings.storagePrefix);
    return content && { epoch: undefined, version: 1, content, clients: new Map(), damage: [] };
  }

  /**
   * Replaces a room that cannot be loaded, as {@link RoomPersistence.replace} does. Keeps the records of clients that can be
   * read. If this rejects, the room on disk is the old one or the new one.
   */
  async replaceUnloaded(content: LeafMap<Leaf>, version: number): Promise<void> {
    const { host, settings, observed } = this.#parts;
    const salvaged = await this.salvage();
    const old = salvaged && contentBytes(measureContent(salvaged.content));
    assertContentFits(content, Math.max(settings.limits.contentBytes, old ?? 0));
    const { isPrepared } = this.#hydration;
    await this.#assertTaken(content);
    const room = {
      cursor: { epoch: host.randomId(), version },
      // With what `prepareStore` has just done: it is not called again.
      content: isPrepared ? content : readContent(observed.store),
      clients: salvaged?.clients ?? new Map(),
    };
    await this.#openStorage().create(room, true);
    this.#failures.end();
    await this.load();
  }

  /**
   * Makes this an empty room, in a new epoch: within the call, if it is loaded and its Store is free. Everybody starts again, and
   * clients push on top what was not confirmed. `emptied` settles when the app has emptied the storage, or whatever else is
   * to be done before the keys of the room are removed. Resolves when they are. Rejects if that failed: then the room is
   * loaded again.
   */
  async empty(emptied?: Promise<unknown>): Promise<void> {
    const state = this.#current;
    this.#current = undefined;
    this.#emptyings += 1;
    state?.abandon(new Error(EMPTIED));
    this.#parts.delivery.dismiss(EMPTIED);
    // The rejection is handled by the wipe, perhaps later.
    emptied?.catch(() => undefined);
    const storage = this.#openStorage();
    const wiped = storage.wipe(emptied);
    wiped.then(
      () => this.#failures.end(),
      () => (this.#losses += 1),
    );
    const hydrated = state && this.#emptyStore();
    // A feature may have other content.
    if (this.#parts.features.hasInitialContent) {
      await wiped;
      void this.#reload();
      return;
    }
    // At once, so that what the app does next counts.
    if (hydrated !== undefined)
      this.#open(storage, undefined, hydrated, true).durability.waitFor(wiped);
    else if (state !== undefined) void this.#reload();
    await wiped;
  }

  /** Removes all that the room has stored, and what TinyBase's own server left there. Resolves when the room is loaded. */
  async wipe(): Promise<void> {
    const { host, settings } = this.#parts;
    await this.empty(removeStockContent(host.storage, settings.storagePrefix));
    // Everything is removed, whether the room can be loaded again or not. The error was reported.
    await Promise.resolve(this.load()).catch(() => undefined);
  }

  /** Removes the same, and leaves the room unloaded until something needs it. Everything of it must be durable. */
  async dispose(): Promise<void> {
    const { host, settings } = this.#parts;
    const state = this.#current;
    this.#current = undefined;
    this.#emptyings += 1;
    state?.abandon(new Error(EMPTIED));
    const removed = removeStockContent(host.storage, settings.storagePrefix);
    await this.#openStorage().wipe(removed);
  }

  /** Starts all over from the disk, because a write of this state failed, or because what it has stored was undone. */
  discard(
    state: RoomState<Connection, Request>,
    error: unknown,
    lost: readonly PendingEntry[],
    isUndone: boolean,
  ): void {
    if (state !== this.#current) return;
    this.#current = undefined;
    this.#losses += 1;
    const { delivery, reporter } = this.#parts;
    delivery.dismiss('The room could not store its latest changes and dropped them: say hello.');
    if (isUndone) {
      reporter.report(error, 'storage');
    } else {
      if (state.durability.hasStored) this.#failures.end();
      this.#failures.add(error);
    }
    const own = lost.flatMap(({ entry, origin }) =>
      origin.type === 'room' && entry.changes !== undefined ? [entry.changes] : [],
    );
    reporter.reportLost(error, own);
    void this.#reload();
  }

  /** Starts all over from the disk, because something that was stored is not there any more. */
  undone(error: unknown): void {
    // A load that is under way reads it again.
    this.#emptyings += 1;
    if (this.#current === undefined) this.#parts.reporter.report(error, 'storage');
    else this.#current.abandon(error);
  }

  /** Call it if other code has emptied the storage of the running room: makes this an empty room. */
  async foundEmpty(): Promise<void> {
    this.#losses += 1;
    this.#parts.reporter.report(new Error(MANIFEST_GONE), 'storage');
    await this.empty();
  }

  async #load(): Promise<RoomState<Connection, Request>> {
    const refusal = this.#parts.settings.refusal;
    if (refusal !== undefined)
      throw new TinyBasePartyKitError('unavailable', UNLOADED, { cause: refusal });
    for (;;) {
      const emptyings = this.#emptyings;
      let source: RoomErrorSource | undefined = 'storage';
      try {
        const storage = this.#openStorage();
        const stored = await storage.load();
        let loaded = stored ? await this.#sayable(storage, stored) : await this.#takeOver(storage);
        if (loaded === undefined && this.#parts.features.hasInitialContent) {
          // The feature reports its own errors.
          source = undefined;
          const content = await this.#parts.features.initialContent();
          source = 'storage';
          if (content !== undefined && emptyings === this.#emptyings)
            loaded = await this.#create(storage, content);
        }
        source = 'prepare';
        for (;;) {
          // What was read is not there any more.
          if (emptyings !== this.#emptyings) break;
          const hydrated = this.#hydration.hydrate(loaded?.content);
          // In the same step: nothing else may happen to the Store in between.
          if (hydrated !== 'busy')
            return this.#open(storage, loaded, hydrated, stored === undefined || stored !== loaded);
          await this.#parts.writer.whenFree();
        }
      } catch (cause) {
        if (emptyings !== this.#emptyings) continue;
        if (source !== undefined) this.#parts.reporter.report(cause, source);
        throw new TinyBasePartyKitError('unavailable', UNLOADED, { cause });
      }
    }
  }

  #openStorage(): RoomStorage {
    const { host, settings } = this.#parts;
    this.#storage ??= new RoomStorage(host.storage, {
      prefix: settings.storagePrefix,
      sizes: settings.storageSizes,
      now: () => host.now(),
    });
    return this.#storage;
  }

  /** Empties the Store. Returns undefined if it is busy, or if that fails: then the load that follows empties it, or reports the error. */
  #emptyStore(): Hydrated | undefined {
    try {
      const hydrated = this.#hydration.hydrate(undefined);
      return hydrated === 'busy' ? undefined : hydrated;
    } catch {
      return undefined;
    }
  }

  /** Makes content durable that did not come from a client. */
  async #create(
    storage: RoomStorage,
    content: LeafMap<Leaf>,
    version = 1,
    clients: LoadedRoom['clients'] = new Map(),
  ): Promise<LoadedRoom> {
    const cursor = { epoch: this.#parts.host.randomId(), version };
    const room: LoadedRoom = { cursor, content, log: [], clients };
    await storage.create(room);
    return room;
  }

  /** Returns the stored room. If no message can carry its cursor, which is damaged then, the room begins a new epoch (`JOIN-8`). */
  async #sayable(storage: RoomStorage, stored: LoadedRoom): Promise<LoadedRoom> {
    const { cursor, content, clients } = stored;
    if (isSayable(cursor)) return stored;
    const room = await this.#create(storage, content, cursor.version, clients);
    this.#parts.reporter.report(new Error(CURSOR_DAMAGED), 'storage');
    return room;
  }

  /** Takes over the content of TinyBase's own server. Its keys stay, so that going back to that content is possible. */
  async #takeOver(storage: RoomStorage): Promise<LoadedRoom | undefined> {
    const { host, settings, reporter } = this.#parts;
    const emptyings = this.#emptyings;
    const unreadable: string[] = [];
    const content = await readStockContent(host.storage, settings.storagePrefix, (key) => {
      unreadable.push(key);
    });
    if (content === undefined || emptyings !== this.#emptyings) return undefined;
    const room = await this.#create(storage, content);
    if (unreadable.length > 0) {
      const keys = unreadable.slice(0, MOST_KEYS_TOLD).map((key) => JSON.stringify(key));
      const message = `The room left out ${unreadable.length} texts that TinyBase's own server stored: they begin like its markers (U+FFFC, U+FFFD), and no message can carry them. Their keys stay in storage; the first are ${keys.join(', ')}.`;
      reporter.report(new Error(message), 'storage');
    }
    return room;
  }

  #open(
    storage: RoomStorage,
    loaded: LoadedRoom | undefined,
    { contentSize, made }: Hydrated,
    isNewEpoch: boolean,
  ): RoomState<Connection, Request> {
    if (storage.wasEmptied) this.#parts.reporter.report(new Error(MANIFEST_GONE), 'storage');
    const state = new RoomState(this.#parts, this, storage, {
      cursor: loaded?.cursor ?? { epoch: this.#parts.host.randomId(), version: 0 },
      contentSize,
      clients: loaded?.clients ?? new Map(),
      log: loaded?.log ?? [],
      before: loaded?.before,
      life: isNewEpoch ? undefined : this.#parts.host.randomId().slice(0, TAG_LENGTH),
    });
    this.#current = state;
    this.#hasLoaded = true;
    for (const log of made) state.commit(log, { type: 'room', callers: [] });
    this.#parts.features.loaded();
    return state;
  }

  async #assertTaken(content: LeafMap<Leaf>): Promise<void> {
    try {
      while (this.#hydration.hydrate(content) === 'busy') await this.#parts.writer.whenFree();
    } catch (cause) {
      const message =
        "prepareStore, a listener or middleware of the room's Store threw while this content was tried: let it pass, or change the content.";
      throw new TinyBasePartyKitError('malformed', message, { cause });
    }
  }

  async #reload(): Promise<void> {
    try {
      await this.#parts.queue.add(() => this.load());
    } catch {
      // The error was reported. The room loads again when something needs it.
    }
  }
}
