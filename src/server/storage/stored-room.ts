import { applyChangesToLeaves } from '../../protocol/changes.ts';
import { decodeRows } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { VALUES, type Leaf, type TableKey } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import type { Cursor } from '../../protocol/messages.ts';
import { decodeHead, joinBlob, partKeys, type BlobReference } from './blob.ts';
import { notePush, type ClientRecord } from './client-record.ts';
import type { KeyValueStorage } from './key-value-storage.ts';
import { listRange } from './list-range.ts';
import { decodeLogRow, firstVersionOf, type LogEntry, type StoredRow } from './log-row.ts';
import { decodeManifest, type Manifest } from './manifest.ts';
import { PageIndex } from './page-index.ts';
import type { StorageKeys } from './storage-keys.ts';

/** The number of parts in one call of `get`. Each may have the largest size of a value. */
const PARTS_A_CALL = 128;
const ROWS_A_CALL = 512;

/** A room that begins, or begins again: all of it is in the snapshot. */
export interface NewRoom {
  readonly cursor: Cursor;
  readonly content: LeafMap<Leaf>;
  readonly clients: ReadonlyMap<string, ClientRecord>;
}

/** A room as it is stored. */
export interface LoadedRoom extends NewRoom {
  /** The latest entries with changes, oldest first. The last one has the cursor's version. */
  readonly log: readonly LogEntry[];
  /** The version before the log, if its tag is known (`JOIN-9`). */
  readonly before?: Cursor | undefined;
}

/** A room, and where its parts are in storage. */
interface StoredRoom {
  readonly room: LoadedRoom;
  readonly manifest: Manifest;
  /** The manifest's own parts, if it is large. */
  readonly manifestReference: BlobReference | undefined;
  /** The pages of the content, with the rows since the snapshot applied. */
  readonly index: PageIndex;
  /** The rows from `manifest.firstRow` on. */
  readonly rows: readonly StoredRow[];
  /** The time of the last row, in milliseconds since 1970; 0 if there is none. */
  readonly lastWrite: number;
}

/** The content of a room's namespace. */
export interface StorageState {
  /** The highest number in the key of any blob, valid or not; 0 if there is none. */
  readonly highestBlob: number;
  /** The highest number in the key of any row, valid or not; 0 if there is none. */
  readonly highestRow: number;
  /** Keys that crashes left. Nothing valid names them. */
  readonly garbage: readonly string[];
  /** The approximate size of the garbage, in bytes. */
  readonly garbageSize: number;
  /** The room; undefined if it has no Store. */
  readonly stored: StoredRoom | undefined;
}

/**
 * Reads all storage of a room, and writes nothing. Throws `unavailable` with the key if valid data cannot be read. Do not
 * write then.
 */
export async function readStorage(
  storage: KeyValueStorage,
  keys: StorageKeys,
  pageSize: number,
): Promise<StorageState> {
  const reader = new StorageReader(storage, keys, pageSize);
  return await reader.read();
}

class StorageReader {
  readonly #storage: KeyValueStorage;
  readonly #keys: StorageKeys;
  readonly #pageSize: number;
  /** The parts that something valid names. */
  readonly #needed = new Set<string>();
  readonly #parts = new Map<string, unknown>();
  readonly #garbage: string[] = [];
  #garbageSize = 0;
  #highestBlob = 0;
  #highestRow = 0;

  constructor(storage: KeyValueStorage, keys: StorageKeys, pageSize: number) {
    this.#storage = storage;
    this.#keys = keys;
    this.#pageSize = pageSize;
  }

  async read(): Promise<StorageState> {
    const { manifest: manifestKey } = this.#keys;
    const head = (await this.#storage.get([manifestKey])).get(manifestKey);
    // The manifest tells which rows and parts are valid. It may be in parts itself, so these are read first.
    const manifestReference =
      head === undefined ? undefined : decodeAt(manifestKey, () => decodeHead(head));
    await this.#readManifestParts(manifestReference);
    const manifest =
      head === undefined
        ? undefined
        : decodeAt(manifestKey, () => decodeManifest(this.#text(head, manifestReference)));
    const heads = await this.#readRows(manifest);
    for (const page of manifest?.pages ?? []) this.#need(page);
    await this.#readParts();
    const stored =
      manifest === undefined ? undefined : this.#assemble(manifest, manifestReference, heads);
    return {
      highestBlob: this.#highestBlob,
      highestRow: this.#highestRow,
      garbage: this.#garbage,
      garbageSize: this.#garbageSize,
      stored,
    };
  }

  async #readManifestParts(reference: BlobReference | undefined): Promise<void> {
    this.#need(reference);
    const names = partKeys(this.#keys, reference);
    for (let start = 0; start < names.length; start += PARTS_A_CALL) {
      const parts = await this.#storage.get(names.slice(start, start + PARTS_A_CALL));
      for (const [key, part] of parts) this.#parts.set(key, part);
    }
  }

  /** Reads the heads of all valid rows, in order. */
  async #readRows(manifest: Manifest | undefined): Promise<[number, unknown][]> {
    const heads: [number, unknown][] = [];
    for await (const [key, value] of listRange(this.#storage, this.#keys.rows, ROWS_A_CALL)) {
      const number = this.#keys.rowNumber(key);
      if (number === undefined) continue;
      this.#highestRow = Math.max(this.#highestRow, number);
      if (manifest === undefined || number < manifest.firstRow) this.#discard(key, value);
      else {
        heads.push([number, value]);
        this.#need(decodeAt(key, () => decodeHead(value)));
      }
    }
    return heads;
  }

  async #readParts(): Promise<void> {
    for await (const [key, part] of listRange(this.#storage, this.#keys.parts, PARTS_A_CALL)) {
      const blob = this.#keys.blobNumber(key);
      if (blob === undefined) continue;
      this.#highestBlob = Math.max(this.#highestBlob, blob);
      if (this.#needed.has(key)) this.#parts.set(key, part);
      else this.#discard(key, part);
    }
  }

  #assemble(
    manifest: Manifest,
    manifestReference: BlobReference | undefined,
    heads: readonly [number, unknown][],
  ): StoredRoom {
    const content = new LeafMap<Leaf>();
    const index = new PageIndex(this.#pageSize);
    for (const page of manifest.pages) this.#readPage(page, content, index);
    const log: LogEntry[] = [];
    const clients = new Map(manifest.clients);
    const rows: StoredRow[] = [];
    let version: number | undefined;
    let { tag } = manifest.cursor;
    let nextRow = manifest.firstRow;
    let lastWrite = 0;
    for (const [number, head] of heads) {
      const key = this.#keys.row(number);
      if (number !== nextRow) throw unreadable(this.#keys.row(nextRow), 'it is missing');
      nextRow += 1;
      const isInSnapshot = number <= manifest.lastRow;
      const reference = decodeHead(head);
      const text = decodeAt(key, () => this.#text(head, reference));
      const row = decodeAt(key, () => decodeLogRow(text));
      const { now, entries } = row;
      lastWrite = now;
      if (number === manifest.lastRow + 1) version = manifest.cursor.version;
      const firstVersion = firstVersionOf(entries);
      rows.push({ number, firstVersion, size: reference?.bytes ?? text.length, reference });
      for (const entry of entries) {
        const { changes, author } = entry;
        version ??= firstVersion - 1;
        if (changes !== undefined) version += 1;
        if (entry.version !== version)
          throw unreadable(key, `its version ${entry.version} is not ${version}`);
        if (changes !== undefined) log.push(entry);
        if (isInSnapshot) continue;
        if (changes !== undefined) {
          ({ tag } = row);
          applyChangesToLeaves(content, changes);
          index.note(changes);
        }
        if (author !== undefined) notePush(clients, author.clientId, author.push, now);
      }
      if (number === manifest.lastRow && version !== manifest.cursor.version) {
        throw unreadable(
          key,
          `it ends at version ${version}, and its snapshot has ${manifest.cursor.version}`,
        );
      }
    }
    if (nextRow <= manifest.lastRow) throw unreadable(this.#keys.row(nextRow), 'it is missing');
    version ??= manifest.cursor.version;
    const cursor = { epoch: manifest.cursor.epoch, version, tag };
    const isWhole = manifest.firstRow > manifest.lastRow;
    const before = isWhole ? manifest.cursor : undefined;
    const room = { cursor, content, log, before, clients };
    return { room, manifest, manifestReference, index, rows, lastWrite };
  }

  #readPage(reference: BlobReference, content: LeafMap<Leaf>, index: PageIndex): void {
    const ids = new Map<TableKey, string[]>();
    decodeAt(this.#keys.part(reference.blob, 0), () =>
      decodeRows(joinBlob(this.#keys, reference, this.#parts), (table, row, cells) => {
        if (table === VALUES) {
          for (const [id, leaf] of cells) content.set(VALUES, '', id, leaf);
          ids.set(VALUES, [...cells.keys()]);
          return;
        }
        content.setRow(table, row, cells);
        const rows = ids.get(table);
        if (rows === undefined) ids.set(table, [row]);
        else rows.push(row);
      }),
    );
    index.addStored(reference, ids);
    // The parts are as large as the content and not needed again.
    for (const key of partKeys(this.#keys, reference)) this.#parts.delete(key);
  }

  #text(head: unknown, reference: BlobReference | undefined): string {
    if (reference !== undefined) return joinBlob(this.#keys, reference, this.#parts);
    if (typeof head === 'string') return head;
    throw new SyntaxError('it is not text');
  }

  #need(reference: BlobReference | undefined): void {
    for (const key of partKeys(this.#keys, reference)) this.#needed.add(key);
  }

  #discard(key: string, value: unknown): void {
    this.#garbage.push(key);
    if (ArrayBuffer.isView(value)) this.#garbageSize += value.byteLength;
    else if (typeof value === 'string') this.#garbageSize += value.length;
  }
}

function decodeAt<T>(key: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw unreadable(key, error instanceof Error ? error.message : String(error), error);
  }
}

function unreadable(key: string, what: string, cause?: unknown): TinyBasePartyKitError {
  return new TinyBasePartyKitError(
    'unavailable',
    `The room cannot be loaded from its storage key ${JSON.stringify(key)}: ${what}`,
    { cause },
  );
}
