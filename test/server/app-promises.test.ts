import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';

import { createAdmin } from '../../src/server/features/admin/index.ts';
import { createAuth, createEdgeGuard, defineAuth } from '../../src/server/features/auth/index.ts';
import { createEvents, event } from '../../src/server/features/events/index.ts';
import { decideRow } from '../../src/server/features/presence/presence-row.ts';
import { admit } from '../../src/server/hosts/hosted-server.ts';
import { routeRoomRequest, type RoomNamespace } from '../../src/server/hosts/room-router.ts';
import { responseHeadersTo } from '../../src/server/http/cors.ts';
import { settle } from '../support/fake-connection.ts';
import { SmallParty, SmallServer } from '../support/small-server.ts';
import { SECRET } from '../support/token-secret.ts';
import { makeToken } from '../support/tokens.ts';

/** A function of an app that has to answer at once, and is async, with a mistake in it. */
const fails = async (): Promise<never> => Promise.reject(new Error('a mistake of the app'));
/** The same, where it is not even async. */
const throws = (): never => {
  throw new Error('a mistake of the app');
};

const unheard: unknown[] = [];
const listen = (reason: unknown): void => void unheard.push(reason);
beforeEach(() => void process.on('unhandledRejection', listen));
afterEach(() => void process.off('unhandledRejection', listen));

const user = z.object({ id: z.string() });
const party = (): SmallParty => new SmallParty('board', {});
const url = 'http://host/parties/main/board';
const page = (path = ''): Request =>
  new Request(url + path, { headers: { Origin: 'https://a.example' } });
const socket = (token = ''): Request =>
  new Request(`${url}?token=${token}`, { headers: { Upgrade: 'websocket' } });
const failing: RoomNamespace = { idFromName: (name) => name, get: throws };

class Failing extends SmallServer {
  override onRoomError(error: unknown): never {
    this.errors.push(error);
    return fails() as never;
  }
}

test.each<readonly [string, (fail: () => never) => unknown]>([
  [
    'onRoomError, told by the room',
    async () => {
      const room = new Failing(party());
      room.prepareStore = throws;
      await expect(room.start()).rejects.toMatchObject({ code: 'unavailable' });
      expect(room.errors).not.toEqual([]);
    },
  ],
  [
    'onRoomError, at the edge',
    async (fail) => {
      const Room = { onBeforeConnect: throws };
      const server = { config: {}, onRoomError: fail };
      const answer = await admit(Room, server as never, socket(), {} as never);
      expect(answer).toMatchObject({ status: 401 });
    },
  ],
  [
    'onError of createEdgeGuard',
    async (onError) => {
      const rules = defineAuth({ secret: () => SECRET, user, access: throws });
      const claims = { aud: 'main', room: 'board', sub: 'ada', user: { id: 'ada' } };
      const asked = socket(makeToken({ claims }));
      const lobby = { id: 'board', env: {} };
      const answer = await createEdgeGuard(rules, { onError })(asked, lobby).catch(String);
      // It gets as far as the closed socket, which Node cannot make.
      expect(answer).toContain('WebSocketPair');
    },
  ],
  [
    'onError of routeRoomRequest',
    async (onError) => {
      const answer = await routeRoomRequest(page(), { main: failing }, { onError });
      expect(answer?.status).toBe(503);
    },
  ],
  [
    'onError of routeRoomRequest, about allowedOrigins',
    async (onError) => {
      const answer = await routeRoomRequest(page(), {}, { onError, allowedOrigins: throws });
      expect(answer?.status).toBe(404);
    },
  ],
])('an error handler of the app may fail: %s', async (name, run) => {
  for (const fail of [fails, throws]) {
    await run(fail as never);
    await settle();
    expect(unheard.splice(0), `${name} as ${fail.name}`).toEqual([]);
  }
});

test.each<readonly [string, (room: SmallServer) => unknown, string]>([
  [
    'the function of events.to',
    (room) => {
      const events = createEvents(room, { told: event() });
      room.party.connect('ada');
      expect(() => events.to(fails as never)('told')).toThrow('returned a promise');
    },
    '',
  ],
  [
    'allowedOrigins',
    () => {
      const headers = responseHeadersTo(page(), { allowedOrigins: fails as never });
      expect(headers.get('Access-Control-Allow-Origin')).toBeNull();
    },
    '',
  ],
  [
    'the schema of createPresence',
    () => {
      const schema = { '~standard': { version: 1, vendor: 'test', validate: fails } } as const;
      expect(decideRow(new Map(), schema, 1_000)).toMatchObject({ type: 'refused' });
    },
    '',
  ],
  [
    'the secret of defineAuth',
    async (room) => {
      createAuth(room, defineAuth({ secret: fails, user }));
      expect(await room.refuseSocket(socket('x'))).toMatchObject({ code: 'failed' });
    },
    'no usable secret',
  ],
  [
    'the secret of createAdmin',
    async (room) => {
      createAdmin(room, { secret: fails });
      const request = new Request(`${url}/admin`, { method: 'POST', body: '{}' });
      expect((await room.onRequest(request)).status).toBe(404);
    },
    'no usable secret',
  ],
  [
    'an action of afterInitialContent',
    async (room) => {
      const action: () => unknown = fails;
      room.afterInitialContent(action);
      room.store.setValue('v', 1);
      await settle();
      room.afterInitialContent(action);
    },
    'a mistake of the app, a mistake of the app',
  ],
])(
  'a function of the app that should not be async may reject: %s',
  async (_name, run, reported) => {
    const room = new SmallServer(party());
    await room.start();
    await run(room);
    await settle();
    expect(unheard.splice(0)).toEqual([]);
    const messages = room.errors.map((error) => (error as Error).message);
    if (reported === '') expect(messages).toEqual([]);
    else expect(String(messages)).toContain(reported.split(', ')[0]);
    expect(messages.length).toBe(reported === '' ? 0 : reported.split(', ').length);
  },
);
