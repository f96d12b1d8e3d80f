import { setTimeout as wait } from 'node:timers/promises';
import type { Store } from 'tinybase';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type Client, Clients } from '../support/clients.ts';
import { differences, fetchLeaves, type Leaves, leavesOf, untilEqual } from '../support/content.ts';
import { PAIR, promise, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';
import { type Proxy, startProxy } from '../support/proxy.ts';

/** `npm run test:kill` for 30 of them, `KILLS=100 npm run test:kill` for more. */
const KILLS = Number(process.env['KILLS'] ?? 2);
const WRITERS = ['ada', 'bob', 'cyd'] as const;

let party: Party;
const clients = new Clients();

beforeAll(async () => {
  party = await startTestedParty();
});
afterEach(() => clients.closeAll());
afterAll(() => party?.stop());

/** A client that writes a numbered row, and a number to be summed up, every few milliseconds. */
class Writer {
  readonly name: string;
  readonly client: Client;
  /** What its connection runs through. */
  readonly line: Proxy;
  /** The highest number that the room has confirmed. */
  confirmedNumber = 0;
  /** How many it has written. */
  number = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(name: string, client: Client, line: Proxy) {
    this.name = name;
    this.client = client;
    this.line = line;
  }

  start(): void {
    this.#timer = setInterval(() => this.#write(), 20);
  }

  /** Writes many at once, so that some are on their way, and answers too, when the room dies. */
  burst(): void {
    for (let count = 0; count < 30; count++) {
      this.#write();
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #write(): void {
    const number = ++this.number;
    const { store } = this.client;
    store.transaction(() => {
      store.setCell('rows', `${this.name} ${number}`, 'number', number);
      store.setCell('ops', this.name, 'add', number);
      // So that the log outgrows the content, and kills hit checkpoints too.
      store.setCell('texts', this.name, 'text', `${number}`.padEnd(2000));
    });
    // A stock client never knows.
    if (PAIR === 'ours') {
      void this.#confirm(number);
    }
  }

  async #confirm(number: number): Promise<void> {
    try {
      await this.client.persister.whenConfirmed();
      this.confirmedNumber = Math.max(this.confirmedNumber, number);
    } catch {
      // It never was; the test sees that at the end.
    }
  }
}

/** What of the writers' rows somebody has seen: others' rows on a screen, and own ones that are confirmed. */
const seenRows = (writers: readonly Writer[], observer: Store): ReadonlySet<string> => {
  const seen = new Set(observer.getRowIds('rows'));
  for (const { name, client, confirmedNumber } of writers) {
    for (const row of client.store.getRowIds('rows')) {
      if (!row.startsWith(name)) {
        seen.add(row);
      }
    }
    for (let number = 1; number <= confirmedNumber; number++) {
      seen.add(`${name} ${number}`);
    }
  }
  return seen;
};

const lostRows = (seen: ReadonlySet<string>, kept: Leaves): readonly string[] =>
  [...seen].filter((row) => !kept.has(JSON.stringify(['rows', row, 'number'])));

promise(
  `[DURABLE-1] [ONCE-1] a kill -9 under writes loses nothing that anyone saw, and the rest arrives exactly once (${KILLS} kills)`,
  /Stores differ/,
  async () => {
    const here = { host: party.host, party: 'summing', room: 'killed' };
    const url = `${party.origin}/parties/summing/killed/store`;
    const observer = await clients.open({ ...here, seed: [{}, {}] });
    const writers = await Promise.all(
      WRITERS.map(async (name) => {
        const line = await startProxy(party.port);
        return new Writer(name, await clients.open({ ...here, host: line.host }), line);
      }),
    );
    const everybody = [observer, ...writers.map(({ client }) => client)];

    for (const writer of writers) {
      writer.start();
    }
    for (let kill = 0; kill < KILLS; kill++) {
      await wait(200);
      // What is answered to one of them does not arrive, as if the room had died before it could say so.
      writers[kill % writers.length]?.line.muteDown();
      for (const writer of writers) {
        writer.burst();
      }
      await wait(60 + ((kill * 37) % 120));
      await party.kill9();
      await wait(50);
      const seen = seenRows(writers, observer.store);
      expect(seen.size).toBeGreaterThan(0);
      // Nobody may put back what the room has lost before it was looked at.
      for (const client of everybody) {
        client.cut();
      }
      for (const { line } of writers) {
        line.cut();
      }
      await party.restart();
      expect(lostRows(seen, (await fetchLeaves(url)) ?? new Map())).toEqual([]);
      for (const client of everybody) {
        client.heal();
      }
      await wait(100);
    }

    for (const writer of writers) {
      writer.stop();
    }
    await Promise.all(everybody.map((client) => client.confirmed()));
    const content = await untilEqual(
      everybody.map(({ store }) => store),
      url,
    );
    let sum = 0;
    for (const { name, number } of writers) {
      sum += (number * (number + 1)) / 2;
      expect(content.get(JSON.stringify(['ops', name, 'add']))).toBe(`${number}`);
      expect(content.get(JSON.stringify(['rows', `${name} ${number}`, 'number']))).toBe(
        `${number}`,
      );
    }
    const total = writers.reduce((count, { number }) => count + number, 0);
    expect(observer.store.getRowCount('rows')).toBe(total);
    expect(observer.store.getValues()).toEqual({ sum, count: total });
    expect(everybody.flatMap(({ refusals }) => refusals)).toEqual([]);
    await clients.closeAll();
    await Promise.all(writers.map(({ line }) => line.close()));
  },
  60_000 + KILLS * 10_000,
);

promise(
  '[DURABLE-1] a room that is killed before its initial content is answered takes it once',
  undefined,
  async () => {
    const room = 'killed-young';
    const url = party.room(room, '/store');
    const put = await fetch(url, { method: 'PUT', body: '[{"t":{"r":{"c":1}}},{}]' });
    await party.kill9();
    await party.restart();
    expect(put.status).toBe(201);
    const client = await clients.open({ host: party.host, room, seed: [{}, { unwanted: 1 }] });
    const kept = leavesOf(client.store.getContent());
    expect(differences(kept, leavesOf([{ t: { r: { c: 1 } } }, {}]))).toEqual([]);
  },
);
