import { setTimeout as wait } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type Client, Clients } from '../support/clients.ts';
import { leavesOf, untilEqual } from '../support/content.ts';
import { promise, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';

let party: Party;
const clients = new Clients();

beforeAll(async () => {
  party = await startTestedParty();
});
afterEach(() => clients.closeAll());
afterAll(() => party?.stop());

/** A client in a room that has one Value, its own name, and one that stays there. */
const openTwo = async (room: string): Promise<readonly [Client, Client]> => {
  const here = { host: party.host, room };
  const mover = await clients.open({ ...here, seed: [{}, { [room]: true }] });
  return [mover, await clients.open(here)];
};

promise(
  '[JOIN-12] a client that moves to another room takes nothing there, and is told of what it had not sent',
  /Stores differ/,
  async () => {
    const [mover, inRed] = await openTwo('red');
    const [, inBlue] = await openTwo('blue');
    mover.store.setValue('sent', 1);
    await mover.confirmed();
    mover.cut();
    mover.store.setValue('unsent', 1);
    mover.socket.updateProperties({ room: 'blue' });
    mover.heal();
    const blue = await untilEqual([mover.store, inBlue.store], party.room('blue', '/store'));
    expect(blue).toEqual(leavesOf([{}, { blue: true }]));
    expect(mover.refusals).toMatchObject([{ valueId: 'unsent', reason: 'another-room' }]);
    mover.store.setValue('later', 1);
    await mover.confirmed();
    await untilEqual([mover.store, inBlue.store], party.room('blue', '/store'));
    mover.socket.updateProperties({ room: 'red' });
    mover.heal();
    const red = await untilEqual([mover.store, inRed.store], party.room('red', '/store'));
    expect(red).toEqual(leavesOf([{}, { red: true, sent: 1 }]));
  },
);

promise(
  '[JOIN-12] [SEED-2] a room without a Store is not given what a Store held for the room before',
  /Stores differ/,
  async () => {
    for (const moves of [0, 1, 2, 3]) {
      const [before, after] = [`left-${moves}`, `green-${moves}`];
      const mover = clients.create({
        host: party.host,
        room: before,
        prepare: (store) => store.setValue('mine', 1),
      });
      void mover.persister.startAutoPersisting();
      await wait(moves * 15);
      mover.socket.updateProperties({ room: after });
      mover.heal();
      const witness = await clients.open({ host: party.host, room: after, seed: [{}, {}] });
      witness.store.setValue('theirs', 1);
      const stores = [mover.store, witness.store];
      const content = await untilEqual(stores, party.room(after, '/store'));
      expect(content).toEqual(leavesOf([{}, { theirs: 1 }]));
    }
  },
);
