import { createStore } from 'tinybase/store';

import { CELLS_A_ROW, contentOf } from '../../support/content.ts';
import { assert } from '../../support/measure.ts';
import { RoomSocket } from '../../support/room-socket.ts';
import type { Contender, RaceClient } from '../contender.ts';
import { PartyProcess } from './party-process.ts';
import { storeClient } from './store-client.ts';

/** A bare PartyKit room that passes on what it gets, and clients with a plain Store. */
export const broadcastFloor = (): Contender =>
  floor(
    'bare',
    'broadcast.ts',
    'a bare PartyKit room that passes on each message; join: GET, JSON.parse, `setContent`',
  );

/** The same, where each message is put into the room's storage first. */
export const durableFloor = (): Contender =>
  floor('durable', 'durable.ts', 'the same, with one `put` for each message before it goes out');

function floor(name: string, entry: string, note: string): Contender {
  const party = new PartyProcess(`bench/rooms/${entry}`);
  const join = async (room: string, cells: number): Promise<RaceClient> => {
    const store = createStore();
    const [socket, [tables, values]] = await Promise.all([
      RoomSocket.open(party.server.room(room)),
      fetch(party.server.room(room, '/store')).then(async (response) =>
        JSON.parse(await response.text()),
      ),
    ]);
    store.setContent([tables, values]);
    socket.onEach((frame) => {
      const [row, cell, value] = JSON.parse(frame);
      store.setCell('rows', row, cell, value);
    });
    const client = storeClient(store, {
      connected: () => Promise.resolve(),
      close: () => {
        socket.close();
        return Promise.resolve();
      },
    });
    assert(client.rowCount() === cells / CELLS_A_ROW, 'rows are missing');
    return {
      ...client,
      set: (row, cell, value) => {
        client.set(row, cell, value);
        socket.send(JSON.stringify([row, cell, value]));
      },
    };
  };
  return {
    name,
    note,
    start: () => party.start(),
    stop: () => party.stop(),
    memory: () => party.server.memory(),
    create: async (room, cells) => {
      const body = JSON.stringify(contentOf(cells));
      await fetch(party.server.room(room, '/store'), { method: 'PUT', body });
      return await join(room, cells);
    },
    join,
  };
}
