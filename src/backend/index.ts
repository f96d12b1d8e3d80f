/**
 * The functions of a backend: tokens for users, and commands for rooms.
 *
 * @module
 */
export {
  createRoomHandle,
  type RoomHandle,
  type RoomHandleOptions,
  type SendRequest,
} from './create-room-handle.ts';
export { createToken, type TokenOptions, type TokenRooms, type TokenUser } from './create-token.ts';
export { TinyBasePartyKitError, type ErrorCode } from '../protocol/errors.ts';
export type {
  ConnectionStats,
  EvictionTarget,
  RoomDocument,
  RoomStats,
} from '../protocol/room-handle.ts';
export type { Access, UserInputOf, UserOf } from '../protocol/user-token.ts';
