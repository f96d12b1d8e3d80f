import { RoomServer, type RoomParty } from '../../src/server/room-server.ts';
import type { KeyValueStorage } from '../../src/server/storage/key-value-storage.ts';
import { StrictStorage } from './strict-storage.ts';

/** A socket of a {@link SmallParty}. */
export class SmallSocket {
  readonly id: string;
  readonly heard: string[] = [];
  readyState = 1;
  closeCode: number | undefined;

  constructor(id: string) {
    this.id = id;
  }

  send(frame: string): void {
    this.heard.push(frame);
  }

  close(code?: number): void {
    this.readyState = 3;
    this.closeCode ??= code;
  }
}

/** The party of a host without a network. */
export class SmallParty implements RoomParty<SmallSocket> {
  readonly id: string;
  readonly env: unknown;
  readonly storage: KeyValueStorage;
  readonly sockets: SmallSocket[] = [];

  constructor(id: string, env: unknown, storage: KeyValueStorage = new StrictStorage()) {
    this.id = id;
    this.env = env;
    this.storage = storage;
  }

  getConnections(): Iterable<SmallSocket> {
    return this.sockets.filter(({ readyState }) => readyState === 1);
  }

  connect(id: string): SmallSocket {
    const socket = new SmallSocket(id);
    this.sockets.push(socket);
    return socket;
  }
}

/** A room server on such a host, which remembers what it reports. */
export class SmallServer extends RoomServer<SmallParty, SmallSocket, Request> {
  readonly errors: unknown[] = [];

  override onRoomError(error: unknown): void {
    this.errors.push(error);
  }
}
