import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { PartySocket } from 'partysocket';
import { createStore, type Content } from 'tinybase';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createPartyKitPersister } from '../../src/client/index.ts';
import { createClient } from '../../src/client/room/index.ts';
import type { Client } from '../support/clients.ts';
import { storeOf, untilEqual } from '../support/content.ts';
import { Ear } from '../support/ear.ts';
import { ISSUER, ProviderKeys } from '../support/provider-keys.ts';
import { makeToken, type TokenParts } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { IDLE_MILLISECONDS, type TestedHost } from './contract-durability.ts';

const METHODS = ['GET', 'HEAD', 'PUT', 'POST'] as const;

interface TokenOptions extends TokenParts {
  readonly party?: string;
  readonly name?: string;
}

/** Time enough for a client that does not stop to show that, as it tries again after 30 to 300 ms. */
const SOME_MILLISECONDS = 1_000;

/** A token for a room of the party `authorized`, good unless the options say otherwise. */
const tokenFor = (
  room: string,
  { party = 'authorized', name = 'Ada', ...parts }: TokenOptions = {},
): string => {
  const id = name.toLowerCase();
  const claims = { aud: party, room, sub: id, user: { id, name }, ...parts.claims };
  return makeToken({ ...parts, claims });
};
const secondsFromNow = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;
const ofLength = (length: number): Record<string, unknown> => ({
  user: { id: 'ada', name: 'Ada', more: 'x'.repeat(length) },
});

/** The time in which attempts are counted. PartySocket makes its second one after 3 s. */
const STORM_MILLISECONDS = 2_900;

/** Counts the sockets of one client: each is an attempt. */
class Attempts {
  made = 0;
  readonly WebSocket: new (url: string | URL, protocols?: string | string[]) => WebSocket;

  constructor() {
    const count = (): void => {
      this.made += 1;
    };
    this.WebSocket = class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        count();
      }
    };
  }
}

/** The contract of authorization: every way into a room, and the rights behind it. */
export const testAuth = ({ name: hostName, clients, getHost }: TestedHost): void => {
  const urlOf = (party: string, room: string, path: string = ''): string =>
    `${getHost().origin}/parties/${party}/${room}${path}`;
  const listen = (
    room: string,
    token: string,
    {
      party = 'authorized',
      headers = {},
    }: { party?: string; headers?: Record<string, string> } = {},
  ): Ear => new Ear(`${urlOf(party, room).replace('http', 'ws')}?token=${token}`, { headers });
  /** A socket that is open, and in. */
  const enter = async (room: string, options: TokenOptions = {}): Promise<Ear> => {
    const ear = listen(room, tokenFor(room, options));
    ear.socket.on('open', () => ear.socket.send('who am I?'));
    await until('somebody to be in', () => ear.heard.length > 0 || ear.closeCode !== undefined);
    expect(ear.heard[0]).toMatch(/^\w+, (write|read)$/);
    ear.heard.length = 0;
    return ear;
  };
  const ask = async (room: string, path: string, party = 'authorized'): Promise<unknown> =>
    (await fetch(urlOf(party, room, path))).json();
  const open = (room: string, name: string, seed?: Content): Promise<Client> =>
    clients.open({
      host: getHost().host,
      party: 'authorized',
      room,
      query: async () => Promise.resolve({ token: tokenFor(room, { name }) }),
      ...(seed !== undefined && { seed }),
    });
  /** Returns the code that refuses a socket, or `in`, and then the statuses over HTTP. */
  const knock = async (
    room: string,
    token: string,
    {
      party = 'authorized',
      headers = {},
    }: { party?: string; headers?: Record<string, string> } = {},
  ): Promise<unknown[]> => {
    const ear = listen(room, token, { party, headers });
    const statuses: number[] = [];
    for (const method of METHODS) {
      const { status } = await fetch(`${urlOf(party, room, '/store')}?token=${token}`, {
        method,
        headers: { ...headers },
        ...(method.startsWith('P') && { body: '[{},{}]' }),
      });
      statuses.push(status);
    }
    await until('an answer', () => ear.heard.length > 0 || ear.isOpen);
    await until('the room to have decided', async () => {
      if (ear.isOpen) ear.socket.send('who am I?');
      await wait(10);
      return ear.heard.length > 0;
    });
    const [first = ''] = ear.heard;
    ear.socket.terminate();
    const { code } = first.startsWith('e')
      ? (JSON.parse(first.slice(1)) as { code: string })
      : { code: 'in' };
    return [code, ...statuses];
  };

  /** Returns how many attempts each kind of client makes that is refused. */
  const attemptsOf = async (
    token: () => string,
    party = 'authorized',
  ): Promise<{ bare: number; persistent: number; layered: number }> => {
    const here = { host: getHost().host, party };
    const [bare, persistent, layered] = [new Attempts(), new Attempts(), new Attempts()];
    const socketOf = ({ WebSocket: Counted }: Attempts): PartySocket =>
      new PartySocket({
        ...here,
        room: 'attempts',
        query: async () => Promise.resolve({ token: token() }),
        WebSocket: Counted,
      });
    const sockets = [socketOf(bare), socketOf(persistent)] as const;
    const persister = createPartyKitPersister(createStore(), sockets[1]);
    void persister.startAutoPersisting();
    const client = createClient({
      ...here,
      createStore,
      WebSocket: layered.WebSocket,
      token: async () => Promise.resolve(token()),
      onIgnoredError: () => undefined,
    });
    const entered = client.enter('attempts').then(
      () => 'in',
      () => 'out',
    );
    await wait(STORM_MILLISECONDS);
    const made = { bare: bare.made, persistent: persistent.made, layered: layered.made };
    await Promise.all([client.leave('attempts'), persister.destroy()]);
    for (const socket of sockets) socket.close();
    expect(await entered).toBe('out');
    return made;
  };

  describe('authorization', () => {
    test.each<readonly [string, string, string, number]>([
      ['none', '', 'unauthorized', 401],
      ['garbage', 'garbage', 'unauthorized', 401],
      ['another secret', tokenFor('gate', { secret: 'x'.repeat(40) }), 'unauthorized', 401],
      [
        'alg none',
        tokenFor('gate', { header: { alg: 'none' }, signature: '' }),
        'unauthorized',
        401,
      ],
      ['another typ', tokenFor('gate', { header: { typ: 'room-admin+jwt' } }), 'unauthorized', 401],
      ['no exp', tokenFor('gate', { claims: { exp: undefined } }), 'unauthorized', 401],
      ['nbf to come', tokenFor('gate', { claims: { nbf: 9_999_999_999 } }), 'unauthorized', 401],
      ['exp in the past', tokenFor('gate', { claims: { exp: 1 } }), 'expired', 401],
      ['another room', tokenFor('other'), 'forbidden', 403],
      ['__proto__ as room', tokenFor('__proto__'), 'forbidden', 403],
      ['another party', tokenFor('gate', { party: 'main' }), 'forbidden', 403],
      ['no name', tokenFor('gate', { claims: { user: { id: 'x' } } }), 'unauthorized', 401],
      ['no access', tokenFor('gate', { name: 'Nobody' }), 'forbidden', 403],
    ])(
      '[GATE-2] [GATE-3] [GATE-4] a token with %s: nobody comes in',
      async (_what, token, ...refusal) => {
        const [code, status] = refusal;
        expect(await knock('gate', token)).toEqual([code, ...METHODS.map(() => status)]);
      },
    );

    test('[GATE-2] a good token opens every way in, in the query or in a header', async () => {
      const token = tokenFor('good');
      expect(await knock('good', token)).toEqual(['in', 200, 200, 201, 405]);
      const url = urlOf('authorized', 'good', '/store');
      const bearer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
      expect(await bearer.json()).toEqual([{}, {}]);
      expect((await fetch(url, { method: 'OPTIONS' })).status).toBe(204);
      const [own, stranger] = [`?token=${token}`, ''].map((query) =>
        urlOf('authorized', 'good', `/own${query}`),
      );
      expect(await (await fetch(own ?? '')).text()).toBe('Ada');
      expect((await fetch(stranger ?? '')).status).toBe(401);
    });

    test('[GATE-1] nothing but the token counts: headers that name a room or a user change nothing', async () => {
      const headers = {
        'x-partykit-room': 'other',
        'x-partykit-namespace': 'authorized',
        'x-user': '{"id":"ada","name":"Ada"}',
        Cookie: `token=${tokenFor('spoofed')}`,
      };
      const [code, ...statuses] = await knock('spoofed', tokenFor('other'), { headers });
      expect([code, ...statuses]).toEqual(['forbidden', 403, 403, 403, 403]);
    });

    test('[GATE-3] a token of 6 KB is good, and one of over 8 KB is not', async () => {
      // Without its guard, PartyKit keeps the token with the URL, and has no room for it.
      const party = 'edge';
      const large = tokenFor('large', { party, claims: ofLength(4300) });
      expect(large.length).toBeGreaterThan(6000);
      expect(await knock('large', large, { party })).toEqual(['in', 200, 200, 201, 405]);
      const tooLarge = tokenFor('large', { party, claims: ofLength(6200) });
      expect(tooLarge.length).toBeGreaterThan(8192);
      expect((await knock('large', tooLarge, { party }))[0]).toBe('unauthorized');
    });

    test('[GATE-3] without a secret nobody comes in', async () => {
      const party = 'secretless';
      const token = tokenFor('room', { party, secret: 'undefined' });
      expect(await knock('room', token, { party })).toEqual(['failed', 500, 500, 500, 500]);
    });

    test('[GATE-4] a refusal over HTTP says why, and a refused socket is closed with its code at once', async () => {
      const answer = await fetch(urlOf('authorized', 'refused', '/store'));
      expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer');
      expect(await answer.json()).toMatchObject({ code: 'unauthorized' });
      for (const party of ['authorized', 'edge']) {
        const ear = listen('refused', 'x', { party });
        await until('the refusal', () => ear.heard.length > 0);
        expect(ear.heard).toEqual([expect.stringMatching(/^e\{"code":"unauthorized",/)]);
        // Where the host makes the socket first, only its guard can close it at once.
        if (hostName === 'partykit' && party === 'authorized') ear.socket.terminate();
        else {
          // Where nothing closes it at once, Node waits for 10 s.
          await until('the close', () => ear.closeCode, { deadlineMilliseconds: 3_000 });
          expect(ear.closeCode).toBe(4401);
        }
      }
      expect(await ask('refused', '/met')).toEqual([]);
    });

    test('[GATE-1] [GATE-5] who is being verified hears nothing, and nobody hears of them', async () => {
      const room = 'slow';
      const ada = await enter(room);
      const slow = listen(room, tokenFor(room, { name: 'Slow' }));
      const query = `?token=${tokenFor(room)}`;
      const put = { method: 'PUT', body: '[{},{"v":1}]' };
      expect((await fetch(urlOf('authorized', room, `/store${query}`), put)).status).toBe(201);
      expect(await ask(room, '/call')).toBe(1);
      await until('the others to have heard', () => ada.heard.includes('called'));
      expect(slow.heard).toEqual([]);
      expect(String(await ask(room, '/met'))).not.toContain('Slow');
      await until('a decision', async () => (await ask(room, '/decide?id=slow')) === true);
      await until('the decision to have come', async () => (await ask(room, '/call')) === 2);
      await until('all to have heard', () => slow.heard.includes('called'));
      expect(String(await ask(room, '/met'))).toContain('Slow');
      for (const { socket } of [ada, slow]) socket.terminate();
    });

    test('the guard takes the token out of the URL, and the room lets in all the same', async () => {
      const ear = listen('moved', tokenFor('moved', { party: 'edge' }), { party: 'edge' });
      await until('the socket to be open', () => ear.isOpen);
      await until('somebody to have come', async () =>
        String(await ask('moved', '/met', 'edge')).includes('Ada'),
      );
      expect(await ask('moved', '/met', 'edge')).toEqual(['Ada with ']);
      ear.socket.close();
      await until('the end', async () =>
        String(await ask('moved', '/met', 'edge')).includes('Ada left'),
      );
    });

    test('[GATE-6] [GATE-7] [GATE-8] the room knows its users, also after a sleep, whatever state the app sets', async () => {
      const room = 'asleep';
      const query = `?token=${tokenFor(room)}`;
      await fetch(urlOf('authorized', room, `/store${query}`), { method: 'PUT', body: '[{},{}]' });
      const ada = await enter(room);
      const reader = await enter(room, { name: 'Reader' });
      // It ends while the room sleeps: not within the last 10 s, which have a timer.
      const exp = secondsFromNow(14);
      const brief = await enter(room, { name: 'Brief', claims: { exp } });
      ada.socket.send('s[{},{"v":1},1]');
      await until('the edit', () => [reader, brief].every(({ heard }) => heard.length > 0));
      for (const ear of [ada, reader, brief]) ear.heard.length = 0;
      await wait(Math.max(IDLE_MILLISECONDS, exp * 1000 - Date.now() + 1));
      expect(brief.heard).toEqual([]);
      reader.socket.send('s[{},{"v":2},1]');
      ada.socket.send('s[{"t":{"r":{"onlyAda":1}}},{},1]');
      await until('the edit', () => reader.heard.some((frame) => frame.includes('onlyAda')));
      // Two sockets: no order between them.
      await until('the correction', () => reader.heard.includes('s[{},{"v":1},1]'));
      // Nobody told the one whose token ended meanwhile of anything.
      await until('the end', () => brief.heard.length > 0);
      expect(brief.heard).toEqual([expect.stringMatching(/^e\{"code":"expired",/)]);
      for (const ear of [ada, reader]) ear.socket.send('who am I?');
      await until(
        'the names',
        () => ada.heard.at(-1) === 'Ada, write' && reader.heard.at(-1) === 'Reader, read',
      );
      for (const { socket } of [ada, reader, brief]) socket.terminate();
    });

    test('[GATE-7] a token that ends takes its connection along, and a new one brings the client back', async () => {
      const room = 'brief';
      let asked = 0;
      const client = await clients.open({
        host: getHost().host,
        party: 'authorized',
        room,
        seed: [{}, { v: 0 }],
        query: async () => {
          asked += 1;
          const exp = secondsFromNow(asked < 3 ? 3 : 3600);
          return Promise.resolve({ token: tokenFor(room, { claims: { exp } }) });
        },
      });
      const ear = await enter(room, { claims: { exp: secondsFromNow(3) } });
      await until('an end', () => ear.heard.some((frame) => frame.includes('"expired"')));
      client.store.setValue('after', true);
      await client.confirmed();
      await untilEqual(
        [client.store, storeOf([{}, { v: 0, after: true }])],
        `${urlOf('authorized', room, '/store')}?token=${tokenFor(room)}`,
      );
      expect(ear.heard.filter((frame) => !frame.startsWith('e'))).toEqual([]);
      expect(asked).toBeLessThan(8);
      ear.socket.terminate();
    });

    test('[GATE-4] a refused client stops, and keeps its edits until it is let in', async () => {
      const room = 'login';
      const options = { host: getHost().host, party: 'authorized', room };
      let asked = 0;
      let token = 'none';
      const query = async (): Promise<{ token: string }> => {
        asked += 1;
        return Promise.resolve({ token });
      };
      const client = clients.create({ ...options, query });
      const { store, persister } = client;
      const stopped = (code: string): Promise<unknown> =>
        until('a refusal', () => persister.getSync().code === code);
      await persister.startAutoPersisting([{}, { seed: 1 }]);
      await stopped('unauthorized');
      store.setValue('before', 1);
      await expect(persister.whenConfirmed()).rejects.toMatchObject({ code: 'unauthorized' });
      await wait(SOME_MILLISECONDS);
      expect(asked).toBeLessThan(5);
      // Still none: it stops again.
      await persister.startAutoLoad();
      await stopped('unauthorized');
      token = tokenFor(room);
      await persister.startAutoLoad();
      await client.confirmed();
      await fetch(urlOf('authorized', room, '/revoke?id=ada'));
      await stopped('forbidden');
      asked = 0;
      store.setValue('meanwhile', 1);
      await wait(SOME_MILLISECONDS);
      expect([asked, persister.getSync().phase]).toEqual([0, 'stopped']);
      token = tokenFor(room, { claims: { iat: secondsFromNow(2) } });
      client.socket.reconnect();
      await until('a new start', () => persister.getSync().phase === 'live');
      await client.confirmed();
      const content = storeOf([{}, { seed: 1, before: 1, meanwhile: 1 }]);
      await untilEqual([store, content], `${urlOf('authorized', room, '/store')}?token=${token}`);
      expect(client.refusals).toEqual([]);
    });

    test('[GATE-7] a client whose tokens are always expired stops', async () => {
      let asked = 0;
      const { persister } = clients.create({
        host: getHost().host,
        party: 'authorized',
        room: 'late',
        query: async () => {
          asked += 1;
          return Promise.resolve({ token: tokenFor('late', { claims: { exp: 1 } }) });
        },
      });
      void persister.startAutoPersisting([{}, {}]);
      await until('an end', () => persister.getSync().code === 'unauthorized');
      asked = 0;
      await wait(SOME_MILLISECONDS);
      expect(asked).toBe(0);
    });

    test('[GATE-4] [CLIENT-3] a client that is refused does not storm the room, whatever the reason, nor does a bare PartySocket', async () => {
      const all = await Promise.all([
        attemptsOf(() => 'none'),
        attemptsOf(() => tokenFor('other')),
        attemptsOf(() => tokenFor('attempts', { claims: { exp: 1 } })),
        attemptsOf(() => tokenFor('attempts', { party: 'secretless' }), 'secretless'),
      ]);
      // PartySocket tries again after 3 s. A persister that is refused begins anew once, because it loads and then saves, and
      // asks twice each time for a token that has not expired. A client waits for 0, 1 and 2 s if it does not stop.
      const most = [
        { persistent: 2, layered: 1 },
        { persistent: 2, layered: 1 },
        { persistent: 4, layered: 2 },
        { persistent: 2, layered: 4 },
      ];
      for (const [refusal, { bare, persistent, layered }] of all.entries()) {
        expect(bare).toBe(1);
        expect(persistent, `refusal ${refusal}`).toBeLessThanOrEqual(
          most[refusal]?.persistent ?? 0,
        );
        expect(layered, `refusal ${refusal}`).toBeLessThanOrEqual(most[refusal]?.layered ?? 0);
        expect(Math.min(persistent, layered)).toBeGreaterThan(0);
      }
    });

    test('[GATE-8] who may only read sees everything, and changes nothing', async () => {
      const room = 'reading';
      const ada = await open(room, 'Ada', [{ t: { r: { c: 1 } } }, {}]);
      const reader = await open(room, 'Reader');
      reader.store.transaction(() => {
        reader.store.setCell('t', 'r', 'c', 2);
        reader.store.setValue('v', 2);
      });
      reader.store.delRow('t', 'r');
      reader.store.setValue('large', 'x'.repeat(300_000));
      await reader.confirmed();
      ada.store.setCell('t', 'r', 'onlyAda', 3);
      await ada.confirmed();
      const url = `${urlOf('authorized', room, '/store')}?token=${tokenFor(room)}`;
      const expected = storeOf([{ t: { r: { c: 1, onlyAda: 3 } } }, {}]);
      await untilEqual([expected, ada.store, reader.store], url);
      expect(new Set(reader.refusals.map(({ reason }) => reason))).toEqual(new Set(['access']));
      expect(reader.refusals).toHaveLength(4);
    });

    test('[GATE-8] who may only read cannot give a room its content', async () => {
      const url = `${urlOf('authorized', 'unmade', '/store')}?token=${tokenFor('unmade', { name: 'Reader' })}`;
      const put = await fetch(url, { method: 'PUT', body: '[{},{"v":1}]' });
      expect([put.status, await put.json()]).toEqual([
        403,
        expect.objectContaining({ code: 'forbidden' }),
      ]);
      expect(await (await fetch(url)).text()).toBe('');
    });

    test('hooks know the user of a push and of a PUT', async () => {
      const room = 'hooks';
      const ada = await open(room, 'Ada', [{ t: { r: { onlyAda: 1 } } }, {}]);
      const bob = await open(room, 'Bob');
      bob.store.setCell('t', 'r', 'onlyAda', 2);
      bob.store.setCell('t', 'r', 'c', 2);
      await bob.confirmed();
      const url = `${urlOf('authorized', room, '/store')}?token=${tokenFor(room)}`;
      const expected = storeOf([{ t: { r: { onlyAda: 1, c: 2 } } }, {}]);
      await untilEqual([expected, ada.store, bob.store], url);
      expect(bob.refusals.map(({ reason }) => reason)).toEqual(['hook']);
    });

    test('[GATE-9] who is revoked leaves, and does not come back with the same token, also to a new process', async () => {
      const room = 'revoked';
      const token = tokenFor(room);
      const ada = listen(room, token);
      const bob = await enter(room, { name: 'Bob' });
      await until('Ada to be in', async () => String(await ask(room, '/met')).includes('Ada'));
      await fetch(urlOf('authorized', room, '/revoke?id=ada'));
      await until('the refusal', () => ada.heard.some((frame) => frame.includes('"forbidden"')));
      expect((await knock(room, token))[0]).toBe('forbidden');
      await getHost().kill9();
      await getHost().restart();
      expect(await knock(room, token)).toEqual(['forbidden', 403, 403, 403, 403]);
      expect((await knock(room, tokenFor(room, { claims: { iat: secondsFromNow(1) } })))[0]).toBe(
        'in',
      );
      for (const { socket } of [ada, bob]) socket.terminate();
    });

    test('[GATE-10] pages of other origins are refused, and answers name the one that may', async () => {
      const party = 'origins';
      const token = tokenFor('room', { party });
      const from = (origin: string): Promise<unknown[]> =>
        knock('room', token, { party, headers: { Origin: origin } });
      expect((await from('https://evil.example')).slice(0, 2)).toEqual(['forbidden', 403]);
      const url = `${urlOf(party, 'room', '/store')}?token=${token}`;
      for (const [method, origin, named] of [
        ['GET', 'https://app.example', 'https://app.example'],
        ['GET', 'https://evil.example', 'https://app.example'],
        ['OPTIONS', 'https://app.example', 'https://app.example'],
      ] as const) {
        const { headers } = await fetch(url, { method, headers: { Origin: origin } });
        expect(headers.get('Access-Control-Allow-Origin')).toBe(named);
        expect(headers.get('Vary')).toBe('Origin');
      }
      const page = new WebSocket(url.replace('http', 'ws').replace('/store', ''), {
        headers: { Origin: 'https://app.example' },
      });
      const heard: string[] = [];
      page.on('message', (data: Buffer) => heard.push(data.toString()));
      page.on('open', () => page.send('i[]'));
      await until('an answer', () => heard.length > 0);
      expect(heard[0]).not.toContain('forbidden');
      page.terminate();
    });

    test('[GATE-3] [GATE-11] tokens of a provider: its key is no secret, and keys that cannot be had are no fault of the token', async () => {
      const pairs = [new ProviderKeys('a'), new ProviderKeys('b')];
      let published: unknown;
      const provider = createServer((_request, response) => {
        response.writeHead(published === undefined ? 500 : 200).end(JSON.stringify(published));
      });
      await new Promise<void>((resolve) => {
        provider.listen(0, '127.0.0.1', resolve);
      });
      const jku = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/`;
      const publish = (...keys: readonly (ProviderKeys | undefined)[]): void => {
        published = { keys: keys.map((pair) => pair?.published) };
      };
      const party = 'provided';
      const enterWith = async (
        keys: ProviderKeys | undefined,
        claims: Record<string, unknown> = {},
        { room = 'room', kid = keys?.kid }: { room?: string; kid?: string | undefined } = {},
      ): Promise<unknown> => {
        const token = keys?.token(claims, { kid, jku, typ: 'JWT' });
        const answer = await fetch(`${urlOf(party, room, '/store')}?token=${token}`);
        return answer.status;
      };
      const [first, second] = pairs;
      expect(await enterWith(first)).toBe(503);
      publish(first);
      // A provider that fails is not asked again at once.
      await until('the keys', async () => (await enterWith(first)) === 200);
      expect(await enterWith(second)).toBe(401);
      expect(await enterWith(second, {}, { kid: 'c' })).toBe(401);
      expect(await enterWith(first, { aud: 'other' })).toBe(401);
      expect(await enterWith(first, {}, { room: 'closed' })).toBe(403);
      // Everybody knows the key of the provider: as a secret, it lets nobody in.
      const confused = makeToken({
        header: { kid: 'a', typ: 'JWT' },
        claims: { iss: ISSUER, aud: 'app' },
        secret: first?.pem ?? '',
      });
      const answer = await fetch(`${urlOf(party, 'room', '/store')}?token=${confused}`);
      expect(answer.status).toBe(401);
      publish(second);
      expect(await enterWith(second)).toBe(200);
      expect(await enterWith(first)).toBe(401);
      provider.closeAllConnections();
      provider.close();
    });
  });
};
