import { generateKeyPairSync } from 'node:crypto';

import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import { TinyBasePartyKitError, type ErrorCode } from '../../../../src/protocol/errors.ts';
import type { StandardSchema } from '../../../../src/protocol/standard-schema.ts';
import {
  createEdgeGuard,
  defineAuth,
  type AccessDecision,
  type Auth,
  type AuthRequest,
  type Grant,
} from '../../../../src/server/features/auth/index.ts';
import { goodClaims, makeToken, SECRET, USER, type TokenParts } from '../../../support/tokens.ts';

const NOW = Date.UTC(2026, 10, 28);
const ENV = { AUTH_SECRET: SECRET };
const CONTEXT = { party: 'main', room: 'board', env: ENV, now: NOW };
const ZOD = z.object({ id: z.string(), name: z.string(), role: z.enum(['editor', 'viewer']) });
const VALIBOT = v.object({
  id: v.string(),
  name: v.string(),
  role: v.picklist(['editor', 'viewer']),
});
const ARKTYPE = type({ id: 'string', name: 'string', role: "'editor'|'viewer'" });

const auth = defineAuth({ secret: (env) => env['AUTH_SECRET'], user: ZOD });

const request = (
  query: Record<string, string> = {},
  headers: Record<string, string> = {},
): AuthRequest =>
  new Request(`http://localhost/parties/main/board?${String(new URLSearchParams(query))}`, {
    headers,
  });
const tokenAt = (parts: TokenParts = {}): string =>
  makeToken({ ...parts, claims: { ...goodClaims(NOW), ...parts.claims } });
const tokenWith = (more: string): string => tokenAt({ claims: { user: { id: 'u1', more } } });
const withRule = (decided: unknown): Auth<unknown, unknown> =>
  defineAuth({ secret: () => SECRET, user: ZOD, access: () => decided as AccessDecision });
const userIdOf = async (asked: AuthRequest): Promise<string> =>
  (await auth.verify(asked, CONTEXT)).userId;

/** Lets a token in, and gives what the user is granted. */
const admit = async <User>(
  token: string,
  gate: Auth<User, unknown>,
  context: Partial<typeof CONTEXT> = {},
): Promise<Grant<User>> => await gate.verify(request({ token }), { ...CONTEXT, ...context });

/** The error that refuses a token, checked for what belongs in no message. */
const refusal = async (
  token: string,
  gate: Auth<unknown, unknown> = auth,
  context: Partial<typeof CONTEXT> & { readonly env?: unknown } = {},
): Promise<TinyBasePartyKitError> => {
  const error: unknown = await gate
    .verify(request(token === '' ? {} : { token }), { ...CONTEXT, ...context })
    .catch((thrown: unknown) => thrown);
  if (!(error instanceof TinyBasePartyKitError)) throw new Error('The token was let in.');
  for (const secret of [SECRET, ...token.split('.'), 'file://', '    at ']) {
    if (secret.length > 3) expect(error.message).not.toContain(secret);
  }
  return error;
};
const refusalCode = async (...asked: Parameters<typeof refusal>): Promise<ErrorCode> =>
  (await refusal(...asked)).code;

describe('a token that is good', () => {
  test('[GATE-3] lets its user in, with access, times and id', async () => {
    expect(await admit(tokenAt(), auth)).toEqual({
      userId: 'u1',
      user: USER,
      access: 'write',
      issuedAt: NOW,
      expiresAt: NOW + 3_600_000,
    });
    expect(await admit(tokenAt({ claims: { access: 'read' } }), auth)).toMatchObject({
      access: 'read',
    });
  });

  test.each([
    ['board', 'board'],
    ['boa*', 'board'],
    ['board*', 'board'],
    ['*', 'board'],
    ['__proto__', '__proto__'],
    ['team a/ä', 'team a/ä'],
  ])('[GATE-3] for the room %s is good in %s', async (room, id) => {
    expect(await admit(tokenAt({ claims: { room } }), auth, { room: id })).toMatchObject({
      user: USER,
    });
  });

  test('[GATE-3] of 6 KB is good, if the schema keeps little of it', async () => {
    const token = tokenAt({ claims: { user: { ...USER, more: 'x'.repeat(4300) } } });
    expect(token.length).toBeGreaterThan(6000);
    expect(await admit(token, auth)).toMatchObject({ user: USER });
  });

  test('[GATE-3] may be some seconds ahead of the clock of the room, and end no second later', async () => {
    const seconds = NOW / 1000;
    const ahead = tokenAt({ claims: { nbf: seconds + 5, iat: seconds + 5 } });
    expect(await admit(ahead, auth)).toMatchObject({ user: USER });
    const ended = tokenAt({ claims: { exp: seconds } });
    expect(await refusalCode(ended)).toBe('expired');
    expect(await refusalCode(ended, auth, { now: NOW + 1 })).toBe('expired');
    expect(await admit(ended, auth, { now: NOW - 1 })).toMatchObject({ expiresAt: NOW });
  });
});

describe('a token that is not good here', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const [header = '', claims = '', signature = ''] = tokenAt().split('.');

  test.each<readonly [string, string]>([
    ['none', ''],
    ['garbage', 'garbage'],
    ['three empty parts', '..'],
    ['parts that are no JSON', 'a.b.c'],
    ['four parts', `${tokenAt()}.x`],
    ['five parts, as if encrypted', `${tokenAt()}.x.y`],
    ['another secret', tokenAt({ secret: `${SECRET}!` })],
    ['an empty secret', tokenAt({ secret: '' })],
    ['no signature', `${header}.${claims}.`],
    ['a signature cut short', `${header}.${claims}.${signature.slice(0, -2)}`],
    [
      'claims of another token',
      `${header}.${tokenAt({ claims: { sub: 'u2' } }).split('.')[1]}.${signature}`,
    ],
    ['alg none', tokenAt({ header: { alg: 'none' }, signature: '' })],
    ['alg none, signed', tokenAt({ header: { alg: 'none' } })],
    ['alg NONE', tokenAt({ header: { alg: 'NONE' }, signature: '' })],
    ['no alg', tokenAt({ header: { alg: undefined } })],
    ['HS384', tokenAt({ header: { alg: 'HS384' } })],
    ['RS256 in context of the secret', tokenAt({ privateKey })],
    ['no typ', tokenAt({ header: { typ: undefined } })],
    ['the typ of any JWT', tokenAt({ header: { typ: 'JWT' } })],
    ['the typ of an admin', tokenAt({ header: { typ: 'room-admin+jwt' } })],
    ['a typ that is no text', tokenAt({ header: { typ: ['room-user+jwt'] } })],
    ['a critical header that nobody knows', tokenAt({ header: { crit: ['x'], x: 1 } })],
    ['an unencoded payload', tokenAt({ header: { crit: ['b64'], b64: false } })],
    [
      'a key of its own',
      tokenAt({ header: { jwk: publicKey.export({ format: 'jwk' }) }, secret: 'x' }),
    ],
    ['no exp', tokenAt({ claims: { exp: undefined } })],
    ['an exp of null', tokenAt({ claims: { exp: null } })],
    ['an exp that is a text', tokenAt({ claims: { exp: '9999999999' } })],
    ['not yet valid', tokenAt({ claims: { nbf: NOW / 1000 + 60 } })],
    ['made in the future', tokenAt({ claims: { iat: NOW / 1000 + 60 } })],
    ['an iat that is a text', tokenAt({ claims: { iat: 'now' } })],
    ['no sub', tokenAt({ claims: { sub: undefined } })],
    ['an empty sub', tokenAt({ claims: { sub: '' } })],
    ['a sub that is no text', tokenAt({ claims: { sub: { id: 'u1' } } })],
    ['a sub that is too long', tokenAt({ claims: { sub: 'ä'.repeat(128) } })],
    ['no access', tokenAt({ claims: { access: undefined } })],
    ['an access that nobody knows', tokenAt({ claims: { access: 'admin' } })],
    ['an access from the prototype', tokenAt({ claims: { access: '__proto__' } })],
    ['no user', tokenAt({ claims: { user: undefined } })],
    [
      'the prototype as user',
      tokenAt({ claims: { user: JSON.parse('{"__proto__": {"id": "u1"}}') } }),
    ],
    ['over 8 KB', tokenAt({ claims: { user: { ...USER, more: 'x'.repeat(6000) } } })],
  ])('[GATE-3] %s: unauthorized', async (_what, token) => {
    expect(await refusalCode(token)).toBe('unauthorized');
  });

  test.each<readonly [string, Record<string, unknown>]>([
    ['another room', { room: 'other' }],
    ['a room that begins like it', { room: 'boar' }],
    ['a longer room', { room: 'board2' }],
    ['another prefix', { room: 'other*' }],
    ['a pattern with the star elsewhere', { room: '*board' }],
    ['a pattern with two stars', { room: 'b**' }],
    ['no room', { room: undefined }],
    ['a list of rooms', { room: ['board'] }],
    ['an empty room', { room: '' }],
    ['__proto__ as room', { room: '__proto__' }],
    ['another party', { aud: 'other' }],
    ['a list of parties', { aud: ['main'] }],
    ['no party', { aud: undefined }],
    ['__proto__ as party', { aud: '__proto__' }],
  ])('[GATE-3] for %s: forbidden', async (_what, claimed) => {
    expect(await refusalCode(tokenAt({ claims: claimed }))).toBe('forbidden');
    expect(await refusalCode(tokenAt(), auth, { room: '__proto__' })).toBe('forbidden');
  });

  test('[GATE-3] over 8 KB is not even read: its signature is right', async () => {
    const large = z.looseObject({ id: z.string() }).transform(({ id }) => ({ id }));
    const gate = defineAuth({ secret: () => SECRET, user: large });
    const least = tokenWith('').length;
    const fitting = tokenWith('x'.repeat(Math.floor(((8192 - least) * 3) / 4) - 2));
    expect(fitting.length).toBeGreaterThan(8180);
    expect(await admit(fitting, gate)).toMatchObject({ user: { id: 'u1' } });
    expect((await refusal(`${fitting}${'x'.repeat(8193 - fitting.length)}`, gate)).message).toBe(
      'The token is over the limit of 8192 bytes: put less into it.',
    );
  });

  test.each<readonly [string, string | Buffer]>([
    ['the PEM of the public key', pem],
    ['the DER of the public key', publicKey.export({ type: 'spki', format: 'der' })],
  ])('[GATE-3] signed by HS256 with %s is no key confusion', async (_what, secret) => {
    const gate = defineAuth({
      jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1' }] },
      issuer: 'https://issuer.example',
      audience: 'app',
      user: z.object({ sub: z.string() }),
      access: () => 'write',
    });
    const claimsOfProvider = { iss: 'https://issuer.example', aud: 'app' };
    const forged = tokenAt({ header: { kid: 'k1' }, claims: claimsOfProvider, secret });
    expect(await refusalCode(forged, gate)).toBe('unauthorized');
    const right = tokenAt({ header: { kid: 'k1' }, claims: claimsOfProvider, privateKey });
    expect(await admit(right, gate)).toMatchObject({ user: { sub: 'u1' } });
  });
});

describe('the schema of the user', () => {
  const asyncSchema = ZOD.refine(async ({ name }) => Promise.resolve(name !== 'Eve'));
  test.each<readonly [string, StandardSchema<{ id: string }, unknown>]>([
    ['zod', ZOD],
    ['zod, asynchronous', asyncSchema],
    ['valibot', VALIBOT],
    ['arktype', ARKTYPE],
  ])('[GATE-3] of %s decides, and its words are not passed on', async (_library, user) => {
    const gate = defineAuth({ secret: () => SECRET, user });
    expect(await admit(tokenAt(), gate)).toMatchObject({ user: USER });
    const wrong = tokenAt({ claims: { user: { ...USER, role: 'the queen' } } });
    const { code, message } = await refusal(wrong, gate);
    expect({ code, message }).toEqual({
      code: 'unauthorized',
      message: 'The user of the token does not fit the schema of the room: look at role.',
    });
  });

  test('[GATE-3] may take its time', async () => {
    const gate = defineAuth({ secret: () => SECRET, user: asyncSchema });
    const eve = tokenAt({ claims: { user: { ...USER, name: 'Eve' } } });
    expect(await refusalCode(eve, gate)).toBe('unauthorized');
  });

  test('its output is the user', async () => {
    const user = ZOD.transform(({ id, name }) => ({ key: id, shown: name.toUpperCase() }));
    const { user: shown } = await admit(tokenAt(), defineAuth({ secret: () => SECRET, user }));
    expect(shown).toEqual({ key: 'u1', shown: 'ADA' });
  });

  test('[GATE-6] may let through 512 bytes of JSON', async () => {
    const user = z.object({ id: z.string(), more: z.string() });
    const gate = defineAuth({ secret: () => SECRET, user });
    const length = 512 - JSON.stringify({ id: 'u1', more: '' }).length;
    expect(await admit(tokenWith('x'.repeat(length)), gate)).toMatchObject({ userId: 'u1' });
    expect(await refusalCode(tokenWith('x'.repeat(length + 1)), gate)).toBe('too-large');
    expect(await refusalCode(tokenWith('ä'.repeat(length / 2 + 1)), gate)).toBe('too-large');
  });

  test.each<readonly [string, () => unknown]>([
    ['a Date', () => new Date(NOW)],
    ['a Map', () => new Map()],
    ['a function', () => () => undefined],
    ['a bigint', () => 1n],
    ['no number', () => NaN],
    ['an object of a class', () => ({ at: [new URL('http://localhost')] })],
    ['nothing', () => undefined],
  ])('[GATE-6] may not give %s: it would not outlive sleep', async (_what, make) => {
    const gate = defineAuth({ secret: () => SECRET, user: ZOD.transform(make) });
    const { code, cause } = await refusal(tokenAt(), gate);
    expect(code).toBe('failed');
    expect(String(cause)).toContain('is not JSON');
  });

  test('that throws is a failure of the room, whose words stay there', async () => {
    const cause = new Error('The database speaks.');
    const user = ZOD.transform(() => {
      throw cause;
    });
    const error = await refusal(tokenAt(), defineAuth({ secret: () => SECRET, user }));
    expect(error).toMatchObject({ code: 'failed', cause });
    expect(error.message).not.toContain('database');
  });
});

describe('the secret', () => {
  test.each([
    ['missing', undefined],
    ['null', null],
    ['empty', ''],
    ['of 31 bytes', 'x'.repeat(31)],
    ['a number', Number.MAX_VALUE],
    ['bytes', new Uint8Array(64)],
    ['an object', { length: 64 }],
  ])(
    '[GATE-3] %s: nobody comes in, not even with a token that it signed',
    async (_what, secret) => {
      const gate = defineAuth({ secret: () => secret, user: ZOD });
      const bytes = typeof secret === 'string' ? secret : new Uint8Array(64);
      const { code, cause } = await refusal(tokenAt({ secret: Buffer.from(bytes) }), gate);
      expect(code).toBe('failed');
      expect(String(cause)).toContain('at least 32 bytes');
      if (typeof secret === 'string' && secret !== '') expect(String(cause)).not.toContain(secret);
    },
  );

  test('[GATE-3] of 32 bytes will do', async () => {
    for (const secret of ['x'.repeat(32), 'ä'.repeat(16)]) {
      const gate = defineAuth({ secret: () => secret, user: ZOD });
      expect(await admit(tokenAt({ secret }), gate)).toMatchObject({ user: USER });
    }
  });

  test('that cannot be read is a failure of the room', async () => {
    const gate = defineAuth({
      secret: () => {
        throw new Error('no binding');
      },
      user: ZOD,
    });
    expect(await refusalCode(tokenAt(), gate)).toBe('failed');
  });
});

describe('the access rule', () => {
  test.each([
    ['write', 'write', 'write'],
    ['write', 'read', 'read'],
    ['read', 'write', 'read'],
    ['read', 'read', 'read'],
  ])('narrows what the token says: %s and %s make %s', async (claimed, decided, access) => {
    const token = tokenAt({ claims: { access: claimed } });
    expect(await admit(token, withRule(decided))).toMatchObject({ access });
    expect(await admit(token, withRule(Promise.resolve(decided)))).toMatchObject({ access });
  });

  test('keeps out by none, and by whatever it throws', async () => {
    expect(await refusalCode(tokenAt(), withRule('none'))).toBe('forbidden');
    for (const decided of [undefined, null, true, 'admin', '__proto__', {}])
      expect(await refusalCode(tokenAt(), withRule(decided))).toBe('failed');
    const down = defineAuth({
      secret: () => SECRET,
      user: ZOD,
      access: async () => Promise.reject(new TinyBasePartyKitError('unavailable', 'Down.')),
    });
    expect(await refusalCode(tokenAt(), down)).toBe('unavailable');
  });

  test('may throw an error that no client understands: the room has failed', async () => {
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const unknown = new TinyBasePartyKitError('banned' as never, 'You are banned.');
    for (const thrown of [unknown, Object.assign(unknown, { message: 1n }), revoked.proxy]) {
      const rule = (): never => {
        throw thrown as Error;
      };
      const gate = defineAuth({ secret: () => SECRET, user: ZOD, access: rule });
      const { code, cause } = await refusal(tokenAt(), gate);
      expect([code, cause === thrown]).toEqual(['failed', true]);
    }
  });

  test('is told the user, the room and the environment', async () => {
    const asked: unknown[] = [];
    const gate = defineAuth({
      secret: () => SECRET,
      user: ZOD,
      access: (...told) => {
        asked.push(told);
        return 'read';
      },
    });
    await admit(tokenAt({ claims: { room: '*' } }), gate, { room: 'some' });
    expect(asked).toEqual([[USER, 'some', ENV]]);
  });

  test('is not asked for a token that is not good', async () => {
    const gate = defineAuth({
      secret: () => SECRET,
      user: ZOD,
      access: () => {
        throw new Error('It was asked.');
      },
    });
    expect(await refusalCode(tokenAt({ secret: 'x' }), gate)).toBe('unauthorized');
    expect(await refusalCode(tokenAt({ claims: { room: 'x' } }), gate)).toBe('forbidden');
  });
});

describe('a request', () => {
  test('[GATE-2] brings its token in a header, or in the query', async () => {
    const token = tokenAt();
    expect(await userIdOf(request({ token }))).toBe('u1');
    expect(await userIdOf(request({}, { Authorization: `Bearer ${token}` }))).toBe('u1');
    expect(await userIdOf(request({}, { Authorization: `bearer  ${token}` }))).toBe('u1');
    // A proxy may have a header of its own.
    expect(await userIdOf(request({ token }, { Authorization: 'Basic eDp5' }))).toBe('u1');
    const other = { Authorization: `Bearer ${tokenAt({ claims: { sub: 'u2' } })}` };
    expect(await userIdOf(request({ token }, other))).toBe('u2');
    await expect(userIdOf(request({ token }, { Authorization: 'Bearer x' }))).rejects.toMatchObject(
      {
        code: 'unauthorized',
      },
    );
  });

  test('has the token in the parameter that the app names', async () => {
    const gate = defineAuth({ secret: () => SECRET, user: ZOD, parameter: 'key' });
    const named = request({ key: tokenAt() });
    expect(await gate.verify(named, CONTEXT)).toMatchObject({ userId: 'u1' });
    const { message } = await refusal(tokenAt(), gate);
    expect(message).toContain('"key"');
  });

  test('[GATE-10] of another origin is refused, whatever its token', async () => {
    const gate = defineAuth({
      secret: () => SECRET,
      user: ZOD,
      origins: ['https://app.example', 'http://localhost:1999'],
    });
    const from = async (origin?: string): Promise<unknown> =>
      gate
        .verify(
          request({ token: tokenAt() }, origin === undefined ? {} : { Origin: origin }),
          CONTEXT,
        )
        .then(
          () => 'in',
          ({ code }: TinyBasePartyKitError) => code,
        );
    expect(await from('https://app.example')).toBe('in');
    expect(await from('http://localhost:1999')).toBe('in');
    expect(await from()).toBe('in');
    for (const origin of [
      'null',
      '',
      'http://app.example',
      'https://app.example.evil',
      'https://evil-app.example',
      'https://app.example:444',
      '__proto__',
    ])
      expect(await from(origin)).toBe('forbidden');
  });
});

describe('options that are wrong are named at once', () => {
  const keySet = {
    jwks: 'https://issuer.example/jwks',
    issuer: 'https://issuer.example',
    audience: 'app',
    user: ZOD,
    access: () => 'write',
  };
  test.each<readonly [string, Record<string, unknown>]>([
    ['user', { secret: () => SECRET }],
    ['user', { secret: () => SECRET, user: {} }],
    ['secret', { user: ZOD }],
    ['secret', { user: ZOD, secret: SECRET }],
    ['secret', { ...keySet, secret: () => SECRET }],
    ['access', { ...keySet, access: undefined }],
    ['access', { ...keySet, access: 'write' }],
    ['issuer', { ...keySet, issuer: undefined }],
    ['issuer', { ...keySet, issuer: '' }],
    ['audience', { ...keySet, audience: undefined }],
    ['audience', { ...keySet, audience: '' }],
    ['audience', { ...keySet, audience: [] }],
    ['parameter', { user: ZOD, secret: () => SECRET, parameter: '' }],
    ['origins', { user: ZOD, secret: () => SECRET, origins: [] }],
    ['origins', { user: ZOD, secret: () => SECRET, origins: 'https://app.example' }],
    ['origins', { user: ZOD, secret: () => SECRET, origins: ['https://app.example/'] }],
    ['origins', { user: ZOD, secret: () => SECRET, origins: ['app.example'] }],
    ['origins', { user: ZOD, secret: () => SECRET, origins: ['*'] }],
    ['origins', { user: ZOD, secret: () => SECRET, origins: null }],
    ['jwks', { ...keySet, jwks: 'no URL' }],
    ['jwks', { ...keySet, jwks: 5 }],
    ['jwks', { ...keySet, jwks: {} }],
    ['access', { user: ZOD, secret: () => SECRET, access: null }],
    ['options', null as never],
    ['options', undefined as never],
    ['options', 5 as never],
  ])('%s', (name, options) => {
    const define = defineAuth as (given: unknown) => unknown;
    expect(() => define(options)).toThrow(new RegExp(`^defineAuth .*\\b${name}\\b`));
    expect(() => define(options)).toThrow(TypeError);
  });

  // With a wrong name, a rule would silently not hold, and more people would get in.
  test.each<readonly [string, Record<string, unknown>]>([
    ['"orgins"', { user: ZOD, secret: () => SECRET, orgins: ['https://app.example'] }],
    [
      '"Access" (did you mean "access"?)',
      { user: ZOD, secret: () => SECRET, Access: () => 'read' },
    ],
    ['"issuer"', { user: ZOD, secret: () => SECRET, issuer: 'https://issuer.example' }],
    ['"audience"', { user: ZOD, secret: () => SECRET, audience: 'app' }],
    ['"expiresIn"', { ...keySet, expiresIn: 5 }],
  ])('an option that does not exist, or not for these tokens: %s', (name, options) => {
    const define = defineAuth as (given: unknown) => unknown;
    expect(() => define(options)).toThrow(TypeError);
    expect(() => define(options)).toThrow(name);
  });

  test('an option that is undefined is left out', () => {
    const left = { issuer: undefined, audience: undefined, access: undefined, origins: undefined };
    const define = defineAuth as (given: unknown) => unknown;
    expect(() => define({ user: ZOD, secret: () => SECRET, ...left })).not.toThrow();
  });

  test.each([
    ['no rules', [undefined]],
    ['no object', [auth, null]],
    ['party', [auth, { party: '' }]],
    ['messagePrefix', [auth, { messagePrefix: 5 }]],
    ['onError', [auth, { onError: 'log' }]],
    ['"prefix"', [auth, { prefix: 'x' }]],
  ])('of createEdgeGuard: %s', (name, parameters) => {
    const create = createEdgeGuard as (...given: readonly unknown[]) => unknown;
    expect(() => create(...parameters)).toThrow(TypeError);
    expect(() => create(...parameters)).toThrow(name);
  });
});
