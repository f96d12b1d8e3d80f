import { expect, test } from 'vitest';

import { assertNoRoomMethods } from '../../../src/server/config/object-methods.ts';

/** The class of a host that calls `onRequest`. */
class RoomObject {
  fetch(): void {}
  onRequest(): void {}
}

test.each<readonly [string, new () => RoomObject]>([
  [
    'canDelTable',
    class extends RoomObject {
      canDelTable(): boolean {
        return false;
      }
    },
  ],
  [
    'prepareStore',
    class extends RoomObject {
      prepareStore(): void {}
    },
  ],
  [
    'onBeforeConnect',
    class extends RoomObject {
      static onBeforeConnect(): void {}
    },
  ],
  [
    'canSetCell',
    class extends RoomObject {
      canSetCell = (): boolean => false;
    },
  ],
  [
    'onConnect',
    class extends RoomObject {
      onConnect(): void {}
    },
  ],
  [
    'canSetCell',
    class extends class extends RoomObject {
      canSetCell(): boolean {
        return false;
      }
    } {},
  ],
])(
  '[LIFE-11] an object whose class has a method of the room lets nobody in: %s',
  (name, ObjectClass) => {
    expect(() => assertNoRoomMethods(new ObjectClass(), RoomObject.prototype)).toThrow(name);
  },
);

test('[LIFE-11] an object whose class has methods of its own, or of its host, works', () => {
  class Mine extends RoomObject {
    static create(): void {}
    canEdit(): boolean {
      return true;
    }
    override fetch(): void {}
    override onRequest(): void {}
    async alarm(): Promise<void> {}
  }
  expect(() => assertNoRoomMethods(new Mine(), RoomObject.prototype)).not.toThrow();
});
