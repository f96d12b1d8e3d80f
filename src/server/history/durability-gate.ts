/**
 * A row of the log has two moments, and everything that leaves the room waits for one of them.
 *
 * | moment | the storage says | who waits for it |
 * |---|---|---|
 * | written | the write has settled | commits for others, what features send with them, hooks, the content for GET |
 * | synced | the `sync` of the host's storage has settled, too | acks and answers of calls, and all that comes after them (`ORDER-9`); initial content by PUT, `whenDurable` |
 *
 * A storage without `sync` settles a write when it is on disk: then both moments are one. A storage with `sync` settles it
 * earlier, and its host holds back what leaves the room until it is on disk. So a thing is *durable*, which means on disk, at
 * the latest when it is synced.
 */
import type { ChangeOrigin } from '../room/change-origin.ts';
import { isPausing } from '../room/clock.ts';
import type { RoomHost } from '../room/room-host.ts';
import type { LogEntry } from '../storage/log-row.ts';
import type { RoomStorage } from '../storage/room-storage.ts';
import type { NewRoom } from '../storage/stored-room.ts';

/** One entry on its way to the disk. */
export interface PendingEntry {
  readonly entry: LogEntry;
  /** The cause. If the entry is lost, clients send their changes again. The room's own code does not: it is told. */
  readonly origin: ChangeOrigin<unknown>;
}

/** Something that waits until everything before it is written, or synced. */
export interface Waiter {
  onReleased(): void;
  /** Called in place of `onReleased` if something that this waits for could not be stored. */
  onLost(): void;
  /** True: it and all later waiters wait until everything is synced (`ORDER-9`). */
  readonly waitsForSync?: boolean;
}

/** The state of the room whose entries a durability gate stores. */
export interface DurabilityOwner {
  /** Goes with every row: the tag of the versions in it (`JOIN-9`). */
  readonly life?: string | undefined;
  /** True if the storage wants a snapshot. Read while nothing is being written and at most one write is outstanding. */
  readonly isCheckpointDue: boolean;
  /** Starts a snapshot of the room, which is now as storage has it. Neither throws nor waits. */
  startCheckpoint(): void;
  /** Called once, before the waiters are told: these entries are not stored. The durability gate is of no use after it. */
  lose(error: unknown, lost: readonly PendingEntry[]): void;
}

/** The part of a host that a durability gate needs. */
export type DurabilityHost = Pick<RoomHost<never>, 'now' | 'takeTurn'> & {
  readonly storage: Pick<RoomHost<never>['storage'], 'sync'>;
};

/** The longest time that a row waits for entries that arrive. */
const GATHERING_MILLISECONDS = 16;

interface Batch {
  /** The room's initial content; undefined for a row of the log. */
  readonly first: NewRoom | undefined;
  /** A write by other code; undefined if the durability gate itself writes. */
  readonly foreign?: Promise<void>;
  readonly entries: PendingEntry[];
  readonly waiters: Waiter[];
  /** The number of waiters that were released. */
  released: number;
  readonly whenWritten: ((isWritten: boolean) => void)[];
  isWritten: boolean;
  /** True from when it is being written: nothing can be added to the row. */
  isSealed: boolean;
}

/**
 * Makes entries durable in order, and releases what depends on them only then (`DURABLE-1`). Entries that come while a
 * row is being written share the next row (`DURABLE-2`).
 */
export class DurabilityGate {
  readonly #storage: Pick<RoomStorage, 'create' | 'append'>;
  readonly #host: DurabilityHost;
  readonly #owner: DurabilityOwner;
  readonly #batches: Batch[] = [];
  #isRunning = false;
  #hasFailed = false;
  #hasStored = false;

  constructor(
    storage: Pick<RoomStorage, 'create' | 'append'>,
    host: DurabilityHost,
    owner: DurabilityOwner,
  ) {
    this.#storage = storage;
    this.#host = host;
    this.#owner = owner;
  }

  /** True if everything that was added is synced, and all waiters were released. */
  get isSettled(): boolean {
    return this.#batches.length === 0;
  }

  /** True if a write has succeeded. */
  get hasStored(): boolean {
    return this.#hasStored;
  }

  /** Adds the room's initial content, and the entry that made it. */
  create(room: NewRoom, entry: PendingEntry): void {
    this.#push({ ...newBatch(entry), first: room, isSealed: true });
  }

  /** Adds a write that other code has begun. Everything that is added later waits for it. */
  waitFor(foreign: Promise<void>): void {
    // The rejection is handled when its turn comes.
    foreign.catch(() => undefined);
    this.#push({ ...newBatch(), foreign, isSealed: true });
  }

  /** Adds an entry. Entries that are added without a pause share a row. */
  add(entry: PendingEntry): void {
    const last = this.#batches.at(-1);
    if (last?.isSealed === false) last.entries.push(entry);
    else this.#push(newBatch(entry));
  }

  /**
   * Defers a waiter until everything that was added before is written; until it is synced, if this waiter or an earlier one asks
   * for that. Releases it at once if nothing is on its way. Waiters keep their order.
   */
  defer(waiter: Waiter): void {
    const last = this.#batches.at(-1);
    if (this.#hasFailed) waiter.onLost();
    else if (last === undefined) waiter.onReleased();
    else last.waiters.push(waiter);
  }

  /** Resolves to true when everything that was added before is synced, to false if that was lost. */
  whenDurable(): Promise<boolean> {
    return new Promise((resolve) => {
      const onReleased = (): void => resolve(true);
      this.defer({ onReleased, onLost: () => resolve(false), waitsForSync: true });
    });
  }

  /**
   * Resolves to true when everything that was added before is written, to false if that failed. For answers that the host holds
   * back until they are synced.
   */
  whenWritten(): Promise<boolean> {
    const last = this.#batches.at(-1);
    if (this.#hasFailed || last === undefined || last.isWritten)
      return Promise.resolve(!this.#hasFailed);
    return new Promise((resolve) => {
      last.whenWritten.push(resolve);
    });
  }

  #push(batch: Batch): void {
    this.#batches.push(batch);
    if (this.#isRunning || this.#hasFailed) return;
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    // Not within this call: entries that are added in the same turn share the row.
    await Promise.resolve();
    for (;;) {
      if (this.#hasFailed) return;
      const isCheckpointDue = this.#batches.length <= 1 && this.#owner.isCheckpointDue;
      const [batch] = this.#batches;
      if (batch === undefined && !isCheckpointDue) break;
      let isCrowded = false;
      if (batch !== undefined) {
        batch.isSealed = true;
        if (!(await this.#succeeds(() => this.#write(batch)))) return;
        batch.isWritten = true;
        for (const resolve of batch.whenWritten) resolve(true);
        releaseWaiters(batch, 'until-sync');
        if (!(await this.#succeeds(() => this.#host.storage.sync?.()))) return;
        this.#hasStored = true;
        releaseWaiters(batch, 'all');
        // Not earlier: nothing that comes after this batch may be released before the rest of it.
        this.#batches.shift();
        isCrowded = batch.entries.length > 1 || this.#batches.length > 0;
      }
      if (isCheckpointDue) this.#owner.startCheckpoint();
      // A row that was alone is seldom followed at once, and a turn costs the next lone edit up to a millisecond.
      if (isCrowded) await this.#gather();
    }
    this.#isRunning = false;
  }

  /** Waits while more entries arrive for the next row: a row costs the same however many entries share it. */
  async #gather(): Promise<void> {
    if (this.#host.takeTurn === undefined) return;
    const begin = this.#host.now();
    const gathered = (): number => this.#batches.at(-1)?.entries.length ?? 0;
    let known: number;
    do {
      known = gathered();
      await this.#host.takeTurn();
    } while (gathered() > known && isPausing(begin, GATHERING_MILLISECONDS, this.#host.now()));
  }

  #write(batch: Batch): Promise<void> {
    if (batch.foreign !== undefined) return batch.foreign;
    if (batch.first !== undefined) return this.#storage.create(batch.first);
    const entries = batch.entries.map(({ entry }) => entry);
    return this.#storage.append(entries, this.#host.now(), this.#owner.life);
  }

  /** Resolves to false if a write failed: then everything is lost. */
  async #succeeds(write: () => Promise<void> | undefined): Promise<boolean> {
    try {
      await write();
      return !this.#hasFailed;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  /** Ends the durability gate: everything that is on its way counts as lost. */
  fail(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const batches = this.#batches.splice(0);
    this.#owner.lose(
      error,
      batches.flatMap(({ entries }) => entries),
    );
    for (const { waiters, released, whenWritten } of batches) {
      for (const resolve of whenWritten) resolve(false);
      for (const waiter of waiters.slice(released)) waiter.onLost();
    }
  }
}

function newBatch(...entries: readonly PendingEntry[]): Batch {
  return {
    first: undefined,
    entries: [...entries],
    waiters: [],
    released: 0,
    whenWritten: [],
    isWritten: false,
    isSealed: false,
  };
}

/** Releases the waiters of a written batch in order: all of them, or up to the first that waits for the sync. */
function releaseWaiters(batch: Batch, which: 'all' | 'until-sync'): void {
  for (;;) {
    const waiter = batch.waiters[batch.released];
    if (waiter === undefined || (which === 'until-sync' && waiter.waitsForSync === true)) return;
    batch.released += 1;
    waiter.onReleased();
  }
}
