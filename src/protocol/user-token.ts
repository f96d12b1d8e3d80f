/** The token of a room's user (`GATE-3`): what the backend that signs it and the room that verifies it share. */
import { utf8Length } from './utf8.ts';

/** What a user may do in a room: `read` allows everything but changes to the Store. */
export type Access = 'write' | 'read';

/** The header `typ` of a token. No other token of this package has it, so none can take its place. */
export const TOKEN_TYPE = 'room-user+jwt';
/** The one algorithm for a secret (RFC 7518, section 3.2). */
export const TOKEN_ALGORITHM = 'HS256';
/** HS256 asks for a key that is as long as its hash: 32 bytes. */
export const FEWEST_SECRET_BYTES = 32;
/** A longer token is refused unread. In characters, which are bytes in a token. */
export const LONGEST_TOKEN = 8192;
/** OpenID Connect Core 1.0, section 2, allows no longer `sub`. In bytes of UTF-8. */
export const LONGEST_USER_ID_BYTES = 255;
/** The party that a client asks for if it names none. */
export const DEFAULT_PARTY = 'main';

/** Ends the claim `room` of a token that is good for all rooms whose ids begin with what stands before it. */
export const ANY_ENDING = '*';

/** True for a text that is long enough to sign with. */
export function isSecret(candidate: unknown): candidate is string {
  const tooFew = FEWEST_SECRET_BYTES - 1;
  return typeof candidate === 'string' && utf8Length(candidate, tooFew) > tooFew;
}

/** True for the id that a user may have. */
export function isUserId(candidate: unknown): candidate is string {
  return (
    typeof candidate === 'string' &&
    candidate !== '' &&
    utf8Length(candidate, LONGEST_USER_ID_BYTES) <= LONGEST_USER_ID_BYTES
  );
}

/** True if a token with that claim `room` is good for the room with that id. */
export function coversRoom(claim: string, roomId: string): boolean {
  return claim.endsWith(ANY_ENDING)
    ? roomId.startsWith(claim.slice(0, -ANY_ENDING.length))
    : claim === roomId;
}

/** Carries the types of a room's users for the compiler. The property itself is always undefined. */
export interface TypesOfUsers<User, UserInput> {
  readonly '~users': { readonly user: User; readonly input: UserInput } | undefined;
}

/** The user of a room's class, as its hooks get it: of the field that `createAuth` gave. */
export type UserOf<Room> = TypeOfUsers<Room, 'user'>;

/** The user of a room's class, as a token has it: what the schema takes. */
export type UserInputOf<Room> = TypeOfUsers<Room, 'input'>;

type TypeOfUsers<Room, Side extends 'user' | 'input'> = {
  [Field in keyof Room]-?: Room[Field] extends TypesOfUsers<infer User, infer UserInput>
    ? { user: User; input: UserInput }[Side]
    : never;
}[keyof Room];
