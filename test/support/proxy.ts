import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy on the loopback that counts what passes, and can cut it. */
export interface Proxy {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  /** Bytes from clients to the server since the last {@link Proxy.reset}. */
  readonly bytesUp: () => number;
  readonly bytesDown: () => number;
  /** The method of each HTTP request since the last reset; an upgrade is a `GET`. */
  readonly methods: () => readonly string[];
  readonly reset: () => void;
  /** Drops what the server says from now on, without closing anything. */
  readonly muteDown: () => void;
  /** Destroys every connection, and lets new ones through again. */
  readonly cut: () => void;
  readonly close: () => Promise<void>;
}

const REQUEST_LINE = /^([A-Z]+) \S+ HTTP\/1\.1\r\n/;

/** Starts a proxy to a port of the loopback. */
export const startProxy = async (port: number): Promise<Proxy> => {
  const sockets = new Set<Socket>();
  let [bytesUp, bytesDown] = [0, 0];
  let methods: string[] = [];
  let isMuted = false;

  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {
        other.destroy();
      });
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (data: Buffer) => {
      bytesUp += data.length;
      const method = REQUEST_LINE.exec(data.toString('latin1'))?.[1];
      if (method !== undefined) {
        methods.push(method);
      }
      upstream.write(data);
    });
    upstream.on('data', (data: Buffer) => {
      bytesDown += data.length;
      if (!isMuted) {
        client.write(data);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new Error('A TCP server that listens has no port.');
  }
  const destroyAll = (): void => {
    for (const socket of sockets) {
      socket.destroy();
    }
  };

  return {
    host: `127.0.0.1:${address.port}`,
    bytesUp: () => bytesUp,
    bytesDown: () => bytesDown,
    methods: () => methods,
    reset: () => {
      [bytesUp, bytesDown] = [0, 0];
      methods = [];
    },
    muteDown: () => {
      isMuted = true;
    },
    cut: () => {
      destroyAll();
      isMuted = false;
    },
    close: async () => {
      server.close();
      destroyAll();
      await once(server, 'close');
    },
  };
};
