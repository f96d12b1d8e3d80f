import type { EvictionTarget, RoomDocument, RoomStats } from '../../../protocol/room-handle.ts';
import type { HttpBody } from '../../http/http-body.ts';
import type { FeatureHost } from '../../room/room-feature.ts';
import type { RoomEnvironment } from '../auth/auth-options.ts';

export type { RoomEnvironment } from '../auth/auth-options.ts';

/** The part of a request that the endpoint reads. */
export interface AdminRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: { get(name: string): string | null };
  readonly body: HttpBody | null;
}

/** A room that {@link createAdmin} can open to a backend: every room server. */
export interface AdminHost<Connection, Request> extends FeatureHost<Connection, Request> {
  /** Its `env` has the secret. */
  readonly party: { readonly env?: unknown };
  getSize(): number;
  getStats(): Promise<RoomStats>;
  evict(target: EvictionTarget): Promise<number>;
  evictAll(): Promise<number>;
  garbageCollect(): Promise<void>;
  exportRoom(): Promise<RoomDocument | undefined>;
  restoreRoom(document: unknown): Promise<void>;
  wipe(): Promise<void>;
}

/** The events of a room, as far as the endpoint needs them: the result of `createEvents` is one. */
export interface AdminEvents {
  broadcast(name: string, data?: unknown): unknown;
}

/** The options of {@link createAdmin}. */
export interface AdminOptions<Env = RoomEnvironment> {
  /**
   * Returns the secret that signs commands: a text of at least 32 bytes. With any other value there is no endpoint, and
   * the answer is 404.
   */
  readonly secret: (env: Env) => unknown;
  /** The events of the room, for the command `broadcast`. */
  readonly events?: AdminEvents;
  /** The party that commands must name. Needed if the URL does not have the form `/parties/<party>/<room>`. */
  readonly party?: string;
  /** The largest body of a command, in bytes. 16 MiB by default: a document for `restoreRoom` may be that large. */
  readonly bodyBytes?: number;
}
