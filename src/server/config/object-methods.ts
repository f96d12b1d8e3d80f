import { classesOf, HOOKS, STATIC_GUARDS } from './uncalled-methods.ts';

/** The methods of a room that keep somebody out, and that no class of an object has. */
const OF_ROOMS: readonly string[] = [...HOOKS, 'prepareStore'];

/**
 * Throws a `TypeError` if the class of an object has a method that belongs to the class of its room, where it would keep somebody
 * out: nobody would call it (`LIFE-11`).
 *
 * @param object the object that has the room
 * @param base the prototype of our own class of objects
 */
export function assertNoRoomMethods(object: object, base: object): void {
  for (const prototype of classesOf(object, base)) {
    const names = [
      ...OF_ROOMS.filter((name) => Object.hasOwn(prototype, name)),
      ...STATIC_GUARDS.filter((name) => Object.hasOwn(prototype.constructor, name)),
    ];
    if (names.length === 0) continue;
    throw new TypeError(
      `The class of the object has methods that the room does not call: ${names.join(', ')}. Put them into the class of the room.`,
    );
  }
}
