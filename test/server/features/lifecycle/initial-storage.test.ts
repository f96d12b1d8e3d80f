import { expect, test } from 'vitest';

import { Deferred } from '../../../support/deferred.ts';
import { settle } from '../../../support/fake-connection.ts';
import { LifecycleWorld } from '../../../support/lifecycle-world.ts';

const CONTENT = [{ pets: { fido: { legs: 4, tags: ['a', { b: 1 }] } } }, { open: true }];

test('[SAVE-1] two first clients wait for one load, and find its content; their own is not used', async () => {
  const answer = new Deferred<unknown>();
  let asked = 0;
  const world = new LifecycleWorld({
    getInitialStorage: () => {
      asked += 1;
      return answer.promise as never;
    },
  });
  const seeds = [world.host.seed({ v: 'ada' }), world.host.seed({ v: 'bob' })];
  const content = world.host.content();
  await settle();
  expect(asked).toBe(1);
  answer.resolve(CONTENT);
  expect(await Promise.all(seeds)).toEqual(['exists', 'exists']);
  expect(await content).toEqual([
    { pets: { fido: { legs: 4, tags: '\uFFFD["a",{"b":1}]' } } },
    { open: true },
  ]);
  expect(world.host.room.store.getCell('pets', 'fido', 'tags')).toEqual(['a', { b: 1 }]);
  await world.restart();
  await world.start();
  expect(asked).toBe(1);
  expect(world.host.room.store.getContent()).toEqual(CONTENT);
});

test.each([undefined, null])(
  '[SAVE-1] %s is asked again at each load, until there is a Store',
  async (none) => {
    let asked = 0;
    const world = new LifecycleWorld({
      getInitialStorage: () => {
        asked += 1;
        return none;
      },
    });
    await world.start();
    await world.start();
    expect(asked).toBe(1);
    await world.restart();
    await world.start();
    expect(asked).toBe(2);
    expect(await world.host.seed({ v: 1 })).toBe('created');
    await world.restart();
    await world.start();
    expect(asked).toBe(2);
  },
);

test('[SAVE-1] a hook that throws fails closed, and is asked again at the next need, 500 ms apart', async () => {
  let asked = 0;
  let isDown = true;
  const world = new LifecycleWorld({
    getInitialStorage: async () => {
      asked += 1;
      if (isDown) throw new Error('The database is down.');
      return CONTENT as never;
    },
  });
  const refused = { code: 'unavailable' };
  await expect(world.host.room.start()).rejects.toMatchObject(refused);
  await expect(world.host.seed({ v: 1 })).rejects.toMatchObject(refused);
  const connection = world.host.connect();
  await connection.hello();
  expect(connection.hearTypes()).toEqual(['error']);
  expect([asked, world.errors.length, world.host.errors.length]).toEqual([1, 1, 0]);
  await world.pass(500);
  await expect(world.host.room.content()).rejects.toMatchObject(refused);
  expect(asked).toBe(2);
  isDown = false;
  await world.pass(500);
  await world.host.room.start();
  expect(world.host.room.store.getContent()).toEqual(CONTENT);
  expect([asked, world.errors.length]).toEqual([3, 2]);
});

test('[SAVE-1] a hook that threw is asked again also if the clock was set back', async () => {
  let asked = 0;
  const world = new LifecycleWorld({
    getInitialStorage: async () => {
      asked += 1;
      if (asked === 1) throw new Error('The database is down.');
      return CONTENT as never;
    },
  });
  await expect(world.host.room.start()).rejects.toMatchObject({ code: 'unavailable' });
  world.host.clockSkew = -3_600_000;
  await world.pass(500);
  await world.host.room.start();
  expect(world.host.room.store.getContent()).toEqual(CONTENT);
});

test('[SAVE-1] a hook that never answers fails after 30 s, and a late answer is not used', async () => {
  const answer = new Deferred<unknown>();
  const world = new LifecycleWorld({ getInitialStorage: () => answer.promise as never });
  const started = world.host.room.start();
  let isSettled = false;
  started
    .catch(() => undefined)
    .finally(() => {
      isSettled = true;
    });
  await world.pass(29_900);
  expect(isSettled).toBe(false);
  await world.pass(200);
  await expect(started).rejects.toMatchObject({ code: 'unavailable' });
  answer.resolve(CONTENT);
  await settle();
  expect(world.host.room.hasStore).toBe(false);
  expect(world.errors.map(String)).toEqual([expect.stringContaining('getInitialStorage')]);
});

test('[SAVE-1] a hook that awaits a method of the room, which waits for it, fails with that reason', async () => {
  const world: LifecycleWorld = new LifecycleWorld({
    getInitialStorage: async () => {
      await world.host.room.exportRoom();
      return null;
    },
  });
  const started = world.host.room.start().catch(() => undefined);
  await world.pass(30_100);
  await started;
  expect(world.errors.map(String)).toEqual([expect.stringContaining('wait for getInitialStorage')]);
});

const circular: unknown[] = [];
circular.push(circular);
test.each([
  ['a text', '[{},{}]'],
  ['a number', 7],
  ['a function', () => [{}, {}]],
  ['an object', { tables: {} }],
  ['a list of one', [{}]],
  ['tables that are none', [7, {}]],
  ['a row that is none', [{ t: { r: 7 } }, {}]],
  ['NaN', [{}, { v: Number.NaN }]],
  ['a number without end', [{ t: { r: { c: Infinity } } }, {}]],
  ['a marker', [{}, { v: '\uFFFC' }]],
  ['a broken encoding', [{}, { v: '\uFFFD{' }]],
  ['a big integer', [{}, { v: 1n }]],
  ['a function', [{ t: { r: { c: () => 1 } } }, {}]],
  ['a symbol', [{}, { v: Symbol('v') }]],
  ['tables in a Map', [new Map([['t', { r: { c: 1 } }]]), {}]],
  ['a row in a Map', [{ t: { r: new Map([['c', 1]]) } }, {}]],
  ['tables that nobody has awaited', [Promise.resolve({ t: { r: { c: 1 } } }), {}]],
  ['what contains itself', [{}, { v: circular }]],
  ['what is too deep', [{}, { v: JSON.parse('['.repeat(300) + ']'.repeat(300)) as unknown }]],
])('[SAVE-1] invalid content (%s) fails closed, and is reported', async (_name, content) => {
  const world = new LifecycleWorld({ getInitialStorage: () => content as never });
  await expect(world.host.room.start()).rejects.toMatchObject({ code: 'unavailable' });
  expect(world.errors).toMatchObject([{ code: 'malformed' }]);
  expect(String(world.errors[0])).toContain('getInitialStorage');
  expect(world.storage.size).toBe(0);
});

test('[SAVE-1] objects of a class are content with their fields, and undefined is no cell', async () => {
  class Row {
    legs = 4;
    name: string | undefined = undefined;
  }
  const bare: unknown = Object.assign(Object.create(null), { fido: new Row() });
  const world = new LifecycleWorld({ getInitialStorage: () => [{ pets: bare }, {}] as never });
  await world.start();
  expect(world.host.room.store.getContent()).toEqual([{ pets: { fido: { legs: 4 } } }, {}]);
});

test('[SAVE-1] ids that name prototypes are content like any other', async () => {
  const content: unknown = JSON.parse(
    '[{"__proto__":{"__proto__":{"__proto__":1}}},{"__proto__":2}]',
  );
  const world = new LifecycleWorld({ getInitialStorage: () => content as never });
  await world.start();
  expect(world.host.room.store.getCell('__proto__', '__proto__', '__proto__')).toBe(1);
  expect(world.host.room.store.getValue('__proto__')).toBe(2);
});

test('[SAVE-1] the content is durable before anybody is served', async () => {
  const world = new LifecycleWorld({ getInitialStorage: () => CONTENT as never });
  world.storage.failWrites(1, { takesEffect: false });
  await expect(world.host.room.start()).rejects.toMatchObject({ code: 'unavailable' });
  await world.start();
  expect(world.host.room.store.getContent()).toEqual(CONTENT);
});

test('[SAVE-1] a wiped or emptied room asks again', async () => {
  let version = 0;
  const world = new LifecycleWorld({
    getInitialStorage: async () => [{}, { load: (version += 1) }],
  });
  const ada = await world.connect();
  await ada.hello({ cursor: await world.host.cursor() });
  ada.hear();
  await world.host.room.wipe();
  expect(await world.host.content()).toEqual([{}, { load: 2 }]);
  expect(ada.hearTypes()).toEqual(['error']);
  await world.host.room.storageEmptied(world.storage.deleteAll());
  await settle();
  expect(await world.host.content()).toEqual([{}, { load: 3 }]);
  expect(world.host.room.store.getValues()).toEqual({ load: 3 });
});

test('[SAVE-1] a room whose database is down can be wiped', async () => {
  let isDown = false;
  const world = new LifecycleWorld({
    getInitialStorage: async () => {
      if (isDown) throw new Error('down');
      return CONTENT as never;
    },
  });
  await world.start();
  isDown = true;
  await world.host.room.wipe();
  expect(world.storage.size).toBe(0);
  await expect(world.host.room.start()).rejects.toMatchObject({ code: 'unavailable' });
  isDown = false;
  await world.pass(500);
  await world.start();
  expect(world.host.room.store.getContent()).toEqual(CONTENT);
});

test('[SAVE-1] what was loaded is not saved again, unless the room has altered it; it empties in any case', async () => {
  const world = LifecycleWorld.logging(
    {},
    {
      getInitialStorage: async () => [{}, { v: 1 }],
    },
  );
  const ada = await world.connect();
  await world.pass(10_000);
  await world.restart();
  await world.pass(5_000);
  expect(world.take()).toEqual([]);
  const bob = await world.connect();
  await world.leave(bob);
  await world.pass(20_000);
  expect(world.take()).toEqual(['emptied 1 {"v":1}']);
  expect(ada).toBeDefined();
});
