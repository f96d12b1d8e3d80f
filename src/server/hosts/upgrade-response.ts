/** The part of a request that decides how a WebSocket is opened. */
export interface UpgradeRequest {
  readonly headers: { get(name: string): string | null };
}

/**
 * Returns the answer that opens a WebSocket. `webSocket` is the client's end. A client that offers subprotocols closes the socket if
 * the server chooses none of them (WHATWG WebSockets, section 4): the room takes the first.
 */
export function upgradeResponse({ headers }: UpgradeRequest, webSocket: unknown): Response {
  const [offered = ''] = (headers.get('Sec-WebSocket-Protocol') ?? '').split(',', 1);
  const protocol = offered.trim();
  const response: ResponseInit & { webSocket: unknown } = {
    status: 101,
    headers: protocol === '' ? {} : { 'Sec-WebSocket-Protocol': protocol },
    webSocket,
  };
  return new Response(null, response);
}
