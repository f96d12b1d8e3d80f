import type { SourceMutation } from './source-mutation.ts';

const ATTEMPTS = 'client/room/connection-attempts.ts';
const STAY = 'client/room/room-stay.ts';

/** The mutations of CLIENT: the clients of histories do not have the layer of `createClient`. */
export const CLIENT_MUTATIONS: readonly SourceMutation[] = [
  {
    title: '[CLIENT-1] who enters while leaving has left',
    file: STAY,
    text: '    if (entry !== entries) return;\n',
    replacement: '',
  },
  {
    title: '[CLIENT-2] each one who asks during an attempt gets a token of its own',
    file: ATTEMPTS,
    text: 'if (current === undefined) {',
    replacement: 'if (true) {',
  },
  {
    title: '[CLIENT-2] a client sends the edits of one user with the token of another',
    file: ATTEMPTS,
    text: 'if (error !== undefined) throw error;',
    replacement: '',
  },
  {
    title: '[CLIENT-2] a client stays in a room that has let in another user than the first one',
    file: ATTEMPTS,
    text: 'stop(error);',
    replacement: '',
  },
  {
    title: '[CLIENT-3] a connection that ends at once makes the attempts count from 0 again',
    file: ATTEMPTS,
    text: 'if (hasLasted()) attempts = 0;',
    replacement: 'if (openedAt !== undefined) attempts = 0;',
  },
  {
    title: '[CLIENT-4] a client connects again with the token that it has',
    file: ATTEMPTS,
    text: 'if (!socket.isOpen() || token === old) return;',
    replacement: 'if (!socket.isOpen()) return;',
  },
];
