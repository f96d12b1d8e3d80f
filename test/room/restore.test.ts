import { rm } from 'node:fs/promises';

import type { Content } from 'tinybase';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';

import { type Client, Clients } from '../support/clients.ts';
import { fetchLeaves, leavesOf, storeOf, untilEqual } from '../support/content.ts';
import { Deferred } from '../support/deferred.ts';
import { HOST, PAIR, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';
import { until } from '../support/until.ts';

let party: Party;
const clients = new Clients();

beforeAll(async () => {
  party = await startTestedParty();
});
afterEach(() => clients.closeAll());
afterAll(() => party?.stop());

const put = (url: string, document: unknown): Promise<Response> =>
  fetch(url, { method: 'PUT', body: JSON.stringify(document) });

const hasBegunAnew = ({ ignoredErrors }: Client): boolean =>
  ignoredErrors.some((error) => String(error).includes('began anew'));

test.skipIf(PAIR === 'stock')(
  '[JOIN-8] a room is restored from its export: clients follow, and what they had not sent is made on top',
  async () => {
    const here = { host: party.host, party: 'restoring', room: 'restored' };
    const url = `${party.origin}/parties/restoring/restored`;
    const stayed = await clients.open({
      ...here,
      seed: [{ pets: { fido: { legs: 4, tags: ['good'] } } }, { open: true }],
    });
    const left = await clients.open(here);
    const document = (await (await fetch(`${url}/document`)).json()) as { epoch: string };
    stayed.store.setCell('pets', 'fido', 'legs', 3);
    stayed.store.setRow('pets', 'rex', { legs: 2 });
    await stayed.confirmed();
    await untilEqual([stayed.store, left.store], `${url}/store`);
    left.cut();
    left.store.setCell('pets', 'felix', 'legs', 4);

    expect((await put(`${url}/document`, document)).status).toBe(204);
    await until('the one who stayed to follow', () => !stayed.store.hasRow('pets', 'rex'));
    expect(leavesOf(stayed.store.getContent())).toEqual(
      leavesOf([{ pets: { fido: { legs: 4, tags: ['good'] } } }, { open: true }]),
    );
    stayed.store.setValue('open', false);
    left.heal();
    await Promise.all([stayed.confirmed(), left.confirmed()]);
    const expected = storeOf([
      { pets: { fido: { legs: 4, tags: ['good'] }, felix: { legs: 4 } } },
      { open: false },
    ]);
    await untilEqual([expected, stayed.store, left.store], `${url}/store`);
    expect([...stayed.refusals, ...left.refusals]).toEqual([]);
    expect([stayed, left].every(hasBegunAnew)).toBe(true);

    await party.kill9();
    await party.restart();
    expect(await fetchLeaves(`${url}/store`)).toEqual(leavesOf(expected.getContent()));
    const again = (await (await fetch(`${url}/document`)).json()) as { epoch: string };
    expect(again.epoch).not.toBe(document.epoch);
  },
);

test.skipIf(PAIR === 'stock')(
  '[JOIN-8] a client that is loading while the room is restored is live soon after: its socket ends at once',
  async () => {
    const of = (room: string): string => `${party.origin}/parties/restoring/${room}`;
    await put(`${of('early')}/store`, [{}, { restored: true }]);
    const document: unknown = await (await fetch(`${of('early')}/document`)).json();
    await put(`${of('late')}/store`, [{}, { old: true }]);
    const isRestored = new Deferred<void>();
    const loading = clients.create({
      host: party.host,
      party: 'restoring',
      room: 'late',
      config: {
        fetch: async (...request) => {
          const response = await fetch(...request);
          await isRestored.promise;
          return response;
        },
      },
    });
    const started = loading.persister.startAutoPersisting();
    await until('the socket', () => loading.socket.readyState === WebSocket.OPEN);
    const isClosed = new Promise((resolve) => loading.socket.addEventListener('close', resolve));
    expect((await put(`${of('late')}/document`, document)).status).toBe(204);
    const restoredAt = performance.now();
    await isClosed;
    isRestored.resolve();
    await started;
    await until('the client', () => loading.persister.getSync().phase === 'live');
    expect(performance.now() - restoredAt).toBeLessThan(5000);
    await until('the content', () => loading.store.getValue('restored') === true);
    expect(loading.store.getValues()).toEqual({ restored: true });
  },
);

test.skipIf(PAIR === 'stock' || HOST !== 'partykit')(
  '[SEED-2] [JOIN-8] a room that is wiped while windows are open begins with what the app gave, and they are told',
  async () => {
    const seed: Content = [{}, { initial: true }];
    const here = { host: party.host, room: 'wiped', seed };
    const url = party.room('wiped', '/store');
    const one = await clients.open(here);
    const two = await clients.open(here);
    one.store.setValue('old', 1);
    await one.confirmed();
    await untilEqual([one.store, two.store], url);
    await party.kill9();
    await rm(party.persistPath, { recursive: true, force: true });
    two.store.setValue('mine', 1);
    await party.restart();
    await until('both to have heard of it', () => [one, two].every(hasBegunAnew));
    await two.confirmed();
    const content = await untilEqual([one.store, two.store], url);
    expect(Object.fromEntries(content)).toEqual({ '["initial"]': 'true', '["mine"]': '1' });
    for (const { ignoredErrors } of [one, two])
      expect(ignoredErrors.filter((error) => String(error).includes('began anew'))).toHaveLength(1);
    expect([...one.refusals, ...two.refusals]).toEqual([]);
  },
);

test.skipIf(PAIR === 'stock')(
  'another room takes the document as its initial content; what is no document changes nothing',
  async () => {
    const of = (room: string): string => `${party.origin}/parties/restoring/${room}`;
    expect(await (await fetch(`${of('source')}/document`)).json()).toBeNull();
    await fetch(`${of('source')}/store`, { method: 'PUT', body: '[{"t":{"r":{"c":1}}},{}]' });
    const document = (await (await fetch(`${of('source')}/document`)).json()) as object;
    const waiting = await clients.open({ host: party.host, party: 'restoring', room: 'target' });
    expect((await put(`${of('target')}/document`, document)).status).toBe(204);
    await untilEqual(
      [storeOf([{ t: { r: { c: 1 } } }, {}]), waiting.store],
      `${of('target')}/store`,
    );
    for (const wrong of [
      null,
      [],
      {},
      { ...document, formatVersion: 2 },
      { ...document, version: 0 },
      { ...document, content: undefined },
      { ...document, content: [{ t: { r: 1 } }, {}] },
    ]) {
      expect((await put(`${of('target')}/document`, wrong)).status).toBe(400);
    }
    expect(waiting.store.getContent()).toEqual([{ t: { r: { c: 1 } } }, {}]);
  },
);
