import { readFrame } from '../../../src/protocol/frame.ts';
import { letter } from '../../../src/protocol/events/event-from-client.ts';
import { RoomEvents } from '../../../src/server/features/events/room-events.ts';
import { FeatureAccess } from '../../../src/server/room/feature-access.ts';
import { RoomFeatures } from '../../../src/server/room/room-features.ts';
import { PLAIN, type Mutation } from './mutation.ts';
import type { Traits } from '../traits.ts';

/** Users call procedures, and nothing else is special. */
const CALLING: Partial<Traits> = { ...PLAIN, adversities: ['calls'], isLeaky: false };

/**
 * The mutations of EVENT-1, EVENT-2, EVENT-5 and EVENT-7. Of the other rules, EVENT-3 and EVENT-4 are about input that nobody
 * sends here, EVENT-6 is about limits that nobody reaches, and EVENT-8 is about who is named in a save.
 */
export const CALL_MUTATIONS: readonly Mutation[] = [
  {
    title: '[EVENT-1] a call does not wait for the pushes before it',
    make: () => ({ traits: { ...CALLING, hookStyle: 'slow' } }),
    patch: (patches) =>
      patches.replace(
        RoomFeatures.prototype,
        'add',
        (add) =>
          function unordered(this: RoomFeatures<unknown, unknown>, feature) {
            add.call(this, { ...feature, isOrdered: false });
          },
      ),
  },
  {
    title: '[EVENT-1] a call runs behind a push that the room has dropped',
    make: () => ({ traits: { ...CALLING, faultWeight: 3 } }),
    patch: (patches) =>
      patches.replace(
        RoomEvents.prototype,
        'received',
        (received) =>
          function runAnyway(this: RoomEvents<{ id: string }>, connection, json) {
            received.call(this, connection, json, true);
          },
      ),
  },
  {
    title: '[EVENT-2] [SEAM-3] events and results do not wait for the disk',
    make: () => ({ traits: CALLING }),
    patch: (patches) =>
      patches.replace(FeatureAccess.prototype, 'release', () => (waiter) => waiter.onReleased()),
  },
  {
    title: '[EVENT-2] what was lost is told all the same',
    make: () => ({ traits: { ...CALLING, faultWeight: 3 } }),
    patch: (patches) =>
      patches.replace(
        FeatureAccess.prototype,
        'release',
        (release) =>
          function toldAnyway(this: FeatureAccess<unknown, unknown>, waiter) {
            const onReleased = (): void => waiter.onReleased();
            release.call(this, {
              onReleased,
              onLost: onReleased,
              waitsForSync: waiter.waitsForSync === true,
            });
          },
      ),
  },
  {
    title: '[EVENT-7] an event for all does not reach whoever has come first',
    make: () => ({ traits: CALLING }),
    patch: (patches) =>
      patches.replace(
        FeatureAccess.prototype,
        'connections',
        (connections) =>
          function allButOne(this: FeatureAccess<unknown, unknown>) {
            const all: readonly unknown[] = connections.call(this);
            return all.slice(1);
          },
      ),
  },
  {
    title: '[EVENT-5] a client sends a call again',
    make: () => ({
      traits: CALLING,
      fromClient: (frame) => (readFrame('', frame)?.letter === letter ? [frame, frame] : [frame]),
    }),
  },
];
