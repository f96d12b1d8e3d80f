import { once } from 'node:events';
import { createServer } from 'node:net';

/** Finds a TCP port of this machine that nobody listens on at the moment. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') {
    throw new Error('A TCP server that listens has no port.');
  }
  return address.port;
};
