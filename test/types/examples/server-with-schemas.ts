import type { Party } from 'partykit/server';
import {
  broadcastChanges,
  loadStoreFromStorage,
  TinyBasePartyKitServer,
} from 'tinybase/persisters/persister-partykit-server/with-schemas';

type Schemas = [{ pets: { species: { type: 'string' } } }, { open: { type: 'boolean' } }];
type Storage = Parameters<typeof loadStoreFromStorage>[0];

export class Room extends TinyBasePartyKitServer {
  override config = { storagePrefix: 'my_' };

  async open(): Promise<void> {
    await broadcastChanges<Schemas>(this, [
      { pets: { fido: { species: 'dog' } } },
      { open: true },
      1,
    ]);
    // @ts-expect-error The schema says that it is a boolean.
    await broadcastChanges<Schemas>(this, [{}, { open: 'yes' }, 1]);
  }
}

export const isOpen = async (storage: Storage): Promise<boolean | undefined> => {
  const [, values] = await loadStoreFromStorage<Schemas>(storage, 'my_');
  return values.open;
};

export const start = (party: Party): TinyBasePartyKitServer => new Room(party);
