import { durableObject, routeRoomRequest } from 'tinybase-partykit/server/durable-object';
import { NotesRoom } from './room.ts';

interface Env {
  /** The binding of wrangler.jsonc. */
  ROOM: DurableObjectNamespace<RoomObject>;
}

/** A room as a Durable Object. Its public methods can be called from the Worker, and by other Workers. */
export class RoomObject extends durableObject(NotesRoom) {
  async countNotes(): Promise<number> {
    await this.server.start();
    return this.server.store.getRowCount('notes');
  }
}

export default {
  async fetch(request, env): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === '/count') return Response.json(await env.ROOM.getByName('lobby').countNotes());
    // PartySocket asks for the party `main`, unless told otherwise.
    const answer = await routeRoomRequest(request, { main: env.ROOM });
    return answer ?? new Response('There is nothing at this path.', { status: 404 });
  },
} satisfies ExportedHandler<Env>;
