import type { SocketClosing } from '../session/session-ports.ts';
import type { LastClose } from './channel.ts';

/** Reads how a socket was closed. Not every environment tells the code and reason. */
export function readClosing({ isByApp, isMeant, event = new Event('') }: LastClose): SocketClosing {
  // What this side means has no code of the server.
  const code =
    !isMeant && 'code' in event && typeof event.code === 'number' ? event.code : undefined;
  const reason = 'reason' in event && typeof event.reason === 'string' ? event.reason : '';
  return { isByApp, isMeant, code, reason };
}
