import type { Content, Store } from 'tinybase';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Clients } from '../support/clients.ts';
import { storeOf, untilEqual } from '../support/content.ts';
import { PAIR, promise, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';
import { until } from '../support/until.ts';

let party: Party;
const clients = new Clients();

beforeAll(async () => {
  party = await startTestedParty();
});
afterEach(() => clients.closeAll());
afterAll(() => party?.stop());

promise(
  '[ORDER-3] what the server writes into its Store reaches every client, and is there after a crash',
  /Stores differ/,
  async () => {
    const here = { host: party.host, room: 'server-edit' };
    const url = party.room(here.room, '/store');
    const one = await clients.open({
      ...here,
      seed: [{ server: { old: { text: 'old' } } }, { mine: 1 }],
    });
    const two = await clients.open(here);
    const edited = fetch(party.room(here.room, '/server-edit?text=first'), { method: 'POST' });
    one.store.setCell('server', 'row', 'client', 'one');
    two.store.setCell('server', 'row', 'text', 'two');
    await edited;
    await fetch(party.room(here.room, '/server-edit?text=last'), { method: 'POST' });
    await Promise.all([one.confirmed(), two.confirmed()]);
    await untilEqual(
      [
        one.store,
        two.store,
        storeOf([
          {
            server: {
              row: { text: 'last', client: 'one' },
              first: { text: 'first' },
              last: { text: 'last' },
            },
          },
          { mine: 1, server: 'last' },
        ]),
      ],
      url,
    );
    await party.restart();
    await untilEqual([one.store, two.store], url);
    expect(one.refusals).toEqual([]);
  },
);

promise(
  '[ORDER-3] what the server writes before there is initial content is not lost, nor is the content',
  /expected undefined to be/,
  async () => {
    const here = { host: party.host, room: 'server-first' };
    const url = party.room(here.room, '/store');
    await fetch(party.room(here.room, '/server-edit?text=first'), { method: 'POST' });
    const one = await clients.open({ ...here, seed: [{}, { mine: 1 }] });
    const two = await clients.open(here);
    one.store.setValue('one', 1);
    await one.confirmed();
    const content = await untilEqual([one.store, two.store], url);
    expect(content.get('["server"]')).toBe('"first"');
    expect(content.get('["one"]')).toBe('1');
    await party.restart();
    await untilEqual([one.store, two.store], url);
  },
);

promise(
  '[DERIVE-1] what defaults and mutator listeners of a client make of a remote change is sent',
  /Stores differ/,
  async () => {
    const here = { host: party.host, room: 'derived' };
    const plain = await clients.open({ ...here, seed: [{}, {}] });
    const deriving = await clients.open({
      ...here,
      prepare: (store) => {
        store.setTablesSchema({
          pets: {
            species: { type: 'string' },
            sold: { type: 'boolean', default: false },
            label: { type: 'string' },
          },
        });
        store.addCellListener(
          'pets',
          null,
          'species',
          (_store, tableId, rowId) => {
            const species = store.getCell(tableId, rowId, 'species');
            store.setCell(tableId, rowId, 'label', `${rowId} the ${JSON.stringify(species)}`);
          },
          true,
        );
      },
    });
    plain.store.setRow('pets', 'fido', { species: 'dog' });
    plain.store.setRow('pets', 'felix', { species: 'cat', sold: true });
    plain.store.setCell('pets', 'felix', 'species', 'tiger');
    const expected = storeOf([
      {
        pets: {
          fido: { species: 'dog', sold: false, label: 'fido the "dog"' },
          felix: { species: 'tiger', sold: true, label: 'felix the "tiger"' },
        },
      },
      {},
    ]);
    await untilEqual([expected, plain.store, deriving.store], party.room(here.room, '/store'));
  },
);

promise(
  '[DERIVE-2] what defaults of a client make of the content that it loads is its own, and reported',
  /to match object/,
  async () => {
    const here = { host: party.host, room: 'derived-at-load' };
    const seed: Content = [{ pets: { fido: { species: 'dog' } } }, {}];
    const plain = await clients.open({ ...here, seed });
    const deriving = await clients.open({
      ...here,
      prepare: (store) => {
        store.setTablesSchema({
          pets: { species: { type: 'string' }, sold: { type: 'boolean', default: false } },
        });
      },
    });
    expect(deriving.store.getRow('pets', 'fido')).toEqual({ species: 'dog', sold: false });
    expect(deriving.refusals).toMatchObject([{ cellId: 'sold', reason: 'own-schema' }]);
    plain.store.setValue('last', 1);
    await plain.confirmed();
    const expected = storeOf([seed[0], { last: 1 }]);
    await untilEqual([expected, plain.store], party.room(here.room, '/store'));
  },
);

/** Cuts titles, as an older version of an app may. */
function cutTitles(store: Store): void {
  store.addCellListener(
    'tasks',
    null,
    'title',
    (_store, tableId, rowId, cellId, title) => {
      store.setCell(tableId, rowId, cellId, typeof title === 'string' ? title.slice(0, 10) : '');
    },
    true,
  );
}

test.skipIf(PAIR === 'stock')(
  '[DERIVE-1] a tab of an older version that cuts titles overwrites nobody who sets longer ones',
  async () => {
    const here = { host: party.host, room: 'older-version' };
    const newer = await clients.open({ ...here, seed: [{}, {}] });
    const older = await clients.open({ ...here, prepare: cutTitles });
    newer.store.setRow('tasks', 'one', { title: 'a title of more than ten letters' });
    await newer.confirmed();
    await until('the older tab to show it', () => older.store.hasRow('tasks', 'one'));
    expect(older.store.getCell('tasks', 'one', 'title')).toBe('a title of');
    expect(older.refusals).toMatchObject([{ cellId: 'title', reason: 'own-listener' }]);
    await older.confirmed();
    const expected = storeOf([
      { tasks: { one: { title: 'a title of more than ten letters' } } },
      {},
    ]);
    await untilEqual([expected, newer.store], party.room(here.room, '/store'));
  },
);

test.skipIf(PAIR === 'stock')(
  '[DERIVE-1] clients that stamp each row that changes make one commit each of an edit',
  async () => {
    const here = { host: party.host, room: 'stamps' };
    let time = 0;
    const stamp = (store: Store): void => {
      store.addRowListener(
        'tasks',
        null,
        (_store, tableId, rowId) => {
          if (store.hasRow(tableId, rowId)) store.setCell(tableId, rowId, 'updated', (time += 1));
        },
        true,
      );
    };
    const plain = await clients.open({ ...here, seed: [{}, {}] });
    const stamping = await Promise.all(
      Array.from({ length: 5 }, () => clients.open({ ...here, prepare: stamp })),
    );
    plain.store.setRow('tasks', 'one', { title: 'a' });
    await until('all have seen it', () =>
      stamping.every(({ store }) => store.hasRow('tasks', 'one')),
    );
    await Promise.all(stamping.map((client) => client.confirmed()));
    // Each has heard of all the others' when what is said last has come.
    plain.store.setValue('last', 1);
    await until('all have seen the last', () =>
      stamping.every(({ store }) => store.hasValue('last')),
    );
    await Promise.all(stamping.map((client) => client.confirmed()));
    const { headers } = await fetch(party.room(here.room, '/store'));
    // The initial content, the two edits, and one for each that stamps.
    expect(headers.get('etag')).toMatch(/\.8"$/);
  },
);

promise(
  '[CORRECT-1] what the room makes of a push is what its author and all others hold',
  /Stores differ/,
  async () => {
    const here = { host: party.host, party: 'summing', room: 'altered' };
    const one = await clients.open({ ...here, seed: [{}, {}] });
    const two = await clients.open(here);
    for (let number = 1; number <= 10; number++) {
      one.store.setCell('ops', 'one', 'add', number);
      two.store.setCell('ops', 'two', 'add', number * 100);
    }
    await Promise.all([one.confirmed(), two.confirmed()]);
    const expected = storeOf([
      { ops: { one: { add: 10 }, two: { add: 1000 } } },
      { sum: 5555, count: 20 },
    ]);
    await untilEqual(
      [expected, one.store, two.store],
      `${party.origin}/parties/summing/altered/store`,
    );
  },
);

promise(
  "with an empty prefix, other keys of the app's are neither Values nor lost",
  /unwanted/,
  async () => {
    const here = { host: party.host, room: 'foreign-keys' };
    const url = party.room(here.room, '/store');
    const foreign = { vunwanted: 'before', visits: 3, total: { sum: 1 }, settings: [1] };
    const keysUrl = party.room(here.room, '/keys');
    const foreignKeys = async (): Promise<unknown> => {
      const query = [...Object.keys(foreign), 'version'].map((key) => `key=${key}`).join('&');
      return (await fetch(`${keysUrl}?${query}`)).json();
    };
    await fetch(keysUrl, { method: 'PUT', body: JSON.stringify(foreign) });
    const one = await clients.open({ ...here, seed: [{ t: { r: { c: 1 } } }, { mine: 1 }] });
    await fetch(keysUrl, { method: 'PUT', body: JSON.stringify({ version: 'after' }) });
    one.store.setValue('mine', 2);
    await one.confirmed();

    const expected = storeOf([{ t: { r: { c: 1 } } }, { mine: 2 }]);
    const two = await clients.open(here);
    expect(two.store.getValues()).not.toHaveProperty('unwanted');
    await untilEqual([expected, one.store, two.store], url);
    await party.restart();
    await untilEqual([expected, one.store, two.store], url);
    expect(await foreignKeys()).toEqual({ ...foreign, version: 'after' });
  },
);
