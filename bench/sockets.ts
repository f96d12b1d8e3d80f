/**
 * `npm run bench -- sockets [--rounds 6]`: an edit until others have its frame, with plain sockets in the place of clients, on a real
 * `partykit dev`. So it measures rooms alone, where the race measures rooms and clients.
 */
import { parseArgs } from 'node:util';

import { startParty, type Party } from '../test/support/party.ts';
import { assert, measure, report, timed, type Contender } from './support/measure.ts';
import { RoomClient, RoomSocket } from './support/room-socket.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '6' } } });
const EDITS = 100;
const CELLS = 50;

const ignore = (): void => undefined;

/** One edit of a Cell, as a frame of the room's protocol. */
type FrameOf = (cell: string, value: number) => string;

interface Connected {
  readonly socket: RoomSocket;
  readonly frameOf: FrameOf;
}

const rooms: Readonly<Record<string, (url: string) => Promise<Connected>>> = {
  durable: async (url) => ({
    socket: await RoomSocket.open(url),
    frameOf: (cell, value) => JSON.stringify(['row', cell, value]),
  }),
  stock: async (url) => ({
    socket: await RoomSocket.open(url),
    frameOf: (cell, value) => `s${JSON.stringify([{ rows: { row: { [cell]: value } } }, {}, 1])}`,
  }),
  ours: async (url) => {
    const client = await RoomClient.open(url);
    return {
      socket: client.socket,
      frameOf: (cell, value) => client.pushFrame('row', cell, value),
    };
  },
};

async function contender(
  name: string,
  party: Party,
  listeners: number,
  connect: (url: string) => Promise<Connected>,
): Promise<Contender> {
  const url = party.room(`sockets-${listeners}`);
  const body = JSON.stringify([{ rows: { row: { first: 0 } } }, {}]);
  assert((await fetch(`${url}/store`, { method: 'PUT', body })).ok, 'the room took its content');
  const writer = await connect(url);
  writer.socket.onEach(() => undefined);
  let value = 100_000;
  let waiting = 0;
  let done = ignore;
  const heard = (frame: string): void => {
    if (frame.includes(String(value)) && --waiting === 0) done();
  };
  for (let index = 0; index < listeners; index += 1) (await connect(url)).socket.onEach(heard);
  const edit = async (): Promise<void> => {
    value += 1;
    waiting = listeners;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    writer.socket.send(writer.frameOf(`cell ${value % CELLS}`, value));
    await all;
  };
  return {
    name,
    run: async () => {
      const samples: number[] = [];
      while (samples.length < EDITS) {
        samples.push(await timed(edit));
        // What follows an edit, such as its ack, belongs to none.
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }
      return samples;
    },
  };
}

const config = 'bench/rooms/partykit.json';
const parties: Party[] = [];
try {
  const names = Object.keys(rooms);
  for (const name of names)
    parties.push(await startParty({ entry: `bench/rooms/${name}.ts`, config }));
  for (const listeners of [1, 100]) {
    const contenders: Contender[] = [];
    for (const [index, name] of names.entries()) {
      const [party, connect] = [parties[index], rooms[name]];
      if (party !== undefined && connect !== undefined)
        contenders.push(await contender(name, party, listeners, connect));
    }
    report(
      `an edit until ${listeners} plain sockets have it`,
      await measure(Number(values.rounds), contenders),
    );
  }
} finally {
  for (const party of parties) await party.stop();
}
process.exit(0);
