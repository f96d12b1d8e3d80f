import { expect, test } from 'vitest';

import { TinyBasePartyKitError } from '../../../src/protocol/errors.ts';
import { DEFAULT_LIMITS, type RoomLimits } from '../../../src/server/room/room-options.ts';
import {
  FakeRoomHost,
  inShort,
  settle,
  type ChangesInShort,
} from '../../support/fake-connection.ts';

const LIMITS = { contentBytes: 2_000 };
const text = (length: number): string => 'x'.repeat(length);

const seeded = async (options: ConstructorParameters<typeof FakeRoomHost>[0] = {}) => {
  const host = new FakeRoomHost({ limits: () => LIMITS, ...options });
  await host.seed({ t: { r: { a: text(1_000) } } });
  return host;
};

const hooks = {
  'without hooks': {},
  'with hooks': { hooks: () => ({ canSetCell: () => true }) },
};

test.each(Object.entries(hooks))(
  '[LIMIT-1] refuses a push that would make the content too large, and corrects its author, %s',
  async (_how, options) => {
    const host = await seeded(options);
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    await ada.push(1, { t: { r: { b: text(1_000), c: 1 } } });
    const ack = ada.hearOne('ack');
    expect(ack).toMatchObject({ number: 1, isCommit: false, reason: 'too-large' });
    expect(inShort(ack.correction)).toEqual({
      leaves: [
        ['t', 'r', 'b', undefined],
        ['t', 'r', 'c', undefined],
      ],
    });
    expect(bob.hear()).toEqual([]);
    await ada.push(2, { t: { r: { b: text(100) } } });
    expect(ada.hearOne('ack')).toEqual({
      type: 'ack',
      number: 2,
      version: 2,
      isCommit: true,
      correction: undefined,
      reason: undefined,
    });
    expect(host.errors).toEqual([]);
  },
);

test.each<[string, ChangesInShort]>([
  ['a text', { t: { r: { b: text(2_000) } } }],
  ['many small leaves', { t: { r: Object.fromEntries(numbers(20).map((id) => [id, 1])) } }],
  ['many small Values', Object.fromEntries(numbers(20).map((id) => [id, 1]))],
  ['the id of a cell', { t: { r: { [text(2_000)]: 1 } } }],
  ['the id of a row', { t: { [text(2_000)]: { a: 1 } } }],
  ['the id of a table', { [text(2_000)]: { r: { a: 1 } } }],
])('[LIMIT-1] counts %s', async (_what, changes) => {
  const host = await seeded();
  const ada = await host.join('ada');
  await ada.push(1, changes);
  expect(ada.hearOne('ack').reason).toBe('too-large');
  expect(await host.content()).toEqual([{ t: { r: { a: text(1_000) } } }, {}]);
});

test('[LIMIT-1] counts what comes little by little, and again after a restart', async () => {
  const host = await seeded();
  const ada = await host.join('ada');
  const bytes = (): number => JSON.stringify(host.room.store.getContent()).length;
  for (let number = 1; number <= 40; number += 1)
    await ada.push(number, { [`t${number}`]: { r: { a: number } } });
  const taken = ada.hear().filter((message) => message.type === 'ack' && message.isCommit).length;
  expect(taken).toBeGreaterThan(3);
  expect(bytes() + 100 * taken).toBeLessThan(2_000);
  const woken = new FakeRoomHost({ limits: () => LIMITS }, host.storage);
  const bob = await woken.join('bob');
  await bob.push(1, { more: { r: { a: text(400) } } });
  expect(bob.hearOne('ack').reason).toBe('too-large');
});

test('[LIMIT-1] takes what makes the content no larger, also over the limit', async () => {
  const host = await seeded();
  const woken = new FakeRoomHost({ limits: () => ({ contentBytes: 500 }) }, host.storage);
  expect(await woken.content()).toEqual([{ t: { r: { a: text(1_000) } } }, {}]);
  const ada = await woken.join('ada');
  const reasons: unknown[] = [];
  for (const [index, changes] of [
    { t: { r: { a: 'y'.repeat(1_000) } } },
    { t: { r: { a: text(1_001) } } },
    { t: { r: undefined, s: { a: text(900) } } },
    { t: { s: { a: undefined }, q: { b: text(800) } } },
    { t: { q: { c: 1 } } },
    { t: undefined },
    { t: { q: { c: 1 } } },
  ].entries()) {
    await ada.push(index + 1, changes);
    reasons.push(ada.hearOne('ack').reason);
  }
  const large = 'too-large';
  expect(reasons).toEqual([undefined, large, undefined, undefined, large, undefined, undefined]);
  expect(await woken.content()).toEqual([{ t: { q: { c: 1 } } }, {}]);
});

test('[LIMIT-1] a stock peer that sends too much is shown what the room has', async () => {
  const host = await seeded();
  const stock = host.connect();
  await stock.say(`s[{"t":{"r":{"a":"${text(2_500)}"}}},{},1]`);
  expect(inShort(stock.hearOne('stock').changes)).toEqual({
    leaves: [['t', 'r', 'a', text(1_000)]],
  });
});

test('[LIMIT-1] refuses initial content and restored content over the limit, and applies nothing of it', async () => {
  const host = new FakeRoomHost({ limits: () => LIMITS });
  const tooLarge = { t: { r: { a: text(2_000) } } };
  await expect(host.seed(tooLarge)).rejects.toMatchObject({ code: 'too-large' });
  const ada = host.connect();
  await ada.hello();
  await ada.push(1, tooLarge);
  expect((await host.room.content()).json).toBeUndefined();
  await host.seed({ t: { r: { a: 1 } } });
  const document = await host.room.exportRoom();
  const large = { ...document, content: [tooLarge, {}] };
  await expect(host.room.restoreRoom(large)).rejects.toMatchObject({ code: 'too-large' });
  expect(await host.content()).toEqual([{ t: { r: { a: 1 } } }, {}]);
});

test('[LIMIT-2] a room over the limit loads and can be restored as it is', async () => {
  const host = await seeded();
  const woken = new FakeRoomHost({ limits: () => ({ contentBytes: 10 }) }, host.storage);
  const document = await woken.room.exportRoom();
  await woken.room.restoreRoom(document);
  expect(await woken.content()).toEqual([{ t: { r: { a: text(1_000) } } }, {}]);
  expect(woken.errors).toEqual([]);
});

test("[LIMIT-2] tells once that the room's own code has made the content too large, and keeps it", async () => {
  const host = await seeded();
  const { store } = host.room;
  for (let row = 1; row <= 5; row += 1) store.setCell('own', `${row}`, 'a', text(500));
  await settle();
  expect(host.errors).toHaveLength(1);
  expect(host.errors[0]?.error).toBeInstanceOf(TinyBasePartyKitError);
  expect(host.errors[0]).toMatchObject({ error: { code: 'too-large' }, where: 'limit' });
  expect(store.getRowCount('own')).toBe(5);
  store.delTable('own');
  await settle();
  expect(host.errors).toHaveLength(1);
  store.setCell('own', '1', 'a', text(3_000));
  await settle();
  expect(host.errors).toHaveLength(2);
});

test('a push and a body are no larger than the content may be', () => {
  const { contentBytes, pushBytes, bodyBytes }: RoomLimits = DEFAULT_LIMITS;
  expect(Math.max(pushBytes, bodyBytes)).toBeLessThan(contentBytes);
});

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `n${index}`);
}
