/**
 * The presence of a client: the other people in the room, and what they do.
 *
 * @module
 */
import type PartySocket from 'partysocket';
import type { Store } from 'tinybase';

import { notGot, type OptionKind } from '../../../protocol/option-kinds.ts';
import { letter } from '../../../protocol/presence/presence-from-client.ts';
import type { PresenceCellsOf } from '../../../protocol/presence/presence-types.ts';
import { takeAnotherId } from '../../platform/another-id.ts';
import { callAfter } from '../../platform/call-after.ts';
import { openChannel } from '../../platform/channel.ts';
import { assertPartySocket, assertStore } from '../../platform/parameters.ts';
import { reportLater } from '../../platform/report-later.ts';
import { takeForPresence } from '../../replica/store-claim.ts';
import { checkOptions } from '../../check-options.ts';
import { assertCells, createClientPresence } from './client-presence.ts';
import type { Presence, PresenceOptions } from './presence.ts';

export type { Presence, PresenceEdit, PresenceOptions } from './presence.ts';
export { TinyBasePartyKitError, type ErrorCode } from '../../../protocol/errors.ts';

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof PresenceOptions<unknown>, OptionKind>> = {
  initial: 'object',
  messagePrefix: 'string',
  onIgnoredError: 'function',
  lingerMilliseconds: 'number from 0 on',
  checkMilliseconds: 'number from 0 on',
};

/** The last presence of each Store, until it is destroyed. */
const uses = new WeakMap<Store, { readonly socket: PartySocket }>();

/**
 * Shows in a Store who is in a room, and shows this client to the others. The Store is for presence alone: make one with
 * `createStore()`, and do not persist it. `Room` is the type of the room's class: its field with presence has the types of
 * the cells.
 *
 * A later call for the same socket and prefix replaces an earlier one: `onIgnoredError` gets `replaced`.
 *
 * @example
 * ```ts
 * import { PartySocket } from 'partysocket';
 * import { createStore } from 'tinybase';
 * import { createPresence } from 'tinybase-partykit/client/presence';
 *
 * const socket = new PartySocket({ host: location.host, room: 'my-board' });
 * const presence = createPresence(createStore(), socket, { initial: { x: 0, y: 0 } });
 * addEventListener('pointermove', ({ x, y }) => presence.set({ x, y }));
 * ```
 */
export function createPresence<Room = unknown>(
  store: Store,
  socket: PartySocket,
  options: PresenceOptions<PresenceCellsOf<Room>> = {},
): Presence<PresenceCellsOf<Room>> {
  assertStore('createPresence', store);
  assertPartySocket('createPresence', 'second', socket);
  checkOptions('createPresence', options, OPTIONS);
  // Before anything is begun.
  assertCells(options.initial ?? {});
  if (!takeForPresence(store))
    throw notGot('createPresence', 'Store of its own, but that of a persister');
  const use = { socket };
  // Each would take the rows of the other for deleted.
  if ((uses.get(store) ?? use).socket !== socket)
    reportLater(options.onIgnoredError)(
      notGot('createPresence', 'Store of its own, but that of another presence'),
    );
  uses.set(store, use);
  const presence = createClientPresence(
    store,
    {
      id: () => socket.id,
      open: (listener) => openChannel(socket, options.messagePrefix ?? '', letter, listener),
      reconnect: () => socket.reconnect(),
      takeAnotherId: () => takeAnotherId(socket),
      after: callAfter,
      random: Math.random,
    },
    options,
  );
  return {
    ...presence,
    destroy: () => presence.destroy(uses.get(store) === use && uses.delete(store)),
  };
}
