import type * as Party from 'partykit/server';
import { onConnect } from 'y-partykit';

/** As its README shows it, without storage. */
export default class YjsRoom implements Party.Server {
  readonly room: Party.Room;

  constructor(room: Party.Room) {
    this.room = room;
  }

  async onConnect(connection: Party.Connection): Promise<void> {
    await onConnect(connection, this.room);
  }

  onRequest(): Response {
    return new Response('');
  }
}
