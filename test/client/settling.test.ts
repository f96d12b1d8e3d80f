import type PartySocket from 'partysocket';
import { createStore } from 'tinybase';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { createPartyKitPersister, type PartyKitPersister } from '../../src/client/index.ts';
import { ignoring } from '../support/ignoring.ts';
import { FakePartySocket, roomOn } from './fake-party-socket.ts';

const HOUR = 3_600_000;
const ignore = ignoring('network', 'forbidden', 'destroyed');

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Requests that never end, whatever their signal says. */
const silent = (): Promise<Response> => new Promise(() => undefined);
const content = (): Promise<Response> =>
  Promise.resolve(new Response('{"cursor":["e",1],"content":[{},{}]}'));
const failing = (): Promise<Response> => Promise.reject(new TypeError('Failed to fetch'));
const refusing = (): Promise<Response> => Promise.resolve(new Response('', { status: 403 }));

const CALLS: Readonly<Record<string, (persister: PartyKitPersister) => Promise<unknown>>> = {
  load: (persister) => persister.load(),
  save: (persister) => persister.save(),
  startAutoLoad: (persister) => persister.startAutoLoad(),
  startAutoSave: (persister) => persister.startAutoSave(),
  startAutoPersisting: (persister) => persister.startAutoPersisting(),
  'startAutoPersisting, saving first': (persister) =>
    persister.startAutoPersisting(undefined, true),
};

const ENDS: Readonly<
  Record<string, (persister: PartyKitPersister, socket: FakePartySocket) => unknown>
> = {
  destroy: (persister) => persister.destroy(),
  'another persister on the socket': (persister, socket) =>
    createPartyKitPersister(persister.getStore(), socket as unknown as PartySocket),
};

describe.each(Object.keys(CALLS))('%s settles', (name) => {
  const call = CALLS[name] ?? expect.unreachable();

  /** A call on a socket that opens or not, with these answers. */
  const begin = (
    fetchAs: () => Promise<Response>,
    isOpen: boolean,
  ): { persister: PartyKitPersister; socket: FakePartySocket; state: () => string } => {
    const socket = new FakePartySocket();
    if (isOpen) socket.readyState = 1;
    const persister = createPartyKitPersister(
      createStore(),
      socket as unknown as PartySocket,
      { fetch: fetchAs },
      ignore,
    );
    let state = 'waiting';
    call(persister).then(
      () => {
        state = 'resolved';
      },
      () => {
        state = 'rejected';
      },
    );
    return { persister, socket, state: () => state };
  };

  test.each(Object.keys(ENDS))('after %s, while no request is answered', async (end) => {
    const { persister, socket, state } = begin(silent, true);
    await vi.advanceTimersByTimeAsync(100);
    void ENDS[end]?.(persister, socket);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(state()).toBe('resolved');
  });

  test.each([
    ['no request is answered', silent],
    ['each request fails', failing],
    ['each request is refused', refusing],
  ] as const)('by itself, while %s', async (_what, fetchAs) => {
    for (const isOpen of [true, false]) {
      const { persister, state } = begin(fetchAs, isOpen);
      await vi.advanceTimersByTimeAsync(HOUR);
      expect(state()).toBe('resolved');
      void persister.destroy();
      await vi.advanceTimersByTimeAsync(5_000);
    }
  });

  test('by itself, while the room has content and the socket never opens', async () => {
    const { persister, state } = begin(content, false);
    await vi.advanceTimersByTimeAsync(HOUR);
    expect(state()).toBe('resolved');
    void persister.destroy();
    await vi.advanceTimersByTimeAsync(5_000);
  });

  test('at once, on a persister that was destroyed', async () => {
    const socket = new FakePartySocket();
    const persister = createPartyKitPersister(
      createStore(),
      socket as unknown as PartySocket,
      { fetch: silent },
      ignore,
    );
    void persister.destroy();
    await vi.advanceTimersByTimeAsync(5_000);
    let isSettled = false;
    void call(persister).finally(() => {
      isSettled = true;
    });
    await vi.advanceTimersByTimeAsync(0);
    expect(isSettled).toBe(true);
  });
});

describe('whenConfirmed settles', () => {
  test.each(Object.keys(ENDS))('after %s', async (end) => {
    const socket = new FakePartySocket();
    const store = createStore();
    const persister = createPartyKitPersister(store, socket as unknown as PartySocket, {
      fetch: content,
    });
    void persister.startAutoPersisting();
    await vi.advanceTimersByTimeAsync(100);
    store.setValue('v', 1);
    const outcome = persister.whenConfirmed().then(
      () => 'confirmed',
      (error: unknown) => String(error),
    );
    void ENDS[end]?.(persister, socket);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await outcome).toMatch(/destroyed|Another persister/);
  });

  test('by itself, where the user may not enter', async () => {
    const store = createStore();
    const socket = new FakePartySocket() as unknown as PartySocket;
    const persister = createPartyKitPersister(store, socket, { fetch: refusing }, ignore);
    store.setValue('v', 1);
    const outcome = persister.whenConfirmed().catch((error: unknown) => error);
    void persister.startAutoPersisting();
    await vi.advanceTimersByTimeAsync(100);
    expect(await outcome).toMatchObject({ code: 'forbidden' });
    void persister.destroy();
    await vi.advanceTimersByTimeAsync(5_000);
  });
});

test('destroy settles whatever the app does meanwhile', async () => {
  const socket = new FakePartySocket();
  const persister = createPartyKitPersister(
    createStore(),
    socket as unknown as PartySocket,
    { fetch: silent },
    ignore,
  );
  void persister.startAutoPersisting();
  const settled: string[] = [];
  const note = (name: string, promise: Promise<unknown>): void =>
    void promise.finally(() => settled.push(name));
  note('destroy', persister.destroy());
  note('again', persister.destroy());
  note('load', persister.load());
  note('stop', persister.stopAutoPersisting());
  socket.open();
  socket.close();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(settled.toSorted()).toEqual(['again', 'destroy', 'load', 'stop']);
});

describe('a persister that its own listener ends', () => {
  test.each([1, 2, 3, 4, 5, 6])(
    'at change %i of its state is over, and settles',
    async (change) => {
      const socket = new FakePartySocket();
      const { fetch } = roomOn(socket);
      const store = createStore();
      const errors: unknown[] = [];
      const persister = createPartyKitPersister(
        store,
        socket as unknown as PartySocket,
        { fetch },
        (error: unknown) => errors.push(error),
      );
      let changes = 0;
      let isDestroyed = false;
      persister.addSyncListener(() => {
        if (++changes !== change) return;
        void persister.destroy().then(() => {
          isDestroyed = true;
        });
      });
      void persister.startAutoPersisting([{}, { v: 1 }]);
      await vi.advanceTimersByTimeAsync(10);
      socket.open();
      await vi.advanceTimersByTimeAsync(10);
      for (let edit = 0; edit < 3; edit++) store.setValue('v', edit);
      await vi.advanceTimersByTimeAsync(10);
      socket.closeByServer(1006);
      await vi.advanceTimersByTimeAsync(10_000);
      expect(changes).toBeGreaterThanOrEqual(change);
      expect([isDestroyed, persister.getSync().phase]).toEqual([true, 'stopped']);
      expect(errors).toEqual([]);
      const sent = socket.sent.length;
      socket.open();
      store.setValue('v', 9);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(socket.sent.length).toBe(sent);
    },
  );

  test.each(['load', 'startAutoLoad', 'discardLocal', 'stopAutoPersisting'] as const)(
    'or that it calls %s in, goes on',
    async (method) => {
      const socket = new FakePartySocket();
      const store = createStore();
      const persister = createPartyKitPersister(store, socket as unknown as PartySocket, {
        fetch: roomOn(socket).fetch,
      });
      let calls = 0;
      persister.addSyncListener(() => {
        if (++calls < 20) void persister[method]();
      });
      void persister.startAutoPersisting([{}, { v: 1 }]);
      socket.open();
      await vi.advanceTimersByTimeAsync(100);
      store.setValue('v', 2);
      await vi.advanceTimersByTimeAsync(1_000);
      calls = 20;
      void persister.startAutoPersisting();
      await vi.advanceTimersByTimeAsync(30_000);
      expect(persister.getSync()).toMatchObject({ phase: 'live', unsaved: 0, localOnly: 0 });
      expect(store.getValues()).toEqual({ v: 2 });
      void persister.destroy();
      await vi.advanceTimersByTimeAsync(5_000);
    },
  );
});
