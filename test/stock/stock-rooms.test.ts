import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { Clients, type Client, type ClientOptions } from '../support/clients.ts';
import { storeOf, untilEqual } from '../support/content.ts';
import { type Party, startParty } from '../support/party.ts';
import { until } from '../support/until.ts';
import { STOCK_VERSIONS, StockClients } from './stock-versions.ts';

let party: Party;
const clients = new Clients();
const stockClients = new StockClients();

beforeAll(async () => {
  party = await startParty({
    entry: 'test/room/fixtures/plain.ts',
    config: 'test/stock/fixtures/partykit.json',
  });
});
afterEach(async () => {
  await Promise.all([clients.closeAll(), stockClients.closeAll()]);
});
afterAll(() => party?.stop());

/** A client of ours that has got as far as it gets on a stock room. */
const openReduced = async (options: ClientOptions): Promise<Client> => {
  const client = clients.create(options);
  await client.persister.startAutoPersisting(options.seed);
  await untilReduced(client);
  return client;
};

const untilReduced = ({ persister }: Client): Promise<unknown> =>
  until('a client to be on a stock room', () => persister.getSync().phase === 'reduced');

describe.each(STOCK_VERSIONS)('on a room of TinyBase %s', (version) => {
  const partyName = `stock${version}`;
  const where = (room: string): { host: string; party: string; room: string } => ({
    host: party.host,
    party: partyName,
    room,
  });
  const urlOf = (room: string): string => `${party.origin}/parties/${partyName}/${room}/store`;

  test('[STOCK-4] our clients and stock ones share it, and say that guarantees are reduced', async () => {
    const ours = await openReduced({ ...where('shared'), seed: [{ t: { r: { c: 1 } } }, {}] });
    const stock = await stockClients.open(version, where('shared'), [{}, { unwanted: 1 }]);
    const second = await openReduced({ ...where('shared'), seed: [{}, { unwanted: 1 }] });
    const stores = [ours.store, stock.store, second.store];
    for (const [index, store] of stores.entries()) {
      store.setCell('t', `${index}`, 'c', index).setValue(`v${index}`, true);
      await untilEqual(stores, urlOf('shared'));
    }
    stock.store.delCell('t', 'r', 'c');
    ours.store.delRow('t', '1');
    second.store.delValue('v0');
    const leaves = await untilEqual(stores, urlOf('shared'));
    expect([...leaves.keys()]).toEqual(['["t","0","c"]', '["t","2","c"]', '["v1"]', '["v2"]']);
    expect(ours.persister.getSync()).toEqual({ phase: 'reduced', unsaved: 0, localOnly: 0 });
    expect(ours.ignoredErrors).toMatchObject([{ code: 'protocol' }]);
  });

  test('what is edited and missed while away is there on coming back', async () => {
    const ours = await openReduced({ ...where('away'), seed: [{}, { first: 1 }] });
    const stock = await stockClients.open(version, where('away'));
    ours.cut();
    await until('the client to be away', () => ours.persister.getSync().phase === 'connecting');
    ours.store.setValue('offline', 1);
    stock.store.setValue('missed', 1).delValue('first');
    await until('the room to have it', async () =>
      (await (await fetch(urlOf('away'))).text()).includes('missed'),
    );
    ours.heal();
    await untilEqual(
      [storeOf([{}, { missed: 1, offline: 1 }]), ours.store, stock.store],
      urlOf('away'),
    );
  });

  test('two of ours that initialise it at once end with the same', async () => {
    const racing = [1, 2, 3].map((value) =>
      openReduced({ ...where('raced'), seed: [{}, { [`v${value}`]: value }] }),
    );
    await untilEqual(
      (await Promise.all(racing)).map(({ store }) => store),
      urlOf('raced'),
    );
  });

  test('newcomers miss nothing of what others write meanwhile', async () => {
    const writer = await openReduced({ ...where('busy'), seed: [{}, { v: 0 }] });
    // All of them wait for an answer to hello while the last ones request the content.
    const opening: Promise<Client>[] = [];
    for (let count = 0; count < 10; count++) {
      opening.push(openReduced(where('busy')));
      for (let row = 0; row < 20; row++) {
        writer.store.setCell('t', `${count} ${row}`, 'c', row);
        await delay(row % 5);
      }
    }
    const newcomers = await Promise.all(opening);
    const stores = [writer, ...newcomers].map(({ store }) => store);
    const leaves = await untilEqual(stores, urlOf('busy'));
    expect(leaves.size).toBe(201);
  });
});

test('[STOCK-4] a room whose server becomes ours is one of ours, and one that goes back is a stock one', async () => {
  const config = 'test/room/fixtures/partykit-rooms.json';
  const stock = await startParty({ config, entry: 'test/stock/fixtures/stock-10.mjs' });
  const { port, persistPath } = stock;
  const url = stock.room('moving', '/store');
  const client = await openReduced({
    host: stock.host,
    room: 'moving',
    seed: [{ t: { r: { c: 1 } } }, {}],
  });
  client.store.setCell('t', 'r', 'c', { on: 'stock' });
  await untilEqual([client.store], url);

  await stock.kill9();
  client.store.setValue('between', 1);
  const ours = await startParty({
    config,
    port,
    persistPath,
    entry: 'test/room/fixtures/plain.ts',
  });
  await until('the client to be live', () => client.persister.getSync().phase === 'live');
  await client.confirmed();
  client.store.setValue('ours', 1).delTable('t');
  await client.confirmed();
  expect((await untilEqual([client.store], url)).size).toBe(2);

  await client.close();
  await ours.kill9();
  const back = await startParty({
    config,
    port,
    persistPath,
    entry: 'test/stock/fixtures/leaving.ts',
  });
  const later = await openReduced({ host: stock.host, room: 'moving' });
  await untilEqual([later.store, storeOf([{}, { between: 1, ours: 1 }])], url);
  later.store.setValue('after', 1);
  await untilEqual([later.store], url);
  await back.stop();
  await stock.stop();
});
