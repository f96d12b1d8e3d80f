import { AlarmSlot } from '../../../src/server/features/lifecycle/alarm-slot.ts';
import { InitialStorageQuestion } from '../../../src/server/features/lifecycle/initial-storage.ts';
import { RoomLifecycle } from '../../../src/server/features/lifecycle/room-lifecycle.ts';
import { RoomSaves } from '../../../src/server/features/lifecycle/room-saves.ts';
import { SavedCursors } from '../../../src/server/features/lifecycle/saved-cursors.ts';
import { RoomId } from '../../../src/server/hosts/room-id.ts';
import { LifecycleSettings } from '../../../src/server/features/lifecycle/lifecycle-settings.ts';
import { TakenMessages } from '../../../src/server/features/lifecycle/taken-messages.ts';
import { UserVisits } from '../../../src/server/features/lifecycle/user-visits.ts';
import { FeatureAccess } from '../../../src/server/room/feature-access.ts';
import type { RoomCommit, RoomSnapshot } from '../../../src/server/room/room-feature.ts';
import type { Traits } from '../traits.ts';
import { plain } from '../store-variants.ts';
import { PLAIN, type Mutation } from './mutation.ts';

/** A room that is saved, and whose process dies often. */
const SAVED: Partial<Traits> = { ...PLAIN, adversities: ['saved-elsewhere'], faultWeight: 3 };

/** A room that is saved, and whose host and app have alarms. */
const ALARMED: Partial<Traits> = { ...PLAIN, adversities: ['alarms'] };

/** Gives what the Store shows now. */
async function snapshotAtOnce(
  this: FeatureAccess<unknown, unknown>,
): Promise<RoomSnapshot | undefined> {
  const { cursor } = this;
  if (cursor === undefined || cursor.version === 0) return undefined;
  return { cursor, content: this.store.getContent(), changes: undefined };
}

/** Tells the app of a push, and does not wait for the disk. */
function tellAtOnce(
  this: TakenMessages<unknown>,
  { cursor: { version }, origin }: RoomCommit<unknown, unknown>,
): void {
  if ('peer' in origin)
    this.taken({ type: 'push', version, changes: undefined }, origin.peer.connection.socket);
}

/**
 * The mutations of SAVE.
 */
export const SAVE_MUTATIONS: readonly Mutation[] = [
  {
    title: '[SAVE-1] a room whose database fails begins without its content',
    make: () => ({ traits: { ...PLAIN, roomVariant: plain, adversities: ['loaded-elsewhere'] } }),
    patch: (patches) =>
      patches.replace(
        InitialStorageQuestion.prototype,
        'ask',
        (ask) =>
          function orNothing(this: InitialStorageQuestion) {
            return ask.call(this).catch(() => undefined);
          },
      ),
  },
  {
    title: '[SAVE-2] a version counts as saved before the database has it',
    make: () => ({
      traits: SAVED,
      saves: (hooks) => ({
        ...hooks,
        onStorageUpdated: (save) => {
          void Promise.resolve(hooks.onStorageUpdated?.(save)).catch(() => undefined);
        },
      }),
    }),
  },
  {
    title: '[SAVE-2] content is saved that is not durable',
    make: () => ({ traits: { ...SAVED, writeStyle: 'on disk', diskWeight: 1 } }),
    patch: (patches) => patches.replace(FeatureAccess.prototype, 'snapshot', () => snapshotAtOnce),
  },
  {
    title: '[SAVE-3] a save that failed is not made again',
    make: () => ({ traits: { ...SAVED, faultWeight: 0 } }),
    patch: (patches) =>
      patches.replace(LifecycleSettings.prototype, 'retryPause', () => () => Infinity),
  },
  {
    title: '[SAVE-4] timers alone remind the room of what it has to save',
    make: () => ({ traits: ALARMED }),
    patch: (patches) => patches.replace(AlarmSlot.prototype, 'want', () => () => undefined),
  },
  {
    title: '[SAVE-4] a room that is loaded believes that its host has kept its alarm',
    make: () => ({ traits: ALARMED }),
    patch: (patches) => {
      let isLoading = false;
      patches.replace(
        RoomSaves.prototype,
        'loaded',
        (loaded) =>
          function trusting(this: RoomSaves<object, unknown>) {
            isLoading = true;
            loaded.call(this);
            isLoading = false;
          },
      );
      patches.replace(
        AlarmSlot.prototype,
        'want',
        (want) =>
          function unlessLoading(this: AlarmSlot, time) {
            if (!isLoading) want.call(this, time);
          },
      );
    },
  },
  {
    title: '[SAVE-5] the app hears of alarms of the room',
    make: () => ({ traits: ALARMED }),
    patch: (patches) => patches.replace(AlarmSlot.prototype, 'take', () => () => true),
  },
  {
    title: '[SAVE-5] the app sets and deletes the one alarm that there is',
    make: () => ({ traits: ALARMED }),
    patch: (patches) => {
      patches.replace(RoomLifecycle.prototype, 'setAlarm', () => (_time, proceed) => proceed());
      patches.replace(RoomLifecycle.prototype, 'deleteAlarm', () => (proceed) => proceed());
    },
  },
  {
    title: '[SAVE-6] [LIFE-6] an alarm is set, and the id of the room is not stored',
    make: () => ({ traits: ALARMED }),
    patch: (patches) => patches.replace(RoomId.prototype, 'store', () => () => Promise.resolve()),
  },
  {
    title: '[SAVE-7] the version that is saved is written again with each alarm',
    make: () => ({ traits: ALARMED }),
    patch: (patches) =>
      patches.replace(
        SavedCursors.prototype,
        'write',
        (write) =>
          async function forgetful(this: SavedCursors) {
            await write.call(this);
            this.isStored = false;
          },
      ),
  },
  {
    title: '[SAVE-8] a socket that was let in comes twice',
    make: () => ({ traits: SAVED }),
    patch: (patches) =>
      patches.replace(
        UserVisits.prototype,
        'admitted',
        (admitted) =>
          function twice(this: UserVisits<object>, connection) {
            admitted.call(this, connection);
            admitted.call(this, connection);
          },
      ),
  },
  {
    title: '[SAVE-9] the app hears of a push before it is on disk',
    make: () => ({ traits: { ...SAVED, writeStyle: 'on disk', diskWeight: 1 } }),
    patch: (patches) => patches.replace(TakenMessages.prototype, 'committed', () => tellAtOnce),
  },
];
