/** The one file that knows PartySocket. */
import type PartySocket from 'partysocket';

import type { SessionSocket } from '../session/session-ports.ts';

/** Dispatched on a PartySocket when a newer persister with the same prefix takes it over. */
const TAKEN_OVER = 'tinybase-partykit:taken-over:';

/** `WebSocket.OPEN`, which need not exist as a global (RFC 6455; WHATWG WebSockets, section 3.1). */
const OPEN = 1;

/** What a PartySocket tells a persister. */
export interface PartyConnectionEvents {
  readonly onOpen: () => void;
  readonly onClose: () => void;
  readonly onMessage: (data: unknown) => void;
  /** It is open again and leads to another room. */
  readonly onAnotherRoom: () => void;
  /** A newer persister uses it now. */
  readonly onTakenOver: () => void;
}

/** The URL of the room's `/store`, from the socket's own room URL: the same host, path, prefix and query. */
export async function storeUrlOf(
  connection: PartySocket,
  storePath: string,
  storeProtocol: 'http' | 'https' | undefined,
): Promise<string> {
  const url = new URL(connection.roomUrl);
  const protocol = storeProtocol ?? (url.protocol === 'wss:' ? 'https' : 'http');
  url.pathname =
    url.pathname.replace(/\/$/, '') + (storePath.startsWith('/') ? storePath : `/${storePath}`);
  const { query } = connection.partySocketOptions;
  const parameters = typeof query === 'function' ? await query() : query;
  for (const [name, value] of Object.entries(parameters ?? {})) {
    if (value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  return url.href.replace(/^wss?:/, `${protocol}:`);
}

/**
 * Listens to a PartySocket on behalf of one persister, taking it over from an older one with the same prefix. Only
 * ever sends while it is open: what PartySocket queues it flushes ahead of `hello` (FRAME-3).
 */
export function attachToPartySocket(
  connection: PartySocket,
  prefix: string,
  events: PartyConnectionEvents,
): { readonly socket: SessionSocket; readonly detach: () => void } {
  let roomUrl = connection.roomUrl;
  const onOpen = (): void => {
    if (connection.roomUrl !== roomUrl) {
      roomUrl = connection.roomUrl;
      events.onAnotherRoom();
    }
    events.onOpen();
  };
  const onMessage = (event: MessageEvent): void => events.onMessage(event.data);
  const { onClose, onTakenOver } = events;
  const takenOver = TAKEN_OVER + prefix;
  const target: EventTarget = connection;
  target.dispatchEvent(new Event(takenOver));
  target.addEventListener(takenOver, onTakenOver);
  connection.addEventListener('open', onOpen);
  connection.addEventListener('close', onClose);
  connection.addEventListener('message', onMessage);
  return {
    socket: {
      isOpen: () => connection.readyState === OPEN && connection.roomUrl === roomUrl,
      address: () => connection.roomUrl,
      send: (frame) => {
        connection.send(frame);
      },
      reconnect: () => connection.reconnect(),
      stop: (closeCode, reason) => connection.close(closeCode, reason),
    },
    detach: () => {
      target.removeEventListener(takenOver, onTakenOver);
      connection.removeEventListener('open', onOpen);
      connection.removeEventListener('close', onClose);
      connection.removeEventListener('message', onMessage);
    },
  };
}
