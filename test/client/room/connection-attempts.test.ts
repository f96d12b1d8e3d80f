import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';

import { TinyBasePartyKitError } from '../../../src/protocol/errors.ts';
import {
  createConnectionAttempts,
  type ConnectionAttempts,
  type Owner,
  type QueryParameters,
  type ReconnectTimeout,
} from '../../../src/client/room/connection-attempts.ts';
import { lifeOf } from '../../../src/client/room/token-lifetime.ts';
import { Deferred } from '../../support/deferred.ts';
import { ManualTime } from '../../support/manual-time.ts';
import { makeToken } from '../../support/tokens.ts';

/** Answers of the app's function: a token, a promise of one, or something to throw. */
type Answer = string | Promise<string> | { readonly thrown: unknown };

interface World {
  readonly time: ManualTime;
  readonly attempts: ConnectionAttempts;
  /** The number of times that the app was asked. */
  readonly asked: () => number;
  readonly answers: Answer[];
  readonly errors: unknown[];
  readonly stops: TinyBasePartyKitError[];
  /** The number of reconnects by the client itself. */
  readonly reconnects: () => number;
  /** One attempt of PartySocket: asks for the query, and returns it as soon as it is there. */
  readonly attempt: () => { query: QueryParameters | undefined };
  readonly open: () => void;
  readonly lose: () => void;
}

function makeWorld({
  timeout,
  random = 0,
  owner = {},
}: {
  readonly timeout?: ReconnectTimeout;
  readonly random?: number;
  readonly owner?: Owner;
} = {}): World {
  const time = new ManualTime();
  const answers: Answer[] = [];
  const errors: unknown[] = [];
  const stops: TinyBasePartyKitError[] = [];
  let asked = 0;
  let reconnects = 0;
  let isOpen = false;
  const lose = (): void => {
    isOpen = false;
    attempts.closed();
  };
  const attempts = createConnectionAttempts(
    {
      after: time.after,
      now: () => time.now,
      random: () => random,
      ask: async () => {
        asked++;
        const given = answers.shift() ?? `token ${asked}`;
        if (typeof given !== 'string' && 'thrown' in given) throw given.thrown;
        const answer = await given;
        return { parameters: { token: answer }, token: answer };
      },
      owner,
      socket: {
        isOpen: () => isOpen,
        isWanted: () => true,
        reconnect: () => {
          reconnects++;
          lose();
        },
        stop: (error) => {
          stops.push(error);
          lose();
        },
      },
      onError: (error) => errors.push(error),
    },
    timeout,
  );
  return {
    time,
    attempts,
    asked: () => asked,
    answers,
    errors,
    stops,
    reconnects: () => reconnects,
    attempt: () => {
      const attempt: { query: QueryParameters | undefined } = { query: undefined };
      attempts.query().then(
        (query) => (attempt.query = query),
        () => undefined,
      );
      return attempt;
    },
    open: () => {
      isOpen = true;
      attempts.opened();
    },
    lose,
  };
}

const tokenOf = (sub: unknown): string => makeToken({ claims: { sub } });

/** Measures the milliseconds until an attempt has its query. */
async function waitOf({ time, attempt }: World): Promise<number> {
  const made = attempt();
  const start = time.now;
  await turn();
  time.pass(0);
  await turn();
  while (made.query === undefined && time.now - start < 2 ** 32) {
    time.pass(250);
    await turn();
  }
  return time.now - start;
}

/** Fails that many attempts, and returns how long each waited. */
async function waitsOf(world: World, count: number): Promise<readonly number[]> {
  const waits: number[] = [];
  for (let index = 0; index < count; index++) {
    waits.push(await waitOf(world));
    world.lose();
  }
  return waits;
}

describe('one token for each attempt', () => {
  test('[CLIENT-2] all who ask during an attempt get one token, and the next attempt another', async () => {
    const world = makeWorld();
    const [first, second] = [world.attempt(), world.attempt()];
    await turn();
    const third = world.attempt();
    await turn();
    expect([first, second, third].map(({ query }) => query?.['token'])).toEqual(
      Array(3).fill('token 1'),
    );
    world.open();
    await turn();
    expect(world.asked()).toBe(1);

    world.lose();
    const after = world.attempt();
    await turn();
    world.time.pass(0);
    await turn();
    expect([after.query, world.asked()]).toEqual([{ token: 'token 2' }, 2]);
  });

  test('[CLIENT-2] after a token has expired, the next attempt is immediate, with another', async () => {
    const world = makeWorld({ timeout: 60_000 });
    world.attempt();
    await turn();
    world.open();
    world.attempts.expired();
    world.lose();
    const next = world.attempt();
    await turn();
    expect(next.query).toEqual({ token: 'token 2' });
    world.lose();
    expect(await waitOf(world)).toBe(60_000);
    // Also after an attempt that waited.
    world.open();
    world.attempts.expired();
    world.lose();
    expect(await waitOf(world)).toBe(0);
  });

  test('[CLIENT-2] a room that ends one connection after the other as expired is asked ever more slowly', async () => {
    const world = makeWorld();
    await waitOf(world);
    const waits: number[] = [];
    for (let round = 0; round < 8; round++) {
      world.open();
      world.attempts.expired();
      world.lose();
      waits.push(await waitOf(world));
    }
    expect(waits).toEqual([0, 0, 0, 1000, 0, 2000, 0, 4000]);
    // One that lasted ends as always.
    world.open();
    world.time.pass(5_000);
    world.attempts.expired();
    world.lose();
    expect(await waitOf(world)).toBe(0);
  });

  test('[CLIENT-2] an app that does not answer is reported, and asked again after 30 s and a pause', async () => {
    const world = makeWorld();
    const never = new Promise<string>(() => undefined);
    world.answers.push(never, never);
    // The pause of 0 ends with the next step of the clock.
    expect(await waitOf(world)).toBe(30_000 + 250 + 30_000 + 1000);
    expect(world.asked()).toBe(3);
    const slow = /^network: The function "token" or "query" has not answered for 9 seconds/;
    const again = /^network: The function "token" or "query" failed \(no answer for 30 s\)/;
    expect(
      world.errors.map((error) => {
        const { code, message } = error as TinyBasePartyKitError;
        return `${code}: ${message}`;
      }),
    ).toEqual([slow, again, slow, again].map((text) => expect.stringMatching(text) as unknown));
    expect(world.time.pending).toBe(0);
  });

  test('[CLIENT-2] a late answer counts, for example of somebody who signs in, and a late error ends nothing', async () => {
    const world = makeWorld();
    const signIn = new Deferred<string>();
    const broken = new Deferred<void>();
    const never = new Promise<string>(() => undefined);
    const breaks = broken.promise.then(() => Promise.reject(new Error('too late')));
    world.answers.push(signIn.promise, never, breaks, never);
    const made = world.attempt();
    await turn();
    for (let second = 0; second < 40; second++) {
      world.time.pass(1000);
      await turn();
    }
    expect(world.asked()).toBe(2);
    signIn.resolve('signed in');
    await turn();
    expect([made.query, world.asked()]).toEqual([{ token: 'signed in' }, 2]);
    expect(world.time.pending).toBe(0);
    world.lose();
    const next = world.attempt();
    for (let second = 0; second < 40; second++) {
      world.time.pass(1000);
      await turn();
    }
    expect(world.asked()).toBe(4);
    broken.resolve();
    await turn();
    world.time.pass(10_000);
    await turn();
    expect([next.query, world.asked()]).toEqual([{ token: 'token 5' }, 5]);
  });

  test('[CLIENT-2] nobody waits for an app that does not answer once the room is left', async () => {
    const world = makeWorld();
    world.answers.push(new Promise<string>(() => undefined));
    world.attempt();
    await turn();
    world.attempts.end();
    expect(world.time.pending).toBe(0);
  });

  test.each([
    ['a Response with 401', new Response(null, { status: 401 }), 'unauthorized'],
    ['a Response with 403', new Response(null, { status: 403 }), 'forbidden'],
    ['an error with a status', Object.assign(new Error('no'), { status: 401 }), 'unauthorized'],
    ['an error of ours', new TinyBasePartyKitError('forbidden', 'no'), 'forbidden'],
  ])('[CLIENT-2] %s ends the attempts, once', async (_title, thrown, code) => {
    const world = makeWorld();
    world.answers.push({ thrown });
    const made = [world.attempts.query(), world.attempts.query()];
    const outcomes = await Promise.allSettled(made);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(world.stops.map((error) => error.code)).toEqual([code]);
    expect(world.time.pending).toBe(0);

    // The app begins anew.
    world.attempts.reset();
    const next = world.attempt();
    await turn();
    expect(next.query).toEqual({ token: 'token 2' });
  });

  test.each([new Error('no'), new TinyBasePartyKitError('unauthorized', 'no')])(
    '[CLIENT-2] what the app throws once the room is left is told to nobody, and nothing waits: %s',
    async (thrown) => {
      const { time, attempts, attempt, answers, errors, stops } = makeWorld();
      const left = new Deferred<undefined>();
      answers.push(left.promise.then(() => Promise.reject(thrown)));
      attempt();
      await turn();
      attempts.end();
      left.resolve(undefined);
      await turn();
      expect([errors, stops, time.pending]).toEqual([[], [], 0]);
    },
  );

  test('[CLIENT-2] a token of another user than the one who was connected ends the attempts, at a renewal, too', async () => {
    const world = makeWorld();
    // The room has not let the first one in.
    world.answers.push(tokenOf('eve'), tokenOf('ann'), tokenOf('bob'));
    await waitOf(world);
    world.open();
    world.lose();
    await waitOf(world);
    world.open();
    world.attempts.admitted();
    world.time.pass(3_570_000);
    await turn();
    expect([world.reconnects(), world.stops.map(({ code }) => code)]).toEqual([
      0,
      ['unauthorized'],
    ]);
    expect(world.stops[0]?.message).toContain('a token of another user');
    // Another page has signed in as the user again. A token that names nobody counts as theirs.
    for (const sub of ['bob', 'ann', undefined]) {
      world.answers.push(tokenOf(sub));
      world.time.pass(1_000);
      world.attempts.reset();
      const next = world.attempt();
      await turn();
      expect(next.query === undefined).toBe(sub === 'bob');
      if (next.query) world.open();
      world.lose();
    }
    expect(world.stops).toHaveLength(2);
  });

  test('[CLIENT-2] a room that lets in another user than a room before it is left again', async () => {
    const owner = {};
    const worlds = ['ann', 'bob', 'ann'].map((sub) => {
      const world = makeWorld({ owner });
      world.answers.push(tokenOf(sub));
      return world;
    });
    for (const world of worlds) await waitOf(world);
    for (const world of worlds) world.open();
    for (const { attempts } of worlds) attempts.admitted();
    expect(worlds.map(({ stops }) => stops.length)).toEqual([0, 1, 0]);
    expect(worlds[1]?.stops[0]).toMatchObject({ code: 'unauthorized' });
  });

  test.each([[{ id: 1 }], [['ann']], [5], ['']])(
    '[CLIENT-2] %j is no user: the tokens of an app with a check of its own may have anything',
    async (sub) => {
      const world = makeWorld();
      for (let index = 0; index < 2; index += 1) {
        world.answers.push(tokenOf(sub));
        await waitOf(world);
        world.open();
        world.attempts.admitted();
        world.lose();
      }
      expect(world.stops).toEqual([]);
    },
  );

  test('[CLIENT-2] the app may begin anew within the call that ends the attempts', async () => {
    const world = makeWorld();
    world.answers.push({ thrown: { status: 401 } });
    const made = world.attempts.query();
    const again = new Promise<QueryParameters>((resolve, reject) => {
      world.stops.push = () => {
        world.attempts.reset();
        world.attempts.query().then(resolve, reject);
        return 1;
      };
    });
    await expect(made).rejects.toThrow('401');
    expect(await again).toEqual({ token: 'token 2' });
  });

  test('[CLIENT-3] an app that begins anew at each refusal is asked ever more slowly, after the first time', async () => {
    const world = makeWorld();
    const refuse = async (): Promise<number> => {
      world.answers.push({ thrown: { status: 401 } });
      const asked = world.asked();
      const made = world.attempts.query();
      made.catch(() => undefined);
      let waited = 0;
      for (await turn(); world.asked() === asked; await turn()) {
        world.time.pass(100);
        waited += 100;
      }
      await expect(made).rejects.toThrow('401');
      world.attempts.reset();
      return waited;
    };
    const waits: number[] = [];
    for (let entry = 0; entry < 12; entry++) waits.push(await refuse());
    expect(waits).toEqual([0, 0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]);
    // The user has signed in meanwhile.
    world.time.pass(1_000);
    world.attempts.reset();
    const next = world.attempt();
    await turn();
    expect(next.query).toBeDefined();
  });

  test('[CLIENT-2] whatever else the app throws, it is asked again after a pause, and the cause is reported', async () => {
    const world = makeWorld();
    const withoutText: unknown = Object.create(null);
    const thrown: readonly unknown[] = [
      new TypeError('no network'),
      new Response(null, { status: 500 }),
      undefined,
      withoutText,
      { status: withoutText },
      Object.defineProperty({}, 'status', {
        get: () => {
          throw new Error('a getter');
        },
      }),
    ];
    world.answers.push(...thrown.map((error) => ({ thrown: error })));
    expect(await waitOf(world)).toBe(0 + 1000 + 2000 + 4000 + 8000 + 16_000);
    expect(world.errors.map((error) => (error as Error).cause)).toEqual(thrown);
    expect(world.errors.map((error) => (error as TinyBasePartyKitError).code)).toEqual(
      thrown.map(() => 'network'),
    );
    const messages = world.errors.map((error) => (error as Error).message);
    expect(messages[0]).toContain('(no network)');
    expect(messages[1]).toContain('(the status 500)');
    expect(world.stops).toEqual([]);
  });
});

describe('pauses', () => {
  test('[CLIENT-3] by default an attempt waits 0, 1, 2, 4 … 30 s; the first one of all does not wait', async () => {
    const world = makeWorld();
    expect(await waitsOf(world, 9)).toEqual(
      [0, 0, 1, 2, 4, 8, 16, 30, 30].map((seconds) => seconds * 1000),
    );
  });

  test('[CLIENT-3] a function gets the number of failed attempts', async () => {
    const seen: number[] = [];
    const world = makeWorld({
      timeout: ({ attempts }) => {
        seen.push(attempts);
        return attempts * 500;
      },
    });
    expect(await waitsOf(world, 5)).toEqual([0, 0, 500, 1000, 1500]);
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  test('[CLIENT-3] a number is what each attempt waits, and up to a quarter is added', async () => {
    expect(await waitsOf(makeWorld({ timeout: 4000 }), 3)).toEqual([0, 4000, 4000]);
    expect(await waitsOf(makeWorld({ timeout: 4000, random: 0.999_999 }), 3)).toEqual([
      0, 5000, 5000,
    ]);
  });

  test('[CLIENT-3] from the second on, an attempt waits 100 ms at least', async () => {
    const world = makeWorld({ timeout: 0 });
    await waitsOf(world, 2);
    const third = world.attempt();
    await turn();
    world.time.pass(99);
    await turn();
    expect(third.query).toBeUndefined();
    world.time.pass(1);
    await turn();
    expect(third.query).toBeDefined();
  });

  test.each([
    ['a function that throws', () => new Error('mine')],
    ['not a number', () => NaN],
    ['a negative number', () => -1],
  ])('[CLIENT-3] in place of %s the default counts, and it is reported', async (_title, wrong) => {
    const world = makeWorld({
      timeout: () => {
        const answer = wrong();
        if (answer instanceof Error) throw answer;
        return answer;
      },
    });
    expect(await waitsOf(world, 4)).toEqual([0, 0, 1000, 2000]);
    expect(world.errors).toHaveLength(3);
  });

  test('[CLIENT-3] only a connection of 5 s makes the attempts count from 0 again', async () => {
    const world = makeWorld();
    await waitsOf(world, 4);
    await waitOf(world);
    world.open();
    world.time.pass(4_999);
    world.lose();
    expect(await waitOf(world)).toBe(8000);
    world.open();
    world.time.pass(5_000);
    world.lose();
    expect(await waitOf(world)).toBe(0);
  });

  test('[CLIENT-3] the network ends a wait, and so does the app', async () => {
    const world = makeWorld({ timeout: 60_000 });
    await waitsOf(world, 1);
    for (const end of ['hurry', 'reset'] as const) {
      const next = world.attempt();
      await turn();
      expect(next.query).toBeUndefined();
      world.attempts[end]();
      await turn();
      expect(next.query).toBeDefined();
      expect(world.time.pending).toBe(0);
      world.lose();
    }
    world.attempts.hurry();
  });

  test('a room that is left ends the wait, and does not ask the app any more', async () => {
    const world = makeWorld({ timeout: 60_000 });
    await waitsOf(world, 1);
    const asked = world.asked();
    const next = world.attempts.query();
    await turn();
    world.attempts.end();
    await expect(next).rejects.toMatchObject({ code: 'destroyed' });
    expect([world.asked(), world.time.pending]).toEqual([asked, 0]);
  });
});

const tokenFor = (time: ManualTime, seconds: number, claims = {}): string => {
  const now = time.now / 1000;
  return makeToken({ claims: { iat: now, exp: now + seconds, ...claims } });
};

describe('the end of a token', () => {
  test('[CLIENT-4] near the end of its token the client gets another, and only then connects again', async () => {
    const world = makeWorld({ timeout: 60_000 });
    world.answers.push(tokenFor(world.time, 3600), { thrown: new Error('no network') }, 'new');
    await waitOf(world);
    world.open();
    world.time.pass(3_539_999);
    await turn();
    expect(world.asked()).toBe(1);
    world.time.pass(1);
    await turn();
    expect([world.asked(), world.reconnects()]).toEqual([2, 0]);
    world.time.pass(60_000);
    await turn();
    expect([world.asked(), world.reconnects()]).toEqual([3, 1]);
    // Without a wait, and without another token.
    const next = world.attempt();
    await turn();
    expect([next.query, world.asked()]).toEqual([{ token: 'new' }, 3]);
    world.open();
    expect(world.time.pending).toBe(0);
  });

  test('[CLIENT-4] a token of a short life has its last tenth for that, and clients do not come together', async () => {
    const world = makeWorld({ random: 0.5 });
    world.answers.push(tokenFor(world.time, 100));
    await waitOf(world);
    world.open();
    world.time.pass(92_499);
    await turn();
    expect(world.asked()).toBe(1);
    world.time.pass(1);
    await turn();
    expect([world.asked(), world.reconnects()]).toEqual([2, 1]);
  });

  test('[CLIENT-4] a token of a few seconds is renewed before it ends, too', async () => {
    const world = makeWorld({ random: 0.5 });
    const iat = world.time.now / 1000;
    world.answers.push(makeToken({ claims: { iat, exp: iat + 3 } }));
    await waitOf(world);
    world.open();
    world.time.pass(2_774);
    await turn();
    expect(world.asked()).toBe(1);
    world.time.pass(1);
    await turn();
    expect([world.asked(), world.reconnects()]).toEqual([2, 1]);
  });

  test('[CLIENT-4] tokens that seem to end at once, because the clock is ahead, are not renewed all the time', async () => {
    const world = makeWorld();
    const makeNext = (second: number): void => {
      const iat = world.time.now / 1000 - 3_598.5;
      world.answers[0] = makeToken({ claims: { iat, exp: iat + 3_600, second } });
    };
    makeNext(0);
    await waitOf(world);
    world.open();
    for (let second = 1; second <= 100; second++) {
      const before = world.reconnects();
      makeNext(second);
      world.time.pass(1_000);
      await turn();
      if (world.reconnects() > before) world.open();
    }
    expect(world.reconnects()).toBe(3);
  });

  test('[CLIENT-4] an app that gives the same token again is not asked for it all the time', async () => {
    const world = makeWorld();
    const token = tokenFor(world.time, 100);
    world.answers.push(token, token);
    await waitOf(world);
    world.open();
    world.time.pass(100_000);
    await turn();
    world.time.pass(100_000);
    await turn();
    expect([world.asked(), world.reconnects()]).toEqual([2, 0]);
  });

  test('[CLIENT-4] a connection that is lost meanwhile has the new token', async () => {
    const world = makeWorld({ timeout: 60_000 });
    world.answers.push(tokenFor(world.time, 100), { thrown: new Error('no network') }, 'new');
    await waitOf(world);
    world.open();
    world.time.pass(90_000);
    await turn();
    world.lose();
    const next = world.attempt();
    world.time.pass(60_000);
    await turn();
    expect([next.query, world.reconnects()]).toEqual([{ token: 'new' }, 0]);
  });

  test('[CLIENT-4] a lost connection is not renewed', async () => {
    const world = makeWorld();
    world.answers.push(tokenFor(world.time, 100));
    await waitOf(world);
    world.open();
    world.lose();
    expect(world.time.pending).toBe(0);
  });

  test.each([
    ['opaque', 'abc', undefined],
    ['no JSON', 'a.b.c', undefined],
    ['JSON, but no claims', `a.${btoa('null')}.c`, undefined],
    ['without an end', makeToken({ claims: { exp: undefined } }), undefined],
    ['with a text as end', makeToken({ claims: { exp: '2000' } }), undefined],
    ['over', makeToken({ claims: { iat: 900, exp: 1000 } }), undefined],
    ['good', makeToken({ claims: { iat: 900, exp: 1010 } }), 10_000],
    [
      'good, with letters of all kinds',
      makeToken({ claims: { iat: 1, exp: 1010, x: '¿ÿ>?ü' } }),
      10_000,
    ],
    ['of a clock that is ahead', makeToken({ claims: { iat: 5000, exp: 5060 } }), 60_000],
    ['without a beginning', makeToken({ claims: { iat: undefined, exp: 1060 } }), 60_000],
  ])('[CLIENT-4] the lifetime of a token that is %s', (_title, token, expected) => {
    expect(lifeOf(token, 1_000_000)?.rest).toBe(expected);
  });
});
