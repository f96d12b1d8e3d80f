import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { StoreLeaf } from '../../protocol/leaf.ts';

import { HOOKS } from '../config/uncalled-methods.ts';

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

/** The hooks of a room's class: our own class has all of them. */
export type HookMethods<Caller> = Required<RoomHooks<Caller>>;

/**
 * Returns the hooks that a subclass overrides: the room calls no others (`HOOK-5`). A hook that is not a function, such as
 * `canSetCell = false`, refuses. `base` is the prototype of our own class.
 */
export function overriddenHooks<Caller>(
  server: HookMethods<Caller>,
  base: HookMethods<Caller>,
): RoomHooks<Caller> {
  const hooks: RoomHooks<Caller> = {};
  const isMethod = (name: keyof RoomHooks<Caller>): boolean =>
    server[name] !== base[name] && typeof server[name] === 'function';
  if (isMethod('canSetTable')) hooks.canSetTable = server.canSetTable.bind(server);
  if (isMethod('canSetRow')) hooks.canSetRow = server.canSetRow.bind(server);
  if (isMethod('canSetCell')) hooks.canSetCell = server.canSetCell.bind(server);
  if (isMethod('canSetValue')) hooks.canSetValue = server.canSetValue.bind(server);
  if (isMethod('canDelTable')) hooks.canDelTable = server.canDelTable.bind(server);
  if (isMethod('canDelRow')) hooks.canDelRow = server.canDelRow.bind(server);
  if (isMethod('canDelCell')) hooks.canDelCell = server.canDelCell.bind(server);
  if (isMethod('canDelValue')) hooks.canDelValue = server.canDelValue.bind(server);
  for (const name of HOOKS)
    if (typeof server[name] !== 'function') hooks[name] = () => refuse(name);
  return hooks;
}

function refuse(name: string): never {
  const message = `The hook ${name} of the room is no function, so it refuses: make it a method that returns true or false.`;
  throw new TinyBasePartyKitError('misuse', message);
}
