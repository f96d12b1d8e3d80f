/**
 * The server with schema-based types. Everything else is the same as in `tinybase-partykit/server`.
 *
 * Source: https://tinybase.org/guides/schemas/schema-based-typing/
 *
 * @module
 */
import type { Changes, Content, OptionalSchemas } from 'tinybase/with-schemas';

import {
  broadcastChanges as broadcast,
  type BroadcastingServer,
} from './stock/broadcast-changes.ts';
import type { KeyValueStorage } from './storage/key-value-storage.ts';
import { loadStoreFromStorage as load } from './stock/stored-content.ts';

export type { BroadcastingServer } from './stock/broadcast-changes.ts';
export type { KeyValueStorage } from './storage/key-value-storage.ts';
export { TinyBasePartyKitServer, type TinyBasePartyKitServerConfig } from './partykit-server.ts';
export type {
  ConnectionStats,
  EvictionTarget,
  RoomDocument,
  RoomStats,
} from '../protocol/room-handle.ts';
export type {
  FeatureHost,
  FeatureRoom,
  RoomCommit,
  RoomFeature,
  RoomGate,
  RoomSnapshot,
  Standing,
  TakenCall,
} from './room/room-feature.ts';
export type { InitialStorage, Save, TakenMessage } from './features/lifecycle/lifecycle-hooks.ts';
export type { RoomErrorSource, RoomLimits } from './room/room-options.ts';
export { hasStoreInStorage } from './stock/stored-content.ts';
export { exportToStockStorage } from './stock/stock-export.ts';
export { TinyBasePartyKitError, type ErrorCode } from '../protocol/errors.ts';

/** The same as `loadStoreFromStorage` of `tinybase-partykit/server`. It does not check the content against the schemas. */
export const loadStoreFromStorage: <Schemas extends OptionalSchemas>(
  storage: KeyValueStorage,
  storagePrefix?: string,
) => Promise<Content<Schemas>> = load as typeof loadStoreFromStorage;

/** The same function as `broadcastChanges` of `tinybase-partykit/server`, with other types. */
export const broadcastChanges: <Schemas extends OptionalSchemas>(
  server: BroadcastingServer,
  changes: Changes<Schemas>,
  without?: string[],
) => Promise<void> = broadcast as typeof broadcastChanges;
