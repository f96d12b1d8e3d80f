import type * as Party from 'partykit/server';

/** The floor of durable rooms: each message is put under a key of its own, then goes out. */
export default class DurableRoom implements Party.Server {
  readonly options: Party.ServerOptions = { hibernate: true };
  readonly room: Party.Room;
  #count = 0;

  constructor(room: Party.Room) {
    this.room = room;
  }

  async onMessage(message: string, sender: Party.Connection): Promise<void> {
    this.#count += 1;
    await this.room.storage.put(`message/${this.#count}`, message);
    this.room.broadcast(message, [sender.id]);
  }
}
