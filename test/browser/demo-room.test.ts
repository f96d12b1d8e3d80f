import { getUniqueId } from 'tinybase';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Client, Clients } from '../support/clients.ts';
import { type Party, startParty } from '../support/party.ts';

let party: Party;
const clients = new Clients();

beforeAll(async () => {
  party = await startParty({ entry: 'demo/room.ts', config: 'partykit.json' });
});
afterEach(() => clients.closeAll());
afterAll(() => party?.stop());

const askForToken = (parameters: Readonly<Record<string, string>>): Promise<Response> =>
  fetch(`${party.origin}/api/token?${String(new URLSearchParams(parameters))}`);

const enter = (room: string, name: string): Promise<Client> =>
  clients.open({
    host: party.host,
    room,
    query: async () => ({
      token: await (await askForToken({ room, id: name.toLowerCase(), name })).text(),
    }),
  });

const note = (by: string): { text: string; by: string } => ({ text: 'A note', by });

test('nobody signs a note of the demo with the name of another', async () => {
  const ada = await enter('signed', 'Ada');
  const [forged, signed] = [getUniqueId(), getUniqueId()];
  ada.store.setRow('notes', forged, note('Bob'));
  ada.store.setRow('notes', signed, note('Ada'));
  await ada.confirmed();
  expect(ada.refusals).toEqual([
    { type: 'cell', tableId: 'notes', rowId: forged, cellId: 'by', cell: 'Bob', reason: 'hook' },
  ]);
  expect(ada.store.getCell('notes', signed, 'by')).toBe('Ada');
  const bob = await enter('signed', 'Bob');
  expect(bob.store.getCell('notes', forged, 'by')).toBe('');
});

test('nobody puts the own name on a note of the demo that another has signed, or takes the name away', async () => {
  const bob = await enter('taken', 'Bob');
  bob.store.setRow('notes', 'bobs', note('Bob'));
  await bob.confirmed();
  const ada = await enter('taken', 'Ada');
  ada.store.setCell('notes', 'bobs', 'by', 'Ada');
  ada.store.delCell('notes', 'bobs', 'by', true);
  ada.store.setCell('notes', 'bobs', 'text', 'Written by Ada');
  await ada.confirmed();
  expect(ada.refusals.map(({ reason }) => reason)).toEqual(['hook', 'schema']);
  expect(ada.store.getRow('notes', 'bobs')).toMatchObject({ by: 'Bob', text: 'Written by Ada' });
});

test('a note of the demo that comes back, as by undo, has its author again, whoever brings it', async () => {
  const bob = await enter('restored', 'Bob');
  bob.store.setRow('notes', 'bobs', note('Bob'));
  await bob.confirmed();
  const ada = await enter('restored', 'Ada');
  const row = ada.store.getRow('notes', 'bobs');
  ada.store.delRow('notes', 'bobs');
  ada.store.setRow('notes', 'bobs', { ...row, by: 'Ada' });
  ada.store.setRow('notes', 'bobs', row);
  await ada.confirmed();
  expect(ada.refusals).toMatchObject([{ cellId: 'by', cell: 'Ada' }]);
  expect(ada.store.getRow('notes', 'bobs')).toEqual(row);
});

test('a deleted note of the demo has its author also after the server was started again', async () => {
  const bob = await enter('forgotten', 'Bob');
  bob.store.setRow('notes', 'bobs', note('Bob'));
  await bob.confirmed();
  const row = bob.store.getRow('notes', 'bobs');
  bob.store.delRow('notes', 'bobs');
  await bob.confirmed();
  await clients.closeAll();
  await party.restart();
  const ada = await enter('forgotten', 'Ada');
  ada.store.setRow('notes', 'bobs', { ...row, by: 'Ada' });
  ada.store.setRow('notes', 'bobs', row);
  await ada.confirmed();
  expect(ada.refusals).toMatchObject([{ cellId: 'by', cell: 'Ada' }]);
  expect(ada.store.getRow('notes', 'bobs')).toEqual(row);
});

test('a pinned note of the demo keeps everything but its pin, also if cells are deleted', async () => {
  const ada = await enter('pinned', 'Ada');
  const row = ada.store.getRow('notes', 'pinned');
  const kept = Object.keys(row).filter((cellId) => cellId !== 'isPinned');
  for (const cellId of kept) ada.store.delCell('notes', 'pinned', cellId, true);
  await ada.confirmed();
  expect(ada.store.getRow('notes', 'pinned')).toEqual(row);
  expect(ada.refusals.map(({ reason }) => reason)).toEqual(kept.map(() => 'hook'));
});

test.each([
  ['no id', { id: '' }],
  ['a very long id', { id: 'a'.repeat(10_000) }],
  ['an id of other letters', { id: 'ä' }],
  ['no name', { name: '' }],
  ['a name that is blank', { name: '  ' }],
  ['a long name', { name: 'ä'.repeat(41) }],
  ['no room', { room: '' }],
  ['a very long room', { room: 'a'.repeat(10_000) }],
  ['a room that ends in a star', { room: 'a*' }],
])(
  'a token of the demo for %s is refused, and the answer says what it needs',
  async (_of, wrong) => {
    const response = await askForToken({ room: 'a room', id: 'ada', name: 'Ada', ...wrong });
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(/^A token needs an id .*, a name .* and a room .*\.\n$/);
  },
);

test('a token of the demo that is as large as may be lets its user in', async () => {
  const name = '😀'.repeat(20);
  const room = '😀'.repeat(40);
  const response = await askForToken({ room, id: 'a'.repeat(64), name });
  expect(response.status).toBe(200);
  const client = await clients.open({
    host: party.host,
    room: encodeURIComponent(room),
    query: { token: await response.text() },
  });
  expect(client.store.getRowIds('notes')).toHaveLength(4);
});
