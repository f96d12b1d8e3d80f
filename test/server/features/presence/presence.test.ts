import { createStore } from 'tinybase';
import { expect, test } from 'vitest';

import type { PresenceOptions } from '../../../../src/server/features/presence/presence-options.ts';
import { type FakeSocket, PresenceWorld } from '../../../support/presence-world.ts';
import { thenable } from '../../../support/thenable.ts';

type Options = PresenceOptions<FakeSocket, unknown, unknown>;

/** The deleted rows of a full picture. */
const ALL = { connections: 0, users: 0 };
/** Names the user of a socket as the socket says. */
const user = ({ user: id }: FakeSocket): { id: string; name: string } | undefined =>
  id === undefined ? undefined : { id, name: `The ${id}` };

/** A schema of one cell, `x`: a whole number from 0 on, 9 at most, 5 if it is left out. */
const schema: Options['schema'] = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (row) => {
      const { x = 5 } = row as { x?: unknown };
      return typeof x === 'number' && x >= 0
        ? { value: { x: Math.min(9, Math.floor(x)) } }
        : { issues: [{ message: 'no', path: ['x'] }] };
    },
  },
};

const joined = (world: PresenceWorld, ...ids: readonly string[]) =>
  ids.map((id) => world.tab(id).open());

test('[PRES-1] the answer to a join is the full picture, and no presence frame comes before it', () => {
  const world = new PresenceWorld();
  const [ada] = joined(world, 'ada', 'eve');
  const watcher = world.connect('bob');
  for (let x = 0; x < 5; x += 1) {
    ada?.presence.set({ x });
    world.pass(100);
  }
  expect(watcher.received).toEqual([]);
  world.send(watcher, '{"x":7}');
  expect(watcher.received).toEqual([
    [{ connections: { ada: { x: 4 }, eve: { user: null }, bob: { x: 7 } } }, {}, ALL],
  ]);
});

test('[PRES-1] somebody who joins while others move gets the picture first, then what follows', () => {
  const world = new PresenceWorld({}, 10);
  const others = joined(world, 'a', 'b', 'c');
  const late = world.tab('late');
  late.presence.set({ at: 'the end' });
  world.pass(100);
  for (let round = 0; round < 40; round += 1) {
    others.forEach(({ presence }, index) => presence.set({ x: round * 3 + index }));
    if (round === 20) late.open();
    world.pass(7);
  }
  expect(late.received[0]).toMatchObject([{ connections: { late: {} } }, {}, ALL]);
  world.pass(200);
  const rows = world.roomStore.getTable('connections');
  expect(rows).toEqual({ a: { x: 117 }, b: { x: 118 }, c: { x: 119 }, late: { at: 'the end' } });
  for (const tab of [...others, late]) expect(tab.rows).toEqual(rows);
});

test('[PRES-2] what a client sends touches its own row alone, whatever it is called', () => {
  const world = new PresenceWorld({ user });
  const ada = world.tab('ada', { user: 'u1' });
  ada.presence.set({ x: 1 });
  ada.open();
  const evil = world.connect('__proto__', undefined, 'u2');
  const before = Object.getOwnPropertyNames(Object.prototype);
  world.send(evil, '{"__proto__":1,"constructor":"c","toString":null,"ada":{"x":9}}');
  world.send(evil, '[{"connections":{"ada":{"x":9}}},{}]');
  world.send(evil, '{"connections":{"ada":{"x":9}},"users":{"u1":{"name":"Eve"}}}');
  world.pass(100);
  expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
  expect(world.roomStore.getRowIds('connections')).toEqual(['ada', '__proto__']);
  expect(ada.store.getRow('connections', 'ada')).toEqual({ x: 1, user: 'u1' });
  expect(ada.store.getCell('connections', '__proto__', 'users')).toEqual({ u1: { name: 'Eve' } });
  expect(ada.users).toEqual({
    u1: { id: 'u1', name: 'The u1' },
    u2: { id: 'u2', name: 'The u2' },
  });
  expect(world.errors).toEqual([]);
});

test('[PRES-2] the cell user is the room’s: a row that has it is refused, the client’s and the schema’s', () => {
  const world = new PresenceWorld({ user });
  const socket = world.connect('ada', undefined, 'u1');
  world.send(socket, '{"x":1}');
  world.send(socket, '{"x":2,"user":"u2"}');
  expect(socket.received.at(-1)).toMatchObject({
    own: [{ connections: { ada: { x: 1 } } }, {}],
    error: { code: 'malformed' },
  });
  expect(world.roomStore.getRow('connections', 'ada')).toEqual({ x: 1, user: 'u1' });

  const claiming = new PresenceWorld({
    schema: {
      '~standard': { version: 1, vendor: 'test', validate: () => ({ value: { user: 'u2' } }) },
    },
  });
  const other = claiming.connect('ada');
  claiming.send(other, '{"x":1}');
  expect(other.received.at(-1)).toMatchObject({ error: { code: 'malformed' } });
  expect(claiming.roomStore.getRow('connections', 'ada')).toEqual({ user: null });
});

test('[PRES-2] the cell user is refused also where the schema would drop it', () => {
  const world = new PresenceWorld({ schema });
  const socket = world.connect('ada');
  world.send(socket, '{"x":1,"user":"u2"}');
  expect(socket.received.at(-1)).toMatchObject({ error: { code: 'malformed' } });
  expect(world.roomStore.hasCell('connections', 'ada', 'x')).toBe(false);
});

test('[PRES-2] many tabs of one user are many connections and one user, who goes with the last', () => {
  const world = new PresenceWorld({ user });
  const watcher = world.tab('watcher').open();
  const tabs = ['one', 'two'].map((id) => world.tab(id, { user: 'u1' }).open());
  world.pass(100);
  expect(watcher.rows).toEqual({ one: { user: 'u1' }, two: { user: 'u1' } });
  expect(watcher.users).toEqual({ u1: { id: 'u1', name: 'The u1' } });
  tabs[0]?.close();
  world.pass(100);
  expect(watcher.users).toEqual({ u1: { id: 'u1', name: 'The u1' } });
  tabs[1]?.close();
  world.pass(100);
  expect([watcher.rows, watcher.users]).toEqual([{}, {}]);
});

test('[PRES-2] a user that cannot be named is not let in, the app is told, and the client gets no more than that', () => {
  const secret = 'the database said no';
  const world = new PresenceWorld({
    user: (socket) => {
      if (socket.id === 'broken') throw new Error(secret);
      return socket.id === 'odd' ? ({ name: 'no id' } as never) : { id: 'u', when: new Date(0) };
    },
  });
  for (const id of ['broken', 'odd', 'dated']) {
    const socket = world.connect(id);
    world.send(socket, '{}');
    expect(socket.received).toMatchObject([{ error: { code: 'failed' } }]);
    expect(JSON.stringify(socket.received)).not.toContain(secret);
  }
  expect(world.errors).toHaveLength(3);
  expect(world.roomStore.getTables()).toEqual({});
});

test('[PRES-3] the id of a connection of another user is forbidden, also where presence tells no users', () => {
  const world = new PresenceWorld();
  world.isGated = true;
  const ada = world.connect('one', undefined, 'ada');
  world.send(ada, '{"x":1}');
  const eve = world.connect('one', undefined, 'eve');
  world.send(eve, '{"x":666}');
  expect(eve.received).toMatchObject([{ error: { code: 'forbidden' } }]);
  expect(world.roomStore.getRow('connections', 'one')).toEqual({ x: 1 });
  const again = world.connect('one', undefined, 'ada');
  world.send(again, '{"x":2}');
  expect(world.roomStore.getRow('connections', 'one')).toEqual({ x: 2 });
  world.sleep();
  world.send(eve, '{"x":666}');
  expect(world.roomStore.getRow('connections', 'one')).toEqual({ x: 2 });
});

test('[PRES-3] two connections of one id share the row, which goes with the last: a reconnect changes nothing', () => {
  const world = new PresenceWorld({ user });
  const watcher = world.tab('watcher', { user: 'w' }).open();
  const ada = world.tab('ada', { user: 'u1' });
  ada.presence.set({ x: 1 });
  ada.open();
  world.pass(100);
  const frames = watcher.received.length;
  const old = ada.socket;
  ada.open();
  world.pass(100);
  world.disconnect(old);
  world.pass(100);
  expect(watcher.received.slice(frames)).toEqual([]);
  expect(watcher.store.getRow('connections', 'ada')).toEqual({ x: 1, user: 'u1' });
  ada.close();
  world.pass(100);
  expect(watcher.store.hasRow('connections', 'ada')).toBe(false);
});

test.each([
  ['another user', 'u2'],
  ['nobody', undefined],
])('[PRES-3] the id of a connection that is open is forbidden for %s', (_who, other) => {
  const world = new PresenceWorld({ user });
  const ada = world.tab('ada', { user: 'u1' });
  ada.presence.set({ x: 1 });
  ada.open();
  const thief = world.connect('ada', undefined, other);
  world.send(thief, '{"x":666}');
  expect(thief.received).toMatchObject([{ error: { code: 'forbidden' } }]);
  world.disconnect(thief);
  world.pass(100);
  expect(world.roomStore.getRow('connections', 'ada')).toEqual({ x: 1, user: 'u1' });
  ada.close();
  const heir = world.connect('ada', undefined, other);
  world.send(heir, '{"x":2}');
  expect(world.roomStore.getCell('connections', 'ada', 'x')).toBe(2);
});

test.each([
  ['has joined', '{"x":666}', { ada: { x: 666, user: 'u2' } }],
  ['says nothing, where a gate knows users', undefined, {}],
])(
  '[PRES-3] a client takes another id where somebody else uses its own and %s',
  async (_how, frame, rows) => {
    const world = new PresenceWorld({ user });
    world.isGated = true;
    const watcher = world.tab('watcher', { user: 'w' }).open();
    const ada = world.tab('ada', { user: 'u1' });
    ada.presence.set({ x: 1 });
    ada.open();
    world.pass(100);
    ada.close();
    const squatter = world.connect('ada', undefined, 'u2');
    if (frame !== undefined) world.send(squatter, frame);
    ada.open();
    world.pass(100);
    expect(ada.received).toMatchObject([{ error: { code: 'forbidden' } }]);
    await Promise.resolve();
    expect(ada.errors).toMatchObject([{ code: 'forbidden' }]);
    ada.presence.set({ x: 2 });
    world.pass(800);
    expect(ada.presence.getId()).toBe('ada');
    world.pass(200);
    expect(ada.presence.getId()).toBe("ada'");
    const all = { ...rows, "ada'": { x: 2, user: 'u1' }, watcher: { user: 'w' } };
    expect(watcher.rows).toEqual(all);
    expect(ada.rows).toEqual(all);
    world.pass(10_000);
    await Promise.resolve();
    expect(ada.errors).toHaveLength(1);
  },
);

test('[PRES-3] who loses the connection before it takes another id joins with its own first', () => {
  const world = new PresenceWorld({ user });
  const squatter = world.connect('ada', undefined, 'u2');
  world.send(squatter, '{}');
  const ada = world.tab('ada', { user: 'u1' }).open();
  world.pass(500);
  world.disconnect(squatter);
  ada.close().open();
  world.pass(2_000);
  expect(ada.rows).toEqual({ ada: { user: 'u1' } });
});

test.each([
  ['closes', (world: PresenceWorld, socket: FakeSocket) => world.disconnect(socket)],
  ['leaves', (world: PresenceWorld, socket: FakeSocket) => world.send(socket, '[]')],
  [
    'is gone without a word, once anybody asks',
    (world: PresenceWorld, socket: FakeSocket) => {
      world.disconnect(socket, true);
      world.send(world.connect('asks'), '[1]');
    },
  ],
])('[PRES-4] the row of somebody who %s is gone at once', (_how, end) => {
  const world = new PresenceWorld();
  const [watcher] = joined(world, 'watcher');
  const socket = world.connect('ada');
  world.send(socket, '{"x":1}');
  world.pass(2_000);
  expect(watcher?.store.getRow('connections', 'ada')).toEqual({ x: 1 });
  end(world, socket);
  expect(watcher?.store.hasRow('connections', 'ada')).toBe(false);
});

test('[PRES-4] who has left hears nothing more, keeps the socket, and may join again', () => {
  const world = new PresenceWorld();
  const [ada] = joined(world, 'ada');
  const socket = world.connect('bob');
  world.send(socket, '{"x":1}');
  world.pass(1_500);
  expect(world.slotsOf('bob')).toEqual([{ x: 1 }]);
  world.send(socket, '[]');
  expect(world.slotsOf('bob')).toEqual([undefined]);
  const frames = socket.received.length;
  ada?.presence.set({ x: 1 });
  world.pass(100);
  expect(socket.received).toHaveLength(frames);
  world.send(socket, '{"x":2}');
  expect(socket.received.at(-1)).toMatchObject([{}, {}, ALL]);
});

test('[PRES-5] 100 sets in 200 ms are at most 8 frames, the first at once, and the last value arrives', () => {
  const world = new PresenceWorld();
  const [ada, bob] = joined(world, 'ada', 'bob');
  world.pass(100);
  const before = [ada?.sent.length ?? 0, bob?.received.length ?? 0] as const;
  ada?.presence.set({ x: -1 });
  world.settle();
  expect(bob?.store.getCell('connections', 'ada', 'x')).toBe(-1);
  for (let x = 0; x < 100; x += 1) {
    ada?.presence.set({ x });
    world.pass(2);
  }
  world.pass(100);
  expect(bob?.store.getCell('connections', 'ada', 'x')).toBe(99);
  expect((ada?.sent.length ?? 0) - before[0]).toBeLessThanOrEqual(8);
  expect((bob?.received.length ?? 0) - before[1]).toBeLessThanOrEqual(8);
});

test('[PRES-5] nothing is sent while alone, but for the join; what was kept goes when somebody comes', () => {
  const world = new PresenceWorld();
  const [ada] = joined(world, 'ada');
  for (let x = 0; x < 100; x += 1) {
    ada?.presence.set({ x });
    world.pass(20);
  }
  expect(ada?.sent).toEqual(['{}']);
  const bob = world.tab('bob').open();
  world.pass(100);
  expect(ada?.sent).toEqual(['{}', '{"x":99}']);
  expect(bob.store.getRow('connections', 'ada')).toEqual({ x: 99 });
  bob.close();
  world.pass(100);
  ada?.presence.set({ x: -1 });
  world.pass(100_000);
  expect(ada?.sent).toHaveLength(2);
});

test('[PRES-5] the room tells all the same frame, once in 33 ms, and an only author is left out', () => {
  const world = new PresenceWorld();
  const sockets = ['a', 'b', 'c'].map((id) => world.connect(id));
  for (const socket of sockets) world.send(socket, '{}');
  world.pass(100);
  for (const { received } of sockets) received.length = 0;
  const [a, b, c] = sockets as [FakeSocket, FakeSocket, FakeSocket];
  world.send(a, '{"x":1}');
  world.send(a, '{"x":2}');
  expect([a, b, c].map(({ received }) => received.length)).toEqual([0, 1, 1]);
  world.send(b, '{"x":3}');
  world.send(b, '{"x":4}');
  world.pass(32);
  expect([a, b, c].map(({ received }) => received.length)).toEqual([0, 1, 1]);
  world.pass(1);
  const both = [{ connections: { a: { x: 2 }, b: { x: 4, user: '\uFFFC' } } }, {}];
  expect([a, b, c].map(({ received }) => received.slice(-1))).toEqual([[both], [both], [both]]);
});

test('[PRES-5] beyond what a room can send, it tells less often: 200 who all move get every row, later', () => {
  const world = new PresenceWorld();
  const sockets = Array.from({ length: 200 }, (_, index) => world.connect(`connection-${index}`));
  for (const socket of sockets) world.send(socket, '{"x":1234,"y":5678}');
  world.pass(5_000);
  for (const { received } of sockets) received.length = 0;
  for (let round = 0; round < 30; round += 1) {
    sockets.forEach((socket, index) => world.send(socket, `{"x":${round},"y":${index}}`));
    world.pass(33);
  }
  world.pass(2_000);
  const [first] = sockets as [FakeSocket];
  expect(first.received.length).toBeLessThan(15);
  expect(world.roomStore.getCell('connections', 'connection-199', 'x')).toBe(29);
  expect(JSON.stringify(first.received.at(-1))).toContain('"connection-199":{"x":29');
});

test('[PRES-6] the schema’s output is the row: it may fill in, round, and refuse', async () => {
  const world = new PresenceWorld({ schema });
  const ada = world.tab('ada').open();
  expect(ada.rows).toEqual({ ada: { x: 5 } });
  const bob = world.tab('bob').open();
  ada.presence.set({ x: 3.7 });
  world.pass(100);
  expect([
    ada.store.getCell('connections', 'ada', 'x'),
    bob.store.getCell('connections', 'ada', 'x'),
  ]).toEqual([3, 3]);
  ada.presence.set({ x: -1 });
  world.pass(100);
  await Promise.resolve();
  expect(ada.errors).toMatchObject([{ code: 'malformed' }]);
  await Promise.resolve();
  expect(ada.errors[0]?.message).toMatch(/\bx\b/);
  await Promise.resolve();
  expect(ada.errors[0]?.message).not.toContain('-1');
  expect([
    ada.store.getCell('connections', 'ada', 'x'),
    bob.store.getCell('connections', 'ada', 'x'),
  ]).toEqual([3, 3]);
  ada.presence.set({ x: 4 });
  world.pass(100);
  await Promise.resolve();
  expect([ada.errors.length, bob.store.getCell('connections', 'ada', 'x')]).toEqual([1, 4]);
});

test('[PRES-6] a first row that is refused joins without cells; one without cells does so without an error', async () => {
  const strict: Options['schema'] = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (row) =>
        'x' in (row as object) ? { value: row } : { issues: [{ message: 'x!' }] },
    },
  };
  const world = new PresenceWorld({ schema: strict });
  const watcher = world.tab('watcher').open();
  await Promise.resolve();
  expect([watcher.errors, watcher.received.length]).toEqual([[], 1]);
  const ada = world.tab('ada');
  ada.presence.set({ y: 1 });
  ada.open();
  await Promise.resolve();
  expect(ada.errors).toMatchObject([{ code: 'malformed' }]);
  expect(ada.received[0]).toMatchObject([{}, {}, ALL]);
  expect(ada.store.hasCell('connections', 'ada', 'y')).toBe(false);
  expect(watcher.store.hasRow('connections', 'ada')).toBe(true);
});

test.each([
  ['a Date', { at: new Date(0) }],
  ['a Map', { at: new Map() }],
  ['a bigint', { at: 1n }],
  ['what is undefined as JSON', { at: { toJSON: () => undefined } }],
  ['what is a marker as JSON', { at: { toJSON: () => '\uFFFDx' } }],
  ['a number that is none', { at: NaN }],
  ['a function', { at: () => 1 }],
  ['a text that only TinyBase may write', { at: '\uFFFC' }],
  ['no object', 'text'],
  ['null', null],
])('[PRES-6] output that is not cells is malformed, and nothing changed: %s', (_what, value) => {
  let isBroken = false;
  const world = new PresenceWorld({
    schema: {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (row) => ({ value: isBroken ? value : row }),
      },
    },
  });
  const socket = world.connect('ada');
  world.send(socket, '{"x":1}');
  isBroken = true;
  world.send(socket, '{"x":2}');
  expect(socket.received.at(-1)).toMatchObject({
    own: [{ connections: { ada: { x: 1 } } }, {}],
    error: { code: 'malformed' },
  });
  expect(world.roomStore.getRow('connections', 'ada')).toEqual({ x: 1 });
});

test.each([
  [
    'throws',
    () => {
      throw new Error('the secret of the app');
    },
  ],
  ['is async', () => Promise.resolve({ value: {} })],
  ['answers with a thenable', () => thenable({ value: {} }) as never],
  ['answers with nothing', () => undefined as never],
])('[PRES-6] a schema that %s fails, and the app is told why', (_how, validate) => {
  const world = new PresenceWorld({
    schema: { '~standard': { version: 1, vendor: 'test', validate } },
  });
  const socket = world.connect('ada');
  world.send(socket, '{"x":1}');
  expect(socket.received.at(-1)).toMatchObject({ own: [{}, {}], error: { code: 'failed' } });
  expect(JSON.stringify(socket.received)).not.toContain('secret');
  expect(world.errors).toHaveLength(1);
});

test.each([
  ['of 513 bytes', JSON.stringify({ x: 'x'.repeat(513 - 8) })],
  ['of 513 bytes and fewer letters', JSON.stringify({ x: 'é'.repeat(252) + 'y' })],
  ['of 1 MB', JSON.stringify({ x: 'x'.repeat(1_000_000) })],
])('[PRES-6] a row %s is too large, and nothing changed', (_size, row) => {
  const world = new PresenceWorld();
  const [bob] = joined(world, 'bob');
  const socket = world.connect('ada');
  world.send(socket, JSON.stringify({ x: 'x'.repeat(512 - 8) }));
  expect(bob?.store.getCell('connections', 'ada', 'x')).toHaveLength(504);
  world.send(socket, row);
  expect(socket.received.at(-1)).toMatchObject({ error: { code: 'too-large' } });
  expect(world.roomStore.getCell('connections', 'ada', 'x')).toHaveLength(504);
});

test('[PRES-6] a row that is too large is not shown to the schema, which might make less of it', () => {
  const world = new PresenceWorld({ schema });
  const socket = world.connect('ada');
  world.send(socket, JSON.stringify({ x: 1, more: 'x'.repeat(600) }));
  expect(socket.received.at(-1)).toMatchObject({ error: { code: 'too-large' } });
});

test('[PRES-6] a row that the schema makes too large is too large, too; rowBytes is an option', () => {
  const growing: Options['schema'] = {
    '~standard': { version: 1, vendor: 'test', validate: () => ({ value: { x: 'x'.repeat(90) } }) },
  };
  for (const [rowBytes, isTaken] of [
    [98, true],
    [97, false],
  ] as const) {
    const world = new PresenceWorld({ schema: growing, rowBytes });
    const socket = world.connect('ada');
    world.send(socket, '{}');
    expect(world.roomStore.hasCell('connections', 'ada', 'x')).toBe(isTaken);
  }
});

test('[PRES-6] broken frames change nothing; who has joined is told', () => {
  const world = new PresenceWorld();
  const stranger = world.connect('stranger');
  const member = world.connect('member');
  world.send(member, '{"x":1}');
  world.pass(1_500);
  const broken = ['', '{', 'eady', 'null', '[2]', '[1,2]', '"x"'];
  for (const json of broken) {
    world.send(stranger, json);
    world.send(member, json);
  }
  expect(stranger.received).toEqual([]);
  expect(member.received.slice(1)).toHaveLength(broken.length);
  for (const frame of member.received.slice(1))
    expect(frame).toMatchObject({ error: { code: 'malformed' } });
  expect(world.roomStore.getTable('connections')).toEqual({ member: { x: 1 } });
});

const DEEP = `\uFFFD${'['.repeat(201)}${']'.repeat(201)}`;

test.each([
  ['"\uFFFC"'],
  ['"\uFFFDx"'],
  ['"\uFFFDundefined"'],
  [JSON.stringify(DEEP)],
  [DEEP.slice(1)],
  [`"\uFFFD${'['.repeat(300)}"`],
])('[PRES-6] a row with a cell that no Store holds is malformed, a first one too: %s', (leaf) => {
  const world = new PresenceWorld();
  const socket = world.connect('ada');
  world.send(socket, `{"x":${leaf}}`);
  expect(socket.received).toMatchObject([[{}, {}, ALL], { error: { code: 'malformed' } }]);
  world.send(socket, '{"x":1}');
  world.send(socket, `{"x":${leaf}}`);
  expect(socket.received.at(-1)).toMatchObject({ error: { code: 'malformed' } });
  expect(world.roomStore.getRow('connections', 'ada')).toEqual({ x: 1 });
  expect(world.errors).toEqual([]);
});

test('[PRES-6] output that is deeper than anything that travels is malformed', () => {
  const deep: unknown = JSON.parse(DEEP.slice(1));
  const world = new PresenceWorld({
    schema: {
      '~standard': { version: 1, vendor: 'test', validate: () => ({ value: { deep } }) },
    },
  });
  const socket = world.connect('ada');
  world.send(socket, '{}');
  expect(world.roomStore.getRow('connections', 'ada')).toEqual({ user: null });
});

test('[PRES-6] a flood is overloaded, told once a second, costs nobody else, and its last row arrives', () => {
  const world = new PresenceWorld();
  const [bob] = joined(world, 'bob');
  const flood = world.tab('flood');
  flood.open();
  world.pass(100);
  const before = bob?.received.length ?? 0;
  for (let x = 0; x < 2_000; x += 1) world.send(flood.socket, `{"x":${x}}`);
  flood.presence.set({ x: 1_999 });
  world.settle();
  const told = flood.received.filter((frame) => JSON.stringify(frame).includes('overloaded'));
  expect(told).toHaveLength(1);
  expect(bob?.received.length ?? 0).toBeLessThanOrEqual(before + 1);
  world.pass(10_000);
  expect(bob?.store.getCell('connections', 'flood', 'x')).toBe(1_999);
});

test('[PRES-6] joining again and again in a full room is a flood sooner: it costs a picture each time', () => {
  const world = new PresenceWorld();
  for (let index = 0; index < 500; index += 1) world.send(world.connect(`c${index}`), '{"x":1}');
  const flood = world.connect('flood');
  for (let round = 0; round < 500; round += 1) {
    world.send(flood, '{}');
    world.send(flood, '[]');
  }
  const pictures = flood.received.filter((frame) => Array.isArray(frame));
  expect(pictures.length).toBeLessThan(150);
});

test('[PRES-7] own cells are local truth: nothing that the room echoes changes them', () => {
  const world = new PresenceWorld({}, 40);
  const [ada, bob] = joined(world, 'ada', 'bob');
  world.pass(200);
  const shown: unknown[] = [];
  ada?.store.addCellListener('connections', 'ada', 'x', (_store, _table, _row, _cell, x) =>
    shown.push(x),
  );
  for (let x = 0; x < 30; x += 1) {
    ada?.presence.set({ x });
    bob?.presence.set({ x });
    world.pass(10);
  }
  world.pass(500);
  expect(shown).toEqual(Array.from({ length: 30 }, (_, x) => x));
});

test('[PRES-7] a correction that comes while a newer edit waits does not show', () => {
  const world = new PresenceWorld({ schema }, 10);
  const [ada] = joined(world, 'ada', 'bob');
  world.pass(200);
  const shown: unknown[] = [];
  ada?.store.addCellListener('connections', 'ada', 'x', (_store, _table, _row, _cell, x) =>
    shown.push(x),
  );
  ada?.presence.set({ x: 3.7 });
  world.pass(5);
  ada?.presence.set({ x: 4.2 });
  world.pass(200);
  expect(shown).toEqual([3.7, 4.2, 4]);
});

test('[PRES-7] a cell that was refused is not sent again with the next edit, nor one that was deleted', async () => {
  const world = new PresenceWorld({
    schema: {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (row) =>
          'bad' in (row as object) || (row as { x?: unknown }).x === -1
            ? { issues: [{ message: 'no', path: ['x'] }] }
            : { value: row },
      },
    },
  });
  const [ada] = joined(world, 'ada', 'bob');
  ada?.presence.set({ x: 1, z: 1 });
  world.pass(100);
  ada?.presence.set({ x: -1, bad: 1, z: undefined });
  world.pass(100);
  expect(ada?.store.getRow('connections', 'ada')).toEqual({ x: 1, z: 1 });
  ada?.presence.set({ y: 2 });
  world.pass(100);
  expect(world.roomStore.getRow('connections', 'ada')).toEqual({ x: 1, z: 1, y: 2 });
  await Promise.resolve();
  expect(ada?.errors).toHaveLength(1);
});

test('[PRES-7] a correction yields to cells that changed since, and both ends are equal at last', () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const world = new PresenceWorld({ schema }, 25 + seed);
    const [ada, bob] = joined(world, 'ada', 'bob');
    world.pass(500);
    let random = seed;
    for (let step = 0; step < 60; step += 1) {
      random = (random * 16_807) % 2_147_483_647;
      ada?.presence.set({ x: (random % 14) - 2 + (random % 10) / 10 });
      world.pass(random % 50);
    }
    world.pass(1_000);
    const x = world.roomStore.getCell('connections', 'ada', 'x');
    expect([
      ada?.store.getCell('connections', 'ada', 'x'),
      bob?.store.getCell('connections', 'ada', 'x'),
    ]).toEqual([x, x]);
  }
});

test('[PRES-7] a schema that makes another type of a cell gets each time what the app had set', async () => {
  const world = new PresenceWorld({
    schema: {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (row) => {
          const { name, x = 0 } = row as { name?: unknown; x?: unknown };
          return typeof name === 'string'
            ? { value: { name: name.length, x } }
            : { issues: [{ message: 'no text', path: ['name'] }] };
        },
      },
    },
  });
  const ada = world.tab('ada');
  ada.presence.set({ name: 'Ada' });
  ada.open();
  world.tab('bob').open();
  for (let x = 1; x < 4; x += 1) {
    ada.presence.set({ x });
    world.pass(100);
    expect(ada.store.getRow('connections', 'ada')).toEqual({ name: 3, x });
  }
  await Promise.resolve();
  expect(ada.errors).toEqual([]);
});

test('[PRES-7] the room’s own code may write: everybody sees it, in rows of its own and of others', () => {
  const world = new PresenceWorld();
  const [ada, bob] = joined(world, 'ada', 'bob');
  ada?.presence.set({ x: 1 });
  world.pass(100);
  world.roomStore.setRow('connections', 'bot', { x: 7 });
  world.roomStore.setCell('connections', 'ada', 'isMuted', true);
  world.roomStore.setRow('secrets', 'of', { the: 'room' });
  world.pass(100);
  const rows = { ada: { x: 1, isMuted: true }, bob: { user: null }, bot: { x: 7 } };
  expect(world.roomStore.getTable('connections')).toEqual(rows);
  expect(ada?.rows).toEqual(rows);
  expect(bob?.store.getTables()).toEqual({ connections: { ada: rows.ada, bot: rows.bot } });
});

test('[PRES-7] a cell of the room’s own code that no message may carry stays in the room', () => {
  const world = new PresenceWorld();
  const [ada] = joined(world, 'ada');
  const odd = { toJSON: () => undefined };
  world.roomStore.setRow('connections', 'bot', { x: 1, odd });
  world.roomStore.setCell('connections', 'ada', 'odd', odd);
  world.pass(100);
  expect(ada?.rows).toEqual({ bot: { x: 1 } });
  const late = world.tab('late').open();
  expect(late.store.getRow('connections', 'bot')).toEqual({ x: 1 });
  expect(world.errors).toEqual([]);
});

test('[PRES-7] what an object shows as JSON is what everybody gets', () => {
  const world = new PresenceWorld();
  const [ada, bob] = joined(world, 'ada', 'bob');
  ada?.presence.set({ price: { amount: 150, toJSON: () => '1.50 EUR' } });
  world.pass(100);
  const row = { price: '1.50 EUR' };
  expect(ada?.store.getRow('connections', 'ada')).toEqual(row);
  expect(bob?.store.getRow('connections', 'ada')).toEqual(row);
});

test('[PRES-7] a row that the room’s own code deletes comes back: it is the connection’s', () => {
  const world = new PresenceWorld();
  const [ada, bob] = joined(world, 'ada', 'bob');
  ada?.presence.set({ x: 1 });
  world.pass(100);
  world.roomStore.delRow('connections', 'ada');
  world.pass(200);
  expect(ada?.store.getRow('connections', 'ada')).toEqual({ x: 1 });
  expect(bob?.store.getRow('connections', 'ada')).toEqual({ x: 1 });
});

test('[PRES-7] a listener of the room’s that throws is reported, and the author shows what the room has', async () => {
  const world = new PresenceWorld();
  const [ada] = joined(world, 'ada', 'bob');
  ada?.presence.set({ x: 1 });
  world.pass(100);
  world.roomStore.addWillFinishTransactionListener(() => {
    throw new Error('the app');
  });
  ada?.presence.set({ x: 2 });
  world.pass(100);
  expect(world.errors.length).toBeGreaterThan(0);
  expect(ada?.store.getCell('connections', 'ada', 'x')).toBe(
    world.roomStore.getCell('connections', 'ada', 'x'),
  );
});

test('[PRES-8] rows are attached within a second, and survive a sleep of the room', () => {
  const world = new PresenceWorld({ user });
  const ada = world.tab('ada', { user: 'u1' });
  ada.presence.set({ x: 1, __proto__: 1, object: { deep: [1] } });
  ada.open();
  const bob = world.tab('bob').open();
  world.pass(1_000);
  expect(world.slotsOf('ada')).toEqual([{ x: 1, object: '\uFFFD{"deep":[1]}' }]);
  world.sleep();
  const late = world.tab('late').open();
  const row = { x: 1, object: { deep: [1] }, user: 'u1' };
  expect(late.store.getRow('connections', 'ada')).toEqual(row);
  expect(late.users).toEqual({ u1: { id: 'u1', name: 'The u1' } });
  expect(world.roomStore.getRow('connections', 'ada')).toEqual(row);
  ada.presence.set({ x: 2 });
  world.pass(100);
  for (const tab of [bob, late]) expect(tab.store.getCell('connections', 'ada', 'x')).toBe(2);
});

test('[PRES-8] who closed while the room slept is gone for everybody as soon as it wakes', () => {
  for (const isUnheard of [false, true]) {
    const world = new PresenceWorld({ user });
    const [watcher] = joined(world, 'watcher');
    const ada = world.tab('ada', { user: 'u1' }).open();
    world.pass(2_000);
    world.sleep();
    ada.close(isUnheard);
    if (isUnheard) {
      watcher?.presence.set({ x: 1 });
      world.pass(100);
    }
    expect([watcher?.store.hasRow('connections', 'ada'), watcher?.users]).toEqual([false, {}]);
  }
});

test('[PRES-8] the room’s own code finds the rows after a sleep, before anybody says a word', () => {
  const world = new PresenceWorld();
  joined(world, 'ada');
  world.pass(2_000);
  world.sleep();
  expect(world.roomStore.getRowIds('connections')).toEqual(['ada']);
});

test('[PRES-8] a row of a connection that the room does not know is simply taken', async () => {
  const world = new PresenceWorld();
  const [ada, bob] = joined(world, 'ada', 'bob');
  world.pass(2_000);
  ada?.socket.slots.clear();
  world.sleep();
  ada?.presence.set({ x: 1 });
  world.pass(100);
  expect(bob?.store.getRow('connections', 'ada')).toEqual({ x: 1 });
  await Promise.resolve();
  expect(ada?.errors).toEqual([]);
});

test('[PRES-8] a room that slept tells of nothing that did not change, and does not correct what it knows', async () => {
  const world = new PresenceWorld({ schema });
  const [ada, bob] = joined(world, 'ada', 'bob');
  ada?.presence.set({ x: 3.5 });
  world.pass(2_000);
  const sent = bob?.sent.length;
  world.sleep();
  world.send(world.connect('asks'), '[1]');
  world.pass(200);
  expect([ada?.rows, bob?.rows]).toEqual([
    world.roomStore.getTable('connections'),
    world.roomStore.getTable('connections'),
  ]);
  await Promise.resolve();
  expect([bob?.sent.length, ada?.errors]).toEqual([sent, []]);
});

test('[PRES-9] others stay for 5 s after the connection is lost, then go; own cells stay', () => {
  const world = new PresenceWorld({ user });
  const ada = world.tab('ada').open();
  world.tab('bob', { user: 'u2' }).open();
  ada.presence.set({ x: 1 });
  world.pass(100);
  ada.close();
  world.pass(4_000);
  ada.close();
  world.pass(999);
  expect(ada.store.hasRow('connections', 'bob')).toBe(true);
  world.pass(1);
  expect(ada.store.getTables()).toEqual({ connections: { ada: { x: 1 } } });
});

test('[PRES-9] the next picture replaces them in one transaction, and nobody flickers', () => {
  const world = new PresenceWorld({}, 20);
  const [ada, bob, eve] = joined(world, 'ada', 'bob', 'eve');
  bob?.presence.set({ x: 1 });
  world.pass(200);
  ada?.close();
  eve?.close();
  bob?.presence.set({ x: 2 });
  world.pass(3_000);
  const changes: unknown[] = [];
  let transactions = 0;
  ada?.store.addRowIdsListener('connections', () =>
    changes.push(ada.store.getRowIds('connections')),
  );
  ada?.store.addDidFinishTransactionListener(() => {
    transactions += 1;
  });
  ada?.open();
  world.pass(60);
  expect(changes).toEqual([['bob']]);
  expect(transactions).toBe(1);
  world.pass(10_000);
  expect(ada?.rows).toEqual({ bob: { x: 2 } });
});

test('[PRES-10] who was not heard for 90 s is gone when a watcher asks; all who are heard stay', () => {
  const world = new PresenceWorld();
  const [watcher] = joined(world, 'watcher');
  const silent = world.connect('silent');
  const pinging = world.connect('pinging');
  for (const socket of [silent, pinging]) world.send(socket, '{"x":1}');
  const rows = (): unknown => watcher?.store.getRowIds('connections');
  for (let ping = 0; ping < 3; ping += 1) {
    world.pass(25_000);
    pinging.heardAt = world.time.now;
  }
  expect(rows()).toEqual(['silent', 'pinging']);
  for (let ping = 0; ping < 2; ping += 1) {
    world.pass(25_000);
    pinging.heardAt = world.time.now;
  }
  expect(silent.received.at(-2)).toEqual({});
  expect(rows()).toEqual(['silent', 'pinging']);
  world.pass(10_000);
  expect(rows()).toEqual(['pinging']);
  expect(world.slotsOf('silent')).toEqual([undefined]);
});

test('[PRES-10] who was heard in the future, before the clock was set back, is asked like who is silent', () => {
  const world = new PresenceWorld();
  const [watcher] = joined(world, 'watcher');
  const [dead, lively] = [world.connect('dead'), world.connect('lively')];
  for (const socket of [dead, lively]) {
    world.send(socket, '{"x":1}');
    socket.heardAt = world.time.now + 86_400_000;
  }
  world.send(world.connect('asks'), '[1]');
  expect(lively.received.at(-1)).toEqual({});
  world.send(lively, '{"x":1}');
  world.pass(10_001);
  expect(watcher?.store.getRowIds('connections')).toEqual(['lively']);
});

test('[PRES-10] one watcher a minute asks for all, and nobody asks who shows nobody', () => {
  const world = new PresenceWorld();
  const tabs = ['a', 'b', 'c'].map((id, index) =>
    world.tab(id, { checkMilliseconds: 60_000 + index * 1_000 }).open(),
  );
  world.pass(100);
  world.pass(600_000);
  const asked = tabs.map(({ sent }) => sent.filter((json) => json === '[1]').length);
  expect(asked).toEqual([10, 0, 0]);
  for (const tab of tabs.slice(1)) tab.close();
  const alone = tabs[0]?.sent.length;
  world.pass(600_000);
  expect(tabs[0]?.sent).toHaveLength(alone ?? 0);
});

test('[PRES-10] clients that are only silent answer, and nobody sees a row go', () => {
  const world = new PresenceWorld();
  const [ada, bob] = joined(world, 'ada', 'bob', 'eve');
  bob?.presence.set({ x: 1 });
  world.pass(100);
  const changes: unknown[] = [];
  ada?.store.addTablesListener(() => changes.push(ada.rows));
  world.pass(600_000);
  expect(changes).toEqual([]);
  expect(ada?.rows).toEqual({ bob: { x: 1 }, eve: { user: null } });
  expect(world.roomStore.getRowIds('connections')).toEqual(['ada', 'bob', 'eve']);
});

test('[PRES-10] somebody who was taken for gone and is not joins again', () => {
  const world = new PresenceWorld({}, 6_000);
  const [ada, bob] = joined(world, 'ada', 'bob');
  ada?.presence.set({ x: 1 });
  world.pass(20_000);
  if (ada !== undefined) ada.socket.heardAt = 0;
  world.send(world.connect('asks'), '[1]');
  world.pass(16_500);
  expect(world.roomStore.hasRow('connections', 'ada')).toBe(false);
  world.pass(40_000);
  expect(ada?.store.getRow('connections', 'ada')).toEqual({ x: 1 });
  expect(bob?.store.getRow('connections', 'ada')).toEqual({ x: 1 });
});

test('[PRES-10] a client whose question has no answer connects again', () => {
  const world = new PresenceWorld();
  const [ada] = joined(world, 'ada', 'bob');
  world.pass(65_000);
  expect(ada?.reconnects).toBe(0);
  if (ada !== undefined) world.disconnect(ada.socket, true);
  world.pass(60_000 + 9_000);
  expect(ada?.reconnects).toBe(0);
  world.pass(2_000);
  expect(ada?.reconnects).toBe(1);
});

test('a connection id that changes takes the row with it', () => {
  const world = new PresenceWorld();
  const [ada, bob] = joined(world, 'ada', 'bob');
  ada?.presence.set({ x: 1 });
  world.pass(100);
  ada?.close().open('eve');
  world.pass(100);
  expect(bob?.rows).toEqual({ eve: { x: 1 } });
  expect(ada?.rows).toEqual({ eve: { x: 1 }, bob: { user: null } });
});

test('another room has other people: nobody of the last one is shown', () => {
  const world = new PresenceWorld();
  const [ada] = joined(world, 'ada', 'bob');
  world.pass(100);
  ada?.moveToAnotherRoom();
  expect(ada?.rows).toEqual({});
});

test('the row may be edited in the Store itself, and destroy leaves and tidies up', () => {
  const world = new PresenceWorld();
  const store = createStore().setRow('connections', 'ada', { x: 1 });
  const ada = world.tab('ada', { store }).open();
  const bob = world.tab('bob').open();
  store.setCell('connections', 'ada', 'y', 2);
  world.pass(100);
  expect(bob.rows).toEqual({ ada: { x: 1, y: 2 } });
  store.delCell('connections', 'ada', 'x');
  world.pass(100);
  expect(bob.rows).toEqual({ ada: { y: 2 } });
  ada.presence.set({ y: undefined, z: { deep: true } });
  world.pass(100);
  expect(bob.rows).toEqual({ ada: { z: { deep: true } } });
  ada.presence.destroy();
  world.settle();
  expect(store.getTables()).toEqual({});
  expect(bob.rows).toEqual({});
  expect(store.getListenerStats().cell).toBe(0);
});

test('a room in which nobody has joined sets no timer', () => {
  const world = new PresenceWorld();
  const socket = world.connect('ada');
  world.disconnect(socket);
  world.pass(10_000);
  expect(world.time.pending).toBe(0);
});
