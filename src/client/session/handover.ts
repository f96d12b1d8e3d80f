import type { Outbox, OutboxOwner } from '../offline/outbox.ts';
import type { FormerClient, LeftRecord, LeftSession } from '../replica/former-client.ts';
import { refusalsOf, type Refusal, type RefusalReason } from '../replica/refusal.ts';
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
   * that. Edits count from now on. With `left`, it goes on with that.
   */
  enter(left?: LeftSession): void;
  /** Forgets the edits, because the socket leads to another room. Reports them, unless they are kept on this device. */
  giveUp(): void;
  /** Forgets the edits that another page may have (OFFLINE-14). Returns what is left to this session itself, which enters again with it. */
  leaveLost(): LeftSession | undefined;
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
  /** True until it is known which client that is: this one has sent nothing. */
  let isOpening = false;
  let recordId: string | undefined;
  let hasLeft = false;
  /** Returns the key of the edits: the room and the user that they belong to. */
  const key = (): string => JSON.stringify([socket.room(), prefix, outbox.user]);
  const continueFrom = (earlier: RestoredSession): void => {
    if (hasLeft) return;
    former = earlier.client;
    isOpening = false;
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
  /** Frees a record for other pages. Reports the edits that it lacks, if `isOurs` still holds when that is known. */
  const free = async (
    record: LeftRecord,
    reason: RefusalReason,
    isOurs: () => boolean | Promise<boolean>,
    onFree?: (left: LeftSession) => void,
  ): Promise<void> => {
    const lacking = await record.lacking;
    if (lacking !== undefined && (await isOurs())) onRefused(refusalsOf(lacking, reason));
    await record.free(onFree);
  };
  return {
    enter: (lost) => {
      // A socket without a room leads to none that could have what the Store holds.
      if (socket.enter() !== '') claim.begin(key());
      replica.startTracking();
      const left = lost ?? claim.takeLeft(key());
      if (outbox.open === undefined && left === undefined) return;
      ({ client: former, recordId } = left ?? {});
      queue.pause();
      // A push gets its number when it is known which numbers this client has given out.
      replica.setSaving(false);
      const { held } = left ?? {};
      if (held) {
        const edits = { pushes: [], lastNumber: 0, held };
        if (!replica.restore(undefined, edits)) replica.restore(undefined, edits, false);
      }
      isOpening = true;
      if (outbox.open === undefined) continueFrom({ client: former });
      else void outbox.open(left ?? {}).then((earlier) => continueFrom(earlier ?? {}));
    },
    giveUp: () => {
      const record = outbox.stop();
      const refusals = replica.abandon('another-room');
      if (record === undefined) return onRefused(refusals);
      void free(record, 'another-room', () => true);
    },
    leaveLost: () => {
      claim.raise(client().generation);
      const left = outbox.leaveLost?.();
      replica.abandon('destroyed');
      return left;
    },
    leave: () => {
      hasLeft = true;
      claim.raise(client().generation);
      // The Store is busy, or the device is: its edits go to the next session with those of this one.
      if (former !== undefined) {
        restore({ client: former }, false);
        isOpening = false;
      }
      const record = outbox.stop();
      const session: LeftSession = isOpening
        ? { held: replica.held, recordId }
        : { client: { ...client(), record } };
      const left = {
        key: key(),
        session,
        onTaken: () => {
          isTaken = true;
          cancel?.();
        },
      };
      const refusals = replica.abandon('destroyed');
      if (refusals.length === 0) {
        void record?.free();
        return;
      }
      let isTaken = false;
      let cancel: (() => void) | undefined;
      const waited = new Promise<void>((resolve) => {
        cancel = after(LEFT_MILLISECONDS, resolve);
      });
      claim.leave(left);
      if (record === undefined) void waited.then(() => onRefused(refusals));
      else
        void free(
          record,
          'destroyed',
          () => waited.then(() => !isTaken),
          (rest) => {
            left.session = rest;
          },
        );
    },
  };
}
