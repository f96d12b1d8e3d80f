/**
 * The client: a TinyBase Persister for a Store that lives in a PartyKit room.
 *
 * @module
 */
export {
  createPartyKitPersister,
  type PartyKitPersister,
  type PartyKitPersisterConfig,
  type RefusalListener,
  type SyncListener,
} from './partykit-persister.ts';
export type { Refusal, RefusalReason } from './replica/refusal.ts';
export type { Sync, SyncPhase } from './session/sync-status.ts';
export { warnBeforeUnload } from './platform/unload-warning.ts';
export { TinyBasePartyKitError, type ErrorCode } from '../protocol/errors.ts';
