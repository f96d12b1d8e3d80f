/** The token of a room's user (`GATE-3`). The backend that signs it and the room that verifies it share this file. */
import { utf8Length } from './utf8.ts';

/** The access of a user in a room. `read` allows everything except changes to the Store. */
export type Access = 'write' | 'read';

/** The header `typ` of a token. It tells this token from every other kind. */
export const TOKEN_TYPE = 'room-user+jwt';
/** The one algorithm for a secret (RFC 7518, section 3.2). */
export const TOKEN_ALGORITHM = 'HS256';
/** The shortest secret: HS256 requires a key as long as its hash, 32 bytes. */
export const FEWEST_SECRET_BYTES = 32;
/** The longest token, in characters, which are bytes in a token. A longer one is refused unread. */
export const LONGEST_TOKEN = 8192;
/** The longest `sub`, in bytes of UTF-8 (OpenID Connect Core 1.0, section 2). */
export const LONGEST_USER_ID_BYTES = 255;
/** The party that a client asks for if it names none. */
export const DEFAULT_PARTY = 'main';

/** The end of the claim `room` of a token for all rooms whose ids begin with the text before it. */
export const ANY_ENDING = '*';

/** Returns true for a text that is long enough to sign with. */
export function isSecret(candidate: unknown): candidate is string {
  const tooFew = FEWEST_SECRET_BYTES - 1;
  return typeof candidate === 'string' && utf8Length(candidate, tooFew) > tooFew;
}

/** Returns true for a valid id of a user. */
export function isUserId(candidate: unknown): candidate is string {
  return (
    typeof candidate === 'string' &&
    candidate !== '' &&
    utf8Length(candidate, LONGEST_USER_ID_BYTES) <= LONGEST_USER_ID_BYTES
  );
}

/** Returns true if a token with that claim `room` is valid for the room with that id. */
export function coversRoom(claim: string, roomId: string): boolean {
  return claim.endsWith(ANY_ENDING)
    ? roomId.startsWith(claim.slice(0, -ANY_ENDING.length))
    : claim === roomId;
}

/** Carries the types of a room's users for the compiler. The property itself is always undefined. */
export interface TypesOfUsers<User, UserInput> {
  readonly '~users': { readonly user: User; readonly input: UserInput } | undefined;
}

/** The user of a room's class, as its hooks get it. It comes from the field that `createAuth` returned. */
export type UserOf<Room> = TypeOfUsers<Room, 'user'>;

/** The user of a room's class, as a token has it: the input of the schema. */
export type UserInputOf<Room> = TypeOfUsers<Room, 'input'>;

type TypeOfUsers<Room, Side extends 'user' | 'input'> = {
  [Field in keyof Room]-?: Room[Field] extends TypesOfUsers<infer User, infer UserInput>
    ? { user: User; input: UserInput }[Side]
    : never;
}[keyof Room];
