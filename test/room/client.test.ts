import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PartySocket } from 'partysocket';
import { createStore } from 'tinybase';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createPartyKitPersister } from '../../src/client/index.ts';
import {
  createClient,
  type Client,
  type RoomContext,
  type RoomOptions,
} from '../../src/client/room/index.ts';
import type { TinyBasePartyKitError } from '../../src/protocol/errors.ts';
import { storeOf, untilEqual } from '../support/content.ts';
import { freePort } from '../support/free-port.ts';
import { warningOnFailure } from '../support/ignoring.ts';
import { PAIR, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';
import { makeToken } from '../support/tokens.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';

type AnyClient = Client<unknown, string | undefined>;

let party: Party;
const clients: AnyClient[] = [];
/** The URLs that sockets were opened with. */
const opened: string[] = [];

/** The `WebSocket` of Node that notes its URL. */
class NotedSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols);
    opened.push(url);
  }
}

const make = (options: Partial<RoomOptions<unknown, string | undefined>> = {}): AnyClient => {
  const client: AnyClient = createClient<unknown, string | undefined>({
    createStore,
    host: party.host,
    WebSocket: NotedSocket,
    onIgnoredError: warningOnFailure(),
    ...options,
  });
  clients.push(client);
  return client;
};

/** A token for a room of the party `authorized`. */
const tokenFor = (room: string, name = 'Ada', claims: Record<string, unknown> = {}): string => {
  const id = name.toLowerCase();
  return makeToken({ claims: { aud: 'authorized', room, sub: id, user: { id, name }, ...claims } });
};
const tokenIn = (url: string | undefined): string | null =>
  new URL(url ?? 'http://none').searchParams.get('token');

describe.skipIf(PAIR === 'stock')('a client and its rooms', () => {
  beforeAll(async () => {
    party = await startTestedParty();
  });
  afterEach(async () => {
    await Promise.all(
      clients.splice(0).flatMap((client) => client.getRooms().map((room) => client.leave(room))),
    );
    opened.length = 0;
  });
  afterAll(() => party?.stop());

  test('[CLIENT-1] enter settles when the content is there; leave sends what is pending', async () => {
    const one = make({ initialStorage: [{ notes: { first: { text: 'Hello' } } }, {}] });
    const two = make({ initialStorage: [{ notes: { other: { text: 'never used' } } }, {}] });
    const { store, persister } = await one.enter('entered');
    expect(store.getTables()).toEqual({ notes: { first: { text: 'Hello' } } });
    expect(persister.getSync().phase).toBe('live');
    const entered = await two.enter('entered');
    expect(entered.store.getTables()).toEqual({ notes: { first: { text: 'Hello' } } });

    for (let row = 0; row < 100; row++) entered.store.setCell('notes', `${row}`, 'text', 'late');
    await two.leave('entered');
    expect(entered.socket.readyState).toBe(PartySocket.CLOSED);
    expect(two.getRooms()).toEqual([]);
    await untilEqual([store, entered.store], party.room('entered', '/store'));
    expect(store.getRowCount('notes')).toBe(101);
  });

  test('[CLIENT-1] entering twice, by name or by object, is one room with one socket', async () => {
    const client = make();
    const room = client.createRoom('twice', { initialPresence: { x: 1 } });
    const rooms = await Promise.all([
      client.enter('twice'),
      client.enter(room),
      client.enter('twice'),
    ]);
    expect(new Set(rooms)).toEqual(new Set([room]));
    expect([client.getRoom('twice'), client.getRooms(), client.createRoom('twice')]).toEqual([
      room,
      [room],
      room,
    ]);
    expect(opened).toHaveLength(1);
    expect(() => client.createRoom('twice', { store: createStore() })).toThrow('leave it first');
  });

  test('[CLIENT-1] a room that is entered again while it is being left is not left', async () => {
    const client = make();
    const room = await client.enter('kept');
    const { persister, socket } = room;
    room.store.setValue('v', 1);
    const left = client.leave(room);
    expect(await client.enter('kept')).toBe(room);
    await left;
    expect([room.persister, room.socket]).toEqual([persister, socket]);
    expect([persister.getSync().phase, socket.readyState]).toEqual(['live', PartySocket.OPEN]);
    expect([client.getRoom('kept'), opened.length]).toEqual([room, 1]);

    // The other way round, the last call counts as well.
    const leaves = [client.leave(room), client.enter(room), client.leave(room)];
    await Promise.allSettled(leaves);
    await until('the end', () => room.socket.readyState === PartySocket.CLOSED);
    expect(client.getRooms()).toEqual([]);
  });

  test('[CLIENT-1] a room that was left can be entered again, with its Stores and their listeners', async () => {
    const client = make({ initialPresence: { x: 1 }, party: 'present' });
    const room = client.createRoom('again', { initialStorage: [{}, { v: 1 }] });
    const seen: unknown[] = [];
    room.store.addValueListener('v', (_store, _id, value) => seen.push(value));
    const presence = room.presence.getStore();
    await client.enter(room);
    await until('the own row', () => presence.getRowCount('connections') === 1);
    const { socket } = room;
    await client.leave(room);
    expect(presence.getTables()).toEqual({});
    await make({ party: 'present' })
      .enter('again')
      .then(({ store, persister }) => {
        store.setValue('v', 2);
        return persister.whenConfirmed();
      });
    expect(await client.enter(room)).toBe(room);
    expect(room.socket).not.toBe(socket);
    expect([room.presence.getStore(), client.getRoom('again')]).toEqual([presence, room]);
    expect(seen).toEqual([1, 2]);
    await until('both rows', () => presence.getRowCount('connections') === 2);
  });

  test('[PRES-4] [CLOSE-1] who is kicked is gone for everybody, also if its side never answers the close', async () => {
    const client = make({ initialPresence: { x: 1 }, party: 'present' });
    const room = await client.enter('kicked');
    const rows = (): readonly string[] => room.presence.getStore().getRowIds('connections');
    const eve = await RawPeer.open(
      Number(party.host.split(':')[1]),
      '/parties/present/kicked?_pk=eve&user=eve',
    );
    eve.send('r{"x":2}');
    await until('both rows', () => rows().includes('eve'));
    await fetch(`http://${party.host}/parties/present/kicked/kick?id=eve`);
    await until('the close', () => eve.closeCode === 4003);
    eve.send('r{"x":3}');
    // The room notices it while it tells this.
    room.presence.set({ x: 4 });
    await until('one row', () => !rows().includes('eve'));
    const late = await make({ initialPresence: { x: 5 }, party: 'present' }).enter('kicked');
    await until('the picture', () => late.presence.getStore().getRowCount('connections') === 2);
    eve.destroy();
  });

  test('[CLIENT-1] a room that is left before its content is there rejects, and one of another client, too', async () => {
    const client = make({ host: `127.0.0.1:${await freePort()}` });
    const entering = client.enter('unreachable');
    const room = client.getRoom('unreachable');
    await client.leave('unreachable');
    await expect(entering).rejects.toMatchObject({ code: 'destroyed' });
    expect(client.getRooms()).toEqual([]);
    await client.leave('unreachable');
    await client.leave('never entered');
    if (room !== undefined)
      await expect(make().enter(room)).rejects.toThrow('a room that this client created');
    client.createRoom('unreachable');
    if (room !== undefined) await expect(client.enter(room)).rejects.toThrow('Another room');
  });

  test('[CLIENT-1] a room whose persister has ended is entered anew, with another one', async () => {
    const client = make({ initialStorage: [{}, { v: 1 }] });
    const room = await client.enter('ended');
    const { persister, socket } = room;
    const other = createPartyKitPersister(createStore(), socket);
    expect(persister.getSync()).toMatchObject({ phase: 'stopped', code: 'replaced' });
    await other.destroy();
    expect(await client.enter('ended')).toBe(room);
    expect([room.persister === persister, socket.readyState]).toEqual([false, PartySocket.CLOSED]);
    room.store.setValue('v', 2);
    await room.persister.whenConfirmed();
    await untilEqual([room.store, storeOf([{}, { v: 2 }])], party.room('ended', '/store'));
  });

  test('[CLIENT-1] leave says so if it could not send what was pending, and nobody is left waiting', async () => {
    const errors: TinyBasePartyKitError[] = [];
    const client = make({
      host: `127.0.0.1:${await freePort()}`,
      onIgnoredError: (error: TinyBasePartyKitError) => errors.push(error),
    });
    const entering = client.enter('offline');
    const { store, persister } = client.createRoom('offline');
    const refused: string[] = [];
    persister.addRefusalListener((_persister, refusals) =>
      refused.push(...refusals.map(({ reason }) => reason)),
    );
    store.setValue('v', 1);
    await Promise.allSettled([client.leave('offline'), client.leave('offline'), entering]);
    expect(refused).toEqual(['destroyed']);
    const ends = errors.filter((error) => error.code === 'destroyed');
    expect(ends.map(({ message }) => message)).toEqual([expect.stringContaining('1 unconfirmed')]);
  });

  test('[CLIENT-2] the socket and HTTP share one token, and the next attempt has another', async () => {
    const contexts: RoomContext<string | undefined>[] = [];
    const urls: string[] = [];
    const client = make({
      party: 'authorized',
      query: ({ metadata }) => ({ lang: metadata, none: undefined }),
      token: async (context) => {
        contexts.push(context);
        return Promise.resolve(tokenFor('shared', 'Ada', { jti: `${contexts.length}` }));
      },
      persister: {
        fetch: async (input, init) => {
          urls.push(input as string);
          return await fetch(input, init);
        },
      },
      initialStorage: [{}, { v: 1 }],
    });
    const { socket, store } = await client.enter('shared', { metadata: 'eo' });
    expect(contexts).toEqual([{ room: 'shared', metadata: 'eo' }]);
    expect(urls.length).toBeGreaterThanOrEqual(2);
    const token = tokenIn(opened[0]);
    expect(new Set(urls.map(tokenIn))).toEqual(new Set([token]));
    expect(new URL(opened[0] ?? '').searchParams.get('lang')).toBe('eo');

    socket.reconnect();
    await until('another connection', () => opened.length === 2);
    store.setValue('v', 2);
    await client.getRoom('shared')?.persister.whenConfirmed();
    expect(contexts).toHaveLength(2);
    expect(tokenIn(opened[1])).not.toBe(token);
  });

  test.each([
    ['gives null', () => null, 'unauthorized'],
    [
      'throws a Response with 403',
      () => {
        // oxlint-disable-next-line typescript/only-throw-error -- As an app does with the answer of fetch.
        throw new Response(null, { status: 403 });
      },
      'forbidden',
    ],
    ['gives garbage, which the room refuses', () => 'garbage', 'unauthorized'],
    ['gives a token of another room', () => tokenFor('another'), 'forbidden'],
    ['gives tokens that have expired', () => tokenFor('login', 'Ada', { exp: 1 }), 'unauthorized'],
    ['gives a token for somebody without access', () => tokenFor('login', 'Nobody'), 'forbidden'],
  ])(
    '[CLIENT-2] a token function that %s ends it, once; entering again sends what was edited meanwhile',
    async (title, wrong, code) => {
      const room = `login-${title.length}`;
      const failures: unknown[] = [];
      let asked = 0;
      let isSignedIn = false;
      const client = make({
        party: 'authorized',
        // For a lost connection. Who signs in does not wait.
        reconnectTimeoutMs: 600_000,
        token: () => {
          asked++;
          return isSignedIn ? tokenFor(room) : wrong();
        },
        onAuthorizationFail: (error, failed) => failures.push([error.code, failed.id]),
      });
      await expect(client.enter(room)).rejects.toMatchObject({ code });
      const { store, persister } = client.createRoom(room);
      store.setValue('meanwhile', 1);
      const askedOnce = asked;
      expect(askedOnce).toBeLessThanOrEqual(3);
      await expect(client.enter(room)).rejects.toMatchObject({ code });
      expect(failures).toEqual([
        [code, room],
        [code, room],
      ]);

      // An app may enter again within a listener.
      let again: Promise<unknown> | undefined;
      const listenerId = persister.addSyncListener((_persister, { phase }) => {
        if (phase !== 'stopped') return;
        persister.delListener(listenerId);
        isSignedIn = true;
        again = client.enter(room);
      });
      await expect(client.enter(room)).rejects.toMatchObject({ code });
      await again;
      await persister.whenConfirmed();
      const url = `${party.origin}/parties/authorized/${encodeURIComponent(room)}/store?token=${tokenFor(room)}`;
      await untilEqual([store, storeOf([{}, { meanwhile: 1 }])], url);
      expect(failures).toHaveLength(3);
    },
  );

  test('[CLIENT-2] tokens that have expired end it, with all its parts, also where attempts do not wait', async () => {
    const before = opened.length;
    const failures: unknown[] = [];
    let asked = 0;
    const client = make({
      party: 'authorized',
      reconnectTimeoutMs: 0,
      token: () => {
        asked++;
        return tokenFor('kept', 'Ada', { exp: 1 });
      },
      onAuthorizationFail: ({ code }) => failures.push(code),
    });
    await expect(client.enter('kept')).rejects.toMatchObject({ code: 'unauthorized' });
    const made = opened.length;
    // Some round trips of others meanwhile.
    for (const room of ['other-1', 'other-2', 'other-3']) await make().enter(room);
    expect(client.getRoom('kept')?.persister.getSync().phase).toBe('stopped');
    expect(failures).toEqual(['unauthorized']);
    expect([made - before, opened.length - made]).toEqual([expect.any(Number), 3]);
    expect(made - before).toBeLessThanOrEqual(3);
    expect(asked).toBeLessThanOrEqual(3);
  });

  test('[CLIENT-2] a token that is refused over HTTP, while the socket does not open, is not used again', async () => {
    const server = createServer((_request, response) => {
      response.statusCode = 401;
      response.end(JSON.stringify({ code: 'unauthorized', message: 'no' }));
    });
    // It answers no upgrade.
    server.on('upgrade', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    let asked = 0;
    const failures: unknown[] = [];
    const client = make({
      host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      token: () => `${(asked += 1)}`,
      onAuthorizationFail: ({ message }) => failures.push(message),
    });
    for (const count of [1, 2]) {
      await expect(client.enter('upgrade')).rejects.toThrow(/store was answered with 401: no$/);
      expect(failures.at(-1)).toMatch(/401: no$/);
      expect([asked, failures.length]).toEqual([count, count]);
    }
    await client.leave('upgrade');
    server.closeAllConnections();
    server.close();
  });

  test('[CLIENT-2] a user who is revoked is told once, and another token function may let them in', async () => {
    const failures: TinyBasePartyKitError[] = [];
    let claims = { iat: Math.floor(Date.now() / 1000) - 10 };
    const client = make({
      party: 'authorized',
      token: () => tokenFor('revoked', 'Ada', claims),
      onAuthorizationFail: (error) => failures.push(error),
    });
    const { persister } = await client.enter('revoked');
    await fetch(`${party.origin}/parties/authorized/revoked/revoke?id=ada`);
    await until('the end', () => failures.length > 0);
    expect(persister.getSync()).toMatchObject({ phase: 'stopped', code: 'forbidden' });
    await expect(client.enter('revoked')).rejects.toMatchObject({ code: 'forbidden' });
    claims = { iat: Math.floor(Date.now() / 1000) + 2 };
    await client.enter('revoked');
    expect(failures.map(({ code }) => code)).toEqual(['forbidden', 'forbidden']);
  });

  test('[CLIENT-3] at a closed port a client waits as it was told, and enters when the server is there', async () => {
    const port = await freePort();
    const seen: number[] = [];
    const client = make({
      host: `127.0.0.1:${port}`,
      reconnectTimeoutMs: ({ attempts }) => {
        seen.push(attempts);
        return attempts < 5 ? 1 : 600_000;
      },
    });
    const entering = client.enter('closed port');
    await until('some attempts', () => seen.length === 6);
    const { length } = opened;
    expect([seen, length]).toEqual([[0, 1, 2, 3, 4, 5], 6]);
    const late = await startTestedParty({ port });
    try {
      // A second call ends the wait, as the event `online` does.
      await Promise.all([client.enter('closed port'), entering]);
      expect([seen.length, opened.length]).toEqual([6, 7]);
      await client.leave('closed port');
    } finally {
      await late.stop();
    }
  });

  test('[CLIENT-3] the event `online` ends a wait, unless the browser has no network', async () => {
    const page = new EventTarget();
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
    try {
      const client = make({
        host: `127.0.0.1:${await freePort()}`,
        reconnectTimeoutMs: 600_000,
      });
      void client.enter('online').catch(() => undefined);
      await until('an attempt', () => opened.length === 1);
      const { socket } = client.createRoom('online');
      for (const count of [2, 3]) {
        await until('its end', () => socket.readyState === PartySocket.CLOSED);
        // The attempt asks for its query in the next turn, and waits there.
        await new Promise((resolve) => setTimeout(resolve));
        vi.stubGlobal('navigator', { onLine: false });
        page.dispatchEvent(new Event('online'));
        vi.stubGlobal('navigator', { onLine: true });
        expect(opened).toHaveLength(count - 1);
        page.dispatchEvent(new Event('online'));
        await until('another attempt', () => opened.length === count);
      }
      await client.leave('online');
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test('[CLIENT-3] a server that closes each connection is not stormed', async () => {
    const server = createServer((_request, response) => {
      response.statusCode = 503;
      response.end();
    });
    new WebSocketServer({ server }).on('connection', (socket) => socket.close(1011));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const seen: number[] = [];
    const client = make({
      host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      reconnectTimeoutMs: ({ attempts }) => {
        seen.push(attempts);
        return 1;
      },
    });
    void client.enter('closing').catch(() => undefined);
    await until('some attempts', () => seen.length >= 4);
    await client.leave('closing');
    expect(seen.slice(0, 4)).toEqual([0, 1, 2, 3]);
    server.close();
  });

  test('[CLIENT-4] a client connects again before its token ends, and the room refuses nothing', async () => {
    const errors: unknown[] = [];
    const client = make({
      party: 'authorized',
      token: () => {
        const now = Math.floor(Date.now() / 1000);
        return tokenFor('short', 'Ada', { iat: now, exp: now + 3 });
      },
      onIgnoredError: (error) => errors.push(error),
    });
    const { store, persister } = await client.enter('short');
    await until('two more connections', () => {
      store.setValue('time', Date.now());
      return opened.length === 3;
    });
    await persister.whenConfirmed();
    expect(errors).toEqual([]);
  });

  test('[CLIENT-1] a user who may only read enters a room without content, and follows it later', async () => {
    const failures: unknown[] = [];
    const client = make({
      party: 'authorized',
      token: ({ metadata }) => tokenFor('unmade', metadata),
      initialStorage: [{}, { seed: 1 }],
      onAuthorizationFail: (error) => failures.push(error),
    });
    const reader = await client.enter('unmade', { metadata: 'Reader' });
    expect(reader.persister.getSync().phase).toBe('live');
    const writer = make({ party: 'authorized', token: () => tokenFor('unmade') });
    const { store } = await writer.enter('unmade');
    store.setValue('v', 1);
    await until('the content', () => reader.store.getValue('v') === 1);
    expect(reader.store.getContent()).toEqual(store.getContent());
    expect(reader.persister.getSync()).toMatchObject({ phase: 'live', localOnly: 0 });
    expect(failures).toEqual([]);
  });
});
