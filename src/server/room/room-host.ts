import type { KeyValueStorage } from '../storage/key-value-storage.ts';

/** One WebSocket of a room. The host gives the same object for the same socket until the room sleeps. */
export interface RoomConnection<Connection> {
  /** The host's own connection object, which hooks get. */
  readonly socket: Connection;
  /**
   * True once the app or the room has closed the socket: then its messages do not count any more (`CLOSE-1`). False if
   * only the other side has closed it.
   */
  readonly isClosedByRoom: boolean;
  /** Sends a frame. Never throws, also when the socket is closing. */
  send(frame: string): void;
  /** Closes the socket. Never throws. */
  close(code: number, reason: string): void;
  /** The time at which the host last answered a ping of this connection for the room; undefined if it does not do so. */
  readonly pingedAt?: number | undefined;
  /** Returns the last value of a slot, also from before a hibernation; undefined if it has none. */
  readSlot(slot: string): unknown;
  /**
   * Attaches JSON to the connection in a slot, in addition to the app's state; `null` removes the slot. All slots together
   * should take at most 1 KiB. Never throws: a slot that the host cannot keep lasts until the room sleeps.
   */
  writeSlot(slot: string, value: unknown): void;
  /** Attaches the slots again if the app dropped them by setting its own state. */
  restoreSlots(): void;
}

/** Everything that a room takes from outside. */
export interface RoomHost<Connection> {
  readonly storage: KeyValueStorage;
  /** Returns all open sockets, also those from before a hibernation. */
  connections(): Iterable<RoomConnection<Connection>>;
  /** Returns the connection of that socket; undefined if the host does not know it. */
  connectionOf(socket: Connection): RoomConnection<Connection> | undefined;
  /** Milliseconds since 1970. */
  now(): number;
  /** 128 random bits as 22 characters of base64url. */
  randomId(): string;
  /** Calls back once, later, but after about 24.8 days at the latest; returns a function that prevents it. */
  after(milliseconds: number, callback: () => void): () => void;
  /**
   * Resolves when the messages that have arrived by now were delivered, so that they share the next write (`DURABLE-2`).
   * Takes no time if there are none. A host that delivers messages during a write does not need this method.
   */
  takeTurn?(): Promise<void>;
}
