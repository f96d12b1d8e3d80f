import type { Changes } from '../../protocol/changes.ts';
import type { Cursor, Welcome } from '../../protocol/messages.ts';
import type { FormerClient, LeftRecord, LeftSession } from '../replica/former-client.ts';
import type { PendingPush } from '../replica/pending-push.ts';
import type { Replica } from '../replica/replica.ts';
import type { RestoredSession, SessionSocket } from '../session/session-ports.ts';
import type { Fold, SessionState } from '../session/session-types.ts';

/** Decides which pushes may be sent and confirmed to the room: those that survive a restart (KEEP-2, KEEP-3). */
export interface Outbox {
  /** The name of the user whose edits it keeps, or null. Left out by an outbox that keeps nothing. */
  readonly user?: string | null;
  /**
   * Reads what a client of this room has left on this device. The session waits for it, before anything else happens.
   * `left` is of an earlier session of this page: its client is continued, if there is one. Never rejects.
   */
  open?(left: LeftSession): Promise<RestoredSession | undefined>;
  /** Returns the highest push number that a restart will not need again. */
  confirmed(): number;
  /** Called when hello is about to be said. If it returns false, the event `durable` happens later. */
  isGenerationDurable(generation: number): boolean;
  isPushDurable(number: number): boolean;
  /** The room has processed these pushes, and the base includes the result. */
  answered(pushes: readonly PendingPush[]): void;
  /** The room's content has changed, and has this cursor now. Undefined in a stock room. */
  folded?(fold: Fold, cursor: Cursor | undefined): void;
  /** A welcome has come. Returns true if it is an answer to this outbox, and to nobody else. */
  heard?(welcome: Welcome): boolean;
  /** Makes the state durable. The write takes the state at its beginning. `held` are edits that were added to the held ones. */
  save(held?: Changes): void;
  /**
   * Ends all writing under the present client id, after the state as it is now. Returns undefined if nothing is kept. Somebody has to
   * take or free the record.
   */
  stop(): LeftRecord | undefined;
  /** Stops at once, because another page may have the record (OFFLINE-14). Returns what only this page has. */
  leaveLost?(): LeftSession;
}

/** The session that an outbox works for. */
export interface OutboxOwner {
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  readonly socket: SessionSocket;
  /** The prefix of all frames. */
  readonly prefix: string;
  readonly replica: Replica;
  /** Returns the state that has to be made durable. */
  readonly client: () => FormerClient;
  readonly state: () => SessionState;
  /** True while a push travels in parts: a hello ends that. */
  readonly isSendingParts: () => boolean;
  /**
   * `durable`: more is durable on this device. `opened`: the session has to say hello again, as on a new socket. `taken`: another
   * page has the edits of the record, so the session begins anew.
   */
  readonly happened: (event: 'durable' | 'opened' | 'taken') => void;
  readonly onError: (error: unknown) => void;
}

/** Creates the outbox of a client that persists nothing: everything counts as durable at once. */
export function createVolatileOutbox(): Outbox {
  let confirmed = 0;
  return {
    confirmed: () => confirmed,
    isGenerationDurable: () => true,
    isPushDurable: () => true,
    answered: (pushes) => {
      confirmed = pushes.at(-1)?.number ?? confirmed;
    },
    save: () => undefined,
    stop: () => {
      confirmed = 0;
      return undefined;
    },
  };
}
