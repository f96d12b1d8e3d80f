/** Exports the types of the messages. */
export type { Cursor } from './cursor.ts';
export type { LoadedContent, SeedAnswer, SeedCorrection } from './http-codec.ts';
export type { Ack, RefusalReason } from './messages/ack.ts';
export type { ClientMessage, SentMessage } from './messages/client-message.ts';
export type { Commit } from './messages/commit.ts';
export type { ErrorMessage } from './messages/error.ts';
export { PROTOCOL_VERSION, type Hello } from './messages/hello.ts';
export type { Push } from './messages/push.ts';
export type { PartReceipt, PushPart } from './messages/push-part.ts';
export type { RoomMessage } from './messages/room-message.ts';
export type { Limits, MessageRate, Welcome, WelcomeBeginning } from './messages/welcome.ts';
