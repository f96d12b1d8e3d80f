import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CompiledApp, makeCompiledApp } from '../support/compiled-app.ts';

const ROOM = fileURLToPath(new URL('presence/room.ts', import.meta.url));

/** A room with procedures and events. */
const EVENTFUL = `
import { TinyBasePartyKitServer } from 'tinybase-partykit/server';
import { createEvents, event, procedure } from 'tinybase-partykit/server/events';
import { z } from 'zod';

export class Eventful extends TinyBasePartyKitServer {
  events = createEvents(this, {
    addNote: procedure
      .input(z.object({ text: z.string() }))
      .handle(({ text }) => ({ broadcast: { noteAdded: { text } }, result: text.length })),
    announced: event<{ text: string }>(),
  });
}
`;

const PAGE = `
import { createStore, type Store } from 'tinybase';
import { createClient, type Client, type ClientRoom } from 'tinybase-partykit/client/room';
import type { Eventful } from './eventful.ts';
import type { Annotated, Inferred, Plain } from './room.ts';

const options = { createStore, host: 'localhost:1999' };

// The cells of presence.
const inferred = createClient<Inferred>({ ...options, initialPresence: { x: 0 } });
const room: ClientRoom<Inferred> = await inferred.enter('a');
room.presence.set({ x: 1, label: 'here' });
// @ts-expect-error A number is wanted.
room.presence.set({ x: '1' });
// @ts-expect-error There is no such cell.
createClient<Inferred>({ ...options, initialPresence: { y: 0 } });
// @ts-expect-error There is no such cell.
inferred.createRoom('b', { initialPresence: { y: 0 } });
createClient<Annotated>({ ...options, initialPresence: { label: 'here' } });
createClient<Plain>({ ...options, initialPresence: { anything: [1] } });

// Procedures and events.
const { events } = await createClient<Eventful>(options).enter('a');
const length: number = await events.call.addNote({ text: 'Hello' });
events.addListener('noteAdded', ({ text }) => text + length);
// @ts-expect-error There is no such input.
events.send.addNote({ texts: 'Hello' });
// @ts-expect-error There is no such event.
events.addListener('noteRemoved', () => undefined);
// @ts-expect-error There are no procedures.
await room.events.call.addNote({ text: 'Hello' });

// The objects of TinyBase and PartyKit.
const store: Store = room.store;
const phase: 'live' | 'stopped' | string = room.persister.getSync().phase;
room.socket.send(phase + store.getRowCount('t'));

// Without types of a room.
const untyped = createClient({
  ...options,
  token: async ({ room }) => room,
  query: { lang: undefined },
  party: 'boards',
  minUptime: 1,
  persister: { storePath: '/store' },
  onIgnoredError: (error) => console.warn(error.code),
  onAuthorizationFail: ({ code }, { id }) => console.warn(code, id),
});
await untyped.enter('c');
await untyped.enter(untyped.createRoom('d', { store, reconnectTimeoutMs: 5 }));
await untyped.leave(untyped.getRoom('d') ?? 'd');
untyped.getRooms().map(untyped.leave);
// @ts-expect-error A client needs createStore.
createClient({ host: 'localhost:1999' });
// @ts-expect-error The client decides about delays.
createClient({ ...options, minReconnectionDelay: 5 });
// @ts-expect-error There is no metadata.
await untyped.enter('c', { metadata: 1 });

// Metadata: given to enter, or a default.
const teams = createClient<Plain, { team: string }>({
  ...options,
  token: ({ metadata }) => metadata.team,
});
await teams.enter('e', { metadata: { team: 'red' } });
// @ts-expect-error The metadata are missing.
await teams.enter('e');
// @ts-expect-error There are other metadata.
await teams.enter('e', { metadata: { group: 'red' } });
const redTeam = createClient<Plain, { team: string }>({
  ...options,
  metadata: { team: 'red' },
  query: async ({ metadata }) => ({ team: metadata.team }),
});
await redTeam.enter('f');
await redTeam.enter('f', { metadata: { team: 'blue' } });

/** An app names the types. */
export const clients: [Client, Client<Inferred>] = [untyped, inferred];
`;

/** Hooks and components of an app with React. */
const HOOKS = `
import { PartySocket } from 'partysocket';
import type { ReactNode } from 'react';
import { createStore } from 'tinybase';
import { createClient } from 'tinybase-partykit/client/room';
import { createRoomHooks, usePartyKitPersister, useRefusalListener, useSync } from 'tinybase-partykit/react';
import type { Eventful } from './eventful.ts';

const options = { createStore, host: 'localhost:1999' };
const { RoomProvider, useRoom, useSync: useRoomSync, useEvent } = createRoomHooks(createClient<Eventful>(options));
function Inner(): ReactNode {
  const { id, persister, events } = useRoom();
  useEvent('noteAdded', ({ text }, from) => console.log(text, from));
  // @ts-expect-error There is no such event.
  useEvent('noteRemoved', () => undefined);
  useRefusalListener(persister, ([first]) => console.log(first?.reason));
  return <p onClick={() => events.send.addNote({ text: id })}>{useRoomSync().phase}</p>;
}
export function Rooms(): ReactNode {
  return (
    <RoomProvider id="a" options={{ initialPresence: { x: 1 } }} fallback="…">
      <Inner />
    </RoomProvider>
  );
}
// @ts-expect-error An id is wanted.
export const wrong = <RoomProvider />;

const teams = createRoomHooks(createClient<Eventful, { team: string }>(options));
export const team = <teams.RoomProvider id="a" metadata={{ team: 'red' }} />;
// @ts-expect-error The metadata are missing.
export const noTeam = <teams.RoomProvider id="a" />;

const store = createStore();
export function Stored({ room }: { readonly room: string }): ReactNode {
  const createSocket = (): PartySocket => new PartySocket({ host: 'localhost:1999', room });
  const persister = usePartyKitPersister(store, createSocket, [room], {
    initialContent: [{}, {}],
    config: { storePath: '/store' },
    onIgnoredError: (error) => console.warn(error.code),
  });
  useRefusalListener(persister, () => undefined);
  return useSync(persister).unsaved;
}
`;

/** The same with schemas. */
const SCHEMAS = `
import type { PartySocket } from 'partysocket';
import type { ReactNode } from 'react';
import { createStore } from 'tinybase/with-schemas';
import { createClient } from 'tinybase-partykit/client/room/with-schemas';
import { createRoomHooks, usePartyKitPersister, useRefusalListener, useSync } from 'tinybase-partykit/react/with-schemas';
import type { Inferred } from './room.ts';

const tablesSchema = { pets: { species: { type: 'string' }, sold: { type: 'boolean', default: false } } } as const;
type Schemas = [typeof tablesSchema, {}];

const client = createClient<Schemas, Inferred>({
  createStore,
  prepareStore: (store) => store.setTablesSchema(tablesSchema),
  host: 'localhost:1999',
  initialStorage: [{ pets: { fido: { species: 'dog' } } }, {}],
  initialPresence: { x: 0 },
});
const { store, presence, persister } = await client.enter('a');
const species: string | undefined = store.getCell('pets', 'fido', 'species');
const sold: boolean = persister.getStore().getCell('pets', 'fido', 'sold');
presence.set({ label: species + String(sold) });
// @ts-expect-error The schema says that it is a boolean.
store.setCell('pets', 'fido', 'sold', 'yes');
// @ts-expect-error The schema has no such table.
client.createRoom('b', { initialStorage: [{ people: {} }, {}] });

const { RoomProvider, useRoom } = createRoomHooks(client);
function Inner(): ReactNode {
  const room = useRoom();
  useRefusalListener(room.persister, () => undefined);
  // @ts-expect-error The schema has no such table.
  room.store.getRow('people', 'ada');
  return room.store.getCell('pets', 'fido', 'species');
}
export const tree = <RoomProvider id="a"><Inner /></RoomProvider>;

export function useStored(socket: PartySocket): boolean | undefined {
  const typed = createStore().setTablesSchema(tablesSchema);
  const stored = usePartyKitPersister(typed, () => socket, []);
  return useSync(stored).phase === 'live' ? stored?.getStore().getCell('pets', 'fido', 'sold') : undefined;
}
`;

let app: CompiledApp;
beforeAll(async () => {
  app = await makeCompiledApp();
  app.write('room.ts', readFileSync(ROOM, 'utf8'));
  app.write('eventful.ts', EVENTFUL);
  app.write('page.ts', PAGE);
  app.write('hooks.tsx', HOOKS);
  app.write('schemas.tsx', SCHEMAS);
}, 60_000);
afterAll(() => app?.remove());

test.each(['7', '5.4'] as const)(
  'the types of a client come from `import type` of the room alone, on TypeScript %s',
  async (version) => {
    expect(await app.compile(version, ['page.ts', 'hooks.tsx', 'schemas.tsx'])).toBe('');
  },
  60_000,
);
