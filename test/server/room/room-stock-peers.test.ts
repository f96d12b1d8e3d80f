import { expect, test } from 'vitest';

import { FakeRoomHost, inShort, settle, valueChanges } from '../../support/fake-connection.ts';

const seeded = async (
  options: ConstructorParameters<typeof FakeRoomHost>[0] = {},
): Promise<FakeRoomHost> => {
  const host = new FakeRoomHost(options);
  await host.seed({ pets: { fido: { species: 'dog', legs: 4 } }, open: true });
  return host;
};

test('[STOCK-1] takes changes of a connection that has not said hello, and sends it commits as such', async () => {
  const host = await seeded();
  const [ada, stock, other] = [await host.join('ada'), host.connect(), host.connect()];
  await stock.stock({ pets: { felix: { legs: 4 } } });
  expect(ada.hearOne('commit')).toMatchObject({ version: 2 });
  expect(inShort(other.hearOne('stock').changes)).toEqual({
    leaves: [['pets', 'felix', 'legs', 4]],
  });
  stock.hear();
  await ada.push(1, { pets: { fido: undefined }, open: false });
  const expected = { deletedRows: [['pets', ['fido']]], leaves: [['open', false]] };
  expect(inShort(stock.hearOne('stock').changes)).toEqual(expected);
  expect(inShort(other.hearOne('stock').changes)).toEqual(expected);
});

test('[STOCK-1] answers changes without a number from a connection that said hello with an error', async () => {
  const host = await seeded();
  const ada = await host.join('ada');
  await ada.stock({ open: false });
  expect(ada.hearOne('error').code).toBe('malformed');
  expect(host.room.store.getValue('open')).toBe(true);
});

test('[STOCK-2] gives the author the room’s value of all that it asked for or that changed', async () => {
  const host = await seeded({
    hooks: () => ({
      canSetCell: (_table, _row, cell, _now, isInitial) => isInitial || cell !== 'legs',
    }),
    prepareStore: (store) => {
      store.addValueListener(
        'open',
        () => store.setValue('copied', store.getValue('open') ?? null),
        true,
      );
    },
  });
  const stock = host.connect();
  await stock.stock({
    pets: { fido: { legs: 3, species: 'dog', name: 'Fido' }, rex: { legs: 1 } },
    open: false,
  });
  expect(inShort(stock.hearOne('stock').changes)).toEqual({
    deletedRows: [['pets', ['rex']]],
    leaves: [
      ['pets', 'fido', 'legs', 4],
      ['pets', 'fido', 'species', 'dog'],
      ['pets', 'fido', 'name', 'Fido'],
      ['open', false],
      ['copied', false],
    ],
  });
});

test('[STOCK-2] gives the author back what it may not delete', async () => {
  const host = await seeded({
    hooks: () => ({
      canDelCell: (_table, _row, cell) => cell !== 'legs',
      canDelValue: () => false,
    }),
  });
  const stock = host.connect();
  await stock.stock({ pets: undefined });
  expect(inShort(stock.hearOne('stock').changes)).toEqual({
    leaves: [
      ['pets', 'fido', 'legs', 4],
      ['pets', 'fido', 'species', undefined],
    ],
  });
  await stock.stock(valueChanges({ open: undefined }));
  expect(inShort(stock.hearOne('stock').changes)).toEqual({ leaves: [['open', true]] });
});

test('[STOCK-2] tells the author last, so that what it sees of a leaf at the end is right', async () => {
  const host = await seeded();
  const [ada, stock] = [await host.join('ada'), host.connect()];
  void ada.push(1, { open: 'ada' });
  void stock.stock({ open: 'stock' });
  await settle();
  expect(
    stock.hear().map((message) => message.type === 'stock' && inShort(message.changes)),
  ).toEqual([{ leaves: [['open', 'ada']] }, { leaves: [['open', 'stock']] }]);
});

test('[STOCK-3] drops changes before the room has a Store, and then sends the content', async () => {
  const host = new FakeRoomHost();
  const stock = host.connect();
  await stock.stock({ early: 1 });
  expect(stock.hear()).toEqual([]);
  expect(await host.content()).toBeUndefined();
  await host.seed({ pets: { fido: { species: 'dog' } }, open: true });
  await settle();
  expect(inShort(stock.hearOne('stock').changes)).toEqual({
    leaves: [
      ['pets', 'fido', 'species', 'dog'],
      ['open', true],
    ],
  });
});

test('[STOCK-3] sends content that no frame holds in several', async () => {
  const host = new FakeRoomHost();
  const stock = host.connect();
  const text = 'x'.repeat(100_000);
  await host.seed(
    Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`value ${index}`, text])),
  );
  await settle();
  expect(Math.max(...stock.frames.map((frame) => frame.length))).toBeLessThan(700_000);
  const leaves = stock
    .hear()
    .flatMap((message) => (message.type === 'stock' ? [message.changes.leaves.count()] : []));
  expect(leaves.reduce((sum, count) => sum + count, 0)).toBe(20);
});
