import type { Peer } from './peer.ts';

/** A client's numbered push. */
export interface PushOrigin<Connection> {
  readonly type: 'push';
  readonly clientId: string;
  readonly number: number;
  /** The generation of the client when the push came. */
  readonly generation: number;
  readonly peer: Peer<Connection>;
  /** True if the client's Store made it in reaction to a commit. No Store reacts to it again (`DERIVE-1`). */
  readonly isDerived?: boolean | undefined;
  /** The version of the commit that it reacts to. */
  readonly reactsTo?: number | undefined;
}

/** Changes of a peer that speaks TinyBase's own messages. */
export interface StockOrigin<Connection> {
  readonly type: 'stock';
  readonly peer: Peer<Connection>;
}

/** The room's initial content, which came with this request. */
export interface SeedOrigin<Request> {
  readonly type: 'seed';
  readonly request: Request;
}

/** The room's own code, and the connections on whose behalf it ran (`EVENT-8`). */
interface RoomOrigin<Connection> {
  readonly type: 'room';
  readonly callers: readonly Connection[];
}

/** The origin of a change that hooks decide: every origin except the room's own code. */
export type AskedOrigin<Connection, Request = Connection> =
  | PushOrigin<Connection>
  | StockOrigin<Connection>
  | SeedOrigin<Request>;

/** The cause of a change. Hooks, commits, the log, errors and features all use this one union. */
export type ChangeOrigin<Connection, Request = Connection> =
  | AskedOrigin<Connection, Request>
  | RoomOrigin<Connection>;

/** Returns the callers of a change: connections, or the request that brought the initial content. */
export function callersOf<Connection, Request>(
  origin: ChangeOrigin<Connection, Request>,
): readonly (Connection | Request)[] {
  return origin.type === 'room' ? origin.callers : [callerOf(origin)];
}

/** Returns the caller that hooks get: the connection, or the request that brought the initial content. */
export function callerOf<Connection, Request>(
  origin: AskedOrigin<Connection, Request>,
): Connection | Request {
  return origin.type === 'seed' ? origin.request : origin.peer.connection.socket;
}
