import type * as Party from 'partykit/server';

/** The floor of all rooms: what comes in goes out, and nothing is kept. A GET gives what was PUT. */
export default class BroadcastRoom implements Party.Server {
  readonly options: Party.ServerOptions = { hibernate: true };
  readonly room: Party.Room;
  #body = '';

  constructor(room: Party.Room) {
    this.room = room;
  }

  onMessage(message: string, sender: Party.Connection): void | Promise<void> {
    this.room.broadcast(message, [sender.id]);
  }

  async onRequest(request: Party.Request): Promise<Response> {
    if (request.method === 'PUT') this.#body = await request.text();
    return new Response(this.#body);
  }
}
