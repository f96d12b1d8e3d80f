import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CompiledApp, makeCompiledApp } from '../support/compiled-app.ts';

/** A room that uses every feature and hook, whose fields and methods have no types of their own. */
const INFERRED = `
import type { Connection } from 'partykit/server';
import { TinyBasePartyKitServer, type Save, type TakenMessage } from 'tinybase-partykit/server';
import { createAdmin } from 'tinybase-partykit/server/admin';
import { createAuth, createEdgeGuard, defineAuth } from 'tinybase-partykit/server/auth';
import { createEvents, event, procedure } from 'tinybase-partykit/server/events';
import { createPresence } from 'tinybase-partykit/server/presence';
import { z } from 'zod';

const auth = defineAuth({
  secret: (env) => env['AUTH_SECRET'],
  user: z.object({ id: z.string(), name: z.string() }),
});

export default class Board extends TinyBasePartyKitServer {
  static onBeforeConnect = createEdgeGuard(auth);
  auth = createAuth(this, auth);
  presence = createPresence(this, {
    schema: z.object({ x: z.number() }),
    user: (connection) => this.auth.getUser(connection),
  });
  events = createEvents(this, {
    wave: procedure.broadcast((_none, caller) => ({ waved: { by: this.auth.getUser(caller).name } })),
    addNote: procedure.input(z.object({ text: z.string() })).handle(({ text }) => {
      const id: string = crypto.randomUUID();
      this.store.setRow('notes', id, { text });
      return { broadcast: { noteAdded: { id } }, result: id };
    }),
    announced: event<{ text: string }>(),
  });
  admin = createAdmin(this, { secret: (env) => env['ADMIN_SECRET'], events: this.events });

  override getInitialStorage() {
    return null;
  }
  override async onStorageUpdated({ content, version, callers }: Save) {
    const names = callers.map((caller) => this.auth.getUser(caller).name);
    await Promise.resolve([content, version, names.join(), this.roomId]);
  }
  override onRoomDeleted({ changes, epoch }: Save) {
    console.log(changes?.[0], epoch);
  }
  override onUserConnected(connection: Connection) {
    console.log(this.auth.getUser(connection).name);
  }
  override onRoomMessage(message: TakenMessage, connection: Connection) {
    const what = message.type === 'push' ? message.version : message.name;
    console.log(what, this.auth.getUser(connection).name);
  }
  override canDelRow(_tableId: string, _rowId: string, connection: object) {
    return this.auth.getUser(connection).name === 'Ada';
  }
  tell() {
    this.events.broadcast.announced({ text: this.roomId });
  }
}
`;
/** A page that imports the type of the room and nothing else. */
const PAGE = `
import { createStore } from 'tinybase';
import { createClient } from 'tinybase-partykit/client/room';
import { createRoomHooks } from 'tinybase-partykit/react';
import type Board from './room.ts';

const client = createClient<Board>({ createStore, host: 'localhost:1999', initialPresence: { x: 0 } });
export const hooks = createRoomHooks(client);
const { store, presence, events } = await client.enter('my-board');
presence.set({ x: 1 });
const id: string = await events.call.addNote({ text: 'Buy bread' });
store.setCell('notes', id, 'done', true);
events.addListener('waved', ({ by }) => by.toUpperCase());
events.addListener('announced', ({ text }, from) => [text.toUpperCase(), from?.toUpperCase()]);
events.send('wave');
`;
/** Each of these is an error, on a line of its own. */
const WRONG = [
  `client.enter(5)`,
  `presence.set({ x: '1' })`,
  `events.call.addNote({ text: 5 })`,
  `events.call.addNote()`,
  `events.call.announced({ text: '' })`,
  `events.call.missing()`,
  `events.addListener('wave', () => undefined)`,
  `events.addListener('noteAdded', ({ text }) => text)`,
  `events.call.addNote({ text: '' }).then((result) => result.id)`,
];
const HEAD = `
import type { ClientRoom, Client } from 'tinybase-partykit/client/room';
import type Board from './room.ts';
declare const client: Client<Board>;
declare const room: ClientRoom<Board>;
const { presence, events } = room;
`;
/** The room that the tests run, whose types are all written down. */
const ANNOTATED = readFileSync(
  fileURLToPath(new URL('../room/fixtures/board.ts', import.meta.url)),
  'utf8',
)
  .replaceAll(
    /'\.\.\/\.\.\/\.\.\/src\/server\/features\/(\w+)\/index\.ts'/g,
    "'tinybase-partykit/server/$1'",
  )
  .replaceAll(/'\.\.\/\.\.\/\.\.\/src\/(\w+)\/index\.ts'/g, "'tinybase-partykit/$1'");

const ISOLATED = [
  ...['--strict', '--skipLibCheck', '--declaration', '--isolatedDeclarations', '--isolatedModules'],
  ...[
    '--noEmit',
    '--verbatimModuleSyntax',
    '--exactOptionalPropertyTypes',
    '--noUncheckedIndexedAccess',
  ],
  ...['--target', 'es2022', '--module', 'nodenext', '--lib', 'es2022,dom,dom.iterable'],
];

let app: CompiledApp;
beforeAll(async () => {
  app = await makeCompiledApp();
  app.write('room.ts', INFERRED);
  app.write('page.ts', PAGE);
  app.write('wrong.ts', HEAD + WRONG.map((line) => `void ${line};\n`).join(''));
  app.write('annotated.ts', ANNOTATED);
}, 60_000);
afterAll(() => app?.remove());

test.each(['7', '5.4'] as const)(
  'a room with every feature needs no annotation, and its page knows its types, on TypeScript %s',
  async (version) => {
    expect(await app.compile(version, ['room.ts', 'page.ts'])).toBe('');
    const output = await app.compile(version, ['wrong.ts']);
    const lines = [...output.matchAll(/wrong\.ts\((\d+),\d+\): error/g)].map(([, line]) => line);
    const first = HEAD.split('\n').length;
    expect([...new Set(lines)]).toEqual(WRONG.map((_line, index) => String(first + index)));
  },
  60_000,
);

test.each(['7', '5.4'] as const)(
  'a room with every feature may have all of its types written down, on TypeScript %s',
  async (version) => {
    expect(await app.compile(version, ['annotated.ts'])).toBe('');
  },
  60_000,
);

test('a room whose types are written down compiles with isolatedDeclarations', async () => {
  expect(await app.compile('7', ['annotated.ts'], ISOLATED)).toBe('');
}, 60_000);
