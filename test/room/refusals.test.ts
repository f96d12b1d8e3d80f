import type { Store } from 'tinybase';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { Refusal } from '../../src/client/index.ts';
import { Clients } from '../support/clients.ts';
import { untilEqual } from '../support/content.ts';
import { promise, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';
import { until } from '../support/until.ts';

let party: Party;
const clients = new Clients();

beforeAll(async () => {
  party = await startTestedParty();
});
afterEach(() => clients.closeAll());
afterAll(() => party?.stop());

const cellRefusal = (
  tableId: string,
  rowId: string,
  cellId: string,
  cell: string | undefined,
): Refusal => ({ type: 'cell', tableId, rowId, cellId, cell, reason: 'hook' });

const valueRefusal = (valueId: string, value: string | undefined): Refusal => ({
  type: 'value',
  valueId,
  value,
  reason: 'hook',
});

const HOOKS: readonly (readonly [
  hook: string,
  edit: (store: Store) => unknown,
  refusal: Refusal,
])[] = [
  [
    'canSetTable',
    (store) => store.setCell('noSetTable', 'r', 'c', 'new'),
    cellRefusal('noSetTable', 'r', 'c', 'new'),
  ],
  [
    'canSetRow',
    (store) => store.setCell('t', 'noSetRow', 'c', 'new'),
    cellRefusal('t', 'noSetRow', 'c', 'new'),
  ],
  [
    'canSetCell',
    (store) => store.setCell('t', 'r', 'noSetCell', 'new'),
    cellRefusal('t', 'r', 'noSetCell', 'new'),
  ],
  [
    'canSetValue',
    (store) => store.setValue('noSetValue', 'new'),
    valueRefusal('noSetValue', 'new'),
  ],
  [
    'canDelTable',
    (store) => store.delTable('noDelTable'),
    { type: 'row', tableId: 'noDelTable', rowId: 'r', reason: 'hook' },
  ],
  [
    'canDelRow',
    (store) => store.delRow('t', 'noDelRow'),
    { type: 'row', tableId: 't', rowId: 'noDelRow', reason: 'hook' },
  ],
  [
    'canDelCell',
    (store) => store.delCell('t', 'r', 'noDelCell'),
    cellRefusal('t', 'r', 'noDelCell', undefined),
  ],
  ['canDelValue', (store) => store.delValue('noDelValue'), valueRefusal('noDelValue', undefined)],
];

for (const [hook, edit, refusal] of HOOKS) {
  promise(
    `[HOOK-2] what ${hook} refuses goes back at its writer and is reported; the rest is applied`,
    /Stores differ/,
    async () => {
      const here = { host: party.host, party: 'refusing', room: hook };
      const url = `${party.origin}/parties/refusing/${hook}/store`;
      const writer = await clients.open({
        ...here,
        seed: [
          {
            t: { r: { c: 1, noDelCell: 1 }, noDelRow: { c: 1 } },
            noDelTable: { r: { c: 1 } },
          },
          { noDelValue: 1 },
        ],
      });
      const other = await clients.open(here);
      const before = await untilEqual([writer.store, other.store], url);

      writer.store.transaction(() => {
        edit(writer.store);
        writer.store.setCell('t', 'r', 'allowed', hook);
      });
      await writer.confirmed();
      const after = await untilEqual([writer.store, other.store], url);

      expect(Object.fromEntries(after)).toEqual({
        ...Object.fromEntries(before),
        '["t","r","allowed"]': `"${hook}"`,
      });
      expect(writer.refusals).toEqual([refusal]);
      expect(other.refusals).toEqual([]);
    },
  );
}

promise(
  '[SEED-4] what a hook refuses of the initial content is reported to whoever gave it',
  /Stores differ|toEqual/,
  async () => {
    const here = { host: party.host, party: 'refusing', room: 'seed' };
    const giver = await clients.open({
      ...here,
      seed: [{ t: { r: { c: 1, noSetCell: 'new' } } }, { noSetValue: 'new', v: 1 }],
    });
    const other = await clients.open(here);
    await untilEqual([giver.store, other.store], `${party.origin}/parties/refusing/seed/store`);
    expect(giver.store.getContent()).toEqual([{ t: { r: { c: 1 } } }, { v: 1 }]);
    expect(giver.refusals).toEqual([
      cellRefusal('t', 'r', 'noSetCell', 'new'),
      valueRefusal('noSetValue', 'new'),
    ]);
    expect(other.refusals).toEqual([]);
    expect(giver.ignoredErrors).toEqual([]);
  },
);

promise(
  '[SEED-2] [SEED-6] initial content that is refused whole stays at its client; whoever comes next gives the room its own',
  /toEqual|Stores differ|live/,
  async () => {
    const here = { host: party.host, party: 'refusing', room: 'refused-whole' };
    const url = `${party.origin}/parties/refusing/refused-whole/store`;
    const refused = await clients.open({ ...here, seed: [{}, { noSetValue: 'new' }] });
    expect(refused.store.getValues()).toEqual({ noSetValue: 'new' });
    expect(refused.refusals).toEqual([valueRefusal('noSetValue', 'new')]);
    expect(await (await fetch(url)).text()).toBe('');

    // Also refused: still no Store, and the room's version of it shows.
    refused.store.setCell('t', 'noSetRow', 'c', 'new');
    await refused.confirmed();
    expect(refused.store.getTables()).toEqual({});
    expect(await (await fetch(url)).text()).toBe('');

    const next = await clients.open({ ...here, seed: [{ t: { r: { c: 1 } } }, {}] });
    await until('the refused client to follow', () => refused.store.hasTable('t'));
    await next.confirmed();
    expect(await (await fetch(url)).json()).toEqual([{ t: { r: { c: 1 } } }, {}]);
    expect(refused.store.getContent()).toEqual([{ t: { r: { c: 1 } } }, { noSetValue: 'new' }]);
    expect(refused.persister.getSync()).toMatchObject({ phase: 'live', unsaved: 0, localOnly: 1 });
    refused.persister.discardLocal();
    await untilEqual([refused.store, next.store], url);
    expect(refused.ignoredErrors).toEqual([]);
  },
);

promise(
  '[SEED-2] [HOOK-8] the next edit of a client whose initial content was refused whole is initial content',
  /toEqual|Stores differ|live/,
  async () => {
    const here = { host: party.host, party: 'refusing', room: 'refused-then-edited' };
    const url = `${party.origin}/parties/refusing/refused-then-edited/store`;
    const giver = await clients.open({ ...here, seed: [{}, { noSetValue: 'new' }] });
    giver.store.setValue('v', 1);
    await giver.confirmed();
    await until('the edit to be the content', async () => (await (await fetch(url)).text()) !== '');
    expect(await (await fetch(url)).json()).toEqual([{}, { v: 1 }]);
    const other = await clients.open(here);
    giver.store.setValue('w', 1);
    await giver.confirmed();
    giver.persister.discardLocal();
    await untilEqual([giver.store, other.store], url);
    expect(giver.refusals).toEqual([valueRefusal('noSetValue', 'new')]);
    expect(giver.ignoredErrors).toEqual([]);
  },
);

for (const [cell, reason] of [
  ['hang', 'timeout'],
  ['throw', 'failed'],
] as const) {
  promise(
    `[HOOK-3] a hook that should ${cell} refuses that push alone`,
    /Stores differ/,
    async () => {
      const here = { host: party.host, party: 'hanging', room: cell };
      const writer = await clients.open({ ...here, seed: [{}, {}] });
      const other = await clients.open(here);

      writer.store.setCell('t', 'r', cell, 1);
      writer.store.setCell('t', 'r', 'later', 1);
      other.store.setCell('t', 'r', 'slow', 1);
      await Promise.all([writer.confirmed(), other.confirmed()]);
      await untilEqual(
        [writer.store, other.store],
        `${party.origin}/parties/hanging/${cell}/store`,
      );

      expect(writer.store.getTables()).toEqual({ t: { r: { later: 1, slow: 1 } } });
      expect(writer.refusals).toEqual([
        { type: 'cell', tableId: 't', rowId: 'r', cellId: cell, cell: 1, reason },
      ]);
      expect(other.refusals).toEqual([]);
    },
  );
}
