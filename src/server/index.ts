/**
 * The server: a room for PartyKit that owns a TinyBase Store.
 *
 * @module
 */
export { broadcastChanges, type BroadcastingServer } from './stock/broadcast-changes.ts';
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
export type { RoomErrorSource, RoomLimits } from './room/room-options.ts';
export type { InitialStorage, Save, TakenMessage } from './features/lifecycle/lifecycle-hooks.ts';
export { hasStoreInStorage, loadStoreFromStorage } from './stock/stored-content.ts';
export { exportToStockStorage } from './stock/stock-export.ts';
export { TinyBasePartyKitError, type ErrorCode } from '../protocol/errors.ts';
