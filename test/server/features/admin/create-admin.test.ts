import { createHmac } from 'node:crypto';

import { expect, test, vi } from 'vitest';
import { z } from 'zod';

import { createRoomHandle, type RoomHandle } from '../../../../src/backend/index.ts';
import { sha256Of } from '../../../../src/protocol/admin/admin-token.ts';
import { createAdmin, type AdminOptions } from '../../../../src/server/features/admin/index.ts';
import { createAuth, defineAuth } from '../../../../src/server/features/auth/index.ts';
import { createEvents, event as declared } from '../../../../src/server/features/events/index.ts';
import { settle } from '../../../support/fake-connection.ts';
import { SmallParty, SmallServer } from '../../../support/small-server.ts';
import { StrictStorage } from '../../../support/strict-storage.ts';
import { makeToken, SECRET, type TokenParts } from '../../../support/tokens.ts';

const ROOM = 'a board';
const URL_OF_ROOM = 'http://rooms.example/parties/main/a%20board';
const nowInSeconds = (): number => Math.floor(Date.now() / 1000);

interface Setting {
  readonly storage?: StrictStorage;
  readonly options?: Partial<AdminOptions>;
  readonly env?: unknown;
}

/** A room with its endpoint. */
const makeRoom = ({
  storage = new StrictStorage(),
  options = {},
  env = { ADMIN_SECRET: SECRET },
}: Setting = {}): SmallServer => {
  const server = new SmallServer(new SmallParty('a%20board', env, storage));
  createAdmin(server, { secret: ({ ADMIN_SECRET }) => ADMIN_SECRET, ...options });
  return server;
};

/** Sends what a handle sends to that room. `sent` gets every request. */
const handleOf = (
  server: SmallServer,
  {
    sent = [],
    ...options
  }: { sent?: Request[]; room?: string; party?: string; secret?: string } = {},
): RoomHandle =>
  createRoomHandle({
    origin: 'http://rooms.example',
    room: ROOM,
    secret: SECRET,
    ...options,
    fetch: async (_url, init) => {
      const request = new Request(`${URL_OF_ROOM}/admin`, init);
      sent.push(request.clone());
      return await server.onRequest(request);
    },
  });

/** A signature by hand. */
const sign = async (
  body: string,
  { header = {}, claims = {}, ...parts }: TokenParts = {},
): Promise<string> =>
  makeToken({
    ...parts,
    header: { typ: 'room-admin+jwt', ...header },
    claims: {
      sub: undefined,
      user: undefined,
      access: undefined,
      room: ROOM,
      jti: `jti-${Math.random()}-${Math.random()}`.replaceAll('.', '_').slice(0, 40),
      iat: nowInSeconds(),
      exp: nowInSeconds() + 60,
      sha256: await sha256Of(body),
      ...claims,
    },
  });
const post = async (
  server: SmallServer,
  token: string | undefined,
  body: string,
  { method = 'POST', path = '/admin' } = {},
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> => {
  const response = await server.onRequest(
    new Request(URL_OF_ROOM + path, {
      method,
      ...(method === 'POST' && { body }),
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
    }),
  );
  const { status, headers } = response;
  return { status, headers, body: (await response.json()) as Record<string, unknown> };
};
const COMMAND = '{"do":"getSize"}';

test('[ADMIN-1] a handle does to a room what the room can do itself', async () => {
  const told: unknown[] = [];
  const server = makeRoom({
    options: { events: { broadcast: (...event) => void told.push(event) } },
  });
  const handle = handleOf(server);
  expect(handle.roomId).toBe(ROOM);
  expect(await handle.exportRoom()).toBeUndefined();
  const sockets = ['ada', 'bob', 'eve'].map((id) => server.party.connect(id));
  expect(await handle.getSize()).toBe(3);
  expect(await handle.evict('ada')).toBe(1);
  expect(await handle.evict({ connection: 'nobody' })).toBe(0);
  expect(sockets.map(({ closeCode }) => closeCode)).toEqual([4403, undefined, undefined]);
  expect(sockets[0]?.heard).toEqual([expect.stringMatching(/^e\{"code":"forbidden"/)]);
  await handle.broadcast('announced', { text: 'Hello' });
  await handle.broadcast('closing');
  expect(told).toEqual([
    ['announced', { text: 'Hello' }],
    ['closing', undefined],
  ]);
  server.store.setValue('v', 1);
  const document = await handle.exportRoom();
  expect(document).toMatchObject({ format: 'tinybase-partykit room', content: [{}, { v: 1 }] });
  expect(await handle.getStats()).toMatchObject({
    connections: [{ id: 'bob' }, { id: 'eve' }],
    hasStore: true,
    version: document?.version,
  });
  expect(await handle.evictAll()).toBe(2);
  server.store.setValue('v', 2);
  await handle.restoreRoom(document as never);
  expect(server.store.getValues()).toEqual({ v: 1 });
  await handle.garbageCollect();
  await handle.wipe();
  expect(await handle.getStats()).toMatchObject({ hasStore: false, connections: [] });
  expect(server.store.getValues()).toEqual({});
  expect(server.errors).toEqual([]);
});

test.each<readonly [string, TokenParts, number, string]>([
  ['another secret', { secret: 'x'.repeat(40) }, 401, 'unauthorized'],
  ['no algorithm', { header: { alg: 'none' }, signature: '' }, 401, 'unauthorized'],
  ['the typ of a user', { header: { typ: 'room-user+jwt' } }, 401, 'unauthorized'],
  ['no typ', { header: { typ: undefined } }, 401, 'unauthorized'],
  ['another room', { claims: { room: 'other' } }, 403, 'forbidden'],
  ['all rooms', { claims: { room: '*' } }, 403, 'forbidden'],
  ['no room', { claims: { room: undefined } }, 403, 'forbidden'],
  ['another party', { claims: { aud: 'other' } }, 403, 'forbidden'],
  ['a list of parties', { claims: { aud: ['main', 'other'] } }, 403, 'forbidden'],
  ['another body', { claims: { sha256: 'x' } }, 401, 'unauthorized'],
  ['no body', { claims: { sha256: undefined } }, 401, 'unauthorized'],
  ['no id', { claims: { jti: undefined } }, 401, 'unauthorized'],
  ['a short id', { claims: { jti: 'short' } }, 401, 'unauthorized'],
  ['a long id', { claims: { jti: 'x'.repeat(65) } }, 401, 'unauthorized'],
  ['no end', { claims: { exp: undefined } }, 401, 'unauthorized'],
  ['no beginning', { claims: { iat: undefined } }, 401, 'unauthorized'],
  ['61 s', { claims: { iat: nowInSeconds(), exp: nowInSeconds() + 61 } }, 401, 'unauthorized'],
  ['an hour', { claims: { exp: nowInSeconds() + 3600 } }, 401, 'unauthorized'],
  ['an end in the past', { claims: { iat: 1, exp: 61 } }, 401, 'expired'],
  [
    'a beginning in the future',
    { claims: { iat: nowInSeconds() + 3600, exp: nowInSeconds() + 3660 } },
    401,
    'unauthorized',
  ],
])('[ADMIN-1] a signature with %s commands nothing', async (_what, parts, status, code) => {
  const server = makeRoom();
  const socket = server.party.connect('ada');
  const command = '{"do":"evictAll"}';
  const answer = await post(server, await sign(command, parts), command);
  expect([answer.status, answer.body['code']]).toEqual([status, code]);
  expect(answer.headers.get('WWW-Authenticate')).toBe(status === 401 ? 'Bearer' : null);
  expect(socket.closeCode).toBeUndefined();
  expect(server.errors).toEqual([]);
  // The same by hand and good, so that it is the part that made the difference.
  expect((await post(server, await sign(command), command)).status).toBe(200);
  expect(socket.closeCode).toBe(4403);
});

test('[ADMIN-1] a signature by another algorithm commands nothing, also with the secret', async () => {
  const [head, claims] = (await sign(COMMAND, { header: { alg: 'HS512' } })).split('.');
  const right = createHmac('sha512', SECRET).update(`${head}.${claims}`).digest('base64url');
  const answer = await post(makeRoom(), `${head}.${claims}.${right}`, COMMAND);
  expect([answer.status, answer.body['code']]).toEqual([401, 'unauthorized']);
});

test('[ADMIN-5] who does not have the secret is always told the same, and costs no row', async () => {
  const storage = new StrictStorage();
  const server = makeRoom({ storage });
  await server.start();
  const tokens = [
    undefined,
    '',
    'x',
    'a.b.c',
    'x'.repeat(10_000),
    makeToken(),
    await sign(COMMAND, { secret: 'x'.repeat(40) }),
    await sign(COMMAND, { secret: 'x'.repeat(40), claims: { exp: 1 } }),
    await sign(COMMAND, { header: { alg: 'HS512' } }),
  ];
  const reads: unknown[] = [];
  const get = storage.get.bind(storage);
  storage.get = async (keys) => {
    reads.push(keys);
    return await get(keys);
  };
  const answers = await Promise.all(tokens.map((token) => post(server, token, COMMAND)));
  const bodies = answers.map(({ status, body }) => JSON.stringify({ status, body }));
  expect(new Set(bodies).size).toBe(1);
  expect(answers[0]).toMatchObject({ status: 401, body: { code: 'unauthorized' } });
  expect(reads).toEqual([]);
});

test('[ADMIN-1] the token of a user is no signature, and a signature is no token, with one secret', async () => {
  const server = new SmallServer(new SmallParty('a%20board', {}));
  const user = {
    '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
  };
  const auth = createAuth(server, defineAuth({ secret: () => SECRET, user: user as never }));
  createAdmin(server, { secret: () => SECRET });
  const body = COMMAND;
  const claims = {
    room: ROOM,
    jti: 'x'.repeat(22),
    sha256: await sha256Of(body),
    exp: nowInSeconds() + 60,
  };
  expect((await post(server, makeToken({ claims }), body)).status).toBe(401);
  const signature = await sign(body, {
    claims: { user: { id: 'u1' }, sub: 'u1', access: 'write' },
  });
  const asUser = new Request(`${URL_OF_ROOM}/store?token=${signature}`);
  await expect(auth.authorize(asUser)).rejects.toMatchObject({ code: 'unauthorized' });
  // Both are good where they belong.
  expect((await post(server, signature, body)).status).toBe(200);
  const good = new Request(`${URL_OF_ROOM}/store?token=${makeToken({ claims: { room: ROOM } })}`);
  expect(await auth.authorize(good)).toMatchObject({ name: 'Ada' });
});

test.each([
  ['a%20board', 200],
  // For PartyKit, this is another room, in which nobody is revoked and no signature was used.
  ['a%20bo%61rd', 403],
])(
  '[GATE-3] [ADMIN-1] a token and a signature are good in the room itself, and in none that is spelled in another way: %s',
  async (segment, status) => {
    const server = new SmallServer(new SmallParty(segment, { ADMIN_SECRET: SECRET }));
    createAdmin(server, { secret: ({ ADMIN_SECRET }) => ADMIN_SECRET });
    createAuth(server, defineAuth({ secret: () => SECRET, user: z.object({ id: z.string() }) }));
    const url = `http://rooms.example/parties/main/${segment}`;
    const headers = { Authorization: `Bearer ${makeToken({ claims: { room: ROOM } })}` };
    expect((await server.onRequest(new Request(`${url}/store`, { headers }))).status).toBe(status);
    const signed = { Authorization: `Bearer ${await sign(COMMAND)}` };
    const command = new Request(`${url}/admin`, { method: 'POST', body: COMMAND, headers: signed });
    expect((await server.onRequest(command)).status).toBe(status);
  },
);

test.each<readonly [string, unknown]>([
  ['no secret', undefined],
  ['an empty secret', ''],
  ['a short secret', 'x'.repeat(31)],
  ['a promise of a secret', Promise.resolve(SECRET)],
])('[ADMIN-3] with %s there is no endpoint', async (_what, secret) => {
  const server = makeRoom({ env: { ADMIN_SECRET: secret } });
  const signed = await sign(COMMAND, { secret: typeof secret === 'string' ? secret : SECRET });
  const nowhere = await post(server, undefined, COMMAND, { path: '/nowhere' });
  for (let time = 0; time < 2; time += 1) {
    const answer = await post(server, signed, COMMAND);
    expect([answer.status, answer.body]).toEqual([404, nowhere.body]);
  }
  expect(server.errors.map(String)).toEqual([expect.stringContaining('createAdmin')]);
});

test('[ADMIN-3] a secret that throws makes no endpoint either', async () => {
  const server = makeRoom({
    options: {
      secret: () => {
        throw new Error('no vault');
      },
    },
  });
  expect((await post(server, await sign(COMMAND), COMMAND)).status).toBe(404);
  expect(server.errors).toMatchObject([{ cause: { message: 'no vault' } }]);
});

test('[ADMIN-3] other paths and methods are the app’s', async () => {
  const server = makeRoom();
  const token = await sign(COMMAND);
  for (const [method, path] of [
    ['GET', '/admin'],
    ['PUT', '/admin'],
    ['POST', '/admin/more'],
    ['POST', '/badmin'],
  ] as const) {
    const { status } = await post(server, token, COMMAND, { method, path });
    expect([method, path, status]).toEqual([method, path, 404]);
  }
});

test('[ADMIN-4] a command is run once, also if it comes twice at the same time', async () => {
  const sent: Request[] = [];
  const server = makeRoom();
  await handleOf(server, { sent }).getSize();
  const replay = (): Promise<Response> => server.onRequest((sent[0] as Request).clone());
  const again = await replay();
  expect([again.status, await again.json()]).toMatchObject([403, { code: 'forbidden' }]);
  const body = COMMAND;
  const token = await sign(body);
  const answers = await Promise.all(Array.from({ length: 5 }, () => post(server, token, body)));
  expect(
    answers
      .map(({ status }) => `${status}`)
      .toSorted()
      .join(' '),
  ).toBe('200 403 403 403 403');
  // A room that was restarted or has slept remembers it.
  const restarted = makeRoom({ storage: server.party.storage as StrictStorage });
  expect((await post(restarted, token, body)).status).toBe(403);
  expect((await restarted.onRequest((sent[0] as Request).clone())).status).toBe(403);
  expect((await post(restarted, await sign(body), body)).status).toBe(200);
});

test('[ADMIN-4] a command whose body comes after its end is not run, so that no signature outlives its memory', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    const server = makeRoom();
    const socket = server.party.connect('ada');
    const command = '{"do":"evictAll"}';
    const token = await sign(command);
    const { readable: body, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const headers = { Authorization: `Bearer ${token}` };
    const init = { method: 'POST', body, headers, duplex: 'half' } as RequestInit;
    const replay = server.onRequest(new Request(`${URL_OF_ROOM}/admin`, init));
    await settle();
    expect((await post(server, token, command)).body).toEqual({ result: 1 });
    expect(socket.closeCode).toBe(4403);
    const again = server.party.connect('ada');
    vi.setSystemTime(Date.now() + 61_000);
    // The room forgets the signature, which has ended.
    expect(await handleOf(server).getSize()).toBe(1);
    const writer = writable.getWriter();
    void writer.write(new TextEncoder().encode(command));
    void writer.close();
    const answer = await replay;
    expect([answer.status, await answer.json()]).toMatchObject([401, { code: 'expired' }]);
    expect(again.closeCode).toBeUndefined();
  } finally {
    vi.useRealTimers();
  }
});

test('[ADMIN-4] a clock that jumps forward and back makes no command valid again, also over a restart', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    const server = makeRoom();
    const token = await sign(COMMAND);
    expect((await post(server, token, COMMAND)).status).toBe(200);
    const now = Date.now();
    vi.setSystemTime(now + 86_400_000);
    expect(await handleOf(server).getSize()).toBe(0);
    vi.setSystemTime(now);
    const replayed = { status: 401, body: { code: 'expired' } };
    expect(await post(server, token, COMMAND)).toMatchObject(replayed);
    const restarted = makeRoom({ storage: server.party.storage as StrictStorage });
    expect(await post(restarted, token, COMMAND)).toMatchObject(replayed);
    // One that ends later than all that were forgotten was not used.
    vi.setSystemTime(now + 1_000);
    expect((await post(restarted, await sign(COMMAND), COMMAND)).status).toBe(200);
  } finally {
    vi.useRealTimers();
  }
});

test('[ADMIN-4] a command is not run unless it is stored that it was sent', async () => {
  const storage = new StrictStorage();
  const server = makeRoom({ storage });
  await server.start();
  const socket = server.party.connect('ada');
  const put = storage.put.bind(storage);
  storage.put = () => Promise.reject(new Error('full'));
  const handle = handleOf(server);
  await expect(handle.evictAll()).rejects.toMatchObject({ code: 'unavailable', isRetryable: true });
  expect(socket.closeCode).toBeUndefined();
  storage.put = put;
  expect(await handle.evictAll()).toBe(1);
});

test('[ADMIN-4] where it cannot be read, or is damaged, no command is run', async () => {
  const storage = new StrictStorage();
  await storage.put('@tinybase-partykit/admin', '[["x"]]');
  const server = makeRoom({ storage });
  await expect(handleOf(server).getSize()).rejects.toMatchObject({ code: 'unavailable' });
  expect(server.errors).toHaveLength(1);
  await storage.delete(['@tinybase-partykit/admin']);
  expect(await handleOf(server).getSize()).toBe(0);
});

test('[ADMIN-4] what ended is forgotten, and of what did not, a row has a limited number', async () => {
  const storage = new StrictStorage();
  const used = Array.from({ length: 1_200 }, (_, index) => [`${index}`.padStart(64, 'x'), 1]);
  await storage.put('@tinybase-partykit/admin', JSON.stringify(used));
  const handle = handleOf(makeRoom({ storage }));
  expect(await handle.getSize()).toBe(0);
  const row = (await storage.get(['@tinybase-partykit/admin'])).get('@tinybase-partykit/admin');
  expect(JSON.parse(String(row))).toHaveLength(1);
  const lasting = used.map(([id]) => [id, Date.now() + 60_000]);
  await storage.put('@tinybase-partykit/admin', JSON.stringify(lasting));
  const full = makeRoom({ storage });
  await expect(handleOf(full).getSize()).rejects.toMatchObject({ code: 'overloaded' });
});

test('[ADMIN-5] the bodies of strangers and of commands have limits', async () => {
  const server = makeRoom({ options: { bodyBytes: 1_000 } });
  const large = JSON.stringify({ do: 'broadcast', name: 'x'.repeat(1_000) });
  const answer = await post(server, await sign(large), large);
  expect([answer.status, answer.body['code']]).toEqual([413, 'too-large']);
  expect(answer.body['message']).toContain('bodyBytes');
  expect((await post(server, undefined, 'x'.repeat(2 ** 20))).status).toBe(401);
  // An answer that leaves a body unread makes some hosts reset the connection.
  let pulled = 0;
  const body = new ReadableStream({
    pull: (controller) => {
      pulled += 1;
      if (pulled < 20) controller.enqueue(new Uint8Array(5_000));
      else controller.close();
    },
  });
  const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
  const stranger = await server.onRequest(new Request(`${URL_OF_ROOM}/admin`, init));
  expect([stranger.status, pulled]).toEqual([401, 20]);
  // Bodies that never end: a few of them are waited for.
  const endless = (token?: string): Promise<Response> =>
    server.onRequest(
      new Request(`${URL_OF_ROOM}/admin`, {
        method: 'POST',
        body: new ReadableStream(),
        duplex: 'half',
        ...(token !== undefined && { headers: { Authorization: `Bearer ${token}` } }),
      } as RequestInit),
    );
  for (let count = 0; count < 8; count += 1) void endless();
  // A signature that was seen on its way holds no body of a command.
  const seen = await sign(COMMAND);
  await post(server, seen, COMMAND);
  for (let count = 0; count < 8; count += 1) void endless(seen);
  await settle();
  expect((await endless()).status).toBe(401);
  expect(await handleOf(server).getSize()).toBe(0);
  const signed = await Promise.all(Array.from({ length: 8 }, () => sign(COMMAND)));
  for (const token of signed) void endless(token);
  // The signatures are checked first, which takes its time.
  await vi.waitFor(async () => {
    await expect(handleOf(server).getSize()).rejects.toMatchObject({ code: 'overloaded' });
  });
});

test.each([
  '',
  'x',
  '[]',
  '{}',
  '{"do":"constructor"}',
  '{"do":"onAlarm"}',
  '{"do":"evict"}',
  '{"do":"evict","connection":""}',
  '{"do":"evict","user":5}',
  '{"do":"evict","user":"a","connection":"b"}',
  '{"do":"broadcast"}',
  '{"do":"restoreRoom","document":{}}',
  '{"do":"broadcast","name":"x"}',
  '{"do":"evict","user":"ada"}',
  '{"__proto__":{"do":"wipe"}}',
])('a command that is none is malformed: %s', async (body) => {
  const server = makeRoom();
  const answer = await post(server, await sign(body), body);
  expect([answer.status, answer.body['code']]).toEqual([400, 'malformed']);
});

test('what the room’s own code throws is told to the room, and not to the backend', async () => {
  const server = makeRoom({
    options: {
      events: {
        broadcast: () => {
          throw new Error('a private detail');
        },
      },
    },
  });
  const failure = await handleOf(server)
    .broadcast('x')
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'failed' });
  expect(String(failure)).not.toContain('private');
  expect(server.errors).toMatchObject([{ message: 'a private detail' }]);
});

test.each([
  ['__proto__', 1],
  ['call', 1],
  ['x'.repeat(1_000) + '-', 1],
  ['told', JSON.parse(`${'['.repeat(300)}${']'.repeat(300)}`)],
])('an event that no client can get is malformed: %.20s', async (name, data: unknown) => {
  const server = new SmallServer(new SmallParty('a%20board', { ADMIN_SECRET: SECRET }));
  createAdmin(server, {
    secret: ({ ADMIN_SECRET }) => ADMIN_SECRET,
    events: createEvents(server, { told: declared<unknown>() }),
  });
  const failure: unknown = await handleOf(server)
    .broadcast(name, data)
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'malformed' });
  expect(String(failure).length).toBeLessThan(300);
  expect(server.errors).toEqual([]);
});

/** Sends a command to a URL that does not name the party. */
const elsewhere = async (room: SmallServer): Promise<number> => {
  const headers = { Authorization: `Bearer ${await sign(COMMAND)}` };
  const request = new Request('http://rooms.example/rooms/x/admin', {
    method: 'POST',
    body: COMMAND,
    headers,
  });
  return (await room.onRequest(request)).status;
};

test('[ADMIN-7] a room that cannot be loaded is exported, restored and wiped', async () => {
  const storage = new StrictStorage();
  const first = makeRoom({ storage });
  await first.start();
  first.store.setValue('v', 1);
  await first.whenDurable();
  const document = await first.exportRoom();
  const damage = async (): Promise<RoomHandle> => {
    await storage.put('@tinybase-partykit/manifest', 'damaged');
    const server = makeRoom({ storage });
    await expect(server.start()).rejects.toMatchObject({ code: 'unavailable' });
    return handleOf(server);
  };
  const damaged = await damage();
  await expect(damaged.getStats()).rejects.toMatchObject({ code: 'unavailable' });
  expect((await damaged.exportRoom())?.incomplete).toHaveLength(1);
  await expect(
    handleOf(makeRoom({ storage }), { secret: 'x'.repeat(32) }).wipe(),
  ).rejects.toMatchObject({
    code: 'unauthorized',
  });
  await damaged.restoreRoom(document as never);
  expect(await damaged.getStats()).toMatchObject({ hasStore: true });
  const again = await damage();
  await again.wipe();
  expect(await again.getStats()).toMatchObject({ hasStore: false });
});

test('a room that does not know its party says so to its app', async () => {
  const server = makeRoom();
  expect(await elsewhere(server)).toBe(500);
  expect(String(server.errors)).toContain('option party');
  expect(await elsewhere(makeRoom({ options: { party: 'main' } }))).toBe(200);
});

test('createAdmin names the option that is wrong', () => {
  for (const [options, name] of [
    [{ secret: SECRET }, 'secret'],
    [{ events: {} }, 'events'],
    [{ party: '' }, 'party'],
    [{ bodyBytes: 0 }, 'bodyBytes'],
    [{ bodyBytes: '5' }, 'bodyBytes'],
    [{ events: null }, 'events'],
    [{ party: null }, 'party'],
    [{ Party: 'main' }, 'did you mean "party"'],
  ] as const) {
    expect(() => makeRoom({ options: options as never })).toThrow(TypeError);
    expect(() => makeRoom({ options: options as never })).toThrow(name);
  }
});

test('no message, error or log has the secret or the signature', async () => {
  const sent: Request[] = [];
  const server = makeRoom();
  const handle = handleOf(server, { sent });
  const told: unknown[] = [];
  for (const call of [
    () => handle.evict({ user: 'ada' }),
    () => handle.restoreRoom({} as never),
    () => handleOf(server, { sent, room: 'other' }).getSize(),
    () => handleOf(server, { sent, secret: 'another secret of enough bytes: 32' }).getSize(),
  ])
    told.push(await call().catch((error: unknown) => error));
  const text = [...told, ...server.errors].map((error) => {
    const { message, stack, cause } = error as Error;
    return [message, stack, String(cause)].join(' ');
  });
  expect(told.every((error) => error instanceof Error)).toBe(true);
  for (const { headers } of sent) {
    const token = headers.get('Authorization')?.split(' ')[1] ?? '';
    expect(token.length).toBeGreaterThan(50);
    expect(text.join(' ')).not.toContain(token);
  }
  expect(text.join(' ')).not.toContain(SECRET);
});
