import type PartySocket from 'partysocket';

/** The time after which a client whose connection id somebody else uses connects with another one (`PRES-3`, `EVENT-7`). */
export const ANOTHER_ID_MILLISECONDS = 1_000;

/** Gives a socket another id, closes it, and opens it again. */
export function takeAnotherId(socket: PartySocket): void {
  // Without an id, PartySocket makes one. It would go back to the first party and path.
  socket.updateProperties({ id: '', party: socket.name, path: socket.path.slice(1) });
  socket.reconnect();
}
