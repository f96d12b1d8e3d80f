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
  const headers = upgradeHeaders(request);
  const response: ResponseInit & { webSocket: unknown } = {
    status: 101,
    headers,
    webSocket: clientEnd,
  };
  return new Response(null, response);
}
