import type { Connection, FetchLobby, Request as PartyRequest } from 'partykit/server';
import { getUniqueId, type Cell, type Content, type Store } from 'tinybase';
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
import {
  createEvents,
  event,
  procedure,
  type EventDeclaration,
  type Procedure,
  type RoomEvents,
} from '../src/server/features/events/index.ts';
import { createPresence, type Presence } from '../src/server/features/presence/index.ts';
import { TinyBasePartyKitServer, type TakenMessage } from '../src/server/index.ts';
import { FIRST_NOTES } from './first-notes.ts';

interface User {
  id: string;
  name: string;
}

/** The cells that people set of themselves: their pointer, the note that they hold, and the one that they write in. */
export interface PresenceCells {
  x?: number | undefined;
  y?: number | undefined;
  holds?: string | undefined;
  holdsX?: number | undefined;
  holdsY?: number | undefined;
  writes?: string | undefined;
}

interface BoardEvents {
  readonly wave: Procedure<undefined, { broadcast: { waved: User } }>;
  readonly ordered: EventDeclaration<{ version: number; by: User }>;
}

const auth: Auth<User> = defineAuth({
  secret: (env) => env['AUTH_SECRET'],
  user: z.object({ id: z.string(), name: z.string().max(40) }),
});
const fraction = z.number().min(0).max(1).optional();
const noteId = z.string().max(40).optional();
const noteFromBackend = z.object({ text: z.string().min(1).max(280) });

const MOST_NOTES = 60;
const LONGEST_TEXT = 280;

/** The room that `npm run dev` runs: one board for each room id. */
export default class BoardRoom extends TinyBasePartyKitServer {
  static onBeforeConnect: EdgeGuard = createEdgeGuard(auth);

  /** Gives a token to everybody who asks. A real app has to check here who the user is. */
  static async onFetch(request: PartyRequest, { env }: FetchLobby): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== '/api/token') return new Response(null, { status: 404 });
    const id = searchParams.get('id') ?? '';
    const name = searchParams.get('name') ?? '';
    const room = searchParams.get('room') ?? '';
    // The page may be on another origin.
    const headers = { 'Access-Control-Allow-Origin': '*' };
    if (id === '' || name === '' || room === '' || room.endsWith('*'))
      return new Response(null, { status: 400, headers });
    const token = await createToken({
      secret: String(env['AUTH_SECRET']),
      room,
      user: { id, name },
      access: searchParams.has('reader') ? 'read' : 'write',
    });
    return new Response(token, { headers });
  }

  readonly auth: RoomAuth<User> = createAuth(this, auth);

  readonly presence: Presence<PresenceCells> = createPresence(this, {
    schema: z.object({
      x: fraction,
      y: fraction,
      holds: noteId,
      holdsX: fraction,
      holdsY: fraction,
      writes: noteId,
    }),
    user: (connection) => this.auth.getUser(connection),
  });

  readonly events: RoomEvents<BoardEvents> = createEvents(this, {
    wave: procedure.broadcast((_none, caller) => ({ waved: this.auth.getUser(caller) })),
    ordered: event<{ version: number; by: User }>(),
  });

  /** The content of a new room. */
  override getInitialStorage(): Content {
    return [{ notes: FIRST_NOTES }, {}];
  }

  /** Anything that is not in the schema is refused. */
  override prepareStore(store: Store): void {
    store.setTablesSchema({
      notes: {
        text: { type: 'string', default: '' },
        x: { type: 'number', default: 0 },
        y: { type: 'number', default: 0 },
        isPinned: { type: 'boolean', default: false },
        by: { type: 'string', default: '' },
        createdAt: { type: 'number', default: 0 },
      },
    });
  }

  override canSetRow(_tableId: string, rowId: string): boolean {
    return this.store.hasRow('notes', rowId) || this.store.getRowCount('notes') < MOST_NOTES;
  }

  /** A pinned note keeps everything but its pin. */
  override canSetCell(_tableId: string, rowId: string, cellId: string, cell: Cell): boolean {
    if (this.#isPinned(rowId) && cellId !== 'isPinned') return false;
    if (typeof cell === 'number' && cellId !== 'createdAt') return cell >= 0 && cell <= 1;
    return typeof cell !== 'string' || cell.length <= LONGEST_TEXT;
  }

  override canDelRow(_tableId: string, rowId: string): boolean {
    return !this.#isPinned(rowId);
  }

  /** Tells everybody who has made a commit. */
  override onRoomMessage(message: TakenMessage, connection: Connection): void {
    if (message.type !== 'push') return;
    const by = this.auth.getUser(connection);
    this.events.broadcast.ordered({ version: message.version, by });
  }

  /** `POST <room>/notes` is the way in for a backend. */
  override async onRequest(request: PartyRequest): Promise<Response> {
    const isNotes = new URL(request.url).pathname.endsWith('/notes');
    if (!isNotes) return super.onRequest(request);
    const headers = {
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Allow-Headers': 'authorization, content-type',
    };
    if (request.method === 'OPTIONS') return new Response(null, { headers });
    if (request.method !== 'POST') return new Response(null, { status: 405, headers });
    const token = this.party.env['BACKEND_TOKEN'];
    // A token that is not set lets nobody in.
    const isBackend =
      typeof token === 'string' &&
      token !== '' &&
      request.headers.get('Authorization') === `Bearer ${token}`;
    if (!isBackend) return new Response('Who are you?\n', { status: 401, headers });
    const note = noteFromBackend.safeParse(await request.json().catch(() => undefined));
    if (!note.success) return new Response('A note needs a text.\n', { status: 400, headers });
    if (this.store.getRowCount('notes') >= MOST_NOTES)
      return new Response('The board is full.\n', { status: 409, headers });
    this.store.setRow('notes', getUniqueId(), {
      text: note.data.text,
      x: Math.random(),
      y: Math.random(),
      by: 'the backend',
      createdAt: Date.now(),
    });
    await this.whenDurable();
    return new Response('Everybody has it.\n', { status: 201, headers });
  }

  #isPinned(rowId: string): boolean {
    return this.store.getCell('notes', rowId, 'isPinned') === true;
  }
}
