export { createToken, type TokenOptions, type TokenRooms, type TokenUser } from './create-token.ts';
export type { Access, UserInputOf, UserOf } from '../protocol/user-token.ts';
