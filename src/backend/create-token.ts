import { SignJWT } from 'jose';

import { assertKnownOptions } from '../protocol/known-options.ts';
import {
  ANY_ENDING,
  DEFAULT_PARTY,
  FEWEST_SECRET_BYTES,
  isSecret,
  isUserId,
  LONGEST_TOKEN,
  LONGEST_USER_ID_BYTES,
  TOKEN_ALGORITHM,
  TOKEN_TYPE,
  type Access,
  type UserInputOf,
} from '../protocol/user-token.ts';

/** A user of a room without a known type. */
export interface TokenUser {
  readonly id: string;
  readonly [name: string]: unknown;
}

/** The rooms that a token is for. */
export type TokenRooms =
  /** One room, by its id. The id may not end in `*`. */
  | { readonly room: string; readonly roomPrefix?: undefined }
  /** All rooms whose ids begin with this text. The empty text means all rooms of the party. */
  | { readonly roomPrefix: string; readonly room?: undefined };

/** Describes the token that {@link createToken} makes. */
export type TokenOptions<User> = TokenRooms & {
  /** The room's secret, of at least 32 bytes. Keep it on servers. */
  readonly secret: string;
  /** The user, as the schema of the room takes it. It travels as readable JSON, so put nothing secret in it. */
  readonly user: User;
  /** The party of the room. `'main'` by default. */
  readonly party?: string;
  /** The access of the user. `'write'` by default. */
  readonly access?: Access;
  /** The lifetime of the token, and the longest time of a connection that uses it. 3,600 seconds by default. */
  readonly expiresInSeconds?: number;
};

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof TokenOptions<unknown>, true>> = {
  secret: true,
  user: true,
  room: true,
  roomPrefix: true,
  party: true,
  access: true,
  expiresInSeconds: true,
};

const DEFAULT_SECONDS = 3600;
const MILLISECONDS_PER_SECOND = 1000;

/**
 * Makes the token with which a user enters a room: a JWT, signed with HS256 and not encrypted. Runs in any backend that
 * has Web Crypto. Rejects with a `TypeError` that names the wrong option. Pass the type of the room's class, so that the
 * compiler checks the user.
 *
 * @example
 * ```ts
 * import { createToken } from 'tinybase-partykit/backend';
 *
 * export const tokenFor = (secret: string, userId: string): Promise<string> =>
 *   createToken({ secret, room: 'my-board', user: { id: userId, name: 'Ada' }, access: 'read' });
 * ```
 */
export async function createToken<Room = unknown>(
  options: TokenOptions<[UserInputOf<Room>] extends [never] ? TokenUser : UserInputOf<Room>>,
): Promise<string> {
  // An access or a lifetime with a wrong name would be the default, which may allow more.
  assertKnownOptions('createToken', options, OPTIONS);
  const { secret, party = DEFAULT_PARTY, access = 'write' } = options;
  const { expiresInSeconds = DEFAULT_SECONDS } = options;
  if (!isSecret(secret)) {
    throw new TypeError(
      `createToken has no usable secret: give the option secret a text of at least ${FEWEST_SECRET_BYTES} bytes. Check that the variable it comes from is set.`,
    );
  }
  if (typeof party !== 'string' || party === '')
    throw new TypeError('createToken got an empty party: give the option party a name.');
  if (access !== 'write' && access !== 'read')
    throw new TypeError("createToken got an unknown access: use 'write' or 'read'.");
  if (!Number.isSafeInteger(expiresInSeconds) || expiresInSeconds <= 0) {
    throw new TypeError(
      'createToken got an unusable expiresInSeconds: use a whole number of seconds above 0.',
    );
  }
  const user = jsonUserOf(options.user);
  // With milliseconds, which RFC 7519 allows: a token made right after a revocation is newer than the revocation.
  const issuedAt = Date.now() / MILLISECONDS_PER_SECOND;
  const token = await new SignJWT({
    room: roomClaimOf(options),
    user,
    access,
    iat: issuedAt,
    exp: issuedAt + expiresInSeconds,
  })
    .setProtectedHeader({ alg: TOKEN_ALGORITHM, typ: TOKEN_TYPE })
    .setAudience(party)
    .setSubject(userIdOf(user))
    .sign(new TextEncoder().encode(secret));
  if (token.length > LONGEST_TOKEN) {
    throw new TypeError(
      `createToken made a token of ${token.length} bytes, over the limit of ${LONGEST_TOKEN}: make the option user smaller.`,
    );
  }
  return token;
}

function roomClaimOf({ room, roomPrefix }: TokenRooms): string {
  if (typeof roomPrefix === 'string' && room === undefined) return roomPrefix + ANY_ENDING;
  if (typeof room !== 'string' || room === '' || roomPrefix !== undefined) {
    throw new TypeError(
      'createToken does not know the room: give the option room an id, or the option roomPrefix a text.',
    );
  }
  if (room.endsWith(ANY_ENDING)) {
    throw new TypeError(
      'createToken got a room that ends in "*": use the option roomPrefix for a token of many rooms.',
    );
  }
  return room;
}

/** Returns the user as JSON has it. Libraries give objects with methods, and proxies, which jose cannot copy. */
function jsonUserOf(user: unknown): unknown {
  try {
    const json: string | undefined = JSON.stringify(user);
    return json === undefined ? undefined : JSON.parse(json);
  } catch (cause) {
    throw new TypeError(
      'createToken cannot write the user as JSON: give the option user an object of texts, numbers, booleans, null, arrays and such objects.',
      { cause },
    );
  }
}

function userIdOf(user: unknown): string {
  if (typeof user === 'object' && user !== null && 'id' in user && isUserId(user.id))
    return user.id;
  throw new TypeError(
    `createToken does not know the user: give the option user an object whose id is a text of 1 to ${LONGEST_USER_ID_BYTES} bytes.`,
  );
}
