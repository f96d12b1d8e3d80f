import { PartySocket } from 'partysocket';
import { createStore } from 'tinybase';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { createPartyKitPersister, type PartyKitPersister } from '../../../src/client/index.ts';

/** A WebSocket of which the test says if it opens. */
class ManualWebSocket extends EventTarget {
  static readonly made: ManualWebSocket[] = [];
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readyState = 0;
  binaryType = 'blob';

  constructor() {
    super();
    ManualWebSocket.made.push(this);
  }

  static get last(): ManualWebSocket | undefined {
    return ManualWebSocket.made.at(-1);
  }

  send(): void {}

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

function connect(): Connected {
  const socket = new PartySocket({
    host: 'host.test',
    room: 'room',
    WebSocket: ManualWebSocket,
    minReconnectionDelay: 10,
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
