import type PartySocket from 'partysocket';
import { createStore } from 'tinybase';
import { describe, expect, test, vi } from 'vitest';

import { createEvents } from '../../../src/client/features/events/index.ts';
import { createPresence } from '../../../src/client/features/presence/index.ts';
import { createPartyKitPersister } from '../../../src/client/index.ts';
import { openChannel } from '../../../src/client/platform/channel.ts';
import { encodeRoomMessage } from '../../../src/protocol/codec.ts';
import type { ErrorCode, TinyBasePartyKitError } from '../../../src/protocol/errors.ts';
import { ignoring } from '../../support/ignoring.ts';
import { FakePartySocket, roomOn } from '../fake-party-socket.ts';
import { createEcho } from './echo-feature.ts';

const asPartySocket = (socket: FakePartySocket): PartySocket => socket as unknown as PartySocket;

/** A socket whose room answers `<prefix>x…` with the same frame, beside what else it says. */
function echoing(prefix = ''): FakePartySocket {
  const socket = new FakePartySocket();
  socket.onSend = (frame) => {
    if (frame.startsWith(`${prefix}x`)) queueMicrotask(() => socket.receive(frame));
  };
  return socket;
}

const errorFrame = (prefix: string, code: ErrorCode): string =>
  encodeRoomMessage(prefix, { type: 'error', code, message: 'because' });

interface Heard {
  readonly frames: string[];
  readonly stops: TinyBasePartyKitError[];
  readonly socket: FakePartySocket;
}

function listening(
  prefix: string,
): Heard & { readonly isOpen: () => boolean; readonly close: () => void } {
  const socket = new FakePartySocket();
  const frames: string[] = [];
  const stops: TinyBasePartyKitError[] = [];
  const channel = openChannel(asPartySocket(socket), prefix, 'x', {
    onFrame: (json) => frames.push(json),
    onStopped: (error) => stops.push(error),
  });
  socket.open();
  return { socket, frames, stops, isOpen: () => channel.isOpen(), close: () => channel.close() };
}

describe('a feature on its own channel', () => {
  test('sends and hears frames of its letter, and none of others', async () => {
    const socket = echoing('p/');
    const echo = createEcho(asPartySocket(socket), 'p/');
    socket.open();
    const answer = echo.say('hello');
    for (const frame of ['x"early"', 'p/y"other"', 'p/', 'chat', new ArrayBuffer(1)])
      socket.receive(frame);
    expect(await answer).toBe('hello');
    expect(socket.sent).toEqual(['p/x"hello"']);
  });

  test('[FRAME-3] sends nothing, and queues nothing, while the socket is not open', async () => {
    const socket = echoing();
    const echo = createEcho(asPartySocket(socket));
    await expect(echo.say('too early')).rejects.toThrow('not open');
    socket.open();
    socket.readyState = 2;
    await expect(echo.say('too late')).rejects.toThrow('not open');
    socket.close();
    socket.open();
    expect(socket.sent).toEqual([]);
    expect(await echo.say('now')).toBe('now');
  });

  test('[FRAME-3] sends nothing to the old room once the socket is to lead to another one', () => {
    const { socket, isOpen } = listening('');
    socket.roomUrl = 'wss://host.test/parties/main/other';
    expect(isOpen()).toBe(false);
    socket.close();
    socket.open();
    expect(isOpen()).toBe(true);
  });

  test('[FRAME-3] connects again where the send of a custom WebSocket throws: nothing is lost, and every part can end', async () => {
    const written = vi.spyOn(console, 'error').mockReturnValue(undefined);
    let failures = 0;
    class FailingSocket extends FakePartySocket {
      override send(frame: string): void {
        if (failures-- > 0) throw new Error('The buffer is full.');
        super.send(frame);
      }

      override reconnect(): void {
        this.close();
        queueMicrotask(() => this.open());
      }
    }
    const socket = new FailingSocket();
    const { room, fetch } = roomOn(socket);
    const store = createStore();
    const persister = createPartyKitPersister(store, asPartySocket(socket), { fetch });
    const presence = createPresence(createStore(), asPartySocket(socket), { initial: { x: 1 } });
    const events = createEvents(asPartySocket(socket));
    socket.open();
    await persister.startAutoPersisting([{}, { v: 1 }]);
    await vi.waitFor(() => expect(persister.getSync().phase).toBe('live'));
    failures = 1;
    store.setValue('v', 2);
    events.send('wave' as never);
    await persister.whenConfirmed();
    expect(room.content?.get(null, '', 'v')).toBe(2);
    expect(socket.sent).toContain('v["wave"]');
    failures = 1;
    events.send('again' as never);
    await vi.waitFor(() => expect(socket.sent).toContain('v["again"]'), 3_000);
    // The next connection, too: a part closes it a second after the last one, and sends nothing more on it.
    failures = 1;
    events.send('third' as never);
    events.send('fourth' as never);
    const last = (): readonly string[] => socket.sent.filter((frame) => frame.startsWith('v'));
    await vi.waitFor(() => expect(last().slice(-2)).toEqual(['v["third"]', 'v["fourth"]']), 3_000);
    await vi.waitFor(() => expect(persister.getSync().phase).toBe('live'));
    failures = Infinity;
    store.setValue('v', 3);
    presence.destroy();
    events.destroy();
    await persister.destroy();
    const told = new Set(written.mock.calls.flat().map(String));
    expect(told).toEqual(new Set(['Error: The buffer is full.']));
    written.mockRestore();
  });

  test('[JOIN-12] hears nothing of the old room once the socket is to lead to another one', () => {
    const { socket, frames } = listening('');
    socket.receive('x"1"');
    socket.roomUrl = 'wss://host.test/parties/main/other';
    socket.receive('x"2"');
    expect(frames).toEqual(['"1"']);
  });

  test('is told when the socket closes', async () => {
    const socket = new FakePartySocket();
    const echo = createEcho(asPartySocket(socket));
    socket.open();
    const answer = echo.say('hello');
    socket.close();
    await expect(answer).rejects.toThrow('closed');
  });

  test('hears nothing after it is closed, or taken over by a newer one of the same letter', async () => {
    const socket = echoing();
    const closed = createEcho(asPartySocket(socket));
    closed.close();
    const older = createEcho(asPartySocket(socket));
    socket.open();
    const unanswered = older.say('older');
    const newer = createEcho(asPartySocket(socket));
    await expect(unanswered).rejects.toThrow('Another echo');
    expect(await newer.say('newer')).toBe('newer');
  });
});

describe('an error that ends every attempt', () => {
  test.each<ErrorCode>(['protocol', 'unauthorized', 'forbidden'])(
    '%s stops the socket for good, though a channel alone hears it',
    (code) => {
      const { socket, stops } = listening('p/');
      socket.receive(errorFrame('', code));
      expect(stops).toEqual([]);
      socket.receive(errorFrame('p/', code));
      expect(stops).toMatchObject([{ code, message: 'because' }]);
      expect(socket.closes).toHaveLength(1);
      expect(socket.closes[0]?.[1]).toBe(code);
    },
  );

  // Whether it is the client that was replaced, only the persister knows.
  test.each<ErrorCode>([
    'stale',
    'unavailable',
    'overloaded',
    'malformed',
    'too-large',
    'replaced',
  ])('is not %s', (code) => {
    const { socket, stops } = listening('');
    socket.receive(errorFrame('', code));
    socket.receive('e{"not":"ours"}');
    expect([stops, socket.closes]).toEqual([[], []]);
  });

  test('is not expired: the socket connects again at once, once for all its parts', () => {
    const { socket, stops } = listening('');
    let attempts = 0;
    socket.reconnect = () => {
      attempts += 1;
      socket.readyState = 0;
    };
    openChannel(asPartySocket(socket), '', 'y', { onFrame: () => undefined });
    socket.receive(errorFrame('', 'expired'));
    expect([attempts, stops, socket.closes]).toEqual([1, [], []]);
  });

  test('is not expired twice in a row: the socket is stopped, and no part opens it again', () => {
    vi.useFakeTimers();
    const { socket, stops } = listening('');
    const others: unknown[] = [];
    openChannel(asPartySocket(socket), '', 'y', {
      onFrame: () => undefined,
      onStopped: ({ code }) => others.push(code),
    });
    let attempts = 0;
    socket.reconnect = () => {
      attempts += 1;
      socket.readyState = 0;
    };
    const expireTwice = (): void => {
      for (let time = 0; time < 2; time += 1) {
        socket.open();
        socket.receive(errorFrame('', 'expired'));
      }
    };
    expireTwice();
    expect([attempts, stops.map(({ code }) => code), others]).toEqual([
      1,
      ['unauthorized'],
      ['unauthorized'],
    ]);
    expect(socket.closes).toHaveLength(1);
    // The app begins anew, and has one more attempt.
    vi.advanceTimersByTime(1000);
    expireTwice();
    expect([attempts, others.length]).toEqual([2, 2]);
  });

  test.for([
    ['the last token was good', 1000, 4],
    ['a moment after, it is left to PartySocket, which waits longer each time', 0, 1],
  ] as const)(
    '[GATE-7] is expired again, after the room has spoken to another part: %s',
    ([, pause, most]) => {
      vi.useFakeTimers();
      const { socket, stops } = listening('');
      let attempts = 0;
      socket.reconnect = () => {
        attempts += 1;
        socket.readyState = 0;
      };
      for (let time = 0; time < 4; time += 1) {
        socket.open();
        socket.receive('w{"welcome":"to the persister"}');
        socket.receive(errorFrame('', 'expired'));
        vi.advanceTimersByTime(pause);
      }
      expect([attempts, stops, socket.closes]).toEqual([most, [], []]);
    },
  );

  test.for([
    ['is connected anew a second later', 1, false, 2],
    ['is connected anew a second later, also while it closes', 2, false, 2],
    ['is left alone if it was closed since', 3, 'ended', 1],
    ['is left alone if it was opened anew since', 1, 'opened', 1],
    ['is left alone if no part listens any more', 1, 'closed', 1],
  ] as const)(
    '[GATE-7] a socket that is expired again a moment after it was connected anew, and that the room does not close, %s',
    ([, readyState, since, most]) => {
      vi.useFakeTimers();
      const { socket, close } = listening('');
      let attempts = 0;
      socket.reconnect = () => {
        attempts += 1;
        socket.readyState = 0;
      };
      for (let time = 0; time < 2; time += 1) {
        socket.open();
        socket.receive('w{"welcome":"to the persister"}');
        socket.receive(errorFrame('', 'expired'));
      }
      socket.readyState = readyState;
      if (since === 'closed') close();
      else if (since !== false) socket.close();
      if (since === 'opened') socket.open();
      vi.advanceTimersByTime(999);
      expect(attempts).toBe(1);
      vi.advanceTimersByTime(60_000);
      expect(attempts).toBe(most);
    },
  );

  test('is told once to each part of the socket, whichever hears it, also with another prefix', async () => {
    const socket = new FakePartySocket();
    const { fetch } = roomOn(socket, 'a/');
    vi.stubGlobal('fetch', fetch);
    const errors: unknown[] = [];
    const persister = createPartyKitPersister(
      createStore(),
      asPartySocket(socket),
      { messagePrefix: 'a/' },
      (error) => errors.push(error),
    );
    const stops: TinyBasePartyKitError[] = [];
    for (const [prefix, letter] of [
      ['a/', 'x'],
      ['b/', 'x'],
      ['b/', 'y'],
    ] as const) {
      openChannel(asPartySocket(socket), prefix, letter, {
        onFrame: () => undefined,
        onStopped: (error) => stops.push(error),
      });
    }
    void persister.startAutoPersisting();
    socket.open();
    socket.receive(errorFrame('b/', 'protocol'));
    expect(persister.getSync()).toMatchObject({ phase: 'stopped', code: 'protocol' });
    expect(stops.map(({ code }) => code)).toEqual(['protocol', 'protocol', 'protocol']);
    expect(socket.closes).toHaveLength(1);
    expect(errors).toMatchObject([{ code: 'protocol' }]);
    vi.unstubAllGlobals();
  });

  test('is told to the channels where the persister hears it', async () => {
    const socket = new FakePartySocket();
    const { fetch } = roomOn(socket);
    vi.stubGlobal('fetch', fetch);
    const persister = createPartyKitPersister(
      createStore(),
      asPartySocket(socket),
      {},
      ignoring('forbidden'),
    );
    const stops: TinyBasePartyKitError[] = [];
    openChannel(asPartySocket(socket), 'b/', 'x', {
      onFrame: () => undefined,
      onStopped: (error) => stops.push(error),
    });
    void persister.startAutoLoad();
    socket.open();
    socket.receive(errorFrame('', 'forbidden'));
    expect(stops).toMatchObject([{ code: 'forbidden' }]);
    expect(persister.getSync().phase).toBe('stopped');
    vi.unstubAllGlobals();
  });
});
