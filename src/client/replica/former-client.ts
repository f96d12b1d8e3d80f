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
  /** Resolves to the head of its record, if all of it is on this device: then another page may have taken it over since. */
  readonly kept?: Promise<string | undefined> | undefined;
}
