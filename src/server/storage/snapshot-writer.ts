import { encodeContent } from '../../protocol/codec.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';

import { encodeBlob, encodeHead, partKeys, type BlobReference, type StorageEntry } from './blob.ts';
import type { ClientRecord } from './client-record.ts';
import type { KeyValueStorage } from './key-value-storage.ts';
import { encodeLogRow, firstVersionOf, type LogRow, type StoredRow } from './log-row.ts';
import { encodeManifest } from './manifest.ts';
import { putInOrder } from './ordered-writes.ts';
import type { LiveContent, Page, PageIndex } from './page-index.ts';
import type { StorageGarbage } from './storage-garbage.ts';
import type { StorageKeys } from './storage-keys.ts';

/** What a checkpoint writes: a room that goes on meanwhile. */
export interface CheckpointSource {
  /** May be ahead of what was appended, never behind. Read a slice at a time, each within one turn. */
  readonly content: LiveContent;
  /** Read once, at the beginning. */
  readonly clients: () => ReadonlyMap<string, ClientRecord>;
  /** Lets others have their turn. */
  readonly pause: () => Promise<void>;
  /** False while the content has what may never be appended, such as an open transaction. Asked right before reading. */
  readonly isReadable: () => boolean;
  /** Resolves when all that the content has by now was appended; rejects if that will never be. */
  readonly whenAppended: () => Promise<void>;
}

/** A page, and where it was written. */
export interface WrittenPage {
  readonly page: Page;
  readonly reference: BlobReference;
}

/** A row of the log as it is to be written. */
export interface EncodedRow {
  readonly parts: readonly StorageEntry[];
  readonly entry: StorageEntry;
  readonly stored: StoredRow;
}

/** What {@link SnapshotWriter.putManifest} does beside writing the manifest. */
export interface ManifestWrite {
  /** Pages that the manifest names: written before it, in as many calls as that takes. */
  readonly pages?: readonly StorageEntry[];
  /** Pages that were written already. */
  readonly written?: readonly WrittenPage[];
  /** A row of the log to become valid together with the manifest. */
  readonly row?: EncodedRow | undefined;
  /** Keys that are garbage once the manifest is there. */
  readonly replaced: readonly string[];
}

/** Encodes and writes what a snapshot is made of, under names that were never used. */
export class SnapshotWriter {
  /** The number of the next blob: higher than any on disk. */
  nextBlob = 1;
  readonly #storage: KeyValueStorage;
  readonly #keys: StorageKeys;
  readonly #garbage: StorageGarbage;

  constructor(storage: KeyValueStorage, keys: StorageKeys, garbage: StorageGarbage) {
    this.#storage = storage;
    this.#keys = keys;
    this.#garbage = garbage;
  }

  /** Encodes a row of the log; it takes a blob number if it is large. */
  encodeRow(number: number, row: LogRow): EncodedRow {
    const text = encodeLogRow(row);
    const { value, reference, parts, size } = encodeHead(this.#keys, this.nextBlob, text);
    if (reference !== undefined) this.nextBlob += 1;
    const stored = { number, firstVersion: firstVersionOf(row.entries), size, reference };
    return { parts, entry: [this.#keys.row(number), value], stored };
  }

  /** Encodes a page under a new name. */
  encodePage(leaves: LeafMap<Leaf>): {
    reference: BlobReference;
    parts: readonly StorageEntry[];
  } {
    const blob = encodeBlob(this.#keys, this.nextBlob, encodeContent(leaves));
    this.nextBlob += 1;
    return blob;
  }

  /**
   * Writes all pages that have changed, about `slice` bytes at a time. `written` gets them as they are read, and so has
   * them if this rejects half-way. `assertCurrent` is called before each is read; it throws to end it.
   */
  async writePages(
    index: PageIndex,
    { content, isReadable, pause }: CheckpointSource,
    slice: number,
    written: WrittenPage[],
    assertCurrent: () => void,
  ): Promise<void> {
    index.merge();
    let waiting: StorageEntry[] = [];
    let size = 0;
    for (const page of index.pages.filter(({ isDirty }) => isDirty)) {
      for (assertCurrent(); !isReadable(); assertCurrent()) await pause();
      for (const { page: part, leaves } of index.read(page, content)) {
        const { reference, parts } = this.encodePage(leaves);
        written.push({ page: part, reference });
        waiting.push(...parts);
        size += reference.bytes;
      }
      if (size < slice) continue;
      await putInOrder(this.#storage, waiting, []);
      waiting = [];
      size = 0;
      await pause();
    }
    await putInOrder(this.#storage, waiting, []);
  }

  /** Writes a manifest. Returns where its own parts are, if it is large. */
  async putManifest(
    manifest: Parameters<typeof encodeManifest>[0],
    { pages = [], written = [], row, replaced }: ManifestWrite,
  ): Promise<BlobReference | undefined> {
    const head = encodeHead(this.#keys, this.nextBlob, encodeManifest(manifest));
    this.nextBlob += 1;
    const parts = [...pages, ...(row?.parts ?? []), ...head.parts];
    const heads: StorageEntry[] = row === undefined ? [] : [row.entry];
    heads.push([this.#keys.manifest, head.value]);
    await this.#garbage.replace(
      [...this.#keysOf(written), ...parts.map(([key]) => key)],
      () => putInOrder(this.#storage, parts, heads),
      replaced,
    );
    return head.reference;
  }

  /** Pages that no manifest will ever name. */
  abandon(written: readonly WrittenPage[]): void {
    this.#garbage.abandon(this.#keysOf(written));
  }

  #keysOf(written: readonly WrittenPage[]): string[] {
    return written.flatMap(({ reference }) => partKeys(this.#keys, reference));
  }
}
