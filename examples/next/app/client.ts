'use client';
import { createStore } from 'tinybase';
import { createClient } from 'tinybase-partykit/client/room';
import { createRoomHooks } from 'tinybase-partykit/react';
import type NotesRoom from '../src/room';

const isBrowser = typeof window !== 'undefined';
const name = isBrowser ? new URLSearchParams(location.search).get('name') : null;

// Next also evaluates this module on its server. A client opens nothing before a component enters a room.
const client = createClient<NotesRoom>({
  createStore,
  host: process.env.NEXT_PUBLIC_ROOM_HOST ?? 'localhost:1999',
  initialPresence: { name: name || `Guest ${Math.ceil(Math.random() * 99)}` },
  onIgnoredError: (error) => console.warn(error),
});
export const { RoomProvider, useRoom, useSync } = createRoomHooks(client);
