import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type Client, type ClientOptions, Clients } from '../support/clients.ts';
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

/** Two clients, in a room that the first of them seeds, edit, part and meet again. */
const useTogether = async (
  options: Omit<ClientOptions, 'host'>,
  storeUrl: string,
): Promise<readonly [Client, Client]> => {
  const here = { host: party.host, ...options };
  const one = await clients.open({ ...here, seed: [{ t: { r: { c: 1 } } }, { v: 1 }] });
  const two = await clients.open(here);
  one.store.setCell('t', 'r', 'one', 1);
  two.store.setCell('t', 'r', 'two', 2);
  await untilEqual(
    [storeOf([{ t: { r: { c: 1, one: 1, two: 2 } } }, { v: 1 }]), one.store, two.store],
    storeUrl,
  );
  one.cut();
  two.store.delCell('t', 'r', 'c');
  await two.confirmed();
  one.heal();
  await untilEqual(
    [storeOf([{ t: { r: { one: 1, two: 2 } } }, { v: 1 }]), one.store, two.store],
    storeUrl,
  );
  return [one, two];
};

promise(
  'a room works whose subclass overrides the life cycle without super and half of the config',
  /Stores differ/,
  async () => {
    const room = 'overriding';
    const base = `${party.origin}/parties/overriding/${room}`;
    const [one, two] = await useTogether(
      { party: 'overriding', room, config: { storePath: '/x', messagePrefix: 'p' } },
      `${base}/x`,
    );
    expect((await fetch(`${base}/store`)).status).toBe(404);
    const { headers } = await fetch(`${base}/x`);
    expect(headers.get('access-control-allow-origin')).toBe('*');
    await party.restart();
    await untilEqual([one.store, two.store], `${base}/x`);
  },
);

promise(
  'requests and sockets that come while a room starts are all answered as by a started one',
  /Stores differ/,
  async () => {
    const url = (room: string): string => `${party.origin}/parties/starting/${room}/store`;
    const here = { host: party.host, party: 'starting', room: 'racing' };
    const seed = (name: string): ClientOptions => ({ ...here, seed: [{}, { first: name }] });
    const empty = await Promise.all(
      Array.from({ length: 5 }, async () => (await fetch(url('unused'))).text()),
    );
    expect(empty).toEqual(['', '', '', '', '']);

    const racers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => clients.open(seed(name))));
    const content = await untilEqual(
      racers.map(({ store }) => store),
      url(here.room),
    );
    expect(content.size).toBe(1);

    // The same on a room that wakes with content, where an answer of too early a moment would be empty.
    await party.restart();
    const answers = await Promise.all(Array.from({ length: 5 }, () => fetchLeaves(url(here.room))));
    for (const answer of answers) {
      expect(answer).toEqual(content);
    }
    await party.restart();
    const seen = await Promise.all(
      Array.from({ length: 5 }, () => fetchLeaves(url(here.room).replace('/store', '/seen'))),
    );
    for (const store of seen) {
      expect(store, "the Store in a handler of the app's").toEqual(content);
    }
    await untilEqual(
      racers.map(({ store }) => store),
      url(here.room),
    );
  },
);

for (const [room, path] of [
  ['two words', 'two%20words'],
  ['two%20words%20more', 'two%20words%20more'],
  ['per%25cent', 'per%25cent'],
  ['sla%2Fsh', 'sla%2Fsh'],
  ['question%3Fhash%23', 'question%3Fhash%23'],
  ['ünïcödé 🐕', encodeURIComponent('ünïcödé 🐕')],
  ['100%', '100%'],
  ['__proto__', '__proto__'],
] as const) {
  promise(`a room may be called ${JSON.stringify(room)}`, /Stores differ/, async () => {
    await useTogether({ room }, `${party.origin}/parties/main/${path}/store`);
  });
}

promise('rooms whose ids look alike are apart', undefined, async () => {
  const rooms = ['alike', 'alike%20', 'alike%2F', 'alike%2Fstore', 'Alike'];
  for (const [index, room] of rooms.entries()) {
    const put = await fetch(party.room(room, '/store'), {
      method: 'PUT',
      body: `[{},{"room":${index}}]`,
    });
    expect(put.status).toBe(201);
  }
  for (const [index, room] of rooms.entries()) {
    expect(await fetchLeaves(party.room(room, '/store'))).toEqual(leavesOf([{}, { room: index }]));
  }
});

promise("the URL is the socket's own: with a base path", /404|differ|Stores/, async () => {
  await useTogether(
    { basePath: 'parties/main/based', room: 'ignored' },
    party.room('based', '/store'),
  );
});

promise("the URL is the socket's own: with a path", /404|differ|Stores/, async () => {
  await useTogether({ path: 'deep/down', room: 'pathed' }, party.room('pathed', '/store'));
});

promise("the URL is the socket's own: with a query", /404|differ|Stores/, async () => {
  await useTogether(
    { query: () => Promise.resolve({ token: 'a b&c' }), room: 'queried' },
    party.room('queried', '/store'),
  );
});
