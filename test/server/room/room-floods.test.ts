import { expect, test } from 'vitest';

import { encodeClientMessage } from '../../../src/protocol/codec.ts';
import { RateLimiter } from '../../../src/server/room/peers.ts';
import { changesOf, clientId, FakeRoomHost, settle } from '../../support/fake-connection.ts';

const RATE = { messagesPerSecond: 10, messageBurst: 20 };

const frame = (number: number): string =>
  encodeClientMessage('', {
    type: 'push',
    number,
    changes: changesOf({ pets: { [`${number}`]: { legs: number } } }),
  });

const seeded = async (
  options: ConstructorParameters<typeof FakeRoomHost>[0] = { limits: () => RATE },
): Promise<FakeRoomHost> => {
  const host = new FakeRoomHost(options);
  await host.seed({ pets: { fido: { species: 'dog' } } });
  return host;
};

test('[FLOOD-1] takes so much of a connection, tells it that it is overloaded, and goes on with the others', async () => {
  const host = await seeded();
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  for (let number = 1; number <= 5_000; number += 1) void host.room.receive(ada, frame(number));
  await settle();
  const heard = ada.hearTypes();
  // The hello was one of the twenty.
  expect(heard.filter((type) => type === 'ack').length).toBe(19);
  expect(heard.filter((type) => type !== 'ack')).toEqual(['error']);
  expect(host.room.store.getRowCount('pets')).toBe(20);
  expect([ada.closed, bob.closed]).toEqual([undefined, undefined]);
  bob.hear();
  await bob.push(1, { open: true });
  expect(bob.hearOne('ack')).toMatchObject({ number: 1, isCommit: true });
  expect(ada.hear()).toEqual([]);
});

const NUMBERS = Array.from({ length: 500 }, (_, index) => index + 1);

/** Whatever a frame costs the room, and whether it is one of ours or not. */
test.each<[kind: string, frame: (number: number) => string]>([
  ['pushes of many rows', (number) => manyRows(number)],
  ['pushes that change nothing', (number) => pushOf(number, {})],
  ['pushes that delete what is not there', (number) => `p[${number},[{},{},{"none":["x"]}]]`],
  ['pushes that are out of order', (number) => frame(number + 7)],
  ['pushes that cannot be read', (number) => `p[${number},{}]`],
  ['pings', () => encodeClientMessage('', { type: 'ping' })],
  ['checks', () => encodeClientMessage('', { type: 'check' })],
  ['hellos of a cursor that is old', (number) => helloOf(number, 1)],
  ['hellos without a cursor', (number) => helloOf(number, undefined)],
  ['frames of the app', () => 'chat: hello'],
])('[FLOOD-1] takes no more than its budget of %s', async (_kind, make) => {
  const host = await seeded();
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  for (const number of NUMBERS) void host.room.receive(ada, make(number));
  await settle();
  const heard = ada.hear();
  expect(heard.filter((message) => isOverloaded(message))).toHaveLength(1);
  // Of twenty, the hello that joined was one.
  expect(heard.filter((message) => !isOverloaded(message)).length).toBeLessThan(20);
  expect(host.room.store.getRowCount('pets')).toBeLessThan(20 * ROWS);
  bob.hear();
  await bob.push(1, { open: true });
  expect(bob.hearOne('ack')).toMatchObject({ number: 1, isCommit: true });
});

const ROWS = 50;

function isOverloaded(message: { readonly type: string; readonly code?: unknown }): boolean {
  return message.type === 'error' && message.code === 'overloaded';
}

function pushOf(number: number, tables: Parameters<typeof changesOf>[0]): string {
  const changes = changesOf(tables);
  return encodeClientMessage('', { type: 'push', number, changes });
}

function manyRows(number: number): string {
  const pets: Record<string, { legs: number }> = {};
  for (let row = 1; row <= ROWS; row += 1) pets[`${number}.${row}`] = { legs: number };
  return pushOf(number, { pets });
}

function helloOf(number: number, version: number | undefined): string {
  const epoch = 'e'.repeat(22);
  return encodeClientMessage('', {
    type: 'hello',
    clientId: clientId('ada'),
    generation: number + 1,
    cursor: version === undefined ? undefined : { epoch, version },
    nextPush: 1,
    ackedPush: 0,
  });
}

test('[FLOOD-1] takes what comes after the next hello, when the budget has filled again, and nothing twice', async () => {
  const host = await seeded();
  const ada = await host.join('ada');
  for (let number = 1; number <= 30; number += 1) void host.room.receive(ada, frame(number));
  await settle();
  expect(ada.hear().filter(({ type }) => type !== 'ack')).toMatchObject([{ code: 'overloaded' }]);
  await host.pass(1_000);
  await ada.push(20, { late: 1 });
  expect(ada.hear()).toEqual([]);
  await ada.hello({ generation: 2, cursor: await host.cursor(), nextPush: 1 });
  expect(ada.hearOne('welcome').lastPush).toBe(19);
  for (let number = 20; number <= 26; number += 1) await ada.say(frame(number));
  expect(ada.hearTypes()).toEqual(Array.from({ length: 7 }, () => 'ack'));
  expect(host.room.store.getRowCount('pets')).toBe(27);
});

test('[FLOOD-1] tells again after a second, for a hello may have been what was refused', async () => {
  const host = await seeded({ limits: () => ({ messagesPerSecond: 0, messageBurst: 2 }) });
  const ada = await host.join('ada');
  for (let number = 1; number <= 9; number += 1) await ada.say(frame(number));
  expect(ada.hearTypes()).toEqual(['ack', 'error']);
  await ada.hello({ generation: 2 });
  expect(ada.hear()).toEqual([]);
  await host.pass(1_000);
  await ada.hello({ generation: 3 });
  expect(ada.hearTypes()).toEqual(['error']);
});

test('[FLOOD-1] closes a stock connection that sends too much, with a code that says to come back', async () => {
  const host = await seeded();
  const stock = host.connect();
  for (let number = 1; number <= 30; number += 1) void host.room.receive(stock, 's[{},{},1]');
  await settle();
  expect(stock.closed?.code).toBe(4429);
});

test('[FLOOD-1] counts long messages as more, lets through any single one, and fills up with time', () => {
  const budget = new RateLimiter();
  expect(budget.take(1_000_000_000, 5_000, RATE)).toBe(true);
  expect(budget.take(1, 6_000, RATE)).toBe(false);
  const other = new RateLimiter();
  expect(other.take(10 * 16 * 1024, 0, RATE)).toBe(true);
  expect(other.take(11 * 16 * 1024, 0, RATE)).toBe(false);
  expect(other.take(10 * 16 * 1024, 0, RATE)).toBe(true);
  expect(other.take(0, 90, RATE)).toBe(false);
  expect(other.take(0, 100, RATE)).toBe(true);
  // A clock that is set back fills nothing, and takes nothing away.
  expect(other.take(0, 0, RATE)).toBe(false);
});

test('[FLOOD-1] has a default that clients which wait for their acks keep to', async () => {
  const host = await seeded({});
  const ada = await host.join('ada');
  for (let number = 1; number <= 9_999; number += 1) void host.room.receive(ada, frame(number));
  await settle();
  expect(new Set(ada.hearTypes())).toEqual(new Set(['ack']));
});

test('[FLOOD-2] tells a connection of which too much waits the same, and takes it again after a hello', async () => {
  const waiting: ((isAllowed: boolean) => void)[] = [];
  const host = await seeded({
    limits: () => ({ waitingMessages: 3 }),
    hooks: () => ({
      canSetValue: () =>
        new Promise((resolve) => {
          waiting.push(resolve);
        }),
    }),
  });
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  for (let number = 1; number <= 5; number += 1) await ada.push(number, { x: number });
  expect(ada.hearOne('error').code).toBe('overloaded');
  expect([ada.closed, bob.closed]).toEqual([undefined, undefined]);
  waiting.shift()?.(true);
  await settle();
  ada.hear();
  await ada.hello({
    clientId: clientId('ada'),
    generation: 2,
    cursor: await host.cursor(),
    nextPush: 2,
  });
  expect(ada.hearOne('welcome').lastPush).toBe(1);
});
