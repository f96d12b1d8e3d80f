import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { isUserId, type Access } from '../../../protocol/user-token.ts';
import { utf8Length } from '../../../protocol/utf8.ts';
import { isRecord } from '../../storage/json-shape.ts';

/** Describes a user that was let in. Times are in milliseconds since 1970. */
export interface Grant<User> {
  /** The claim `sub` of the token. */
  readonly userId: string;
  /** The output of the app's schema: JSON, so that it is the same after the room has slept. */
  readonly user: User;
  readonly access: Access;
  /** The time when the token was made; 0 if the token does not say. */
  readonly issuedAt: number;
  /** The time when the token ends. The connection ends with it. */
  readonly expiresAt: number;
}

/** The limit of a user, in bytes of JSON: hosts keep little with a connection (`GATE-6`). */
const MOST_USER_BYTES = 512;

/** Throws unless a user can be kept with a connection. */
export function assertKeepable(user: unknown): void {
  if (!isJson(user)) {
    throw new TypeError(
      'The output of the option user of defineAuth is not JSON, so it cannot outlive the sleep of a room: let the schema give objects, arrays, texts, finite numbers, booleans and null alone.',
    );
  }
  if (utf8Length(JSON.stringify(user), MOST_USER_BYTES) > MOST_USER_BYTES) {
    throw new TinyBasePartyKitError(
      'too-large',
      `The user of the token is over ${MOST_USER_BYTES} bytes of JSON: let the schema of the room keep less of it.`,
    );
  }
}

/** True for a value that JSON keeps as it is. Properties that are undefined may be lost. */
function isJson(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      if (value === null) return true;
      if (Array.isArray(value)) return value.every(isJson);
      return (
        isPlain(value) && Object.values(value).every((part) => part === undefined || isJson(part))
      );
    default:
      return false;
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** Returns a grant as JSON for the slot of its connection, where it survives the sleep of the room (`GATE-6`). Its keys are short, because hosts keep few bytes. */
export function grantToSlot(grant: Grant<unknown>): Readonly<Record<string, unknown>> {
  const { userId, user, access, issuedAt, expiresAt } = grant;
  return { i: userId, u: user, a: access === 'write' ? 1 : 0, t: issuedAt, e: expiresAt };
}

/** Returns the grant that was attached; undefined for anything else. */
export function slotToGrant<User>(
  slot: unknown,
  isUser: (candidate: unknown) => candidate is User,
): Grant<User> | undefined {
  if (!isRecord(slot)) return undefined;
  const { i: userId, u: user, a: access, t: issuedAt, e: expiresAt } = slot;
  if (!isUserId(userId) || !isUser(user)) return undefined;
  if (access !== 0 && access !== 1) return undefined;
  if (typeof issuedAt !== 'number' || typeof expiresAt !== 'number') return undefined;
  return { userId, user, access: access === 1 ? 'write' : 'read', issuedAt, expiresAt };
}
