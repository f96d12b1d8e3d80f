import type { KeyValueStorage } from '../storage/key-value-storage.ts';

/** One WebSocket of a room, as its host hands it over. The same object for the same socket while memory lasts. */
export interface RoomConnection<Origin> {
  /** The host's own connection object, which hooks get. */
  readonly origin: Origin;
  /**
   * True once the app or the room has closed the socket: nothing that came over it counts any more (`CLOSE-1`). False
   * if only the other side has.
   */
  readonly isClosedByRoom: boolean;
  /** Sends a frame; throws nothing, also when the socket is closing. */
  send(frame: string): void;
  /** Closes the socket; throws nothing. */
  close(code: number, reason: string): void;
  /** The time at which the host last answered a ping of this connection for the room; undefined if it does not do so. */
  readonly pingedAt?: number | undefined;
  /** The value that a slot was set to last, also before the room was hibernated; undefined if it was not. */
  readSlot(slot: string): unknown;
  /**
   * Attaches JSON to the connection in a slot of its own, beside the app's state; `null` removes the slot. All slots
   * together should take at most 1 KiB. Throws nothing: what the host cannot keep lasts until the room sleeps.
   */
  writeSlot(slot: string, value: unknown): void;
  /** Attaches the slots again if the app dropped them by setting its own state. */
  restoreSlots(): void;
}

/** Everything that a room takes from outside. */
export interface RoomHost<Origin> {
  readonly storage: KeyValueStorage;
  /** All sockets that are open, those from before a hibernation included. */
  connections(): Iterable<RoomConnection<Origin>>;
  /** Returns the connection with that origin; undefined if the host does not know it. */
  connectionOf(origin: Origin): RoomConnection<Origin> | undefined;
  /** Milliseconds since 1970. */
  now(): number;
  /** 128 random bits as 22 characters of base64url. */
  randomId(): string;
  /** Calls back once, later; returns a function that prevents it. */
  after(milliseconds: number, callback: () => void): () => void;
  /**
   * Resolves when messages that have arrived by now were handed over, so that they share the next write (`DURABLE-2`).
   * Takes no time if there are none. A host that hands messages over while a write goes on needs none.
   */
  takeTurn?(): Promise<void>;
}
