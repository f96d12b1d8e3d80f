import type * as Party from 'partykit/server';
import type { Cell, CellOrUndefined, Store, Value, ValueOrUndefined } from 'tinybase';

import type { RoomHooks } from './hooks.ts';
import type { RoomErrorSource, RoomLimits } from './room-options.ts';
import { Room } from './room.ts';
import { SocketHost } from './socket-host.ts';
import { answerStoreRequest, DEFAULT_RESPONSE_HEADERS } from './store-endpoint.ts';

/** How a room is configured: `config` of {@link TinyBasePartyKitServer}. What is left out has its default. */
export interface TinyBasePartyKitServerConfig {
  /** What the path of the content ends with. `'/store'` by default; clients have to be told the same. */
  storePath?: string;
  /** Goes before every frame. `''` by default; clients have to be told the same. */
  messagePrefix?: string;
  /** Goes before every key in storage. `''` by default. */
  storagePrefix?: string;
  /**
   * Sent with every answer over HTTP. By default other origins may do everything: `Access-Control-Allow-Origin`,
   * `-Methods` and `-Headers` are `*`. The header that exposes `ETag` is added in any case.
   */
  responseHeaders?: HeadersInit;
  /** How long the hooks of one push may take before it is refused. 10,000 by default. */
  hookTimeoutMilliseconds?: number;
  /** What the room takes at most. */
  limits?: Partial<RoomLimits>;
}

/** What PartyKit calls. Each waits until the room is loaded, also where a subclass overrides it without `super`. */
const HANDLERS = [
  'onStart',
  'onConnect',
  'onRequest',
  'onMessage',
  'onClose',
  'onError',
  'onAlarm',
];

/**
 * A PartyKit room that owns a TinyBase Store: extend it, export the subclass as default. A drop-in for TinyBase's class
 * of the same name.
 *
 * @example
 * ```ts
 * import { TinyBasePartyKitServer } from 'tinybase-partykit/server';
 *
 * export default class Room extends TinyBasePartyKitServer {
 *   config = { messagePrefix: 'store:' };
 *
 *   async canDelTable(): Promise<boolean> {
 *     return false;
 *   }
 * }
 * ```
 */
export class TinyBasePartyKitServer implements Party.Server {
  readonly party: Party.Room;
  /** A subclass may set it in a field or in its constructor; it is read with each message. */
  config: TinyBasePartyKitServerConfig = {};
  /** Rooms hibernate: also, PartyKit loses track of connections that share an id otherwise. */
  readonly options: Party.ServerOptions = { hibernate: true };
  readonly #room: Room<Party.Connection, Party.Request>;
  readonly #host: SocketHost<Party.Connection>;

  constructor(party: Party.Room) {
    this.party = party;
    this.#host = new SocketHost<Party.Connection>({
      storage: () => party.storage,
      sockets: () => party.getConnections(),
      onError: (error) => this.onRoomError(error, 'host'),
    });
    this.#room = new Room<Party.Connection, Party.Request>(this.#host, {
      messagePrefix: () => this.config.messagePrefix ?? '',
      storagePrefix: () => this.config.storagePrefix ?? '',
      hooks: () => this.#overriddenHooks(),
      hookTimeoutMilliseconds: () => this.config.hookTimeoutMilliseconds ?? 10_000,
      prepareStore: (store) => this.prepareStore(store),
      onRoomError: (error, where) => this.onRoomError(error, where),
      limits: () => this.config.limits ?? {},
    });
    for (const name of HANDLERS) this.#startBefore(name);
  }

  /**
   * The room's Store, the source of truth. What the room's own code does to it reaches every client, one commit for each
   * transaction. It has its content in every method that PartyKit calls; elsewhere, wait for `start()`.
   */
  get store(): Store {
    return this.#room.store;
  }

  /** Resolves when the Store has what storage says. Rejects with `unavailable` if it cannot be loaded. */
  start(): Promise<void> {
    return this.#room.start();
  }

  /**
   * Override to set the schema, listeners and middleware of the Store. Called once, when the content is there. What it
   * changes becomes a commit, or part of the first content of a room that has none.
   */
  prepareStore(_store: Store): void {}

  /** Override to get what would otherwise be silent. Writes to the console by default. */
  onRoomError(error: unknown, where: RoomErrorSource): void {
    // oxlint-disable-next-line no-console
    console.error(`tinybase-partykit: something went wrong in the room (${where}).`, error);
  }

  /** Answers requests for the content, and 404 to others. */
  async onRequest(request: Party.Request): Promise<Response> {
    const { storePath = '/store', responseHeaders = DEFAULT_RESPONSE_HEADERS } = this.config;
    return await answerStoreRequest(this.#room, request, {
      storePath,
      responseHeaders,
      onError: (error) => this.onRoomError(error, 'room'),
    });
  }

  /** Takes the messages of this package and of stock clients, and leaves all others alone. */
  async onMessage(
    message: string | ArrayBuffer | ArrayBufferView,
    connection: Party.Connection,
  ): Promise<void> {
    await this.#room.receive(this.#host.connectionOf(connection), message);
  }

  /** Completes the closing of the socket, which PartyKit leaves open half. */
  onClose(connection: Party.Connection): void | Promise<void> {
    this.#forget(connection);
  }

  onError(connection: Party.Connection, _error: Error): void | Promise<void> {
    this.#forget(connection);
  }

  /** Asked for each table that a change leaves something in. */
  canSetTable(
    _tableId: string,
    _initialSave: boolean,
    _requestOrConnection: Party.Request | Party.Connection,
  ): boolean | Promise<boolean> {
    return true;
  }

  /** Asked for each table that a change empties, in whatever way. */
  canDelTable(_tableId: string, _connection: Party.Connection): boolean | Promise<boolean> {
    return true;
  }

  /** Asked for each row that a change leaves something in. */
  canSetRow(
    _tableId: string,
    _rowId: string,
    _initialSave: boolean,
    _requestOrConnection: Party.Request | Party.Connection,
  ): boolean | Promise<boolean> {
    return true;
  }

  /** Asked for each row that a change empties, in whatever way. */
  canDelRow(
    _tableId: string,
    _rowId: string,
    _connection: Party.Connection,
  ): boolean | Promise<boolean> {
    return true;
  }

  canSetCell(
    _tableId: string,
    _rowId: string,
    _cellId: string,
    _cell: Cell,
    _initialSave: boolean,
    _requestOrConnection: Party.Request | Party.Connection,
    _oldCell: CellOrUndefined,
  ): boolean | Promise<boolean> {
    return true;
  }

  canDelCell(
    _tableId: string,
    _rowId: string,
    _cellId: string,
    _connection: Party.Connection,
  ): boolean | Promise<boolean> {
    return true;
  }

  canSetValue(
    _valueId: string,
    _value: Value,
    _initialSave: boolean,
    _requestOrConnection: Party.Request | Party.Connection,
    _oldValue: ValueOrUndefined,
  ): boolean | Promise<boolean> {
    return true;
  }

  canDelValue(_valueId: string, _connection: Party.Connection): boolean | Promise<boolean> {
    return true;
  }

  /** Only what a subclass overrides is asked (`HOOK-5`). */
  #overriddenHooks(): RoomHooks<Party.Request | Party.Connection> {
    const base = TinyBasePartyKitServer.prototype;
    const hooks: RoomHooks<Party.Request | Party.Connection> = {};
    if (this.canSetTable !== base.canSetTable)
      hooks.canSetTable = (...asked) => this.canSetTable(...asked);
    if (this.canSetRow !== base.canSetRow) hooks.canSetRow = (...asked) => this.canSetRow(...asked);
    if (this.canSetCell !== base.canSetCell)
      hooks.canSetCell = (...asked) => this.canSetCell(...asked);
    if (this.canSetValue !== base.canSetValue)
      hooks.canSetValue = (...asked) => this.canSetValue(...asked);
    if (this.canDelTable !== base.canDelTable) {
      hooks.canDelTable = (table, connection: Party.Connection) =>
        this.canDelTable(table, connection);
    }
    if (this.canDelRow !== base.canDelRow) {
      hooks.canDelRow = (table, row, connection: Party.Connection) =>
        this.canDelRow(table, row, connection);
    }
    if (this.canDelCell !== base.canDelCell) {
      hooks.canDelCell = (table, row, cell, connection: Party.Connection) =>
        this.canDelCell(table, row, cell, connection);
    }
    if (this.canDelValue !== base.canDelValue) {
      hooks.canDelValue = (id, connection: Party.Connection) => this.canDelValue(id, connection);
    }
    return hooks;
  }

  /**
   * PartyKit waits for `onStart` before the first request alone, and goes on if it fails. A method that a subclass sets
   * in a field is not reached here: the room itself waits, its Store may then be empty.
   */
  #startBefore(name: string): void {
    const handler: unknown = Reflect.get(this, name);
    if (name !== 'onStart' && typeof handler !== 'function') return;
    const handle = async (...received: unknown[]): Promise<unknown> => {
      try {
        await this.#room.start();
      } catch {
        // It was reported, and is answered with `unavailable` where something needs the content.
      }
      const answer: unknown =
        typeof handler === 'function' ? await Reflect.apply(handler, this, received) : undefined;
      return answer;
    };
    Object.defineProperty(this, name, { value: handle, configurable: true, writable: true });
  }

  #forget(connection: Party.Connection): void {
    const roomConnection = this.#host.connectionOf(connection);
    this.#host.forget(connection);
    this.#room.disconnected(roomConnection);
    try {
      connection.close();
    } catch {
      // It is closed already.
    }
  }
}
