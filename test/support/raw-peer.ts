import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const TEXT = 1;
const CLOSE = 8;

/**
 * A WebSocket over bare TCP that breaks the protocol as no library does: it never answers a close, and sends all the
 * same (RFC 6455).
 */
export class RawPeer {
  readonly frames: string[] = [];
  /** The code of the close that the server sent. */
  closeCode: number | undefined;
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data: Buffer) => this.#take(data));
    socket.on('error', () => undefined);
  }

  static async open(port: number, path: string): Promise<RawPeer> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      [
        `GET ${path} HTTP/1.1`,
        `Host: 127.0.0.1:${port}`,
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
        'Sec-WebSocket-Version: 13',
        '\r\n',
      ].join('\r\n'),
    );
    let answer = Buffer.alloc(0);
    while (!answer.includes('\r\n\r\n')) {
      const [data] = (await once(socket, 'data')) as [Buffer];
      answer = Buffer.concat([answer, data]);
    }
    if (!answer.toString().startsWith('HTTP/1.1 101')) throw new Error(answer.toString());
    const peer = new RawPeer(socket);
    peer.#take(answer.subarray(answer.indexOf('\r\n\r\n') + 4));
    return peer;
  }

  send(frame: string): void {
    this.#write(TEXT, Buffer.from(frame));
  }

  /** Closes as a browser does. */
  close(): void {
    this.#write(CLOSE, Buffer.from([1000 >> 8, 1000 & 255]));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #write(type: number, payload: Buffer): void {
    const length =
      payload.length < 126
        ? [128 | payload.length]
        : [128 | 126, payload.length >> 8, payload.length & 255];
    // A mask of zeros leaves the payload as it is.
    this.#socket.write(Buffer.concat([Buffer.from([128 | type, ...length, 0, 0, 0, 0]), payload]));
  }

  #take(data: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, data]);
    for (;;) {
      const rest = this.#rest;
      if (rest.length < 2) return;
      const short = rest.readUInt8(1) & 127;
      const start = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (rest.length < start) return;
      const length =
        short === 127
          ? Number(rest.readBigUInt64BE(2))
          : short === 126
            ? rest.readUInt16BE(2)
            : short;
      if (rest.length < start + length) return;
      const payload = rest.subarray(start, start + length);
      const type = rest.readUInt8(0) & 15;
      if (type === TEXT) this.frames.push(payload.toString());
      if (type === CLOSE) this.closeCode = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
      this.#rest = rest.subarray(start + length);
    }
  }
}
