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
  /** The edits of later sessions that have ended before they knew what the device has. */
  readonly later?: Changes | undefined;
  /** Resolves to what this device has of it. */
  readonly kept?: Promise<KeptEdits | undefined> | undefined;
}

/** The edits of a client that has ended, as far as a device has them: another page may have taken them over since. */
export interface KeptEdits {
  /** The head of the record. */
  readonly head: string;
  /** The number of the last push in it. */
  readonly last: number;
  /** True if all edits are there. */
  readonly isWhole: boolean;
}
