import { deserialize, serialize } from 'node:v8';

import type * as Party from 'partykit/server';
import { TinyBasePartyKitServer as StockServer } from 'tinybase/persisters/persister-partykit-server';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { z } from 'zod';

import { encodeClientMessage, encodeRoomMessage } from '../../src/protocol/codec.ts';
import {
  createAuth,
  createEdgeGuard,
  defineAuth,
  type EdgeGuard,
} from '../../src/server/features/auth/index.ts';
import {
  TinyBasePartyKitServer,
  type TinyBasePartyKitServerConfig,
} from '../../src/server/index.ts';
import { RoomServer } from '../../src/server/room-server.ts';
import { Deferred } from '../support/deferred.ts';
import { changesOf, clientId, settle as settleTurn } from '../support/fake-connection.ts';
import { StrictStorage } from '../support/strict-storage.ts';

/** Time is real here, and what has arrived gets its turn before a row is written (`DURABLE-2`). */
const settle = async (): Promise<void> => {
  await settleTurn();
  await new Promise((resolve) => setTimeout(resolve));
  await settleTurn();
};

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;
const ATTACHMENT_BYTES = 2_048;

/** A socket as the runtime has it. */
class FakeNativeSocket {
  attachment: Buffer | undefined;

  serializeAttachment(attachment: unknown): void {
    const bytes = serialize(attachment);
    if (bytes.length > ATTACHMENT_BYTES) throw new Error('The attachment is too large.');
    this.attachment = bytes;
  }

  deserializeAttachment(): unknown {
    return this.attachment === undefined ? undefined : deserialize(this.attachment);
  }
}

/** A connection as PartyKit hands it over, with hibernation: it caches what it attached last. */
class FakePartyConnection {
  readonly socket: FakeNativeSocket = new FakeNativeSocket();
  readonly id: string;
  readonly frames: string[] = [];
  readyState: number = OPEN;
  isCloseCompleted = false;
  sendError: Error | undefined;
  #cached: Readonly<Record<string, unknown>> | undefined;

  constructor(id: string) {
    this.id = id;
    this.socket.serializeAttachment({ __pk: { id, uri: 'http://example.com' }, __user: null });
  }

  get state(): unknown {
    return this.#attachment()['__user'] ?? null;
  }

  setState(state: unknown): unknown {
    this.#cached = { ...this.#attachment(), __user: state ?? null };
    this.socket.serializeAttachment(this.#cached);
    return state;
  }

  /** The room sleeps, and the cache is gone. */
  sleep(): void {
    this.#cached = undefined;
  }

  #attachment(): Readonly<Record<string, unknown>> {
    this.#cached ??= this.socket.deserializeAttachment() as Record<string, unknown>;
    return this.#cached;
  }

  send(frame: string): void {
    if (this.sendError !== undefined) throw this.sendError;
    this.frames.push(frame);
  }

  close(): void {
    this.readyState = CLOSED;
    this.isCloseCompleted = true;
  }

  take(): string[] {
    return this.frames.splice(0);
  }
}

/** What PartyKit is to a room. */
class FakeParty {
  readonly storage: StrictStorage = new StrictStorage();
  connections: FakePartyConnection[] = [];

  getConnections(): Iterable<FakePartyConnection> {
    return this.connections.filter(({ readyState }) => readyState === OPEN);
  }

  connect(id: string): FakePartyConnection {
    const connection = new FakePartyConnection(id);
    this.connections.push(connection);
    return connection;
  }

  get asRoom(): Party.Room {
    return this as unknown as Party.Room;
  }
}

/** The party’s end of what clients do. */
const say = async (
  server: TinyBasePartyKitServer,
  connection: FakePartyConnection,
  frame: string,
): Promise<void> => {
  void server.onMessage(frame, connection as unknown as Party.Connection);
  await settle();
};

const ask = async (
  server: TinyBasePartyKitServer,
  method: string = 'GET',
  body: string | null = null,
  path: string = '/store',
): Promise<Response> => {
  const request = new Request(`http://example.com/parties/main/room${path}`, { method, body });
  return await server.onRequest(request as unknown as Party.Request);
};

/** Calls a handler that hosts look for, as they do. */
const tell = async (
  server: TinyBasePartyKitServer,
  name: 'onConnect' | 'onClose' | 'onError',
  ...told: unknown[]
): Promise<void> => {
  const handler: unknown = Reflect.get(server, name);
  if (typeof handler !== 'function') throw new Error(`There is no ${name}.`);
  await Reflect.apply(handler, server, told);
};

const SEED = '[{"pets":{"fido":{"species":"dog"}}},{"open":true}]';

const hello = (name: string, version: number, epoch: string, prefix: string = ''): string =>
  encodeClientMessage(prefix, {
    type: 'hello',
    clientId: clientId(name),
    generation: 1,
    cursor: { epoch, version },
    nextPush: 1,
    ackedPush: 0,
  });

const join = async (
  server: TinyBasePartyKitServer,
  connection: FakePartyConnection,
  name: string,
): Promise<void> => {
  const etag = (await ask(server)).headers.get('ETag') ?? '';
  const [epoch = '', version = ''] = etag.slice(1, -1).split('.');
  await say(server, connection, hello(name, Number(version), epoch));
  expect(connection.take()[0]).toMatch(/^w/);
};

const push = (number: number, value: string): string =>
  encodeClientMessage('', { type: 'push', number, changes: changesOf({ value }) });

let errors: unknown[][];
beforeEach(() => {
  errors = [];
  vi.spyOn(console, 'error').mockImplementation((...logged: unknown[]) => {
    errors.push(logged);
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

test('is a room with the defaults of TinyBase’s own', async () => {
  const party = new FakeParty();
  const server = new TinyBasePartyKitServer(party.asRoom);
  const { config } = new StockServer(party.asRoom);
  expect(server.config).toEqual({ ...config });
  expect((await ask(server, 'PUT', SEED)).status).toBe(201);
  const response = await ask(server);
  expect(await response.text()).toBe(SEED);
  expect(response.headers.get('Access-Control-Allow-Origin')).toBe('*');
  expect((await ask(server, 'GET', null, '/other')).status).toBe(404);
  const [ada, bob] = [party.connect('1'), party.connect('2')];
  await join(server, ada, 'ada');
  await join(server, bob, 'bob');
  await say(server, ada, push(1, 'x'));
  expect(ada.take()).toEqual(['a[1,2,1]']);
  expect(bob.take()).toEqual([
    encodeRoomMessage('', { type: 'commit', version: 2, changes: changesOf({ value: 'x' }) }),
  ]);
  expect(errors).toEqual([]);
});

test('keeps the defaults of what a config in a field leaves out', async () => {
  class Configured extends TinyBasePartyKitServer {
    override config: TinyBasePartyKitServerConfig = { storePath: '/mine', messagePrefix: 'mine:' };
  }
  const party = new FakeParty();
  const server = new Configured(party.asRoom);
  expect((await ask(server, 'PUT', SEED, '/mine')).status).toBe(201);
  const response = await ask(server, 'GET', null, '/mine');
  expect(response.headers.get('Access-Control-Allow-Origin')).toBe('*');
  const ada = party.connect('1');
  await say(server, ada, hello('ada', 0, 'none'));
  expect(ada.take()).toEqual([]);
  await say(server, ada, hello('ada', 0, 'none', 'mine:'));
  expect(ada.take()[0]).toMatch(/^mine:w/);
});

test('works when a subclass overrides what PartyKit calls without super', async () => {
  const called: string[] = [];
  class Overriding extends TinyBasePartyKitServer {
    onStart(): void {
      called.push(`onStart ${this.store.getValue('open') === true}`);
    }
    onConnect(): void {
      called.push(`onConnect ${this.store.getValue('open') === true}`);
    }
    onClose(): void {
      called.push('onClose');
    }
    onError(): void {
      called.push('onError');
    }
    onAlarm(): void {
      called.push(`onAlarm ${this.store.getValue('open') === true}`);
    }
  }
  const party = new FakeParty();
  await ask(new TinyBasePartyKitServer(party.asRoom), 'PUT', SEED);
  const request = new Request('http://example.com/parties/main/room');
  for (const [handler, ...received] of [
    ['onStart'],
    ['onConnect', party.connect('0'), { request }],
    ['onAlarm'],
  ] as const) {
    const server = new Overriding(party.asRoom);
    void Reflect.apply(server[handler], server, received);
    await settle();
  }
  expect(called).toEqual(['onStart true', 'onConnect true', 'onAlarm true']);
  const server = new Overriding(party.asRoom);
  const [ada, bob] = [party.connect('1'), party.connect('2')];
  await join(server, ada, 'ada');
  await join(server, bob, 'bob');
  ada.readyState = CLOSED;
  await tell(server, 'onClose', ada);
  expect([called.at(-1), ada.isCloseCompleted]).toEqual(['onClose', true]);
  await say(server, bob, push(1, 'x'));
  expect(bob.take()).toEqual([expect.stringMatching(/^a\[1,2,1,/)]);
  expect(ada.take()).toEqual([]);
});

test('[FLOOD-5] a full room closes who comes before they have sent anything, and the app does not hear of them', async () => {
  const called: string[] = [];
  class Small extends TinyBasePartyKitServer {
    override config: TinyBasePartyKitServerConfig = { limits: { connections: 1 } };
  }
  class Calling extends Small {
    onConnect({ id }: Party.Connection): void {
      called.push(id);
    }
  }
  const request = new Request('http://example.com/parties/main/room');
  for (const Room of [Small, Calling]) {
    const party = new FakeParty();
    const server: TinyBasePartyKitServer & Party.Server = new Room(party.asRoom);
    const open = async (id: string): Promise<FakePartyConnection> => {
      const connection = party.connect(id);
      await server.onConnect?.(connection as unknown as Party.Connection, { request } as never);
      return connection;
    };
    const [first, late] = [await open('first'), await open('late')];
    expect([first.readyState, first.take()]).toEqual([OPEN, []]);
    expect([late.readyState, late.take()]).toEqual([
      CLOSED,
      [expect.stringMatching(/^e{"code":"full"/)],
    ]);
  }
  expect(called).toEqual(['first']);
});

test('[HOOK-5] asks only the hooks that a subclass overrides, with what TinyBase’s own passes', async () => {
  const asked: unknown[] = [];
  const others = (['canSetTable', 'canSetRow', 'canSetValue', 'canDelCell'] as const).map((hook) =>
    vi.spyOn(RoomServer.prototype, hook),
  );
  class Hooked extends TinyBasePartyKitServer {
    override async canSetCell(
      ...question: Parameters<TinyBasePartyKitServer['canSetCell']>
    ): Promise<boolean> {
      asked.push(question);
      return question[2] !== 'no';
    }
    override canDelValue(...question: Parameters<TinyBasePartyKitServer['canDelValue']>): boolean {
      asked.push(question);
      return false;
    }
  }
  const party = new FakeParty();
  const server = new Hooked(party.asRoom);
  await ask(server, 'PUT', SEED);
  const stock = party.connect('1');
  await say(server, stock, 's[{"pets":{"fido":{"species":"wolf","no":1}}},{"open":"\uFFFC"},1]');
  expect(others.flatMap((other) => other.mock.calls)).toEqual([]);
  for (const other of others) other.mockRestore();
  expect(asked).toHaveLength(4);
  expect(asked).toEqual(
    expect.arrayContaining([
      ['pets', 'fido', 'species', 'dog', true, expect.any(Request), undefined],
      ['pets', 'fido', 'species', 'wolf', false, stock, 'dog'],
      ['pets', 'fido', 'no', 1, false, stock, undefined],
      ['open', stock],
    ]),
  );
  expect(stock.take()).toEqual([
    's[{"pets":{"fido":{"species":"wolf","no":"\uFFFC"}}},{"open":true},1]',
  ]);
});

test('[HOOK-6] the hooks of the base class return promises, as those of TinyBase’s own server do', async () => {
  class Chained extends TinyBasePartyKitServer {
    override canSetCell(
      ...question: Parameters<TinyBasePartyKitServer['canSetCell']>
    ): Promise<boolean> {
      const allowed = super.canSetCell(...question) as Promise<boolean>;
      return allowed.then((isAllowed) => isAllowed && question[2] !== 'no');
    }
  }
  const server = new Chained(new FakeParty().asRoom);
  await ask(server, 'PUT', '[{"pets":{"fido":{"species":"dog","no":1}}},{}]');
  expect(server.store.getTables()).toEqual({ pets: { fido: { species: 'dog' } } });
  const answers = [
    server.canSetTable('pets', true, undefined as never),
    server.canDelTable('pets', undefined as never),
    server.canSetRow('pets', 'fido', true, undefined as never),
    server.canDelRow('pets', 'fido', undefined as never),
    server.canDelCell('pets', 'fido', 'species', undefined as never),
    server.canSetValue('open', true, true, undefined as never, undefined),
    server.canDelValue('open', undefined as never),
  ];
  for (const answer of answers) expect(answer).toBeInstanceOf(Promise);
  expect(await Promise.all(answers.map(async (answer) => await answer))).toEqual(
    answers.map(() => true),
  );
});

test('[HOOK-6] a hook that says nothing refuses, and the one of the base class allows', async () => {
  class Forgetful extends TinyBasePartyKitServer {
    // As an app in JavaScript may have it.
    override canSetValue = ((): void => undefined) as unknown as () => boolean;

    override canSetCell(
      ...question: Parameters<TinyBasePartyKitServer['canSetCell']>
    ): boolean | Promise<boolean> {
      return super.canSetCell(...question);
    }
  }
  const party = new FakeParty();
  const server = new Forgetful(party.asRoom);
  await ask(server, 'PUT', SEED);
  expect(server.store.getContent()).toEqual([{ pets: { fido: { species: 'dog' } } }, {}]);
  const stock = party.connect('1');
  await say(server, stock, 's[{"pets":{"fido":{"species":"wolf"}}},{"open":false},1]');
  expect(server.store.getContent()).toEqual([{ pets: { fido: { species: 'wolf' } } }, {}]);
});

test.each([false, true, undefined, null, {}])(
  '[HOOK-6] a hook that is %s refuses what asks it, and says so',
  async (given) => {
    const reports: string[] = [];
    class Locked extends TinyBasePartyKitServer {
      override canSetCell = given as never;
      override onRoomError(error: unknown, where: string): void {
        reports.push(`${where} ${String(error)}`);
      }
    }
    const party = new FakeParty();
    const server = new Locked(party.asRoom);
    expect((await ask(server, 'PUT', '[{},{"open":true}]')).status).toBe(201);
    const ada = party.connect('1');
    await join(server, ada, 'ada');
    await say(server, ada, 'p[1,[{"pets":{"fido":{"species":"wolf"}}},{}]]');
    await say(server, ada, 'p[2,[{},{"open":false}]]');
    expect(ada.take()).toEqual([
      'a[1,1,0,[{"pets":{"fido":{"species":"\uFFFC"}}},{}],"failed"]',
      'a[2,2,1]',
    ]);
    expect(reports).toEqual([expect.stringMatching(/^hook .*canSetCell.* is no function/)]);
  },
);

test('prepares the Store, and tells everybody what server code does to it', async () => {
  class Prepared extends TinyBasePartyKitServer {
    override prepareStore(store: TinyBasePartyKitServer['store']): void {
      store.setValuesSchema({ open: { type: 'boolean' }, max: { type: 'number', default: 10 } });
    }
  }
  const party = new FakeParty();
  const server = new Prepared(party.asRoom);
  await ask(server, 'PUT', SEED);
  expect(server.store.getValues()).toEqual({ open: true, max: 10 });
  const ada = party.connect('1');
  await join(server, ada, 'ada');
  server.store.setValue('max', 11);
  await settle();
  expect(ada.take()).toEqual(['c[2,[{},{"max":11}]]']);
});

test('keeps its attachment beside the app’s own state, and goes on after a hibernation', async () => {
  const party = new FakeParty();
  const server = new TinyBasePartyKitServer(party.asRoom);
  await ask(server, 'PUT', SEED);
  const ada = party.connect('1');
  ada.setState({ name: 'Ada' });
  await join(server, ada, 'ada');
  expect(ada.state).toMatchObject({ name: 'Ada' });
  ada.setState({ name: 'Ada', color: 'red' });
  await say(server, ada, 'i[]');
  const woken = new TinyBasePartyKitServer(party.asRoom);
  await say(woken, ada, push(1, 'x'));
  expect(ada.take()).toEqual(['o[1,0]', expect.stringMatching(/^a\[1,2,1,/)]);
  expect(ada.state).toMatchObject({ name: 'Ada', color: 'red' });
});

test.each([
  ['ada'],
  [''],
  [7],
  [true],
  [null],
  [['ada', [7]]],
  [{ name: 'Ada', '@tinybase-partykit': 1, peer: 2 }],
])('[CONNECTION-1] the state %j is the app’s alone, and survives sleep', async (state) => {
  const party = new FakeParty();
  const server = new TinyBasePartyKitServer(party.asRoom);
  await ask(server, 'PUT', SEED);
  const [before, after] = [party.connect('1'), party.connect('2')];
  before.setState(state);
  await join(server, before, 'before');
  await join(server, after, 'after');
  after.setState(state);
  await say(server, after, 'not ours');
  for (const connection of [before, after]) {
    expect(connection.state).toEqual(state);
    connection.sleep();
  }
  const woken = new TinyBasePartyKitServer(party.asRoom);
  for (const connection of [before, after]) {
    expect(connection.state).toEqual(state);
    await say(woken, connection, 'i[1]');
    expect(connection.take()).toEqual(['o[1,0]']);
  }
});

test('[CONNECTION-1] a state that the app sets after a sleep does not bring an older attachment back', async () => {
  const party = new FakeParty();
  const server = new TinyBasePartyKitServer(party.asRoom);
  await ask(server, 'PUT', SEED);
  const ada = party.connect('1');
  await join(server, ada, 'ada');
  ada.sleep();
  ada.setState('the cache has the first attachment');
  const woken = new TinyBasePartyKitServer(party.asRoom);
  const [, epoch = ''] = /"([^.]+)/.exec((await ask(woken)).headers.get('ETag') ?? '') ?? [];
  const again = hello('ada', 1, epoch).replace('"generation":1', '"generation":2');
  await say(woken, ada, again.replace('"next":1', '"next":5'));
  ada.setState('again');
  await say(woken, ada, 'not ours');
  ada.sleep();
  ada.take();
  const last = new TinyBasePartyKitServer(party.asRoom);
  await say(last, ada, 'i[1]');
  expect(ada.take()).toEqual(['o[1,4]']);
});

test('[CONNECTION-2] works, and says so once, where the app leaves no room for an attachment', async () => {
  const party = new FakeParty();
  const server = new TinyBasePartyKitServer(party.asRoom);
  await ask(server, 'PUT', SEED);
  const ada = party.connect('1');
  ada.setState({ name: 'x'.repeat(1_900) });
  await join(server, ada, 'ada');
  await say(server, ada, push(1, 'x'));
  await say(server, ada, 'i[1]');
  expect(ada.take()).toEqual(['a[1,2,1]', 'o[2,1]']);
  expect(ada.state).toEqual({ name: 'x'.repeat(1_900) });
  expect(errors).toMatchObject([[expect.stringContaining('(host)'), { code: 'too-large' }]]);
  // It is kept as soon as there is room.
  ada.setState(null);
  await say(server, ada, 'i[1]');
  ada.sleep();
  ada.take();
  await say(new TinyBasePartyKitServer(party.asRoom), ada, 'i[1]');
  expect(ada.take()).toEqual(['o[2,1]']);
});

test('[CONNECTION-2] works also where onRoomError throws', async () => {
  const party = new FakeParty();
  class Throwing extends TinyBasePartyKitServer {
    override onRoomError(): void {
      throw new Error('the reporter is down');
    }
  }
  const server = new Throwing(party.asRoom);
  await ask(server, 'PUT', SEED);
  const ada = party.connect('1');
  ada.setState({ name: 'x'.repeat(1_900) });
  await join(server, ada, 'ada');
  await say(server, ada, push(1, 'x'));
  expect(ada.take()).toEqual(['a[1,2,1]']);
});

test('completes the closing of a socket, and forgets it', async () => {
  const party = new FakeParty();
  const server = new TinyBasePartyKitServer(party.asRoom);
  await ask(server, 'PUT', SEED);
  const [ada, bob] = [party.connect('1'), party.connect('2')];
  await join(server, ada, 'ada');
  await tell(server, 'onClose', ada);
  await tell(server, 'onError', bob, new Error('gone'));
  expect([ada.isCloseCompleted, bob.isCloseCompleted]).toEqual([true, true]);
});

test('[CLOSE-1] knows a socket that the app closes, whoever closes it first', async () => {
  const answers: ((isAllowed: boolean) => void)[] = [];
  class Asking extends TinyBasePartyKitServer {
    onConnect(connection: Party.Connection): void {
      if (connection.id === 'refused') connection.close(4001);
    }

    override canSetValue(_id: string, _value: unknown, isInitial: boolean): Promise<boolean> {
      return new Promise((resolve) => {
        if (isInitial) resolve(true);
        else answers.push(resolve);
      });
    }
  }
  const party = new FakeParty();
  const server = new Asking(party.asRoom);
  await ask(server, 'PUT', SEED);
  const refused = party.connect('refused');
  await tell(server, 'onConnect', refused);
  await say(server, refused, 's[{},{"x":1},1]');
  expect(answers).toEqual([]);

  const [ada, bob] = [party.connect('1'), party.connect('2')];
  await join(server, ada, 'ada');
  await join(server, bob, 'bob');
  await say(server, ada, push(1, 'of ada'));
  ada.close();
  await tell(server, 'onClose', ada);
  answers.shift()?.(true);
  await settle();
  expect(server.store.getValue('value')).toBeUndefined();
  await say(server, bob, push(1, 'of bob'));
  // The other side closes: the room is told, and completes the closing.
  bob.readyState = CLOSED;
  await tell(server, 'onClose', bob);
  answers.shift()?.(true);
  await settle();
  expect(server.store.getValue('value')).toBe('of bob');

  // Closed by the app behind our back, or in an earlier life of the room.
  const before = party.connect('before');
  before.readyState = CLOSED;
  await say(server, before, hello('cyd', 2, 'unknown'));
  await say(server, before, 's[{},{"x":1},1]');
  expect([before.take(), answers]).toEqual([[], []]);
});

test('one socket that cannot be sent to keeps nothing from the others', async () => {
  const party = new FakeParty();
  const server = new TinyBasePartyKitServer(party.asRoom);
  await ask(server, 'PUT', SEED);
  const [ada, bob, cyd] = [party.connect('1'), party.connect('2'), party.connect('3')];
  await join(server, ada, 'ada');
  await join(server, bob, 'bob');
  await join(server, cyd, 'cyd');
  bob.sendError = new Error('It is closing.');
  await say(server, ada, push(1, 'x'));
  expect([ada.take().length, cyd.take().length]).toEqual([1, 1]);
});

test('reaches both of two sockets with the same id, and one that PartyKit has lost', async () => {
  const party = new FakeParty();
  const server = new TinyBasePartyKitServer(party.asRoom);
  await ask(server, 'PUT', SEED);
  const [ada, bob, cyd] = [party.connect('same'), party.connect('same'), party.connect('3')];
  for (const [connection, name] of [
    [ada, 'ada'],
    [bob, 'bob'],
    [cyd, 'cyd'],
  ] as const) {
    await join(server, connection, name);
  }
  party.connections = party.connections.filter((connection) => connection !== bob);
  await say(server, cyd, push(1, 'x'));
  expect([ada.take().length, bob.take().length, cyd.take().length]).toEqual([1, 1, 1]);
});

test('reaches a socket that was not open yet when it was heard of, and none that was closed', async () => {
  const party = new FakeParty();
  const server = new TinyBasePartyKitServer(party.asRoom);
  await ask(server, 'PUT', SEED);
  const [ada, bob] = [party.connect('1'), party.connect('2')];
  bob.readyState = CONNECTING;
  await join(server, bob, 'bob');
  await join(server, ada, 'ada');
  await say(server, ada, push(1, 'x'));
  bob.take();
  bob.readyState = OPEN;
  await say(server, ada, push(2, 'y'));
  expect(bob.take().length).toBe(1);
  bob.readyState = CLOSED;
  await say(server, ada, push(3, 'z'));
  expect(bob.take()).toEqual([]);
});

test('[ORDER-1] processes what comes while it is loading in the order in which it came', async () => {
  const party = new FakeParty();
  await ask(new TinyBasePartyKitServer(party.asRoom), 'PUT', SEED);
  for (const isBroken of [false, true]) {
    const server = new TinyBasePartyKitServer(party.asRoom);
    const connection = party.connect('1');
    const get = vi.spyOn(party.storage, 'get');
    if (isBroken) {
      get.mockRejectedValueOnce(new Error('broken'));
      server.onRoomError = () => undefined;
      await say(server, party.connect('0'), 'i[]');
    }
    const dealt: Promise<void>[] = [];
    for (let number = 1; number <= 5; number += 1) {
      dealt.push(
        server.onMessage(`s[{},{"n":${number}},1]`, connection as unknown as Party.Connection),
      );
      await Promise.resolve();
    }
    await Promise.all(dealt);
    expect(server.store.getValue('n')).toBe(5);
    get.mockRestore();
  }
});

test('[LIFE-9] runs no handler of the app on a room that is not loaded, and onStart once when it is', async () => {
  const party = new FakeParty();
  await ask(new TinyBasePartyKitServer(party.asRoom), 'PUT', SEED);
  const get = vi.spyOn(party.storage, 'get').mockRejectedValue(new Error('broken'));
  const called: string[] = [];
  class Starting extends TinyBasePartyKitServer {
    onStart(): void {
      called.push(`onStart ${this.store.getRowIds('pets').join()}`);
    }
    onConnect(): void {
      called.push('onConnect');
    }
    onAlarm(): void {
      called.push('onAlarm');
    }
    override async onRequest(request: Party.Request): Promise<Response> {
      called.push('onRequest');
      return await super.onRequest(request);
    }
  }
  const server = new Starting(party.asRoom);
  server.onStart();
  await settle();
  const ada = party.connect('1');
  await tell(server, 'onConnect', ada);
  const heard = ada.take();
  expect(heard).toEqual([expect.stringMatching(/^e\{"code":"unavailable"/)]);
  expect((await ask(server)).status).toBe(503);
  await expect(Promise.resolve(server.onAlarm())).rejects.toMatchObject({ code: 'unavailable' });
  expect(called).toEqual([]);
  expect(String(errors[0]?.[0])).toContain('storage');
  get.mockRestore();
  expect((await Promise.all([ask(server), ask(server)])).map(({ status }) => status)).toEqual([
    200, 200,
  ]);
  await Promise.resolve(server.onAlarm());
  expect(called).toEqual(['onStart fido', 'onRequest', 'onRequest', 'onAlarm']);
});

test('[LIFE-9] an onStart for which everybody waits is reported after 10 s, and one that settles is not', async () => {
  vi.useFakeTimers();
  try {
    const gates: Deferred<void>[] = [];
    const told: unknown[] = [];
    class Slow extends TinyBasePartyKitServer {
      async onStart(): Promise<void> {
        const gate = new Deferred<void>();
        gates.push(gate);
        await gate.promise;
      }
      override onRoomError(error: unknown, where: string): void {
        told.push(`${where}: ${String(error)}`);
      }
    }
    const starting = new Slow(new FakeParty().asRoom).onStart();
    await vi.waitUntil(() => gates.length > 0);
    await vi.advanceTimersByTimeAsync(9_900);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(100);
    expect(told).toEqual([expect.stringMatching(/^handler: .*onStart .*has not settled for 10 s/)]);
    gates[0]?.resolve();
    await starting;
    const quick = new Slow(new FakeParty().asRoom).onStart();
    await vi.waitUntil(() => gates.length > 1);
    gates[1]?.resolve();
    await quick;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(told).toHaveLength(1);
  } finally {
    vi.useRealTimers();
  }
});

test('[HTTP-6] what a handler throws is told to the app, and the client gets a fixed text', async () => {
  const secret = new Error('a secret');
  const told: unknown[] = [];
  class Throwing extends TinyBasePartyKitServer {
    override onRequest(): Promise<Response> {
      throw secret;
    }
    onConnect(): void {
      throw secret;
    }
    override onRoomError(...error: Parameters<TinyBasePartyKitServer['onRoomError']>): void {
      told.push(error);
    }
  }
  const party = new FakeParty();
  const server = new Throwing(party.asRoom);
  const answer = await ask(server);
  expect([answer.status, await answer.json()]).toEqual([
    503,
    { code: 'unavailable', message: 'The room failed to answer: try again later.' },
  ]);
  const ada = party.connect('1');
  const thrown = await tell(server, 'onConnect', ada).catch((error: unknown) => error);
  expect([String(thrown), ada.take().join()].join()).not.toContain('secret');
  expect(told).toEqual([
    [secret, 'handler'],
    [secret, 'handler'],
  ]);
});

test.each(['onMessage', 'onClose', 'onError', 'onAlarm'] as const)(
  '[HTTP-6] what %s throws is told to the app, and to the host',
  async (name) => {
    const error = new Error('of the app');
    const told: unknown[] = [];
    class Throwing extends TinyBasePartyKitServer {
      override onRoomError(...reported: Parameters<TinyBasePartyKitServer['onRoomError']>): void {
        told.push(reported);
      }
    }
    Object.defineProperty(Throwing.prototype, name, {
      value: async () => {
        throw error;
      },
    });
    const party = new FakeParty();
    const server = new Throwing(party.asRoom);
    const ada = party.connect('1');
    const received = name === 'onMessage' ? ['hello', ada] : name === 'onAlarm' ? [] : [ada];
    const handler = Reflect.get(server, name) as (...given: unknown[]) => unknown;
    const called: unknown = Reflect.apply(handler, server, received);
    await expect(called).rejects.toBe(error);
    expect(told).toEqual([[error, 'handler']]);
  },
);

test('a field of the app that hides the Store of the room is reported', async () => {
  told = [];
  class Own extends Meant {}
  // As a field does, which the compiler refuses.
  const server = Object.defineProperty(new Own(new FakeParty().asRoom), 'store', { value: {} });
  expect((await ask(server, 'PUT', SEED)).status).toBe(201);
  expect(told).toEqual([expect.stringMatching(/^config .*has a field "store" of its own/)]);
});

test.each<readonly [string, unknown]>([
  ['getInitialStorage', [{}, {}]],
  ['onStorageUpdated', { save: true }],
  ['prepareStore', undefined],
  ['prepareStore', {}],
  ['onUserConnected', Promise.resolve()],
])('a field %s that is no function is reported: %o', async (name, value) => {
  const told: string[] = [];
  class Misshapen extends TinyBasePartyKitServer {
    constructor(room: Party.Room) {
      super(room);
      Object.defineProperty(this, name, { value });
    }
    override onRoomError(error: unknown, where: string): void {
      told.push(`${where}: ${String(error)}`);
    }
  }
  await ask(new Misshapen(new FakeParty().asRoom));
  expect(told[0]).toMatch(new RegExp(`^config: .*no functions, .*calls a method: ${name}[.]`));
});

test.each(['getInitialStorage', 'onStorageUpdated', 'onRoomMessage'])(
  'a field %s that is undefined or null is one that is left out',
  async (name) => {
    for (const value of [undefined, null]) {
      const told: unknown[] = [];
      class Plain extends TinyBasePartyKitServer {
        constructor(room: Party.Room) {
          super(room);
          Object.defineProperty(this, name, { value });
        }
        override onRoomError(error: unknown): void {
          told.push(error);
        }
      }
      expect((await ask(new Plain(new FakeParty().asRoom))).status).toBe(200);
      expect(told).toEqual([]);
    }
  },
);

test('a super.onMessage without its connection, and a super.onRequest without its request, are told in a sentence', async () => {
  const told: unknown[] = [];
  class Forgetful extends TinyBasePartyKitServer {
    override onRequest(): Promise<Response> {
      return super.onRequest(undefined as never);
    }
    override onUnavailableRequest(): Response | Promise<Response> {
      return super.onUnavailableRequest(undefined as never);
    }
    override onMessage(message: string | ArrayBuffer, connection: Party.Connection): Promise<void> {
      return message !== 'hello'
        ? super.onMessage(connection as never, message as never)
        : super.onMessage(message, undefined as never);
    }
    override onRoomError(error: unknown, where: string): void {
      told.push(`${where}: ${String(error)}`);
    }
  }
  const party = new FakeParty();
  const server = new Forgetful(party.asRoom);
  const ada = party.connect('1');
  expect((await ask(server)).status).toBe(503);
  expect(() => server.onUnavailableRequest()).toThrow('super.onUnavailableRequest got no request');
  for (const message of ['hello', 'swap', new ArrayBuffer(1)])
    await expect(server.onMessage(message, ada as never)).rejects.toMatchObject({ code: 'misuse' });
  expect(told).toEqual([
    expect.stringMatching(/^handler: .*super.onRequest got no request/),
    expect.stringMatching(/^handler: .*super.onMessage got no connection/),
    expect.stringMatching(/^handler: .*super.onMessage got no connection/),
    expect.stringMatching(/^handler: .*super.onMessage got no connection/),
  ]);
});

const big = (id: number): string => `s[{},{"big${id}":"${'x'.repeat(20_000)}"},1]`;

test('[LIMIT-5] what comes while a room starts is held within the limit, and a small message in any case', async () => {
  const party = new FakeParty();
  await ask(new TinyBasePartyKitServer(party.asRoom), 'PUT', SEED);
  const started = new Deferred<void>();
  class Slow extends TinyBasePartyKitServer {
    override config = { limits: { heldLength: 100_000 } };
    async onStart(): Promise<void> {
      await started.promise;
    }
  }
  const server = new Slow(party.asRoom);
  void server.onStart();
  const [eve, ada] = [party.connect('1'), party.connect('2')];
  for (let id = 1; id <= 50; id += 1) await say(server, eve, big(id));
  expect(eve.readyState).not.toBe(OPEN);
  await say(server, ada, 's[{},{"small":1},1]');
  expect(ada.readyState).toBe(OPEN);
  started.resolve();
  await settle();
  expect(server.store.getValue('small')).toBe(1);
  // What it held before counts no more.
  expect(server.store.getValueIds().filter((id) => id.startsWith('big'))).toEqual([]);
  const ben = party.connect('3');
  for (let id = 1; id <= 4; id += 1) void say(server, ben, big(id));
  await settle();
  expect(server.store.getValueIds().filter((id) => id.startsWith('big'))).toHaveLength(4);
});

test('[FRAME-5] reports a messagePrefix with a line break, with which no client gets through', async () => {
  const party = new FakeParty();
  const server = new TinyBasePartyKitServer(party.asRoom);
  server.config.messagePrefix = 'app:\n';
  await ask(server);
  await ask(server);
  expect(errors).toHaveLength(1);
  expect(String(errors[0])).toContain('The messagePrefix has a line break');
});

test('reports options that do not exist, once', async () => {
  class Mistaken extends TinyBasePartyKitServer {
    override readonly config = { storePath: '/store', storageprefix: 'x', limits: {} };
    readonly reports: unknown[] = [];
    override onRoomError(error: unknown, where: string): void {
      this.reports.push(where, String(error));
    }
  }
  const server = new Mistaken(new FakeParty().asRoom);
  await ask(server);
  await ask(server);
  expect(server.reports).toEqual([
    'config',
    expect.stringContaining('"storageprefix" (did you mean "storagePrefix"?)'),
  ]);
});

test.each<readonly [string, unknown]>([
  ['nothing', undefined],
  ['null', null],
  ['a text', 'ok'],
  ['an object', { ok: true }],
  ['a promise of nothing', Promise.resolve()],
])(
  'an onRequest that returns %s is answered with 503, and told what it has to return',
  async (_what, returned) => {
    const reports: string[] = [];
    class Forgetful extends TinyBasePartyKitServer {
      override async onRequest(request: Party.Request): Promise<Response> {
        await super.onRequest(request);
        return (await returned) as Response;
      }
      override onRoomError(error: unknown, where: string): void {
        reports.push(`${where} ${String(error)}`);
      }
    }
    const response = await ask(new Forgetful(new FakeParty().asRoom));
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: 'unavailable' });
    expect(reports).toEqual([
      expect.stringMatching(/^handler .*return super\.onRequest\(request\)/),
    ]);
  },
);

test.each<readonly [string, () => Promise<void>]>([
  ['ends well', () => Promise.resolve()],
  ['fails', () => Promise.reject(new Error('no schema'))],
])(
  'an async prepareStore that %s is reported: the room does not wait for it',
  async (what, end) => {
    const reports: string[] = [];
    class Async extends TinyBasePartyKitServer {
      override prepareStore(): void {
        return end() as unknown as undefined;
      }
      override onRoomError(error: unknown, where: string): void {
        reports.push(`${where} ${String(error)}`);
      }
    }
    const server = new Async(new FakeParty().asRoom);
    expect((await ask(server, 'PUT', SEED)).status).toBe(201);
    await settle();
    expect(reports[0]).toMatch(/^prepare .*prepareStore returned a promise/);
    expect(reports.slice(1)).toEqual(what === 'fails' ? ['prepare Error: no schema'] : []);
  },
);

test.each([
  ['storePath', 5, { storePath: 5 }],
  ['messagePrefix', null, { messagePrefix: null }],
  ['storagePrefix', 5, { storagePrefix: 5 }],
  ['responseHeaders', 'x', { responseHeaders: 'X-Mine: 1' }],
  ['responseHeaders', null, { responseHeaders: null }],
  ['responseHeaders', 'a bad name', { responseHeaders: { 'a name': 'x' } }],
  ['allowedOrigins', 'a text', { allowedOrigins: 'https://app.example' }],
  ['allowedOrigins', null, { allowedOrigins: null }],
  ['allowedOrigins', 'a list', { allowedOrigins: [/app/u] }],
  ['limits', 5, { limits: 5 }],
  ['limits', null, { limits: null }],
  ['limits', 'a promise', { limits: Promise.resolve({}) }],
  ['responseHeaders', 'a promise', { responseHeaders: Promise.resolve({}) }],
  ['"contentbytes" (did you mean "contentBytes"?)', 'limits', { limits: { contentbytes: 5 } }],
  ['isEphemeral', 'yes', { isEphemeral: 'yes' }],
  ['config', null, null],
  ['config', 5, 5],
] as const)(
  'a wrong %s of the config (%s) is reported once, and the room works',
  async (name, _what, config) => {
    const reports: string[] = [];
    class Mistaken extends TinyBasePartyKitServer {
      override config = config as never;
      override onRoomError(error: unknown, where: string): void {
        reports.push(`${where} ${String(error)}`);
      }
    }
    const server = new Mistaken(new FakeParty().asRoom);
    expect((await ask(server, 'PUT', '[{},{"v":1}]')).status).toBe(201);
    const origin = { headers: { Origin: 'https://evil.example' } };
    const response = await server.onRequest(
      new Request('http://example.com/parties/main/room/store', origin) as never,
    );
    expect(await response.text()).toBe('[{},{"v":1}]');
    if (name === 'allowedOrigins' || (name === 'responseHeaders' && config !== null))
      expect(response.headers.get('Access-Control-Allow-Origin')).toBeNull();
    expect(reports).toEqual([expect.stringContaining('config TinyBasePartyKitError')]);
    expect(reports[0]).toContain(name);
    if (name === 'allowedOrigins') expect(reports[0]).toContain('only the texts in a list');
  },
);

test.each<readonly [string, TinyBasePartyKitServer['config']]>([
  [
    'those of TinyBase',
    { storePath: '/s', messagePrefix: 'm', storagePrefix: 's', responseHeaders: {} },
  ],
  ['Headers', { responseHeaders: new Headers({ 'X-Mine': '1' }) }],
  ['pairs', { responseHeaders: [['X-Mine', '1']] }],
  ['no limits', { limits: {} }],
  ['a limit', { limits: { contentBytes: 1_000_000, frameLength: undefined } as never }],
  ['origins', { allowedOrigins: ['https://app.example/'] }],
  ['no origins', { allowedOrigins: [] }],
  ['a rule for origins', { allowedOrigins: () => true }],
  ['false', { isEphemeral: false }],
  [
    'all undefined',
    {
      storePath: undefined,
      messagePrefix: undefined,
      storagePrefix: undefined,
      responseHeaders: undefined,
      allowedOrigins: undefined,
      limits: undefined,
      isEphemeral: undefined,
      hookTimeoutMilliseconds: undefined,
      initialStorageMilliseconds: undefined,
    } as never,
  ],
])('a right config is not reported: %s', async (_what, config) => {
  const reports: string[] = [];
  class Right extends TinyBasePartyKitServer {
    override config = config;
    override onRoomError(error: unknown, where: string): void {
      reports.push(`${where} ${String(error)}`);
    }
  }
  const server = new Right(new FakeParty().asRoom);
  const response = await ask(server, 'PUT', SEED, config.storePath ?? '/store');
  expect(response.status).toBe(201);
  expect(reports).toEqual([]);
});

test.each<readonly [string, unknown]>([
  ['"allowedOrigin"', { allowedOrigin: ['https://app.example'] }],
  ['"AllowedOrigins" (did you mean "allowedOrigins"?)', { AllowedOrigins: [] }],
  ['"responseHeader"', { limits: {}, responseHeader: {} }],
  ['"origins"', { origins: ['https://app.example'] }],
  ['"auth"', { auth: {}, storeParth: '/s' }],
  ['"canSetCell"', { canSetCell: () => false }],
  ['"readOnly"', { readOnly: true }],
  ['"allowOrigins"', { allowOrigins: [] }],
  ['"alowedOrgins"', { alowedOrgins: [] }],
  ['"allowed_origins"', { allowed_origins: [] }],
  ['"cors"', { cors: false }],
  ['"Access-Control-Allow-Origin"', { 'Access-Control-Allow-Origin': 'https://app.example' }],
  ['"isReadonly"', { isReadonly: true }],
  ['"requireAuth"', { requireAuth: true }],
  ['"onAuthenticate"', { onAuthenticate: () => false }],
  ['"tokenSecret"', { tokenSecret: 'abc' }],
  ['"secert"', { secert: 'abc' }],
  ['"password"', { password: 'abc' }],
  ['"allowGuests"', { allowGuests: false }],
  ['"canDeleteRow"', { canDeleteRow: () => false }],
  ['The config of the room', Promise.resolve({ allowedOrigins: [] })],
  ['The config of the room', () => ({ allowedOrigins: [] })],
  ['The config of the room', [{ allowedOrigins: [] }]],
  ['The config of the room', '{"allowedOrigins":[]}'],
])(
  '[LIFE-10] a config that may be meant to keep somebody out, and does not, lets nobody in: %s',
  async (name, config) => {
    const reports: string[] = [];
    class Mistaken extends TinyBasePartyKitServer {
      override config = config as never;
      override onRoomError(error: unknown, where: string): void {
        reports.push(`${where} ${String(error)}`);
      }
    }
    const party = new FakeParty();
    const server = new Mistaken(party.asRoom);
    expect((await ask(server, 'PUT', SEED)).status).toBe(503);
    expect((await ask(server)).status).toBe(503);
    const eve = party.connect('1');
    await say(server, eve, 's[{},{"v":1},1]');
    expect(eve.readyState).not.toBe(OPEN);
    expect(server.store.getContent()).toEqual([{}, {}]);
    expect(reports).toEqual([expect.stringMatching(/^config .*lets nobody in/)]);
    expect(reports[0]).toContain(name);
    server.config = { allowedOrigins: [] } as never;
    expect((await ask(server, 'PUT', SEED)).status).toBe(201);
    expect(reports).toHaveLength(1);
  },
);

const RULES = defineAuth({
  secret: () => 'a secret of more than thirty-two bytes',
  user: z.object({ id: z.string() }),
});
class Edge extends TinyBasePartyKitServer {
  static onBeforeConnect: EdgeGuard = createEdgeGuard(RULES);
}

test.each<readonly [string, typeof TinyBasePartyKitServer]>([
  ['a guard at the edge', Edge],
  ['a guard of its base class', class extends Edge {}],
  [
    'rules in a field',
    class extends TinyBasePartyKitServer {
      auth = RULES;
    },
  ],
  [
    'rules in a static field',
    class extends TinyBasePartyKitServer {
      static auth = RULES;
    },
  ],
  [
    'rules in a static field of its base class',
    class extends class extends TinyBasePartyKitServer {
      static auth = RULES;
    } {},
  ],
])(
  '[LIFE-10] a class with rules for users and without createAuth lets nobody in, also over HTTP: %s',
  async (_what, Mistaken) => {
    const server = new Mistaken(new FakeParty().asRoom);
    const reports: string[] = [];
    server.onRoomError = (error: unknown, where: string): void => {
      reports.push(`${where} ${String(error)}`);
    };
    expect((await ask(server, 'PUT', SEED)).status).toBe(503);
    expect((await ask(server)).status).toBe(503);
    expect(reports).toEqual([expect.stringMatching(/^config .*createAuth.*lets nobody in/)]);
    class Guarded extends Mistaken {
      readonly auth: unknown = createAuth(this, RULES);
    }
    expect((await ask(new Guarded(new FakeParty().asRoom))).status).toBe(401);
  },
);

test.each<readonly [string, unknown]>([
  ['a limit', { maxbytes: 5 }],
  ['limits', { Limits: {} }],
  ['nothing', { allowedOrigin: undefined }],
  // Each has a word, or the beginning of one, that may keep somebody out, and says something else.
  ['an author', { authorName: 'Ada' }],
  ['a feature', { allowUndo: true }],
  ['a tokenizer', { tokenizer: 'words' }],
  ['a number of users', { userLimit: 5 }],
  ['accessibility', { accessibility: true }],
  ['a header of a page', { headerHeight: 40 }],
  ['a language', { originalLanguage: 'en' }],
  ['a default', { defaultRole: 'guest' }],
  ['a canvas', { canvasSettings: {} }],
  ['a message', { deletedByUserText: '' }],
])('an option that does not exist and keeps nobody out is reported: %s', async (_what, config) => {
  const reports: string[] = [];
  class Mistaken extends TinyBasePartyKitServer {
    override config = config as never;
    override onRoomError(error: unknown): void {
      reports.push(String(error));
    }
  }
  expect((await ask(new Mistaken(new FakeParty().asRoom), 'PUT', SEED)).status).toBe(201);
  expect(reports).toEqual([expect.stringContaining('has options that do not exist')]);
  expect(reports[0]).not.toContain('lets nobody in');
});

const keep = (): boolean => false;
class Meant extends TinyBasePartyKitServer {
  override onRoomError(error: unknown, where: string): void {
    told.push(`${where} ${String(error)}`);
  }
}
let told: string[] = [];

test.each<readonly [string, () => typeof Meant]>([
  [
    '"canDeleteRow" (did you mean "canDelRow"?)',
    () =>
      class extends Meant {
        canDeleteRow = keep;
      },
  ],
  [
    '"canSetcell" (did you mean "canSetCell"?)',
    () =>
      class extends Meant {
        canSetcell(): boolean {
          return false;
        }
      },
  ],
  [
    '"canSetTables"',
    () =>
      class extends Meant {
        async canSetTables(): Promise<boolean> {
          return false;
        }
      },
  ],
  [
    '"canRemoveValue" (did you mean "canDelValue"?)',
    () =>
      class extends Meant {
        canRemoveValue(): boolean {
          return false;
        }
      },
  ],
  [
    '"canSteCell"',
    () =>
      class extends class extends Meant {
        canSteCell(): boolean {
          return false;
        }
      } {},
  ],
  [
    '"onconnect" (did you mean "onConnect"?)',
    () =>
      class extends Meant {
        onconnect(): void {}
      },
  ],
  [
    '"onRequests" (did you mean "onRequest"?)',
    () =>
      class extends Meant {
        onRequests(): void {}
      },
  ],
  [
    '"preparestore" (did you mean "prepareStore"?)',
    () =>
      class extends Meant {
        preparestore(): void {}
      },
  ],
  [
    '"onBeforeConnect" (did you mean "static onBeforeConnect"?)',
    () =>
      class extends Meant {
        onBeforeConnect(): void {}
      },
  ],
  [
    '"static onBeforeRequests" (did you mean "static onBeforeRequest"?)',
    () =>
      class extends Meant {
        static onBeforeRequests(): void {}
      },
  ],
  [
    '"static beforeConnect" (did you mean "static onBeforeConnect"?)',
    () =>
      class extends Meant {
        static beforeConnect(): void {}
      },
  ],
  [
    '"onAuthenticate" (did you mean "createAuth"?)',
    () =>
      class extends Meant {
        async onAuthenticate(): Promise<never> {
          throw new Error('no');
        }
      },
  ],
  [
    '"static canDelTable" (did you mean "canDelTable"?)',
    () =>
      class extends Meant {
        static canDelTable(): boolean {
          return false;
        }
      },
  ],
])(
  '[LIFE-11] a method that may be meant to keep somebody out, and is not called, lets nobody in: %s',
  async (name, classOf) => {
    told = [];
    const party = new FakeParty();
    const server = new (classOf())(party.asRoom);
    expect((await ask(server, 'PUT', SEED)).status).toBe(503);
    expect((await ask(server)).status).toBe(503);
    const eve = party.connect('1');
    await say(server, eve, 's[{},{"v":1},1]');
    expect(eve.readyState).not.toBe(OPEN);
    expect(told).toEqual([expect.stringMatching(/^config .*lets nobody in/)]);
    expect(told[0]).toContain(name);
  },
);

test.each<readonly [string, () => typeof Meant]>([
  [
    '"onUserConnect" (did you mean "onUserConnected"?)',
    () =>
      class extends Meant {
        onUserConnect(): void {}
      },
  ],
  [
    '"onStorageUpdate"',
    () =>
      class extends Meant {
        onStorageUpdate(): void {}
      },
  ],
  [
    '"onAlarms"',
    () =>
      class extends Meant {
        onAlarms = keep;
      },
  ],
  [
    '"prepareStorage" (did you mean "prepareStore"?)',
    () =>
      class extends Meant {
        prepareStorage(): void {}
      },
  ],
  [
    '"beforeRequest" (did you mean "static onBeforeRequest"?)',
    () =>
      class extends Meant {
        beforeRequest(): void {}
      },
  ],
  [
    '"canEditRow" (did you mean "canSetRow"?)',
    () =>
      class extends Meant {
        canEditRow(): boolean {
          return false;
        }
      },
  ],
])(
  '[LIFE-11] a method that keeps nobody out, and is not called, is reported: %s',
  async (name, classOf) => {
    told = [];
    const server = new (classOf())(new FakeParty().asRoom);
    expect((await ask(server, 'PUT', SEED)).status).toBe(201);
    expect(told).toEqual([expect.stringMatching(/^config .*does not call/)]);
    expect(told[0]).toContain(name);
    expect(told[0]).not.toContain('lets nobody in');
  },
);

test('[LIFE-11] the methods of an app that are not meant otherwise are not reported', async () => {
  told = [];
  class Right extends Meant {
    static async onBeforeConnect(): Promise<void> {}
    static async onBeforeRequest(): Promise<void> {}
    static onFetch(): void {}
    static create(): void {}
    readonly onConnect = (): void => {};
    canEdit(): boolean {
      return true;
    }
    canSetCells(): boolean {
      return true;
    }
    override canSetCell(): boolean {
      return this.canSetCells();
    }
    canEditRow(): boolean {
      return true;
    }
    override canDelRow = (): boolean => true;
    canDeleteRow(): boolean {
      return true;
    }
    onConnected(): void {}
    onAuthorChanged(): void {}
    onReset(): void {}
    get canSetTabel(): never {
      throw new Error('A getter is not called.');
    }
    async onStart(): Promise<void> {}
    async onAlarm(): Promise<void> {}
    getSizes(): number {
      return 1;
    }
  }
  const server = new Right(new FakeParty().asRoom);
  expect((await ask(server, 'PUT', SEED)).status).toBe(201);
  expect(told).toEqual([]);
});

/** A room that has its config in a getter, which only JavaScript allows. The field of our class hides it. */
const withGetter = (config: TinyBasePartyKitServerConfig): typeof Meant => {
  class Getting extends Meant {}
  Object.defineProperty(Getting.prototype, 'config', { get: () => config });
  return Getting;
};

test.each<readonly [string, () => typeof Meant]>([
  [
    'limits, storePath',
    () =>
      class extends Meant {
        readonly limits: unknown = { clients: 1 };
        readonly storePath: string = '/content';
      },
  ],
  [
    'static limits, static config.messagePrefix',
    () =>
      class extends Meant {
        static readonly limits: unknown = { clients: 1 };
        static readonly config: unknown = { messagePrefix: 'x' };
      },
  ],
  ['get config().messagePrefix', () => withGetter({ messagePrefix: 'x' })],
  [
    'isEphemeral',
    () =>
      class extends Meant {
        override config: TinyBasePartyKitServerConfig = { storePath: '/store' };
        isEphemeral(): boolean {
          return true;
        }
      },
  ],
])('[LIFE-10] options outside of the config are reported: %s', async (names, classOf) => {
  told = [];
  const server = new (classOf())(new FakeParty().asRoom);
  expect((await ask(server, 'PUT', SEED)).status).toBe(201);
  expect(told).toEqual([expect.stringMatching(/^config .*outside of its config/)]);
  expect(told[0]).toContain(`read them: ${names}.`);
  expect(told[0]).not.toContain('lets nobody in');
});

test.each<readonly [string, () => typeof Meant]>([
  [
    'allowedOrigins',
    () =>
      class extends Meant {
        readonly allowedOrigins: unknown = ['https://app.example'];
      },
  ],
  [
    'allowedOrigins',
    () =>
      class extends Meant {
        allowedOrigins(): boolean {
          return false;
        }
      },
  ],
  ['get config().allowedOrigins', () => withGetter({ allowedOrigins: ['https://app.example'] })],
  [
    'static config.responseHeaders',
    () =>
      class extends class extends Meant {
        static readonly config: unknown = { responseHeaders: {} };
      } {},
  ],
])(
  '[LIFE-10] an option outside of the config that may be meant to keep somebody out lets nobody in: %s',
  async (name, classOf) => {
    told = [];
    const server = new (classOf())(new FakeParty().asRoom);
    expect((await ask(server, 'PUT', SEED)).status).toBe(503);
    expect(told).toEqual([expect.stringMatching(/^config .*lets nobody in/)]);
    expect(told[0]).toContain(`read them: ${name}.`);
  },
);

test('[LIFE-10] options that the config has, too, are not reported', async () => {
  told = [];
  class Right extends Meant {
    static readonly config: TinyBasePartyKitServerConfig = { storePath: '/store', limits: {} };
    static readonly options: unknown = { hibernate: true };
    readonly allowedOrigins: readonly string[] = ['https://app.example'];
    readonly messagePrefix: string = 'x';
    override config: TinyBasePartyKitServerConfig = {
      ...Right.config,
      allowedOrigins: [...this.allowedOrigins],
      messagePrefix: this.messagePrefix,
    };
  }
  class Late extends Right {
    readonly hookTimeoutMilliseconds: number = 5;
    constructor(party: Party.Room) {
      super(party);
      this.config.hookTimeoutMilliseconds = this.hookTimeoutMilliseconds;
    }
  }
  expect((await ask(new Late(new FakeParty().asRoom), 'PUT', SEED)).status).toBe(201);
  expect(told).toEqual([]);
});

test('[LIFE-11] a room with a gate may have a method onAuth of its own', async () => {
  told = [];
  class Gated extends Meant {
    readonly auth: unknown = createAuth(
      this,
      defineAuth({ secret: () => 'x'.repeat(32), user: z.object({ id: z.string() }) }),
    );
    onAuth(): void {}
  }
  expect((await ask(new Gated(new FakeParty().asRoom))).status).toBe(401);
  expect(told).toEqual([]);
});

test.each([
  ['/städte', '/st%C3%A4dte'],
  ['/my store', '/my%20store'],
  ['/my%20store', '/my%20store'],
  ['/{store}', '/%7Bstore%7D'],
  ['/store?v=1', '/store'],
  ['store', '/store'],
  ['//store', '//store'],
])(
  'a storePath %j is the path %s of a URL, as clients with the same storePath request it',
  async (storePath, path) => {
    class Elsewhere extends TinyBasePartyKitServer {
      override config = { storePath };
    }
    const server = new Elsewhere(new FakeParty().asRoom);
    const { pathname, search } = new URL(
      `http://example.com${storePath.startsWith('/') ? '' : '/'}${storePath}`,
    );
    expect(pathname).toBe(path);
    expect((await ask(server, 'PUT', SEED, pathname + search)).status).toBe(201);
    expect((await ask(server, 'GET', null, '/other')).status).toBe(404);
  },
);

test('an onRequest that has read the body is told so, and one that has read a copy works', async () => {
  told = [];
  class Reading extends Meant {
    copy = (request: Party.Request): Party.Request => request;
    override async onRequest(request: Party.Request): Promise<Response> {
      await this.copy(request).text();
      return super.onRequest(request);
    }
  }
  const server = new Reading(new FakeParty().asRoom);
  expect((await ask(server, 'PUT', SEED)).status).toBe(503);
  expect(told).toEqual([expect.stringMatching(/^handler .*has read the body/)]);
  const right = new Reading(new FakeParty().asRoom);
  right.copy = (request) => request.clone();
  expect((await ask(right, 'PUT', SEED)).status).toBe(201);
  expect(told).toHaveLength(1);
});

test('writes to the console by default, and names the entry that explains an error of this package', async () => {
  class Mistaken extends TinyBasePartyKitServer {
    override readonly config = { storePath: '/store', storageprefix: 'x' };
  }
  const server = new Mistaken(new FakeParty().asRoom);
  await ask(server);
  server.onRoomError(new Error('of the app'), 'hook');
  expect(errors).toEqual([
    [
      'tinybase-partykit: something went wrong in the room (config). Look for "misuse" in docs/troubleshooting.md of the package.',
      expect.objectContaining({ code: 'misuse' }),
    ],
    [
      'tinybase-partykit: something went wrong in the room (hook).',
      expect.objectContaining({ message: 'of the app' }),
    ],
  ]);
});

test('reports an app that reads the Store where TinyBase’s own server keeps it', async () => {
  const party = new FakeParty();
  class Prefixed extends TinyBasePartyKitServer {
    override readonly config = { storagePrefix: 'tb/' };
    readonly reports: unknown[] = [];
    override onRoomError(error: unknown, where: string): void {
      this.reports.push(where, error);
    }
  }
  const server = new Prefixed(party.asRoom);
  await ask(server, 'PUT', SEED);
  for (const key of ['vopen', 'tb/vother', 'tb/open', 'tb/topen', 'tb/hasStore', 'tb/t"a","b","c"'])
    expect((await party.storage.get([key])).size).toBe(0);
  expect(server.reports).toEqual([]);
  await party.storage.get(['other', 'tb/t"pets","fido","species"']);
  expect(server.reports).toMatchObject(['storage', { code: 'misuse' }]);
  expect(String(server.reports[1])).toContain('this.store.getCell("pets", "fido", "species")');
  await party.storage.get(['tb/vopen']);
  expect(server.reports).toHaveLength(2);

  const again = new Prefixed(party.asRoom);
  await again.start();
  const get: unknown = Reflect.get(party.storage, 'get');
  if (typeof get === 'function') await Reflect.apply(get, party.storage, ['tb/vopen']);
  expect(String(again.reports[1])).toContain('this.store.getValue("open")');
});

test('[LIFE-7] [LIFE-8] an app may empty its storage or wipe the room in an alarm', async () => {
  class Expiring extends TinyBasePartyKitServer {
    isWiping = false;
    async onAlarm(): Promise<void> {
      if (this.isWiping) await this.wipe();
      else await this.party.storage.deleteAll();
      this.store.setValue('since', Number(this.isWiping));
      await this.whenDurable();
    }
  }
  const party = new FakeParty();
  await new TinyBasePartyKitServer(party.asRoom).restoreRoom({
    format: 'tinybase-partykit room',
    formatVersion: 1,
    version: 5,
    content: [{}, { open: true }],
  });
  const room = new Expiring(party.asRoom);
  for (const isWiping of [false, true]) {
    const before = await ask(room);
    room.isWiping = isWiping;
    await room.onAlarm();
    const after = await ask(room);
    expect(await after.json()).toEqual([{}, { since: Number(isWiping) }]);
    expect(after.headers.get('ETag')).not.toBe(before.headers.get('ETag'));
    const woken = await ask(new Expiring(party.asRoom));
    expect(await woken.json()).toEqual([{}, { since: Number(isWiping) }]);
  }
  expect(String(errors[0]?.[1])).toContain('deleteAll');
});

test('[LIFE-7] a room whose app deletes its keys is an empty room at once, aloud', async () => {
  const party = new FakeParty();
  const room = new TinyBasePartyKitServer(party.asRoom);
  await ask(room, 'PUT', SEED);
  await party.storage.put('app', 1);
  errors.length = 0;
  for (const key of (await party.storage.list({ prefix: '@tinybase-partykit/' })).keys())
    await party.storage.delete([key]);
  expect(String(errors[0]?.[1])).toContain('delete of its keys');
  expect(room.store.getContent()).toEqual([{}, {}]);
  room.store.setValue('since', 1);
  await room.whenDurable();
  const woken = await ask(new TinyBasePartyKitServer(party.asRoom));
  expect(await woken.json()).toEqual([{}, { since: 1 }]);
  expect((await party.storage.get(['app'])).size).toBe(1);
  expect(errors).toHaveLength(1);
});

test('[LIFE-7] a room whose app deletes its keys in a transaction is an empty room when that has ended, aloud', async () => {
  const party = new FakeParty();
  const { storage } = party;
  /** The same with the object of a transaction, as hosts have it. */
  const transactional = Object.assign(storage, {
    transaction: async (
      closure: (transaction: { delete(keys: string[]): Promise<number> }) => Promise<void>,
    ): Promise<void> => {
      const keys: string[] = [];
      await closure({ delete: async (deleted) => keys.push(...deleted) });
      await StrictStorage.prototype.delete.call(storage, keys);
    },
  });
  const room = new TinyBasePartyKitServer(party.asRoom);
  await ask(room, 'PUT', SEED);
  await storage.put('app', 1);
  errors.length = 0;
  await transactional.transaction(async (transaction) => {
    await transaction.delete(['app']);
  });
  expect(errors).toEqual([]);
  await transactional.transaction(async (transaction) => {
    for (const key of (await storage.list({ prefix: '@tinybase-partykit/' })).keys())
      await transaction.delete([key]);
    expect(errors).toEqual([]);
  });
  expect(String(errors[0]?.[1])).toContain('delete of its keys');
  expect(room.store.getContent()).toEqual([{}, {}]);
  room.store.setValue('since', 1);
  await room.whenDurable();
  const woken = await ask(new TinyBasePartyKitServer(party.asRoom));
  expect(await woken.json()).toEqual([{}, { since: 1 }]);
  expect(errors).toHaveLength(1);
});

test('hibernates', () => {
  expect(new TinyBasePartyKitServer(new FakeParty().asRoom).options).toEqual({ hibernate: true });
});

const DOCUMENT = {
  format: 'tinybase-partykit room',
  formatVersion: 1,
  version: 5,
  content: [{}, { restored: true }],
};

test.each(['storage', 'prepareStore', 'onStart'])(
  '[LIFE-9] an app may export and restore a room while its %s fails, and no other handler runs',
  async (what) => {
    const party = new FakeParty();
    await ask(new TinyBasePartyKitServer(party.asRoom), 'PUT', SEED);
    if (what === 'storage') {
      const keys = [...(await party.storage.list()).keys()];
      const page = keys.find((key) => key.includes('blob/')) ?? '';
      await party.storage.put({ [page]: new Uint8Array([0x7b]) });
    }
    const called: string[] = [];
    class Recovering extends TinyBasePartyKitServer {
      override prepareStore(store: TinyBasePartyKitServer['store']): void {
        if (what === 'prepareStore' && store.hasTable('pets')) throw new Error('a secret');
      }
      onStart(): void {
        if (what === 'onStart' && this.store.hasTable('pets')) throw new Error('a secret');
        called.push('onStart');
      }
      override async onUnavailableRequest(request: Party.Request): Promise<Response> {
        const path = new URL(request.url).pathname;
        if (path.endsWith('/export')) return Response.json(await this.exportRoom());
        if (path.endsWith('/restore')) {
          await this.restoreRoom(DOCUMENT);
          return new Response('restored');
        }
        if (path.endsWith('/throws')) throw new Error('a secret');
        return await super.onUnavailableRequest(request);
      }
      onConnect(): void {
        called.push('onConnect');
      }
      override async onRequest(request: Party.Request): Promise<Response> {
        called.push('onRequest');
        return await super.onRequest(request);
      }
    }
    const server = new Recovering(party.asRoom);
    const askPath = (path: string): Promise<Response> =>
      server.onRequest(new Request(`http://localhost/parties/main/room${path}`) as never);
    await Promise.resolve(server.onStart());
    for (const path of ['/store', '/throws']) {
      const answer = await askPath(path);
      expect(answer.status).toBe(503);
      expect(await answer.text()).not.toContain('secret');
    }
    const ada = party.connect('1');
    await tell(server, 'onConnect', ada);
    expect(ada.take()).toEqual([expect.stringMatching(/^e\{"code":"unavailable"/)]);
    const document = (await (await askPath('/export')).json()) as Record<string, unknown>;
    expect(document['incomplete'] !== undefined).toBe(what === 'storage');
    if (what !== 'storage') expect(document['content']).toEqual(JSON.parse(SEED));
    expect(called).toEqual([]);
    expect(await (await askPath('/restore')).text()).toBe('restored');
    expect(await (await askPath('/store')).json()).toEqual([{}, { restored: true }]);
    expect(called).toEqual(['onStart', 'onRequest']);
    expect(String(errors[0]?.[0])).toContain('tinybase-partykit');
  },
);
