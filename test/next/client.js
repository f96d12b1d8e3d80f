import { createStore } from 'tinybase';
import { createClient } from 'tinybase-partykit/client/room';
import { createRoomHooks } from 'tinybase-partykit/react';

const page = typeof location === 'undefined' ? '' : location.search;

/** The client of both pages. A server evaluates this module, too, and opens nothing. */
export const client = createClient({
  createStore,
  host: new URLSearchParams(page).get('host') ?? 'localhost:1999',
  initialStorage: [{}, { greeting: 'Hello' }],
});
export const { RoomProvider, useRoom, useSync } = createRoomHooks(client);
