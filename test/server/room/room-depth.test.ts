import { describe, expect, test } from 'vitest';

import { decodeChanges, decodeContent } from '../../../src/protocol/codec.ts';
import type { TinyBasePartyKitError } from '../../../src/protocol/errors.ts';
import { stockLeafKey, stockMarkerKey } from '../../../src/server/stock/stock-layout.ts';
import { LeafMap } from '../../../src/protocol/leaf-map.ts';
import { RoomStorage } from '../../../src/server/storage/room-storage.ts';
import { clientId, FakeRoomHost, settle } from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const DEPTHS = [201, 3_907, 20_000, 200_000];

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const parsed = (depth: number): never => JSON.parse(nested(depth)) as never;

const seeded = async (storage?: StrictStorage): Promise<FakeRoomHost> => {
  const host = new FakeRoomHost({}, storage);
  await host.seed({ t: { r: { c: 'first' } } });
  return host;
};

/** A room that can be loaded again, and whose clients go on. */
const untouched = async (host: FakeRoomHost): Promise<void> => {
  const woken = new FakeRoomHost({}, host.storage);
  for (const room of [host, woken]) {
    expect(await room.content()).toEqual([{ t: { r: { c: 'first' } } }, {}]);
    expect(room.errors).toEqual([]);
  }
  const other = await host.join('other');
  await other.push(1, { fine: 1 });
  expect(other.hearTypes()).toEqual(['ack']);
};

test('[CHANGES-4] 200 levels are confirmed, and are there after a restart', async () => {
  const host = await seeded();
  const ada = await host.join('ada');
  const bob = await host.join('bob');
  const leaf = `\uFFFD${nested(200)}`;
  await ada.push(1, { t: { r: { c: leaf } } });
  expect(ada.hearTypes()).toEqual(['ack']);
  expect(bob.hearOne('commit').changes.leaves.get('t', 'r', 'c')).toBe(leaf);
  host.room.store.setCell('t', 'r', 'd', parsed(200));
  await settle();
  const woken = new FakeRoomHost({}, host.storage);
  expect(await woken.content()).toEqual([{ t: { r: { c: leaf, d: leaf } } }, {}]);
  expect([...host.errors, ...woken.errors]).toEqual([]);
});

describe.each(DEPTHS)('[CHANGES-4] %i levels', (depth) => {
  const leaf = `"\uFFFD${nested(depth)}"`;
  const changes = `[{"t":{"r":{"c":${leaf}}}},{}]`;

  test('are refused in a push, in a large one and from a stock peer', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    const stock = host.connect();
    for (const encoded of [changes, `[{"t":{"r":{"c":${nested(depth)}}}},{}]`]) {
      await ada.say(`p[1,${encoded}]`);
      expect(ada.hearOne('error')).toMatchObject({ code: 'malformed', push: 1 });
      await stock.say(`s${encoded.slice(0, -1)},1]`);
      expect(stock.hear()).toEqual([]);
    }
    await untouched(host);
  });

  test('are refused in a document', async () => {
    const host = await seeded();
    const document = { ...(await host.room.exportRoom()), content: JSON.parse(changes) as unknown };
    const plain = { ...document, content: [{ t: { r: { c: parsed(depth) } } }, {}] };
    for (const given of [document, plain])
      await expect(host.room.restoreRoom(given)).rejects.toMatchObject({ code: 'malformed' });
    await untouched(host);
  });

  test('that the room’s own code sets are put back and reported, and a client hears of none', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    const { store } = host.room;
    const ways = [
      (): unknown => store.setCell('t', 'r', 'c', parsed(depth)),
      (): unknown => store.setRow('t', 'new', { c: parsed(depth) }),
      (): unknown => store.setValue('v', parsed(depth)),
      (): unknown => store.setJson(`[{"t":{"r":{"c":${leaf}}}},{}]`),
    ];
    for (const set of ways) {
      try {
        set();
      } catch (error) {
        // What the Store itself cannot take, it may throw at.
        expect(error).toBeInstanceOf(RangeError);
      }
      await settle();
      expect(store.getContent()).toEqual([{ t: { r: { c: 'first' } } }, {}]);
      expect(ada.frames.some((frame) => frame.includes('[[['))).toBe(false);
      expect(JSON.stringify(await host.content())).not.toContain('[[[');
    }
    // That way, the Store always holds it for a moment.
    expect(host.errors.map(({ error }) => (error as TinyBasePartyKitError).code)).toContain(
      'malformed',
    );
    expect(String(host.errors[0]?.error)).toContain('nested more than 200 levels deep');
    host.errors.length = 0;
    await untouched(host);
  });

  test('that are the room’s own initial content are left out of it', async () => {
    const host = new FakeRoomHost();
    await host.room.start();
    host.room.store.setJson(`[{"t":{"r":{"c":${leaf},"d":1}}},{}]`);
    await settle();
    expect(await host.content()).toEqual([{ t: { r: { d: 1 } } }, {}]);
    expect(host.room.store.getContent()).toEqual([{ t: { r: { d: 1 } } }, {}]);
    expect(host.errors).toHaveLength(1);
  });

  test('that a mutator listener makes of a push are put back', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    const bob = await host.join('bob');
    let isTaken = false;
    host.room.store.addValueListener(
      'x',
      (store) => {
        store.setJson(`[{"t":{"r":{"c":${leaf}}}},{"x":1}]`);
        isTaken = typeof store.getCell('t', 'r', 'c') === 'object';
      },
      true,
    );
    await ada.push(1, { x: 1 });
    await settle();
    expect(host.room.store.getContent()).toEqual([{ t: { r: { c: 'first' } } }, { x: 1 }]);
    expect(await host.content()).toEqual([{ t: { r: { c: 'first' } } }, { x: 1 }]);
    expect(bob.hearTypes()).not.toContain('error');
    // The deepest ones are too much for the Store itself here.
    expect(host.errors).toHaveLength(isTaken ? 1 : 0);
  });

  test.each(['plain', 'prepared'])(
    'that are stored are left out when the %s room is loaded, as a commit',
    async (kind) => {
      const storage = new StrictStorage();
      const stored = new RoomStorage(storage, { prefix: '' });
      const cursor = { epoch: 'epoch', version: 1 };
      const content = decodeContent(`[{"t":{"r":{"c":${leaf},"d":1}}},{}]`) ?? new LeafMap();
      await stored.create({ cursor, content, clients: new Map() });
      const logged = decodeChanges(`[{"t":{"s":{"c":${leaf},"d":2}}},{}]`);
      await stored.append([{ version: 2, changes: logged, author: undefined }], 1);
      const options = {
        prepareStore: (store: FakeRoomHost['room']['store']) =>
          void (kind === 'prepared' && store.setValuesSchema({ v: { type: 'number' } })),
      };
      const host = new FakeRoomHost(options, storage);
      await host.room.start();
      expect(await host.content()).toEqual([{ t: { r: { d: 1 }, s: { d: 2 } } }, {}]);
      expect(host.errors).toHaveLength(2);
      expect(await host.cursor()).toMatchObject({ epoch: 'epoch', version: 3 });
      // Whoever knows the room from before hears of it, too.
      const ada = host.connect();
      await ada.hello({ clientId: clientId('ada'), cursor: { epoch: 'epoch', version: 1 } });
      expect(ada.hearOne('welcome').changes?.leaves.get('t', 's', 'd')).toBe(2);
      const again = new FakeRoomHost(options, storage);
      expect(await again.content()).toEqual([{ t: { r: { d: 1 }, s: { d: 2 } } }, {}]);
      expect(again.errors).toEqual([]);
    },
  );

  test('that TinyBase’s own server has stored are left out when the room takes over', async () => {
    const storage = new StrictStorage();
    // No deeper one fits into a stored value.
    const levels = Math.min(depth, 30_000);
    await storage.put({
      [stockMarkerKey('')]: 1,
      [stockLeafKey('', 't', 'r', 'c')]: `\uFFFD${nested(levels)}`,
      [stockLeafKey('', 't', 'r', 'd')]: 1,
    });
    const host = new FakeRoomHost({}, storage);
    expect(await host.content()).toEqual([{ t: { r: { d: 1 } } }, {}]);
    expect(host.errors).toHaveLength(1);
  });
});
