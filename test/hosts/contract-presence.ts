import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { PartySocket } from 'partysocket';
import { createStore, type Store } from 'tinybase';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createPresence, type Presence } from '../../src/client/features/presence/index.ts';
import type { TinyBasePartyKitError } from '../../src/client/index.ts';
import { until } from '../support/until.ts';
import { IDLE_MILLISECONDS, type TestedHost } from './contract-durability.ts';

/** A browser's window with presence and nothing else. */
interface Window {
  readonly id: string;
  readonly store: Store;
  readonly socket: PartySocket;
  readonly presence: Presence<{ x?: unknown; y?: unknown }>;
  readonly errors: readonly TinyBasePartyKitError[];
}

/** A bare socket, and the presence that it heard. */
interface Ear {
  readonly socket: WebSocket;
  readonly heard: string[];
}

const row = (id: string, { store }: Window): unknown => store.getRow('connections', id);

/** Presence on a real host, with the real client. The rules stand in docs/protocol.md. */
export const testPresence = ({ clients, getHost }: TestedHost): void => {
  const windows: Window[] = [];
  const ears: Ear[] = [];
  afterEach(() => {
    for (const { presence, socket } of windows.splice(0)) {
      presence.destroy();
      socket.close();
    }
    for (const { socket } of ears.splice(0)) socket.terminate();
  });

  const open = (room: string, id: string, user?: string, initial?: { x: number }): Window => {
    const store = createStore();
    const socket = new PartySocket({
      WebSocket,
      minReconnectionDelay: 30,
      maxReconnectionDelay: 300,
      host: getHost().host,
      party: 'present',
      room,
      id,
      query: { user },
    });
    const errors: TinyBasePartyKitError[] = [];
    const presence = createPresence(store, socket, {
      ...(initial !== undefined && { initial }),
      onIgnoredError: (error: TinyBasePartyKitError) => errors.push(error),
    });
    const window = { id, store, socket, presence, errors };
    windows.push(window);
    return window;
  };
  const listen = async (room: string, id: string, party = 'present'): Promise<Ear> => {
    const url = `${getHost().origin.replace('http', 'ws')}/parties/${party}/${room}?_pk=${id}`;
    const ear: Ear = { socket: new WebSocket(url), heard: [] };
    ear.socket.on('message', (data: Buffer) => ear.heard.push(data.toString()));
    ears.push(ear);
    await once(ear.socket, 'open');
    return ear;
  };
  const ask = async (room: string, path: string): Promise<Response> =>
    fetch(`${getHost().origin}/parties/present/${room}/${path}`);
  const lifeOf = async (room: string): Promise<string> => (await ask(room, 'life')).text();
  const shows = (watcher: Window, expected: Record<string, unknown>): Promise<unknown> =>
    until(`${watcher.id} to show ${JSON.stringify(expected)}`, () => {
      expect(watcher.store.getTable('connections')).toEqual(expected);
      return true;
    });

  test('[PRES-1] [PRES-2] [PRES-4] two tabs of one user and a guest see each other come, move and go', async () => {
    const one = open('together', 'one', 'ada', { x: 1 });
    await shows(one, { one: { x: 1, y: 1, user: 'ada' } });
    const two = open('together', 'two', 'ada', { x: 2 });
    const guest = open('together', 'guest');
    const all = {
      one: { x: 1, y: 1, user: 'ada' },
      two: { x: 2, y: 1, user: 'ada' },
    };
    await shows(guest, all);
    await shows(one, { ...all, guest: { user: null } });
    expect(guest.store.getTable('users')).toEqual({ ada: { id: 'ada', name: 'The ada' } });
    for (let x = 0; x <= 100; x += 1) one.presence.set({ x });
    await until(
      'the last of 100 moves',
      () => two.store.getCell('connections', 'one', 'x') === 100,
    );
    two.socket.close();
    await shows(guest, { one: { x: 100, y: 1, user: 'ada' } });
    expect(guest.store.getTable('users')).toEqual({ ada: { id: 'ada', name: 'The ada' } });
    one.presence.destroy();
    await shows(guest, {});
    expect(guest.store.getTables()).toEqual({});
    const ear = await listen('together', 'ear');
    ear.socket.send('r{"x":3}');
    await shows(guest, { ear: { x: 3, y: 1 } });
    ear.socket.terminate();
    await shows(guest, {});
  });

  test('[PRES-3] a reconnect changes no row, and the id of somebody else is forbidden', async () => {
    const one = open('ids', 'one', 'ada', { x: 1 });
    const watcher = open('ids', 'watcher');
    const here = { one: { x: 1, y: 1, user: 'ada' } };
    await shows(watcher, here);
    const thief = open('ids', 'one', 'eve', { x: 666 });
    await until('the refusal', () => thief.errors[0]?.code === 'forbidden');
    thief.socket.close();
    let changes = 0;
    watcher.store.addTableListener('connections', () => {
      changes += 1;
    });
    const again = open('ids', 'one', 'ada', { x: 1 });
    await until('the second of the id', () => again.store.hasRow('connections', 'watcher'));
    one.socket.close();
    await until('the room to be told', async () => (await ask('ids', 'presence')).ok);
    await wait(300);
    expect(changes).toBe(0);
    await shows(watcher, here);
  });

  test('[PRES-3] whose id somebody else took meanwhile comes back with another one', async () => {
    const watcher = open('taken', 'watcher');
    const one = open('taken', 'one', 'ada', { x: 1 });
    await shows(watcher, { one: { x: 1, y: 1, user: 'ada' } });
    one.socket.close();
    await shows(watcher, {});
    const squatter = open('taken', 'one', 'eve', { x: 666 });
    await until('the squatter', () => watcher.store.hasRow('connections', 'one'));
    one.socket.reconnect();
    await until('another id', () => one.socket.id !== 'one');
    await shows(watcher, {
      one: { x: 666, y: 1, user: 'eve' },
      [one.socket.id]: { x: 1, y: 1, user: 'ada' },
    });
    expect(one.errors).toMatchObject([{ code: 'forbidden' }]);
    expect(one.presence.getId()).toBe(one.socket.id);
    expect(squatter.errors).toEqual([]);
  });

  test('[PRES-6] [PRES-7] what the room refuses goes back, and what it makes of it is shown', async () => {
    const one = open('schema', 'one', 'ada', { x: 1 });
    const two = open('schema', 'two', 'bob', { x: 2 });
    await until('the other', () => two.store.hasRow('connections', 'one'));
    one.presence.set({ y: 2.7 });
    await until('the rounded y', () => two.store.getCell('connections', 'one', 'y') === 3);
    await until('the correction', () => one.store.getCell('connections', 'one', 'y') === 3);
    one.presence.set({ x: 'text' });
    await until('the refusal', () => one.errors[0]?.code === 'malformed');
    expect(one.errors[0]?.message).toMatch(/look at x/);
    expect(row('one', one)).toEqual({ x: 1, y: 3, user: 'ada' });
    one.presence.set({ x: 4 });
    await until('the next x', () => two.store.getCell('connections', 'one', 'x') === 4);
    await ask('schema', 'bot');
    await until('the row of the room', () => two.store.getCell('connections', 'bot', 'x') === 7);
    expect(one.errors).toHaveLength(1);
  });

  test('[PRES-8] rows survive a sleep of the room; who closed meanwhile is gone for all', async () => {
    const one = open('sleepy', 'one', 'ada', { x: 1 });
    const two = open('sleepy', 'two', 'bob', { x: 2 });
    const three = open('sleepy', 'three', 'eve', { x: 3 });
    await until('all three', () => one.store.getRowIds('connections').length === 3);
    const before = await lifeOf('sleepy');
    await wait(IDLE_MILLISECONDS);
    three.socket.close();
    await shows(one, {
      one: { x: 1, y: 1, user: 'ada' },
      two: { x: 2, y: 1, user: 'bob' },
    });
    expect(await lifeOf('sleepy')).not.toBe(before);
    expect(one.store.getRowIds('users').toSorted()).toEqual(['ada', 'bob']);
    await wait(IDLE_MILLISECONDS);
    const late = open('sleepy', 'late', 'joe', { x: 4 });
    const all = {
      one: { x: 1, y: 1, user: 'ada' },
      two: { x: 2, y: 1, user: 'bob' },
      late: { x: 4, y: 1, user: 'joe' },
    };
    for (const window of [one, two, late]) await shows(window, all);
    await wait(IDLE_MILLISECONDS);
    two.presence.set({ x: 5 });
    for (const window of [one, two, late])
      await shows(window, { ...all, two: { x: 5, y: 1, user: 'bob' } });
    expect([one, two, late].flatMap(({ errors }) => errors)).toEqual([]);
  });

  test('[PRES-10] who is silent is gone, also if the room slept; who answers or pings stays', async () => {
    const one = open('silent', 'one', 'ada', { x: 1 });
    const silent = await listen('silent', 'silent');
    const pinging = await listen('silent', 'pinging');
    silent.socket.send('r{"x":2}');
    pinging.socket.send('r{"x":3}');
    await until('both', () => one.store.getRowIds('connections').length === 3);
    const until14 = Date.now() + IDLE_MILLISECONDS + 2_000;
    while (Date.now() < until14) {
      await wait(1_000);
      pinging.socket.send('i[]');
    }
    const asker = await listen('silent', 'asker');
    asker.socket.send('r[1]');
    await shows(one, { one: { x: 1, y: 1, user: 'ada' }, pinging: { x: 3, y: 1 } });
    expect(silent.heard.filter((frame) => frame === 'r{}')).toHaveLength(1);
    expect(pinging.heard.filter((frame) => frame === 'r{}')).toHaveLength(0);
    // Over another socket: it may arrive a little later.
    await until(
      'the silent one to be told',
      () => silent.heard.at(-1)?.includes('"connections":["silent"]') === true,
    );
  });

  test('a room without presence says nothing to its frames, and goes on', async () => {
    const here = { host: getHost().host, room: 'without-presence' };
    const client = await clients.open({ ...here, seed: [{}, { v: 1 }] });
    const ear = await listen('without-presence', 'ear', 'main');
    for (const frame of ['r{"x":1}', 'r[1]', 'r[]', 'r{']) ear.socket.send(frame);
    const presence = createPresence(createStore(), client.socket, { initial: { x: 1 } });
    client.store.setValue('v', 2);
    await client.confirmed();
    await until('the edit', () => ear.heard.length > 0);
    expect(ear.heard).toEqual(['s[{},{"v":2},1]']);
    expect(client.ignoredErrors).toEqual([]);
    presence.destroy();
  });
};
