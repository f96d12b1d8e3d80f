import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { lifeOf, userOf } from './token-lifetime.ts';

/** The parameters of a URL; null and undefined are left out. */
export type QueryParameters = Readonly<Record<string, string | null | undefined>>;

/** The time to wait before an attempt to connect, in milliseconds. `attempts` failed since the connection was lost. */
export type ReconnectTimeout = number | ((lost: { readonly attempts: number }) => number);

/** The parameters of one attempt. `token` is the one among them, if there is one. */
export type Answer = Promise<{ readonly parameters: QueryParameters; readonly token?: string }>;

/** The user of the first token with which a room has let the client in: all edits are theirs. */
export interface Owner {
  user?: string | undefined;
}

/** Everything that the attempts take from outside. */
export interface AttemptsPort {
  /** Calls back once, later; returns a function that prevents it. */
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  /** Returns the time of this device, in milliseconds. */
  readonly now: () => number;
  /** Returns a number from 0 up to 1. */
  readonly random: () => number;
  /** Asks the app. */
  readonly ask: () => Answer;
  readonly owner: Owner;
  readonly socket: {
    isOpen(): boolean;
    /** Returns false if the socket was closed for good. */
    isWanted(): boolean;
    reconnect(): void;
    /** Closes the socket for good, and tells every part of the client. */
    stop(error: TinyBasePartyKitError): void;
  };
  /** Gets errors after which the client tries again. */
  readonly onError: (error: unknown) => void;
}

/**
 * The attempts of one PartySocket to connect (`CLIENT-2` to `CLIENT-4`). PartySocket asks for the query of its URL at each attempt,
 * and so the attempt waits here for its time and for its token. Requests over HTTP share the query.
 */
export interface ConnectionAttempts {
  /** Resolves to the query of the present attempt. */
  query(): Promise<QueryParameters>;
  /** The socket is open. */
  opened(): void;
  /** The room has let the user in. */
  admitted(): void;
  /** The socket is not open any more, or has failed to open. */
  closed(): void;
  /** The token has expired, and the socket is about to close: the next attempt is immediate, with another token. */
  expired(): void;
  /** Ends a wait: there is hope again. */
  hurry(): void;
  /** Forgets the attempts so far: the app begins anew. */
  reset(): void;
  /** Ends everything. */
  end(): void;
}

/** An attempt, which waits for its time, and then for its query. */
interface Attempt {
  readonly query: Promise<QueryParameters>;
  isPending: boolean;
}

/** A connection of this duration was a good one: the next attempts count from 0 again. */
const GOOD_MILLISECONDS = 5_000;
const LONGEST_PAUSE_MILLISECONDS = 30_000;
/** The shortest pause before the second attempt and later ones, whatever the app asks for. */
const LEAST_PAUSE_MILLISECONDS = 100;
/** An app that begins anew so soon after it was asked may do so at each refusal. */
const QUICK_MILLISECONDS = 1_000;
/** An app that takes longer to answer is reported, before the socket that waits for it. */
const SLOW_MILLISECONDS = 9_000;
/** The further time after which it is asked again: its own request may be lost. */
const LOST_MILLISECONDS = 21_000;
const OTHER_USER_MESSAGE =
  'The function "token" gave a token of another user: load the page again, or create another client.';
const SLOW_MESSAGE = 'The function "token" or "query" has not answered for 9 seconds.';
/** A new token is asked for so long before the end of the present one, or in the last tenth of its life. */
const RENEWAL_MILLISECONDS = 60_000;
/** The least time between two renewals, or half of a shorter life. Where the clock of this device is ahead, a new token may seem to end at once. */
const LEAST_RENEWAL_MILLISECONDS = 30_000;

/** Creates attempts without any. */
export function createConnectionAttempts(
  { after, now, random, ask, owner, socket, onError }: AttemptsPort,
  timeout: ReconnectTimeout = defaultTimeout,
): ConnectionAttempts {
  let attempts = 0;
  /** The number of times in a row that the app began anew right after it was asked. */
  let entries = 0;
  let askedAt = -Infinity;
  /** The pause before the next attempt if the app began anew. It is not the app's own: the user may have signed in. */
  let entryPause = 0;
  let openedAt: number | undefined;
  let current: Attempt | undefined;
  let token: string | undefined;
  /** The answer of the app that closed the socket for good. */
  let refused: TinyBasePartyKitError | undefined;
  let isAdmitted = false;
  /** True if the next attempt has to wait. */
  let isLost = false;
  /** True if the client itself is about to close the socket, in order to open it with another token. */
  let isRenewing = false;
  /** True if the last connection ended soon, as expired, and the next attempt was immediate. */
  let hasExpiredSoon = false;
  let isOver = false;
  let endPause: (() => void) | undefined;
  let cancelRenewal: (() => void) | undefined;
  let cancelAnswer: (() => void) | undefined;

  const pauseFor = (milliseconds: number): Promise<void> =>
    new Promise((resolve) => {
      const cancel = after(milliseconds, () => endPause?.());
      endPause = () => {
        endPause = undefined;
        cancel();
        resolve();
      };
    });
  const pause = (): Promise<void> => {
    const least = attempts && LEAST_PAUSE_MILLISECONDS;
    return pauseFor(
      Math.max(least, callTimeout(timeout, attempts++, onError)) * (1 + random() / 4),
    );
  };
  const hasLasted = (): boolean => openedAt !== undefined && now() - openedAt >= GOOD_MILLISECONDS;
  /** Forgets the token of the present attempt. One that is still asked for is a new one. */
  const forget = (): void => {
    if (current?.isPending === false) current = undefined;
  };

  const stop = (refusal: TinyBasePartyKitError): void => {
    refused = refusal;
    socket.stop(refusal);
  };
  /** Returns the error of a token that names another user than the owner. */
  const errorOf = (asked: string | undefined): TinyBasePartyKitError | undefined => {
    const user = userOf(asked);
    return owner.user === undefined || user === undefined || user === owner.user
      ? undefined
      : new TinyBasePartyKitError('unauthorized', OTHER_USER_MESSAGE);
  };

  /** Settles as the app's answer does, or rejects after a long time without one. */
  const inTime = (answer: Answer): Answer =>
    new Promise((resolve, reject) => {
      cancelAnswer = after(SLOW_MILLISECONDS, () => {
        onError(new TinyBasePartyKitError('network', SLOW_MESSAGE));
        cancelAnswer = after(LOST_MILLISECONDS, () => reject(new Error('no answer for 30 s')));
      });
      void answer.then(resolve, reject).then(() => cancelAnswer?.());
    });

  const begin = async (attempt: Attempt): Promise<QueryParameters> => {
    // A PartySocket that was about to ask does so also when it is closed.
    if (refused !== undefined && !socket.isWanted()) {
      if (current === attempt) current = undefined;
      throw refused;
    }
    refused = undefined;
    if (entryPause > 0) await pauseFor(entryPause);
    else if (isLost) await pause();
    entryPause = 0;
    isLost = false;
    /** The answers that the app still owes: a late one counts, too, as of a user who signs in. */
    let answer: Answer | undefined;
    for (;;) {
      if (isOver) throw left();
      try {
        askedAt = now();
        answer = answer === undefined ? ask() : Promise.race([answer, ask()]);
        answer.catch(() => (answer = undefined));
        const asked = await inTime(answer);
        const error = errorOf(asked.token);
        if (error !== undefined) throw error;
        attempt.isPending = false;
        ({ token } = asked);
        return asked.parameters;
      } catch (cause) {
        if (isOver) throw left();
        const refusal = refusalOf(cause);
        if (refusal !== undefined) {
          // First, because the app may begin anew within the next call.
          if (current === attempt) current = undefined;
          stop(refusal);
          throw refusal;
        }
        const message = `The function "token" or "query" failed (${textOf(cause)}). It is called again after a pause.`;
        onError(new TinyBasePartyKitError('network', message, { cause }));
      }
      await pause();
    }
  };
  const query = (): Promise<QueryParameters> => {
    if (current === undefined) {
      const attempt: Attempt = {
        isPending: true,
        query: Promise.resolve().then(() => begin(attempt)),
      };
      current = attempt;
    }
    return current.query;
  };

  /** Gets the next token, and only then closes the socket and opens it with that (`CLIENT-4`). */
  const renew = (): void => {
    const old = token;
    forget();
    query().then(
      () => {
        // An app that has kept its token has no better one.
        if (!socket.isOpen() || token === old) return;
        isRenewing = true;
        socket.reconnect();
      },
      () => undefined,
    );
  };

  return {
    query,
    opened: () => {
      openedAt = now();
      isAdmitted = false;
      const life = token === undefined ? undefined : lifeOf(token, openedAt);
      if (life === undefined) return;
      const { rest, whole } = life;
      const margin = Math.min(RENEWAL_MILLISECONDS, rest / 10) * (1 - random() / 2);
      const wait = Math.max(rest - margin, Math.min(LEAST_RENEWAL_MILLISECONDS, whole / 2));
      cancelRenewal = after(wait, renew);
    },
    admitted: () => {
      if (isAdmitted) return;
      isAdmitted = true;
      owner.user ??= userOf(token);
      // Another room may have been first, with a token that the app gave later.
      const error = errorOf(token);
      if (error === undefined) return;
      forget();
      stop(error);
    },
    closed: () => {
      cancelRenewal?.();
      if (hasLasted()) attempts = 0;
      openedAt = undefined;
      if (!isRenewing && current?.isPending !== true) {
        current = undefined;
        isLost = true;
        hasExpiredSoon = false;
      }
      isRenewing = false;
    },
    expired: () => {
      forget();
      // A room that ends one connection after the other is no better than one that cannot be reached.
      isRenewing = socket.isOpen() && !hasExpiredSoon;
      hasExpiredSoon = !hasLasted();
    },
    hurry: () => endPause?.(),
    reset: () => {
      entries = now() - askedAt < QUICK_MILLISECONDS ? entries + 1 : 0;
      entryPause =
        entries > 1
          ? Math.min(LEAST_PAUSE_MILLISECONDS * 2 ** (entries - 2), LONGEST_PAUSE_MILLISECONDS)
          : 0;
      attempts = 0;
      isLost = false;
      endPause?.();
    },
    end: () => {
      isOver = true;
      cancelRenewal?.();
      cancelAnswer?.();
      endPause?.();
    },
  };
}

/** Returns 0, then 1, 2, 4 … 30 s. */
function defaultTimeout({ attempts }: { readonly attempts: number }): number {
  return attempts === 0 ? 0 : Math.min(1000 * 2 ** (attempts - 1), LONGEST_PAUSE_MILLISECONDS);
}

/** Asks the app how long to wait. If it does not say, the default counts. */
function callTimeout(
  timeout: ReconnectTimeout,
  attempts: number,
  onError: (error: unknown) => void,
): number {
  try {
    const wanted = typeof timeout === 'number' ? timeout : timeout({ attempts });
    if (wanted >= 0) return wanted;
    const message = 'reconnectTimeoutMs gave no number of milliseconds. The default is used.';
    onError(new TinyBasePartyKitError('misuse', message));
  } catch (error) {
    onError(error);
  }
  return defaultTimeout({ attempts });
}

/** Returns the error that ends the attempts; undefined if trying again can help (`CLIENT-2`). */
function refusalOf(cause: unknown): TinyBasePartyKitError | undefined {
  if (cause instanceof TinyBasePartyKitError) return isRefusal(cause) ? cause : undefined;
  const status = statusOf(cause);
  if (status !== 401 && status !== 403) return undefined;
  const code = status === 401 ? 'unauthorized' : 'forbidden';
  const message = `The function "token" or "query" failed with ${status}: the user may not enter.`;
  return new TinyBasePartyKitError(code, message, { cause });
}

/** Makes the error of an app that waits for a room that it has left. */
export function left(): TinyBasePartyKitError {
  return new TinyBasePartyKitError('destroyed', 'The room was left: enter it again.');
}

/** Returns true if the room, or the app, does not let the user in. */
export function isRefusal({ code }: TinyBasePartyKitError): boolean {
  return code === 'unauthorized' || code === 'forbidden';
}

/** Returns a short text for what the app threw: the message of an error, or the status of a Response. */
export function textOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  const status = statusOf(thrown);
  try {
    return status === undefined ? String(thrown) : `the status ${status}`;
  } catch {
    // An object without a prototype has no text.
    return 'something that is no error';
  }
}

/** Returns the status of a Response, or of an error that has one. */
function statusOf(thrown: unknown): number | undefined {
  try {
    const status: unknown = Reflect.get(Object(thrown), 'status');
    return typeof status === 'number' ? status : undefined;
  } catch {
    // A getter of the app's own may throw.
    return undefined;
  }
}
