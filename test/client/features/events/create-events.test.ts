import { PartySocket } from 'partysocket';
import { createStore } from 'tinybase';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { createEvents } from '../../../../src/client/features/events/index.ts';
import { createPartyKitPersister } from '../../../../src/client/index.ts';
import { decodeContent } from '../../../../src/protocol/codec.ts';
import { TinyBasePartyKitError } from '../../../../src/protocol/errors.ts';
import { ignoring } from '../../../support/ignoring.ts';
import { until } from '../../../support/until.ts';
import { FakePartySocket, roomOn } from '../../fake-party-socket.ts';

const asPartySocket = (socket: FakePartySocket): PartySocket => socket as unknown as PartySocket;
type Options = Parameters<typeof createEvents>[1];

const open = (options?: Options): { socket: FakePartySocket; events: AnyEvents } => {
  const socket = new FakePartySocket();
  const events = createEvents(asPartySocket(socket), options) as unknown as AnyEvents;
  socket.open();
  return { socket, events };
};

/** Events whose types do not matter. */
interface AnyEvents {
  readonly call: ((name: string, input?: unknown) => Promise<unknown>) &
    Record<string, (input?: unknown) => Promise<unknown>>;
  readonly send: ((name: string, input?: unknown) => void) &
    Record<string, (input?: unknown) => void>;
  addListener(name: string, listener: (data: unknown, from?: string) => void): string;
  delListener(id: string): void;
  destroy(): void;
}

/** The code of the error that a promise rejects with. */
const codeOf = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    return ['resolved', await promise];
  } catch (error) {
    return Reflect.get(error as object, 'code');
  }
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('calls in both forms, and gives each call its own result', async () => {
  const { socket, events } = open();
  const one = events.call('add', { text: 'a' });
  const two = events.call['add']?.({ text: 'b' });
  const three = events.call['wave']?.();
  expect(socket.sent).toEqual([
    'v["add",{"text":"a"},1]',
    'v["add",{"text":"b"},2]',
    'v["wave",null,3,1]',
  ]);
  socket.receive('v[2,"second"]');
  socket.receive('v[1,{"first":true}]');
  socket.receive('v[3]');
  expect(await one).toEqual({ first: true });
  expect(await two).toBe('second');
  expect(await three).toBeUndefined();
});

test('sends in both forms, with the prefix, and no number', () => {
  const { socket, events } = open({ messagePrefix: 'p:' });
  events.send('wave');
  events.send['move']?.({ x: 1 });
  expect(socket.sent).toEqual(['p:v["wave"]', 'p:v["move",{"x":1}]']);
});

test('[EVENT-3] a failed call rejects with the room’s error', async () => {
  const { socket, events } = open();
  const call = events.call('add', 1);
  socket.receive('v[1,null,{"code":"malformed","message":"look at text"}]');
  await expect(call).rejects.toMatchObject({
    name: 'TinyBasePartyKitError',
    code: 'malformed',
    message: 'look at text',
  });
});

test.each<readonly unknown[]>([
  [],
  [1],
  [{ type: 'click' }],
  [Symbol('wave')],
  [Object.create(null)],
])('[EVENT-4] a call without a name ends at once: %j', async (...given) => {
  const onIgnoredError = vi.fn();
  const { socket, events } = open({ onIgnoredError });
  const { call, send } = events as unknown as Record<
    'call' | 'send',
    (...all: unknown[]) => Promise<unknown>
  >;
  await expect(call(...given)).rejects.toMatchObject({
    code: 'misuse',
    message: expect.stringContaining('name a procedure') as unknown,
  });
  void send(...given);
  await Promise.resolve();
  expect(onIgnoredError.mock.calls).toMatchObject([[{ code: 'misuse' }]]);
  expect(socket.sent).toEqual([]);
  events.destroy();
});

test('[EVENT-3] an input that is not JSON is malformed, and nothing is sent', async () => {
  const { socket, events } = open();
  for (const input of [1n, () => 1, Promise.resolve(1)])
    expect(await codeOf(events.call('add', input))).toBe('malformed');
  expect(socket.sent).toEqual([]);
});

test('[EVENT-4] nobody takes the calls for a promise', async () => {
  const { socket, events } = open();
  expect(await (events.call as unknown)).toBe(events.call);
  expect(await (events.send as unknown)).toBe(events.send);
  expect(await (events as unknown)).toBe(events);
  expect(socket.sent).toEqual([]);
});

test('[EVENT-5] calls that are made while the socket is closed wait, are sent once and in order', async () => {
  const socket = new FakePartySocket();
  const events = createEvents(asPartySocket(socket)) as unknown as AnyEvents;
  const one = events.call('one');
  events.send('two');
  const input = { text: 'now' };
  void codeOf(events.call('three', input));
  input.text = 'later';
  expect(socket.sent).toEqual([]);
  socket.open();
  const sent = ['v["one",null,1,1]', 'v["two"]', 'v["three",{"text":"now"},3]'];
  expect(socket.sent).toEqual(sent);
  socket.receive('v[1,1]');
  expect(await one).toBe(1);
  socket.closeByServer(1006);
  socket.open();
  expect(socket.sent).toEqual(sent);
  events.destroy();
});

test('[EVENT-5] a call whose socket closes before the answer rejects with network, and is not sent again', async () => {
  const { socket, events } = open();
  const sent = events.call('one');
  socket.closeByServer(1006);
  const waiting = events.call('two');
  expect(await codeOf(sent)).toBe('network');
  socket.open();
  socket.receive('v[1,"late"]');
  socket.receive('v[2,"answer"]');
  expect(await waiting).toBe('answer');
  expect(socket.sent).toEqual(['v["one",null,1,1]', 'v["two",null,2,1]']);
});

test('[EVENT-5] a call without an answer is unavailable after 10 s, sent or not', async () => {
  const { socket, events } = open({ onIgnoredError: (error) => errors.push(error) });
  const errors: unknown[] = [];
  const sent = codeOf(events.call('one'));
  vi.advanceTimersByTime(5_000);
  socket.closeByServer(1006);
  expect(await sent).toBe('network');
  const queued = events.call('two').catch((error: unknown) => error);
  events.send('three');
  vi.advanceTimersByTime(10_000);
  expect(await queued).toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('"two" failed: it was not sent') as string,
  });
  await Promise.resolve();
  expect(errors).toMatchObject([{ code: 'unavailable' }]);
  socket.open();
  expect(socket.sent).toEqual(['v["one",null,1,1]']);
  const silent = events.call('four').catch((error: unknown) => error);
  vi.advanceTimersByTime(9_999);
  socket.receive('v[99,"of somebody else"]');
  vi.advanceTimersByTime(1);
  expect(await silent).toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/may have run it, or not\..* no createEvents/) as string,
  });
  socket.receive('v[4,"late"]');
});

test('[EVENT-5] the time is an option', async () => {
  const { events } = open({ timeoutMilliseconds: 50 });
  const call = codeOf(events.call('one'));
  vi.advanceTimersByTime(50);
  expect(await call).toBe('unavailable');
});

test('[EVENT-5] a call is never sent to another room than the one that it was made for', async () => {
  const { socket, events } = open();
  socket.closeByServer(1006);
  const waiting = codeOf(events.call('pay'));
  socket.roomUrl = 'wss://host.test/parties/main/another';
  socket.open();
  expect(await waiting).toBe('network');
  expect(socket.sent).toEqual([]);
});

test('[EVENT-5] an error that ends every attempt ends the calls that wait', async () => {
  const { socket, events } = open({ onIgnoredError: ignoring('forbidden') });
  const sent = codeOf(events.call('one'));
  socket.receive('e{"code":"forbidden","message":"You were evicted."}');
  expect(await sent).toBe('network');
  const other = new FakePartySocket();
  const waiting = createEvents(asPartySocket(other), {
    onIgnoredError: ignoring('unauthorized'),
  }) as unknown as AnyEvents;
  const later = codeOf(waiting.call('two'));
  other.receive('e{"code":"unauthorized","message":"There is no token."}');
  expect(await later).toBe('unauthorized');
});

test('[GATE-4] why the room refuses the connection is told, once until something else comes, also without a call', async () => {
  const errors: unknown[] = [];
  const { socket } = open({ onIgnoredError: (error) => errors.push(error) });
  const full = 'e{"code":"full","message":"The room is full."}';
  socket.receive(full);
  socket.closeByServer(4420);
  socket.open();
  socket.receive(full);
  await Promise.resolve();
  expect(errors).toMatchObject([{ code: 'full', message: 'The room is full.' }]);
  socket.open();
  socket.receive('v["waved"]');
  socket.receive(full);
  await Promise.resolve();
  expect(errors).toMatchObject([{ code: 'full' }, { code: 'full' }]);
  expect(socket.closes).toEqual([]);
  socket.receive('e{"code":"forbidden","message":"You were evicted."}');
  await Promise.resolve();
  expect(errors.slice(2)).toMatchObject([{ code: 'forbidden' }]);
});

test('[EVENT-5] so many calls wait and no more', async () => {
  const { socket, events } = open();
  const calls = Array.from({ length: 1_000 }, () => codeOf(events.call('one')));
  expect(await codeOf(events.call('one'))).toBe('overloaded');
  socket.receive('v[1,"first"]');
  expect(await calls[0]).toEqual(['resolved', 'first']);
  const next = codeOf(events.call('one'));
  events.destroy();
  expect(await next).toBe('destroyed');
});

test('[EVENT-7] tells listeners the data and whose call it was, in the order of their making', async () => {
  const { socket, events } = open();
  const heard: unknown[] = [];
  events.addListener('waved', (data, from) => heard.push(['one', data, from]));
  const second = events.addListener('waved', (data, from) => heard.push(['two', data, from]));
  events.addListener('closed', (...all) => heard.push(['three', ...all]));
  socket.receive('v["waved",{"by":"Ada"},"ada"]');
  socket.receive('v["closed"]');
  await Promise.resolve();
  events.delListener(second);
  events.delListener('unknown');
  for (const frame of ['v["waved",1]', 'v["other",1]', 'v', 'v{', 'v[[]]', 'vote', 'x[1]'])
    socket.receive(frame);
  socket.receive('v["__proto__",1]');
  await Promise.resolve();
  expect(heard).toEqual([
    ['one', { by: 'Ada' }, 'ada'],
    ['two', { by: 'Ada' }, 'ada'],
    ['three', undefined, undefined],
    ['one', 1, undefined],
  ]);
});

test('[EVENT-7] a socket whose id somebody else uses gets another one, in the same room', async () => {
  class Socket extends EventTarget {
    static readonly OPEN = 1;
    readonly readyState = 0;
    close(): void {}
    send(): void {}
  }
  const socket = new PartySocket({
    host: 'host.test',
    room: 'room',
    path: 'inner',
    id: 'ada',
    WebSocket: Socket,
  });
  socket.updateProperties({ room: 'another', party: 'chat', path: 'inner' });
  const { roomUrl } = socket;
  const onIgnoredError = vi.fn();
  const events = createEvents(socket, { onIgnoredError });
  const reopen = (): boolean => socket.dispatchEvent(new Event('open'));
  const refuse = (): void => {
    const data = 'v[0,null,{"code":"forbidden","message":"Somebody else uses it."}]';
    socket.dispatchEvent(new MessageEvent('message', { data }));
  };
  reopen();
  refuse();
  await vi.advanceTimersByTimeAsync(900);
  // Presence, for example, was told the same, and was faster.
  socket.dispatchEvent(new Event('close'));
  reopen();
  await vi.advanceTimersByTimeAsync(900);
  expect(socket.id).toBe('ada');
  refuse();
  await vi.advanceTimersByTimeAsync(999);
  refuse();
  expect(socket.id).toBe('ada');
  await vi.advanceTimersByTimeAsync(1);
  expect(socket.id).toMatch(/^[\w-]{20,}$/);
  expect(socket.roomUrl).toBe(roomUrl);
  expect(roomUrl).toBe('wss://host.test/parties/chat/another/inner');
  expect(onIgnoredError.mock.calls).toMatchObject([
    [{ code: 'forbidden' }],
    [{ code: 'forbidden' }],
  ]);
  reopen();
  refuse();
  socket.close();
  await vi.advanceTimersByTimeAsync(0);
  const timers = vi.getTimerCount();
  events.destroy();
  expect(vi.getTimerCount()).toBe(timers - 1);
  vi.clearAllTimers();
});

test('[EVENT-7] events that are destroyed in the same turn as they hear that their id is used leave the socket alone', async () => {
  const errors: unknown[] = [];
  const { socket, events } = open({ onIgnoredError: (error) => errors.push(error) });
  socket.receive('v[0,null,{"code":"forbidden","message":"Somebody else uses it."}]');
  events.destroy();
  await vi.advanceTimersByTimeAsync(0);
  expect([errors, vi.getTimerCount()]).toEqual([[], 0]);
});

test('[EVENT-7] a client that only listens tells now and then that it reads', () => {
  const { socket } = open();
  const frame = `v["said","${'x'.repeat(100_000)}"]`;
  for (let count = 0; count < 6; count += 1) socket.receive(frame);
  expect(socket.sent).toEqual(['v[]', 'v[]']);
});

test('a listener that throws or rejects keeps nobody from anything, and one that removes another is obeyed', async () => {
  const errors: unknown[] = [];
  const { socket, events } = open({ onIgnoredError: (error) => errors.push(error) });
  const heard: unknown[] = [];
  events.addListener('waved', () => {
    events.delListener(second);
    throw new Error('the app');
  });
  const second = events.addListener('waved', () => heard.push('two'));
  const rejecting = (async () => {
    await Promise.resolve();
    throw new Error('the app, later');
  }) as unknown as () => void;
  events.addListener('waved', rejecting);
  events.addListener('waved', () => heard.push('three'));
  socket.receive('v["waved"]');
  await vi.advanceTimersByTimeAsync(0);
  expect(heard).toEqual(['three']);
  expect(errors).toMatchObject([{ message: 'the app' }, { message: 'the app, later' }]);
});

test('what onIgnoredError throws is written to the console', async () => {
  const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const { socket, events } = open({
    onIgnoredError: () => {
      throw new Error('the app');
    },
  });
  events.addListener('waved', () => {
    throw new Error('a listener');
  });
  socket.receive('v["waved"]');
  await vi.advanceTimersByTimeAsync(0);
  expect(written.mock.calls).toMatchObject([[{ message: 'the app' }]]);
  written.mockRestore();
});

test('[EVENT-2] who hears an event has the commits before it, also if they share a frame and the persister is younger', async () => {
  const socket = new FakePartySocket();
  const events = createEvents(asPartySocket(socket)) as unknown as AnyEvents;
  const store = createStore();
  const seen: unknown[] = [];
  events.addListener('wasSet', () => seen.push(store.getValue('v')));
  const { room, fetch } = roomOn(socket);
  room.seed(decodeContent('[{},{"v":0}]') as never);
  const persister = createPartyKitPersister(store, asPartySocket(socket), { fetch });
  socket.open();
  vi.useRealTimers();
  await persister.startAutoLoad();
  await until('the persister to be live', () => persister.getSync().phase === 'live');
  const call = events.call('read').then(() => seen.push(store.getValue('v')));
  const { version } = room.cursor;
  socket.receive(
    `c[${version + 1},[{},{"v":1}]]\nv["wasSet"]\nv[1]\nc[${version + 2},[{},{"v":2}]]`,
  );
  await call;
  expect(seen).toEqual([2, 2]);
  await persister.destroy();
  vi.useFakeTimers();
});

test('after destroy, nothing is called, sent or heard', async () => {
  const { socket, events } = open({ onIgnoredError: ignoring('destroyed') });
  const heard: unknown[] = [];
  events.addListener('waved', () => heard.push(1));
  const waiting = codeOf(events.call('one'));
  events.destroy();
  expect(await waiting).toBe('destroyed');
  expect(await codeOf(events.call('two'))).toBe('destroyed');
  events.send('three');
  socket.receive('v["waved"]');
  socket.reconnect();
  expect(heard).toEqual([]);
  expect(socket.sent).toEqual(['v["one",null,1,1]']);
});

test('newer events on the same socket replace older ones, those of another prefix do not', async () => {
  const errors: unknown[] = [];
  const { socket, events } = open({ onIgnoredError: (error) => errors.push(error) });
  const waiting = codeOf(events.call('one'));
  createEvents(asPartySocket(socket), { messagePrefix: 'other' }).destroy();
  expect(errors).toEqual([]);
  const newer = createEvents(asPartySocket(socket));
  expect(await waiting).toBe('replaced');
  expect(errors).toMatchObject([{ code: 'replaced' }]);
  expect(await codeOf(events.call('two'))).toBe('replaced');
  newer.destroy();
});

test.each([undefined, createStore(), { host: 'localhost:1999', room: 'r' }, new EventTarget()])(
  'a missing PartySocket is told in a sentence: %#',
  (socket) => {
    const create = (): unknown => createEvents(socket as unknown as PartySocket);
    expect(create).toThrow(TinyBasePartyKitError);
    expect(create).toThrow('createEvents got no PartySocket as its first parameter.');
  },
);
