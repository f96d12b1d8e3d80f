import { setTimeout as delay } from 'node:timers/promises';

import { createStore, type Content } from 'tinybase';
import { expect, onTestFinished, test, vi } from 'vitest';

import {
  createOffline,
  type Offline,
  type OfflineLocks,
} from '../../../src/client/offline/index.ts';
import { createClient, type Client } from '../../../src/client/room/index.ts';
import { Deferred } from '../../support/deferred.ts';
import { MemoryLocks, MemoryOfflineStorage } from '../../support/offline-doubles.ts';
import { OfflineTab, settle } from '../offline/offline-tab.ts';
import { PREFIX, SECOND } from '../session/scripted-room.ts';

/** A WebSocket that never opens. */
class NeverOpens extends EventTarget {
  readonly readyState = 0;
  close(): void {}
}

const browser = () => ({ storage: new MemoryOfflineStorage(), locks: new MemoryLocks() });

/** A tab that has this content of the room, and dies with an unsent edit. */
async function leave(on: ReturnType<typeof browser>, content: Content): Promise<void> {
  const tab = new OfflineTab(on);
  tab.address = 'ws://localhost:1999/parties/main/board';
  await tab.start();
  await tab.answerGet(1, content);
  await tab.join();
  await tab.time.pass(SECOND);
  tab.store.setValue('mine', 1);
  await settle();
  tab.die();
}

/** Locks that wait for another holder, as those of a browser do. */
function patient(locks: OfflineLocks): OfflineLocks {
  return {
    take: async (name, milliseconds) => {
      const end = Date.now() + milliseconds;
      for (;;) {
        const release = await locks.take(name, 0);
        if (release !== undefined || Date.now() >= end) return release;
        await delay(5);
      }
    },
  };
}

function clientOf(
  { storage, locks }: ReturnType<typeof browser>,
  errors: unknown[],
  {
    whenOpen = async () => undefined,
    offline = createOffline({
      storage: async () => {
        await whenOpen();
        return storage;
      },
      locks: locks.of({}),
    }),
  }: { readonly whenOpen?: () => Promise<void>; readonly offline?: Offline } = {},
): Client {
  return createClient({
    createStore,
    host: 'localhost:1999',
    messagePrefix: PREFIX,
    WebSocket: NeverOpens,
    persister: { offline },
    onIgnoredError: (error) => errors.push(error),
  });
}

test.for([[[{}, { theirs: 1 }]], [[{}, {}]]] as [Content][])(
  '[OFFLINE-10] a room is entered when what was kept is shown, before the room is reached: %j',
  async ([content]) => {
    const on = browser();
    await leave(on, content);
    const errors: unknown[] = [];
    const { store, persister } = await clientOf(on, errors).enter('board');
    expect(store.getValues()).toEqual({ ...content[1], mine: 1 });
    expect(persister.getSync()).toMatchObject({ phase: 'connecting', unsaved: 1 });
    await persister.destroy();
  },
);

test('[OFFLINE-10] a room that is left keeps its edits, and says nothing of them', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const on = browser();
  await leave(on, [{}, {}]);
  const errors: unknown[] = [];
  const refusals: unknown[] = [];
  const client = clientOf(on, errors);
  const { store, persister } = await client.enter('board');
  persister.addRefusalListener((_persister, refused) => refusals.push(...refused));
  store.setValue('later', 1);
  const left = client.leave('board');
  await vi.advanceTimersByTimeAsync(10 * SECOND);
  await left;
  await settle();
  expect([errors, refusals]).toEqual([[], []]);
  const again = await clientOf(on, errors).enter('board');
  expect(again.store.getValues()).toEqual({ mine: 1, later: 1 });
  await again.persister.destroy();
});

test('[CLIENT-1] [OFFLINE-10] a new client on the page shows the edits of one that has just left a room without a network', async () => {
  vi.stubGlobal('navigator', { onLine: false });
  onTestFinished(() => void vi.unstubAllGlobals());
  const on = browser();
  await leave(on, [{}, {}]);
  const errors: unknown[] = [];
  const offline = createOffline({ storage: () => on.storage, locks: patient(on.locks.of({})) });
  const former = clientOf(on, errors, { offline });
  const { store } = await former.enter('board');
  store.setValue('later', 1);
  void former.leave('board');
  const again = await clientOf(on, errors, { offline }).enter('board');
  expect(again.store.getValues()).toEqual({ mine: 1, later: 1 });
  expect(errors).toEqual([]);
  await again.persister.destroy();
});

test('[CLIENT-1] [OFFLINE-10] a room that is left while the device opens what it keeps, keeps its edits', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const on = browser();
  await leave(on, [{}, {}]);
  const opened = new Deferred<void>();
  const errors: unknown[] = [];
  const refusals: unknown[] = [];
  const client = clientOf(on, errors, { whenOpen: () => opened.promise });
  const { store, persister } = client.createRoom('board');
  persister.addRefusalListener((_persister, refused) => refusals.push(...refused));
  const entered = client.enter('board');
  await settle();
  store.setValue('later', 1);
  const left = client.leave('board');
  await settle();
  opened.resolve();
  await settle();
  await vi.advanceTimersByTimeAsync(10 * SECOND);
  await Promise.all([entered, left]);
  expect([errors, refusals]).toEqual([[], []]);
  const again = await clientOf(on, errors).enter('board');
  expect(again.store.getValues()).toEqual({ mine: 1, later: 1 });
  await again.persister.destroy();
});
