/** The one file that knows PartyKit. */
import type * as Party from 'partykit/server';

import type { RoomServerConfig } from './config/room-server-config.ts';
import { RoomServer } from './room-server.ts';

/** The configuration of a room: `config` of {@link TinyBasePartyKitServer}. */
export type TinyBasePartyKitServerConfig = RoomServerConfig;

/**
 * A PartyKit room that owns a TinyBase Store. Extend it, and export the subclass as default. It can replace TinyBase's
 * class of the same name.
 *
 * @example
 * ```ts
 * import { TinyBasePartyKitServer } from 'tinybase-partykit/server';
 *
 * export default class Room extends TinyBasePartyKitServer {
 *   override config = { messagePrefix: 'store:' };
 *
 *   override async canDelTable(): Promise<boolean> {
 *     return false;
 *   }
 * }
 * ```
 */
export class TinyBasePartyKitServer
  extends RoomServer<Party.Room, Party.Connection, Party.Request>
  implements Party.Server
{
  /** Lets rooms hibernate. Without this, PartyKit also loses connections that share an id. */
  readonly options: Party.ServerOptions = { hibernate: true };
}
