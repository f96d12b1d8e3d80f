import type { Store } from 'tinybase';

import type { RoomHooks } from '../writes/hooks.ts';
import type { StorageSizes } from '../storage/storage-sizes.ts';

/** The source of an error that `onRoomError` gets. */
export type RoomErrorSource =
  /** A `can…` hook threw or did not settle in time; the push was refused. */
  | 'hook'
  /** A listener of the room's Store threw; the transaction stands. */
  | 'listener'
  /** A mutator listener or middleware of the room's Store threw; the push was refused. */
  | 'mutator'
  /** `prepareStore` threw; the room answers `unavailable` and prepares a new Store at the next message. */
  | 'prepare'
  /** A number of the configuration is invalid, and the room uses the default; or an option does not exist; or TinyBase is too old. */
  | 'config'
  /** Reading or writing failed. If transactions of the room's own code were lost, the message has the first 20 ids that they changed. */
  | 'storage'
  /** A transaction of the room's own code, of the Store or of storage, has been open for long, and everybody waits for it. */
  | 'transaction'
  /** A handler of the app threw, such as `onBeforeConnect` or `onRequest`; the client got a fixed text in its place. */
  | 'handler'
  /** The host failed at something, such as keeping an attachment. */
  | 'host'
  /** `getInitialStorage`, or another hook of the room's life, threw or gave invalid content. */
  | 'lifecycle'
  /** A feature or gate of the room threw. */
  | 'feature'
  /** The room's own code has made the content larger than `limits.contentBytes`; it stands. */
  | 'limit'
  /** A bug of this package: please report it. */
  | 'room';

/** The limits of a room. Lengths are in characters unless stated otherwise. docs/limits.md has the reasons. */
export interface RoomLimits {
  /**
   * The approximate size of the content: its length as JSON, and 100 for each Cell and Value. A change that would make it
   * larger is refused; a room that is over the limit still loads. 12 Mi by default, which loads in 100 MB at worst.
   */
  readonly contentBytes: number;
  /** A larger push travels in parts, of at most this size each. In bytes of UTF-8; 256 KiB by default. */
  readonly framePushBytes: number;
  /** A larger push is refused. In bytes of UTF-8; 4 MiB by default. */
  readonly pushBytes: number;
  /** The largest body of a PUT, in bytes. 8 MiB by default. */
  readonly bodyBytes: number;
  /** Bodies that may wait for their end, for storage or for hooks. Another one gets the answer 429. 100 by default. */
  readonly waitingBodies: number;
  /** The bytes of those bodies. 16 MiB by default. */
  readonly waitingBodyBytes: number;
  /** A longer commit or catch-up is not sent: clients load the content instead. 2 Mi by default. */
  readonly frameLength: number;
  /** The length of data that one connection was sent and has not read. Beyond it, the client is told to say hello. 4 Mi by default. */
  readonly unreadLength: number;
  /** Messages that one connection may send a second, on average. One over 16 KiB counts as several. 2,000 by default. */
  readonly messagesPerSecond: number;
  /** Messages that one connection may send at once. 10,000 by default. */
  readonly messageBurst: number;
  /** Clients that the room remembers, so that no push is applied twice. Beyond it, pushes of new clients wait. 20,000 by default. */
  readonly clients: number;
  /** Open connections. Further ones are closed with `full`. 32,000 by default. */
  readonly connections: number;
  /** Messages of one connection that may wait for storage or hooks. 10,000 by default. */
  readonly waitingMessages: number;
  /** The length of those messages. 16 Mi by default. */
  readonly waitingLength: number;
  /**
   * The length of all that the room holds for connections: messages that wait, parts of pushes, inputs of calls, and data that they
   * have not read. Beyond it, those for which the room holds most are closed. 32 Mi by default.
   */
  readonly heldLength: number;
}

/** The limits of a room unless configured. */
export const DEFAULT_LIMITS: RoomLimits = {
  contentBytes: 12 * 1024 * 1024,
  framePushBytes: 256 * 1024,
  pushBytes: 4 * 1024 * 1024,
  bodyBytes: 8 * 1024 * 1024,
  waitingBodies: 100,
  waitingBodyBytes: 16 * 1024 * 1024,
  frameLength: 2 * 1024 * 1024,
  unreadLength: 4 * 1024 * 1024,
  messagesPerSecond: 2_000,
  messageBurst: 10_000,
  clients: 20_000,
  connections: 32_000,
  waitingMessages: 10_000,
  waitingLength: 16 * 1024 * 1024,
  heldLength: 32 * 1024 * 1024,
};

/** The time that the hooks of one push may take, unless configured. */
export const DEFAULT_HOOK_TIMEOUT_MILLISECONDS = 10_000;

/**
 * The app's options of a room. The room reads each when it needs it, and none before the first message, so that a
 * subclass may set them in fields. An option that is left out has its default.
 */
export interface RoomOptions<Connection, Request> {
  /** The room's id, for its features. */
  readonly roomId?: () => string;
  /** The beginning of every frame. `''` by default. */
  readonly messagePrefix?: () => string;
  /** The beginning of every key in storage. `''` by default. */
  readonly storagePrefix?: () => string;
  /** The hooks that the app overrides, and no others. */
  readonly hooks?: () => RoomHooks<Connection | Request>;
  /** The time that the hooks of one push may take. 10,000 by default. */
  readonly hookTimeoutMilliseconds?: () => number;
  /**
   * Sets schema, listeners and middleware. Called once in the life of a room object, when the content is there. Its changes
   * become a commit; in a room that has no Store yet, they wait for the initial content and become part of it.
   */
  readonly prepareStore?: (store: Store) => void;
  /** Gets errors that would otherwise be silent. If it throws, nothing happens. */
  readonly onRoomError?: (error: unknown, where: RoomErrorSource) => unknown;
  /** Limits that differ from the defaults. Read again when it returns another object than before. */
  readonly limits?: () => Partial<RoomLimits> | undefined;
  /** Returns an error with which the room must let nobody in, and which was reported (`LIFE-10`). Asked before each load. */
  readonly refusal?: () => unknown;
  /** The sizes of what is stored. For tests: any sizes are right, and the default ones are fast. */
  readonly storageSizes?: () => Partial<StorageSizes>;
}
