/**
 * Encodes and decodes messages, changes and content. Everything that decodes is valid: no other code checks shapes again.
 */
export {
  decodeChanges,
  decodeContent,
  decodeSendableContent,
  decodeRows,
  encodeChanges,
  encodeContent,
} from './changes-codec.ts';
export {
  decodeETag,
  decodeLoadedContent,
  decodeSeedAnswer,
  encodeETag,
  encodeAroundContent,
  encodeLoadedContent,
  encodeSeedAnswer,
} from './http-codec.ts';
export { decodeClientMessage, encodeClientMessage } from './messages/client-message.ts';
export { encodeCommitFrame } from './messages/commit.ts';
export { encodeWelcomeFrame } from './messages/welcome.ts';
export { encodePing } from './messages/ping.ts';
export { encodeAlive } from './messages/pong.ts';
export { encodeNumbered, encodePushFrame } from './messages/push.ts';
export { decodePushNumber, decodeWholePush, MOST_PARTS_AHEAD } from './messages/push-part.ts';
export { decodeRoomMessage, encodeRoomMessage } from './messages/room-message.ts';
