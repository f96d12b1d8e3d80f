import type { HibernatingSocket } from './object-context.ts';
import type { HostedSocket } from './socket-host.ts';
import { isRecord } from '../storage/json-shape.ts';

/** In characters. Attached states need the space. */
const LONGEST_URI = 4096;

/** The attachment of a socket, which survives hibernation. */
interface Attachment {
  readonly id: string;
  readonly uri: string;
  readonly state: unknown;
}

/** One client of a room in a Durable Object, as hooks and handlers get it. */
export class ObjectConnection implements HostedSocket {
  /** The client's `_pk`, or a random text if it has none. Two sockets may have the same id. */
  readonly id: string;
  /** The URL that the client connected to, without its query, because the query may hold a token. */
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

  /** The last state that was set, also before the room slept; null if none was. */
  get state(): unknown {
    return this.#state;
  }

  /**
   * Sets the state of the socket to a value of any type, or to the result of a function of the previous state. Throws if
   * the state, the id, the URL and the attachments of the room take more than 16,384 bytes together.
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

/** The connections of an object. A socket has the same connection each time, until the object sleeps. */
export class ObjectConnections {
  readonly #connections = new WeakMap<HibernatingSocket, ObjectConnection>();

  /** Creates the connection of a new socket. */
  connect(socket: HibernatingSocket, url: URL): ObjectConnection {
    const id = url.searchParams.get('_pk') ?? '';
    const attachment = {
      id: id === '' ? crypto.randomUUID() : id,
      uri: (url.origin + url.pathname).slice(0, LONGEST_URI),
      state: null,
    };
    const connection = new ObjectConnection(socket, attachment);
    this.#connections.set(socket, connection);
    return connection;
  }

  /** Returns the connection of a socket, also after a sleep; undefined for a socket that other code accepted. */
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
