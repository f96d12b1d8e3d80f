import type { Outbox, OutboxOwner } from '../offline/outbox.ts';
import type { FormerClient } from '../replica/former-client.ts';
import type { Refusal } from '../replica/refusal.ts';
import { BUSY_MILLISECONDS, type EventQueue } from './event-queue.ts';
import type { RoomSocket } from './room-socket.ts';
import type { RestoredSession } from './session-ports.ts';
import type { SessionEvent } from './session-types.ts';

/** The time for which edits of a session that has ended wait for another one on its Store and room. */
const LEFT_MILLISECONDS = 2000;

/** The way of unconfirmed edits from one session to the next one on the same Store and room, for the same user (OFFLINE-1). */
export interface Handover {
  /**
   * Enters the room of the socket, and continues the session that was left there, on this page or this device. All events wait for
   * that. Edits count from now on.
   */
  enter(): void;
  /** Forgets the edits, because the socket leads to another room. Reports them, unless they are kept on this device. */
  giveUp(): void;
  /** Leaves the edits to the next session. Reports them if none comes soon, unless they are kept on this device. */
  leave(): void;
}

/** The session that hands over its edits. */
export interface HandoverOwner extends OutboxOwner {
  readonly socket: RoomSocket;
  /** Continues a session that has ended. Returns false if the Store is busy; never without `isShown`: then the Store stays as it is. */
  readonly restore: (earlier: RestoredSession, isShown?: boolean) => boolean;
  readonly onRefused: (refusals: readonly Refusal[]) => void;
}

/** Creates the handover of a session that has entered no room. */
export function createHandover(
  owner: HandoverOwner,
  outbox: Outbox,
  queue: EventQueue<SessionEvent>,
): Handover {
  const { after, socket, prefix, replica, client, restore, onRefused } = owner;
  const { claim } = replica;
  /** The client that this one continues, until it is restored. */
  let former: FormerClient | undefined;
  let hasLeft = false;
  /** Returns the key of the edits: the room and the user that they belong to. */
  const key = (): string => JSON.stringify([socket.room(), prefix, outbox.user]);
  const continueFrom = (earlier: RestoredSession): void => {
    if (hasLeft) return;
    former = earlier.client;
    if (restore(earlier)) {
      former = undefined;
      queue.resume();
      outbox.save();
    } else after(BUSY_MILLISECONDS, () => continueFrom(earlier));
  };
  const reportUnlessKept = (
    kept: Promise<string | undefined> | undefined,
    refusals: readonly Refusal[],
  ): void => {
    if (kept === undefined) onRefused(refusals);
    else
      void kept.then((head) => {
        if (head === undefined) onRefused(refusals);
      });
  };
  return {
    enter: () => {
      // A socket without a room leads to none that could have what the Store holds.
      if (socket.enter() !== '') claim.begin(key());
      replica.startTracking();
      former = claim.takeLeft(key());
      if (outbox.open === undefined && former === undefined) return;
      queue.pause();
      // A push gets its number when it is known which numbers this client has given out.
      replica.setSaving(false);
      if (outbox.open === undefined) continueFrom({ client: former });
      else void outbox.open(former).then((earlier) => continueFrom(earlier ?? {}));
    },
    giveUp: () => {
      reportUnlessKept(outbox.stop(), replica.abandon('another-room'));
    },
    leave: () => {
      hasLeft = true;
      // With edits of its own, this session leaves more than the one before has kept.
      const keptBefore = replica.held ? undefined : former?.kept;
      // The Store is busy, or the device has not answered: its edits go to the next session with those of this one.
      if (former !== undefined) restore({ client: former }, false);
      const kept = outbox.stop() ?? keptBefore;
      const left = { ...client(), kept };
      const refusals = replica.abandon('destroyed');
      if (refusals.length === 0) return;
      const onTaken = after(LEFT_MILLISECONDS, () => reportUnlessKept(kept, refusals));
      claim.leave({ key: key(), client: left, onTaken });
    },
  };
}
