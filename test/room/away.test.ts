import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type Client, Clients } from '../support/clients.ts';
import { untilEqual } from '../support/content.ts';
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

const openTwo = async (room: string): Promise<readonly [Client, Client]> => {
  const here = { host: party.host, room };
  const one = await clients.open({
    ...here,
    seed: [
      {
        pets: { fido: { species: 'dog', legs: 4 }, felix: { species: 'cat' } },
        toys: { ball: { color: 'red' } },
      },
      { open: true, name: 'shop' },
    ],
  });
  return [one, await clients.open(here)];
};

promise('[JOIN-2] who was away learns what was set and deleted', /Stores differ/, async () => {
  const [stayed, left] = await openTwo('away');
  left.cut();
  stayed.store.setCell('pets', 'fido', 'legs', 3);
  stayed.store.delCell('pets', 'fido', 'species');
  stayed.store.setRow('pets', 'rex', { species: 'dinosaur' });
  stayed.store.delRow('pets', 'felix');
  stayed.store.delTable('toys');
  stayed.store.setValue('name', 'zoo');
  stayed.store.delValue('open');
  await stayed.confirmed();
  left.heal();
  await untilEqual([stayed.store, left.store], party.room('away', '/store'));
  expect(left.store.getContent()).toEqual([
    { pets: { fido: { legs: 3 }, rex: { species: 'dinosaur' } } },
    { name: 'zoo' },
  ]);
});

promise(
  '[VIEW-1] what was edited offline arrives, beside what others did meanwhile',
  /Stores differ/,
  async () => {
    const [stayed, left] = await openTwo('offline');
    left.cut();
    stayed.store.setRow('pets', 'rex', { species: 'dinosaur' });
    stayed.store.delValue('open');
    left.store.setRow('pets', 'polly', { species: 'parrot' });
    left.store.setCell('pets', 'polly', 'species', 'macaw');
    left.store.delRow('pets', 'felix');
    left.store.setValue('name', 'zoo');
    await stayed.confirmed();
    left.heal();
    await left.confirmed();
    await untilEqual([stayed.store, left.store], party.room('offline', '/store'));
    expect(stayed.store.getContent()).toEqual([
      {
        pets: {
          fido: { species: 'dog', legs: 4 },
          rex: { species: 'dinosaur' },
          polly: { species: 'macaw' },
        },
        toys: { ball: { color: 'red' } },
      },
      { name: 'zoo' },
    ]);
  },
);

promise(
  '[ONCE-2] an edit whose ack was lost is not applied again over what others made of it',
  /Stores differ/,
  async () => {
    const here = { host: party.host, room: 'lost-ack' };
    const proxy = await startProxy(party.port);
    try {
      const stayed = await clients.open({ ...here, seed: [{}, { name: 'shop' }] });
      const left = await clients.open({ ...here, host: proxy.host });
      for (let round = 0; round < 5; round++) {
        proxy.muteDown();
        left.store.setValue('name', `old ${round}`);
        await until(
          'the edit to arrive',
          () => stayed.store.getValue('name') === `old ${round}`,
          patience,
        );
        stayed.store.setValue('name', `new ${round}`);
        await stayed.confirmed();
        left.cut();
        proxy.cut();
        left.store.setValue('other', round);
        left.heal();
        await left.confirmed();
        const content = await untilEqual(
          [stayed.store, left.store],
          party.room('lost-ack', '/store'),
        );
        expect(Object.fromEntries(content)).toEqual({
          '["name"]': `"new ${round}"`,
          '["other"]': `${round}`,
        });
      }
    } finally {
      await clients.closeAll();
      await proxy.close();
    }
  },
);

promise(
  '[ORDER-1] an offline edit takes its place in the order when it arrives',
  undefined,
  async () => {
    const [stayed, left] = await openTwo('order');
    left.cut();
    left.store.setValue('name', 'from the one who left');
    stayed.store.setValue('name', 'from the one who stayed');
    await stayed.confirmed();
    left.heal();
    await left.confirmed();
    await untilEqual([stayed.store, left.store], party.room('order', '/store'));
    expect(stayed.store.getValue('name')).toBe('from the one who left');
  },
);
