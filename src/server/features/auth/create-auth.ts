import { assertKnownOptions } from '../../../protocol/known-options.ts';
import type { Access, TypesOfUsers } from '../../../protocol/user-token.ts';
import type { FeatureHost } from '../../room/room-feature.ts';
import { assertRoom } from '../assert-room.ts';
import { AuthGate } from './auth-gate.ts';
import type { AuthRequest } from './auth-request.ts';
import type { Auth } from './define-auth.ts';

/** A room that {@link createAuth} can guard: every room server. */
export interface AuthHost<Connection, Request> extends FeatureHost<Connection, Request> {
  /** Its `env` has the secret. */
  readonly party: { readonly env?: unknown };
}

/** Describes how a room is guarded. */
export interface RoomAuthOptions {
  /** The party that tokens must name. Needed if the URL does not have the form `/parties/<party>/<room>`. */
  readonly party?: string;
}

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof RoomAuthOptions, true>> = { party: true };

/** The users of a room. Pass its methods the connection or request that a hook or handler received. */
export interface RoomAuth<User, UserInput = User> extends TypesOfUsers<User, UserInput> {
  /**
   * Returns the user of a connection, or of a request that was let in. Throws `unauthorized` for any other object.
   */
  getUser(connectionOrRequest: object): User;
  /** Returns what the user of a connection or request may do. Throws as {@link RoomAuth.getUser} does. */
  getAccess(connectionOrRequest: object): Access;
  /**
   * Verifies a request for one of the app's own routes, and resolves to its user. Rejects with the
   * `TinyBasePartyKitError` that refuses it: answer with the status that `ERRORS` has for its code.
   */
  authorize(request: AuthRequest): Promise<User>;
  /**
   * Makes all tokens that a user has so far invalid in this room, and closes their connections with `forbidden`. A
   * newer token lets the user in. Resolves when the revocation is on disk.
   *
   * @param userId the claim `sub` of the tokens: the `id` of the user that `createToken` was given.
   */
  revoke(userId: string): Promise<void>;
}

/**
 * Guards a room: only a user with a valid token may enter. Call it in a field of the room's class.
 *
 * @example
 * ```ts
 * import { TinyBasePartyKitServer } from 'tinybase-partykit/server';
 * import { createAuth, defineAuth } from 'tinybase-partykit/server/auth';
 * import { z } from 'zod';
 *
 * const auth = defineAuth({
 *   secret: (env) => env['AUTH_SECRET'],
 *   user: z.object({ id: z.string(), role: z.enum(['editor', 'viewer']) }),
 * });
 *
 * export default class Board extends TinyBasePartyKitServer {
 *   auth = createAuth(this, auth);
 *
 *   override canDelRow(_table: string, _row: string, connection: object): boolean {
 *     return this.auth.getUser(connection).role === 'editor';
 *   }
 * }
 * ```
 */
export function createAuth<User, UserInput, Connection extends object, Request extends AuthRequest>(
  room: AuthHost<Connection, Request>,
  auth: Auth<User, UserInput>,
  options: RoomAuthOptions = {},
): RoomAuth<User, UserInput> {
  assertRoom('createAuth', room);
  const given: unknown = auth;
  if (typeof given !== 'object' || given === null || !('verify' in given))
    throw new TypeError(
      'createAuth got no rules as its second parameter: give it what defineAuth returned.',
    );
  assertKnownOptions('createAuth', options, OPTIONS);
  const { party } = options;
  if (party !== undefined && (typeof party !== 'string' || party === ''))
    throw new TypeError('createAuth got an unusable party: give the option party a name.');
  return new AuthGate(room, auth, options);
}
