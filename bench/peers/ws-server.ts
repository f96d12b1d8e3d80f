import { setTimeout as wait } from 'node:timers/promises';

import { createMergeableStore, type MergeableStore } from 'tinybase/mergeable-store';
import { createWsSynchronizer } from 'tinybase/synchronizers/synchronizer-ws-client';
import { WebSocket } from 'ws';

import { CELLS_A_ROW, contentOf } from '../support/content.ts';
import { until, type Contender, type RaceClient } from '../race/contender.ts';
import { storeClient } from '../race/contenders/store-client.ts';
import { NodeProcess } from './node-process.ts';
import { WorkerProcess } from './worker-process.ts';

/** Not 1, the default: it gives up for ever what takes longer. A new room waits for as long before its first client gives it content. */
const REQUEST_TIMEOUT_SECONDS = 5;

/** The time in which a client waits for the content, before another one tries. */
const PULL_MILLISECONDS = 1000;

interface Connection {
  readonly started: Promise<void>;
  readonly end: () => Promise<void>;
}

/** TinyBase's MergeableStore over its WsServer, in Node. */
export function wsServer(): Contender {
  return synchronizing({
    name: 'wsserver',
    note: "TinyBase's MergeableStore and WsServer in Node, in memory",
    server: new NodeProcess('ws-server'),
  });
}

/** The same over its Durable Object, on SQLite. */
export function wsServerObject(): Contender {
  return synchronizing({
    name: 'ws-object',
    note: "TinyBase's MergeableStore and WsServerDurableObject with its DurableObjectStoragePersister, in workerd; it stores after it has shown",
    server: new WorkerProcess('bench/peers/workers/ws-server-object.ts', [
      'synchronizing=Synchronizing',
    ]),
  });
}

interface Synchronizing extends Pick<Contender, 'name' | 'note'> {
  readonly server: NodeProcess | WorkerProcess;
}

function synchronizing({ name, note, server }: Synchronizing): Contender {
  const connect = (store: MergeableStore, room: string): Connection => {
    const socket = new WebSocket(`${server.process.origin.replace('http', 'ws')}/${room}`);
    const synchronizing = createWsSynchronizer(store, socket, REQUEST_TIMEOUT_SECONDS);
    const start = async (): Promise<void> => {
      await (await synchronizing).startSync();
    };
    return {
      started: start(),
      end: async () => {
        await (await synchronizing).destroy();
        socket.close();
      },
    };
  };
  const open = (room: string, cells?: number): RaceClient => {
    const store = createMergeableStore();
    if (cells !== undefined) store.setContent(contentOf(cells));
    let connection = connect(store, room);
    return storeClient(store, {
      connected: () => connection.started,
      leave: () => connection.end(),
      comeBack: () => {
        connection = connect(store, room);
      },
      close: () => connection.end(),
    });
  };
  return {
    name,
    note,
    start: () => server.start(),
    stop: () => server.stop(),
    memory: () => server.process.memory(),
    create: async (room, cells) => {
      const client = open(room, cells);
      await client.connected();
      // The server pulls the content afterwards, and whoever joins before that gets nothing of it, ever.
      for (;;) {
        const other = open(room);
        await other.connected();
        const isThere = await Promise.race([
          until(other, () => other.rowCount() === cells / CELLS_A_ROW, 'the content').then(
            () => true,
          ),
          wait(PULL_MILLISECONDS, false),
        ]);
        await other.close();
        if (isThere) return client;
      }
    },
    join: async (room, cells) => {
      const client = open(room);
      await until(client, () => client.rowCount() === cells / CELLS_A_ROW, 'the content');
      return client;
    },
  };
}
