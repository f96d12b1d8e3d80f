import { Adoption } from '../../../src/client/offline/adoption.ts';
import type { OfflineDevice } from '../../../src/client/offline/durable-outbox.ts';
import type { OfflineLocks, OfflineWrite } from '../../../src/client/offline/offline-storage.ts';
import { RecordWriter } from '../../../src/client/offline/record-writer.ts';
import { Replica } from '../../../src/client/replica/replica.ts';
import { StoreClaim } from '../../../src/client/replica/store-claim.ts';
import { ClientDisk } from '../client-disk.ts';
import type { Traits } from '../traits.ts';
import { plain } from '../store-variants.ts';
import { PLAIN, type Mutation } from './mutation.ts';

/** Many tabs come and go, and all persist. */
const TABS: Partial<Traits> = { ...PLAIN, cutWeight: 5, hookStyle: 'none', faultWeight: 0 };

/** All is quick, but for the disks of clients, and power fails. */
const FAILING_POWER: Partial<Traits> = {
  ...TABS,
  adversities: ['power-failures'],
  cutWeight: 1,
  isWarm: true,
  networkWeight: 8,
  httpWeight: 10,
  diskWeight: 15,
  clients: [1, 2].map(() => ({
    variant: plain,
    isPersistent: true,
    seed: undefined,
    isSeedInStore: false,
  })),
};

/** Sessions of a Store come and go, and other pages of that browser take over their edits. */
const REMOUNTS: Partial<Traits> = {
  ...TABS,
  adversities: ['remounts'],
  clients: [1, 2].map(() => ({
    variant: plain,
    isPersistent: true,
    seed: undefined,
    isSeedInStore: false,
  })),
};

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
      take: async (name, milliseconds, onLost) => {
        const release = await locks.take(name, milliseconds, onLost);
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

/** A disk whose clock begins anew with each page. */
class ClocklessDisk extends ClientDisk {
  override deviceOf(...given: Parameters<ClientDisk['deviceOf']>): OfflineDevice {
    let time = 0;
    return { ...super.deviceOf(...given), now: () => (time += 1) };
  }
}

/** A disk without locks, which a client takes for one with locks. */
class BlindDisk extends ClientDisk {
  override deviceOf(...given: Parameters<ClientDisk['deviceOf']>): OfflineDevice {
    return { ...super.deviceOf(...given), locks: { take: async () => () => undefined } };
  }
}

/** A disk that takes each write for one that may get lost. */
class RelaxedDisk extends ClientDisk {
  protected override write(tab: object, write: OfflineWrite): Promise<boolean> {
    return super.write(tab, { ...write, isStrict: false });
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
    title: '[OFFLINE-1] edits that another page has taken over are sent by the next session, too',
    make: () => ({ traits: REMOUNTS }),
    patch: (patches) =>
      patches.replace(
        RecordWriter.prototype,
        'leave',
        () =>
          async function (this: RecordWriter) {
            return { client: this.client };
          },
      ),
  },
  {
    title: '[OFFLINE-1] what the device did not take is lost with a session',
    make: () => ({
      traits: { ...REMOUNTS, adversities: ['remounts', 'full-disks', 'busy-browsers'] },
    }),
    patch: (patches) => {
      patches.replace(
        RecordWriter.prototype,
        'stop',
        (stop) =>
          async function (this: RecordWriter) {
            await stop.call(this);
            return undefined;
          },
      );
      patches.replace(RecordWriter.prototype, 'leave', () => async () => ({}));
    },
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
    title: '[OFFLINE-3] without locks, edits are kept nevertheless',
    make: () => ({
      traits: { ...TABS, adversities: ['no-locks'] },
      clientDisk: (name) => new BlindDisk(name),
    }),
  },
  {
    title: '[OFFLINE-6] a client whose numbers are taken goes on under its id in its record',
    make: () => ({
      traits: { ...FAILING_POWER, cutWeight: 2, adversities: ['power-failures', 'clocks-behind'] },
    }),
    patch: (patches) => patches.replace(RecordWriter.prototype, 'rename', () => () => undefined),
  },
  {
    title: '[OFFLINE-9] a page that continues a record goes on with its numbers',
    make: () => ({
      traits: FAILING_POWER,
      clientDisk: (name) => new ClocklessDisk(name),
    }),
  },
  {
    title: '[OFFLINE-9] the removal of an edit is not strict',
    make: () => ({
      // Slow: days have to pass before the next hello.
      traits: {
        ...FAILING_POWER,
        adversities: ['power-failures', 'days-pass'],
        networkWeight: 2,
        httpWeight: 2,
      },
      clientDisk: (name) => new RelaxedDisk(name),
    }),
  },
  {
    title: '[OFFLINE-13] a page that is about to end keeps nothing but what is written',
    make: () => ({ traits: TABS }),
    patch: (patches) => patches.replace(RecordWriter.prototype, 'saveLast', () => () => undefined),
  },
  {
    title: '[OFFLINE-14] a page whose lock was taken away goes on with its record',
    make: () => ({ traits: { ...REMOUNTS, adversities: ['put-aside'] } }),
    patch: (patches) => patches.replace(RecordWriter.prototype, 'lose', () => () => undefined),
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
    title: '[OFFLINE-5] a page takes over the edits of no more than three tabs that have ended',
    make: () => ({ traits: { ...TABS, adversities: ['many-tabs'] } }),
    patch: (patches) => {
      const asked = new WeakMap<Adoption, number>();
      patches.replace(
        Adoption.prototype,
        'isFirst',
        (isFirst) =>
          function (this: Adoption, ownGeneration) {
            const count = asked.get(this) ?? 0;
            const isAsked = count < 3 && isFirst.call(this, ownGeneration);
            if (isAsked) asked.set(this, count + 1);
            return isAsked;
          },
      );
    },
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
