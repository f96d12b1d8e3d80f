import { PartySocket } from 'partysocket';
import { createStore, getUniqueId } from 'tinybase';
import { createPartyKitPersister } from 'tinybase-partykit/client';
import { createIndexedDbOffline } from 'tinybase-partykit/client/offline';

const room = new URLSearchParams(location.search).get('room') || 'lobby';
const store = createStore();
const socket = new PartySocket({
  host: location.host,
  protocol: location.protocol === 'https:' ? 'wss' : 'ws',
  room: encodeURIComponent(room),
});
const persister = createPartyKitPersister(
  store,
  socket,
  { offline: createIndexedDbOffline() },
  (error) => console.warn(error),
);
persister.addRefusalListener((_persister, refusals) => console.warn('Refused', refusals));

const part = <Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind => {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new TypeError(`The page has no ${kind.name} with the id "${id}".`);
};
const text = part('text', HTMLInputElement);
part('form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  store.setRow('notes', getUniqueId(), { text: text.value, createdAt: Date.now() });
  text.value = '';
});

const notes = part('notes', HTMLUListElement);
store.addTableListener('notes', () => {
  const items = store.getSortedRowIds('notes', 'createdAt').map((id) => {
    const item = document.createElement('li');
    item.textContent = String(store.getCell('notes', id, 'text'));
    return item;
  });
  notes.replaceChildren(...items);
});

const state = part('state', HTMLParagraphElement);
persister.addSyncListener((_persister, { phase, unsaved }) => {
  state.textContent = `${phase}, ${unsaved} unsaved`;
});

await persister.startAutoLoad([{}, {}]);
await persister.startAutoSave();
