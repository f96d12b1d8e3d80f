/**
 * The presence of a room: who is there, and what they do.
 *
 * @module
 */
import type { Store } from 'tinybase';

import type {
  AnyPresenceCells,
  TypesOfPresence,
} from '../../../protocol/presence/presence-types.ts';
import { assertKnownOptions } from '../../../protocol/known-options.ts';
import * as fromRoom from '../../../protocol/presence/presence-from-room.ts';
import type { FeatureHost } from '../../room/room-feature.ts';
import { assertRoom } from '../assert-room.ts';
import type { PresenceOptions } from './presence-options.ts';
import type { IdentifiedConnection } from './presence-room.ts';
import { RoomPresence } from './room-presence.ts';

export type { PresenceOptions, PresenceUser } from './presence-options.ts';

/** The presence of a room. `Cells` are the cells that its clients set. */
export interface Presence<Cells = AnyPresenceCells> extends TypesOfPresence<Cells> {
  /**
   * Returns the presence Store: a row for each connection in the table `connections`, and for each user in `users`. The
   * room's own code may read it, listen to it, and write rows of its own. If it writes to the row of a client, that lasts
   * until the client sets its row again. Other tables and Values are not sent, and nothing of this Store is stored.
   */
  getStore(): Store;
}

/**
 * Gives a room presence. Call it once, in a field of the room's class.
 *
 * @example
 * ```ts
 * import { TinyBasePartyKitServer } from 'tinybase-partykit/server';
 * import { createPresence, type Presence } from 'tinybase-partykit/server/presence';
 *
 * export class Board extends TinyBasePartyKitServer {
 *   readonly presence: Presence<{ x: number; y: number }> = createPresence(this);
 * }
 * ```
 */
export function createPresence<
  Connection extends IdentifiedConnection,
  Input = AnyPresenceCells,
  Output = Input,
>(
  room: FeatureHost<Connection, never>,
  options: PresenceOptions<Connection, Input, Output> = {},
): Presence<Input> {
  const hint = ' A page imports createPresence from tinybase-partykit/client/presence.';
  assertRoom('createPresence', room, hint);
  assertKnownOptions('createPresence', options, OPTIONS);
  checkOptions(options);
  const attached = room.addFeature({
    letter: fromRoom.letter,
    needsHeardTimes: true,
    received: (connection, json) => presence.received(connection, json),
    left: (connection) => presence.left(connection),
    garbageCollect: () => presence.garbageCollect(),
  });
  const presence = new RoomPresence(attached, options);
  return { '~presence': undefined, getStore: () => presence.store };
}

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof PresenceOptions<unknown, unknown, unknown>, true>> = {
  schema: true,
  user: true,
  rowBytes: true,
  silenceMilliseconds: true,
  answerMilliseconds: true,
};

function checkOptions<Connection, Input, Output>({
  schema,
  user,
  rowBytes = 1,
  silenceMilliseconds = 1,
  answerMilliseconds = 1,
}: PresenceOptions<Connection, Input, Output>): void {
  if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
    throw new TypeError(
      'createPresence cannot read the option schema: give it a schema of zod, valibot, arktype, or another Standard Schema.',
    );
  }
  if (user !== undefined && typeof user !== 'function')
    throw new TypeError('createPresence cannot use the option user: give it a function.');
  if (!Number.isSafeInteger(rowBytes) || rowBytes < 1)
    throw new TypeError(
      'createPresence cannot use the option rowBytes: give it a whole number above 0.',
    );
  const times: readonly unknown[] = [silenceMilliseconds, answerMilliseconds];
  if (!times.every((time) => typeof time === 'number' && time > 0)) {
    throw new TypeError(
      'createPresence cannot use the options silenceMilliseconds and answerMilliseconds: give them numbers above 0.',
    );
  }
}
