import type { Id } from 'tinybase';

import type {
  DataOf,
  EventName,
  InputOf,
  ProcedureName,
  ResultOf,
} from '../../../protocol/events/event-types.ts';

/** The options of `createEvents` in a client. */
export interface EventsOptions {
  /** The `messagePrefix` of the server; `''` by default. */
  readonly messagePrefix?: string;
  /** The time after which a call without an answer is `unavailable`. 10,000 by default. */
  readonly timeoutMilliseconds?: number;
  /**
   * Gets the errors of listeners, and a `TinyBasePartyKitError` for what `send` could not send, or if the room refuses the
   * connection. `console.warn` by default. `docs/troubleshooting.md` of the package explains each message.
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- As in TinyBase's own persisters, apps narrow it.
  readonly onIgnoredError?: (error: any) => void;
}

/** Calls a procedure, in two forms: `call('addNote', input)` and `call.addNote(input)`. */
export type ProcedureCalls<Declared> = {
  readonly [Name in ProcedureName<Declared>]: (
    ...input: InputOf<Declared, Name>
  ) => Promise<ResultOf<Declared, Name>>;
} & (<Name extends ProcedureName<Declared>>(
  name: Name,
  ...input: InputOf<Declared, Name>
) => Promise<ResultOf<Declared, Name>>);

/** Calls a procedure without waiting, in two forms: `send('wave')` and `send.wave()`. */
export type ProcedureSends<Declared> = {
  readonly [Name in ProcedureName<Declared>]: (...input: InputOf<Declared, Name>) => void;
} & (<Name extends ProcedureName<Declared>>(name: Name, ...input: InputOf<Declared, Name>) => void);

/** The events of a client. `Declared` are the procedures and events of its room, by name. */
export interface Events<Declared> {
  /**
   * Calls a procedure of the room. Resolves to its result when everything that it did is durable. Rejects with a
   * `TinyBasePartyKitError`. A call that is made while the socket is closed waits until it is open.
   */
  readonly call: ProcedureCalls<Declared>;
  /** Calls a procedure of the room, and nobody waits for the end: the caller does not hear of an error either. */
  readonly send: ProcedureSends<Declared>;
  /**
   * Calls back with the data of each event of that name. `from` is the connection id of the client whose call caused it, as in
   * presence; undefined if the room sent it. Returns an id for {@link Events.delListener}.
   */
  addListener<Name extends EventName<Declared>>(
    name: Name,
    listener: (data: DataOf<Declared, Name>, from: Id | undefined) => void,
  ): Id;
  /** Removes a listener. */
  delListener(listenerId: Id): void;
  /** Ends all calls with `destroyed`, and removes all listeners. The socket stays open. */
  destroy(): void;
}
