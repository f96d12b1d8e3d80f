/**
 * The client layer with schema-based types. It is `tinybase-partykit/client/room`, with types from the schemas of the rooms' Stores.
 *
 * Source: https://tinybase.org/guides/schemas/schema-based-typing/
 *
 * @module
 */
import type { Content, NoSchemas, OptionalSchemas, Store } from 'tinybase/with-schemas';

import type { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { PartyKitPersister } from '../with-schemas.ts';
import {
  createClient as create,
  type ClientRoom as UntypedRoom,
  type EnterParameters,
  type RoomOptions as UntypedOptions,
} from './index.ts';

export type { EnterParameters, QueryParameters, ReconnectTimeout, RoomContext } from './index.ts';
export { TinyBasePartyKitError, type ErrorCode } from '../../protocol/errors.ts';

/** The `ClientRoom` of `tinybase-partykit/client/room`, for a Store with schemas. */
export interface ClientRoom<Schemas extends OptionalSchemas, Room = unknown> extends Omit<
  UntypedRoom<Room>,
  'store' | 'persister'
> {
  readonly store: Store<Schemas>;
  readonly persister: PartyKitPersister<Schemas>;
}

/** The `RoomOptions` of `tinybase-partykit/client/room`, for Stores with schemas. */
export interface RoomOptions<
  Schemas extends OptionalSchemas,
  Room = unknown,
  Metadata = unknown,
> extends Omit<
  UntypedOptions<Room, Metadata>,
  'createStore' | 'store' | 'prepareStore' | 'initialStorage' | 'onAuthorizationFail'
> {
  readonly createStore: () => Store<NoSchemas>;
  readonly store?: Store<Schemas>;
  /** Sets the schemas. */
  readonly prepareStore?: (store: Store<NoSchemas>) => unknown;
  readonly initialStorage?: Content<Schemas, true> | (() => Content<Schemas, true>);
  readonly onAuthorizationFail?: (
    error: TinyBasePartyKitError,
    room: ClientRoom<Schemas, Room>,
  ) => void;
}

/** The options of `createRoom`. */
export type RoomOverrides<
  Schemas extends OptionalSchemas,
  Room = unknown,
  Metadata = unknown,
> = Partial<RoomOptions<Schemas, Room, Metadata>>;

/** The `Client` of `tinybase-partykit/client/room`, for Stores with schemas. */
export interface Client<
  Schemas extends OptionalSchemas,
  Room = unknown,
  Metadata = undefined,
  Entered = Metadata,
> {
  createRoom(
    id: string,
    overrides?: RoomOverrides<Schemas, Room, Metadata>,
  ): ClientRoom<Schemas, Room>;
  getRoom(id: string): ClientRoom<Schemas, Room> | undefined;
  getRooms(): readonly ClientRoom<Schemas, Room>[];
  enter(
    idOrRoom: string | ClientRoom<Schemas, Room>,
    ...parameters: EnterParameters<Entered>
  ): Promise<ClientRoom<Schemas, Room>>;
  leave(idOrRoom: string | ClientRoom<Schemas, Room>): Promise<void>;
}

/** The type of {@link createClient}. */
interface CreateClient {
  <Schemas extends OptionalSchemas, Room = unknown, Metadata = undefined>(
    options: RoomOptions<Schemas, Room, Metadata> & { readonly metadata: Metadata },
  ): Client<Schemas, Room, Metadata, Metadata | undefined>;
  <Schemas extends OptionalSchemas, Room = unknown, Metadata = undefined>(
    options: RoomOptions<Schemas, Room, Metadata>,
  ): Client<Schemas, Room, Metadata>;
}

/** The same function as `createClient` of `tinybase-partykit/client/room`, with other types. */
export const createClient: CreateClient = create as unknown as CreateClient;
