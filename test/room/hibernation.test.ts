import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Client, Clients } from '../support/clients.ts';
import { storeOf, untilEqual } from '../support/content.ts';
import { promise, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';

/** workerd evicts a room whose sockets can hibernate once nothing has happened in it for 10 s. */
const IDLE_MILLISECONDS = 11_500;

const ROOMS = ['edit', 'get', 'join', 'server', 'cut'] as const;
type RoomName = (typeof ROOMS)[number];

/** A room that sleeps, with two clients that are connected. */
interface SleepingRoom {
  readonly one: Client;
  readonly two: Client;
  readonly url: string;
  /** Names the life of the room's memory; asking wakes it. */
  readonly life: () => Promise<string>;
  readonly lifeBefore: string;
  closes: number;
}

let party: Party;
const clients = new Clients();
const sleeping = new Map<RoomName, SleepingRoom>();

const prepare = async (room: RoomName): Promise<SleepingRoom> => {
  const here = { host: party.host, room };
  const life = async (): Promise<string> => (await fetch(party.room(room, '/life'))).text();
  const one = await clients.open({ ...here, seed: [{}, { v: 1 }] });
  const two = await clients.open(here);
  one.store.setValue('v', 2);
  two.store.setCell('t', 'r', 'before', true);
  const url = party.room(room, '/store');
  await Promise.all([one.confirmed(), two.confirmed()]);
  await untilEqual([one.store, two.store], url);
  const prepared = { one, two, url, life, lifeBefore: await life(), closes: 0 };
  for (const { socket } of [one, two]) {
    socket.addEventListener('close', () => {
      prepared.closes++;
    });
  }
  return prepared;
};

beforeAll(async () => {
  party = await startTestedParty();
  await Promise.all(ROOMS.map(async (room) => sleeping.set(room, await prepare(room))));
  await wait(IDLE_MILLISECONDS);
});
afterAll(async () => {
  await clients.closeAll();
  await party?.stop();
});

/** Wakes a room, and proves that it had slept and that it goes on as if it had not. */
const prove = (name: RoomName, title: string, wake: (room: SleepingRoom) => unknown): void => {
  promise(`[DURABLE-5] a hibernated room goes on where it was: ${title}`, /slept/, async () => {
    const room = sleeping.get(name);
    if (room === undefined) {
      throw new Error(`No room ${name} was prepared.`);
    }
    const { one, two, url, life, lifeBefore } = room;
    await wake(room);
    expect(await life(), 'a room that slept has lost its memory').not.toBe(lifeBefore);
    two.store.setValue('v', 3);
    one.store.setCell('t', 'r', 'after', true);
    await Promise.all([one.confirmed(), two.confirmed()]);
    const expected = storeOf([{ t: { r: { before: true, after: true } } }, { v: 3 }]);
    // What woke it may have left these.
    one.store.delValue('woken');
    one.store.delTable('server');
    one.store.delValue('server');
    await untilEqual([expected, one.store, two.store], url);
    if (name !== 'cut') {
      expect(room.closes).toBe(0);
    }
  });
};

prove('edit', 'woken by an edit', async ({ one }) => {
  one.store.setValue('woken', true);
  await one.confirmed();
});
prove('get', 'woken by a request', ({ url }) => fetch(url));
prove('join', 'woken by a newcomer', async ({ one, two, url }) => {
  const three = await clients.open({ host: party.host, room: 'join' });
  three.store.setValue('woken', true);
  await three.confirmed();
  await untilEqual([one.store, two.store, three.store], url);
  await three.close();
});
prove('server', 'woken by the server itself', () =>
  fetch(party.room('server', '/server-edit?text=woken'), { method: 'POST' }),
);
prove('cut', 'woken by a socket that closes, and comes back', async ({ one, two }) => {
  one.cut();
  two.store.setValue('woken', true);
  one.store.setValue('woken', false);
  one.heal();
  await one.confirmed();
});
