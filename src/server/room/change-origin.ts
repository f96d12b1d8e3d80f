import type { Peer } from './peer.ts';

/** A client's numbered push. */
export interface PushOrigin<Origin> {
  readonly type: 'push';
  readonly clientId: string;
  readonly number: number;
  /** The generation of the client when the push came. */
  readonly generation: number;
  readonly peer: Peer<Origin>;
  /** True if the client's Store made it in reaction to a commit. No Store reacts to it again (`DERIVE-1`). */
  readonly isDerived?: boolean | undefined;
}

/** Changes of a peer that speaks TinyBase's own messages. */
export interface StockOrigin<Origin> {
  readonly type: 'stock';
  readonly peer: Peer<Origin>;
}

/** The room's initial content, which came with this request. */
export interface SeedOrigin<RequestOrigin> {
  readonly type: 'seed';
  readonly request: RequestOrigin;
}

/** The room's own code, and the connections on whose behalf it ran (`EVENT-8`). */
interface RoomOrigin<Origin> {
  readonly type: 'room';
  readonly callers: readonly Origin[];
}

/** The origin of a change that hooks decide: every origin except the room's own code. */
export type AskedOrigin<Origin, RequestOrigin = Origin> =
  | PushOrigin<Origin>
  | StockOrigin<Origin>
  | SeedOrigin<RequestOrigin>;

/** The cause of a change. Hooks, commits, the log, errors and features all use this one union. */
export type ChangeOrigin<Origin, RequestOrigin = Origin> =
  | AskedOrigin<Origin, RequestOrigin>
  | RoomOrigin<Origin>;

/** Returns the callers of a change: connections, or the request that brought the initial content. */
export function callersOf<Origin, RequestOrigin>(
  origin: ChangeOrigin<Origin, RequestOrigin>,
): readonly (Origin | RequestOrigin)[] {
  return origin.type === 'room' ? origin.callers : [callerOf(origin)];
}

/** Returns the caller that hooks get: the connection, or the request that brought the initial content. */
export function callerOf<Origin, RequestOrigin>(
  origin: AskedOrigin<Origin, RequestOrigin>,
): Origin | RequestOrigin {
  return origin.type === 'seed' ? origin.request : origin.peer.connection.origin;
}
