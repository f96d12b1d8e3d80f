import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { HOOKS } from '../config/uncalled-methods.ts';
import type { RoomHooks } from './hooks.ts';

/** The hooks of a room's class, all of which it has. */
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
