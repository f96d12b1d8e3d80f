import type { Store } from 'tinybase';

import type { RoomHooks } from '../writes/hooks.ts';
import type { StorageSizes } from '../storage/storage-sizes.ts';

/** Where something went wrong that no client can be told of. */
export type RoomErrorSource =
  /** A `can…` hook threw or did not settle in time; the push was refused. */
  | 'hook'
  /** A listener of the room's Store threw; the transaction stands. */
  | 'listener'
  /** A mutator listener or middleware of the room's Store threw; the push was refused. */
  | 'mutator'
  /** `prepareStore` threw; the room answers `unavailable` and prepares again at the next message. */
  | 'prepare'
  /** Reading or writing failed. If transactions of the room's own code were lost, the message has the ids they changed. */
  | 'storage'
  /** A transaction of the room's own code has been open for long, and everybody waits for it. */
  | 'transaction'
  /** The host failed at something, such as keeping an attachment. */
  | 'host'
  /** A feature or gate of the room threw. */
  | 'feature'
  /** A bug of this package: please report it. */
  | 'room';

/** What a room takes at most. Lengths are in characters where nothing else is said. */
export interface RoomLimits {
  /** A push larger than this travels over HTTP, in bytes of UTF-8. 256 KiB by default. */
  readonly framePushBytes: number;
  /** A push larger than this is refused, in bytes of UTF-8. 16 MiB by default. */
  readonly pushBytes: number;
  /** The body of a PUT, in bytes. 32 MiB by default. */
  readonly bodyBytes: number;
  /** A commit or catch-up larger than this is not sent; its peers load the content instead. 8 Mi by default. */
  readonly frameLength: number;
  /** What one connection may send in a second, on average. Longer messages than 16 KiB count as several. 2,000 by default. */
  readonly messagesPerSecond: number;
  /** What one connection may send at once. 10,000 by default. */
  readonly messageBurst: number;
  /** Messages of one connection that wait for storage or hooks. 10,000 by default. */
  readonly waitingMessages: number;
  /** Their length. 64 Mi by default. */
  readonly waitingLength: number;
}

/** What a room has by default. */
export const DEFAULT_LIMITS: RoomLimits = {
  framePushBytes: 256 * 1024,
  pushBytes: 16 * 1024 * 1024,
  bodyBytes: 32 * 1024 * 1024,
  frameLength: 8 * 1024 * 1024,
  messagesPerSecond: 2_000,
  messageBurst: 10_000,
  waitingMessages: 10_000,
  waitingLength: 64 * 1024 * 1024,
};

/** How long the hooks of one push may take, unless configured. */
export const DEFAULT_HOOK_TIMEOUT_MILLISECONDS = 10_000;

/**
 * What an app decides about its room. Everything is asked for when it is needed, and not before the first message, so
 * that a subclass of a host may set it in fields. What is left out has its default.
 */
export interface RoomOptions<Origin, RequestOrigin> {
  /** The room's id, for its features. */
  readonly roomId?: () => string;
  /** Goes before every frame. `''` by default. */
  readonly messagePrefix?: () => string;
  /** Goes before every key in storage. `''` by default. */
  readonly storagePrefix?: () => string;
  /** The hooks that the app overrides, and no others. */
  readonly hooks?: () => RoomHooks<Origin | RequestOrigin>;
  /** How long the hooks of one push may take. 10,000 by default. */
  readonly hookTimeoutMilliseconds?: () => number;
  /**
   * Sets schema, listeners and middleware. Called once in the life of a room object, when the content is there. What it
   * changes becomes a commit; in a room that has no Store yet, it waits for the first content and becomes part of it.
   */
  readonly prepareStore?: (store: Store) => void;
  /** Gets what would otherwise be silent. May throw: nothing comes of it. */
  readonly onRoomError?: (error: unknown, where: RoomErrorSource) => void;
  /** Put together with the defaults when it gives another object than before. */
  readonly limits?: () => Partial<RoomLimits> | undefined;
  /** How what is stored is divided. For tests: any division is right, and the default one is fast. */
  readonly storageSizes?: () => Partial<StorageSizes>;
}
