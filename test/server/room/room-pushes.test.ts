import { createStore, type Store } from 'tinybase';
import { describe, expect, test } from 'vitest';

import type { Changes } from '../../../src/protocol/changes.ts';
import { encodeClientMessage } from '../../../src/protocol/codec.ts';
import { applyChanges } from '../../../src/server/writes/store-writer.ts';
import type { RoomHooks } from '../../../src/server/writes/hooks.ts';
import type { RoomLimits } from '../../../src/server/room/room-options.ts';
import { Deferred } from '../../support/deferred.ts';
import {
  changesOf,
  FakeRoomHost,
  inShort,
  settle,
  valueChanges,
  type ChangesInShort,
} from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';
import { thenable, thenableFunction } from '../../support/thenable.ts';

type Hooks = RoomHooks<unknown>;

const PETS: ChangesInShort = {
  pets: { fido: { species: 'dog', legs: 4 }, felix: { species: 'cat' } },
  toys: { ball: { color: 'red' } },
  open: true,
};

const seeded = async (
  hooks: Hooks = {},
  options: ConstructorParameters<typeof FakeRoomHost>[0] = {},
): Promise<FakeRoomHost> => {
  let isSeeded = false;
  const host = new FakeRoomHost({ ...options, hooks: () => (isSeeded ? hooks : {}) });
  await host.seed(PETS);
  isSeeded = true;
  return host;
};

/** Prepares a Store with a listener that throws when the Value `open` is set to `broken`. */
const throwAtBroken = (store: Store): void => {
  store.addValueListener(
    'open',
    (_store, _id, open) => {
      if (open === 'broken') throw new Error('not open');
    },
    true,
  );
};

/** Hooks that allow everything, and note what they are asked. */
const asking = (): { readonly hooks: Hooks; readonly asked: string[] } => {
  const asked: string[] = [];
  const note = (...question: unknown[]): boolean => {
    asked.push(question.filter((part) => typeof part !== 'object').join(' '));
    return true;
  };
  return {
    asked,
    hooks: {
      canSetTable: (table) => note('canSetTable', table),
      canSetRow: (table, row) => note('canSetRow', table, row),
      canSetCell: (table, row, cell, now, _isInitial, _origin, old) =>
        note('canSetCell', table, row, cell, old, now),
      canSetValue: (id, now, _isInitial, _origin, old) => note('canSetValue', id, old, now),
      canDelTable: (table) => note('canDelTable', table),
      canDelRow: (table, row) => note('canDelRow', table, row),
      canDelCell: (table, row, cell) => note('canDelCell', table, row, cell),
      canDelValue: (id) => note('canDelValue', id),
    },
  };
};

describe('exactly once', () => {
  test('[ONCE-1] keeps the number of the last push, also of one that made no commit', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    await ada.push(1, { open: false });
    await ada.push(2, { open: false });
    expect(ada.hear()).toMatchObject([{ isCommit: true }, { isCommit: false }]);
    const [woken] = host.hibernate(ada);
    await woken?.push(2, { open: 'again' });
    await woken?.push(3, { open: 'third' });
    expect(woken?.hear()).toMatchObject([
      { number: 2, version: 2, isCommit: false },
      { number: 3, version: 3, isCommit: true },
    ]);
    const another = host.connect();
    await another.hello({ generation: 2, cursor: await host.cursor() });
    expect(another.hearOne('welcome').lastPush).toBe(3);
  });

  test('[ONCE-2] acknowledges a re-sent push without applying it', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    await ada.push(1, { open: 'first' });
    host.room.store.setValue('open', 'later');
    await settle();
    ada.hear();
    await ada.push(1, { open: 'first' });
    expect(ada.hearOne('ack')).toMatchObject({
      number: 1,
      version: 3,
      isCommit: false,
      correction: undefined,
    });
    expect(host.room.store.getValue('open')).toBe('later');
  });

  test('[ONCE-2] expects the number that a hello gave, where it knows of none or of a lower one', async () => {
    const host = await seeded();
    const ada = await host.join('ada', { nextPush: 7 });
    await ada.push(6, { open: 6 });
    await ada.push(7, { open: 7 });
    expect(ada.hear()).toMatchObject([
      { number: 6, isCommit: false },
      { number: 7, isCommit: true },
    ]);
    await ada.hello({ generation: 2, cursor: await host.cursor(), nextPush: 3 });
    expect(ada.hearOne('welcome').lastPush).toBe(7);
    await ada.push(3, { open: 3 });
    expect(ada.hearOne('ack').isCommit).toBe(false);
  });

  test('[ONCE-3] answers a push that is out of order with stale, and takes none until the next hello', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    await ada.push(2, { open: 2 });
    expect(ada.hearOne('error').code).toBe('stale');
    await ada.push(1, { open: 1 });
    await ada.push(3, { open: 3 });
    expect(ada.hear()).toEqual([]);
    expect((await host.cursor()).version).toBe(1);
    await ada.hello({ generation: 2, cursor: await host.cursor() });
    expect(ada.hearOne('welcome').lastPush).toBe(0);
    await ada.push(1, { open: 1 });
    expect(ada.hearOne('ack').isCommit).toBe(true);
  });

  test('[JOIN-7] takes no part of a push that comes after it has told to load, and does not complain', async () => {
    const host = new FakeRoomHost();
    const ada = await host.join('ada');
    void ada.push(1, { x: 1 });
    for (const part of partsOf(2, { y: 'long' }, 4)) void ada.say(part);
    await settle();
    expect(ada.hearOne('welcome')).toMatchObject({ lastPush: 1, changes: undefined });
    await ada.hello({ generation: 2, cursor: await host.cursor(), nextPush: 2 });
    expect(ada.hearOne('welcome')).toMatchObject({ lastPush: 1 });
    await ada.push(2, { y: 'long' });
    expect(ada.hearOne('ack')).toMatchObject({ number: 2, isCommit: true });
  });

  test('[ONCE-3] sends no commits to a connection that has lost its place', async () => {
    const host = await seeded();
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    await ada.push(2, { open: 2 });
    expect(ada.hearOne('error').code).toBe('stale');
    host.room.store.setValue('open', false);
    await settle();
    expect(bob.hearTypes()).toEqual(['commit']);
    expect(ada.hear()).toEqual([]);
  });

  test('[PART-1] takes a push in parts in order with all others, and answers each part but the last', async () => {
    const host = await seeded();
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    const parts = partsOf(2, { open: 2 }, 4);
    void ada.push(1, { open: 1 });
    for (const part of parts) void ada.say(part);
    void ada.push(3, { open: 3 });
    await settle();
    expect(parts.length).toBeGreaterThan(2);
    expect(ada.hear()).toMatchObject([
      { type: 'ack', number: 1 },
      ...parts.slice(1).map((_part, index) => ({
        type: 'receipt',
        number: 2,
        offset: 4 * (index + 1),
      })),
      { type: 'ack', number: 2, version: 3, isCommit: true },
      { type: 'ack', number: 3 },
    ]);
    expect(bob.hearTypes()).toEqual(['commit', 'commit', 'commit']);
    expect(host.room.store.getValue('open')).toBe(3);
  });

  test('[PART-1] [FLOOD-1] answers parts no sooner than the connection may send more', async () => {
    const limits = { messagesPerSecond: 2, messageBurst: 8 };
    const host = await seeded({}, { limits: () => limits });
    const ada = await host.join('ada');
    const waiting = [...partsOf(1, { open: 'x'.repeat(100) }, 4)];
    let ahead = 0;
    for (let second = 0; waiting.length > 0 && second < 100; second += 1) {
      for (const part of waiting.splice(0, 4 - ahead)) await ada.say(part);
      ahead = 4;
      await host.pass(1_000);
      const answers = ada.hear();
      expect(answers.filter(({ type }) => type === 'error')).toEqual([]);
      ahead -= answers.length;
    }
    expect(waiting).toEqual([]);
    expect(host.room.store.getValue('open')).toBe('x'.repeat(100));
  });

  test('[PART-2] a receipt that is held back is not sent after a hello, which forgets the parts', async () => {
    const limits = { messagesPerSecond: 1, messageBurst: 4 };
    const host = await seeded({}, { limits: () => limits });
    const ada = await host.join('ada');
    const parts = partsOf(1, { open: 'x'.repeat(100) }, 4);
    for (const part of parts.slice(0, 2)) await ada.say(part);
    expect(ada.hear()).toEqual([]);
    await ada.hello({ generation: 2, cursor: await host.cursor() });
    expect(ada.hearTypes()).toEqual(['welcome']);
    await host.pass(10_000);
    expect(ada.hear()).toEqual([]);
  });

  test('[PART-1] answers a push in parts that it has had with an ack, and does not apply it', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    await ada.push(1, { open: 1 });
    await ada.push(2, { open: 2 });
    ada.hear();
    for (const part of partsOf(1, { open: 1 }, 30)) await ada.say(part);
    expect(ada.hear().at(-1)).toMatchObject({ type: 'ack', number: 1, isCommit: false });
    expect(host.room.store.getValue('open')).toBe(2);
  });

  test.each<readonly [string, (parts: readonly string[]) => readonly string[]]>([
    ['is missing', ([first = '', , ...rest]) => [first, ...rest]],
    ['is missing at the beginning', ([, ...rest]) => rest],
    ['comes twice', ([first = '', second = '', ...rest]) => [first, second, second, ...rest]],
    ['is of another push', ([first = '']) => [first, partsOf(2, { open: 1 }, 4)[1] ?? '']],
    ['is of a push that is too far ahead', () => partsOf(2, { open: 1 }, 4)],
    ['has another length', ([first = '']) => [first, 'm[1,4,1000,"x"]']],
  ])(
    '[PART-2] a part that %s is answered with stale, and nothing is applied',
    async (_what, change) => {
      const host = await seeded();
      const ada = await host.join('ada');
      for (const frame of change(partsOf(1, { open: 1 }, 4))) await ada.say(frame);
      const errors = ada.hear().filter(({ type }) => type === 'error');
      expect(errors).toMatchObject([{ code: 'stale' }]);
      expect(host.room.store.getValue('open')).toBe(true);
      await ada.hello({ generation: 2, cursor: await host.cursor() });
      const { lastPush } = ada.hearOne('welcome');
      for (const part of partsOf(lastPush + 1, { open: 1 }, 4)) await ada.say(part);
      expect(ada.hear().at(-1)).toMatchObject({ type: 'ack', isCommit: true });
    },
  );

  test('[PART-2] a sleep and a hello forget the parts that came before', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    const [first = '', second = '', ...rest] = partsOf(1, { open: 1 }, 4);
    await ada.say(first);
    const [woken] = host.hibernate(ada);
    await woken?.say(second);
    expect(woken?.hear().at(-1)).toMatchObject({ type: 'error', code: 'stale' });
    await woken?.hello({ generation: 2, cursor: await host.cursor() });
    for (const part of [first, second]) await woken?.say(part);
    await woken?.hello({ generation: 3, cursor: await host.cursor() });
    woken?.hear();
    for (const part of rest) await woken?.say(part);
    expect(woken?.hear()).toMatchObject([{ type: 'error', code: 'stale' }]);
  });

  test('[JOIN-3] takes no parts of a client that has to load', async () => {
    const host = await seeded();
    const ada = host.connect();
    await ada.hello();
    ada.hear();
    for (const part of partsOf(1, { open: 1 }, 4)) await ada.say(part);
    expect(ada.hear()).toEqual([]);
    expect((await host.cursor()).version).toBe(1);
  });

  test('[PART-3] a push over the limit is refused at its first part, and by its bytes at the last', async () => {
    const host = await seeded({}, { limits: () => ({ pushBytes: 200 }) });
    const ada = await host.join('ada');
    await ada.say('m[1,0,300,"["]');
    expect(ada.hearOne('error')).toMatchObject({ code: 'too-large', push: 1 });
    for (const part of partsOf(1, { open: 'é'.repeat(180) }, 50)) await ada.say(part);
    expect(ada.hear().at(-1)).toMatchObject({ type: 'error', code: 'too-large', push: 1 });
    await ada.push(1, {});
    expect(ada.hearOne('ack')).toMatchObject({ number: 1, isCommit: false });
  });

  test.each([
    ['does not decode', 'm[1,0,5,"[1,x]"]'],
    ['has another number inside', 'm[1,0,11,"[2,[{},{}]]"]'],
    ['has a part that does not decode', 'm[1,0,0,""]'],
    ['has a part beyond its end', 'm[1,0,1,"ab"]'],
  ])('[FRAME-2] a push in parts that %s is malformed, with its number', async (_what, frame) => {
    const host = await seeded();
    const ada = await host.join('ada');
    await ada.say(frame);
    expect(ada.hearOne('error')).toMatchObject({ code: 'malformed', push: 1 });
    await ada.push(1, { open: 1 });
    expect(ada.hearOne('ack')).toMatchObject({ number: 1, isCommit: true });
  });

  test('[LIMIT-1] a push in parts with too many arrays is refused before it is parsed', async () => {
    const host = await seeded({}, { limits: () => ({ contentBytes: 20_000 }) });
    const ada = await host.join('ada');
    const json = `[1,[{},{"v":"${'[],'.repeat(700)}`;
    await ada.say(`m[1,0,${json.length},${JSON.stringify(json)}]`);
    expect(ada.hearOne('error')).toMatchObject({ code: 'too-large', push: 1 });
    await ada.push(1, {});
    expect(ada.hearOne('ack')).toMatchObject({ number: 1, isCommit: false });
  });

  test('[PART-1] tells the limits in the welcome', async () => {
    const host = await seeded({}, { limits: () => ({ framePushBytes: 10 }) });
    const ada = host.connect();
    await ada.hello();
    expect(ada.hearOne('welcome').limits).toEqual({
      framePushBytes: 10,
      pushBytes: 4 * 1024 * 1024,
      rate: { messagesPerSecond: 2_000, messageBurst: 10_000 },
    });
  });
});

test.each([
  ['at once', true],
  ['after the room was loaded', false],
])(
  'what goes wrong inside, %s, is reported, and the next message is processed',
  async (_when, isLoaded) => {
    const storage = new StrictStorage();
    await new FakeRoomHost({}, storage).seed(PETS);
    let left = Infinity;
    const messagePrefix = (): string => {
      if ((left -= 1) < 0) throw new Error('a bug');
      return '';
    };
    const host = new FakeRoomHost({ messagePrefix }, storage);
    if (isLoaded) await host.room.start();
    const ada = host.connect();
    // It is asked for to read the hello, and again to answer it.
    left = isLoaded ? 0 : 1;
    await ada.hello({ generation: 1 });
    expect(host.errors.map(({ where }) => where)).toEqual(['room']);
    left = Infinity;
    await ada.hello({ generation: 2 });
    expect(ada.hearOne('welcome').generation).toBe(2);
  },
);

test('limits that are set later hold from the next message on', async () => {
  let limits: Partial<RoomLimits> | undefined;
  const host = await seeded({}, { limits: () => limits });
  const ada = host.connect();
  const limitsTold = async (generation: number): Promise<number> => {
    await ada.hello({ generation });
    return ada.hearOne('welcome').limits.framePushBytes;
  };
  expect(await limitsTold(1)).toBe(256 * 1024);
  limits = { framePushBytes: 10 };
  expect(await limitsTold(2)).toBe(10);
  limits = undefined;
  expect(await limitsTold(3)).toBe(256 * 1024);
});

describe('hooks', () => {
  const HOOKS = [
    ['canSetTable', { pets: { fido: { legs: 3 } } }],
    ['canSetRow', { pets: { fido: { legs: 3 } } }],
    ['canSetCell', { pets: { fido: { legs: 3 } } }],
    ['canSetValue', { open: false }],
    ['canDelTable', { toys: undefined }],
    ['canDelRow', { pets: { felix: undefined } }],
    ['canDelCell', { pets: { fido: { legs: undefined } } }],
    ['canDelValue', valueChanges({ open: undefined })],
  ] as const;

  test.each(HOOKS)('[HOOK-6] only a truthy answer of %s allows', async (name, changes) => {
    const answers = [undefined, null, 0, '', Number.NaN, false, true, 1, 'yes', {}];
    for (const answer of answers) {
      const thenables = [thenable(answer), thenableFunction(answer)];
      for (const given of [answer, Promise.resolve(answer), ...thenables]) {
        let asked = 0;
        const hook = (): never => {
          asked += 1;
          return given as never;
        };
        const host = await seeded({ [name]: hook });
        const ada = await host.join('ada');
        const before = JSON.stringify(await host.content());
        await ada.push(1, changes);
        await settle();
        expect(ada.hearOne('ack').reason).toBe(answer ? undefined : 'hook');
        expect(JSON.stringify(await host.content()) === before).toBe(!answer);
        expect(asked).toBe(1);
      }
    }
  });

  const EFFECTS: readonly (readonly [what: string, ChangesInShort, readonly string[]])[] = [
    [
      'a cell that is set',
      { pets: { fido: { legs: 3 } } },
      ['canSetTable pets', 'canSetRow pets fido', 'canSetCell pets fido legs 4 3'],
    ],
    [
      'a cell that is deleted',
      { pets: { fido: { legs: undefined } } },
      ['canSetTable pets', 'canSetRow pets fido', 'canDelCell pets fido legs'],
    ],
    [
      'a row that is deleted',
      { pets: { felix: undefined } },
      ['canSetTable pets', 'canDelRow pets felix', 'canDelCell pets felix species'],
    ],
    [
      'a row whose last cell is deleted',
      { pets: { felix: { species: undefined } } },
      ['canSetTable pets', 'canDelRow pets felix', 'canDelCell pets felix species'],
    ],
    [
      'a table that is deleted',
      { toys: undefined },
      ['canDelTable toys', 'canDelRow toys ball', 'canDelCell toys ball color'],
    ],
    [
      'a table whose last row is deleted',
      { toys: { ball: undefined } },
      ['canDelTable toys', 'canDelRow toys ball', 'canDelCell toys ball color'],
    ],
    [
      'a table whose last cell is deleted',
      { toys: { ball: { color: undefined } } },
      ['canDelTable toys', 'canDelRow toys ball', 'canDelCell toys ball color'],
    ],
    [
      'a new table',
      { new: { r: { c: 1 } } },
      ['canSetTable new', 'canSetRow new r', 'canSetCell new r c  1'],
    ],
    ['a value that is set', { open: false }, ['canSetValue open true false']],
    [
      'nothing',
      { open: true, pets: { fido: { legs: 4 }, nobody: undefined }, nothing: undefined },
      [],
    ],
  ];

  test.each(EFFECTS)('[HOOK-1] asks about %s', async (_what, changes, questions) => {
    const { hooks, asked } = asking();
    const host = await seeded(hooks);
    const ada = await host.join('ada');
    await ada.push(1, changes);
    expect(asked).toEqual(questions);
    expect(ada.hearOne('ack').correction).toBeUndefined();
  });

  test('[HOOK-1] asks about a value that is deleted', async () => {
    const { hooks, asked } = asking();
    const ada = await (await seeded(hooks)).join('ada');
    await ada.push(1, valueChanges({ open: undefined }));
    expect(asked).toEqual(['canDelValue open']);
  });

  test('[HOOK-1] asks about a row that is deleted and set again by what becomes of its cells', async () => {
    const { hooks, asked } = asking();
    const host = await seeded(hooks);
    const ada = await host.join('ada');
    await ada.say('p[1,[{"pets":{"fido":{"legs":4,"name":"Fido"}}},{},{"pets":["fido"]}]]');
    expect(asked).toEqual([
      'canSetTable pets',
      'canSetRow pets fido',
      'canSetCell pets fido name  Fido',
      'canDelCell pets fido species',
    ]);
    expect(ada.hearOne('ack')).toMatchObject({ isCommit: true, correction: undefined });
    expect(host.room.store.getRow('pets', 'fido')).toEqual({ legs: 4, name: 'Fido' });
  });

  test('[HOOK-1] gives hooks the connection, and leaves decoded', async () => {
    const seen: unknown[] = [];
    const host = await seeded({
      canSetCell: (...question) => seen.push(question) > 0,
      canDelValue: (...question) => seen.push(question) > 0,
    });
    const ada = await host.join('ada');
    await ada.push(1, { pets: { fido: { tags: '\uFFFD{"a":[1]}' } } });
    await ada.push(2, { pets: { fido: { tags: '\uFFFD[]' } } });
    await ada.push(3, valueChanges({ open: undefined }));
    expect(seen).toEqual([
      ['pets', 'fido', 'tags', { a: [1] }, false, ada, undefined],
      ['pets', 'fido', 'tags', [], false, ada, { a: [1] }],
      ['open', ada],
    ]);
  });

  test('[HOOK-2] applies what is left when a part is refused, and tells its author', async () => {
    const host = await seeded({ canSetCell: async (_table, _row, cell) => cell !== 'legs' });
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    await ada.push(1, { pets: { fido: { legs: 3, name: 'Fido' }, rex: { legs: 4 } }, open: false });
    const ack = ada.hearOne('ack');
    expect(ack).toMatchObject({ version: 2, isCommit: true, reason: 'hook' });
    expect(inShort(ack.correction)).toEqual({
      leaves: [
        ['pets', 'fido', 'legs', 4],
        ['pets', 'rex', 'legs', undefined],
      ],
    });
    expect(inShort(bob.hearOne('commit').changes)).toEqual({
      leaves: [
        ['pets', 'fido', 'name', 'Fido'],
        ['open', false],
      ],
    });
  });

  test.each<[string, Hooks, ChangesInShort]>([
    [
      'canSetTable',
      { canSetTable: (table) => table !== 'pets' },
      { pets: { fido: { legs: 3 }, felix: undefined } },
    ],
    [
      'canSetRow',
      { canSetRow: (_table, row) => row !== 'fido' },
      { pets: { fido: { legs: 3, species: undefined } } },
    ],
    ['canDelTable', { canDelTable: () => false }, { toys: undefined }],
    ['canDelTable, row by row', { canDelTable: () => false }, { toys: { ball: undefined } }],
    ['canDelRow', { canDelRow: () => false }, { pets: { felix: undefined } }],
    ['canDelRow, of a table', { canDelRow: () => false }, { toys: undefined }],
    [
      'canDelRow, cell by cell',
      { canDelRow: () => false },
      { pets: { felix: { species: undefined } } },
    ],
    ['canDelCell', { canDelCell: () => false }, { pets: { fido: { legs: undefined } } }],
    ['canDelCell, of a row', { canDelCell: () => false }, { pets: { fido: undefined } }],
    ['canDelCell, of a table', { canDelCell: () => false }, { pets: undefined }],
    ['canSetValue', { canSetValue: () => false }, { open: false, other: 1 }],
  ])(
    '[HOOK-2] [CORRECT-1] keeps what %s refuses, and corrects its author',
    async (_hook, hooks, changes) => {
      const host = await seeded(hooks);
      const [ada, bob] = [await host.join('ada'), await host.join('bob')];
      const before = await host.content();
      await ada.push(1, changes);
      const ack = ada.hearOne('ack');
      expect(ack).toMatchObject({ version: 1, isCommit: false, reason: 'hook' });
      expect(await host.content()).toEqual(before);
      expect(bob.hear()).toEqual([]);
      expect(foldedAndCorrected(before, changes, ack.correction)).toEqual(before);
    },
  );

  test('[HOOK-2] deletes of a row what may be deleted', async () => {
    const host = await seeded({ canDelCell: (_table, _row, cell) => cell !== 'legs' });
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    await ada.push(1, { pets: { fido: undefined, felix: undefined } });
    expect(inShort(ada.hearOne('ack').correction)).toEqual({
      leaves: [['pets', 'fido', 'legs', 4]],
    });
    expect(inShort(bob.hearOne('commit').changes)).toEqual({
      deletedRows: [['pets', ['felix']]],
      leaves: [['pets', 'fido', 'species', undefined]],
    });
  });

  test.each<[string, Hooks]>([
    [
      'throws',
      {
        canSetCell: () => {
          throw new Error('broken');
        },
      },
    ],
    [
      'rejects',
      {
        canSetCell: async () => {
          throw new Error('broken');
        },
      },
    ],
  ])('[HOOK-3] refuses the whole push when a hook %s, and goes on', async (_how, hooks) => {
    const host = await seeded(hooks);
    const ada = await host.join('ada');
    await ada.push(1, { pets: { fido: { legs: 3 } }, open: false });
    const ack = ada.hearOne('ack');
    expect(ack).toMatchObject({ version: 1, isCommit: false, reason: 'failed' });
    expect(inShort(ack.correction)).toEqual({
      leaves: [
        ['pets', 'fido', 'legs', 4],
        ['open', true],
      ],
    });
    expect(host.errors).toMatchObject([{ where: 'hook', error: { message: 'broken' } }]);
    await ada.push(2, { open: false });
    expect(ada.hearOne('ack').isCommit).toBe(true);
  });

  test('[HOOK-1] asks whether a row may be emptied by what hooks leave of a push', async () => {
    const host = await seeded({ canSetCell: () => false, canDelRow: () => false });
    const ada = await host.join('ada');
    const before = host.room.store.getRow('pets', 'fido');
    const deleted = Object.fromEntries(Object.keys(before).map((cell) => [cell, undefined]));
    await ada.push(1, { pets: { fido: { ...deleted, name: 'Rex' } } });
    expect(ada.hearOne('ack')).toMatchObject({ isCommit: false, reason: 'hook' });
    expect(host.room.store.getRow('pets', 'fido')).toEqual(before);
  });

  test('[HOOK-3] [CORRECT-1] refuses nothing within a transaction of the room that may be rolled back', async () => {
    const host = await seeded(
      { canSetValue: () => new Promise(() => {}) },
      { hookTimeoutMilliseconds: () => 500 },
    );
    const ada = await host.join('ada');
    await ada.push(1, { v: 'ada' });
    host.room.store.startTransaction();
    host.room.store.setValue('v', 'room');
    await host.pass(500);
    expect(ada.hear()).toEqual([]);
    host.room.store.finishTransaction(() => true);
    await host.pass(50);
    const ack = ada.hearOne('ack');
    expect(ack.reason).toBe('timeout');
    expect(ack.correction?.leaves.has(null, '', 'v')).toBe(true);
    expect(ack.correction?.leaves.get(null, '', 'v')).toBeUndefined();
  });

  test('[HOOK-3] refuses the whole push when a hook does not settle in time, and goes on', async () => {
    const answer = new Deferred<boolean>();
    const host = await seeded(
      { canSetCell: () => answer.promise },
      { hookTimeoutMilliseconds: () => 500 },
    );
    const ada = await host.join('ada');
    await ada.push(1, { pets: { fido: { legs: 3 } }, open: false });
    await ada.push(2, { open: false });
    await host.pass(499);
    expect(ada.hear()).toEqual([]);
    await host.pass(1);
    expect(ada.hear()).toMatchObject([
      { number: 1, isCommit: false, reason: 'timeout' },
      { number: 2, isCommit: true },
    ]);
    expect(host.errors).toMatchObject([{ where: 'hook' }]);
    answer.resolve(true);
    await settle();
    expect(host.room.store.getCell('pets', 'fido', 'legs')).toBe(4);
  });

  test('[HOOK-3] waits ten seconds unless configured', async () => {
    const host = await seeded({ canSetCell: () => new Promise(() => {}) });
    const ada = await host.join('ada');
    await ada.push(1, { pets: { fido: { legs: 3 } } });
    await host.pass(9_999);
    expect(ada.hear()).toEqual([]);
    await host.pass(1);
    expect(ada.hearOne('ack').reason).toBe('timeout');
  });

  test('[HOOK-4] computes the effects again when the Store changed while hooks ran', async () => {
    const answers = [new Deferred<boolean>(), new Deferred<boolean>()];
    const seen: unknown[] = [];
    const host = await seeded({
      canSetCell: (_table, _row, _cell, now, _isInitial, _origin, old) => {
        seen.push([old, now]);
        return answers[seen.length - 1]?.promise ?? false;
      },
    });
    const ada = await host.join('ada');
    await ada.push(1, { pets: { fido: { legs: 3 } } });
    host.room.store.setCell('pets', 'fido', 'legs', 5);
    answers[0]?.resolve(true);
    await settle();
    expect(ada.hearTypes()).toEqual(['commit']);
    answers[1]?.resolve(true);
    await settle();
    expect(seen).toEqual([
      [4, 3],
      [5, 3],
    ]);
    expect(ada.hearOne('ack')).toMatchObject({ version: 3, isCommit: true });
  });

  test('[HOOK-4] asks canDelTable when the last other row goes while hooks run', async () => {
    const answer = new Deferred<boolean>();
    const { hooks, asked } = asking();
    const host = await seeded({
      ...hooks,
      canDelRow: (table, row) => asked.push(`canDelRow ${table} ${row}`) > 0 && answer.promise,
    });
    const ada = await host.join('ada');
    await ada.push(1, { pets: { felix: undefined } });
    host.room.store.delRow('pets', 'fido');
    answer.resolve(true);
    await settle();
    expect(asked).toContain('canDelTable pets');
    expect(host.room.store.hasTable('pets')).toBe(false);
  });

  test('[HOOK-4] comes to an end although the hook itself writes to the Store', async () => {
    let count = 0;
    const host: FakeRoomHost = await seeded({
      canSetCell: () => {
        count += 1;
        host.room.store.setValue('asked', count);
        return true;
      },
    });
    const ada = await host.join('ada');
    await ada.push(1, { pets: { fido: { legs: 3 } } });
    expect(ada.hearTypes()).toEqual(['commit', 'ack']);
    expect(count).toBe(1);
  });

  test('[HOOK-5] decides at once where no hook is overridden', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    const pushed = ada.push(1, { pets: { fido: { legs: 3 } } });
    expect(host.room.store.getCell('pets', 'fido', 'legs')).toBe(3);
    await pushed;
  });
});

describe('corrections', () => {
  const schema: ConstructorParameters<typeof FakeRoomHost>[0] = {
    prepareStore: (store) => {
      store.setTablesSchema({
        pets: { species: { type: 'string', default: 'unknown' }, legs: { type: 'number' } },
        toys: { color: { type: 'string' } },
      });
      store.setValuesSchema({ open: { type: 'boolean' }, max: { type: 'number', default: 10 } });
      store.addCellListener(
        'pets',
        null,
        'legs',
        (_store, _table, row, _cell, legs) => {
          if (typeof legs === 'number' && legs > 8) store.setCell('pets', row, 'legs', 8);
        },
        true,
      );
    },
  };

  test.each<[string, ChangesInShort, 'schema' | undefined]>([
    ['a cell that the schema refuses', { pets: { fido: { legs: 'many' } } }, 'schema'],
    ['a cell that the schema does not know', { pets: { fido: { name: 'Fido' } } }, 'schema'],
    ['a table that the schema does not know', { cars: { r: { c: 1 } } }, 'schema'],
    ['a cell that a listener alters', { pets: { fido: { legs: 9 } } }, 'schema'],
    ['a cell that goes back to its default', { pets: { fido: { species: undefined } } }, 'schema'],
    ['a row that gets a default', { pets: { rex: { legs: 3 } } }, undefined],
    ['a value that the schema refuses', { max: 'all' }, 'schema'],
    ['what is taken as it is', { pets: { fido: { legs: 8 } }, open: false }, undefined],
    ['a row that is deleted', { pets: { fido: undefined } }, undefined],
  ])(
    '[CORRECT-1] [CORRECT-2] gives the author what the room has: %s',
    async (_what, changes, reason) => {
      const host = await seeded({}, schema);
      const [ada, bob] = [await host.join('ada'), await host.join('bob')];
      const before = await host.content();
      await ada.push(1, changes);
      const ack = ada.hearOne('ack');
      const after = await host.content();
      expect(ack.reason).toBe(reason);
      expect(foldedAndCorrected(before, changes, ack.correction)).toEqual(after);
      const commits = bob.hear();
      expect(commits.length).toBe(ack.isCommit ? 1 : 0);
    },
  );

  test('[CORRECT-2] says failed when a listener throws, reports it, and applies nothing', async () => {
    const host = await seeded(
      {},
      {
        prepareStore: (store) => {
          store.addCellListener(
            'pets',
            null,
            'legs',
            (_store, _table, _row, _cell, legs) => {
              if (legs === 3) throw new Error('no legs');
            },
            true,
          );
        },
      },
    );
    const ada = await host.join('ada');
    await ada.push(1, { pets: { fido: { legs: 3 } }, open: false });
    const ack = ada.hearOne('ack');
    expect(ack).toMatchObject({ version: 1, isCommit: false, reason: 'failed' });
    expect(inShort(ack.correction)).toEqual({
      leaves: [
        ['pets', 'fido', 'legs', 4],
        ['open', true],
      ],
    });
    expect(host.errors).toMatchObject([{ where: 'mutator', error: { message: 'no legs' } }]);
    await ada.push(2, { open: false });
    expect(ada.hearOne('ack')).toMatchObject({ number: 2, version: 2, isCommit: true });
  });

  test('[CORRECT-3] brings objects and arrays back when a listener throws, which TinyBase does not', async () => {
    const host = await seeded(
      {},
      {
        prepareStore: throwAtBroken,
      },
    );
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    await ada.push(1, {
      docs: {
        one: { text: '\uFFFD{"a":1}' },
        two: { text: '\uFFFD[1]', size: 1 },
        three: { text: '\uFFFD{"c":3}' },
      },
      list: '\uFFFD[1,2]',
    });
    ada.hear();
    bob.hear();
    const before = await host.content();
    const shown = host.room.store.getContent();
    const changes: ChangesInShort = {
      docs: {
        one: { text: '\uFFFD{"a":2}' },
        two: undefined,
        three: { text: 3, size: 3 },
      },
      list: '\uFFFD[3]',
      open: 'broken',
    };
    await ada.push(2, changes);
    const ack = ada.hearOne('ack');
    expect(ack).toMatchObject({ number: 2, reason: 'failed' });
    expect(host.room.store.getContent()).toEqual(shown);
    expect(await host.content()).toEqual(before);
    expect(foldedAndCorrected(before, changes, ack.correction)).toEqual(before);
    // What others hear changes nothing.
    const others = createStore().setContent(shown);
    for (const message of bob.hear())
      if (message.type === 'commit') applyChanges(others, message.changes);
    expect(others.getContent()).toEqual(shown);
    expect(host.errors).toMatchObject([{ where: 'mutator' }]);
  });

  test('[CORRECT-2] [CORRECT-3] says failed when a listener throws, also if hooks have refused a part, and an object is brought back', async () => {
    const host = await seeded(
      { canSetCell: (_table, _row, _cell, leaf) => leaf !== 'refused' },
      {
        prepareStore: throwAtBroken,
      },
    );
    const ada = await host.join('ada');
    await ada.push(1, { list: '\uFFFD[1]' });
    ada.hear();
    const pets = { fido: { species: 'refused' } };
    await ada.push(2, { pets, list: '\uFFFD[2]', open: 'broken' });
    expect(ada.hearOne('ack')).toMatchObject({ number: 2, reason: 'failed' });
    expect(host.room.store.getValues()).toEqual({ open: true, list: [1] });
  });

  test('a listener that cannot change anything may throw: the push stands, and it is reported', async () => {
    const host = await seeded();
    host.room.store.addCellListener('pets', null, 'legs', () => {
      throw new Error('no legs');
    });
    const ada = await host.join('ada');
    await ada.push(1, { pets: { fido: { legs: 3 } } });
    expect(ada.hearOne('ack')).toMatchObject({ version: 2, isCommit: true, reason: undefined });
    expect(host.errors).toMatchObject([{ where: 'listener' }]);
  });
});

/** The frames of a push in parts of that length. */
function partsOf(number: number, changes: ChangesInShort, size: number): readonly string[] {
  const push = { type: 'push', number, changes: changesOf(changes) } as const;
  const json = encodeClientMessage('', push).slice(1);
  const { length } = json;
  return Array.from({ length: Math.ceil(length / size) }, (_part, index) => {
    const offset = index * size;
    const text = json.slice(offset, offset + size);
    return encodeClientMessage('', { type: 'part', number, offset, length, text });
  });
}

/** Returns the content of a client after its own push and the correction. */
function foldedAndCorrected(
  before: unknown,
  pushed: ChangesInShort,
  correction: Changes | undefined,
): unknown {
  const store = createStore().setJson(JSON.stringify(before));
  for (const changes of [changesOf(pushed), correction])
    if (changes !== undefined) applyChanges(store, changes);
  return JSON.parse(store.getJson());
}

describe('closed connections', () => {
  test('[CLOSE-1] ignores all frames of a connection that the app has closed, unread', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    const stock = host.connect();
    ada.close(4001, 'by the app');
    stock.close(4001, 'by the app');
    await ada.push(1, { x: 1 });
    await ada.say('p[1,');
    await ada.hello({ generation: 2, cursor: await host.cursor() });
    await ada.push(1, { x: 1 });
    await stock.stock({ x: 2 });
    expect(ada.frames).toEqual([]);
    expect(host.room.store.getValue('x')).toBeUndefined();
    for (const part of partsOf(1, { x: 3 }, 10)) await ada.say(part);
    expect(ada.frames).toEqual([]);
    expect((await host.cursor()).version).toBe(1);
  });

  test.each(['room', 'peer'] as const)(
    '[CLOSE-1] [CLOSE-2] what waits for a hook when the %s closes',
    async (closer) => {
      const answers: Deferred<boolean>[] = [];
      const canSetValue = (): Promise<boolean> => {
        const answer = new Deferred<boolean>();
        answers.push(answer);
        return answer.promise;
      };
      const host = await seeded({ canSetValue });
      const ada = await host.join('ada');
      const bob = await host.join('bob');
      await ada.push(1, { x: 1 });
      await ada.push(2, { y: 2 });
      for (const part of partsOf(3, { z: 3 }, 10)) await ada.say(part);
      if (closer === 'room') ada.close(4001, 'by the app');
      else host.disconnect(ada);
      for (let answered = 0; answered < answers.length; answered += 1) {
        answers[answered]?.resolve(true);
        await settle();
      }
      const values = closer === 'room' ? {} : { x: 1, y: 2, z: 3 };
      expect(host.room.store.getValues()).toMatchObject(values);
      expect(host.room.store.hasValue('x')).toBe(closer === 'peer');
      expect(bob.hear()).toHaveLength(closer === 'peer' ? 3 : 0);
      const again = host.connect();
      await again.hello({ generation: 2, cursor: await host.cursor() });
      expect(again.hearOne('welcome').lastPush).toBe(closer === 'peer' ? 3 : 0);
    },
  );

  test('[CLOSE-1] keeps in order what a listener of the app closes the connection for', async () => {
    const host = await seeded();
    const ada = await host.join('ada');
    const bob = await host.join('bob');
    host.room.store.addValueListener('bad', () => ada.close(4001, 'by the app'));
    await ada.push(1, { bad: 1 });
    expect(bob.hearOne('commit').version).toBe(2);
    expect(await host.content()).toMatchObject([{}, { bad: 1 }]);
  });

  test('[JOIN-5] drops what an older connection of the client left behind a newer hello', async () => {
    const host = await seeded();
    const older = await host.join('ada');
    const newer = host.connect();
    void newer.hello({ generation: 2, cursor: { epoch: 'epoch1', version: 1 } });
    void older.push(1, { x: 'ignored' });
    host.disconnect(older);
    await settle();
    expect(newer.hear()).toMatchObject([{ type: 'welcome', lastPush: 0 }]);
    expect(host.room.store.hasValue('x')).toBe(false);
  });
});
