import { expect, test } from 'vitest';

import { encodeClientMessage } from '../../../src/protocol/codec.ts';
import { procedure } from '../../../src/server/features/events/index.ts';
import { Deferred } from '../../support/deferred.ts';
import { EventfulRoom, heard } from '../../support/eventful-room.ts';
import {
  changesOf,
  FakeRoomHost,
  settle,
  type FakeConnection,
} from '../../support/fake-connection.ts';

const KIBI = 1024;
const OVERLOADED = { code: 4429 };

const seeded = async (
  options: ConstructorParameters<typeof FakeRoomHost>[0] = {},
): Promise<FakeRoomHost> => {
  const host = new FakeRoomHost({ limits: () => ({ heldLength: 300 * KIBI }), ...options });
  await host.seed({ v: 0 });
  return host;
};

/** Sends a part that is not the last one, of that length. */
const sendPart = async (connection: FakeConnection, length: number, offset = 0): Promise<void> => {
  const text = 'x'.repeat(length);
  await connection.say(
    encodeClientMessage('', { type: 'part', number: 1, offset, length: 2_000 * KIBI, text }),
  );
};

const pushText = async (
  connection: FakeConnection,
  number: number,
  length: number,
): Promise<void> => {
  await connection.push(number, { t: { [`${length}`]: { [`${number}`]: 'x'.repeat(length) } } });
};

test('[LIMIT-5] of parts that wait, the connection with most is closed when others need space', async () => {
  const host = await seeded();
  const [ada, bob, eve] = [await host.join('ada'), await host.join('bob'), await host.join('eve')];
  await sendPart(ada, 150 * KIBI);
  await sendPart(bob, 120 * KIBI);
  await pushText(eve, 1, 20 * KIBI);
  expect(eve.hearTypes()).toEqual(['ack']);
  expect([ada.closed, bob.closed]).toEqual([undefined, undefined]);
  await pushText(eve, 2, 60 * KIBI);
  expect(eve.hearTypes()).toEqual(['ack']);
  expect(ada.closed).toMatchObject(OVERLOADED);
  expect(ada.hear().at(-1)).toMatchObject({ type: 'error', code: 'overloaded' });
  expect(bob.closed).toBeUndefined();
  // What was held for it counts no more.
  await sendPart(eve, 60 * KIBI);
  expect([bob.closed, eve.closed]).toEqual([undefined, undefined]);
});

test('[LIMIT-5] the connection that would have most is refused itself, and may try again', async () => {
  const host = await seeded();
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  await sendPart(bob, 100 * KIBI);
  await sendPart(ada, 100 * KIBI);
  await sendPart(ada, 150 * KIBI, 100 * KIBI);
  expect(ada.hear().at(-1)).toMatchObject({ type: 'error', code: 'overloaded' });
  expect([ada.closed, bob.closed]).toEqual([undefined, undefined]);
  await ada.hello({ generation: 2, cursor: await host.cursor() });
  await pushText(ada, 1, 100 * KIBI);
  expect(ada.hearTypes()).toEqual(['welcome', 'ack']);
});

test('[LIMIT-5] of messages that wait for hooks, too, also after their connection has left', async () => {
  const answer = new Deferred<boolean>();
  const hooks = {
    canSetCell: async (): Promise<boolean> => await answer.promise,
    canSetValue: (): boolean => true,
  };
  const host = await seeded({ hooks: () => hooks });
  const [ada, bob, eve] = [await host.join('ada'), await host.join('bob'), await host.join('eve')];
  for (const number of [1, 2, 3]) await pushText(ada, number, 50 * KIBI);
  for (const number of [1, 2]) await pushText(bob, number, 60 * KIBI);
  host.disconnect(ada);
  // Hers is what the room holds most of.
  await eve.push(1, { note: 'x'.repeat(60 * KIBI) });
  expect(eve.hearTypes()).toEqual(['ack']);
  answer.resolve(true);
  await settle();
  expect(bob.hear().filter(({ type }) => type === 'ack')).toHaveLength(2);
  expect(host.room.store.getRowIds('t')).toEqual([`${60 * KIBI}`]);
});

test('[LIMIT-5] what has many ids counts by what it takes when it is decoded', async () => {
  const answer = new Deferred<boolean>();
  const host = await seeded({ hooks: () => ({ canSetTable: async () => await answer.promise }) });
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  const cells = Object.fromEntries(Array.from({ length: 4_000 }, (_, id) => [`${id}`, 1]));
  await ada.push(1, { t: { r: cells } });
  await bob.push(1, { u: { r: cells } });
  // Both have 40,000 characters, and 8,000 quotes.
  expect([ada.closed, bob.closed]).toEqual([undefined, undefined]);
  expect(bob.hear()).toMatchObject([{ type: 'error', code: 'overloaded' }]);
  answer.resolve(true);
  await settle();
  expect(ada.hearTypes()).toEqual(['ack']);
});

test('[LIMIT-5] a whole push that came in parts is held until it is decided', async () => {
  const answer = new Deferred<boolean>();
  const host = await seeded({ hooks: () => ({ canSetTable: async () => await answer.promise }) });
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  const cells = Object.fromEntries(Array.from({ length: 4_000 }, (_, id) => [`${id}`, 1]));
  const inParts = async (connection: FakeConnection): Promise<void> => {
    const push = { type: 'push', number: 1, changes: changesOf({ t: { r: cells } }) } as const;
    const json = encodeClientMessage('', push).slice(1);
    for (let offset = 0; offset < json.length; offset += 9_000) {
      const text = json.slice(offset, offset + 9_000);
      const part = { type: 'part', number: 1, offset, length: json.length, text } as const;
      await connection.say(encodeClientMessage('', part));
    }
  };
  await inParts(ada);
  await inParts(bob);
  expect(bob.hear().at(-1)).toMatchObject({ type: 'error', code: 'overloaded' });
  expect(ada.closed).toBeUndefined();
  answer.resolve(true);
  await settle();
  expect(ada.hear().at(-1)).toMatchObject({ type: 'ack', number: 1, isCommit: true });
});

test('[LIMIT-5] of what was sent and not read, and who reads is asked early and stays', async () => {
  const host = await seeded();
  const silent = await Promise.all(['s1', 's2', 's3', 's4'].map((name) => host.join(name)));
  const reader = await host.join('reader');
  const types: string[] = [];
  for (let round = 0; round < 40; round += 1) {
    host.room.store.setValue('text', `${round}`.padEnd(10 * KIBI));
    await settle();
    for (const message of reader.hear()) {
      types.push(message.type);
      if (message.type === 'mark') await reader.say(encodeClientMessage('', message));
    }
  }
  expect(types.filter((type) => type === 'commit')).toHaveLength(40);
  const sent = silent.flatMap(({ frames }) => frames).reduce((sum, { length }) => sum + length, 0);
  expect(sent).toBeLessThan(340 * KIBI);
  for (const { frames } of silent)
    expect(frames.some((frame) => frame.includes('stale'))).toBe(true);
});

test('[LIMIT-5] those who do not read are no reason to close one who writes', async () => {
  const host = await seeded();
  const silent = await Promise.all(['s1', 's2', 's3', 's4'].map((name) => host.join(name)));
  const writer = await host.join('writer');
  await sendPart(writer, 150 * KIBI);
  for (let round = 0; round < 20; round += 1) {
    host.room.store.setValue('text', `${round}`.padEnd(10 * KIBI));
    await settle();
    for (const message of writer.hear())
      if (message.type === 'mark') await writer.say(encodeClientMessage('', message));
  }
  expect(writer.closed).toBeUndefined();
  for (const { frames } of silent)
    expect(frames.some((frame) => frame.includes('stale'))).toBe(true);
});

test('[LIMIT-5] a connection of which little is held is never refused', async () => {
  const host = await seeded({ limits: () => ({ heldLength: 0 }) });
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  for (let number = 1; number <= 20; number += 1) {
    await pushText(ada, number, 30 * KIBI);
    expect(ada.hearTypes()).toEqual(['ack']);
    for (const message of bob.hear())
      if (message.type === 'mark') await bob.say(encodeClientMessage('', message));
  }
  expect(bob.closed).toBeUndefined();
});

test('[LIMIT-5] sockets that the host dropped without a word count no more', async () => {
  const host = await seeded();
  const gone = await Promise.all(['g1', 'g2'].map((name) => host.join(name)));
  for (const connection of gone) await sendPart(connection, 140 * KIBI);
  for (const connection of gone) host.open.delete(connection);
  const ada = await host.join('ada');
  await sendPart(ada, 200 * KIBI);
  expect(ada.closed).toBeUndefined();
  expect(ada.hearTypes()).toEqual(['receipt']);
});

/** A call with much input. */
function call(id: number): string {
  return `v["slow","${'x'.repeat(40 * KIBI)}",${id}]`;
}

test('[LIMIT-5] of calls that are under way, until their end', async () => {
  const end = new Deferred<undefined>();
  const room = new EventfulRoom(
    () => ({ slow: procedure.handle(() => end.promise) }),
    {},
    { limits: () => ({ heldLength: 100 * KIBI }) },
  );
  const [ada, bob, eve] = [await room.join('ada'), await room.join('bob'), await room.join('eve')];
  await ada.say(call(1));
  await ada.say(call(2));
  eve.hear();
  await eve.say(call(1));
  expect(eve.hear()).toMatchObject([{ type: 'error', code: 'overloaded' }]);
  // It would free nothing to close her.
  expect(ada.closed).toBeUndefined();
  end.resolve(undefined);
  await settle();
  await bob.say(call(1));
  expect(heard(bob)).toEqual(['v[1]']);
});

test('[LIMIT-5] of readers that have as much unread, the one that sends much is closed first', async () => {
  const host = await seeded({
    limits: () => ({ heldLength: 600 * KIBI, messagesPerSecond: 2_000, messageBurst: 10_000 }),
  });
  const readers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => host.join(name)));
  const [ada, busy, ...others] = readers;
  for (let number = 0; number < 200; number += 1) await busy?.ping();
  for (let round = 0; round < 3; round += 1) {
    host.room.store.setCell('t', 'r', 'text', `${round}${'x'.repeat(60 * KIBI)}`);
    await settle();
  }
  expect(busy?.closed).toMatchObject(OVERLOADED);
  expect([ada, ...others].map((reader) => reader?.closed)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
