import type { SocketClosing } from '../../src/client/session/session-ports.ts';

/** The way in which a socket is closed whose connection was lost. */
export const LOST: SocketClosing = {
  isByApp: false,
  isMeant: false,
  isFinal: false,
  code: 1006,
  reason: '',
};
