import type { JWTPayload } from 'jose';

import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { isUserId } from '../../../protocol/user-token.ts';

const MILLISECONDS_PER_SECOND = 1000;
/** The tolerated difference between the clocks of backend and room, for tokens that are not valid yet. `exp` is exact. */
export const CLOCK_TOLERANCE_SECONDS = 10;

/** The claims that every token has, whoever signed it. Times are in milliseconds since 1970. */
export interface TokenClaims {
  readonly userId: string;
  /** 0 if the token does not say it. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** Reads the claims of a verified token. Throws the error that refuses it. */
export function claimsOf({ sub, iat, exp }: JWTPayload, now: number): TokenClaims {
  if (!isUserId(sub))
    throw new TinyBasePartyKitError(
      'unauthorized',
      'The token names no user: its claim "sub" has to be a text of 1 to 255 bytes.',
    );
  if (typeof exp !== 'number')
    throw new TinyBasePartyKitError(
      'unauthorized',
      'The token has no end: it needs the claim "exp".',
    );
  const expiresAt = Math.min(exp * MILLISECONDS_PER_SECOND, Number.MAX_SAFE_INTEGER);
  if (!(expiresAt > now)) throw expired();
  const issuedAt = (iat ?? 0) * MILLISECONDS_PER_SECOND;
  // A revocation refuses the tokens that were made before it, so a token from the future would escape it.
  if (!(issuedAt <= now + CLOCK_TOLERANCE_SECONDS * MILLISECONDS_PER_SECOND))
    throw new TinyBasePartyKitError(
      'unauthorized',
      'The token was made in the future: check the clock of the server that makes tokens.',
    );
  return { userId: sub, issuedAt, expiresAt };
}

/** Makes the error for a token that has ended. */
export function expired(): TinyBasePartyKitError {
  return new TinyBasePartyKitError(
    'expired',
    'The token has expired: connect again with a new one.',
  );
}
