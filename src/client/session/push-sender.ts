import { isEmptyChanges } from '../../protocol/changes.ts';
import { encodeLargePush, encodePushFrame } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Limits } from '../../protocol/messages.ts';
import { utf8Length } from '../../protocol/utf8.ts';
import type { Outbox } from '../offline/outbox.ts';
import type { PendingPush, Replica } from '../replica/replica.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { SessionEndpoint } from './session-ports.ts';
import type { SessionEvent } from './session-state.ts';
import type { SyncStats } from './sync-status.ts';

/** Until a welcome tells better. */
const DEFAULT_LIMITS: Limits = { framePushBytes: 256 * 1024, pushBytes: 16 * 1024 * 1024 };
/** The highest number of pushes that wait for their ack; more are sent later. */
const MOST_IN_FLIGHT = 512;

/** The session that a sender works for. */
export interface SenderOwner {
  /** Sends a frame over the socket, if it is open. */
  readonly send: (frame: string) => void;
  /** Returns the name and generation under which the room expects pushes. */
  readonly identity: () => { readonly clientId: string; readonly generation: number };
  readonly happened: (event: SessionEvent) => void;
  readonly onError: (error: unknown) => void;
  readonly stats: SyncStats;
}

/** Sends pending pushes, oldest first, each once in a conversation (ONCE-1, ONCE-6). */
export interface PushSender {
  /** True if the room may hold one of the pending pushes. */
  mayRoomHavePending(): boolean;
  /** The room has told what it has and what it takes: the oldest pending push is the next to be sent. */
  limit(limits: Limits): void;
  /** The socket is closed: what travels is of no use. */
  stop(): void;
  /** Sets the highest number that was ever sent: after a restart, or for another room. */
  restore(everSent: number): void;
  /** The ack of a push came. */
  answered(push: number): void;
  /** The room cannot read that push. It and all after it go again, and this time it is empty (ONCE-8). */
  notUnderstood(push: number): void;
  /** Sends what is pending and was not sent yet. */
  flush(): void;
}

/** Creates a sender that has sent nothing yet. */
export function createPushSender(
  replica: Replica,
  outbox: Outbox,
  endpoint: SessionEndpoint,
  prefix: () => string,
  heartbeat: Heartbeat,
  owner: SenderOwner,
): PushSender {
  let { framePushBytes } = DEFAULT_LIMITS;
  /** The highest number sent in this conversation. */
  let sent = 0;
  /** The highest number sent in any: the room may hold it. */
  let everSent = 0;
  /** The push that travels over HTTP, which later ones wait for. */
  let posted: number | undefined;

  const withdraw = (number: number, reason: 'too-large' | 'malformed'): void => {
    posted = undefined;
    sent = number - 1;
    replica.withdraw(number, reason);
    outbox.save();
    owner.happened('edited');
  };
  const post = async ({ number, changes, isDerived }: PendingPush): Promise<void> => {
    const { clientId, generation } = owner.identity();
    posted = number;
    const push = { type: 'push', number, changes, isDerived } as const;
    try {
      await endpoint.post(encodeLargePush({ clientId, generation, push }));
    } catch (error) {
      const isCurrent = owner.identity().generation === generation && posted === number;
      const code = error instanceof TinyBasePartyKitError ? error.code : undefined;
      const refusal = code === 'too-large' || code === 'malformed' ? code : undefined;
      if (isCurrent && refusal === undefined) owner.happened({ type: 'push-failed', error });
      else owner.onError(error);
      if (isCurrent && refusal !== undefined) withdraw(number, refusal);
    }
  };
  return {
    mayRoomHavePending: () => {
      const [oldest] = replica.pending;
      return oldest !== undefined && oldest.number <= everSent;
    },
    limit: (limits) => {
      ({ framePushBytes } = limits);
      replica.limitPushes(limits.pushBytes);
      posted = undefined;
      sent = replica.nextPush - 1;
    },
    stop: () => {
      posted = undefined;
    },
    restore: (number) => {
      everSent = number;
    },
    answered: (push) => {
      if (posted === push) posted = undefined;
    },
    notUnderstood: (push) => {
      const isOurs = replica.pending.some(
        ({ number, changes }) => number === push && !isEmptyChanges(changes),
      );
      if (isOurs && push <= sent) withdraw(push, 'malformed');
    },
    flush: () => {
      const { pending, nextPush } = replica;
      if (posted !== undefined) return;
      while (sent - nextPush + 1 < MOST_IN_FLIGHT) {
        const push = pending[sent + 1 - nextPush];
        if (push === undefined || !outbox.isPushDurable(push.number)) return;
        const fitsFrame = utf8Length(push.encoded, framePushBytes) <= framePushBytes;
        // HTTP may be faster than the socket: what goes before a large push has to be answered before it leaves.
        if (!fitsFrame && push.number !== nextPush) return;
        sent = push.number;
        everSent = Math.max(everSent, sent);
        owner.stats.saves++;
        if (fitsFrame) {
          owner.send(encodePushFrame(prefix(), sent, push.encoded, push.isDerived));
          heartbeat.sent(sent);
        } else {
          void post(push);
          return;
        }
      }
    },
  };
}
