import type {
  Connection,
  ConnectionContext,
  Party,
  Request as PartyRequest,
  Server,
} from 'partykit/server';
import type { Cell, CellOrUndefined, Changes, Content, Value, ValueOrUndefined } from 'tinybase';
import {
  broadcastChanges,
  hasStoreInStorage,
  loadStoreFromStorage,
  TinyBasePartyKitServer,
  type TinyBasePartyKitServerConfig,
} from 'tinybase/persisters/persister-partykit-server';

export class ConfiguredServer extends TinyBasePartyKitServer {
  override readonly config = { storePath: '/my_tinybase', storagePrefix: 'tinybase_' };
}

const config: TinyBasePartyKitServerConfig = {
  messagePrefix: 'my_',
  responseHeaders: { 'Access-Control-Allow-Origin': 'https://example.com' },
};
config.storagePrefix = 'my_';

export class MyServer extends TinyBasePartyKitServer {
  override readonly config: TinyBasePartyKitServerConfig = config;
  readonly #startedAt: number;
  readonly room: Party;

  constructor(party: Party) {
    super(party);
    this.#startedAt = Date.now();
    this.room = party;
  }

  // None of these is known to the class that is extended: so there is nothing to override.
  async onStart(): Promise<void> {
    console.log('Server started', this.#startedAt);
  }

  onConnect(connection: Connection, context: ConnectionContext): void {
    connection.send(context.request.url);
  }

  onClose(connection: Connection): void {
    console.log(connection.id);
  }

  onError(connection: Connection, error: Error): void {
    console.log(connection.id, error.message);
  }

  async onAlarm(): Promise<void> {}

  override async onMessage(message: string, connection: Connection): Promise<void> {
    await super.onMessage(message, connection);
  }

  override async onRequest(request: PartyRequest): Promise<Response> {
    return await super.onRequest(request);
  }

  async tell(changes: Changes): Promise<void> {
    await broadcastChanges(this, changes);
    await broadcastChanges(this, [{ pets: { fido: undefined } }, { open: undefined }, 1], ['me']);
  }

  async stored(): Promise<Content | undefined> {
    const { storage } = this.room;
    const prefix = this.config.storagePrefix;
    return (await hasStoreInStorage(storage, prefix))
      ? await loadStoreFromStorage(storage, prefix)
      : undefined;
  }
}

export class CarefulServer extends TinyBasePartyKitServer {
  override async canSetTable(tableId: string, initialSave: boolean): Promise<boolean> {
    return initialSave || tableId !== 'user';
  }

  override async canDelTable(tableId: string, connection: Connection): Promise<boolean> {
    return tableId !== 'user' && connection.id !== 'guest';
  }

  override async canSetRow(
    tableId: string,
    rowId: string,
    initialSave: boolean,
    requestOrConnection: PartyRequest | Connection,
  ): Promise<boolean> {
    if ('headers' in requestOrConnection) return requestOrConnection.headers.has('x');
    return initialSave || tableId !== 'user' || rowId !== 'me';
  }

  override async canDelRow(tableId: string, rowId: string): Promise<boolean> {
    return await super.canDelRow(tableId, rowId, [...this.connections()][0] ?? fail());
  }

  override async canSetCell(
    tableId: string,
    rowId: string,
    cellId: string,
    cell: Cell,
    initialSave: boolean,
    requestOrConnection: PartyRequest | Connection,
    oldCell: CellOrUndefined,
  ): Promise<boolean> {
    return (
      cell !== oldCell &&
      (await super.canSetCell(
        tableId,
        rowId,
        cellId,
        cell,
        initialSave,
        requestOrConnection,
        oldCell,
      ))
    );
  }

  override async canDelCell(_table: string, _row: string, cellId: string): Promise<boolean> {
    return cellId !== 'name';
  }

  override async canSetValue(
    valueId: string,
    value: Value,
    initialSave: boolean,
    _requestOrConnection: PartyRequest | Connection,
    oldValue: ValueOrUndefined,
  ): Promise<boolean> {
    return initialSave || (valueId !== 'userId' && value !== oldValue);
  }

  override async canDelValue(valueId: string): Promise<boolean> {
    return valueId !== 'userId';
  }

  connections(): Iterable<Connection> {
    return [];
  }
}

function fail(): never {
  throw new Error('Nobody is here.');
}

export const asServer = (party: Party): Server => new MyServer(party);
