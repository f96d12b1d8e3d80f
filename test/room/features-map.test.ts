import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { PartySocket } from 'partysocket';
import { createStore, type Content } from 'tinybase';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createRoomHandle, createToken, type RoomHandle } from '../../src/backend/index.ts';
import { createEvents } from '../../src/client/features/events/index.ts';
import { createPresence } from '../../src/client/features/presence/index.ts';
import { createUndo } from '../../src/client/features/undo/index.ts';
import { createPartyKitPersister, type Refusal } from '../../src/client/index.ts';
import {
  createClient,
  type Client,
  type ClientRoom,
  type RoomOptions,
} from '../../src/client/room/index.ts';
import { IDLE_MILLISECONDS } from '../hosts/contract-durability.ts';
import { Ear } from '../support/ear.ts';
import { freePort } from '../support/free-port.ts';
import { ignoring, warningOnFailure } from '../support/ignoring.ts';
import { PAIR } from '../support/pair.ts';
import { type Party, startParty } from '../support/party.ts';
import { ProviderKeys } from '../support/provider-keys.ts';
import { RoomDatabase } from '../support/room-database.ts';
import { goodClaims, makeToken, SECRET } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import type Board from './fixtures/board.ts';

/** A client of the board, which may have the team of its user as metadata. */
type BoardClient = Client<Board, string | undefined>;
type BoardRoom = ClientRoom<Board>;
type BoardOptions = Partial<RoomOptions<Board, string | undefined>>;

/** Each capability that people expect of a room, with a check that it works. */
interface Row {
  readonly title: string;
  readonly check: () => Promise<void>;
}

const ADMIN_SECRET = `${SECRET} of the backend`;
const SEED: Content = [{ notes: { first: { text: 'Hello' } } }, {}];

let party: Party;
let database: RoomDatabase;
const clients: BoardClient[] = [];
const closings: (() => unknown)[] = [];
let rooms = 0;

/** Returns the name of a room that nobody has used, and its id, by which the board finds its database. */
const newRoom = (): { readonly name: string; readonly id: string } => {
  const name = `room-${(rooms += 1)}`;
  return { name, id: database.roomId(name) };
};
const urlOf = (id: string, path = '', name = 'main'): string =>
  `${party.origin}/parties/${name}/${encodeURIComponent(id)}${path}`;
const socketUrlOf = (id: string, query: string): string =>
  `${urlOf(id).replace('http', 'ws')}?${query}`;
const tokenOf = async (room: string, name: string): Promise<string> =>
  (await fetch(`${party.origin}/api/token?${new URLSearchParams({ room, user: name })}`)).text();
/** A token with claims of the test’s own. */
const handmadeToken = (room: string, claims: Record<string, unknown> = {}): string =>
  makeToken({
    claims: { room, sub: 'ada', user: { id: 'ada', name: 'Ada', role: 'editor' }, ...claims },
  });
/** Asks the room’s own code, as Ada. */
const ask = async (id: string, path: string, name = 'main'): Promise<unknown> => {
  const headers = { Authorization: `Bearer ${await tokenOf(id, 'Ada')}` };
  return (await fetch(urlOf(id, `/${path}`, name), { headers })).json();
};
const handleOf = (room: string): RoomHandle =>
  createRoomHandle({ origin: party.origin, room, secret: ADMIN_SECRET });

/** A client of that user. */
const as = (name: string, options: BoardOptions = {}): BoardClient => {
  const client = createClient<Board, string | undefined>({
    createStore,
    host: party.host,
    WebSocket,
    reconnectTimeoutMs: 10,
    onIgnoredError: warningOnFailure(),
    token: async ({ room }) => {
      const query = new URLSearchParams({ room, user: name }).toString();
      const response = await fetch(`${party.origin}/api/token?${query}`);
      // oxlint-disable-next-line typescript/only-throw-error -- As an app does with the answer of fetch.
      if (!response.ok) throw response;
      return await response.text();
    },
    ...options,
  });
  clients.push(client);
  return client;
};
const enter = (name: string, id: string, options: BoardOptions = {}): Promise<BoardRoom> =>
  as(name, { initialStorage: SEED, ...options }).enter(id);

/** Collects the events of the board that a client hears. */
const listen = ({ events }: Pick<BoardRoom, 'events'>): unknown[] => {
  const heard: unknown[] = [];
  events.addListener('receiveMessage', ({ message }) => heard.push(message));
  events.addListener('receiveValue', ({ value }) => heard.push(value));
  events.addListener('announced', ({ text }) => heard.push(text));
  events.addListener('noteAdded', ({ id }) => heard.push(['note', id]));
  return heard;
};
const namesOf = ({ presence }: BoardRoom): readonly string[] =>
  presence
    .getStore()
    .getRowIds('users')
    .map((id) => presence.getStore().getCell('users', id, 'name') as string)
    .toSorted();
const untilNames = (room: BoardRoom, names: string): Promise<unknown> =>
  until(names, () => String(namesOf(room)) === names);
const untilLogged = (name: string, what: string): Promise<unknown> =>
  until(`${name} to have logged "${what}"`, () => database.logOf(name).includes(what));
const stoppedCode = async ({ persister }: BoardRoom): Promise<unknown> => {
  await until('the end', () => persister.getSync().phase === 'stopped');
  return persister.getSync().code;
};
/** Nobody is in a room without a hook that comes late. */
const leaveAll = async (): Promise<void> => {
  await Promise.all(
    clients.splice(0).flatMap((client) => client.getRooms().map((room) => client.leave(room))),
  );
};
const codeOf = async (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (result) => ({ result }),
    (error: unknown) => (error as { code?: unknown }).code,
  );
/** The status of each way into a room over HTTP. */
const statusesOf = (id: string, token: string): Promise<readonly number[]> =>
  Promise.all(
    ['GET', 'HEAD', 'PUT', 'POST'].map(async (method) => {
      const init = { method, ...(method.startsWith('P') && { body: '[{},{}]' }) };
      return (await fetch(urlOf(id, `/store?token=${token}`), init)).status;
    }),
  );

const ROOMS_AND_SERVERS: readonly Row[] = [
  {
    title:
      'createIO, io.server, platform: the room’s class; createRoom: rooms are made by their URL',
    check: async () => {
      const [one, other] = [newRoom().id, newRoom().id];
      const [ada, bob] = await Promise.all([enter('Ada', one), enter('Bob', other)]);
      const [heard, heardElsewhere] = [listen(ada), listen(bob)];
      ada.store.setValue('only', 'here');
      await ada.persister.whenConfirmed();
      ada.events.send.wave();
      await until('the wave', () => heard.length === 1);
      expect(await bob.events.call.whoAmI()).toBe('Bob');
      expect([bob.store.getValues(), heardElsewhere]).toEqual([{}, []]);
    },
  },
  {
    title:
      'register: the host registers a socket, also one without our client; its token is asked for',
    check: async () => {
      const { id } = newRoom();
      const token = await tokenOf(id, 'Ada');
      const ear = new Ear(socketUrlOf(id, `token=${token}`));
      closings.push(() => ear.socket.terminate());
      await until('the socket', () => ear.isOpen);
      await until('its registration', async () => (await ask(id, 'size')) === 1);
      ear.socket.send('v["doubleValue",{"value":21}]');
      await until('the event', () =>
        ear.heard.some((frame) => frame.startsWith('v["receiveValue",{"value":42}')),
      );
      const stranger = new Ear(socketUrlOf(id, 'token=none'));
      await until('the refusal', () => stranger.closeCode);
      expect([stranger.closeCode, await ask(id, 'size')]).toEqual([4401, 1]);
    },
  },
  {
    title: 'procedure.input().broadcast(): to everybody, with the input checked by its schema',
    check: async () => {
      const { id } = newRoom();
      const [ada, bob] = await Promise.all([enter('Ada', id), enter('Bob', id)]);
      const heard = [listen(ada), listen(bob)];
      ada.events.send.sendMessage({ message: 'Hi' });
      await until('the message', () => heard.every(({ length }) => length === 1));
      expect(heard).toEqual([['Hi'], ['Hi']]);
      // @ts-expect-error The message is a text.
      expect(await codeOf(ada.events.call.sendMessage({ message: 7 }))).toBe('malformed');
    },
  },
  {
    title: 'procedure.self(): to the caller alone',
    check: async () => {
      const { id } = newRoom();
      const [ada, bob] = await Promise.all([enter('Ada', id), enter('Bob', id)]);
      const [own, others] = [listen(ada), listen(bob)];
      await ada.events.call.doubleValue({ value: 21 });
      await bob.events.call.wave();
      await until('the wave', () => own.length === 2);
      expect([own, others]).toEqual([[42, 'Hello world!'], ['Hello world!']]);
    },
  },
  {
    title: 'procedure.handle(): broadcast, self and a result at once',
    check: async () => {
      const { id } = newRoom();
      const [ada, bob] = await Promise.all([enter('Ada', id), enter('Bob', id)]);
      const [own, others] = [listen(ada), listen(bob)];
      const note = await ada.events.call.addNote({ text: 'Buy bread' });
      await until('the event', () => others.length === 1);
      expect(own).toEqual(expect.arrayContaining([['note', note], 2]));
      expect(others).toEqual([['note', note]]);
      for (const { store } of [ada, bob])
        expect(store.getCell('notes', note, 'text')).toBe('Buy bread');
    },
  },
  {
    title: 'router: the record of declarations; a room works without one, too',
    check: async () => {
      const { id } = newRoom();
      const { events } = await enter('Ada', id);
      expect(await events.call.whoAmI()).toBe('Ada');
      expect(await events.call('wave')).toBeUndefined();
      const client = createClient({
        createStore,
        host: party.host,
        WebSocket,
        party: 'plain',
        callTimeoutMilliseconds: 300,
      });
      const plain = await client.enter('without-router');
      closings.push(() => client.leave(plain));
      plain.store.setValue('v', 1);
      await plain.persister.whenConfirmed();
      await expect(plain.events.call('wave')).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('no createEvents') as unknown,
      });
    },
  },
  {
    title: 'broadcast on the client: events.send and events.call, in both forms',
    check: async () => {
      const { id } = newRoom();
      const ada = await enter('Ada', id);
      const heard = listen(ada);
      ada.events.send.sendMessage({ message: '1' });
      ada.events.send('sendMessage', { message: '2' });
      await ada.events.call.sendMessage({ message: '3' });
      await ada.events.call('sendMessage', { message: '4' });
      await until('all', () => heard.length === 4);
      expect(heard).toEqual(['1', '2', '3', '4']);
    },
  },
  {
    title: 'broadcast on the server: events.broadcast, in both forms, reaches everybody',
    check: async () => {
      const { id } = newRoom();
      const [ada, bob] = await Promise.all([enter('Ada', id), enter('Bob', id)]);
      const heard = [listen(ada), listen(bob)];
      await ask(id, 'announce');
      await until('both', () => heard.every(({ length }) => length === 2));
      expect(heard).toEqual([
        ['by name', 'by method'],
        ['by name', 'by method'],
      ]);
    },
  },
  {
    title: 'events: unknown and reserved names are refused; errors are typed, without a stack',
    check: async () => {
      const { id } = newRoom();
      const { events } = await enter('Ada', id);
      const call: (name: string) => Promise<unknown> = (name) => events.call(name as 'wave');
      for (const name of ['missing', 'announced', '__proto__', 'constructor', 'then', 'toString'])
        expect([name, await codeOf(call(name))]).toEqual([name, 'not-found']);
      await expect(events.call.fail(true)).rejects.toMatchObject({
        code: 'forbidden',
        message: 'Only the owner may.',
      });
      const error: unknown = await events.call.fail(false).catch((failed: unknown) => failed);
      expect(error).toMatchObject({ code: 'failed' });
      expect((error as Error).message).not.toMatch(/hunter2|\.ts|\bat /);
    },
  },
];

const STORAGE: readonly Row[] = [
  {
    title:
      'getInitialStorage: the content of a new room, before anybody is served; no seed of a client is used',
    check: async () => {
      const { name, id } = newRoom();
      await database.write(name, [{ notes: { stored: { text: 'From the database' } } }, {}]);
      const [ada, bob] = await Promise.all([enter('Ada', id), enter('Bob', id)]);
      for (const { store } of [ada, bob])
        expect(store.getTables()).toEqual({ notes: { stored: { text: 'From the database' } } });
      expect(database.logOf(name).filter((what) => what === 'loaded')).toEqual(['loaded']);
    },
  },
  {
    title: 'getInitialStorage that throws fails closed, and is asked again',
    check: async () => {
      const { name, id } = newRoom();
      await database.write(name, SEED);
      await database.down();
      const token = await tokenOf(id, 'Ada');
      expect((await fetch(urlOf(id, `/store?token=${token}`))).status).toBe(503);
      await database.up();
      await until('the room', async () => (await fetch(urlOf(id, `/store?token=${token}`))).ok);
      const { store } = await enter('Ada', id, { initialStorage: [{}, { mine: true }] });
      expect(store.getContent()).toEqual(SEED);
    },
  },
  {
    title: 'onStorageUpdated: changes, callers, version and content, throttled',
    check: async () => {
      const { name, id } = newRoom();
      const { store, persister } = await enter('Ada', id);
      await untilLogged(name, 'saved 1');
      for (let edit = 1; edit <= 50; edit++) {
        store.setValue('v', edit);
        await persister.whenConfirmed();
      }
      await untilLogged(name, 'saved 51');
      const saves = database.logOf(name).filter((what) => what.startsWith('saved'));
      expect(saves.length).toBeLessThan(25);
      expect(await database.contentOf(name)).toEqual([SEED[0], { v: 50 }]);
      expect(await ask(id, 'saved')).toEqual({
        changes: [{}, { v: 50 }, 1],
        version: 51,
        callers: ['Ada'],
      });
    },
  },
  {
    title:
      'onRoomDeleted: after the last one has left and nobody came back, with the last content, again after a throw',
    check: async () => {
      const { name, id } = newRoom();
      const { store, persister } = await enter('Ada', id);
      store.setValue('v', 1);
      await persister.whenConfirmed();
      await untilLogged(name, 'saved 2');
      await ask(id, 'size');
      expect(database.logOf(name).filter((what) => what.startsWith('deleted'))).toEqual([]);
      database.failSaves(1, 500, name);
      await leaveAll();
      await untilLogged(name, 'deleted 2');
      const log = database.logOf(name).filter((what) => what.startsWith('deleted'));
      expect(log).toEqual(['deleted 2 failed', 'deleted 2']);
      expect(await database.contentOf(name)).toEqual([SEED[0], { v: 1 }]);
    },
  },
  {
    title:
      'a room that is created again resumes with what onRoomDeleted has saved, also an ephemeral one',
    check: async () => {
      const { name, id } = newRoom();
      const token = (): string => handmadeToken(id, { aud: 'ephemeral' });
      const enterAgain = (): Promise<BoardRoom> => enter('Ada', id, { party: 'ephemeral', token });
      const first = await enterAgain();
      first.store.setValue('v', 1);
      await leaveAll();
      await untilLogged(name, 'deleted 2');
      await until('the room to be gone', async () => {
        const url = urlOf(id, `/errors?token=${token()}`, 'ephemeral');
        return (
          (await (await fetch(url)).text()) === '[]' && database.logOf(name).includes('loaded')
        );
      });
      const again = await enterAgain();
      expect(again.store.getContent()).toEqual([SEED[0], { v: 1 }]);
      expect(database.logOf(name).filter((what) => what === 'loaded').length).toBeGreaterThan(1);
    },
  },
  {
    title: 'onRoomMessage: hears of pushes and calls, with their user, and not of presence',
    check: async () => {
      const { name, id } = newRoom();
      const { store, persister, events, presence } = await enter('Ada', id);
      presence.set({ selectionId: 'note' });
      store.setValue('v', 1);
      await persister.whenConfirmed();
      await events.call.wave();
      await untilLogged(name, 'Ada: call wave');
      expect(
        database
          .logOf(name)
          .filter((what) => what.startsWith('Ada:'))
          .toSorted(),
      ).toEqual(['Ada: call wave', 'Ada: push version 2']);
    },
  },
  {
    title: 'onUserConnected, onUserDisconnected: once for each connection, with its user',
    check: async () => {
      const { name, id } = newRoom();
      await Promise.all([enter('Ada', id), enter('Bob', id)]);
      await Promise.all(['Ada came', 'Bob came'].map((what) => untilLogged(name, what)));
      const ear = new Ear(socketUrlOf(id, `token=${await tokenOf(id, 'Cy')}`));
      await untilLogged(name, 'Cy came');
      ear.socket.terminate();
      await untilLogged(name, 'Cy left');
      await leaveAll();
      await Promise.all(['Ada left', 'Bob left'].map((what) => untilLogged(name, what)));
      const visits = database.logOf(name).filter((what) => /came$|left$/.test(what));
      expect(visits.toSorted()).toEqual(
        ['Ada', 'Bob', 'Cy'].flatMap((user) => [`${user} came`, `${user} left`]),
      );
    },
  },
  {
    title: 'context: a field of the class, made of the environment, once for each room object',
    check: async () => {
      const [one, other] = [newRoom().id, newRoom().id];
      await enter('Ada', one);
      const made = await ask(one, 'database');
      expect([await ask(one, 'database'), await ask(one, 'database')]).toEqual([made, made]);
      expect(await ask(other, 'database')).not.toBe(made);
    },
  },
];

const AUTHORIZATION: readonly Row[] = [
  {
    title:
      'authorize {secret, user}: guards the socket and HTTP alike; the user is known in hooks and procedures',
    check: async () => {
      const { id } = newRoom();
      const { events } = await enter('Ada', id);
      expect(await events.call.whoAmI()).toBe('Ada');
      for (const token of [
        'garbage',
        handmadeToken('another room'),
        handmadeToken(id, { user: { id: 'ada' } }),
      ]) {
        const statuses = await statusesOf(id, token);
        expect(statuses.every((status) => status === 401 || status === 403)).toBe(true);
        expect(await codeOf(enter('Ada', id, { token: () => token }))).toMatch(
          /^(?:unauthorized|forbidden)$/,
        );
      }
    },
  },
  {
    title: 'authorize with the keys of a provider: tokens of Clerk, Auth0, Supabase and others',
    check: async () => {
      const keys = new ProviderKeys('a');
      const provider = createServer((_request, response) =>
        response.end(JSON.stringify({ keys: [keys.published] })),
      );
      closings.push(() => {
        provider.closeAllConnections();
        provider.close();
      });
      await new Promise<void>((resolve) => {
        provider.listen(0, '127.0.0.1', resolve);
      });
      const jku = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/`;
      const token = keys.token({}, { kid: 'a', jku, typ: 'JWT' });
      const client = createClient({
        createStore,
        host: party.host,
        WebSocket,
        party: 'provided',
        token: () => token,
        initialStorage: SEED,
      });
      const room = await client.enter('of-a-provider');
      closings.push(() => client.leave(room));
      expect(room.store.getContent()).toEqual(SEED);
      const forged = new ProviderKeys('a').token({}, { kid: 'a', jku, typ: 'JWT' });
      const answer = await fetch(`${urlOf('of-a-provider', '/store', 'provided')}?token=${forged}`);
      expect(answer.status).toBe(401);
    },
  },
  {
    title: 'createToken({room, user}): from any backend, for one room, party and time',
    check: async () => {
      const { id } = newRoom();
      const user = { id: 'ada', name: 'Ada', role: 'editor' } as const;
      const token = await createToken<Board>({ secret: SECRET, room: id, user });
      expect((await enter('Ada', id, { token: () => token })).id).toBe(id);
      expect((await fetch(urlOf(newRoom().id, `/store?token=${token}`))).status).toBe(403);
      const other = await createToken<Board>({
        secret: SECRET,
        room: id,
        user,
        party: 'ephemeral',
      });
      expect((await fetch(urlOf(id, `/store?token=${other}`))).status).toBe(403);
    },
  },
  {
    title:
      'onAuthorizationFail: once, on a failed fetch of the token and on a refusal; no storm after it',
    check: async () => {
      const { id } = newRoom();
      for (const [name, token] of [
        ['Eve', undefined],
        ['Ada', () => 'garbage'],
      ] as const) {
        let [asked, failed] = [0, 0];
        const fetched = as(name);
        const client = as(name, {
          onAuthorizationFail: () => (failed += 1),
          token: async (context) => {
            asked += 1;
            if (token !== undefined) return token();
            const query = new URLSearchParams({ room: context.room, user: name }).toString();
            const response = await fetch(`${party.origin}/api/token?${query}`);
            // oxlint-disable-next-line typescript/only-throw-error -- As an app does.
            throw response;
          },
        });
        expect(await codeOf(client.enter(id))).toMatch(/unauthorized|forbidden/);
        // Another client is served meanwhile, many times as long as this one waits between two attempts.
        await (await enter('Bob', id)).events.call.wave();
        expect([asked, failed]).toEqual([1, 1]);
        expect(fetched.getRooms()).toEqual([]);
      }
    },
  },
  {
    title: 'onAuthorizationFail of one room, in place of that of the client',
    check: async () => {
      const { id } = newRoom();
      const failed: unknown[] = [];
      const client = as('Eve', { onAuthorizationFail: () => failed.push('client') });
      const room = client.createRoom(id, {
        onAuthorizationFail: ({ code }, { id: of }) => failed.push([code, of]),
      });
      await expect(client.enter(room)).rejects.toMatchObject({ code: 'forbidden' });
      expect(failed).toEqual([['forbidden', id]]);
    },
  },
  {
    title:
      'authEndpoint, wsEndpoint, publicKey: the token function, asked at each attempt, and the options of PartySocket; HTTP has the same token',
    check: async () => {
      const { id } = newRoom();
      const [tokens, used]: [string[], (string | null)[]] = [[], []];
      const room = await enter('Ada', id, {
        path: '',
        prefix: 'parties',
        token: () => {
          tokens.push(handmadeToken(id, { jti: `${tokens.length}` }));
          return tokens.at(-1) ?? null;
        },
        persister: {
          fetch: async (input, init) => {
            used.push(new URL(input as string).searchParams.get('token'));
            return await fetch(input, init);
          },
        },
      });
      expect(new Set(used)).toEqual(new Set([tokens[0]]));
      room.socket.reconnect();
      room.store.setValue('v', 1);
      await room.persister.whenConfirmed();
      expect(tokens).toHaveLength(2);
    },
  },
  {
    title: 'read-only connections: see everything, change nothing, and may call',
    check: async () => {
      const { id } = newRoom();
      await enter('Ada', id);
      const { store, persister, events } = await enter('Reader', id);
      const refusals: Refusal[] = [];
      persister.addRefusalListener((_persister, refused) => refusals.push(...refused));
      store.setCell('notes', 'first', 'text', 'mine');
      await persister.whenConfirmed();
      expect(refusals.map(({ reason }) => reason)).toEqual(['access']);
      expect([store.getContent(), await events.call.whoAmI()]).toEqual([SEED, 'Reader']);
    },
  },
  {
    title: 'expiry is enforced while connected, and a new token brings the client back',
    check: async () => {
      const { id } = newRoom();
      const now = Math.floor(Date.now() / 1000);
      const query = `token=${handmadeToken(id, { iat: now, exp: now + 2 })}`;
      const ear = new Ear(socketUrlOf(id, query));
      let asked = 0;
      const room = await enter('Ada', id, {
        token: () => handmadeToken(id, (asked += 1) === 1 ? { iat: now, exp: now + 2 } : {}),
      });
      await until('the end of the token', () => {
        room.store.setValue('time', Date.now());
        return ear.closeCode !== undefined || ear.heard.some((frame) => frame.includes('expired'));
      });
      await room.persister.whenConfirmed();
      expect([asked, room.persister.getSync().phase]).toEqual([2, 'live']);
      ear.socket.terminate();
    },
  },
  {
    title: 'a user who was evicted or revoked does not come straight back',
    check: async () => {
      const { id } = newRoom();
      const token = handmadeToken(id, {
        sub: 'bob',
        iat: goodClaims()['iat'],
        user: { id: 'bob', name: 'Bob', role: 'editor' },
      });
      const bob = await enter('Bob', id, { token: () => token });
      const ada = await enter('Ada', id);
      expect(await handleOf(id).evict({ user: 'bob' })).toBe(1);
      expect(await stoppedCode(bob)).toBe('forbidden');
      expect(await codeOf(enter('Bob', id, { token: () => token }))).toBe('forbidden');
      expect((await statusesOf(id, token)).every((status) => status === 403)).toBe(true);
      expect(ada.persister.getSync().phase).toBe('live');
    },
  },
];

const PRESENCE: readonly Row[] = [
  {
    title:
      'presence, initialPresence, updateMyPresence, getOthers: a Store that everybody shows, with a schema of the room’s',
    check: async () => {
      const { id } = newRoom();
      const ada = await enter('Ada', id, { initialPresence: { selectionId: 'note' } });
      const bob = await enter('Bob', id, { initialPresence: {} });
      const adasRow = (): unknown =>
        bob.presence.getStore().getRow('connections', ada.presence.getId());
      await until('Ada', () => bob.presence.getStore().getRowCount('connections') === 2);
      expect(adasRow()).toEqual({ selectionId: 'note', user: 'ada' });
      expect(
        bob.presence.getStore().getCell('connections', bob.presence.getId(), 'selectionId'),
      ).toBe('none');
      ada.presence.set({ selectionId: 'other' });
      await until('her move', () => (adasRow() as { selectionId: string }).selectionId === 'other');
      ada.presence.set({ selectionId: 'x'.repeat(21) });
      await until(
        'the refusal',
        () =>
          ada.presence.getStore().getCell('connections', ada.presence.getId(), 'selectionId') ===
          'other',
      );
      expect(adasRow()).toEqual({ selectionId: 'other', user: 'ada' });
      expect((await fetch(urlOf(id, `/store?token=${await tokenOf(id, 'Ada')}`))).ok).toBe(true);
      expect(ada.store.getTables()).toEqual(SEED[0]);
    },
  },
  {
    title:
      'presence: who joins late gets the full picture first; one user with many tabs is one user',
    check: async () => {
      const { id } = newRoom();
      const initialPresence = { selectionId: 'a' };
      await Promise.all(['Ada', 'Ada', 'Bob'].map((name) => enter(name, id, { initialPresence })));
      await until('all three', async () => (await handleOf(id).getSize()) === 3);
      const late = as('Cy', { initialPresence }).createRoom(id);
      const pictures: number[] = [];
      late.presence.getStore().addTablesListener((store) => {
        pictures.push(store.getRowCount('connections'));
      });
      await clients.at(-1)?.enter(late);
      await untilNames(late, 'Ada,Bob,Cy');
      // Its own row is there before it is connected.
      expect(pictures.find((count) => count !== 1)).toBe(4);
    },
  },
  {
    title: 'presence: gone on close, and on silence; a ghost does not stay',
    check: async () => {
      const { id } = newRoom();
      const ada = await enter('Ada', id, { initialPresence: {} });
      const ghost = new Ear(socketUrlOf(id, `token=${await tokenOf(id, 'Ghost')}`));
      await until('a socket', () => ghost.isOpen);
      ghost.socket.send('r{"selectionId":"boo"}');
      await enter('Bob', id, { initialPresence: {} });
      await untilNames(ada, 'Ada,Bob,Ghost');
      await clients.at(-1)?.leave(id);
      await untilNames(ada, 'Ada,Ghost');
      await until('the ghost to be gone', () => {
        ada.socket.send('r[1]');
        return String(namesOf(ada)) === 'Ada';
      });
      ghost.socket.terminate();
    },
  },
];

const HANDLE: readonly Row[] = [
  {
    title: 'id: roomId',
    check: async () => {
      const id = `${newRoom().id} ä/ö`;
      expect(await ask(id, 'id')).toBe(id);
    },
  },
  {
    title: 'getSize: from inside and from outside',
    check: async () => {
      const { id } = newRoom();
      expect([await ask(id, 'size'), await handleOf(id).getSize()]).toEqual([0, 0]);
      await Promise.all([enter('Ada', id), enter('Bob', id)]);
      expect([await ask(id, 'size'), await handleOf(id).getSize()]).toEqual([2, 2]);
    },
  },
  {
    title: 'evict(connectionId): from inside and from outside; that client stops, the others stay',
    check: async () => {
      const { id } = newRoom();
      const [ada, bob, cy] = await Promise.all([
        enter('Ada', id),
        enter('Bob', id),
        enter('Cy', id),
      ]);
      expect(await ask(id, `evict?of=${bob.socket.id}`)).toBe(1);
      expect(await stoppedCode(bob)).toBe('forbidden');
      expect(await handleOf(id).evict(cy.socket.id)).toBe(1);
      expect(await stoppedCode(cy)).toBe('forbidden');
      expect([await handleOf(id).getSize(), ada.persister.getSync().phase]).toEqual([1, 'live']);
    },
  },
  {
    title: 'evictAll: everybody, and the room empties',
    check: async () => {
      const { name, id } = newRoom();
      const people = await Promise.all([enter('Ada', id), enter('Bob', id)]);
      expect(await handleOf(id).evictAll()).toBe(2);
      expect(await Promise.all(people.map(stoppedCode))).toEqual(['forbidden', 'forbidden']);
      await untilLogged(name, 'deleted 1');
      await enter('Cy', id);
      expect(await ask(id, 'evict-all')).toBe(1);
    },
  },
  {
    title: 'garbageCollect: dead connections and what storage does not need',
    check: async () => {
      const { id } = newRoom();
      const { store, persister } = await enter('Ada', id);
      for (let edit = 0; edit < 20; edit++) {
        store.setValue('v', edit);
        await persister.whenConfirmed();
      }
      const { checkpointAgeMilliseconds: age = 0 } = await handleOf(id).getStats();
      expect(await ask(id, 'garbage-collect')).toBeLessThan(age);
      await handleOf(id).garbageCollect();
      expect((await handleOf(id).getStats()).garbageBytes).toBe(0);
      expect(store.getValues()).toEqual({ v: 19 });
    },
  },
  {
    title: 'broadcast from outside: by one signed request, which nobody else can send',
    check: async () => {
      const { id } = newRoom();
      const heard = listen(await enter('Ada', id));
      await handleOf(id).broadcast('announced', { text: 'Closing in five minutes' });
      await until('the event', () => heard.length === 1);
      expect(heard).toEqual(['Closing in five minutes']);
      const stranger = createRoomHandle({ origin: party.origin, room: id, secret: SECRET });
      await expect(stranger.evictAll()).rejects.toMatchObject({ code: 'unauthorized' });
      expect(await handleOf(id).getSize()).toBe(1);
    },
  },
];

const CLIENT: readonly Row[] = [
  {
    title: 'createClient, createRoom, enter and leave, by name and by instance; getRooms',
    check: async () => {
      const [one, other] = [newRoom().id, newRoom().id];
      const client = as('Ada', { initialStorage: SEED });
      const room = client.createRoom(one);
      expect(await client.enter(one)).toBe(room);
      expect(await client.enter(room)).toBe(room);
      const second = await client.enter(other);
      expect(client.getRooms()).toEqual([room, second]);
      room.store.setValue('pending', true);
      await client.leave(one);
      expect([room.socket.readyState, client.getRooms()]).toEqual([PartySocket.CLOSED, [second]]);
      await client.leave(second);
      expect(client.getRooms()).toEqual([]);
      expect((await enter('Bob', one)).store.getValues()).toEqual({ pending: true });
    },
  },
  {
    title: 'metadata: handed to the token function and to the query',
    check: async () => {
      const { id } = newRoom();
      const seen: unknown[] = [];
      const client = as('Ada', {
        initialStorage: SEED,
        token: async ({ room, metadata }) => {
          seen.push(metadata);
          return await tokenOf(room, 'Ada');
        },
        query: ({ metadata }) => ({ team: metadata }),
      });
      const room = client.createRoom(id);
      await client.enter(room, { metadata: 'red' });
      await client.leave(room);
      await client.enter(id, { metadata: 'blue' });
      expect(seen).toEqual(['red', 'blue']);
      // What the socket has asked for last.
      expect(
        new URL(client.getRoom(id)?.socket.url ?? 'http://none').searchParams.get('team'),
      ).toBe('blue');
    },
  },
  {
    title: 'reconnectTimeoutMs: a number, or a function of the attempts, which begin at zero',
    check: async () => {
      const port = await freePort();
      const attempts: number[] = [];
      const client = as('Ada', {
        host: `127.0.0.1:${port}`,
        token: () => 'any',
        reconnectTimeoutMs: (failed) => {
          attempts.push(failed.attempts);
          return failed.attempts < 4 ? 1 : 600_000;
        },
      });
      const slow = as('Ada', {
        host: `127.0.0.1:${port}`,
        token: () => 'any',
        reconnectTimeoutMs: 600_000,
      });
      for (const one of [client, slow]) void one.enter('unreachable').catch(() => undefined);
      await until('the attempts', () => attempts.length === 5);
      expect(attempts).toEqual([0, 1, 2, 3, 4]);
      expect(slow.getRoom('unreachable')?.socket.retryCount).toBeLessThan(2);
    },
  },
  {
    title:
      'initialStorage of the client and of one room: the room decides, and a seed overwrites nothing',
    check: async () => {
      const { id } = newRoom();
      const content: Content = [{}, { of: 'the room' }];
      const client = as('Ada', { initialStorage: SEED });
      const room = client.createRoom(id, { initialStorage: content });
      await client.enter(room);
      expect(room.store.getContent()).toEqual(content);
      const late = await enter('Bob', id);
      expect(late.store.getContent()).toEqual(content);
      const two = newRoom().id;
      const both = await Promise.all([
        enter('Ada', two, { initialStorage: [{}, { by: 'Ada' }] }),
        enter('Bob', two, { initialStorage: [{}, { by: 'Bob' }] }),
      ]);
      expect(both[0].store.getContent()).toEqual(both[1].store.getContent());
      expect(both[0].store.getValueIds()).toEqual(['by']);
    },
  },
  {
    title: 'subscribe.storage, transact: the Store of TinyBase, its listeners and transactions',
    check: async () => {
      const { id } = newRoom();
      const [ada, bob] = await Promise.all([enter('Ada', id), enter('Bob', id)]);
      const seen: unknown[] = [];
      bob.store.addTablesListener((store) => seen.push(store.getRowIds('notes')));
      ada.store.transaction(() => {
        ada.store.setCell('notes', 'second', 'text', 'One');
        ada.store.setCell('notes', 'third', 'text', 'Two');
      });
      await until('the transaction', () => seen.length > 0);
      expect(seen).toEqual([['first', 'second', 'third']]);
    },
  },
  {
    title: 'subscribe.event: addListener, with the row of presence that the event came from',
    check: async () => {
      const { id } = newRoom();
      const [ada, bob] = await Promise.all([
        enter('Ada', id, { initialPresence: {} }),
        enter('Bob', id, { initialPresence: {} }),
      ]);
      const people = bob.presence.getStore();
      await untilNames(bob, 'Ada,Bob');
      const heard: unknown[] = [];
      const listenerId = bob.events.addListener('receiveMessage', ({ message }, from = '') =>
        heard.push([message, people.getCell('connections', from, 'user')]),
      );
      await ada.events.call.wave();
      await until('the wave', () => heard.length === 1);
      expect(heard).toEqual([['Hello world!', 'ada']]);
      bob.events.delListener(listenerId);
      await bob.events.call.wave();
      expect(heard).toHaveLength(1);
    },
  },
  {
    title: 'undo and redo: of one’s own edits alone',
    check: async () => {
      const { id } = newRoom();
      const [ada, bob] = await Promise.all([enter('Ada', id), enter('Bob', id)]);
      const undo = createUndo(ada.persister);
      ada.store.setValue('adas', 1);
      bob.store.setValue('bobs', 1);
      await until(
        'both',
        () => ada.store.getValue('bobs') === 1 && bob.store.getValue('adas') === 1,
      );
      undo.goBackward();
      await ada.persister.whenConfirmed();
      await until('the undo', () => !bob.store.hasValue('adas'));
      expect(ada.store.getValues()).toEqual({ bobs: 1 });
      undo.goForward();
      expect(ada.store.getValues()).toEqual({ bobs: 1, adas: 1 });
    },
  },
  {
    title: 'each part alone, in any combination, on one PartySocket',
    check: async () => {
      const { id } = newRoom();
      const socket = new PartySocket({
        WebSocket,
        host: party.host,
        room: id,
        query: async () => ({ token: await tokenOf(id, 'Ada') }),
      });
      const persister = createPartyKitPersister(createStore(), socket);
      const presence = createPresence<Board>(createStore(), socket, {
        initial: { selectionId: 'a' },
      });
      const events = createEvents<Board>(socket);
      closings.push(async () => {
        events.destroy();
        presence.destroy();
        await persister.destroy();
        socket.close();
      });
      await persister.startAutoPersisting(SEED);
      expect(await events.call.whoAmI()).toBe('Ada');
      await until(
        'the own user',
        () => presence.getStore().getCell('users', 'ada', 'name') === 'Ada',
      );
      expect(persister.getStore()?.getContent()).toEqual(SEED);
    },
  },
];

const CLOSE_CODES: readonly Row[] = [
  {
    title: 'close codes: one list; those that end it stop PartySocket, whichever part hears them',
    check: async () => {
      const { id } = newRoom();
      const socket = new PartySocket({
        WebSocket,
        host: party.host,
        room: id,
        minReconnectionDelay: 1,
        query: { token: 'none' },
      });
      const codes: unknown[] = [];
      socket.addEventListener('close', ({ code }) => codes.push(code));
      const events = createEvents<Board>(socket, { onIgnoredError: ignoring('unauthorized') });
      closings.push(() => events.destroy());
      await until('a close', () => codes.length > 0);
      expect(await (await enter('Ada', id)).events.call.whoAmI()).toBe('Ada');
      expect([codes, socket.shouldReconnect]).toEqual([[4401], false]);
    },
  },
  {
    title: 'close codes: a full room refuses who comes, and takes them when somebody has left',
    check: async () => {
      const { id } = newRoom();
      const token = (): string => handmadeToken(id, { aud: 'ephemeral' });
      const options = { party: 'ephemeral', token, reconnectTimeoutMs: 200 };
      await Promise.all([enter('Ada', id, options), enter('Bob', id, options)]);
      const url = urlOf(id, `?token=${token()}`, 'ephemeral').replace('http', 'ws');
      const ear = new Ear(url);
      closings.push(() => ear.socket.terminate());
      await until('the refusal', () =>
        ear.heard.some((frame) => frame.startsWith('e{"code":"full"')),
      );
      const late = enter('Cy', id, options);
      await clients[0]?.leave(id);
      expect((await late).store.getContent()).toEqual(SEED);
    },
  },
];

const COMPLAINTS: readonly Row[] = [
  {
    title:
      'an oversized write does not make a client overwrite the room, is told, and stays with its author; a frame over 1 MiB arrives',
    check: async () => {
      const { id } = newRoom();
      const [ada, bob] = await Promise.all([enter('Ada', id), enter('Bob', id)]);
      const refusals: Refusal[] = [];
      ada.persister.addRefusalListener((_persister, refused) => refusals.push(...refused));
      const large = 'x'.repeat(2_000_000);
      ada.store.setValue('large', large);
      await ada.persister.whenConfirmed();
      await until('the large value', () => bob.store.getValue('large') === large);
      ada.store.setValue('oversized', 'x'.repeat(5_000_000));
      await until('the refusal', () => refusals.length > 0);
      expect(refusals.map(({ reason }) => reason)).toEqual(['too-large']);
      ada.store.setValue('after', true);
      await ada.persister.whenConfirmed();
      await until('what follows', () => bob.store.getValue('after') === true);
      expect(bob.store.getTables()).toEqual(SEED[0]);
      expect([ada.store.hasValue('oversized'), bob.store.hasValue('oversized')]).toEqual([
        true,
        false,
      ]);
    },
  },
  {
    title: 'the server can write to the Store, and everybody sees it',
    check: async () => {
      const { id } = newRoom();
      const { store } = await enter('Ada', id);
      await ask(id, 'set?of=hello');
      await until('the edit', () => store.getValue('server') === 'hello');
    },
  },
  {
    title: 'deletions arrive; a refused one goes back on the screen of its author, with the reason',
    check: async () => {
      const { id } = newRoom();
      const [ada, bob] = await Promise.all([enter('Ada', id), enter('Bob', id)]);
      const refusals: Refusal[] = [];
      bob.persister.addRefusalListener((_persister, refused) => refusals.push(...refused));
      bob.store.delRow('notes', 'first');
      await bob.persister.whenConfirmed();
      expect(refusals).toMatchObject([{ type: 'row', rowId: 'first', reason: 'hook' }]);
      expect(bob.store.getContent()).toEqual(SEED);
      ada.store.delRow('notes', 'first');
      await until('the deletion', () => !bob.store.hasRow('notes', 'first'));
    },
  },
  {
    title:
      'edits made while refused, or without a network, arrive later; a lost server is no storm',
    check: async () => {
      const { id } = newRoom();
      let user = 'Ada';
      const client = as('Ada', {
        initialStorage: SEED,
        reconnectTimeoutMs: 50,
        token: ({ room }) => tokenOf(room, user).then((text) => (text === '' ? null : text)),
      });
      const room = await client.enter(id);
      user = 'Eve';
      room.socket.reconnect();
      expect(await stoppedCode(room)).toBe('unauthorized');
      room.store.setValue('while refused', true);
      user = 'Ada';
      await client.enter(id);
      await room.persister.whenConfirmed();
      await party.kill9();
      room.store.setValue('while down', true);
      await until('the loss', () => room.socket.readyState !== PartySocket.OPEN);
      await party.restart();
      await client.enter(id);
      await room.persister.whenConfirmed();
      const bob = await enter('Bob', id);
      expect(bob.store.getValues()).toEqual({ 'while refused': true, 'while down': true });
    },
  },
  {
    title:
      'nothing is lost when a room hibernates: users, presence, calls, edits, and who has left',
    check: async () => {
      const { name, id } = newRoom();
      const options = { initialPresence: { selectionId: 'a' } };
      const [ada, bob] = await Promise.all([enter('Ada', id, options), enter('Bob', id, options)]);
      await Promise.all([ada, bob].map((room) => untilNames(room, 'Ada,Bob')));
      await untilLogged(name, 'saved 1');
      const life = await ask(id, 'database');
      await wait(IDLE_MILLISECONDS);
      expect(await ada.events.call.whoAmI()).toBe('Ada');
      ada.store.setValue('after', 'the sleep');
      await until('the edit', () => bob.store.getValue('after') === 'the sleep');
      expect(await ask(id, 'database')).not.toBe(life);
      expect([namesOf(ada), namesOf(bob)]).toEqual([
        ['Ada', 'Bob'],
        ['Ada', 'Bob'],
      ]);
      await clients.find((client) => client.getRooms().includes(bob))?.leave(bob);
      await untilNames(ada, 'Ada');
      await untilLogged(name, 'Bob left');
    },
  },
  {
    title: 'a save is not skipped: after a kill -9 the last version is saved',
    check: async () => {
      const { name, id } = newRoom();
      const { store, persister } = await enter('Ada', id);
      await untilLogged(name, 'saved 1');
      database.failSaves(1, 500, name);
      store.setValue('last', true);
      await persister.whenConfirmed();
      await party.kill9();
      await leaveAll();
      await party.restart();
      await ask(id, 'size');
      await until('the save', async () =>
        JSON.stringify(await database.contentOf(name))?.includes('last'),
      );
    },
  },
];

describe.skipIf(PAIR === 'stock')('what people expect of a room', () => {
  beforeAll(async () => {
    database = await RoomDatabase.start();
    party = await startParty({
      entry: 'test/room/fixtures/board.ts',
      config: 'test/room/fixtures/partykit-board.json',
      variables: {
        AUTH_SECRET: SECRET,
        ADMIN_SECRET,
        DATABASE_URL: `http://127.0.0.1:${database.port}`,
      },
    });
  });
  afterEach(async () => {
    await leaveAll();
    for (const close of closings.splice(0)) await close();
  });
  afterAll(async () => {
    await party?.stop();
    await database?.stop();
  });

  describe.each([
    ['rooms, servers and events', ROOMS_AND_SERVERS],
    ['storage hooks', STORAGE],
    ['authorization', AUTHORIZATION],
    ['presence', PRESENCE],
    ['the handle', HANDLE],
    ['the client', CLIENT],
    ['close codes', CLOSE_CODES],
    ['what people complain about', COMPLAINTS],
  ])('%s', (_group, rows) => {
    for (const { title, check } of rows) test(title, check);
  });
});
