import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createRoomHandle, type RoomHandle } from '../../src/backend/index.ts';
import { sha256Of } from '../../src/protocol/admin/admin-token.ts';
import type { Client } from '../support/clients.ts';
import { storeOf, untilEqual } from '../support/content.ts';
import { Ear } from '../support/ear.ts';
import { makeToken, SECRET, type TokenParts } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { IDLE_MILLISECONDS, type TestedHost } from './contract-durability.ts';

const PARTY = 'administered';
const USERS = 'commanded';
/** Time enough for a client that does not stop to show that, as it tries again after 30 to 300 ms. */
const SOME_MILLISECONDS = 1_000;
const nowInSeconds = (): number => Math.floor(Date.now() / 1000);

let commands = 0;
/** The signature of a command, good unless the parts say otherwise. */
const sign = async (
  room: string,
  body: string,
  { header = {}, claims = {}, ...parts }: TokenParts = {},
): Promise<string> => {
  commands += 1;
  return makeToken({
    ...parts,
    header: { typ: 'room-admin+jwt', ...header },
    claims: {
      sub: undefined,
      user: undefined,
      access: undefined,
      aud: PARTY,
      room,
      jti: `${Date.now()}-${commands}`.padStart(24, '0'),
      iat: nowInSeconds(),
      exp: nowInSeconds() + 60,
      sha256: await sha256Of(body),
      ...claims,
    },
  });
};

/** The token of a user. */
const userToken = (room: string, id: string, iat = nowInSeconds()): string =>
  makeToken({ claims: { aud: USERS, room, sub: id, user: { id }, iat } });

/** The client has stopped, and stays so. */
const expectStopped = async ({ persister, socket }: Client): Promise<void> => {
  await until('the client to stop', () => persister.getSync().phase === 'stopped');
  expect(persister.getSync().code).toBe('forbidden');
  let opened = 0;
  socket.addEventListener('open', () => (opened += 1));
  await wait(SOME_MILLISECONDS);
  expect([opened, persister.getSync().phase]).toEqual([0, 'stopped']);
};

/** The contract of the handle: every command, and everybody who may not command. */
export const testAdmin = ({ clients, getHost }: TestedHost): void => {
  const urlOf = (party: string, room: string, path = ''): string =>
    `${getHost().origin}/parties/${party}/${encodeURIComponent(room)}${path}`;
  const handleOf = (room: string, party = PARTY): RoomHandle =>
    createRoomHandle({ origin: getHost().origin, room, party, secret: SECRET });
  const post = async (
    room: string,
    token: string | undefined,
    body: string,
    party = PARTY,
  ): Promise<readonly [number, unknown]> => {
    const answer = await fetch(urlOf(party, room, '/admin'), {
      method: 'POST',
      body,
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
    });
    return [answer.status, ((await answer.json()) as { code?: string }).code];
  };
  const open = (room: string, id: string): Promise<Client> =>
    clients.open({
      host: getHost().host,
      party: PARTY,
      // A PartySocket takes it as it stands in the URL.
      room: encodeURIComponent(room),
      id,
      seed: [{}, { v: 1 }],
    });
  const openUser = (room: string, id: string): Promise<Client> =>
    clients.open({
      host: getHost().host,
      party: USERS,
      room,
      seed: [{}, { v: 1 }],
      query: { token: userToken(room, id) },
    });

  describe('the handle', () => {
    test('[ADMIN-1] a backend counts, tells, copies, cleans and empties', async () => {
      const room = 'ä room/all';
      const handle = handleOf(room);
      expect(await handle.getSize()).toBe(0);
      expect(await handle.exportRoom()).toBeUndefined();
      const ada = await open(room, 'ada');
      const bob = await open(room, 'bob');
      const heard: string[] = [];
      bob.socket.addEventListener('message', ({ data }) => heard.push(String(data)));
      expect(await handle.getSize()).toBe(2);
      await handle.broadcast('announced', { text: 'Hello' });
      await until('the event', () => heard.includes('announced: {"text":"Hello"}'));
      ada.store.setValue('v', 2);
      await ada.confirmed();
      const stats = await handle.getStats();
      expect(stats.connections.map(({ id }) => id).toSorted()).toEqual(['ada', 'bob']);
      expect(stats).toMatchObject({ hasStore: true, version: 2 });
      expect(stats.logBytes).toBeGreaterThan(0);
      await handle.garbageCollect();
      expect((await handle.getStats()).checkpointAgeMilliseconds).toBeLessThan(
        stats.checkpointAgeMilliseconds ?? 0,
      );
      const document = await handle.exportRoom();
      expect(document?.content).toEqual([{}, { v: 2 }]);
      ada.store.setValue('v', 3);
      await ada.confirmed();
      if (document !== undefined) await handle.restoreRoom(document);
      const url = urlOf(PARTY, room, '/store');
      await untilEqual([storeOf([{}, { v: 2 }]), ada.store, bob.store], url);
      await clients.closeAll();
      await until('all to be gone', async () => (await handle.getSize()) === 0);
      await handle.wipe();
      expect(await handle.getStats()).toMatchObject({ hasStore: false, logBytes: 0 });
      expect(await (await fetch(url)).text()).toBe('');
    });

    test('[ADMIN-2] who is evicted by an id stops, keeps edits, and may come back when the app asks', async () => {
      const room = 'evicted';
      const ada = await open(room, 'ada');
      const bob = await open(room, 'bob');
      expect(await handleOf(room).evict('ada')).toBe(1);
      ada.store.setValue('unsent', true);
      await expectStopped(ada);
      await until('the room to know', async () => (await handleOf(room).getSize()) === 1);
      bob.store.setValue('v', 2);
      await bob.confirmed();
      expect(ada.store.getValue('v')).toBe(1);
      await ada.persister.startAutoLoad();
      await ada.confirmed();
      await untilEqual(
        [storeOf([{}, { v: 2, unsent: true }]), ada.store, bob.store],
        urlOf(PARTY, room, '/store'),
      );
    });

    test('[ADMIN-2] all are evicted, also after the room slept, and a bare socket sees the code', async () => {
      const room = 'all';
      const ada = await open(room, 'ada');
      const ear = new Ear(`${urlOf(PARTY, room).replace('http', 'ws')}?_pk=ear`);
      await until('the ear to be there', async () => (await handleOf(room).getSize()) === 2);
      await wait(IDLE_MILLISECONDS);
      ear.heard.length = 0;
      expect(await handleOf(room).evictAll()).toBe(2);
      await expectStopped(ada);
      await until('the error', () => ear.heard.length > 0);
      expect(ear.heard).toEqual([expect.stringMatching(/^e\{"code":"forbidden"/)]);
      expect(await handleOf(room).getSize()).toBe(0);
      ear.socket.terminate();
    });

    test('[ADMIN-2] [GATE-9] a user who is evicted does not come back with the same token', async () => {
      const room = 'users';
      const before = userToken(room, 'ada');
      const ada = await openUser(room, 'ada');
      const bob = await openUser(room, 'bob');
      const handle = handleOf(room, USERS);
      const { connections } = await handle.getStats();
      expect(new Set(connections.map(({ user }) => user))).toEqual(new Set(['ada', 'bob']));
      expect(await handle.evict({ user: 'ada' })).toBe(1);
      await expectStopped(ada);
      const knock = async (token: string): Promise<number> =>
        (await fetch(`${urlOf(USERS, room, '/store')}?token=${token}`)).status;
      expect(await knock(before)).toBe(403);
      expect(await knock(userToken(room, 'bob'))).toBe(200);
      expect(await knock(userToken(room, 'ada', nowInSeconds() + 2))).toBe(200);
      bob.store.setValue('v', 2);
      await bob.confirmed();
      await expect(handleOf('evicted').evict({ user: 'ada' })).rejects.toMatchObject({
        code: 'malformed',
      });
    });

    test.each<readonly [string, TokenParts | undefined, number, string]>([
      ['no signature', undefined, 401, 'unauthorized'],
      ['another secret', { secret: 'x'.repeat(40) }, 401, 'unauthorized'],
      ['no algorithm', { header: { alg: 'none' }, signature: '' }, 401, 'unauthorized'],
      ['the typ of a user', { header: { typ: 'room-user+jwt' } }, 401, 'unauthorized'],
      ['another room', { claims: { room: 'other' } }, 403, 'forbidden'],
      ['another party', { claims: { aud: USERS } }, 403, 'forbidden'],
      ['another body', { claims: { sha256: '0'.repeat(64) } }, 401, 'unauthorized'],
      ['an end in the past', { claims: { iat: 1, exp: 61 } }, 401, 'expired'],
      ['more than a minute', { claims: { iat: 1 } }, 401, 'unauthorized'],
      [
        'a time to come',
        { claims: { iat: nowInSeconds() + 9_000, exp: nowInSeconds() + 9_060 } },
        401,
        'unauthorized',
      ],
    ])('[ADMIN-1] [ADMIN-5] a command with %s does nothing', async (_what, parts, status, code) => {
      const room = 'guarded';
      const ear = new Ear(urlOf(PARTY, room).replace('http', 'ws'));
      await until('the ear to be there', async () => (await handleOf(room).getSize()) > 0);
      const body = '{"do":"evictAll"}';
      const token = parts && (await sign(room, body, parts));
      expect(await post(room, token, body)).toEqual([status, code]);
      // An answer comes for a large body, too.
      expect((await post(room, token, 'x'.repeat(2 ** 20)))[0]).toBe(status);
      expect(ear.closeCode).toBeUndefined();
      ear.socket.terminate();
      await until('the ear to be gone', async () => (await handleOf(room).getSize()) === 0);
    });

    test('[ADMIN-1] with one secret for both, a token of a user commands nothing, and a signature lets nobody in', async () => {
      const room = 'both';
      const body = '{"do":"getSize"}';
      expect(await post(room, userToken(room, 'ada'), body, USERS)).toEqual([401, 'unauthorized']);
      const claims = { aud: USERS, sub: 'ada', user: { id: 'ada' }, access: 'write' };
      const signature = await sign(room, body, { claims });
      const store = `${urlOf(USERS, room, '/store')}?token=`;
      expect((await fetch(store + signature)).status).toBe(401);
      expect(await post(room, signature, body, USERS)).toEqual([200, undefined]);
      expect((await fetch(store + userToken(room, 'ada'))).status).toBe(200);
    });

    test('[ADMIN-4] a command that is sent again does nothing, also to a new process', async () => {
      const room = 'replayed';
      const body = '{"do":"getSize"}';
      const token = await sign(room, body);
      const first = await Promise.all([1, 2, 3].map(() => post(room, token, body)));
      expect(first.filter(([status]) => status === 200)).toHaveLength(1);
      expect(first.filter(([, code]) => code === 'forbidden')).toHaveLength(2);
      await getHost().kill9();
      await getHost().restart();
      expect(await post(room, token, body)).toEqual([403, 'forbidden']);
      expect(await post(room, await sign(room, body), body)).toEqual([200, undefined]);
    });

    test('[ADMIN-3] without a secret, and for other methods, there is nothing', async () => {
      const body = '{"do":"getSize"}';
      const claims = { aud: 'unadministered' };
      const token = await sign('room', body, { claims, secret: 'undefined' });
      expect(await post('room', token, body, 'unadministered')).toEqual([404, 'not-found']);
      // A host may close a connection on which it has answered before it read the body, while the next request is on its way.
      const url = urlOf(PARTY, 'room', '/admin');
      const read = await fetch(url).catch(async () => await fetch(url));
      expect(read.status).toBe(404);
      const preflight = await fetch(url, {
        method: 'OPTIONS',
        headers: { Origin: 'http://page', 'Access-Control-Request-Method': 'POST' },
      });
      expect(preflight.ok).toBe(false);
      const own = await fetch(urlOf(PARTY, 'room', '/own/admin'), { method: 'POST' });
      expect(await own.text()).toBe('mine');
    });

    test('[ADMIN-1] a document of 9 MB is taken', async () => {
      const rows = Object.fromEntries(
        Array.from({ length: 9 }, (_, row) => [`${row}`, { text: 'x'.repeat(1_000_000) }]),
      );
      const document = {
        format: 'tinybase-partykit room',
        formatVersion: 1,
        epoch: 'x'.repeat(22),
        version: 1,
        content: [{ t: rows }, {}],
      } as const;
      await handleOf('large').restoreRoom(document);
      expect((await handleOf('large').exportRoom())?.content).toEqual(document.content);
    });
  });
};
