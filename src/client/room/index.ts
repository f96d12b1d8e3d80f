/**
 * The client layer: enters rooms, and leaves them. A room is a Store with a persister, presence, events and a socket.
 *
 * @module
 */
import { createRooms, type Client } from './client.ts';
import type { RoomOptions } from './client-options.ts';

export type { Client, EnterParameters } from './client.ts';
export type { ClientRoom, RoomContext, RoomOptions, RoomOverrides } from './client-options.ts';
export type { QueryParameters, ReconnectTimeout } from './connection-attempts.ts';
export { TinyBasePartyKitError, type ErrorCode } from '../../protocol/errors.ts';

/**
 * Creates a client, which enters rooms of one server. `Room` is the type of the room's class: the types of presence and events come
 * from it.
 *
 * @example
 * ```ts
 * import { createStore } from 'tinybase';
 * import { createClient } from 'tinybase-partykit/client/room';
 *
 * const client = createClient({ createStore, host: location.host });
 * const { store } = await client.enter('my-board');
 * store.setCell('pets', 'fido', 'species', 'dog');
 * await client.leave('my-board');
 * ```
 */
export function createClient<Room = unknown, Metadata = undefined>(
  options: RoomOptions<Room, Metadata> & { readonly metadata: Metadata },
): Client<Room, Metadata, Metadata | undefined>;
export function createClient<Room = unknown, Metadata = undefined>(
  options: RoomOptions<Room, Metadata>,
): Client<Room, Metadata>;
export function createClient<Room, Metadata>(
  options: RoomOptions<Room, Metadata | undefined>,
): Client<Room, Metadata | undefined> {
  return createRooms(options);
}
