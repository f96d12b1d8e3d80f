import { expect, test, vi } from 'vitest';

import { roomAddressOf } from '../../../src/server/hosts/room-address.ts';
import { routeRoomRequest, type RoomNamespace } from '../../../src/server/hosts/room-router.ts';

/** A binding whose objects answer with their name and the method. */
const namespace: RoomNamespace = {
  idFromName: (name) => name,
  get: (id) => ({
    fetch: (request) => Promise.resolve(new Response(`${request.method} ${String(id)}`)),
  }),
};

const route = (
  path: string,
  options?: Parameters<typeof routeRoomRequest>[2],
): ReturnType<typeof routeRoomRequest> =>
  routeRoomRequest(
    new Request(`http://host${path}`, { method: 'PUT' }),
    { main: namespace },
    options,
  );

test.each([
  ['/parties/main/room', 'main', 'room'],
  ['/parties/main/room/store', 'main', 'room'],
  ['/parties/main/a%2Fb%25/store', 'main', 'a/b%'],
  ['/parties/main/100%', 'main', '100%'],
  ['/parties/my%20party/%2520', 'my party', '%20'],
])('the path %s leads to party %s, room %s', (path, party, room) => {
  expect(roomAddressOf(`http://host${path}?x=/parties/y/z`)).toEqual({ party, room });
});

test.each([
  '/',
  '/parties',
  '/parties/main',
  '/parties/main/',
  '/parties/main//store',
  '/parties//room/store',
  '/parties/main/.',
  '/parties/main/%2e',
  '/party/main/room',
])('the path %s leads to no room', async (path) => {
  expect(roomAddressOf(`http://host${path}`)).toBeUndefined();
  expect(await route(path)).toBeUndefined();
});

test('a prefix may have several segments', () => {
  expect(roomAddressOf('http://host/a/b/main/room', 'a/b')).toEqual({
    party: 'main',
    room: 'room',
  });
  expect(roomAddressOf('http://host/a/main/room', 'a/b')).toBeUndefined();
});

test('[HTTP-5] its own answers allow the origins that the room allows', async () => {
  const origin = 'https://app.example';
  const request = new Request('http://host/parties/absent/room', { headers: { Origin: origin } });
  const answer = await routeRoomRequest(request, {}, { allowedOrigins: [origin] });
  expect(answer?.status).toBe(404);
  expect(answer?.headers.get('Access-Control-Allow-Origin')).toBe(origin);
  expect(answer?.headers.get('Access-Control-Allow-Credentials')).toBe('true');
});

test('a request goes to the object that has the decoded id for its name', async () => {
  const answer = await route('/parties/main/two%20words/store');
  expect(await answer?.text()).toBe('PUT two words');
});

test.each(['absent', 'toString', '__proto__'])(
  'the party %s, which is not there, is answered so that other origins can read it',
  async (party) => {
    const answer = await route(`/parties/${party}/room/store`);
    expect(answer?.status).toBe(404);
    expect(answer?.headers.get('Cache-Control')).toBe('no-store');
    expect(answer?.headers.get('Access-Control-Allow-Origin')).toBe('*');
    expect(await answer?.json()).toMatchObject({ code: 'not-found' });
  },
);

test('an object that fails is reported, and answered so that clients try again', async () => {
  const onError = vi.fn<(error: unknown) => void>();
  const failure = new Error('the object was reset');
  const failing: RoomNamespace = {
    idFromName: (name) => name,
    get: () => ({ fetch: () => Promise.reject(failure) }),
  };
  const request = new Request('http://host/parties/main/room/store');
  const answer = await routeRoomRequest(request, { main: failing }, { onError });
  expect(answer?.status).toBe(503);
  expect(answer?.headers.get('Access-Control-Allow-Origin')).toBe('*');
  expect(onError).toHaveBeenCalledExactlyOnceWith(failure);
});

test('an option that does not exist, and may be meant to keep somebody out, is refused aloud', async () => {
  const asked: unknown[] = [];
  const main = {
    idFromName: (name: string) => asked.push(name),
    get: () => main,
    fetch: async () => new Response(),
  };
  const request = new Request('https://example.com/parties/main/a');
  const options = { onBeforeConnect: () => new Response(null, { status: 401 }) };
  const answer = routeRoomRequest(request, { main }, options as never);
  await expect(answer).rejects.toThrow('"onBeforeConnect"');
  expect(asked).toEqual([]);
});

test.each<readonly [string, readonly unknown[]]>([
  ['request as its first parameter', [undefined, { main: namespace }]],
  ['request as its first parameter', ['http://host/parties/main/room', { main: namespace }]],
  ['bindings as its second parameter', [new Request('http://host/')]],
  ['bindings as its second parameter', [new Request('http://host/'), null]],
  ['option prefix', [new Request('http://host/'), {}, { prefix: null }]],
  ['option onError', [new Request('http://host/'), {}, { onError: 'log' }]],
  ['option allowedOrigins', [new Request('http://host/'), {}, { allowedOrigins: '*' }]],
])('no %s is told: %o', async (what, given) => {
  await expect(Reflect.apply(routeRoomRequest, undefined, given)).rejects.toThrow(
    new RegExp(`^routeRoomRequest got no .*${what}`),
  );
});

test.each([null, {}, 'ROOM', Promise.resolve(namespace)])(
  'what is no binding is told, and the client tries again: %o',
  async (binding) => {
    const onError = vi.fn();
    const request = new Request('http://host/parties/main/room');
    const answer = await routeRoomRequest(request, { main: binding as never }, { onError });
    expect(answer?.status).toBe(503);
    expect(String(onError.mock.calls)).toContain(
      'no binding of Durable Objects for the party "main"',
    );
  },
);
