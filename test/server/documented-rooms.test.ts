import { join } from 'node:path';
import type { Store } from 'tinybase';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';

import { createToken } from '../../src/backend/index.ts';
import { TinyBasePartyKitServer } from '../../src/server/index.ts';
import { ProviderKeys } from '../support/provider-keys.ts';
import { blockWith, type DocumentedApp, makeDocumentedApp } from '../support/documented-app.ts';
import { SmallParty } from '../support/small-server.ts';
import { StrictStorage } from '../support/strict-storage.ts';
import { SECRET } from '../support/token-secret.ts';
import { until } from '../support/until.ts';

const ENVIRONMENT = { AUTH_SECRET: SECRET, REPAIR_SECRET: 'a-long-random-text' };
const ROOM = 'http://localhost:1999/parties/main/my-room';

/** Takes one key or several, as the storage of a host. */
class HostStorage extends StrictStorage {
  override async delete(keys: string[] | string): Promise<number> {
    return await super.delete([keys].flat());
  }
}

let app: DocumentedApp;
beforeAll(() => {
  app = makeDocumentedApp();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});
afterAll(() => app.remove());

type Room = TinyBasePartyKitServer & {
  onConnect: (...all: readonly unknown[]) => unknown;
  onClose: (...all: readonly unknown[]) => unknown;
};

let count = 0;
/** Makes the room of a document on a party. */
async function roomOf<Its extends object>(
  document: string,
  text: string,
  party: SmallParty,
): Promise<Room & Its> {
  const name = `room-${(count += 1)}.ts`;
  app.write(name, blockWith(document, text));
  const exported = Object.values((await import(join(app.folder, name))) as object) as [
    new (party: SmallParty) => Room & Its,
  ];
  return new exported[0](party);
}

const tokenOf = (user: { readonly id: string }): Promise<string> =>
  createToken({ secret: SECRET, room: 'my-room', user });

const ask = (room: Room, path: string, init: RequestInit = {}): Promise<Response> =>
  room.onRequest(new Request(`${ROOM}${path}`, init) as never);

/** Connects to a room, with a token of that user if there is one. */
async function connect(
  room: Room,
  party: SmallParty,
  user: { readonly id: string; readonly name?: string; readonly role?: string },
): Promise<ReturnType<SmallParty['connect']>> {
  const attached: { state: unknown; setState: (state: unknown) => void } = {
    state: null,
    setState: (state) => {
      socket.state = state;
    },
  };
  const socket = Object.assign(party.connect(user.id), attached);
  const request = new Request(`${ROOM}?token=${await tokenOf(user)}`);
  await room.onConnect(socket, { request });
  return socket;
}

test('docs/storage.md: who has the secret repairs a room that cannot be loaded', async () => {
  const storage = new StrictStorage();
  const source = new TinyBasePartyKitServer(new SmallParty('my-room', {}, storage) as never);
  await source.start();
  source.store.setValue('count', 1);
  const document = JSON.stringify(await source.exportRoom());
  await source.whenDurable();

  const damaged = storage.copy();
  for (const key of (await damaged.list()).keys()) await damaged.put({ [key]: 'not what it was' });
  const party = new SmallParty('my-room', ENVIRONMENT, damaged);
  const room = await roomOf('docs/storage.md', 'onUnavailableRequest', party);
  room.onRoomError = () => undefined;
  const Authorization = 'Bearer a-long-random-text';
  const repair = (headers: Record<string, string>): Promise<Response> =>
    ask(room, '/repair', { method: 'PUT', body: document, headers });
  expect((await ask(room, '/store')).status).toBe(503);
  for (const headers of [{}, { Authorization: 'Bearer ' }, { Authorization: 'Bearer undefined' }])
    expect((await repair(headers as Record<string, string>)).status).toBe(503);
  expect((await repair({ Authorization })).status).toBe(204);
  expect(await (await ask(room, '/store')).json()).toEqual([{}, { count: 1 }]);
});

test('docs/auth.md: an owner removes a user, and nobody else does', async () => {
  const party = new SmallParty('my-room', ENVIRONMENT);
  const room = await roomOf<{ removeUser: (request: Request) => Promise<Response> }>(
    'docs/auth.md',
    '// owned-room.ts',
    party,
  );
  const ada = await tokenOf({ id: 'ada', isOwner: true } as never);
  const bob = await tokenOf({ id: 'auth0|bob', isOwner: false } as never);
  await room.start();
  room.store.setValue('count', 1);
  const remove = async (user: string, token: string): Promise<number> =>
    (
      await room.removeUser(
        new Request(`${ROOM}/users/${encodeURIComponent(user)}?token=${token}`, {
          method: 'DELETE',
        }),
      )
    ).status;
  const read = async (token: string): Promise<number> =>
    (await ask(room, `/store?token=${token}`)).status;
  expect(await remove('ada', bob)).toBe(403);
  expect(await remove('ada', '')).toBe(401);
  expect([await read(ada), await read(bob)]).toEqual([200, 200]);
  expect(await remove('auth0|bob', ada)).toBe(204);
  expect([await read(ada), await read(bob)]).toEqual([200, 403]);
});

test('docs/lifecycle.md: a room logs what it has saved, and remembers who is there', async () => {
  const logged: unknown[] = [];
  vi.spyOn(console, 'log').mockImplementation((text) => void logged.push(text));
  const first = await roomOf('docs/lifecycle.md', '// logged-board.ts', new SmallParty('one', {}));
  await first.start();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  first.store.setValue('count', 1);
  await first.whenDurable();
  await vi.advanceTimersByTimeAsync(10_000);
  vi.useRealTimers();
  expect(logged).toEqual([expect.stringMatching(/^one has version \d+: \[\{\},\{"count":1\}\]$/)]);

  const party = new SmallParty('two', {}, new HostStorage());
  const visited = await roomOf('docs/lifecycle.md', '// visited-board.ts', party);
  const socket = await connect(visited, party, { id: 'ada' });
  const visits = async (): Promise<readonly string[]> => [
    ...(await party.storage.list({ prefix: 'visit of ' })).keys(),
  ];
  await until('the visit', async () => (await visits()).join() === 'visit of ada');
  socket.close();
  await visited.onClose(socket);
  await until('the end of the visit', async () => (await visits()).length === 0);
});

test('docs/server-writes.md: the alarm of a room writes into its Store', async () => {
  const room = await roomOf<{ onAlarm: () => unknown }>(
    'docs/server-writes.md',
    '// reminding-room.ts',
    new SmallParty('my-room', {}),
  );
  await room.start();
  await room.onAlarm();
  expect(room.store.getTables()).toEqual({ notes: { reminder: { text: 'Time to stretch' } } });
});

test('docs/presence.md: a bot is there as soon as somebody comes', async () => {
  const party = new SmallParty('my-room', {});
  const room = await roomOf<{ presence: { getStore: () => Store } }>(
    'docs/presence.md',
    '// presence-bot.ts',
    party,
  );
  await connect(room, party, { id: 'ada' });
  expect(room.presence.getStore().getRow('connections', 'bot')).toEqual({ x: 10, y: 10 });
});

/** Returns the number of frames with a text. */
const framesWith = (heard: readonly string[], text: string): number =>
  heard.filter((frame) => frame.includes(text)).length;

test('docs/events.md: the code of a room tells all, some, and one', async () => {
  const party = new SmallParty('my-room', ENVIRONMENT);
  const room = await roomOf<{ tellAll: (text: string) => void }>(
    'docs/events.md',
    '// events-room-code.ts',
    party,
  );
  const editor = await connect(room, party, { id: 'ada', role: 'editor' });
  const viewer = await connect(room, party, { id: 'bob', role: 'viewer' });
  for (const socket of [editor, viewer]) {
    await until('the greeting', () => socket.heard.some((frame) => frame.includes('Welcome')));
    socket.heard.length = 0;
  }
  room.tellAll('Lunch');
  await until('the last event', () => framesWith(viewer.heard, 'reloadAsked') > 0);
  expect(
    [editor, viewer].map(({ heard }) => [
      framesWith(heard, 'Lunch'),
      framesWith(heard, 'reloadAsked'),
    ]),
  ).toEqual([
    [2, 0],
    [2, 1],
  ]);
});

test('docs/auth.md: the tokens of a provider let in whom the room allows', async () => {
  const keys = new ProviderKeys('one');
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (url: URL | string) => {
    asked.push(String(url));
    return Response.json({ keys: [keys.published] });
  });
  const claims = { iss: 'https://example.eu.auth0.com/', aud: 'https://boards.example' };
  const read = async (id: string, changed: Record<string, unknown>): Promise<number> => {
    const party = new SmallParty(id, {});
    const room = await roomOf('docs/auth.md', '// provider-room.ts', party);
    await room.start();
    room.store.setValue('count', 1);
    return (await ask(room, `/store?token=${keys.token({ ...claims, ...changed })}`)).status;
  };
  expect(await read('my-room', {})).toBe(200);
  expect(await read('my-room', { email: 'eve@example.org' })).toBe(403);
  expect(await read('admins', {})).toBe(403);
  expect(await read('my-room', { aud: 'another app' })).toBe(401);
  expect([...new Set(asked)]).toEqual(['https://example.eu.auth0.com/.well-known/jwks.json']);
});

test('docs/security.md: a room without a token stays closed', async () => {
  const room = await roomOf(
    'docs/security.md',
    '// closed-room.ts',
    new SmallParty('my-room', ENVIRONMENT),
  );
  await room.start();
  room.store.setValue('count', 1);
  expect((await ask(room, '/store')).status).toBe(401);
  expect((await ask(room, `/store?token=${await tokenOf({ id: 'ada' })}`)).status).toBe(200);
});

test('docs/presence.md: the room tells the users of the connections', async () => {
  const party = new SmallParty('my-room', ENVIRONMENT);
  const room = await roomOf<{ presence: { getStore: () => Store } }>(
    'docs/presence.md',
    '// presence-users.ts',
    party,
  );
  const socket = await connect(room, party, { id: 'ada', name: 'Ada' });
  await room.onMessage('r{"x":1}', socket as never);
  await until('the user', () => room.presence.getStore().getRowCount('users') > 0);
  expect(room.presence.getStore().getTable('users')).toEqual({ ada: { id: 'ada', name: 'Ada' } });
});
