import type { SessionPorts } from './session-ports.ts';

/** The silence before a ping. A shorter one would keep rooms awake. */
const PING_MILLISECONDS = 25_000;
/** The silence after a ping that makes a connection count as dead. */
const SILENCE_MILLISECONDS = 15_000;
/** The same, after a sign that the connection may be dead. */
const HASTY_MILLISECONDS = 5000;
/** If nothing is heard for this time after a push, the heartbeat pings. */
const UNANSWERED_MILLISECONDS = 5000;
/** A ping may come so much too early, so that not every message has to restart the timer. */
const EARLY_MILLISECONDS = 1000;
/** The length that also a slow line takes in time, in characters. */
const QUICK_LENGTH = 16 * 1024;

/** Calls of a heartbeat to its owner. */
export interface HeartbeatActions {
  /** Asks for a sign of life; with `isCheck`, asks the room itself if anything was lost. */
  readonly ping: (isCheck: boolean) => void;
  /** Nothing was heard for too long. */
  readonly dead: () => void;
}

/** Pings while a connection lasts, and remembers what was sent before each ping (ORDER-7). */
export interface Heartbeat {
  /** The last push sent before the ping that is not answered yet; undefined if no ping waits. */
  pinged(): number | undefined;
  /** Starts again, for a new conversation. */
  start(): void;
  stop(): void;
  /** A push of that length was sent. */
  sent(push: number, length: number): void;
  /** Pings at once, and does not wait for long: the connection may be dead. */
  check(): void;
  /**
   * Something was heard: the connection is not dead. `isNews` unless it only answers a ping. With `isOfOthers`, pushes wait for an
   * answer, and this is none: the ping that tells if they were lost comes no later.
   */
  heard(isNews: boolean, isOfOthers: boolean): void;
  /** The host answered a ping for the room. */
  alive(): void;
  /** A pong came. */
  answered(): void;
}

/** Creates a heartbeat that is stopped. */
export function createHeartbeat(
  { after, now }: Pick<SessionPorts, 'after' | 'now'>,
  { ping, dead }: HeartbeatActions,
): Heartbeat {
  let cancel: (() => void) | undefined;
  /** The time at which the wait before a ping began. */
  let waiting = -Infinity;
  let lastSent = 0;
  /** True if the room has confirmed that nothing is missing, and nothing was sent or heard since. Then pings need not wake the room. */
  let isSettled = false;
  let pinged: number | undefined;
  /** The length sent since something was heard. */
  let unheard = 0;
  const stop = (): void => {
    cancel?.();
    cancel = pinged = undefined;
  };
  const then = (milliseconds: number, callback: () => void): void => {
    cancel?.();
    waiting = -Infinity;
    cancel = after(milliseconds, callback);
  };
  const expect = (milliseconds: number): void =>
    then(milliseconds, () => {
      stop();
      dead();
    });
  const ask = (milliseconds: number, isCheck = !isSettled): void => {
    expect(milliseconds);
    ping(isCheck);
    // The next pong may answer an earlier ping, so it tells nothing about later messages.
    pinged ??= lastSent;
  };
  const wait = (): void => {
    then(PING_MILLISECONDS, () => ask(SILENCE_MILLISECONDS));
    waiting = now();
  };
  const alive = (): void => {
    pinged = undefined;
    if (cancel !== undefined) wait();
  };
  return {
    pinged: () => pinged,
    start: () => {
      stop();
      lastSent = unheard = 0;
      isSettled = false;
      wait();
    },
    stop,
    sent: (push, length) => {
      // Asks soon if nothing is heard. A check would wait for the hooks of the pushes before it.
      if (unheard === 0 && cancel !== undefined && pinged === undefined)
        then(UNANSWERED_MILLISECONDS, () => {
          if (unheard > QUICK_LENGTH) wait();
          else ask(HASTY_MILLISECONDS, false);
        });
      lastSent = push;
      unheard += length;
      isSettled = false;
    },
    check: () => {
      if (cancel !== undefined) ask(HASTY_MILLISECONDS);
    },
    heard: (isNews, isOfOthers) => {
      unheard = 0;
      if (isNews) isSettled = false;
      if (cancel === undefined) return;
      if (pinged !== undefined) expect(SILENCE_MILLISECONDS);
      else if (now() - waiting >= (isOfOthers ? Infinity : EARLY_MILLISECONDS)) wait();
    },
    alive,
    answered: () => {
      isSettled = pinged === lastSent;
      alive();
    },
  };
}
