import { describe, expect, test } from 'vitest';

import { encodeClientMessage } from '../../../src/protocol/codec.ts';
import { DEFAULT_LIMITS } from '../../../src/server/room/room-options.ts';
import type { RoomHooks } from '../../../src/server/writes/hooks.ts';
import { Deferred } from '../../support/deferred.ts';
import {
  changesOf,
  clientId,
  type FakeConnection,
  FakeRoomHost,
  settle,
  type ChangesInShort,
} from '../../support/fake-connection.ts';

type Hooks = RoomHooks<unknown>;
const onlyAdmins = (asked: unknown[] = []): Hooks => ({
  canSetTable: (_table, isInitial) => asked.push(isInitial) > 0 && !isInitial,
  canSetValue: (_id, _value, isInitial) => asked.push(isInitial) > 0 && !isInitial,
});

type Options = ConstructorParameters<typeof FakeRoomHost>[0];

const CONTENT: ChangesInShort = {
  t: { r: { c: 0, locked: false }, s: { c: 0 } },
  u: { r: { c: 0 } },
  v: 0,
  w: 0,
};

const seeded = async (hooks: Hooks, options: Options = {}): Promise<FakeRoomHost> => {
  let isSeeded = false;
  const host = new FakeRoomHost({ ...options, hooks: () => (isSeeded ? hooks : {}) });
  await host.seed(CONTENT);
  isSeeded = true;
  return host;
};

/** A hook whose every question is answered by the test. */
class Answers {
  readonly asked: string[] = [];
  readonly #answers: Deferred<boolean>[] = [];

  readonly hooks: Hooks = {
    canSetCell: (table, row, cell, now) =>
      this.#ask(`${table} ${row} ${cell} ${JSON.stringify(now)}`),
    canSetValue: (id, now) => this.#ask(`${id} ${JSON.stringify(now)}`),
  };

  async allow(question: string): Promise<void> {
    const index = this.asked.lastIndexOf(question);
    if (index < 0) throw new Error(`Nobody asked ${question}, but ${this.asked.join(', ')}.`);
    this.#answers[index]?.resolve(true);
    await settle();
  }

  #ask(question: string): Promise<boolean> {
    this.asked.push(question);
    const answer = new Deferred<boolean>();
    this.#answers.push(answer);
    return answer.promise;
  }
}

const deciding = async (): Promise<{
  host: FakeRoomHost;
  answers: Answers;
  ada: FakeConnection;
  bob: FakeConnection;
}> => {
  const answers = new Answers();
  const host = await seeded(answers.hooks);
  return { host, answers, ada: await host.join('ada'), bob: await host.join('bob') };
};

describe('while hooks are asked', () => {
  test('[HOOK-7] other connections, newcomers and the room go on', async () => {
    const { host, answers, ada, bob } = await deciding();
    for (let number = 1; number <= 400; number += 1)
      await ada.push(number, { t: { r: { c: number } } });
    await bob.push(1, { t: { s: { c: 'bob' } } });
    await answers.allow('t s c "bob"');
    expect(bob.hearOne('ack')).toMatchObject({ number: 1, version: 2, isCommit: true });
    expect(ada.hearOne('commit').version).toBe(2);
    const newcomer = await host.join('eve');
    expect(newcomer.hear()).toEqual([]);
    host.room.store.setValue('own', 1);
    await settle();
    expect(bob.hearOne('commit').version).toBe(3);
    expect(await host.content()).toMatchObject([{ t: { s: { c: 'bob' } } }, { own: 1 }]);
    expect(answers.asked).toEqual(['t r c 1', 't s c "bob"']);
  });

  test('[HOOK-7] the pushes of one connection are decided in order, whatever they touch', async () => {
    const { host, answers, ada } = await deciding();
    await ada.push(1, { t: { r: { c: 1 } } });
    await ada.push(2, { t: { s: { c: 2 } } });
    await ada.push(3, { v: 3 });
    expect(answers.asked).toEqual(['t r c 1']);
    await answers.allow('t r c 1');
    expect(answers.asked).toEqual(['t r c 1', 't s c 2']);
    await answers.allow('t s c 2');
    await answers.allow('v 3');
    expect(ada.hear()).toMatchObject([
      { number: 1, version: 2 },
      { number: 2, version: 3 },
      { number: 3, version: 4 },
    ]);
    expect(host.room.store.getValue('v')).toBe(3);
  });

  test.each<[string, ChangesInShort, ChangesInShort]>([
    ['a row', { t: { r: { c: 'ada' } } }, { t: { r: { d: 'bob' } } }],
    ['a row that one deletes', { t: { r: undefined } }, { t: { r: { d: 'bob' } } }],
    ['a table that one deletes', { t: undefined }, { t: { new: { d: 'bob' } } }],
    ['Values', { v: 'ada' }, { w: 'bob' }],
  ])('[HOOK-7] pushes of different connections to %s take turns', async (_what, first, second) => {
    const asked: unknown[] = [];
    const answers = [new Deferred<boolean>(), new Deferred<boolean>()];
    const ask = (who: unknown): Promise<boolean> => {
      if (!asked.includes(who)) asked.push(who);
      return answers[asked.indexOf(who)]?.promise ?? Promise.resolve(false);
    };
    const host = await seeded({
      canSetTable: (_table, _isInitial, who) => ask(who),
      canDelTable: (_table, who) => ask(who),
      canSetValue: (_id, _value, _isInitial, who) => ask(who),
    });
    const ada = await host.join('ada');
    const bob = await host.join('bob');
    await ada.push(1, first);
    await bob.push(1, second);
    expect(asked).toEqual([ada]);
    answers[0]?.resolve(true);
    await settle();
    expect(asked).toEqual([ada, bob]);
    answers[1]?.resolve(true);
    await settle();
    expect(ada.hearTypes()).toEqual(['ack', 'commit']);
    expect(bob.hearTypes()).toEqual(['commit', 'ack']);
    expect(host.errors).toEqual([]);
  });

  test('[HOOK-7] two who edit one row again and again are both served', async () => {
    const { answers, ada, bob, host } = await deciding();
    for (let number = 1; number <= 10; number += 1) {
      await ada.push(number, { t: { r: { c: `ada${number}` } } });
      await bob.push(number, { t: { r: { d: `bob${number}` } } });
    }
    for (let number = 1; number <= 10; number += 1) {
      await answers.allow(`t r c "ada${number}"`);
      await answers.allow(`t r d "bob${number}"`);
    }
    const acks = [...ada.hear(), ...bob.hear()].filter(({ type }) => type === 'ack');
    expect(acks).toHaveLength(20);
    for (const ack of acks) expect(ack).toMatchObject({ isCommit: true, reason: undefined });
    expect(host.room.store.getRow('t', 'r')).toMatchObject({ c: 'ada10', d: 'bob10' });
  });

  test('[HOOK-7] stock peers wait for nobody else, and nobody for them', async () => {
    const { host, answers, ada } = await deciding();
    const stock = host.connect();
    await stock.stock({ v: 'stock' });
    await stock.stock({ v: 'later' });
    await ada.push(1, { t: { r: { c: 'ada' } } });
    await answers.allow('t r c "ada"');
    expect(ada.hearTypes()).toEqual(['ack']);
    await answers.allow('v "stock"');
    await answers.allow('v "later"');
    expect(host.room.store.getValue('v')).toBe('later');
  });

  test('[ORDER-7] a ping behind own pushes is answered at once, and a check in order', async () => {
    const { host, answers, ada } = await deciding();
    await ada.push(1, { v: 1 });
    await ada.ping();
    expect(ada.hearTypes()).toEqual(['alive']);
    await ada.say(encodeClientMessage(host.prefix, { type: 'check' }));
    await ada.push(2, { v: 2 });
    expect(ada.hear()).toEqual([]);
    await answers.allow('v 1');
    expect(ada.hear()).toMatchObject([
      { type: 'ack', number: 1 },
      { type: 'pong', lastPush: 1, version: 2 },
    ]);
    await answers.allow('v 2');
    await ada.ping();
    expect(ada.hear()).toMatchObject([
      { type: 'ack', number: 2 },
      { type: 'pong', lastPush: 2 },
    ]);
  });

  test('[ORDER-7] what cannot be read is answered after the pushes before it', async () => {
    const { answers, ada } = await deciding();
    await ada.push(1, { v: 1 });
    await ada.say('p[2,[{},{"v":"\uFFFD["}]]');
    expect(ada.hear()).toEqual([]);
    await answers.allow('v 1');
    expect(ada.hear()).toMatchObject([
      { type: 'ack', number: 1 },
      { type: 'error', code: 'malformed', push: 2 },
    ]);
  });

  test('[FLOOD-2] what waits when a connection has sent too much is decided', async () => {
    const answers = new Answers();
    const host = await seeded(answers.hooks, { limits: () => ({ waitingMessages: 3 }) });
    const ada = await host.join('ada');
    for (let number = 1; number <= 5; number += 1) await ada.push(number, { v: number });
    expect(ada.hear()).toMatchObject([{ type: 'error', code: 'overloaded' }]);
    for (const number of [1, 2, 3]) await answers.allow(`v ${number}`);
    expect(host.room.store.getValue('v')).toBe(3);
    // What comes after it is not taken, although it would be the next one.
    await ada.push(4, { v: 4 });
    expect(ada.hear()).toEqual([]);
    await ada.hello({ generation: 2, cursor: await host.cursor() });
    expect(ada.hear()).toMatchObject([{ type: 'welcome', lastPush: 3 }]);
    expect(answers.asked).toEqual(['v 1', 'v 2', 'v 3']);
  });

  test('[ONCE-3] a gap behind an undecided push is told once', async () => {
    const { answers, ada } = await deciding();
    await ada.push(1, { v: 1 });
    for (const number of [3, 4, 5]) await ada.push(number, { v: number });
    await answers.allow('v 1');
    expect(ada.hear()).toMatchObject([
      { type: 'ack', number: 1 },
      { type: 'error', code: 'stale' },
    ]);
  });

  test('[SEAM-1] a frame of an ordered feature comes after the pushes before it, and no hello drops it', async () => {
    const { host, answers, ada } = await deciding();
    const received: string[] = [];
    host.room.addFeature({
      letter: 'v',
      isOrdered: true,
      received: (_connection, json) => void received.push(json),
    });
    await ada.push(1, { v: 1 });
    await ada.say('v"first"');
    expect(received).toEqual([]);
    await answers.allow('v 1');
    expect(received).toEqual(['"first"']);
    await ada.push(2, { v: 2 });
    await ada.say('v"second"');
    await ada.hello({ generation: 2, cursor: await host.cursor() });
    await answers.allow('v 2');
    expect(received).toEqual(['"first"', '"second"']);
  });

  test('[DURABLE-3] a push that waits when the room loses its memory is dropped', async () => {
    const { host, answers, ada } = await deciding();
    await ada.push(1, { v: 1 });
    await host.room.restoreRoom({
      ...(await host.room.exportRoom()),
      content: [{}, { restored: 1 }],
    });
    await answers.allow('v 1');
    expect(ada.hearTypes()).toEqual(['error']);
    expect(host.room.store.getContent()).toEqual([{}, { restored: 1 }]);
    expect(await host.content()).toEqual([{}, { restored: 1 }]);
  });
});

describe('right before the commit', () => {
  test.each<[string, (host: FakeRoomHost, ada: FakeConnection) => FakeConnection]>([
    ['on the same socket', (_host, ada) => ada],
    ['on another socket', (host) => host.connect()],
    [
      'after the socket broke',
      (host, ada) => {
        host.disconnect(ada);
        return host.connect();
      },
    ],
  ])('[ONCE-9] a newer hello %s cancels what is not decided', async (_how, connect) => {
    const { host, answers, ada, bob } = await deciding();
    await ada.push(1, { v: 1 });
    await ada.push(2, { v: 2 });
    const next = connect(host, ada);
    await next.hello({ generation: 2, cursor: await host.cursor() });
    expect(next.hear()).toMatchObject([{ type: 'welcome', lastPush: 0, generation: 2 }]);
    const [first] = answers.asked;
    // Nothing waits for the answer to what nobody wants any more.
    await next.push(1, { v: 1 });
    expect(answers.asked).toEqual([first, 'v 1']);
    await answers.allow('v 1');
    await next.push(2, { v: 2 });
    await answers.allow('v 2');
    expect(next.hear()).toMatchObject([
      { type: 'ack', number: 1, isCommit: true },
      { type: 'ack', number: 2, isCommit: true },
    ]);
    expect(bob.hearTypes()).toEqual(['commit', 'commit']);
    expect(answers.asked).toEqual([first, 'v 1', 'v 2']);
  });

  test('[ONCE-9] the answer to a cancelled push comes to nothing', async () => {
    const answer = new Deferred<boolean>();
    let asked = 0;
    const hooks = { canSetValue: () => ((asked += 1) === 1 ? answer.promise : true) };
    const host = await seeded(hooks);
    const ada = await host.join('ada');
    const bob = await host.join('bob');
    await ada.push(1, { v: 'old' });
    await ada.hello({ generation: 2, cursor: await host.cursor() });
    await ada.push(1, { v: 'again' });
    expect(ada.hearTypes()).toEqual(['welcome', 'ack']);
    answer.resolve(true);
    await settle();
    expect(bob.hearTypes()).toEqual(['commit']);
    expect(host.room.store.getValue('v')).toBe('again');
    expect(ada.hear()).toEqual([]);
  });

  test('[ONCE-9] a hello that does not count cancels nothing', async () => {
    const { answers, ada, host } = await deciding();
    await ada.push(1, { v: 1 });
    await ada.hello({ generation: 1, cursor: await host.cursor() });
    expect(ada.hearOne('welcome')).toMatchObject({ generation: 2, changes: undefined });
    await answers.allow('v 1');
    expect(ada.hear()).toMatchObject([{ type: 'ack', number: 1, isCommit: true }]);
  });

  test('[ONCE-9] [CLOSE-2] another client on the same socket cancels nothing', async () => {
    const { host, answers, ada } = await deciding();
    await ada.push(1, { v: 1 });
    await ada.push(2, { v: 2 });
    await ada.hello({ clientId: clientId('next'), generation: 7, cursor: await host.cursor() });
    expect(ada.hear()).toEqual([]);
    await answers.allow('v 1');
    await answers.allow('v 2');
    expect(ada.hearTypes()).toEqual(['ack', 'ack', 'welcome']);
    expect(host.room.store.getValue('v')).toBe(2);
    await ada.push(1, { w: 1 });
    await answers.allow('w 1');
    expect(ada.hearTypes()).toEqual(['ack']);
  });

  test('[ONCE-9] a client that was told to load the content sends its pushes again', async () => {
    const { host, answers, ada } = await deciding();
    const limits = { frameLength: 300 };
    const tight = await seeded(answers.hooks, { limits: () => limits });
    const eve = await tight.join('eve');
    await eve.push(1, { v: 'eve' });
    tight.room.store.setCell('t', 'big', 'c', 'x'.repeat(400));
    await settle();
    expect(eve.hear()).toMatchObject([{ type: 'welcome', changes: undefined, lastPush: 0 }]);
    await answers.allow('v "eve"');
    expect(eve.hear()).toEqual([]);
    expect(tight.room.store.getValue('v')).toBe(0);
    expect([host.errors, tight.errors, ada.hear()]).toEqual([[], [], []]);
  });
});

describe('the ground of a push', () => {
  test('[HOOK-4] a hook that decided on a row that changed since is asked again', async () => {
    const waits = [new Deferred<void>(), new Deferred<void>()];
    let asked = 0;
    const host: FakeRoomHost = await seeded({
      canSetCell: async (table, row) => {
        const isAllowed = host.room.store.getCell(table, row, 'locked') !== true;
        asked += 1;
        await waits[asked - 1]?.promise;
        return isAllowed;
      },
    });
    const ada = await host.join('ada');
    await ada.push(1, { t: { r: { c: 1 } } });
    host.room.store.setCell('t', 'r', 'locked', true);
    for (const wait of waits) {
      wait.resolve();
      await settle();
    }
    expect(asked).toBe(2);
    expect(ada.hear()).toMatchObject([{ type: 'commit' }, { type: 'ack', reason: 'hook' }]);
    expect(host.room.store.getCell('t', 'r', 'c')).toBe(0);
  });

  test('[HOOK-4] so is one that decided on the Values', async () => {
    const wait = new Deferred<void>();
    const host: FakeRoomHost = await seeded({
      canSetValue: async () => {
        const isAllowed = host.room.store.getValue('w') === 0;
        await wait.promise;
        return isAllowed;
      },
    });
    const ada = await host.join('ada');
    await ada.push(1, { v: 1 });
    host.room.store.setValue('w', 1);
    wait.resolve();
    await settle();
    expect(ada.hear()).toMatchObject([{ type: 'commit' }, { type: 'ack', reason: 'hook' }]);
  });

  test.each([
    ['the cell', (host: FakeRoomHost, n: number) => host.room.store.setCell('t', 'r', 'c', n)],
    ['the row', (host: FakeRoomHost, n: number) => host.room.store.setCell('t', 'r', 'n', n)],
  ])(
    '[HOOK-4] a hook that writes %s it is asked about is asked four times',
    async (_what, write) => {
      for (const isLate of [false, true]) {
        let asked = 0;
        const host: FakeRoomHost = await seeded({
          canSetCell: async () => {
            asked += 1;
            const number = asked;
            if (isLate) await settle();
            write(host, number);
            return true;
          },
        });
        const ada = await host.join('ada');
        const bob = await host.join('bob');
        await ada.push(1, { t: { r: { c: 'ada' } } });
        for (let turn = 0; turn < 20; turn += 1) await settle();
        expect(asked).toBe(4);
        expect(ada.hear().at(-1)).toMatchObject({
          type: 'ack',
          isCommit: false,
          reason: 'timeout',
        });
        expect(bob.frames).toHaveLength(4);
        expect(host.errors).toMatchObject([{ where: 'hook' }]);
        expect(String(host.errors[0]?.error)).toContain('do not write to them in a hook');
      }
    },
  );

  test('[HOOK-4] a hook may keep count elsewhere, also in other rows of the table', async () => {
    for (const isLate of [false, true]) {
      let asked = 0;
      const host: FakeRoomHost = await seeded({
        canSetCell: async () => {
          if (isLate) await settle();
          host.room.store.setCell('t', 'account', 'asked', (asked += 1));
          return true;
        },
      });
      const ada = await host.join('ada');
      await ada.push(1, { t: { r: { c: 'ada' } } });
      await settle();
      await settle();
      expect(ada.hear().at(-1)).toMatchObject({ type: 'ack', isCommit: true, reason: undefined });
      expect(asked).toBe(1);
    }
  });

  test('[HOOK-4] what another push does elsewhere is taken into account, and asks nothing twice', async () => {
    const asked: string[] = [];
    const answer = new Deferred<boolean>();
    const host = await seeded({
      canDelTable: (table) => asked.push(`table ${table}`) === 0,
      canDelRow: (table, row) => {
        asked.push(`row ${table} ${row}`);
        return row === 'r' ? answer.promise : true;
      },
    });
    const ada = await host.join('ada');
    const bob = await host.join('bob');
    await ada.push(1, { t: { r: undefined } });
    await bob.push(1, { t: { s: undefined } });
    expect(bob.hearOne('ack').isCommit).toBe(true);
    answer.resolve(true);
    await settle();
    expect(asked).toEqual(['row t r', 'row t s', 'table t']);
    expect(ada.hear()).toMatchObject([{ type: 'commit' }, { type: 'ack', reason: 'hook' }]);
    expect(host.room.store.getRowIds('t')).toEqual(['r']);
  });
});

describe('the initial content', () => {
  test('[HOOK-8] a push that would make the room is asked about as such', async () => {
    const asked: unknown[] = [];
    const host = new FakeRoomHost({ hooks: () => onlyAdmins(asked) });
    const ada = await host.join('ada');
    await ada.push(1, { t: { r: { c: 1 } }, v: 1 });
    expect(ada.hear()).toMatchObject([
      { type: 'ack', number: 1, version: 0, isCommit: false, reason: 'hook' },
    ]);
    expect(asked).toEqual([true, true]);
    expect(await host.content()).toBeUndefined();
    expect(await host.seed({})).toBe('created');
    const bob = await host.join('bob');
    await bob.push(1, { v: 1 });
    expect(bob.hear()).toMatchObject([{ type: 'ack', isCommit: true }]);
    expect(asked).toEqual([true, true, false]);
  });

  test('[HOOK-8] [SEED-6] a part of it is not refused with the rest', async () => {
    const host = new FakeRoomHost({
      hooks: () => ({ canSetValue: (_id, _value, isInitial) => !isInitial }),
    });
    const ada = await host.join('ada');
    await ada.push(1, { t: { r: { c: 1 } }, v: 1 });
    expect(ada.hear()).toMatchObject([{ type: 'welcome', lastPush: 1, cursor: { version: 1 } }]);
    expect(await host.content()).toEqual([{ t: { r: { c: 1 } } }, {}]);
  });

  test.each<[string, Options]>([
    ['hooks', { hooks: () => ({ canSetTable: () => false, canSetValue: () => false }) }],
    [
      'a hook that throws',
      {
        hooks: () => ({
          canSetCell: () => {
            throw new Error('broken');
          },
        }),
      },
    ],
    [
      'a schema',
      {
        prepareStore: (store) => {
          store.setTablesSchema({ other: { c: { type: 'number' } } });
          store.setValuesSchema({ other: { type: 'number' } });
        },
      },
    ],
    [
      'a mutator listener that throws',
      {
        prepareStore: (store) => {
          store.addValueListener(
            'v',
            () => {
              throw new Error('broken');
            },
            true,
          );
        },
      },
    ],
  ])('[SEED-6] that %s refuses whole leaves the room without a Store', async (_who, options) => {
    const host = new FakeRoomHost(options);
    const content = { t: { r: { c: 1 } }, v: 1 };
    expect(await host.seed(content)).toBe('created');
    const ada = await host.join('ada');
    await ada.push(1, content);
    expect(ada.hearOne('ack')).toMatchObject({ version: 0, isCommit: false });
    expect(await host.content()).toBeUndefined();
    expect(await host.cursor()).toMatchObject({ version: 0 });
    host.hibernate();
    expect(await host.content()).toBeUndefined();
    expect(await host.seed({})).toBe('created');
    expect(await host.content()).toEqual([{}, {}]);
  });

  test.each(['seed', 'push'])(
    '[SEED-6] [CORRECT-3] a %s at which a listener throws makes no Store of an object that the preparation put there',
    async (which) => {
      const host = new FakeRoomHost({
        prepareStore: (store) => {
          store.setValue('max', { legs: 4 });
          store.addValueListener(
            'v',
            (_store, _id, v) => {
              if (v === 'broken') throw new Error('broken');
            },
            true,
          );
        },
      });
      const content = { max: '\uFFFD{"legs":5}', v: 'broken' };
      if (which === 'seed') await host.seed(content);
      else await (await host.join('ada')).push(1, content);
      expect(host.room.store.getContent()).toEqual([{}, { max: { legs: 4 } }]);
      expect(await host.content()).toBeUndefined();
      expect(await host.seed({ v: 'kept' })).toBe('created');
      expect(await host.content()).toEqual([{}, { max: '\uFFFD{"legs":4}', v: 'kept' }]);
    },
  );

  test('[SEED-6] after a hook that threw once, the next content is the first', async () => {
    let isBroken = true;
    const host = new FakeRoomHost({
      hooks: () => ({
        canSetValue: () => {
          if (isBroken) throw new Error('broken');
          return true;
        },
      }),
    });
    await host.seed({ v: 'lost' });
    isBroken = false;
    expect(await host.seed({ v: 'kept' })).toBe('created');
    expect(await host.content()).toEqual([{}, { v: 'kept' }]);
  });

  test('[SEED-6] that equals what the preparation put there is not refused', async () => {
    const host = new FakeRoomHost({ prepareStore: (store) => void store.setValue('v', 1) });
    expect(await host.seed({ v: 1 })).toBe('created');
    expect(await host.content()).toEqual([{}, { v: 1 }]);
  });

  test('[SEED-1] of two that are decided at the same time the first that is decided wins', async () => {
    const answers = new Answers();
    const host = new FakeRoomHost({ hooks: () => answers.hooks });
    const one = host.seed({ v: 'one' });
    const two = host.seed({ v: 'two' });
    await settle();
    expect(answers.asked.toSorted()).toEqual(['v "one"', 'v "two"']);
    await answers.allow('v "two"');
    expect(await two).toBe('created');
    await answers.allow('v "one"');
    expect(await one).toBe('exists');
    expect(await host.content()).toEqual([{}, { v: 'two' }]);
  });

  test('[SEED-1] [HOOK-7] one whose hooks are slow holds nobody', async () => {
    const answers = new Answers();
    const host = new FakeRoomHost({ hooks: () => answers.hooks });
    const slow = host.seed({ v: 'slow' });
    const ada = await host.join('ada');
    await ada.push(1, { v: 'ada' });
    expect(await host.content()).toBeUndefined();
    await answers.allow('v "ada"');
    expect(ada.hearOne('welcome')).toMatchObject({ lastPush: 1, cursor: { version: 1 } });
    await answers.allow('v "slow"');
    expect(await slow).toBe('exists');
    expect(await host.content()).toEqual([{}, { v: 'ada' }]);
  });

  test('[ONCE-9] a push that is not decided when another content becomes the first is sent again', async () => {
    const answers = new Answers();
    const host = new FakeRoomHost({ hooks: () => answers.hooks });
    const ada = await host.join('ada');
    await ada.push(1, { v: 'ada' });
    const seed = host.seed({ w: 'seed' });
    await settle();
    await answers.allow('w "seed"');
    expect(await seed).toBe('created');
    expect(ada.hearOne('welcome')).toMatchObject({ lastPush: 0, changes: undefined });
    await answers.allow('v "ada"');
    expect(ada.hear()).toEqual([]);
    await ada.hello({ clientId: clientId('ada'), generation: 2, cursor: await host.cursor() });
    await ada.push(1, changesOf({ v: 'ada' }));
    await answers.allow('v "ada"');
    expect(ada.hearTypes()).toEqual(['welcome', 'ack']);
    expect(await host.content()).toEqual([{}, { v: 'ada', w: 'seed' }]);
  });
});

describe('numbers of the configuration', () => {
  const never: Hooks = { canSetValue: () => new Promise<boolean>(() => {}) };

  test.each([0, -1, Number.NaN, -Infinity, '1' as never])(
    '[HOOK-3] a time of %s is reported once, and is the default',
    async (hookTimeoutMilliseconds) => {
      const host = await seeded(never, { hookTimeoutMilliseconds: () => hookTimeoutMilliseconds });
      const ada = await host.join('ada');
      for (const number of [1, 2]) {
        await ada.push(number, { v: number });
        await host.pass(9_999);
        expect(ada.hear()).toEqual([]);
        await host.pass(1);
        expect(ada.hearOne('ack').reason).toBe('timeout');
      }
      expect(host.errors.map(({ where }) => where)).toEqual(['config', 'hook', 'hook']);
      expect(String(host.errors[0]?.error)).toBe(
        `TinyBasePartyKitError: hookTimeoutMilliseconds is ${typeof hookTimeoutMilliseconds === 'string' ? 'a string' : hookTimeoutMilliseconds}, so the room uses 10000: set it to a number of at least 1.`,
      );
    },
  );

  test.each([Infinity, 2 ** 31, 2 ** 40])(
    '[HOOK-3] a time of %s is the longest that a timer takes',
    async (hookTimeoutMilliseconds) => {
      const host = await seeded(never, { hookTimeoutMilliseconds: () => hookTimeoutMilliseconds });
      const times: number[] = [];
      const after = host.after.bind(host);
      host.after = (milliseconds, callback) => {
        times.push(milliseconds);
        return after(milliseconds, callback);
      };
      const ada = await host.join('ada');
      await ada.push(1, { v: 1 });
      expect(times).toContain(2_147_483_647);
      expect(Math.max(...times)).toBe(2_147_483_647);
      expect(host.errors).toEqual([]);
    },
  );

  test('limits that are no numbers of at least 0 are reported, and are the defaults', async () => {
    const limits = {
      pushBytes: Number.NaN,
      framePushBytes: '9' as never,
      frameLength: -1,
      bodyBytes: 7.9,
    };
    const host = new FakeRoomHost({ limits: () => limits });
    expect(host.room.limits).toMatchObject({
      ...DEFAULT_LIMITS,
      bodyBytes: 7,
    });
    expect(host.errors.map(({ where }) => where)).toEqual(['config', 'config', 'config']);
  });

  test.each([0, 0.5])(
    'a frame takes a byte of a push at least, and not %s',
    async (framePushBytes) => {
      const host = new FakeRoomHost({ limits: () => ({ framePushBytes }) });
      expect(host.room.limits).toEqual(DEFAULT_LIMITS);
      expect(host.errors.map(({ where }) => where)).toEqual(['config']);
    },
  );

  test('a limit of Infinity does not limit, and clients can read it', async () => {
    const host = new FakeRoomHost({
      limits: () => ({ pushBytes: Infinity, messageBurst: Infinity }),
    });
    const ada = host.connect();
    await ada.hello({ cursor: await host.cursor() });
    expect(ada.hearOne('welcome').limits.pushBytes).toBe(Number.MAX_SAFE_INTEGER);
    expect(host.errors).toEqual([]);
  });
});
