import { Serializer } from 'node:v8';
import { expect, test } from 'vitest';

import { createAdmin } from '../../../src/server/features/admin/index.ts';
import { createEvents, event } from '../../../src/server/features/events/index.ts';
import { FakeRoomHost, settle } from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const bytesOf = (value: unknown): number => {
  const serializer = new Serializer();
  serializer.writeValue(value);
  return serializer.releaseBuffer().length;
};

/** A storage and a host that count all that a room asks of them. */
class CountedHost extends FakeRoomHost {
  timers = 0;
  readonly counted: StrictStorage;

  constructor(storage: StrictStorage = new StrictStorage()) {
    super({}, storage);
    this.counted = storage;
  }

  override after(milliseconds: number, callback: () => void): () => void {
    this.timers += 1;
    return super.after(milliseconds, callback);
  }
}

/** The life of a room, in which everything happens that happens to rooms without features. */
const traceOf = async (attach: (host: CountedHost) => void): Promise<Record<string, unknown>> => {
  const host = new CountedHost();
  attach(host);
  await host.seed({ v: 1 });
  const ada = await host.join('ada');
  const stock = host.connect();
  await host.room.connected(stock, 'request');
  await ada.push(1, { v: 2, t: { r: { c: 'cell' } } });
  await stock.stock({ v: 3 });
  host.room.store.setValue('v', 4);
  await settle();
  await ada.ping();
  await host.pass(120_000);
  const [woken] = host.hibernate(ada);
  attach(host);
  await host.room.start();
  await woken?.push(2, { v: 5 });
  await host.pass(120_000);
  const heard = [...ada.frames, '(hibernated)', ...(woken?.frames ?? [])];
  const stored = await host.storage.list({});
  const { puts, deletes, reads, keysPut, bytesPut } = host.counted.counts;
  host.disconnect(stock);
  return {
    heard,
    stock: stock.frames,
    attached: [woken?.attachment, stock.attachment],
    keys: [...stored.keys()],
    bytes: [...stored.values()].reduce<number>((sum, value) => sum + bytesOf(value), 0),
    counts: { puts, deletes, reads, keysPut, bytesPut, timers: host.timers },
    errors: host.errors,
  };
};

test('[SEAM-5] a room without features sends, attaches, stores, reads and waits for exactly this', async () => {
  expect(await traceOf(() => undefined)).toMatchInlineSnapshot(`
    {
      "attached": [
        "{"peer":{"client":"ada___________________","generation":1,"next":1,"liveness":"live"}}",
        undefined,
      ],
      "bytes": 299,
      "counts": {
        "bytesPut": 311,
        "deletes": 0,
        "keysPut": 6,
        "puts": 5,
        "reads": 11,
        "timers": 1,
      },
      "errors": [],
      "heard": [
        "a[1,2,1]",
        "c[3,[{},{"v":3}]]",
        "c[4,[{},{"v":4}]]",
        "o[4,1]",
        "(hibernated)",
        "a[2,5,1,null,null,"epoch2"]",
      ],
      "keys": [
        "@tinybase-partykit/blob/0000000000000001/000000",
        "@tinybase-partykit/log/0000000000000001",
        "@tinybase-partykit/log/0000000000000002",
        "@tinybase-partykit/log/0000000000000003",
        "@tinybase-partykit/log/0000000000000004",
        "@tinybase-partykit/manifest",
      ],
      "stock": [
        "s[{"t":{"r":{"c":"cell"}}},{"v":2},1]",
        "s[{},{"v":3},1]",
        "s[{},{"v":4},1]",
        "s[{},{"v":5},1]",
      ],
    }
  `);
});

test.each<[what: string, attach: (host: CountedHost) => void]>([
  ['a feature that does nothing', ({ room }) => void room.addFeature({ letter: 'x' })],
  [
    'events that nobody calls',
    ({ room }) => void createEvents(room as never, { announced: event() } as never),
  ],
  [
    'an endpoint that nobody asks',
    ({ room }) =>
      void createAdmin(Object.assign(room, { getSize: () => 0 }) as never, {
        secret: () => 's'.repeat(32),
        party: 'main',
      }),
  ],
])('[SEAM-5] a room with %s is the same as one without', async (_what, attach) => {
  expect(await traceOf(attach)).toEqual(await traceOf(() => undefined));
});
