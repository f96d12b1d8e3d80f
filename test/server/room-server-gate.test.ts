import { expect, test } from 'vitest';

import { TinyBasePartyKitError } from '../../src/protocol/errors.ts';
import type { FeatureHost, FeatureRoom, RoomGate } from '../../src/server/room/room-feature.ts';
import { RoomServer, type RoomParty } from '../../src/server/room-server.ts';
import { settle } from '../support/fake-connection.ts';
import { SmallSocket as Socket } from '../support/small-server.ts';
import { StrictStorage } from '../support/strict-storage.ts';

class Party implements RoomParty<Socket> {
  readonly id = 'board%201';
  readonly storage: StrictStorage = new StrictStorage();
  readonly sockets: Socket[] = [];

  getConnections(): Iterable<Socket> {
    return this.sockets.filter(({ readyState }) => readyState === 1);
  }

  getConnection(id: string): Socket | undefined {
    return this.sockets.find((socket) => socket.id === id);
  }

  broadcast(message: string, without: readonly string[] = []): void {
    for (const socket of this.sockets) if (!without.includes(socket.id)) socket.send(message);
  }
}

/** Makes an object of which nothing can be read. */
function revokedProxy(): Error {
  const { proxy, revoke } = Proxy.revocable(new Error('?'), {});
  revoke();
  return proxy;
}

/** Lets in whoever has `?token=good`, to read alone if it is `?token=reader`. */
class TokenGate implements RoomGate<Socket, Request> {
  readonly room: FeatureRoom<Socket>;
  readonly #standing = new Map<unknown, string>();

  constructor(host: FeatureHost<Socket, Request>) {
    this.room = host.setGate(this);
  }

  async admit(socket: Socket, request: Request): Promise<void> {
    await settle();
    await this.admitRequest(request);
    this.#standing.set(socket, this.#tokenOf(request));
  }

  async admitRequest(request: Request): Promise<void> {
    const token = this.#tokenOf(request);
    if (token === 'broken') throw new Error('keys');
    if (token === 'odd') throw new TinyBasePartyKitError('banned' as never, 'You are banned.');
    if (token === 'revoked') throw revokedProxy();
    if (token === '') throw new TinyBasePartyKitError('unauthorized', 'There is no token.');
    this.#standing.set(request, token);
  }

  check(socket: Socket): 'admitted' | 'unknown' {
    return this.#standing.has(socket) ? 'admitted' : 'unknown';
  }

  mayWrite(caller: Socket | Request): boolean {
    return this.#standing.get(caller) === 'good';
  }

  headers(): Record<string, string> {
    return { Vary: 'Origin' };
  }

  #tokenOf(request: Request): string {
    return new URL(request.url).searchParams.get('token') ?? '';
  }
}

class GatedRoom extends RoomServer<Party, Socket, Request> {
  readonly heard: string[] = [];
  readonly gate: TokenGate = new TokenGate(this);
  readonly access: FeatureRoom<Socket> = this.addFeature({
    answer: (_request, path) =>
      path.endsWith('/hello') ? Promise.resolve(new Response(this.access.roomId)) : undefined,
  });

  onConnect(socket: Socket): void {
    this.heard.push(`${socket.id} connects`);
  }

  override async onMessage(message: string, socket: Socket): Promise<void> {
    this.heard.push(`${socket.id} says ${message}`);
    await super.onMessage(message, socket);
  }

  onClose(socket: Socket): void {
    this.heard.push(`${socket.id} closes`);
  }

  override onRoomError(error: unknown, where: string): void {
    this.heard.push(`${where}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const urlOf = (token: string, path: string = '/store'): string =>
  `https://example.com/parties/main/board%201${path}?token=${token}`;

const call = async (room: object, name: string, ...told: unknown[]): Promise<unknown> => {
  const handler = Reflect.get(room, name) as (...parameters: unknown[]) => unknown;
  return await Reflect.apply(handler, room, told);
};

const connect = async (room: GatedRoom, id: string, token: string): Promise<Socket> => {
  const socket = new Socket(id);
  room.party.sockets.push(socket);
  await call(room, 'onConnect', socket, { request: new Request(urlOf(token)) });
  return socket;
};

test('[SEAM-2] the app does not hear of a connection that the gate refuses', async () => {
  const room = new GatedRoom(new Party());
  const ada = await connect(room, 'ada', '');
  expect(ada.heard).toEqual(['e{"code":"unauthorized","message":"There is no token."}']);
  expect(ada.closeCode).toBe(4401);
  await call(room, 'onMessage', 'own', ada);
  await call(room, 'onClose', ada);
  expect(room.heard).toEqual([]);
  const ben = await connect(room, 'ben', 'good');
  await call(room, 'onMessage', 'own', ben);
  await call(room, 'onClose', ben);
  expect(room.heard).toEqual(['ben connects', 'ben says own', 'ben closes']);
});

test.each(['broken', 'odd', 'revoked'])(
  '[SEAM-2] a gate that throws what no client understands refuses as failed: %s',
  async (token) => {
    const room = new GatedRoom(new Party());
    const ada = await connect(room, 'ada', token);
    expect(ada.heard).toEqual([expect.stringMatching(/^e\{"code":"failed"/)]);
    expect(ada.closeCode).toBe(4500);
    const answer = (await call(room, 'onRequest', new Request(urlOf(token)))) as Response;
    expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'unavailable' }]);
    expect(await room.refuseSocket(new Request(urlOf(token)))).toMatchObject({ code: 'failed' });
  },
);

test('[SEAM-2] the app tags no connection that the gate refuses, or cannot decide about', async () => {
  class TaggingRoom extends GatedRoom {
    getConnectionTags({ id }: Socket): string[] {
      this.heard.push(`tags of ${id}`);
      return ['tag'];
    }
  }
  const room = new TaggingRoom(new Party());
  const tagsOf = async (token: string): Promise<unknown> =>
    await call(room, 'getConnectionTags', new Socket(token), {
      request: new Request(urlOf(token)),
    });
  expect(await tagsOf('')).toEqual([]);
  expect(await tagsOf('broken')).toEqual([]);
  expect(room.heard).toEqual(['feature: keys']);
  expect(await tagsOf('good')).toEqual(['tag']);
  expect(room.heard).toEqual(['feature: keys', 'tags of good']);
});

test('[SEAM-2] what the app sends by its party reaches only admitted connections', async () => {
  const party = new Party();
  const room = new GatedRoom(party);
  const ada = new Socket('ada');
  party.sockets.push(ada);
  const connecting = call(room, 'onConnect', ada, { request: new Request(urlOf('good')) });
  party.broadcast('early');
  expect([...party.getConnections()]).toEqual([]);
  expect(party.getConnection('ada')).toBeUndefined();
  await connecting;
  const ben = await connect(room, 'ben', 'good');
  party.broadcast('to ada', ['ben']);
  party.broadcast('late');
  expect([ada.heard, ben.heard]).toEqual([['to ada', 'late'], ['late']]);
  expect([...party.getConnections()]).toEqual([ada, ben]);
  expect(party.getConnection('ada')).toBe(ada);
  expect(room.access.connections()).toEqual([ada, ben]);
});

test.each(['GET', 'HEAD', 'PUT'])('the gate is asked about %s', async (method) => {
  const room = new GatedRoom(new Party());
  const body = method === 'PUT' ? '[{},{"v":1}]' : null;
  const ask = async (token: string): Promise<number> => {
    const answer = await room.onRequest(
      new Request(urlOf(token), { method, ...(body !== null && { body }) }),
    );
    expect(answer.headers.get('Vary')).toBe('Origin');
    return answer.status;
  };
  const expected = { GET: 200, HEAD: 200, PUT: 201 }[method];
  expect(await ask('')).toBe(401);
  expect(await ask('reader')).toBe(method === 'PUT' ? 403 : expected);
  expect(await ask('good')).toBe(expected);
});

test('the gate is not asked about OPTIONS, nor about requests of the app and of features', async () => {
  const room = new GatedRoom(new Party());
  const options = await room.onRequest(new Request(urlOf(''), { method: 'OPTIONS' }));
  expect(options.status).toBe(204);
  const answer = await room.onRequest(new Request(urlOf('', '/hello')));
  expect([answer.status, await answer.text()]).toEqual([200, 'board 1']);
  expect((await room.onRequest(new Request(urlOf('', '/nothing')))).status).toBe(404);
});

test('a host may ask the gate before there is a socket', async () => {
  const room = new GatedRoom(new Party());
  const refusal = async (token: string): Promise<string | undefined> =>
    (await room.refuseSocket(new Request(urlOf(token))))?.code;
  expect([await refusal('good'), await refusal('reader'), await refusal('')]).toEqual([
    undefined,
    undefined,
    'unauthorized',
  ]);
  expect(await refusal('broken')).toBe('failed');
  expect(room.heard).toEqual(['feature: keys']);
  // A client that gets no answer would come again for ever.
  room.onRoomError = () => {
    throw new Error('the reporter is down');
  };
  expect(await refusal('broken')).toBe('failed');
});

test('a feature hears of connections also where the app defines no handlers', async () => {
  class Listening extends RoomServer<Party, Socket, Request> {
    readonly heard: string[] = [];
    readonly access: FeatureRoom<Socket> = this.addFeature({
      admitted: ({ id }) => void this.heard.push(`${id} admitted`),
      left: ({ id }) => void this.heard.push(`${id} left`),
    });
  }
  const room = new Listening(new Party());
  const ada = new Socket('ada');
  room.party.sockets.push(ada);
  await call(room, 'onConnect', ada, { request: new Request(urlOf('')) });
  await call(room, 'onClose', ada);
  expect(room.heard).toEqual(['ada admitted', 'ada left']);
});

test('[SEAM-5] a connection that opens does not load a room without gate and features', async () => {
  class Plain extends RoomServer<Party, Socket, Request> {}
  class Featured extends Plain {
    readonly access: FeatureRoom<Socket> = this.addFeature({});
  }
  const reads: number[] = [];
  for (const room of [new Plain(new Party()), new Featured(new Party())]) {
    const socket = new Socket('ada');
    room.party.sockets.push(socket);
    await call(room, 'onConnect', socket, { request: new Request(urlOf('')) });
    reads.push(room.party.storage.counts.reads);
  }
  expect(reads).toEqual([0, expect.any(Number)]);
  expect(reads[1]).toBeGreaterThan(0);
});

const PATHS = [
  '/store',
  '//store',
  '/x/store',
  '/store/',
  '/store;x',
  '/store%00',
  '/%73tore',
  '/store%2F',
  '/STORE',
  '/store/../store',
  '/admin/store',
  '/hello/store',
];

test.each(PATHS)(
  '[GATE-2] no method gives or takes content without a token, by whatever path: %s',
  async (path) => {
    const room = new GatedRoom(new Party());
    const secret = '[{"t":{"r":{"secret":"shh"}}},{}]';
    const seeded = await room.onRequest(
      new Request(urlOf('good'), { method: 'PUT', body: secret }),
    );
    expect(seeded.status).toBe(201);
    for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS']) {
      for (const query of [
        '',
        '?cursor',
        '?token=',
        '?token',
        '?TOKEN=good',
        '?x=%26token%3Dgood',
      ]) {
        const body =
          method === 'GET' || method === 'HEAD' || method === 'OPTIONS' ? null : '[{},{}]';
        const url = `https://example.com/parties/main/board%201${path}${query}`;
        const headers = { 'X-HTTP-Method-Override': 'GET', 'If-None-Match': '"x"' };
        const response = await room.onRequest(new Request(url, { method, body, headers }));
        const text = await response.text();
        expect(text, `${method} ${url}`).not.toContain('shh');
        expect(response.headers.get('ETag')).toBeNull();
        expect(method === 'OPTIONS' ? 400 : response.status).toBeGreaterThanOrEqual(400);
      }
    }
    expect(room.store.getTables()).toEqual({ t: { r: { secret: 'shh' } } });
  },
);
