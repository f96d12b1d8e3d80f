import { ERRORS, TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { SessionPorts, SessionSocket } from './session-ports.ts';

/** The time after which a closed socket is reported. */
const LONGEST_MILLISECONDS = 10_000;
/** The number of failures in a row after which they are reported at once. */
const MOST_FAILURES = 3;
/** The end of a connection that has lasted so long is no failure. That of one that was live for a moment is. */
const LASTING_MILLISECONDS = 5000;
/** The same, if no push was waiting: a server may start anew at each change of its code. */
const IDLE_MILLISECONDS = 1000;

/** Reports a socket that does not open, does not stay open, or is closed by the server on purpose: once in each outage. */
export interface ConnectWatchdog {
  /** The socket is closed, and the session waits for it. */
  begin(): void;
  /** The socket has opened. */
  opened(): void;
  /** The socket has closed, or has failed to open. The session waits for it. A close by this side is no failure. */
  closed(): void;
  /**
   * Reports a close at once if the socket does not try again by itself, or if the server closed it on purpose without a message of
   * the room that says why.
   */
  tellEnd(): void;
  /** The query of the socket was asked for. Without a query, no connection is tried, and other code reports that. */
  queried(isThere: boolean): void;
  /** The room has answered, or the session does not wait for it any more. With `isIdle`, no push waits for an answer. */
  end(isIdle: boolean): void;
}

/**
 * Creates a watchdog. Its messages name the URL of the socket, and how it was closed. `isTold` returns true if the app knows an
 * error that explains why the session is not live.
 */
export function createConnectWatchdog(
  { after, now }: Pick<SessionPorts, 'after' | 'now'>,
  socket: Pick<SessionSocket, 'address' | 'closing'>,
  isTold: () => boolean,
  onError: (error: unknown) => void,
): ConnectWatchdog {
  let isOutage = false;
  let isReported = false;
  /** Infinity while it is closed. */
  let openedAt = Infinity;
  /** True if the socket was open before its last close. */
  let wasOpen = false;
  let hasQuery = true;
  /** True if no push was waiting when the connection ended. */
  let wasIdle = false;
  /** The first close is none: it is the beginning, or the end of a connection that has lasted. */
  let failures = -1;
  let cancelReport: (() => void) | undefined;
  const stopWaiting = (): void => {
    cancelReport?.();
    cancelReport = undefined;
  };
  const tell = (): void => onError(new TinyBasePartyKitError('network', describe(socket, wasOpen)));
  const report = (): void => {
    stopWaiting();
    if (!hasQuery) return;
    isReported = true;
    if (!isOurs(socket.closing().code) || !isTold()) tell();
  };
  const wait = (): void => {
    if (!isReported) cancelReport ??= after(LONGEST_MILLISECONDS, report);
  };
  const ended = (): void => {
    const lasted = now() - openedAt;
    wasOpen = openedAt < Infinity;
    openedAt = Infinity;
    if (lasted >= (wasIdle ? IDLE_MILLISECONDS : LASTING_MILLISECONDS)) failures = -1;
    wasIdle = false;
    const { isMeant, code } = socket.closing();
    // After "message too big", the client makes its frames smaller (PART-4).
    if (isMeant || code === 1009 || ++failures !== MOST_FAILURES) wait();
    else if (!isReported) report();
  };
  const begin = (): void => {
    if (isOutage) return;
    isOutage = true;
    isReported = false;
    ended();
  };
  return {
    begin,
    opened: () => {
      stopWaiting();
      openedAt = now();
    },
    closed: () => (isOutage ? ended() : begin()),
    queried: (isThere) => {
      hasQuery = isThere;
    },
    tellEnd: () => {
      if (isEnd(socket)) tell();
    },
    end: (isIdle) => {
      stopWaiting();
      isOutage = false;
      wasIdle = isIdle;
    },
  };
}

function describe(socket: Pick<SessionSocket, 'address' | 'closing'>, wasOpen: boolean): string {
  const subject = `The socket to ${socket.address()}`;
  const { isByApp, isFinal, code = 0, reason } = socket.closing();
  const how = `${code}${reason && ` and the reason ${JSON.stringify(reason)}`}`;
  if (isFinal) return `${subject} is closed for good, with the code ${how}. Call reconnect().`;
  if (isByApp)
    return `${subject} is closed: the app called close() on it, or never opened it. Call reconnect().`;
  if (wasOpen || isOnPurpose(code))
    return `${subject} was closed by the server or the network, with the code ${how}. Look at onConnect.`;
  return `${subject} does not open. Is the server running? Does its query answer? Does onBeforeConnect refuse it? Is it wss (0.0.0.0)? Is the URL below 2 KB?`;
}

function isEnd(socket: Pick<SessionSocket, 'closing'>): boolean {
  const { isByApp, isFinal, code = 0 } = socket.closing();
  return isFinal || (!isByApp && isOnPurpose(code) && !isOurs(code));
}

/** True for the codes of this package, with which a room closes a connection after it has said why. */
function isOurs(code: number | undefined): boolean {
  return Object.values(ERRORS).some(({ closeCode }) => closeCode === code);
}

/**
 * False for codes of a normal end, of a lost connection, of a frame that was too large (PART-4) and of a server that restarts (RFC
 * 6455, section 7.4).
 */
function isOnPurpose(code: number): boolean {
  return (
    code >= 3000 || code === 1002 || code === 1003 || (code > 1006 && code < 1012 && code !== 1009)
  );
}
