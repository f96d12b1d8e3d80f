import { PartySocket } from 'partysocket';
import { createStore, type Store } from 'tinybase';
import { createPartyKitPersister, type PartyKitPersister } from '../../../src/client/index.ts';

/** Everything that a test uses of the page. */
export interface GuardedPage {
  readonly store: Store;
  readonly persister: PartyKitPersister;
  readonly socket: PartySocket;
  /** The number of times that the socket was open. */
  opened: number;
}

declare global {
  interface Window {
    guarded: GuardedPage;
    /** The backend of the test, which gives out tokens. */
    giveToken(): Promise<string>;
  }
}

const { searchParams } = new URL(location.href);
const socket = new PartySocket({
  host: searchParams.get('host') ?? '',
  party: 'commanded',
  room: searchParams.get('room') ?? '',
  query: async () => ({ token: await globalThis.window.giveToken() }),
  minReconnectionDelay: 100,
  maxReconnectionDelay: 500,
});
const store = createStore();
const persister = createPartyKitPersister(store, socket);
globalThis.window.guarded = { store, persister, socket, opened: 0 };
socket.addEventListener('open', () => (globalThis.window.guarded.opened += 1));
void persister.startAutoPersisting([{}, { first: 'content' }]);
