import { jwtVerify, type JWTPayload } from 'jose';

import { ADMIN_TOKEN_SECONDS, ADMIN_TOKEN_TYPE } from '../../../protocol/admin/admin-token.ts';
import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { LONGEST_TOKEN, TOKEN_ALGORITHM } from '../../../protocol/user-token.ts';
import { BEARER } from '../auth/auth-request.ts';
import { CLOCK_TOLERANCE_SECONDS } from '../auth/token-claims.ts';

const MILLISECONDS_PER_SECOND = 1000;
/** An id of a signature: short, because the room stores it. */
const SIGNATURE_ID = /^[\w-]{16,64}$/u;

/** A verified signature of a command. */
export interface Signature {
  readonly id: string;
  /** The SHA-256 of the body that was signed. */
  readonly sha256: string;
  /** The end of its validity, in milliseconds since 1970. */
  readonly end: number;
}

/** The room that a command has to be signed for. */
export interface SignatureContext {
  readonly party: string;
  readonly room: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Verifies the signature of a request (`ADMIN-1`). Throws the `TinyBasePartyKitError` that refuses it. Who does not have the
 * secret gets the same error for everything (`ADMIN-5`).
 */
export async function verifySignature(
  authorization: string | null,
  secret: string,
  context: SignatureContext,
): Promise<Signature> {
  const claims = await claimsOf(authorization, secret, context.now);
  const { aud, room, jti, iat, exp, sha256 } = claims;
  if (aud !== context.party || room !== context.room) {
    throw new TinyBasePartyKitError(
      'forbidden',
      'The command is signed for another room: check the options party and room of createRoomHandle.',
    );
  }
  if (typeof iat !== 'number' || typeof exp !== 'number' || exp - iat > ADMIN_TOKEN_SECONDS)
    throw refusal(`it is not limited to ${ADMIN_TOKEN_SECONDS} s`);
  if (exp * MILLISECONDS_PER_SECOND <= context.now) throw ended();
  if (
    iat * MILLISECONDS_PER_SECOND >
    context.now + CLOCK_TOLERANCE_SECONDS * MILLISECONDS_PER_SECOND
  )
    throw refusal('it is from the future, so check the clock of the backend');
  if (typeof jti !== 'string' || !SIGNATURE_ID.test(jti)) throw refusal('it has no usable id');
  if (typeof sha256 !== 'string') throw refusal('it names no body');
  return { id: jti, sha256, end: exp * MILLISECONDS_PER_SECOND };
}

async function claimsOf(
  authorization: string | null,
  secret: string,
  now: number,
): Promise<JWTPayload> {
  const [, token = ''] = BEARER.exec(authorization ?? '') ?? [];
  if (token === '' || token.length > LONGEST_TOKEN) throw unsigned();
  try {
    const { payload } = await jwtVerify(token, new TextEncoder().encode(secret), {
      algorithms: [TOKEN_ALGORITHM],
      typ: ADMIN_TOKEN_TYPE,
      currentDate: new Date(now),
    });
    return payload;
  } catch (error) {
    // jose looks at the times only after the signature.
    const code: unknown =
      typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
    throw code === 'ERR_JWT_EXPIRED' ? ended() : unsigned();
  }
}

function unsigned(): TinyBasePartyKitError {
  return new TinyBasePartyKitError(
    'unauthorized',
    'The command is not signed with the secret of the room: send it by createRoomHandle, with the secret of createAdmin.',
  );
}

/** Makes the error for a signature that has ended. */
export function ended(): TinyBasePartyKitError {
  return new TinyBasePartyKitError(
    'expired',
    'The signature of the command has expired: sign it again, and check the clock of the backend.',
  );
}

/** Says what is wrong with a signature that was made with the secret. */
function refusal(what: string): TinyBasePartyKitError {
  return new TinyBasePartyKitError(
    'unauthorized',
    `The signature of the command is not valid: ${what}. Send it by createRoomHandle.`,
  );
}
