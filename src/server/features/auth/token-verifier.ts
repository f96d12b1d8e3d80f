import {
  createLocalJWKSet,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from 'jose';

import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import {
  FEWEST_SECRET_BYTES,
  isSecret,
  TOKEN_ALGORITHM,
  TOKEN_TYPE,
} from '../../../protocol/user-token.ts';
import { hearRejection } from '../../room/maybe-promise.ts';
import type { KeySetAuthOptions } from './auth-options.ts';
import { createRemoteKeys, NO_MATCHING_KEY } from './remote-keys.ts';
import { CLOCK_TOLERANCE_SECONDS, expired } from './token-claims.ts';

/** Algorithms that verify with a published key. The list has no algorithm that uses a secret, and not `none`. */
const KEY_SET_ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** The codes of jose for a key set that was read and has no key for the token. */
const NO_KEY = new Set([
  NO_MATCHING_KEY,
  'ERR_JWKS_MULTIPLE_MATCHING_KEYS',
  'ERR_JOSE_NOT_SUPPORTED',
]);
const SAID_BY_JOSE = /^ERR_(?:JOSE|JWT|JWS|JWK)/;

/**
 * Verifies the signature, the algorithm and the times of a token, and resolves to its claims. Rejects with a
 * {@link TinyBasePartyKitError} if the token is refused, and with the original error if the room itself fails.
 */
export type TokenVerifier = (token: string, env: unknown, now: number) => Promise<JWTPayload>;

/** Makes the verifier of tokens that were signed with a secret (`GATE-3`). */
export function createSecretVerifier(secretOf: (env: unknown) => unknown): TokenVerifier {
  return async (token, env, now) => {
    const secret = secretOf(env);
    if (!isSecret(secret)) {
      hearRejection(secret);
      throw new Error(
        `The room has no usable secret, so it lets nobody in: let the option secret of defineAuth give a text of at least ${FEWEST_SECRET_BYTES} bytes. partykit dev takes variables from the file .env when it starts.`,
      );
    }
    const options = { ...timesAt(now), algorithms: [TOKEN_ALGORITHM], typ: TOKEN_TYPE };
    return await verified(jwtVerify(token, new TextEncoder().encode(secret), options));
  };
}

/** Makes the verifier of tokens that a provider signed (`GATE-3`). Rooms that share it share its keys. */
export function createKeySetVerifier({
  jwks,
  issuer,
  audience,
}: Pick<KeySetAuthOptions<unknown, unknown>, 'jwks' | 'issuer' | 'audience'>): TokenVerifier {
  const keys = sayIfUnavailable(keyFunctionOf(jwks));
  const claims = {
    issuer,
    algorithms: KEY_SET_ALGORITHMS,
    ...(audience === null
      ? {}
      : { audience: typeof audience === 'string' ? audience : [...audience] }),
  };
  return async (token, _env, now) =>
    await verified(jwtVerify(token, keys, { ...timesAt(now), ...claims }));
}

function timesAt(now: number): JWTVerifyOptions {
  return {
    currentDate: new Date(now),
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
  };
}

function keyFunctionOf(jwks: KeySetAuthOptions<unknown, unknown>['jwks']): JWTVerifyGetKey {
  if (typeof jwks === 'function') return jwks;
  try {
    if (typeof jwks === 'string') return createRemoteKeys(new URL(jwks));
    return jwks instanceof URL ? createRemoteKeys(jwks) : createLocalJWKSet(jwks);
  } catch (cause) {
    throw new TypeError(
      'defineAuth cannot use the option jwks: give it the URL of a key set, the set, or a key function of jose.',
      { cause },
    );
  }
}

/** Throws `unavailable` if the keys cannot be fetched: the token may be valid (`GATE-11`). */
function sayIfUnavailable(keys: JWTVerifyGetKey): JWTVerifyGetKey {
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (cause) {
      if (NO_KEY.has(textOf(cause, 'code') ?? '')) throw cause;
      throw new TinyBasePartyKitError(
        'unavailable',
        'The room cannot fetch the keys that verify tokens: try again later.',
        { cause },
      );
    }
  };
}

/** Rejects with the reason why a token is refused. The message names the claim and quotes nothing of the token. */
async function verified(verification: Promise<{ payload: JWTPayload }>): Promise<JWTPayload> {
  try {
    const { payload } = await verification;
    return payload;
  } catch (error) {
    const code = textOf(error, 'code') ?? '';
    if (!SAID_BY_JOSE.test(code)) throw error;
    if (code === 'ERR_JWT_EXPIRED') throw expired();
    throw new TinyBasePartyKitError('unauthorized', faultOf(code, error));
  }
}

function faultOf(code: string, error: unknown): string {
  switch (code) {
    case 'ERR_JWT_CLAIM_VALIDATION_FAILED': {
      const claim = textOf(error, 'claim') ?? '';
      return textOf(error, 'reason') === 'missing'
        ? `The token lacks the claim "${claim}".`
        : `The token is not valid here: its claim "${claim}" is not the one that the room expects.`;
    }
    case 'ERR_JOSE_ALG_NOT_ALLOWED':
      return 'The token is signed with an algorithm that the room does not accept.';
    case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
    case NO_MATCHING_KEY:
      return 'The token is not signed with a key of the room.';
    case 'ERR_JWKS_MULTIPLE_MATCHING_KEYS':
      return 'The token does not say which key signed it: it needs the header "kid".';
    default:
      return 'The token is not a signed JWT that the room can read.';
  }
}

/** Reads a field of an error of jose. Checks no class, because an app's key function may use another copy of jose. */
function textOf(error: unknown, field: string): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = Reflect.get(error, field);
  return typeof value === 'string' ? value : undefined;
}
