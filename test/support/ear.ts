import { WebSocket, type ClientOptions } from 'ws';

import { splitFrame } from '../../src/protocol/frame.ts';

/** A bare socket, and what it heard. */
export class Ear {
  readonly socket: WebSocket;
  readonly heard: string[] = [];
  closeCode: number | undefined;

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, options);
    this.socket.on('error', () => undefined);
    this.socket.on('message', (data: Buffer) => this.heard.push(...splitFrame(data.toString())));
    this.socket.on('close', (code) => (this.closeCode = code));
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }
}
