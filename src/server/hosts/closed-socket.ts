import { encodeRoomMessage } from '../../protocol/codec.ts';
import { ERRORS, type TinyBasePartyKitError } from '../../protocol/errors.ts';

/** The part of a request that decides how a WebSocket is opened. */
interface UpgradeRequest {
  readonly headers: { get(name: string): string | null };
}

/**
 * Returns the headers of an answer that opens a WebSocket. A client that offers subprotocols closes the socket if the
 * server chooses none of them (WHATWG WebSockets, section 4): the room takes the first.
 */
export function upgradeHeaders(request: UpgradeRequest): Record<string, string> {
  const [protocol = ''] = (request.headers.get('Sec-WebSocket-Protocol') ?? '').split(',', 1);
  return protocol.trim() === '' ? {} : { 'Sec-WebSocket-Protocol': protocol.trim() };
}

/**
 * Answers a request for a WebSocket with one that is told why, and closed at once with the close code of the error. A
 * browser sees no status of an answer to such a request, and would try again for ever.
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
  const headers = upgradeHeaders(request);
  const response: ResponseInit & { webSocket: unknown } = {
    status: 101,
    headers,
    webSocket: clientEnd,
  };
  return new Response(null, response);
}
