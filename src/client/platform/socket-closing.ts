import type PartySocket from 'partysocket';

import type { SocketClosing } from '../session/session-ports.ts';
import type { LastClose } from './channel.ts';

/** `WebSocket.OPEN` (WHATWG WebSockets, section 3.1). */
const OPEN = 1;

/** Reads how a socket was closed. Not every environment tells the code and reason. */
export function readClosing(connection: PartySocket, { isMeant, event }: LastClose): SocketClosing {
  const isFinal = event !== undefined && hasGivenUp(connection);
  // What this side means has no code of the server.
  const code = isFinal || !isMeant ? event?.code : undefined;
  const reason = event?.reason;
  return {
    isByApp: !connection.shouldReconnect,
    isMeant,
    isFinal,
    code: typeof code === 'number' ? code : undefined,
    reason: typeof reason === 'string' ? reason : '',
  };
}

/**
 * Returns true if a PartySocket tries no more by itself, since `maxRetries` are used up or `shouldReconnectOnClose` said no. It
 * tells neither, so this looks at what it keeps to itself; if that has other names one day, the answer is false.
 */
export function hasGivenUp(connection: PartySocket): boolean {
  return (
    // A socket that has failed to open may still be closing.
    connection.readyState > OPEN &&
    ['_connectLock', '_closeCalled'].every((name) => Reflect.get(connection, name) === false)
  );
}
