import type { StoreLeaf } from '../../protocol/leaf.ts';

/** The answer of a hook: only a truthy one allows (`HOOK-6`). */
export type HookAnswer = boolean | Promise<boolean>;

/**
 * What a room may forbid. A hook that is left out allows everything and costs nothing (`HOOK-5`). Parameters and
 * order are those of TinyBase's `TinyBasePartyKitServer`; leaves come decoded.
 *
 * `origin` is the request of a first content, otherwise the connection that the change came from.
 */
export interface RoomHooks<Origin> {
  /** Asked for each table that changes and is not emptied. */
  canSetTable?(tableId: string, initialSave: boolean, origin: Origin): HookAnswer;
  /** Asked for each row that changes and is not emptied. */
  canSetRow?(tableId: string, rowId: string, initialSave: boolean, origin: Origin): HookAnswer;
  canSetCell?(
    tableId: string,
    rowId: string,
    cellId: string,
    cell: StoreLeaf,
    initialSave: boolean,
    origin: Origin,
    oldCell: StoreLeaf | undefined,
  ): HookAnswer;
  canSetValue?(
    valueId: string,
    value: StoreLeaf,
    initialSave: boolean,
    origin: Origin,
    oldValue: StoreLeaf | undefined,
  ): HookAnswer;
  /** Asked for each table that is emptied, whatever does it. */
  canDelTable?(tableId: string, origin: Origin): HookAnswer;
  /** Asked for each row that is emptied, whatever does it. */
  canDelRow?(tableId: string, rowId: string, origin: Origin): HookAnswer;
  canDelCell?(tableId: string, rowId: string, cellId: string, origin: Origin): HookAnswer;
  canDelValue?(valueId: string, origin: Origin): HookAnswer;
}

/** True if any hook is there to be asked. */
export function hasHooks<Origin>(hooks: RoomHooks<Origin>): boolean {
  return (
    hooks.canSetTable !== undefined ||
    hooks.canSetRow !== undefined ||
    hooks.canSetCell !== undefined ||
    hooks.canSetValue !== undefined ||
    hooks.canDelTable !== undefined ||
    hooks.canDelRow !== undefined ||
    hooks.canDelCell !== undefined ||
    hooks.canDelValue !== undefined
  );
}
