import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { PartySocket } from 'partysocket';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createEvents, type Events } from '../../src/client/features/events/index.ts';
import { createPartyKitPersister } from '../../src/client/index.ts';
import { createStore, type Store } from 'tinybase';
import type { DeclarationsOf } from '../../src/client/features/events/index.ts';
import type EventfulRoom from '../room/fixtures/eventful.ts';
import type { GuardedEventfulRoom } from '../room/fixtures/eventful.ts';
import { Ear } from '../support/ear.ts';
import { makeToken } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { IDLE_MILLISECONDS, type TestedHost } from './contract-durability.ts';

/** A browser's window with events, and what it heard. */
interface Window<Room> {
  readonly socket: PartySocket;
  readonly events: Events<DeclarationsOf<Room>>;
  readonly heard: unknown[];
}

/** The code of the error that a call rejects with, and its message. */
const failureOf = async (call: Promise<unknown>): Promise<{ code: unknown; message: string }> => {
  try {
    throw new Error(`It resolved to ${JSON.stringify(await call)}.`);
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    return { code, message };
  }
};

/** Events on a real host, with the real client. The rules stand in docs/protocol.md. */
export const testEvents = ({ clients, getHost }: TestedHost): void => {
  const closings: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const close of closings.splice(0).toReversed()) await close();
  });

  const openSocket = (party: string, room: string, id: string, token?: string): PartySocket => {
    const socket = new PartySocket({
      WebSocket,
      minReconnectionDelay: 30,
      maxReconnectionDelay: 300,
      host: getHost().host,
      party,
      room,
      id,
      query: { token },
    });
    closings.push(() => socket.close());
    return socket;
  };
  const open = (room: string, id: string): Window<EventfulRoom> => {
    const socket = openSocket('eventful', room, id);
    const heard: unknown[] = [];
    const events = createEvents<EventfulRoom>(socket);
    events.addListener('waved', (data, from) => heard.push(['waved', data, from]));
    events.addListener('doubled', (data, from) => heard.push(['doubled', data, from]));
    events.addListener('announced', (data, from) => heard.push(['announced', data, from]));
    events.addListener('waited', (data, from) => heard.push(['waited', data, from]));
    closings.push(() => events.destroy());
    return { socket, events, heard };
  };
  /** A window with a Store, which is live. */
  const openLive = async (
    room: string,
    id: string,
  ): Promise<Window<EventfulRoom> & { store: Store; confirmed: () => Promise<void> }> => {
    const window = open(room, id);
    const store = createStore();
    const persister = createPartyKitPersister(store, window.socket, { storeProtocol: 'http' });
    closings.push(() => void persister.destroy());
    await persister.startAutoLoad([{}, { title: 'Board' }]);
    await persister.startAutoSave();
    await until(`${id} to be live`, () => persister.getSync().phase === 'live');
    return { ...window, store, confirmed: () => persister.whenConfirmed() };
  };
  const ask = async (room: string, path: string): Promise<Response> =>
    fetch(`${getHost().origin}/parties/eventful/${room}/${path}`);
  const lifeOf = async (room: string): Promise<string> => (await ask(room, 'life')).text();

  test('[EVENT-7] broadcast, self, results and the events of the room reach those that are meant', async () => {
    const [one, two] = [open('talk', 'one'), open('talk', 'two')];
    expect(await one.events.call.double({ value: 21 })).toBe(42);
    expect(await two.events.call('double', { value: 4 })).toBe(8);
    one.events.send.wave();
    await until('the wave', () => one.heard.length === 2 && two.heard.length === 2);
    expect(one.heard).toEqual([
      ['doubled', 42, 'one'],
      ['waved', { by: 'one' }, 'one'],
    ]);
    expect(two.heard).toEqual([
      ['doubled', 8, 'two'],
      ['waved', { by: 'one' }, 'one'],
    ]);
    await ask('talk', 'announce');
    await until('the last announcement', () => two.heard.length === 5);
    const all = [
      ['announced', 'to all', undefined],
      ['announced', 'to all again', undefined],
    ];
    expect(one.heard.slice(2)).toEqual(all);
    expect(two.heard.slice(2)).toEqual([...all, ['announced', 'to two', undefined]]);
  });

  test('[EVENT-1] [EVENT-2] calls see the edits before them, and who hears of a note has it', async () => {
    const one = await openLive('order', 'one');
    const two = await openLive('order', 'two');
    const seen: unknown[] = [];
    for (const { events, store } of [one, two]) {
      events.addListener('noteAdded', ({ id }) => seen.push(store.getCell('notes', id, 'text')));
    }
    for (let edit = 1; edit <= 20; edit += 1) {
      one.store.setCell('edits', `${edit}`, 'made', true);
      two.store.setCell('others', `${edit}`, 'made', true);
      expect(await one.events.call.count()).toBe(edit);
    }
    const calls = Array.from({ length: 20 }, async (_, index) => {
      const { events, store } = index % 2 === 0 ? one : two;
      const id = await events.call.addNote({ text: `text ${index}` });
      expect(store.getCell('notes', id, 'text')).toBe(`text ${index}`);
    });
    await Promise.all(calls);
    await until('all 40 events', () => seen.length === 40);
    expect(seen.filter((text) => typeof text !== 'string')).toEqual([]);
    const stored = (await (await ask('order', 'store')).json()) as [Record<string, object>];
    expect(Object.keys(stored[0]['notes'] ?? {})).toHaveLength(20);
  });

  test('[EVENT-1] [EVENT-6] a slow procedure holds up nobody, and ends in time', async () => {
    const [one, two] = [open('slow', 'one'), open('slow', 'two')];
    const slow = one.events.call.wait(1_500);
    const tooSlow = failureOf(one.events.call.wait(2_500));
    let isSlowOver = false;
    void slow.then(() => (isSlowOver = true));
    expect(await one.events.call.double({ value: 1 })).toBe(2);
    expect(await two.events.call.double({ value: 2 })).toBe(4);
    expect(isSlowOver).toBe(false);
    expect(await slow).toBe(1_500);
    expect(await tooSlow).toMatchObject({ code: 'unavailable' });
    await wait(700);
    expect(two.heard.slice(1)).toEqual([['waited', 1_500, 'one']]);
  });

  test('[EVENT-3] [EVENT-4] errors are typed, and tell nothing of the room', async () => {
    const { events } = open('errors', 'one');
    const untyped = events as unknown as {
      call: (name: string, input?: unknown) => Promise<unknown>;
    };
    expect(await failureOf(untyped.call('double', { value: '1' }))).toMatchObject({
      code: 'malformed',
      message: expect.stringContaining('look at value') as string,
    });
    expect(await failureOf(events.call.addNote({ text: 'x'.repeat(101) }))).toMatchObject({
      code: 'malformed',
    });
    expect(await failureOf(events.call.fail('typed'))).toEqual({
      code: 'forbidden',
      message: 'Only the owner may.',
    });
    const failed = await failureOf(events.call.fail('untyped'));
    expect(failed.code).toBe('failed');
    expect(failed.message).not.toMatch(/hunter2|\.ts|at /);
    for (const name of ['missing', 'announced', '__proto__', 'constructor', 'toString'])
      expect((await failureOf(untyped.call(name))).code).toBe('not-found');
    expect((await failureOf(untyped.call('double', 'x'.repeat(70_000)))).code).toBe('too-large');
  });

  test('[EVENT-2] [EVENT-5] calls wait for the socket, are never sent twice, and what they returned survives a kill -9', async () => {
    const room = 'cuts';
    const one = open(room, 'one');
    const before = await one.events.call.addNote({ text: 'before' });
    const cut = failureOf(one.events.call.wait(1_000));
    one.socket.reconnect();
    const waiting = one.events.call.addNote({ text: 'while closed' });
    expect(await cut).toMatchObject({ code: 'network' });
    expect([before, await waiting]).toEqual(['note1', 'note2']);
    await getHost().restart();
    expect(await one.events.call.double({ value: 3 })).toBe(6);
    const content = (await (await ask(room, 'store')).json()) as [
      { notes: Record<string, unknown> },
    ];
    expect(Object.values(content[0].notes)).toEqual([{ text: 'before' }, { text: 'while closed' }]);
  });

  test('[EVENT-7] calls and events work after a sleep of the room', async () => {
    const [one, two] = [open('sleepy', 'one'), open('sleepy', 'two')];
    expect(await one.events.call.double({ value: 1 })).toBe(2);
    expect(await two.events.call.double({ value: 1 })).toBe(2);
    const before = await lifeOf('sleepy');
    await wait(IDLE_MILLISECONDS);
    one.events.send.wave();
    await until('the wave', () => two.heard.length === 2);
    expect(two.heard[1]).toEqual(['waved', { by: 'one' }, 'one']);
    expect(await lifeOf('sleepy')).not.toBe(before);
    expect(await two.events.call.double({ value: 5 })).toBe(10);
  });

  test('[EVENT-7] readers may call, and others neither call nor hear', async () => {
    const room = 'guarded-talk';
    const tokenOf = (name: string): string =>
      makeToken({
        claims: { aud: 'talking', room, sub: name.toLowerCase(), user: { id: name, name } },
      });
    const enter = (name: string): Events<DeclarationsOf<GuardedEventfulRoom>> => {
      const events = createEvents<GuardedEventfulRoom>(
        openSocket('talking', room, name, tokenOf(name)),
      );
      closings.push(() => events.destroy());
      return events;
    };
    const url = `${getHost().origin.replace('http', 'ws')}/parties/talking/${room}`;
    const stranger = new Ear(`${url}?_pk=stranger`);
    stranger.socket.on('open', () => stranger.socket.send('v["whoAmI",null,1,1]'));
    closings.push(() => stranger.socket.terminate());
    const heard: unknown[] = [];
    const reader = enter('Reader');
    reader.addListener('asked', (data, from) => heard.push([data, from]));
    expect(await reader.call.whoAmI()).toBe('Reader');
    expect(await enter('Ada').call.whoAmI()).toBe('Ada');
    await until('both', () => heard.length === 2);
    expect(heard).toEqual([
      ['Reader', 'Reader'],
      ['Ada', 'Ada'],
    ]);
    expect(stranger.heard.filter((frame) => frame.startsWith('v'))).toEqual([]);
    expect(stranger.heard[0]).toContain('e{"code":"unauthorized"');
  });

  test('[EVENT-7] whose id somebody else took meanwhile calls with another one', async () => {
    const room = 'taken-talk';
    const enter = (
      name: string,
    ): { socket: PartySocket; heard: unknown[]; call(): Promise<unknown> } => {
      const claims = { aud: 'talking', room, sub: name, user: { id: name, name } };
      const socket = openSocket('talking', room, 'one', makeToken({ claims }));
      const events = createEvents<GuardedEventfulRoom>(socket);
      closings.push(() => events.destroy());
      const heard: unknown[] = [];
      events.addListener('asked', (...event) => heard.push(event));
      return { socket, heard, call: () => events.call.whoAmI() };
    };
    const squatter = enter('eve');
    expect(await squatter.call()).toBe('eve');
    const victim = enter('ada');
    expect(await failureOf(victim.call())).toMatchObject({ code: 'forbidden' });
    await until('another id', () => victim.socket.id !== 'one');
    expect(await victim.call()).toBe('ada');
    await until('the event', () => squatter.heard.length === 2);
    expect(squatter.heard).toEqual([
      ['eve', 'one'],
      ['ada', victim.socket.id],
    ]);
    expect(squatter.socket.id).toBe('one');
  });

  test('a room without events says nothing to their frames, and goes on', async () => {
    const here = { host: getHost().host, room: 'without-events' };
    const client = await clients.open({ ...here, seed: [{}, { v: 1 }] });
    const ear = new Ear(
      `${getHost().origin.replace('http', 'ws')}/parties/main/without-events?_pk=ear`,
    );
    closings.push(() => ear.socket.terminate());
    await once(ear.socket, 'open');
    for (const frame of ['v["wave"]', 'v["wave",null,1,1]', 'v[]', 'v[']) ear.socket.send(frame);
    const events = createEvents(client.socket, { timeoutMilliseconds: 500 });
    const call = failureOf(events.call('wave'));
    client.store.setValue('v', 2);
    await client.confirmed();
    await until('the edit', () => ear.heard.length > 0);
    expect(ear.heard).toEqual(['s[{},{"v":2},1]']);
    expect(await call).toMatchObject({ code: 'unavailable' });
    expect(client.ignoredErrors).toEqual([]);
    events.destroy();
  });
};
