import type PartySocket from 'partysocket';
import type { PartySocketOptions } from 'partysocket';
import type { Content, Store } from 'tinybase';

import type { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { DeclarationsOf } from '../../protocol/events/event-types.ts';
import type { PresenceCellsOf } from '../../protocol/presence/presence-types.ts';
import type { Events } from '../features/events/events.ts';
import type { Presence, PresenceEdit } from '../features/presence/presence.ts';
import type { PartyKitPersister, PartyKitPersisterConfig } from '../partykit-persister.ts';
import type { QueryParameters, ReconnectTimeout } from './connection-attempts.ts';

/** A room of a client. Its parts are the objects of TinyBase and PartyKit. */
export interface ClientRoom<Room = unknown> {
  readonly id: string;
  /** The Store that is kept equal to the room's. */
  readonly store: Store;
  /** The other people in the room. */
  readonly presence: Presence<PresenceCellsOf<Room>>;
  /** The procedures of the room, to be called, and its events. */
  readonly events: Events<DeclarationsOf<Room>>;
  /** The persister of the Store: `getSync()` tells the state of the connection. */
  readonly persister: PartyKitPersister;
  readonly socket: PartySocket;
}

/** The room that is to be entered. */
export interface RoomContext<Metadata = unknown> {
  /** The id of the room. */
  readonly room: string;
  /** The `metadata` that was passed to `enter`, or else to `createRoom`, or else to `createClient`. */
  readonly metadata: Metadata;
}

type Promised<T> = T | Promise<T>;

/** The options of PartySocket that a client does not decide itself. */
type SocketOptions = Omit<
  PartySocketOptions,
  | 'room'
  | 'query'
  | 'startClosed'
  | 'minReconnectionDelay'
  | 'maxReconnectionDelay'
  | 'reconnectionDelayGrowFactor'
>;

/** The options of `createClient` that a room may have, too. */
export interface RoomOptions<Room = unknown, Metadata = unknown> extends SocketOptions {
  /** Returns a new, empty Store without a schema: pass the function `createStore` of TinyBase. Presence has such a Store, too. */
  readonly createStore: () => Store;
  /** The Store of the room. By default one that `createStore` returns. */
  readonly store?: Store;
  /** Sets schemas, listeners and middleware of the room's Store, before it is loaded. */
  readonly prepareStore?: (store: Store) => void;
  /**
   * Returns a token for each attempt to connect; requests over HTTP have the same. If it returns null, or throws a Response (or an
   * error) with the `status` 401 or 403, the user may not enter: see `onAuthorizationFail`. Whatever else it throws, and
   * if it has not answered for 30 s, it is called again, after a pause.
   */
  readonly token?: (context: RoomContext<Metadata>) => Promised<string | null>;
  /** The query parameter of the token, as in `defineAuth`; `'token'` by default. */
  readonly tokenParameter?: string;
  /** Further parameters of the URL; a function is called at each attempt, as `token` is. */
  readonly query?:
    | QueryParameters
    | ((context: RoomContext<Metadata>) => Promised<QueryParameters>);
  /** The content for a room that has none. */
  readonly initialStorage?: Content | (() => Content);
  /** The first cells of the client's own row of presence. Without any, it only watches: others see it only if the room knows its user. */
  readonly initialPresence?: PresenceEdit<PresenceCellsOf<Room>>;
  /**
   * The milliseconds to wait before an attempt to connect, or a function that returns them. `attempts` have failed since the
   * connection was lost. A random part of up to a quarter is added. By default 0, then 1, 2, 4 … 30 s.
   */
  readonly reconnectTimeoutMs?: ReconnectTimeout;
  /** Called once when the user is not let in, or not any more, with `unauthorized` or `forbidden`. `enter` tries again. */
  readonly onAuthorizationFail?: (error: TinyBasePartyKitError, room: ClientRoom<Room>) => void;
  /**
   * Gets the errors from which the client recovers by itself, as `TinyBasePartyKitError`. `console.warn` by default.
   * `docs/troubleshooting.md` of the package explains each message.
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- As in TinyBase's own persisters, apps narrow it.
  readonly onIgnoredError?: (error: any) => void;
  /** The `messagePrefix` of the server; `''` by default. */
  readonly messagePrefix?: string;
  /** The time after which a call of a procedure without an answer is `unavailable`. 10,000 by default. */
  readonly callTimeoutMilliseconds?: number;
  /** Further options of the persister. */
  readonly persister?: Omit<PartyKitPersisterConfig, 'messagePrefix'>;
  /** Data of the app that `token` and `query` get. */
  readonly metadata?: Metadata;
}

/** The options of `createRoom`. */
export type RoomOverrides<Room = unknown, Metadata = unknown> = Partial<
  RoomOptions<Room, Metadata>
>;
