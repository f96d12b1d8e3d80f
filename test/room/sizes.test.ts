import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { Content, Row, Store } from 'tinybase';
import { Clients } from '../support/clients.ts';
import { fetchLeaves, leavesOf, storeOf, untilEqual } from '../support/content.ts';
import { promise, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';

let party: Party;
const clients = new Clients();

beforeAll(async () => {
  party = await startTestedParty();
});
afterEach(() => clients.closeAll());
afterAll(() => party?.stop());

const KIBIBYTE = 1024;
/** For what both pairs get right in the end. */
const LONG_MILLISECONDS = 20_000;
const LONG_ID = 'i'.repeat(3 * KIBIBYTE);

const EDITS: readonly (readonly [what: string, edit: (store: Store) => unknown])[] = [
  ['a value of 200 KiB', (store) => store.setValue('long', 'x'.repeat(200 * KIBIBYTE))],
  [
    'a cell of 200 KiB that is not ASCII',
    (store) => store.setCell('t', 'r', 'long', '\u{1F415}'.repeat(50 * KIBIBYTE)),
  ],
  [
    'an object of 70 KiB',
    (store) => store.setCell('t', 'r', 'object', { text: 'x'.repeat(70 * KIBIBYTE) }),
  ],
  [
    'ids of 3 KiB',
    (store) => {
      store.setCell(LONG_ID, LONG_ID, LONG_ID, 1);
      store.setValue(LONG_ID, 1);
    },
  ],
  [
    'a transaction of 2 MiB',
    (store) => {
      for (let row = 0; row < 2000; row++) {
        store.setCell('many', `${row}`, 'text', `${row} `.padEnd(KIBIBYTE, 'x'));
      }
    },
  ],
  [
    'a cell of 2 MiB',
    (store) => store.setCell('t', 'r', 'huge', 'x'.repeat(2 * KIBIBYTE * KIBIBYTE)),
  ],
];

for (const [index, [what, edit]] of EDITS.entries()) {
  promise(
    `[PART-1] ${what} arrives, with what was edited after it, and is there after a crash`,
    /Stores differ/,
    async () => {
      const here = { host: party.host, room: `size-${index}` };
      const url = party.room(here.room, '/store');
      const writer = await clients.open({ ...here, seed: [{}, {}] });
      const other = await clients.open(here);
      writer.store.transaction(() => edit(writer.store));
      writer.store.setCell('t', 'r', 'after', true);
      await writer.confirmed();
      const content = await untilEqual([writer.store, other.store], url);
      expect(content.get('["t","r","after"]')).toBe('true');
      if (index === EDITS.length - 1) {
        await party.restart();
        await untilEqual([writer.store, other.store], url);
      }
    },
  );
}

promise(
  '[ONCE-7] a transaction over the limit stays here and is reported; nothing else suffers',
  /Stores differ/,
  async () => {
    const here = { host: party.host, room: 'too-large' };
    const url = party.room(here.room, '/store');
    const writer = await clients.open({ ...here, seed: [{}, {}] });
    const other = await clients.open(here);
    const text = 'x'.repeat(40 * KIBIBYTE * KIBIBYTE);
    writer.store.setCell('t', 'r', 'too large', text);
    writer.store.setCell('t', 'r', 'after', true);
    await writer.confirmed();

    await untilEqual([storeOf([{ t: { r: { after: true } } }, {}]), other.store], url);
    expect(writer.store.getCell('t', 'r', 'too large')).toBe(text);
    expect(writer.refusals).toEqual([
      {
        type: 'cell',
        tableId: 't',
        rowId: 'r',
        cellId: 'too large',
        cell: text,
        reason: 'too-large',
      },
    ]);
  },
);

promise(
  'a room of 100,000 cells is seeded, loaded, followed, edited and there after a crash',
  undefined,
  async () => {
    const here = { host: party.host, room: 'hundred-thousand' };
    const url = party.room(here.room, '/store');
    const rows: Record<string, Row> = {};
    for (let row = 0; row < 10_000; row++) {
      rows[`${row}`] = Object.fromEntries(
        Array.from({ length: 10 }, (_item, cell) => [`cell ${cell}`, row * cell]),
      );
    }
    const seed: Content = [{ rows }, {}];
    const put = await fetch(url, { method: 'PUT', body: JSON.stringify(seed) });
    expect(put.status).toBe(201);
    expect((await fetchLeaves(url))?.size).toBe(100_000);

    const [one, two] = [await clients.open(here), await clients.open(here)];
    expect(leavesOf(one.store.getContent()).size).toBe(100_000);
    one.store.delRow('rows', '17');
    one.store.setCell('rows', '18', 'cell 1', 'edited');
    two.store.delRow('rows', '1');
    two.store.setCell('rows', '2', 'new', true);
    await Promise.all([one.confirmed(), two.confirmed()]);
    const content = await untilEqual([one.store, two.store], url, LONG_MILLISECONDS);
    expect(content.size).toBe(100_000 - 20 + 1);
    // Neither row 1 nor 17 takes another one with it, whose id begins the same.
    expect(one.store.getRowCount('rows')).toBe(9998);
    expect(one.store.hasRow('rows', '10')).toBe(true);
    expect(one.store.hasRow('rows', '170')).toBe(true);

    await party.restart();
    expect(await fetchLeaves(url)).toEqual(content);
    two.store.setCell('rows', '3', 'after', true);
    await two.confirmed();
    await untilEqual([one.store, two.store], url, LONG_MILLISECONDS);
  },
);
