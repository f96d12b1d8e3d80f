import { createStore, type Store } from 'tinybase';
import {
  createEvents,
  type DeclarationsOf,
  type Events,
} from '../src/client/features/events/index.ts';
import { createPresence, type Presence } from '../src/client/features/presence/index.ts';
import { createUndo, type Undo } from '../src/client/features/undo/index.ts';
import {
  createPartyKitPersister,
  warnBeforeUnload,
  type PartyKitPersister,
} from '../src/client/index.ts';
import { createIndexedDbOffline } from '../src/client/offline/index.ts';
import type { Network } from './network.ts';
import type { Person } from './person.ts';
import { roomPath, urlAt, type Place } from './place.ts';
import type BoardRoom from './room.ts';
import type { PresenceCells } from './room.ts';
import { WatchedSocket } from './wire.ts';

/** Everything that one person needs: a Store that is equal to the room's, and what comes with it. */
export interface Client {
  readonly person: Person;
  readonly store: Store;
  readonly socket: WatchedSocket;
  readonly persister: PartyKitPersister;
  readonly presence: Presence<PresenceCells>;
  readonly events: Events<DeclarationsOf<BoardRoom>>;
  readonly undo: Undo;
  readonly network: Network;
  /** Shows what is kept on this device, connects, and then keeps the Store and the room equal. */
  start(): Promise<void>;
}

/** Edits of a text within this time are one step of undo. */
const MERGE_MILLISECONDS = 1_000;

/** Creates a client of the room. Two of them on one page know no more of each other than two in two countries. */
export function createClient(
  place: Place,
  person: Person,
  network: Network,
  onIgnoredError: (error: unknown) => void,
): Client {
  const store = createStore();
  const socket = new WatchedSocket({
    host: place.host,
    room: encodeURIComponent(place.room),
    // PartySocket guesses the protocol from the host. For `0.0.0.0`, which `partykit dev` prints, it would use `wss`.
    protocol: place.isPlain ? 'ws' : 'wss',
    query: async () => ({ token: await getToken(place, person, network) }),
    startClosed: network.isCut,
    // So that the page soon notices a server that is back.
    minReconnectionDelay: 500,
    maxReconnectionDelay: 3_000,
  });
  network.connect(socket);

  const persister = createPartyKitPersister(
    store,
    socket,
    { fetch: network.fetch, offline: createIndexedDbOffline({ user: person.id }) },
    onIgnoredError,
  );
  // Browsers keep edits only for pages that came by https or from localhost.
  if (!isSecureContext) warnBeforeUnload(persister);

  return {
    person,
    store,
    socket,
    persister,
    presence: createPresence<BoardRoom>(createStore(), socket, { initial: {}, onIgnoredError }),
    events: createEvents<BoardRoom>(socket, { onIgnoredError }),
    undo: createUndo(persister, { mergeMilliseconds: MERGE_MILLISECONDS }),
    network,
    start: async () => {
      await persister.startAutoLoad();
      await persister.startAutoSave();
    },
  };
}

/** Asks the server for a token, at each attempt to connect. */
async function getToken(place: Place, { id, name }: Person, network: Network): Promise<string> {
  const query = new URLSearchParams({ room: place.room, id, name });
  if (place.isReader) query.set('reader', '');
  const response = await network.fetch(urlAt(place, `/api/token?${String(query)}`));
  const text = await response.text();
  if (!response.ok) throw new Error(`The server gave no token: ${response.status}. ${text}`);
  return text;
}

/** Returns the URL under which a backend adds notes. */
export function notesUrl(place: Place): string {
  return urlAt(place, `${roomPath(place)}/notes`);
}
