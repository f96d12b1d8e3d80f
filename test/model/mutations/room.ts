import type { KeyValueStorage } from '../../../src/server/storage/key-value-storage.ts';
import { Room } from '../../../src/server/room/room.ts';
import { PageIndex } from '../../../src/server/storage/page-index.ts';
import { RoomStorage } from '../../../src/server/storage/room-storage.ts';
import { TouchedRows } from '../../../src/server/writes/touched-rows.ts';
import { HookCheck } from '../../../src/server/writes/hook-check.ts';
import type { HookAnswer } from '../../../src/server/writes/hooks.ts';
import type { StoreDiff } from '../../../src/server/writes/store-diff.ts';
import { SerialQueue } from '../../../src/server/room/serial-queue.ts';
import { Turns } from '../../../src/server/room/turns.ts';
import { Unread } from '../../../src/server/room/unread.ts';
import { StoreHydration } from '../../../src/server/history/hydrate-store.ts';
import { assertContentFits } from '../../../src/server/writes/content-size.ts';
import { StoreWriter } from '../../../src/server/writes/store-writer.ts';
import { SMALL_CONTENT } from '../traits.ts';
import { Undecided } from '../../../src/server/room/serial-queue.ts';
import { ChangesBuilder, type Changes } from '../../../src/protocol/changes.ts';
import type { Patches } from '../patches.ts';
import { ClientDisk } from '../client-disk.ts';
import { plain } from '../store-variants.ts';
import { PLAIN, rewriteRoomFrame, type Mutation } from './mutation.ts';
import { ignorePong } from './order.ts';
import { entriesOf, type Written } from '../../support/written.ts';

function allowOnThrow(ask: (() => HookAnswer) | undefined): HookAnswer {
  try {
    return ask?.() ?? true;
  } catch {
    return true;
  }
}

/** A room whose content takes no place. */
const SMALL_TARGET = { contentBytes: -1e9 };

/** Writes each key on its own, the manifest first. */
function putOneByOne(storage: KeyValueStorage): KeyValueStorage {
  return {
    ...storage,
    put: async (written: Written, value?: unknown) => {
      const entries = entriesOf(written, value);
      const keys = Object.keys(entries).sort(
        (a, b) => Number(b.includes('manifest')) - Number(a.includes('manifest')),
      );
      for (const key of keys) await storage.put({ [key]: entries[key] });
    },
  };
}

/** A client's disk that forgets the unconfirmed edits when the tab is closed. */
class ForgetfulDisk extends ClientDisk {
  protected override async read(prefix: string): Promise<ReadonlyMap<string, string>> {
    const entries = await super.read(prefix);
    return new Map([...entries].filter(([key]) => !key.includes(']e')));
  }
}

/** A checkpoint that does not note which pages change while it is being written. */
function forgetPages(patches: Patches): void {
  let isWriting = false;
  patches.replace(
    RoomStorage.prototype,
    'load',
    (load) =>
      function begin(this: RoomStorage) {
        isWriting = false;
        return load.call(this);
      },
  );
  patches.replace(
    RoomStorage.prototype,
    'checkpoint',
    (checkpoint) =>
      async function forgetful(this: RoomStorage, source) {
        isWriting = true;
        try {
          return await checkpoint.call(this, source);
        } finally {
          isWriting = false;
        }
      },
  );
  patches.replace(
    PageIndex.prototype,
    'note',
    (note) =>
      function unlessWriting(this: PageIndex, ...parameters) {
        if (!isWriting) note.apply(this, parameters);
      },
  );
}

/** The mutations of HOOK, DURABLE, KEEP, LIMIT, FLOOD and LIFE. */
export const ROOM_MUTATIONS: readonly Mutation[] = [
  {
    title: '[HOOK-1] whatever empties a row is asked about as if it did not',
    make: () => ({
      traits: { hookStyle: 'prompt' },
      hooks: (hooks) => ({ ...hooks, canDelRow: () => true }),
    }),
  },
  {
    title: '[HOOK-2] one part that is refused takes the rest with it',
    make: () => ({ traits: { hookStyle: 'prompt', roomVariant: plain } }),
    patch: (patches) =>
      patches.replace(
        HookCheck.prototype,
        'allowed',
        (allowed) =>
          function allOrNothing(this: HookCheck<unknown>, diff, asked) {
            const outcome = allowed.call(this, diff, asked);
            if (outcome instanceof Promise || !outcome.isRefused) return outcome;
            return { changes: new ChangesBuilder(), isRefused: true };
          },
      ),
  },
  {
    title: '[HOOK-3] a hook that throws allows',
    make: () => ({
      traits: { hookStyle: 'wild' },
      hooks: (hooks) => ({
        ...hooks,
        canSetCell: (...parameters) =>
          allowOnThrow(() => hooks.canSetCell?.(...parameters) ?? true),
      }),
    }),
  },
  {
    title: '[HOOK-3] a hook that never settles is waited for',
    make: () => ({ traits: { hookStyle: 'wild' }, hookTimeoutMilliseconds: 10 ** 9 }),
  },
  {
    title: '[HOOK-4] hooks are asked about the Store as it was',
    make: () => ({
      traits: {
        adversities: ['hooks-depend'],
        hookStyle: 'slow',
        roomVariant: plain,
        roomEditWeight: 6,
        faultWeight: 0,
        isWarm: true,
        networkWeight: 8,
        diskWeight: 15,
        turnWeight: 0,
        writeStyle: 'on disk',
        limits: {},
      },
    }),
    patch: (patches) => {
      const first = new WeakMap<Changes, StoreDiff>();
      patches.replace(
        HookCheck.prototype,
        'allowed',
        (allowed) =>
          function once(this: HookCheck<unknown>, diff, asked) {
            if (!first.has(asked)) first.set(asked, diff);
            return allowed.call(this, first.get(asked) ?? diff, asked);
          },
      );
    },
  },
  {
    title: '[HOOK-4] hooks that decided on a row are not asked again when it has changed',
    make: () => ({
      traits: {
        hookStyle: 'slow',
        roomVariant: plain,
        roomEditWeight: 6,
        adversities: ['hooks-depend'],
      },
    }),
    patch: (patches) => patches.replace(TouchedRows.prototype, 'read', () => () => []),
  },
  {
    title: '[HOOK-7] all connections wait for the hooks of one',
    make: () => ({ traits: { hookStyle: 'slow' } }),
    patch: (patches) => {
      const shared = new SerialQueue();
      patches.replace(Undecided.prototype, 'add', () => (handle) => shared.add(handle));
    },
  },
  {
    title: '[HOOK-8] hooks are not told of an initial content',
    make: () => ({
      traits: { hookStyle: 'prompt' },
      hooks: (hooks) => ({
        ...hooks,
        canSetCell: (table, row, cellId, cell, _isInitial, origin, old) =>
          hooks.canSetCell?.(table, row, cellId, cell, false, origin, old) ?? true,
      }),
    }),
  },
  {
    title: '[DURABLE-1] the disk says that it has written before it has',
    make: () => ({
      storage: (storage) => ({
        ...storage,
        put: (written: Written, value?: unknown) => {
          storage.put(entriesOf(written, value)).catch(() => undefined);
          return Promise.resolve();
        },
      }),
    }),
  },
  {
    title: '[DURABLE-3] a write that failed is taken for one that did not',
    make: () => ({
      traits: { faultWeight: 3 },
      storage: (storage) => ({
        ...storage,
        put: (written: Written, value?: unknown) =>
          storage.put(entriesOf(written, value)).catch(() => undefined),
      }),
    }),
  },
  {
    title: '[DURABLE-4] a manifest is written before what it names',
    make: () => ({ traits: { faultWeight: 3 }, storage: putOneByOne }),
  },
  {
    title: '[DURABLE-4] pages that change while a snapshot is written count as written',
    patch: forgetPages,
  },
  {
    title:
      '[DURABLE-5] a room that wakes up knows what was attached to its sockets first, not last',
    make: () => ({
      traits: { ...PLAIN, faultWeight: 3 },
      connection: (connection) => ({
        ...connection,
        writeSlot: (slot, value) => {
          if (connection.readSlot(slot) === undefined) connection.writeSlot(slot, value);
        },
      }),
    }),
  },
  {
    title: '[CLOSE-1] a connection that the app has closed has its say',
    make: () => ({
      traits: { adversities: ['app-closes'] },
      connection: (connection) => ({ ...connection, isClosedByRoom: false }),
    }),
  },
  {
    title: '[KEEP-1] an outbox comes back without its pushes',
    make: () => ({ clientDisk: (name) => new ForgetfulDisk(name) }),
  },
  {
    title: '[LIMIT-1] a push is applied however large it makes the content',
    make: () => ({
      traits: { ...PLAIN, roomVariant: plain, hookStyle: 'none', adversities: ['small-content'] },
    }),
    patch: (patches) =>
      patches.replace(
        StoreWriter.prototype,
        'apply',
        (apply) =>
          function withoutLimit(this: StoreWriter<unknown, unknown>, target, changes, origin) {
            const endless = { ...SMALL_TARGET, takes: target.takes.bind(target) };
            return apply.call(this, endless as unknown as typeof target, changes, origin);
          },
      ),
  },
  {
    title: '[LIMIT-2] a room that is over the limit of its content does not load',
    make: () => ({
      traits: {
        ...PLAIN,
        roomVariant: plain,
        roomEditWeight: 6,
        faultWeight: 3,
        adversities: ['small-content'],
      },
    }),
    patch: (patches) =>
      patches.replace(
        StoreHydration.prototype,
        'hydrate',
        (hydrate) =>
          function withinLimit(this: StoreHydration<unknown, unknown>, content) {
            if (content !== undefined) assertContentFits(content, SMALL_CONTENT.contentBytes);
            return hydrate.call(this, content);
          },
      ),
  },
  {
    title: '[FLOOD-7] a room does not count what a connection has not read',
    make: () => ({
      traits: {
        ...PLAIN,
        roomEditWeight: 40,
        faultWeight: 0,
        cutWeight: 0,
        stockPeers: 0,
        adversities: ['slow-readers'],
      },
    }),
    patch: (patches) => patches.replace(Unread.prototype, 'add', () => () => undefined),
  },
  {
    title:
      '[FLOOD-7] what a connection missed that did not read does not come after its next hello',
    make: () => ({
      traits: { ...PLAIN, roomEditWeight: 6, faultWeight: 0, adversities: ['slow-readers'] },
      fromRoom: (frame) =>
        rewriteRoomFrame(frame, (message) =>
          message.type === 'error' && message.code === 'stale' ? undefined : message,
        ),
      atClient: (frame) => rewriteRoomFrame(frame, ignorePong),
    }),
  },
  {
    title: '[FLOOD-9] the turn of who sends much never comes',
    make: () => ({
      traits: { ...PLAIN, faultWeight: 0, turnWeight: 2, adversities: ['floods'] },
    }),
    // Bursts are too small there to fill a turn, so the turn with place is the one that does not come.
    patch: (patches) =>
      patches.replace(
        Turns.prototype,
        'take',
        (take) =>
          function (this: Turns, line, isBusy, work) {
            return isBusy ? undefined : take.call(this, line, isBusy, work);
          },
      ),
  },
  {
    title: '[LIFE-7] a room does not notice that its storage was emptied',
    make: () => ({ traits: { ...PLAIN, faultWeight: 3, adversities: ['storage-emptied'] } }),
    patch: (patches) =>
      patches.replace(
        Room.prototype,
        'storageEmptied',
        () => async (emptied) => void (await Promise.allSettled([emptied])),
      ),
  },
];
