import { expect, test } from 'vitest';

import { Deferred } from '../../../support/deferred.ts';
import { settle, type FakeConnection } from '../../../support/fake-connection.ts';
import { LifecycleWorld } from '../../../support/lifecycle-world.ts';

const watching = (): { world: LifecycleWorld; names: Map<FakeConnection, string> } => {
  const names = new Map<FakeConnection, string>();
  const world: LifecycleWorld = new LifecycleWorld({
    onUserConnected: (connection) => world.log.push(`${names.get(connection) ?? '?'} came`),
    onUserDisconnected: (connection) => world.log.push(`${names.get(connection) ?? '?'} left`),
  });
  return { world, names };
};

test('[SAVE-8] a connection comes once and leaves once, however it ends', async () => {
  const { world } = watching();
  const ada = await world.connect();
  expect(world.take()).toEqual(['? came']);
  await ada.hello();
  await world.leave(ada);
  world.host.room.disconnected(ada);
  expect(world.take()).toEqual(['? left']);
  const bob = await world.connect();
  await bob.hello({ generation: 2 });
  // A newer connection of the same client replaces it.
  const other = await world.connect();
  await other.hello({ generation: 3 });
  expect(bob.closed?.code).toBe(4410);
  await world.leave(bob);
  expect(world.take()).toEqual(['? came', '? came', '? left']);
});

test('[SAVE-8] a connection that was never let in neither comes nor leaves', async () => {
  const { world } = watching();
  await world.start();
  const refused = world.host.connect();
  world.host.room.refuseUnloaded(refused);
  world.host.disconnect(refused);
  await settle();
  expect(world.take()).toEqual([]);
});

test('[SAVE-8] a connection that came before a hibernation leaves after it, and does not come again', async () => {
  const { world, names } = watching();
  const ada = await world.connect();
  world.take();
  const [woken] = world.sleep(ada);
  await world.start();
  await woken?.hello();
  expect(world.take()).toEqual([]);
  if (woken !== undefined) {
    names.set(woken, 'ada');
    await world.leave(woken);
  }
  expect(world.take()).toEqual(['ada left']);
});

test('[SAVE-8] a connection that left and never answers the close leaves no second time after a hibernation', async () => {
  const { world } = watching();
  const ada = await world.connect();
  await ada.hello();
  const other = await world.connect();
  await other.hello({ generation: 3 });
  expect(ada.closed?.code).toBe(4410);
  expect(world.take()).toEqual(['? came', '? came', '? left']);
  const [woken] = world.sleep(ada, other);
  await world.start();
  if (woken !== undefined) await world.leave(woken);
  expect(world.take()).toEqual([]);
});

test('[SAVE-8] a connection leaves after its coming has settled, and a hook that throws is reported', async () => {
  const end = new Deferred<void>();
  const world: LifecycleWorld = new LifecycleWorld({
    onUserConnected: async () => {
      world.log.push('comes');
      await end.promise;
      world.log.push('came');
      throw new Error('no');
    },
    onUserDisconnected: () => void world.log.push('left'),
  });
  const ada = await world.connect();
  await world.leave(ada);
  expect(world.take()).toEqual(['comes']);
  end.resolve();
  await settle();
  expect(world.take()).toEqual(['came', 'left']);
  expect(world.errors.map(String)).toEqual(['Error: no']);
});

test('[SAVE-9] onRoomMessage hears of pushes that changed something, when they are durable, and of calls', async () => {
  const heard: unknown[] = [];
  const world = new LifecycleWorld({
    onRoomMessage: (message, connection) => {
      heard.push([message, connection]);
      if (message.type === 'call') throw new Error('no');
    },
  });
  await world.start();
  await world.host.seed({ v: 1 });
  const ada = await world.host.join('ada');
  const room = world.host.room.addFeature({ letter: 'x' });
  await ada.say('x1');
  await ada.ping();
  await ada.push(1, { v: 1 });
  expect(heard).toEqual([]);
  await ada.push(2, { v: 2, t: { r: { c: '\uFFFD[1]' } } });
  world.host.room.store.setValue('v', 3);
  const stock = world.host.connect();
  await stock.stock({ v: 4 });
  world.storage.failWrites(1, { takesEffect: false });
  await stock.stock({ v: 'lost' });
  room.taken({ type: 'call', name: 'wave', input: { at: 1 } }, ada);
  await settle();
  expect(heard).toEqual([
    [{ type: 'push', version: 2, changes: [{ t: { r: { c: [1] } } }, { v: 2 }, 1] }, ada],
    [{ type: 'push', version: 4, changes: [{}, { v: 4 }, 1] }, stock],
    [{ type: 'call', name: 'wave', input: { at: 1 } }, ada],
  ]);
  expect(world.host.errors.map(({ where }) => where)).toEqual(['storage']);
  expect(world.errors.map(String)).toEqual(['Error: no']);
});

test('[SAVE-7] a room with hooks that save nothing has no rows, alarms or reads for them', async () => {
  const { world } = watching();
  const plain = new LifecycleWorld({});
  for (const each of [world, plain]) {
    const ada = await each.connect();
    await each.host.seed({ v: 0 });
    await each.leave(ada);
    await each.pass(60_000);
  }
  expect(world.storage.counts).toEqual(plain.storage.counts);
  expect([world.storage.alarm, world.storage.size]).toEqual([null, plain.storage.size]);
});

const PUSH = async (_world: LifecycleWorld, ada: FakeConnection): Promise<void> =>
  ada.push(1, { w: 1 });
const WRITE = async (world: LifecycleWorld): Promise<void> =>
  void world.host.room.store.setValue('w', 1);

test.each([
  ['a push of somebody', PUSH, false],
  ['a write of the room', WRITE, false],
  ['a push of somebody after a hibernation', PUSH, true],
  ['a write of the room after a hibernation', WRITE, true],
] as const)(
  '[SAVE-8] what onUserDisconnected writes is in the Store, also where the room notices it while it tells %s',
  async (_what, tell, isAwoken) => {
    const world: LifecycleWorld = new LifecycleWorld({
      onUserDisconnected: () => void world.host.room.store.delRow('cursors', 'eve'),
    });
    await world.start();
    await world.host.seed({ cursors: { eve: { x: 1 } }, w: 0 });
    let [ada, eve] = [await world.connect(), await world.connect()];
    await ada.hello({ cursor: await world.host.cursor() });
    if (isAwoken) {
      [ada = ada, eve = eve] = world.sleep(ada, eve);
      await world.start();
      // It looks at all connections.
      expect(world.host.room.administration.size).toBe(2);
    }
    ada.hear();
    // Its side never answers.
    eve.close(4003, 'out');
    await tell(world, ada);
    await settle();
    await world.host.pass(100);
    expect(world.host.room.store.getContent()).toEqual([{}, { w: 1 }]);
    expect(ada.hear().map(({ type }) => type)).toContain('commit');
  },
);
