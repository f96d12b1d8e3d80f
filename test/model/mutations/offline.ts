import { Adoption } from '../../../src/client/offline/adoption.ts';
import type { OfflineDevice } from '../../../src/client/offline/durable-outbox.ts';
import type { OfflineLocks, OfflineWrite } from '../../../src/client/offline/offline-storage.ts';
import { RecordWriter } from '../../../src/client/offline/record-writer.ts';
import { Replica } from '../../../src/client/replica/replica.ts';
import { StoreClaim } from '../../../src/client/replica/store-claim.ts';
import { ClientDisk } from '../client-disk.ts';
import type { Traits } from '../traits.ts';
import { PLAIN, type Mutation } from './mutation.ts';

/** Many tabs come and go, and all persist. */
const TABS: Partial<Traits> = { ...PLAIN, cutWeight: 5, hookStyle: 'none', faultWeight: 0 };

/** A disk whose locks everybody gets. */
class LocklessDisk extends ClientDisk {
  protected override locksOf(): OfflineLocks {
    return { take: async () => () => undefined };
  }
}

/** A disk that is full after some writes. */
class FailingDisk extends ClientDisk {
  #writes = 0;

  protected override write(tab: object, write: OfflineWrite): Promise<boolean> {
    this.#writes += 1;
    return this.#writes > 5 ? Promise.reject(new Error('full')) : super.write(tab, write);
  }
}

/** A disk that does not know its users. */
class SharedDisk extends ClientDisk {
  override deviceOf(...[tab, lastClient, now]: Parameters<ClientDisk['deviceOf']>): OfflineDevice {
    return super.deviceOf(tab, lastClient, now);
  }
}

/** A disk on which the locks of tabs that have ended stay free. */
class FreeDisk extends ClientDisk {
  readonly #taken = new Set<string>();

  protected override locksOf(tab: object): OfflineLocks {
    const locks = super.locksOf(tab);
    return {
      take: async (name, milliseconds) => {
        const release = await locks.take(name, milliseconds);
        if (release === undefined || !this.#taken.has(name)) {
          this.#taken.add(name);
          return release;
        }
        release();
        return () => undefined;
      },
    };
  }
}

/** A disk whose locks are free only when their tab dies. */
class TightDisk extends ClientDisk {
  protected override locksOf(tab: object): OfflineLocks {
    const locks = super.locksOf(tab);
    return { take: async (...lock) => (await locks.take(...lock)) && (() => undefined) };
  }
}

/** A disk that writes, whatever was cleared. */
class UnguardedDisk extends ClientDisk {
  protected override write(tab: object, { remove, set }: OfflineWrite): Promise<boolean> {
    return super.write(tab, { remove, set });
  }
}

/** The rules of what a client keeps on its device, broken. */
export const OFFLINE_MUTATIONS: readonly Mutation[] = [
  {
    title: '[OFFLINE-1] edits of a session that ends are neither handed on nor reported',
    make: () => ({ traits: { ...TABS, adversities: ['two-persisters'] } }),
    patch: (patches) =>
      patches.replace(
        StoreClaim.prototype,
        'leave',
        () =>
          ({ onTaken }) =>
            onTaken(),
      ),
  },
  {
    title: '[OFFLINE-2] a restart shows the base without the edits on top',
    make: () => ({ traits: TABS }),
    patch: (patches) =>
      patches.replace(
        Replica.prototype,
        'restore',
        (restore) =>
          function withoutEdits(this: Replica, content, edits) {
            return restore.call(this, content, edits && { ...edits, pushes: [], held: undefined });
          },
      ),
  },
  {
    title: '[OFFLINE-3] two tabs use one client id',
    make: () => ({ traits: TABS, clientDisk: (name) => new LocklessDisk(name) }),
  },
  {
    title: '[OFFLINE-4] the users of a browser share their records',
    make: () => ({
      traits: { ...TABS, adversities: ['busy-browsers'] },
      clientDisk: (name) => new SharedDisk(name),
    }),
  },
  {
    title: '[OFFLINE-5] the lock of a tab that has ended keeps out nobody',
    make: () => ({
      traits: { ...TABS, adversities: ['busy-browsers'] },
      clientDisk: (name) => new FreeDisk(name),
    }),
  },
  {
    title: '[OFFLINE-5] edits of a tab that has ended are adopted by nobody',
    make: () => ({ traits: TABS }),
    patch: (patches) => patches.replace(Adoption.prototype, 'isFirst', () => () => false),
  },
  {
    title: '[OFFLINE-11] a page that cannot take over the edits of a closed one keeps their lock',
    make: () => ({
      traits: { ...TABS, adversities: ['full-disks', 'busy-browsers'] },
      clientDisk: (name) => new TightDisk(name),
    }),
  },
  {
    title: '[OFFLINE-8] who writes does not notice that everything was cleared',
    make: () => ({
      traits: { ...TABS, adversities: ['busy-browsers'] },
      clientDisk: (name) => new UnguardedDisk(name),
    }),
  },
  {
    title: '[OFFLINE-7] what waits for a storage that fails is never sent',
    make: () => ({ traits: TABS, clientDisk: (name) => new FailingDisk(name) }),
    patch: (patches) =>
      patches.replace(
        RecordWriter.prototype,
        'isPushDurable',
        (isPushDurable) =>
          function strictly(this: RecordWriter, number) {
            return !this.hasFailed && isPushDurable.call(this, number);
          },
      ),
  },
];
