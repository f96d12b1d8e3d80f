import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PartySocket } from 'partysocket';
import { type Content, createStore, type Store } from 'tinybase';
import { createPartyKitPersister as createStockPersister } from 'tinybase/persisters/persister-partykit-client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Clients } from '../support/clients.ts';
import { fetchLeaves, leavesOf, storeOf, untilEqual } from '../support/content.ts';
import { HOST, PAIR, startTestedParty } from '../support/pair.ts';
import { type Party, startParty } from '../support/party.ts';

let party: Party;
const clients = new Clients();
const stockEnds: (() => Promise<void>)[] = [];

beforeAll(async () => {
  party = await startTestedParty();
});
afterEach(async () => {
  await clients.closeAll();
  await Promise.all(stockEnds.splice(0).map((end) => end()));
});
afterAll(() => party?.stop());

/** A client of TinyBase's own, that has loaded and is connected. `onSocket` gets its socket, and a function that loads again. */
const openStock = async (
  roomId: string,
  seed: Content,
  partyName = 'main',
  onSocket?: (socket: PartySocket, load: () => void) => void,
): Promise<Store> => {
  const store = createStore();
  const socket = new PartySocket({ host: party.host, party: partyName, room: roomId, WebSocket });
  const opened = new Promise((resolve) => {
    socket.addEventListener('open', resolve, { once: true });
  });
  const persister = createStockPersister(store, socket, 'http');
  await persister.startAutoLoad(seed);
  await persister.startAutoSave();
  await opened;
  onSocket?.(socket, () => void persister.load());
  stockEnds.push(async () => {
    await persister.destroy();
    socket.close();
  });
  return store;
};

const ours = test.skipIf(PAIR === 'stock');
const oursOnPartyKit = test.skipIf(PAIR === 'stock' || HOST !== 'partykit');

ours('[STOCK-1] stock clients and ours edit one room together', async () => {
  const room = 'mixed';
  const url = party.room(room, '/store');
  const stock = await openStock(room, [{ t: { r: { seed: 'stock' } } }, {}]);
  const client = await clients.open({ host: party.host, room, seed: [{}, { unwanted: 1 }] });
  const second = await openStock(room, [{}, { unwanted: 1 }]);
  await untilEqual(
    [storeOf([{ t: { r: { seed: 'stock' } } }, {}]), stock, client.store, second],
    url,
  );
  for (let round = 0; round < 20; round++) {
    for (const [name, store] of Object.entries({ stock, ours: client.store, second })) {
      store.setCell('t', `${name} ${round}`, 'c', { round });
      store.setValue(name, round);
    }
  }
  await client.confirmed();
  await untilEqual([stock, client.store, second], url);
  stock.delRow('t', 'ours 0');
  client.store.delTable('t');
  second.delValue('ours');
  await untilEqual([storeOf([{}, { stock: 19, second: 19 }]), stock, client.store, second], url);
});

ours(
  '[FLOOD-7] a stock client that only reads is closed now and then; if it loads when its socket opens, it lacks nothing',
  async () => {
    const room = 'mixed-large';
    const closes: number[] = [];
    const stock = await openStock(room, [{ t: { gone: { c: 1 } } }, {}], 'main', (socket, load) => {
      socket.addEventListener('close', ({ code }) => closes.push(code));
      socket.addEventListener('open', load);
    });
    const client = await clients.open({ host: party.host, room });
    for (let round = 0; round < 30; round++) {
      client.store.setCell('t', `r${round}`, 'c', `${round}`.padEnd(200_000, 'x'));
      if (round === 25) client.store.delRow('t', 'gone');
      await client.confirmed();
    }
    client.store.setCell('t', 'last', 'c', 1);
    await untilEqual([stock, client.store], party.room(room, '/store'));
    expect(closes.length).toBeGreaterThan(0);
  },
);

ours('[STOCK-2] a stock client that is refused something gets what the room holds', async () => {
  const room = 'mixed-refused';
  const seed: Content = [{ t: { noDelRow: { c: 1 }, r: { noDelCell: 1 } } }, { noDelValue: 1 }];
  const stock = await openStock(room, seed, 'refusing');
  const client = await clients.open({ host: party.host, party: 'refusing', room });
  stock.setCell('t', 'r', 'noSetCell', 1);
  stock.setCell('noSetTable', 'r', 'c', 1);
  stock.setValue('noSetValue', 1);
  stock.delRow('t', 'noDelRow');
  stock.delCell('t', 'r', 'noDelCell');
  stock.delValue('noDelValue');
  stock.setValue('last', 1);
  await untilEqual(
    [storeOf([seed[0], { noDelValue: 1, last: 1 }]), client.store, stock],
    `${party.origin}/parties/refusing/${room}/store`,
  );
});

ours(
  '[STOCK-3] a stock client that waits in a room without a Store gets the first one',
  async () => {
    const room = 'mixed-first';
    const store = createStore();
    const socket = new PartySocket({ host: party.host, room, WebSocket });
    const persister = createStockPersister(store, socket, 'http');
    stockEnds.push(async () => {
      await persister.destroy();
      socket.close();
    });
    const opened = new Promise((resolve) => {
      socket.addEventListener('open', resolve, { once: true });
    });
    await persister.startAutoLoad();
    await opened;
    const client = await clients.open({
      host: party.host,
      room,
      seed: [{ t: { r: { c: [1] } } }, { v: 1 }],
    });
    await untilEqual([client.store, store], party.room(room, '/store'));
  },
);

oursOnPartyKit(
  'a room that the stock server wrote is taken over whole, and then kept',
  async () => {
    const persistPath = mkdtempSync(join(tmpdir(), 'stock-room-'));
    const content: Content = [
      { 'a,"b"': { row: { c: 1 } }, t: { r: { object: { list: [1, null] }, text: 'x' } } },
      { v: false, hasStore: 'mine', '': 0 },
    ];
    try {
      const stockParty = await startParty({ entry: 'test/room/fixtures/stock.ts', persistPath });
      await fetch(stockParty.room('old', '/store'), {
        method: 'PUT',
        body: storeOf(content).getJson(),
      });
      const before = await fetchLeaves(stockParty.room('old', '/store'));
      expect(before).toEqual(leavesOf(storeOf(content).getContent()));
      await stockParty.stop();

      const ourParty = await startTestedParty({ persistPath });
      try {
        const url = ourParty.room('old', '/store');
        expect(await fetchLeaves(url)).toEqual(before);
        const client = await clients.open({
          host: ourParty.host,
          room: 'old',
          seed: [{}, { unwanted: 1 }],
        });
        client.store.setCell('t', 'r', 'text', 'y');
        client.store.delValue('v');
        await client.confirmed();
        const after = await untilEqual([client.store], url);
        await ourParty.restart();
        expect(await fetchLeaves(url)).toEqual(after);
        expect(after.has('["unwanted"]')).toBe(false);
        expect(after.has('["v"]')).toBe(false);
        expect(after.size).toBe(leavesOf(storeOf(content).getContent()).size - 1);
      } finally {
        await clients.closeAll();
        await ourParty.stop();
      }
    } finally {
      rmSync(persistPath, { recursive: true, force: true });
    }
  },
);
