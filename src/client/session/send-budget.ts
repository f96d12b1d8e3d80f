import { JOINED_OF_ONE, LENGTH_OF_ONE } from '../../protocol/message-cost.ts';
import type { MessageRate } from '../../protocol/messages.ts';

const REFILL_MILLISECONDS = 250;
/** The part of the room's limit that is used. The rest is for other parts of the app on the same socket. */
const SHARE = 0.9;

/** Decides when the next frame may be sent, so that a client never exceeds the rate of its room (FLOOD-6). */
export interface SendBudget {
  /** Sets the rate of the room; undefined if the room does not tell it. */
  limit(rate: MessageRate | undefined): void;
  /** Counts a hello, which waits for nothing. */
  count(): void;
  /**
   * Counts a message of that length. With `isJoined`, it is not the first of its frame, and costs less. Returns false, and counts
   * nothing, if the message has to wait: `onRefilled` follows.
   */
  take(length: number, isJoined?: boolean): boolean;
  /** Starts again. The socket is closed, and the room also starts to count again on the next one. */
  reset(): void;
}

/** Creates a budget without a limit. Timers refill it, not a clock: late timers refill less than the rate, never more. */
export function createSendBudget(
  after: (milliseconds: number, callback: () => void) => () => void,
  onRefilled: () => void,
): SendBudget {
  let rate: MessageRate | undefined;
  let spent = 0;
  let isWaiting = false;
  let cancel: (() => void) | undefined;

  const mostSpent = (): number => (rate?.messageBurst ?? Infinity) * SHARE;
  const refill = (): void => {
    cancel = undefined;
    const perSecond = (rate?.messagesPerSecond ?? Infinity) * SHARE;
    spent = Math.max(0, spent - (perSecond * REFILL_MILLISECONDS) / 1000);
    if (spent > 0) arm();
    if (!isWaiting) return;
    isWaiting = false;
    onRefilled();
  };
  const arm = (): void => {
    cancel ??= after(REFILL_MILLISECONDS, refill);
  };
  const add = (cost: number): void => {
    spent += cost;
    // A client that sends little needs no timer: its messages only count for longer than they have to.
    if (spent > mostSpent() / 4) arm();
  };
  return {
    limit: (told) => {
      rate = told;
    },
    count: () => add(1),
    take: (length, isJoined = false) => {
      const cost = Math.max(isJoined ? 1 / JOINED_OF_ONE : 1, length / LENGTH_OF_ONE);
      isWaiting = spent > 0 && spent + cost > mostSpent();
      if (isWaiting) arm();
      else add(cost);
      return !isWaiting;
    },
    reset: () => {
      spent = 0;
      isWaiting = false;
      cancel?.();
      cancel = undefined;
    },
  };
}
