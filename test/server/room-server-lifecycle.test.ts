import type * as Party from 'partykit/server';
import type { Content } from 'tinybase';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { z } from 'zod';

import { TinyBasePartyKitError } from '../../src/protocol/errors.ts';
import { createEvents, procedure } from '../../src/server/features/events/index.ts';
import {
  TinyBasePartyKitServer,
  type RoomGate,
  type Save,
  type TakenMessage,
  type TinyBasePartyKitServerConfig,
} from '../../src/server/index.ts';
import { AlarmStorage } from '../support/alarm-storage.ts';
import { settle } from '../support/fake-connection.ts';

class FakeSocket {
  readonly id: string;
  readonly frames: string[] = [];
  readyState = 1;

  constructor(id: string) {
    this.id = id;
  }

  send(frame: string): void {
    this.frames.push(frame);
  }

  close(): void {
    this.readyState = 3;
  }
}

/** The part of PartyKit that a room uses. In an alarm that wakes the room, it does not know the id. */
class FakeParty {
  readonly storage: AlarmStorage;
  readonly sockets: FakeSocket[] = [];
  isInAlarm = false;

  constructor(storage = new AlarmStorage()) {
    this.storage = storage;
  }

  get id(): string {
    if (this.isInAlarm) throw new Error('You can not access the room id in an alarm.');
    return 'the%20room';
  }

  getConnections(): Iterable<FakeSocket> {
    return this.sockets.filter(({ readyState }) => readyState === 1);
  }

  get asRoom(): Party.Room {
    return this as unknown as Party.Room;
  }
}

const call = async (server: TinyBasePartyKitServer, name: string, ...told: unknown[]) => {
  const handler: unknown = Reflect.get(server, name);
  if (typeof handler !== 'function') throw new Error(`There is no ${name}.`);
  const answer: unknown = Reflect.apply(handler, server, told);
  await settle();
  await vi.advanceTimersByTimeAsync(0);
  return await (answer as Promise<unknown>);
};

const ask = async (server: TinyBasePartyKitServer, method: string, body: string | null = null) =>
  (await call(
    server,
    'onRequest',
    new Request('http://example.com/parties/main/the%20room/store', { method, body }),
  )) as Response;

const connect = async (server: TinyBasePartyKitServer, party: FakeParty, id: string) => {
  const socket = new FakeSocket(id);
  party.sockets.push(socket);
  const request = new Request('http://example.com/parties/main/the%20room');
  if (Reflect.has(server, 'onConnect')) await call(server, 'onConnect', socket, { request });
  return socket;
};

const leave = async (server: TinyBasePartyKitServer, socket: FakeSocket): Promise<void> => {
  socket.readyState = 3;
  await call(server, 'onClose', socket);
};

const pass = async (milliseconds: number): Promise<void> => {
  for (let passed = 0; passed < milliseconds; passed += 100) {
    await vi.advanceTimersByTimeAsync(100);
    await settle();
  }
};

const config: TinyBasePartyKitServerConfig = {
  storageUpdatedMilliseconds: 200,
  roomDeletedMilliseconds: 500,
  saveAlarmMilliseconds: 1_000,
};

let log: unknown[] = [];

class Saving extends TinyBasePartyKitServer {
  override config: TinyBasePartyKitServerConfig = config;

  override onStorageUpdated({ version }: Save): void {
    log.push(['saved', this.roomId, version]);
  }

  override async onRoomDeleted({ content }: Save): Promise<void> {
    log.push(['emptied', content]);
  }

  override onUserConnected(connection: Party.Connection): void {
    log.push(['came', connection.id]);
  }

  override onUserDisconnected(connection: Party.Connection): void {
    log.push(['left', connection.id]);
  }

  onAlarm(): void {
    log.push(['alarm', this.roomId]);
  }
}

beforeEach(() => {
  log = [];
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  vi.spyOn(console, 'error').mockImplementation((text: string, error: unknown) => {
    log.push([text.replace(/.*\((.*)\).*/, '$1'), String(error)]);
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test('[CLOSE-2] an onClose that does not end keeps nobody in the room for more than 5 s', async () => {
  const heard: string[] = [];
  class Board extends TinyBasePartyKitServer {
    onClose(): Promise<void> {
      heard.push('onClose');
      return new Promise(() => undefined);
    }
    override onUserDisconnected({ id }: Party.Connection): void {
      heard.push(`${id} has left`);
    }
  }
  const party = new FakeParty();
  const server = new Board(party as unknown as Party.Room);
  const ada = await connect(server, party, 'ada');
  ada.readyState = 3;
  void Reflect.apply(Reflect.get(server, 'onClose') as () => unknown, server, [ada]);
  await pass(4_900);
  expect(heard).toEqual(['onClose']);
  await pass(200);
  expect(heard).toEqual(['onClose', 'ada has left']);
});

test('[SAVE-2] [SAVE-8] a room with hooks saves, empties, and hears who comes and leaves', async () => {
  const party = new FakeParty();
  const server = new Saving(party.asRoom);
  const ada = await connect(server, party, 'ada');
  expect((await ask(server, 'PUT', '[{},{"v":1}]')).status).toBe(201);
  await pass(300);
  await leave(server, ada);
  await pass(1_000);
  expect(log).toEqual([
    ['came', 'ada'],
    ['saved', 'the room', 1],
    ['left', 'ada'],
    ['emptied', [{}, { v: 1 }]],
  ]);
});

test('[SAVE-4] [SAVE-6] an alarm that wakes a room saves, and the room knows its id', async () => {
  const party = new FakeParty();
  const server = new Saving(party.asRoom);
  await connect(server, party, 'ada');
  await ask(server, 'PUT', '[{},{"v":1}]');
  party.storage.freeze();
  vi.clearAllTimers();
  const woken = new FakeParty(await party.storage.reopen());
  woken.isInAlarm = true;
  vi.setSystemTime(Number(woken.storage.alarm));
  woken.storage.alarm = null;
  const next = new Saving(woken.asRoom);
  log = [];
  await call(next, 'onAlarm');
  expect(log).toEqual([['saved', 'the room', 1]]);
  await pass(1_000);
  expect(log.slice(1)).toEqual([['emptied', [{}, { v: 1 }]]]);
});

test('[LIFE-6] a room stores its id again for an alarm after its app has deleted all keys', async () => {
  const party = new FakeParty();
  const server = new TinyBasePartyKitServer(party.asRoom);
  await ask(server, 'PUT', '[{},{"v":1}]');
  const { storage } = party;
  await storage.setAlarm(1);
  const keys = [...(await storage.list()).keys()];
  expect(keys).toContain('@tinybase-partykit/room-id');
  await storage.delete(keys);
  await storage.setAlarm(2);
  expect([...(await storage.list()).keys()]).toEqual(['@tinybase-partykit/room-id']);
});

test('[SAVE-5] the app sees its own alarm alone, whatever the host has', async () => {
  const party = new FakeParty();
  const server = new Saving(party.asRoom);
  const late = Date.now() + 60_000;
  const { storage } = party;
  await storage.setAlarm(new Date(late));
  await ask(server, 'PUT', '[{},{"v":1}]');
  expect(storage.alarm).toBeLessThan(late);
  expect(await storage.getAlarm()).toBe(late);
  await call(server, 'onAlarm');
  expect(log).not.toContainEqual(['alarm', 'the room']);
  await storage.deleteAlarm();
  expect(await storage.getAlarm()).toBe(null);
  const soon = Date.now() + 100;
  await storage.setAlarm(soon);
  vi.setSystemTime(soon);
  await call(server, 'onAlarm');
  expect(log).toContainEqual(['alarm', 'the room']);
  expect(await storage.getAlarm()).toBe(null);
});

/** Alarms belong to transactions, as in the storage of SQLite. */
class TransactionalStorage extends AlarmStorage {
  async transaction(closure: () => Promise<void>): Promise<void> {
    const before = this.alarm;
    try {
      await closure();
    } catch (error) {
      this.alarm = before;
      throw error;
    }
  }
}

test('[SAVE-4] [SAVE-5] alarms that were undone with a transaction of the app are set again, if they are the room’s', async () => {
  const storage = new TransactionalStorage();
  const server = new Saving(new FakeParty(storage).asRoom);
  const late = Date.now() + 60_000;
  await call(server, 'onStart');
  await storage.setAlarm(late);
  const failed = storage.transaction(async () => {
    server.store.setValue('v', 1);
    await settle();
    await storage.setAlarm(Date.now() + 50);
    throw new Error('of the app');
  });
  await expect(failed).rejects.toThrow('of the app');
  await settle();
  expect(storage.alarm).toBe(Date.now() + 1_200);
  expect(await storage.getAlarm()).toBe(late);
  expect((await storage.get(['@tinybase-partykit/app-alarm'])).size).toBe(1);
  await storage.deleteAlarm();
  const first = storage.transaction(async () => {
    await storage.setAlarm(late);
    throw new Error('of the app');
  });
  await expect(first).rejects.toThrow('of the app');
  expect(await storage.getAlarm()).toBe(null);
  expect((await storage.get(['@tinybase-partykit/app-alarm'])).size).toBe(0);
});

test('hooks and a config in fields count as methods do, and rooms without onAlarm have alarms', async () => {
  class Fields extends TinyBasePartyKitServer {
    override config: TinyBasePartyKitServerConfig = config;
    override getInitialStorage = async (): Promise<Content> => [{}, { v: 7 }];
    override onStorageUpdated = ({ version }: Save): void => void log.push(version);
  }
  const party = new FakeParty();
  const server = new Fields(party.asRoom);
  expect(await (await ask(server, 'GET')).json()).toEqual([{}, { v: 7 }]);
  server.store.setValue('v', 8);
  await settle();
  await call(server, 'onAlarm');
  await pass(300);
  expect(log).toEqual([2]);
});

test('[SAVE-1] a room whose database is down answers unavailable, on all ways in, and runs no handler', async () => {
  let isDown = true;
  class Hydrated extends TinyBasePartyKitServer {
    override async getInitialStorage(): Promise<[Record<string, never>, { v: number }]> {
      if (isDown) throw new Error('The database is down.');
      return [{}, { v: 7 }];
    }

    onStart(): void {
      log.push(['onStart', this.store.getValue('v')]);
    }
  }
  const party = new FakeParty();
  const server = new Hydrated(party.asRoom);
  await call(server, 'onStart');
  const ada = await connect(server, party, 'ada');
  const [get, put] = [await ask(server, 'GET'), await ask(server, 'PUT', '[{},{"mine":1}]')];
  expect([get.status, put.status]).toEqual([503, 503]);
  expect(await get.json()).toMatchObject({ code: 'unavailable' });
  expect(ada.frames).toEqual([expect.stringMatching(/^e\{"code":"unavailable"/)]);
  expect(log).toEqual([['lifecycle', 'Error: The database is down.']]);
  isDown = false;
  await pass(500);
  expect(await (await ask(server, 'GET')).json()).toEqual([{}, { v: 7 }]);
  expect(log.slice(1)).toEqual([['onStart', 7]]);
});

test('[SAVE-8] with a gate, only those come whom it lets in', async () => {
  class Gated extends Saving {
    readonly #in = new WeakSet<object>();

    constructor(room: Party.Room) {
      super(room);
      const gate: RoomGate<Party.Connection, Party.Request> = {
        admit: async (connection) => {
          if (connection.id === 'eve') throw new TinyBasePartyKitError('unauthorized', 'no');
          this.#in.add(connection);
        },
        admitRequest: async () => undefined,
        check: (connection) => (this.#in.has(connection) ? 'admitted' : 'unknown'),
        mayWrite: () => true,
      };
      this.setGate(gate);
    }
  }
  const party = new FakeParty();
  const server = new Gated(party.asRoom);
  const [ada, eve] = [await connect(server, party, 'ada'), await connect(server, party, 'eve')];
  await leave(server, eve);
  await leave(server, ada);
  expect(log).toEqual([
    ['came', 'ada'],
    ['left', 'ada'],
  ]);
});

test('an ephemeral room is not made again by its own alarm', async () => {
  class Ephemeral extends Saving {
    override config: TinyBasePartyKitServerConfig = { ...config, isEphemeral: true };
    loads = 0;

    override getInitialStorage(): null {
      this.loads += 1;
      return null;
    }
  }
  const party = new FakeParty();
  const server = new Ephemeral(party.asRoom);
  await ask(server, 'PUT', '[{},{"v":1}]');
  await pass(1_000);
  expect([server.loads, party.storage.size, party.storage.alarm]).toEqual([1, 0, null]);
  await call(server, 'onAlarm');
  expect(server.loads).toBe(1);
  expect(await (await ask(server, 'GET')).text()).toBe('');
  expect(server.loads).toBe(2);
});

test('[SAVE-7] a room without these methods reads, writes, attaches and times nothing for them', async () => {
  class Plain extends TinyBasePartyKitServer {
    override config: TinyBasePartyKitServerConfig = config;
  }
  const party = new FakeParty();
  const server = new Plain(party.asRoom);
  await call(server, 'onStart');
  const readsAtLoad = party.storage.counts.reads;
  const ada = await connect(server, party, 'ada');
  await ask(server, 'PUT', '[{},{"v":1}]');
  server.store.setValue('v', 2);
  await pass(100);
  await leave(server, ada);
  await pass(60_000);
  expect(log).toEqual([]);
  expect([...(await party.storage.list()).keys()]).toEqual([
    '@tinybase-partykit/blob/0000000000000001/000000',
    '@tinybase-partykit/log/0000000000000001',
    '@tinybase-partykit/manifest',
  ]);
  expect(party.storage.counts).toMatchObject({
    keysPut: 3,
    keysDeleted: 0,
    // To create its Store, the room reads three times, and this test once.
    reads: readsAtLoad + 4,
  });
  expect([party.storage.alarm, party.storage.alarmWrites, vi.getTimerCount()]).toEqual([
    null,
    0,
    0,
  ]);
  expect(Reflect.has(server, 'onAlarm')).toBe(false);
  const time = Date.now() + 1_000;
  await party.storage.setAlarm(time);
  expect(await party.storage.getAlarm()).toBe(time);
  expect(party.storage.counts.keysPut).toBe(4);
});

test('[SAVE-9] onRoomMessage hears of a call when its input is valid, and with what its schema made of it', async () => {
  class Calling extends TinyBasePartyKitServer {
    readonly events: unknown = createEvents(this, {
      double: procedure
        .input(z.object({ value: z.number().default(7) }))
        .self(({ value }) => ({ doubled: { value: value * 2 } })),
    });

    override onRoomMessage(message: TakenMessage, connection: Party.Connection): void {
      log.push([message, connection.id]);
    }
  }
  const party = new FakeParty();
  const server = new Calling(party.asRoom);
  const ada = await connect(server, party, 'ada');
  for (const frame of ['v["double",{"value":"no"},1]', 'v["none",{},2]', 'v["double",{},3]'])
    await call(server, 'onMessage', frame, ada);
  expect(log).toEqual([[{ type: 'call', name: 'double', input: { value: 7 } }, 'ada']]);
});
