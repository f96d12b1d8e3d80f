import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { NEEDS_GATE } from '../room/room-feature.ts';
import { isObject } from './config-errors.ts';
import { classesOf } from './uncalled-methods.ts';

/**
 * Returns the error with which a room without a gate must let nobody in (`LIFE-10`). Its class has rules for users in a field, in a
 * static field or in a guard, but nobody applies them to requests over HTTP. Undefined for any other room.
 *
 * @param room the room
 * @param base the prototype of our own class
 */
export function refusalWithoutGate(room: object, base: object): TinyBasePartyKitError | undefined {
  const { constructor: roomClass } = room;
  const statics = [...classesOf(room, base)].flatMap(({ constructor }) => Object.keys(constructor));
  const isMeant = ['onBeforeConnect', ...statics]
    .map((name): unknown => Reflect.get(roomClass, name))
    .concat(Object.values(room))
    .some((member) => (typeof member === 'function' || isObject(member)) && NEEDS_GATE in member);
  if (!isMeant) return undefined;
  const message =
    'The class of the room has rules of defineAuth, and no createAuth that applies them, so the room lets nobody in: add a field "auth = createAuth(this, rules)" to it.';
  return new TinyBasePartyKitError('misuse', message);
}
