import * as fc from 'fast-check';

import {
  applyChangesToLeaves,
  ChangesBuilder,
  isEmptyChanges,
  type Changes,
} from '../../src/protocol/changes.ts';
import { canonicalLeaf, encodeLeaf, VALUES, type Leaf } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import type { StorageSizes } from '../../src/server/storage/storage-sizes.ts';
import type { ClientRecord } from '../../src/server/storage/client-record.ts';
import type { LogEntry } from '../../src/server/storage/log-row.ts';
import type { CheckpointSource } from '../../src/server/storage/snapshot-writer.ts';
import type { NewRoom } from '../../src/server/storage/stored-room.ts';

/** Any UTF-16, lone surrogates and control characters too. */
const anyText = fc.string({ unit: fc.nat(0xff_ff).map((unit) => String.fromCharCode(unit)) });

const anyId = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom('a', 'b', '1', '', '__proto__', 'constructor', '\n', '€'),
  },
  { weight: 1, arbitrary: anyText },
);

const anyLeaf: fc.Arbitrary<Leaf> = fc
  .oneof(
    fc.constant(null),
    fc.boolean(),
    // JSON knows no negative zero.
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    anyText,
    anyId.map((id) => id.repeat(3_000)),
    fc
      .dictionary(anyId, fc.jsonValue())
      .map((object) => encodeLeaf(object as Record<string, string>)),
  )
  .map(canonicalLeaf)
  .filter((leaf): leaf is Leaf => leaf !== undefined);

type Edit = (changes: ChangesBuilder) => void;

const anyEdit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(anyId, anyId, anyId, fc.option(anyLeaf, { nil: undefined })).map(
      ([table, row, cell, leaf]): Edit =>
        (changes) =>
          changes.setLeaf(table, row, cell, leaf),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(anyId, fc.option(anyLeaf, { nil: undefined })).map(
      ([id, leaf]): Edit =>
        (changes) =>
          changes.setLeaf(VALUES, '', id, leaf),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(anyId, anyId).map(
      ([table, row]): Edit =>
        (changes) =>
          changes.deleteRow(table, row),
    ),
  },
  {
    weight: 1,
    arbitrary: anyId.map(
      (table): Edit =>
        (changes) =>
          changes.deleteTable(table),
    ),
  },
);

/** Changes of up to five edits; perhaps none. */
export const anyChanges: fc.Arbitrary<Changes> = fc
  .array(anyEdit, { maxLength: 5 })
  .map((edits) => {
    const changes = new ChangesBuilder();
    for (const edit of edits) edit(changes);
    return changes;
  });

/** What one push or server-side transaction brings: its changes, and the client it is from, if any. */
export interface Transaction {
  readonly changes: Changes;
  readonly clientId: string | undefined;
}

/** Any transaction. */
export const anyTransaction: fc.Arbitrary<Transaction> = fc.record({
  changes: anyChanges,
  clientId: fc.constantFrom('ann', 'ben', undefined),
});

/** Changes that set one cell. */
export function setCell(row: string, leaf: Leaf): Changes {
  const changes = new ChangesBuilder();
  changes.setLeaf('t', row, 'c', leaf);
  return changes;
}

/** Sizes that make many pages of a few rows, and calls of a few pages. */
export const TINY_SIZES: Partial<StorageSizes> = {
  page: 40,
  slice: 60,
  smallestCheckpoint: 100,
  smallestRetention: 60,
};

/** What a room should be, were storage perfect. */
export class RoomModel {
  readonly epoch: string;
  version = 1;
  readonly content: LeafMap<Leaf> = new LeafMap();
  /** All entries with changes since version 1. */
  readonly log: LogEntry[] = [];
  readonly clients: Map<string, ClientRecord> = new Map();
  /** To be set where a checkpoint is running: until when what was committed is on disk. */
  appended: Promise<void> = Promise.resolve();

  /** How the room divides what it stores. */
  readonly sizes: Partial<StorageSizes> | undefined;

  constructor(
    epoch = 'epoch',
    seed: Changes = new ChangesBuilder(),
    sizes?: Partial<StorageSizes>,
  ) {
    this.epoch = epoch;
    this.sizes = sizes;
    applyChangesToLeaves(this.content, seed);
  }

  /** The room, as `create` takes it. */
  get room(): NewRoom {
    const { epoch, version, content, clients } = this;
    return { cursor: { epoch, version }, content, clients };
  }

  /** The room, as `checkpoint` takes it. What the model has committed must have been appended when that is asked for. */
  get source(): CheckpointSource {
    return {
      content: this.content,
      clients: () => this.clients,
      pause: () => Promise.resolve(),
      isReadable: () => true,
      whenAppended: () => this.appended,
    };
  }

  /** A copy that goes on apart from this one. */
  fork(): RoomModel {
    const fork = new RoomModel(this.epoch, undefined, this.sizes);
    fork.version = this.version;
    this.content.forEach((leaf, table, row, cell) => fork.content.set(table, row, cell, leaf));
    fork.log.push(...this.log);
    for (const [id, record] of this.clients) fork.clients.set(id, record);
    return fork;
  }

  /** Orders transactions; returns what is to be appended for them. */
  commit(transactions: readonly Transaction[], now = 0): LogEntry[] {
    return transactions.map(({ changes, clientId }) => {
      const isCommit = !isEmptyChanges(changes);
      if (isCommit) this.version += 1;
      let author: LogEntry['author'];
      if (clientId !== undefined) {
        const { ackedPush, generation, lastPush } = this.clients.get(clientId) ?? NEW_CLIENT;
        author = { clientId, push: lastPush + 1 };
        this.clients.set(clientId, { lastPush: author.push, ackedPush, generation, touched: now });
      }
      const entry = { version: this.version, changes: isCommit ? changes : undefined, author };
      applyChangesToLeaves(this.content, changes);
      if (isCommit) this.log.push(entry);
      return entry;
    });
  }
}

const NEW_CLIENT: ClientRecord = { lastPush: 0, ackedPush: 0, touched: 0, generation: 0 };

/** True if two contents hold the same; their order says nothing. */
export function areSameLeaves(one: LeafMap<Leaf>, other: LeafMap<Leaf>): boolean {
  let areSame = one.count() === other.count();
  one.forEach((leaf, table, row, cell) => {
    areSame &&= other.has(table, row, cell) && other.get(table, row, cell) === leaf;
  });
  return areSame;
}

/** A log entry in a form that can be compared. */
export function entryOf({ version, changes, author }: LogEntry): unknown {
  const deleted = [...(changes?.deletedRows ?? [])].map(([table, rows]) =>
    JSON.stringify([table, typeof rows === 'string' ? 0 : [...rows].sort()]),
  );
  return { version, author, deleted: deleted.sort(), leaves: changes && leavesOf(changes.leaves) };
}

function leavesOf(leaves: LeafMap<Leaf | undefined>): readonly string[] {
  const lines: string[] = [];
  leaves.forEach((leaf, table, row, cell) =>
    lines.push(JSON.stringify([table, row, cell, leaf ?? [leaf]])),
  );
  return lines.sort();
}
