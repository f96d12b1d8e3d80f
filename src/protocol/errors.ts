/** The properties of an error code: its HTTP status, its WebSocket close code, and if trying again can help. */
export interface ErrorKind {
  readonly httpStatus: number;
  /** A code from 4000 to 4999, the range for applications (RFC 6455, section 7.4.2). */
  readonly closeCode: number;
  /** False if the same request would get the same answer: the client stops. */
  readonly isRetryable: boolean;
}

/** The closed list of error codes. Codes are stable: compare codes, never messages. */
export type ErrorCode =
  | 'malformed'
  | 'protocol'
  | 'too-large'
  | 'stale'
  | 'replaced'
  | 'unavailable'
  | 'overloaded'
  | 'not-found'
  | 'unauthorized'
  | 'forbidden'
  | 'expired'
  | 'full'
  | 'failed'
  | 'network'
  | 'offline'
  | 'destroyed'
  | 'misuse';

function kind(httpStatus: number, isRetryable = false, closeCode = 4000 + httpStatus): ErrorKind {
  return { httpStatus, closeCode, isRetryable };
}

/** The table of all error codes. Most close codes are 4000 and the HTTP status. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorKind>> = {
  /** A message or body does not decode. Nothing of it was applied. */
  malformed: kind(400),
  /** The client speaks a version of the protocol that the room does not. */
  protocol: kind(426),
  /** A push, body or frame is over the limit. Nothing of it was applied. */
  'too-large': kind(413),
  /** The client's position is not valid any more. The client says hello again. */
  stale: kind(409, true),
  /** A newer connection of the client, or a newer persister on the same socket, replaced this one. */
  replaced: kind(409, false, 4410),
  /** The room cannot read or write its storage now. */
  unavailable: kind(503, true),
  /** The connection sends too much. Its last messages were not applied. The client says hello again, a little later. */
  overloaded: kind(429, true),
  /** The room or path does not exist. A server answers the same while it is being deployed. */
  'not-found': kind(404, true),
  /** There is no token, or it is not valid here. The client stops until the app starts it again. */
  unauthorized: kind(401),
  /** The token does not allow this, or its user was evicted or revoked. The client stops as with `unauthorized`. */
  forbidden: kind(403),
  /** The token has expired, or the room has forgotten it. The client connects at once with a new token. */
  expired: kind(401, true, 4419),
  /** The room has the maximal number of connections. */
  full: kind(503, true, 4420),
  /** The room's own code threw, in a call or while it verified a token. */
  failed: kind(500, true),
  /** There was no answer, or not the answer of a room. Client only. */
  network: kind(502, true),
  /** This device cannot keep offline data, or cannot read it: the persister works without. Client only. */
  offline: kind(507),
  /** The persister was destroyed: it sends and shows nothing more. Client only. */
  destroyed: kind(410, false, 4411),
  /** The app uses the persister in a way that cannot work: the message says what to call. Client only. */
  misuse: kind(409, false, 4412),
};

/** Returns true for a string that is an error code. */
export function isErrorCode(candidate: unknown): candidate is ErrorCode {
  return typeof candidate === 'string' && Object.hasOwn(ERRORS, candidate);
}

/**
 * The only error class of this package. `docs/troubleshooting.md` of the package has a heading for each `code`, with each message and
 * what to do.
 */
export class TinyBasePartyKitError extends Error {
  override readonly name = 'TinyBasePartyKitError';
  /** The kind of the error. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** True if trying again can help. */
  get isRetryable(): boolean {
    return ERRORS[this.code].isRetryable;
  }
}

/**
 * Returns true for an error that a client can be told: one of this package, with a code and a text. Never throws, whatever code
 * without types has thrown, such as a `Proxy` that was revoked.
 */
export function isTellable(thrown: unknown): thrown is TinyBasePartyKitError {
  try {
    if (!(thrown instanceof TinyBasePartyKitError)) return false;
    const message: unknown = thrown.message;
    return isErrorCode(thrown.code) && typeof message === 'string';
  } catch {
    return false;
  }
}
