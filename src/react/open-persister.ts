import type PartySocket from 'partysocket';

import { assertOptions, type OptionKind } from '../protocol/option-kinds.ts';
import { errorOfUnknownOptions } from '../protocol/unknown-options.ts';
import type { PartyKitPersister } from '../client/index.ts';
import type { PersisterOptions } from './persister-options.ts';

const CALLER = 'usePartyKitPersister';

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof PersisterOptions, OptionKind>> = {
  initialContent: '',
  config: '',
  onIgnoredError: 'function',
};

/** Throws `misuse` for an option with a wrong value, and reports those that do not exist. */
export function checkOptions(options: PersisterOptions, report: (error: unknown) => void): void {
  assertOptions(CALLER, options, OPTIONS);
  const unknown = errorOfUnknownOptions(options, OPTIONS, `The object for ${CALLER}`);
  if (unknown !== undefined) report(unknown);
}

/** The persister that uses a socket; undefined if the last one is closed. An app may give one socket again and again. */
const users = new WeakMap<PartySocket, PartyKitPersister | undefined>();

/** A persister on a socket. */
export interface OpenPersister {
  readonly persister: PartyKitPersister;
  /** Destroys the persister, and then closes the socket, unless another persister uses that by then. */
  readonly close: () => Promise<void>;
}

/** Creates a socket, and a persister on it. If there can be no persister, it closes the socket and throws that error. */
export function openPersister(
  createSocket: () => PartySocket,
  createPersister: (socket: PartySocket) => PartyKitPersister,
): OpenPersister {
  assertOptions(CALLER, { createSocket }, { createSocket: 'function' });
  const socket = createSocket();
  try {
    const persister = createPersister(socket);
    const isClosed = users.has(socket) && users.get(socket) === undefined;
    users.set(socket, persister);
    if (isClosed) socket.reconnect();
    return {
      persister,
      close: async () => {
        try {
          await persister.destroy();
        } finally {
          if (users.get(socket) === persister) {
            users.set(socket, undefined);
            socket.close();
          }
        }
      },
    };
  } catch (error) {
    try {
      socket.close();
    } catch {
      // It is no socket: that is the error.
    }
    throw error;
  }
}
