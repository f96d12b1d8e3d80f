import { expect, test, vi } from 'vitest';

import { encodeClientMessage, MOST_PARTS_AHEAD } from '../../../src/protocol/codec.ts';
import { Peers } from '../../../src/server/room/peers.ts';
import { RateLimiter } from '../../../src/server/room/rate-limiter.ts';
import { DEFAULT_LIMITS } from '../../../src/server/room/room-options.ts';
import {
  changesOf,
  clientId,
  type FakeConnection,
  FakeRoomHost,
  settle,
} from '../../support/fake-connection.ts';

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

test('[FLOOD-1] tells again after a second if a hello was refused unread: its client waits for the answer', async () => {
  const host = await seeded({ limits: () => ({ messagesPerSecond: 0, messageBurst: 2 }) });
  const ada = await host.join('ada');
  for (let number = 1; number <= 9; number += 1) await ada.say(frame(number));
  expect(ada.hearTypes()).toEqual(['ack', 'error']);
  // What is refused before the next hello is told no more.
  await host.pass(500);
  await ada.say(frame(10));
  await ada.hello({ generation: 2 });
  expect(ada.hear()).toEqual([]);
  await host.pass(999);
  expect(ada.hear()).toEqual([]);
  await host.pass(1);
  expect(ada.hearTypes()).toEqual(['error']);
  await ada.hello({ generation: 3 });
  await ada.say('an app’s own');
  await host.pass(1_000);
  expect(ada.hearTypes()).toEqual(['error']);
  await host.pass(5_000);
  expect(ada.hear()).toEqual([]);
});

test.each([
  ['handled', true],
  ['dropped', false],
])(
  '[FLOOD-1] tells again after a second if a hello is refused unread behind others that wait for their turn and are %s',
  async (_what, areHandled) => {
    let limits = { messagesPerSecond: 1_000, messageBurst: 200, waitingMessages: 1_000 };
    const host = await seeded({
      limits: () => limits,
      hooks: () => ({ canSetValue: () => new Promise(() => undefined) }),
    });
    const ada = await host.join('ada');
    for (let number = 1; number <= 250; number += 1) void ada.push(number, { x: number });
    await settle();
    expect(ada.hearTypes()).toEqual(['error']);
    const turns: (() => void)[] = [];
    host.takeTurn = () => new Promise((resolve) => turns.push(resolve));
    await host.pass(100);
    // Its client has not heard that yet.
    for (let number = 251; number <= 400; number += 1) void ada.push(number, { x: number });
    await ada.hello({ generation: 2, cursor: await host.cursor() });
    expect(turns).toHaveLength(1);
    if (!areHandled) limits = { ...limits, waitingMessages: 10 };
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
      turn();
      await settle();
    }
    expect(ada.hear()).toEqual([]);
    await host.pass(1_000);
    expect(ada.hearTypes()).toEqual(['error']);
  },
);

test('[FLOOD-1] [FLOOD-2] tells again after a second if too much waits for a hello to be taken', async () => {
  const host = await seeded({
    limits: () => ({ waitingMessages: 1 }),
    hooks: () => ({ canSetValue: () => new Promise(() => undefined) }),
  });
  const ada = await host.join('ada');
  for (let number = 1; number <= 3; number += 1) await ada.push(number, { x: number });
  expect(ada.hearTypes()).toEqual(['error']);
  await ada.hello({ generation: 2, cursor: await host.cursor() });
  expect(ada.hear()).toEqual([]);
  await host.pass(1_000);
  expect(ada.hearTypes()).toEqual(['error']);
});

/** Connects a peer, which was told that it says hello under too many ids. */
const refusedFor = async (host: FakeRoomHost): Promise<FakeConnection> => {
  const ada = host.connect();
  for (let index = 1; index <= 6; index += 1) {
    await ada.hello({ clientId: clientId(`id${index}`), cursor: await host.cursor() });
    await ada.push(1, { pets: { [`${index}`]: { legs: index } } });
  }
  expect(ada.hear().filter(isOverloaded)).toHaveLength(1);
  return ada;
};

test('[FLOOD-1] [FLOOD-4] tells a client again whose next hello asks for too much as well: it would wait for the answer', async () => {
  const host = await seeded({});
  const ada = await refusedFor(host);
  await ada.hello({ clientId: clientId('id7'), cursor: await host.cursor() });
  expect(ada.hear()).toEqual([]);
  await host.pass(1_000);
  expect(ada.hear().filter(isOverloaded)).toHaveLength(1);
  await ada.hello({ clientId: clientId('id7'), generation: 2, cursor: await host.cursor() });
  expect(ada.hearTypes()).toEqual(['welcome']);
  await host.pass(5_000);
  expect(ada.hear()).toEqual([]);
});

test('[FLOOD-1] has one timer for a client whose hellos are refused, however many they are', async () => {
  const host = await seeded({});
  const ada = await refusedFor(host);
  const before = host.pending;
  for (let index = 7; index < 30; index += 1)
    await ada.hello({ clientId: clientId(`id${index}`), cursor: await host.cursor() });
  expect(host.pending).toBe(before + 1);
  await host.pass(1_000);
  expect(ada.hear().filter(isOverloaded)).toHaveLength(1);
});

test('[FLOOD-1] tells later what it may not tell now, if a connection does not know that it is stopped', async () => {
  const host = await seeded({ limits: () => ({ messagesPerSecond: 10, messageBurst: 3 }) });
  const ada = await host.join('ada');
  for (let number = 1; number <= 4; number += 1) await ada.say(frame(number));
  expect(ada.hearTypes()).toEqual(['ack', 'ack', 'error']);
  await host.pass(200);
  await ada.hello({ generation: 2, cursor: await host.cursor() });
  for (let number = 3; number <= 6; number += 1) await ada.say(frame(number));
  expect(ada.hearTypes()).toEqual(['welcome', 'ack']);
  await host.pass(1_000);
  expect(ada.hear()).toMatchObject([{ type: 'error', code: 'overloaded' }]);
  await host.pass(5_000);
  expect(ada.hear()).toEqual([]);
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

test('[FLOOD-1] counts a message with many ids and short texts as more, whoever sends it', async () => {
  const host = await seeded({ limits: () => ({ messagesPerSecond: 1, messageBurst: 12 }) });
  const many = Array.from({ length: 2_500 }, (_, index) => [`v${index}`, 1]);
  const push = (number: number): string =>
    `p${JSON.stringify([number, [{}, Object.fromEntries(many)]])}`;
  expect(push(1).length).toBeLessThan(3 * 16 * 1024);
  const ada = await host.join('ada');
  await ada.say(push(1));
  expect(ada.hearTypes()).toEqual(['ack']);
  await ada.say(push(2));
  expect(ada.hearTypes()).toEqual(['error']);
  // A text of that length counts as its length.
  const bob = await host.join('bob');
  for (const number of [1, 2]) await bob.push(number, { text: 'x'.repeat(40_000 + number) });
  expect(bob.hearTypes()).toEqual(['commit', 'ack', 'ack'].slice(1));
});

test.each<[how: string, write: (part: string) => string]>([
  ['a blank after it', (part) => `${part} `],
  ['a blank in it', (part) => part.replace(',', ', ')],
  ['needless escapes', (part) => part.replaceAll('\\"', '\\u0022')],
])(
  '[PART-1] [FLOOD-1] takes no part with %s, which would hide what its push weighs',
  async (_how, write) => {
    const host = await seeded({});
    const ada = await host.join('ada');
    const json = manyRows(1).slice(1);
    const text = encodeClientMessage('', {
      type: 'part',
      number: 1,
      offset: 0,
      length: json.length,
      text: json,
    });
    await ada.say(write(text));
    expect(ada.hearOne('error')).toMatchObject({ code: 'malformed', push: 1 });
    await ada.say(text);
    expect(ada.hearTypes()).toEqual(['ack']);
  },
);

test('[FLOOD-1] counts the quotes of whatever begins as a part does', async () => {
  const host = await seeded();
  const ada = await host.join('ada');
  const texts = `m${JSON.stringify(Array.from({ length: 3_000 }, () => 'a'))}`;
  for (let count = 0; count < 5; count += 1) await ada.say(texts);
  expect(ada.hear()).toMatchObject([{ code: 'malformed' }, { code: 'overloaded' }]);
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

test('[FLOOD-1] tells so too when the clock was set back since it told so last', async () => {
  const host = await seeded({ limits: () => ({ messageBurst: 2, messagesPerSecond: 1 }) });
  const ada = await host.join('ada');
  for (let number = 1; number <= 5; number += 1) await ada.say(frame(number));
  expect(ada.hearTypes().filter((type) => type === 'error')).toEqual(['error']);
  host.clockSkew = -86_400_000;
  await ada.hello({ generation: 2 });
  expect(ada.hearTypes()).toEqual(['error']);
});

const NO_FEATURES = {
  isEmpty: true,
  check: (): 'admitted' => 'admitted',
  admitted: () => undefined,
  live: () => undefined,
  left: () => undefined,
} as const;

test('[FLOOD-1] a frame that is refused for its weight counts by its length, and soon others are not weighed', () => {
  const rate = { messageBurst: 10, messagesPerSecond: 1, waitingMessages: 10, waitingLength: 1e6 };
  const host = new FakeRoomHost();
  const peers = new Peers(host, NO_FEATURES, { limits: { ...DEFAULT_LIMITS, ...rate } });
  const peer = peers.of(host.connect());
  const length = 4 * 16 * 1024;
  let weighed = 0;
  const send = (weight: number): boolean =>
    peer.accept(length, 1, () => ((weighed += 1), weight)) !== undefined;
  expect(send(length)).toBe(true);
  expect(send(32 * length)).toBe(false);
  expect(weighed).toBe(2);
  expect(send(32 * length)).toBe(false);
  expect(weighed).toBe(2);
});

test('[FLOOD-2] counts what waits and has many ids by its weight, but takes it if nothing else waits', async () => {
  const answers: ((isAllowed: boolean) => void)[] = [];
  const host = await seeded({
    limits: () => ({ waitingLength: 200_000 }),
    hooks: () => ({
      canSetTable: async (table) =>
        table === 'pets' || (await new Promise((resolve) => void answers.push(resolve))),
    }),
  });
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  const row = Object.fromEntries(Array.from({ length: 4_000 }, (_, cell) => [`${cell}`, 1]));
  // Each has 40,000 characters, and 8,000 quotes, which weigh 256,000.
  for (const number of [1, 2]) await ada.push(number, { dense: { r: row } });
  expect(ada.hearOne('error').code).toBe('overloaded');
  // A text of that length weighs no more than its length.
  for (const number of [1, 2])
    await bob.push(number, { long: { r: { text: 'x'.repeat(40_000) } } });
  expect(bob.hear()).toEqual([]);
  answers.shift()?.(true);
  await settle();
  expect(host.room.store.getCell('dense', 'r', '3999')).toBe(1);
});

test('[FLOOD-2] [FRAME-5] takes a frame with more messages than may wait, if none waits', async () => {
  const host = await seeded({ limits: () => ({ waitingMessages: 3 }) });
  const ada = await host.join('ada');
  const joined = [1, 2, 3, 4, 5].map((number) => frame(number)).join('\n');
  await ada.say(joined);
  expect(ada.hear().filter(({ type }) => type === 'ack')).toHaveLength(5);
  expect(host.room.store.getRowCount('pets')).toBe(6);
});

test('[FLOOD-3] counts a catch-up as the messages that it is worth, and processes others meanwhile', async () => {
  const host = await seeded({ limits: () => ({ messagesPerSecond: 10, messageBurst: 100 }) });
  const old = await host.cursor();
  const bob = await host.join('bob');
  const large = 'x'.repeat(40_000);
  for (let number = 1; number <= 4; number += 1)
    await bob.push(number, { pets: { [`${number}`]: { name: large } } });
  const ada = await host.join('ada');
  let told = 0;
  for (let generation = 2; generation <= 200; generation += 1) {
    await ada.hello({ generation, cursor: old });
    told += ada.frames.splice(0).reduce((sum, { length }) => sum + length, 0);
  }
  // A hundred messages of 4 KiB, and not 199 times 160,000.
  expect(told).toBeLessThan(4 * 160_000);
  await bob.push(5, { open: true });
  expect(bob.hear().at(-1)).toMatchObject({ type: 'ack', number: 5, isCommit: true });
  await host.pass(10_000);
  expect(ada.hear()).toMatchObject([{ code: 'overloaded' }]);
  await ada.hello({ generation: 201, cursor: old });
  expect(ada.hearOne('welcome').changes?.leaves.get('pets', '4', 'name')).toBe(large);
});

test('[FLOOD-3] counts what a catch-up costs to make, also where little comes of it', async () => {
  const host = await seeded({ limits: () => ({ messagesPerSecond: 1, messageBurst: 15 }) });
  const old = await host.cursor();
  for (let round = 0; round < 20; round += 1) {
    host.room.store.setCell('pets', 'fido', 'name', `${round}`.padEnd(4_000));
    await settle();
  }
  host.room.store.setCell('pets', 'fido', 'name', 'short');
  await settle();
  const ada = await host.join('ada');
  const heard: string[] = [];
  for (let generation = 2; generation <= 6; generation += 1) {
    // Each of another content, so that nothing that was made can be used again.
    host.room.store.setValue('round', generation);
    await settle();
    ada.hear();
    await ada.hello({ generation, cursor: old });
    heard.push(...ada.hearTypes());
  }
  expect(heard).toEqual(['error']);
});

test('[FLOOD-3] lets a new connection catch up, however much that costs, or it would never get in', async () => {
  const host = await seeded({ limits: () => ({ messagesPerSecond: 10, messageBurst: 15 }) });
  const old = await host.cursor();
  for (let round = 0; round < 20; round += 1) {
    host.room.store.setCell('pets', `${round}`, 'name', `${round}`.padEnd(4_000));
    await settle();
  }
  const ada = host.connect();
  await ada.hello({ cursor: old });
  expect(ada.hearOne('welcome').changes).toBeDefined();
  // It has used up its budget, and more.
  await ada.hello({ generation: 2, cursor: old });
  expect(ada.hearOne('error').code).toBe('overloaded');
  await host.pass(2_000);
  await ada.hello({ generation: 3, cursor: await host.cursor() });
  expect(ada.hearOne('welcome').changes).toBeDefined();
});

test.each([15, 16, 17, 20])(
  '[PART-1] [FLOOD-1] receipts let a client send the parts of a push without more than its budget of %i',
  async (messageBurst) => {
    const host = await seeded({
      limits: () => ({ messagesPerSecond: 2, messageBurst, framePushBytes: 100_000 }),
    });
    const ada = await host.join('ada');
    const json = encodeClientMessage('', {
      type: 'push',
      number: 1,
      changes: changesOf({ pets: { long: { name: '"'.repeat(150_000) } } }),
    }).slice(1);
    let offset = 0;
    let ahead = 0;
    const send = async (): Promise<void> => {
      while (ahead < MOST_PARTS_AHEAD && offset < json.length) {
        const text = json.slice(offset, offset + 25_000);
        await ada.say(
          encodeClientMessage('', { type: 'part', number: 1, offset, length: json.length, text }),
        );
        offset += text.length;
        ahead += 1;
      }
    };
    const heard: string[] = [];
    for (let tick = 0; tick < 4_000 && !heard.includes('ack'); tick += 1) {
      await send();
      const types = ada.hearTypes();
      ahead -= types.filter((type) => type === 'receipt').length;
      heard.push(...types);
      await host.pass(5);
    }
    expect(new Set(heard)).toEqual(new Set(['receipt', 'ack']));
    expect(host.room.store.getCell('pets', 'long', 'name')).toHaveLength(150_000);
  },
);

test('[FLOOD-1] a push of many ids costs in parts what it costs in one frame', async () => {
  const row = Object.fromEntries(Array.from({ length: 8_000 }, (_, cell) => [`${cell}`, 1]));
  const dense = pushOf(1, { pets: { fido: row } });
  const limits = { limits: () => ({ messagesPerSecond: 0, messageBurst: 60 }) };
  const [whole, divided] = [await seeded(limits), await seeded(limits)];
  const ada = await whole.join('ada');
  // 8,000 ids have 16,000 quotes: 31 messages.
  await ada.say(dense);
  await ada.say(dense);
  expect(ada.hearTypes()).toEqual(['ack', 'error']);
  const bob = await divided.join('bob');
  const json = dense.slice(1);
  const half = Math.ceil(json.length / 2);
  const sendHalves = async (): Promise<void> => {
    for (const offset of [0, half]) {
      const text = json.slice(offset, offset + half);
      const part = { type: 'part', number: 1, offset, length: json.length, text } as const;
      await bob.say(encodeClientMessage('', part));
    }
  };
  await sendHalves();
  await sendHalves();
  expect(bob.hearTypes()).toEqual(['ack', 'error']);
});

test('[FLOOD-1] [FRAME-5] lines of a frame that are no push count, too', async () => {
  const host = await seeded();
  const ada = await host.join('ada');
  await ada.say(frame(1) + '\n'.repeat(1_000));
  expect(ada.hear()).toMatchObject([{ type: 'error', code: 'overloaded' }]);
});

test('[FLOOD-1] does not look into the frames of a connection that sends too much', async () => {
  const host = await seeded();
  const ada = await host.join('ada');
  const joined = Array.from({ length: 100 }, () => frame(1)).join('\n');
  for (let time = 0; time < 3; time += 1) await ada.say(joined);
  for (let number = 1; number <= 30; number += 1) await ada.say(frame(number));
  const split = vi.spyOn(String.prototype, 'split');
  await ada.say(joined);
  expect(split).not.toHaveBeenCalled();
  split.mockRestore();
});

test('[FLOOD-1] [FRAME-5] what was divided into lines counts also if it is too much', async () => {
  const host = await seeded({ limits: () => ({ messagesPerSecond: 1, messageBurst: 1_000 }) });
  const ada = await host.join('ada');
  const lines = frame(1) + '\n'.repeat(5_000);
  const split = vi.spyOn(String.prototype, 'split');
  for (let time = 0; time < 20; time += 1) await ada.say(lines);
  const divided = split.mock.calls.length;
  split.mockRestore();
  expect(divided).toBeLessThan(5);
});

test.each([
  ['a buffer', () => new ArrayBuffer(300_000)],
  ['a view', () => new Uint8Array(300_000)],
])('[FLOOD-1] what is binary counts by its bytes: %s', async (_kind, make) => {
  const host = await seeded();
  const ada = await host.join('ada');
  await ada.say(make());
  expect(ada.hear()).toEqual([]);
  await ada.say(make());
  expect(ada.hear()).toMatchObject([{ type: 'error', code: 'overloaded' }]);
});

test('[FLOOD-8] many that each keep the rate of one send no more than four together, and others go on', async () => {
  const host = await seeded({ limits: () => ({ messagesPerSecond: 100, messageBurst: 200 }) });
  const bob = await host.join('bob');
  const attackers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => host.join(`attacker${index}`)),
  );
  let taken = 0;
  for (let second = 0; second < 40; second += 1) {
    for (let part = 0; part < 2; part += 1) {
      for (const attacker of attackers)
        for (let number = 0; number < 50; number += 1) await attacker.ping();
      await host.pass(500);
    }
    if (second % 2 === 1) await bob.push((second + 1) / 2, { second });
  }
  for (const attacker of attackers)
    taken += attacker.hear().filter(({ type }) => type === 'pong').length;
  // They send 80,000. The room takes 400 a second and 400 at once, and of each two a second and 64 at once.
  expect(taken).toBeLessThan(40 * 400 + 400 + 20 * (40 * 2 + 64));
  const acks = bob.hear().filter(({ type }) => type === 'ack');
  expect(acks).toHaveLength(20);
});

test('[FLOOD-8] who connects again and again sends no more than two at once, and others go on', async () => {
  const limits = { limits: () => ({ messagesPerSecond: 1, messageBurst: 200 }) };
  const host = await seeded(limits);
  const bob = await host.join('bob');
  let taken = 0;
  for (let round = 0; round < 20; round += 1) {
    const attacker = await host.join(`attacker${round}`);
    for (let number = 1; number <= 150; number += 1) await attacker.ping();
    taken += attacker.hear().filter(({ type }) => type === 'pong').length;
    host.disconnect(attacker);
  }
  // The first three fill the budget of all. What a newcomer may always send is added.
  expect(taken).toBeLessThan(3 * 150 + 17 * 66);
  for (let number = 1; number <= 40; number += 1) {
    await bob.push(number, { open: number });
    expect(bob.hear().at(-1)).toMatchObject({ type: 'ack', number });
  }
  // It fills again with time.
  await host.pass(1_000_000);
  const late = await host.join('late');
  for (let number = 1; number <= 150; number += 1) await late.ping();
  expect(late.hear().filter(({ type }) => type === 'pong')).toHaveLength(150);
});

test('[FLOOD-4] takes a few client ids of one connection, then tells it that it is overloaded', async () => {
  const host = await seeded({});
  const ada = host.connect();
  let welcomes = 0;
  for (let index = 1; index <= 500; index += 1) {
    await ada.hello({ clientId: clientId(`id${index}`), cursor: await host.cursor() });
    await ada.push(1, { pets: { [`${index}`]: { legs: index } } });
    const heard = ada.hear();
    welcomes += heard.filter(({ type }) => type === 'welcome').length;
    if (index === 6) expect(heard.filter(isOverloaded)).toHaveLength(1);
  }
  expect(welcomes).toBe(5);
  // The client that is there goes on, when it says hello again.
  await ada.hello({ clientId: clientId('id5'), generation: 2, nextPush: 2 });
  expect(ada.hearOne('welcome').lastPush).toBe(1);
  // And another one gets in a little later, so that an app may mount and unmount as it likes.
  await host.pass(2_000);
  await ada.hello({ clientId: clientId('id7'), cursor: await host.cursor() });
  expect(ada.hearTypes()).toEqual(['welcome']);
});

test('[FLOOD-4] a hello alone leaves nothing in storage', async () => {
  const host = await seeded({ storageSizes: () => ({ smallestCheckpoint: 1, slice: 1e6 }) });
  const pusher = await host.join('pusher');
  for (let index = 1; index <= 50; index += 1) {
    const one = host.connect();
    await one.hello({ clientId: clientId(`id${index}`) });
  }
  // A checkpoint writes all records.
  for (let number = 1; number <= 50; number += 1) {
    await pusher.push(number, { text: 'x'.repeat(number) });
    await host.pass(1);
  }
  const manifest = [...(await host.storage.list({}))].find(([key]) => key.endsWith('manifest'));
  expect(String(manifest?.[1])).toContain('pusher');
  expect(JSON.stringify([...(await host.storage.list({})).values()])).not.toContain('id1');
});

test('[FLOOD-5] takes no push of a new client where it cannot remember one more, forgets none, and drops none silently', async () => {
  const host = await seeded({ limits: () => ({ clients: 3 }) });
  const ids = ['a', 'b', 'c'];
  const known = await Promise.all(ids.map(async (id) => await host.join(id)));
  const [first] = known;
  for (const [index, one] of known.entries()) await one.push(1, { pets: { [index]: { n: 1 } } });
  const late = await host.join('late');
  await late.push(1, { pets: { late: { n: 1 } } });
  expect(late.hear().filter(({ type }) => type !== 'commit')).toMatchObject([
    { type: 'error', code: 'overloaded' },
  ]);
  expect(host.room.store.hasRow('pets', 'late')).toBe(false);
  // It reads all the same, and gets in when one that is confirmed has gone.
  await first?.hello({ clientId: clientId('a'), generation: 2, nextPush: 2, ackedPush: 1 });
  if (first !== undefined) host.disconnect(first);
  await host.pass(10_000);
  await late.hello({ clientId: clientId('late'), generation: 2, cursor: await host.cursor() });
  late.hear();
  await late.push(1, { pets: { late: { n: 1 } } });
  expect(late.hearOne('ack')).toMatchObject({ number: 1, isCommit: true });
  // Those who wait for an ack are remembered.
  const again = await host.join('b', { generation: 5 });
  await again.push(1, { pets: { again: { n: 1 } } });
  expect(again.hearOne('ack')).toMatchObject({ number: 1, isCommit: false });
});

/** Says hello, and takes any answer. */
const come = async (host: FakeRoomHost, name: string): Promise<FakeConnection> => {
  const connection = host.connect();
  await connection.hello({ clientId: clientId(name), generation: 1, nextPush: 1 });
  return connection;
};

test('[FLOOD-5] closes who comes to a full room with `full`, and takes the next one when somebody has left', async () => {
  const limits = { connections: 2 };
  const host = await seeded({ limits: () => limits });
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  const late = await come(host, 'late');
  expect(late.hear()).toMatchObject([{ type: 'error', code: 'full' }]);
  expect(late.closed).toMatchObject({ code: 4420 });
  await ada.push(1, { open: true });
  expect([ada.closed, bob.closed, late.hear()]).toEqual([undefined, undefined, []]);
  host.disconnect(bob);
  // The room counts once a second while it is full.
  expect((await come(host, 'soon')).closed).toMatchObject({ code: 4420 });
  await host.pass(1_000);
  const next = await come(host, 'next');
  expect(next.closed).toBeUndefined();
  await host.pass(1_000);
  expect((await come(host, 'one more')).closed).toMatchObject({ code: 4420 });
});

test('[FLOOD-5] a room that was hibernated while it was full closes nobody who was there', async () => {
  const limits = { connections: 2 };
  const host = await seeded({ limits: () => limits });
  const woken = host.hibernate(await host.join('ada'), await host.join('bob'));
  for (const [index, one] of woken.entries()) await one.push(1, { [`of ${index}`]: 1 });
  expect(woken.map(({ closed }) => closed)).toEqual([undefined, undefined]);
  expect((await come(host, 'late')).closed).toMatchObject({ code: 4420 });
});

test('[FLOOD-5] a room that was hibernated while it was full, and is woken by one who comes, closes nobody else', async () => {
  const limits = { connections: 2 };
  const host = await seeded({ limits: () => limits });
  const woken = host.hibernate(await host.join('ada'), await host.join('bob'));
  expect((await come(host, 'late')).closed).toMatchObject({ code: 4420 });
  for (const [index, one] of woken.entries()) await one.push(1, { [`of ${index}`]: 1 });
  expect(woken.map(({ closed }) => closed)).toEqual([undefined, undefined]);
});

test('[FLOOD-5] nor does it close those who never said hello, such as stock peers and pages with presence alone', async () => {
  const limits = { connections: 2 };
  const host = await seeded({ limits: () => limits });
  const [stock, listener] = [host.connect(), host.connect()];
  await stock.stock({ by: 'stock' });
  await listener.say('of the app');
  const woken = host.hibernate(stock, listener);
  for (const name of ['late', 'later'])
    expect((await come(host, name)).closed).toMatchObject({ code: 4420 });
  await woken[0]?.stock({ by: 'stock again' });
  await woken[1]?.say('of the app');
  expect(woken.map(({ closed }) => closed)).toEqual([undefined, undefined]);
  expect(host.room.store.getValue('by')).toBe('stock again');
  expect((await come(host, 'latest')).closed).toMatchObject({ code: 4420 });
});

test('[FLOOD-5] a limit of connections that is raised or removed counts at once', async () => {
  let limits = { connections: 1 };
  const host = await seeded({ limits: () => limits });
  await host.join('ada');
  expect((await come(host, 'bob')).closed).toMatchObject({ code: 4420 });
  limits = { connections: Infinity };
  expect((await come(host, 'bob')).closed).toBeUndefined();
  limits = { connections: 1 };
  expect((await come(host, 'cy')).closed).toMatchObject({ code: 4420 });
});

test('[FLOOD-5] a full room does not count its connections for each that comes', async () => {
  const host = await seeded({ limits: () => ({ connections: 3 }) });
  let counts = 0;
  const connections = host.connections.bind(host);
  host.connections = () => {
    counts += 1;
    return connections();
  };
  for (let there = 0; there < 3; there += 1) void host.room.receive(host.connect(), 'hello');
  await settle();
  counts = 0;
  const late = Array.from({ length: 50 }, () => host.connect());
  for (const one of late) void host.room.receive(one, 'hello');
  await settle();
  expect(late.every(({ closed }) => closed?.code === 4420)).toBe(true);
  expect(counts).toBeLessThan(5);
});

test('[FLOOD-5] [ONCE-5] keeps the record of a client that is away and may send its push again', async () => {
  const host = await seeded({ limits: () => ({ clients: 2 }) });
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  for (const [index, one] of [ada, bob].entries()) await one.push(1, { [`of ${index}`]: 1 });
  // Neither has told that it heard its ack.
  for (const one of [ada, bob]) host.disconnect(one);
  const late = await host.join('late');
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    await late.push(1, { late: 1 });
    expect(late.hear().filter(isOverloaded)).toHaveLength(1);
    await host.pass(10_000);
    await late.hello({
      clientId: clientId('late'),
      generation: 1 + attempt,
      cursor: await host.cursor(),
    });
    late.hear();
  }
  const again = await host.join('ada', { generation: 5 });
  await again.push(1, { 'of 0': 1 });
  expect(again.hearOne('ack')).toMatchObject({ number: 1, isCommit: false });
});

test('a hello looks at the connections of its own client alone', async () => {
  const host = await seeded();
  await host.join('ada');
  for (let index = 1; index <= 20; index += 1) await host.join(`other${index}`);
  let walks = 0;
  const connections = host.connections.bind(host);
  host.connections = () => {
    walks += 1;
    return connections();
  };
  const ada = await host.join('ada', { generation: 9 });
  expect(walks).toBe(0);
  await ada.push(1, { fine: 1 });
  expect(walks).toBeGreaterThan(0);
});
