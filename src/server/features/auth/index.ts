/**
 * The authorization of a room: who may enter, read and write.
 *
 * @module
 */
export { createAuth, type AuthHost, type RoomAuth, type RoomAuthOptions } from './create-auth.ts';
export { defineAuth, type Auth, type AuthContext } from './define-auth.ts';
export type {
  AccessDecision,
  AccessRule,
  AuthOptions,
  KeySetAuthOptions,
  RoomEnvironment,
  SecretAuthOptions,
} from './auth-options.ts';
export {
  createEdgeGuard,
  type EdgeGuard,
  type EdgeGuardOptions,
  type EdgeLobby,
} from './edge-guard.ts';
export type { AuthRequest } from './auth-request.ts';
export type { Grant } from './grant.ts';
export { ERRORS, type ErrorCode, type ErrorKind } from '../../../protocol/errors.ts';
export type { Access, UserInputOf, UserOf } from '../../../protocol/user-token.ts';
