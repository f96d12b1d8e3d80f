import { ChangesBuilder, deletesRow, type Changes } from '../../protocol/changes.ts';
import {
  decodeLeaf,
  isUnsayable,
  UNREADABLE,
  VALUES,
  type Leaf,
  type StoreLeaf,
  type TableKey,
} from '../../protocol/leaf.ts';
import type { RefusalReason as RoomRefusalReason } from '../../protocol/messages.ts';

/** Why an edit, or what the room sent, did not become what both sides hold. */
export type RefusalReason =
  | RoomRefusalReason
  /** The room dealt with the push while the client was away, and holds something else. */
  | 'unknown'
  /**
   * A Cell or Value has more than 200 levels of objects and arrays, or comes from a `toJSON` that gives undefined or a text
   * that begins like a marker, or the room cannot read the transaction. An edit stays
   * here, local-only. If the room holds such a Cell or Value, this Store keeps what it has instead, local-only.
   */
  | 'malformed'
  /** This Store's own schema refused what the room holds; what the Store holds instead stays local-only. */
  | 'own-schema'
  /** Middleware of this Store changed what the room holds, or did not let it pass; what the Store shows stays local-only. */
  | 'own-middleware'
  /**
   * A listener of this Store changed what the room holds, or threw at it; what the Store shows instead stays local-only.
   * Defaults and listeners that answer to loaded content, or to what another client's Store made of an edit, too.
   */
  | 'own-listener'
  /**
   * It was in this Store before the persister was started, and the room has content of its own. Without loading, the Store
   * goes on showing it, and it is not saved.
   */
  | 'before-start'
  /** The socket was pointed at another room before the edit was confirmed. It was not sent to the new one. */
  | 'another-room'
  /** The persister was destroyed, or replaced by another on its socket, before the edit was confirmed. */
  | 'destroyed';

/** What was refused: the deletion of a row, or a leaf. `cell` or `value` is undefined if it was a deletion. */
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

/** A refusal, from the leaf in question. */
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
 * Returns what a Store shows for the leaf; undefined if it cannot read it. Returns the leaf as it is if it does not decode: one
 * with too many levels was never parsed before.
 */
function decodeShown(leaf: Leaf): StoreLeaf | undefined {
  if (!isUnsayable(leaf)) return decodeLeaf(leaf);
  if (leaf === UNREADABLE) return undefined;
  try {
    const shown: unknown = JSON.parse(leaf.slice(1));
    return typeof shown === 'string' ? shown : decodeLeaf(leaf);
  } catch {
    return leaf;
  }
}

/** A refusal for everything that changes would have done. */
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

/** Refusals for the parts of a push that its correction undoes or alters; what was not asked for is left out. */
export function refusalsOfCorrection(
  push: Changes,
  correction: Changes,
  reason: RefusalReason,
): readonly Refusal[] {
  const refused = new ChangesBuilder();
  correction.leaves.forEach((_leaf, table, row, cell) => {
    if (push.leaves.has(table, row, cell)) {
      refused.setLeaf(table, row, cell, push.leaves.get(table, row, cell));
    } else if (table !== VALUES && deletesRow(push, table, row)) refused.deleteRow(table, row);
  });
  push.leaves.forEach((leaf, table, row, cell) => {
    if (deletesRow(correction, table, row)) refused.setLeaf(table, row, cell, leaf);
  });
  return refusalsOf(refused, reason);
}

/** The room's content, as far as a client knows it. */
export interface RoomContent {
  baseLeaf(table: TableKey, row: string, cell: string): Leaf | undefined;
  /** The cells that a row has. */
  baseCells(table: string, row: string): readonly string[];
}

/**
 * Refusals for pushes that the room dealt with while their acks were lost: parts that the catch-up says nothing of, and
 * that the room does not hold. What somebody else has overwritten since cannot be told apart, and is not reported.
 */
export function refusalsOfDropped(
  pushes: Changes,
  catchUp: Changes,
  base: RoomContent,
): readonly Refusal[] {
  const refused = new ChangesBuilder();
  const isTouched = (table: TableKey, row: string, cell: string): boolean =>
    catchUp.leaves.has(table, row, cell) || deletesRow(catchUp, table, row);
  for (const [table, rows] of pushes.deletedRows) {
    for (const row of rows) {
      const isKept = (cell: string): boolean =>
        !isTouched(table, row, cell) && !pushes.leaves.has(table, row, cell);
      if (base.baseCells(table, row).some(isKept)) refused.deleteRow(table, row);
    }
  }
  pushes.leaves.forEach((leaf, table, row, cell) => {
    if (!isTouched(table, row, cell) && base.baseLeaf(table, row, cell) !== leaf)
      refused.setLeaf(table, row, cell, leaf);
  });
  return refusalsOf(refused, 'unknown');
}
