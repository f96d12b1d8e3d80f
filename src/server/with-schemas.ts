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

// The two functions below take the place of those with the same names.
export * from './index.ts';

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
