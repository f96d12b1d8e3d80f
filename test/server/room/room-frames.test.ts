import { describe, expect, test } from 'vitest';

import { encodeClientMessage } from '../../../src/protocol/codec.ts';
import {
  changesOf,
  clientId,
  FakeRoomHost,
  type ChangesInShort,
  type FakeConnection,
} from '../../support/fake-connection.ts';

const pushOf = (number: number, changes: ChangesInShort): string =>
  encodeClientMessage('', { type: 'push', number, changes: changesOf(changes) });

const joined = async (
  options: ConstructorParameters<typeof FakeRoomHost>[0] = {},
): Promise<{ host: FakeRoomHost; ada: FakeConnection; bob: FakeConnection }> => {
  const host = new FakeRoomHost(options);
  await host.seed({ open: true });
  const [ada, bob] = [host.connect(), host.connect()];
  const { cursor } = await host.room.content();
  await ada.hello({ cursor });
  await bob.hello({ cursor, clientId: clientId('bob') });
  for (const peer of [ada, bob]) {
    expect(peer.hearTypes()).toEqual(['welcome']);
    peer.frameCount = 0;
  }
  return { host, ada, bob };
};

describe('[FRAME-5] several pushes in a frame', () => {
  test('are commits of their own, in order; their answers share a frame, and so do commits', async () => {
    const { host, ada, bob } = await joined();
    await ada.say([1, 2, 3].map((number) => pushOf(number, { v: number })).join('\n'));
    expect(bob.hear()).toMatchObject(
      [1, 2, 3].map((number) => ({ type: 'commit', version: 1 + number })),
    );
    expect(ada.hear()).toMatchObject([1, 2, 3].map((push) => ({ type: 'ack', number: push })));
    // The first leaves before the host's `sync`, the others after it (ORDER-9).
    expect([ada.frameCount, bob.frameCount]).toEqual([1, 2]);
    expect(host.room.store.getValue('v')).toBe(3);
  });

  test('spoil one another in nothing: one that is malformed is answered alone', async () => {
    const { host, ada } = await joined();
    await ada.say([pushOf(1, { a: 1 }), 'p[2,[{},{"b":', pushOf(2, { b: 2 })].join('\n'));
    expect(ada.hear()).toMatchObject([
      { type: 'ack', number: 1 },
      { type: 'error', code: 'malformed', push: 2 },
      { type: 'ack', number: 2 },
    ]);
    expect(host.room.store.getValues()).toEqual({ open: true, a: 1, b: 2 });
  });

  test.each(['h[1,"x"]', 'w[]', '', 'i', 'm[2,0,9,"[2,[{},{}]"]', 'text of the app'])(
    'leave out what is no push: %s',
    async (other) => {
      const { host, ada } = await joined();
      await ada.say([pushOf(1, { a: 1 }), other, pushOf(2, { b: 2 })].join('\n'));
      expect(ada.hear()).toMatchObject([
        { type: 'ack', number: 1 },
        { type: 'ack', number: 2 },
      ]);
      expect(host.room.store.getValues()).toEqual({ open: true, a: 1, b: 2 });
    },
  );

  test.each([
    ['begins like no push', (push: string) => [push, ...Array<string>(9).fill('p'), 'p[', 'p[x,']],
    ['is empty', (push: string) => [push, ...Array<string>(9).fill('')]],
  ])('and every line is left out that %s, without an answer', async (_what, linesOf) => {
    const { ada } = await joined();
    await ada.say(linesOf(pushOf(1, { a: 1 })).join('\n'));
    expect(ada.hear()).toMatchObject([{ type: 'ack', number: 1 }]);
  });

  test('are at most as many as a client joins: a longer frame is one message, of which little is made', async () => {
    const { host, ada } = await joined();
    const line = `${pushOf(1, { a: 1 })}\n`;
    await ada.say(line.repeat(2 ** 16 / line.length + 1));
    expect(ada.hear()).toMatchObject([{ type: 'error', code: 'malformed', push: 1 }]);
    expect(host.room.store.getValues()).toEqual({ open: true });
    await ada.say(line.repeat(2 ** 16 / line.length));
    expect(ada.hear()[0]).toMatchObject({ type: 'ack', number: 1, isCommit: true });
    expect(host.room.store.getValues()).toEqual({ open: true, a: 1 });
  });

  test('are not taken from a text of the app that has line breaks', async () => {
    const { host, ada } = await joined();
    await ada.say(['dear room', pushOf(1, { a: 1 })].join('\n'));
    expect(ada.hear()).toEqual([]);
    expect(host.room.store.getValues()).toEqual({ open: true });
  });
});

test('[FRAME-5] a stock peer gets each message in a frame of its own', async () => {
  const { host, ada } = await joined();
  const stock = host.connect();
  await ada.say([1, 2, 3].map((number) => pushOf(number, { v: number })).join('\n'));
  expect([stock.frames.length, stock.frameCount]).toEqual([3, 3]);
});

describe('[FLOOD-1] pushes that share a frame', () => {
  test('count as an eighth each, beside the first', async () => {
    const { host, ada } = await joined({
      limits: () => ({ messageBurst: 10, messagesPerSecond: 1 }),
    });
    // The hello was one; 65 pushes are nine.
    const pushes = Array.from({ length: 65 }, (_, index) => pushOf(index + 1, { v: index }));
    await ada.say(pushes.join('\n'));
    expect(ada.hear()).toHaveLength(65);
    await ada.say(pushOf(66, { v: 'too much' }));
    expect(ada.hear()).toMatchObject([{ type: 'error', code: 'overloaded' }]);
    expect(host.room.store.getValue('v')).toBe(64);
  });
});
