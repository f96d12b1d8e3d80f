/** Throws a `TypeError` if the first parameter of a function is not a room, as in code without types. */
export function assertRoom(caller: string, room: unknown, hint = ''): void {
  if (typeof room === 'object' && room !== null && 'addFeature' in room && 'setGate' in room)
    return;
  throw new TypeError(
    `${caller} got no room as its first parameter: call it in a field of the room's class, and give it this.${hint}`,
  );
}
