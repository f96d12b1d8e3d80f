import { atom } from '@tldraw/state';
import { Store } from '@tldraw/store';
import { JsonChunkAssembler, TLSyncClient, type TLPersistentClientSocket } from '@tldraw/sync-core';
import { WebSocket } from 'ws';

import { CELLS_A_ROW, contentOf } from '../support/content.ts';
import { until as poll } from '../../test/support/until.ts';
import { until, type Cell, type Contender, type RaceClient } from '../race/contender.ts';
import { NodeProcess } from './node-process.ts';
import { rowType, schema, type RowRecord } from './tldraw-schema.ts';

const POLL = { intervalMilliseconds: 1 };
const FRAME_MILLISECONDS = 1000 / 60;

globalThis.requestAnimationFrame ??= (callback) =>
  Number(setTimeout(() => callback(performance.now()), FRAME_MILLISECONDS));
globalThis.cancelAnimationFrame ??= (handle) => clearTimeout(handle);

type Port = TLPersistentClientSocket<object, object>;

/** Its own socket adapter needs a browser: this one does the same, but splits no message. Its server takes any length. */
class Socket implements Port {
  readonly #url: string;
  readonly #messages = new Set<(message: object) => void>();
  readonly #statuses = new Set<Parameters<Port['onStatusChange']>[0]>();
  #socket: WebSocket | undefined;
  connectionStatus: 'online' | 'offline' | 'error' = 'offline';

  constructor(url: string) {
    this.#url = url;
  }

  connect(): void {
    const socket = new WebSocket(`${this.#url}?session=${Math.random()}`);
    const assembler = new JsonChunkAssembler();
    this.#socket = socket;
    socket.on('open', () => this.#become('online'));
    socket.on('message', (data) => {
      const result = assembler.handleMessage(String(data));
      if (result === null) return;
      if ('error' in result) throw result.error;
      for (const callback of this.#messages) callback(result.data);
    });
    socket.on('close', () => {
      if (this.#socket === socket) this.#become('offline');
    });
  }

  #become(status: 'online' | 'offline'): void {
    this.connectionStatus = status;
    for (const callback of this.#statuses) callback({ status });
  }

  sendMessage(message: object): void {
    this.#socket?.send(JSON.stringify(message));
  }

  onReceiveMessage: Port['onReceiveMessage'] = (callback) => {
    this.#messages.add(callback);
    return () => this.#messages.delete(callback);
  };

  onStatusChange: Port['onStatusChange'] = (callback) => {
    this.#statuses.add(callback);
    return () => this.#statuses.delete(callback);
  };

  restart(): void {
    this.close();
    this.connect();
  }

  close(): void {
    this.#socket?.close();
  }
}

/** tldraw's sync-core, with rows as documents. */
export function tldraw(): Contender {
  const server = new NodeProcess('tldraw-server');
  const open = (room: string): RaceClient => {
    const store = new Store<RowRecord>({ schema, props: {} });
    let onChange = (): void => undefined;
    store.sideEffects.registerOperationCompleteHandler(() => onChange());
    const socket = new Socket(`${server.process.origin.replace('http', 'ws')}/${room}`);
    let error: string | undefined;
    let isConnected = false;
    const client = new TLSyncClient<RowRecord>({
      store,
      socket,
      presence: atom('presence', null),
      onLoad: () => onChange(),
      onAfterConnect: () => {
        isConnected = true;
      },
      onSyncError: (reason) => {
        error = reason;
      },
    });
    socket.connect();
    const idOf = (row: string): RowRecord['id'] => rowType.createId(row);
    const put = (row: string, cells: Readonly<Record<string, Cell>>): void => {
      store.put([rowType.create({ id: idOf(row), cells })]);
    };
    return {
      set: (row, cell, value) => {
        const id = idOf(row);
        if (store.has(id))
          store.update(id, (record) => ({ ...record, cells: { ...record.cells, [cell]: value } }));
        else put(row, { [cell]: value });
      },
      get: (row, cell) => store.get(idOf(row))?.cells[cell],
      rowCount: () => store.query.ids('row').get().size,
      onChange: (callback) => {
        onChange = callback;
      },
      connected: async () => {
        await poll(`a client to be connected (${error ?? 'no error'})`, () => isConnected, POLL);
      },
      leave: async () => {
        isConnected = false;
        socket.close();
        await poll('a client to leave', () => socket.connectionStatus === 'offline', POLL);
      },
      comeBack: () => socket.connect(),
      close: () => {
        client.close();
        socket.close();
        return Promise.resolve();
      },
    };
  };
  return {
    name: 'tldraw',
    note: '`@tldraw/sync-core` 5.1.1 in Node, in memory, a document for each row; clients send 30 times a second at most',
    start: () => server.start(),
    stop: () => server.stop(),
    memory: () => server.process.memory(),
    create: async (room, cells) => {
      const client = open(room);
      await client.connected();
      const rows = contentOf(cells)[0]['rows'] ?? {};
      for (const [row, content] of Object.entries(rows))
        for (const [cell, value] of Object.entries(content)) client.set(row, cell, value as Cell);
      // It has no answer to wait for: the room has it when another client shows it.
      const other = open(room);
      await until(other, () => other.rowCount() === cells / CELLS_A_ROW, 'the content');
      await other.close();
      return client;
    },
    join: async (room, cells) => {
      const client = open(room);
      await until(client, () => client.rowCount() === cells / CELLS_A_ROW, 'the content');
      return client;
    },
  };
}
