import { encodeAlive, encodePing } from '../protocol/codec.ts';

import type { ObjectContext } from './object-context.ts';
import type { RoomServerConfig } from './room-server.ts';

/** What a room's class is given as its `party`, where PartyKit does not make one. */
export interface HostedParty<Connection> {
  /** The room's id. Throws in an object that is not addressed by name. */
  readonly id: string;
  /** The router has decoded it; partyserver's own has not. */
  readonly isIdDecoded: boolean;
  /** The environment of the Worker: variables, secrets, bindings. */
  readonly env: unknown;
  /** The whole storage of the Durable Object. */
  readonly storage: ObjectContext['storage'];
  /** The open sockets, or those with that tag. */
  getConnections(tag?: string): Iterable<Connection>;
  /** An open socket with that id. */
  getConnection(id: string): Connection | undefined;
  /** Sends a message to all sockets but those with these ids. */
  broadcast(message: string | ArrayBuffer | ArrayBufferView, without?: readonly string[]): void;
}

/** What a host calls of a room's class: any subclass of `RoomServer`, also one that was written for PartyKit. */
export interface HostedServer {
  readonly config: RoomServerConfig;
  getConnectionTags?(connection: unknown, context: unknown): string[] | Promise<string[]>;
  onStart?(): void | Promise<void>;
  onConnect?(connection: unknown, context: unknown): void | Promise<void>;
  onRequest(request: unknown): Response | Promise<Response>;
  onMessage(message: unknown, connection: unknown): void | Promise<void>;
  onClose?(connection: unknown): void | Promise<void>;
  onError?(connection: unknown, error: unknown): void | Promise<void>;
  onAlarm?(): void | Promise<void>;
}

/**
 * Makes a room of that class. A class that was written for PartyKit asks for PartyKit's party, of which it gets what
 * there is on every host.
 */
export function createHostedServer<Server>(
  ServerClass: new (party: never) => Server,
  party: HostedParty<unknown>,
): Server {
  const server: unknown = Reflect.construct(ServerClass, [party]);
  if (server instanceof ServerClass) return server;
  throw new TypeError('The constructor of the room returned something else.');
}

/** Lets the runtime answer pings, so that a room that sleeps goes on sleeping (`ORDER-7`). */
export function answerPings(context: ObjectContext, { config }: HostedServer): void {
  const { messagePrefix = '' } = config;
  context.setWebSocketAutoResponse(
    new WebSocketRequestResponsePair(encodePing(messagePrefix), encodeAlive(messagePrefix)),
  );
}
