import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { Clients } from '../support/clients.ts';
import { untilEqual } from '../support/content.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import { startHost } from './hosts.ts';

let host: ServerProcess;
const clients = new Clients();

beforeAll(async () => {
  host = await startHost('durable-object');
});
afterEach(() => clients.closeAll());
afterAll(() => host?.stop());

test('[PART-7] an edit at which a Durable Object dies becomes local-only in the end; all others arrive, also those of others', async () => {
  const here = { host: host.host, party: 'dying', room: 'dying' };
  const url = `http://${host.host}/parties/dying/dying/store`;
  const author = await clients.open({ ...here, seed: [{}, { v: 0 }] });
  const others = [await clients.open(here), await clients.open(here)];
  author.store.setValue('before', 1);
  author.store.setValue('poison', 1);
  author.store.setValue('after', 1);
  let edits = 0;
  await until(
    'the edit to be given up',
    () => {
      edits += 1;
      for (const [index, other] of others.entries())
        other.store.setCell('edits', `${index}`, `${edits % 50}`, edits);
      return author.refusals.length > 0;
    },
    { deadlineMilliseconds: 90_000 },
  );
  expect(author.refusals).toEqual([
    { type: 'value', valueId: 'poison', value: 1, reason: 'undelivered' },
  ]);
  author.store.setValue('later', 1);
  for (const client of [author, ...others]) await client.confirmed();
  for (const other of others) expect(other.refusals).toEqual([]);
  const content = await untilEqual(
    others.map(({ store }) => store),
    url,
  );
  expect([...content.keys()].filter((key) => key.includes('poison'))).toEqual([]);
  expect(others[0]?.store.getValues()).toEqual({ v: 0, before: 1, after: 1, later: 1 });
  expect(author.store.getValue('poison')).toBe(1);
  expect(author.persister.getSync()).toMatchObject({ phase: 'live', unsaved: 0, localOnly: 1 });
}, 120_000);
