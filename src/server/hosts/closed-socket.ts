import { encodeRoomMessage } from '../../protocol/codec.ts';
import { ERRORS, type TinyBasePartyKitError } from '../../protocol/errors.ts';

/**
 * Answers a request for a WebSocket with one that is told why, and closed at once with the close code of the error. A
 * browser sees no status of an answer to such a request, and would try again for ever.
 */
export function closedSocket(
  { code, message }: TinyBasePartyKitError,
  messagePrefix: string,
): Response {
  const { 0: clientEnd, 1: socket } = new WebSocketPair();
  socket.accept();
  socket.send(encodeRoomMessage(messagePrefix, { type: 'error', code, message }));
  socket.close(ERRORS[code].closeCode, code);
  const response: ResponseInit & { webSocket: unknown } = { status: 101, webSocket: clientEnd };
  return new Response(null, response);
}
