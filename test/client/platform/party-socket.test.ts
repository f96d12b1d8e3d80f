import { PartySocket, type PartySocketOptions } from 'partysocket';
import { createStore } from 'tinybase';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { createPartyKitPersister, type PartyKitPersister } from '../../../src/client/index.ts';
import { hasGivenUp } from '../../../src/client/platform/socket-closing.ts';

/** A WebSocket of which the test says if it opens. */
class ManualWebSocket extends EventTarget {
  static readonly made: ManualWebSocket[] = [];
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readyState = 0;
  binaryType = 'blob';
  readonly url: string;
  readonly sent: string[] = [];

  constructor(url: string) {
    super();
    this.url = new URL(url).href;
    ManualWebSocket.made.push(this);
  }

  static get last(): ManualWebSocket | undefined {
    return ManualWebSocket.made.at(-1);
  }

  send(frame: string): void {
    this.sent.push(frame);
  }

  close(): void {
    this.readyState = 3;
  }

  open(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }

  /** As a browser tells of a socket that could not be opened. */
  fail(): void {
    this.readyState = 3;
    this.dispatchEvent(new Event('error'));
    this.closeWith(1006);
  }

  /** As `ws` tells of it in Node: the socket is still closing. */
  failInNode(): void {
    this.readyState = 2;
    this.dispatchEvent(new Event('error'));
    this.closeWith(1006);
  }

  closeWith(code: number): void {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason: '' }));
  }
}

interface Connected {
  readonly socket: PartySocket;
  readonly persister: PartyKitPersister;
  readonly errors: unknown[];
}

function connect(options: Partial<PartySocketOptions> = {}): Connected {
  const socket = new PartySocket({
    host: 'host.test',
    room: 'room',
    WebSocket: ManualWebSocket,
    minReconnectionDelay: 10,
    ...options,
  });
  const errors: unknown[] = [];
  const persister = createPartyKitPersister(
    createStore(),
    socket,
    { fetch: async () => new Response('{"cursor":["e",1],"content":[{},{}]}') },
    (error: unknown) => errors.push(error),
  );
  return { socket, persister, errors };
}

/** Lets time pass until the socket has another connection under way. */
const nextAttempt = (): Promise<unknown> => vi.advanceTimersByTimeAsync(50);

describe('an app that closes or reconnects its PartySocket', () => {
  let connected: Connected;

  beforeEach(async () => {
    vi.useFakeTimers();
    connected = connect();
    void connected.persister.startAutoPersisting();
    await nextAttempt();
  });

  afterEach(async () => {
    connected.socket.close();
    void connected.persister.destroy();
    await vi.runAllTimersAsync();
    vi.useRealTimers();
    ManualWebSocket.made.length = 0;
  });

  test('is told nothing, however often it calls reconnect() before the socket opens', async () => {
    const { socket, errors } = connected;
    for (let time = 0; time < 10; time++) {
      socket.reconnect();
      await nextAttempt();
    }
    expect(ManualWebSocket.made.length).toBeGreaterThan(10);
    expect(errors).toEqual([]);
  });

  test('is told nothing where it calls reconnect() on open sockets, with a code of its own', async () => {
    const { socket, errors } = connected;
    for (let time = 0; time < 10; time++) {
      ManualWebSocket.last?.open();
      socket.reconnect(4000, 'the user has changed');
      await nextAttempt();
    }
    expect(errors).toEqual([]);
  });

  test.each(['other', 'room 2', 'roo'])(
    '[JOIN-12] that points it at the room %j while it connects says nothing in the room that it then reaches',
    async (room) => {
      const { socket } = connected;
      const first = ManualWebSocket.last;
      socket.updateProperties({ room });
      first?.open();
      await nextAttempt();
      expect(first?.sent).toEqual([]);
      for (let time = 0; time < 10; time++) {
        const { last } = ManualWebSocket;
        if (last?.readyState === 0) last.open();
        await nextAttempt();
      }
      expect(ManualWebSocket.made.length).toBeLessThanOrEqual(3);
      expect(ManualWebSocket.last?.url).toContain(`/${encodeURIComponent(room)}?`);
      expect(ManualWebSocket.last?.sent[0]).toMatch(/^h/);
    },
  );

  test.each(['HOST.test', 'host.test'])(
    '[JOIN-12] that creates a persister between updateProperties and reconnect(), on %s, has it begin in the new room alone',
    async (host) => {
      const socket = new PartySocket({ host, room: 'old room ', WebSocket: ManualWebSocket });
      await nextAttempt();
      const old = ManualWebSocket.last;
      old?.open();
      const config = { fetch: async () => new Response('{"cursor":["e",1],"content":[{},{}]}') };
      const first = createPartyKitPersister(createStore(), socket, config);
      void first.startAutoPersisting();
      await nextAttempt();
      expect(old?.sent[0]).toMatch(/^h/);
      void first.destroy();
      await nextAttempt();
      const sent = old?.sent.length;
      socket.updateProperties({ room: 'new' });
      const persister = createPartyKitPersister(createStore(), socket, config);
      void persister.startAutoPersisting();
      await nextAttempt();
      expect(old?.sent).toHaveLength(sent ?? NaN);
      socket.reconnect();
      await nextAttempt();
      ManualWebSocket.last?.open();
      await nextAttempt();
      expect(ManualWebSocket.last?.url).toContain('/new?');
      expect(ManualWebSocket.last?.sent[0]).toMatch(/^h/);
      void persister.destroy();
      socket.close();
    },
  );

  test('is told nothing where it calls close() and reconnect() in turn', async () => {
    const { socket, errors } = connected;
    for (let time = 0; time < 10; time++) {
      if (time % 2 === 1) ManualWebSocket.last?.open();
      socket.close(4000, 'hidden');
      socket.reconnect();
      await nextAttempt();
    }
    expect(errors).toEqual([]);
  });

  test('is told after 10 seconds that it has closed the socket', async () => {
    const { socket, errors } = connected;
    socket.close();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(errors).toHaveLength(1);
    expect(String(errors[0])).toContain('the app called close() on it');
  });

  test('is told after 10 seconds of a socket that does not open, also if it calls reconnect() all the time', async () => {
    const { socket, errors } = connected;
    for (let time = 0; time < 220; time++) {
      socket.reconnect();
      await nextAttempt();
    }
    expect(errors).toHaveLength(1);
    expect(String(errors[0])).toContain('does not open');
  });

  test('is still told of failures in a row: these are not its own', async () => {
    const { errors } = connected;
    for (let time = 0; time < 4; time++) {
      ManualWebSocket.last?.fail();
      await nextAttempt();
    }
    expect(errors).toHaveLength(1);
    expect(String(errors[0])).toContain('does not open');
  });

  test('is still told of a close of the server, with its code', async () => {
    const { errors } = connected;
    ManualWebSocket.last?.open();
    ManualWebSocket.last?.closeWith(4001);
    expect(String(errors[0])).toContain('4001');
  });
});

describe('a PartySocket that tries no more by itself', () => {
  let connected: Connected;
  const begin = async (options: Partial<PartySocketOptions>): Promise<Connected> => {
    connected = connect(options);
    void connected.persister.startAutoPersisting();
    await nextAttempt();
    return connected;
  };

  beforeEach(() => void vi.useFakeTimers());

  afterEach(async () => {
    connected.socket.close();
    void connected.persister.destroy();
    await vi.runAllTimersAsync();
    vi.useRealTimers();
    ManualWebSocket.made.length = 0;
  });

  test('since its query never answers is told to look at that', async () => {
    const { errors } = await begin({ query: () => new Promise(() => undefined) });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(ManualWebSocket.made).toEqual([]);
    expect(errors.map(String)).toEqual([expect.stringContaining('Does its query answer?')]);
  });

  test.each([1000, 1001, 1006, 4001, 4503])(
    'since maxRetries is 0 is told at once, once, with the code %i',
    async (code) => {
      const { errors, persister } = await begin({ maxRetries: 0 });
      ManualWebSocket.last?.open();
      ManualWebSocket.last?.closeWith(code);
      expect(errors).toHaveLength(1);
      expect(String(errors[0])).toContain(`is closed for good, with the code ${code}`);
      expect(persister.getSync()).toMatchObject({ phase: 'connecting', error: errors[0] });
      await vi.advanceTimersByTimeAsync(60_000);
      expect(errors).toHaveLength(1);
      expect(ManualWebSocket.made).toHaveLength(1);
    },
  );

  test('since shouldReconnectOnClose said no is told so, and not that the app has closed it', async () => {
    const { errors } = await begin({ shouldReconnectOnClose: ({ code }) => code !== 4001 });
    ManualWebSocket.last?.open();
    ManualWebSocket.last?.closeWith(1001);
    await nextAttempt();
    expect(errors).toEqual([]);
    ManualWebSocket.last?.open();
    ManualWebSocket.last?.closeWith(4001);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(errors).toHaveLength(1);
    expect(String(errors[0])).toContain('closed for good, with the code 4001');
  });

  test('since the last of its maxRetries has failed is told so then, and begins anew with reconnect()', async () => {
    const { errors, socket } = await begin({ maxRetries: 4 });
    for (let time = 0; time < 5; time++) {
      expect(errors.filter((error) => String(error).includes('for good'))).toEqual([]);
      ManualWebSocket.last?.fail();
      await nextAttempt();
    }
    expect(errors.map(String)).toEqual([
      expect.stringContaining('does not open'),
      expect.stringContaining('closed for good'),
    ]);
    expect(ManualWebSocket.made).toHaveLength(5);
    socket.reconnect();
    await nextAttempt();
    expect(ManualWebSocket.made).toHaveLength(6);
    ManualWebSocket.last?.fail();
    await vi.advanceTimersByTimeAsync(9000);
    expect(errors).toHaveLength(2);
  });

  test.each(['fail', 'failInNode'] as const)(
    'is told so if it has not opened at all (%s)',
    async (fail) => {
      const { errors } = await begin({ maxRetries: 0 });
      ManualWebSocket.last?.[fail]();
      expect(String(errors[0])).toContain('closed for good');
      await vi.advanceTimersByTimeAsync(60_000);
      expect(errors).toHaveLength(1);
    },
  );

  test.each(['_connectLock', '_closeCalled'])(
    'is not what is told of a PartySocket that has another name for %s',
    async (name) => {
      const { socket } = await begin({ maxRetries: 0 });
      const another = new Proxy(socket, {
        get: (target, key): unknown => (key === name ? undefined : Reflect.get(target, key)),
      });
      ManualWebSocket.last?.fail();
      expect([hasGivenUp(socket), hasGivenUp(another)]).toEqual([true, false]);
    },
  );

  test('is not what a socket is that the app has opened anew', async () => {
    const { errors, socket } = await begin({ maxRetries: 0 });
    for (let time = 0; time < 3; time++) {
      ManualWebSocket.last?.open();
      socket.reconnect();
      await nextAttempt();
    }
    expect(errors).toEqual([]);
  });
});
