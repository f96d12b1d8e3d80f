/**
 * The handle of a room for a backend: one endpoint, with signed commands.
 *
 * @module
 */
import { assertKnownOptions } from '../../../protocol/known-options.ts';
import { assertRoom } from '../assert-room.ts';
import { AdminEndpoint } from './admin-endpoint.ts';
import type { AdminHost, AdminOptions, AdminRequest, RoomEnvironment } from './admin-options.ts';

export type {
  AdminEvents,
  AdminHost,
  AdminOptions,
  AdminRequest,
  RoomEnvironment,
} from './admin-options.ts';

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof AdminOptions, true>> = {
  secret: true,
  events: true,
  party: true,
  bodyBytes: true,
};

/** The endpoint of a room for its backend. */
export interface RoomAdmin<Request = AdminRequest> {
  /**
   * Answers a command. Returns undefined for every other request. The room calls it by itself, in `super.onRequest`; it is
   * for apps that do not call that.
   */
  answer(request: Request): Promise<Response> | undefined;
}

/**
 * Lets a backend command the room by `createRoomHandle` of `tinybase-partykit/backend`. Call it once, in a field of the
 * room's class. Throws a `TypeError` that names the wrong option.
 *
 * @example
 * ```ts
 * import { TinyBasePartyKitServer } from 'tinybase-partykit/server';
 * import { createAdmin, type RoomAdmin } from 'tinybase-partykit/server/admin';
 *
 * export class Board extends TinyBasePartyKitServer {
 *   readonly admin: RoomAdmin = createAdmin(this, { secret: (env) => env['ADMIN_SECRET'] });
 * }
 * ```
 */
export function createAdmin<Connection, Request extends AdminRequest, Env = RoomEnvironment>(
  room: AdminHost<Connection, Request>,
  options: AdminOptions<Env>,
): RoomAdmin<Request>;
export function createAdmin<Connection, Request extends AdminRequest>(
  room: AdminHost<Connection, Request>,
  options: AdminOptions<unknown>,
): RoomAdmin<Request> {
  assertRoom('createAdmin', room);
  assertKnownOptions('createAdmin', options, OPTIONS);
  const { secret, events, party, bodyBytes = 1 } = options;
  if (typeof secret !== 'function')
    throw new TypeError('createAdmin cannot use the option secret: give it a function of env.');
  if (events !== undefined && typeof events?.broadcast !== 'function')
    throw new TypeError(
      'createAdmin cannot use the option events: give it what createEvents returned.',
    );
  if (party !== undefined && (typeof party !== 'string' || party === ''))
    throw new TypeError('createAdmin got an unusable party: give the option party a name.');
  if (!Number.isSafeInteger(bodyBytes) || bodyBytes < 1) {
    throw new TypeError(
      'createAdmin cannot use the option bodyBytes: give it a whole number above 0.',
    );
  }
  return new AdminEndpoint(room, options);
}
