import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CompiledApp, makeCompiledApp } from '../support/compiled-app.ts';

/** A feature by somebody else, and a gate whose type is made of its options. */
const FEATURES = `
import { TinyBasePartyKitError } from 'tinybase-partykit/server';
import type { FeatureHost, FeatureRoom, RoomFeature, RoomGate } from 'tinybase-partykit/server';

export interface Echo { readonly count: number }
export function createEcho<Reply>(
  host: FeatureHost<object, unknown>,
  options: { readonly reply: (text: string, connection: object) => Reply },
): Echo & { readonly last: Reply | undefined } {
  const echo: { count: number; last: Reply | undefined } = { count: 0, last: undefined };
  const feature: RoomFeature<object, unknown> = {
    letter: 'x',
    received: (connection, json) => {
      echo.count += 1;
      echo.last = options.reply(json, connection);
      room.send(connection, 'x', json);
    },
    committed: ({ cursor, origin }) => {
      switch (origin.type) {
        case 'push': return room.report(origin.clientId + cursor.version);
        case 'stock': return room.report(origin.peer);
        case 'seed': return room.report(origin.request);
        case 'room': return;
      }
    },
  };
  const room: FeatureRoom<object> = host.addFeature(feature);
  return echo;
}
export interface Auth<User> { getUser(caller: object): User }
export function createAuth<User>(
  host: FeatureHost<object, { readonly url: string }>,
  options: { readonly user: (token: string) => User },
): Auth<User> {
  const users = new WeakMap<object, User>();
  const gate: RoomGate<object, { readonly url: string }> = {
    admit: async (connection, { url }) => void users.set(connection, options.user(url)),
    admitRequest: () => Promise.reject(new TinyBasePartyKitError('unauthorized', 'no')),
    check: (connection) => (users.has(connection) ? 'admitted' : 'unknown'),
    mayWrite: () => true,
  };
  host.setGate(gate);
  return {
    getUser: (caller) => {
      const user = users.get(caller);
      if (user === undefined) throw new Error('unknown');
      return user;
    },
  };
}
`;

/** Fields whose types nobody writes down, used in methods that have none either. */
const ROOM = `
import { TinyBasePartyKitServer } from 'tinybase-partykit/server';
import { createAuth, createEcho } from './features.ts';

export default class Board extends TinyBasePartyKitServer {
  auth = createAuth(this, { user: (token) => ({ name: token, role: 'editor' as const }) });
  echo = createEcho(this, { reply: (text, connection) => [text, this.auth.getUser(connection).name] });

  override canDelRow(_table: string, _row: string, connection: object) {
    return this.auth.getUser(connection).role === 'editor';
  }
}
const role: 'editor' = (undefined as unknown as Board).auth.getUser({}).role;
const last: string[] | undefined = (undefined as unknown as Board).echo.last;
export { last, role };
`;

/** Uses that the types forbid. */
const WRONG = `
import type Board from './room.ts';
declare const board: Board;
export const role: 'reader' = board.auth.getUser({}).role;
`;

let app: CompiledApp;

beforeAll(async () => {
  app = await makeCompiledApp();
  app.write('features.ts', FEATURES);
  app.write('room.ts', ROOM);
  app.write('wrong.ts', WRONG);
}, 60_000);
afterAll(() => app?.remove());

test.each(['7', '5.4'] as const)(
  'fields that features are attached in have the types of the features, on TypeScript %s',
  async (version) => {
    expect(await app.compile(version, ['room.ts'])).toBe('');
    expect(await app.compile(version, ['wrong.ts'])).toContain(
      'not assignable to type \'"reader"\'',
    );
  },
  60_000,
);
