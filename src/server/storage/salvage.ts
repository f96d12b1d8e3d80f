import { applyChangesToLeaves } from '../../protocol/changes.ts';
import { decodeRows } from '../../protocol/codec.ts';
import { VALUES, type Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import { decodeHead, joinBlob, type BlobReference } from './blob.ts';
import { notePush, type ClientRecord } from './client-record.ts';
import type { KeyValueStorage } from './key-value-storage.ts';
import { listRange } from './list-range.ts';
import { decodeLogRow, type LogRow } from './log-row.ts';
import { decodeManifest, ForeignFormat, type Manifest } from './manifest.ts';
import type { StorageKeys } from './storage-keys.ts';

const ENTRIES_A_CALL = 128;

/** Everything of a damaged room that can be read. */
export interface SalvagedRoom {
  /** Undefined if the manifest cannot be read. */
  readonly epoch: string | undefined;
  /** The highest version that was found; at least 1. */
  readonly version: number;
  readonly content: LeafMap<Leaf>;
  readonly clients: ReadonlyMap<string, ClientRecord>;
  /** A text for each part that cannot be read; none if the room is whole. */
  readonly damage: readonly string[];
}

/** The result of {@link salvage}. */
export interface Salvage {
  /** Undefined if the room has no Store. */
  readonly room: SalvagedRoom | undefined;
  /** All keys of rows and parts, valid or not. */
  readonly keys: readonly string[];
  /** The highest number in the key of any blob; 0 if there is none. */
  readonly highestBlob: number;
  /** The highest number in the key of any row; 0 if there is none. */
  readonly highestRow: number;
}

/**
 * Reads a room as far as it can be read, and writes nothing. Rejects if the storage itself fails, and with
 * {@link ForeignFormat} for a room that another release wrote.
 */
export async function salvage(storage: KeyValueStorage, keys: StorageKeys): Promise<Salvage> {
  const head = (await storage.get([keys.manifest])).get(keys.manifest);
  const rows = new Map<number, unknown>();
  const parts = new Map<string, unknown>();
  const lengths = new Map<number, number>();
  let highestBlob = 0;
  let highestRow = 0;
  const found: string[] = [];
  for await (const [key, value] of listRange(storage, keys.rows, ENTRIES_A_CALL)) {
    const number = keys.rowNumber(key);
    if (number === undefined) continue;
    found.push(key);
    rows.set(number, value);
    highestRow = number;
  }
  for await (const [key, value] of listRange(storage, keys.parts, ENTRIES_A_CALL)) {
    const blob = keys.blobNumber(key);
    if (blob === undefined) continue;
    found.push(key);
    parts.set(key, value);
    lengths.set(blob, (lengths.get(blob) ?? 0) + 1);
    highestBlob = blob;
  }
  const room = head === undefined ? undefined : new Salvager(keys, rows, parts, lengths).read(head);
  return { room, keys: found, highestBlob, highestRow };
}

class Salvager {
  readonly #keys: StorageKeys;
  /** The heads of the log's rows, by number, in order. */
  readonly #rows: ReadonlyMap<number, unknown>;
  readonly #parts: ReadonlyMap<string, unknown>;
  /** The number of parts of each blob, in order. */
  readonly #lengths: ReadonlyMap<number, number>;
  #content = new LeafMap<Leaf>();
  readonly #clients = new Map<string, ClientRecord>();
  readonly #damage: string[] = [];
  #version = 1;

  constructor(
    keys: StorageKeys,
    rows: ReadonlyMap<number, unknown>,
    parts: ReadonlyMap<string, unknown>,
    lengths: ReadonlyMap<number, number>,
  ) {
    this.#keys = keys;
    this.#rows = rows;
    this.#parts = parts;
    this.#lengths = lengths;
  }

  read(head: unknown): SalvagedRoom {
    const manifest = this.#try(this.#keys.manifest, () => decodeManifest(this.#text(head)));
    if (manifest === undefined) this.#readWithoutManifest();
    else this.#readBy(manifest);
    return {
      epoch: manifest?.cursor.epoch,
      version: this.#version,
      content: this.#content,
      clients: this.#clients,
      damage: this.#damage,
    };
  }

  #readBy({ cursor, pages, firstRow, lastRow, clients }: Manifest): void {
    this.#version = Math.max(1, cursor.version);
    for (const [id, record] of clients) this.#clients.set(id, record);
    for (const page of pages) this.#try(this.#keys.part(page.blob, 0), () => this.#readPage(page));
    const before: LogRow[] = [];
    const since: LogRow[] = [];
    const arePagesDamaged = this.#damage.length > 0;
    let next = firstRow;
    for (const number of this.#rows.keys()) {
      if (number < firstRow) continue;
      if (next < number) this.#noteMissing(next, number);
      next = number + 1;
      const row = this.#readRow(number);
      if (row !== undefined) (number > lastRow ? since : before).push(row);
    }
    if (next <= lastRow) this.#noteMissing(next, lastRow + 1);
    if (arePagesDamaged) this.#underlay(before);
    for (const row of since) this.#apply(row);
  }

  /** Adds the content of these rows beneath that of the pages: the snapshot includes them, but some of its pages are damaged. */
  #underlay(rows: readonly LogRow[]): void {
    const pages = this.#content;
    this.#content = new LeafMap<Leaf>();
    for (const { entries } of rows)
      for (const { changes } of entries)
        if (changes !== undefined) applyChangesToLeaves(this.#content, changes);
    pages.forEach((leaf, table, row, cell) => this.#content.set(table, row, cell, leaf));
  }

  /**
   * Reads all pages that are there, older ones first, and then the newest rows of the log that follow each other. Deleted rows
   * may come back, because nothing tells which pages are valid.
   */
  #readWithoutManifest(): void {
    for (const blob of this.#lengths.keys()) {
      const bytes = this.#sizeOf(blob);
      try {
        this.#readPage({ blob, parts: this.#lengths.get(blob) ?? 0, bytes });
      } catch {
        // Rows of the log and the manifest have blobs, too.
      }
    }
    let rows: LogRow[] = [];
    let next = 0;
    for (const number of this.#rows.keys()) {
      const row = this.#readRow(number);
      const last = rows.at(-1)?.entries.at(-1)?.version;
      const first = row?.entries[0]?.version;
      // Rows of an earlier epoch may be left, too.
      const isBreak =
        last !== undefined && first !== undefined && first !== last && first !== last + 1;
      if (number !== next || isBreak) rows = [];
      next = number + 1;
      if (row !== undefined) rows.push(row);
    }
    for (const row of rows) this.#apply(row);
  }

  #sizeOf(blob: number): number {
    let bytes = 0;
    for (let index = 0; ; index += 1) {
      const part = this.#parts.get(this.#keys.part(blob, index));
      if (!ArrayBuffer.isView(part)) return bytes;
      bytes += part.byteLength;
    }
  }

  #readPage(page: BlobReference): void {
    decodeRows(joinBlob(this.#keys, page, this.#parts), (table, row, cells) => {
      if (table !== VALUES) this.#content.setRow(table, row, cells);
      else for (const [id, leaf] of cells) this.#content.set(VALUES, '', id, leaf);
    });
  }

  #readRow(number: number): LogRow | undefined {
    const head = this.#rows.get(number);
    return this.#try(this.#keys.row(number), () => decodeLogRow(this.#text(head)));
  }

  #apply({ now, entries }: LogRow): void {
    for (const { version, changes, author } of entries) {
      this.#version = Math.max(this.#version, version);
      if (changes !== undefined) applyChangesToLeaves(this.#content, changes);
      if (author !== undefined) notePush(this.#clients, author.clientId, author.push, now);
    }
  }

  #text(head: unknown): string {
    const reference = decodeHead(head);
    if (reference !== undefined) return joinBlob(this.#keys, reference, this.#parts);
    return String(head);
  }

  #noteMissing(start: number, end: number): void {
    const more = end - start > 1 ? `, with ${end - start - 1} rows after it` : '';
    this.#damage.push(`${JSON.stringify(this.#keys.row(start))}: it is missing${more}`);
  }

  #try<T>(key: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (error instanceof ForeignFormat) throw error;
      const why = error instanceof Error ? error.message : String(error);
      this.#damage.push(`${JSON.stringify(key)}: ${why}`);
      return undefined;
    }
  }
}
