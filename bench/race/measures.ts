import { assert, timed } from '../support/measure.ts';
import { socketsOpened, wireBytes } from '../support/wire-bytes.ts';
import { until, type Contender, type RaceClient } from './contender.ts';

/** One question to all contenders. Its samples are numbers, of which the lower is the better. */
export interface Measure {
  readonly name: string;
  readonly unit: 'ms' | 'bytes' | 'MiB';
  /** A contender that is no floor of this measure, or cannot do it, does not take part. */
  readonly isFor?: (contender: Contender) => boolean;
  /** Measures once. Throws if the result is wrong. */
  readonly sample: (contender: Contender) => Promise<readonly number[]>;
  /** Ends what the samples share. */
  readonly end?: (contender: Contender) => Promise<void>;
}

const LATENCY_SAMPLES = 300;
const LATENCY_MILLISECONDS = 1_500;
const COLUMNS = 50;

let rooms = 0;

function newRoom(): string {
  rooms += 1;
  return `race-${process.pid}-${rooms}`;
}

/** Lets all timers and sockets of this process have a turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Clients that the samples of a contender share. */
class Shared {
  readonly #clients = new Map<Contender, readonly RaceClient[]>();

  async of(contender: Contender, count: number, cells: number): Promise<readonly RaceClient[]> {
    const known = this.#clients.get(contender);
    if (known !== undefined) return known;
    const clients = await openAll(contender, count, cells);
    this.#clients.set(contender, clients);
    return clients;
  }

  async end(contender: Contender): Promise<void> {
    const clients = this.#clients.get(contender) ?? [];
    this.#clients.delete(contender);
    await closeAll(clients);
  }
}

async function openAll(
  contender: Contender,
  count: number,
  cells: number,
  room: string = newRoom(),
): Promise<RaceClient[]> {
  const clients = [await contender.create(room, cells)];
  while (clients.length < count) clients.push(await contender.join(room, cells));
  for (const client of clients) await client.connected();
  return clients;
}

async function closeAll(clients: readonly RaceClient[]): Promise<void> {
  for (const client of clients) await client.close();
}

function pairOf(clients: readonly RaceClient[]): readonly [RaceClient, RaceClient] {
  const [writer, reader] = clients;
  assert(writer !== undefined && reader !== undefined, 'clients are missing');
  return [writer, reader];
}

/** One edit, until another client shows it. */
async function edit(writer: RaceClient, readers: readonly RaceClient[]): Promise<number> {
  const value = (lastValue += 1);
  const cell = `cell ${value % COLUMNS}`;
  const shown = readers.map((reader) =>
    until(reader, () => reader.get('row 0', cell) === value, 'an edit'),
  );
  return await timed(async () => {
    writer.set('row 0', cell, value);
    await Promise.all(shown);
  });
}

let lastValue = 0;

/** A lone edit, of two clients that have made many. */
export function latency(): Measure {
  const shared = new Shared();
  return {
    name: 'a lone edit, until another client shows it',
    unit: 'ms',
    sample: async (contender) => {
      const [writer, reader] = pairOf(await shared.of(contender, 2, 10));
      const samples: number[] = [];
      for (let index = 0; index < 10; index += 1) await edit(writer, [reader]);
      const start = performance.now();
      while (samples.length < LATENCY_SAMPLES && performance.now() - start < LATENCY_MILLISECONDS) {
        samples.push(await edit(writer, [reader]));
        await turn();
      }
      return samples;
    },
    end: (contender) => shared.end(contender),
  };
}

/** The first edits of a room and its clients. */
export function coldLatency(edits: number): Measure {
  return {
    name: `the same, the first ${edits} edits of a room`,
    unit: 'ms',
    sample: async (contender) => {
      const clients = await openAll(contender, 2, 10);
      const [writer, reader] = pairOf(clients);
      const samples: number[] = [];
      const start = performance.now();
      while (samples.length < edits && performance.now() - start < LATENCY_MILLISECONDS) {
        samples.push(await edit(writer, [reader]));
        await turn();
      }
      await closeAll(clients);
      return samples;
    },
  };
}

/** Many transactions of one Cell in a loop, until another client shows all of them. */
export function burst(transactions: number, writers: number): Measure {
  const shared = new Shared();
  const run = async (clients: readonly RaceClient[], count: number): Promise<number> => {
    const [reader, ...authors] = clients;
    assert(reader !== undefined, 'there is no reader');
    const last = (lastValue += count);
    const share = count / writers;
    const isDone = (): boolean =>
      authors.every((_author, at) => reader.get(`row w${at}`, 'last') === last);
    return await timed(async () => {
      const shown = until(reader, isDone, 'a burst');
      for (let index = 1; index <= share; index += 1)
        for (const [at, author] of authors.entries()) {
          if (index === share) author.set(`row w${at}`, 'last', last);
          else author.set(`row w${at}`, `c${index % COLUMNS}`, last + index);
        }
      await shown;
      for (const [at] of authors.entries())
        for (let index = Math.max(1, share - COLUMNS); index < share; index += 1) {
          const value = reader.get(`row w${at}`, `c${index % COLUMNS}`);
          assert(value === last + index, `a burst left ${value}, not ${last + index}`);
        }
    });
  };
  return {
    name: `${transactions.toLocaleString('en')} transactions of one Cell, ${writers === 1 ? 'one writer' : `${writers} writers`}`,
    unit: 'ms',
    sample: async (contender) => {
      const clients = await shared.of(contender, writers + 1, 10);
      await run(clients, Math.max(writers * 2, transactions / 10));
      return [await run(clients, transactions)];
    },
    end: (contender) => shared.end(contender),
  };
}

/** One edit, until so many clients show it. */
export function fanOut(readers: number): Measure {
  const shared = new Shared();
  return {
    name: `one edit, until ${readers} clients show it`,
    unit: 'ms',
    sample: async (contender) => {
      const [writer, ...others] = await shared.of(contender, readers + 1, 10);
      assert(writer !== undefined, 'there is no writer');
      const samples: number[] = [];
      for (let index = 0; index < 40; index += 1) {
        const taken = await edit(writer, others);
        await turn();
        // The first ones warm up.
        if (index >= 10) samples.push(taken);
      }
      return samples;
    },
    end: (contender) => shared.end(contender),
  };
}

/** A client that has nothing, until it shows a room's content. */
export function firstJoin(cells: number, joins: number): Measure {
  const keepers = new Map<Contender, readonly [string, RaceClient]>();
  return {
    name: `first join, ${cells.toLocaleString('en')} Cells`,
    unit: 'ms',
    sample: async (contender) => {
      const room = keepers.get(contender)?.[0] ?? newRoom();
      if (!keepers.has(contender))
        keepers.set(contender, [room, await contender.create(room, cells)]);
      const samples: number[] = [];
      for (let index = 0; index <= joins; index += 1) {
        let joined: RaceClient | undefined;
        const taken = await timed(async () => {
          joined = await contender.join(room, cells);
        });
        await joined?.connected();
        await joined?.close();
        if (index > 0) samples.push(taken);
      }
      return samples;
    },
    end: async (contender) => {
      await keepers.get(contender)?.[1].close();
      keepers.delete(contender);
    },
  };
}

/** The initial content of a new room, until the room has it and its client is connected. */
export function initialContent(cells: number): Measure {
  return {
    name: `initial content of a new room, ${cells.toLocaleString('en')} Cells`,
    unit: 'ms',
    sample: async (contender) => {
      const samples: number[] = [];
      for (let index = 0; index < 3; index += 1) {
        const room = newRoom();
        let first: RaceClient | undefined;
        const taken = await timed(async () => {
          first = await contender.create(room, cells);
          await first.connected();
        });
        const second = await contender.join(room, cells);
        await closeAll([second]);
        await first?.close();
        if (index > 0) samples.push(taken);
      }
      return samples;
    },
  };
}

/** A client that comes back to a room of so many Cells, until it shows what it has missed. */
export function catchUp(cells: number, missed: number, unit: 'ms' | 'bytes'): Measure {
  const shared = new Shared();
  return {
    name: `catch-up of ${missed.toLocaleString('en')} of ${cells.toLocaleString('en')} Cells${unit === 'bytes' ? ', both ways' : ''}`,
    unit,
    isFor: ({ name }) => !['bare', 'durable', 'stock'].includes(name),
    sample: async (contender) => {
      const [writer, reader] = pairOf(await shared.of(contender, 2, cells));
      const { leave, comeBack } = reader;
      assert(leave !== undefined && comeBack !== undefined, 'it cannot come back');
      const samples: number[] = [];
      for (let index = 0; index < (unit === 'ms' ? 4 : 2); index += 1) {
        await leave();
        const last = (lastValue += missed + 1);
        for (let edits = 1; edits <= missed; edits += 1)
          writer.set(`row ${edits * 7}`, 'cell 2', last + edits);
        await writer.connected();
        await untilQuiet();
        const before = wireBytes();
        const taken = await timed(async () => {
          comeBack();
          if (missed === 0) await reader.connected();
          else
            await until(
              reader,
              () => reader.get(`row ${missed * 7}`, 'cell 2') === last + missed,
              'what was missed',
            );
        });
        await reader.connected();
        for (let edits = 1; edits <= missed; edits += 1)
          assert(reader.get(`row ${edits * 7}`, 'cell 2') === last + edits, 'an edit is missing');
        await untilQuiet();
        const after = wireBytes();
        if (index > 0)
          samples.push(unit === 'ms' ? taken : after.up + after.down - before.up - before.down);
      }
      return samples;
    },
    end: (contender) => shared.end(contender),
  };
}

/** Bytes of one change on the wire: `up` of its author, `down` of another client. */
export function bytesOfChange(direction: 'up' | 'down', kind: 'alone' | 'burst'): Measure {
  const shared = new Map<Contender, readonly [RaceClient, RaceClient, number]>();
  const count = kind === 'alone' ? 100 : 2_000;
  const open = async (contender: Contender): Promise<readonly [RaceClient, RaceClient, number]> => {
    const room = newRoom();
    const writer = await contender.create(room, 10);
    await writer.connected();
    await untilQuiet();
    const from = socketsOpened();
    const reader = await contender.join(room, 10);
    await reader.connected();
    return [writer, reader, from];
  };
  /** The writer's sockets are the earlier ones. */
  const bytes = (from: number): number =>
    direction === 'down' ? wireBytes(from).down : wireBytes().up - wireBytes(from).up;
  return {
    name: `bytes a change ${direction}, ${kind === 'alone' ? 'alone' : 'in a burst of 2,000'}`,
    unit: 'bytes',
    sample: async (contender) => {
      const [writer, reader, from] = shared.get(contender) ?? (await open(contender));
      shared.set(contender, [writer, reader, from]);
      await edit(writer, [reader]);
      await untilQuiet();
      const before = bytes(from);
      if (kind === 'alone')
        for (let index = 0; index < count; index += 1) {
          await edit(writer, [reader]);
          await turn();
        }
      else {
        const last = (lastValue += count);
        const shown = until(reader, () => reader.get('row 0', 'last') === last, 'a burst');
        for (let index = 1; index < count; index += 1)
          writer.set('row 0', `cell ${index % COLUMNS}`, last + index);
        writer.set('row 0', 'last', last);
        await shown;
      }
      await untilQuiet();
      return [(bytes(from) - before) / count];
    },
    end: async (contender) => {
      const [writer, reader] = shared.get(contender) ?? [];
      shared.delete(contender);
      await reader?.close();
      await writer?.close();
    },
  };
}

/** The server's memory with one client in a room of so many Cells. */
export function serverMemory(cells: number): Measure {
  return {
    name: `memory of the server, ${cells.toLocaleString('en')} Cells, one client`,
    unit: 'MiB',
    sample: async (contender) => {
      await contender.stop();
      await contender.start();
      const [client] = await openAll(contender, 1, cells);
      await untilQuiet();
      const memory = contender.memory();
      await client?.close();
      return [memory];
    },
  };
}

/** A restart of a server, and then the first GET of a room. */
export function firstGet(cells: number): Measure {
  let room = '';
  return {
    name: `first GET after a restart, ${cells.toLocaleString('en')} Cells`,
    unit: 'ms',
    isFor: ({ get, restart }) => get !== undefined && restart !== undefined,
    sample: async (contender) => {
      room = newRoom();
      const client = await contender.create(room, cells);
      await untilQuiet();
      await client.close();
      await contender.restart?.();
      // The room of another name warms the process up, so that only the room is cold.
      await contender.get?.(newRoom());
      let length = 0;
      const taken = await timed(async () => {
        length = (await contender.get?.(room)) ?? 0;
      });
      assert(length > cells * 10, 'the content is missing');
      return [taken];
    },
  };
}

/** Waits until nothing travels any more: a measure of bytes has to see all of them, and nothing else. */
async function untilQuiet(): Promise<void> {
  let last = wireBytes();
  for (;;) {
    await new Promise((resolve) => {
      setTimeout(resolve, 150);
    });
    const now = wireBytes();
    if (now.up === last.up && now.down === last.down) return;
    last = now;
  }
}
