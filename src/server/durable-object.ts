/**
 * Rooms as Cloudflare Durable Objects, without PartyKit.
 *
 * @module
 */
import { DurableObject } from 'cloudflare:workers';

import { assertNoRoomMethods } from './config/object-methods.ts';
import {
  admit,
  answerPings,
  createHostedServer,
  type HostedLobby,
  type HostedParty,
  type HostedServer,
  isUpgrade,
  lobbyOf,
  refuse,
} from './hosts/hosted-server.ts';
import { ObjectConnections, type ObjectConnection } from './hosts/object-connection.ts';
import type { HibernatingSocket, ObjectContext } from './hosts/object-context.ts';
import { upgradeResponse } from './hosts/upgrade-response.ts';
import { RoomServer } from './room-server.ts';

export {
  routeRoomRequest,
  type RoomNamespace,
  type RoomRouterOptions,
} from './hosts/room-router.ts';
export type { ObjectConnection } from './hosts/object-connection.ts';

/** The type of `this.party` for a room in a Durable Object. */
export type ObjectParty = HostedParty<ObjectConnection>;

/**
 * The room class of `tinybase-partykit/server` with the types of a Durable Object in place of PartyKit's. It is for apps
 * that do not use PartyKit.
 */
export class TinyBaseRoomServer extends RoomServer<ObjectParty, ObjectConnection, Request> {}

/** A Durable Object that has a room and passes all events to it. See {@link durableObject}. */
export abstract class RoomObject<Server extends HostedServer, Env> extends DurableObject<Env> {
  /** The room. Use it in methods that other Workers call. */
  protected readonly server: Server;
  readonly #ServerClass: object;
  readonly #party: ObjectParty;
  readonly #lobby: HostedLobby;
  readonly #context: ObjectContext;
  readonly #connections = new ObjectConnections();
  #started: Promise<void> | undefined;

  constructor(context: ObjectContext, env: Env, ServerClass: new (party: never) => Server) {
    super(context, env);
    this.#context = context;
    this.#ServerClass = ServerClass;
    this.#party = this.#createParty(env);
    this.server = createHostedServer(ServerClass, this.#party);
    this.#lobby = lobbyOf(this.server, this.#party);
    answerPings(context, this.server);
  }

  async fetch(asked: Request): Promise<Response> {
    assertNoRoomMethods(this, RoomObject.prototype);
    // Before anybody is asked about the request: the runtime does not tell it after an alarm.
    await this.server.learnRoomId?.(asked);
    const request = await admit(this.#ServerClass, this.server, asked, this.#lobby);
    if (request instanceof Response) return request;
    const refusal = await refuse(this.server, request);
    if (refusal !== undefined) return refusal;
    await this.#start();
    if (!isUpgrade(request)) return await this.server.onRequest(request);
    const { 0: clientEnd, 1: socket } = new WebSocketPair();
    const connection = this.#connections.connect(socket, new URL(request.url));
    const tags = (await this.server.getConnectionTags?.(connection, { request })) ?? [];
    this.#context.acceptWebSocket(socket, tags);
    connection.setState(null);
    await this.server.onConnect?.(connection, { request });
    return upgradeResponse(request, clientEnd);
  }

  async webSocketMessage(socket: HibernatingSocket, message: unknown): Promise<void> {
    const connection = this.#connections.of(socket);
    if (connection === undefined) return;
    await this.#start();
    await this.server.onMessage(message, connection);
  }

  async webSocketClose(socket: HibernatingSocket): Promise<void> {
    const connection = this.#connections.of(socket);
    if (connection === undefined) return;
    await this.#start();
    await this.server.onClose?.(connection);
  }

  async webSocketError(socket: HibernatingSocket, error: unknown): Promise<void> {
    const connection = this.#connections.of(socket);
    if (connection === undefined) return;
    await this.#start();
    await this.server.onError?.(connection, error);
  }

  async alarm(): Promise<void> {
    await this.#start();
    await this.server.onAlarm?.();
  }

  /** Starts the room. All events wait for `onStart`; if it throws, they fail, and the next event tries again. */
  async #start(): Promise<void> {
    this.#started ??= (async () => this.server.onStart?.())();
    try {
      await this.#started;
    } catch (error) {
      this.#started = undefined;
      throw error;
    }
  }

  #createParty(env: Env): ObjectParty {
    const context = this.#context;
    const connections = this.#connections;
    return {
      get id(): string {
        const { name } = context.id;
        if (name === undefined)
          throw new Error('This room has no id: address its object by name (idFromName).');
        return name;
      },
      isIdDecoded: true,
      env,
      storage: context.storage,
      *getConnections(tag) {
        for (const socket of context.getWebSockets(tag)) {
          const connection = connections.of(socket);
          if (connection?.readyState === 1) yield connection;
        }
      },
      pingedAt: ({ socket }) => context.getWebSocketAutoResponseTimestamp(socket)?.getTime(),
      getConnection(id) {
        for (const connection of this.getConnections()) if (connection.id === id) return connection;
        return undefined;
      },
      broadcast(message, without = []) {
        for (const connection of this.getConnections()) {
          if (!without.includes(connection.id)) connection.send(message);
        }
      },
    };
  }
}

/** The class of Durable Objects that {@link durableObject} makes. */
export type RoomObjectClass<Server extends HostedServer, Env = unknown> = new (
  context: ObjectContext,
  env: Env,
) => RoomObject<Server, Env>;

/**
 * Makes a class of Durable Objects for a room class, which extends `TinyBasePartyKitServer` or {@link TinyBaseRoomServer}.
 * Extend the result and export the subclass, so that the binding has its name. Address its objects by name, as
 * {@link routeRoomRequest} does.
 *
 * @example
 * ```ts
 * import { durableObject } from 'tinybase-partykit/server/durable-object';
 * import MyRoom from './room.ts';
 *
 * export class MyObject extends durableObject(MyRoom) {}
 * ```
 */
export function durableObject<Server extends HostedServer, Env = unknown>(
  ServerClass: new (party: never) => Server,
): RoomObjectClass<Server, Env> {
  return class extends RoomObject<Server, Env> {
    constructor(context: ObjectContext, env: Env) {
      super(context, env, ServerClass);
    }
  };
}
