import { expect, test } from 'vitest';

import {
  DurabilityGate,
  type DurabilityOwner,
  type PendingEntry,
} from '../../../src/server/history/durability-gate.ts';
import type { LogEntry } from '../../../src/server/storage/log-row.ts';
import { changesOf, settle } from '../../support/fake-connection.ts';

/** A gate whose writes take effect when a test says so. */
class Bench implements DurabilityOwner {
  readonly events: string[] = [];
  readonly lost: number[] = [];
  wantsCheckpoint = false;
  now = 0;
  readonly gate: DurabilityGate;
  #settle: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #endTurn: (() => void) | undefined;

  constructor(host: { hasTurns?: boolean; hasSync?: boolean } = {}) {
    const write = (what: string): Promise<void> => {
      this.events.push(what);
      return new Promise((resolve, reject) => {
        this.#settle.push({ resolve, reject });
      });
    };
    const storage = {
      create: () => write('create'),
      append: (entries: readonly LogEntry[]) =>
        write(`append ${entries.map(({ version }) => version).join(' ')}`),
    };
    this.gate = new DurabilityGate(
      storage,
      {
        now: () => this.now,
        storage: host.hasSync === true ? { sync: () => write('sync') } : {},
        ...(host.hasTurns === true && {
          takeTurn: () =>
            new Promise<void>((resolve) => {
              this.#endTurn = resolve;
            }),
        }),
      },
      this,
    );
  }

  get isCheckpointDue(): boolean {
    if (this.wantsCheckpoint) this.events.push('prepare');
    const isDue = this.wantsCheckpoint;
    this.wantsCheckpoint = false;
    return isDue;
  }

  startCheckpoint(): void {
    this.events.push('checkpoint');
  }

  lose(_error: unknown, lost: readonly PendingEntry[]): void {
    this.events.push('failure');
    this.lost.push(...lost.map(({ entry }) => entry.version));
  }

  add(version: number): void {
    this.gate.add(item(version));
    this.wait(`${version}`);
  }

  wait(name: string, waitsForSync = false): void {
    this.gate.defer({
      onReleased: () => this.events.push(`durable ${name}`),
      onLost: () => this.events.push(`lost ${name}`),
      waitsForSync,
    });
  }

  async succeed(): Promise<void> {
    this.#settle.shift()?.resolve();
    await settle();
  }

  async fail(): Promise<void> {
    this.#settle.shift()?.reject(new Error('disk'));
    await settle();
  }

  /** Ends a turn of the event loop, after which the journal may take another. False if it waits for none. */
  async endTurn(): Promise<boolean> {
    const end = this.#endTurn;
    this.#endTurn = undefined;
    end?.();
    await settle();
    return end !== undefined;
  }

  take(): string[] {
    return this.events.splice(0);
  }
}

const item = (version: number): PendingEntry => ({
  entry: { version, changes: changesOf({ v: version }), author: undefined },
  origin: { type: 'room', callers: [] },
});

/** Writes a row of two entries: others may follow it at once. */
async function writeTwo(bench: Bench): Promise<void> {
  bench.add(1);
  bench.add(2);
  await settle();
  await bench.succeed();
  expect(bench.take()).toEqual(['append 1 2', 'durable 1', 'durable 2']);
}

test('[DURABLE-1] lets out at once what waits for nothing', () => {
  const bench = new Bench();
  bench.wait('a');
  expect(bench.take()).toEqual(['durable a']);
});

test('[DURABLE-1] lets nothing out before all that was added before it is durable', async () => {
  const bench = new Bench();
  bench.add(1);
  await settle();
  bench.add(2);
  bench.wait('x');
  expect(bench.take()).toEqual(['append 1']);
  await bench.succeed();
  expect(bench.take()).toEqual(['durable 1', 'append 2']);
  await bench.succeed();
  expect(bench.take()).toEqual(['durable 2', 'durable x']);
});

test('[DURABLE-2] writes what is added without a pause in one row', async () => {
  const bench = new Bench();
  for (const version of [1, 2, 3]) bench.add(version);
  await settle();
  for (const version of [4, 5]) bench.add(version);
  await bench.succeed();
  await bench.succeed();
  expect(bench.take().filter((event) => event.startsWith('append'))).toEqual([
    'append 1 2 3',
    'append 4 5',
  ]);
});

test('writes the initial content alone, and before all that comes after it', async () => {
  const bench = new Bench();
  bench.wantsCheckpoint = true;
  const room = {
    cursor: { epoch: 'e', version: 1 },
    content: changesOf({}).leaves as never,
    log: [],
    clients: new Map(),
  };
  bench.gate.create(room, item(1));
  bench.add(2);
  await settle();
  expect(bench.take()).toEqual(['create']);
  await bench.succeed();
  expect(bench.take()).toEqual(['prepare', 'append 2']);
});

test('keeps the order of what waits when a waiter adds to it', async () => {
  const bench = new Bench();
  bench.gate.add(item(1));
  bench.gate.defer({ onReleased: () => bench.wait('inner'), onLost: () => undefined });
  bench.wait('outer');
  await settle();
  await bench.succeed();
  expect(bench.take()).toEqual(['append 1', 'durable outer', 'durable inner']);
});

test('[DURABLE-3] loses all that waits when a write fails, and all that comes after it', async () => {
  const bench = new Bench();
  bench.add(1);
  await settle();
  bench.add(2);
  await bench.fail();
  bench.wait('late');
  expect(bench.take()).toEqual(['append 1', 'failure', 'lost 1', 'lost 2', 'lost late']);
  expect(bench.lost).toEqual([1, 2]);
  bench.add(3);
  await settle();
  expect(bench.take()).toEqual(['lost 3']);
});

test('tells whoever waits for all to be durable, or lost', async () => {
  const bench = new Bench();
  expect(await bench.gate.whenDurable()).toBe(true);
  bench.gate.add(item(1));
  const durable = bench.gate.whenDurable();
  await settle();
  await bench.succeed();
  expect(await durable).toBe(true);
  bench.gate.add(item(2));
  const lost = bench.gate.whenDurable();
  await settle();
  await bench.fail();
  expect(await lost).toBe(false);
});

test('takes the state for a checkpoint with a write after which storage has the same state', async () => {
  const bench = new Bench();
  bench.add(1);
  await settle();
  bench.wantsCheckpoint = true;
  bench.add(2);
  bench.add(3);
  await bench.succeed();
  bench.add(4);
  expect(bench.take()).toEqual(['append 1', 'durable 1', 'prepare', 'append 2 3']);
  await bench.succeed();
  expect(bench.take()).toEqual(['durable 2', 'durable 3', 'checkpoint', 'append 4']);
  bench.wantsCheckpoint = true;
  await bench.succeed();
  expect(bench.take()).toEqual(['durable 4', 'prepare', 'checkpoint']);
});

test('[DURABLE-2] writes lone entries without waiting for a turn', async () => {
  const bench = new Bench({ hasTurns: true });
  for (const version of [1, 2]) {
    bench.add(version);
    await settle();
    await bench.succeed();
    expect(bench.take()).toEqual([`append ${version}`, `durable ${version}`]);
    expect(await bench.endTurn()).toBe(false);
  }
});

test('[DURABLE-2] after a row of several, gathers what arrives as long as each turn brings more', async () => {
  const bench = new Bench({ hasTurns: true });
  await writeTwo(bench);
  for (const version of [3, 4, 5]) {
    bench.add(version);
    await bench.endTurn();
    expect(bench.take()).toEqual([]);
  }
  await bench.endTurn();
  expect(bench.take()).toEqual(['append 3 4 5']);
});

test('[DURABLE-2] gathers what came while a row was written, too', async () => {
  const bench = new Bench({ hasTurns: true });
  bench.add(1);
  await settle();
  bench.add(2);
  await bench.succeed();
  bench.add(3);
  expect(bench.take()).toEqual(['append 1', 'durable 1']);
  await bench.endTurn();
  await bench.endTurn();
  expect(bench.take()).toEqual(['append 2 3']);
});

test('[DURABLE-2] writes what keeps arriving also if the clock is set back', async () => {
  const bench = new Bench({ hasTurns: true });
  bench.now = 3_600_000;
  await writeTwo(bench);
  bench.add(3);
  bench.now = 0;
  await bench.endTurn();
  expect(bench.take()).toEqual(['append 3']);
});

test('[DURABLE-2] writes after 16 ms what keeps arriving', async () => {
  const bench = new Bench({ hasTurns: true });
  await writeTwo(bench);
  bench.add(3);
  bench.now = 15;
  await bench.endTurn();
  bench.add(4);
  expect(bench.take()).toEqual([]);
  bench.now = 16;
  await bench.endTurn();
  expect(bench.take()).toEqual(['append 3 4']);
});

test('[ORDER-9] lets what can wait, and all that comes after it, out when the row is on disk', async () => {
  const bench = new Bench({ hasSync: true });
  bench.add(1);
  bench.wait('answer', true);
  bench.wait('next');
  await settle();
  await bench.succeed();
  expect(bench.take()).toEqual(['append 1', 'durable 1', 'sync']);
  await bench.succeed();
  expect(bench.take()).toEqual(['durable answer', 'durable next']);
  bench.wait('answer', true);
  expect(bench.take()).toEqual(['durable answer']);
});

test('[ORDER-9] lets nothing overtake what can wait', async () => {
  const bench = new Bench({ hasSync: true });
  bench.add(1);
  bench.wait('answer', true);
  await settle();
  await bench.succeed();
  bench.wait('later');
  expect(bench.take()).toEqual(['append 1', 'durable 1', 'sync']);
  expect(bench.gate.isSettled).toBe(false);
  await bench.succeed();
  expect(bench.take()).toEqual(['durable answer', 'durable later']);
  expect(bench.gate.isSettled).toBe(true);
});

test('[DURABLE-2] writes what is added before a row is on disk in the next', async () => {
  const bench = new Bench({ hasSync: true });
  bench.add(1);
  await settle();
  await bench.succeed();
  bench.add(2);
  bench.add(3);
  await settle();
  expect(bench.take()).toEqual(['append 1', 'durable 1', 'sync']);
  await bench.succeed();
  expect(bench.take()).toEqual(['append 2 3']);
});

test('[ORDER-9] [DURABLE-3] loses what can wait when the row never gets on disk', async () => {
  const bench = new Bench({ hasSync: true });
  bench.add(1);
  bench.wait('answer', true);
  await settle();
  await bench.succeed();
  bench.add(2);
  bench.take();
  await bench.fail();
  expect(bench.take()).toEqual(['failure', 'lost answer', 'lost 2']);
  expect(bench.lost).toEqual([1, 2]);
});

test('[ORDER-9] lets everything out at once where a write settles no earlier', async () => {
  const bench = new Bench();
  bench.add(1);
  bench.wait('answer', true);
  await settle();
  await bench.succeed();
  expect(bench.take()).toEqual(['append 1', 'durable 1', 'durable answer']);
});

test('[DURABLE-1] tells what waits for the write alone before what waits for the disk', async () => {
  const bench = new Bench({ hasSync: true });
  expect(await bench.gate.whenWritten()).toBe(true);
  bench.add(1);
  const written = bench.gate.whenWritten();
  let isDurable = false;
  const durable = bench.gate.whenDurable().then(() => (isDurable = true));
  await settle();
  await bench.succeed();
  expect(await written).toBe(true);
  expect(await bench.gate.whenWritten()).toBe(true);
  expect(bench.take()).toEqual(['append 1', 'durable 1', 'sync']);
  expect(isDurable).toBe(false);
  bench.add(2);
  const next = bench.gate.whenWritten();
  await bench.succeed();
  await durable;
  await bench.fail();
  expect(await next).toBe(false);
  bench.add(3);
  expect(await bench.gate.whenWritten()).toBe(false);
});
