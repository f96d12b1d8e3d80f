import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { WebSocket } from 'ws';
import { Clients } from '../support/clients.ts';
import { leavesOf, untilEqual } from '../support/content.ts';
import { PATIENCE_MILLISECONDS, promise, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';
import { startProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';

const patience = { deadlineMilliseconds: PATIENCE_MILLISECONDS };

let party: Party;
const clients = new Clients();

beforeAll(async () => {
  party = await startTestedParty();
});
afterEach(() => clients.closeAll());
afterAll(() => party?.stop());

promise(
  '[ORDER-1] two clients that set the same cell in the same tick end equal, in each of 200 rounds',
  /Stores differ/,
  async () => {
    const here = { host: party.host, room: 'same-tick' };
    const [a, b] = [await clients.open({ ...here, seed: [{}, {}] }), await clients.open(here)];
    for (let round = 0; round < 200; round++) {
      a.store.setCell('rounds', `${round}`, 'winner', 'a');
      b.store.setCell('rounds', `${round}`, 'winner', 'b');
      a.store.setCell('rounds', 'all', 'winner', `a${round}`);
      b.store.setCell('rounds', 'all', 'winner', `b${round}`);
      await wait(1);
    }
    const content = await untilEqual([a.store, b.store], party.room('same-tick', '/store'));
    expect(content.size).toBe(201);
  },
);

promise(
  '[JOIN-1] clients that join while another writes miss no row',
  /Stores differ/,
  async () => {
    const here = { host: party.host, room: 'newcomers' };
    const writer = await clients.open({ ...here, seed: [{}, {}] });
    let row = 0;
    const writing = setInterval(() => {
      writer.store.setRow('rows', `${row}`, { row });
      row++;
    }, 5);
    try {
      const newcomers = await Promise.all(
        Array.from({ length: 12 }, async (_item, index) => {
          await wait(index * 20);
          return clients.open(here);
        }),
      );
      await wait(100);
      clearInterval(writing);
      const content = await untilEqual(
        [writer.store, ...newcomers.map(({ store }) => store)],
        party.room('newcomers', '/store'),
      );
      expect(content.size).toBe(row);
    } finally {
      clearInterval(writing);
    }
  },
);

promise(
  '[VIEW-8] what is edited while the persister starts is sent',
  /early edits to arrive/,
  async () => {
    const here = { host: party.host, room: 'early' };
    const witness = await clients.open({ ...here, seed: [{ pets: { fido: { legs: 4 } } }, {}] });
    for (let round = 0; round < 10; round++) {
      const early = clients.create(here);
      const starting = early.persister.startAutoPersisting();
      early.store.setCell('early', `${round}`, 'first', true);
      await wait(round);
      early.store.setCell('early', `${round}`, 'second', true);
      await starting;
    }
    await until(
      'early edits to arrive',
      () =>
        witness.store.getRowIds('early').length === 10 &&
        witness.store
          .getRowIds('early')
          .every((row) => witness.store.hasCell('early', row, 'second')),
      patience,
    );
    for (const row of witness.store.getRowIds('early')) {
      expect(witness.store.getRow('early', row)).toEqual({ first: true, second: true });
    }
  },
);

for (const crowd of [2, 5]) {
  promise(
    `[SEED-1] of ${crowd} clients that initialise a room at once one wins, and all are equal`,
    /Stores differ/,
    async () => {
      const rooms = Array.from({ length: 20 / crowd }, (_item, index) => `first-${crowd}-${index}`);
      await Promise.all(
        rooms.map(async (room) => {
          const people = Array.from({ length: crowd }, (_item, index) => `person ${index}`);
          const joined = await Promise.all(
            people.map((person) =>
              clients.open({
                host: party.host,
                room,
                seed: [{ people: { [person]: { person } } }, { first: person }],
              }),
            ),
          );
          const content = await untilEqual(
            joined.map(({ store }) => store),
            party.room(room, '/store'),
          );
          const first = JSON.parse(content.get('["first"]') ?? '') as string;
          expect(content).toEqual(
            leavesOf([{ people: { [first]: { person: first } } }, { first }]),
          );
        }),
      );
    },
  );
}

promise(
  'two sockets with one id both get every change, also when one of them has closed',
  /both to have heard/,
  async () => {
    const here = { host: party.host, room: 'same-id' };
    const other = await clients.open({ ...here, seed: [{}, {}] });
    const one = await clients.open({ ...here, id: 'same' });
    const two = await clients.open({ ...here, id: 'same' });

    other.store.setValue('from other', 1);
    one.store.setValue('from one', 1);
    two.store.setValue('from two', 1);
    await until(
      'both to have heard',
      () => [one, two].every(({ store }) => store.getValueIds().length === 3),
      patience,
    );

    await one.close();
    other.store.setValue('after', 1);
    await until('the one left to have heard', () => two.store.getValue('after') === 1, patience);
    two.store.setValue('still', 1);
    await untilEqual([other.store, two.store], party.room('same-id', '/store'));
  },
);

promise(
  'a socket that is closing, closed or gone keeps no change from the others',
  /Stores differ/,
  async () => {
    const here = { host: party.host, room: 'closing' };
    const writer = await clients.open({ ...here, seed: [{}, {}] });
    const leavers = ['close', 'terminate', 'kick'].map(
      (way) => [way, new WebSocket(`ws://${party.host}/parties/main/closing?_pk=${way}`)] as const,
    );
    await Promise.all(leavers.map(([, leaver]) => once(leaver, 'open')));
    const last = await clients.open(here);
    for (const [way, leaver] of leavers) {
      if (way === 'close') {
        leaver.close();
      } else if (way === 'terminate') {
        leaver.terminate();
      } else {
        // It does not answer, so that the socket stays half closed at the room.
        leaver.pause();
        await fetch(party.room('closing', `/kick?id=${way}`));
      }
      for (let edit = 0; edit < 10; edit++) {
        writer.store.setCell('left', way, `${edit}`, edit);
        await wait(2);
      }
    }
    await untilEqual([writer.store, last.store], party.room('closing', '/store'));
    for (const [, leaver] of leavers) {
      leaver.terminate();
    }
  },
);

promise('[SEED-3] a join uploads nothing', /PUT/, async () => {
  // Random, so that compression does not hide what is transferred.
  const rows = Object.fromEntries(
    Array.from({ length: 2000 }, (_item, index) => [
      `${index}`,
      { text: randomBytes(100).toString('base64') },
    ]),
  );
  const first = await clients.open({ host: party.host, room: 'join', seed: [{ rows }, {}] });
  const proxy = await startProxy(party.port);
  try {
    const joiner = await clients.open({
      host: proxy.host,
      room: 'join',
      seed: [{ rows: { unwanted: { text: 'unwanted' } } }, {}],
      prepare: (store) => {
        store.setTables({ rows });
      },
    });
    await untilEqual([first.store, joiner.store]);
    await joiner.confirmed();
    expect(proxy.bytesDown()).toBeGreaterThan(200_000);
    expect(proxy.methods()).not.toContain('PUT');
    expect(proxy.bytesUp()).toBeLessThan(4096);

    // Nor does a reconnect, which costs what changed, not what exists.
    joiner.cut();
    first.store.setCell('rows', '0', 'text', 'changed');
    await first.confirmed();
    proxy.reset();
    joiner.heal();
    await untilEqual([first.store, joiner.store]);
    expect(proxy.bytesUp()).toBeLessThan(4096);
    expect(proxy.bytesDown()).toBeLessThan(4096);
  } finally {
    await clients.closeAll();
    await proxy.close();
  }
});
