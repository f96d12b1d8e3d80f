import { describe, expect, test } from 'vitest';

import { decodeChanges } from '../../../src/protocol/codec.ts';
import { VALUES } from '../../../src/protocol/leaf.ts';
import type { Cursor } from '../../../src/protocol/messages.ts';
import { Deferred } from '../../support/deferred.ts';
import { clientId, FakeRoomHost, inShort, settle } from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const seeded = async (): Promise<FakeRoomHost> => {
  const host = new FakeRoomHost();
  await host.seed({ pets: { fido: { species: 'dog' } }, open: true });
  return host;
};

describe('frames', () => {
  test('[FRAME-1] leaves alone what is no frame of ours', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    for (const frame of ['', 'z[]', 'xyz', 'r{}', 'v{}', new ArrayBuffer(3), undefined, null, 7])
      await ada.say(frame);
    expect(ada.hear()).toEqual([]);
    expect(ada.closed).toBeUndefined();
    expect(host.errors).toEqual([]);
  });

  const MALFORMED = [
    'h{}',
    'p',
    'p[1]',
    'p[0,[{},{}]]',
    'p[1.5,[{},{}]]',
    'p[1,[{"t":[]},{}]]',
    'p[1,[{"t":{"r":{"c":"\uFFFD{"}}},{}]]',
    'p[1,[{},{},{"t":[]}]]',
    `p[1,${'['.repeat(50_000)}${']'.repeat(50_000)}]`,
    'i{}',
    's[{}]',
    's{"__proto__":1}',
  ].map((frame) => [frame.slice(0, 30), frame] as const);

  test.each(MALFORMED)(
    '[FRAME-2] answers %s with malformed on a connection that said hello',
    async (_start, frame) => {
      const host = await seeded();
      const ada = await host.join('ada');
      await ada.say(frame);
      const error = ada.hearOne('error');
      expect(error.code).toBe('malformed');
      // It may be a text of the app.
      if (error.push === undefined)
        expect(error.message).toMatch(/[^.]\. If it is .* set messagePrefix/);
      expect((await host.cursor()).version).toBe(1);
      await ada.push(1, { pets: { fido: { legs: 4 } } });
      expect(ada.hearOne('ack')).toMatchObject({ number: 1, version: 2 });
    },
  );

  test.each([
    ['p[1,[{},{"v":"\uFFFD{"}]]', 1],
    ['p[12,[{},', 12],
    ['p[9007199254740991,', 9007199254740991],
    ['p[9007199254740992,[{},{}]]', undefined],
    ['p[90071992547409910,[{},{}]]', undefined],
    ['p[0,[{},{}]]', undefined],
    ['p[-1,[{},{}]]', undefined],
    ['p[1]', undefined],
    ['p[1.5,[{},{}]]', undefined],
    ['h[1,[{},{}],0]', undefined],
    ['s[1,[{},{}],0]', undefined],
  ])('[FRAME-2] answers %s with the number of the push: %s', async (frame, number) => {
    const host = await seeded();
    const ada = await host.join('ada');
    await ada.say(frame);
    expect(ada.hearOne('error').push).toBe(number);
    expect(host.errors).toEqual([]);
  });

  test('[ONCE-8] takes a push that it could not read when it comes again, empty, and those after it', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    await ada.say('p[1,[{},{"v":"\uFFFD{"}]]');
    await ada.push(1, {});
    await ada.push(2, { legs: 4 });
    expect(ada.hear()).toMatchObject([
      { type: 'error', code: 'malformed', push: 1 },
      { type: 'ack', number: 1, version: 1, isCommit: false },
      { type: 'ack', number: 2, version: 2, isCommit: true },
    ]);
  });

  test.each(MALFORMED)('[FRAME-2] ignores %s on any other connection', async (_start, frame) => {
    const host = await seeded();
    const connection = host.connect();
    await connection.say(frame);
    expect(connection.hear()).toEqual([]);
    expect(connection.closed).toBeUndefined();
    expect((await host.cursor()).version).toBe(1);
  });

  test('[FRAME-4] answers a hello of another protocol version with an error, closes, and says nothing else after', async () => {
    const host = await seeded();
    const ada = host.connect();
    await ada.say('h{"protocol":2,"of":"any shape"}');
    expect(ada.hearOne('error').code).toBe('protocol');
    expect(ada.closed).toMatchObject({ code: 4426 });
    await ada.hello({ generation: 2, cursor: await host.cursor() });
    await ada.push(1, { x: 1 });
    await ada.ping();
    host.room.store.setValue('open', false);
    await settle();
    expect(ada.hear()).toEqual([]);
    const [woken] = host.hibernate(ada);
    await woken?.hello({ generation: 3, cursor: await host.cursor() });
    expect(woken?.hear()).toEqual([]);
  });

  test('answers pushes and pings of a connection whose hello was forgotten with stale', async () => {
    const host = await seeded();
    const ada = host.connect();
    await ada.push(1, { x: 1 });
    expect(ada.hearOne('error').code).toBe('stale');
    await ada.ping();
    expect(ada.hearOne('error').code).toBe('stale');
    expect((await host.cursor()).version).toBe(1);
  });

  test('writes its attachment again when the app has overwritten it', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    ada.attachment = undefined;
    await ada.ping();
    const [woken] = host.hibernate(ada);
    await woken?.ping();
    expect(ada.hearTypes()).toEqual(['pong']);
    expect(woken?.hearTypes()).toEqual(['pong']);
  });

  test('takes ids such as __proto__ for ordinary ones', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    for (const [index, id] of ['__proto__', 'constructor', 'toString', ''].entries()) {
      await ada.say(
        `p[${index + 1},[{${JSON.stringify(id)}:{"__proto__":{"__proto__":${index}}}},{}]]`,
      );
      expect(ada.hearOne('ack')).toMatchObject({ isCommit: true, correction: undefined });
      expect(host.room.store.getCell(id, '__proto__', '__proto__')).toBe(index);
    }
    await ada.say('p[5,[{},{},{"__proto__":["__proto__"],"constructor":0}]]');
    expect(ada.hearOne('ack')).toMatchObject({ isCommit: true, correction: undefined });
    expect(host.room.store.hasRow('__proto__', '__proto__')).toBe(false);
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('__proto__x');
    expect(({} as Record<string, unknown>)['species']).toBeUndefined();
  });
});

describe('order', () => {
  test('[ORDER-1] gives each push and each transaction of the server the next version', async () => {
    const host = await seeded();
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    await ada.push(1, { pets: { fido: { legs: 4 }, felix: { legs: 4 } }, open: false });
    host.room.store.transaction(() => {
      host.room.store.setValue('a', 1);
      host.room.store.setValue('b', 2);
    });
    host.room.store.setValue('a', 3);
    await settle();
    await bob.push(1, { pets: { fido: undefined } });
    expect(bob.hear()).toMatchObject([
      { type: 'commit', version: 2 },
      { type: 'commit', version: 3 },
      { type: 'commit', version: 4 },
      { type: 'ack', number: 1, version: 5, isCommit: true },
    ]);
    expect(ada.hear()).toMatchObject([
      { type: 'ack', number: 1, version: 2, isCommit: true },
      { type: 'commit', version: 3 },
      { type: 'commit', version: 4 },
      { type: 'commit', version: 5 },
    ]);
    expect(await host.cursor()).toEqual({ epoch: 'epoch1', version: 5 });
  });

  test('[ORDER-1] takes messages in the order they came, also while the room loads', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    const [woken] = host.hibernate(ada);
    void woken?.push(1, { x: 'first' });
    void woken?.push(2, { x: 'second' });
    void woken?.push(3, { x: 'third' });
    await settle();
    expect(woken?.hear()).toMatchObject([{ number: 1 }, { number: 2 }, { number: 3 }]);
    expect(host.room.store.getValue('x')).toBe('third');
  });

  test('[ORDER-1] applies a push as one transaction', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    let transactions = 0;
    host.room.store.addDidFinishTransactionListener(() => {
      transactions += 1;
    });
    await ada.push(1, { pets: { fido: { legs: 4 }, felix: { legs: 4 } }, open: false });
    expect(transactions).toBe(1);
  });

  test('[ORDER-1] waits for the end of a transaction that the server has open', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    host.room.store.startTransaction();
    host.room.store.setValue('open', 'half');
    await ada.push(1, { open: 'ada' });
    expect(ada.hear()).toEqual([]);
    host.room.store.setValue('open', 'done');
    host.room.store.finishTransaction();
    await settle();
    expect(ada.hear()).toMatchObject([
      { type: 'commit', version: 2 },
      { type: 'ack', version: 3 },
    ]);
    expect(host.room.store.getValue('open')).toBe('ada');
  });

  test('[ORDER-1] loses nothing of a push to a transaction that the server rolls back', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    host.room.store.startTransaction();
    host.room.store.setValue('open', 'half');
    await ada.push(1, { other: 'ada' });
    host.room.store.finishTransaction(() => true);
    await host.pass(50);
    expect(ada.hear()).toMatchObject([{ type: 'ack', version: 2, isCommit: true }]);
    expect(await host.content()).toEqual([
      { pets: { fido: { species: 'dog' } } },
      { open: true, other: 'ada' },
    ]);
  });

  test('reports a transaction of the server that stays open', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    host.room.store.startTransaction();
    await ada.push(1, { other: 'ada' });
    for (let turn = 0; turn < 300; turn += 1) await host.pass(20);
    expect(host.errors).toMatchObject([{ where: 'transaction' }]);
    host.room.store.finishTransaction();
    await settle();
    expect(ada.hearTypes()).toEqual(['ack']);
  });

  test('[ORDER-2] acks a push that changes nothing with the version as it is', async () => {
    const host = await seeded();
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    await ada.push(1, { open: true, pets: { fido: { species: 'dog' }, nobody: undefined } });
    expect(ada.hearOne('ack')).toMatchObject({
      number: 1,
      version: 1,
      isCommit: false,
      correction: undefined,
    });
    expect(bob.hear()).toEqual([]);
  });

  test('[ORDER-3] tells every live connection but the author what happened, the room’s own alterations included', async () => {
    const host = new FakeRoomHost({
      prepareStore: (store) => {
        store.setTablesSchema({
          pets: { species: { type: 'string', default: 'unknown' }, legs: { type: 'number' } },
        });
      },
    });
    await host.seed({ pets: { fido: { species: 'dog' } } });
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    await ada.push(1, { pets: { felix: { legs: 4 }, rex: { legs: 'many' } } });
    expect(inShort(bob.hearOne('commit').changes)).toEqual({
      leaves: [
        ['pets', 'felix', 'legs', 4],
        ['pets', 'felix', 'species', 'unknown'],
      ],
    });
    expect(ada.hearTypes()).toEqual(['ack']);
  });

  test('[ORDER-3] tells of deleted rows as such', async () => {
    const host = await seeded();
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    await ada.push(1, { pets: { fido: { species: undefined } } });
    expect(inShort(bob.hearOne('commit').changes)).toEqual({
      deletedRows: [['pets', ['fido']]],
      leaves: [],
    });
    expect(ada.hearOne('ack').correction).toBeUndefined();
  });

  test('[ORDER-9] tells others of a commit first, and its author in order', async () => {
    const syncs: (() => void)[] = [];
    const sync = (): Promise<void> => new Promise((resolve) => syncs.push(resolve));
    const host = new FakeRoomHost({}, Object.assign(new StrictStorage(), { sync }));
    const endSync = async (): Promise<void> => {
      syncs.shift()?.();
      await settle();
    };
    void host.seed({ pets: { fido: { species: 'dog' } } });
    await settle();
    await endSync();
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    void ada.push(1, { x: 1 });
    await settle();
    void bob.push(1, { x: 2 });
    await settle();
    expect(bob.hearTypes()).toEqual(['commit']);
    expect(ada.hear()).toEqual([]);
    await endSync();
    expect(ada.hearTypes()).toEqual(['ack', 'commit']);
    expect(bob.hear()).toEqual([]);
    await endSync();
    expect(bob.hearTypes()).toEqual(['ack']);
  });

  test('[ORDER-7] answers a ping after all that came before it', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    void ada.push(1, { x: 1 });
    void ada.push(2, { x: 2 });
    void ada.ping();
    await settle();
    expect(ada.hear()).toMatchObject([
      { type: 'ack', number: 1 },
      { type: 'ack', number: 2 },
      { type: 'pong', version: 3, lastPush: 2 },
    ]);
  });
});

/** More than a welcome carries (JOIN-11). */
const TOO_LONG = 'x'.repeat(66_000);
const TEXT = 'x'.repeat(1000);

/** A room with that content, of which more has come and gone since the cursor than it has. */
const shrunk = async (
  values: Record<string, string>,
): Promise<{ readonly host: FakeRoomHost; readonly cursor: Cursor }> => {
  const host = new FakeRoomHost();
  await host.seed(values);
  const cursor = await host.cursor();
  for (let number = 1; number <= 80; number += 1)
    host.room.store.setValue(`long ${TEXT} ${number}`, 1);
  for (const id of host.room.store.getValueIds())
    if (id.startsWith('long ')) host.room.store.delValue(id);
  await settle();
  return { host, cursor };
};

/** A room that has grown by twenty texts since that cursor. */
const grown = async (): Promise<{
  readonly host: FakeRoomHost;
  readonly cursor: Cursor;
}> => {
  const host = await seeded();
  const cursor = await host.cursor();
  const bob = await host.join('bob');
  for (let number = 1; number <= 20; number += 1)
    await bob.push(number, { [`value${number}`]: TEXT });
  return { host, cursor };
};

describe('joining', () => {
  test('[JOIN-2] welcomes a cursor with all that happened since, and makes the connection live', async () => {
    const host = await seeded();
    const cursor = await host.cursor();
    const bob = await host.join('bob');
    await bob.push(1, { pets: { fido: undefined } });
    await bob.push(2, { pets: { fido: { species: 'wolf' } }, open: false });
    const ada = host.connect();
    await ada.hello({ cursor });
    const welcome = ada.hearOne('welcome');
    expect(welcome).toMatchObject({
      generation: 1,
      cursor: { epoch: 'epoch1', version: 3 },
      lastPush: 0,
    });
    expect(inShort(welcome.changes)).toEqual({
      deletedRows: [['pets', ['fido']]],
      leaves: [
        ['pets', 'fido', 'species', 'wolf'],
        ['open', false],
      ],
    });
    await bob.push(3, { open: true });
    expect(ada.hearOne('commit').version).toBe(4);
  });

  test('[JOIN-2] catches up from the log of a room that was loaded anew', async () => {
    const host = await seeded();
    const cursor = await host.cursor();
    const bob = await host.join('bob');
    await bob.push(1, { open: false });
    host.hibernate(bob);
    const ada = host.connect();
    await ada.hello({ cursor });
    expect(inShort(ada.hearOne('welcome').changes)).toEqual({ leaves: [['open', false]] });
  });

  test.each([
    ['none', () => undefined],
    ['one of another epoch [JOIN-8]', () => ({ epoch: 'another', version: 1 })],
    ['one newer than the room', () => ({ epoch: 'epoch1', version: 2 })],
    ['one older than the log', () => ({ epoch: 'epoch1', version: 0 })],
  ])('[JOIN-3] asks whoever says hello with this cursor to load: %s', async (_what, cursor) => {
    const host = new FakeRoomHost();
    await host.seed({ long: TOO_LONG });
    const ada = host.connect();
    await ada.hello({ cursor: cursor() });
    expect(ada.hearOne('welcome')).toMatchObject({
      changes: undefined,
      cursor: { epoch: 'epoch1', version: 1 },
    });
    host.room.store.setValue('open', false);
    await settle();
    expect(ada.hear()).toEqual([]);
    await ada.push(1, { x: 1 });
    expect(ada.hear()).toEqual([]);
    await ada.hello({ generation: 2, cursor: await host.cursor() });
    expect(ada.hearOne('welcome').changes).toBeDefined();
    await ada.push(1, { x: 1 });
    expect(ada.hearOne('ack')).toMatchObject({ version: 3 });
  });

  test('[JOIN-3] asks to load where the changes would be larger than the content', async () => {
    const { host, cursor } = await shrunk({ text: TOO_LONG });
    const ada = host.connect();
    await ada.hello({ cursor });
    const { changes, content } = ada.hearOne('welcome');
    expect([changes, content]).toEqual([undefined, undefined]);
  });

  test('[JOIN-11] gives small content where the changes would be larger, and makes the connection live', async () => {
    const { host, cursor } = await shrunk({ text: 'short' });
    const ada = host.connect();
    await ada.hello({ cursor });
    const { changes, content, cursor: now } = ada.hearOne('welcome');
    expect(inShort(changes)).toEqual({ leaves: [] });
    expect(content?.count()).toBe(1);
    expect(content?.get(VALUES, '', 'text')).toBe('short');
    expect(now).toEqual(await host.cursor());
    host.room.store.setValue('text', 'next');
    await settle();
    expect(ada.hearOne('commit').version).toBe(now.version + 1);
  });

  test.each([
    ['nothing', undefined],
    ['a room without a Store', { epoch: 'another', version: 0 }],
  ])('[JOIN-11] gives no content to a client that knows %s', async (_what, cursor) => {
    const host = await seeded();
    const ada = host.connect();
    await ada.hello({ cursor });
    const { changes, content } = ada.hearOne('welcome');
    expect([changes, content]).toEqual([undefined, undefined]);
  });

  test('[JOIN-11] gives no content of which a transaction may be rolled back', async () => {
    const host = await seeded();
    const ada = host.connect();
    host.room.store.startTransaction();
    host.room.store.setValue('open', 'perhaps');
    await ada.hello({ cursor: { epoch: 'another', version: 1 } });
    const { changes, content } = ada.hearOne('welcome');
    expect([changes, content]).toEqual([undefined, undefined]);
    host.room.store.finishTransaction(() => true);
    await ada.hello({ cursor: { epoch: 'another', version: 1 }, generation: 2 });
    expect(ada.hearOne('welcome').content?.get(VALUES, '', 'open')).toBe(true);
  });

  test('[JOIN-11] [FLOOD-3] content costs its length, and whoever asks for too much loads it', async () => {
    const host = new FakeRoomHost({ limits: () => ({ messageBurst: 20, messagesPerSecond: 1 }) });
    await host.seed({ text: TOO_LONG.slice(0, 40_000) });
    const ada = host.connect();
    const kinds: string[] = [];
    for (let generation = 1; generation <= 4; generation += 1) {
      await ada.hello({ cursor: { epoch: 'another', version: 1 }, generation });
      kinds.push(ada.hearOne('welcome').content === undefined ? 'load' : 'content');
    }
    expect(kinds).toEqual(['content', 'load', 'load', 'load']);
  });

  test('[JOIN-11] [DURABLE-1] content waits until it is on disk', async () => {
    let isHeld = false;
    const runs: (() => void)[] = [];
    const storage = new StrictStorage({ defer: (run) => (isHeld ? runs.push(run) : run()) });
    const host = new FakeRoomHost({}, storage);
    await host.seed({ open: true });
    isHeld = true;
    host.room.store.setValue('open', false);
    const ada = host.connect();
    void ada.hello({ cursor: { epoch: 'another', version: 1 } });
    await settle();
    expect(ada.hearTypes()).toEqual([]);
    isHeld = false;
    for (const run of runs) run();
    await settle();
    const told = ada.hear().flatMap((message) => (message.type === 'welcome' ? [message] : []));
    expect(told.map(({ content }) => content?.get(VALUES, '', 'open'))).toEqual([false]);
  });

  test('[JOIN-2] leaves out of a welcome the rows that were born and died since, however many', async () => {
    const host = new FakeRoomHost();
    await host.seed({ v: 1 });
    const cursor = await host.cursor();
    for (let row = 0; row < 500; row += 1) {
      host.room.store.setCell('fast', `row ${row} of many`, 'c', 1);
      host.room.store.delRow('fast', `row ${row} of many`);
    }
    await settle();
    const ada = host.connect();
    await ada.hello({ cursor });
    const { changes } = ada.hearOne('welcome');
    expect(changes?.leaves.isEmpty).toBe(true);
    expect(changes?.deletedRows.size).toBe(0);
    host.room.store.setValue('v', 2);
    await settle();
    expect(ada.hearOne('commit').version).toBe(1002);
  });

  test('[JOIN-2] tells a client the end of a row that its own push made, if it does not know that this was processed', async () => {
    const host = new FakeRoomHost();
    await host.seed({ v: 1 });
    const cursor = await host.cursor();
    const ada = host.connect();
    await ada.hello({ cursor });
    ada.hearOne('welcome');
    await ada.push(1, decodeChanges('[{"t":{"r":{"c":1}}},{}]'));
    host.room.store.delRow('t', 'r');
    await settle();
    const again = host.connect();
    await again.hello({ cursor, generation: 2, nextPush: 1 });
    const welcome = again.hearOne('welcome');
    expect(welcome.lastPush).toBe(1);
    expect([...(welcome.changes?.deletedRows.keys() ?? [])]).toEqual(['t']);
  });

  test('[JOIN-10] tells whoever has just loaded of all that was deleted since, however much', async () => {
    const host = new FakeRoomHost();
    await host.seed({ v: 1 });
    host.room.store.setValue('long', TOO_LONG);
    for (let row = 0; row < 400; row += 1)
      host.room.store.setCell('fast', `row ${row} ${TEXT.slice(0, 180)}`, 'c', 1);
    await settle();
    const cursor = await host.cursor();
    host.room.store.delTable('fast');
    await settle();
    const ada = host.connect();
    await ada.hello({ cursor });
    expect(ada.hearOne('welcome').changes).toBeUndefined();
    await ada.hello({ cursor, generation: 2 });
    const { changes } = ada.hearOne('welcome');
    expect(changes?.leaves.isEmpty).toBe(true);
    host.room.store.setValue('v', 2);
    await settle();
    expect(ada.hearOne('commit').version).toBe(404);
  });

  test('[JOIN-3] tells all changes where the content has grown by them', async () => {
    const { host, cursor } = await grown();
    const ada = host.connect();
    await ada.hello({ cursor });
    expect(ada.hearOne('welcome').changes?.leaves.count()).toBe(20);
  });

  test.each([
    [3, 4],
    [2, 3],
    [0, 3],
  ])(
    '[JOIN-4] answers a hello of generation %i with the %i that is above it, and nothing else',
    async (generation, above) => {
      const host = await seeded();
      const ada = await host.join('ada', { generation: 3 });
      await ada.push(1, { x: 0 });
      ada.hear();
      const late = host.connect();
      await late.hello({ generation, cursor: await host.cursor() });
      await ada.hello({ generation, cursor: await host.cursor() });
      const answer = { type: 'welcome', generation: above, lastPush: 1, changes: undefined };
      expect([late.hear(), ada.hear()]).toMatchObject([[answer], [answer]]);
      expect(ada.closed).toBeUndefined();
      void late.push(2, { x: 2 });
      await ada.push(2, { x: 1 });
      expect(ada.hearTypes()).toEqual(['ack']);
      expect(host.room.store.getValue('x')).toBe(1);
    },
  );

  test('[JOIN-4] remembers generations of clients that have gone, and of those that slept', async () => {
    const host = await seeded();
    const ada = await host.join('ada', { generation: 5 });
    host.disconnect(ada);
    const late = host.connect();
    await late.hello({ generation: 5, cursor: await host.cursor() });
    expect(late.hear()).toMatchObject([{ generation: 6, changes: undefined }]);
    const bob = await host.join('bob', { generation: 7 });
    host.hibernate(bob);
    const later = host.connect();
    await later.hello({ clientId: clientId('bob'), generation: 6, cursor: await host.cursor() });
    expect(later.hear()).toMatchObject([{ generation: 7, changes: undefined }]);
  });

  test('[JOIN-5] a newer connection fences the older one, whose messages count no more', async () => {
    const host = await seeded();
    const older = await host.join('ada');
    void older.push(1, { x: 'taken' });
    const newer = host.connect();
    void newer.hello({ generation: 2, cursor: { epoch: 'epoch1', version: 1 } });
    void older.push(2, { x: 'ignored' });
    await settle();
    expect(older.closed?.code).toBe(4410);
    expect(newer.hear()).toMatchObject([{ type: 'welcome', lastPush: 1, cursor: { version: 2 } }]);
    expect(host.room.store.getValue('x')).toBe('taken');
  });

  test('[JOIN-5] takes nothing that a connection had sent before it was fenced, and that waited', async () => {
    const answer = new Deferred<boolean>();
    const host = new FakeRoomHost({ hooks: () => ({ canSetCell: () => answer.promise }) });
    await host.seed({ open: true });
    const older = await host.join('ada');
    const newer = host.connect();
    void older.push(1, { t: { r: { c: 1 } } });
    void newer.hello({ generation: 2, cursor: { epoch: 'epoch1', version: 1 } });
    void older.push(2, { x: 'ignored' });
    answer.resolve(true);
    await settle();
    expect(newer.hear()).toMatchObject([{ type: 'welcome', lastPush: 0 }]);
    expect(await host.content()).toEqual([{}, { open: true }]);
  });

  test('[JOIN-5] fences connections that have slept', async () => {
    const host = await seeded();
    const [older] = host.hibernate(await host.join('ada'));
    const newer = host.connect();
    await newer.hello({ generation: 2, cursor: await host.cursor() });
    expect(older?.closed?.code).toBe(4410);
  });

  test('[JOIN-7] asks everybody to load when the room gets its initial content', async () => {
    const host = new FakeRoomHost();
    const live = await host.join('ada');
    const loading = host.connect();
    await loading.hello({ clientId: clientId('bob'), generation: 3 });
    loading.hear();
    await host.seed({ open: true });
    await settle();
    expect(live.hearOne('welcome')).toMatchObject({
      generation: 1,
      changes: undefined,
      cursor: { version: 1 },
    });
    expect(loading.hearOne('welcome')).toMatchObject({ generation: 3, changes: undefined });
    // It was sent before the reload came, and is sent again after the next hello.
    await live.push(1, { x: 1 });
    expect(live.hear()).toEqual([]);
    expect((await host.cursor()).version).toBe(1);
  });

  test('[JOIN-3] asks whoever has known the room without a Store to load, whatever others were told before', async () => {
    const host = new FakeRoomHost();
    const cursor = await host.cursor();
    expect(cursor.version).toBe(0);
    const early = host.connect();
    await early.hello({ clientId: clientId('early'), cursor });
    expect(early.hearOne('welcome').changes).toBeDefined();
    await host.seed({ open: true });
    await settle();
    const late = host.connect();
    await late.hello({ clientId: clientId('late'), cursor });
    expect(late.hearOne('welcome')).toMatchObject({ changes: undefined, cursor: { version: 1 } });
  });

  test('[JOIN-7] takes the first push for the initial content, and tells its author with its number', async () => {
    const host = new FakeRoomHost();
    const ada = await host.join('ada');
    await ada.push(1, { x: 1 });
    expect(ada.hearOne('welcome')).toMatchObject({
      lastPush: 1,
      changes: undefined,
      cursor: { version: 1 },
    });
    expect(await host.content()).toEqual([{}, { x: 1 }]);
  });

  test('[JOIN-7] asks to load in place of a commit that is too large to send', async () => {
    const host = new FakeRoomHost({ limits: () => ({ frameLength: 500 }) });
    await host.seed({ open: true });
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    await ada.push(1, { long: 'x'.repeat(1000) });
    expect(ada.hearOne('ack')).toMatchObject({ version: 2, isCommit: true });
    expect(bob.hearOne('welcome')).toMatchObject({ changes: undefined, cursor: { version: 2 } });
    await ada.push(2, { open: false });
    expect(bob.hear()).toEqual([]);
    await bob.hello({
      clientId: clientId('bob'),
      generation: 2,
      cursor: { epoch: 'epoch1', version: 1 },
    });
    expect(bob.hearOne('welcome').changes).toBeUndefined();
  });
});
