import { expect, test } from 'vitest';

import { encodeClientMessage } from '../../../src/protocol/codec.ts';
import {
  clientId,
  FakeRoomHost,
  settle,
  type FakeConnection,
} from '../../support/fake-connection.ts';

const TEXT = 'x'.repeat(100_000);

const seeded = async (limits: { readonly heldLength?: number } = {}): Promise<FakeRoomHost> => {
  const host = new FakeRoomHost({ limits: () => ({ unreadLength: 1_000_000, ...limits }) });
  await host.seed({ t: { r: { a: 1 } } });
  return host;
};

let made = 0;

const commit = async (host: FakeRoomHost, count: number): Promise<void> => {
  for (let index = 0; index < count; index += 1) {
    made += 1;
    host.room.store.setCell('t', 'r', 'text', `${made}${TEXT}`);
    await settle();
  }
};

/** Reads as a client does. */
const read = async (connection: FakeConnection): Promise<string[]> => {
  const types: string[] = [];
  for (const message of connection.hear()) {
    types.push(message.type);
    if (message.type === 'mark') await connection.say(encodeClientMessage('', message));
  }
  return types;
};

const lengthOf = ({ frames }: FakeConnection): number =>
  frames.reduce((sum, { length }) => sum + length, 0);

test('[FLOOD-7] sends no more than so much to a connection that does not read, and all to one that does', async () => {
  const host = await seeded();
  const [silent, reader] = [await host.join('silent'), await host.join('reader')];
  let commits = 0;
  for (let round = 0; round < 20; round += 1) {
    await commit(host, 2);
    commits += (await read(reader)).filter((type) => type === 'commit').length;
  }
  expect(commits).toBe(40);
  expect(lengthOf(silent)).toBeLessThan(1_200_000);
  for (let index = 0; index < 50; index += 1) await silent.ping();
  expect(lengthOf(silent)).toBeLessThan(1_200_000);
  const heard = await read(silent);
  expect(heard.filter((type) => type === 'error')).toHaveLength(1);
  expect(heard.at(-1)).toBe('error');
});

test('[FLOOD-7] one that has lost its place is told so, also where it has not read too much', async () => {
  const host = await seeded();
  const silent = await host.join('silent');
  await commit(host, 10);
  expect(lengthOf(silent)).toBeGreaterThan(1_000_000);
  // A gap: what tells so waits for the disk, and then is more than it may be sent.
  await Promise.all([silent.push(1, { v: 1 }), silent.push(5, { v: 1 })]);
  for (let index = 0; index < 5; index += 1) await silent.ping();
  expect((await read(silent)).filter((type) => type === 'error')).toEqual(['error']);
});

test('[FLOOD-7] a connection that reads is sent everything, however small the limit is', async () => {
  const host = new FakeRoomHost({ limits: () => ({ unreadLength: 2_000 }) });
  await host.seed({ t: { r: { a: 1 } } });
  const reader = await host.join('reader');
  const types: string[] = [];
  for (let number = 1; number <= 200; number += 1) {
    host.room.store.setCell('t', 'r', 'text', 'x'.repeat(100) + number);
    await settle();
    types.push(...(await read(reader)));
  }
  expect(types.filter((type) => type === 'commit')).toHaveLength(200);
  expect(types).not.toContain('error');
});

test('[FLOOD-7] an answer to a mark counts for no flood, and one that nobody asked for does', async () => {
  const limits = { unreadLength: 1_000_000, messagesPerSecond: 1, messageBurst: 5 };
  const host = new FakeRoomHost({ limits: () => limits });
  await host.seed({ t: { r: { a: 1 } } });
  const reader = await host.join('reader');
  const types: string[] = [];
  for (let round = 0; round < 20; round += 1) {
    await commit(host, 3);
    types.push(...(await read(reader)));
  }
  expect(types.filter((type) => type === 'mark').length).toBeGreaterThan(5);
  expect(types).not.toContain('error');
  for (let index = 0; index < 10; index += 1)
    await reader.say(encodeClientMessage('', { type: 'mark', text: 'unasked' }));
  expect(await read(reader)).toContain('error');
});

test('[FLOOD-7] a connection whose answer to a mark got lost is asked again when it says hello', async () => {
  const host = await seeded();
  const reader = await host.join('reader');
  await commit(host, 20);
  // It reads all of it, and its answers are lost, as where it sends too much.
  reader.hear();
  let isLive = false;
  for (let generation = 2; generation < 5 && !isLive; generation += 1) {
    await reader.hello({
      clientId: clientId('reader'),
      generation,
      cursor: await host.cursor(),
    });
    isLive = (await read(reader)).includes('welcome');
  }
  expect(isLive).toBe(true);
});

test('[FLOOD-7] one that reads again says hello, and gets commits again', async () => {
  const host = await seeded();
  const silent = await host.join('silent');
  await commit(host, 30);
  while ((await read(silent)).length > 0);
  await silent.hello({
    clientId: clientId('silent'),
    generation: 2,
    cursor: await host.cursor(),
  });
  expect(silent.hearOne('welcome').changes).toBeDefined();
  host.room.store.setCell('t', 'r', 'a', 2);
  await settle();
  expect(silent.hearTypes()).toEqual(['commit']);
});

test('[FLOOD-7] an answer to no question counts for nothing', async () => {
  const host = await seeded();
  const liar = await host.join('liar');
  for (let round = 0; round < 30; round += 1) {
    await commit(host, 1);
    await liar.say(encodeClientMessage('', { type: 'mark', text: `${round}` }));
  }
  expect(lengthOf(liar)).toBeLessThan(1_200_000);
});

test('[FLOOD-7] closes a stock peer that was sent as much without a word from it, and no other', async () => {
  const host = await seeded();
  const [silent, busy] = [host.connect(), host.connect()];
  for (let round = 0; round < 20; round += 1) {
    await commit(host, 1);
    await busy.stock({ own: { r: { a: round } } });
  }
  expect(silent.closed?.code).toBe(4429);
  expect(busy.closed).toBeUndefined();
});

/** Commits of that length, with a word of each of the peers after each. */
const commitTo = async (
  host: FakeRoomHost,
  peers: readonly FakeConnection[],
  rounds: number,
): Promise<void> => {
  for (let round = 0; round < rounds; round += 1) {
    await commit(host, 1);
    for (const peer of peers) await peer.say('app: I am here');
  }
};

test('[FLOOD-7] stock peers that speak are sent no more than a room may hold, whether they read or not', async () => {
  const host = await seeded({ heldLength: 3_000_000 });
  const early = host.connect();
  await commitTo(host, [early], 5);
  const late = host.connect();
  await commitTo(host, [early, late], 14);
  expect(early.closed).toMatchObject({ code: 4429 });
  expect(early.closed?.reason).toContain('connect again');
  expect(late.closed).toBeUndefined();
  // It comes again, and nobody is closed until there is as much again.
  const again = host.connect();
  await commitTo(host, [late, again], 5);
  expect([late.closed, again.closed]).toEqual([undefined, undefined]);
  host.disconnect(again);
  await commitTo(host, [late], 9);
  expect(late.closed).toBeUndefined();
});

test('[FLOOD-7] nobody who said hello is closed for what stock peers were sent', async () => {
  const host = await seeded({ heldLength: 1_500_000 });
  const [ada, stock] = [await host.join('ada'), host.connect()];
  for (let round = 0; round < 20; round += 1) {
    await commit(host, 1);
    await stock.say('app: I am here');
    await read(ada);
  }
  expect(stock.closed).toMatchObject({ code: 4429 });
  expect(ada.closed).toBeUndefined();
});

test('[FLOOD-7] from its hello on, a connection tells what it has read, also of what came before', async () => {
  const host = await seeded({ heldLength: 3_000_000 });
  const eve = host.connect();
  await commitTo(host, [eve], 12);
  eve.frames.length = 0;
  await eve.hello({ clientId: clientId('eve'), cursor: await host.cursor() });
  await commit(host, 1);
  // It is more than a connection may have unread.
  expect(await read(eve)).toEqual(['welcome', 'mark', 'error']);
  await eve.hello({ clientId: clientId('eve'), generation: 2, cursor: await host.cursor() });
  await commit(host, 1);
  expect(await read(eve)).toEqual(['welcome', 'commit']);
});
