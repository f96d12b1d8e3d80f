import { composeChanges, type Changes } from '../../protocol/changes.ts';
import { encodeChanges } from '../../protocol/codec.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { Cursor } from '../../protocol/messages.ts';
import type { TransactionLog } from '../../protocol/store-access.ts';

import type { ClientRecords } from './client-records.ts';
import type { CommitLog } from './commit-log.ts';
import { contentSize } from '../writes/content-size.ts';
import type { Journal } from './journal.ts';

/** Whose push made a commit; undefined for stock peers, seeds and the room's own code. */
export type Author = { readonly clientId: string; readonly push: number } | undefined;

/**
 * What the room knows beside its Store, from one load to the next. A write that fails makes all of it worthless, and
 * another takes its place.
 */
export class Ledger {
  readonly epoch: string;
  readonly clients: ClientRecords;
  readonly journal: Journal;
  readonly log: CommitLog;
  #version: number;
  #contentSize: number;

  constructor(parts: {
    cursor: Cursor;
    contentSize: number;
    clients: ClientRecords;
    journal: Journal;
    log: CommitLog;
  }) {
    this.epoch = parts.cursor.epoch;
    this.#version = parts.cursor.version;
    this.#contentSize = parts.contentSize;
    this.clients = parts.clients;
    this.journal = parts.journal;
    this.log = parts.log;
  }

  /** Where the room is. Its Store is there too, what it has may not be durable yet. */
  get cursor(): Cursor {
    return { epoch: this.epoch, version: this.#version };
  }

  get version(): number {
    return this.#version;
  }

  /** False until the first content. */
  get hasStore(): boolean {
    return this.#version > 0;
  }

  /** About how large the content is, in characters of JSON. */
  get contentSize(): number {
    return this.#contentSize;
  }

  /** Orders a transaction: gives it its version and puts it on its way to the disk. Returns its changes, encoded. */
  commit({ changes, growth }: TransactionLog, author: Author, isServerSide: boolean): string {
    const encoded = encodeChanges(changes);
    this.#version += 1;
    this.#contentSize += growth;
    this.log.add(this.#version, encoded);
    this.log.trimToSize(this.#contentSize);
    this.journal.add({ entry: { version: this.#version, changes, encoded, author }, isServerSide });
    return encoded;
  }

  /** Makes it durable that a push was dealt with which made no commit (`ONCE-1`). */
  note(author: Author): void {
    // Before the first content there is nothing to write it to, and nothing that could be applied twice.
    if (!this.hasStore) return;
    this.journal.add({
      entry: { version: this.#version, changes: undefined, author },
      isServerSide: false,
    });
  }

  /** Puts the room's first content on its way to the disk: it is version 1. */
  begin(content: LeafMap<Leaf>, isServerSide: boolean): void {
    this.#version = 1;
    this.#contentSize = contentSize(content);
    const changes: Changes = { deletedRows: new Map(), leaves: content };
    this.journal.create(
      { cursor: this.cursor, content, log: [], clients: this.clients.snapshot() },
      { entry: { version: 1, changes, author: undefined }, isServerSide },
    );
  }

  /** What happened since, if that can be told and is worth telling (`JOIN-2`, `JOIN-3`). */
  since(cursor: Cursor): Changes | undefined {
    if (cursor.epoch !== this.epoch) return undefined;
    return cursor.version === this.#version
      ? composeChanges([])
      : this.log.since(cursor.version, this.#version);
  }
}
