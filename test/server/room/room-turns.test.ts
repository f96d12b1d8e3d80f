import { expect, test } from 'vitest';

import { encodeClientMessage } from '../../../src/protocol/codec.ts';
import {
  changesOf,
  FakeRoomHost,
  settle,
  type FakeConnection,
} from '../../support/fake-connection.ts';

/** A host that delivers what has arrived when its event loop turns. */
class TurningHost extends FakeRoomHost {
  #waiting: (() => void)[] = [];
  override takeTurn = (): Promise<void> =>
    new Promise((resolve) => {
      this.#waiting.push(resolve);
    });

  async turn(): Promise<void> {
    this.time += 4;
    for (const resolve of this.#waiting.splice(0)) resolve();
    await settle();
  }

  async turnToTheEnd(): Promise<void> {
    while (this.#waiting.length > 0) await this.turn();
  }

  get rows(): number {
    return this.room.store.getRowCount('t');
  }
}

const begun = async (
  options: ConstructorParameters<typeof FakeRoomHost>[0] = {},
): Promise<TurningHost> => {
  const host = new TurningHost(options);
  const seeding = host.seed({ v: 0 });
  await settle();
  await host.turnToTheEnd();
  await seeding;
  return host;
};

const pushOf = (number: number, name: string): string =>
  encodeClientMessage('', {
    type: 'push',
    number,
    changes: changesOf({ t: { [`${name}${number}`]: { number } } }),
  });

const large = (number: number): string =>
  encodeClientMessage('', {
    type: 'push',
    number,
    changes: changesOf({ t: { [`a${number}`]: { text: 'x'.repeat(100_000) } } }),
  });

const numbers = (count: number, first = 1): number[] =>
  Array.from({ length: count }, (_, index) => first + index);

/** The host delivers a burst. */
const burst = (host: TurningHost, sender: FakeConnection, frames: readonly string[]): void => {
  for (const frame of frames) void host.room.receive(sender, frame);
};

const codes = (connection: FakeConnection): string[] =>
  connection.hear().flatMap((heard) => (heard.type === 'error' ? [heard.code] : []));

const BURST = 400;

test('[FLOOD-9] an edit of somebody else goes ahead of a burst, and all of the burst comes in order', async () => {
  const host = await begun();
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  burst(
    host,
    ada,
    numbers(BURST).map((number) => pushOf(number, 'a')),
  );
  const early = host.rows;
  expect(early).toBeLessThan(150);
  // Within the call.
  void host.room.receive(bob, pushOf(1, 'b'));
  expect(host.room.store.hasRow('t', 'b1')).toBe(true);
  expect(host.rows).toBe(early + 1);
  await host.turn();
  expect(host.rows).toBeLessThan(early + 100);
  await host.turnToTheEnd();
  expect(host.rows).toBe(BURST + 1);
  const acks = ada.hear().filter(({ type }) => type === 'ack');
  expect(acks.map((ack) => 'number' in ack && ack.number)).toEqual(numbers(BURST));
});

test('[FLOOD-9] a connection alone waits for no turn that has space for what it sends', async () => {
  const host = await begun();
  const ada = await host.join('ada');
  burst(
    host,
    ada,
    numbers(BURST).map((number) => pushOf(number, 'a')),
  );
  await host.turnToTheEnd();
  for (const number of numbers(32, BURST + 1)) {
    void host.room.receive(ada, pushOf(number, 'a'));
    expect(host.rows).toBe(number);
  }
  void host.room.receive(ada, pushOf(BURST + 33, 'a'));
  expect(host.rows).toBe(BURST + 32);
  await host.turn();
  expect(host.rows).toBe(BURST + 33);
});

test('[FLOOD-9] what a connection sends after its burst stays behind it', async () => {
  const host = await begun();
  const ada = await host.join('ada');
  burst(host, ada, [
    ...numbers(BURST).map((number) => pushOf(number, 'a')),
    encodeClientMessage('', { type: 'check' }),
  ]);
  // By now it sends little again.
  await host.pass(60_000);
  void host.room.receive(ada, pushOf(BURST + 1, 'a'));
  expect(host.room.store.hasRow('t', `a${BURST + 1}`)).toBe(false);
  await host.turnToTheEnd();
  const types = ada
    .hear()
    .filter(({ type }) => type === 'ack' || type === 'pong')
    .map(({ type }) => type);
  expect(types).toEqual([...numbers(BURST).map(() => 'ack'), 'pong', 'ack']);
});

test('[FLOOD-9] bursts of several take turns by what they cost', async () => {
  const host = await begun();
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  burst(
    host,
    ada,
    numbers(60).map((number) => large(number)),
  );
  burst(
    host,
    bob,
    numbers(BURST).map((number) => pushOf(number, 'b')),
  );
  const countOf = (name: string): number =>
    host.room.store.getRowIds('t').filter((row) => row.startsWith(name)).length;
  const [large1, small1] = [countOf('a'), countOf('b')];
  for (let turn = 0; turn < 8; turn += 1) await host.turn();
  // Each of hers costs as much as six or seven of his.
  const [large2, small2] = [countOf('a') - large1, countOf('b') - small1];
  expect(small2).toBeGreaterThan(5 * large2);
  expect(small2).toBeLessThan(8 * large2);
});

test('[FLOOD-9] a frame of many pushes is no longer turn than one of few', async () => {
  const host = await begun();
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  const all = numbers(900);
  for (const first of [0, 300, 600])
    void host.room.receive(
      ada,
      all
        .slice(first, first + 300)
        .map((number) => pushOf(number, 'a'))
        .join('\n'),
    );
  const early = host.rows;
  expect(early).toBeLessThan(700);
  await host.turn();
  expect(host.rows - early).toBeLessThan(100);
  void host.room.receive(bob, pushOf(1, 'b'));
  expect(host.room.store.hasRow('t', 'b1')).toBe(true);
  await host.turnToTheEnd();
  expect(host.rows).toBe(901);
  expect(ada.hear().filter(({ type }) => type === 'ack')).toHaveLength(900);
});

test('[FLOOD-9] [FLOOD-1] what came before a refused message is still processed, and then nothing', async () => {
  const host = await begun({ limits: () => ({ messagesPerSecond: 10, messageBurst: 300 }) });
  const ada = await host.join('ada');
  burst(
    host,
    ada,
    numbers(BURST).map((number) => pushOf(number, 'a')),
  );
  await host.turnToTheEnd();
  // The hello was one.
  const heard = ada.hear().filter(({ type }) => type !== 'welcome');
  expect(heard.filter(({ type }) => type === 'ack')).toHaveLength(299);
  expect(heard.filter(({ type }) => type === 'error')).toMatchObject([{ code: 'overloaded' }]);
  await host.pass(20_000);
  void host.room.receive(ada, pushOf(300, 'a'));
  await host.turnToTheEnd();
  expect(host.rows).toBe(299);
});

test('[FLOOD-9] [CLOSE-1] [CLOSE-2] what waits counts if its own side has left, and not if the room has closed it', async () => {
  const host = await begun();
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  for (const [sender, name] of [
    [ada, 'a'],
    [bob, 'b'],
  ] as const)
    burst(
      host,
      sender,
      numbers(BURST).map((number) => pushOf(number, name)),
    );
  host.disconnect(ada);
  host.room.administration.evictAll();
  await host.turnToTheEnd();
  const rows = host.room.store.getRowIds('t');
  expect(rows.filter((row) => row.startsWith('a'))).toHaveLength(BURST);
  expect(rows.filter((row) => row.startsWith('b')).length).toBeLessThan(BURST);
});

test('[FLOOD-9] [LIMIT-5] nothing is held of what waits for a connection that the room has closed', async () => {
  const host = await begun();
  const ada = await host.join('ada');
  let held = 0;
  for (const number of numbers(BURST)) {
    held += 1;
    void host.room.receive(ada, pushOf(number, 'a')).then(() => {
      held -= 1;
    });
  }
  await settle();
  expect(held).toBeGreaterThan(BURST / 2);
  host.room.administration.evictAll();
  await settle();
  expect(held).toBe(0);
});

test('[FLOOD-9] where much waits, those of which most does are refused, and nobody else is closed or refused', async () => {
  const host = await begun({ limits: () => ({ heldLength: 4_000_000 }) });
  const reader = await host.join('reader');
  const attackers = await Promise.all(['a', 'b', 'c'].map((name) => host.join(name)));
  for (const attacker of attackers)
    burst(
      host,
      attacker,
      numbers(60).map((number) => `app ${number} ${'x'.repeat(100_000)}`),
    );
  const quick = await host.join('quick');
  burst(
    host,
    quick,
    numbers(100).map((number) => pushOf(number, 'q')),
  );
  await host.turnToTheEnd();
  for (const attacker of attackers) expect(codes(attacker)).toContain('overloaded');
  expect(codes(quick)).toEqual([]);
  expect([reader, quick, ...attackers].map(({ closed }) => closed)).toEqual(
    Array.from({ length: 5 }, () => undefined),
  );
});

test('[FLOOD-9] [ONCE-9] a newer connection of the client does not wait for what the older one has sent', async () => {
  const host = await begun();
  const ada = await host.join('ada');
  burst(
    host,
    ada,
    numbers(BURST).map((number) => pushOf(number, 'a')),
  );
  const again = host.connect();
  void again.hello({ generation: 2, cursor: await host.cursor() });
  await settle();
  const dealt = host.rows;
  await host.turnToTheEnd();
  expect(host.rows).toBe(dealt);
  expect(again.hear()).toMatchObject([{ type: 'welcome', lastPush: dealt }]);
});

test('[FLOOD-9] [FLOOD-2] what waits for its turn waits for neither storage nor hooks', async () => {
  const host = await begun({ limits: () => ({ waitingMessages: 200 }) });
  const ada = await host.join('ada');
  burst(
    host,
    ada,
    numbers(BURST).map((number) => pushOf(number, 'a')),
  );
  await host.turnToTheEnd();
  expect(ada.hear().filter(({ type }) => type === 'ack')).toHaveLength(BURST);
});
