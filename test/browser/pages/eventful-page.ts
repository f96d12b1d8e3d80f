import { PartySocket } from 'partysocket';
import { createStore, type Store } from 'tinybase';
import {
  createEvents,
  type DeclarationsOf,
  type Events,
} from '../../../src/client/features/events/index.ts';
import { createPartyKitPersister, type PartyKitPersister } from '../../../src/client/index.ts';
import type EventfulRoom from '../../room/fixtures/eventful.ts';

/** Everything that a test uses of the page. */
export interface EventfulPage {
  readonly store: Store;
  readonly persister: PartyKitPersister;
  readonly socket: PartySocket;
  readonly events: Events<DeclarationsOf<EventfulRoom>>;
  /** Everything that the listeners heard, in order; of a note, its text as the Store has it in that moment. */
  readonly heard: unknown[];
  /** The codes of the calls that rejected, and the results of those that resolved. */
  readonly ended: unknown[];
}

declare global {
  interface Window {
    eventful: EventfulPage;
  }
}

const { searchParams } = new URL(location.href);
const socket = new PartySocket({
  host: searchParams.get('host') ?? '',
  party: 'eventful',
  room: searchParams.get('room') ?? '',
  id: searchParams.get('id') ?? '',
  minReconnectionDelay: 100,
  maxReconnectionDelay: 500,
});
const store = createStore();
const persister = createPartyKitPersister(store, socket);
const events = createEvents<EventfulRoom>(socket);
const heard: unknown[] = [];
events.addListener('waved', ({ by }, from) => heard.push(['waved', by, from]));
events.addListener('doubled', (value, from) => heard.push(['doubled', value, from]));
events.addListener('noteAdded', ({ id }, from) =>
  heard.push(['noteAdded', store.getCell('notes', id, 'text'), from]),
);
globalThis.window.eventful = { store, persister, socket, events, heard, ended: [] };
void persister.startAutoPersisting([{}, { title: 'Board' }]);
