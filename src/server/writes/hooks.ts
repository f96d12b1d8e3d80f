import type { StoreLeaf } from '../../protocol/leaf.ts';

/** The answer of a hook: only a truthy one allows (`HOOK-6`). */
export type HookAnswer = boolean | Promise<boolean>;

/**
 * The hooks of a room, which may forbid changes. A hook that is left out allows everything and costs nothing
 * (`HOOK-5`). Parameters and their order are those of TinyBase's `TinyBasePartyKitServer`; leaves come decoded.
 *
 * `origin` is the request that brought the initial content, otherwise the connection that the change came from.
 */
export interface RoomHooks<Origin> {
  /** Called for each table that changes and does not become empty. */
  canSetTable?(tableId: string, initialSave: boolean, origin: Origin): HookAnswer;
  /** Called for each row that changes and does not become empty. */
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
  /** Called for each table that becomes empty, by whatever change. */
  canDelTable?(tableId: string, origin: Origin): HookAnswer;
  /** Called for each row that becomes empty, by whatever change. */
  canDelRow?(tableId: string, rowId: string, origin: Origin): HookAnswer;
  canDelCell?(tableId: string, rowId: string, cellId: string, origin: Origin): HookAnswer;
  canDelValue?(valueId: string, origin: Origin): HookAnswer;
}
