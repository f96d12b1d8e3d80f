import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { inTime } from '../../protocol/in-time.ts';
import { isPlain } from '../../protocol/option-kinds.ts';
import { errorOfUnknownOptions } from '../../protocol/unknown-options.ts';
import { callAfter } from '../platform/call-after.ts';
import { guardLocks, guardStorage } from './app-storage.ts';
import { countEdits, keysOfUser } from './client-record.ts';
import { DurableOutbox, type OfflineDevice } from './durable-outbox.ts';
import { noAnswer, type OfflineLocks, type OfflineStorage } from './offline-storage.ts';
import type { Outbox, OutboxOwner } from './outbox.ts';

/** The wait for a storage that reads or removes everything of a user. It may be much. */
const ALL_MILLISECONDS = 10_000;

const CLEAR_MESSAGE =
  'The offline data of this user could not be removed: the storage of this device cannot be opened or written, or does not answer.';

const COUNT_MESSAGE =
  'The offline edits of this user could not be counted: the storage of this device cannot be opened or read, or does not answer.';

/** Keeps what persisters of this device hold: give it to them as the option `offline`. */
export interface Offline {
  /**
   * Removes everything that is kept for this user, edits that were not sent among it. Persisters that run keep nothing from then
   * on. Call it when the user logs out of a device that others use. Rejects with `offline` if the storage cannot be opened or written,
   * or does not answer for 10 s.
   */
  clear(): Promise<void>;
  /**
   * Counts the edits that are kept for this user and not confirmed: transactions of all rooms and all tabs, also of closed ones. Those
   * that wait for saving to start count as one in each tab. Some that were confirmed within the last second may be among them. Call it before
   * {@link Offline.clear}, to ask the user. Rejects with `offline` if the storage cannot be opened or read, or does not answer for 10 s.
   */
  countUnsaved(): Promise<number>;
  /** Used by the persister. */
  createOutbox(owner: OutboxOwner): Outbox;
}

/** The parts of a device that {@link createOffline} needs. */
export interface OfflineOptions {
  /** Opens the storage. It is called once, when the first persister starts, and again after it has failed. */
  readonly storage: () => OfflineStorage | Promise<OfflineStorage>;
  /**
   * The locks that tell if another tab or process still uses its edits. Without them, nobody can tell: then the content is
   * kept, and edits are not.
   */
  readonly locks?: OfflineLocks | undefined;
  /** The user whose edits these are. Another user neither shows nor sends them. */
  readonly user?: string | undefined;
}

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof OfflineOptions, true>> = {
  storage: true,
  locks: true,
  user: true,
};

/**
 * Creates the offline part of a persister on a storage of the app, for example in React Native. Throws `misuse` for options that do
 * not exist: with a wrong name of `user`, users would share their edits.
 */
export function createOffline(options: OfflineOptions): Offline {
  assertOptions('createOffline', options, OPTIONS);
  const { storage, locks, user } = options;
  if (typeof storage !== 'function') {
    const message =
      'createOffline got no function as its option storage: give it one that opens the storage.';
    throw new TinyBasePartyKitError('misuse', message);
  }
  if (locks !== undefined && typeof locks?.take !== 'function') {
    const message =
      'createOffline got no locks as its option locks: give it an object with the method take, or leave it out.';
    throw new TinyBasePartyKitError('misuse', message);
  }
  return offlineOf(
    {
      storage: async () => guardStorage(await storage()),
      locks: locks && guardLocks(locks),
      user,
    },
    { lastClient: new Map() },
  );
}

/** Throws `misuse` for options that do not tell the user of a device, as in code without types. */
export function assertOptions(
  caller: string,
  options: { readonly user?: unknown },
  table: Readonly<Record<string, true>>,
): void {
  const given: unknown = options;
  if (!isPlain(given)) throw noUser(caller);
  const unknown = errorOfUnknownOptions(given, table, `The object for ${caller}`);
  if (unknown !== undefined) throw unknown;
  if (options.user !== undefined && typeof options.user !== 'string') throw noUser(caller);
}

function noUser(caller: string): TinyBasePartyKitError {
  const message = `${caller} does not know whose edits it keeps: give it an object whose option user is a text, or undefined if there are no users.`;
  return new TinyBasePartyKitError('misuse', message);
}

/** As {@link createOffline}, with the memory of a tab, which hears of the end of its page. */
export function offlineOf(
  { storage: open, locks, user }: OfflineOptions,
  tab: Pick<OfflineDevice, 'lastClient' | 'onEnd' | 'writeLast' | 'lack'>,
): Offline {
  let opened: Promise<OfflineStorage> | undefined;
  const storage = async (): Promise<OfflineStorage> => {
    opened ??= Promise.resolve(open());
    try {
      return await opened;
    } catch (error) {
      opened = undefined;
      throw error;
    }
  };
  const device: OfflineDevice = {
    user,
    storage,
    locks,
    ...tab,
    now: Date.now,
  };
  const outboxes = new Set<DurableOutbox>();
  return {
    clear: async () => {
      for (const outbox of outboxes) outbox.forget();
      const head = keysOfUser(user);
      const write = { remove: [head], set: new Map<string, string>() };
      try {
        // The page may end before the storage has done it, as when an app loads its login page.
        tab.writeLast?.({ guard: { key: head, values: [undefined] }, ...write });
      } catch {
        // The storage does it.
      }
      const remove = async (): Promise<unknown> =>
        (await storage()).write({ ...write, isStrict: true });
      await answered(remove(), CLEAR_MESSAGE);
    },
    countUnsaved: async () => {
      const all = storage().then((entries) => entries.read(keysOfUser(user)));
      return countEdits((await answered(all, COUNT_MESSAGE)).keys());
    },
    createOutbox: (owner) => {
      const outbox = new DurableOutbox(device, owner, () => outboxes.delete(outbox));
      outboxes.add(outbox);
      return outbox;
    },
  };
}

/** Waits for a storage. Rejects with `offline`, and that sentence, if it fails or does not answer. */
async function answered<T>(answer: Promise<T>, sentence: string): Promise<T> {
  try {
    return await inTime(answer, ALL_MILLISECONDS, callAfter, noAnswer);
  } catch (cause) {
    throw new TinyBasePartyKitError('offline', sentence, { cause });
  }
}
