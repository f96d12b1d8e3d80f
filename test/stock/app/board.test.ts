import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { type Party, startParty } from '../../support/party.ts';
import { until } from '../../support/until.ts';
import { openBoard, type Board } from './board.ts';

let party: Party;
const boards: Board[] = [];

beforeAll(async () => {
  const folder = import.meta.dirname.slice(import.meta.dirname.lastIndexOf('/test/') + 1);
  party = await startParty({
    entry: `${folder}/rooms/board-room.ts`,
    config: `${folder}/rooms/partykit.json`,
  });
}, 60_000);
afterEach(async () => {
  await Promise.all(boards.splice(0).map((board) => board.close()));
});
afterAll(() => party?.stop());

const open = async (room: string, user: string, name: string = 'Unwanted'): Promise<Board> => {
  const board = await openBoard(party.host, room, user, name);
  boards.push(board);
  return board;
};

/** Waits until a board shows this. */
const untilShown = (what: string, isShown: () => boolean): Promise<unknown> => until(what, isShown);

const stats = async (room: string): Promise<unknown> =>
  await (await fetch(party.room(room, '/stats'))).json();

test('the first to come names the board, and who comes later gets it', async () => {
  expect(await stats('named')).toEqual({ isNew: true });
  const ada = await open('named', 'ada', 'Ours');
  const bob = await open('named', 'bob', 'Another');
  expect([ada.store.getValue('name'), bob.store.getValue('name')]).toEqual(['Ours', 'Ours']);
  expect(bob.store.getSortedRowIds('columns', 'position')).toEqual(['todo', 'done']);
  expect(await stats('named')).toEqual({ isNew: false, name: 'Ours', cards: [], visits: 2 });
  expect([ada.errors, bob.errors]).toEqual([[], []]);
});

test('cards that one adds, moves and removes do so for the other', async () => {
  const [ada, bob] = [await open('moved', 'ada'), await open('moved', 'bob')];
  ada.addCard('0', 'todo', 'Think');
  ada.addCard('1', 'todo', 'Write', ['urgent', 'text']);
  await untilShown('the cards', () => bob.cardsIn('todo').length === 2);
  expect(bob.store.getRow('cards', '1')).toEqual({
    title: 'Write',
    column: 'todo',
    isArchived: false,
    labels: ['urgent', 'text'],
  });
  bob.moveCard('1', 'done');
  await untilShown('the move', () => ada.cardsIn('done').length === 1);
  ada.store.setCell('cards', '1', 'isArchived', true).delCell('cards', '1', 'labels');
  await untilShown('the change', () => !bob.store.hasCell('cards', '1', 'labels'));
  expect(bob.store.getCell('cards', '1', 'isArchived')).toBe(true);
  bob.removeCard('1');
  await untilShown('the removal', () => ada.cardsIn('done').length === 0);
  ada.store.setValue('name', 'Renamed');
  await untilShown('the name', () => bob.store.getValue('name') === 'Renamed');
});

test('a transaction arrives as one', async () => {
  const [ada, bob] = [await open('atomic', 'ada'), await open('atomic', 'bob')];
  const counts: number[] = [];
  bob.store.addDidFinishTransactionListener(() => {
    counts.push(bob.store.getRowCount('cards'));
  });
  ada.store.transaction(() => {
    for (let card = 0; card < 20; card++) ada.addCard(`${card}`, 'todo', `Card ${card}`);
  });
  await untilShown('the cards', () => bob.cardsIn('todo').length === 20);
  expect(counts).toEqual([20]);
});

test('guests look on: what they write reaches nobody', async () => {
  const [ada, guest] = [await open('guests', 'ada'), await open('guests', 'guest')];
  ada.addCard('1', 'todo', 'Write');
  await untilShown('the card', () => guest.cardsIn('todo').length === 1);
  guest.addCard('2', 'todo', 'Mine');
  guest.moveCard('1', 'done');
  guest.removeCard('1');
  guest.store.setValue('name', 'Mine');
  guest.say('done');
  await untilShown('the message', () => ada.said.length === 1);
  expect(ada.store.getRow('cards', '1')).toMatchObject({ column: 'todo' });
  expect(ada.store.getRowIds('cards')).toEqual(['1']);
  expect(await stats('guests')).toMatchObject({ name: 'Unwanted', cards: ['1'] });
});

test('what the board does not know, protects or locks stays out of it, or as it is', async () => {
  const [ada, bob] = [await open('kept', 'ada'), await open('kept', 'bob')];
  ada.addCard('pinned-1', 'todo', 'Rules');
  ada.addCard('2', 'todo', 'Locked');
  await untilShown('the cards', () => bob.cardsIn('todo').length === 2);
  ada.removeCard('pinned-1');
  ada.store.setCell('cards', '2', 'title', 'Open');
  ada.store.delTablesSchema().setCell('people', '1', 'name', 'Ada').setCell('cards', '2', 'x', 1);
  ada.store.delTable('columns').delValue('name');
  ada.addCard('3', 'todo', 'Last');
  await untilShown('the last card', () => bob.cardsIn('todo').length === 3);
  expect(bob.store.getTableIds()).toEqual(['columns', 'cards']);
  expect(bob.store.getRowIds('cards')).toEqual(['pinned-1', '2', '3']);
  expect(bob.store.getCell('cards', '2', 'title')).toBe('Locked');
  expect(bob.store.getValue('name')).toBe('Unwanted');
});

test('the chat goes beside the board, and who leaves is missed', async () => {
  const [ada, bob] = [await open('chat', 'ada'), await open('chat', 'bob')];
  ada.say('hello');
  ada.addCard('1', 'todo', 'Write');
  await untilShown('the message', () => bob.said.length === 1 && bob.cardsIn('todo').length === 1);
  await boards.splice(boards.indexOf(ada), 1)[0]?.close();
  await untilShown('the leave', () => bob.said.length === 2);
  expect(bob.said).toEqual(['ada: hello', 'ada left']);
});

test('the server announces something to everybody', async () => {
  const [ada, bob] = [await open('announced', 'ada'), await open('announced', 'bob')];
  await fetch(party.room('announced', '/announce'), { method: 'POST', body: 'Closing soon' });
  await untilShown('the announcement', () =>
    [ada, bob].every(({ store }) => store.getValue('announcement') === 'Closing soon'),
  );
});

test('the board answers over HTTP where it says, with its headers', async () => {
  const put = { method: 'PUT', body: '[{"cards":{"1":{"title":"Write"}}},{}]' };
  expect((await fetch(party.room('http', '/board'), { ...put, body: '{' })).status).toBe(400);
  expect((await fetch(party.room('http', '/board'), put)).status).toBe(201);
  expect((await fetch(party.room('http', '/board'), put)).status).toBe(205);
  const response = await fetch(party.room('http', '/board'));
  expect(response.headers.get('X-Board')).toBe('yes');
  expect(response.headers.get('Content-Type')).toBe('text/plain;charset=UTF-8');
  expect(await response.json()).toEqual([{ cards: { 1: { title: 'Write' } } }, {}]);
  expect((await fetch(party.room('http', '/store'))).status).toBe(404);
});

test('the persister says what it does', async () => {
  const ada = await open('status', 'ada');
  const bob = await open('status', 'bob');
  expect([ada.persister.isAutoLoading(), ada.persister.isAutoSaving()]).toEqual([true, true]);
  expect(ada.persister.getStore()).toBe(ada.store);
  expect(ada.persister.getConnection().room).toBe('status');
  await ada.persister.stopAutoSave();
  expect(ada.persister.isAutoSaving()).toBe(false);
  await ada.persister.startAutoSave();
  ada.addCard('1', 'todo', 'Write');
  await untilShown('the card', () => bob.cardsIn('todo').length === 1);
  expect(ada.persister.getStats().saves).toBeGreaterThan(0);
  expect(bob.persister.getStats().loads).toBeGreaterThan(0);
});

test('what was on the board is there after the server was killed', async () => {
  const ada = await open('restarted', 'ada', 'Kept');
  const bob = await open('restarted', 'bob');
  ada.addCard('1', 'todo', 'Write');
  await untilShown('the card', () => bob.cardsIn('todo').length === 1);
  await party.restart();
  expect(await stats('restarted')).toMatchObject({ name: 'Kept', cards: ['1'] });
  const cyd = await open('restarted', 'cyd');
  expect(cyd.cardsIn('todo')).toEqual(['1']);
});
