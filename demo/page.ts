import { PartySocket } from 'partysocket';
import { createStore } from 'tinybase';
import { createPartyKitPersister } from '../src/client/index.ts';
import { pageElement } from './page-element.ts';
import { showStatus } from './status-line.ts';
import { createTaskList } from './task-list.ts';

// `?room=` chooses the list, `?host=` the server that the room is on, if it is not this page's own.
const address = new URL(location.href);
const room = address.searchParams.get('room') ?? 'lobby';
const host = address.searchParams.get('host') ?? location.host;

const store = createStore();
const socket = new PartySocket({ host, room });
const persister = createPartyKitPersister(store, socket, undefined, (error) => console.warn(error));

address.searchParams.set('room', room);
pageElement('room', HTMLElement).textContent = room;
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
);

await persister.startAutoLoad([{}, { title: 'Our list' }]);
await persister.startAutoSave();
