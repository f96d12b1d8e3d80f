import { PartySocket } from 'partysocket';
import { createStore, getUniqueId } from 'tinybase';
import { createPartyKitPersister } from 'tinybase-partykit/client';

const room = new URL(location.href).searchParams.get('room') ?? 'lobby';

const store = createStore();
// PartySocket uses `wss` for hosts that it does not know as local.
const protocol = location.protocol === 'https:' ? 'wss' : 'ws';
const socket = new PartySocket({ host: location.host, room, protocol });
const persister = createPartyKitPersister(store, socket, {}, (error) => console.warn(error));

const list = document.querySelector('ul');
const form = document.querySelector('form');
const input = document.querySelector('input');
const status = document.querySelector('output');

const show = (): void => {
  const ids = store.getSortedRowIds('notes', 'createdAt');
  list?.replaceChildren(
    ...ids.map((id) => {
      const item = document.createElement('li');
      item.textContent = String(store.getCell('notes', id, 'text') ?? '');
      item.title = 'Click to remove';
      item.addEventListener('click', () => store.delRow('notes', id));
      return item;
    }),
  );
};
store.addTableListener('notes', show);

form?.addEventListener('submit', (event) => {
  event.preventDefault();
  const text = input?.value.trim() ?? '';
  if (text === '' || input === null) return;
  // Not addRow: two browsers would use the same id for two notes.
  store.setRow('notes', getUniqueId(), { text, createdAt: Date.now() });
  input.value = '';
});

persister.addSyncListener((_persister, { phase, unsaved }) => {
  if (status !== null)
    status.value = phase === 'live' && unsaved === 0 ? 'saved' : `${phase} (${unsaved} unsaved)`;
});
persister.addRefusalListener((_persister, refusals) => {
  console.warn('Refused', refusals);
  if (status !== null) status.value = `refused: ${refusals.length}`;
});
// Unconfirmed edits are only in memory: ask before the user leaves or reloads the page.
addEventListener('beforeunload', (event) => {
  if (persister.getSync().unsaved > 0) event.preventDefault();
});

await persister.startAutoPersisting([{}, {}]);
