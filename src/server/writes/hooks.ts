import type { StoreLeaf } from '../../protocol/leaf.ts';

/** The answer of a hook: only a truthy one allows (`HOOK-6`). */
export type HookAnswer = boolean | Promise<boolean>;

/**
 * The hooks of a room, which may forbid changes. A hook that is left out allows everything and costs nothing
 * (`HOOK-5`). Parameters and their order are those of TinyBase's `TinyBasePartyKitServer`; leaves come decoded.
 *
 * `caller` is the request that brought the initial content, otherwise the connection that the change came from.
 */
export interface RoomHooks<Caller> {
  /** Called for each table that changes and does not become empty. */
  canSetTable?(tableId: string, initialSave: boolean, caller: Caller): HookAnswer;
  /** Called for each row that changes and does not become empty. */
  canSetRow?(tableId: string, rowId: string, initialSave: boolean, caller: Caller): HookAnswer;
  canSetCell?(
    tableId: string,
    rowId: string,
    cellId: string,
    cell: StoreLeaf,
    initialSave: boolean,
    caller: Caller,
    oldCell: StoreLeaf | undefined,
  ): HookAnswer;
  canSetValue?(
    valueId: string,
    value: StoreLeaf,
    initialSave: boolean,
    caller: Caller,
    oldValue: StoreLeaf | undefined,
  ): HookAnswer;
  /** Called for each table that becomes empty, by whatever change. */
  canDelTable?(tableId: string, caller: Caller): HookAnswer;
  /** Called for each row that becomes empty, by whatever change. */
  canDelRow?(tableId: string, rowId: string, caller: Caller): HookAnswer;
  canDelCell?(tableId: string, rowId: string, cellId: string, caller: Caller): HookAnswer;
  canDelValue?(valueId: string, caller: Caller): HookAnswer;
}
