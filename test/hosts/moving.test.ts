import { afterEach, expect, test } from 'vitest';
import { Clients } from '../support/clients.ts';
import { fetchLeaves, leavesOf, storeOf, untilEqual } from '../support/content.ts';
import { type PartyOptions, startParty } from '../support/party.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { type HostName, startHost } from './hosts.ts';

const OURS: PartyOptions = {
  entry: 'test/room/fixtures/plain.ts',
  config: 'test/room/fixtures/partykit-rooms.json',
};
const STOCK: PartyOptions = { entry: 'test/room/fixtures/stock.ts' };

const ID = 'two words';
const CONTENT = '[{"t":{"r":{"object":"\uFFFD{\\"deep\\":[1]}","n":1.5,"yes":true}}},{"v":"x"}]';

const at = (host: ServerProcess, path: string): string =>
  `${host.origin}/parties/restoring/moving${path}`;

const clients = new Clients();
afterEach(() => clients.closeAll());

test.each<readonly [string, PartyOptions, HostName]>([
  ["a room of TinyBase's own server", STOCK, 'durable-object'],
  ['a room of ours on PartyKit', OURS, 'durable-object'],
  ['a room of ours on PartyKit', OURS, 'partyserver'],
])('%s moves to another host by GET and PUT', async (_what, options, name) => {
  const from = await startParty(options);
  const to = await startHost(name);
  try {
    const path = `${encodeURIComponent(ID)}/store`;
    const seeded = await fetch(from.room(path), { method: 'PUT', body: CONTENT });
    expect(seeded.status).toBe(201);

    const exported = await (await fetch(from.room(path))).text();
    expect((await fetch(to.room(path), { method: 'PUT', body: exported })).status).toBe(201);

    expect(await fetchLeaves(to.room(path))).toEqual(await fetchLeaves(from.room(path)));
    const content = await fetchLeaves(to.room(path));
    expect(content?.get('["t","r","object"]')).toBe('{"deep":[1]}');
    const client = await clients.open({ host: to.host, room: ID });
    expect(client.store.getCell('t', 'r', 'object')).toEqual({ deep: [1] });
    client.store.delTables();
    await client.confirmed();
    await untilEqual([storeOf([{}, { v: 'x' }]), client.store], to.room(path));
    // A second PUT changes nothing: a room that people use already is safe from it.
    expect((await fetch(to.room(path), { method: 'PUT', body: exported })).status).toBe(205);
    expect(await fetchLeaves(to.room(path))).toEqual(leavesOf([{}, { v: 'x' }]));
  } finally {
    await clients.closeAll();
    await Promise.all([from.stop(), to.stop()]);
  }
});

test('a room moves by its document to one that has a content already', async () => {
  const from = await startParty(OURS);
  const to = await startHost('durable-object');
  try {
    await fetch(at(from, '/store'), { method: 'PUT', body: CONTENT });
    await fetch(at(to, '/store'), { method: 'PUT', body: '[{},{"other":true}]' });
    const document = await (await fetch(at(from, '/document'))).text();
    const restored = await fetch(at(to, '/document'), { method: 'PUT', body: document });
    expect(restored.status).toBe(204);
    await to.restart();
    expect(await fetchLeaves(at(to, '/store'))).toEqual(await fetchLeaves(at(from, '/store')));
  } finally {
    await Promise.all([from.stop(), to.stop()]);
  }
});
