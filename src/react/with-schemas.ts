/**
 * The hooks for React with schema-based types. They are those of `tinybase-partykit/react`.
 *
 * Source: https://tinybase.org/guides/schemas/schema-based-typing/
 *
 * @module
 */
'use client';
import type PartySocket from 'partysocket';
import type { DependencyList, FunctionComponent } from 'react';
import type { Content, OptionalSchemas, Store } from 'tinybase/with-schemas';

import type { UndoOptions, UndoWithSchemas } from '../client/features/undo/index.ts';
import type { Client, ClientRoom, RoomOverrides } from '../client/room/with-schemas.ts';
import type { PartyKitPersister } from '../client/with-schemas.ts';
import {
  createRoomHooks as createHooks,
  usePartyKitPersister as usePersister,
  type PersisterOptions as UntypedOptions,
  type RoomHooks as UntypedHooks,
  type RoomProviderProps as UntypedProps,
  useUndo as useUntypedUndo,
  type UndoState as UntypedUndo,
} from './index.ts';

export { useRefusalListener, type PersisterWithRefusals } from './use-refusal-listener.ts';
export { useSync, type PersisterWithSync } from './use-sync.ts';
export { TinyBasePartyKitError, type ErrorCode } from '../protocol/errors.ts';

/** The properties of a `RoomProvider`. */
export type RoomProviderProps<
  Schemas extends OptionalSchemas,
  Room,
  Metadata,
  Entered = Metadata,
> = Omit<UntypedProps<Room, Metadata, Entered>, 'options'> & {
  readonly options?: RoomOverrides<Schemas, Room, Metadata>;
};

/** The `RoomHooks` of `tinybase-partykit/react`, for Stores with schemas. */
export interface RoomHooks<
  Schemas extends OptionalSchemas,
  Room,
  Metadata,
  Entered = Metadata,
> extends Pick<UntypedHooks<Room, Metadata, Entered>, 'useSync' | 'useEvent'> {
  readonly RoomProvider: FunctionComponent<RoomProviderProps<Schemas, Room, Metadata, Entered>>;
  readonly useRoom: () => ClientRoom<Schemas, Room>;
}

/** The options of {@link usePartyKitPersister}. */
export interface PersisterOptions<Schemas extends OptionalSchemas> extends Omit<
  UntypedOptions,
  'initialContent'
> {
  readonly initialContent?: Content<Schemas, true> | (() => Content<Schemas, true>);
}

/** The same function as `createRoomHooks` of `tinybase-partykit/react`, with other types. */
export const createRoomHooks: <Schemas extends OptionalSchemas, Room, Metadata, Entered>(
  client: Client<Schemas, Room, Metadata, Entered>,
) => RoomHooks<Schemas, Room, Metadata, Entered> = createHooks as unknown as typeof createRoomHooks;

/** The same function as `usePartyKitPersister` of `tinybase-partykit/react`, with other types. */
export const usePartyKitPersister: <Schemas extends OptionalSchemas>(
  store: Store<Schemas>,
  createSocket: () => PartySocket,
  dependencies: DependencyList,
  options?: PersisterOptions<Schemas>,
) => PartyKitPersister<Schemas> | undefined =
  usePersister as unknown as typeof usePartyKitPersister;

/** The `UndoState` of `tinybase-partykit/react`, for Stores with schemas. */
export type UndoState<Schemas extends OptionalSchemas> = UntypedUndo<UndoWithSchemas<Schemas>>;

/** The same function as `useUndo` of `tinybase-partykit/react`, with other types. */
export const useUndo: <Schemas extends OptionalSchemas>(
  persister: PartyKitPersister<Schemas> | undefined,
  options?: UndoOptions,
) => UndoState<Schemas> = useUntypedUndo as unknown as typeof useUndo;
