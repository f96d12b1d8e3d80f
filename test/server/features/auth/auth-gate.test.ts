import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import {
  createAuth,
  defineAuth,
  type AccessDecision,
  type AuthHost,
  type AuthRequest,
  type RoomAuth,
} from '../../../../src/server/features/auth/index.ts';
import type { FeatureRoom, RoomGate } from '../../../../src/server/room/room-feature.ts';
import { Deferred } from '../../../support/deferred.ts';
import { settle } from '../../../support/fake-connection.ts';
import { StrictStorage } from '../../../support/strict-storage.ts';
import { goodClaims, makeToken, SECRET, USER } from '../../../support/tokens.ts';

const NOW = Date.UTC(2026, 10, 28);
const HOUR = 3_600_000;
const SCHEMA = z.object({ id: z.string(), name: z.string(), role: z.enum(['editor', 'viewer']) });
type User = z.infer<typeof SCHEMA>;

/** A connection, with the slots that survive the sleep of its room. */
interface Connection {
  readonly slots: Record<string, unknown>;
  refusal?: string;
}

/** A room that has what a gate needs of one: its memory is lost when it sleeps. */
class SmallRoom implements AuthHost<Connection, AuthRequest> {
  readonly party = { env: {} };
  readonly storage: StrictStorage;
  readonly open: Set<Connection>;
  readonly reported: unknown[] = [];
  readonly timers: { at: number; callback: () => void }[] = [];
  time: number = NOW;
  gate!: RoomGate<Connection, AuthRequest>;

  constructor(storage = new StrictStorage(), open = new Set<Connection>()) {
    this.storage = storage;
    this.open = open;
  }

  addFeature(): never {
    throw new Error('A gate is no feature.');
  }

  setGate(gate: RoomGate<Connection, AuthRequest>): FeatureRoom<Connection> {
    this.gate = gate;
    const used: Partial<FeatureRoom<Connection>> = {
      roomId: 'board',
      storage: this.storage,
      storagePrefix: 'x:',
      connections: () => [...this.open].filter((one) => gate.check(one) === 'admitted'),
      readSlot: ({ slots }, slot) => slots[slot],
      writeSlot: ({ slots }, slot, value) => {
        if (value === null) delete slots[slot];
        else slots[slot] = JSON.parse(JSON.stringify(value));
      },
      refuse: (connection, code) => {
        connection.refusal = code;
        this.open.delete(connection);
      },
      now: () => this.time,
      after: (milliseconds, callback) => {
        this.timers.push({ at: this.time + milliseconds, callback });
        return () => undefined;
      },
      report: (error) => this.reported.push(error),
    };
    return used as FeatureRoom<Connection>;
  }

  /** Lets time pass, and fires what is due. */
  wait(milliseconds: number): void {
    this.time += milliseconds;
    for (const { at, callback } of this.timers.splice(0)) {
      if (at <= this.time) callback();
      else this.timers.push({ at, callback });
    }
  }

  async enter(token: string): Promise<Connection> {
    const connection: Connection = { slots: {} };
    this.open.add(connection);
    await this.gate.admit(connection, requestWith(token));
    return connection;
  }

  /** The room after a sleep: sockets and storage are what they were. */
  wake(): { room: SmallRoom; auth: RoomAuth<User, unknown> } {
    const room = new SmallRoom(this.storage, this.open);
    room.time = this.time;
    return { room, auth: createAuth(room, definition) };
  }
}

let rule: (user: User) => AccessDecision | Promise<AccessDecision> = () => 'write';
const definition = defineAuth({
  secret: () => SECRET,
  user: SCHEMA,
  access: (user) => rule(user),
  origins: ['https://app.example', 'https://other.example'],
});

const requestWith = (token: string, headers: Record<string, string> = {}): Request =>
  new Request(`http://localhost/parties/main/board?token=${token}`, { headers });
const tokenAt = (claims: Record<string, unknown> = {}): string =>
  makeToken({ claims: { ...goodClaims(NOW), ...claims } });
const named = (origin: string): unknown => ({
  'Access-Control-Allow-Origin': origin,
  Vary: 'Origin',
});
const make = (): { room: SmallRoom; auth: RoomAuth<User, unknown> } => {
  rule = () => 'write';
  const room = new SmallRoom();
  return { room, auth: createAuth(room, definition) };
};

describe('who was let in', () => {
  test('[GATE-6] is known in hooks, and after the room slept', async () => {
    const { room, auth } = make();
    const connection = await room.enter(tokenAt({ access: 'read' }));
    const wake = room.wake();
    for (const [gate, known] of [
      [room.gate, auth],
      [wake.room.gate, wake.auth],
    ] as const) {
      expect(gate.check(connection)).toBe('admitted');
      expect(gate.userIdOf?.(connection)).toBe('u1');
      expect(gate.mayWrite(connection)).toBe(false);
      expect(known.getUser(connection)).toEqual(USER);
      expect(known.getAccess(connection)).toBe('read');
    }
  });

  test('[GATE-6] is unknown where the attachment is lost or of another form', async () => {
    const { room } = make();
    const connection = await room.enter(tokenAt());
    const good = connection.slots['auth'] as Record<string, unknown>;
    const others: unknown[] = [
      undefined,
      null,
      'x',
      [],
      {},
      { ...good, a: 2 },
      { ...good, e: 'x' },
    ];
    for (const slot of [...others, { ...good, i: 5 }, { ...good, u: undefined }]) {
      connection.slots['auth'] = slot;
      const { room: awake, auth } = room.wake();
      expect(awake.gate.check(connection)).toBe('unknown');
      expect(awake.gate.mayWrite(connection)).toBe(false);
      expect(() => auth.getUser(connection)).toThrow('knows no user');
    }
  });

  test('[GATE-1] whoever was not verified is unknown, and so is who was refused', async () => {
    const { room, auth } = make();
    const connection: Connection = { slots: {} };
    expect(room.gate.check(connection)).toBe('unknown');
    await expect(room.gate.admit(connection, requestWith('x'))).rejects.toMatchObject({
      code: 'unauthorized',
    });
    expect(room.gate.check(connection)).toBe('unknown');
    expect(() => auth.getAccess(connection)).toThrow('knows no user');
    // As `party.getConnection` gives undefined when somebody has left.
    for (const given of [undefined, null, 5, 'ada'])
      expect(() => auth.getUser(given as never)).toThrow('knows no user');
    expect(room.reported).toEqual([]);
  });

  test('a request is known as long as it lasts, and only once it was let in', async () => {
    const { room, auth } = make();
    const request = requestWith(tokenAt({ access: 'read' }));
    expect(() => auth.getUser(request)).toThrow('knows no user');
    await room.gate.admitRequest(request);
    expect(auth.getUser(request)).toEqual(USER);
    expect(room.gate.mayWrite(request)).toBe(false);
    expect(room.gate.userIdOf?.(request)).toBe('u1');
    const own = requestWith(tokenAt());
    expect(await auth.authorize(own)).toEqual(USER);
    expect(auth.getAccess(own)).toBe('write');
    await expect(auth.authorize(requestWith('x'))).rejects.toMatchObject({ code: 'unauthorized' });
  });

  test('a rule that throws fails the room: its cause is reported, and nobody comes in', async () => {
    const { room } = make();
    rule = () => {
      throw new Error('no database');
    };
    await expect(room.enter(tokenAt())).rejects.toMatchObject({ code: 'failed' });
    // The text for the client says nothing to the app.
    expect(room.reported).toMatchObject([{ message: 'no database' }]);
  });

  test('[GATE-1] a rule that never answers lets nobody in, and is told after 30 s', async () => {
    const { room, auth } = make();
    const verdict = new Deferred<AccessDecision>();
    rule = () => verdict.promise;
    const entering = room.enter(tokenAt());
    const outcome = entering.catch((error: unknown) => error);
    await settle();
    expect(room.timers).toHaveLength(1);
    room.wait(30_000);
    expect(await outcome).toMatchObject({ code: 'unavailable' });
    expect(room.reported.map(String)).toEqual([expect.stringContaining('did not answer within')]);
    // Nor is anybody let in by an answer that comes later.
    verdict.resolve('write');
    await settle();
    for (const connection of room.open) {
      expect(room.gate.check(connection)).toBe('unknown');
      expect(() => auth.getAccess(connection)).toThrow('knows no user');
    }
    expect(room.open.size).toBe(1);
  });

  test('a URL without the name of a party lets nobody in, unless the app says the name', async () => {
    const { room } = make();
    const elsewhere = new Request(`http://localhost/rooms/board?token=${tokenAt()}`);
    await expect(room.gate.admitRequest(elsewhere)).rejects.toMatchObject({ code: 'failed' });
    expect(String(room.reported)).toContain('option party');
    const main = new SmallRoom();
    createAuth(main, definition, { party: 'main' });
    await main.gate.admitRequest(elsewhere);
    const other = new SmallRoom();
    createAuth(other, definition, { party: 'other' });
    await expect(other.gate.admitRequest(elsewhere)).rejects.toMatchObject({ code: 'forbidden' });
  });

  test.each([
    ['/parties/main/board/store', 'in'],
    ['/party/board', 'in'],
    ['/parties/other/board', 'forbidden'],
    ['/parties/m%61in/board', 'in'],
    ['/parties/other/board/parties/main/board', 'forbidden'],
  ])('at %s: %s', async (path, outcome) => {
    const { room } = make();
    const entered = room.gate.admitRequest(new Request(`http://x${path}?token=${tokenAt()}`));
    expect(
      await entered.then(
        () => 'in',
        ({ code }: { code: string }) => code,
      ),
    ).toBe(outcome);
  });
});

describe('the end of a token', () => {
  test('[GATE-7] ends the connection, without a timer until its last seconds', async () => {
    const { room, auth } = make();
    const connection = await room.enter(tokenAt());
    room.wait(HOUR - 10_001);
    expect(room.gate.check(connection)).toBe('admitted');
    expect(room.timers).toEqual([]);
    room.wait(5_001);
    expect(room.gate.check(connection)).toBe('admitted');
    expect(room.gate.check(connection)).toBe('admitted');
    expect(room.timers).toHaveLength(1);
    room.wait(4_999);
    expect(connection.refusal).toBeUndefined();
    room.wait(1);
    expect(connection.refusal).toBe('expired');
    expect(room.gate.check(connection)).toBe('expired');
    expect(auth.getUser(connection)).toEqual(USER);
  });

  test('[GATE-7] is noticed after a sleep that had no timer', async () => {
    const { room } = make();
    const connection = await room.enter(tokenAt());
    room.time += HOUR;
    expect(room.wake().room.gate.check(connection)).toBe('expired');
    expect(room.wake().room.timers).toEqual([]);
  });

  test('[GATE-7] comes while a request waits for its turn', async () => {
    const { room } = make();
    const request = requestWith(tokenAt());
    await room.gate.admitRequest(request);
    room.time += HOUR;
    await expect(room.gate.admit({ slots: {} }, request)).rejects.toMatchObject({
      code: 'expired',
    });
  });
});

describe('a user who is revoked', () => {
  const LATER = NOW + 60_000;
  const newer = (): string => tokenAt({ iat: (LATER + 1) / 1000 });

  test('[GATE-9] leaves, and comes back with a newer token alone', async () => {
    const { room, auth } = make();
    const [first, second] = [await room.enter(tokenAt()), await room.enter(tokenAt())];
    const other = await room.enter(tokenAt({ sub: 'u2' }));
    room.time = LATER;
    await auth.revoke('u1');
    expect([first.refusal, second.refusal, other.refusal]).toEqual([
      'forbidden',
      'forbidden',
      undefined,
    ]);
    expect(room.gate.check(first)).toBe('unknown');
    await expect(room.enter(tokenAt())).rejects.toMatchObject({ code: 'forbidden' });
    await expect(room.enter(tokenAt({ iat: LATER / 1000 }))).rejects.toMatchObject({
      code: 'forbidden',
    });
    await expect(room.gate.admitRequest(requestWith(tokenAt()))).rejects.toMatchObject({
      code: 'forbidden',
    });
    room.time = LATER + 1;
    expect(room.gate.check(await room.enter(newer()))).toBe('admitted');
    // Who hears that a connection has left can still ask whose it was.
    expect(auth.getUser(first)).toEqual(USER);
  });

  test('[GATE-9] stays so when the room is started anew', async () => {
    const { room, auth } = make();
    const connection = await room.enter(tokenAt());
    room.time = LATER;
    await auth.revoke('u1');
    const awake = room.wake().room;
    expect(awake.gate.check(connection)).toBe('unknown');
    await expect(awake.enter(tokenAt())).rejects.toMatchObject({ code: 'forbidden' });
    awake.time += 1;
    expect(awake.gate.check(await awake.enter(newer()))).toBe('admitted');
  });

  test('[GATE-9] does not slip in while a token of theirs is being verified', async () => {
    const { room, auth } = make();
    const decided = new Deferred<AccessDecision>();
    rule = () => decided.promise;
    const entering = room.enter(tokenAt()).catch(({ code }: { code: string }) => code);
    await auth.revoke('u1');
    decided.resolve('write');
    expect(await entering).toBe('forbidden');
  });

  test('[GATE-9] does not slip in between the request and its socket', async () => {
    const { room, auth } = make();
    const request = requestWith(tokenAt());
    await room.gate.admitRequest(request);
    await auth.revoke('u1');
    await expect(room.gate.admit({ slots: {} }, request)).rejects.toMatchObject({
      code: 'forbidden',
    });
  });

  test('[GATE-9] does not slip in by a step of the queue, whichever comes first', async () => {
    for (const order of [0, 1]) {
      const { room, auth } = make();
      const steps = [() => room.enter(tokenAt()), () => auth.revoke('u1')];
      const outcomes = await Promise.allSettled(
        (order === 0 ? steps : steps.toReversed()).map((step) => step()),
      );
      const [entered] = order === 0 ? outcomes : outcomes.toReversed();
      // Who came in first is put out, and who came later is not let in.
      const refusal: unknown =
        entered?.status === 'fulfilled'
          ? Reflect.get(Object(entered.value), 'refusal')
          : Reflect.get(Object(entered?.reason), 'code');
      expect([order, refusal]).toEqual([order, 'forbidden']);
      for (const connection of room.open) expect(room.gate.check(connection)).not.toBe('admitted');
    }
  });

  test('[GATE-9] does not slip in by a step of the engine, while the room does not list the connection yet', async () => {
    for (let steps = 0; steps <= 12; steps += 1) {
      const { room, auth } = make();
      const request = requestWith(tokenAt());
      await room.gate.admitRequest(request);
      const connection = { slots: {} };
      const entering = room.gate.admit(connection, request).then(
        () => room.gate.check(connection),
        ({ code }: { code: string }) => code,
      );
      for (let step = 0; step < steps; step += 1) await Promise.resolve();
      await auth.revoke('u1');
      await entering;
      expect([steps, room.gate.check(connection)]).toEqual([steps, 'unknown']);
    }
  });

  test('[GATE-9] by a server whose clock is behind that of the tokens, too', async () => {
    const { room, auth } = make();
    const ahead = tokenAt({ iat: NOW / 1000 + 9 });
    const connection = await room.enter(ahead);
    await auth.revoke('u1');
    expect(connection.refusal).toBe('forbidden');
    await expect(room.enter(ahead)).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('[GATE-9] stays so if the clock was set back and the user is revoked once more', async () => {
    const { room, auth } = make();
    room.time = LATER;
    await auth.revoke('u1');
    room.time = NOW - 3_600_000;
    await auth.revoke('u1');
    room.time = LATER;
    await expect(room.enter(tokenAt())).rejects.toMatchObject({ code: 'forbidden' });
    const awake = room.wake().room;
    await expect(awake.enter(tokenAt())).rejects.toMatchObject({ code: 'forbidden' });
    awake.time += 1;
    expect(awake.gate.check(await awake.enter(newer()))).toBe('admitted');
  });

  test('[GATE-9] who has left is out with a token that was ahead of the clock of the room, also if that was set back', async () => {
    for (const setBack of [0, 600_000]) {
      const { room, auth } = make();
      const ahead = tokenAt({ iat: NOW / 1000 + 9 });
      room.open.delete(await room.enter(ahead));
      room.time -= setBack;
      await auth.revoke('u1');
      room.time = LATER;
      await expect(room.enter(ahead)).rejects.toMatchObject({ code: 'forbidden' });
      expect(room.gate.check(await room.enter(newer()))).toBe('admitted');
    }
  });

  test('[GATE-9] a room that slept knows the time of the tokens of all who are connected', async () => {
    const { room } = make();
    const ahead = { iat: NOW / 1000 + 9 };
    room.open.delete(await room.enter(tokenAt(ahead)));
    await room.enter(tokenAt({ ...ahead, sub: 'u2' }));
    const { room: awake, auth } = room.wake();
    await auth.revoke('u1');
    await expect(awake.enter(tokenAt(ahead))).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('[GATE-9] is refused with a token that does not say when it was made', async () => {
    const { room, auth } = make();
    await auth.revoke('u1');
    room.time = LATER;
    await expect(room.enter(tokenAt({ iat: undefined }))).rejects.toMatchObject({
      code: 'forbidden',
    });
  });

  test('[GATE-9] is one of the latest 1,000, in one row, whatever the ids', async () => {
    const { room, auth } = make();
    for (let index = 0; index <= 1000; index += 1) {
      await auth.revoke(`u${index}`);
      if (index % 500 === 0) await auth.revoke('often');
    }
    await auth.revoke('__proto__');
    const awake = room.wake().room;
    const enter = async (sub: string): Promise<string> =>
      awake.enter(tokenAt({ sub })).then(
        () => 'in',
        ({ code }: { code: string }) => code,
      );
    expect(await enter('u0')).toBe('in');
    expect(await enter('u2')).toBe('in');
    expect(await enter('u3')).toBe('forbidden');
    expect(await enter('often')).toBe('forbidden');
    expect(await enter('u1000')).toBe('forbidden');
    expect(await enter('__proto__')).toBe('forbidden');
    const stored = await room.storage.list({});
    expect([...stored.keys()]).toEqual(['x:@tinybase-partykit/revoked']);
  });

  test('[GATE-9] with a long id takes no more than a row, too', async () => {
    const { room, auth } = make();
    for (let index = 0; index < 900; index += 1) await auth.revoke(`${'€'.repeat(84)}${index}`);
    const awake = room.wake().room;
    const last = tokenAt({ sub: `${'€'.repeat(84)}899` });
    await expect(awake.enter(last)).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('[GATE-9] has an id', async () => {
    const { auth } = make();
    for (const id of ['', 'ä'.repeat(128), undefined])
      await expect(auth.revoke(id as string)).rejects.toThrow(TypeError);
  });
});

describe('storage that fails', () => {
  test('[GATE-9] lets nobody in while it is not known who is revoked', async () => {
    const { room } = make();
    room.storage.get = async () => Promise.reject(new Error('down'));
    await expect(room.enter(tokenAt())).rejects.toMatchObject({ code: 'unavailable' });
    expect(room.reported).toMatchObject([{ code: 'unavailable', cause: { message: 'down' } }]);
    Reflect.deleteProperty(room.storage, 'get');
    expect(room.gate.check(await room.enter(tokenAt()))).toBe('admitted');
  });

  test.each([['damaged'], ['[["u1"]]'], [[1]], ['{}']])(
    '[GATE-9] nor with the row %j',
    async (row) => {
      const { room } = make();
      await room.storage.put('x:@tinybase-partykit/revoked', row);
      await expect(room.enter(tokenAt())).rejects.toMatchObject({ code: 'unavailable' });
    },
  );

  test('[GATE-9] tells who revokes, and the user is out all the same', async () => {
    const { room, auth } = make();
    const connection = await room.enter(tokenAt());
    room.storage.put = async () => Promise.reject(new Error('down'));
    await expect(auth.revoke('u1')).rejects.toMatchObject({ code: 'unavailable' });
    expect(connection.refusal).toBe('forbidden');
    await expect(room.enter(tokenAt())).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('answers to pages', () => {
  test('[GATE-10] name the origin that asked, if it may use the room', () => {
    const { room } = make();
    const from = (origin?: string): unknown =>
      room.gate.headers?.(requestWith('x', origin === undefined ? {} : { Origin: origin }));
    expect(from('https://other.example')).toEqual(named('https://other.example'));
    for (const origin of ['https://evil.example', 'null', undefined])
      expect(from(origin)).toEqual(named('https://app.example'));
    const open = new SmallRoom();
    createAuth(open, defineAuth({ secret: () => SECRET, user: SCHEMA }));
    expect(open.gate.headers?.(requestWith('x'))).toEqual({});
  });
});
