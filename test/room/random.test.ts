import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Cell, Content, Store } from 'tinybase';
import { afterAll, afterEach, beforeAll, expect, onTestFailed } from 'vitest';
import { type Client, Clients } from '../support/clients.ts';
import { untilEqual } from '../support/content.ts';
import { promise, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts';

/** `ROUNDS=20 npx vitest run --project room random` for more of it, `SEED=…` for one again. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 1);
const STEPS = 100;

let party: Party;
let persistPath: string;
const clients = new Clients();

beforeAll(async () => {
  persistPath = mkdtempSync(join(tmpdir(), 'random-'));
  party = await startTestedParty({ persistPath });
});
afterEach(() => clients.closeAll());
afterAll(async () => {
  await party?.stop();
  rmSync(persistPath, { recursive: true, force: true });
});

/** Ends the room's process as an operator would, and starts another one on the same data. */
const stopAndStart = async (): Promise<void> => {
  const { port } = party;
  await party.stop();
  party = await startTestedParty({ persistPath, port });
};

const TABLES = ['a', 'b', '__proto__'] as const;
const ROWS = ['1', '2', '3', 'constructor'] as const;
const IDS = ['x', 'y', 'z', '__proto__'] as const;

const randomLeaf = (random: SeededRandom, step: number): Cell =>
  random.pick<() => Cell>([() => step, () => `step ${step}`, () => ({ step }), () => [step]])();

const edit = (store: Store, random: SeededRandom, step: number): void => {
  const [table, row, id] = [random.pick(TABLES), random.pick(ROWS), random.pick(IDS)];
  const leaf = randomLeaf(random, step);
  random.pick([
    () => store.setCell(table, row, id, leaf),
    () => store.setCell(table, row, id, leaf),
    () => store.setCell(table, row, id, leaf),
    () => store.delCell(table, row, id),
    () => store.setRow(table, row, { [id]: leaf }),
    () => store.delRow(table, row),
    () => store.delTable(table),
    () => store.setValue(id, leaf),
    () => store.setValue(id, leaf),
    () => store.delValue(id),
  ])();
};

const editAny = (store: Store, random: SeededRandom, step: number): void => {
  if (random.below(5) > 0) {
    edit(store, random, step);
    return;
  }
  store.transaction(() => {
    for (let part = random.below(6); part >= 0; part--) {
      edit(store, random, step);
    }
  });
};

/** Cuts one client off, or brings it back. */
const cutOrHeal = (client: Client, cut: Set<Client>): void => {
  if (cut.delete(client)) {
    client.heal();
  } else {
    cut.add(client);
    client.cut();
  }
};

/** Edits at random, with a random client at a time. */
const editForSteps = async (
  crew: readonly [Client, ...Client[]],
  random: SeededRandom,
  steps: number,
  cut: Set<Client>,
): Promise<void> => {
  for (let step = 0; step < steps; step++) {
    editAny(random.pick(crew).store, random, random.below(1000));
    if (random.below(25) === 0) {
      cutOrHeal(random.pick(crew), cut);
    }
    if (random.below(3) === 0) {
      await wait(random.below(12));
    }
  }
};

for (let round = 0; round < ROUNDS; round++) {
  for (const crowd of [2, 5]) {
    const random = seededRandom();
    promise(
      `[VIEW-1] ${crowd} clients that edit at random through cuts, restarts and kills end equal (SEED=${random.seed})`,
      /Stores differ/,
      async () => {
        onTestFailed(() => {
          process.stderr.write(`This was SEED=${random.seed}\n`);
        });
        const here = { host: party.host, room: `random-${crowd}-${round}` };
        const url = party.room(here.room, '/store');
        const seed: Content = [{}, { seed: random.seed }];
        const first = await clients.open({ ...here, seed });
        const crew: [Client, ...Client[]] = [first];
        while (crew.length < crowd) {
          crew.push(await clients.open(here));
        }
        const cut = new Set<Client>();
        for (const end of [stopAndStart, () => party.restart()]) {
          await editForSteps(crew, random, STEPS, cut);
          await Promise.all([end(), editForSteps(crew, random, STEPS / 2, cut)]);
        }
        await editForSteps(crew, random, STEPS, cut);
        for (const client of cut) {
          client.heal();
        }
        await Promise.all(crew.map((client) => client.confirmed()));
        const content = await untilEqual(
          crew.map(({ store }) => store),
          url,
        );
        expect(content.get('["seed"]')).toBe(`${random.seed}`);
        expect(crew.flatMap(({ refusals }) => refusals)).toEqual([]);
        const late = await clients.open(here);
        await untilEqual([late.store, first.store], url);
      },
    );
  }
}
