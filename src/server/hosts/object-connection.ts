import type { HibernatingSocket } from './object-context.ts';
import type { HostedSocket } from './socket-host.ts';
import { isRecord } from '../storage/json-shape.ts';

/** Clients choose these; they may not take the room that states need. In characters. */
const LONGEST_ID = 256;
const LONGEST_URI = 4096;

/** What is attached to a socket, and so survives hibernation. */
interface Attachment {
  readonly id: string;
  readonly uri: string;
  readonly state: unknown;
}

/** One client of a room in a Durable Object: what hooks and handlers are given. */
export class ObjectConnection implements HostedSocket {
  /** From the client (`_pk`, of at most 256 characters), or random: two sockets may have the same. */
  readonly id: string;
  /** The URL that the client connected to, without its query: that may hold a token. */
  readonly uri: string;
  readonly socket: HibernatingSocket;
  #state: unknown;

  constructor(socket: HibernatingSocket, attachment: Attachment) {
    this.socket = socket;
    this.id = attachment.id;
    this.uri = attachment.uri;
    this.#state = attachment.state;
  }

  /** As `WebSocket.readyState`. */
  get readyState(): number {
    return this.socket.readyState;
  }

  /** What was set last, also before the room slept; null if nothing was. */
  get state(): unknown {
    return this.#state;
  }

  /**
   * Keeps a state of any type with the socket, or the result of a function of the state before. Throws if the state, the
   * id, the URL and what the room attaches take more than 16,384 bytes together.
   */
  setState(next: unknown): unknown {
    const { id, uri, socket } = this;
    const state: unknown =
      typeof next === 'function' ? Reflect.apply(next, undefined, [this.#state]) : next;
    const attached = socket.deserializeAttachment();
    const slots = isRecord(attached) ? attached : {};
    const attachment: Attachment = { id, uri, state: state ?? null };
    socket.serializeAttachment({ ...slots, ...attachment });
    this.#state = attachment.state;
    return state;
  }

  send(message: string | ArrayBuffer | ArrayBufferView): void {
    this.socket.send(message);
  }

  close(code?: number, reason?: string): void {
    this.socket.close(code, reason);
  }
}

/** The connections of an object: the same one for a socket each time, as long as memory lasts. */
export class ObjectConnections {
  readonly #connections = new WeakMap<HibernatingSocket, ObjectConnection>();

  /** The connection of a socket that is new. */
  connect(socket: HibernatingSocket, url: URL): ObjectConnection {
    const id = url.searchParams.get('_pk') ?? '';
    const attachment = {
      id: id === '' || id.length > LONGEST_ID ? crypto.randomUUID() : id,
      uri: (url.origin + url.pathname).slice(0, LONGEST_URI),
      state: null,
    };
    const connection = new ObjectConnection(socket, attachment);
    this.#connections.set(socket, connection);
    return connection;
  }

  /** The connection of a socket, from before a sleep too; undefined for one that somebody else accepted. */
  of(socket: HibernatingSocket): ObjectConnection | undefined {
    const known = this.#connections.get(socket);
    if (known !== undefined) return known;
    const attachment = socket.deserializeAttachment();
    if (!isAttachment(attachment)) return undefined;
    const connection = new ObjectConnection(socket, attachment);
    this.#connections.set(socket, connection);
    return connection;
  }
}

function isAttachment(candidate: unknown): candidate is Attachment {
  return (
    typeof candidate === 'object' &&
    candidate !== null &&
    'id' in candidate &&
    typeof candidate.id === 'string' &&
    'uri' in candidate &&
    typeof candidate.uri === 'string' &&
    'state' in candidate
  );
}
