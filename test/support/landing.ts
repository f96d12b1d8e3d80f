import type { PartySocket } from 'partysocket';
import type { Store } from 'tinybase';
import type { Persister } from 'tinybase/persisters';
import type { Refusal } from '../../src/client/refusal.ts';

/** Until the client's index exports it. */
export interface PartyKitPersisterConfig {
  storeProtocol?: 'http' | 'https';
  storePath?: string;
  messagePrefix?: string;
}
export interface PartyKitPersister extends Persister {
  getConnection(): PartySocket;
  getSync(): { phase: string; unsaved: number; code?: string };
  addRefusalListener(
    listener: (persister: PartyKitPersister, refusals: readonly Refusal[]) => void,
  ): string;
  whenConfirmed(): Promise<void>;
}
export interface Ours {
  createPartyKitPersister(
    store: Store,
    socket: PartySocket,
    config?: PartyKitPersisterConfig | string,
    onIgnoredError?: (error: unknown) => void,
  ): PartyKitPersister;
}
