import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CompiledApp, makeCompiledApp } from '../support/compiled-app.ts';

/** A room whose fields have no types of their own. */
const INFERRED = `
import { TinyBasePartyKitServer } from 'tinybase-partykit/server';
import { createAdmin } from 'tinybase-partykit/server/admin';
import { createAuth, defineAuth } from 'tinybase-partykit/server/auth';
import { createEvents, event, procedure } from 'tinybase-partykit/server/events';
import { z } from 'zod';

const auth = defineAuth({ secret: (env) => env['AUTH_SECRET'], user: z.object({ id: z.string() }) });

export default class Board extends TinyBasePartyKitServer {
  auth = createAuth(this, auth);
  events = createEvents(this, {
    announced: event<{ readonly text: string }>(),
    closed: event(),
    wave: procedure.broadcast(() => ({ closed: undefined })),
  });
  admin = createAdmin(this, { secret: (env) => env['ADMIN_SECRET'], events: this.events });

  override async onRequest(request: Parameters<TinyBasePartyKitServer['onRequest']>[0]) {
    return (await this.admin.answer(request)) ?? super.onRequest(request);
  }

  override canDelRow(_tableId: string, _rowId: string, connection: object) {
    void this.evict({ user: this.auth.getUser(connection).id });
    return this.getSize() > 1;
  }

  async onAlarm() {
    const { connections, checkpointAgeMilliseconds = 0 } = await this.getStats();
    const [first] = connections;
    const user: string | undefined = first?.user;
    const closed: number = await this.evict(first?.id ?? '');
    return [user, closed, checkpointAgeMilliseconds.toFixed()];
  }
}
`;
/** The same room, as \`isolatedDeclarations\` asks for it. */
const ANNOTATED = INFERRED.replace('{ createAdmin }', '{ createAdmin, type RoomAdmin }')
  .replace('  admin =', '  admin: RoomAdmin =')
  .replace('  auth =', '  auth: RoomAuth<{ id: string }> =')
  .replace('{ createAuth,', '{ type RoomAuth, createAuth,');
/** Each of these is an error, on a line of its own. */
const WRONG = [
  'board.evict({ user: 5 })',
  "board.evict({ user: 'a', connection: 'b' })",
  'board.evict()',
  'createAdmin(board, {})',
  "createAdmin(board, { secret: 'x' })",
  'createAdmin(board, { secret: () => 1, events: {} })',
  "createRoomHandle({ origin: 'x', secret: 'x' })",
  'handle.evict({})',
  'handle.restoreRoom([{}, {}])',
  'handle.broadcast()',
];
const HEAD = `
import { createRoomHandle, type RoomHandle } from 'tinybase-partykit/backend';
import { createAdmin } from 'tinybase-partykit/server/admin';
import type Board from './room.ts';
declare const board: Board;
declare const handle: RoomHandle;
`;

let app: CompiledApp;
beforeAll(async () => {
  app = await makeCompiledApp();
  for (const [folder, room] of [
    ['inferred', INFERRED],
    ['annotated', ANNOTATED],
  ] as const) {
    app.write(`${folder}/room.ts`, room);
    app.write(`${folder}/wrong.ts`, HEAD + WRONG.map((line) => `void ${line};\n`).join(''));
  }
}, 60_000);
afterAll(() => app?.remove());

test.each([
  ['inferred', '7'],
  ['annotated', '7'],
  ['inferred', '5.4'],
  ['annotated', '5.4'],
] as const)(
  'a room with a handle compiles, %s, and what is wrong does not, on TypeScript %s',
  async (folder, version) => {
    expect(await app.compile(version, [`${folder}/room.ts`])).toBe('');
    const output = await app.compile(version, [`${folder}/wrong.ts`]);
    const lines = [...output.matchAll(/wrong\.ts\((\d+),\d+\): error/g)].map(([, line]) => line);
    const first = HEAD.split('\n').length;
    expect([...new Set(lines)]).toEqual(WRONG.map((_line, index) => String(first + index)));
  },
  60_000,
);
