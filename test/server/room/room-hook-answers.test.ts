import { describe, expect, test } from 'vitest';

import type { RoomHooks } from '../../../src/server/writes/hooks.ts';
import { Deferred } from '../../support/deferred.ts';
import {
  clientId,
  type FakeConnection,
  FakeRoomHost,
  settle,
} from '../../support/fake-connection.ts';

type Hooks = RoomHooks<unknown>;

/** A room with a Store, whose hooks are these from then on. */
const guarded = async (
  hooks: () => Hooks,
): Promise<{ host: FakeRoomHost; ada: FakeConnection }> => {
  let isSeeded = false;
  const host = new FakeRoomHost({ hooks: () => (isSeeded ? hooks() : {}) });
  await host.seed({ t: { r: { c: 0 } }, v: 0 });
  isSeeded = true;
  return { host, ada: await host.join('ada') };
};

const answering = (answer: () => unknown): Hooks => ({
  canSetValue: answer as Hooks['canSetValue'] & object,
});

const THEN = ['th', 'en'].join('');

/** An object that is awaited as the function says. */
const thenable = (then: unknown): unknown => Object.defineProperty({}, THEN, { value: then });

describe('[HOOK-6] a hook does not allow if its answer is', () => {
  test.each<readonly [string, () => unknown]>([
    ['a promise of a promise of false', async () => Promise.resolve(false)],
    [
      'a thenable of undefined',
      () => thenable((resolve: (value: unknown) => void) => resolve(undefined)),
    ],
    [
      'a thenable of a thenable of 0',
      () =>
        thenable((resolve: (value: unknown) => void) =>
          resolve(thenable((inner: (value: unknown) => void) => inner(0))),
        ),
    ],
    [
      'a thenable that rejects',
      () => thenable((_resolve: unknown, reject: (e: unknown) => void) => reject(true)),
    ],
    [
      'a thenable that throws',
      () =>
        thenable(() => {
          throw new Error('no');
        }),
    ],
    [
      'a thenable that says no first and yes then',
      () =>
        thenable((resolve: (value: unknown) => void) => {
          resolve(false);
          resolve(true);
        }),
    ],
    [
      'an object whose then cannot be read',
      () =>
        Object.defineProperty({}, THEN, {
          get: () => {
            throw new Error('no');
          },
        }),
    ],
    ['a function', () => () => true],
    ['a promise of a function', async () => () => true],
    ['an error', () => new Error('no')],
    ['a Response', () => new Response('no', { status: 403 })],
    [
      'a generator',
      function* () {
        yield false;
      },
    ],
    [
      'an async generator',
      async function* () {
        yield false;
      },
    ],
    ['no number', () => NaN],
    ['an empty text', () => ''],
    [
      'nothing, thrown',
      () => {
        throw null as unknown as Error;
      },
    ],
    ['nothing, as the reason of a promise', () => Promise.reject(undefined)],
  ])('%s', async (_what, answer) => {
    const { host, ada } = await guarded(() => answering(answer));
    await ada.push(1, { v: 1 });
    await settle();
    const ack = ada.hearOne('ack');
    expect([ack.isCommit, ack.correction === undefined]).toEqual([false, false]);
    expect(host.room.store.getValue('v')).toBe(0);
    // And the room goes on.
    host.room.store.setCell('t', 'r', 'c', 1);
    await settle();
    expect(ada.hearTypes()).toEqual(['commit']);
  });
});

describe('a hook that does more than to answer', () => {
  test('changes nothing by what it does to the value that it is asked about', async () => {
    const { host, ada } = await guarded(() => ({
      canSetCell: (_table, _row, _cell, now, _isInitial, _origin, before) => {
        for (const leaf of [now, before])
          if (typeof leaf === 'object' && leaf !== null) Object.assign(leaf, { role: 'admin' });
        return true;
      },
    }));
    await ada.push(1, { t: { r: { c: '\uFFFD{"role":"user"}' } } });
    await ada.push(2, { t: { r: { c: '\uFFFD{"role":"reader"}' } } });
    await settle();
    expect(host.room.store.getCell('t', 'r', 'c')).toEqual({ role: 'reader' });
    expect(
      ada.hear().map((message) => (message.type === 'ack' ? message.correction : message)),
    ).toEqual([undefined, undefined]);
    host.hibernate(ada);
    expect(await host.content()).toEqual([
      { t: { r: { c: '\uFFFD{"role":"reader"}' } } },
      { v: 0 },
    ]);
  });

  test('[CLOSE-1] allows nothing if it closes the connection that asks', async () => {
    for (const isAsync of [false, true]) {
      const { host, ada } = await guarded(() => ({
        canSetValue: (_id, _value, _isInitial, origin) => {
          (origin as FakeConnection).close(4003, 'not you');
          return isAsync ? Promise.resolve(true) : true;
        },
      }));
      await ada.push(1, { v: 1 });
      await settle();
      expect(host.room.store.getValue('v')).toBe(0);
    }
  });

  test('[CLOSE-1] allows nothing to somebody whom the hook about another one closes', async () => {
    const answers = new Deferred<boolean>();
    const others: FakeConnection[] = [];
    const { host, ada } = await guarded(() => ({
      canSetValue: (id) => (id === 'slow' ? answers.promise : true),
      canSetCell: () => {
        for (const other of others) other.close(4003, 'out');
        return true;
      },
    }));
    const bob = await host.join('bob');
    others.push(bob);
    await bob.push(1, { slow: 1 });
    await ada.push(1, { t: { r: { c: 1 } } });
    answers.resolve(true);
    await settle();
    expect(host.room.store.getContent()).toEqual([{ t: { r: { c: 1 } } }, { v: 0 }]);
  });

  test('[LIFE-8] gets its push nowhere if it wipes the room, and the client sends it again', async () => {
    let wiped: Promise<void> | undefined;
    const { host, ada } = await guarded(() => ({
      canSetValue: () => {
        wiped ??= host.room.wipe();
        return true;
      },
    }));
    const cursor = await host.cursor();
    await ada.push(1, { v: 1 });
    await settle();
    await wiped;
    const heard = ada.hear();
    const isConfirmed = heard.some(({ type }) => type === 'ack');
    const { epoch } = await host.cursor();
    expect(epoch).not.toBe(cursor.epoch);
    // It was confirmed and is gone with the rest, or it comes again: never confirmed for the new room and not in it.
    if (!isConfirmed) expect(heard.at(-1)).toMatchObject({ type: 'error', code: 'stale' });
    await ada.hello({ generation: 2, cursor: await host.cursor() });
    const welcome = ada.hear().find(({ type }) => type === 'welcome');
    expect(welcome).toMatchObject({ lastPush: 0 });
  });

  test('is asked about rows and tables with the names of what every object has', async () => {
    const asked: string[] = [];
    const { host, ada } = await guarded(() => ({
      canSetCell: (table, row, cell) => {
        asked.push([table, row, cell].join());
        return false;
      },
    }));
    for (const [at, name] of ['__proto__', 'constructor', 'toString', 'hasOwnProperty'].entries())
      await ada.say(
        `p[${at + 1},[{${JSON.stringify(name)}:{${JSON.stringify(name)}:{${JSON.stringify(name)}:1}}},{}]]`,
      );
    await settle();
    expect(asked).toEqual([
      '__proto__,__proto__,__proto__',
      'constructor,constructor,constructor',
      'toString,toString,toString',
      'hasOwnProperty,hasOwnProperty,hasOwnProperty',
    ]);
    expect(host.room.store.getTableIds()).toEqual(['t']);
    expect(clientId('ada')).toHaveLength(22);
  });
});
