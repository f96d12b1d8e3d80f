import { ChangesBuilder, changesLeaf, type Changes } from '../../protocol/changes.ts';
import {
  decodeLeaf,
  isUnsendableLeaf,
  UNREADABLE,
  VALUES,
  type Leaf,
  type StoreLeaf,
  type TableKey,
} from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { RefusalReason as RoomRefusalReason } from '../../protocol/messages.ts';
import type { RoomBase } from './room-base.ts';

/** The reason why an edit, or a change of the room, is not in both Stores. */
export type RefusalReason =
  | RoomRefusalReason
  /** The room processed the push while the client was away, and holds something else. */
  | 'unknown'
  /**
   * A Cell or Value has more than 200 levels of objects and arrays, or comes from a `toJSON` that returns undefined or a
   * text that begins like a marker, or the room cannot read the transaction. An edit stays here, local-only. If the room
   * holds such a Cell or Value, this Store keeps its own instead, local-only.
   */
  | 'malformed'
  /** This Store's own schema refused the room's version. The Store's version stays local-only. */
  | 'own-schema'
  /** Middleware of this Store changed or refused the room's version. The Store's version stays local-only. */
  | 'own-middleware'
  /**
   * A listener of this Store changed the room's version, or threw. The Store's version stays local-only. Defaults and
   * listeners that react to loaded content, or to another client's reaction, count as well.
   */
  | 'own-listener'
  /**
   * It was in this Store before the persister was started, and the room has content of its own. If the persister does not
   * load, the Store still shows it, but it is not saved.
   */
  | 'before-start'
  /**
   * It does not reach the room in several attempts, and is local-only: something answers initial content in the place of the room,
   * or something between cuts each connection at this transaction, or swallows it, or the room itself dies at it each time.
   */
  | 'undelivered'
  /** It was made while nothing was saved, and the app called `load`: the room's content replaced it. */
  | 'loaded'
  /** The socket was pointed at another room before the edit was confirmed. It was not sent to the new one. */
  | 'another-room'
  /** The persister was destroyed, or replaced by another on its socket, before the edit was confirmed. */
  | 'destroyed';

/** A refused edit: the deletion of a row, or a leaf. `cell` or `value` is undefined if the leaf was deleted. */
export type Refusal =
  | {
      readonly type: 'row';
      readonly tableId: string;
      readonly rowId: string;
      readonly reason: RefusalReason;
    }
  | {
      readonly type: 'cell';
      readonly tableId: string;
      readonly rowId: string;
      readonly cellId: string;
      readonly cell: StoreLeaf | undefined;
      readonly reason: RefusalReason;
    }
  | {
      readonly type: 'value';
      readonly valueId: string;
      readonly value: StoreLeaf | undefined;
      readonly reason: RefusalReason;
    };

/** Returns the refusal of a leaf. */
export function refusalOf(
  leaf: Leaf | undefined,
  table: TableKey,
  row: string,
  cell: string,
  reason: RefusalReason,
): Refusal {
  const decoded = leaf === undefined ? undefined : decodeShown(leaf);
  return table === VALUES
    ? { type: 'value', valueId: cell, value: decoded, reason }
    : { type: 'cell', tableId: table, rowId: row, cellId: cell, cell: decoded, reason };
}

/**
 * Returns the leaf as a Store shows it; undefined if no Store can show it. A leaf that does not decode comes back unchanged: one
 * with too many levels was never parsed before.
 */
function decodeShown(leaf: Leaf): StoreLeaf | undefined {
  if (!isUnsendableLeaf(leaf)) return decodeLeaf(leaf);
  if (leaf === UNREADABLE) return undefined;
  try {
    const shown: unknown = JSON.parse(leaf.slice(1));
    return typeof shown === 'string' ? shown : decodeLeaf(leaf);
  } catch {
    return leaf;
  }
}

/** Returns a refusal for every part of changes. */
export function refusalsOf(changes: Changes, reason: RefusalReason): readonly Refusal[] {
  const refusals: Refusal[] = [];
  for (const [tableId, rows] of changes.deletedRows) {
    for (const rowId of rows) refusals.push({ type: 'row', tableId, rowId, reason });
  }
  changes.leaves.forEach((leaf, table, row, cell) =>
    refusals.push(refusalOf(leaf, table, row, cell, reason)),
  );
  return refusals;
}

/**
 * Returns refusals for the leaves of changes for which `isRefused` returns true, and for the deletions of rows that are not empty:
 * `cellsOf` returns the cells of a row. Cells that the changes set themselves do not count.
 */
function refusalsWhere(
  changes: Changes,
  cellsOf: (table: string, row: string) => Iterable<string>,
  isRefused: (leaf: Leaf | undefined, table: TableKey, row: string, cell: string) => boolean,
  reason: RefusalReason,
): readonly Refusal[] {
  const refused = new ChangesBuilder();
  for (const [table, rows] of changes.deletedRows) {
    for (const row of rows) {
      for (const cell of cellsOf(table, row))
        if (!changes.leaves.has(table, row, cell)) refused.deleteRow(table, row);
    }
  }
  changes.leaves.forEach((leaf, table, row, cell) => {
    if (isRefused(leaf, table, row, cell)) refused.setLeaf(table, row, cell, leaf);
  });
  return refusalsOf(refused, reason);
}

/** Returns refusals for the parts of a push that its correction undoes or alters, and for nothing else. */
export function refusalsOfCorrection(
  push: Changes,
  correction: Changes,
  reason: RefusalReason,
): readonly Refusal[] {
  return refusalsWhere(
    push,
    (table, row) => correction.leaves.cells(table, row).keys(),
    (_leaf, table, row, cell) => changesLeaf(correction, table, row, cell),
    reason,
  );
}

/**
 * Returns refusals for pushes that the room processed while their acks were lost: for each part that the room does not hold
 * and the catch-up does not mention. Does not report a part that another client may have overwritten since.
 */
export function refusalsOfDropped(
  pushes: Changes,
  catchUp: Changes,
  base: Pick<RoomBase, 'leaf' | 'cells'>,
): readonly Refusal[] {
  return refusalsWhere(
    pushes,
    (table, row) =>
      base.cells(table, row).filter((cell) => !changesLeaf(catchUp, table, row, cell)),
    (leaf, table, row, cell) =>
      !changesLeaf(catchUp, table, row, cell) && base.leaf(table, row, cell) !== leaf,
    'unknown',
  );
}

/** Returns refusals for the parts of changes that this content does not have, except for leaves that were edited since. */
export function refusalsOfReplaced(
  changes: Changes,
  content: LeafMap<Leaf>,
  reason: RefusalReason,
  isEditedSince: (table: TableKey, row: string, cell: string) => boolean = () => false,
): readonly Refusal[] {
  return refusalsWhere(
    changes,
    (table, row) => content.cells(table, row).keys(),
    (leaf, table, row, cell) =>
      content.get(table, row, cell) !== leaf && !isEditedSince(table, row, cell),
    reason,
  );
}
