import { PartySocket } from 'partysocket';
import { createStore } from 'tinybase/with-schemas';
import {
  createPartyKitPersister,
  type PartyKitPersister,
  type PartyKitPersisterConfig,
} from 'tinybase/persisters/persister-partykit-client/with-schemas';

const store = createStore().setSchema(
  { pets: { species: { type: 'string' }, sold: { type: 'boolean', default: false } } },
  { open: { type: 'boolean' } },
);
type Schemas = [
  { pets: { species: { type: 'string' }; sold: { type: 'boolean'; default: false } } },
  { open: { type: 'boolean' } },
];
const config: PartyKitPersisterConfig = { messagePrefix: 'my_' };
const socket = new PartySocket({ host: '127.0.0.1:1999', room: 'my_room' });

const persister: PartyKitPersister<Schemas> = createPartyKitPersister(
  store,
  socket,
  config,
  (error) => error.message,
);
await persister.startAutoLoad([{ pets: { fido: { species: 'dog' } } }, { open: true }]);
await persister.startAutoSave();
persister.addStatusListener((changed) => {
  const open: boolean | undefined = changed.getStore().getValue('open');
  return open;
});
// @ts-expect-error The schema has no such table.
await persister.load([{ people: {} }, {}]);
// @ts-expect-error The schema says that it is a boolean.
persister.getStore().setValue('open', 'yes');
persister.getConnection().send('mine');
