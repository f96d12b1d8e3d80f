import { InitialStorageQuestion } from '../../../src/server/features/lifecycle/initial-storage.ts';
import { LifecycleSettings } from '../../../src/server/features/lifecycle/lifecycle-settings.ts';
import { FeatureAccess } from '../../../src/server/room/feature-access.ts';
import type { RoomSnapshot } from '../../../src/server/room/room-feature.ts';
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

/** The mutations of SAVE. */
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
];
