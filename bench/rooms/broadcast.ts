import type * as Party from 'partykit/server';

/** The body of the last PUT, by the id of its room. It stands beside the rooms, because a room that sleeps forgets its fields. */
const bodies = new Map<string, string>();

/** The floor of all rooms: what comes in goes out, and nothing is kept. A GET gives what was PUT. */
export default class BroadcastRoom implements Party.Server {
  readonly options: Party.ServerOptions = { hibernate: true };
  readonly room: Party.Room;

  constructor(room: Party.Room) {
    this.room = room;
  }

  onMessage(message: string, sender: Party.Connection): void | Promise<void> {
    this.room.broadcast(message, [sender.id]);
  }

  async onRequest(request: Party.Request): Promise<Response> {
    if (request.method === 'PUT') bodies.set(this.room.id, await request.text());
    return new Response(bodies.get(this.room.id));
  }
}
