import { type } from 'arktype';
import { setTimeout as wait } from 'node:timers/promises';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { z } from 'zod';

import { TinyBasePartyKitError } from '../../../../src/protocol/errors.ts';
import { decode } from '../../../../src/protocol/events/event-from-room.ts';
import { createEvents, event, procedure } from '../../../../src/server/features/events/index.ts';
import { Deferred } from '../../../support/deferred.ts';
import { EventfulRoom, failureOf, heard, type Caller } from '../../../support/eventful-room.ts';
import { FakeRoomHost, settle } from '../../../support/fake-connection.ts';

/** Sets a Value of the room's Store to the input, and tells everybody. */
const setting = ({ host }: EventfulRoom): object => ({
  set: procedure.input(z.number()).handle((value) => {
    host.room.store.setValue('v', value);
    return { broadcast: { wasSet: value }, result: value };
  }),
});

/** A procedure that returns this, whatever it is. */
const returned = (value: unknown): unknown => procedure.handle(() => value as never);

/** Arrays within arrays. */
const nested = (levels: number): unknown =>
  JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);

/** Answers with what the call saw when it began, and then waits for the test. */
const slow =
  (gates: Deferred<void>[]) =>
  ({ host }: EventfulRoom): object => ({
    look: procedure.handle(async () => {
      const gate = new Deferred<void>();
      gates.push(gate);
      const seen = host.room.store.getValue('v');
      await gate.promise;
      return { result: seen, broadcast: { looked: seen } };
    }),
    see: procedure.handle(() => ({ result: host.room.store.getValue('v') })),
  });

test('[EVENT-1] a call sees every push that its client sent before, and none that it sent after', async () => {
  const room = new EventfulRoom(slow([]));
  const ada = await room.join('ada');
  void ada.push(1, { v: 1 });
  void ada.say('v["see",null,1,1]');
  void ada.push(2, { v: 2 });
  void ada.say('v["see",null,2,1]');
  await settle();
  expect(heard(ada)).toEqual(['a[1,2,1]', 'v[1,1]', 'a[2,3,1]', 'v[2,2]']);
});

test('[EVENT-1] a call waits for hooks of earlier pushes, and others do not wait for it', async () => {
  const answers: Deferred<boolean>[] = [];
  const room = new EventfulRoom(slow([]), undefined, {
    hooks: () => ({
      canSetValue: () => {
        const answer = new Deferred<boolean>();
        answers.push(answer);
        return answer.promise;
      },
    }),
  });
  const seeding = room.host.seed({ v: 0 });
  await settle();
  answers.shift()?.resolve(true);
  await seeding;
  const ada = await room.join('ada');
  const bob = await room.join('bob');
  void ada.push(1, { v: 1 });
  void ada.say('v["see",null,1,1]');
  await bob.say('v["see",null,1,1]');
  expect(heard(bob)).toEqual(['v[1,0]']);
  expect(heard(ada)).toEqual([]);
  answers.shift()?.resolve(true);
  await settle();
  expect(heard(ada)).toEqual(['a[1,2,1]', 'v[1,1]']);
});

test('[EVENT-1] a slow procedure holds up nobody, its own connection included', async () => {
  const gates: Deferred<void>[] = [];
  const room = new EventfulRoom(slow(gates));
  const [ada, bob] = [await room.join('ada'), await room.join('bob')];
  await ada.say('v["look",null,1,1]');
  await ada.push(1, { v: 1 });
  await bob.push(1, { v: 2 });
  await ada.say('v["see",null,2,1]');
  expect(heard(ada)).toEqual(['a[1,2,1]', 'c[3,[{},{"v":2}]]', 'v[2,2]']);
  gates[0]?.resolve();
  await settle();
  expect(heard(ada)).toEqual(['v["looked",0,"ada"]', 'v[1,0]']);
});

test('[EVENT-1] a call behind a push that the room dropped does not run', async () => {
  const ran: unknown[] = [];
  const room = new EventfulRoom(() => ({ run: procedure.handle(() => void ran.push(1)) }));
  const ada = await room.join('ada');
  const bob = await room.join('bob');
  // A gap: the room says that it has lost track.
  void ada.push(5, { v: 1 });
  await ada.say('v["run",null,1,1]');
  const frames = heard(ada);
  expect(frames[0]).toContain('e{"code":"stale"');
  expect(failureOf(frames[1])).toMatchObject({
    code: 'stale',
    message: expect.stringContaining('whenConfirmed') as string,
  });
  await bob.say('v["run",null,1,1]');
  await ada.hello({
    clientId: 'ada'.padEnd(22, '_'),
    generation: 2,
    cursor: await room.host.cursor(),
  });
  heard(ada);
  await ada.say('v["run",null,2,1]');
  expect(heard(ada)).toEqual(['v[2]']);
  expect(ran).toHaveLength(2);
});

test('[EVENT-1] a call behind pushes that a loading client sent too early does not run', async () => {
  const room = new EventfulRoom(slow([]));
  const ada = room.connect('ada');
  const bob = room.connect('bob');
  await ada.hello({ clientId: 'ada'.padEnd(22, '_') });
  await bob.hello({ clientId: 'bob'.padEnd(22, '_') });
  await bob.say('v["see",null,1,1]');
  expect(heard(bob).at(-1)).toBe('v[1]');
  void ada.push(1, { v: 1 });
  void bob.push(1, { v: 2 });
  await bob.say('v["see",null,2,1]');
  expect(failureOf(heard(bob).at(-1)).code).toBe('stale');
});

test('[EVENT-1] a call behind a push that a later hello has overtaken does not run', async () => {
  const answer = new Deferred<boolean>();
  let asked = 0;
  const room = new EventfulRoom(slow([]), undefined, {
    hooks: () => ({ canSetValue: () => (asked++ === 0 ? true : answer.promise) }),
  });
  const ada = await room.join('ada');
  void ada.push(1, { v: 1 });
  void ada.say('v["see",null,1,1]');
  await ada.hello({
    clientId: 'ada'.padEnd(22, '_'),
    generation: 2,
    cursor: await room.host.cursor(),
  });
  heard(ada);
  answer.resolve(true);
  await settle();
  expect(heard(ada).map((frame) => failureOf(frame).code)).toEqual(['stale']);
});

test('[EVENT-1] a call behind a push that was waiting when the room was emptied does not run', async () => {
  const answer = new Deferred<boolean>();
  const room = new EventfulRoom(slow([]), undefined, {
    hooks: () => ({ canSetValue: (id) => (id === 'slow' ? answer.promise : true) }),
  });
  const ada = await room.join('ada');
  void ada.push(1, { slow: 1 });
  void ada.say('v["see",null,1,1]');
  void room.host.room.wipe();
  await settle();
  // The client is told to load, before it has said hello again.
  room.host.room.store.setValue('w', 1);
  await settle();
  answer.resolve(true);
  await settle();
  const answers = heard(ada).filter((frame) => frame.startsWith('v'));
  expect(answers.map((frame) => failureOf(frame).code)).toEqual(['stale']);
});

test('[EVENT-2] who hears an event has its commit, and nothing leaves before it is on disk', async () => {
  const room = new EventfulRoom(setting);
  const [ada, bob] = [await room.join('ada'), await room.join('bob')];
  const eve = room.connect('eve');
  room.isHeld = true;
  await ada.say('v["set",7,1]');
  await bob.push(1, { v: 8 });
  expect([ada, bob, eve].map(heard)).toEqual([[], [], []]);
  await room.letGo();
  expect(heard(ada)).toEqual([
    'c[2,[{},{"v":7}]]',
    'v["wasSet",7,"ada"]',
    'v[1,7]',
    'c[3,[{},{"v":8}]]',
  ]);
  expect(heard(bob)).toEqual(['c[2,[{},{"v":7}]]', 'v["wasSet",7,"ada"]', 'a[1,3,1]']);
  expect(heard(eve)).toEqual(['s[{},{"v":7},1]', 'v["wasSet",7,"ada"]', 's[{},{"v":8},1]']);
});

test('[EVENT-2] what was lost is told to nobody, and the call ends with unavailable', async () => {
  const room = new EventfulRoom(setting);
  const [ada, bob] = [await room.join('ada'), await room.join('bob')];
  room.storage.failWrites(1, { takesEffect: false });
  await ada.say('v["set",7,1]');
  await settle();
  expect(heard(bob).filter((frame) => frame.startsWith('v'))).toEqual([]);
  const frames = heard(ada).filter((frame) => frame.startsWith('v'));
  expect(frames).toHaveLength(1);
  expect(failureOf(frames[0]).code).toBe('unavailable');
  expect(room.host.room.store.getValue('v')).toBe(0);
});

test('[EVENT-2] a slow procedure whose change was lost meanwhile ends with unavailable', async () => {
  const gate = new Deferred<void>();
  const room = new EventfulRoom(({ host }) => ({
    set: procedure.handle(async () => {
      host.room.store.setValue('v', 7);
      await gate.promise;
      return { broadcast: { wasSet: 7 }, result: 7 };
    }),
  }));
  const ada = await room.join('ada');
  room.storage.failWrites(1, { takesEffect: false });
  await ada.say('v["set",null,1,1]');
  await settle();
  expect(room.host.room.isLoaded).toBe(true);
  heard(ada);
  gate.resolve();
  await settle();
  const frames = heard(ada);
  expect(frames).toHaveLength(1);
  expect(failureOf(frames[0]).code).toBe('unavailable');
});

test.each(['wipe', 'restoreRoom'] as const)(
  '[EVENT-2] a procedure that calls %s() ends as it says, and so does one that runs meanwhile',
  async (method) => {
    const gate = new Deferred<void>();
    const room = new EventfulRoom(({ host }) => ({
      begin: procedure.handle(async () => {
        host.room.store.setValue('v', 1);
        await host.room[method](await host.room.exportRoom());
        return { broadcast: { begun: 1 }, result: 'begun' };
      }),
      wait: procedure.handle(async () => {
        host.room.store.setValue('w', 1);
        await gate.promise;
        return { result: 'waited' };
      }),
    }));
    const [ada, bob] = [await room.join('ada'), await room.join('bob')];
    await bob.say('v["wait",null,1,1]');
    await ada.say('v["begin",null,1,1]');
    await settle();
    gate.resolve();
    await settle();
    expect(heard(ada)).toEqual(expect.arrayContaining(['v["begun",1,"ada"]', 'v[1,"begun"]']));
    expect(heard(bob)).toEqual(expect.arrayContaining(['v["begun",1,"ada"]', 'v[1,"waited"]']));
  },
);

test('[EVENT-2] a change that a procedure makes while the room is being restored is lost, and its call says so', async () => {
  const room = new EventfulRoom(({ host }) => ({
    set: procedure.handle(async () => {
      const restored = host.room.restoreRoom(await host.room.exportRoom());
      // Until the store of the restored room is there, the room takes nothing.
      while (host.room.isLoaded) await Promise.resolve();
      host.room.store.setValue('v', 7);
      await restored;
      return { result: 7 };
    }),
  }));
  const ada = await room.join('ada');
  heard(ada);
  await ada.say('v["set",null,1,1]');
  await settle();
  expect(failureOf(heard(ada).at(-1)).code).toBe('unavailable');
});

test('[EVENT-2] an event that a listener of the Store sends comes after the commit that it is about', async () => {
  const room = new EventfulRoom(() => ({ changed: event() }));
  const ada = await room.join('ada');
  room.host.room.store.addValueListener('v', (_store, _id, value) => {
    room.events.broadcast('changed', value);
  });
  room.host.room.store.setValue('v', 1);
  await settle();
  await settle();
  expect(heard(ada)).toEqual(['c[2,[{},{"v":1}]]', 'v["changed",1]']);
});

test('[EVENT-2] a call that changes the Store inside an open transaction ends after its commit', async () => {
  const room = new EventfulRoom(setting);
  const ada = await room.join('ada');
  const { store } = room.host.room;
  store.startTransaction();
  await ada.say('v["set",7,1]');
  await ada.say('v["set",8,2]');
  expect(heard(ada)).toEqual([]);
  store.finishTransaction();
  await room.host.pass(50);
  expect(heard(ada)).toEqual([
    'c[2,[{},{"v":8}]]',
    'v["wasSet",7,"ada"]',
    'v[1,7]',
    'v["wasSet",8,"ada"]',
    'v[2,8]',
  ]);
});

test('[EVENT-2] what waits for the end of a transaction keeps its order with what comes right after it', async () => {
  const room = new EventfulRoom(() => ({ said: event() }));
  const ada = await room.join('ada');
  const { store } = room.host.room;
  store.startTransaction();
  room.events.broadcast('said', 'inside');
  store.finishTransaction();
  room.events.broadcast('said', 'after');
  await room.host.pass(50);
  expect(heard(ada)).toEqual(['v["said","inside"]', 'v["said","after"]']);
});

test('[EVENT-2] what waits for the end of a transaction is lost with the state of the room', async () => {
  const room = new EventfulRoom(setting);
  const ada = await room.join('ada');
  const { store } = room.host.room;
  room.isHeld = true;
  room.storage.failWrites(1, { takesEffect: false });
  await ada.push(1, { v: 1 });
  store.startTransaction();
  await ada.say('v["set",7,1]');
  await room.letGo();
  store.finishTransaction();
  await room.host.pass(50);
  await room.host.pass(50);
  const answers = heard(ada).filter((frame) => frame.startsWith('v'));
  expect(answers.map((frame) => failureOf(frame).code)).toEqual(['unavailable']);
  expect(store.getValue('v')).toBe(0);
});

test('[SAVE-9] other features hear of a call when what it did is durable, and of none that failed', async () => {
  const room = new EventfulRoom((made) => ({
    ...setting(made),
    add: procedure
      .input(z.object({ text: z.string().default('none') }))
      .handle(() => ({ result: 1 })),
    fail: procedure.handle(() => {
      throw new Error('the app');
    }),
    wave: procedure.broadcast(() => ({ waved: 1 })),
  }));
  const taken: unknown[] = [];
  room.host.room.addFeature({ taken: (call, connection) => taken.push([call, connection]) });
  const ada = await room.join('ada');
  room.isHeld = true;
  await ada.say('v["set",7,1]');
  expect(taken).toEqual([]);
  await room.letGo();
  await ada.say('v["add",{},2]');
  await ada.say('v["wave"]');
  await ada.say('v["fail",null,3,1]');
  await ada.say('v["add",1,4]');
  expect(taken).toEqual([
    [{ type: 'call', name: 'set', input: 7 }, ada],
    [{ type: 'call', name: 'add', input: { text: 'none' } }, ada],
    [{ type: 'call', name: 'wave', input: undefined }, ada],
  ]);
});

test('[EVENT-2] an event of the room itself that was lost is reported', async () => {
  const room = new EventfulRoom(() => ({ said: event() }));
  const ada = await room.join('ada');
  room.storage.failWrites(1, { takesEffect: false });
  room.host.room.store.setValue('v', 1);
  room.events.broadcast['said']?.('lost');
  await settle();
  expect(heard(ada).join()).not.toContain('lost');
  expect(room.host.errors.map(({ error }) => String(error)).join()).toContain('The event "said"');
});

const schemas = {
  zod: z.object({ text: z.string(), count: z.number().default(1) }),
  valibot: v.object({ text: v.string(), count: v.optional(v.number(), 1) }),
  arktype: type({ text: 'string', count: 'number = 1' }),
  async: z.object({ text: z.string().refine(async () => true), count: z.number().default(1) }),
};
test.each(Object.keys(schemas) as (keyof typeof schemas)[])(
  '[EVENT-3] an input is validated by a schema of %s, whose output the procedure gets',
  async (name) => {
    const got: unknown[] = [];
    const room = new EventfulRoom(() => ({
      add: procedure.input(schemas[name] as never).handle((input: unknown) => void got.push(input)),
    }));
    const ada = room.connect('ada');
    await ada.say('v["add",{"text":"a"},1]');
    await ada.say('v["add",{"text":7},2]');
    await ada.say('v["add",null,3,1]');
    await wait(1);
    const [taken, wrong, none] = heard(ada);
    expect(got).toEqual([{ text: 'a', count: 1 }]);
    expect(taken).toBe('v[1]');
    expect(failureOf(wrong)).toMatchObject({ code: 'malformed' });
    expect(failureOf(wrong).message).toMatch(/look at text\. The schema says: .*string/);
    expect(failureOf(none)).toMatchObject({ code: 'malformed' });
    expect(room.host.errors).toEqual([]);
  },
);

test('[EVENT-3] errors are typed, and tell nothing of the room’s own code', async () => {
  const secret = 'password=hunter2';
  const room = new EventfulRoom(() => ({
    throws: procedure.handle(() => {
      throw new Error(secret);
    }),
    rejects: procedure.handle(async () => Promise.reject(new Error(secret))),
    odd: procedure.handle(() => {
      // oxlint-disable-next-line only-throw-error
      throw secret;
    }),
    schema: procedure
      .input({
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: () => {
            throw new Error(secret);
          },
        },
      })
      .handle(() => undefined),
    typed: procedure.handle(() => {
      const cause = new Error(secret);
      throw new TinyBasePartyKitError('forbidden', 'Only the owner may do this.', { cause });
    }),
    typedLater: procedure.handle(async () => {
      throw new TinyBasePartyKitError('not-found', 'There is no such note.');
    }),
  }));
  const ada = room.connect('ada');
  const failures: Record<string, unknown> = {};
  for (const name of ['throws', 'rejects', 'odd', 'schema', 'typed', 'typedLater', 'missing']) {
    await ada.say(`v["${name}",1,1]`);
    const [frame, ...more] = heard(ada);
    expect(more).toEqual([]);
    expect(frame).not.toContain(secret);
    expect(frame).not.toContain('.ts');
    failures[name] = failureOf(frame);
  }
  const failed = { code: 'failed', message: expect.stringContaining('log of the room') as string };
  expect(failures).toEqual({
    throws: failed,
    rejects: failed,
    odd: failed,
    schema: failed,
    typed: { code: 'forbidden', message: 'Only the owner may do this.' },
    typedLater: { code: 'not-found', message: 'There is no such note.' },
    missing: { code: 'not-found', message: 'The room has no procedure "missing".' },
  });
  const reports = room.host.errors.map(({ error, where }) => [where, String(error)]);
  expect(reports).toEqual([
    ['feature', `Error: ${secret}`],
    ['feature', `Error: ${secret}`],
    ['feature', secret],
    ['feature', `Error: ${secret}`],
  ]);
});

test('[EVENT-3] what is wrong with a procedure is told with its name', async () => {
  const room = new EventfulRoom(
    () => ({
      text: returned('x'),
      list: returned({ broadcast: [] }),
      other: returned({ results: 1 }),
      number: returned({ result: 1n }),
      large: returned({ broadcast: { said: 'x'.repeat(200) } }),
      slow: returned(new Promise(() => undefined)),
    }),
    { outputBytes: 200, timeoutMilliseconds: 1_000 },
  );
  const ada = room.connect('ada');
  for (const name of ['text', 'list', 'other', 'number', 'large', 'slow']) {
    await ada.say(`v["${name}",null,1,1]`);
    await room.host.pass(1_000);
    const told = room.host.errors.splice(0).map(({ error }) => String(error));
    expect(told).toEqual([expect.stringContaining(`he procedure "${name}"`)]);
  }
});

test('[EVENT-3] an error with a code that does not exist ends the call as failed', async () => {
  const room = new EventfulRoom(() => ({
    lock: procedure.handle(() => {
      throw new TinyBasePartyKitError('locked' as never, 'The board is locked.');
    }),
  }));
  const ada = room.connect('ada');
  await ada.say('v["lock",null,1,1]');
  const [frame = ''] = heard(ada);
  expect(decode(frame.slice(1))).toMatchObject({ type: 'failure', error: { code: 'failed' } });
  expect(String(room.host.errors.pop()?.error)).toContain('The board is locked.');
});

test.each([undefined, null, 10n, { text: 'The board is locked.' }])(
  '[EVENT-3] an error whose message is no text ends the call as failed: %s',
  async (message) => {
    const error = new TinyBasePartyKitError('forbidden', 'The board is locked.');
    Object.assign(error, { message });
    const room = new EventfulRoom(() => ({
      lock: procedure.handle(() => {
        throw error;
      }),
    }));
    const ada = room.connect('ada');
    await ada.say('v["lock",null,1,1]');
    const [frame = ''] = heard(ada);
    expect(decode(frame.slice(1))).toMatchObject({ type: 'failure', error: { code: 'failed' } });
    expect(room.host.errors.pop()?.error).toBe(error);
  },
);

test.each([
  ['throws', (thrown: unknown) => Promise.reject(thrown)],
  [
    'rejects with',
    (thrown: unknown) => {
      throw thrown;
    },
  ],
])(
  '[EVENT-3] a call ends as failed if its procedure %s an object that throws',
  async (_how, run) => {
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const room = new EventfulRoom(() => ({
      run: procedure.handle(() => run(revoked.proxy) as never),
    }));
    const ada = room.connect('ada');
    await ada.say('v["run",null,1,1]');
    expect(heard(ada).map((frame) => failureOf(frame).code)).toEqual(['failed']);
    expect(room.host.errors).toHaveLength(1);
  },
);

test('[EVENT-3] the message of an error is cut after 1,000 characters', async () => {
  const room = new EventfulRoom(() => ({
    lock: procedure.handle(() => {
      throw new TinyBasePartyKitError('forbidden', 'x'.repeat(3_000_000));
    }),
  }));
  const ada = room.connect('ada');
  await ada.say('v["lock",null,1,1]');
  const message = `${'x'.repeat(1_000)}…`;
  expect(heard(ada)).toEqual([`v[1,null,{"code":"forbidden","message":"${message}"}]`]);
});

test('[EVENT-3] what is nested so deeply that nobody reads it is not sent, and its sender is told', async () => {
  const room = new EventfulRoom(() => ({
    tell: procedure.input(z.number()).handle((levels) => ({ result: nested(levels) })),
    wave: procedure
      .input(z.number())
      .handle((levels) => ({ broadcast: { waved: nested(levels) }, result: 'waved' })),
  }));
  const ada = room.connect('ada');
  for (const name of ['tell', 'wave']) {
    await ada.say(`v["${name}",255,1]`);
    for (const frame of heard(ada)) expect(() => decode(frame.slice(1))).not.toThrow();
    await ada.say(`v["${name}",256,2]`);
    expect(heard(ada).map((frame) => failureOf(frame).code)).toEqual(['failed']);
    expect(String(room.host.errors.pop()?.error)).toContain('nested too deeply');
  }
  expect(() => room.events.broadcast('said', nested(256))).toThrow(/nested too deeply/);
  room.events.broadcast('said', nested(255));
  await settle();
  expect(heard(ada)).toHaveLength(1);
});

test.each([
  ['an unknown member', () => ({ result: 1, brodcast: {} }), /brodcast/],
  ['an array', () => [1], /no object/],
  ['a text', () => 'text', /no object/],
  ['events that are no object', () => ({ broadcast: [1] }), /as broadcast/],
  ['a function as data', () => ({ self: { done: () => 1 } }), /"done"/],
  ['a reserved event', () => ({ broadcast: { call: 1 } }), /"call"/],
  ['a bigint as result', () => ({ result: 1n }), /result/],
])(
  '[EVENT-3] a procedure that returns %s has failed, and the app is told',
  async (_what, handler, message) => {
    const room = new EventfulRoom(() => ({ run: procedure.handle(handler as never) }));
    const ada = room.connect('ada');
    await ada.say('v["run",null,1,1]');
    const frames = heard(ada);
    expect(frames).toHaveLength(1);
    expect(failureOf(frames[0]).code).toBe('failed');
    expect(room.host.errors.map(({ error }) => String(error)).join()).toMatch(message);
  },
);

test('[EVENT-3] a procedure may return what a database has in place of a promise', async () => {
  // oxlint-disable-next-line unicorn/no-thenable
  const query = { then: (resolve: (value: unknown) => void) => resolve({ result: 'found' }) };
  const room = new EventfulRoom(() => ({ find: procedure.handle(() => query as never) }));
  const ada = room.connect('ada');
  await ada.say('v["find",null,1,1]');
  expect(heard(ada)).toEqual(['v[1,"found"]']);
});

test('[EVENT-3] a frame that does not decode is answered if somebody waits, and else left alone', async () => {
  const room = new EventfulRoom(setting);
  const ada = await room.join('ada');
  const deep = '['.repeat(300) + ']'.repeat(300);
  await ada.say(`v["set",${deep},4]`);
  expect(failureOf(heard(ada)[0]).code).toBe('malformed');
  for (const frame of ['v', 'v{', 'v[]', 'v["set"', 'v[7]', 'v{"a":1}', 'v["set",1,-1]', 'vote'])
    await ada.say(frame);
  expect(heard(ada)).toEqual([]);
  expect(room.host.errors).toEqual([]);
});

test('[EVENT-4] only declared names are called, whatever else objects have', async () => {
  const room = new EventfulRoom(() => ({ said: event(), run: procedure.handle(() => undefined) }));
  const ada = room.connect('ada');
  const before = Object.getOwnPropertyNames(Object.prototype);
  for (const name of ['__proto__', 'constructor', 'toString', 'then', 'said', 'x'.repeat(1_000)]) {
    await ada.say(`v[${JSON.stringify(name)},{"__proto__":{"admin":true},"constructor":1},1]`);
    const { code, message } = failureOf(heard(ada)[0]);
    expect([name, code]).toEqual([name, 'not-found']);
    expect(message.length).toBeLessThan(120);
  }
  expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
  expect(Reflect.get({}, 'admin')).toBeUndefined();
});

test.each([
  'then',
  'call',
  'constructor',
  'toString',
  'name',
  'a b',
  '',
  '1',
  'toJSON',
  '__proto__',
])('[EVENT-4] the name "%s" is refused when the room is made', (name) => {
  const { room } = new FakeRoomHost();
  const declarations = { ['wave']: procedure.handle(() => undefined), [name]: event() };
  expect(() => createEvents(room as never, declarations)).toThrow(/cannot use the name/);
  // Nothing was attached.
  expect(() => createEvents(room as never, {})).not.toThrow();
});

test.each([
  ['a builder', procedure],
  ['a builder with an input', procedure.input(z.string())],
  ['a function', () => undefined],
  ['nothing', undefined],
])('[EVENT-4] %s is no declaration', (_what, declaration) => {
  const { room } = new FakeRoomHost();
  expect(() => createEvents(room as never, { wave: declaration } as never)).toThrow(/"wave"/);
  expect(() => procedure.input({} as never)).toThrow(/schema/);
  expect(() => procedure.handle(undefined as never)).toThrow(/handle/);
  expect(() => createEvents(room as never, {}, { calls: 0 })).toThrow(/calls/);
  expect(() => createEvents(room as never, {}, { call: 1 } as never)).toThrow(/no option call/);
  for (const options of [null, 5, 'text'])
    expect(() => createEvents(room as never, {}, options as never)).toThrow(/its options/);
  for (const declarations of [null, undefined, 5, 'text'])
    expect(() => createEvents(room as never, declarations as never)).toThrow(/second parameter/);
});

test('[EVENT-6] a call that is too large is refused unread, and what it would send as well', async () => {
  const room = new EventfulRoom(
    () => ({
      repeat: procedure.input(z.number()).handle((count) => ({
        broadcast: { repeated: 'x'.repeat(count) },
        result: count,
      })),
      tell: procedure.handle(() => ({ result: 'ä'.repeat(150) })),
    }),
    { inputBytes: 100, outputBytes: 200 },
  );
  const ada = room.connect('ada');
  await ada.say(`v["repeat","${'x'.repeat(90)}",1]`);
  expect(failureOf(heard(ada)[0])).toMatchObject({ code: 'too-large' });
  await ada.say(`v["repeat","${'ä'.repeat(45)}",1]`);
  expect(failureOf(heard(ada)[0])).toMatchObject({ code: 'too-large' });
  expect(room.host.errors).toEqual([]);
  await ada.say('v["repeat",100,2]');
  expect(heard(ada).at(-1)).toBe('v[2,100]');
  await ada.say('v["repeat",200,3]');
  await ada.say('v["tell",null,4,1]');
  expect(heard(ada).map((frame) => failureOf(frame).code)).toEqual(['too-large', 'too-large']);
  expect(room.host.errors).toHaveLength(2);
  expect(() => room.events.broadcast('said', 'x'.repeat(300))).toThrow(
    expect.objectContaining({ code: 'too-large' }),
  );
});

test('[EVENT-6] a connection has so many calls under way, and others theirs', async () => {
  const gates: Deferred<void>[] = [];
  const room = new EventfulRoom(slow(gates), { calls: 2, callsLength: 60 });
  const [ada, bob] = [room.connect('ada'), room.connect('bob')];
  for (const id of [1, 2, 3]) await ada.say(`v["look",null,${id},1]`);
  await bob.say('v["look",null,1,1]');
  expect(failureOf(heard(ada)[0])).toMatchObject({ code: 'overloaded' });
  expect(gates).toHaveLength(3);
  for (const gate of gates) gate.resolve();
  await settle();
  heard(ada);
  await ada.say(`v["look","${'x'.repeat(60)}",4]`);
  expect(failureOf(heard(ada)[0])).toMatchObject({ code: 'overloaded' });
  await ada.say('v["see",null,5,1]');
  expect(heard(ada)).toEqual(['v[5]']);
});

test('[EVENT-6] a call is under way until its answer is on disk', async () => {
  const room = new EventfulRoom(setting, { calls: 2 });
  const ada = await room.join('ada');
  room.isHeld = true;
  for (const id of [1, 2, 3]) await ada.say(`v["set",${id},${id}]`);
  await room.letGo();
  const answers = heard(ada).filter((frame) => /^v\[\d/.test(frame));
  expect(answers.map((frame) => failureOf(frame)?.code)).toEqual([
    undefined,
    undefined,
    'overloaded',
  ]);
  await ada.say('v["set",4,4]');
  expect(heard(ada).at(-1)).toBe('v[4,4]');
});

test('[EVENT-6] a procedure that takes too long ends with unavailable, and nothing of it is sent later', async () => {
  const gates: Deferred<void>[] = [];
  const room = new EventfulRoom(slow(gates), { timeoutMilliseconds: 1_000 });
  const ada = room.connect('ada');
  await ada.say('v["look",null,1,1]');
  await room.host.pass(999);
  expect(heard(ada)).toEqual([]);
  await room.host.pass(1);
  expect(failureOf(heard(ada)[0])).toMatchObject({ code: 'unavailable' });
  expect(room.host.errors).toHaveLength(1);
  gates[0]?.resolve();
  await settle();
  expect(heard(ada)).toEqual([]);
  await ada.say('v["look",null,2,1]');
  gates[1]?.resolve();
  await settle();
  await room.host.pass(1_000);
  expect(heard(ada)).toEqual(['v["looked",null,"ada",1]', 'v[2]']);
  expect(room.host.errors).toHaveLength(1);
});

test('[EVENT-6] a procedure does not begin once its schema took too long', async () => {
  const gate = new Deferred<void>();
  let runs = 0;
  const schema = z.string().refine(async () => {
    await gate.promise;
    return true;
  });
  const room = new EventfulRoom(
    () => ({ run: procedure.input(schema).handle(() => void (runs += 1)) }),
    { timeoutMilliseconds: 1_000 },
  );
  const ada = room.connect('ada');
  await ada.say('v["run","a",1]');
  await room.host.pass(1_000);
  gate.resolve();
  await wait(1);
  expect(runs).toBe(0);
  expect(heard(ada)).toHaveLength(1);
});

test('[EVENT-6] what a call makes the room send is charged to its connection', async () => {
  const limits = { messagesPerSecond: 10, messageBurst: 100 };
  const room = new EventfulRoom(
    () => ({ shout: procedure.broadcast(() => ({ shouted: 'x'.repeat(100_000) })) }),
    undefined,
    { limits: () => limits },
  );
  const ada = await room.join('ada');
  const others = Array.from({ length: 20 }, (_, index) => room.connect(`other${index}`));
  await ada.say('v["shout"]');
  // Twenty times 100,000 characters are worth more than 100 messages.
  await ada.say('v["shout"]');
  expect(others.map((other) => heard(other).length)).toEqual(others.map(() => 1));
  expect(heard(ada).at(-1)).toContain('e{"code":"overloaded"');
  await room.host.pass(10_000);
  await ada.hello({ clientId: 'ada'.padEnd(22, '_'), generation: 2 });
  await ada.say('v["shout"]');
  expect(others.map((other) => heard(other).length)).toEqual(others.map(() => 1));
});

test('[EVENT-7] broadcast reaches everybody, self the caller, and each tells whose call it was', async () => {
  const room = new EventfulRoom(() => ({
    wave: procedure.broadcast(() => ({ waved: 1, flagged: undefined })),
    double: procedure.input(z.number()).self(async (value) => ({ doubled: value * 2 })),
    both: procedure.handle(() => ({ self: { mine: 1 }, broadcast: { ours: 2 }, result: 3 })),
  }));
  const [ada, bob] = [room.connect('ada'), room.connect('bob')];
  await ada.say('v["wave"]');
  expect(heard(bob)).toEqual(['v["waved",1,"ada"]', 'v["flagged",null,"ada",1]']);
  expect(heard(ada)).toEqual(['v["waved",1,"ada"]', 'v["flagged",null,"ada",1]']);
  await ada.say('v["double",21,9]');
  expect(heard(ada)).toEqual(['v["doubled",42,"ada"]', 'v[9]']);
  expect(heard(bob)).toEqual([]);
  await bob.say('v["both",null,1,1]');
  expect(heard(bob)).toEqual(['v["ours",2,"bob"]', 'v["mine",1,"bob"]', 'v[1,3]']);
  expect(heard(ada)).toEqual(['v["ours",2,"bob"]']);
});

test('[EVENT-7] the room’s own code sends in both forms, to all, to some and to one', async () => {
  const room = new EventfulRoom(() => ({ said: event(), closed: event() }));
  await room.host.room.start();
  const [ada, bob] = [room.connect('ada'), room.connect('bob')];
  room.events.broadcast('said', { text: 'all' });
  room.events.broadcast['said']?.({ text: 'again' });
  room.events.broadcast['closed']?.();
  room.events.to(({ id }) => id === 'bob')('said', 'some');
  room.events.to(({ id }) => id === 'bob')['said']?.('some more');
  room.events.send(ada, 'said', 'one');
  const all = ['v["said",{"text":"all"}]', 'v["said",{"text":"again"}]', 'v["closed"]'];
  expect(heard(ada)).toEqual([...all, 'v["said","one"]']);
  expect(heard(bob)).toEqual([...all, 'v["said","some"]', 'v["said","some more"]']);
  expect(() => room.events.broadcast('then', 1)).toThrow(/"then"/);
  expect(() => room.events.send(ada, 'said', 1n)).toThrow(/"said"/);
  expect(await (room.events.broadcast as unknown)).toBe(room.events.broadcast);
});

test.each([undefined, null, 1, Symbol('said')])(
  '[EVENT-7] code without types that gives no name sends nothing, and throws: %s',
  async (name) => {
    const room = new EventfulRoom(() => ({ said: event() }));
    await room.host.room.start();
    const ada = room.connect('ada');
    expect(() => room.events.broadcast(name as never)).toThrow('An event cannot have the name');
    expect(() => room.events.send(ada, name as never)).toThrow('An event cannot have the name');
    expect(heard(ada)).toEqual([]);
  },
);

test.each([undefined, null, 'ada', {}])(
  '[EVENT-7] code without types that gives no connection sends nothing, and throws: %j',
  async (connection) => {
    const room = new EventfulRoom(() => ({ said: event() }));
    await room.host.room.start();
    const ada = room.connect('ada');
    expect(() => room.events.send(connection as never, 'said')).toThrow('got no connection');
    expect(() => room.events.to(connection as never)('said')).toThrow('got no function');
    expect([heard(ada), room.host.errors]).toEqual([[], []]);
  },
);

test('[EVENT-7] an async function that chooses connections chooses nobody, and throws', async () => {
  const room = new EventfulRoom(() => ({ said: event() }));
  await room.host.room.start();
  const [ada, bob] = [room.connect('ada'), room.connect('bob')];
  const toBob = room.events.to((async ({ id }: { id: string }) => id === 'bob') as never);
  expect(() => toBob('said', 'secret')).toThrow(/promise/);
  await room.host.pass(100);
  expect([...heard(ada), ...heard(bob)]).toEqual([]);
});

test('[EVENT-7] a connection that only listens is heard as one that reads', async () => {
  const room = new EventfulRoom(() => ({ said: event() }), undefined, {
    limits: () => ({ unreadLength: 1_000 }),
  });
  await room.host.room.start();
  const [reading, silent] = [room.connect('reading'), room.connect('silent')];
  for (let count = 0; count < 20; count += 1) {
    room.events.broadcast('said', 'x'.repeat(200));
    await reading.say('v[]');
  }
  expect([reading.closed, heard(reading).length]).toEqual([undefined, 20]);
  expect(silent.closed).toMatchObject({ code: 4429 });
});

test('[EVENT-7] a call of a connection that has left is finished, and the others hear of it', async () => {
  const gates: Deferred<void>[] = [];
  const room = new EventfulRoom(slow(gates));
  const [ada, bob] = [room.connect('ada'), room.connect('bob')];
  await ada.say('v["look",null,1,1]');
  room.host.disconnect(ada);
  gates[0]?.resolve();
  await settle();
  expect(heard(bob)).toEqual(['v["looked",null,"ada",1]']);
  expect(room.host.errors).toEqual([]);
});

test('[EVENT-7] a call of a connection that the room has closed does not begin', async () => {
  const gate = new Deferred<void>();
  let runs = 0;
  const schema = z.string().refine(async () => {
    await gate.promise;
    return true;
  });
  const room = new EventfulRoom(() => ({
    run: procedure.input(schema).handle(() => void (runs += 1)),
    plain: procedure.handle(() => void (runs += 1)),
  }));
  const ada = room.connect('ada');
  await ada.say('v["run","a",1]');
  ada.close(4000, 'evicted');
  await ada.say('v["plain",null,2,1]');
  gate.resolve();
  await wait(1);
  expect(runs).toBe(0);
});

test('[EVENT-7] who may only read may call, and nobody calls or hears before the gate or after the grant', async () => {
  const standings = new Map<unknown, 'admitted' | 'unknown' | 'expired'>();
  const room = new EventfulRoom(setting);
  room.host.room.setGate({
    admit: async (connection) => void standings.set(connection, 'admitted'),
    admitRequest: async () => undefined,
    check: (connection) => standings.get(connection) ?? 'unknown',
    mayWrite: () => false,
  });
  await room.host.room.start();
  const [reader, stranger] = [room.connect('reader'), room.connect('stranger')];
  expect(await room.host.room.connected(reader, 'request')).toBe(true);
  await reader.say('v["set",1,1]');
  expect(heard(reader).at(-1)).toBe('v[1,1]');
  await stranger.say('v["set",2,1]');
  expect(room.host.room.store.getValue('v')).toBe(1);
  expect(heard(stranger).map((frame) => frame.slice(0, 20))).toEqual(['e{"code":"expired","']);
  standings.set(reader, 'expired');
  room.events.broadcast('wasSet', 3);
  await reader.say('v["set",4,2]');
  expect(room.host.room.store.getValue('v')).toBe(1);
  expect(heard(reader).map((frame) => frame[0])).toEqual(['e']);
});

test('[EVENT-7] nobody calls under the connection id of another user, and a reconnect does', async () => {
  const room = new EventfulRoom(() => ({ wave: procedure.broadcast(() => ({ waved: 1 })) }));
  const users = new Map<unknown, string>();
  room.host.room.setGate({
    admit: async (connection, user) => void users.set(connection, String(user)),
    admitRequest: async () => undefined,
    check: (connection) => (users.has(connection) ? 'admitted' : 'unknown'),
    mayWrite: () => true,
    userIdOf: (connection) => users.get(connection),
  });
  await room.host.room.start();
  const enter = async (id: string, user: string): Promise<Caller> => {
    const connection = room.connect(id);
    await room.host.room.connected(connection, user);
    return connection;
  };
  const ada = await enter('one', 'ada');
  const eve = await enter('one', 'eve');
  await eve.say('v["wave"]');
  await eve.say('v["wave",null,1,1]');
  expect(heard(ada)).toEqual([]);
  const refused = heard(eve);
  expect(refused.map((frame) => failureOf(frame).code)).toEqual(Array(3).fill('forbidden'));
  // With 0, the client hears that it needs another id, also if nobody waits for the call.
  expect(refused.map((frame) => frame.slice(0, 4))).toEqual(['v[0,', 'v[0,', 'v[1,']);
  const again = await enter('one', 'ada');
  await again.say('v["wave",null,1,1]');
  await ada.say('v["wave"]');
  expect(heard(ada)).toEqual(['v["waved",1,"one"]', 'v["waved",1,"one"]']);
});

/** Lets everybody in, and notes who they say they are. */
function letInAll(room: EventfulRoom, users: Map<unknown, string>): void {
  room.host.room.setGate({
    admit: async (connection, user) => void users.set(connection, String(user)),
    admitRequest: async () => undefined,
    check: (connection) => (users.has(connection) ? 'admitted' : 'unknown'),
    mayWrite: () => true,
    userIdOf: (connection) => users.get(connection),
  });
}

test('[EVENT-7] nobody calls under the connection id of another user after a hibernation either, whoever speaks first', async () => {
  const room = new EventfulRoom(() => ({ wave: procedure.broadcast(() => ({ waved: 1 })) }));
  const users = new Map<unknown, string>();
  const gate = (): void => letInAll(room, users);
  gate();
  await room.host.room.start();
  const enter = async (id: string, user: string): Promise<Caller> => {
    const connection = room.connect(id);
    await room.host.room.connected(connection, user);
    return connection;
  };
  const asleep = [await enter('one', 'ada'), await enter('one', 'eve')] as const;
  // Hosts list sockets in any order after a sleep, such as the latest first.
  const [eve, ada] = room.hibernate(asleep[1], asleep[0]) as [Caller, Caller];
  users.set(ada, 'ada').set(eve, 'eve');
  gate();
  await eve.say('v["wave",null,1,1]');
  expect(heard(ada)).toEqual([]);
  expect(failureOf(heard(eve)[1]).code).toBe('forbidden');
  await ada.say('v["wave"]');
  expect(heard(ada)).toEqual(['v["waved",1,"one"]']);
  heard(eve);
  // Where the other has left, nobody is taken for somebody else.
  room.host.disconnect(ada);
  await eve.say('v["wave"]');
  expect(heard(eve)).toEqual(['v["waved",1,"one"]']);
});

test('[EVENT-7] nobody calls under the connection id of another user after a hibernation, also if the host could not attach who came later', async () => {
  const room = new EventfulRoom(() => ({ wave: procedure.broadcast(() => ({ waved: 1 })) }));
  const users = new Map<unknown, string>();
  const gate = (): void => letInAll(room, users);
  gate();
  await room.host.room.start();
  const [awake, later] = [room.connect('one'), room.connect('one')];
  await room.host.room.connected(awake, 'ada');
  await room.host.room.connected(later, 'eve');
  await awake.say('v["wave",null,1,1]');
  expect(heard(awake).at(-1)).toBe('v[1]');
  // Whoever connects chooses the length of the URL, which hosts attach, too.
  later.attachment = awake.attachment;
  const [ada, eve] = room.hibernate(awake, later) as [Caller, Caller];
  users.set(ada, 'ada').set(eve, 'eve');
  gate();
  await eve.say('v["wave",null,1,1]');
  expect(heard(ada)).toEqual([]);
  expect(failureOf(heard(eve)[1]).code).toBe('forbidden');
  await ada.say('v["wave",null,2,1]');
  expect(heard(eve)).toEqual([]);
  // Its client comes back with another id.
  expect(heard(ada)[0]).toMatch(/^v\[0,null,{"code":"forbidden"/);
});

test('[EVENT-7] calls and events work after a hibernation, and before the room has a Store', async () => {
  const room = new EventfulRoom(setting);
  const [ada, bob] = [room.connect('ada'), room.connect('bob')];
  const attachments = [ada.attachment, bob.attachment];
  await ada.say('v["set",1,1]');
  expect(heard(ada).at(-1)).toBe('v[1,1]');
  expect([ada.attachment, bob.attachment]).toEqual(attachments);
  const [adaAgain, bobAgain] = room.hibernate(ada, bob) as [Caller, Caller];
  await adaAgain.say('v["set",2,1]');
  expect(heard(bobAgain)).toEqual(['s[{},{"v":2},1]', 'v["wasSet",2,"ada"]']);
  expect(heard(adaAgain).at(-1)).toBe('v[1,2]');
});

test('[EVENT-7] a second createEvents in one room is refused', () => {
  const { room } = new FakeRoomHost();
  createEvents(room as never, {});
  expect(() => createEvents(room as never, {})).toThrow(/letter "v"/);
});

test('[SEAM-5] a room with events that nobody uses sends, attaches and stores the same as one without', async () => {
  const traces = [];
  for (const isWith of [false, true]) {
    const host = new FakeRoomHost();
    if (isWith) createEvents(host.room as never, setting(new EventfulRoom(() => ({}))) as never);
    await host.seed({ v: 1 });
    const ada = await host.join('ada');
    const stock = host.connect();
    await ada.push(1, { v: 2 });
    host.room.store.setValue('v', 3);
    await settle();
    await host.pass(60_000);
    const rows = await host.storage.list({});
    traces.push({ ada: ada.frames, stock: stock.frames, attached: ada.attachment, rows });
  }
  expect(traces[0]).toEqual(traces[1]);
});
