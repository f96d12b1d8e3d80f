import { encodeRoomMessage } from '../../protocol/codec.ts';
import { ERRORS, type TinyBasePartyKitError } from '../../protocol/errors.ts';
import { upgradeResponse, type UpgradeRequest } from './upgrade-response.ts';

/**
 * Answers a request for a WebSocket with a socket that gets the error and is closed at once with its close code. A browser
 * cannot see the HTTP status of such an answer, and would try again for ever.
 */
export function closedSocket(
  request: UpgradeRequest,
  { code, message }: TinyBasePartyKitError,
  messagePrefix: string,
): Response {
  const { 0: clientEnd, 1: socket } = new WebSocketPair();
  socket.accept();
  socket.send(encodeRoomMessage(messagePrefix, { type: 'error', code, message }));
  socket.close(ERRORS[code].closeCode, code);
  return upgradeResponse(request, clientEnd);
}
