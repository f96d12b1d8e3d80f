import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { expect, test } from 'vitest';
import { z } from 'zod';

import { createToken } from '../../src/backend/index.ts';
import { defineAuth } from '../../src/server/features/auth/index.ts';
import { SECRET, USER } from '../support/tokens.ts';

const OPTIONS = { secret: SECRET, room: 'board', user: USER };
const auth = defineAuth({
  secret: () => SECRET,
  user: z.object({ id: z.string(), name: z.string(), role: z.enum(['editor', 'viewer']) }),
});

const verify = async (
  token: string,
  place: { party?: string; room?: string } = {},
): Promise<unknown> =>
  auth.verify(new Request(`http://localhost/?token=${token}`), {
    party: 'main',
    room: 'board',
    env: {},
    now: Date.now(),
    ...place,
  });

test('a token says who may enter which room, and for how long', async () => {
  const before = Date.now() / 1000;
  const token = await createToken(OPTIONS);
  const after = Date.now() / 1000;
  const { iat = 0, exp = 0, ...claims } = decodeJwt(token);
  expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'room-user+jwt' });
  expect(claims).toEqual({ aud: 'main', room: 'board', sub: 'u1', user: USER, access: 'write' });
  expect(iat).toBeGreaterThanOrEqual(before);
  expect(iat).toBeLessThanOrEqual(after);
  expect(exp - iat).toBe(3600);
});

test.each([
  ['expiresIn', { expiresIn: 60 }],
  ['"expiresinseconds" (did you mean "expiresInSeconds"?)', { expiresinseconds: 60 }],
  ['readOnly', { readOnly: true }],
])('an option that does not exist makes no token: %s', async (name, options) => {
  const made = createToken({ ...OPTIONS, ...options });
  await expect(made).rejects.toThrow(TypeError);
  await expect(made).rejects.toThrow(name);
});

test('[GATE-3] a room takes it', async () => {
  expect(await verify(await createToken(OPTIONS))).toMatchObject({ user: USER, access: 'write' });
  const reader = await createToken({
    ...OPTIONS,
    access: 'read',
    party: 'chat',
    expiresInSeconds: 60,
  });
  expect(await verify(reader, { party: 'chat' })).toMatchObject({ access: 'read' });
  await expect(verify(reader)).rejects.toMatchObject({ code: 'forbidden' });
});

test('[GATE-3] one of many rooms is asked for by name', async () => {
  const { secret, user } = OPTIONS;
  const team = await createToken({ secret, user, roomPrefix: 'team-a/' });
  expect(await verify(team, { room: 'team-a/plan' })).toMatchObject({ user: USER });
  await expect(verify(team, { room: 'team-b/plan' })).rejects.toMatchObject({ code: 'forbidden' });
  const any = await createToken({ secret, user, roomPrefix: '' });
  expect(await verify(any, { room: '__proto__' })).toMatchObject({ user: USER });
});

test('ids are taken as they are', async () => {
  for (const room of ['__proto__', 'ä/ö ü', '\uD800', 'a*b', ' ']) {
    expect(await verify(await createToken({ ...OPTIONS, room }), { room })).toMatchObject({
      user: USER,
    });
  }
});

test('a user may be any object that JSON can say', async () => {
  class Person {
    readonly #name = USER.name;
    readonly id = USER.id;
    greet(): string {
      return this.#name;
    }
    toJSON(): typeof USER {
      return USER;
    }
  }
  const users: readonly object[] = [
    { ...USER, greet: () => 'Hello' },
    new Proxy(USER, {}),
    new Person(),
  ];
  for (const user of users)
    expect(
      await verify(await createToken({ ...OPTIONS, user: user as typeof USER })),
    ).toMatchObject({ user: USER });
});

function cyclic(): object {
  const user = { id: 'u1' };
  return Object.assign(user, { self: user });
}

test.each<readonly [string, Record<string, unknown>]>([
  ['secret', { secret: undefined }],
  ['secret', { secret: '' }],
  ['secret', { secret: 'x'.repeat(31) }],
  ['secret', { secret: new Uint8Array(64) }],
  ['room', { room: undefined }],
  ['room', { room: '' }],
  ['room', { room: 5 }],
  ['room', { room: ['board'] }],
  // Whoever may choose the room that a token is for must not choose all of them.
  ['roomPrefix', { room: '*' }],
  ['roomPrefix', { room: 'board*' }],
  ['roomPrefix', { roomPrefix: 'board' }],
  ['roomPrefix', { room: undefined, roomPrefix: 5 }],
  ['user', { user: undefined }],
  ['user', { user: null }],
  ['user', { user: 'u1' }],
  ['user', { user: {} }],
  ['user', { user: { id: '' } }],
  ['user', { user: { id: 5 } }],
  ['user', { user: { id: 'ä'.repeat(128) } }],
  ['user', { user: { id: 'u1', more: 'x'.repeat(8192) } }],
  ['user', { user: { id: 'u1', count: 5n } }],
  ['user', { user: cyclic() }],
  ['user', { user: { id: 'u1', toJSON: () => undefined } }],
  ['party', { party: '' }],
  ['party', { party: 5 }],
  ['access', { access: 'admin' }],
  ['access', { access: 'none' }],
  ['access', { access: null }],
  ['expiresInSeconds', { expiresInSeconds: 0 }],
  ['expiresInSeconds', { expiresInSeconds: -1 }],
  ['expiresInSeconds', { expiresInSeconds: 1.5 }],
  ['expiresInSeconds', { expiresInSeconds: NaN }],
  ['expiresInSeconds', { expiresInSeconds: Infinity }],
  ['expiresInSeconds', { expiresInSeconds: '1h' }],
])('an option that is wrong is named, and the secret is not: %s', async (name, options) => {
  const made = createToken({ ...OPTIONS, ...options });
  const error: unknown = await made.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TypeError);
  const { message } = error as TypeError;
  expect(message).toMatch(new RegExp(`\\b${name}\\b`));
  expect(message).not.toContain(SECRET);
  if (typeof options['secret'] === 'string' && options['secret'] !== '')
    expect(message).not.toContain(options['secret']);
});

test('the entry for backends has no code of a server, a client or TinyBase in it', async () => {
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../../src/backend/index.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    metafile: true,
    write: false,
  });
  const folders = Object.keys(metafile.inputs).map((path) =>
    path.replace(/^(src\/\w+|node_modules\/\w+)\/.*/, '$1'),
  );
  expect([...new Set(folders)].toSorted()).toEqual([
    'node_modules/jose',
    'src/backend',
    'src/protocol',
  ]);
});
