import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Cursor } from '../../protocol/messages.ts';
import { encodeHead, partKeys, type BlobReference } from './blob.ts';
import { isClientRecordExpired } from './client-record.ts';
import type { KeyValueStorage } from './key-value-storage.ts';
import {
  encodeLogRow,
  firstVersionOf,
  newestRows,
  sizeOfRows,
  type LogEntry,
  type StoredRow,
} from './log-row.ts';
import { deleteKeys, deleteRange, putInOrder } from './ordered-writes.ts';
import { PageIndex } from './page-index.ts';
import { SnapshotWriter, type CheckpointSource, type WrittenPage } from './snapshot-writer.ts';
import { StorageGarbage } from './storage-garbage.ts';
import { StorageKeys } from './storage-keys.ts';
import { DEFAULT_STORAGE_SIZES, type StorageSizes } from './storage-sizes.ts';
import { salvage, type SalvagedRoom } from './salvage.ts';
import { readStorage, type LoadedRoom, type NewRoom } from './stored-room.ts';

/** The known state of the disk. */
interface Disk {
  cursor: Cursor;
  /** The pages that the valid manifest names. */
  pages: readonly BlobReference[];
  /** The size of these pages, in bytes. */
  snapshotSize: number;
  readonly index: PageIndex;
  manifestReference: BlobReference | undefined;
  /** The time at which the manifest was written; undefined if it is unknown. */
  checkpointTime: number | undefined;
  /** The valid rows, oldest first. */
  rows: StoredRow[];
  /** The size of the rows since the snapshot, in bytes. */
  sizeSinceSnapshot: number;
  /** The time of the last write, in milliseconds since 1970. */
  lastWrite: number;
}

/** Sizes in bytes, and a time in milliseconds since 1970. */
export interface StoredSizes {
  readonly checkpointBytes: number;
  readonly logBytes: number;
  readonly garbageBytes: number;
  /** Undefined if it is unknown. */
  readonly checkpointTime: number | undefined;
}

/**
 * The storage of a room: a snapshot, and a log that begins some time before it. docs/storage.md has the layout, and
 * explains why a crash between any two writes does no harm.
 *
 * After an append or a creation rejected, the state of the disk is unknown: every call rejects until the room was loaded
 * again. A checkpoint that rejected changed nothing that matters. Rows may be appended during a checkpoint; otherwise
 * make one call at a time.
 */
export class RoomStorage {
  readonly #storage: KeyValueStorage;
  readonly #keys: StorageKeys;
  readonly #sizes: StorageSizes;
  readonly #now: (() => number) | undefined;
  #disk: Disk | undefined;
  readonly #garbage = new StorageGarbage();
  readonly #writer: SnapshotWriter;
  #nextRow = 1;
  #append: Promise<void> | undefined;
  /** True from the beginning of a wipe until it has succeeded: the state of the disk is unknown, and only a load may follow. */
  #isUnknown = false;
  #wasEmptied = false;
  /** The number of calls of {@link RoomStorage.wipe}. */
  #wipes = 0;
  /** Resolves when the last call has settled, not counting appends. Never rejects. */
  #idle: Promise<unknown> = Promise.resolve();

  /**
   * @param options `prefix` is the beginning of every key; at most 1,900 bytes. `now` returns the time that a checkpoint
   * gets, in milliseconds since 1970.
   */
  constructor(
    storage: KeyValueStorage,
    options: {
      prefix: string;
      sizes?: Partial<StorageSizes> | undefined;
      now?: () => number;
    },
  ) {
    this.#storage = storage;
    this.#keys = new StorageKeys(options.prefix);
    this.#sizes = { ...DEFAULT_STORAGE_SIZES, ...options.sizes };
    this.#now = options.now;
    this.#writer = new SnapshotWriter(storage, this.#keys, this.#garbage);
  }

  /** True if the last load found rows of a log and no manifest: somebody emptied the storage of a running room. */
  get wasEmptied(): boolean {
    return this.#wasEmptied;
  }

  /** The sizes of the stored room; undefined if they are unknown, as before the initial content. */
  get storedSizes(): StoredSizes | undefined {
    if (this.#disk === undefined) return undefined;
    const { snapshotSize, manifestReference, rows, checkpointTime } = this.#disk;
    return {
      checkpointBytes: snapshotSize + (manifestReference?.bytes ?? 0),
      logBytes: sizeOfRows(rows),
      garbageBytes: this.#garbage.size,
      checkpointTime,
    };
  }

  /** True if a checkpoint would store or remove anything. */
  get canCheckpoint(): boolean {
    return this.#disk !== undefined && this.#disk.sizeSinceSnapshot + this.#garbage.size > 0;
  }

  /** True if log and garbage exceed both 256 KiB and the size of snapshot and client records: then a checkpoint pays. */
  get wantsCheckpoint(): boolean {
    if (this.#disk === undefined) return false;
    const { sizeSinceSnapshot, snapshotSize, manifestReference } = this.#disk;
    const written = snapshotSize + (manifestReference?.bytes ?? 0);
    const worth = Math.max(this.#sizes.smallestCheckpoint, written);
    return sizeSinceSnapshot + this.#garbage.size > worth;
  }

  /**
   * Reads the room; undefined if it has no Store yet. Writes nothing. Rejects with `unavailable` if storage fails, is
   * damaged, or was written by a later release: the message names the key.
   */
  async load(): Promise<LoadedRoom | undefined> {
    return await this.#exclusively('read', async () => {
      this.#disk = undefined;
      const read = await this.#read();
      this.#disk = read?.disk;
      return read?.room;
    });
  }

  /**
   * Reads a damaged room as far as it can be read; undefined if it has no Store. Rejects with `unavailable` if storage fails, or
   * if another release wrote the room.
   */
  async salvage(): Promise<SalvagedRoom | undefined> {
    const { room } = await this.#exclusively('read', () => salvage(this.#storage, this.#keys));
    this.#isUnknown = false;
    return room;
  }

  /**
   * Makes a room's initial content durable, whatever its size. The last write makes it valid. Replaces a room that already exists; a
   * damaged one only if `isDamageAllowed`.
   */
  async create({ cursor, content, clients }: NewRoom, isDamageAllowed = false): Promise<void> {
    const index = new PageIndex(this.#sizes.page);
    index.addContent(content);
    const read = [...index.pages].flatMap((page) => index.read(page, content));
    const assertCurrent = this.#untilWiped();
    await this.#exclusively('write', async () => {
      if (this.#isUnknown) throw unavailable('it could not be emptied: load it');
      assertCurrent();
      const replaced = await this.#close(isDamageAllowed);
      const encoded = read.map(({ leaves }) => this.#writer.encodePage(leaves));
      const pages = encoded.map(({ reference }) => reference);
      const time = this.#now?.();
      const manifestReference = await this.#writer.putManifest(
        { cursor, time, pages, clients, firstRow: this.#nextRow, lastRow: this.#nextRow - 1 },
        {
          pages: encoded.flatMap(({ parts }) => parts),
          replaced: replaced === undefined ? [] : this.#keysOf(replaced),
          assertCurrent,
        },
      );
      for (const [number, { page }] of read.entries()) page.stored = pages[number];
      this.#disk = {
        cursor,
        pages,
        snapshotSize: sizeOfBlobs(pages),
        index,
        manifestReference,
        checkpointTime: time,
        rows: [],
        sizeSinceSnapshot: 0,
        lastWrite: 0,
      };
      // Removes the replaced room now, since no write may follow. If this fails, the next checkpoint removes it.
      await this.#garbage.sweep(this.#storage).catch(() => undefined);
    });
  }

  /**
   * Removes everything that the room has stored. Forgets it within this call: nothing can be added to it any more. `emptied` settles
   * when other code has emptied the storage; what is written meanwhile is removed after it. If this rejects, load the room.
   */
  async wipe(emptied: Promise<unknown> = Promise.resolve()): Promise<void> {
    this.#disk = undefined;
    this.#wipes += 1;
    await this.#exclusively('write', async () => {
      this.#disk = undefined;
      this.#isUnknown = true;
      await emptied;
      const { manifest, rows, parts } = this.#keys;
      // Nothing is valid without it, so a crash in between leaves an empty room.
      await deleteKeys(this.#storage, [manifest]);
      for (const range of [rows, parts]) await deleteRange(this.#storage, range);
      this.#garbage.reset([], 0);
      this.#isUnknown = false;
    });
  }

  /**
   * Adds one row to the log (`DURABLE-2`): one write of one key, unless the row is too large for one value. Atomic at any
   * size. `now` is in milliseconds since 1970, `tag` is that of its versions. Call it only after the last append has settled.
   */
  async append(entries: readonly LogEntry[], now: number, tag?: string): Promise<void> {
    const disk = this.#open();
    const last = entries.at(-1);
    if (last === undefined) return;
    if (this.#append !== undefined) throw unavailable('a row of the log is still being written');
    assertContinuous(entries, disk.cursor.version);
    const text = encodeLogRow({ now, tag, entries });
    const { value, reference, parts, size } = encodeHead(this.#keys, this.#writer.nextBlob, text);
    // A large row uses a blob number.
    if (reference !== undefined) this.#writer.nextBlob += 1;
    const number = this.#nextRow;
    const head = [this.#keys.row(number), value] as const;
    this.#append = putInOrder(this.#storage, parts, head, this.#untilWiped());
    try {
      await this.#append;
    } catch (error) {
      this.#disk = undefined;
      throw unavailable('the log cannot be written', error);
    } finally {
      this.#append = undefined;
    }
    this.#nextRow += 1;
    const { epoch, version } = disk.cursor;
    // A row without a commit leaves the version as it was.
    if (last.version !== version) disk.cursor = { epoch, version: last.version, tag };
    disk.rows.push({ number, firstVersion: firstVersionOf(entries), size, reference });
    for (const { changes } of entries) if (changes !== undefined) disk.index.note(changes);
    disk.sizeSinceSnapshot += size;
    disk.lastWrite = now;
  }

  /**
   * Writes the changed pages, and with its last write the manifest that makes them the snapshot. Then it trims the log
   * (`DURABLE-4`) to about the size of the content, and removes garbage from crashes. It leaves out client records that
   * had expired at the time of the last append (`ONCE-5`).
   *
   * The room keeps running meanwhile: rows may be appended, and pages are read at different moments. The snapshot counts as the
   * version at the beginning: the later log is kept, and a load applies it to every page.
   *
   * Returns the version of the oldest log entry that is kept. If none is kept, it is one more than the snapshot's version. Returns
   * `emptied`, and writes nothing, if other code has removed the manifest.
   */
  async checkpoint(source: CheckpointSource): Promise<number | 'emptied'> {
    const disk = this.#open();
    return await this.#exclusively('write', async () => {
      this.#assertCurrent(disk);
      const { manifest } = this.#keys;
      if (!(await this.#storage.get([manifest])).has(manifest)) return 'emptied';
      this.#assertCurrent(disk);
      const { cursor, sizeSinceSnapshot, index, lastWrite } = disk;
      const rows = [...disk.rows];
      const lastRow = this.#nextRow - 1;
      const clients = new Map(
        [...source.clients()].filter(([, record]) => !isClientRecordExpired(record, lastWrite)),
      );
      await this.#garbage.sweep(this.#storage);
      const written: WrittenPage[] = [];
      let isNamed = false;
      try {
        await this.#writer.writePages(index, source, this.#sizes.slice, written, () =>
          this.#assertCurrent(disk),
        );
        await source.whenAppended();
        this.#assertCurrent(disk);
        const fresh = new Map(written.map(({ page, reference }) => [page, reference]));
        const pages = index.pages.flatMap((page) => fresh.get(page) ?? page.stored ?? []);
        const snapshotSize = sizeOfBlobs(pages);
        const retained = newestRows(rows, Math.max(this.#sizes.smallestRetention, snapshotSize));
        const firstRow = retained[0]?.number ?? lastRow + 1;
        const dropped = rows.slice(0, rows.length - retained.length);
        const kept = new Set(pages);
        const replaced = {
          pages: disk.pages.filter((page) => !kept.has(page)),
          manifestReference: disk.manifestReference,
          rows: dropped,
        };
        isNamed = true;
        const time = this.#now?.();
        disk.manifestReference = await this.#writer.putManifest(
          { cursor, time, pages, clients, firstRow, lastRow },
          {
            written,
            replaced: this.#keysOf(replaced),
            assertCurrent: () => this.#assertCurrent(disk),
          },
        );
        for (const { page, reference } of written) page.stored = reference;
        disk.checkpointTime = time;
        disk.pages = pages;
        disk.snapshotSize = snapshotSize;
        disk.rows = disk.rows.slice(dropped.length);
        disk.sizeSinceSnapshot -= sizeSinceSnapshot;
        await this.#garbage.sweep(this.#storage);
        return retained[0]?.firstVersion ?? cursor.version + 1;
      } catch (error) {
        if (!isNamed) this.#writer.abandon(written);
        // The manifest that is certainly valid does not name them.
        for (const { page, reference } of written) {
          if (page.stored !== reference) page.isDirty = true;
        }
        throw error;
      }
    });
  }

  /** Returns a function that throws once the room is wiped: then the parts of what is being written are gone. */
  #untilWiped(): () => void {
    const wipes = this.#wipes;
    return () => {
      if (wipes !== this.#wipes) throw unavailable('the room was emptied');
    };
  }

  #assertCurrent(disk: Disk): void {
    if (this.#disk !== disk) throw unavailable('the room was loaded again');
  }

  /** Returns the state of the disk, and forgets it: it is about to be replaced, and nothing may be added to it. */
  async #close(isDamageAllowed: boolean): Promise<Disk | undefined> {
    const disk = this.#disk;
    this.#disk = undefined;
    // An append that began after this call: its row would belong to the new room.
    const hasFailed = await this.#append?.then(
      () => false,
      () => true,
    );
    return disk === undefined || hasFailed === true
      ? await this.#readBeforeReplacing(isDamageAllowed)
      : disk;
  }

  #open(): Disk {
    if (this.#disk === undefined)
      throw unavailable('the room was not loaded, or a write of it failed: load it');
    return this.#disk;
  }

  async #exclusively<T>(verb: 'read' | 'write', action: () => Promise<T>): Promise<T> {
    const before = Promise.allSettled([this.#idle, this.#append]);
    const result = before.then(action);
    this.#idle = result.catch(() => undefined);
    try {
      return await result;
    } catch (error) {
      if (error instanceof TinyBasePartyKitError) throw error;
      throw unavailable(`its storage cannot be ${verb === 'read' ? 'read' : 'written'}`, error);
    }
  }

  /** Reads the room. If it is damaged, finds out which keys there are: all of them are to be removed. */
  async #readBeforeReplacing(isDamageAllowed: boolean): Promise<Disk | undefined> {
    try {
      return (await this.#read())?.disk;
    } catch (error) {
      if (!isDamageAllowed) throw error;
      const { keys, highestBlob, highestRow } = await salvage(this.#storage, this.#keys);
      this.#writer.nextBlob = highestBlob + 1;
      this.#nextRow = highestRow + 1;
      this.#garbage.reset(keys, 0);
      return undefined;
    }
  }

  async #read(): Promise<{ readonly room: LoadedRoom; readonly disk: Disk } | undefined> {
    const { highestBlob, highestRow, garbage, garbageSize, stored } = await readStorage(
      this.#storage,
      this.#keys,
      this.#sizes.page,
    );
    this.#isUnknown = false;
    this.#writer.nextBlob = highestBlob + 1;
    this.#nextRow = Math.max(highestRow, stored?.manifest.lastRow ?? 0) + 1;
    this.#garbage.reset(garbage, garbageSize);
    this.#wasEmptied = stored === undefined && highestRow > 0;
    if (stored === undefined) return undefined;
    const { room, manifest, manifestReference, index, rows, lastWrite } = stored;
    const rowsSince = rows.filter(({ number }) => number > manifest.lastRow);
    const disk = {
      cursor: room.cursor,
      pages: manifest.pages,
      snapshotSize: sizeOfBlobs(manifest.pages),
      index,
      manifestReference,
      checkpointTime: manifest.time,
      rows: [...rows],
      sizeSinceSnapshot: sizeOfRows(rowsSince),
      lastWrite,
    };
    return { room, disk };
  }

  /** Returns all keys of pages and rows, and of the manifest's own parts. */
  #keysOf({
    pages,
    manifestReference,
    rows,
  }: Pick<Disk, 'pages' | 'manifestReference' | 'rows'>): string[] {
    return [
      ...pages.flatMap((page) => partKeys(this.#keys, page)),
      ...partKeys(this.#keys, manifestReference),
      ...rows.flatMap(({ number, reference }) => [
        this.#keys.row(number),
        ...partKeys(this.#keys, reference),
      ]),
    ];
  }
}

function sizeOfBlobs(blobs: readonly BlobReference[]): number {
  return blobs.reduce((size, { bytes }) => size + bytes, 0);
}

/** Throws if the entries would leave a gap: a log with a gap cannot be loaded. */
function assertContinuous(entries: readonly LogEntry[], version: number): void {
  let expected = version;
  for (const entry of entries) {
    if (entry.changes !== undefined) expected += 1;
    if (entry.version !== expected) {
      throw unavailable(`version ${entry.version} cannot be logged where ${expected} is next`);
    }
  }
}

function unavailable(what: string, cause?: unknown): TinyBasePartyKitError {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new TinyBasePartyKitError('unavailable', `The room is not stored: ${what}${why}`, {
    cause,
  });
}
