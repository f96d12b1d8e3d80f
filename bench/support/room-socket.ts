import { WebSocket } from 'ws';

import { ChangesBuilder } from '../../src/protocol/changes.ts';
import {
  decodeRoomMessage,
  encodeClientMessage,
  encodeRoomMessage,
} from '../../src/protocol/codec.ts';
import { splitFrame } from '../../src/protocol/frame.ts';
import type { RoomMessage } from '../../src/protocol/messages.ts';
import { assert } from './measure.ts';

/** A socket to a room, with nothing between: what a room costs, without what a client costs. */
export class RoomSocket {
  readonly #socket: WebSocket;
  #onFrame: (frame: string) => void = () => undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      for (const frame of splitFrame(String(data))) {
        if (frame.startsWith('e{')) throw new Error(`The room says: ${frame}`);
        this.#onFrame(frame);
      }
    });
  }

  static async open(url: string): Promise<RoomSocket> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}?_pk=${Math.random()}`);
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return new RoomSocket(socket);
  }

  send(frame: string): void {
    this.#socket.send(frame);
  }

  /** Resolves with the first frame for which `isWanted` says true. */
  next(isWanted: (frame: string) => boolean): Promise<string> {
    return new Promise((resolve) => {
      this.#onFrame = (frame) => {
        if (!isWanted(frame)) return;
        this.#onFrame = () => undefined;
        resolve(frame);
      };
    });
  }

  /** Calls back with each frame. */
  onEach(callback: (frame: string) => void): void {
    this.#onFrame = callback;
  }

  close(): void {
    this.#socket.close();
  }
}

/** A socket that speaks the protocol of this package. */
export class RoomClient {
  readonly socket: RoomSocket;
  version = 0;
  #number = 0;

  private constructor(socket: RoomSocket) {
    this.socket = socket;
  }

  /** Opens a live connection to a room that has a Store. */
  static async open(url: string): Promise<RoomClient> {
    const client = new RoomClient(await RoomSocket.open(url));
    const response = await fetch(`${url}/store`, { method: 'HEAD' });
    const [epoch = '', version] = (response.headers.get('ETag') ?? '')
      .replaceAll('"', '')
      .split('.');
    const welcomed = client.nextMessage((message) => message.type === 'welcome');
    client.socket.send(
      encodeClientMessage('', {
        type: 'hello',
        clientId: Array.from({ length: 22 }, () => Math.floor(Math.random() * 10)).join(''),
        generation: 1,
        cursor: { epoch, version: Number(version) },
        nextPush: 1,
        ackedPush: 0,
      }),
    );
    const message = await welcomed;
    assert(message.type === 'welcome' && message.changes !== undefined, 'the client is not live');
    client.version = message.cursor.version;
    return client;
  }

  /** The frame of a push that sets one cell. */
  pushFrame(row: string, cell: string, value: string | number): string {
    return this.frameOf(oneCell(row, cell, value));
  }

  /** The frame of the next commit, if that sets one cell. */
  nextCommitFrame(row: string, cell: string, value: string | number): string {
    this.version += 1;
    const changes = oneCell(row, cell, value);
    return encodeRoomMessage('', { type: 'commit', version: this.version, changes });
  }

  /** The frame of a push. */
  frameOf(changes: ChangesBuilder): string {
    this.#number += 1;
    return encodeClientMessage('', { type: 'push', number: this.#number, changes });
  }

  /** Resolves with the first message for which `isWanted` says true. */
  async nextMessage(isWanted: (message: RoomMessage) => boolean): Promise<RoomMessage> {
    let wanted: RoomMessage | undefined;
    await this.socket.next((frame) => {
      const message = decodeRoomMessage('', frame);
      if (message?.type === 'error') throw new Error(`The room says: ${message.message}`);
      if (message !== undefined && isWanted(message)) wanted = message;
      return wanted !== undefined;
    });
    if (wanted === undefined) throw new Error('No message.');
    return wanted;
  }
}

function oneCell(row: string, cell: string, value: string | number): ChangesBuilder {
  const changes = new ChangesBuilder();
  changes.setLeaf('rows', row, cell, value);
  return changes;
}
