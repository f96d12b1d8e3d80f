import type { FetchLobby, Request as PartyRequest } from 'partykit/server';
import { z } from 'zod';
import { createToken } from '../src/backend/index.ts';
import {
  createAuth,
  createEdgeGuard,
  defineAuth,
  type Auth,
  type EdgeGuard,
  type RoomAuth,
} from '../src/server/features/auth/index.ts';
import { TinyBasePartyKitServer } from '../src/server/index.ts';

interface User {
  id: string;
  name: string;
}
const auth: Auth<User> = defineAuth({
  secret: (env) => env['AUTH_SECRET'],
  user: z.object({ id: z.string(), name: z.string() }),
});

/** The room that `npm run dev` runs: one shared list for each room id. */
export default class DemoRoom extends TinyBasePartyKitServer {
  static onBeforeConnect: EdgeGuard = createEdgeGuard(auth);

  /** Gives a token to everybody who asks. A real app has to check here who the user is. */
  static async onFetch(request: PartyRequest, { env }: FetchLobby): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== '/api/token') return new Response(null, { status: 404 });
    const name = searchParams.get('name') ?? '';
    const room = searchParams.get('room') ?? '';
    // The page of the demo may be on another origin.
    const headers = { 'Access-Control-Allow-Origin': '*' };
    if (name === '' || room === '' || room.endsWith('*'))
      return new Response(null, { status: 400, headers });
    const token = await createToken({
      secret: String(env['AUTH_SECRET']),
      room,
      user: { id: name, name },
      access: searchParams.has('reader') ? 'read' : 'write',
    });
    return new Response(token, { headers });
  }

  readonly auth: RoomAuth<User> = createAuth(this, auth);

  /** Allows only finished tasks to be deleted, so that the demo can show a refusal. */
  override canDelRow(tableId: string, rowId: string): boolean {
    return this.store.getCell(tableId, rowId, 'done') === true;
  }
}
