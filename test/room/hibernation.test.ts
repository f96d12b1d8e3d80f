import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { Clients } from '../support/clients.ts';
import { untilEqual } from '../support/content.ts';
import { promise, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';

/** workerd evicts a room whose sockets can hibernate once nothing has happened in it for 10 s. */
const IDLE_MILLISECONDS = 11_500;

let party: Party;
const clients = new Clients();

beforeAll(async () => {
  party = await startTestedParty();
});
afterEach(() => clients.closeAll());
afterAll(() => party?.stop());

promise(
  '[DURABLE-5] a room woken from hibernation goes on with the sockets it had',
  /a room that sleeps/,
  async () => {
    const here = { host: party.host, room: 'sleeping' };
    const url = party.room(here.room, '/store');
    const life = async (): Promise<string> => (await fetch(party.room(here.room, '/life'))).text();
    const one = await clients.open({ ...here, seed: [{}, { v: 1 }] });
    const two = await clients.open(here);
    one.store.setValue('v', 2);
    await one.confirmed();
    let closes = 0;
    for (const { socket } of [one, two]) {
      socket.addEventListener('close', () => {
        closes++;
      });
    }
    const before = await life();

    await wait(IDLE_MILLISECONDS);
    // An edit is what wakes it, so that nothing has prepared the room for it.
    two.store.setValue('v', 3);
    one.store.setCell('t', 'r', 'c', 1);
    await Promise.all([one.confirmed(), two.confirmed()]);
    await untilEqual([one.store, two.store], url);
    expect(await life(), 'a room that sleeps loses its memory').not.toBe(before);
    expect(closes).toBe(0);
    expect(one.store.getContent()).toEqual([{ t: { r: { c: 1 } } }, { v: 3 }]);
  },
);
