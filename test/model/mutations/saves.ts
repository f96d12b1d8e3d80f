import { InitialStorageQuestion } from '../../../src/server/features/lifecycle/initial-storage.ts';
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
    this.taken({ type: 'push', version, changes: undefined }, origin.peer.connection.origin);
}

/**
 * The mutations of SAVE. Of the other rules, SAVE-4 to SAVE-6 are about alarms, which these histories do not have: whoever is
 * there at the end asks for the room. SAVE-7 is about rows.
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
    make: () => ({ traits: SAVED }),
    patch: (patches) =>
      patches.replace(LifecycleSettings.prototype, 'retryPause', () => () => Infinity),
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
