import type PartySocket from 'partysocket';

import { openChannel } from '../../../src/client/platform/channel.ts';

/** The least that a feature can be: each text comes back from the room. */
export interface Echo {
  /** Settles with the answer; rejects if the socket is not open, or is lost before it. */
  say(text: string): Promise<string>;
  close(): void;
}

export function createEcho(connection: PartySocket, prefix = ''): Echo {
  const waiting: { answer: (text: string) => void; fail: (error: Error) => void }[] = [];
  const failAll = (error: Error): void => {
    for (const { fail } of waiting.splice(0)) fail(error);
  };
  const channel = openChannel(connection, prefix, 'x', {
    onFrame: (json) => waiting.shift()?.answer(String(JSON.parse(json))),
    onClose: () => failAll(new Error('The socket closed before the echo came. Say it again.')),
    onStopped: failAll,
    onTakenOver: () => failAll(new Error('Another echo uses the socket now.')),
  });
  return {
    say: (text) =>
      new Promise((answer, fail) => {
        if (channel.send(JSON.stringify(text))) waiting.push({ answer, fail });
        else fail(new Error('The socket is not open. Say it again when it is.'));
      }),
    close: () => channel.close(),
  };
}
