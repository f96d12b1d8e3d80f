import { encodeContent } from '../../protocol/codec.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';

import { encodeBlob, encodeHead, partKeys, type BlobReference, type StorageEntry } from './blob.ts';
import type { ClientRecord } from './client-record.ts';
import type { KeyValueStorage } from './key-value-storage.ts';
import { encodeManifest, type Manifest } from './manifest.ts';
import { putInOrder } from './ordered-writes.ts';
import type { LiveContent, Page, PageIndex } from './page-index.ts';
import type { StorageGarbage } from './storage-garbage.ts';
import type { StorageKeys } from './storage-keys.ts';

/** The room that a checkpoint writes. It keeps running meanwhile. */
export interface CheckpointSource {
  /** The content. It may be ahead of the log, never behind. It is read in slices, each within one turn. */
  readonly content: LiveContent;
  /** Returns the client records. Called once, at the beginning. */
  readonly clients: () => ReadonlyMap<string, ClientRecord>;
  /** Lets other work run. */
  readonly pause: () => Promise<void>;
  /** Returns false while the content may still be rolled back, as in an open transaction. Asked before each read. */
  readonly isReadable: () => boolean;
  /** Resolves when the log has everything that the content has now; rejects if it never will. */
  readonly whenAppended: () => Promise<void>;
}

/** A page with its blob. */
export interface WrittenPage {
  readonly page: Page;
  readonly reference: BlobReference;
}

/** The writes and removals that go with the manifest in {@link SnapshotWriter.putManifest}. */
export interface ManifestWrite {
  /** Pages that the manifest names. They are written before it, in as many calls as needed. */
  readonly pages?: readonly StorageEntry[];
  /** Pages that are already written. */
  readonly written?: readonly WrittenPage[];
  /** Keys that are garbage once the manifest is there. */
  readonly replaced: readonly string[];
  /** Called between two writes; throws if the earlier ones are not in storage any more. */
  readonly assertCurrent: () => void;
}

/** Encodes and writes the parts of a snapshot, under names that were never used. */
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
   * Writes all changed pages, about `slice` bytes at a time. Adds each page to `written` when it reads it, so the list is
   * correct if this rejects half-way. Calls `assertCurrent` before it reads each page; that throws to stop it.
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
      await putInOrder(this.#storage, waiting, undefined, assertCurrent);
      waiting = [];
      size = 0;
      await pause();
    }
    await putInOrder(this.#storage, waiting, undefined, assertCurrent);
  }

  /** Writes a manifest. Resolves to the reference to its own parts, if it is large. */
  async putManifest(
    manifest: Manifest,
    { pages = [], written = [], replaced, assertCurrent }: ManifestWrite,
  ): Promise<BlobReference | undefined> {
    const head = encodeHead(this.#keys, this.nextBlob, encodeManifest(manifest));
    this.nextBlob += 1;
    const parts = [...pages, ...head.parts];
    const manifestEntry: StorageEntry = [this.#keys.manifest, head.value];
    await this.#garbage.replace(
      [...this.#keysOf(written), ...parts.map(([key]) => key)],
      () => putInOrder(this.#storage, parts, manifestEntry, assertCurrent),
      replaced,
    );
    return head.reference;
  }

  /** Makes garbage of pages that no manifest will ever name. */
  abandon(written: readonly WrittenPage[]): void {
    this.#garbage.abandon(this.#keysOf(written));
  }

  #keysOf(written: readonly WrittenPage[]): string[] {
    return written.flatMap(({ reference }) => partKeys(this.#keys, reference));
  }
}
