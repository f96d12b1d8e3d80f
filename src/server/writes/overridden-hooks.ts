import type { RoomHooks } from './hooks.ts';

/** The hooks of a room's class, all of which it has. */
export type HookMethods<Origin> = Required<RoomHooks<Origin>>;

/** Returns the hooks that a subclass overrides, because the room calls no others (`HOOK-5`). `base` is the prototype of our own class. */
export function overriddenHooks<Origin>(
  server: HookMethods<Origin>,
  base: HookMethods<Origin>,
): RoomHooks<Origin> {
  const hooks: RoomHooks<Origin> = {};
  if (server.canSetTable !== base.canSetTable) hooks.canSetTable = server.canSetTable.bind(server);
  if (server.canSetRow !== base.canSetRow) hooks.canSetRow = server.canSetRow.bind(server);
  if (server.canSetCell !== base.canSetCell) hooks.canSetCell = server.canSetCell.bind(server);
  if (server.canSetValue !== base.canSetValue) hooks.canSetValue = server.canSetValue.bind(server);
  if (server.canDelTable !== base.canDelTable) hooks.canDelTable = server.canDelTable.bind(server);
  if (server.canDelRow !== base.canDelRow) hooks.canDelRow = server.canDelRow.bind(server);
  if (server.canDelCell !== base.canDelCell) hooks.canDelCell = server.canDelCell.bind(server);
  if (server.canDelValue !== base.canDelValue) hooks.canDelValue = server.canDelValue.bind(server);
  return hooks;
}
