import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import { WebSocket } from 'ws';
import * as yPartyKitProvider from 'y-partykit/provider';
import * as Y from 'yjs';

import { CELLS_A_ROW, contentOf } from '../support/content.ts';
import { until as poll } from '../../test/support/until.ts';
import { until, type Cell, type Contender, type RaceClient } from '../race/contender.ts';
import { PartyProcess } from '../race/contenders/party-process.ts';
import { NodeProcess } from './node-process.ts';

const POLL = { intervalMilliseconds: 1 };

/** Its types describe CommonJS; what is imported is not. */
const YPartyKitProvider =
  yPartyKitProvider.default as unknown as typeof yPartyKitProvider.default.default;

type Connection = Pick<RaceClient, 'connected' | 'close' | 'leave' | 'comeBack'>;

/** Each row is a Y.Map in a Y.Map. */
function docClient(doc: Y.Doc, connection: Connection): RaceClient {
  const rows = doc.getMap<Y.Map<Cell>>('rows');
  let onChange = (): void => undefined;
  doc.on('afterTransaction', () => onChange());
  return {
    set: (row, cell, value) => {
      doc.transact(() => {
        let map = rows.get(row);
        if (map === undefined) {
          map = new Y.Map<Cell>();
          rows.set(row, map);
        }
        map.set(cell, value);
      });
    },
    get: (row, cell) => rows.get(row)?.get(cell),
    rowCount: () => rows.size,
    onChange: (callback) => {
      onChange = callback;
    },
    ...connection,
  };
}

function fill(doc: Y.Doc, cells: number): void {
  const rows = doc.getMap<Y.Map<Cell>>('rows');
  doc.transact(() => {
    for (const [id, row] of Object.entries(contentOf(cells)[0]['rows'] ?? {}))
      rows.set(id, new Y.Map<Cell>(Object.entries(row) as [string, Cell][]));
  });
}

async function showing(client: RaceClient, cells: number): Promise<RaceClient> {
  await until(client, () => client.rowCount() === cells / CELLS_A_ROW, 'the content');
  return client;
}

/** Hocuspocus: Yjs over a Node server, in memory. */
export function hocuspocus(): Contender {
  const server = new NodeProcess('hocuspocus-server');
  const open = (room: string, cells?: number): RaceClient => {
    const doc = new Y.Doc();
    const websocketProvider = new HocuspocusProviderWebsocket({
      url: server.process.origin.replace('http', 'ws'),
      WebSocketPolyfill: WebSocket,
    });
    const provider = new HocuspocusProvider({ websocketProvider, name: room, document: doc });
    provider.attach();
    if (cells !== undefined) fill(doc, cells);
    return docClient(doc, {
      connected: async () => {
        await poll('a provider to be synced', () => provider.isSynced, POLL);
        await poll('changes to arrive', () => !provider.hasUnsyncedChanges, POLL);
      },
      leave: async () => {
        websocketProvider.disconnect();
        await poll('a provider to leave', () => websocketProvider.status === 'disconnected', POLL);
      },
      comeBack: () => void websocketProvider.connect(),
      close: () => {
        provider.destroy();
        websocketProvider.destroy();
        doc.destroy();
        return Promise.resolve();
      },
    });
  };
  return {
    name: 'hocuspocus',
    note: 'Yjs, `@hocuspocus/server` 3.4.4 in Node, in memory, without extensions',
    start: () => server.start(),
    stop: () => server.stop(),
    memory: () => server.process.memory(),
    create: async (room, cells) => {
      const client = open(room, cells);
      await client.connected();
      return client;
    },
    join: (room, cells) => showing(open(room), cells),
  };
}

/** y-partykit: Yjs on PartyKit. */
export function yPartyKit(): Contender {
  const party = new PartyProcess(
    'bench/peers/rooms/y-partykit.ts',
    'bench/peers/rooms/partykit.json',
  );
  const open = (room: string, cells?: number): RaceClient => {
    const doc = new Y.Doc();
    const provider = new YPartyKitProvider(party.server.host, room, doc, {
      WebSocketPolyfill: WebSocket as never,
      disableBc: true,
    });
    if (cells !== undefined) fill(doc, cells);
    return docClient(doc, {
      connected: async () => {
        await poll('a provider to be synced', () => provider.synced, POLL);
      },
      leave: async () => {
        provider.disconnect();
        await poll('a provider to leave', () => !provider.wsconnected, POLL);
      },
      comeBack: () => provider.connect(),
      close: () => {
        provider.destroy();
        doc.destroy();
        return Promise.resolve();
      },
    });
  };
  return {
    name: 'y-partykit',
    note: 'Yjs, `y-partykit` 0.0.33 on `partykit dev`, in memory',
    start: () => party.start(),
    stop: () => party.stop(),
    memory: () => party.server.memory(),
    create: async (room, cells) => {
      const client = open(room, cells);
      await client.connected();
      return client;
    },
    join: (room, cells) => showing(open(room), cells),
  };
}
