import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { expect, test } from 'vitest';

import {
  createRoomHandle,
  TinyBasePartyKitError,
  type RoomHandle,
  type RoomHandleOptions,
} from '../../src/backend/index.ts';
import { sha256Of } from '../../src/protocol/admin/admin-token.ts';
import { roomIdOf } from '../../src/server/hosts/room-address.ts';
import { SECRET } from '../support/tokens.ts';

const OPTIONS = { origin: 'https://rooms.example', room: 'board', secret: SECRET };

/** A handle whose commands are answered so. */
const answered = (
  body: string,
  status = 200,
  sent: [string, RequestInit][] = [],
  options: Partial<RoomHandleOptions> = {},
): RoomHandle =>
  createRoomHandle({
    ...OPTIONS,
    ...options,
    fetch: (url, init) => {
      sent.push([url, init]);
      return Promise.resolve(new Response(body, { status }));
    },
  });
const failureOf = async (call: Promise<unknown>): Promise<TinyBasePartyKitError> =>
  (await call.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  )) as TinyBasePartyKitError;

test.each([
  ['a:b@c', 'a:b@c'],
  ["!$&'()*+,;=[]|^", "!$&'()*+,;=[]|^"],
  ['a b/c?d#e"f', 'a%20b%2Fc%3Fd%23e%22f'],
  ['100%', '100%25'],
])('[LIFE-6] it addresses the room %s as PartySocket does', async (room, segment) => {
  const sent: [string, RequestInit][] = [];
  await answered('{"result":1}', 200, sent, { room }).getSize();
  expect(sent[0]?.[0]).toBe(`https://rooms.example/parties/main/${segment}/admin`);
});

test('[ADMIN-1] a command is signed for its body and its room, for a minute, with an id of its own', async () => {
  const sent: [string, RequestInit][] = [];
  const before = Math.floor(Date.now() / 1000);
  const handle = answered('{"result":1}', 200, sent, {
    room: 'ä/b',
    party: 'chat',
    prefix: '/x/y/',
  });
  for (let time = 0; time < 2; time += 1) expect(await handle.evict('ada')).toBe(1);
  const ids = await Promise.all(
    sent.map(async ([url, { method, body, headers, redirect }]) => {
      expect(url).toBe('https://rooms.example/x/y/chat/%C3%A4%2Fb/admin');
      expect([method, body, redirect]).toEqual([
        'POST',
        '{"do":"evict","connection":"ada"}',
        'manual',
      ]);
      const [, token = ''] = new Headers(headers).get('Authorization')?.split(' ') ?? [];
      expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'room-admin+jwt' });
      const { jti, iat = 0, exp = 0, ...claims } = decodeJwt(token);
      const sha256 = await sha256Of('{"do":"evict","connection":"ada"}');
      expect(claims).toEqual({ aud: 'chat', room: 'ä/b', sha256 });
      expect(iat).toBeGreaterThanOrEqual(before);
      expect(exp).toBe(iat + 60);
      return jti;
    }),
  );
  expect(new Set(ids).size).toBe(2);
});

test('the error of a room keeps its code, and says what failed', async () => {
  const failure = await failureOf(
    answered('{"code":"overloaded","message":"Later."}', 429).evictAll(),
  );
  expect(failure).toBeInstanceOf(TinyBasePartyKitError);
  expect(failure).toMatchObject({
    code: 'overloaded',
    isRetryable: true,
    message: 'evictAll of the room "board" failed: Later.',
  });
  const missing = await failureOf(
    answered('{"code":"not-found","message":"There is nothing."}', 404).wipe(),
  );
  expect(missing.message).toContain('createAdmin');
});

test('[FRAME-6] an error has a bounded part of what the room says', async () => {
  const body = JSON.stringify({ code: 'failed', message: 'm'.repeat(1_000_000) });
  const { message } = await failureOf(answered(body, 500).getSize());
  expect(message).toBe(`getSize of the room "board" failed: ${'m'.repeat(2000)}`);
});

test('a room that says another room was meant may be one of PartyKit with a % in its name', async () => {
  // PartyKit has another id for it than the one that the handle signs.
  expect(roomIdOf(encodeURIComponent('100%'))).not.toBe('100%');
  const answer = '{"code":"forbidden","message":"It is signed for another room."}';
  const percent = await failureOf(answered(answer, 403, [], { room: '100%' }).wipe());
  expect(percent.message).toContain('the % in the name is the reason');
  const other = await failureOf(answered(answer, 403, [], { room: 'a b' }).wipe());
  expect(other.message).toBe('wipe of the room "a b" failed: It is signed for another room.');
});

test.each([
  ['a page of HTML', '<html>', 502],
  ['a page of HTML that is well', '<html>', 200],
  ['no body', '', 302],
  ['a foreign code', '{"code":"constructor","message":"x"}', 500],
  ['JSON that is no object', '5', 200],
  ['something else as its result', '{"result":"1"}', 200],
  ['no result', '{}', 200],
])('%s is not the answer of a room', async (_what, body, status) => {
  const failure = await failureOf(answered(body, status).getSize());
  expect(failure).toMatchObject({ code: 'network', isRetryable: true });
  expect(failure.message).toContain('board');
});

test.each<readonly [string, (handle: RoomHandle) => Promise<unknown>]>([
  ['getStats', (handle) => handle.getStats()],
  ['exportRoom', (handle) => handle.exportRoom()],
  ['evict', (handle) => handle.evict({ user: 'ada' })],
])('a result of another kind is no result of %s', async (_name, call) => {
  expect(await failureOf(call(answered('{"result":[]}')))).toMatchObject({ code: 'network' });
});

test('a server that is away, or silent, or broken off, is network', async () => {
  const server = createServer((request, response) => {
    if (request.url?.includes('broken') === true) {
      response.writeHead(200, { 'Content-Length': '100' });
      response.write('{');
      setImmediate(() => response.destroy());
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const silent = createRoomHandle({ ...OPTIONS, origin, timeoutMilliseconds: 50 });
  expect(await failureOf(silent.getSize())).toMatchObject({ code: 'network' });
  const broken = createRoomHandle({ ...OPTIONS, origin, room: 'broken' });
  expect(await failureOf(broken.getSize())).toMatchObject({ code: 'network' });
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  const failure = await failureOf(createRoomHandle({ ...OPTIONS, origin }).getSize());
  expect(failure.message).toContain(`${origin}/parties/main/board/admin`);
  expect(failure.message).toContain('option origin');
});

test.each<readonly [string, object]>([
  ['secret', { secret: 'x'.repeat(31) }],
  ['secret', { secret: undefined }],
  ['party', { party: '' }],
  ['origin', { origin: 'rooms.example' }],
  ['origin', { origin: 'wss://rooms.example' }],
  ['origin', { origin: 'https://rooms.example/path' }],
  ['origin', { origin: 'https://user:word@rooms.example' }],
  ['origin', { origin: 'https://rooms.example?x' }],
  ['room', { room: '' }],
  ['room', { room: '..' }],
  ['room', { room: '\uD800' }],
  ['room', { party: '.' }],
  ['prefix', { prefix: 5 }],
  ['timeoutMilliseconds', { timeoutMilliseconds: 0 }],
  ['timeoutMilliseconds', { timeoutMilliseconds: '5000' }],
  ['timeoutMilliseconds', { timeoutMilliseconds: NaN }],
  ['timeoutMilliseconds', { timeoutMilliseconds: null }],
  ['fetch', { fetch: 5 }],
  ['fetch', { fetch: null }],
  ['party', { party: null }],
  ['"Secret" (did you mean "secret"?)', { Secret: 'x' }],
])('createRoomHandle names the option %s, and tells no secret', (name, options) => {
  const make = (): unknown => createRoomHandle({ ...OPTIONS, ...options });
  expect(make).toThrow(TypeError);
  expect(make).toThrow(name);
  expect(make).not.toThrow('word');
});

test.each([undefined, null, 5, 'board', [], Promise.resolve(OPTIONS)])(
  'options that are no object: %j',
  (options) => {
    expect(() => createRoomHandle(options as never)).toThrow(
      new TypeError('createRoomHandle got no object with options: give it one.'),
    );
  },
);

test.each<readonly [string, () => Promise<Response>]>([
  ['no answer', () => new Promise(() => undefined)],
  ['a body that never ends', async () => new Response(new ReadableStream())],
])('a fetch that heeds no signal ends in time, with %s', async (_what, send) => {
  const handle = createRoomHandle({ ...OPTIONS, fetch: send, timeoutMilliseconds: 20 });
  expect((await failureOf(handle.getSize())).code).toBe('network');
});

test('an answer that never ends is read up to 256 MiB, and no longer than the time for a command', async () => {
  let cancelled = 0;
  const cancel = (): void => void (cancelled += 1);
  const endless = (bytes: number): Promise<Response> => {
    const pull = async (controller: ReadableStreamDefaultController): Promise<void> => {
      await new Promise((resolve) => {
        setTimeout(resolve, 1);
      });
      controller.enqueue(new Uint8Array(bytes));
    };
    return Promise.resolve(new Response(new ReadableStream({ pull, cancel })));
  };
  const long = createRoomHandle({ ...OPTIONS, fetch: () => endless(2 ** 28 + 1) });
  const error = await failureOf(long.exportRoom());
  expect([error.code, cancelled]).toEqual(['network', 1]);
  expect(error.message).toContain('was answered with over 256 MiB by something that is not a room');
  const slow = createRoomHandle({ ...OPTIONS, fetch: () => endless(1), timeoutMilliseconds: 20 });
  expect((await failureOf(slow.wipe())).message).toContain('had no answer from');
  await expect.poll(() => cancelled).toBe(2);
});

test.each([9_000.5, 2 ** 31 - 1.5])(
  'a timeout of %d ms, which is no whole number',
  async (time) => {
    const handle = answered('{"result":1}', 200, [], { timeoutMilliseconds: time });
    expect(await handle.getSize()).toBe(1);
  },
);

test('a target that is none sends nothing', async () => {
  const sent: [string, RequestInit][] = [];
  const handle = answered('{"result":1}', 200, sent);
  for (const target of ['', {}, undefined, { connection: 'a', user: 'b' }])
    await expect(handle.evict(target as never)).rejects.toBeInstanceOf(TypeError);
  expect(sent).toEqual([]);
});

test('what is not JSON is malformed, and sends nothing', async () => {
  const sent: [string, RequestInit][] = [];
  const handle = answered('{"result":null}', 200, sent);
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  for (const data of [5n, cyclic, () => 1, Symbol('a'), Promise.resolve(1)]) {
    const { code, message } = await failureOf(handle.broadcast('note', data));
    expect([code, message]).toEqual([
      'malformed',
      'broadcast of the room "board" was not sent: what it got is not JSON.',
    ]);
  }
  const failure = await failureOf(handle.restoreRoom({ content: 5n } as never));
  expect(failure).toMatchObject({ code: 'malformed', cause: expect.any(TypeError) as unknown });
  expect(sent).toEqual([]);
  await handle.broadcast('note');
  expect(sent).toHaveLength(1);
});

test('a backend bundles no server code, TinyBase or PartySocket', async () => {
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../../src/backend/index.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    write: false,
    metafile: true,
  });
  const inputs = Object.keys(metafile.inputs);
  expect(inputs.length).toBeGreaterThan(5);
  expect(
    inputs.filter((path) => /src\/(?:server|client)|tinybase\/|partysocket/u.test(path)),
  ).toEqual([]);
});
