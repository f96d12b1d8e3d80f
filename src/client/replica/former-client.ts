import type { Changes } from '../../protocol/changes.ts';
import type { PendingPush } from './pending-push.ts';

/** The edits of a client that the room has not confirmed. */
export interface UnconfirmedEdits {
  readonly pushes: readonly PendingPush[];
  /** The highest push number given out. */
  readonly lastNumber: number;
  /** The edits that wait for saving to start (VIEW-8). */
  readonly held?: Changes | undefined;
}

/** A client that has ended, with what the room has not confirmed. */
export interface FormerClient extends UnconfirmedEdits {
  readonly clientId: string;
  /** The highest generation that a hello may have been sent with. */
  readonly generation: number;
  /** The highest push number that was sent, as far as this device knows. */
  readonly lastSent: number;
  /** Its record on this device; undefined if it has none. */
  readonly record?: LeftRecord | undefined;
}

/** Everything that a session leaves to the next one on its Store. */
export interface LeftSession {
  /** The client to continue; undefined if another page may continue it, from the device. */
  readonly client?: FormerClient | undefined;
  /** Edits that no device has, and no room can have. */
  readonly held?: Changes | undefined;
  /** The record on this device to look at first. */
  readonly recordId?: string | undefined;
}

/** The record of a session that has ended, with its lock. No other page has it until it is free. */
export interface LeftRecord {
  /** Resolves to the edits that are not in it; to undefined if all are. */
  readonly lacking: Promise<Changes | undefined>;
  /** Hands it to the next session on the Store, and its lock with it. */
  take(): object;
  /**
   * Frees it for other pages, unless it was taken, as soon as nothing is written to it any more. Then that is called with what is left
   * in this page.
   */
  free(onFree?: (left: LeftSession) => void): Promise<void>;
}
