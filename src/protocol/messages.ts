import type { Changes } from './changes.ts';
import type { ErrorCode } from './errors.ts';

/** The version of the protocol that this package speaks. Sent in every `hello`. */
export const PROTOCOL_VERSION = 1;

/** A point in a room's history. Versions of different epochs cannot be compared. */
export interface Cursor {
  /** Names one unbroken history; a restored or wiped room has another. */
  readonly epoch: string;
  /** The number of commits since the history began; 0 in a room that has no Store yet. */
  readonly version: number;
}

/** What a client says first on every socket, and again whenever it has lost its place. */
export interface Hello {
  readonly type: 'hello';
  /** 128 random bits as 22 characters of base64url: secret, one for each persister. */
  readonly clientId: string;
  /** Rises with every hello of a client id, across sockets and restarts. The highest one is answered. */
  readonly generation: number;
  /** What the client's base is, or undefined if it holds nothing of this room. */
  readonly cursor: Cursor | undefined;
  /** The number of the oldest pending push; if none is pending, the number the next one will have. */
  readonly nextPush: number;
  /** The highest push number whose ack the client will never need again; 0 at first. */
  readonly ackedPush: number;
}

/** A hello in a version of the protocol that this package does not speak. */
export interface ForeignHello {
  readonly type: 'foreign-hello';
  readonly protocol: number;
}

/** One transaction of the author, to be ordered by the room. */
export interface Push {
  readonly type: 'push';
  /** 1, 2, 3 … for each client id. */
  readonly number: number;
  readonly changes: Changes;
  /** As in {@link Hello}. */
  readonly ackedPush: number;
}

/** Asks whether anybody is there. A host may answer it for a room that sleeps, by {@link Alive}. */
export interface Ping {
  readonly type: 'ping';
}

/** Asks the room itself whether anything was lost. */
export interface Check {
  readonly type: 'check';
}

/** What stock TinyBase peers send and get: changes without a number, a version or an ack. */
export interface StockChanges {
  readonly type: 'stock';
  readonly changes: Changes;
}

/** Everything that a client sends. */
export type ClientMessage = Hello | ForeignHello | Push | Ping | Check | StockChanges;

/** What a room tells about itself in a welcome. Sizes are in bytes of UTF-8. */
export interface Limits {
  /** A push larger than this travels over HTTP. */
  readonly framePushBytes: number;
  /** A push larger than this is refused. */
  readonly pushBytes: number;
}

/** The answer to a hello. */
export interface Welcome {
  readonly type: 'welcome';
  /** The generation of the hello that this answers. */
  readonly generation: number;
  readonly cursor: Cursor;
  /** The highest push number of this client that the room has applied or refused; 0 if it knows of none. */
  readonly lastPush: number;
  readonly limits: Limits;
  /** What happened since the cursor in the hello; undefined means: load the content again, then say hello. */
  readonly changes: Changes | undefined;
}

/** What happened, to every live connection but its author's. */
export interface Commit {
  readonly type: 'commit';
  readonly version: number;
  readonly changes: Changes;
}

/** Why the room changed or refused part of a push. */
export type RefusalReason =
  /** One of the room's `can…` hooks said no. */
  | 'hook'
  /** The schema, a listener or middleware of the room's Store made something else of it. */
  | 'schema'
  /** A hook or listener of the room threw; nothing of the push was applied. */
  | 'failed'
  /** A hook did not settle in time; nothing of the push was applied. */
  | 'timeout';

/** All of them. */
export const REFUSAL_REASONS: readonly RefusalReason[] = ['hook', 'schema', 'failed', 'timeout'];

/** The end of a push, to its author. */
export interface Ack {
  readonly type: 'ack';
  readonly number: number;
  /** The room's version after the push. */
  readonly version: number;
  /** True if the push changed something and so got a version of its own: `version`. */
  readonly isCommit: boolean;
  /** What to apply after folding the push into the base, where the room's result differs from that. */
  readonly correction: Changes | undefined;
  /** Set if anything was refused or altered. */
  readonly reason: RefusalReason | undefined;
}

/** The answer to a check or ping, given after every earlier message of that connection was dealt with. */
export interface Pong {
  readonly type: 'pong';
  readonly version: number;
  /** As `lastPush` in {@link Welcome}. */
  readonly lastPush: number;
}

/** The answer to a ping by a host, which knows nothing of the room but that it can be reached. */
export interface Alive {
  readonly type: 'alive';
}

/** Something went wrong. The code says whether to go on, see {@link ErrorCode}. */
export interface ErrorMessage {
  readonly type: 'error';
  readonly code: ErrorCode;
  /** For people: what happened, to what, and what to do. */
  readonly message: string;
  /** The number of the push that it is about, as far as that could be read. */
  readonly push?: number;
}

/** Everything that a room sends. */
export type RoomMessage = Welcome | Commit | Ack | Pong | Alive | ErrorMessage | StockChanges;

/** What travels as the body of an answer 201: the room's first content is not what was given. */
export interface SeedCorrection {
  /** The leaves that differ, as the room has them. */
  readonly correction: Changes;
  /** Undefined if it is one of a later version. */
  readonly reason: RefusalReason | undefined;
}

/** What travels as the body of a POST: a push too large for a frame, with what a socket would know of it. */
export interface LargePush {
  readonly clientId: string;
  readonly generation: number;
  readonly push: Push;
}
