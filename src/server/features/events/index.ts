/**
 * The events of a room: procedures that clients call, and events that the room sends.
 *
 * @module
 */
import { isEventName } from '../../../protocol/events/event-names.ts';
import * as fromRoom from '../../../protocol/events/event-from-room.ts';
import type {
  Caller,
  Declarations,
  EventArguments,
  EventName,
  TypesOfEvents,
} from '../../../protocol/events/event-types.ts';
import { namedCalls } from '../../../protocol/events/named-calls.ts';
import { hearRejection, isThenable } from '../../room/maybe-promise.ts';
import type { FeatureHost } from '../../room/room-feature.ts';
import { assertRoom } from '../assert-room.ts';
import { readOptions, type EventsOptions } from './events-options.ts';
import { DeclaredEvent, DefinedProcedure } from './procedure.ts';
import { RoomEvents as Feature } from './room-events.ts';

export { event, procedure, type ProcedureBeginning, type ProcedureBuilder } from './procedure.ts';
export type { EventsOptions } from './events-options.ts';
export type {
  Caller,
  EventDeclaration,
  Outcome,
  Procedure,
} from '../../../protocol/events/event-types.ts';

/** Sends an event by name, as a method. Methods let the two styles of declarations be assigned to each other. */
type Send<Parameters extends readonly unknown[]> = {
  send(...parameters: Parameters): void;
}['send'];

/** Sends events, in two forms: `broadcast('noteAdded', data)` and `broadcast.noteAdded(data)`. */
export type EventSender<Declared> = Send<
  {
    [Name in EventName<Declared>]: [name: Name, ...data: EventArguments<Declared, Name>];
  }[EventName<Declared>]
> & {
  readonly [Name in EventName<Declared>]: Send<EventArguments<Declared, Name>>;
};

/** The events of a room. `Declared` are its procedures and events, by name. */
export interface RoomEvents<Declared, Connection = Caller> extends TypesOfEvents<Declared> {
  /** Sends an event to everybody. It keeps its place among the commits, and leaves when those before it are durable. */
  readonly broadcast: EventSender<Declared>;
  /** Returns a function as {@link RoomEvents.broadcast}, for those connections that are meant. */
  to(isMeant: (connection: Connection) => boolean): EventSender<Declared>;
  /** Sends an event to one connection. */
  send<Name extends EventName<Declared>>(
    connection: Caller,
    name: Name,
    ...data: EventArguments<Declared, Name>
  ): void;
}

/**
 * Gives a room procedures and events. Call it once, in a field of the room's class. Clients get their types from the type
 * of this field. A procedure may change `this.store`: these changes are the room's own, and no hook is asked.
 *
 * @example
 * ```ts
 * import { TinyBasePartyKitServer } from 'tinybase-partykit/server';
 * import { createEvents, event, procedure } from 'tinybase-partykit/server/events';
 *
 * export class Board extends TinyBasePartyKitServer {
 *   events = createEvents(this, {
 *     wave: procedure.broadcast((_none, caller) => ({ waved: { by: caller.id } })),
 *     announced: event<{ text: string }>(),
 *   });
 * }
 * ```
 */
export function createEvents<
  Connection extends Caller,
  const Declared extends Declarations<Declared>,
>(
  room: FeatureHost<Connection, never>,
  declarations: Declared,
  options?: EventsOptions,
): RoomEvents<Declared, Connection>;
export function createEvents<Connection extends Caller>(
  room: FeatureHost<Connection, never>,
  declarations: object,
  options: EventsOptions = {},
): unknown {
  const hint = ' A page imports createEvents from tinybase-partykit/client/events.';
  assertRoom('createEvents', room, hint);
  const procedures = proceduresIn(declarations);
  const limits = readOptions(options);
  const attached = room.addFeature({
    letter: fromRoom.letter,
    isOrdered: true,
    admitted: (connection) => feature.admitted(connection),
    received: (connection, json, isIntact) => feature.received(connection, json, isIntact),
  });
  const feature = new Feature(attached, procedures, limits);
  return {
    '~events': undefined,
    broadcast: namedCalls((name, data) => feature.send(attached.connections(), name, data)),
    to: (isMeant: (connection: Connection) => boolean) => {
      if (typeof isMeant !== 'function')
        throw new TypeError(
          'events.to got no function: give it one that answers with true or false.',
        );
      return namedCalls((name, data) => {
        const meant = attached.connections().filter((connection) => isNow(isMeant(connection)));
        feature.send(meant, name, data);
      });
    },
    send: (connection: Connection, name: string, data?: unknown) => {
      assertConnection(connection);
      feature.send([connection], name, data);
    },
  };
}

/** Throws for anything else, such as the undefined of `party.getConnection` when somebody has left. */
function assertConnection(connection: unknown): void {
  if (typeof connection === 'object' && connection !== null && 'send' in connection) return;
  const message =
    'events.send got no connection as its first parameter: give it an open one, such as the caller of a procedure.';
  throw new TypeError(message);
}

/** Returns an answer. Throws for a promise, which would mean everybody. */
function isNow(answer: unknown): boolean {
  if (!isThenable(answer)) return Boolean(answer);
  hearRejection(answer);
  throw new TypeError(
    'The function given to events.to returned a promise, so nobody gets the event: let it answer at once.',
  );
}

/** Returns the procedures by name. Throws a `TypeError` for a wrong name or declaration (`EVENT-4`). */
function proceduresIn(declarations: unknown): ReadonlyMap<string, DefinedProcedure> {
  if (typeof declarations !== 'object' || declarations === null)
    throw new TypeError(
      'createEvents got no procedures and events as its second parameter: give it an object of them.',
    );
  const procedures = new Map<string, DefinedProcedure>();
  for (const [name, declaration] of Object.entries<unknown>({ ...declarations })) {
    if (!isEventName(name)) {
      throw new TypeError(
        `createEvents cannot use the name "${name}": use an identifier that functions, objects and promises do not have.`,
      );
    }
    if (declaration instanceof DefinedProcedure) procedures.set(name, declaration);
    else if (!(declaration instanceof DeclaredEvent)) {
      throw new TypeError(
        `createEvents cannot use "${name}": end it with procedure.handle(), broadcast() or self(), or make it with event().`,
      );
    }
  }
  return procedures;
}
