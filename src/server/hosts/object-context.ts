import type { KeyValueStorage } from '../storage/key-value-storage.ts';

/** The server's end of a WebSocket in a Durable Object. It stays open while the object sleeps. */
export interface HibernatingSocket {
  readonly readyState: number;
  send(message: string | ArrayBuffer | ArrayBufferView): void;
  close(code?: number, reason?: string): void;
  /** Keeps at most 16,384 bytes, through hibernation. */
  serializeAttachment(attachment: unknown): void;
  deserializeAttachment(): unknown;
}

/** The part of a Durable Object's state that a room needs. */
export interface ObjectContext {
  /** The id of the object. It has a name if the object is addressed by name. */
  readonly id: { readonly name?: string };
  readonly storage: KeyValueStorage;
  acceptWebSocket(socket: HibernatingSocket, tags?: string[]): void;
  getWebSockets(tag?: string): HibernatingSocket[];
  setWebSocketAutoResponse(pair: object): void;
  /** The time of the last automatic response; null if there was none. */
  getWebSocketAutoResponseTimestamp(socket: object): Date | null;
}
