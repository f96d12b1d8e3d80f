/** Encodes a grant that is attached to a connection, so that it survives the sleep of a room (`GATE-6`). */
import { isUserId } from '../../../protocol/user-token.ts';
import { isRecord } from '../../storage/json-shape.ts';
import type { Grant } from './grant.ts';

/** Returns the JSON to attach. Its keys are short, because hosts keep few bytes. */
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
