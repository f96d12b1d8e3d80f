import { expect, test } from 'vitest';

import type { RoomAdministration } from '../../../src/server/room/room-administration.ts';
import type { RoomGate } from '../../../src/server/room/room-feature.ts';
import { FakeRoomHost, type FakeConnection } from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

type Identified = FakeConnection & { readonly id: string; readonly user?: string };

const administrationOf = ({ room }: FakeRoomHost): RoomAdministration<FakeConnection, unknown> =>
  room.administration;

/** A socket with an id, as hosts give them one. */
const connect = (host: FakeRoomHost, id: string, user?: string): Identified =>
  Object.assign(host.connect(), { id, ...(user !== undefined && { user }) });

/** The same, live. */
const join = async (host: FakeRoomHost, id: string, user?: string): Promise<Identified> =>
  Object.assign(await host.join(id), { id, ...(user !== undefined && { user }) });

/** Lets everybody in whose connection has a user. */
class UserGate implements RoomGate<FakeConnection, unknown> {
  readonly revoked: string[] = [];
  readonly ended = new Set<FakeConnection>();

  async admit(): Promise<void> {}
  async admitRequest(): Promise<void> {}
  mayWrite(): boolean {
    return true;
  }
  check(connection: FakeConnection): 'admitted' | 'unknown' | 'expired' {
    if (this.ended.has(connection)) return 'expired';
    return this.userIdOf(connection) === undefined ? 'unknown' : 'admitted';
  }
  userIdOf(connection: unknown): string | undefined {
    return (connection as { user?: string }).user;
  }
  async revoke(userId: string): Promise<void> {
    this.revoked.push(userId);
    return Promise.resolve();
  }
}

test('[ADMIN-2] who is evicted by an id is told forbidden and closed, and nobody else is', async () => {
  const host = new FakeRoomHost();
  await host.seed({ v: 1 });
  const ada = await join(host, 'ada');
  const twin = connect(host, 'ada');
  const bob = await join(host, 'bob');
  expect(administrationOf(host).size).toBe(3);
  expect(await administrationOf(host).evict('ada')).toBe(2);
  for (const evicted of [ada, twin]) {
    expect(evicted.closed).toMatchObject({ code: 4403 });
    expect(evicted.hear()).toMatchObject([{ type: 'error', code: 'forbidden' }]);
  }
  expect(bob.closed).toBeUndefined();
  expect(administrationOf(host).size).toBe(1);
  expect(await administrationOf(host).evict({ connection: 'ada' })).toBe(0);
  await ada.push(1, { v: 2 });
  expect(await host.content()).toEqual([{}, { v: 1 }]);
  expect(administrationOf(host).evictAll()).toBe(1);
  expect(bob.closed).toMatchObject({ code: 4403 });
});

test('[ADMIN-2] who was evicted has no say after a sleep either', async () => {
  const host = new FakeRoomHost();
  await host.seed({ v: 1 });
  const ada = await join(host, 'ada');
  await administrationOf(host).evict('ada');
  const [woken] = host.hibernate(ada);
  await woken?.push(1, { v: 2 });
  expect(await host.content()).toEqual([{}, { v: 1 }]);
  expect(woken?.frames).toEqual([]);
});

test('[ADMIN-2] evicting a user revokes it, and closes all its connections', async () => {
  const host = new FakeRoomHost();
  const gate = new UserGate();
  host.room.setGate(gate);
  const ada = [connect(host, '1', 'ada'), connect(host, '2', 'ada')];
  const bob = connect(host, '3', 'bob');
  expect((await administrationOf(host).stats()).connections).toEqual([
    { id: '1', user: 'ada' },
    { id: '2', user: 'ada' },
    { id: '3', user: 'bob' },
  ]);
  expect(await administrationOf(host).evict({ user: 'ada' })).toBe(2);
  expect(gate.revoked).toEqual(['ada']);
  for (const { closed } of ada) expect(closed).toMatchObject({ code: 4403 });
  expect(bob.closed).toBeUndefined();
  expect(await administrationOf(host).evict({ user: 'nobody' })).toBe(0);
  expect(gate.revoked).toEqual(['ada', 'nobody']);
});

test('a connection that is being verified is evicted too', async () => {
  const host = new FakeRoomHost();
  host.room.setGate(new UserGate());
  const stranger = connect(host, 'stranger');
  expect(administrationOf(host).size).toBe(0);
  expect(administrationOf(host).evictAll()).toBe(1);
  expect(stranger.closed).toMatchObject({ code: 4403 });
});

test('a room without users says so, and a target that is none is a TypeError', async () => {
  const administration = administrationOf(new FakeRoomHost());
  await expect(administration.evict({ user: 'ada' })).rejects.toMatchObject({ code: 'malformed' });
  for (const target of ['', {}, 5, null, { connection: 'a', user: 'b' }, { user: '' }, { user: 5 }])
    await expect(administration.evict(target as never)).rejects.toBeInstanceOf(TypeError);
});

test('the stats of a room: connections, version and sizes, and the age of the checkpoint', async () => {
  const host = new FakeRoomHost({ storageSizes: () => ({ smallestCheckpoint: 2_000 }) });
  expect(await administrationOf(host).stats()).toMatchObject({
    connections: [],
    hasStore: false,
    version: 0,
    checkpointBytes: 0,
    logBytes: 0,
  });
  await host.seed({ v: 1 });
  const ada = await join(host, 'ada');
  await host.pass(5_000);
  await ada.push(1, { v: 'x'.repeat(1_000) });
  const stats = await administrationOf(host).stats();
  expect(stats).toMatchObject({
    connections: [{ id: 'ada' }],
    hasStore: true,
    version: 2,
    checkpointAgeMilliseconds: 5_000,
  });
  expect(stats.logBytes).toBeGreaterThan(1_000);
  expect(stats.contentBytes).toBeGreaterThan(1_000);
  // The time is stored: a room that has slept knows it.
  host.hibernate();
  await host.pass(1_000);
  expect(await administrationOf(host).stats()).toMatchObject({ checkpointAgeMilliseconds: 6_000 });
});

test('[ADMIN-6] garbageCollect stores a checkpoint if there is anything to store', async () => {
  const storage = new StrictStorage();
  const host = new FakeRoomHost({}, storage);
  await administrationOf(host).garbageCollect();
  await host.seed({ v: 1 });
  const ada = await join(host, 'ada');
  await ada.push(1, { v: 2 });
  await host.pass(5_000);
  await administrationOf(host).garbageCollect();
  expect(await administrationOf(host).stats()).toMatchObject({ checkpointAgeMilliseconds: 0 });
  await host.pass(5_000);
  await administrationOf(host).garbageCollect();
  expect(await administrationOf(host).stats()).toMatchObject({ checkpointAgeMilliseconds: 5_000 });
  expect(host.errors).toEqual([]);
});

test('[ADMIN-6] garbageCollect closes clients that were silent and do not answer', async () => {
  const host = new FakeRoomHost();
  await host.seed({ v: 1 });
  const dead = await join(host, 'dead');
  const silent = await join(host, 'silent');
  const pinged = await join(host, 'pinged');
  const stock = connect(host, 'stock');
  await host.pass(70_000);
  const lively = await join(host, 'lively');
  pinged.pingedAt = host.time;
  await administrationOf(host).garbageCollect();
  const [mark] = silent.frames.splice(0);
  expect(mark).toMatch(/^k/);
  expect([lively, pinged, stock].flatMap(({ frames }) => frames)).toEqual([]);
  await host.pass(9_000);
  await silent.say(mark);
  await host.pass(1_000);
  expect(dead.closed).toMatchObject({ code: 4409 });
  for (const { closed } of [silent, pinged, lively, stock]) expect(closed).toBeUndefined();
});

test.each([
  ['before it asks', 0],
  ['while it waits for answers', -3_600_000],
])(
  '[ADMIN-6] a clock that is set back %s keeps nobody who is silent, and drops nobody who answers',
  async (_when, later) => {
    const host = new FakeRoomHost();
    await host.seed({ v: 1 });
    if (later === 0) host.clockSkew = 3_600_000;
    const dead = await join(host, 'dead');
    const lively = await join(host, 'lively');
    dead.pingedAt = host.now();
    if (later === 0) host.clockSkew = 0;
    else await host.pass(70_000);
    await administrationOf(host).garbageCollect();
    const [mark] = lively.frames.splice(0);
    expect(mark).toMatch(/^k/);
    host.clockSkew = later;
    await host.pass(9_000);
    await lively.say(mark);
    await host.pass(1_000);
    expect(dead.closed).toMatchObject({ code: 4409 });
    expect(lively.closed).toBeUndefined();
  },
);

test('[ADMIN-6] garbageCollect closes connections whose grant has ended', async () => {
  const host = new FakeRoomHost();
  const gate = new UserGate();
  host.room.setGate(gate);
  const ada = connect(host, '1', 'ada');
  const bob = connect(host, '2', 'bob');
  gate.ended.add(ada);
  await administrationOf(host).garbageCollect();
  expect(ada.closed).toMatchObject({ code: 4419 });
  expect(bob.closed).toBeUndefined();
});

test('[ADMIN-6] a client that slept through the room is asked, and a feature looks too', async () => {
  const host = new FakeRoomHost();
  let looked = 0;
  const addFeature = (): void => {
    host.room.addFeature({ garbageCollect: () => (looked += 1) });
  };
  await host.seed({ v: 1 });
  const ada = await join(host, 'ada');
  const [woken] = host.hibernate(ada);
  addFeature();
  await host.room.start();
  await administrationOf(host).garbageCollect();
  expect(looked).toBe(1);
  expect(woken?.frames).toEqual([expect.stringMatching(/^k/)]);
  await host.pass(10_000);
  expect(woken?.closed).toMatchObject({ code: 4409 });
});
