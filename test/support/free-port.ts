import { once } from 'node:events';
import { createServer } from 'node:net';

// Outgoing connections take their ports above these: one of them may take a port before its server does.
const FIRST_PORT = 20_000;
/** Each process has ports of its own. */
const PORTS_OF_A_PROCESS = 50;
const PROCESSES = 240;

/** The next port of this process to try. Processes of another run may have the same ports, and begin with another one. */
let next = Math.floor(Math.random() * PORTS_OF_A_PROCESS);

const isFree = async (port: number): Promise<boolean> => {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
};

/**
 * Finds a TCP port of this machine that nobody listens on at the moment. A server listens on it seconds later, so two processes must
 * not find the same one: of two servers, one would wait for ever without a word, and its tests would ask the other. Throws an error if
 * all ports of this process are taken.
 */
export const freePort = async (): Promise<number> => {
  const first = FIRST_PORT + (process.pid % PROCESSES) * PORTS_OF_A_PROCESS;
  for (let attempt = 0; attempt < PORTS_OF_A_PROCESS; attempt++) {
    const port = first + next;
    next = (next + 1) % PORTS_OF_A_PROCESS;
    if (await isFree(port)) return port;
  }
  throw new Error(`The ports from ${first} to ${first + PORTS_OF_A_PROCESS - 1} are taken.`);
};
