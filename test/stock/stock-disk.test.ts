import { describe, expect, test } from 'vitest';

import { exportToStockStorage, loadStoreFromStorage } from '../../src/server/index.ts';
import { FakeRoomHost } from '../support/fake-connection.ts';
import { askStock, stockServerOn } from '../support/stock-storage.ts';
import { StrictStorage } from '../support/strict-storage.ts';
import { loadStockServer, STOCK_VERSIONS } from './stock-versions.ts';

/** What every one of these releases can hold. */
const CONTENT = [
  { pets: { fido: { species: 'dog', legs: 4 }, 'a "b", c': { '': true } } },
  { open: true, 'v v': 'text', version: 1.5 },
];

describe.each(STOCK_VERSIONS)('a storage of TinyBase %s', (version) => {
  test.each(['', 'my_'])('is taken over, and goes back, under the prefix %j', async (prefix) => {
    const Server = await loadStockServer(version);
    const storage = new StrictStorage();
    await askStock(stockServerOn(storage, prefix, Server), CONTENT);
    expect(await loadStoreFromStorage(storage, prefix)).toEqual(CONTENT);
    const host = new FakeRoomHost({ storagePrefix: () => prefix }, storage);
    expect(await host.content()).toEqual(CONTENT);
    host.room.store.delRow('pets', 'fido').setValue('open', false);
    const content = await host.content();
    await exportToStockStorage(storage, prefix);
    expect(JSON.parse(await askStock(stockServerOn(storage, prefix, Server)))).toEqual(content);
  });
});
