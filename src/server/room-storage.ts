import { encodeContent } from '../protocol/codec.ts';
import { TinyBasePartyKitError } from '../protocol/errors.ts';
import type { Cursor } from '../protocol/messages.ts';
import { encodeBlob, encodeHead, partKeys, type BlobReference, type StorageEntry } from './blob.ts';
import { isClientRecordExpired } from './client-record.ts';
import type { KeyValueStorage } from './key-value-storage.ts';
import { encodeLogRow, type LogEntry, type LogRow } from './log-row.ts';
import { encodeManifest, type Manifest } from './manifest.ts';
import { putInOrder } from './ordered-writes.ts';
import { StorageGarbage } from './storage-garbage.ts';
import { StorageKeys } from './storage-keys.ts';
import { firstVersionOf, newestRows, sizeOfRows, type StoredRow } from './stored-row.ts';
import { readStorage, type LoadedRoom } from './stored-room.ts';

export type { ClientRecord } from './client-record.ts';
export type { LogEntry } from './log-row.ts';
export type { LoadedRoom } from './stored-room.ts';

/** A log is worth folding into a snapshot from this size on, in bytes. */
const SMALLEST_CHECKPOINT = 256 * 1024;
/** A log up to this size is kept for catching up, whatever the size of the content, in bytes. */
const SMALLEST_RETENTION = 64 * 1024;

/** What a checkpoint writes. */
export type Checkpoint = Pick<LoadedRoom, 'cursor' | 'content' | 'clients'>;

/** What is on disk, as far as is known. */
interface Disk {
  cursor: Cursor;
  snapshot: BlobReference;
  manifestReference: BlobReference | undefined;
  /** The rows that are valid, oldest first. */
  rows: StoredRow[];
  /** Of the rows since the snapshot, in bytes. */
  sizeSinceSnapshot: number;
  /** In milliseconds since 1970. */
  lastWrite: number;
}

/** A row of the log as it is to be written. */
interface EncodedRow {
  readonly parts: readonly StorageEntry[];
  readonly entry: StorageEntry;
  readonly stored: StoredRow;
}

/**
 * What a room has on disk: a snapshot, and a log of what happened since and for some time before. docs/storage.md has
 * the layout, and why a crash between any two writes does no harm.
 *
 * After an append or a creation that rejected, what is on disk is not known: everything rejects until the room was loaded
 * again. A checkpoint that rejected changed nothing that matters. Rows may be appended while a checkpoint is being
 * written; otherwise one call at a time.
 */
export class RoomStorage {
  readonly #storage: KeyValueStorage;
  readonly #keys: StorageKeys;
  #disk: Disk | undefined;
  #nextBlob = 1;
  #nextRow = 1;
  readonly #garbage = new StorageGarbage();
  #append: Promise<void> | undefined;
  /** Settles, and always well, when the last call but appends has. */
  #idle: Promise<unknown> = Promise.resolve();

  /** @param options `prefix` goes before every key; at most 1,900 bytes. */
  constructor(storage: KeyValueStorage, options: { prefix: string }) {
    this.#storage = storage;
    this.#keys = new StorageKeys(options.prefix);
  }

  /** True if a checkpoint pays: a load has more log and garbage to read than snapshot, and at least 256 KiB. */
  get wantsCheckpoint(): boolean {
    if (this.#disk === undefined) return false;
    const { sizeSinceSnapshot, snapshot } = this.#disk;
    return sizeSinceSnapshot + this.#garbage.size > Math.max(SMALLEST_CHECKPOINT, snapshot.bytes);
  }

  /**
   * Reads the room; undefined if it has no Store yet. Writes nothing. Rejects with `unavailable` if storage fails, or
   * holds what cannot be read or was written by a later release: the message names the key.
   */
  async load(): Promise<LoadedRoom | undefined> {
    return await this.#exclusively('read', () => this.#read());
  }

  /**
   * Makes a room's first content durable, whatever its size, with the log if it has one. It is valid with the last
   * write. A room that is already there is replaced.
   */
  async create({ cursor, content, log, clients }: LoadedRoom): Promise<void> {
    const contentText = encodeContent(content);
    assertContinuous(
      log,
      cursor.version - log.filter(({ changes }) => changes !== undefined).length,
    );
    await this.#exclusively('write', async () => {
      if (this.#disk === undefined) await this.#read();
      const replaced = this.#disk;
      this.#disk = undefined;
      const row = log.length === 0 ? undefined : this.#encodeRow({ now: 0, entries: log });
      const manifest = {
        cursor,
        clients,
        firstRow: this.#nextRow,
        lastRow: this.#nextRow - (row === undefined ? 1 : 0),
      };
      const references = await this.#putSnapshot(contentText, manifest, replaced, row);
      if (row !== undefined) this.#nextRow += 1;
      this.#disk = {
        cursor,
        ...references,
        rows: row === undefined ? [] : [row.stored],
        sizeSinceSnapshot: 0,
        lastWrite: 0,
      };
    });
  }

  /**
   * Adds one row to the log (`DURABLE-2`): one write of one key, unless the row is too large for one value. Atomic at any
   * size. `now` is in milliseconds since 1970. Not to be called before the last append has settled.
   */
  async append(entries: readonly LogEntry[], now: number): Promise<void> {
    const disk = this.#open();
    const last = entries.at(-1);
    if (last === undefined) return;
    if (this.#append !== undefined) throw unavailable('a row of the log is still being written');
    assertContinuous(entries, disk.cursor.version);
    const row = this.#encodeRow({ now, entries });
    this.#append = putInOrder(this.#storage, row.parts, [row.entry]);
    try {
      await this.#append;
    } catch (error) {
      this.#disk = undefined;
      throw unavailable('the log cannot be written', error);
    } finally {
      this.#append = undefined;
    }
    this.#nextRow += 1;
    disk.cursor = { epoch: disk.cursor.epoch, version: last.version };
    disk.rows.push(row.stored);
    disk.sizeSinceSnapshot += row.stored.size;
    disk.lastWrite = now;
  }

  /**
   * Writes a snapshot, which becomes valid with its last write, then trims the log (`DURABLE-4`) down to about the size of
   * the content, and removes what crashes left. Leaves out client records that have expired at the time of the last
   * append (`ONCE-5`). The state must be that after the last append that has settled, and is read before this returns:
   * it may change, and rows may be appended, while the snapshot is being written.
   *
   * Returns the version of the oldest log entry kept; one more than the cursor's if none is.
   */
  async checkpoint({ cursor, content, clients }: Checkpoint): Promise<number> {
    const disk = this.#open();
    if (cursor.epoch !== disk.cursor.epoch || cursor.version !== disk.cursor.version) {
      throw unavailable(
        `a snapshot of version ${cursor.version} is not one of ${disk.cursor.version}, which is durable`,
      );
    }
    const rows = [...disk.rows];
    const { sizeSinceSnapshot } = disk;
    const lastRow = this.#nextRow - 1;
    const kept = [...clients].filter(
      ([, record]) => !isClientRecordExpired(record, disk.lastWrite),
    );
    const contentText = encodeContent(content);
    return await this.#exclusively('write', async () => {
      if (this.#disk !== disk) throw unavailable('the room was loaded again');
      await this.#garbage.sweep(this.#storage);
      const retained = newestRows(rows, Math.max(SMALLEST_RETENTION, contentText.length));
      const firstRow = retained[0]?.number ?? lastRow + 1;
      const dropped = rows.slice(0, rows.length - retained.length);
      const manifest = { cursor, clients: new Map(kept), firstRow, lastRow };
      const references = await this.#putSnapshot(contentText, manifest, { ...disk, rows: dropped });
      disk.snapshot = references.snapshot;
      disk.manifestReference = references.manifestReference;
      disk.rows = disk.rows.slice(dropped.length);
      disk.sizeSinceSnapshot -= sizeSinceSnapshot;
      await this.#garbage.sweep(this.#storage);
      return retained[0]?.firstVersion ?? cursor.version + 1;
    });
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

  async #read(): Promise<LoadedRoom | undefined> {
    this.#disk = undefined;
    const { highestBlob, highestRow, garbage, garbageSize, stored } = await readStorage(
      this.#storage,
      this.#keys,
    );
    this.#nextBlob = highestBlob + 1;
    this.#nextRow = Math.max(highestRow, stored?.manifest.lastRow ?? 0) + 1;
    this.#garbage.reset(garbage, garbageSize);
    if (stored === undefined) return undefined;
    const { room, manifest, manifestReference, rows, lastWrite } = stored;
    const rowsSince = rows.filter(({ number }) => number > manifest.lastRow);
    this.#disk = {
      cursor: room.cursor,
      snapshot: manifest.snapshot,
      manifestReference,
      rows: [...rows],
      sizeSinceSnapshot: sizeOfRows(rowsSince),
      lastWrite,
    };
    return room;
  }

  #encodeRow(row: LogRow): EncodedRow {
    const { value, reference, parts, size } = encodeHead(
      this.#keys,
      this.#nextBlob,
      encodeLogRow(row),
    );
    if (reference !== undefined) this.#nextBlob += 1;
    const number = this.#nextRow;
    const stored = { number, firstVersion: firstVersionOf(row.entries), size, reference };
    return { parts, entry: [this.#keys.row(number), value], stored };
  }

  /** Writes a snapshot with its manifest, and the row of the log, if there is one, with them. */
  async #putSnapshot(
    contentText: string,
    manifest: Omit<Manifest, 'snapshot'>,
    replaced: Disk | undefined,
    row?: EncodedRow,
  ): Promise<Pick<Disk, 'snapshot' | 'manifestReference'>> {
    const keys = this.#keys;
    const { reference: snapshot, parts } = encodeBlob(keys, this.#nextBlob, contentText);
    const text = encodeManifest({ ...manifest, snapshot });
    const head = encodeHead(keys, this.#nextBlob + 1, text);
    this.#nextBlob += 2;
    const allParts = [...(row?.parts ?? []), ...parts, ...head.parts];
    const heads: StorageEntry[] = row === undefined ? [] : [row.entry];
    heads.push([keys.manifest, head.value]);
    await this.#garbage.replace(
      allParts.map(([key]) => key),
      () => putInOrder(this.#storage, allParts, heads),
      replaced === undefined ? [] : this.#keysOf(replaced),
    );
    return { snapshot, manifestReference: head.reference };
  }

  /** All keys that a snapshot and rows take, but for the manifest's. */
  #keysOf({ snapshot, manifestReference, rows }: Disk): string[] {
    return [
      ...partKeys(this.#keys, snapshot),
      ...partKeys(this.#keys, manifestReference),
      ...rows.flatMap(({ number, reference }) => [
        this.#keys.row(number),
        ...partKeys(this.#keys, reference),
      ]),
    ];
  }
}

/** A log with a gap could not be loaded again: better no row than that. */
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
