import type { Cell, Content, Store } from 'tinybase';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { Clients } from '../support/clients.ts';
import { storeOf, untilEqual } from '../support/content.ts';
import { startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';
import { seededRandom, type SeededRandom } from '../support/seeded-random.ts';
import { STOCK_VERSIONS, StockClients } from './stock-versions.ts';

let party: Party;
const clients = new Clients();
const stockClients = new StockClients();

beforeAll(async () => {
  party = await startTestedParty({ config: 'test/stock/fixtures/partykit.json' });
});
afterEach(async () => {
  await Promise.all([clients.closeAll(), stockClients.closeAll()]);
});
afterAll(() => party?.stop());

const IDS = ['a', 'b', 'noSetCell', 'noDelCell', 'noSetRow', 'noDelRow'] as const;
const VALUE_IDS = ['v', 'w', 'noSetValue', 'noDelValue'] as const;
const TABLE_IDS = ['t', 'u', 'noSetTable', 'noDelTable'] as const;

/** One edit of any kind, some of which the room refuses. */
const edit = (store: Store, { below, pick }: SeededRandom): void => {
  const [table, row, cell] = [pick(TABLE_IDS), pick(IDS), pick(IDS)];
  const leaf = pick<Cell>([below(100), 'text', true]);
  switch (below(8)) {
    case 0:
      store.delCell(table, row, cell, true);
      break;
    case 1:
      store.delRow(table, row);
      break;
    case 2:
      if (below(4) === 0) store.delTable(table);
      break;
    case 3:
      store.delValue(pick(VALUE_IDS));
      break;
    case 4:
      store.setValue(pick(VALUE_IDS), leaf);
      break;
    case 5:
      store.transaction(() => {
        store.setRow(table, row, { [cell]: leaf, a: leaf });
        store.setCell(table, pick(IDS), pick(IDS), leaf);
        store.delRow('t', pick(IDS));
      });
      break;
    default:
      store.setCell(table, row, cell, leaf);
  }
};

describe.each(STOCK_VERSIONS)('clients of TinyBase %s', (version) => {
  test('[STOCK-1] several of them and several of ours edit one room together', async () => {
    const where = { host: party.host, room: `together-${version}` };
    const first = await stockClients.open(version, where, [{ t: { r: { seed: 1 } } }, {}]);
    const ours = await clients.open({ ...where, seed: [{}, { unwanted: 1 }] });
    const second = await stockClients.open(version, where, [{}, { unwanted: 1 }]);
    const stores = [first.store, ours.store, second.store];
    const url = party.room(where.room, '/store');
    await untilEqual([storeOf([{ t: { r: { seed: 1 } } }, {}]), ...stores], url);
    for (let round = 0; round < 30; round++) {
      for (const [index, store] of stores.entries()) {
        store.setCell('t', `${index} ${round}`, 'c', round).setValue(`${index}`, round);
        store.setCell('t', 'same', 'c', index * 100 + round);
      }
    }
    await ours.confirmed();
    const leaves = await untilEqual(stores, url);
    expect(leaves.size).toBe(1 + 3 * 30 + 3 + 1);
    first.store.delRow('t', '1 0');
    ours.store.delTable('t');
    second.store.delValue('1');
    await untilEqual([storeOf([{}, { 0: 29, 2: 29 }]), ...stores], url);
  });

  test.each([1, 2, 3])(
    '[STOCK-2] they and ours end equal to a room that refuses, whatever they do: seed %i',
    async (seed) => {
      const where = { host: party.host, party: 'refusing', room: `refused-${version}-${seed}` };
      const url = `${party.origin}/parties/refusing/${where.room}/store`;
      const content: Content = [
        { t: { a: { a: 1, noDelCell: 1 }, noDelRow: { a: 1 } }, noDelTable: { a: { a: 1 } } },
        { noDelValue: 1 },
      ];
      const stores: Store[] = [];
      for (let count = 0; count < 2; count++) {
        stores.push((await stockClients.open(version, where, content)).store);
        stores.push((await clients.open(where)).store);
      }
      const random = seededRandom(seed);
      for (let round = 0; round < 40; round++) {
        for (const store of stores) if (random.below(10) < 7) edit(store, random);
        // Now and then what was sent comes back before the next edit.
        if (random.below(10) < 3) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const leaves = await untilEqual(stores, url);
      expect(leaves.get('["noDelValue"]')).toBeDefined();
      const refused = ['noSetTable', 'noSetRow', 'noSetCell'];
      const wrong = [...leaves.keys()].filter((address) => {
        const ids = JSON.parse(address) as string[];
        return ids.length === 1 ? ids[0] === 'noSetValue' : ids.some((id, i) => id === refused[i]);
      });
      expect(wrong).toEqual([]);
    },
  );
});
