import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { LONGEST_TOKEN } from '../../../protocol/user-token.ts';

/** The part of a request that authorization reads. It may be the request that opens a socket. */
export interface AuthRequest {
  readonly url: string;
  readonly headers: { get(name: string): string | null };
}

/** RFC 6750, section 2.1; the scheme is not case-sensitive (RFC 9110, section 11.1). */
export const BEARER: RegExp = /^Bearer +(\S+) *$/iu;

/**
 * Returns the token of a request, from the header `Authorization` or else from the query (`GATE-2`). Throws the error
 * that refuses a request without a token.
 */
export function tokenOf({ url, headers }: AuthRequest, parameter: string): string {
  const [, bearer] = BEARER.exec(headers.get('Authorization') ?? '') ?? [];
  const token = bearer ?? new URL(url).searchParams.get(parameter) ?? '';
  if (token === '') {
    throw new TinyBasePartyKitError(
      'unauthorized',
      `There is no token: send one in the query parameter "${parameter}", or as "Authorization: Bearer …".`,
    );
  }
  if (token.length > LONGEST_TOKEN) {
    throw new TinyBasePartyKitError(
      'unauthorized',
      `The token is over the limit of ${LONGEST_TOKEN} bytes: put less into it.`,
    );
  }
  return token;
}

/** Throws the error that refuses a page of an origin that may not use the room (`GATE-10`). */
export function assertOrigin(
  { headers }: AuthRequest,
  origins: ReadonlySet<string> | undefined,
): void {
  const origin = headers.get('Origin');
  if (origins === undefined || origin === null || origins.has(origin)) return;
  throw new TinyBasePartyKitError(
    'forbidden',
    'Pages of this origin may not use the room: name it in the option origins of defineAuth.',
  );
}
