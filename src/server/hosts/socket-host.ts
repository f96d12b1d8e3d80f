import { randomId } from '../../protocol/random-id.ts';
import { utf8Length } from '../../protocol/utf8.ts';
import { AttachmentSlots } from './attachment-slots.ts';
import { HeldFrames, type SocketOutput } from './held-frames.ts';
import { LONGEST_TIMER_MILLISECONDS } from '../room/checked-numbers.ts';
import type { RoomConnection, RoomHost } from '../room/room-host.ts';
import type { KeyValueStorage } from '../storage/key-value-storage.ts';

/**
 * A connection object of a host. If it has the native WebSocket as its `socket`, attachments of the room survive
 * hibernation.
 */
export interface HostedSocket {
  readonly readyState: number;
  send(frame: string): void;
  close(code?: number, reason?: string): void;
}

/** The part of the surrounding server that a {@link SocketHost} uses. */
export interface SocketHostOptions<Socket> {
  readonly storage: KeyValueStorage;
  /** The sockets that the server knows to be open. */
  readonly sockets: () => Iterable<Socket>;
  /** Returns the time at which the server last answered a ping for the room; undefined if it does not do so. */
  readonly pingedAt?: (socket: Socket) => number | undefined;
  readonly onError: (error: unknown) => void;
  /** Called when frames have been held for 5 s. */
  readonly onLongHold?: () => void;
}

const OPEN = 1;
/** A reason of this many characters fits in the 123 bytes that are allowed (RFC 6455, section 5.5.1). */
const LONGEST_REASON = 41;
const LONGEST_REASON_BYTES = 123;

/** The host of a room on any server of sockets. */
export class SocketHost<Socket extends HostedSocket> implements RoomHost<Socket> {
  /** All that connections send goes through this. */
  readonly heldFrames: HeldFrames;
  readonly #options: SocketHostOptions<Socket>;
  readonly #connections = new WeakMap<Socket, RoomConnection<Socket>>();
  readonly #closings = new WeakMap<Socket, Closing>();
  /** The known sockets that may be open. It is needed because a server may lose one of two sockets with the same id. */
  readonly #heard = new Map<Socket, RoomConnection<Socket>>();

  constructor(options: SocketHostOptions<Socket>) {
    this.#options = options;
    this.heldFrames = new HeldFrames({
      after: (milliseconds, callback) => this.after(milliseconds, callback),
      onLongHold: options.onLongHold,
    });
  }

  get storage(): KeyValueStorage {
    return this.#options.storage;
  }

  connections(): Iterable<RoomConnection<Socket>> {
    for (const socket of this.#options.sockets()) {
      if (!this.#heard.has(socket)) this.#heard.set(socket, this.connectionOf(socket));
    }
    const connections: RoomConnection<Socket>[] = [];
    for (const [socket, connection] of this.#heard) {
      if (socket.readyState === OPEN) connections.push(connection);
      else this.#heard.delete(socket);
    }
    return connections;
  }

  /**
   * Returns the connection of a socket, the same one each time until the room sleeps. Call it before the app can close the
   * socket: a socket that is already closed then counts as closed by the app.
   */
  connectionOf(socket: Socket): RoomConnection<Socket> {
    let connection = this.#connections.get(socket);
    if (connection === undefined) {
      this.#connections.set(socket, (connection = this.#connect(socket)));
      this.#heard.set(socket, connection);
    }
    return connection;
  }

  /** Call this as soon as the host reports that a socket is closed, before the app can also close it. */
  ended(socket: Socket): void {
    this.connectionOf(socket);
    this.#closings.get(socket)?.end();
  }

  /** Call this when no part needs a closed socket any more. */
  forget(socket: Socket): void {
    this.#heard.delete(socket);
  }

  now(): number {
    return Date.now();
  }

  randomId(): string {
    return randomId();
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = setTimeout(callback, Math.min(milliseconds, LONGEST_TIMER_MILLISECONDS));
    return () => clearTimeout(timer);
  }

  /** Waits for a turn of the event loop. On some hosts writes block the thread; what arrived meanwhile is delivered then. */
  takeTurn(): Promise<void> {
    return new Promise((resolve) => {
      setTimeout(resolve, 0);
    });
  }

  #connect(socket: Socket): RoomConnection<Socket> {
    const closing = new Closing(socket);
    const { pingedAt } = this.#options;
    this.#closings.set(socket, closing);
    const slots = new AttachmentSlots(socket, (error) => {
      // Only an open socket can keep an attachment, and needs one.
      if (socket.readyState === OPEN) this.#options.onError(error);
    });
    const output: SocketOutput = {
      send: (frame) => {
        try {
          socket.send(frame);
        } catch {
          // It is closing: the client connects again and catches up.
        }
      },
      close: (code, reason) => {
        try {
          socket.close(code, shortened(reason));
        } catch {
          // It is closed already.
        }
      },
      onCloseHeld: () => closing.begin(),
    };
    return {
      socket,
      get isClosedByRoom() {
        return closing.isByRoom;
      },
      get pingedAt() {
        return pingedAt?.(socket);
      },
      send: (frame) => this.heldFrames.send(output, frame),
      close: (code, reason) => this.heldFrames.close(output, code, reason),
      readSlot: (slot) => slots.read(slot),
      writeSlot: (slot, value) => slots.write(slot, value),
      restoreSlots: () => slots.restore(),
    };
  }
}

/** Records which side closed a socket. `readyState` does not tell, and a peer may never answer a close. */
class Closing {
  readonly #socket: HostedSocket;
  #isByRoom: boolean;
  #isByPeer = false;

  constructor(socket: HostedSocket) {
    this.#socket = socket;
    // The host reports a close to the instance that is awake then: this socket was closed by an earlier one.
    this.#isByRoom = socket.readyState > OPEN;
    const close = socket.close.bind(socket);
    const value = (code?: number, reason?: string): void => {
      close(code, reason);
      // After the call: a code that is not allowed throws, and leaves the socket open.
      this.begin();
    };
    // Not enumerable: an app may go through the keys of its connection.
    Object.defineProperty(socket, 'close', { value, configurable: true, writable: true });
  }

  get isByRoom(): boolean {
    return this.#isByRoom || (this.#socket.readyState > OPEN && !this.#isByPeer);
  }

  /** Call this when the room closes the socket a little later. */
  begin(): void {
    if (!this.#isByPeer) this.#isByRoom = true;
  }

  /** Call this when the host reports that the socket is closed. */
  end(): void {
    if (!this.#isByRoom) this.#isByPeer = true;
  }
}

/** Shortens a reason: hosts throw if it is longer, and leave the socket open. */
function shortened(reason: string): string {
  return utf8Length(reason, LONGEST_REASON_BYTES) <= LONGEST_REASON_BYTES
    ? reason
    : `${reason.slice(0, LONGEST_REASON - 1)}…`;
}
