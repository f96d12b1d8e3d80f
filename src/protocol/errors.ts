/** How an error shows: over HTTP, as a WebSocket close, and whether trying again can help. */
export interface ErrorKind {
  readonly httpStatus: number;
  /** In the range 4000–4999, which is the applications' own (RFC 6455, section 7.4.2). */
  readonly closeCode: number;
  /** False: the same thing will be answered the same way; the client stops. */
  readonly isRetryable: boolean;
}

/** The closed list of error codes. Codes are stable: match on them, never on messages. */
export type ErrorCode =
  | 'malformed'
  | 'protocol'
  | 'too-large'
  | 'stale'
  | 'replaced'
  | 'unavailable'
  | 'overloaded'
  | 'not-found'
  | 'network'
  | 'destroyed';

/** Every error there is. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorKind>> = {
  /** A message or body that does not decode. Nothing of it was applied. */
  malformed: { httpStatus: 400, closeCode: 4400, isRetryable: false },
  /** The client speaks a version of the protocol that the room does not. */
  protocol: { httpStatus: 426, closeCode: 4426, isRetryable: false },
  /** A push, body or frame over the limit. Nothing of it was applied. */
  'too-large': { httpStatus: 413, closeCode: 4413, isRetryable: false },
  /** The connection has lost its place: say hello again. */
  stale: { httpStatus: 409, closeCode: 4409, isRetryable: true },
  /** A newer connection, or a newer persister on the same socket, has taken this one's place. */
  replaced: { httpStatus: 409, closeCode: 4410, isRetryable: false },
  /** The room cannot read or write its storage just now. */
  unavailable: { httpStatus: 503, closeCode: 4503, isRetryable: true },
  /** The connection sends faster than the room takes it. What it sent last was not applied: say hello, a little later. */
  overloaded: { httpStatus: 429, closeCode: 4429, isRetryable: true },
  /** No room or path like that. A server that is being deployed says so too. */
  'not-found': { httpStatus: 404, closeCode: 4404, isRetryable: true },
  /** The network, or a server that is not a room, did not answer as a room does. Client only. */
  network: { httpStatus: 502, closeCode: 4502, isRetryable: true },
  /** The persister was destroyed: nothing is sent or shown any more. Client only. */
  destroyed: { httpStatus: 410, closeCode: 4411, isRetryable: false },
};

/** True for a string that is an error code. */
export function isErrorCode(candidate: unknown): candidate is ErrorCode {
  return typeof candidate === 'string' && Object.hasOwn(ERRORS, candidate);
}

/** The one error class of this package. */
export class TinyBasePartyKitError extends Error {
  override readonly name = 'TinyBasePartyKitError';
  /** What kind of error it is. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** True if trying again can help. */
  get isRetryable(): boolean {
    return ERRORS[this.code].isRetryable;
  }
}
