import type { Store } from 'tinybase';

import { encodeChanges } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';

import { ClientRecords } from './client-records.ts';
import { CommitLog } from './commit-log.ts';
import { Journal, type JournalItem } from './journal.ts';
import type { Later } from '../room/later.ts';
import { Ledger } from './ledger.ts';
import type { RoomHost } from '../room/room-host.ts';
import type { LoadOutcome, RoomLoader } from './room-loader.ts';
import type { RoomErrorSource } from '../room/room-options.ts';
import { readStockContent } from '../stock/stock-layout.ts';
import { RoomStorage, type LoadedRoom } from '../storage/room-storage.ts';
import { StoreContent } from '../storage/store-content.ts';
import type { StorageSizes } from '../storage/storage-sizes.ts';

/** What a {@link LedgerKeeper} needs of its room. */
export interface LedgerKeeperOptions {
  readonly host: Pick<RoomHost<never>, 'storage' | 'now' | 'randomId' | 'after' | 'takeTurn'>;
  readonly store: Store;
  readonly loader: RoomLoader;
  readonly storagePrefix: () => string;
  readonly storageSizes: () => Partial<StorageSizes> | undefined;
  /** True if no transaction of the Store is open. */
  readonly isFree: () => boolean;
  readonly connectedClients: () => ReadonlySet<string>;
  /** Called with a new ledger and what the app's preparation made of the content, before anybody else can see it. */
  readonly onLoaded: (ledger: Ledger, outcome: LoadOutcome) => void;
  /** Called when a write failed: the ledger is worthless, and these entries are lost. */
  readonly onDiscarded: (error: unknown, lost: readonly JournalItem[]) => void;
  readonly onRoomError: (error: unknown, where: RoomErrorSource) => void;
}

/** After a checkpoint that failed, the next one waits this long. */
const CHECKPOINT_RETRY_MILLISECONDS = 60_000;
/** A checkpoint that finds a transaction open looks again after that. */
const BUSY_RETRY_MILLISECONDS = 20;

/** Keeps the room's ledger equal to its storage: loads it, writes it, throws it away when a write fails (`DURABLE-3`). */
export class LedgerKeeper {
  readonly #options: LedgerKeeperOptions;
  #storage: RoomStorage | undefined;
  #current: Ledger | undefined;
  #hasLoaded = false;
  #isCheckpointing = false;
  #nextCheckpoint = 0;

  constructor(options: LedgerKeeperOptions) {
    this.#options = options;
  }

  /** The ledger, if it is loaded and worth anything. */
  get current(): Ledger | undefined {
    return this.#current;
  }

  /** True once the room was loaded: what happens to the Store while there is no ledger then, is lost. */
  get hasLoaded(): boolean {
    return this.#hasLoaded;
  }

  /** The ledger, loaded if need be. Not to be called again before it has settled. Rejects with `unavailable`. */
  load(): Later<Ledger> {
    return this.#current ?? this.#load();
  }

  /**
   * Replaces the room, on disk and then in memory, by that content in a new epoch. All of the ledger must be durable; what
   * happens to the Store from now on until this settles is lost. Records of clients stay: a push that was dealt with is not
   * applied again. Rejects with `malformed` if the Store does not take the content, and with `unavailable`; whatever is on disk
   * then is loaded all the same.
   */
  async replace(ledger: Ledger, content: LeafMap<Leaf>, version: number): Promise<void> {
    const cursor = { epoch: this.#options.host.randomId(), version };
    const clients = ledger.clients.snapshot();
    this.#current = undefined;
    try {
      // First: what the Store does not take would be on disk for good, and never be loaded.
      await this.#assertTaken(content);
      await this.#storage?.create({ cursor, content, log: [], clients });
    } finally {
      await this.load();
    }
  }

  async #assertTaken(content: LeafMap<Leaf>): Promise<void> {
    try {
      await this.#options.loader.load(content, () => undefined);
    } catch (error) {
      const message = "A listener or middleware of the room's Store does not take this content.";
      throw new TinyBasePartyKitError('malformed', message, { cause: error });
    }
  }

  async #load(): Promise<Ledger> {
    const { host, loader, storagePrefix, storageSizes, onRoomError } = this.#options;
    let source: RoomErrorSource = 'storage';
    try {
      this.#storage ??= new RoomStorage(host.storage, {
        prefix: storagePrefix(),
        sizes: storageSizes(),
      });
      const storage = this.#storage;
      const loaded = (await storage.load()) ?? (await this.#takeOver(storage));
      source = 'prepare';
      return await loader.load(loaded?.content, (outcome) => this.#open(storage, loaded, outcome));
    } catch (error) {
      onRoomError(error, source);
      throw new TinyBasePartyKitError(
        'unavailable',
        'The room cannot be loaded just now: try again later.',
        {
          cause: error,
        },
      );
    }
  }

  /** Takes over the content of TinyBase's own server. Its keys stay: going back is possible, to that content. */
  async #takeOver(storage: RoomStorage): Promise<LoadedRoom | undefined> {
    const { host, storagePrefix } = this.#options;
    const content = await readStockContent(host.storage, storagePrefix());
    if (content === undefined) return undefined;
    const cursor = { epoch: host.randomId(), version: 1 };
    const room: LoadedRoom = { cursor, content, log: [], clients: new Map() };
    await storage.create(room);
    return room;
  }

  #open(storage: RoomStorage, loaded: LoadedRoom | undefined, outcome: LoadOutcome): Ledger {
    const { host } = this.#options;
    const journal = new Journal({
      create: (room) => storage.create(room),
      append: (entries) => storage.append(entries, host.now()),
      prepareCheckpoint: () => this.#prepareCheckpoint(storage, ledger),
      sync: host.storage.sync && (() => host.storage.sync?.() ?? Promise.resolve()),
      takeTurn: host.takeTurn && (() => host.takeTurn?.() ?? Promise.resolve()),
      now: () => host.now(),
      onFailure: (error, lost) => this.#discard(ledger, error, lost),
    });
    const log = new CommitLog();
    for (const { version, changes, encoded } of loaded?.log ?? [])
      if (changes !== undefined) log.add(version, encoded ?? encodeChanges(changes));
    const ledger = new Ledger({
      cursor: loaded?.cursor ?? { epoch: host.randomId(), version: 0 },
      contentSize: outcome.contentSize,
      clients: new ClientRecords(loaded?.clients ?? new Map()),
      journal,
      log,
    });
    this.#current = ledger;
    this.#hasLoaded = true;
    this.#options.onLoaded(ledger, outcome);
    return ledger;
  }

  #discard(ledger: Ledger, error: unknown, lost: readonly JournalItem[]): void {
    if (ledger !== this.#current) return;
    this.#current = undefined;
    this.#options.onDiscarded(error, lost);
  }

  #prepareCheckpoint(storage: RoomStorage, ledger: Ledger): (() => void) | undefined {
    const { host } = this.#options;
    if (!storage.wantsCheckpoint || this.#isCheckpointing || host.now() < this.#nextCheckpoint)
      return undefined;
    return () => void this.#checkpoint(storage, ledger);
  }

  async #checkpoint(storage: RoomStorage, ledger: Ledger): Promise<void> {
    const { host, store, isFree, connectedClients, onRoomError } = this.#options;
    // Not when it was prepared: if the write in between fails, there is none.
    this.#isCheckpointing = true;
    try {
      const oldest = await storage.checkpoint({
        content: new StoreContent(store),
        clients: () => {
          ledger.clients.sweep(host.now(), connectedClients());
          return ledger.clients.snapshot();
        },
        pause: () =>
          new Promise((resolve) => {
            host.after(isFree() ? 0 : BUSY_RETRY_MILLISECONDS, resolve);
          }),
        // What an open transaction did so far is in the Store, and may be rolled back yet.
        isReadable: isFree,
        whenAppended: async () => {
          const isDurable = await ledger.journal.whenDurable();
          // Without its ledger, the Store may have what was never ordered.
          if (!isDurable || ledger !== this.#current) throw new Error('What it has was lost.');
        },
      });
      ledger.log.trimBefore(oldest);
    } catch (error) {
      // Without its ledger it was bound to fail, and why is known.
      if (ledger !== this.#current) return;
      this.#nextCheckpoint = host.now() + CHECKPOINT_RETRY_MILLISECONDS;
      onRoomError(error, 'storage');
    } finally {
      this.#isCheckpointing = false;
    }
  }
}
