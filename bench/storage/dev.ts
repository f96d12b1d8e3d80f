import { createStore } from 'tinybase/store';

import { startParty, type Party } from '../../test/support/party.ts';
import { contentOf } from '../support/content.ts';
import {
  assert,
  figuresOf,
  measure,
  report,
  timed,
  type Contender,
  type Figures,
} from '../support/measure.ts';
import { RoomClient, RoomSocket } from '../support/room-socket.ts';

const LATENCY_ROUNDS = 20;
/** Rounds so long that the floor is measured in all its moods: of 2,000 edits in all, it may have a slow patch. */
const LATENCY_SAMPLES = 500;
/** Engines compile what runs often: a bare room is as fast as it gets after 1,000 edits, ours after some 8,000. */
const LATENCY_WARM_UP = 10_000;
/** How fast the first of them are is reported too. */
const LATENCY_COLD = 3_000;
/** Not more: a room takes 10,000 messages of one connection at once, and 2,000 a second (`FLOOD-1`). */
const BURST_ROUNDS = 4;
const BURST = 2_000;
const CELLS = 100_000;

/** What is measured here. */
export type DevPart = 'latency' | 'bursts' | 'get';

/** On a real `partykit dev`, beside rooms that do next to nothing. */
export async function measureDev(parts: readonly DevPart[]): Promise<void> {
  const party = await startParty({
    entry: 'bench/rooms/ours.ts',
    config: 'bench/rooms/partykit.json',
  });
  try {
    if (parts.includes('latency')) await measureLatency(party);
    if (parts.includes('bursts')) await measureBursts(party);
    if (parts.includes('get')) await measureGet(party);
  } finally {
    await party.stop();
  }
}

/** Two sockets of a bare room. */
async function openBare(party: Party, name: string): Promise<readonly [RoomSocket, RoomSocket]> {
  const url = `${party.origin}/parties/${name}/bench`;
  return [await RoomSocket.open(url), await RoomSocket.open(url)];
}

async function openOurs(party: Party): Promise<readonly [RoomClient, RoomClient]> {
  const url = party.room(`bench-${Math.random()}`);
  const { status } = await fetch(`${url}/store`, { method: 'PUT', body: '[{},{}]' });
  assert(status === 201, `a PUT was answered with ${status}`);
  return [await RoomClient.open(url), await RoomClient.open(url)];
}

async function measureLatency(party: Party): Promise<void> {
  const [writer, reader] = await openOurs(party);
  const [author] = await openOurs(party);
  const bare = {
    broadcast: await openBare(party, 'broadcast'),
    durable: await openBare(party, 'durable'),
  };
  let value = 0;
  const cold: Figures[] = [];
  const contender = (name: string, edit: () => Promise<number>): Contender => {
    let count = LATENCY_WARM_UP;
    return {
      name,
      run: async () => {
        const samples: number[] = [];
        for (let index = 0; index < count; index += 1) samples.push(await edit());
        if (count === LATENCY_WARM_UP) cold.push(figuresOf(name, samples.slice(0, LATENCY_COLD)));
        count = LATENCY_SAMPLES;
        return samples;
      },
    };
  };
  const overBare = ([from, to]: readonly [RoomSocket, RoomSocket]): Promise<number> => {
    const frame = `p[${(value += 1)},[{"rows":{"row":{"cell":${value}}}},{}]]`;
    return timed(() => {
      const arrived = to.next((received) => received === frame);
      from.send(frame);
      return arrived;
    });
  };
  const figures = await measure(LATENCY_ROUNDS, [
    contender('bare room, one durable put', () => overBare(bare.durable)),
    contender('bare room, broadcast only', () => overBare(bare.broadcast)),
    contender('ours, until another client has the commit', () => {
      const frame = writer.pushFrame('row', 'cell', (value += 1));
      const commit = reader.nextCommitFrame('row', 'cell', value);
      return timed(() => {
        const arrived = reader.socket.next((received) => received === commit);
        writer.socket.send(frame);
        return arrived;
      });
    }),
    contender('ours, until its author has the answer', () => {
      const frame = author.pushFrame('row', 'cell', (value += 1));
      return timed(() => {
        const answered = author.socket.next((received) => received.startsWith('a['));
        author.socket.send(frame);
        return answered;
      });
    }),
  ]);
  report('Latency of a lone edit, from one socket to another', figures, '1.25');
  report(`The same, of the first ${LATENCY_COLD} edits of a room, not in turn`, cold);
}

async function measureBursts(party: Party): Promise<void> {
  const [writer, reader] = await openOurs(party);
  const bare = {
    broadcast: await openBare(party, 'broadcast'),
    durable: await openBare(party, 'durable'),
  };
  const overBare = ([from, to]: readonly [RoomSocket, RoomSocket]): Promise<number> =>
    timed(() => {
      let count = 0;
      const arrived = to.next(() => (count += 1) === BURST);
      for (let index = 0; index < BURST; index += 1) {
        from.send(`p[${index},[{"rows":{"row ${index}":{"cell":${index}}}},{}]]`);
      }
      return arrived;
    });
  let value = 0;
  const figures = await measure(BURST_ROUNDS, [
    { name: 'bare room, one durable put each', run: () => overBare(bare.durable) },
    { name: 'bare room, broadcast only', run: () => overBare(bare.broadcast) },
    {
      name: 'ours, until another client has all commits',
      run: () => {
        value += 1;
        let count = 0;
        const frames = Array.from({ length: BURST }, (_item, index) =>
          writer.pushFrame(`row ${index}`, 'cell', value * BURST + index),
        );
        return timed(async () => {
          const arrived = reader.nextMessage((message) => {
            if (message.type !== 'commit') return false;
            assert(message.version === (reader.version += 1), 'a commit is missing');
            return (count += 1) === BURST;
          });
          for (const frame of frames) writer.socket.send(frame);
          await arrived;
        });
      },
    },
  ]);
  report(`${BURST} transactions of one cell, sent at once`, figures, '0.35');
}

async function measureGet(party: Party): Promise<void> {
  const body = JSON.stringify(contentOf(CELLS));
  const bare = `${party.origin}/parties/broadcast/bench`;
  const ours = `${party.room('large')}/store`;
  for (const url of [bare, ours]) await fetch(url, { method: 'PUT', body });
  const load = async (url: string): Promise<void> => {
    const [tables, values] = JSON.parse(await (await fetch(url)).text());
    const loaded = createStore();
    loaded.applyChanges([tables, values, 1]);
    assert(loaded.getRowCount('rows') === CELLS / 10, 'rows are missing');
  };
  const figures = await measure(9, [
    { name: 'bare: fetch + JSON.parse + applyChanges', run: () => timed(() => load(bare)) },
    { name: 'ours: GET, then the same', run: () => timed(() => load(ours)) },
  ]);
  report(`GET of ${CELLS} cells`, figures);
}
