import { once } from 'node:events';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { fetchLeaves, leavesOf, storeOf, untilEqual } from '../support/content.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';
import type { TestedHost } from './contract-durability.ts';

const push = (number: number, cell: string): string =>
  `p[${number},[{"t":{"r":{"${cell}":"pushed ${number}"}}},{}]]`;

/** The contract of a room that has a Store, hooks, routes and connections of its own. */
export const testRoom = ({ name, clients, getHost, textOf }: TestedHost): void => {
  test('two clients edit, part, meet again, and are equal to the room', async () => {
    const here = { host: getHost().host, room: 'together' };
    const url = getHost().room(here.room, '/store');
    const one = await clients.open({ ...here, seed: [{ t: { r: { c: 1 } } }, { v: 1 }] });
    const two = await clients.open(here);
    let transactions = 0;
    two.store.addDidFinishTransactionListener(() => transactions++);
    one.store.transaction(() => {
      one.store.setCell('t', 'r', 'object', { deep: [1, null, 'x'] });
      one.store.delCell('t', 'r', 'c');
      one.store.setValue('v', 2);
    });
    await one.confirmed();
    await untilEqual([one.store, two.store], url);
    expect(transactions).toBe(1);
    one.cut();
    one.store.setValue('offline', true);
    two.store.delRow('t', 'r');
    await two.confirmed();
    one.heal();
    await one.confirmed();
    await untilEqual([storeOf([{}, { v: 2, offline: true }]), one.store, two.store], url);
  });

  test('the initial content, and every later answer over HTTP', async () => {
    const url = getHost().room('http', '/store');
    const empty = await fetch(url);
    expect([empty.status, await empty.text()]).toEqual([200, '']);
    const put = (body: string): Promise<Response> => fetch(url, { method: 'PUT', body });
    expect((await put('[{"t":')).status).toBe(400);
    expect((await put('[{"t":{"r":{"c":1}}},{}]')).status).toBe(201);
    expect((await put('[{},{"late":1}]')).status).toBe(205);

    const full = await fetch(url);
    expect(await full.json()).toEqual([{ t: { r: { c: 1 } } }, {}]);
    const etag = full.headers.get('ETag') ?? '';
    expect(etag).toMatch(/^(?:W\/)?"[\w-]+\.1"$/);
    expect(etag).not.toBe(empty.headers.get('ETag'));
    const again = await fetch(url, { headers: { 'If-None-Match': etag } });
    expect([again.status, await again.text()]).toEqual([304, '']);
    const head = await fetch(url, { method: 'HEAD' });
    expect([head.status, head.headers.get('ETag'), await head.text()]).toEqual([200, etag, '']);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(405);
    expect((await fetch(getHost().room('http', '/nothing'))).status).toBe(404);
    expect((await fetch(url, { method: 'POST', body: '[{},{}]' })).status).toBe(405);
  });

  test.each(['GET', 'HEAD', 'PUT'])('a page of another origin may %s', async (method) => {
    const url = getHost().room('origins', '/store');
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: { Origin: 'http://page', 'Access-Control-Request-Method': method },
    });
    expect(preflight.ok).toBe(true);
    expect(preflight.headers.get('Access-Control-Allow-Origin')).toBe('*');
    expect(preflight.headers.get('Access-Control-Allow-Methods')).toMatch(
      new RegExp(`\\*|\\b${method}\\b`),
    );
    const answer = await fetch(url, { method, headers: { Origin: 'http://page' } });
    expect(answer.headers.get('Access-Control-Allow-Origin')).toBe('*');
    expect(answer.headers.get('Access-Control-Expose-Headers')).toMatch(/\bETag\b/);
  });

  test('a party that is not there is answered, and so is a path that is no room', async () => {
    const { status } = await fetch(`${getHost().origin}/parties/absent/room/store`);
    expect(status).toBe(404);
    expect((await fetch(getHost().origin)).status).toBeLessThan(500);
  });

  test.each([
    ['plain', 'plain', 'plain'],
    ['two words', 'two%20words', 'two words'],
    [' team ', '%20team%20', ' team '],
    ['a..b', 'a..b', 'a..b'],
    ['%252e', '%252e', '%2e'],
    ['per%25 cent', 'per%25%20cent', 'per% cent'],
    ['a:b@c', 'a:b@c', 'a:b@c'],
    ['sla%2Fsh', 'sla%2Fsh', 'sla/sh'],
    ['twice%2520', 'twice%2520', 'twice%20'],
    ['100%', '100%', '100%'],
    ['ünï 🐕', encodeURIComponent('ünï 🐕'), 'ünï 🐕'],
    ['__proto__', '__proto__', '__proto__'],
  ])('the id of room %s is decoded once', async (room, segment, id) => {
    const client = await clients.open({ host: getHost().host, room, seed: [{}, { room: id }] });
    await client.confirmed();
    expect(await fetchLeaves(getHost().room(segment, '/store'))).toEqual(
      leavesOf([{}, { room: id }]),
    );
    expect(await textOf(segment, '/id')).toBe(id);
  });

  test('[HOOK-2] what hooks refuses goes back at its writer; the rest is applied', async () => {
    const here = { host: getHost().host, party: 'refusing', room: 'refusing' };
    const one = await clients.open({ ...here, seed: [{ t: { noDelRow: { c: 1 } } }, {}] });
    const two = await clients.open(here);
    one.store.transaction(() => {
      one.store.setCell('t', 'r', 'noSetCell', 1);
      one.store.setCell('t', 'r', 'c', 1);
      one.store.delRow('t', 'noDelRow');
      one.store.setValue('noSetValue', 1);
    });
    await one.confirmed();
    const url = `${getHost().origin}/parties/refusing/refusing/store`;
    await untilEqual(
      [storeOf([{ t: { noDelRow: { c: 1 }, r: { c: 1 } } }, {}]), one.store, two.store],
      url,
    );
    expect(one.refusals.map(({ reason }) => reason)).toEqual(['hook', 'hook', 'hook']);
  });

  test('what overrides the life cycle without super works, with a config in a field', async () => {
    const here = { host: getHost().host, party: 'overriding', room: 'overriding' };
    const config = { storePath: '/x', messagePrefix: 'p' };
    const one = await clients.open({ ...here, config, seed: [{}, { v: 1 }] });
    const two = await clients.open({ ...here, config });
    two.store.setValue('v', 2);
    await two.confirmed();
    await untilEqual([one.store, two.store], `${getHost().origin}/parties/overriding/overriding/x`);
    await one.close();
    two.store.setValue('v', 3);
    await two.confirmed();
  });

  test('[ORDER-3] what the server writes reaches every client', async () => {
    const here = { host: getHost().host, room: 'server-side' };
    const one = await clients.open({ ...here, seed: [{}, { v: 1 }] });
    const two = await clients.open(here);
    await fetch(getHost().room(here.room, '/server-edit?text=hello'), { method: 'POST' });
    await until('both to hear', () =>
      [one, two].every(({ store }) => store.getValue('server') === 'hello'),
    );
    await untilEqual([one.store, two.store], getHost().room(here.room, '/store'));
  });

  test('a room gets every event of its host, and has the same party everywhere', async () => {
    const base = `${getHost().origin}/parties/observing/events`;
    const open = async (id: string): Promise<[WebSocket, string[]]> => {
      const heard: string[] = [];
      const socket = new WebSocket(`${base.replace('http', 'ws')}/deep?_pk=${id}&token=t`);
      socket.on('message', (data: Buffer) => heard.push(data.toString()));
      await once(socket, 'open');
      return [socket, heard];
    };
    const events = async (): Promise<string> => (await fetch(`${base}/events`)).text();
    const [a, heardByA] = await open('a');
    const [tagged, heardByTagged] = await open('tagged');
    a.send('count');
    a.send('count');
    await until('two states', () => heardByA.length === 2);
    expect(heardByA.map((text): unknown => JSON.parse(text))).toEqual([
      { name: 't', count: 2 },
      { name: 't', count: 3 },
    ]);
    await fetch(`${base}/broadcast`, { method: 'POST' });
    await until('all to hear', () => heardByA.length === 3 && heardByTagged.length === 2);
    expect(heardByA[2]).toBe('to a');
    expect(heardByTagged).toEqual(['to all but a', 'to the tag']);
    await fetch(`${base}/alarm`, { method: 'POST' });
    await until('the alarm', async () => (await events()).includes('alarm'));
    a.close();
    await until('the close', async () => (await events()).includes('close'));
    expect(JSON.parse(await events())).toEqual([
      'start',
      'connect a /parties/observing/events/deep t',
      'connect tagged /parties/observing/events/deep t',
      'alarm',
      'close a',
    ]);
    tagged.close();
  });

  test('[HTTP-6] static methods of the room let in, refuse, and say who it is', async () => {
    const base = `${getHost().origin}/parties/guarded/safe`;
    const ask = async (path: string): Promise<[number, string]> => {
      const answer = await fetch(`${base}${path}`);
      return [answer.status, await answer.text()];
    };
    expect(await ask('/store')).toEqual([403, 'There is no token.']);
    // PartyKit tells the client what its app threw.
    const text = name === 'partykit' ? 'This token is bad.' : 'Unauthorized';
    expect(await ask('/store?token=bad')).toEqual([401, text]);
    expect(await ask('/store?token=good')).toEqual([200, '']);
    expect(await ask('/who?token=good')).toEqual([200, 'ada in safe']);
    for (const token of ['nothing', 'false']) {
      const [status, answer] = await ask(`/store?token=${token}`);
      expect(status).toBe(name === 'partykit' ? 500 : 401);
      expect(answer).not.toContain('[{');
    }

    const connect = async (query: string): Promise<string> => {
      const socket = new WebSocket(`${base.replace('http', 'ws')}${query}`);
      const refused = once(socket, 'unexpected-response').then(() => 'refused');
      const heard = once(socket, 'message').then(([data]: unknown[]) => String(data));
      const outcome = await Promise.race([refused, heard]);
      socket.terminate();
      return outcome;
    };
    expect(await connect('?token=good')).toBe('ada in safe');
    expect(await connect('?token=bad')).toBe('refused');
    expect(await connect('?token=nothing')).toBe('nobody');
    // PartyKit takes any answer but a Response for a yes.
    expect(await connect('?token=false')).toBe(name === 'partykit' ? 'nobody' : 'refused');

    const here = { host: getHost().host, party: 'guarded', room: 'safe', query: { token: 'good' } };
    const one = await clients.open({ ...here, seed: [{}, { v: 1 }] });
    const two = await clients.open(here);
    two.store.setValue('v', 2);
    await two.confirmed();
    await untilEqual([one.store, two.store], `${base}/store?token=good`);
  });

  test('[JOIN-8] a room is restored from its export, and its clients follow', async () => {
    const here = { host: getHost().host, party: 'restoring', room: 'restored' };
    const base = `${getHost().origin}/parties/restoring/restored`;
    const one = await clients.open({ ...here, seed: [{ t: { r: { c: [1] } } }, { v: 1 }] });
    const two = await clients.open(here);
    const document = await (await fetch(`${base}/document`)).text();
    one.store.setValue('v', 2);
    await one.confirmed();
    const restored = await fetch(`${base}/document`, { method: 'PUT', body: document });
    expect(restored.status).toBe(204);
    await untilEqual(
      [storeOf([{ t: { r: { c: [1] } } }, { v: 1 }]), one.store, two.store],
      `${base}/store`,
    );
    two.store.setValue('v', 3);
    await two.confirmed();
    await untilEqual([one.store, two.store], `${base}/store`);
  });

  const FIRST = '[{"t":{"r":{"c":"first"}}},{}]';
  const openRaw = async (room: string, query = ''): Promise<RawPeer> => {
    const path = `/parties/closing/${room}`;
    await fetch(`${getHost().origin}${path}/store`, { method: 'PUT', body: FIRST });
    return await RawPeer.open(getHost().port, `${path}${query}`);
  };
  const contentOf = async (room: string): Promise<string> =>
    (await fetch(`${getHost().origin}/parties/closing/${room}/store`)).text();
  const hello = async (room: string): Promise<string> => {
    const etag = (await fetch(`${getHost().origin}/parties/closing/${room}/store`)).headers.get(
      'ETag',
    );
    const [epoch, version] = (etag ?? '').replaceAll('"', '').replace('W/', '').split('.');
    return `h{"protocol":1,"client":"${'r'.repeat(22)}","generation":1,"cursor":["${epoch}",${version}],"next":1,"acked":0}`;
  };
  /** Another connection of the room has been answered since: what was sent before has been dealt with. */
  const untilDealtWith = async (room: string): Promise<void> => {
    const other = await clients.open({ host: getHost().host, party: 'closing', room });
    other.store.setValue('dealt with', true);
    await other.confirmed();
    await other.close();
  };
  const UNTOUCHED = '[{"t":{"r":{"c":"first"}}},{"dealt with":true}]';

  test('[JOIN-11] who comes back with what the room does not have gets small content with the welcome', async () => {
    const peer = await openRaw('small');
    peer.send(
      `h{"protocol":1,"client":"${'r'.repeat(22)}","generation":1,"cursor":["other",7],"next":1,"acked":0}`,
    );
    await until('the welcome', () => peer.frames.length === 1);
    expect(peer.frames[0]).toContain(`"changes":[{},{}],"content":${FIRST}}`);
    const other = await clients.open({ host: getHost().host, party: 'closing', room: 'small' });
    other.store.setValue('v', 1);
    await until('the commit', () => peer.frames.length === 2);
    expect(peer.frames[1]).toBe('c[2,[{},{"v":1}]]');
    peer.close();
    await other.close();
  });

  test('[CLOSE-1] a connection that onConnect closes has no say, though it never answers the close', async () => {
    const peer = await openRaw('at-once', '?refuse');
    await until('the close', () => peer.closeCode === 4001);
    peer.send(await hello('at-once'));
    for (let number = 1; number <= 5; number += 1) {
      peer.send(push(number, 'c'));
      peer.send(`s[{"t":{"r":{"c":"stock ${number}"}}},{},1]`);
    }
    await untilDealtWith('at-once');
    expect(await contentOf('at-once')).toBe(UNTOUCHED);
    expect(peer.frames).toEqual([]);
    peer.destroy();
  });

  test('[CLOSE-1] a client that is closed later has no say from then on', async () => {
    const peer = await openRaw('later');
    peer.send(await hello('later'));
    await until('the welcome', () => peer.frames.length === 1);
    peer.send('close me');
    peer.send(push(1, 'c'));
    await until('the close', () => peer.closeCode === 4002);
    peer.send(push(1, 'c'));
    peer.send((await hello('later')).replace('"generation":1', '"generation":2'));
    peer.send(push(1, 'c'));
    await untilDealtWith('later');
    expect(await contentOf('later')).toBe(UNTOUCHED);
    peer.destroy();
  });

  test('[CLOSE-1] a hook that closes the connection drops what it was asked about, and all after it', async () => {
    for (const kind of ['push', 'stock']) {
      const room = `hook ${kind}`.replace(' ', '-');
      const peer = await openRaw(room);
      if (kind === 'push') {
        peer.send(await hello(room));
        await until('the welcome', () => peer.frames.length === 1);
        peer.send(push(1, 'closing'));
        peer.send(push(2, 'c'));
      } else {
        peer.send('s[{"t":{"r":{"closing":1}}},{},1]');
        peer.send('s[{"t":{"r":{"c":2}}},{},1]');
      }
      await until('the close', () => peer.closeCode === 4003);
      await untilDealtWith(room);
      expect(await contentOf(room)).toBe(UNTOUCHED);
      peer.destroy();
    }
  });

  test('[CLOSE-2] what a client sent right before it closed is in the room', async () => {
    const peer = await openRaw('left');
    peer.send(await hello('left'));
    await until('the welcome', () => peer.frames.length === 1);
    for (let number = 1; number <= 20; number += 1) peer.send(push(number, `c${number}`));
    peer.close();
    await until('all 20 edits', async () => (await contentOf('left')).includes('pushed 20'));
    for (let number = 1; number <= 20; number += 1)
      expect(await contentOf('left')).toContain(`pushed ${number}"`);
    peer.destroy();
  });

  test('two sockets with one id both get every change, also when one of them has closed', async () => {
    const here = { host: getHost().host, room: 'same-id' };
    const other = await clients.open({ ...here, seed: [{}, {}] });
    const one = await clients.open({ ...here, id: 'same' });
    const two = await clients.open({ ...here, id: 'same' });
    other.store.setValue('from other', 1);
    one.store.setValue('from one', 1);
    await Promise.all([other.confirmed(), one.confirmed()]);
    await untilEqual([other.store, one.store, two.store]);
    await one.close();
    other.store.setValue('after', 1);
    await until('the one left to have heard', () => two.store.getValue('after') === 1);
  });
};
