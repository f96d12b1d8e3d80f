import { ERRORS, isTellable, TinyBasePartyKitError } from '../protocol/errors.ts';
import { hasMethods } from '../protocol/has-methods.ts';
import type { EvictionTarget, RoomDocument, RoomStats } from '../protocol/room-handle.ts';
import type { Cell, CellOrUndefined, Store, Value, ValueOrUndefined } from 'tinybase';

import { AppCheck } from './config/app-check.ts';
import { AppConfig } from './config/app-config.ts';
import type { RoomServerConfig } from './config/room-server-config.ts';
import { overriddenHooks } from './writes/hooks.ts';
import type { FeatureHost, FeatureRoom, RoomFeature, RoomGate } from './room/room-feature.ts';
import { tellApp } from './room/tell-app.ts';
import type { RoomErrorSource } from './room/room-options.ts';
import type { KeyValueStorage } from './storage/key-value-storage.ts';
import { guardParty } from './hosts/party-guard.ts';
import { assertStored, Room } from './room/room.ts';
import { SocketHost, type HostedSocket } from './hosts/socket-host.ts';
import {
  answerStoreRequest,
  DEFAULT_RESPONSE_HEADERS,
  type StoreRequest,
} from './http/store-endpoint.ts';
import { addGateHeaders, responseHeadersTo } from './http/cors.ts';
import { HostHandlers, type HandlerName } from './hosts/host-handlers.ts';
import { alarmsOf, type HostAlarms } from './features/lifecycle/host-alarms.ts';
import {
  usesLifecycle,
  type InitialStorage,
  type LifecycleHooks,
  type Save,
  type TakenMessage,
} from './features/lifecycle/lifecycle-hooks.ts';
import { RoomLifecycle } from './features/lifecycle/room-lifecycle.ts';
import { AppStorage } from './hosts/app-storage.ts';
import { OwnStorage } from './hosts/own-storage.ts';
import { RoomId } from './hosts/room-id.ts';
import { watchStorage } from './hosts/watch-storage.ts';
import { StockKeyWatch } from './stock/stock-key-watch.ts';

/** The part of a host's party that a room needs. */
export interface RoomParty<Connection> {
  /** The room's id, as the host has it. */
  readonly id: string;
  /** True if the id is taken as it is. Otherwise it is as in the URL, and is decoded. */
  readonly isIdDecoded?: boolean;
  readonly storage: KeyValueStorage;
  /** The open sockets. */
  getConnections(): Iterable<Connection>;
  /** Returns the time at which the host last answered a ping for the room; undefined if it does not do so. */
  pingedAt?(connection: Connection): number | undefined;
}

const LONG_TRANSACTION =
  'A transaction of storage has been open for 5 seconds, and nobody hears from the room before its end: do not wait for requests in it.';

/** The methods that hosts call, and that the room needs. */
const NEEDED_HANDLERS = [
  'onStart',
  'onConnect',
  'onRequest',
  'onMessage',
  'onClose',
  'onError',
] as const;
/** Those that the app may define. As in TinyBase's own class, it finds only `onRequest` and `onMessage` to override. */
const OPTIONAL_HANDLERS = ['getConnectionTags', 'onAlarm'] as const;

/**
 * The class that an app extends to make a room, on any host. It has the room's Store, the hooks that may refuse changes,
 * and the handlers that hosts call. It knows no host.
 */
export class RoomServer<
  Party extends RoomParty<Connection>,
  Connection extends HostedSocket,
  Request extends StoreRequest,
>
  implements FeatureHost<Connection, Request>, LifecycleHooks<Connection, Request>
{
  readonly party: Party;
  /**
   * A subclass may set it in a field or in its constructor. The room reads it with each message, `storagePrefix` once. As in
   * TinyBase's own class, code of the app finds these defaults in it, unless a field has replaced it.
   */
  config: RoomServerConfig = {
    storePath: '/store',
    messagePrefix: '',
    storagePrefix: '',
    responseHeaders: { ...DEFAULT_RESPONSE_HEADERS },
  };
  readonly #config = new AppConfig(() => this.config, this.config);
  readonly #room: Room<Connection, Request>;
  readonly #host: SocketHost<Connection>;
  /** Returns all connections of the party, also those that the gate has not let in. */
  #sockets: () => Iterable<Connection>;
  readonly #id: RoomId;
  readonly #ownStorage: OwnStorage;
  readonly #handlers: HostHandlers<Connection, Request>;
  readonly #check: AppCheck;
  /** Our methods in front of those of the app. */
  readonly #standIns = new Set<unknown>();
  /** The host's own alarm. */
  readonly #alarms: HostAlarms | undefined;
  /** Undefined if the app has no method of it. */
  #lifecycle: RoomLifecycle<Connection, Request> | undefined;

  constructor(party: Party) {
    this.party = party;
    const storagePrefix = (): string => this.#config.storagePrefix;
    const onStorageError = (error: unknown): void => this.#report(error, 'storage');
    const ownStorage = new OwnStorage(party.storage);
    this.#ownStorage = ownStorage;
    this.#sockets = () => party.getConnections();
    this.#host = new SocketHost<Connection>({
      storage: ownStorage,
      sockets: () => this.#sockets(),
      pingedAt: (connection) => party.pingedAt?.(connection),
      onError: (error) => this.#report(error, 'host'),
      onLongHold: () => this.#report(new Error(LONG_TRANSACTION), 'transaction'),
    });
    this.#room = new Room<Connection, Request>(this.#host, {
      roomId: () => this.roomId,
      messagePrefix: () => this.#config.messagePrefix,
      storagePrefix,
      hooks: () => overriddenHooks<Request | Connection>(this, RoomServer.prototype),
      hookTimeoutMilliseconds: () => this.#config.hookTimeoutMilliseconds,
      prepareStore: (store) => this.prepareStore(store),
      onRoomError: (error, where) => this.onRoomError(error, where),
      limits: () => this.#config.limits,
      refusal: () => {
        this.#check.reportOnce();
        return this.#check.refusal;
      },
    });
    this.#check = new AppCheck({
      server: this,
      base: RoomServer.prototype,
      config: this.#config,
      isOurs: (method) => this.#standIns.has(method),
      hasGate: () => this.#room.hasGate,
      report: (error) => this.#report(error, 'config'),
    });
    this.#id = new RoomId(party, ownStorage, storagePrefix);
    this.#alarms = alarmsOf(party.storage);
    watchStorage(
      party.storage,
      new AppStorage<Connection, Request>({
        room: this.#room,
        roomId: this.#id,
        ownStorage,
        heldFrames: this.#host.heldFrames,
        stockKeys: new StockKeyWatch(this.#room, storagePrefix, onStorageError),
        storagePrefix,
        lifecycle: () => this.#lifecycle,
      }),
    );
    this.#handlers = new HostHandlers({
      room: this.#room,
      host: this.#host,
      roomId: this.#id,
      saving: () => this.#saving,
      onStarting: () => {
        this.#useLifecycle();
        this.#check.reportOnce();
      },
      admits: async (request) => (await this.refuseSocket(request)) === undefined,
      failure: (request) => this.#answerFailed(request),
      answerUnavailable: (request) => this.#answerUnavailable(request),
      report: (error, where) => this.#report(error, where),
    });
    for (const name of OPTIONAL_HANDLERS)
      if (typeof Reflect.get(this, name) === 'function') this.#standInFrontOf(name);
    for (const name of NEEDED_HANDLERS) this.#standInFrontOf(name);
    this.#useLifecycle();
  }

  /**
   * The room's id as the app wrote it, decoded once. It is there in `onAlarm`, too, if the alarm was set by
   * `party.storage.setAlarm`.
   */
  get roomId(): string {
    return this.#id.read();
  }

  /**
   * The room's Store, the source of truth. Each transaction of the room's own code reaches every client as one commit. The
   * Store has its content in every method that a host calls; elsewhere, wait for `start()`.
   */
  get store(): Store {
    return this.#room.store;
  }

  /**
   * Adds a feature, which may use the returned part of the room. Call it in the constructor or in a field. Throws if
   * another feature has the same letter.
   */
  addFeature(feature: RoomFeature<Connection, Request>): FeatureRoom<Connection> {
    this.#handlers.useSeam();
    return this.#room.addFeature(feature);
  }

  /**
   * Sets the gate, which decides who comes in. Call it in the constructor or in a field. Until the gate has admitted a
   * connection, the app does not hear of it, and the party's own `broadcast`, `getConnections` and `getConnection` leave it
   * out. Throws if the room has a gate.
   */
  setGate(gate: RoomGate<Connection, Request>): FeatureRoom<Connection> {
    this.#handlers.useSeam();
    const room = this.#room.setGate(gate);
    this.#sockets = guardParty(this.party, (connection) => gate.check(connection) === 'admitted');
    return room;
  }

  /**
   * Learns the room's id from a request, if the host does not tell it. For hosts that ask somebody about a request before the
   * room takes it. Never rejects.
   */
  async learnRoomId(request: Request): Promise<void> {
    await this.#id
      .learn(() => request.url)
      ?.catch((error: unknown) => this.#report(error, 'storage'));
  }

  /**
   * Asks the gate about a request for a socket, before there is one. Resolves to the error that refuses it; undefined if
   * the gate lets it in. For hosts that can answer such a request themselves; the gate is asked again about the connection.
   */
  async refuseSocket(request: Request): Promise<TinyBasePartyKitError | undefined> {
    try {
      await this.#room.admitRequest(request, 'read');
      return undefined;
    } catch (cause) {
      if (isTellable(cause)) return cause;
      this.#report(cause, 'feature');
      const message = 'The room could not verify the request: try again.';
      return new TinyBasePartyKitError('failed', message, { cause });
    }
  }

  /** Resolves when the Store has what storage says. Rejects with `unavailable` if it cannot be loaded. */
  start(): Promise<void> {
    this.#useLifecycle();
    return this.#room.start();
  }

  /**
   * Runs an action at once if the room has a Store, and otherwise as soon as it has its initial content: so what the action
   * writes does not become that content. Wait for `start()` first. Throws `overloaded` if 1,000 actions wait.
   */
  afterInitialContent(action: () => void): void {
    this.#room.afterInitialContent(action);
  }

  /**
   * Resolves when everything that the room's own code did to the Store is on disk. Await it before you tell somebody so.
   * Rejects with `unavailable` if it was lost; then `onRoomError` was told, and nobody else has seen it. Rejects with `misuse` within
   * a `transaction` of storage: nothing is on disk before that has ended.
   */
  async whenDurable(): Promise<void> {
    this.#assertNoTransaction('whenDurable');
    await this.#room.whenDurable();
    // A transaction that has begun meanwhile may still undo it.
    await assertStored(this.#host.heldFrames.whenReleased());
  }

  /**
   * Resolves to the room as one JSON document: its content, and its version. Undefined if the room has no
   * Store yet. If the room cannot be loaded, the document has everything that can be read, and `incomplete` tells what cannot.
   * Rejects with `unavailable` if storage fails, and with `misuse` as `whenDurable` does.
   */
  async exportRoom(): Promise<RoomDocument | undefined> {
    this.#assertNoTransaction('exportRoom');
    return await this.#room.exportRoom();
  }

  /**
   * Replaces the room by a document of `exportRoom()`, perhaps of another room. Connected clients follow:
   * they keep their unconfirmed edits and send them again. A transaction that the room's own code makes meanwhile is lost,
   * and reported to `onRoomError`. It works for a room that cannot be loaded, too: see
   * `onUnavailableRequest`. Rejects with `malformed`, with `unavailable` if storage fails, and with `misuse` as `whenDurable` does.
   */
  async restoreRoom(document: unknown): Promise<void> {
    this.#assertNoTransaction('restoreRoom');
    await this.#room.restoreRoom(document);
  }

  /**
   * Removes all that the room has stored: its content, log and client records, and what TinyBase's own server left there. The
   * room is then one without a Store, in a new epoch: connected clients follow, send again what was not confirmed, and may
   * give initial content. The app's own keys, the room's id, revoked users and used signatures stay. Call it from a handler or an
   * alarm, but do not await it in a `can…` hook. Rejects with `unavailable` if storage fails, and with `misuse` as
   * `whenDurable` does.
   */
  async wipe(): Promise<void> {
    this.#assertNoTransaction('wipe');
    await this.#room.wipe();
  }

  /** Returns the number of open connections that the room has let in. */
  getSize(): number {
    return this.#room.administration.size;
  }

  /** Resolves to the connections of the room, its version and its sizes. Rejects with `unavailable` if it cannot be loaded. */
  getStats(): Promise<RoomStats> {
    return this.#room.administration.stats();
  }

  /**
   * Closes connections with `forbidden`, and resolves to their number: one with that id, or all of one user. Clients of this
   * package stop then, until their app starts them again. With `createAuth`, evicting a user also revokes it. Rejects with
   * a `TypeError` for any other target, with `malformed` if the room knows no users, and with `unavailable` if a revocation
   * cannot be stored.
   */
  evict(target: EvictionTarget): Promise<number> {
    return this.#room.administration.evict(target);
  }

  /** Closes all connections with `forbidden`, and resolves to their number. It revokes nobody, and the room stays as it is. */
  evictAll(): Promise<number> {
    return Promise.resolve(this.#room.administration.evictAll());
  }

  /**
   * Closes connections whose token has ended, and those of clients that were silent for a minute and do not answer within
   * 10 s. Also stores a checkpoint, and removes what storage does not need any more. Resolves when storage is done. Call it
   * in an alarm if your host keeps dead connections. Rejects with `misuse` as `whenDurable` does.
   */
  async garbageCollect(): Promise<void> {
    this.#assertNoTransaction('garbageCollect');
    await this.#room.administration.garbageCollect();
  }

  /**
   * Override to set the schema, listeners and middleware of the Store. Called once, when the content is there. Its changes
   * become a commit, or part of the initial content of a room that has none. If it throws, the room tries again later, with a
   * new Store.
   */
  prepareStore(_store: Store): void {}

  /**
   * Define it to give a room without a Store its content, for example from a database. The room asks before it serves anybody,
   * each time that it is loaded without a Store. `undefined` and `null` mean that there is none. If it throws, the room
   * answers `unavailable` and asks again.
   */
  getInitialStorage?(): InitialStorage | Promise<InitialStorage>;

  /**
   * Define it to save the content some time after a change: `storageUpdatedMilliseconds` of the config. Calls do not overlap. If
   * it throws, it is called again later. It is called at least once for the last version.
   */
  onStorageUpdated?(save: Save<Connection | Request>): void | Promise<unknown>;

  /**
   * Define it to save the content when nobody has been connected for some time: `roomDeletedMilliseconds` of the config. If it
   * throws, it is called again later. The content stays in the room, unless `isEphemeral` is set.
   */
  onRoomDeleted?(save: Save<Connection | Request>): void | Promise<unknown>;

  /** Define it to hear of each connection that was let in. */
  onUserConnected?(connection: Connection): void | Promise<unknown>;

  /** Define it to hear of each connection that has left, however it ended. */
  onUserDisconnected?(connection: Connection): void | Promise<unknown>;

  /** Define it to hear of each push that changed something, once it is durable, and of each call. Not of presence. */
  onRoomMessage?(message: TakenMessage, connection: Connection): void | Promise<unknown>;

  /** Override to get errors that would otherwise be silent. Writes to the console by default. */
  onRoomError(error: unknown, where: RoomErrorSource): void {
    const explained = isTellable(error)
      ? ` Look for "${error.code}" in docs/troubleshooting.md of the package.`
      : '';
    // oxlint-disable-next-line no-console
    console.error(
      `tinybase-partykit: something went wrong in the room (${where}).${explained}`,
      error,
    );
  }

  /** Answers requests for the content and for features. Other requests get 404. */
  async onRequest(request: Request): Promise<Response> {
    assertRequest('onRequest', request);
    if (Reflect.get(request, 'bodyUsed') === true) {
      const message =
        'The onRequest of the room has read the body of a request, so super.onRequest cannot: read that of request.clone().';
      throw new TinyBasePartyKitError('misuse', message);
    }
    return await answerStoreRequest(this.#room, request, {
      storePath: this.#config.storePath,
      responseHeaders: this.#headersTo(request),
      onError: (error) => this.#report(error, 'room'),
    });
  }

  /**
   * Override to answer requests while `onRequest` cannot: the room's storage is damaged, or `prepareStore` or `onStart` throws.
   * `exportRoom()`, `restoreRoom(document)` and `wipe()` work here. No gate has verified the request: check who asks. Call
   * `super` for all other requests: it answers commands of `createRoomHandle`, and the rest with 503 `unavailable`.
   */
  onUnavailableRequest(request: Request): Response | Promise<Response> {
    assertRequest('onUnavailableRequest', request);
    const { pathname } = new URL(request.url);
    return this.#room.answerUnloaded(request, pathname) ?? this.#answerFailed(request);
  }

  /** Takes the messages of this package and of stock clients, and ignores all others. */
  onMessage(
    message: string | ArrayBuffer | ArrayBufferView,
    connection: Connection,
  ): Promise<void> {
    if (!hasMethods(connection, ['send'])) {
      const text =
        'super.onMessage got no connection: call it with the message and the connection of onMessage.';
      return Promise.reject(new TinyBasePartyKitError('misuse', text));
    }
    return this.#room.receive(this.#host.connectionOf(connection), message);
  }

  /** Called for each table that changes and does not become empty. */
  canSetTable(
    _tableId: string,
    _initialSave: boolean,
    _requestOrConnection: Request | Connection,
  ): boolean | Promise<boolean> {
    return Promise.resolve(true);
  }

  /** Called for each table that becomes empty, by whatever change. */
  canDelTable(_tableId: string, _connection: Connection): boolean | Promise<boolean> {
    return Promise.resolve(true);
  }

  /** Called for each row that changes and does not become empty. */
  canSetRow(
    _tableId: string,
    _rowId: string,
    _initialSave: boolean,
    _requestOrConnection: Request | Connection,
  ): boolean | Promise<boolean> {
    return Promise.resolve(true);
  }

  /** Called for each row that becomes empty, by whatever change. */
  canDelRow(_tableId: string, _rowId: string, _connection: Connection): boolean | Promise<boolean> {
    return Promise.resolve(true);
  }

  canSetCell(
    _tableId: string,
    _rowId: string,
    _cellId: string,
    _cell: Cell,
    _initialSave: boolean,
    _requestOrConnection: Request | Connection,
    _oldCell: CellOrUndefined,
  ): boolean | Promise<boolean> {
    return Promise.resolve(true);
  }

  canDelCell(
    _tableId: string,
    _rowId: string,
    _cellId: string,
    _connection: Connection,
  ): boolean | Promise<boolean> {
    return Promise.resolve(true);
  }

  canSetValue(
    _valueId: string,
    _value: Value,
    _initialSave: boolean,
    _requestOrConnection: Request | Connection,
    _oldValue: ValueOrUndefined,
  ): boolean | Promise<boolean> {
    return Promise.resolve(true);
  }

  canDelValue(_valueId: string, _connection: Connection): boolean | Promise<boolean> {
    return Promise.resolve(true);
  }

  /** Returns the configured headers of an answer, and those of the gate. */
  #headersTo(request: Request): Headers {
    const onError = (error: unknown): void => this.#report(error, 'handler');
    const headers = responseHeadersTo(request, { ...this.#config.options, onError });
    if (this.#room.hasGate)
      addGateHeaders(headers, this.#room.headersFor(request), { ...this.#config.options });
    return headers;
  }

  /**
   * Puts a method of ours in front of the app's, for hosts to call. This does not reach a method that a subclass sets in a field.
   * There the Store may be empty, and a closed socket is forgotten when the host no longer lists it. With a gate, such a room lets
   * nobody in.
   */
  #standInFrontOf(name: HandlerName): void {
    const handler: unknown = Reflect.get(this, name);
    const app =
      typeof handler === 'function'
        ? (received: readonly unknown[]): unknown => Reflect.apply(handler, this, received)
        : undefined;
    const value = this.#handlers.inFrontOf[name](app);
    this.#standIns.add(value);
    Object.defineProperty(this, name, { value, configurable: true, writable: true });
  }

  /** The lifecycle of a room that saves, and so shares its alarm with the app. */
  get #saving(): RoomLifecycle<Connection, Request> | undefined {
    return this.#lifecycle?.isSaving === true ? this.#lifecycle : undefined;
  }

  /** Adds the hooks of the room's life, if the app has any of their methods. A subclass may set them in fields. */
  #useLifecycle(): void {
    if (this.#lifecycle !== undefined || !usesLifecycle(this, this.#config.options)) return;
    this.#lifecycle = new RoomLifecycle<Connection, Request>(this, {
      hooks: this,
      options: () => this.#config.options,
      roomId: this.#id,
      alarms: this.#alarms,
      onHookError: (error) => this.#report(error, 'lifecycle'),
      onStorageError: (error) => this.#report(error, 'storage'),
      onConfigError: (error) => this.#report(error, 'config'),
    });
    if (!Object.hasOwn(this, 'onAlarm')) this.#standInFrontOf('onAlarm');
  }

  /** Throws if a transaction of storage is open: whoever waits for the room in it waits for the end of that transaction. */
  #assertNoTransaction(method: string): void {
    if (!this.#ownStorage.isInTransaction) return;
    const message = `${method}() within a transaction of storage would wait for the end of that transaction: call it after the transaction.`;
    throw new TinyBasePartyKitError('misuse', message);
  }

  #report(error: unknown, where: RoomErrorSource): void {
    tellApp(() => this.onRoomError(error, where));
  }

  /** Tells the client of a request whose handler threw to try again. */
  #answerFailed(request: Request): Response {
    const { httpStatus: status } = ERRORS.unavailable;
    const message = 'The room failed to answer: try again later.';
    const headers = this.#headersTo(request);
    headers.set('Cache-Control', 'no-store');
    return Response.json({ code: 'unavailable', message }, { status, headers });
  }

  /** Lets the app answer a request while the room is not ready. Never rejects. */
  async #answerUnavailable(request: Request): Promise<Response> {
    try {
      return await this.onUnavailableRequest(request);
    } catch (error) {
      this.#report(error, 'handler');
      return this.#answerFailed(request);
    }
  }
}

/** Throws `misuse` if an app has not handed on the request of a method to `super`. */
function assertRequest(method: string, request: unknown): void {
  if (typeof Reflect.get(Object(request), 'url') === 'string') return;
  const message = `super.${method} got no request: call it with that of ${method}.`;
  throw new TinyBasePartyKitError('misuse', message);
}
