import { PartySocket } from 'partysocket';
import { createStore } from 'tinybase';
import { createPartyKitPersister } from '../src/client/index.ts';
import { pageElement } from './page-element.ts';
import { personHere, showPerson } from './person.ts';
import { showRefusals } from './refusal-line.ts';
import { showStatus } from './status-line.ts';
import { createTaskList } from './task-list.ts';

// `?room=` chooses the list, `?host=` the server that the room is on, if it is not this page's own.
const address = new URL(location.href);
const room = address.searchParams.get('room') ?? 'lobby';
const host = address.searchParams.get('host') ?? location.host;

const store = createStore();
// PartySocket guesses the protocol from the host. It would use `wss` for `0.0.0.0`, the address that `partykit dev` prints.
const protocol = location.protocol === 'https:' ? 'wss' : 'ws';
const person = personHere();
const socket = new PartySocket({
  host,
  room,
  protocol,
  query: async () => ({ token: await getToken() }),
});
const persister = createPartyKitPersister(store, socket, undefined, (error) => console.warn(error));

address.searchParams.set('room', room);
pageElement('room', HTMLElement).textContent = room;
showPerson(pageElement('person', HTMLElement), person);
pageElement('second-window', HTMLAnchorElement).href = address.href;

const titleInput = pageElement('title', HTMLInputElement);
titleInput.addEventListener('input', () => {
  store.setValue('title', titleInput.value);
});
store.addValueListener('title', () => {
  const value = store.getValue('title');
  const title = typeof value === 'string' ? value : '';
  document.title = title;
  if (titleInput.value !== title) {
    titleInput.value = title;
  }
});

const taskList = createTaskList(
  store,
  pageElement('tasks', HTMLUListElement),
  pageElement('no-tasks', HTMLElement),
  person,
);
const newTaskText = pageElement('new-task-text', HTMLInputElement);
pageElement('new-task', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const text = newTaskText.value.trim();
  if (text !== '') {
    taskList.add(text);
    newTaskText.value = '';
  }
});

showStatus(
  persister,
  pageElement('status', HTMLElement),
  pageElement('network', HTMLButtonElement),
  pageElement('problem', HTMLElement),
);
showRefusals(persister, pageElement('refusal', HTMLElement));

// Unconfirmed edits are only in memory: closing or reloading the page would lose them.
addEventListener('beforeunload', (event) => {
  if (persister.getSync().unsaved > 0) event.preventDefault();
});

await persister.startAutoLoad([{}, { title: 'Our list' }]);
await persister.startAutoSave();

/** Asks the server for a token, at each attempt to connect. `?reader` in the address asks for one that may only read. */
async function getToken(): Promise<string> {
  const query = new URLSearchParams({ room, name: person.name });
  if (address.searchParams.has('reader')) query.set('reader', '');
  const response = await fetch(`${location.protocol}//${host}/api/token?${String(query)}`);
  // A room without a gate needs none.
  return response.ok ? await response.text() : '';
}
