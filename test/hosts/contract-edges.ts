import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { untilEqual } from '../support/content.ts';
import { Deferred } from '../support/deferred.ts';
import { Ear } from '../support/ear.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';
import type { TestedHost } from './contract-durability.ts';

/** Every host evicts a room once nothing has happened in it for 10 s. */
const IDLE_MILLISECONDS = 11_500;
const STATES = ['ada', 7, true, false, 0, '', null, ['ada', [7]], { name: 'Ada', peer: 1 }];

const textOf = async (url: string): Promise<string> => (await fetch(url)).text();
const jsonOf = async (url: string): Promise<unknown> => (await fetch(url)).json();
const sorted = (states: readonly unknown[]): string[] =>
  states.map((state) => JSON.stringify(state)).sort();

/** The contract of a room at its edges: states, errors, closing, origins, storage, alarms. */
export const testEdges = ({ name, clients, getHost }: TestedHost): void => {
  const base = (party: string, room: string): string =>
    `${getHost().origin}/parties/${party}/${room}`;

  test('[CONNECTION-1] a state of any type is the app’s alone, and survives sleep', async () => {
    const here = { host: getHost().host, party: 'stateful', room: 'states' };
    const url = base('stateful', 'states');
    const writer = await clients.open({ ...here, seed: [{}, { v: 0 }] });
    const heard: string[][] = [];
    for (const state of STATES) {
      const frames: string[] = [];
      heard.push(frames);
      const client = clients.create({ ...here, query: { state: JSON.stringify(state) } });
      client.socket.addEventListener('message', (event) => frames.push(String(event.data)));
      await client.persister.startAutoPersisting();
      await until('to be live', () => client.persister.getSync().phase === 'live');
    }
    const silent = new WebSocket(`${url.replace('http', 'ws')}?_pk=silent&state=%22silent%22`);
    await once(silent, 'open');
    const shown = async (): Promise<{ states: unknown[]; keys: string[] }> =>
      (await jsonOf(`${url}/states`)) as { states: unknown[]; keys: string[] };
    // In any order: the host decides.
    const expected = sorted([null, 'silent', ...STATES]);
    const { states, keys } = await shown();
    expect(sorted(states)).toEqual(expected);
    expect(new Set(keys).size, 'all have the keys of one that said nothing').toBe(1);
    for (const frames of heard) frames.length = 0;
    await wait(IDLE_MILLISECONDS);
    writer.store.setValue('v', 1);
    await writer.confirmed();
    await until('all to hear the commit', () =>
      heard.every((frames) => frames.some((frame) => frame.startsWith('c'))),
    );
    expect(heard.flat().filter((frame) => /^[we]/.test(frame))).toEqual([]);
    expect(sorted((await shown()).states)).toEqual(expected);
    silent.terminate();
  });

  test('[CONNECTION-1] a state that is set after hello leaves what the room attached', async () => {
    const here = { host: getHost().host, party: 'stateful', room: 'later' };
    const frames: string[] = [];
    const client = clients.create(here);
    client.socket.addEventListener('message', (event) => frames.push(String(event.data)));
    await client.persister.startAutoPersisting([{}, { v: 0 }]);
    await client.confirmed();
    client.socket.send('set "set later"');
    client.socket.send('show');
    await until('the answer', () => frames.includes('= "set later"'));
    await wait(IDLE_MILLISECONDS);
    frames.length = 0;
    client.store.setValue('v', 1);
    client.socket.send('show');
    await client.confirmed();
    await until('the answer', () => frames.includes('= "set later"'));
    expect(frames.filter((frame) => /^[we]/.test(frame))).toEqual([]);
  });

  test('closing is completed for whoever has spoken, also within its own message', async () => {
    const url = base('stateful', 'closing');
    const open = async (): Promise<WebSocket> => {
      const socket = new WebSocket(url.replace('http', 'ws'));
      await once(socket, 'open');
      return socket;
    };
    const start = performance.now();
    const asking = await open();
    asking.send('close me');
    expect((await once(asking, 'close'))[0]).toBe(4001);
    const leaving = await open();
    leaving.close(4002);
    await once(leaving, 'close');
    const kicked = new WebSocket(`${getHost().room('closing').replace('http', 'ws')}?_pk=kicked`);
    await once(kicked, 'open');
    kicked.send('something');
    await textOf(getHost().room('closing', '/life'));
    const closed = once(kicked, 'close');
    await textOf(getHost().room('closing', '/kick?id=kicked'));
    expect((await closed)[0]).toBe(4000);
    expect(performance.now() - start).toBeLessThan(3000);
    // The runtime ends the connection of a silent client later. The client is told at once.
    const silent = await RawPeer.open(getHost().port, '/parties/main/closing?_pk=silent');
    await textOf(getHost().room('closing', '/kick?id=silent'));
    await until('the close', () => silent.closeCode === 4000);
    silent.destroy();
  });

  test('[HTTP-6] what a handler throws is told to the app, and to no client', async () => {
    const url = base('failing', 'secretive');
    const ask = async (where: string): Promise<[number, string]> => {
      const answer = await fetch(`${url}/store?fail=${where}`);
      return [answer.status, await answer.text()];
    };
    const failed = '{"code":"unavailable","message":"The room failed to answer: try again later."}';
    expect(await ask('request')).toEqual([503, failed]);
    const connect = async (where: string): Promise<string> => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}?fail=${where}`);
      const told: string[] = [];
      socket.on('message', (data: Buffer) => told.push(data.toString()));
      socket.on('error', (error) => told.push(String(error)));
      socket.on('unexpected-response', (_request, response) => {
        response.on('data', (data: Buffer) => told.push(data.toString()));
        response.on('end', () => socket.emit('close', response.statusCode));
      });
      const [code, reason] = (await once(socket, 'close')) as [number, Buffer | undefined];
      return [code, ...told, reason?.toString()].join(' ');
    };
    for (const where of ['tags', 'connect']) {
      const told = await connect(where);
      expect(told).not.toContain('secret');
      expect(told).toMatch(/1011|503/);
    }
    const reports = Array.from({ length: 3 }, () => 'handler: Error: a secret');
    expect(await jsonOf(`${url}/reported`)).toEqual(reports);
    const sender = new Ear(url.replace('http', 'ws'));
    await until('a socket to open', () => sender.isOpen);
    sender.socket.send('fail');
    await until('the error to be reported', async () => {
      const reported = await jsonOf(`${url}/reported`);
      return JSON.stringify(reported) === JSON.stringify(reports.slice(0, 1));
    });
    expect([sender.isOpen, sender.heard]).toEqual([true, []]);
    sender.socket.close();
    // PartyKit itself asks the static methods, and tells the client what they throw.
    if (name === 'partykit') return;
    expect(await ask('gate')).toEqual([401, 'Unauthorized']);
    expect(await connect('gate')).toContain('401');
    expect(await jsonOf(`${url}/reported`)).toEqual(reports.slice(0, 2));
  });

  test('[HTTP-5] an origin that is allowed may use credentials, and no other may', async () => {
    const url = `${base('credentials', 'room')}/store`;
    const origin = 'https://app.example';
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'PUT',
        'Access-Control-Request-Headers': 'x-tab, content-type',
      },
    });
    const answer = await fetch(url, { headers: { Origin: origin } });
    for (const { headers } of [preflight, answer]) {
      expect(headers.get('Access-Control-Allow-Origin')).toBe(origin);
      expect(headers.get('Access-Control-Allow-Credentials')).toBe('true');
      expect(headers.get('Access-Control-Allow-Methods')).toContain('PUT');
      expect(headers.get('Vary')).toContain('Origin');
      expect([...headers.values()]).not.toContain('*');
    }
    expect(preflight.headers.get('Access-Control-Allow-Headers')).toBe('x-tab, content-type');
    expect(answer.headers.get('Access-Control-Expose-Headers')).toMatch(/\bETag\b/);
    for (const other of ['https://evil.example', 'https://app.example.evil', 'null']) {
      const { headers } = await fetch(url, { headers: { Origin: other } });
      expect(headers.get('Access-Control-Allow-Origin')).toBeNull();
      expect(headers.get('Access-Control-Allow-Credentials')).toBeNull();
      expect(headers.get('Vary')).toContain('Origin');
    }
  });

  test.skipIf(name === 'partykit')('the first subprotocol of a client is chosen', async () => {
    const url = getHost().room('subprotocols').replace('http', 'ws');
    const socket = new WebSocket(url, ['first', 'second']);
    await once(socket, 'open');
    expect(socket.protocol).toBe('first');
    socket.close();
    await once(socket, 'close');
  });

  test('a connection id that is too long is refused, and says so', async () => {
    const url = getHost().room('ids').replace('http', 'ws');
    const told = async (id: string): Promise<unknown[]> => {
      const socket = new WebSocket(`${url}?_pk=${id}`);
      const frames: string[] = [];
      socket.on('message', (data: Buffer) => frames.push(data.toString()));
      await once(socket, 'open');
      setTimeout(() => socket.close(), 300);
      const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
      return [code, reason.toString(), ...frames];
    };
    expect(await told('a'.repeat(256))).toEqual([1005, '']);
    // PartyKit itself closes the socket, before it asks the room.
    const refused =
      name === 'partykit'
        ? [1011, expect.stringContaining('256 characters')]
        : [4400, 'malformed', expect.stringMatching(/^e.*more than 256 bytes/)];
    expect(await told('a'.repeat(257))).toEqual(refused);
  });

  test('an empty room is no room', async () => {
    const url = `${getHost().origin}/parties/main//store`;
    await fetch(url, { method: 'PUT', body: '[{},{"v":1}]' });
    expect(await textOf(getHost().room('store', '/store'))).toBe('');
  });

  test('a room sees that the app empties its storage, and that it sets an alarm', async () => {
    const url = base('watching', 'seen');
    const seen = (): Promise<unknown> => jsonOf(`${url}/seen`);
    const emptied = ['before deleteAll', 'after deleteAll'];
    await textOf(`${url}/delete-all`);
    expect(await seen()).toEqual(emptied);
    await textOf(`${url}/delete-all-in-transaction`);
    // A current runtime throws there.
    expect(await seen()).toEqual(name === 'partykit' ? emptied : emptied.slice(0, 1));
    if (name !== 'partykit') {
      await textOf(`${url}/context-delete-all`);
      expect(await seen()).toEqual(emptied);
    }
    await textOf(`${url}/alarm?in=100&task=expire`);
    expect(await seen()).toEqual(['setAlarm']);
    const log: unknown[] = [];
    await until('the alarm', async () => {
      log.push(...((await seen()) as unknown[]));
      return log.length === 2;
    });
    expect(log).toEqual(emptied);
  });

  test.each(['object', 'storage', ...(name === 'partykit' ? [] : ['kv'])])(
    '[LIFE-7] a room sees that the app deletes its keys in a transaction, by the %s, and is not emptied if that is rolled back, or puts them back',
    async (by) => {
      const url = base('watching', `transaction-${by}`);
      const deleting = `${url}/delete-in-transaction?by=${by}`;
      await fetch(`${url}/store`, { method: 'PUT', body: '[{},{"v":1}]' });
      expect(await jsonOf(`${deleting}&rollback`)).toEqual([{}, { v: 1 }]);
      expect(await jsonOf(`${deleting}&back`)).toEqual([{}, { v: 1 }]);
      expect(await jsonOf(`${url}/store`)).toEqual([{}, { v: 1 }]);
      expect(await jsonOf(deleting)).toEqual([{}, {}]);
      expect(await textOf(`${url}/store`)).toBe('');
    },
  );

  test('[LIFE-7] a room is emptied by a deleteAll in a transaction if that ends well, and not if it fails', async () => {
    const url = base('watching', 'transaction-all');
    await fetch(`${url}/store`, { method: 'PUT', body: '[{},{"v":1}]' });
    const content = [{}, { v: 1 }];
    expect(await jsonOf(`${url}/delete-all-in-transaction?fails`)).toEqual(content);
    expect(await jsonOf(`${url}/store`)).toEqual(content);
    // A current runtime throws there.
    const left = name === 'partykit' ? [{}, {}] : content;
    expect(await jsonOf(`${url}/delete-all-in-transaction`)).toEqual(left);
  });

  test('[DURABLE-6] what the room stores while a transaction of the app is open stays if that is rolled back', async () => {
    const url = base('watching', 'rollback');
    await fetch(`${url}/store`, { method: 'PUT', body: '[{},{"v":1}]' });
    const expected: Record<string, unknown> = { v: 1 };
    for (const how of ['rolledBack', 'kept', 'fails', 'afterwards']) {
      await textOf(`${url}/write-in-transaction?${how}`);
      expected[how] = true;
    }
    await getHost().restart();
    expect(await jsonOf(`${url}/store`)).toEqual([{}, expected]);
  });

  test('[DURABLE-6] a transaction of the app that waits for its own end is told so', async () => {
    const url = base('watching', 'waiting');
    const reason = expect.stringContaining('call it after the transaction') as unknown;
    expect(await jsonOf(`${url}/wait-in-transaction`)).toEqual(Array(5).fill(reason));
    expect(await jsonOf(`${url}/store`)).toEqual([{}, { v: 2 }]);
  });

  test('[DURABLE-6] nobody hears what a crash may still undo, because a transaction of the app is open', async () => {
    const url = base('watching', 'open');
    await fetch(`${url}/store`, { method: 'PUT', body: '[{},{"v":1}]' });
    const ear = new Ear(`${url.replace('http', 'ws')}?room=open`);
    await until('to be open', () => ear.isOpen);
    const asked = new Deferred<ServerResponse>();
    const slow = createServer((_request, response) => asked.resolve(response));
    slow.listen(0, '127.0.0.1');
    await once(slow, 'listening');
    try {
      const { port } = slow.address() as AddressInfo;
      const ended = textOf(`${url}/fetch-in-transaction?url=http://127.0.0.1:${port}`);
      const response = await asked.promise;
      await wait(200);
      expect(ear.heard).toEqual([]);
      response.end();
      await ended;
      await until('to hear it', () => ear.heard.includes('s[{},{"v":2},1]'));
    } finally {
      ear.socket.terminate();
      slow.close();
    }
  });

  if (name !== 'partykit')
    test('[LIFE-7] a room sees that the app deletes its keys by the storage of SQLite, or in a synchronous transaction', async () => {
      const url = base('watching', 'kv');
      const give = (): Promise<unknown> =>
        fetch(`${url}/store`, { method: 'PUT', body: '[{},{"v":1}]' });
      await give();
      for (const how of ['', '&byStorage']) {
        const rolledBack = await jsonOf(`${url}/delete-by-kv?transaction&rollback${how}`);
        expect(rolledBack).toEqual([{}, { v: 1 }]);
        expect(await jsonOf(`${url}/store`)).toEqual([{}, { v: 1 }]);
      }
      for (const how of ['', '?transaction', '?transaction&byStorage']) {
        expect(await jsonOf(`${url}/delete-by-kv${how}`)).toEqual([{}, {}]);
        expect(await textOf(`${url}/store`)).toBe('');
        await give();
        expect(await jsonOf(`${url}/store`)).toEqual([{}, { v: 1 }]);
      }
    });

  if (name !== 'partykit')
    test('[DURABLE-6] what the room stores while a synchronous transaction is open stays if that is rolled back', async () => {
      const url = base('watching', 'sync');
      await textOf(`${url}/alarm-in-sync-transaction`);
      expect(await jsonOf(`${url}/keys`)).toContain('@tinybase-partykit/room-id');
    });

  test('[LIFE-6] a room knows its id in an alarm that wakes it, and after that', async () => {
    // Where this Node encodes it, and `partykit dev` does not, it is another room.
    const isOther = name === 'partykit' && new URL('http://host/^').pathname !== '/^';
    const id = `the sleeper${isOther ? '' : '^'}`;
    const url = base('watching', id.replace(' ', '%20'));
    expect(await jsonOf(`${url}/keys`)).not.toContain('@tinybase-partykit/room-id');
    // PartyKit loses alarms when it restarts: there, the room is evicted.
    const isEvicted = name === 'partykit';
    await textOf(`${url}/alarm?in=${isEvicted ? IDLE_MILLISECONDS + 1_500 : 3_000}`);
    expect(await jsonOf(`${url}/keys`)).toContain('@tinybase-partykit/room-id');
    if (!isEvicted) await getHost().restart();
    // No request may wake the room before the alarm does.
    await wait(isEvicted ? IDLE_MILLISECONDS + 3_000 : 5_000);
    await until('the alarm', async () => (await textOf(`${url}/alarm-of`)).startsWith('["'));
    expect(await jsonOf(`${url}/alarm-of`)).toEqual([id, id]);
    // The static methods of its class know it, too.
    const ear = new Ear(`${url.replace('http', 'ws')}?room=${encodeURIComponent(id)}`);
    await until('an answer', () => ear.isOpen || ear.closeCode !== undefined);
    expect(ear.isOpen).toBe(true);
    ear.socket.terminate();
  });

  test('[LIFE-9] a room whose storage is damaged is exported as far as possible, and restored', async () => {
    const url = base('restoring', 'damaged');
    await fetch(`${url}/store`, { method: 'PUT', body: '[{"t":{"r":{"c":1}}},{}]' });
    const client = await clients.open({
      host: getHost().host,
      party: 'restoring',
      room: 'damaged',
    });
    client.store.setValue('edited', 1);
    await client.confirmed();
    await clients.closeAll();
    expect(await jsonOf(`${url}/damage`)).toHaveLength(1);
    await getHost().restart();
    expect((await fetch(`${url}/store`)).status).toBe(503);
    const document = (await jsonOf(`${url}/document`)) as Record<string, unknown>;
    expect(document).toMatchObject({
      content: [{}, { edited: 1 }],
      incomplete: [expect.stringContaining('is missing')],
    });
    const put = await fetch(`${url}/document`, { method: 'PUT', body: JSON.stringify(document) });
    expect([put.status, await put.text()]).toEqual([204, '']);
    expect(await jsonOf(`${url}/store`)).toEqual([{}, { edited: 1 }]);
    await getHost().restart();
    expect(await jsonOf(`${url}/store`)).toEqual([{}, { edited: 1 }]);
  });

  test('the content of a room that ends with a space is that of its socket', async () => {
    const here = { host: getHost().host, room: 'team ' };
    const one = await clients.open({ ...here, seed: [{}, { team: 'with a space' }] });
    const two = await clients.open(here);
    two.store.setValue('v', 1);
    await two.confirmed();
    await untilEqual([one.store, two.store], getHost().room('team%20', '/store'));
    expect(await textOf(getHost().room('team', '/store'))).toBe('');
  });
};
