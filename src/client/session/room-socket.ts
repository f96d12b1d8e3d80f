import type { SessionSocket } from './session-ports.ts';

/** The socket of a session that is in one room, while the app may point the socket at another one (JOIN-12). */
export interface RoomSocket extends SessionSocket {
  /** Returns the address of the session's room; undefined before the session has entered one. */
  room(): string | undefined;
  /** Enters the room that the socket leads to, and returns its address. */
  enter(): string;
  /** True while the socket leads to another room than the session's. */
  isAway(): boolean;
  /** True while the socket is connected to a room, whichever it is. */
  isConnected(): boolean;
  /** Sends a frame; does nothing while the socket is not open. */
  readonly send: (frame: string) => void;
  /** The socket has opened. */
  opened(): void;
  /** The socket is not open any more. */
  closed(): void;
}

/** Creates the socket of a session that has entered no room. It is open, and sends, only in the session's room. */
export function createRoomSocket(socket: SessionSocket): RoomSocket {
  let room: string | undefined;
  /** The address of the room that the socket is connected to, also if the app has pointed it elsewhere since. */
  let connected: string | undefined;
  const address = (): string => connected ?? socket.address();
  const isAway = (): boolean => room !== undefined && room !== address();
  const isOpen = (): boolean => socket.isOpen() && !isAway();
  return {
    ...socket,
    address,
    isOpen,
    send: (frame) => {
      if (isOpen()) socket.send(frame);
    },
    room: () => room,
    enter: () => (room = address()),
    isAway,
    isConnected: () => connected !== undefined,
    opened: () => {
      connected = socket.address();
    },
    closed: () => {
      connected = undefined;
    },
  };
}
