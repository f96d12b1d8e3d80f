import { expect, test } from 'vitest';

import { broadcastChanges } from '../../../src/server/stock/broadcast-changes.ts';
import { FakeRoomHost, inShort, settle } from '../../support/fake-connection.ts';

test('applies changes as one transaction of the server, which reaches everybody', async () => {
  const host = new FakeRoomHost();
  await host.seed({
    pets: { fido: { species: 'dog', legs: 4 }, felix: { species: 'cat' } },
    toys: { ball: { color: 'red' } },
    open: true,
    gone: 1,
  });
  const ada = await host.join('ada');
  await broadcastChanges(
    host.room,
    [
      {
        toys: undefined,
        pets: { felix: undefined, fido: { legs: undefined, tags: [1], more: '\uFFFD{"a":1}' } },
      },
      { open: false, gone: undefined },
      1,
    ],
    ['ada'],
  );
  await settle();
  const commit = ada.hearOne('commit');
  expect(commit.version).toBe(2);
  expect(inShort(commit.changes)).toEqual({
    deletedRows: [
      ['toys', ['ball']],
      ['pets', ['felix']],
    ],
    leaves: [
      ['pets', 'fido', 'legs', undefined],
      ['pets', 'fido', 'tags', '\uFFFD[1]'],
      ['pets', 'fido', 'more', '\uFFFD{"a":1}'],
      ['open', false],
      ['gone', undefined],
    ],
  });
});

test('waits until the room is loaded', async () => {
  const host = new FakeRoomHost();
  await host.seed({ open: true });
  host.hibernate();
  await broadcastChanges(host.room, [{}, { open: false }, 1]);
  expect(await host.content()).toEqual([{}, { open: false }]);
  expect((await host.cursor()).version).toBe(2);
});
