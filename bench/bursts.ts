/** `npm run bench -- bursts [--only ours,stock]`: many transactions in a loop, by real clients of one `partykit dev`. */
import { parseArgs } from 'node:util';

import { PartySocket } from 'partysocket';
import { createPartyKitPersister as createStockPersister } from 'tinybase/persisters/persister-partykit-client';
import { createStore, type Store } from 'tinybase/store';
import { WebSocket } from 'ws';

import { createPartyKitPersister } from '../src/client/index.ts';
import { startParty, type Party } from '../test/support/party.ts';
import { assert, measure, report, timed, type Contender } from './support/measure.ts';
import { RoomSocket } from './support/room-socket.ts';

const ROUNDS = 4;
const PATIENCE_MILLISECONDS = 60_000;

const { values } = parseArgs({
  options: { only: { type: 'string', default: 'durable,stock,ours' } },
});

interface Client {
  readonly store: Store;
  readonly close: () => Promise<void>;
}

async function openClient(party: Party, pair: string, room: string): Promise<Client> {
  const store = createStore();
  const socket = new PartySocket({
    host: party.host,
    party: pair === 'ours' ? 'main' : 'stock',
    room,
    WebSocket,
  });
  const fail = (error: unknown): void => {
    throw error;
  };
  const persister =
    pair === 'ours'
      ? createPartyKitPersister(store, socket, {}, fail)
      : createStockPersister(store, socket, { storeProtocol: 'http' }, fail);
  await new Promise((resolve) => {
    if (socket.readyState === WebSocket.OPEN) resolve(undefined);
    else socket.addEventListener('open', resolve, { once: true });
  });
  await persister.startAutoPersisting([{}, { ready: true }]);
  await until(store, (): boolean => store.getValue('ready') === true);
  return {
    store,
    close: async () => {
      await persister.destroy();
      socket.close();
    },
  };
}

/** Resolves when the Store is as it should be. */
function until(store: Store, isDone: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    if (isDone()) {
      resolve();
      return;
    }
    const timer = setTimeout(
      () => reject(new Error('The Stores were never equal.')),
      PATIENCE_MILLISECONDS,
    );
    const id = store.addDidFinishTransactionListener(() => {
      if (!isDone()) return;
      clearTimeout(timer);
      store.delListener(id);
      resolve();
    });
  });
}

/** So many transactions, shared by so many writers, until another client shows all of them. */
function burst(party: Party, pair: string, writers: number, edits: number): Contender {
  const room = `burst-${Math.random()}`;
  let clients: Client[] | undefined;
  let round = 0;
  return {
    name: pair,
    run: async () => {
      clients ??= await openAll(party, pair, room, writers + 1);
      const [reader, ...authors] = clients;
      assert(reader !== undefined, 'there is no reader');
      round += 1;
      const isDone = (): boolean =>
        authors.every((_author, at) => reader.store.getCell('t', `w${at}`, 'last') === round);
      const share = edits / writers;
      return await timed(async () => {
        const whenDone = until(reader.store, isDone);
        for (let index = 0; index < share; index += 1)
          for (const [at, { store }] of authors.entries())
            store.setCell(
              't',
              `w${at}`,
              index === share - 1 ? 'last' : `c${index % 50}`,
              index === share - 1 ? round : round * share + index,
            );
        await whenDone;
      });
    },
  };
}

async function openAll(party: Party, pair: string, room: string, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  for (let index = 0; index < count; index += 1) clients.push(await openClient(party, pair, room));
  return clients;
}

/** The floor: as many messages as there are edits, each on disk before it goes out. */
function durable(party: Party, edits: number): Contender {
  let sockets: readonly [RoomSocket, RoomSocket] | undefined;
  return {
    name: 'durable floor',
    run: async () => {
      const url = `${party.origin}/parties/durable/burst`;
      sockets ??= [await RoomSocket.open(url), await RoomSocket.open(url)];
      const [author, reader] = sockets;
      let count = 0;
      return await timed(async () => {
        const whenDone = reader.next(() => (count += 1) === edits);
        for (let index = 0; index < edits; index += 1)
          author.send(`p[${index},[[{"t":{"w0":{"c${index % 50}":${index}}}}]]]`);
        await whenDone;
      });
    },
  };
}

const party = await startParty({
  entry: 'bench/rooms/ours.ts',
  config: 'bench/rooms/partykit.json',
});
const wanted = values.only.split(',');
try {
  for (const [writers, edits] of [
    [1, 2_000],
    [10, 2_000],
    [1, 10_000],
  ] as const) {
    const contenders: Contender[] = [];
    if (wanted.includes('durable')) contenders.push(durable(party, edits));
    for (const pair of ['stock', 'ours'])
      if (wanted.includes(pair)) contenders.push(burst(party, pair, writers, edits));
    report(`${edits} transactions, ${writers} writers`, await measure(ROUNDS, contenders));
  }
} finally {
  await party.stop();
}
process.exit(0);
