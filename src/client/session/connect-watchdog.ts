import { TinyBasePartyKitError } from '../../protocol/errors.ts';

/** The time after which a closed socket is reported. */
const LONGEST_MILLISECONDS = 10_000;
/** The number of failures in a row after which they are reported at once. */
const MOST_FAILURES = 3;

/** Reports a socket that does not open, once in each outage. No other part would report it. */
export interface ConnectWatchdog {
  /** The socket is closed, and the session waits for it. */
  begin(): void;
  /** The socket has closed or, if it was closed, failed to open. The session waits for it. */
  closed(): void;
  /** The socket is open, or the session does not wait for it any more. */
  end(): void;
}

/** Creates a watchdog. `address` returns the URL of the socket, for the message. */
export function createConnectWatchdog(
  after: (milliseconds: number, callback: () => void) => () => void,
  address: () => string,
  onError: (error: unknown) => void,
): ConnectWatchdog {
  let isOutage = false;
  let failures = 0;
  let cancelReport: (() => void) | undefined;
  const stopWaiting = (): void => {
    cancelReport?.();
    cancelReport = undefined;
  };
  const report = (): void => {
    stopWaiting();
    const message = `The socket to ${address()} does not open. Is the server running? Check the protocol (PartySocket uses wss for hosts that it does not know as local, such as 0.0.0.0), and that the URL with its query is below 2 KB.`;
    onError(new TinyBasePartyKitError('network', message));
  };
  const begin = (): void => {
    if (isOutage) return;
    isOutage = true;
    failures = 0;
    cancelReport = after(LONGEST_MILLISECONDS, report);
  };
  return {
    begin,
    closed: () => {
      if (!isOutage) begin();
      else if (++failures === MOST_FAILURES && cancelReport !== undefined) report();
    },
    end: () => {
      stopWaiting();
      isOutage = false;
    },
  };
}
