import type { Outbox, OutboxOwner } from '../offline/outbox.ts';
import type { FormerClient, KeptEdits } from '../replica/former-client.ts';
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
  /** The client that was left here, until it is known what the device has. */
  let unopened: FormerClient | undefined;
  /** The client that this one continues, until it is restored. */
  let former: FormerClient | undefined;
  let hasLeft = false;
  /** Returns the key of the edits: the room and the user that they belong to. */
  const key = (): string => JSON.stringify([socket.room(), prefix, outbox.user]);
  const continueFrom = (earlier: RestoredSession): void => {
    if (hasLeft) return;
    unopened = undefined;
    former = earlier.client;
    if (former) {
      // An answer to an earlier session on that socket is none to this one (JOIN-4).
      const generation = Math.max(former.generation, claim.generation);
      earlier = { ...earlier, client: (former = { ...former, generation }) };
    }
    if (restore(earlier)) {
      former = undefined;
      queue.resume();
      outbox.save();
    } else after(BUSY_MILLISECONDS, () => continueFrom(earlier));
  };
  const reportUnlessKept = (
    kept: Promise<KeptEdits | undefined> | undefined,
    refusals: readonly Refusal[],
  ): void => {
    if (kept === undefined) onRefused(refusals);
    else
      void kept.then((edits) => {
        if (edits?.isWhole !== true) onRefused(refusals);
      });
  };
  return {
    enter: () => {
      // A socket without a room leads to none that could have what the Store holds.
      if (socket.enter() !== '') claim.begin(key());
      replica.startTracking();
      unopened = claim.takeLeft(key());
      if (outbox.open === undefined && unopened === undefined) return;
      queue.pause();
      // A push gets its number when it is known which numbers this client has given out.
      replica.setSaving(false);
      const { later: held } = unopened ?? {};
      if (held) {
        const edits = { pushes: [], lastNumber: 0, held };
        if (!replica.restore(undefined, edits)) replica.restore(undefined, edits, false);
      }
      if (outbox.open === undefined) continueFrom({ client: unopened });
      else void outbox.open(unopened).then((earlier) => continueFrom(earlier ?? {}));
    },
    giveUp: () => {
      reportUnlessKept(outbox.stop(), replica.abandon('another-room'));
    },
    leave: () => {
      hasLeft = true;
      claim.raise(client().generation);
      // The Store is busy: its edits go to the next session with those of this one.
      if (former !== undefined) restore({ client: former }, false);
      const kept = outbox.stop();
      // While it is not known what the device has, they stay apart: another page may have taken over those of the session before.
      const left = unopened ? { ...unopened, later: replica.held } : { ...client(), kept };
      const refusals = replica.abandon('destroyed');
      if (unopened) restore({ client: unopened }, false);
      const before = replica.abandon('destroyed');
      if (refusals.length + before.length === 0) return;
      const onTaken = after(LEFT_MILLISECONDS, () => {
        reportUnlessKept(kept, refusals);
        reportUnlessKept(left.kept, before);
      });
      claim.leave({ key: key(), client: left, onTaken });
    },
  };
}
