import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Cell, Store } from 'tinybase';
import { afterAll, afterEach, beforeAll, expect, onTestFailed } from 'vitest';
import { type Client, Clients } from '../support/clients.ts';
import { untilEqual } from '../support/content.ts';
import { promise, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';
import { type Proxy, startProxy } from '../support/proxy.ts';
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts';

/** `ROUNDS=20 npx vitest run --project room random` for more of it, `SEED=…` for one again. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 1);
const STEPS = 120;

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

/** A client, and the line that its connection runs through. */
interface Member {
  readonly client: Client;
  readonly line: Proxy;
  isCut: boolean;
  isSaving: boolean;
}

type Crew = readonly [Member, ...Member[]];

/** Something other than an edit happens to one of them, or to the room. */
const disturb = async (crew: Crew, random: SeededRandom, room: string): Promise<void> => {
  const member = random.pick(crew);
  const { client, line } = member;
  const toggleCut = (): void => {
    if (member.isCut) {
      client.heal();
    } else {
      client.cut();
    }
    member.isCut = !member.isCut;
  };
  await random.pick<() => unknown>([
    toggleCut,
    toggleCut,
    () => line.cut(),
    () => line.muteDown(),
    () => line.cut(),
    () => client.store.setValue('large', `${random.below(1000)}`.padEnd(300_000, 'x')),
    async () => {
      // Frames cannot be told from what is lost with the room: only the answer is not waited for.
      await fetch(`${room}/server-edit?text=${random.below(1000)}`, { method: 'POST' }).catch(
        () => undefined,
      );
    },
    async () => {
      await (member.isSaving ? client.persister.stopAutoSave() : client.persister.startAutoSave());
      member.isSaving = !member.isSaving;
    },
  ])();
};

/** Edits at random, with a random client at a time. */
const editForSteps = async (
  crew: Crew,
  random: SeededRandom,
  steps: number,
  room: string,
): Promise<void> => {
  for (let step = 0; step < steps; step++) {
    editAny(random.pick(crew).client.store, random, random.below(1000));
    if (random.below(15) === 0) {
      await disturb(crew, random, room);
    }
    if (random.below(3) === 0) {
      await wait(random.below(12));
    }
  }
};

/** Undoes what {@link disturb} did. */
const calm = async (crew: Crew): Promise<void> => {
  for (const member of crew) {
    member.line.cut();
    if (member.isCut) {
      member.client.heal();
    }
    if (!member.isSaving) {
      await member.client.persister.startAutoSave();
    }
    [member.isCut, member.isSaving] = [false, true];
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
        const room = party.room(`random-${crowd}-${round}`);
        const here = { host: party.host, room: `random-${crowd}-${round}` };
        const joinRoom = async (): Promise<Member> => {
          const line = await startProxy(party.port);
          const client = await clients.open({
            ...here,
            host: line.host,
            seed: [{}, { seed: random.seed }],
          });
          return { client, line, isCut: false, isSaving: true };
        };
        const crew: [Member, ...Member[]] = [await joinRoom()];
        while (crew.length < crowd) {
          crew.push(await joinRoom());
        }
        for (const end of [stopAndStart, () => party.restart()]) {
          await editForSteps(crew, random, STEPS, room);
          await Promise.all([end(), editForSteps(crew, random, STEPS / 2, room)]);
          await calm(crew);
        }
        await editForSteps(crew, random, STEPS, room);
        await calm(crew);
        await Promise.all(crew.map(({ client }) => client.confirmed()));
        const stores = crew.map(({ client }) => client.store);
        const content = await untilEqual(stores, `${room}/store`);
        expect(content.get('["seed"]')).toBe(`${random.seed}`);
        expect(crew.flatMap(({ client }) => client.refusals)).toEqual([]);
        const late = await clients.open(here);
        await untilEqual([late.store, ...stores], `${room}/store`);
        await clients.closeAll();
        await Promise.all(crew.map(({ line }) => line.close()));
      },
    );
  }
}
