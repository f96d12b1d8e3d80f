/**
 * The offline part of a client: its content, its cursor and its unsent edits, kept on the device.
 *
 * @module
 */
export {
  createIndexedDbOffline,
  openIndexedDbStorage,
  type IndexedDbOfflineOptions,
} from './indexed-db.ts';
export { createOffline, type Offline, type OfflineOptions } from './offline.ts';
export type { OfflineLocks, OfflineStorage, OfflineWrite } from './offline-storage.ts';
