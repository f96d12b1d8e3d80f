import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CompiledApp, makeCompiledApp } from '../support/compiled-app.ts';

/** A room whose fields have no types of their own. */
const INFERRED = `
import { TinyBasePartyKitServer } from 'tinybase-partykit/server';
import { createAuth, createEdgeGuard, defineAuth } from 'tinybase-partykit/server/auth';
import type * as Party from 'partykit/server';
import { z } from 'zod';

const auth = defineAuth({
  secret: (env) => env['AUTH_SECRET'],
  user: z.object({ id: z.string(), role: z.enum(['editor', 'viewer']).default('viewer') }),
  access: (user, room) => (user.role === 'editor' && room !== '' ? 'write' : 'read'),
});

export default class Board extends TinyBasePartyKitServer {
  static onBeforeConnect = createEdgeGuard(auth);
  auth = createAuth(this, auth);
  other = 5;

  override canDelRow(_tableId: string, _rowId: string, connection: object) {
    return this.auth.getUser(connection).role === 'editor';
  }
}
Board satisfies Party.Worker;
`;
/** The same room, as \`isolatedDeclarations\` asks for it. */
const ANNOTATED = INFERRED.replace(
  'createAuth, createEdgeGuard',
  'type EdgeGuard, type RoomAuth, createAuth, createEdgeGuard',
)
  .replace('onBeforeConnect =', 'onBeforeConnect: EdgeGuard =')
  .replace('  auth = createAuth', '  auth: RoomAuth<User, UserInput> = createAuth')
  .replace('other = 5', 'other: number = 5')
  .replace('connection: object) {', 'connection: object): boolean {')
  .replace(
    'const auth = defineAuth',
    `interface User { id: string; role: 'editor' | 'viewer' }
interface UserInput { id: string; role?: 'editor' | 'viewer' | undefined }
const auth: Auth<User, UserInput> = defineAuth`,
  )
  .replace('createAuth, createEdge', 'type Auth, createAuth, createEdge');
/** Another program, which imports the type of the room and nothing else. */
const OUTSIDE = `
import { createToken, type UserInputOf, type UserOf } from 'tinybase-partykit/backend';
import type Board from './room.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
export const isUser: Equal<UserOf<Board>['role'], 'editor' | 'viewer'> = true;
export const isInput: UserInputOf<Board>['role'] = undefined;
const secret = 'x';
export const tokens = [
  createToken<Board>({ secret, room: 'a', user: { id: 'u1' } }),
  createToken<Board>({ secret, roomPrefix: 'a', user: { id: 'u1', role: 'editor' }, access: 'read' }),
  createToken({ secret, room: 'a', user: { id: 'u1', anything: [1] } }),
];
`;
/** Each of these is an error, on a line of its own. */
const WRONG = [
  `createToken<Board>({ secret, room: 'a', user: { id: 'u1', role: 'queen' } })`,
  `createToken<Board>({ secret, room: 'a', user: { role: 'editor' } })`,
  `createToken<Board>({ secret, user: { id: 'u1' } })`,
  `createToken<Board>({ secret, room: 'a', roomPrefix: 'a', user: { id: 'u1' } })`,
  `createToken<Board>({ secret, room: 'a', user: { id: 'u1' }, access: 'none' })`,
  `createToken({ secret, room: 'a', user: { id: 5 } })`,
  `defineAuth({ secret: () => secret, user: z.object({ name: z.string() }) })`,
  `defineAuth({ jwks: 'x', issuer: 'x', audience: 'x', user: z.object({ sub: z.string() }) })`,
  `defineAuth({ jwks: 'x', issuer: 'x', user: z.object({ sub: z.string() }), access: () => 'read' })`,
  `defineAuth({ secret: () => secret, user: z.object({ id: z.string() }), access: () => true })`,
  `defineAuth({ secret: () => secret, user: z.object({ id: z.string() }), access: (user) => user.role })`,
  `new Board(party).auth.getUser(party).name`,
];
const HEAD = `
import type * as Party from 'partykit/server';
import { createToken } from 'tinybase-partykit/backend';
import { defineAuth } from 'tinybase-partykit/server/auth';
import { z } from 'zod';
import Board from './room.ts';
declare const secret: string;
declare const party: Party.Room;
`;

let app: CompiledApp;
beforeAll(async () => {
  app = await makeCompiledApp();
  for (const [folder, room] of [
    ['inferred', INFERRED],
    ['annotated', ANNOTATED],
  ] as const) {
    app.write(`${folder}/room.ts`, room);
    app.write(`${folder}/outside.ts`, OUTSIDE);
    app.write(`${folder}/wrong.ts`, HEAD + WRONG.map((line) => `void ${line};\n`).join(''));
  }
}, 60_000);
afterAll(() => app?.remove());

const VARIANTS = [
  ['inferred', '7'],
  ['annotated', '7'],
  ['inferred', '5.4'],
  ['annotated', '5.4'],
] as const;

test.each(VARIANTS)(
  'the type of a room, %s, tells who its users are, on TypeScript %s',
  async (folder, version) => {
    const files = [`${folder}/room.ts`, `${folder}/outside.ts`];
    expect(await app.compile(version, files)).toBe('');
  },
  60_000,
);

test.each(VARIANTS)(
  'what is wrong does not compile, with a room that is %s, on TypeScript %s',
  async (folder, version) => {
    const output = await app.compile(version, [`${folder}/wrong.ts`]);
    const lines = [...output.matchAll(/wrong\.ts\((\d+),\d+\): error/g)].map(([, line]) => line);
    const first = HEAD.split('\n').length;
    expect([...new Set(lines)]).toEqual(WRONG.map((_line, index) => String(first + index)));
  },
  60_000,
);

test.each(['7', '5.4'] as const)(
  'TypeScript %s names the option of defineAuth that is missing or wrong',
  async (version) => {
    const mistakes: readonly (readonly [string, RegExp])[] = [
      [`defineAuth({ secret: () => secret })`, /Property 'user' is missing/],
      [
        `defineAuth({ jwks: 'x', issuer: 'x', user: z.object({ sub: z.string() }), access: () => 'read' as const })`,
        /Property 'audience' is missing/,
      ],
      [
        `defineAuth({ secret, user: z.object({ id: z.string() }) })`,
        /Type 'string' is not assignable to type '\(env: /,
      ],
    ];
    for (const [index, [line, expected]] of mistakes.entries()) {
      const file = `inferred/mistake-${index}.ts`;
      app.write(file, `${HEAD}void ${line};\n`);
      expect(await app.compile(version, [file])).toMatch(expected);
    }
  },
  60_000,
);
