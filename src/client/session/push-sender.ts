import { isEmptyChanges, type Changes } from '../../protocol/changes.ts';
import {
  encodeClientMessage,
  encodeNumbered,
  encodePushFrame,
  MOST_PARTS_AHEAD,
} from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { joinFrames, weightOf } from '../../protocol/frame.ts';
import type { Limits, PartReceipt } from '../../protocol/messages.ts';
import { utf8Length } from '../../protocol/utf8.ts';
import type { Outbox } from '../offline/outbox.ts';
import type { PendingPush } from '../replica/pending-push.ts';
import type { Replica } from '../replica/replica.ts';
import type { Heartbeat } from './heartbeat.ts';
import { createSendBudget } from './send-budget.ts';
import type { SessionPorts } from './session-ports.ts';
import type { SessionEvent, WithdrawalReason } from './session-types.ts';
import type { SyncStats } from './sync-status.ts';

/** The limits until the first welcome. */
const DEFAULT_LIMITS: Limits = { framePushBytes: 256 * 1024, pushBytes: 4 * 1024 * 1024 };
/** The highest number of pushes that wait for their ack; more are sent later. After each loss, it is a quarter: so few come into doubt. */
const MOST_IN_FLIGHT = 1000;
/** The length of a part, in characters: also a slow line takes one long before the room counts as silent. */
const PART_LENGTH = 32 * 1024;

/** The least length of a part for which {@link PART_LENGTH} is halved. */
const LEAST_PART = 2 * 1024;

/** The connections that may end, or lose parts, before all parts of a push are sent, or one in doubt is answered (PART-5, PART-7). */
const MOST_CUTS = 8;

/** The conversations in a row that may end without a push that was sent. Then it travels in parts, whatever its size (PART-6). */
const MOST_LOSSES = 4;

/**
 * A push is in doubt after that many losses, or as many cuts. It waits so long in each conversation, and up to twice as long: a
 * connection that ends before ends for another reason, as with a server that crashes again and again, or at the push of another
 * client.
 */
const CALM_MILLISECONDS = 2000;

const DOUBT_MESSAGE =
  'Each connection ends at the same edit: look at the console of the room, then for a proxy or firewall.';

/** The smallest limit of a frame that {@link PushSender.halve} sets, in bytes. */
const LEAST_FRAME = 8 * 1024;

/** The session that a sender works for. */
export interface SenderOwner {
  /** Sends a frame over the socket, if it is open. */
  readonly send: (frame: string) => void;
  /** Returns true while the room takes pushes. */
  readonly isLive: () => boolean;
  readonly happened: (event: SessionEvent) => void;
  readonly onError: (error: unknown) => void;
  readonly stats: SyncStats;
}

/** Sends pending pushes, oldest first, each once in a conversation (ONCE-1, PART-1). */
export interface PushSender {
  /** The highest number that was ever sent. */
  everSent(): number;
  /** A conversation begins: every pending push is sent again, within the limits of the room. */
  begin(limits: Limits): void;
  /** Something closed the socket because a frame was too large: from now on, they have half the size (PART-4). */
  halve(): void;
  /** A socket opens: the room counts from the beginning. */
  opened(): void;
  /** The room has answered a hello, of this client or of another one: it has counted that. */
  answered(): void;
  /** The socket has closed. With `isMeant`, this side has ended the connection, or the room asks for all again. */
  closed(isMeant: boolean): void;
  /** Nothing is heard any more: this side is about to end the connection. */
  silent(): void;
  /** Sets the highest number that was ever sent: after a restart, or for another room. */
  restore(everSent: number): void;
  /** A ping goes: the room sends the receipts of all parts before it, and then its pong. */
  ask(): void;
  /** True while a push travels in parts, or one in doubt has no answer: another hello would have it sent again from the beginning. */
  isSendingParts(): boolean;
  /** True if a pong shows that parts were lost: they were sent before its ping, and have no receipt. */
  lacksReceipt(): boolean;
  /** The room has received that much of a push in parts. */
  received(receipt: PartReceipt): void;
  /** The room will not accept that push. The client sends it again as an empty one, and all later ones (ONCE-8). */
  refused(push: number, reason: WithdrawalReason): Changes | undefined;
  /** Sends the pending pushes that were not sent yet, when the code that runs now has ended: together (FRAME-5). */
  flush(): void;
  /** Sends at once what {@link PushSender.flush} has left for later. */
  sendNow(): void;
}

/** A push that is sent in parts: until the last part is sent, and if it is in doubt, until the answer. Lengths are in characters. */
interface Upload {
  readonly json: string;
  sent: number;
  /** The length that the room has confirmed. */
  received: number;
  /** The length that was sent before the last ping that went while no other was waiting for its answer. */
  asked: number;
}

/** Creates a sender that has sent nothing yet. */
export function createPushSender(
  replica: Replica,
  outbox: Outbox,
  prefix: string,
  heartbeat: Heartbeat,
  { after, random, soon }: Pick<SessionPorts, 'after' | 'random' | 'soon'>,
  owner: SenderOwner,
): PushSender {
  let { framePushBytes } = DEFAULT_LIMITS;
  /** The largest frame that passes, as far as is known. */
  let most = Infinity;
  /** The highest number sent in this conversation. */
  let sent = 0;
  /** The highest number sent in any: the room may hold it. */
  let everSent = 0;
  let upload: Upload | undefined;
  /** The number of connections that have ended with one, or have lost its parts (PART-5, PART-7). */
  let cuts = 0;
  /** The number of the last push that was sent in parts: they are counted for it. */
  let suspect = 0;
  /** The greatest length of a part that passes, as far as is known. */
  let mostOfPart = PART_LENGTH;
  /** The number of conversations in a row at whose end the room lacked a push that was sent. */
  let losses = 0;
  /** The lowest number that the room lacked at the end of the last of them, and the highest that was sent in each. */
  let firstLost = 0;
  let lost = 0;
  /** False at the beginning of a conversation after {@link MOST_LOSSES}. */
  let isCalm = true;
  let cancelCalm: (() => void) | undefined;
  let isFlushDue = false;
  /** Pushes that leave together. */
  let leaving: string[] = [];

  const budget = createSendBudget(after, () => owner.happened('edited'));
  const leave = (): void => {
    const messages = leaving;
    leaving = [];
    for (const frame of joinFrames(messages, most)) owner.send(frame);
  };
  /** Adds a push to those that leave. Returns false and sends nothing if it has to wait: then the session tries again. */
  const send = (message: string): boolean => {
    const isTaken = budget.take(weightOf(message), leaving.length > 0);
    if (isTaken) leaving.push(message);
    return isTaken;
  };

  const isInDoubt = (number: number): boolean => losses >= MOST_LOSSES && number <= lost;
  const forgetAnswered = (): void => {
    const { oldestUnanswered } = replica;
    if (oldestUnanswered > lost) losses = 0;
    if (oldestUnanswered <= suspect) return;
    upload = undefined;
    cuts = 0;
  };
  const cut = (): void => {
    cuts += 1;
    if (cuts === MOST_LOSSES) owner.onError(new TinyBasePartyKitError('network', DOUBT_MESSAGE));
    // Perhaps the first part was too large for something between that does not say so. One end alone may have any cause.
    if (cuts > 1 && upload?.received === 0) mostOfPart = Math.max(LEAST_PART, mostOfPart / 2);
  };
  const refused = (push: number, reason: WithdrawalReason): Changes | undefined => {
    const changes = replica.pending.find(({ number }) => number === push)?.changes;
    const isOurs = changes !== undefined && !isEmptyChanges(changes);
    if (!isOurs || push > (upload === undefined ? sent : suspect)) return undefined;
    upload = undefined;
    cuts = 0;
    sent = push - 1;
    replica.withdraw(push, reason);
    outbox.save();
    owner.happened('edited');
    return changes;
  };

  /**
   * Sends as many parts as may be on their way. Returns true when that was the last one. That has one character, and waits for all
   * receipts: before it, the room does nothing with the push.
   */
  const sendParts = (push: PendingPush): boolean => {
    const { number, encoded } = push;
    suspect = number;
    const current = (upload ??= {
      json: encodeNumbered(number, encoded, push),
      sent: 0,
      received: 0,
      asked: 0,
    });
    if (cuts >= MOST_CUTS) {
      // One in doubt was sent whole before.
      refused(number, isInDoubt(number) ? 'undelivered' : 'too-large');
      return false;
    }
    // A character takes up to three bytes, or two more where JSON escapes it.
    const partLength = Math.max(1, Math.min(mostOfPart, Math.floor(framePushBytes / 4)));
    const { json, received } = current;
    const { length } = json;
    while (current.sent < length) {
      const { sent: offset } = current;
      const rest = length - 1 - offset;
      if (offset - received >= (rest ? MOST_PARTS_AHEAD * partLength : 1)) return false;
      const text = json.slice(offset, offset + Math.min(partLength, rest || 1));
      const frame = encodeClientMessage(prefix, { type: 'part', number, offset, length, text });
      leave();
      if (!budget.take(weightOf(frame, true))) return false;
      owner.send(frame);
      current.sent += text.length;
    }
    if (!isInDoubt(number)) {
      upload = undefined;
      cuts = 0;
    }
    return true;
  };
  const sendPending = (): void => {
    const { pending, oldestUnanswered } = replica;
    forgetAnswered();
    // Numbers have a gap where a page continues another one (OFFLINE-9).
    sent = Math.max(sent, oldestUnanswered - 1);
    // Behind a push in doubt, nothing is on its way: it would be as suspect (PART-7).
    const mostInFlight = isInDoubt(oldestUnanswered) ? 1 : MOST_IN_FLIGHT >> (2 * losses);
    while (sent - oldestUnanswered + 1 < mostInFlight) {
      const push = pending[sent + 1 - oldestUnanswered];
      if (push === undefined || !outbox.isPushDurable(push.number)) return;
      const { number, encoded } = push;
      const fitsFrame = utf8Length(encoded, framePushBytes) <= framePushBytes;
      const isOrdinary = fitsFrame && !isInDoubt(number);
      if (!isOrdinary && !isCalm) return;
      // The room refuses the parts of a user who may only read, also those of an empty push.
      const isWhole = isOrdinary || isEmptyChanges(push.changes);
      const isSent = isWhole
        ? send(encodePushFrame(prefix, number, encoded, push))
        : sendParts(push);
      if (!isSent) return;
      sent = number;
      everSent = Math.max(everSent, sent);
      owner.stats.saves++;
      heartbeat.sent(sent, encoded.length);
    }
  };
  const inParts = (): Upload | undefined => {
    forgetAnswered();
    return upload;
  };
  const lacksReceipt = (): boolean => {
    const { asked = 0, received = 0 } = inParts() ?? {};
    return asked > received;
  };
  const closed = (isMeant: boolean): void => {
    if (upload !== undefined && !isMeant) cut();
    upload = undefined;
    cancelCalm?.();
  };
  const sendNow = (): void => {
    if (!isFlushDue) return;
    isFlushDue = false;
    if (!owner.isLive()) return;
    sendPending();
    leave();
  };
  return {
    everSent: () => everSent,
    begin: (limits) => {
      framePushBytes = Math.min(limits.framePushBytes, most);
      budget.limit(limits.rate);
      replica.limitPushes(limits.pushBytes);
      if (lacksReceipt()) cut();
      upload = undefined;
      const { oldestUnanswered } = replica;
      if (sent >= oldestUnanswered) {
        // Where some get through, nothing cuts the connection at the others, until they are in doubt.
        losses = losses < MOST_LOSSES && oldestUnanswered > firstLost ? 1 : losses + 1;
        firstLost = oldestUnanswered;
        // Of those in doubt, the last conversation has sent one.
        if (losses <= MOST_LOSSES) lost = sent;
      }
      sent = oldestUnanswered - 1;
      cancelCalm?.();
      isCalm = Math.max(losses, cuts) < MOST_LOSSES;
      if (isCalm) return;
      cancelCalm = after(CALM_MILLISECONDS * (1 + random()), () => {
        isCalm = true;
        owner.happened('edited');
      });
    },
    halve: () => {
      most = Math.max(LEAST_FRAME, framePushBytes / 2);
    },
    opened: () => budget.reset(),
    answered: () => budget.count(),
    closed,
    // Parts may be on a slow line. A room that has answered all of them but the last, and then nothing, hangs at that push.
    silent: () => {
      if (upload?.sent === upload?.json.length) closed(false);
    },
    restore: (number) => {
      everSent = number;
      sent = firstLost = lost = cuts = 0;
    },
    ask: () => {
      if (upload !== undefined && heartbeat.pinged() === undefined) upload.asked = upload.sent;
    },
    isSendingParts: () => inParts() !== undefined,
    lacksReceipt,
    received: ({ number, offset }) => {
      if (upload !== undefined && suspect === number) upload.received = offset;
    },
    refused,
    flush: () => {
      if (isFlushDue) return;
      isFlushDue = true;
      soon(sendNow);
    },
    sendNow,
  };
}
