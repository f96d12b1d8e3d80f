/**
 * The client with schema-based types. It is the persister of `tinybase-partykit/client`, with types from the schemas of its
 * Store.
 *
 * Source: https://tinybase.org/guides/schemas/schema-based-typing/
 *
 * @module
 */
import type PartySocket from 'partysocket';
import type { Id, OptionalSchemas, Store } from 'tinybase/with-schemas';
import type { Persister } from 'tinybase/persisters/with-schemas';

import {
  createPartyKitPersister as create,
  type PartyKitPersister as UntypedPersister,
  type PartyKitPersisterConfig,
} from './partykit-persister.ts';
import type { Refusal } from './replica/refusal.ts';
import type { Sync } from './session/sync-status.ts';

export type { PartyKitPersisterConfig } from './partykit-persister.ts';
export type { Refusal, RefusalReason } from './replica/refusal.ts';
export type { Sync, SyncPhase } from './session/sync-status.ts';
export { warnBeforeUnload } from './platform/unload-warning.ts';
export { TinyBasePartyKitError, type ErrorCode } from '../protocol/errors.ts';

/** Called when the state of a persister's connection to its room changes. */
export type SyncListener<Schemas extends OptionalSchemas> = (
  persister: PartyKitPersister<Schemas>,
  sync: Sync,
) => void;

/** Called when edits, or leaves of the room, were refused. Gets their values. */
export type RefusalListener<Schemas extends OptionalSchemas> = (
  persister: PartyKitPersister<Schemas>,
  refusals: readonly Refusal[],
) => void;

/** The `PartyKitPersister` of `tinybase-partykit/client`, for a Store with schemas. */
export interface PartyKitPersister<Schemas extends OptionalSchemas>
  extends
    Persister<Schemas>,
    Pick<UntypedPersister, 'getConnection' | 'getSync' | 'whenConfirmed'> {
  addSyncListener(listener: SyncListener<Schemas>): Id;
  addRefusalListener(listener: RefusalListener<Schemas>): Id;
  discardLocal(): this;
}

/** The same function as `createPartyKitPersister` of `tinybase-partykit/client`, with other types. */
export const createPartyKitPersister: <Schemas extends OptionalSchemas>(
  store: Store<Schemas>,
  connection: PartySocket,
  configOrStoreProtocol?: PartyKitPersisterConfig | 'http' | 'https',
  // oxlint-disable-next-line typescript/no-explicit-any -- TinyBase's own type, which apps expect.
  onIgnoredError?: (error: any) => void,
) => PartyKitPersister<Schemas> = create as unknown as typeof createPartyKitPersister;
