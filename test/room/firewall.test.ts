import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { decodeClientMessage } from '../../src/protocol/codec.ts';
import { splitFrame } from '../../src/protocol/frame.ts';
import { Clients } from '../support/clients.ts';
import { untilEqual } from '../support/content.ts';
import { startFrameProxy, type FrameProxy } from '../support/frame-proxy.ts';
import { promise, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';
import { until } from '../support/until.ts';

let party: Party;
let proxy: FrameProxy;
const clients = new Clients();

beforeAll(async () => {
  party = await startTestedParty();
  proxy = await startFrameProxy(party.host);
});
afterEach(() => clients.closeAll());
afterAll(async () => {
  await proxy?.close();
  await party?.stop();
});

/** True for a frame with which the room has the whole of a push. */
const isWhole = (frame: string): boolean => {
  const [first = ''] = splitFrame(frame);
  const message = decodeClientMessage('', first);
  if (message?.type !== 'part') return message?.type === 'push';
  return message.offset + message.text.length === message.length;
};

promise(
  '[PART-6] an edit at which a firewall cuts each connection becomes local-only; the edits before and after it arrive',
  /in vain/,
  async () => {
    proxy.judge = (frame) => (/select \* from/i.test(frame) ? 'cut' : 'pass');
    const room = 'firewall';
    const other = await clients.open({ host: party.host, room, seed: [{}, {}] });
    const client = await clients.open({ host: proxy.host, room });
    client.store.setValue('before', 1);
    client.store.setValue('query', 'SELECT * FROM pets');
    client.store.setValue('after', 1);
    await until('the edit to be given up', () => client.refusals.length > 0, {
      deadlineMilliseconds: 50_000,
    });
    expect(client.refusals).toEqual([
      { type: 'value', valueId: 'query', value: 'SELECT * FROM pets', reason: 'undelivered' },
    ]);
    await client.confirmed();
    expect(other.store.getValues()).toEqual({ before: 1, after: 1 });
    expect(client.store.getValues()).toEqual({ before: 1, query: 'SELECT * FROM pets', after: 1 });
    expect(client.persister.getSync()).toMatchObject({ phase: 'live', unsaved: 0, localOnly: 1 });
    client.store.setValue('query', 'pets');
    await client.confirmed();
    await untilEqual([client.store, other.store], party.room(room, '/store'));
  },
  60_000,
);

promise(
  '[PART-6] an edit that a firewall takes for another one in parts alone arrives so',
  /in vain/,
  async () => {
    proxy.judge = (frame) => (frame.includes('{"query"') ? 'cut' : 'pass');
    const room = 'quotes';
    const other = await clients.open({ host: party.host, room, seed: [{}, {}] });
    const client = await clients.open({ host: proxy.host, room });
    client.store.setValue('query', 1);
    await until('the edit to arrive', () => other.store.getValue('query') === 1, {
      deadlineMilliseconds: 50_000,
    });
    expect(client.refusals).toEqual([]);
  },
  60_000,
);

promise(
  '[PART-6] an edit arrives in smaller parts if something between cuts the connection at large frames, and does not say why',
  /in vain/,
  async () => {
    proxy.judge = (frame) => (frame.length > 5000 ? 'cut' : 'pass');
    const room = 'large';
    const other = await clients.open({ host: party.host, room, seed: [{}, {}] });
    const client = await clients.open({ host: proxy.host, room });
    client.store.setValue('text', 'pets '.repeat(20_000));
    await until('the edit to arrive', () => other.store.hasValue('text'), {
      deadlineMilliseconds: 50_000,
    });
    expect(client.refusals).toEqual([]);
  },
  60_000,
);

promise(
  '[PART-7] an edit at which each connection ends once the room should have all of it becomes local-only; what is behind it arrives',
  /in vain/,
  async () => {
    let ends = 0;
    proxy.judge = (frame) => {
      if (!isWhole(frame) || ends === 12) return 'pass';
      ends += 1;
      return 'cut';
    };
    const room = 'dies';
    const other = await clients.open({ host: party.host, room, seed: [{}, {}] });
    const client = await clients.open({ host: proxy.host, room });
    client.store.setValue('poison', 1);
    client.store.setValue('after', 1);
    await until('the edit to be given up', () => client.refusals.length > 0, {
      deadlineMilliseconds: 55_000,
    });
    expect(client.refusals).toEqual([
      { type: 'value', valueId: 'poison', value: 1, reason: 'undelivered' },
    ]);
    await client.confirmed();
    expect(ends).toBe(12);
    await until('the edit behind it', () => other.store.getValue('after') === 1);
    expect(other.store.getValues()).toEqual({ after: 1 });
  },
  60_000,
);
