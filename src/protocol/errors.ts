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

/** The table of all error codes. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorKind>> = {
  /** A message or body does not decode. Nothing of it was applied. */
  malformed: { httpStatus: 400, closeCode: 4400, isRetryable: false },
  /** The client speaks a version of the protocol that the room does not. */
  protocol: { httpStatus: 426, closeCode: 4426, isRetryable: false },
  /** A push, body or frame is over the limit. Nothing of it was applied. */
  'too-large': { httpStatus: 413, closeCode: 4413, isRetryable: false },
  /** The client's position is not valid any more. The client says hello again. */
  stale: { httpStatus: 409, closeCode: 4409, isRetryable: true },
  /** A newer connection of the client, or a newer persister on the same socket, replaced this one. */
  replaced: { httpStatus: 409, closeCode: 4410, isRetryable: false },
  /** The room cannot read or write its storage now. */
  unavailable: { httpStatus: 503, closeCode: 4503, isRetryable: true },
  /** The connection sends too much. Its last messages were not applied. The client says hello again, a little later. */
  overloaded: { httpStatus: 429, closeCode: 4429, isRetryable: true },
  /** The room or path does not exist. A server answers the same while it is being deployed. */
  'not-found': { httpStatus: 404, closeCode: 4404, isRetryable: true },
  /** There is no token, or it is not valid here. The client stops until the app starts it again. */
  unauthorized: { httpStatus: 401, closeCode: 4401, isRetryable: false },
  /** The token does not allow this, or its user was evicted or revoked. The client stops as with `unauthorized`. */
  forbidden: { httpStatus: 403, closeCode: 4403, isRetryable: false },
  /** The token has expired, or the room has forgotten it. The client connects at once with a new token. */
  expired: { httpStatus: 401, closeCode: 4419, isRetryable: true },
  /** The room has the maximal number of connections. */
  full: { httpStatus: 503, closeCode: 4420, isRetryable: true },
  /** The room's own code threw, in a call or while it verified a token. */
  failed: { httpStatus: 500, closeCode: 4500, isRetryable: true },
  /** There was no answer, or not the answer of a room. Client only. */
  network: { httpStatus: 502, closeCode: 4502, isRetryable: true },
  /** This device cannot keep offline data, or cannot read it: the persister works without. Client only. */
  offline: { httpStatus: 507, closeCode: 4507, isRetryable: false },
  /** The persister was destroyed: it sends and shows nothing more. Client only. */
  destroyed: { httpStatus: 410, closeCode: 4411, isRetryable: false },
  /** The app uses the persister in a way that cannot work: the message says what to call. Client only. */
  misuse: { httpStatus: 409, closeCode: 4412, isRetryable: false },
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
