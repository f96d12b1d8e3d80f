import type { LoadedRoom, LogEntry } from '../storage/room-storage.ts';

/** One entry on its way to the disk. */
export interface JournalItem {
  readonly entry: LogEntry;
  /** True for a transaction of the room's own code: nobody will send it again if it is lost. */
  readonly isServerSide: boolean;
}

/** What waits until everything before it is durable. */
export interface Waiter {
  onDurable(): void;
  /** Called in place of `onDurable` if a write, or what it waited for beside, failed. */
  onLost(): void;
  /** True if others go first: with all that comes after it, it waits for {@link JournalOptions.sync} too (`ORDER-9`). */
  readonly canWait?: boolean;
}

/** What the journal needs of its room. */
export interface JournalOptions {
  readonly create: (room: LoadedRoom) => Promise<void>;
  readonly append: (entries: readonly LogEntry[]) => Promise<void>;
  /**
   * Called while nothing is being written, and when at most the next write is outstanding: the room as it is now is
   * what storage will say after that write. Returns what makes it the snapshot, to be called then; undefined if no
   * snapshot is wanted. What is returned neither throws nor waits: the next row may be written meanwhile.
   */
  readonly prepareCheckpoint: () => (() => void) | undefined;
  /**
   * Resolves when what was written is on disk; undefined where a write settles no earlier. Answers that can wait wait for
   * it, all that is to be let out after them, and the next row.
   */
  readonly sync?: (() => Promise<void>) | undefined;
  /**
   * Lets what arrived while a row was written get into the next one; undefined where that needs no help. Called again as
   * long as it brings something, for 16 ms at most.
   */
  readonly takeTurn?: (() => Promise<void>) | undefined;
  /** Milliseconds since 1970. Needed for {@link JournalOptions.takeTurn} alone. */
  readonly now?: () => number;
  /** Called once, before the waiters that are left are told; the journal is of no use after it. */
  readonly onFailure: (error: unknown, lost: readonly JournalItem[]) => void;
}

/** How long a row waits for what arrives at most. */
const GATHERING_MILLISECONDS = 16;

interface Batch {
  /** The first content of the room; undefined for a row of the log. */
  readonly first: LoadedRoom | undefined;
  readonly items: JournalItem[];
  readonly waiters: Waiter[];
  /** How many of them were called. */
  called: number;
  readonly whenWritten: ((isWritten: boolean) => void)[];
  isWritten: boolean;
  /** True once it is being written: nothing can be added to the row. */
  isSealed: boolean;
}

/**
 * Makes entries durable in order, and lets out what depends on them only then (`DURABLE-1`). Entries that come while
 * a row is being written share the next one (`DURABLE-2`).
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #batches: Batch[] = [];
  #isRunning = false;
  #hasFailed = false;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /** True if all that was added is durable and let out. */
  get isSettled(): boolean {
    return this.#batches.length === 0;
  }

  /** Adds the first content of the room, together with the item that made it. */
  create(room: LoadedRoom, item: JournalItem): void {
    this.#push({ ...newBatch(item), first: room, isSealed: true });
  }

  /** Adds an entry. Entries added without a pause between them share a row. */
  add(item: JournalItem): void {
    const last = this.#batches.at(-1);
    if (last?.isSealed === false) last.items.push(item);
    else this.#push(newBatch(item));
  }

  /** Calls the waiter when all that was added before is durable: at once if it is. Waiters keep their order. */
  release(waiter: Waiter): void {
    const last = this.#batches.at(-1);
    if (this.#hasFailed) waiter.onLost();
    else if (last === undefined) waiter.onDurable();
    else last.waiters.push(waiter);
  }

  /** Resolves to true when all that was added before is durable, to false if that was lost. */
  whenDurable(): Promise<boolean> {
    return new Promise((resolve) => {
      const onDurable = (): void => resolve(true);
      this.release({ onDurable, onLost: () => resolve(false), canWait: true });
    });
  }

  /**
   * Resolves to true when storage has taken all that was added before, to false if that failed. Earlier than
   * {@link Journal.whenDurable} where a write settles earlier: for what lets nothing out that the host does not hold back.
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
    const { prepareCheckpoint, sync } = this.#options;
    // Not in this very call: what is added next, without a pause, shares the row.
    await Promise.resolve();
    for (;;) {
      const checkpoint = this.#batches.length <= 1 ? prepareCheckpoint() : undefined;
      const [batch] = this.#batches;
      if (batch === undefined && checkpoint === undefined) break;
      if (batch !== undefined) {
        batch.isSealed = true;
        if (!(await this.#succeeds(() => this.#write(batch)))) return;
        batch.isWritten = true;
        for (const resolve of batch.whenWritten) resolve(true);
        letOut(batch, 'others');
        if (!(await this.#succeeds(() => sync?.()))) return;
        letOut(batch, 'all');
        // Not earlier: nothing that comes after it may be let out before the rest of it.
        this.#batches.shift();
      }
      checkpoint?.();
      await this.#gather();
    }
    this.#isRunning = false;
  }

  /** One row costs as much as another, however many entries share it: the first of a burst goes alone, the rest together. */
  async #gather(): Promise<void> {
    const { takeTurn, now = Date.now } = this.#options;
    if (takeTurn === undefined) return;
    const end = now() + GATHERING_MILLISECONDS;
    const gathered = (): number => this.#batches.at(-1)?.items.length ?? 0;
    let known: number;
    do {
      known = gathered();
      await takeTurn();
    } while (gathered() > known && now() < end);
  }

  #write(batch: Batch): Promise<void> {
    if (batch.first !== undefined) return this.#options.create(batch.first);
    return this.#options.append(batch.items.map((item) => item.entry));
  }

  /** False if it failed: then all is lost. */
  async #succeeds(write: () => Promise<void> | undefined): Promise<boolean> {
    try {
      await write();
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #fail(error: unknown): void {
    this.#hasFailed = true;
    const batches = this.#batches.splice(0);
    this.#options.onFailure(
      error,
      batches.flatMap((batch) => batch.items),
    );
    for (const { waiters, called, whenWritten } of batches) {
      for (const resolve of whenWritten) resolve(false);
      for (const waiter of waiters.slice(called)) waiter.onLost();
    }
  }
}

function newBatch(item: JournalItem): Batch {
  return {
    first: undefined,
    items: [item],
    waiters: [],
    called: 0,
    whenWritten: [],
    isWritten: false,
    isSealed: false,
  };
}

/** Calls the waiters of a batch that was written, in order: all of them, or up to the first that can wait. */
function letOut(batch: Batch, which: 'all' | 'others'): void {
  for (;;) {
    const waiter = batch.waiters[batch.called];
    if (waiter === undefined || (which === 'others' && waiter.canWait === true)) return;
    batch.called += 1;
    waiter.onDurable();
  }
}
