import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Party, startParty } from '../support/party.ts';

let party: Party;

beforeAll(async () => {
  party = await startParty();
});

afterAll(async () => {
  await party?.stop();
});

test('a room keeps what was put into it through a kill -9', async () => {
  const store = party.room('kept', '/store');
  const content = [{ pets: { fido: { species: 'dog' } } }, { open: true }];

  const put = await fetch(store, { method: 'PUT', body: JSON.stringify(content) });
  expect(put.status).toBe(201);

  await party.kill9();
  await expect(fetch(store)).rejects.toThrow('fetch failed');

  await party.restart();
  const response = await fetch(store);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual(content);
});

test('a restart kills what still runs', async () => {
  await party.restart();
  const response = await fetch(party.room('empty', '/store'));
  expect(await response.text()).toBe('');
});

test('a room module that does not compile is reported with what was printed', async () => {
  await expect(startParty({ entry: 'test/room/fixtures/absent.ts' })).rejects.toThrow(
    'Could not find main',
  );
});
