import { Adoption } from '../../../src/client/offline/adoption.ts';
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
    title: '[OFFLINE-5] edits of a tab that has ended are adopted by nobody',
    make: () => ({ traits: TABS }),
    patch: (patches) => patches.replace(Adoption.prototype, 'isFirst', () => () => false),
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
