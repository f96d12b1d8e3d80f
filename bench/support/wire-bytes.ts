import { subscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';

const sockets = new Set<Socket>();
subscribe('net.client.socket', (message) => {
  if (typeof message !== 'object' || message === null || !('socket' in message)) return;
  if (message.socket instanceof Socket) sockets.add(message.socket);
});

/** Bytes on the wire, of TCP's payload: frames with their headers, HTTP as it was compressed. */
export interface WireBytes {
  readonly up: number;
  readonly down: number;
}

/** The number of sockets that were opened so far: a place to count from. */
export function socketsOpened(): number {
  return sockets.size;
}

/** All that the clients in this process have sent and got so far, from a place on. Take the difference of two. */
export function wireBytes(from = 0): WireBytes {
  let up = 0;
  let down = 0;
  for (const socket of [...sockets].slice(from)) {
    up += socket.bytesWritten;
    down += socket.bytesRead;
  }
  return { up, down };
}
