import type { Changes, Content } from 'tinybase';

import type { TakenCall } from '../../room/room-feature.ts';

/** The durable content of a room, for `onStorageUpdated` and `onRoomDeleted`. */
export interface Save<Caller = object> {
  /** The whole content, as `store.getContent()` returns it. */
  readonly content: Content;
  /** The number of commits in this epoch. Of two saves of one epoch, the one with the higher version is newer. */
  readonly version: number;
  /** Names one unbroken history of the room. A restored or wiped room has another. */
  readonly epoch: string;
  /**
   * The changes since the last save. Undefined if the room does not know them: for its initial content, after a restore, after
   * very many changes, or if a row was deleted and set again, which TinyBase's changes cannot say.
   */
  readonly changes: Changes | undefined;
  /**
   * The authors of these changes, each once: connections, also those that called a procedure, and the request that brought
   * the initial content. Empty after a crash.
   */
  readonly callers: readonly Caller[];
}

/** The content that `getInitialStorage` returns; nothing if there is none. */
export type InitialStorage = Content | null | undefined;

/** A message of a client that the room has taken, for `onRoomMessage`. */
export type TakenMessage =
  | {
      readonly type: 'push';
      /** The version that the push made. */
      readonly version: number;
      /** The changes that it made. */
      readonly changes: Changes | undefined;
    }
  | TakenCall;

/** The methods of a room's class that hear of its life. The room calls those that exist, and no others. */
export interface LifecycleHooks<Connection, Request> {
  getInitialStorage?(): InitialStorage | Promise<InitialStorage>;
  onStorageUpdated?(save: Save<Connection | Request>): unknown;
  onRoomDeleted?(save: Save<Connection | Request>): unknown;
  onUserConnected?(connection: Connection): unknown;
  onUserDisconnected?(connection: Connection): unknown;
  onRoomMessage?(message: TakenMessage, connection: Connection): unknown;
}

/** The options of the hooks, which are part of the room's `config`. */
export interface LifecycleOptions {
  /** The shortest time between two calls of `onStorageUpdated`, which also waits so long after a change. 2,000 by default. */
  storageUpdatedMilliseconds?: number;
  /** The time that nobody is connected before `onRoomDeleted` is called. 10,000 by default. */
  roomDeletedMilliseconds?: number;
  /**
   * True: when nobody has been connected for `roomDeletedMilliseconds`, and `onRoomDeleted` has succeeded, the room removes all
   * that it has stored. False by default.
   */
  isEphemeral?: boolean;
  /** The longest time that `getInitialStorage` may take. 30,000 by default. */
  initialStorageMilliseconds?: number;
  /**
   * The pause before `onStorageUpdated` or `onRoomDeleted` is called again after it threw. Each further pause is twice as long, up
   * to 600 times this. 1,000 by default.
   */
  saveRetryMilliseconds?: number;
  /** The time after a due save at which an alarm wakes the room, if it was stopped meanwhile. 30,000 by default. */
  saveAlarmMilliseconds?: number;
}

/** The name of each option. */
export const LIFECYCLE_OPTIONS: Readonly<Record<keyof LifecycleOptions, true>> = {
  storageUpdatedMilliseconds: true,
  roomDeletedMilliseconds: true,
  isEphemeral: true,
  initialStorageMilliseconds: true,
  saveRetryMilliseconds: true,
  saveAlarmMilliseconds: true,
};

/** Returns true if the room's class has such a method, or the room is ephemeral: otherwise it pays nothing. */
export function usesLifecycle(
  hooks: LifecycleHooks<never, never>,
  { isEphemeral }: LifecycleOptions,
): boolean {
  return (
    isEphemeral === true ||
    hooks.getInitialStorage !== undefined ||
    hooks.onStorageUpdated !== undefined ||
    hooks.onRoomDeleted !== undefined ||
    hooks.onUserConnected !== undefined ||
    hooks.onUserDisconnected !== undefined ||
    hooks.onRoomMessage !== undefined
  );
}
