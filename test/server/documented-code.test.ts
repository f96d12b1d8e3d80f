import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createStore, type Store } from 'tinybase';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { TinyBasePartyKitServer } from '../../src/server/index.ts';
import { blockWith, type DocumentedApp, makeDocumentedApp } from '../support/documented-app.ts';
import { SmallParty } from '../support/small-server.ts';
import { askStock } from '../support/stock-storage.ts';
import { StrictStorage } from '../support/strict-storage.ts';
import { SECRET } from '../support/token-secret.ts';

const DOCUMENTS = new URL('../../docs/', import.meta.url);
const ENVIRONMENT = {
  AUTH_SECRET: SECRET,
  ADMIN_SECRET: SECRET,
  BACKEND_TOKEN: 'a-long-random-text',
};
let app: DocumentedApp;
beforeAll(() => {
  app = makeDocumentedApp();
});
afterAll(() => app.remove());

let count = 0;
/** Returns what a block of a document exports. */
async function moduleOf(code: string): Promise<Record<string, unknown>> {
  const name = `block-${(count += 1)}.ts`;
  app.write(name, code);
  return (await import(join(app.folder, name))) as Record<string, unknown>;
}

type RoomClass = new (party: unknown) => TinyBasePartyKitServer;

/** The guides with rooms. */
const GUIDES = [
  'docs/auth.md',
  'docs/client.md',
  'docs/events.md',
  'docs/handle.md',
  'docs/lifecycle.md',
  'docs/limits.md',
  'docs/permissions.md',
  'docs/presence.md',
  'docs/schema-changes.md',
  'docs/security.md',
  'docs/server-writes.md',
  'docs/storage.md',
  'docs/text.md',
];

/** Each block of the guides with a room, by its document and line. */
const rooms = readdirSync(DOCUMENTS)
  .filter((name) => name.endsWith('.md'))
  .flatMap((name) => {
    const text = readFileSync(new URL(name, DOCUMENTS), 'utf8');
    return (
      [...text.matchAll(/^```ts\n(.*?)^```$/gms)]
        .filter(([, code = '']) => /class \w* ?extends TinyBasePartyKitServer/.test(code))
        // One extends TinyBase's own class, and one needs its database: they have tests of their own.
        .filter(([, code = '']) => !/tinybase\/persisters|DATABASE_URL/.test(code))
        .map(({ index, 1: code = '' }) => {
          const line = text.slice(0, index).split('\n').length;
          return { guide: `docs/${name}`, place: `docs/${name}, line ${line}`, code };
        })
    );
  });

test('the guides with rooms are these', () => {
  expect([...new Set(rooms.map(({ guide }) => guide))].toSorted()).toEqual(GUIDES);
});

test.each(rooms)(
  'a room with the code of $place starts, keeps an edit, and reports no error',
  async ({ code }) => {
    vi.spyOn(console, 'log').mockImplementation(() => undefined);
    const exported = Object.values(await moduleOf(code)).filter(
      (each): each is RoomClass =>
        typeof each === 'function' && 'prototype' in each && 'start' in Object(each.prototype),
    );
    expect(exported.length).toBeGreaterThan(0);
    for (const Room of exported) {
      const room = new Room(new SmallParty('my-room', ENVIRONMENT));
      const errors: unknown[] = [];
      room.onRoomError = (error) => void errors.push(error);
      await room.start();
      room.store.setValue('count', 1);
      await room.whenDurable();
      expect(errors).toEqual([]);
      expect((await room.exportRoom())?.version).toBeGreaterThan(0);
    }
  },
);

/** Returns the functions of a block. */
const functionsOf = async <Functions>(document: string, text: string): Promise<Functions> =>
  (await moduleOf(blockWith(document, text))) as Functions;

test('docs/ids.md: notes have ids of their own, an order that all share, and places between others', async () => {
  const { addNote } = await functionsOf<{ addNote: (store: Store, text: string) => string }>(
    'docs/ids.md',
    'function addNote',
  );
  const { notesInOrder } = await functionsOf<{ notesInOrder: (store: Store) => string[] }>(
    'docs/ids.md',
    'function notesInOrder',
  );
  const { moveBetween } = await functionsOf<{
    moveBetween: (store: Store, id: string, before?: string, after?: string) => void;
  }>('docs/ids.md', 'function moveBetween');
  const store = createStore();
  const ids = ['a', 'b', 'c'].map((text) => addNote(store, text));
  const [first, second, third] = ids as [string, string, string];
  expect(new Set(ids).size).toBe(3);
  expect(notesInOrder(store).toSorted()).toEqual(ids.toSorted());
  store.setCell('notes', first, 'createdAt', 3);
  store.setCell('notes', second, 'createdAt', 1);
  store.setCell('notes', third, 'createdAt', 2);
  expect(notesInOrder(store)).toEqual([second, third, first]);

  const place = (id: string): number => Number(store.getCell('notes', id, 'place'));
  moveBetween(store, first);
  moveBetween(store, second, first);
  expect(place(second)).toBeGreaterThan(place(first));
  moveBetween(store, third, first, second);
  expect(place(third)).toBeGreaterThan(place(first));
  expect(place(third)).toBeLessThan(place(second));
  moveBetween(store, third, undefined, first);
  expect(place(third)).toBeLessThan(place(first));
});

test('docs/ids.md and docs/text.md: a user who votes twice has one vote', async () => {
  const { vote } = await functionsOf<{
    vote: (store: Store, user: string, option: string) => void;
  }>('docs/ids.md', 'function vote');
  const { countVotes } = await functionsOf<{
    countVotes: (store: Store, option: string) => number;
  }>('docs/text.md', 'function countVotes');
  const store = createStore();
  vote(store, 'ada', 'soup');
  vote(store, 'bob', 'pizza');
  vote(store, 'ada', 'pizza');
  expect([countVotes(store, 'pizza'), countVotes(store, 'soup')]).toEqual([2, 0]);
});

test('docs/schema-changes.md: a page asks to reload when the room is of a newer release', async () => {
  const { watchRelease } = await functionsOf<{
    watchRelease: (store: Store, askToReload: () => void) => void;
  }>('docs/schema-changes.md', 'function watchRelease');
  const store = createStore();
  const ask = vi.fn();
  watchRelease(store, ask);
  store.setValue('release', 2);
  expect(ask).not.toHaveBeenCalled();
  store.setValue('release', 3);
  expect(ask).toHaveBeenCalledOnce();
});

test('docs/auth.md: a backend makes a token for a room', async () => {
  const { tokenFor } = await functionsOf<{
    tokenFor: (secret: string, room: string, userId: string) => Promise<string>;
  }>('docs/auth.md', 'function tokenFor');
  const [, claims = ''] = (await tokenFor(SECRET, 'my-board', 'u1')).split('.');
  expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({
    room: 'my-board',
    sub: 'u1',
    user: { name: 'Ada', role: 'editor' },
  });
});

test('docs/migrating.md: TinyBase’s own server goes on with a room of this package', async () => {
  const before = new StrictStorage();
  const ours = new TinyBasePartyKitServer(new SmallParty('my-room', {}, before) as never);
  await ours.start();
  ours.store.setCell('pets', 'fido', 'species', 'dog').setValue('open', true);
  await ours.whenDurable();
  // The host starts another object with what the old one has stored.
  const storage = before.copy();
  const { default: Room } = await functionsOf<{ default: new (party: unknown) => never }>(
    'docs/migrating.md',
    'exportToStockStorage(party.storage',
  );
  let work: Promise<unknown> | undefined;
  // The storage of a host takes one key, or several.
  const either = {
    get: async (asked: string | string[]) =>
      typeof asked === 'string' ? (await storage.get([asked])).get(asked) : storage.get(asked),
    put: (entries: Record<string, unknown>) => storage.put(entries),
    delete: (keys: string[]) => storage.delete(keys),
    list: (options: { prefix: string }) => storage.list(options),
  };
  const room = new Room({
    id: 'my-room',
    storage: either,
    blockConcurrencyWhile: (done: () => Promise<unknown>) => (work = done()),
  });
  await work;
  expect(JSON.parse(await askStock(room))).toEqual([
    { pets: { fido: { species: 'dog' } } },
    { open: true },
  ]);
});
