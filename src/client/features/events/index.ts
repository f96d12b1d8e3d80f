/**
 * The events of a client: procedures of the room that it calls, and events that it hears.
 *
 * @module
 */
import type PartySocket from 'partysocket';

import type { OptionKind } from '../../../protocol/option-kinds.ts';
import { letter } from '../../../protocol/events/event-from-client.ts';
import type { DeclarationsOf } from '../../../protocol/events/event-types.ts';
import { takeAnotherId } from '../../platform/another-id.ts';
import { callAfter } from '../../platform/call-after.ts';
import { openChannel } from '../../platform/channel.ts';
import { checkOptions } from '../../check-options.ts';
import { assertPartySocket } from '../../platform/parameters.ts';
import { createClientEvents } from './client-events.ts';
import type { Events, EventsOptions } from './events.ts';

export type { Events, EventsOptions, ProcedureCalls, ProcedureSends } from './events.ts';
export type { DeclarationsOf } from '../../../protocol/events/event-types.ts';
export { TinyBasePartyKitError, type ErrorCode } from '../../../protocol/errors.ts';

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof EventsOptions, OptionKind>> = {
  messagePrefix: 'string',
  timeoutMilliseconds: 'number from 0 on',
  onIgnoredError: 'function',
};

/**
 * Calls procedures of a room and hears its events. `Room` is the type of the room's class: its field with events has the types
 * of all names, inputs, results and data.
 *
 * A later call for the same socket and prefix replaces an earlier one: `onIgnoredError` gets `replaced`.
 *
 * @example
 * ```ts
 * import { PartySocket } from 'partysocket';
 * import { createEvents } from 'tinybase-partykit/client/events';
 *
 * const socket = new PartySocket({ host: location.host, room: 'my-board' });
 * const events = createEvents(socket);
 * events.addListener('waved', (data, from) => console.log(from, data));
 * events.send('wave');
 * ```
 */
export function createEvents<Room = unknown>(
  socket: PartySocket,
  options: EventsOptions = {},
): Events<DeclarationsOf<Room>> {
  assertPartySocket('createEvents', 'first', socket);
  checkOptions('createEvents', options, OPTIONS);
  return createClientEvents<DeclarationsOf<Room>>(
    {
      open: (listener) => openChannel(socket, options.messagePrefix ?? '', letter, listener),
      takeAnotherId: () => takeAnotherId(socket),
      after: callAfter,
    },
    options,
  );
}
