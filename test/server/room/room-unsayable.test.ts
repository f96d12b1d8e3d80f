import type { Cell } from 'tinybase';
import { describe, expect, test } from 'vitest';

import { decodeContent, encodeClientMessage } from '../../../src/protocol/codec.ts';
import type { Leaf } from '../../../src/protocol/leaf.ts';
import { readContent } from '../../../src/protocol/store-access.ts';
import { changesOf, FakeRoomHost, inShort, settle } from '../../support/fake-connection.ts';

/** Gives what it is told to when it is written as JSON. */
const speaking = (spoken: unknown): Cell => ({ toJSON: () => spoken });

const seeded = async (): Promise<FakeRoomHost> => {
  const host = new FakeRoomHost();
  await host.seed({ t: { r: { a: 1, c: 1 } } });
  return host;
};

/** The room's process ends, and another goes on with its storage. */
async function restarted(host: FakeRoomHost): Promise<FakeRoomHost> {
  await host.room.whenDurable();
  const again = new FakeRoomHost({}, host.storage);
  await again.room.start();
  return again;
}

describe('what the room’s own code sets', () => {
  test.each<readonly [string, Cell, unknown]>([
    ['a text that toJSON gives', speaking('1.50 EUR'), '1.50 EUR'],
    ['a number that toJSON gives', speaking(1.5), 1.5],
    ['null that toJSON gives', speaking(null), null],
    ['an array of such', [speaking(1), speaking(undefined)], '\uFFFD[1,null]'],
    ['numbers that JSON does not have', { a: NaN }, '\uFFFD{"a":null}'],
  ])('[LOCAL-3] is told as the Store shows it: %s', async (_what, cell, leaf) => {
    const host = await seeded();
    const ada = await host.join('ada');
    host.room.store.setCell('t', 'r', 'c', cell);
    await settle();
    expect(inShort(ada.hearOne('commit').changes)).toEqual({ leaves: [['t', 'r', 'c', leaf]] });
    const { json } = await host.room.content();
    expect(decodeContent(json ?? '')?.get('t', 'r', 'c')).toBe(leaf);
    const document = await host.room.exportRoom();
    const again = await restarted(host);
    expect(readContent(again.room.store)).toEqual(readContent(host.room.store));
    await again.room.restoreRoom(document);
    expect(readContent(again.room.store).get('t', 'r', 'c')).toBe(leaf);
    expect(host.errors).toEqual([]);
  });

  test.each<readonly [string, (host: FakeRoomHost) => void]>([
    [
      'nothing that toJSON gives',
      ({ room }) => room.store.setCell('t', 'r', 'c', speaking(undefined)),
    ],
    [
      'the text of an object',
      ({ room }) => room.store.setCell('t', 'r', 'c', speaking('\uFFFD[1]')),
    ],
    ['the mark of a deletion', ({ room }) => room.store.setCell('t', 'r', 'c', speaking('\uFFFC'))],
  ])('[CHANGES-4] is put back and reported if no message may carry it: %s', async (_what, set) => {
    const host = await seeded();
    const ada = await host.join('ada');
    set(host);
    await settle();
    expect(inShort(ada.hearOne('commit').changes)).toEqual({
      leaves: [['t', 'r', 'c', 1]],
    });
    expect(host.room.store.getCell('t', 'r', 'c')).toBe(1);
    expect(host.errors).toMatchObject([{ error: { code: 'malformed' } }]);
    expect(String(host.errors[0]?.error)).toMatch('["t","r","c"]');
    // A newcomer loads the rest, and so does the room after a restart.
    expect(await host.content()).toEqual([{ t: { r: { a: 1, c: 1 } } }, {}]);
    await host.join('bob');
    expect(await (await restarted(host)).content()).toEqual([{ t: { r: { a: 1, c: 1 } } }, {}]);
    await ada.push(1, { t: { r: { c: 2 } } });
    expect(ada.hearOne('ack')).toMatchObject({ version: 3, correction: undefined });
    expect(await host.content()).toEqual([{ t: { r: { a: 1, c: 2 } } }, {}]);
  });

  test('[CHANGES-4] is reported where it becomes the initial content', async () => {
    const host = new FakeRoomHost();
    await host.room.start();
    host.room.store.setRow('t', 'r', { a: 1, c: speaking(undefined) });
    await settle();
    expect(host.errors).toHaveLength(1);
    await host.join('ada');
    expect(await host.content()).toEqual([{ t: { r: { a: 1 } } }, {}]);
  });

  test('[CHANGES-4] corrects who asked, where a listener of the room made it of a push', async () => {
    const host = new FakeRoomHost({
      prepareStore: (store) => {
        store.addWillFinishTransactionListener(() => {
          if (store.getValue('v') === 1) store.setValue('v', speaking('\uFFFC'));
        });
      },
    });
    await host.seed({ w: 1 });
    const ada = await host.join('ada');
    await ada.push(1, { v: 1 });
    expect(ada.hear()).toMatchObject([{ type: 'ack', reason: 'schema' }, { type: 'commit' }]);
    expect(host.errors).toHaveLength(1);
    expect(await host.content()).toEqual([{}, { w: 1 }]);
  });
});

test('[DERIVE-1] the commit of a push that is marked as derived is marked, and no other is', async () => {
  const host = await seeded();
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  const push = { type: 'push', changes: changesOf({ v: 1 }) } as const;
  await ada.say(encodeClientMessage('', { ...push, number: 1, isDerived: true }));
  expect(bob.hearOne('commit').isDerived).toBe(true);
  await ada.say(encodeClientMessage('', { ...push, number: 2, changes: changesOf({ v: 2 }) }));
  expect(bob.hearOne('commit').isDerived).toBeUndefined();
  host.room.store.setValue('v', 3);
  await settle();
  expect(bob.hearOne('commit').isDerived).toBeUndefined();
});

test('[DERIVE-3] what the room refuses or alters of the rest of a reaction has its reason, and hooks are not asked about what is ignored', async () => {
  const asked: unknown[] = [];
  const host = new FakeRoomHost({
    prepareStore: (store) => {
      store.setTablesSchema({ t: { a: { type: 'number' }, d: { type: 'number' } } });
    },
    hooks: () => ({
      canSetCell: (table, row, cell, value) => {
        asked.push([table, row, cell]);
        return value !== 'not allowed';
      },
    }),
  });
  await host.seed({ t: { gone: { a: 1 }, stays: { a: 1 } } });
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  await ada.push(1, { t: { gone: undefined } });
  bob.hear();
  const react = async (number: number, stays: Record<string, Leaf>): Promise<unknown> => {
    const changes = changesOf({ t: { gone: { d: 1 }, stays } });
    asked.length = 0;
    const push = { type: 'push', number, changes, isDerived: true, reactsTo: 1 } as const;
    await bob.say(encodeClientMessage('', push));
    await settle();
    const { reason, correction } = bob.hearOne('ack');
    return [reason, asked, correction?.leaves.count()];
  };
  expect(await react(1, { d: 1 })).toEqual([undefined, [['t', 'stays', 'd']], 1]);
  expect(await react(2, { d: 'no number' })).toEqual(['schema', [['t', 'stays', 'd']], 2]);
  expect(await react(3, { d: 'not allowed' })).toEqual(['hook', [['t', 'stays', 'd']], 2]);
});

test('[DERIVE-3] a reaction brings back no row that was deleted after the commit that it reacts to', async () => {
  const host = await seeded();
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  const rows = { gone: { d: 1 }, stays: { d: 1 }, made: { d: 1 } };
  const react = (number: number, reactsTo: number | undefined): Promise<void> => {
    const changes = changesOf({ t: rows });
    const push = { type: 'push', number, changes, isDerived: true, reactsTo } as const;
    return bob.say(encodeClientMessage('', push));
  };
  await ada.push(1, { t: { gone: { a: 1 }, stays: { a: 1 } } });
  const { version } = bob.hearOne('commit');
  await ada.push(2, { t: { gone: undefined } });
  bob.hear();
  await react(1, version);
  const content = { stays: { a: 1, d: 1 }, made: { d: 1 } };
  expect(host.room.store.getTable('t')).toMatchObject(content);
  expect(host.room.store.hasRow('t', 'gone')).toBe(false);
  // Its author learns that the row is not there. Nothing was refused: nobody has edited anything.
  expect(bob.hearOne('ack')).toMatchObject({
    correction: changesOf({ t: { gone: { d: undefined } } }),
    reason: undefined,
  });
  // After a reload, the version is not known any more.
  await react(2, undefined);
  expect(host.room.store.hasRow('t', 'gone')).toBe(false);
  // A reaction to the deletion may make the row, and so may a user.
  await react(3, version + 1);
  expect(host.room.store.getRow('t', 'gone')).toEqual({ d: 1 });
  await ada.push(3, { t: { gone: undefined } });
  await bob.push(4, { t: { gone: { b: 1 } } });
  expect(host.room.store.getRow('t', 'gone')).toEqual({ b: 1 });
  // The deletion of a table deletes its rows.
  await ada.push(4, { t: undefined });
  await react(5, version);
  expect(host.room.store.hasTable('t')).toBe(false);
});
