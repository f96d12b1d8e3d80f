import { classesOf, GUARDS, HOOKS, STATIC_GUARDS } from './uncalled-methods.ts';

/**
 * Throws a `TypeError` if the class of an object has a method or a field that should keep somebody out, but belongs into the class of
 * its room: nobody would call it here (`LIFE-11`). Fields are there only after the constructor.
 *
 * @param object the object that has the room
 * @param base the prototype of our own class of objects: what this has, the host calls
 */
export function assertNoRoomMethods(object: object, base: object): void {
  const ofRooms = [...HOOKS, ...GUARDS].filter((name) => !(name in base));
  const classes = [...classesOf(object, base)];
  const names = [
    ...ofRooms.filter((name) => [object, ...classes].some((at) => Object.hasOwn(at, name))),
    ...STATIC_GUARDS.filter((name) => classes.some((at) => Object.hasOwn(at.constructor, name))),
  ];
  if (names.length === 0) return;
  throw new TypeError(
    `The class of the object has methods that the room does not call: ${names.join(', ')}. Put them into the class of the room.`,
  );
}
