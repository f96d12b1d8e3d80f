import type PartySocket from 'partysocket';

import { assertOptions } from '../protocol/option-kinds.ts';
import type { PartyKitPersister } from '../client/index.ts';

/** Creates a socket, and a persister on it. If there can be no persister, it closes the socket and throws that error. */
export function openPersister(
  createSocket: () => PartySocket,
  createPersister: (socket: PartySocket) => PartyKitPersister,
): { readonly socket: PartySocket; readonly persister: PartyKitPersister } {
  assertOptions('usePartyKitPersister', { createSocket }, { createSocket: 'function' });
  const socket = createSocket();
  try {
    return { socket, persister: createPersister(socket) };
  } catch (error) {
    try {
      socket.close();
    } catch {
      // It is no socket: that is the error.
    }
    throw error;
  }
}
