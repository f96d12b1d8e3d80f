import { setImmediate as nextTurn } from 'node:timers/promises';

import type PartySocket from 'partysocket';
import { createStore, type Content, type Store } from 'tinybase';
import type { Persister } from 'tinybase/persisters';
import { createPartyKitPersister as createStockPersister } from 'tinybase/persisters/persister-partykit-client';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { createPartyKitPersister, type Refusal } from '../../src/client/index.ts';
import { decodeContent, encodeClientMessage } from '../../src/protocol/codec.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import { Deferred } from '../support/deferred.ts';
import { ignoring } from '../support/ignoring.ts';
import { FakePartySocket, roomOn } from './fake-party-socket.ts';
import { changesOf } from './session/scripted-room.ts';
import type { SmallRoom } from './session/small-room.ts';

const destroys: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(destroys.splice(0).map((destroy) => destroy()));
  vi.unstubAllGlobals();
});

interface Persisted {
  readonly store: Store;
  readonly persister: Persister;
  readonly socket: FakePartySocket;
  readonly room: SmallRoom;
  /** Status numbers that a listener was told. */
  readonly statuses: number[];
  /** Makes every request fail. */
  readonly cutOff: () => void;
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn();
}

describe.each([
  ["TinyBase's", createStockPersister, 'stock'],
  ['ours', createPartyKitPersister, 'ours'],
])('what apps rely on: %s', (_whose, create, pair) => {
  const persist = (onIgnoredError?: (error: unknown) => void): Persisted => {
    const store = createStore();
    const socket = new FakePartySocket();
    socket.readyState = 1;
    const { room, fetch } = roomOn(socket);
    room.seed(decodeContent('[{},{"room":1}]') ?? new LeafMap());
    if (pair === 'stock') socket.onSend = () => undefined;
    let isCutOff = false;
    vi.stubGlobal('fetch', (...args: Parameters<typeof fetch>) =>
      isCutOff ? Promise.reject(new TypeError('offline')) : fetch(...args),
    );
    const persister: Persister = create(
      store,
      socket as unknown as PartySocket,
      {},
      onIgnoredError,
    );
    destroys.push(() => persister.destroy());
    const statuses: number[] = [];
    persister.addStatusListener((_persister, status) => statuses.push(status));
    return { store, persister, socket, room, statuses, cutOff: () => (isCutOff = true) };
  };
  /** A change of another client, on the wire of each pair. */
  const change = ({ socket, room }: Persisted, values: Record<string, number>): void => {
    const changes = changesOf([{}, values]);
    if (pair === 'ours') room.commit(changes);
    else socket.receive(encodeClientMessage('', { type: 'stock', changes }));
  };

  test('loading and saving are told, and over when the calls settle', async () => {
    const { persister, statuses } = persist();
    const loading = persister.load();
    expect(persister.getStatus()).toBe(1);
    await loading;
    expect(persister.getStatus()).toBe(0);
    const saving = persister.save();
    expect(persister.getStatus()).toBe(2);
    await saving;
    expect(persister.getStatus()).toBe(0);
    await persister.startAutoPersisting();
    expect(persister.getStatus()).toBe(0);
    expect(statuses).toEqual([1, 0, 2, 0, 1, 0, 2, 0]);
  });

  test('an edit is told as saving', async () => {
    const { store, persister, statuses } = persist();
    await persister.startAutoPersisting();
    await settled();
    statuses.length = 0;
    store.setValue('mine', 1);
    expect(persister.getStatus()).toBe(2);
    await settled();
    expect(statuses).toEqual([2, 0]);
  });

  test('remote changes are told as loading, while listeners of the Store run, too', async () => {
    const persisted = persist();
    const { store, persister, statuses } = persisted;
    await persister.startAutoPersisting();
    await settled();
    statuses.length = 0;
    const during: number[] = [];
    store.addValuesListener(() => during.push(persister.getStatus()));
    change(persisted, { other: 1 });
    await settled();
    expect(store.getValues()).toEqual({ room: 1, other: 1 });
    expect(statuses).toEqual([1, 0]);
    expect(during).toEqual([1]);
  });

  test('an edit that nothing saves is not told as saving', async () => {
    const { store, persister, statuses } = persist();
    await persister.startAutoLoad();
    await settled();
    statuses.length = 0;
    store.setValue('mine', 1);
    await settled();
    expect(statuses).toEqual([]);
    expect(persister.getStatus()).toBe(0);
  });

  test('loads and saves are counted', async () => {
    const persisted = persist();
    const { store, persister } = persisted;
    await persister.startAutoPersisting();
    await settled();
    expect(persister.getStats()).toEqual({ loads: 1, saves: 1 });
    store.setValue('mine', 1);
    await settled();
    expect(persister.getStats()).toEqual({ loads: 1, saves: 2 });
    change(persisted, { other: 1 });
    await settled();
    expect(persister.getStats()).toEqual({ loads: 2, saves: 2 });
    await persister.load();
    await persister.save();
    expect(persister.getStats()).toEqual({ loads: 3, saves: 3 });
  });

  test('after auto-load was stopped, changes of others are neither loads nor told', async () => {
    const persisted = persist();
    const { store, persister, statuses } = persisted;
    await persister.startAutoPersisting();
    await persister.stopAutoLoad();
    await settled();
    statuses.length = 0;
    change(persisted, { other: 1 });
    await settled();
    expect(store.getValues()).toEqual({ room: 1 });
    expect(statuses).toEqual([]);
    expect(persister.getStats()).toEqual({ loads: 1, saves: 1 });
  });

  test('a save of what was edited since a load is one save', async () => {
    const { store, persister } = persist();
    await persister.load();
    store.setValue('mine', 1);
    await persister.save();
    await settled();
    expect(persister.getStats()).toEqual({ loads: 1, saves: 1 });
  });

  test('a stop ends a start that runs', async () => {
    const { persister } = persist();
    const started = persister.startAutoPersisting();
    await Promise.all([persister.stopAutoPersisting(), started]);
    await settled();
    expect([persister.isAutoLoading(), persister.isAutoSaving()]).toEqual([false, false]);
  });

  test('a load shows what is stored in place of edits that nothing saves', async () => {
    const { store, persister } = persist();
    await persister.load();
    store.transaction(() => store.setValues({ room: 2, mine: 1 }).setCell('t', 'r', 'c', 1));
    await persister.load();
    expect(store.getContent()).toEqual([{}, { room: 1 }]);
    await persister.startAutoLoad();
    store.setValue('room', 3);
    await persister.load();
    expect(store.getContent()).toEqual([{}, { room: 1 }]);
  });

  test('after that, changes of others are shown again', async () => {
    const persisted = persist();
    const { store, persister } = persisted;
    await persister.startAutoLoad();
    await settled();
    store.setValue('room', 2);
    await persister.load();
    await settled();
    change(persisted, { room: 3 });
    await settled();
    expect(store.getValues()).toEqual({ room: 3 });
  });

  test.each(['load', 'startAutoLoad', 'startAutoPersisting'] as const)(
    '%s rejects with what onIgnoredError throws',
    async (method) => {
      const { persister, cutOff } = persist(() => {
        throw new Error('from the app');
      });
      cutOff();
      await expect(persister[method]()).rejects.toThrow('from the app');
      expect(persister.getStatus()).toBe(0);
    },
  );

  test('schedule rejects with what onIgnoredError throws, after its last action', async () => {
    const { persister } = persist((error) => {
      throw error;
    });
    const done: string[] = [];
    const scheduled = persister.schedule(
      async () => {
        throw new Error('failed');
      },
      async () => {
        done.push('last');
      },
    );
    const other = persister.schedule(async () => {
      done.push('other');
    });
    await expect(scheduled).rejects.toThrow('failed');
    await other;
    expect(done).toEqual(['last', 'other']);
  });

  test('loads and saves wait for what was scheduled, and the other way round', async () => {
    const { store, persister } = persist();
    const gate = new Deferred<void>();
    const done: string[] = [];
    const first = persister.schedule(() => gate.promise);
    const load = persister.load().then(() => done.push('loaded'));
    const second = persister.schedule(async () => {
      done.push(`scheduled, with ${JSON.stringify(store.getValues())}`);
    });
    await settled();
    expect(done).toEqual([]);
    expect(store.getValues()).toEqual({});
    gate.resolve();
    await Promise.all([first, load, second]);
    expect([...done].sort()).toEqual(['loaded', 'scheduled, with {"room":1}']);
  });

  test('what is scheduled first begins within the call', () => {
    const { persister } = persist();
    const done: string[] = [];
    void persister.schedule(async () => {
      done.push('begun');
    });
    expect(done).toEqual(['begun']);
  });

  test('destroy waits for the action that runs, and forgets those that wait', async () => {
    const { persister } = persist();
    const gate = new Deferred<void>();
    const done: string[] = [];
    const scheduled = persister.schedule(
      async () => {
        await gate.promise;
        done.push('ran');
      },
      async () => {
        done.push('never');
      },
    );
    const destroyed = persister.destroy().then(() => done.push('destroyed'));
    await settled();
    expect(done).toEqual([]);
    gate.resolve();
    await Promise.all([scheduled, destroyed]);
    expect(done).toEqual(['ran', 'destroyed']);
  });
});

describe('ours', () => {
  test('a stop ends a start that saves first, or that still loads', async () => {
    const socket = new FakePartySocket();
    const { room, fetch } = roomOn(socket);
    room.seed(decodeContent('[{},{"room":1}]') ?? new LeafMap());
    const gate = new Deferred<void>();
    vi.stubGlobal('fetch', async (...args: Parameters<typeof fetch>) => {
      await gate.promise;
      return await fetch(...args);
    });
    for (const startsSaveFirst of [false, true]) {
      const persister = createPartyKitPersister(
        createStore(),
        socket as unknown as PartySocket,
        {},
        ignoring('replaced'),
      );
      destroys.push(() => persister.destroy());
      const started = persister.startAutoPersisting(undefined, startsSaveFirst);
      await settled();
      await persister.stopAutoPersisting();
      gate.resolve();
      await started;
      expect([persister.isAutoLoading(), persister.isAutoSaving()]).toEqual([false, false]);
    }
  });

  test('[VIEW-9] reports the edits that a load replaces, and only those', async () => {
    const store = createStore();
    const socket = new FakePartySocket();
    socket.readyState = 1;
    const { room, fetch } = roomOn(socket);
    const content: Content = [{ t: { r: { c: 1 } } }, { room: 1 }];
    room.seed(decodeContent(JSON.stringify(content)) ?? new LeafMap());
    vi.stubGlobal('fetch', fetch);
    const persister = createPartyKitPersister(store, socket as unknown as PartySocket);
    destroys.push(() => persister.destroy());
    const refusals: Refusal[] = [];
    persister.addRefusalListener((_persister, refused) => refusals.push(...refused));
    await persister.load();
    store.setCell('t', 'r', 'c', 2).setValue('mine', [1]);
    store.setValue('room', 2).setValue('room', 1);
    store.delRow('t', 'r');
    expect(persister.getSync().unsaved).toBe(1);
    await persister.load();
    expect(store.getContent()).toEqual(content);
    expect(refusals).toEqual([
      { type: 'row', tableId: 't', rowId: 'r', reason: 'loaded' },
      { type: 'value', valueId: 'mine', value: [1], reason: 'loaded' },
    ]);
    expect(persister.getSync()).toMatchObject({ unsaved: 0, localOnly: 0 });
    await persister.startAutoSave();
    await settled();
    expect(socket.sent.filter((frame) => frame.startsWith('p'))).toEqual([]);
  });

  test('[VIEW-9] keeps edits that are being saved', async () => {
    const store = createStore();
    const socket = new FakePartySocket();
    const { room, fetch } = roomOn(socket);
    room.seed(decodeContent('[{},{"room":1}]') ?? new LeafMap());
    vi.stubGlobal('fetch', fetch);
    const persister = createPartyKitPersister(store, socket as unknown as PartySocket);
    destroys.push(() => persister.destroy());
    await persister.startAutoPersisting();
    store.setValue('room', 2);
    await persister.load();
    expect(store.getValues()).toEqual({ room: 2 });
    socket.open();
    await persister.whenConfirmed();
    expect(room.content?.get(null, '', 'room')).toBe(2);
  });
});
