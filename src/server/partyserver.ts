/**
 * Rooms on partyserver.
 *
 * @module
 */
import { Server, type Connection, type ConnectionContext, type WSMessage } from 'partyserver';

import { assertNoRoomMethods } from './config/object-methods.ts';
import {
  admit,
  answerPings,
  createHostedServer,
  type HostedParty,
  type HostedServer,
  refuse,
} from './hosts/hosted-server.ts';
import type { ObjectContext } from './hosts/object-context.ts';
import { upgradeResponse } from './hosts/upgrade-response.ts';

export {
  routeRoomRequest,
  type RoomNamespace,
  type RoomRouterOptions,
} from './hosts/room-router.ts';

/** The type of `this.party` for a room on partyserver. */
export type ServerParty = HostedParty<Connection>;

/** A partyserver that has a room and passes all events to it. See {@link partyServer}. */
export abstract class RoomParty<Room extends HostedServer, Env> extends Server<Env> {
  static override options: { hibernate: boolean } = { hibernate: true };
  /** The room. Use it in methods that other Workers call. */
  protected readonly server: Room;
  readonly #RoomClass: object;
  readonly #context: ObjectContext;
  readonly #party: ServerParty;

  constructor(context: ObjectContext, env: Env, RoomClass: new (party: never) => Room) {
    super(context, env);
    this.#RoomClass = RoomClass;
    this.#context = context;
    this.#party = this.#createParty(context, env);
    this.server = createHostedServer(RoomClass, this.#party);
    answerPings(context, this.server);
  }

  override async fetch(asked: Request): Promise<Response> {
    assertNoRoomMethods(this, RoomParty.prototype);
    const request = await admit(this.#RoomClass, this.server, asked, this.#party);
    if (request instanceof Response) return request;
    // An object that is not addressed by name learns its name later: then the gate is asked about the connection.
    const refusal =
      this.#context.id.name === undefined ? undefined : await refuse(this.server, request);
    const answer = refusal ?? (await super.fetch(request));
    if (answer.status !== 101) return answer;
    return upgradeResponse(request, Reflect.get(answer, 'webSocket'));
  }

  override async getConnectionTags(
    connection: Connection,
    context: ConnectionContext,
  ): Promise<string[]> {
    return (await this.server.getConnectionTags?.(connection, context)) ?? [];
  }

  override async onStart(): Promise<void> {
    await this.server.onStart?.();
  }

  override async onConnect(connection: Connection, context: ConnectionContext): Promise<void> {
    await this.server.onConnect?.(connection, context);
  }

  override async onRequest(request: Request): Promise<Response> {
    return await this.server.onRequest(request);
  }

  override async onMessage(connection: Connection, message: WSMessage): Promise<void> {
    await this.server.onMessage(message, connection);
  }

  override async onClose(connection: Connection): Promise<void> {
    await this.server.onClose?.(connection);
  }

  override async onError(connection: Connection, error: unknown): Promise<void> {
    await this.server.onError?.(connection, error);
  }

  override async onAlarm(): Promise<void> {
    await this.server.onAlarm?.();
  }

  #createParty(context: ObjectContext, env: Env): ServerParty {
    const name = (): string => this.name;
    return {
      get id(): string {
        return name();
      },
      isIdDecoded: true,
      env,
      storage: context.storage,
      pingedAt: (connection) => context.getWebSocketAutoResponseTimestamp(connection)?.getTime(),
      getConnections: (tag) => this.getConnections(tag),
      getConnection: (id) => {
        for (const connection of this.getConnections()) if (connection.id === id) return connection;
        return undefined;
      },
      broadcast: (message, without = []) => this.broadcast(message, [...without]),
    };
  }
}

/** The class of servers that {@link partyServer} makes. */
export interface RoomPartyClass<Room extends HostedServer, Env = unknown> {
  new (context: ObjectContext, env: Env): RoomParty<Room, Env>;
  options: { hibernate: boolean };
}

/**
 * Makes a class of partyserver's servers for a room class, such as one that extends `TinyBasePartyKitServer`. Extend the
 * result and export the subclass, so that the binding has its name.
 *
 * @example
 * ```ts
 * import { partyServer } from 'tinybase-partykit/server/partyserver';
 * import MyRoom from './room.ts';
 *
 * export class MyParty extends partyServer(MyRoom) {}
 * ```
 */
export function partyServer<Room extends HostedServer, Env = unknown>(
  RoomClass: new (party: never) => Room,
): RoomPartyClass<Room, Env> {
  return class extends RoomParty<Room, Env> {
    constructor(context: ObjectContext, env: Env) {
      super(context, env, RoomClass);
    }
  };
}

/**
 * A value for the option `cors` of partyserver's `routePartykitRequest`. Its `true` does not allow PUT, which a page of
 * another origin needs to give a room its initial content. Without the option the room answers, and allows everything.
 */
export const STORE_CORS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, HEAD, PUT, POST, OPTIONS',
  'Access-Control-Allow-Headers': '*',
  'Access-Control-Max-Age': '86400',
};
