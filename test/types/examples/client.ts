import { PartySocket } from 'partysocket';
import { createStore, type Content } from 'tinybase';
import {
  createPartyKitPersister,
  type PartyKitPersister,
  type PartyKitPersisterConfig,
} from 'tinybase/persisters/persister-partykit-client';
import type { Persister } from 'tinybase/persisters';

const store = createStore()
  .setTable('pets', { fido: { species: 'dog' } })
  .setTable('species', { dog: { price: 5 } })
  .setValues({ open: true });
const partySocket = new PartySocket({ host: '127.0.0.1:1999', room: 'my_room' });

export const partyKitPersisterConfig: PartyKitPersisterConfig = {
  storeProtocol: 'http',
  storePath: '/my_tinybase',
};
// A configuration that is put together step by step.
const config: PartyKitPersisterConfig = {};
config.messagePrefix = 'my_';

const persister: PartyKitPersister = createPartyKitPersister(store, partySocket);
await persister.startAutoLoad();
await persister.startAutoSave();
const isSame: boolean = persister.getConnection() === partySocket;

const seed: Content = [{ pets: { fido: { species: 'dog' } } }, {}];
createPartyKitPersister(store, partySocket, 'http');
createPartyKitPersister(store, partySocket, config, (error) => error.message.toUpperCase());
createPartyKitPersister(store, partySocket, partyKitPersisterConfig, (response: Response) =>
  response.status.toFixed(),
);
createPartyKitPersister(store, partySocket, 'https', console.error);
await (await persister.load(seed)).save();
await persister.startAutoPersisting(() => seed, true);
const listenerId = persister.addStatusListener((changed, status) => {
  const owner: PartyKitPersister = changed;
  return [owner.getStats().loads, status === 1];
});
persister.delListener(listenerId).getStore().getTables();
await persister.schedule(async () => isSame);
await persister.stopAutoPersisting(true);

export const anyPersister: Persister = await persister.destroy();
