import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { createRemoteJWKSet } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';

import { TinyBasePartyKitError } from '../../../../src/protocol/errors.ts';
import {
  defineAuth,
  type Auth,
  type KeySetAuthOptions,
} from '../../../../src/server/features/auth/index.ts';
import { ISSUER, ProviderKeys } from '../../../support/provider-keys.ts';
import { makeToken } from '../../../support/tokens.ts';

const USER = z.object({ sub: z.string(), email: z.string() });
type Jwks = KeySetAuthOptions<unknown, unknown>['jwks'];

const first = new ProviderKeys('first');
const second = new ProviderKeys('second');

/** A provider: what it answers, and how often it was asked. */
let server: Server;
let answer: { status: number; body: string };
let asked: number;
let url: URL;
const publish = (...keys: readonly ProviderKeys[]): void => {
  answer = { status: 200, body: JSON.stringify({ keys: keys.map(({ published }) => published) }) };
};
beforeEach(async () => {
  asked = 0;
  publish(first);
  server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(answer.body);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`);
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const gateOf = (
  jwks: Jwks,
  options: Partial<KeySetAuthOptions<z.infer<typeof USER>, unknown>> = {},
): Auth<unknown, unknown> =>
  defineAuth({
    jwks,
    issuer: ISSUER,
    audience: 'app',
    user: USER,
    access: () => 'write',
    ...options,
  });

const onlyAdaOnBoard = (user: { email: string }, room: string): 'read' | 'none' =>
  user.email === 'ada@example.com' && room === 'board' ? 'read' : 'none';

/** `in`, or the code that refuses. */
const enter = async (gate: Auth<unknown, unknown>, token: string): Promise<string> => {
  const request = new Request(`http://localhost/parties/main/board?token=${token}`);
  const context = { party: 'main', room: 'board', env: {}, now: Date.now() };
  try {
    await gate.verify(request, context);
    return 'in';
  } catch (error) {
    if (!(error instanceof TinyBasePartyKitError)) throw error;
    for (const part of token.split('.').filter((text) => text !== ''))
      expect(error.message).not.toContain(part);
    expect(error.message).not.toContain(String(url));
    return error.code;
  }
};

test('a key set may be a URL, its text, the set itself, or a function', async () => {
  const set = { keys: [first.published] } as unknown as Jwks;
  for (const jwks of [url, String(url), set, createRemoteJWKSet(url)])
    expect(await enter(gateOf(jwks), first.token())).toBe('in');
});

test('the claims are what the schema gets, and the rule decides by room', async () => {
  const gate = gateOf(url, { access: onlyAdaOnBoard });
  const request = new Request(`http://localhost/?token=${first.token()}`);
  const context = { party: 'main', room: 'board', env: {}, now: Date.now() };
  expect(await gate.verify(request, context)).toMatchObject({
    userId: 'u1',
    user: { sub: 'u1', email: 'ada@example.com' },
    access: 'read',
  });
  await expect(gate.verify(request, { ...context, room: 'other' })).rejects.toMatchObject({
    code: 'forbidden',
  });
  expect(await enter(gate, first.token({ email: 'eve@example.com' }))).toBe('forbidden');
});

test.each<readonly [string, () => string]>([
  ['another issuer', () => first.token({ iss: 'https://evil.example' })],
  ['no issuer', () => first.token({ iss: undefined })],
  ['another audience', () => first.token({ aud: 'other' })],
  ['no audience', () => first.token({ aud: undefined })],
  ['no exp', () => first.token({ exp: undefined })],
  ['no sub', () => first.token({ sub: undefined })],
  ['another schema', () => first.token({ email: 5 })],
  ['a key that the set does not have', () => second.token()],
  ['the name of a key of the set', () => second.token({}, { kid: 'first' })],
  ['alg none', () => first.token({}, { kid: 'first', alg: 'none' })],
  ['HS256', () => makeToken({ header: { kid: 'first' }, claims: { iss: ISSUER, aud: 'app' } })],
  ['an algorithm that is not of its key', () => first.token({}, { kid: 'first', alg: 'PS256' })],
])('[GATE-3] a token of a provider with %s: unauthorized', async (_what, token) => {
  expect(await enter(gateOf(url), token())).toBe('unauthorized');
});

test('[GATE-3] one of several audiences will do, and null asks for none', async () => {
  expect(await enter(gateOf(url, { audience: ['x', 'app'] }), first.token())).toBe('in');
  expect(await enter(gateOf(url), first.token({ aud: ['x', 'app'] }))).toBe('in');
  const without = gateOf(url, { audience: null });
  expect(await enter(without, first.token({ aud: undefined }))).toBe('in');
  expect(await enter(without, first.token({ iss: 'https://evil.example' }))).toBe('unauthorized');
});

test('[GATE-3] a key function that gives a secret does not make HS256 good', async () => {
  const secret = 'a secret of more than thirty-two bytes';
  const gate = gateOf(() => new TextEncoder().encode(secret));
  const token = makeToken({ claims: { iss: ISSUER, aud: 'app', email: 'x' }, secret });
  expect(await enter(gate, token)).toBe('unauthorized');
  expect(await enter(gate, first.token())).toBe('failed');
});

test('[GATE-11] keys that cannot be fetched are unavailable, and are fetched again', async () => {
  const gate = gateOf(url);
  vi.useFakeTimers({ now: Date.now(), toFake: ['Date'] });
  try {
    for (const failure of [
      { status: 500, body: 'down' },
      { status: 302, body: '' },
      ...['<html>', '{}', '{"keys": 1}', 'null'].map((body) => ({ status: 200, body })),
    ]) {
      answer = failure;
      expect(await enter(gate, first.token())).toBe('unavailable');
      vi.setSystemTime(Date.now() + 501);
    }
    expect(asked).toBe(6);
    publish(first);
    expect(await enter(gate, first.token())).toBe('in');
  } finally {
    vi.useRealTimers();
  }
});

test('[GATE-11] a provider that fails is asked every 500 ms at most, however many tokens come', async () => {
  const gate = gateOf(url);
  answer = { status: 500, body: 'down' };
  vi.useFakeTimers({ now: Date.now(), toFake: ['Date'] });
  try {
    for (const count of [1, 2]) {
      for (const kid of ['first', 'a', 'b'])
        expect(await enter(gate, first.token({}, { kid }))).toBe('unavailable');
      expect(asked).toBe(count);
      vi.setSystemTime(Date.now() + 501);
    }
    // A clock that is set back delays nothing.
    publish(first);
    vi.setSystemTime(Date.now() - 3_600_000);
    expect(await enter(gate, first.token())).toBe('in');
  } finally {
    vi.useRealTimers();
  }
});

const pass = (minutes: number): void => void vi.setSystemTime(Date.now() + minutes * 60_000);

test('[GATE-11] keys that cannot be fetched again are used for an hour, and the log is told once', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const gate = gateOf(new URL('?key=secret', url));
  vi.useFakeTimers({ now: Date.now(), toFake: ['Date'] });
  try {
    expect(await enter(gate, first.token({ exp: 9_999_999_999 }))).toBe('in');
    answer = { status: 500, body: 'down' };
    for (const minutes of [11, 40]) {
      pass(minutes);
      for (const sub of ['u1', 'u2'])
        expect(await enter(gate, first.token({ sub, exp: 9_999_999_999 }))).toBe('in');
      expect(await enter(gate, second.token({ exp: 9_999_999_999 }))).toBe('unavailable');
    }
    expect(asked).toBe(3);
    expect(warn.mock.calls).toEqual([[expect.stringContaining(url.href), expect.any(Error)]]);
    expect(String(warn.mock.calls)).not.toContain('secret');
    pass(10);
    expect(await enter(gate, first.token({ exp: 9_999_999_999 }))).toBe('unavailable');
    pass(1);
    publish(second);
    expect(await enter(gate, second.token({ exp: 9_999_999_999 }))).toBe('in');
    // What was rotated away meanwhile is good no more.
    expect(await enter(gate, first.token({ exp: 9_999_999_999 }))).toBe('unauthorized');
  } finally {
    vi.useRealTimers();
    warn.mockRestore();
  }
});

test('[GATE-11] while known keys are fetched again, nobody else waits for a provider that does not answer', async () => {
  const gate = gateOf(url);
  expect(await enter(gate, first.token())).toBe('in');
  publish(second);
  let end: (() => void) | undefined;
  server.prependListener('request', (_request, response) => {
    const write = response.end.bind(response);
    response.end = ((body: string) => {
      end = () => void write(body);
      return response;
    }) as typeof response.end;
  });
  vi.useFakeTimers({ now: Date.now() + 11 * 60_000, toFake: ['Date'] });
  try {
    const one = enter(gate, first.token({ exp: 9_999_999_999 }));
    await vi.waitFor(() => expect(asked).toBe(2));
    const pause = new Promise((resolve) => {
      setTimeout(resolve, 2_000, 'waits');
    });
    const other = enter(gate, first.token({ sub: 'u2', exp: 9_999_999_999 }));
    expect(await Promise.race([other, pause])).toBe('in');
    // Who has a new key waits for it.
    const late = enter(gate, second.token({ exp: 9_999_999_999 }));
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    end?.();
    expect(await late).toBe('in');
    expect(await one).toBe('unauthorized');
    expect(asked).toBe(2);
  } finally {
    vi.useRealTimers();
  }
});

test('[GATE-11] a clock that is set back hides no new key, and keeps none that was withdrawn', async () => {
  const gate = gateOf(url);
  expect(await enter(gate, first.token())).toBe('in');
  publish(second);
  vi.useFakeTimers({ now: Date.now() - 24 * 3_600_000, toFake: ['Date'] });
  try {
    expect(await enter(gate, first.token({ exp: 9_999_999_999 }))).toBe('unauthorized');
    expect(await enter(gate, second.token({ exp: 9_999_999_999 }))).toBe('in');
  } finally {
    vi.useRealTimers();
  }
});

test('[GATE-11] a provider that is gone is unavailable; keys that were fetched stay good', async () => {
  const known = gateOf(url);
  expect(await enter(known, first.token())).toBe('in');
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  expect(await enter(gateOf(url), first.token())).toBe('unavailable');
  expect(await enter(known, first.token())).toBe('in');
});

test('[GATE-11] a key function that fails is unavailable, whatever it says', async () => {
  for (const error of [
    new Error('down'),
    Object.assign(new Error('x'), { code: 'ECONNREFUSED' }),
  ]) {
    const gate = gateOf(() => {
      throw error;
    });
    expect(await enter(gate, first.token())).toBe('unavailable');
  }
});

test('[GATE-11] a token that no key could make good asks for no key', async () => {
  const gate = gateOf(url);
  expect(await enter(gate, first.token({}, { alg: 'none' }))).toBe('unauthorized');
  expect(await enter(gate, 'garbage')).toBe('unauthorized');
  expect(await enter(gate, '')).toBe('unauthorized');
  expect(asked).toBe(0);
});

test('[GATE-11] keys are fetched once for all, and again for a key that is new', async () => {
  const keys = createRemoteJWKSet(url, { cooldownDuration: 0 });
  const gate = gateOf(keys);
  const tokens = [first.token(), first.token({ sub: 'u2' }), first.token()];
  expect(await Promise.all(tokens.map((token) => enter(gate, token)))).toEqual(['in', 'in', 'in']);
  expect(asked).toBe(1);
  publish(second);
  expect(await enter(gate, second.token())).toBe('in');
  expect(asked).toBe(2);
  // What was rotated away is good no more.
  expect(await enter(gate, first.token())).toBe('unauthorized');
});

test('[GATE-11] tokens that name unknown keys do not flood the provider', async () => {
  const gate = gateOf(url);
  expect(await enter(gate, first.token())).toBe('in');
  for (const kid of ['a', 'b', 'c', '__proto__'])
    expect(await enter(gate, first.token({}, { kid }))).toBe('unauthorized');
  expect(asked).toBe(1);
});

test('[GATE-11] tokens that name unknown keys do not flood a provider that fails either', async () => {
  const gate = gateOf(url);
  expect(await enter(gate, first.token())).toBe('in');
  answer = { status: 500, body: 'down' };
  vi.useFakeTimers({ now: Date.now() + 5_001, toFake: ['Date'] });
  try {
    for (const kid of ['a', 'b', 'c'])
      expect(await enter(gate, first.token({}, { kid }))).toBe('unavailable');
    expect(asked).toBe(2);
    expect(await enter(gate, first.token())).toBe('in');
    publish(second);
    vi.setSystemTime(Date.now() + 5_001);
    expect(await enter(gate, second.token())).toBe('in');
    expect(asked).toBe(3);
  } finally {
    vi.useRealTimers();
  }
});

describe('on Cloudflare, where no request may wait for the promise of another', () => {
  beforeEach(() => void vi.stubGlobal('WebSocketPair', () => undefined));
  afterEach(() => void vi.unstubAllGlobals());

  test('[GATE-11] keys are fetched once for all who come at once', async () => {
    const gate = gateOf(url);
    const tokens = Array.from({ length: 20 }, (_, index) => first.token({ sub: `u${index}` }));
    expect(await Promise.all(tokens.map((token) => enter(gate, token)))).toEqual(
      tokens.map(() => 'in'),
    );
    expect(asked).toBe(1);
  });

  test('[GATE-11] many tokens with unknown keys ask once, and a new key is known soon', async () => {
    const gate = gateOf(url);
    expect(await enter(gate, first.token())).toBe('in');
    publish(second);
    vi.useFakeTimers({ now: Date.now() + 5_001, toFake: ['Date'] });
    try {
      const strangers = Array.from({ length: 20 }, (_, kid) => first.token({}, { kid: `${kid}` }));
      const answers = [...strangers, second.token()].map((token) => enter(gate, token));
      expect(await Promise.all(answers)).toEqual([...strangers.map(() => 'unauthorized'), 'in']);
      expect(asked).toBe(2);
      for (const token of strangers) expect(await enter(gate, token)).toBe('unauthorized');
      expect(asked).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });

  test('[GATE-11] all who wait for a fetch that fails are told so, and the next one asks again', async () => {
    const gate = gateOf(url);
    answer = { status: 500, body: 'down' };
    const tokens = [first.token(), first.token(), first.token()];
    expect(await Promise.all(tokens.map((token) => enter(gate, token)))).toEqual(
      tokens.map(() => 'unavailable'),
    );
    expect(asked).toBe(1);
    publish(first);
    vi.useFakeTimers({ now: Date.now() + 501, toFake: ['Date'] });
    try {
      expect(await enter(gate, first.token())).toBe('in');
    } finally {
      vi.useRealTimers();
    }
  });

  test('[GATE-11] a fetch whose request is gone holds up the others for some seconds alone', async () => {
    const gate = gateOf(url);
    const real = globalThis.fetch;
    vi.stubGlobal('fetch', () => new Promise(() => undefined));
    void enter(gate, first.token());
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    vi.stubGlobal('fetch', real);
    vi.useFakeTimers({ now: Date.now(), toFake: ['Date'] });
    try {
      const entered = enter(gate, first.token());
      vi.setSystemTime(Date.now() + 6_001);
      expect(await entered).toBe('in');
      expect(asked).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });
});

test('[GATE-3] a token without kid is good where the set has one key, and not where it has two', async () => {
  const anonymous = first.token({}, {});
  expect(await enter(gateOf(url), anonymous)).toBe('in');
  publish(first, second);
  expect(await enter(gateOf(url), anonymous)).toBe('unauthorized');
});
