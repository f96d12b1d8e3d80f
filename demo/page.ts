import { drawCables } from './cable.ts';
import { createClient, type Client } from './client.ts';
import { findPart } from './find-element.ts';
import { Network } from './network.ts';
import { createPane } from './pane.ts';
import { personAt } from './person.ts';
import { placeOf, roomName } from './place.ts';
import { offerCommand, offerTrials } from './trials.ts';

const address = new URL(location.href);
const place = placeOf(address);
const hasOnePane = address.searchParams.get('panes') === '1';

// The address always names the room, so that it can be sent to a friend.
address.searchParams.set('room', place.room);
history.replaceState(undefined, '', address);
document.title = `${place.room} · one board, two people`;

const roomField = findPart(document, 'room', HTMLInputElement);
roomField.value = place.room;
findPart(document, 'room-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  address.searchParams.set('room', roomName(roomField.value));
  location.assign(address);
});

const second = new URL(address);
second.searchParams.set('panes', '1');
findPart(document, 'second-window', HTMLAnchorElement).href = second.href;

const warn = (error: unknown): void => console.warn(error);
const leftPerson = personAt('left');
const left = createClient(place, leftPerson, new Network('left'), warn);
const clients: Client[] = [left];
if (!hasOnePane) {
  const rightPerson = personAt('right', leftPerson);
  const right = createClient(place, rightPerson, new Network('right'), warn);
  clients.push(right);
  offerTrials(place, left, right);
}
offerCommand(place);
// Who may only read cannot do what they show.
findPart(document, 'trials', HTMLElement).hidden = hasOnePane || place.isReader;
findPart(document, 'panes', HTMLElement).append(...clients.map(createPane));
drawCables(clients);
await Promise.all(clients.map((client) => client.start()));
