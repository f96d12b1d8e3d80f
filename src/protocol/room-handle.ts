/** The types of a room's handle, which the room's own code and a backend share. */

/** The connections to remove from a room. A text is the id of a connection. */
export type EvictionTarget =
  | string
  /** The connections with that id: `connection.id`, which is the id of the client's PartySocket. */
  | { readonly connection: string; readonly user?: undefined }
  /** The connections of that user. With `createAuth`, the user is also revoked. */
  | { readonly user: string; readonly connection?: undefined };

/** An open connection of a room. */
export interface ConnectionStats {
  /** The id of the client's PartySocket. */
  readonly id: string;
  /** The id of the user, in a room with `createAuth`. */
  readonly user?: string;
}

/** Numbers about a room. All sizes are in bytes. */
export interface RoomStats {
  /** The open connections that the room has let in. */
  readonly connections: readonly ConnectionStats[];
  /** False until the room has its initial content. */
  readonly hasStore: boolean;
  /** The name of the room's history. It changes when the room is restored or wiped. */
  readonly epoch: string;
  /** The number of commits in the history. The last ones may not be on disk yet. */
  readonly version: number;
  /** The size of the content, as `limits.contentBytes` counts it. */
  readonly contentBytes: number;
  /** The size of the checkpoint: the stored content. */
  readonly checkpointBytes: number;
  /** The size of the log that is stored in addition to the checkpoint. */
  readonly logBytes: number;
  /** The size of stored rows that nothing needs any more. The next checkpoint removes them. */
  readonly garbageBytes: number;
  /** The age of the checkpoint. Undefined if there is none. */
  readonly checkpointAgeMilliseconds?: number;
}

/** A whole room as one JSON document. `JSON.stringify` loses nothing of it. */
export interface RoomDocument {
  readonly format: 'tinybase-partykit room';
  readonly formatVersion: 1;
  /** Names the history that the content is from. */
  readonly epoch: string;
  /** The number of commits that the history had. */
  readonly version: number;
  /** `[tables, values]`; objects and arrays are encoded, as they are on the wire. */
  readonly content: unknown;
  /** The parts of a damaged room that could not be read: a storage key and a reason each. Left out if the document is whole. */
  readonly incomplete?: readonly string[];
}

/** Returns true for a value that is a target of `evict()`. */
export function isEvictionTarget(candidate: unknown): candidate is EvictionTarget {
  if (typeof candidate === 'string') return candidate !== '';
  if (typeof candidate !== 'object' || candidate === null) return false;
  const connection: unknown = Reflect.get(candidate, 'connection');
  const user: unknown = Reflect.get(candidate, 'user');
  const given = [connection, user].filter((id) => id !== undefined);
  return given.length === 1 && given.every((id) => typeof id === 'string' && id !== '');
}
