import { describe, expect, test } from 'vitest';

import { broadcastChanges } from '../../../src/server/stock/broadcast-changes.ts';
import { FakeRoomHost, inShort, settle } from '../../support/fake-connection.ts';

test('applies changes as one transaction of the server, which reaches everybody', async () => {
  const host = new FakeRoomHost();
  await host.seed({
    pets: { fido: { species: 'dog', legs: 4 }, felix: { species: 'cat' } },
    toys: { ball: { color: 'red' } },
    open: true,
    gone: 1,
  });
  const ada = await host.join('ada');
  await broadcastChanges(
    host.room,
    [
      {
        toys: undefined,
        pets: { felix: undefined, fido: { legs: undefined, tags: [1], more: '\uFFFD{"a":1}' } },
      },
      { open: false, gone: undefined },
      1,
    ],
    ['ada'],
  );
  await settle();
  const commit = ada.hearOne('commit');
  expect(commit.version).toBe(2);
  expect(inShort(commit.changes)).toEqual({
    deletedRows: [
      ['toys', ['ball']],
      ['pets', ['felix']],
    ],
    leaves: [
      ['pets', 'fido', 'legs', undefined],
      ['pets', 'fido', 'tags', '\uFFFD[1]'],
      ['pets', 'fido', 'more', '\uFFFD{"a":1}'],
      ['open', false],
      ['gone', undefined],
    ],
  });
});

test.each([
  undefined,
  null,
  's',
  {},
  [],
  [{}],
  [null, {}, 1],
  [{}, undefined, 1],
  [{}, [], 1],
  [{ t: null }, {}, 1],
  [{ t: { r: 7 } }, {}, 1],
])('refuses what is no changes, and applies nothing: %j', async (changes) => {
  const host = new FakeRoomHost();
  await host.room.start();
  const refused = { name: 'TinyBasePartyKitError', code: 'misuse' };
  const broadcast = (): Promise<void> => broadcastChanges(host.room, changes as never);
  await expect(broadcast()).rejects.toMatchObject(refused);
  await host.seed({ open: true });
  await expect(broadcast()).rejects.toMatchObject(refused);
  expect((await host.cursor()).version).toBe(1);
});

test('waits until the room is loaded', async () => {
  const host = new FakeRoomHost();
  await host.seed({ open: true });
  host.hibernate();
  await broadcastChanges(host.room, [{}, { open: false }, 1]);
  expect(await host.content()).toEqual([{}, { open: false }]);
  expect((await host.cursor()).version).toBe(2);
});

describe('[SEED-7] in a room without a Store', () => {
  test('waits for the initial content, and is applied on top of it', async () => {
    const host = new FakeRoomHost();
    await host.room.start();
    const ada = await host.join('ada');
    await broadcastChanges(host.room, [{ pets: { fido: { legs: 3 } } }, {}, 1]);
    await broadcastChanges(host.room, [{}, { open: true }, 1]);
    expect(await host.content()).toBeUndefined();
    await host.seed({ pets: { fido: { legs: 4, species: 'dog' } }, open: false, name: 'Ada' });
    await settle();
    expect(await host.content()).toEqual([
      { pets: { fido: { legs: 3, species: 'dog' } } },
      { open: true, name: 'Ada' },
    ]);
    expect((await host.cursor()).version).toBe(3);
    expect(ada.hear().length).toBeGreaterThan(0);
    await broadcastChanges(host.room, [{}, { open: false }, 1]);
    expect((await host.cursor()).version).toBe(4);
    host.hibernate();
    expect(await host.content()).toMatchObject([{}, { open: false }]);
  });

  test('waits for an initial content that is empty, too', async () => {
    const host = new FakeRoomHost();
    await host.room.start();
    await broadcastChanges(host.room, [{}, { open: true }, 1]);
    await host.seed({});
    await settle();
    expect(await host.content()).toEqual([{}, { open: true }]);
  });

  test('leaves what the room writes to its Store the initial content (SEED-1)', async () => {
    const host = new FakeRoomHost();
    await host.room.start();
    await broadcastChanges(host.room, [{}, { open: true }, 1]);
    host.room.store.setValue('own', 1);
    await settle();
    expect(await host.content()).toEqual([{}, { open: true, own: 1 }]);
  });

  test('is refused aloud when a thousand wait', async () => {
    const host = new FakeRoomHost();
    await host.room.start();
    for (let count = 0; count < 1000; count++)
      await broadcastChanges(host.room, [{}, { count }, 1]);
    await expect(broadcastChanges(host.room, [{}, { count: -1 }, 1])).rejects.toMatchObject({
      code: 'overloaded',
    });
    await host.seed({ count: -1 });
    await settle();
    expect(await host.content()).toEqual([{}, { count: 999 }]);
  });
});

test.each([undefined, null, 5, 'room', {}, { store: {} }, Promise.resolve({})])(
  'what is no room is told: %o',
  async (room) => {
    await expect(broadcastChanges(room as never, [{}, {}, 1])).rejects.toMatchObject({
      code: 'misuse',
      message: expect.stringContaining('broadcastChanges got no room') as unknown,
    });
  },
);

test.each([undefined, null, 5, 'text', {}, Promise.resolve()])(
  'an action of afterInitialContent that is no function is an error at once: %o',
  async (action) => {
    const host = new FakeRoomHost();
    const error = expect.objectContaining({ code: 'misuse' }) as Error;
    await host.room.start();
    expect(() => host.room.afterInitialContent(action as never)).toThrow(error);
    await host.seed({ v: 1 });
    expect(() => host.room.afterInitialContent(action as never)).toThrow(error);
    expect(host.errors).toEqual([]);
  },
);
