import type {
  Connection,
  ConnectionContext,
  Party,
  Request as PartyRequest,
} from 'partykit/server';
import type { Cell, CellOrUndefined, Value } from 'tinybase';
import {
  broadcastChanges,
  hasStoreInStorage,
  loadStoreFromStorage,
  TinyBasePartyKitServer,
  type TinyBasePartyKitServerConfig,
} from 'tinybase/persisters/persister-partykit-server';

const STORAGE_PREFIX = 'board_';
const CHAT_PREFIX = 'chat:';
const TYPES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  columns: { title: 'string', position: 'number' },
  cards: { title: 'string', column: 'string', isArchived: 'boolean', labels: 'object' },
};

/** A board that people share: columns, cards and a chat beside them. */
export default class BoardRoom extends TinyBasePartyKitServer {
  override readonly config: TinyBasePartyKitServerConfig = {
    storePath: '/board',
    messagePrefix: 'board:',
    storagePrefix: STORAGE_PREFIX,
    responseHeaders: {
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Allow-Methods': '*',
      'Access-Control-Allow-Headers': '*',
      'X-Board': 'yes',
    },
  };
  readonly #room: Party;

  constructor(party: Party) {
    super(party);
    this.#room = party;
  }

  async onConnect(connection: Connection, { request }: ConnectionContext): Promise<void> {
    const user = new URL(request.url).searchParams.get('user');
    connection.setState({ user });
    const visits = (await this.#room.storage.get<number>('visits')) ?? 0;
    await this.#room.storage.put('visits', visits + 1);
  }

  onClose(connection: Connection): void {
    this.#room.broadcast(`${CHAT_PREFIX}${userOf(connection)} left`, [connection.id]);
  }

  override async onMessage(message: string, connection: Connection): Promise<void> {
    if (typeof message === 'string' && message.startsWith(CHAT_PREFIX)) {
      const text = message.slice(CHAT_PREFIX.length);
      this.#room.broadcast(`${CHAT_PREFIX}${userOf(connection)}: ${text}`);
      return;
    }
    await super.onMessage(message, connection);
  }

  override async onRequest(request: PartyRequest): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname.endsWith('/announce')) {
      await broadcastChanges(this, [{}, { announcement: await request.text() }, 1]);
      return new Response(null, { status: 204 });
    }
    if (pathname.endsWith('/stats')) return Response.json(await this.#stats());
    return await super.onRequest(request);
  }

  override async canSetTable(tableId: string): Promise<boolean> {
    return Object.hasOwn(TYPES, tableId);
  }

  override async canDelTable(): Promise<boolean> {
    return false;
  }

  override async canSetRow(
    _tableId: string,
    rowId: string,
    initialSave: boolean,
    requestOrConnection: PartyRequest | Connection,
  ): Promise<boolean> {
    return rowId !== '' && (initialSave || mayWrite(requestOrConnection));
  }

  override async canDelRow(
    tableId: string,
    rowId: string,
    connection: Connection,
  ): Promise<boolean> {
    return tableId === 'cards' && !rowId.startsWith('pinned-') && mayWrite(connection);
  }

  override async canSetCell(
    tableId: string,
    _rowId: string,
    cellId: string,
    cell: Cell,
    initialSave: boolean,
    _requestOrConnection: PartyRequest | Connection,
    oldCell: CellOrUndefined,
  ): Promise<boolean> {
    if (cellId === 'title' && !initialSave && oldCell === 'Locked') return false;
    const isEncoded = typeof cell === 'string' && cell.startsWith('\uFFFD');
    return (isEncoded ? 'object' : typeof cell) === TYPES[tableId]?.[cellId];
  }

  override async canDelCell(
    _tableId: string,
    _rowId: string,
    cellId: string,
    connection: Connection,
  ): Promise<boolean> {
    return cellId !== 'position' && mayWrite(connection);
  }

  override async canSetValue(
    valueId: string,
    value: Value,
    initialSave: boolean,
    requestOrConnection: PartyRequest | Connection,
  ): Promise<boolean> {
    return valueId === 'name' && value !== '' && (initialSave || mayWrite(requestOrConnection));
  }

  override async canDelValue(): Promise<boolean> {
    return false;
  }

  async #stats(): Promise<unknown> {
    const { storage } = this.#room;
    if (!(await hasStoreInStorage(storage, STORAGE_PREFIX))) return { isNew: true };
    const [tables, values] = await loadStoreFromStorage(storage, STORAGE_PREFIX);
    return {
      isNew: false,
      name: values['name'],
      cards: Object.keys(tables['cards'] ?? {}).sort(),
      visits: await storage.get('visits'),
    };
  }
}

function userOf(connection: Connection): string {
  const state = connection.state as { readonly user?: string } | null;
  return state?.user ?? 'somebody';
}

function mayWrite(requestOrConnection: PartyRequest | Connection): boolean {
  return !('send' in requestOrConnection) || userOf(requestOrConnection) !== 'guest';
}
