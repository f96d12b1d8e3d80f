import type * as Party from 'partykit/server';

import BroadcastRoom from './broadcast.ts';

/** As many as the keys that a room's log has room for: the floor's storage does not grow either. */
const KEYS = 1_000;

/** The floor of durable rooms: each message is put under another key than the last, then goes out. */
export default class DurableRoom extends BroadcastRoom {
  #count = 0;

  override async onMessage(message: string, sender: Party.Connection): Promise<void> {
    this.#count += 1;
    await this.room.storage.put(`message/${this.#count % KEYS}`, message);
    this.room.broadcast(message, [sender.id]);
  }
}
