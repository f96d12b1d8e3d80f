import { encodeAlive, encodePing } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { utf8Length } from '../../protocol/utf8.ts';

import { AppConfig } from '../config/app-config.ts';
import type { RoomServerConfig } from '../config/room-server-config.ts';
import { closedSocket } from './closed-socket.ts';
import type { ObjectContext } from './object-context.ts';
import { responseHeadersTo } from '../http/cors.ts';
import { tellApp } from '../room/tell-app.ts';
import type { RoomErrorSource } from '../room/room-options.ts';

/** The `party` of a room's class on hosts other than PartyKit. */
export interface HostedParty<Connection> {
  /** The room's id. Throws in an object that is not addressed by name. */
  readonly id: string;
  /** True: the id is the name of the object, and is not decoded again. partyserver's own router has not decoded it. */
  readonly isIdDecoded: boolean;
  /** The environment of the Worker: variables, secrets, bindings. */
  readonly env: unknown;
  /** The whole storage of the Durable Object. */
  readonly storage: ObjectContext['storage'];
  /** The open sockets, or those with that tag. */
  getConnections(tag?: string): Iterable<Connection>;
  /** Returns the time at which the runtime last answered a ping of that socket; undefined if it has not yet. */
  pingedAt(connection: Connection): number | undefined;
  /** An open socket with that id. */
  getConnection(id: string): Connection | undefined;
  /** Sends a message to all sockets but those with these ids. */
  broadcast(message: string | ArrayBuffer | ArrayBufferView, without?: readonly string[]): void;
}

/** The methods of a room's class that a host calls. Every subclass of `RoomServer` has them, also one for PartyKit. */
export interface HostedServer {
  readonly config: RoomServerConfig;
  readonly roomId?: string;
  learnRoomId?(request: unknown): Promise<void>;
  onRoomError(error: unknown, where: RoomErrorSource): unknown;
  refuseSocket?(request: unknown): Promise<TinyBasePartyKitError | undefined>;
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
 * Makes a room of that class. A class that was written for PartyKit expects PartyKit's party; it gets the part of it that
 * exists on every host.
 */
export function createHostedServer<Server>(
  ServerClass: new (party: never) => Server,
  party: HostedParty<unknown>,
): Server {
  const server: unknown = Reflect.construct(ServerClass, [party]);
  if (server instanceof ServerClass) return server;
  throw new TypeError('The constructor of the room returned something else.');
}

/** The room, as the static methods of its class get it. */
export interface HostedLobby {
  /** As in {@link HostedParty}. */
  readonly id: string;
  readonly isIdDecoded: boolean;
  readonly env: unknown;
}

/** Returns the lobby of a room, with the id that the room has learned: a host does not always tell it (`LIFE-6`). */
export function lobbyOf(server: HostedServer, party: HostedLobby): HostedLobby {
  return {
    get id(): string {
      return server.roomId ?? party.id;
    },
    isIdDecoded: party.isIdDecoded,
    env: party.env,
  };
}

/** True if a request asks for a WebSocket. */
export function isUpgrade({
  headers,
}: {
  readonly headers: { get(name: string): string | null };
}): boolean {
  return headers.get('Upgrade')?.toLowerCase() === 'websocket';
}

/** The longest id that a client may choose for its connection: hosts make it a tag of the socket, or attach it to that. */
const LONGEST_CONNECTION_ID_BYTES = 256;

/**
 * Calls the static `onBeforeConnect` or `onBeforeRequest` of a room's class, if it has one, as PartyKit does. A returned
 * Response is the answer; a returned Request replaces the original. As on PartyKit, an `onBeforeConnect` that returns nothing lets
 * in. After any other answer, or an error, the client gets 401 and a fixed text, and the room's `onRoomError` gets the error. A socket
 * whose id is too long is closed before.
 */
export async function admit(
  ServerClass: object,
  server: HostedServer,
  request: Request,
  lobby: HostedLobby,
): Promise<Request | Response> {
  const isSocket = isUpgrade(request);
  if (isSocket && hasLongId(request)) {
    const message = `The id of this connection has more than ${LONGEST_CONNECTION_ID_BYTES} bytes: give PartySocket a shorter id, or none.`;
    const error = new TinyBasePartyKitError('malformed', message);
    return closedSocket(request, error, messagePrefixOf(server));
  }
  const name = isSocket ? 'onBeforeConnect' : 'onBeforeRequest';
  const gate: unknown = Reflect.get(ServerClass, name);
  if (typeof gate !== 'function') return request;
  try {
    const asked = new Request(request);
    const answer: unknown = await Reflect.apply(gate, ServerClass, [asked, lobby, {}]);
    if (answer instanceof Request || answer instanceof Response) return answer;
    if (isSocket && (answer === undefined || answer === null)) return asked;
    const message = `The static ${name} of the room returned no Request and no Response, so it refuses: return the request to let it in.`;
    throw new TinyBasePartyKitError('misuse', message);
  } catch (error) {
    const onError = (reported: unknown): void =>
      tellApp(() => server.onRoomError(reported, 'handler'));
    onError(error);
    const headers = responseHeadersTo(request, { ...server.config, onError });
    return new Response('Unauthorized', { status: 401, headers });
  }
}

function hasLongId({ url }: Request): boolean {
  const id = new URL(url).searchParams.get('_pk') ?? '';
  return utf8Length(id, LONGEST_CONNECTION_ID_BYTES) > LONGEST_CONNECTION_ID_BYTES;
}

/**
 * Asks the gate of a room about a request for a WebSocket. Resolves to the answer that refuses it; undefined for any other
 * request. It runs before there is a socket, because an accepted socket takes seconds to close.
 */
export async function refuse(
  server: HostedServer,
  request: Request,
): Promise<Response | undefined> {
  if (!isUpgrade(request)) return undefined;
  const refusal = await server.refuseSocket?.(request);
  return refusal && closedSocket(request, refusal, messagePrefixOf(server));
}

/** Lets the runtime answer pings, so that they do not wake a sleeping room (`ORDER-7`). */
export function answerPings(context: ObjectContext, server: HostedServer): void {
  const messagePrefix = messagePrefixOf(server);
  context.setWebSocketAutoResponse(
    new WebSocketRequestResponsePair(encodePing(messagePrefix), encodeAlive(messagePrefix)),
  );
}

function messagePrefixOf(server: HostedServer): string {
  return new AppConfig(() => server.config).messagePrefix;
}
