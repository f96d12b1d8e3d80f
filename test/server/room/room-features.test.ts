import { expect, test } from 'vitest';

import { encodeClientMessage } from '../../../src/protocol/codec.ts';
import { TinyBasePartyKitError } from '../../../src/protocol/errors.ts';
import type { ChangeOrigin } from '../../../src/server/room/change-origin.ts';
import type {
  FeatureRoom,
  RoomCommit,
  RoomFeature,
  RoomGate,
} from '../../../src/server/room/room-feature.ts';
import { Deferred } from '../../support/deferred.ts';
import {
  clientId,
  FakeRoomHost,
  settle,
  type FakeConnection,
} from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

/** A storage that holds its calls back while a test says so. */
class HeldStorage {
  isHeld = false;
  readonly #runs: (() => void)[] = [];
  readonly storage: StrictStorage = new StrictStorage({
    defer: (run) => {
      if (this.isHeld) this.#runs.push(run);
      else run();
    },
  });

  async letGo(): Promise<void> {
    this.isHeld = false;
    for (const run of this.#runs.splice(0)) run();
    await settle();
  }
}

const fail = (): never => {
  throw new Error('feature');
};

const cause = ({ type }: ChangeOrigin<unknown>): string => type;

/** Writes down what it hears. */
class Witness implements RoomFeature<FakeConnection, unknown> {
  readonly letter: string;
  readonly isOrdered: boolean;
  readonly heard: string[] = [];
  readonly names = new Map<FakeConnection, string>();

  constructor(letter: string = 'x', isOrdered: boolean = false) {
    this.letter = letter;
    this.isOrdered = isOrdered;
  }

  received(connection: FakeConnection, json: string): void {
    this.heard.push(`${this.names.get(connection)} says ${json}`);
  }

  admitted(connection: FakeConnection): void {
    this.heard.push(`${this.names.get(connection)} admitted`);
  }

  live(connection: FakeConnection): void {
    this.heard.push(`${this.names.get(connection)} live`);
  }

  left(connection: FakeConnection): void {
    this.heard.push(`${this.names.get(connection)} left`);
  }

  committed({ cursor, origin }: RoomCommit<FakeConnection, unknown>): void {
    this.heard.push(`committed ${cursor.version} by ${cause(origin)}`);
  }

  written(version: number): void {
    this.heard.push(`written ${version}`);
  }

  take(): string[] {
    return this.heard.splice(0);
  }
}

/** Admits whoever brings the request `ok`, when a test says so. */
class TestGate implements RoomGate<FakeConnection, unknown> {
  room: FeatureRoom<FakeConnection> | undefined;
  decision = new Deferred<void>();
  isReadOnly = false;
  readonly users = new Map<unknown, string>();

  async admit(connection: FakeConnection, request: unknown): Promise<void> {
    await this.decision.promise;
    await this.admitRequest(request);
    this.room?.writeSlot(connection, 'auth', 'in');
  }

  async admitRequest(request: unknown): Promise<void> {
    if (request !== 'ok') throw new TinyBasePartyKitError('unauthorized', 'There is no token.');
  }

  check(connection: FakeConnection): 'admitted' | 'unknown' | 'expired' {
    const slot = this.room?.readSlot(connection, 'auth');
    return slot === 'in' ? 'admitted' : slot === 'out' ? 'expired' : 'unknown';
  }

  mayWrite(): boolean {
    return !this.isReadOnly;
  }

  userIdOf(caller: unknown): string | undefined {
    return this.users.get(caller);
  }
}

const gated = (
  ...parameters: ConstructorParameters<typeof FakeRoomHost>
): { host: FakeRoomHost; gate: TestGate } => {
  const host = new FakeRoomHost(...parameters);
  const gate = new TestGate();
  gate.room = host.room.setGate(gate);
  return { host, gate };
};

const enter = async (host: FakeRoomHost, gate: TestGate): Promise<FakeConnection> => {
  const connection = host.connect();
  gate.decision.resolve();
  expect(await host.room.connected(connection, 'ok')).toBe(true);
  return connection;
};

const reportsOf = (host: FakeRoomHost): string[] =>
  host.errors.map(({ error, where }) => `${where}: ${error instanceof Error ? error.message : ''}`);

test('[SEAM-1] hands frames to the feature with their letter, and leaves all others to the core', async () => {
  const host = new FakeRoomHost();
  const witness = new Witness();
  host.room.addFeature(witness);
  await host.seed({ v: 1 });
  const ada = await host.join('ada');
  witness.names.set(ada, 'ada');
  witness.take();
  await ada.say('x{"any":"text');
  await ada.say('y[]');
  await ada.say(new ArrayBuffer(1));
  await ada.push(1, { v: 2 });
  expect(witness.take()).toEqual(['ada says {"any":"text', 'committed 2 by push', 'written 2']);
  expect(ada.hearTypes()).toEqual(['ack']);
});

test('[SEAM-1] counts the frames of features as part of a flood', async () => {
  const host = new FakeRoomHost({ limits: () => ({ messageBurst: 3 }) });
  const witness = new Witness();
  host.room.addFeature(witness);
  const connection = host.connect();
  for (let count = 0; count < 5; count += 1) await connection.say(`x${count}`);
  expect(witness.heard.filter((line) => line.includes('says')).length).toBe(3);
  expect(connection.closed?.code).toBe(4429);
});

test.each(['h', 'p', 'i', 's', 'w', 'c', 'a', 'e', '', 'xy', 'x'])(
  '[SEAM-1] refuses a feature with the letter "%s"',
  (letter) => {
    const host = new FakeRoomHost();
    host.room.addFeature(new Witness('x'));
    expect(() => host.room.addFeature(new Witness(letter))).toThrow(/letter/u);
    host.room.addFeature(new Witness('y'));
  },
);

test('[SEAM-1] refuses what is no feature, and a letter that is no text', () => {
  const { room } = new FakeRoomHost();
  for (const feature of [undefined, null, 5, 'text', Promise.resolve({}), () => undefined])
    expect(() => room.addFeature(feature as never)).toThrow('addFeature got no object');
  for (const letter of [null, 5, ['x'], Symbol('x')])
    expect(() => room.addFeature({ letter } as never)).toThrow('The letter of a feature');
});

test('[SEAM-1] begins with an ordered frame when everything before it was processed', async () => {
  const answer = new Deferred<boolean>();
  const host = new FakeRoomHost({
    hooks: () => ({ canSetValue: (_id, value) => value === 1 || answer.promise }),
  });
  const ordered = new Witness('z', true);
  const prompt = new Witness('q');
  host.room.addFeature(ordered);
  host.room.addFeature(prompt);
  await host.seed({ v: 1 });
  const ada = await host.join('ada');
  ordered.names.set(ada, 'ada');
  prompt.names.set(ada, 'ada');
  ordered.take();
  prompt.take();
  await ada.push(1, { v: 2 });
  await ada.say('z1');
  await ada.say('q1');
  expect([prompt.take(), ordered.take()]).toEqual([['ada says 1'], []]);
  answer.resolve(true);
  await settle();
  expect(ordered.take()).toEqual(['committed 2 by push', 'ada says 1', 'written 2']);
});

test('tells a feature once of each connection that comes, is live and leaves, however it ends', async () => {
  const host = new FakeRoomHost();
  const witness = new Witness();
  host.room.addFeature(witness);
  await host.seed({ v: 1 });
  witness.take();
  const ada = host.connect();
  const ben = host.connect();
  witness.names.set(ada, 'ada').set(ben, 'ben');
  await host.room.connected(ada, undefined);
  await host.room.connected(ben, undefined);
  await ada.hello({ cursor: await host.cursor() });
  await ada.hello({ cursor: await host.cursor(), generation: 2 });
  expect(witness.take()).toEqual(['ada admitted', 'ben admitted', 'ada live']);
  await ben.hello({ cursor: await host.cursor(), generation: 3 });
  expect(ada.closed?.code).toBe(4410);
  host.disconnect(ada);
  expect(witness.take()).toEqual(['ada left', 'ben live']);
  host.disconnect(ben);
  host.disconnect(ben);
  expect(witness.take()).toEqual(['ben left']);
});

test('tells a feature of a connection that the app closed and that no host speaks of again', async () => {
  const host = new FakeRoomHost();
  const witness = new Witness();
  const access = host.room.addFeature(witness);
  const ada = host.connect();
  witness.names.set(ada, 'ada');
  await host.room.connected(ada, undefined);
  expect(access.connections()).toEqual([ada]);
  ada.close(4000, 'by the app');
  expect(access.connections()).toEqual([]);
  expect(witness.take()).toEqual(['ada admitted', 'ada left']);
});

test('tells a feature who caused a commit', async () => {
  const host = new FakeRoomHost();
  const witness = new Witness();
  host.room.addFeature(witness);
  await host.seed({ v: 1 });
  host.room.store.setValue('v', 2);
  const ada = await host.join('ada');
  await ada.push(1, { v: 3 });
  await ada.push(2, { v: 3 });
  await host.connect().stock({ v: 4 });
  expect(witness.heard.filter((line) => line.startsWith('committed'))).toEqual([
    'committed 1 by seed',
    'committed 2 by room',
    'committed 3 by push',
    'committed 4 by stock',
  ]);
});

test('[SEAM-3] keeps the place of what a feature releases, and loses it with the commits', async () => {
  const disk = new HeldStorage();
  const host = new FakeRoomHost({}, disk.storage);
  const witness = new Witness();
  const access = host.room.addFeature(witness);
  await host.seed({ v: 1 });
  const ada = await host.join('ada');
  const ben = await host.join('ben');
  const outcomes: string[] = [];
  const release = (name: string): void =>
    access.release({
      onReleased: () => {
        outcomes.push(`${name} durable`);
        access.send(ben, 'x', `"${name}"`);
      },
      onLost: () => {
        outcomes.push(`${name} lost`);
      },
    });
  disk.isHeld = true;
  await ada.push(1, { v: 2 });
  release('first');
  await ada.push(2, { v: 3 });
  expect(ben.frames).toEqual([]);
  await disk.letGo();
  expect(ben.frames.map((frame) => frame[0])).toEqual(['c', 'x', 'c']);
  disk.isHeld = true;
  disk.storage.failWrites(1, { takesEffect: false });
  await ada.push(3, { v: 4 });
  release('second');
  await disk.letGo();
  expect(outcomes).toEqual(['first durable', 'second lost']);
});

test('reports what a feature throws, and goes on', async () => {
  const host = new FakeRoomHost();
  const access = host.room.addFeature({
    letter: 'x',
    received: async () => fail(),
    admitted: fail,
    live: fail,
    left: fail,
    committed: fail,
    written: fail,
  });
  await host.seed({ v: 1 });
  const ada = await host.join('ada');
  await ada.say('x1');
  access.release({ onReleased: fail, onLost: fail });
  await ada.push(1, { v: 2 });
  expect(ada.hearTypes()).toEqual(['ack']);
  host.disconnect(ada);
  expect(new Set(reportsOf(host))).toEqual(new Set(['feature: feature']));
  expect(host.errors.length).toBeGreaterThan(6);
});

test('[SEAM-4] keeps slots of a connection through a hibernation, beside the room’s own', async () => {
  const host = new FakeRoomHost();
  await host.seed({ v: 1 });
  const access = host.room.addFeature(new Witness());
  const ada = await host.join('ada');
  access.writeSlot(ada, 'x', { row: 1 });
  expect(access.readSlot(ada, 'y')).toBeUndefined();
  const [again] = host.hibernate(ada);
  const later = host.room.addFeature(new Witness());
  expect(again && later.readSlot(again, 'x')).toEqual({ row: 1 });
  await host.room.start();
  await again?.push(1, { v: 2 });
  expect(again?.hearTypes()).toEqual(['ack']);
});

test('[SEAM-4] knows through a hibernation when a connection was heard, if a feature needs it', async () => {
  const host = new FakeRoomHost();
  await host.seed({ v: 1 });
  const access = host.room.addFeature({ letter: 'x', needsHeardTimes: true });
  const ada = await host.join('ada');
  const first = host.time;
  expect(access.heardAt(ada)).toBe(first);
  await host.pass(15_000);
  await ada.ping();
  expect(access.heardAt(ada)).toBe(first + 15_000);
  const [again] = host.hibernate(ada);
  const later = host.room.addFeature({ letter: 'x', needsHeardTimes: true });
  expect(again && later.heardAt(again)).toBe(first);
  await host.pass(25_000);
  await again?.ping();
  const [third] = again === undefined ? [] : host.hibernate(again);
  const last = host.room.addFeature({ letter: 'x', needsHeardTimes: true });
  expect(third && last.heardAt(third)).toBe(first + 40_000);
  if (third !== undefined) third.pingedAt = first + 65_000;
  expect(third && last.heardAt(third)).toBe(first + 65_000);
  // The clock was set back since.
  if (third !== undefined) third.pingedAt = first + 86_400_000;
  expect(third && last.heardAt(third)).toBe(first + 40_000);
});

test('[SEAM-5] a room without features sends, attaches and stores the same as one with an idle feature', async () => {
  const rooms = [new FakeRoomHost(), new FakeRoomHost()];
  const traces = [];
  for (const [index, host] of rooms.entries()) {
    if (index === 1) host.room.addFeature({ letter: 'x' });
    await host.seed({ v: 1 });
    const ada = await host.join('ada');
    const stock = host.connect();
    await ada.push(1, { v: 2 });
    host.room.store.setValue('v', 3);
    await settle();
    const rows = await host.storage.list({});
    traces.push({ ada: ada.frames, stock: stock.frames, attachment: ada.attachment, rows });
  }
  expect(traces[0]).toEqual(traces[1]);
});

test('[SEAM-2] nothing reaches a connection, and nobody hears of it, while the gate decides', async () => {
  const { host, gate } = gated();
  const witness = new Witness();
  const access = host.room.addFeature(witness);
  await host.seed({ v: 1 });
  witness.take();
  const ada = host.connect();
  witness.names.set(ada, 'ada');
  const entering = host.room.connected(ada, 'ok');
  host.room.store.setValue('v', 2);
  access.send(ada, 'x', '1');
  access.tell(ada, 'stale', 'text');
  void ada.say('x"early"');
  await settle();
  expect(access.connections()).toEqual([]);
  expect(ada.frames).toEqual([]);
  expect(witness.take()).toEqual(['committed 2 by room', 'written 2']);
  gate.decision.resolve();
  expect(await entering).toBe(true);
  await settle();
  expect(witness.take()).toEqual(['ada admitted', 'ada says "early"']);
  host.room.store.setValue('v', 3);
  await settle();
  expect(ada.hearTypes()).toEqual(['stock']);
});

test('[SEAM-2] a connection that the gate refuses hears why and is closed; nobody else hears of it', async () => {
  const { host, gate } = gated();
  const witness = new Witness();
  const access = host.room.addFeature(witness);
  const ada = host.connect();
  gate.decision.resolve();
  expect(await host.room.connected(ada, 'wrong')).toBe(false);
  expect(ada.hearOne('error')).toMatchObject({
    code: 'unauthorized',
    message: 'There is no token.',
  });
  expect(ada.closed?.code).toBe(4401);
  host.disconnect(ada);
  await ada.hello();
  expect([ada.frames, witness.heard, access.connections()]).toEqual([[], [], []]);
});

test('[GATE-7] [FLOOD-7] the answer to a mark of a connection whose grant has ended is answered with nothing', async () => {
  const { host, gate } = gated({ limits: () => ({ unreadLength: 10_000 }) });
  await host.seed({ t: { r: { text: '' } } });
  const ada = await enter(host, gate);
  await ada.hello({ cursor: await host.cursor() });
  host.room.store.setCell('t', 'r', 'text', 'x'.repeat(3_000));
  await settle();
  const mark = ada.hear().find(({ type }) => type === 'mark');
  if (mark?.type !== 'mark') throw new Error('no mark');
  host.room.store.setCell('t', 'r', 'text', 'y'.repeat(3_000));
  await settle();
  ada.hear();
  // It waits for its turn, and the grant ends.
  let asked = 0;
  gate.check = () => ((asked += 1) === 1 ? 'admitted' : 'expired');
  await ada.say(encodeClientMessage('', mark));
  expect(ada.hear()).toEqual([]);
});

test('[SEAM-2] a gate that fails lets nobody in, and is reported', async () => {
  const { host, gate } = gated();
  const ada = host.connect();
  gate.admit = () => Promise.reject(new Error('keys'));
  expect(await host.room.connected(ada, 'ok')).toBe(false);
  expect([ada.closed?.code, reportsOf(host)]).toEqual([4500, ['feature: keys']]);
  gate.check = () => {
    throw new Error('check');
  };
  const ben = host.connect();
  await ben.hello();
  expect(ben.closed?.code).toBe(4419);
});

test('[SEAM-2] a connection that comes without a grant after a hibernation, or whose grant ends, is closed with expired', async () => {
  const { host, gate } = gated();
  const witness = new Witness();
  const access = host.room.addFeature(witness);
  await host.seed({ v: 1 });
  const ada = await enter(host, gate);
  witness.names.set(ada, 'ada');
  await ada.hello({ cursor: await host.cursor() });
  expect(ada.hearTypes()).toEqual(['welcome']);
  witness.take();
  access.writeSlot(ada, 'auth', 'out');
  expect(access.connections()).toEqual([]);
  host.room.store.setValue('v', 2);
  await settle();
  expect(ada.hearOne('error').code).toBe('expired');
  expect(ada.closed?.code).toBe(4419);
  expect(witness.take()).toEqual(['committed 2 by room', 'ada left', 'written 2']);
  const ben = host.connect();
  await ben.hello();
  expect([ben.hearOne('error').code, ben.closed?.code]).toEqual(['expired', 4419]);
});

test('[SEAM-6] a caller that may not write changes nothing, and is told what the room has', async () => {
  const { host, gate } = gated();
  await host.seed({ v: 1 });
  const ada = await enter(host, gate);
  await ada.hello({ cursor: await host.cursor() });
  ada.hear();
  gate.isReadOnly = true;
  await ada.push(1, { v: 2 });
  expect(ada.hearOne('ack')).toMatchObject({ number: 1, isCommit: false, reason: 'access' });
  const stock = await enter(host, gate);
  await stock.stock({ v: 3 });
  expect(stock.frames).toEqual(['s[{},{"v":1},1]']);
  expect(await host.content()).toEqual([{}, { v: 1 }]);
  await expect(host.room.admitRequest('ok', 'write')).rejects.toMatchObject({ code: 'forbidden' });
  await host.room.admitRequest('ok', 'read');
  await expect(host.room.admitRequest('no', 'read')).rejects.toMatchObject({
    code: 'unauthorized',
  });
});

test('[PART-3] [SEAM-6] a push in parts of a caller that may not write is refused at its first part', async () => {
  const { host, gate } = gated();
  await host.seed({ v: 1 });
  const ada = await enter(host, gate);
  await ada.hello({ cursor: await host.cursor(), clientId: clientId('ada') });
  ada.hear();
  gate.isReadOnly = true;
  await ada.say('m[1,0,17,"[1,[{},{\\"v\\""]');
  expect(ada.hearOne('error')).toMatchObject({ code: 'forbidden', push: 1 });
  await ada.say('m[1,11,17,":2}]]"]');
  expect(ada.hearOne('error').code).toBe('stale');
  expect(await host.content()).toEqual([{}, { v: 1 }]);
});

test('[SEAM-6] a caller that may not write, and asks for more than an answer can put back, is told by an error', async () => {
  const { host, gate } = gated({ limits: () => ({ frameLength: 400 }) });
  await host.seed({ text: 'x'.repeat(500) });
  gate.isReadOnly = true;
  const reader = await enter(host, gate);
  await reader.hello({ cursor: await host.cursor() });
  reader.hear();
  await reader.push(1, { text: 'short' });
  expect(reader.hear()).toMatchObject([{ type: 'error', code: 'forbidden', push: 1 }]);
  // Its client sends it without its changes, and all that comes after.
  await reader.push(1, {});
  expect(reader.hearOne('ack')).toMatchObject({ number: 1, isCommit: false });
  await reader.push(2, { other: 1 });
  expect(reader.hearOne('ack')).toMatchObject({ number: 2, reason: 'access' });
});

test('[FLOOD-5] [SEAM-6] who may only read takes no space from the clients that write', async () => {
  const { host, gate } = gated({ limits: () => ({ clients: 2 }) });
  await host.seed({ v: 1 });
  gate.isReadOnly = true;
  const rows = async (): Promise<string> => JSON.stringify([...(await host.storage.list({}))]);
  const before = await rows();
  for (const name of ['a', 'b', 'c', 'd']) {
    const reader = await enter(host, gate);
    await reader.hello({ cursor: await host.cursor(), clientId: clientId(name) });
    reader.hear();
    for (const number of [1, 2, 3]) {
      await reader.push(number, { v: 2 });
      expect(reader.hearOne('ack')).toMatchObject({ number, isCommit: false, reason: 'access' });
    }
  }
  expect(await rows()).toBe(before);
  // What was not heard is refused again.
  const again = await enter(host, gate);
  await again.hello({
    cursor: await host.cursor(),
    clientId: clientId('a'),
    generation: 2,
    nextPush: 3,
  });
  expect(again.hearOne('welcome').lastPush).toBe(2);
  await again.push(3, { v: 2 });
  expect(again.hearOne('ack')).toMatchObject({ number: 3, isCommit: false, reason: 'access' });
  gate.isReadOnly = false;
  for (const name of ['x', 'y']) {
    const writer = await enter(host, gate);
    await writer.hello({ cursor: await host.cursor(), clientId: clientId(name) });
    writer.hear();
    await writer.push(1, { [name]: 1 });
    expect(writer.hearOne('ack')).toMatchObject({ number: 1, isCommit: true });
    // Its record stays, also when it may only read from then on.
    gate.isReadOnly = true;
    await writer.push(2, { [name]: 2 });
    expect(writer.hearOne('ack')).toMatchObject({ number: 2, reason: 'access' });
    await writer.hello({ cursor: await host.cursor(), clientId: clientId(name), generation: 2 });
    expect(writer.hearOne('welcome').lastPush).toBe(2);
    gate.isReadOnly = false;
  }
});

test('[FLOOD-3] a refused push that deletes much counts by what the room tells of it', async () => {
  const { host, gate } = gated({ limits: () => ({ messagesPerSecond: 10, messageBurst: 100 }) });
  const pets = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, index) => [`pet ${index}`, { name: 'a name of a pet' }]),
  );
  await host.seed({ pets });
  const [ada, bob] = [await enter(host, gate), await enter(host, gate)];
  await ada.hello({ cursor: await host.cursor(), clientId: clientId('ada') });
  await bob.hello({ cursor: await host.cursor(), clientId: clientId('bob') });
  ada.hear();
  gate.isReadOnly = true;
  const all = Array.from({ length: 60 }, (_, index) => `p[${index + 1},[{},{},{"pets":0}]]`);
  await ada.say(all.join('\n'));
  const heard = ada.hear();
  const acks = heard.filter(({ type }) => type === 'ack');
  // Each tells about 40 KiB: ten messages.
  expect(acks.length).toBeGreaterThan(5);
  expect(acks.length).toBeLessThan(15);
  expect(heard.at(-1)).toMatchObject({ type: 'error', code: 'overloaded' });
  // Nothing more is taken until its next hello, and that counts.
  await ada.push(acks.length + 1, { v: 1 });
  expect(ada.hear()).toEqual([]);
  await host.pass(60_000);
  await ada.hello({
    cursor: await host.cursor(),
    clientId: clientId('ada'),
    generation: 2,
    nextPush: acks.length + 1,
  });
  ada.hear();
  await ada.push(acks.length + 1, { v: 1 });
  expect(ada.hearOne('ack')).toMatchObject({ number: acks.length + 1, reason: 'access' });
  // A stock peer is closed.
  const stock = await enter(host, gate);
  for (let number = 1; number <= 60; number += 1)
    void host.room.receive(stock, 's[{"pets":"\uFFFC"},{},1]');
  await settle();
  expect(stock.closed?.code).toBe(4429);
  expect(bob.closed).toBeUndefined();
});

test('[GATE-12] a client id that another user got hold of is another one', async () => {
  const { host, gate } = gated();
  await host.seed({ v: 1 });
  const [ada, eve] = [await enter(host, gate), await enter(host, gate)];
  gate.users.set(ada, 'ada').set(eve, 'eve');
  const stolen = { cursor: await host.cursor(), clientId: clientId('ada') };
  await ada.hello({ ...stolen, generation: 5 });
  await ada.push(1, { ada: 1 });
  await eve.hello({ ...stolen, generation: 9 });
  expect(ada.closed).toBeUndefined();
  await eve.push(1, { eve: 1 });
  await ada.push(2, { ada: 2 });
  expect(await host.content()).toEqual([{}, { v: 1, eve: 1, ada: 2 }]);
});

test('[FLOOD-5] a user with many clients leaves space for those of others', async () => {
  const options = { limits: () => ({ clients: 40 }) };
  const first = gated(options);
  await first.host.seed({ v: 1 });
  const write = async (
    { host, gate }: ReturnType<typeof gated>,
    user: string,
    name: string,
  ): Promise<unknown> => {
    const connection = await enter(host, gate);
    gate.users.set(connection, user);
    await connection.hello({ cursor: await host.cursor(), clientId: clientId(name) });
    connection.hear();
    await connection.push(1, { [name]: 1 });
    const [answer] = connection.hear();
    host.disconnect(connection);
    return answer?.type === 'error' ? answer.code : answer?.type;
  };
  // Eve makes one client after the other, and confirms none.
  const answers: unknown[] = [];
  for (let index = 0; index < 40; index += 1)
    answers.push(await write(first, 'eve', `eve${index}`));
  expect(answers.lastIndexOf('ack')).toBe(29);
  expect(answers.slice(30)).toEqual(Array.from({ length: 10 }, () => 'overloaded'));
  for (const index of [1, 2, 3, 4]) expect(await write(first, 'e', `e${index}`)).toBe('ack');
  expect(await write(first, 'e', 'e5')).toBe('overloaded');
  // The room counts on after a restart.
  const second = gated(options, first.host.storage);
  expect(await write(second, 'e', 'e6')).toBe('overloaded');
  expect(await write(second, 'eve', 'eve99')).toBe('overloaded');
  expect(await write(second, 'eve', 'eve5')).toBe('ack');
  for (const user of ['ada', 'bob', 've']) expect(await write(second, user, user)).toBe('ack');
});

const isIn = ({ closed }: FakeConnection): boolean => closed === undefined;

test('[FLOOD-5] a user with many connections leaves space for those of others', async () => {
  const { host, gate } = gated({ limits: () => ({ connections: 40 }) });
  await host.seed({ v: 1 });
  gate.decision.resolve();
  const come = async (user: string): Promise<FakeConnection> => {
    const connection = host.connect();
    gate.users.set(connection, user);
    await host.room.connected(connection, 'ok');
    return connection;
  };
  const eves: FakeConnection[] = [];
  for (let index = 0; index < 40; index += 1) eves.push(await come('eve'));
  expect(eves.filter(isIn)).toEqual(eves.slice(0, 30));
  expect(eves[35]?.closed?.code).toBe(4420);
  await host.pass(1_000);
  for (let index = 0; index < 4; index += 1) expect(isIn(await come('ada'))).toBe(true);
  const last = await come('ada');
  expect(last.hear()).toMatchObject([{ type: 'error', code: 'full' }]);
  for (const user of ['bob', 'cy', 'dan']) expect(isIn(await come(user))).toBe(true);
  // When others have left, she comes again.
  for (const eve of eves.slice(0, 10)) host.disconnect(eve);
  await host.pass(1_000);
  expect(isIn(await come('ada'))).toBe(true);
});

test('[FLOOD-5] a user whose connections come all at once leaves space for others, too', async () => {
  const { host, gate } = gated({ limits: () => ({ connections: 40 }) });
  await host.seed({ v: 1 });
  gate.decision.resolve();
  const eves = Array.from({ length: 40 }, () => host.connect());
  for (const eve of eves) gate.users.set(eve, 'eve');
  await Promise.all(eves.map((eve) => host.room.connected(eve, 'ok')));
  expect(eves.filter(isIn).length).toBeLessThanOrEqual(30);
  await host.pass(1_000);
  const ada = host.connect();
  gate.users.set(ada, 'ada');
  await host.room.connected(ada, 'ok');
  expect(isIn(ada)).toBe(true);
});

test('a room has one gate', () => {
  const { host, gate } = gated();
  expect(() => host.room.setGate(gate)).toThrow(/setGate/u);
});
