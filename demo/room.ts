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
import { textOf } from './cells.ts';
import { FIRST_NOTES } from './first-notes.ts';
import { freePoint } from './point.ts';
import { LONGEST_NOTE_ID, LONGEST_TEXT, MOST_NOTES } from './note-limits.ts';
import { LONGEST_ROOM_NAME } from './place.ts';

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
const noteId = z.string().max(LONGEST_NOTE_ID).optional();
const noteFromBackend = z.object({ text: z.string().min(1).max(LONGEST_TEXT) });

/** The query of a request for a token. */
const tokenRequest = z.object({
  id: z.string().regex(/^[\w-]{1,64}$/),
  name: z.string().trim().min(1).max(40),
  room: z.string().max(LONGEST_ROOM_NAME).regex(/[^*]$/),
});

const MOST_DELETED_NOTES = 200;
/** The key in storage of the authors of deleted notes. */
const DELETED_AUTHORS = 'deleted-authors';

/** The room that `npm run dev` runs: one board for each room id. */
export default class BoardRoom extends TinyBasePartyKitServer {
  static onBeforeConnect: EdgeGuard = createEdgeGuard(auth);

  /** Gives a token to everybody who asks. A real app has to check here who the user is. */
  static async onFetch(request: PartyRequest, { env }: FetchLobby): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== '/api/token') return new Response(null, { status: 404 });
    // The page may be on another origin.
    const headers = { 'Access-Control-Allow-Origin': '*' };
    const asked = tokenRequest.safeParse(Object.fromEntries(searchParams));
    if (!asked.success)
      return new Response(
        `A token needs an id (1 to 64 letters, digits, - or _), a name (1 to 40 characters) and a room (1 to ${LONGEST_ROOM_NAME} characters, the last one no *).\n`,
        { status: 400, headers },
      );
    const { id, name, room } = asked.data;
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

  /** The authors of the notes that were deleted last: a note that comes back, as by undo, has its author again. */
  readonly #deletedAuthors = new Map<string, string>();

  /** A room ends some seconds after everybody has left, and loses what it has only in memory. */
  async onStart(): Promise<void> {
    const stored = await this.party.storage.get<[string, string][]>(DELETED_AUTHORS);
    for (const [rowId, author] of stored ?? []) this.#deletedAuthors.set(rowId, author);
  }

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
    store.addCellListener(
      'notes',
      null,
      'by',
      (_store, _tableId, rowId, _cellId, by, author) => {
        if (!store.hasRow('notes', rowId)) this.#rememberAuthor(rowId, textOf(author));
        // The hooks cannot tell the deletion of this cell from that of its row.
        else if (by === '') store.setCell('notes', rowId, 'by', textOf(author));
      },
      true,
    );
  }

  override canSetRow(_tableId: string, rowId: string): boolean {
    if (this.store.hasRow('notes', rowId)) return true;
    return rowId.length <= LONGEST_NOTE_ID && this.store.getRowCount('notes') < MOST_NOTES;
  }

  /** A pinned note keeps everything but its pin, and every note keeps its author. */
  override canSetCell(
    _tableId: string,
    rowId: string,
    cellId: string,
    cell: Cell,
    _initialSave: boolean,
    caller: object,
  ): boolean {
    if (this.#isPinned(rowId) && cellId !== 'isPinned') return false;
    if (cellId === 'by') return cell === (this.#authorOf(rowId) ?? this.auth.getUser(caller).name);
    if (typeof cell === 'number' && cellId !== 'createdAt') return cell >= 0 && cell <= 1;
    return typeof cell !== 'string' || cell.length <= LONGEST_TEXT;
  }

  override canDelRow(_tableId: string, rowId: string): boolean {
    return !this.#isPinned(rowId);
  }

  override canDelCell(_tableId: string, rowId: string, cellId: string): boolean {
    return cellId === 'isPinned' || this.canDelRow('notes', rowId);
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
      ...freePoint(this.store),
      by: 'the backend',
      createdAt: Date.now(),
    });
    await this.whenDurable();
    return new Response('Everybody who is connected has it.\n', { status: 201, headers });
  }

  #isPinned(rowId: string): boolean {
    return this.store.getCell('notes', rowId, 'isPinned') === true;
  }

  /** Returns the author of a note that is there or was deleted; undefined if nobody has signed it. */
  #authorOf(rowId: string): string | undefined {
    return textOf(this.store.getCell('notes', rowId, 'by')) || this.#deletedAuthors.get(rowId);
  }

  #rememberAuthor(rowId: string, author: string): void {
    if (author === '') return;
    this.#deletedAuthors.set(rowId, author);
    const [oldest] = this.#deletedAuthors.keys();
    if (this.#deletedAuthors.size > MOST_DELETED_NOTES && oldest !== undefined)
      this.#deletedAuthors.delete(oldest);
    this.party.storage
      .put(DELETED_AUTHORS, [...this.#deletedAuthors])
      .catch((error: unknown) => this.onRoomError(error, 'storage'));
  }
}
