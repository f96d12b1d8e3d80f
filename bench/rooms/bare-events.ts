import type * as Party from 'partykit/server';

import BroadcastRoom from './broadcast.ts';

/** Returns the frame that the room with the feature would send for a message. */
export const frameFor = (message: string): string =>
  message.startsWith('v')
    ? 'v["waved",{"by":"sender","text":"hello"},"sender"]'
    : `r[{"connections":{"sender":${message.slice(1)}}},{}]`;

/** The floor: a message goes to everybody, and nothing else happens. */
export default class BareEventsRoom extends BroadcastRoom {
  override onMessage(message: string, _sender: Party.Connection): void {
    this.room.broadcast(frameFor(message));
  }
}
