import type { Changes, Store } from 'tinybase';

import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { hasMethods } from '../../protocol/has-methods.ts';
import { notGot } from '../../protocol/option-kinds.ts';
import {
  canonicalLeaf,
  decodeLeaf,
  isTooDeep,
  isUnsendableLeaf,
  type StoreLeaf,
} from '../../protocol/leaf.ts';

/** The part of a room's server that broadcasting uses. */
export interface BroadcastingServer {
  readonly store: Store;
  /** Resolves when the Store has the stored content. */
  start(): Promise<void>;
  /** Runs an action at once if the room has a Store, otherwise as soon as it has one. */
  afterInitialContent(action: () => void): void;
}

/**
 * Applies changes to the room's Store as one transaction of the room's own code, which reaches every client. `undefined`
 * deletes a table, row, Cell or Value. Objects and arrays may be encoded. Rejects with `unavailable` if the room cannot
 * be loaded.
 *
 * In a room that has no Store yet, it resolves at once, and the changes are applied on top of the initial content when that
 * comes (SEED-7). Until then they are kept in memory. Rejects with `overloaded` if 1,000 broadcasts wait, and with
 * `misuse` if the room or the changes are none.
 *
 * `_without` has no effect. It exists for compatibility: the changes do nothing in a client that already has them.
 */
export async function broadcastChanges(
  server: BroadcastingServer,
  changes: Changes,
  _without?: string[],
): Promise<void> {
  if (!hasMethods(server, ['start', 'afterInitialContent']))
    throw notGot('broadcastChanges', 'room as its first parameter. In a room, that is this');
  if (!areChanges(changes)) {
    const message =
      'broadcastChanges got no changes, so nothing was applied: give it [tables, values, 1].';
    throw new TinyBasePartyKitError('misuse', message);
  }
  await server.start();
  server.afterInitialContent(() => applyChanges(server.store, changes));
}

/** Returns true if the changes have tables, rows and values. What is in a leaf is for the Store to take or to refuse. */
function areChanges(changes: unknown): boolean {
  return Array.isArray(changes) && areThings(changes[0], 2) && areThings(changes[1], 0);
}

/** Returns true for an object whose entries are undefined, or such objects themselves down to that depth. */
function areThings(things: unknown, depth: number): boolean {
  if (typeof things !== 'object' || things === null || Array.isArray(things)) return false;
  return (
    depth === 0 ||
    Object.values(things).every((thing) => thing === undefined || areThings(thing, depth - 1))
  );
}

function applyChanges(store: Store, [tables, values]: Changes): void {
  store.transaction(() => {
    for (const [table, rows] of Object.entries(tables)) {
      if (rows === undefined) store.delTable(table);
      else applyRows(store, table, rows);
    }
    for (const [id, value] of Object.entries(values)) {
      if (value === undefined) store.delValue(id);
      else store.setValue(id, plain(value));
    }
  });
}

function applyRows(store: Store, table: string, rows: NonNullable<Changes[0][string]>): void {
  for (const [row, cells] of Object.entries(rows)) {
    if (cells === undefined) store.delRow(table, row);
    else {
      for (const [cell, leaf] of Object.entries(cells)) {
        if (leaf === undefined) store.delCell(table, row, cell);
        else store.setCell(table, row, cell, plain(leaf));
      }
    }
  }
}

/** Decodes a leaf. A value that no Store can hold stays as it is: the Store refuses it and tells its listeners. */
function plain(leaf: StoreLeaf): StoreLeaf {
  const encoded = canonicalLeaf(leaf);
  const isRefused = encoded === undefined || (isUnsendableLeaf(encoded) && !isTooDeep(encoded));
  return isRefused ? leaf : decodeLeaf(encoded);
}
