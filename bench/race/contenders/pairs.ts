import { PartySocket } from 'partysocket';
import type { Content } from 'tinybase';
import { createPartyKitPersister as createStockPersister } from 'tinybase/persisters/persister-partykit-client';
import { createStore } from 'tinybase/store';
import { WebSocket } from 'ws';

import { createPartyKitPersister } from '../../../src/client/index.ts';
import { until as poll } from '../../../test/support/until.ts';
import { CELLS_A_ROW, contentOf } from '../../support/content.ts';
import { assert } from '../../support/measure.ts';
import { until, type Contender, type RaceClient } from '../contender.ts';
import { PartyProcess } from './party-process.ts';
import { storeClient } from './store-client.ts';

/** The pause between two looks at something that no client reports. */
const POLL = { intervalMilliseconds: 1 };

const fail = (error: unknown): void => {
  throw error;
};

function openSocket(host: string, room: string): PartySocket {
  return new PartySocket({
    host,
    room,
    WebSocket,
    disableNameValidation: true,
    minReconnectionDelay: 1,
  });
}

async function get(party: PartyProcess, room: string): Promise<number> {
  const response = await fetch(party.server.room(room, '/store'));
  assert(response.status === 200, `a GET was answered with ${response.status}`);
  return (await response.text()).length;
}

/** A room and clients of this package, as the README shows them. */
export function ours(): Contender {
  const party = new PartyProcess('bench/rooms/ours.ts');
  const open = (room: string, content?: Content): RaceClient => {
    const store = createStore();
    const socket = openSocket(party.server.host, room);
    const errors: unknown[] = [];
    const persister = createPartyKitPersister(store, socket, {}, (error: unknown) => {
      errors.push(error);
    });
    const started = persister.startAutoPersisting(content);
    return storeClient(store, {
      connected: async () => {
        await started;
        await poll('a client to be live', () => persister.getSync().phase === 'live', POLL);
      },
      leave: async () => {
        socket.close();
        await poll('the socket to close', () => persister.getSync().phase !== 'live', POLL);
      },
      comeBack: () => socket.reconnect(),
      close: async () => {
        await persister.destroy();
        socket.close();
        assert(errors.length === 0, String(errors[0]));
      },
    });
  };
  return {
    name: 'ours',
    note: 'on `partykit dev`; on disk before it is shown to others',
    start: () => party.start(),
    stop: () => party.stop(),
    restart: () => party.server.restart(),
    get: (room) => get(party, room),
    memory: () => party.server.memory(),
    create: async (room, cells) => {
      const client = open(room, contentOf(cells));
      await client.connected();
      return client;
    },
    join: (room, cells) => showing(open(room), cells),
  };
}

/** TinyBase's own room and clients. */
export function stock(): Contender {
  const party = new PartyProcess('bench/rooms/stock.ts');
  const open = (room: string, content?: Content): RaceClient => {
    const store = createStore();
    const socket = openSocket(party.server.host, room);
    const persister = createStockPersister(store, socket, { storeProtocol: 'http' }, fail);
    const started = persister.startAutoPersisting(content);
    return storeClient(store, {
      connected: async () => {
        await started;
        await poll('the socket to open', () => socket.readyState === WebSocket.OPEN, POLL);
      },
      close: async () => {
        await persister.destroy();
        socket.close();
      },
    });
  };
  return {
    name: 'stock',
    note: "TinyBase's own PartyKit pair, on `partykit dev`; never catches up",
    start: () => party.start(),
    stop: () => party.stop(),
    restart: () => party.server.restart(),
    get: (room) => get(party, room),
    memory: () => party.server.memory(),
    create: async (room, cells) => {
      const client = open(room, contentOf(cells));
      await client.connected();
      return client;
    },
    join: (room, cells) => showing(open(room), cells),
  };
}

/** Resolves to the client when it shows so many Cells. */
async function showing(client: RaceClient, cells: number): Promise<RaceClient> {
  await until(client, () => client.rowCount() === cells / CELLS_A_ROW, 'the content');
  return client;
}
