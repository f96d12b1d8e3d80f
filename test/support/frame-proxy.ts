import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { type RawData, WebSocket, WebSocketServer } from 'ws';

/** The fate of a frame that a client sends. With `cut`, its connection ends. */
type FrameFate = 'pass' | 'swallow' | 'cut';

/** A proxy on the loopback that reads along, as a firewall does. */
export interface FrameProxy {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  /** The fate of each frame of a client. By default all pass. */
  judge: (frame: string) => FrameFate;
  readonly close: () => Promise<void>;
}

/** Starts a proxy to a server, for HTTP and sockets. */
export const startFrameProxy = async (host: string): Promise<FrameProxy> => {
  const server = createServer((incoming, response) => {
    const { method, url, headers } = incoming;
    const outgoing = request(`http://${host}${url ?? '/'}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    incoming.pipe(outgoing);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (client, { url = '/' }) => {
    const upstream = new WebSocket(`ws://${host}${url}`);
    const early: string[] = [];
    const end = (): void => {
      client.terminate();
      upstream.terminate();
    };
    upstream.on('open', () => early.splice(0).forEach((frame) => upstream.send(frame)));
    upstream.on('message', (data: RawData, isBinary) => client.send(data, { binary: isBinary }));
    client.on('message', (data: Buffer) => {
      const frame = data.toString();
      const fate = proxy.judge(frame);
      if (fate === 'cut') end();
      else if (fate === 'swallow') return;
      else if (upstream.readyState === WebSocket.OPEN) upstream.send(frame);
      else early.push(frame);
    });
    for (const socket of [client, upstream]) {
      socket.on('error', end);
      socket.on('close', end);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const proxy: FrameProxy = {
    host: `127.0.0.1:${address.port}`,
    judge: () => 'pass',
    close: async () => {
      sockets.close();
      for (const client of sockets.clients) client.terminate();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return proxy;
};
