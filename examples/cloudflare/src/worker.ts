import { durableObject, routeRoomRequest } from 'tinybase-partykit/server/durable-object';
import { NotesRoom } from './room.ts';

interface Env {
  /** The binding in wrangler.jsonc. */
  ROOM: DurableObjectNamespace<RoomObject>;
  /** The secret of the backend. Without it, the backend routes refuse every request. */
  BACKEND_TOKEN?: string;
}

function isBackend(request: Request, { BACKEND_TOKEN }: Env): boolean {
  return (
    typeof BACKEND_TOKEN === 'string' &&
    BACKEND_TOKEN !== '' &&
    request.headers.get('Authorization') === `Bearer ${BACKEND_TOKEN}`
  );
}

/** A room as a Durable Object. Its public methods can be called from the Worker, and by other Workers. */
export class RoomObject extends durableObject(NotesRoom) {
  async countNotes(): Promise<number> {
    await this.server.start();
    return this.server.store.getRowCount('notes');
  }

  /** Adds a note for every client. The room's hooks are not called. */
  async addNote(text: string): Promise<void> {
    await this.server.start();
    this.server.store.setRow('notes', crypto.randomUUID(), { text, createdAt: Date.now() });
    await this.server.whenDurable();
  }
}

export default {
  async fetch(request, env): Promise<Response> {
    const { pathname } = new URL(request.url);
    const lobby = env.ROOM.getByName('lobby');
    if (pathname === '/count' || pathname === '/note') {
      if (!isBackend(request, env)) return new Response('Who are you?', { status: 401 });
    }
    if (pathname === '/count') return Response.json(await lobby.countNotes());
    if (pathname === '/note' && request.method === 'POST') {
      await lobby.addNote(await request.text());
      return new Response(null, { status: 204 });
    }
    // PartySocket asks for the party `main`, unless told otherwise.
    const answer = await routeRoomRequest(request, { main: env.ROOM });
    return answer ?? new Response('There is nothing at this path.', { status: 404 });
  },
} satisfies ExportedHandler<Env>;
