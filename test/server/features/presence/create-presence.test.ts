import { expect, test } from 'vitest';

import { createPresence } from '../../../../src/server/features/presence/index.ts';
import { FakeRoomHost, type FakeConnection } from '../../../support/fake-connection.ts';

/** A fake connection with an id. */
type Identified = FakeConnection & { id: string };

/** A real room, with presence. */
const presentRoom = (): { host: FakeRoomHost; connect: (id: string) => Identified } => {
  const host = new FakeRoomHost();
  createPresence(host.room as never);
  return {
    host,
    connect: (id) => Object.assign(host.connect(), { id }),
  };
};

test('[PRES-1] [PRES-4] works in a room without a Store, beside clients that say nothing', async () => {
  const { host, connect } = presentRoom();
  const ada = connect('ada');
  const bob = connect('bob');
  const stock = host.connect();
  await ada.say('r{"x":1}');
  await bob.say('r{"x":2}');
  expect(ada.frames.at(-1)).toBe('r[{"connections":{"bob":{"x":2}}},{}]');
  expect(bob.frames).toEqual([
    'r[{"connections":{"ada":{"x":1},"bob":{"x":2}}},{},{"connections":0,"users":0}]',
  ]);
  host.disconnect(bob);
  await host.pass(100);
  expect(ada.frames.at(-1)).toBe('r[{},{},{"connections":["bob"]}]');
  expect(stock.frames).toEqual([]);
  expect(host.errors).toEqual([]);
});

test('[PRES-4] a row goes also when the room closes the connection, and nobody answers', async () => {
  const { host, connect } = presentRoom();
  const ada = connect('ada');
  const bob = connect('bob');
  await ada.say('r{"x":1}');
  await bob.say('r{"x":2}');
  bob.close(4000, 'evicted');
  await host.pass(1_000);
  await ada.say('r[1]');
  expect(ada.frames.at(-1)).toBe('r[{},{},{"connections":["bob"]}]');
});

test('[PRES-8] a real room rebuilds the rows after a hibernation', async () => {
  const { host, connect } = presentRoom();
  const ada = connect('ada');
  await ada.say('r{"x":1}');
  await host.pass(1_000);
  const [again] = host.hibernate(ada);
  createPresence(host.room as never);
  Object.assign(again ?? {}, { id: 'ada' });
  const late = connect('late');
  await late.say('r{}');
  await host.pass(50);
  expect(late.frames[0]).toContain('"ada":{"x":1}');
  expect(again?.frames.join()).toContain('"late"');
});

test.each([
  ['schema', { schema: {} }],
  ['user', { user: 'ada' }],
  ['rowBytes', { rowBytes: 0 }],
  ['rowBytes', { rowBytes: 1.5 }],
  ['silenceMilliseconds', { silenceMilliseconds: 0 }],
  ['answerMilliseconds', { answerMilliseconds: Number.NaN }],
  ['answerMilliseconds', { answerMilliseconds: '5' }],
  ['user', { user: null }],
  ['schema', { schema: null }],
  ['"rowbytes"', { rowbytes: 5 }],
  ['no object', null],
  ['no object', 5],
])('an option %s that is wrong is named at once', (name, options) => {
  const { room } = new FakeRoomHost();
  expect(() => createPresence(room as never, options as never)).toThrow(new RegExp(name));
});

test('a second presence in one room is refused', () => {
  const { room } = new FakeRoomHost();
  createPresence(room as never);
  expect(() => createPresence(room as never)).toThrow(/letter "r"/);
});

test('[PRES-4] [CLOSE-1] who was closed by the app is gone, also if its side never answers the close', async () => {
  const { host, connect } = presentRoom();
  const [ada, eve] = [connect('ada'), connect('eve')];
  await ada.say('r{"x":1}');
  await eve.say('r{"x":2}');
  await host.pass(1_000);
  eve.close(4003, 'out');
  await host.pass(1_000);
  await ada.say('r{"x":3}');
  await eve.say('r{"x":4}');
  await host.pass(1_000);
  const late = connect('late');
  await late.say('r{}');
  await host.pass(50);
  expect(late.frames[0]).toContain('"ada"');
  expect(late.frames[0]).not.toContain('"eve"');
  expect(ada.frames.join()).toContain('"connections":["eve"]');
});

test('[PRES-4] who was closed by the app and has come again with the same id is there', async () => {
  const { host, connect } = presentRoom();
  const [ada, eve] = [connect('ada'), connect('eve')];
  await ada.say('r{"x":1}');
  await eve.say('r{"x":2}');
  await host.pass(1_000);
  eve.close(4003, 'out');
  // The room notices while it tells this, and before any time has passed, eve is there again.
  void host.room.receive(ada, 'r{"x":3}');
  const again = connect('eve');
  await again.say('r{"x":5}');
  await host.pass(1_000);
  const late = connect('late');
  await late.say('r{}');
  expect(late.frames[0]).toContain('"eve":{"x":5}');
});
