/** The states, events and actions of the state machine in `session-state.ts`. */
import type { Changes } from '../../protocol/changes.ts';
import type { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { Ack, Cursor, Limits, PartReceipt, RoomMessage } from '../../protocol/messages.ts';

/** The intent of the app. */
export interface SyncIntent {
  /** Show what others do. */
  readonly isFollowing: boolean;
  /** Send edits. */
  readonly isSaving: boolean;
  /** Show the content once. */
  readonly isLoadingOnce: boolean;
  /** Give the room its initial content once, if it has none. */
  readonly isSavingOnce: boolean;
}

/** The client has nothing of the room that is valid. */
export interface Nothing {
  readonly type: 'nothing';
}

/** The room was seen to have no Store. */
interface NoStore {
  readonly type: 'no-store';
}

/** The base is the room's content at that cursor. */
interface Base {
  readonly type: 'base';
  readonly cursor: Cursor;
  /** True if the Store shows all of it, since it was restored (OFFLINE-2). */
  readonly isShown?: boolean;
}

/** Loaded content that is shown together with the next welcome (JOIN-6). */
interface Staged {
  readonly type: 'staged';
  readonly cursor: Cursor;
  readonly content: LeafMap<Leaf>;
  /** True if it is shown even while nothing is followed. */
  readonly isShown: boolean;
}

/** The content of a stock room, which has no cursor (STOCK-4). It is not valid on another socket. */
export interface Stock {
  readonly type: 'stock';
  readonly hasStore: boolean;
  /** True if its content is empty: it may be a room of ours without a Store, for which an app answers. The content was not shown yet. */
  readonly isDoubtful?: boolean;
}

/** The positions that a client can have in its room. */
export type Position = Nothing | NoStore | Base | Staged | Stock;

/** The phase, with the position; see the diagram. */
export type Stage =
  | { readonly phase: 'idle' | 'connecting' | 'catching-up'; readonly position: Position }
  | { readonly phase: 'live'; readonly position: Base }
  | { readonly phase: 'empty'; readonly position: NoStore | Stock }
  | { readonly phase: 'reduced'; readonly position: Stock }
  | {
      readonly phase: 'loading';
      readonly position: Nothing;
      /** Stock changes that came since the request. */
      readonly early: readonly Changes[];
      /** True if the socket has opened since the request. A stock room does not send the changes in between. */
      readonly isOutdated: boolean;
      /** True if the room had refused the token: nothing is requested yet, and the socket is closed for good. */
      readonly isToBegin?: boolean;
    }
  | {
      readonly phase: 'stopped';
      readonly position: Nothing;
      readonly error: TinyBasePartyKitError;
      /** True if the app ended the session: then nothing starts it again. */
      readonly isOver: boolean;
    };

/** Everything that decides what a session does. */
export interface SessionState {
  readonly stage: Stage;
  readonly intent: SyncIntent;
  /** The generation of the last hello (JOIN-4). */
  readonly generation: number;
  /**
   * The cursor of a welcome on the present socket that said reload. If the content that is loaded next has no cursor, because an app
   * answers GET for its room, it counts as content at this one.
   */
  readonly welcomed: Cursor | undefined;
  /** The number of times in a row that the room said reload. After several, a cache may answer in the place of the room. */
  readonly reloads: number;
  /** True if the last token had expired, and the room has answered no hello since. */
  readonly hasExpired: boolean;
  /** The number of seeds that did not give the room a Store. After several, the seed is not given again (SEED-2, SEED-8). */
  readonly seedTries: number;
  /** True once the Store has shown content of a room: its content cannot be a seed any more (SEED-2). */
  readonly isRooted: boolean;
  /** The epoch of the shown content; undefined if the Store shows nothing of the room; empty if the storage was set back (JOIN-8, JOIN-9). */
  readonly shownEpoch: string | undefined;
  /** True if the app was told that this is a stock room. */
  readonly isStockReported: boolean;
}

/** Facts that the replica, the sender and the heartbeat know at the time of an event. */
export interface Facts {
  readonly hasPending: boolean;
  /** The number of the oldest pending push, or the one that the next push gets. */
  readonly oldestUnanswered: number;
  /** The highest push number that was ever sent, as far as this device knows. */
  readonly everSent: number;
  /** The last push sent before the ping that waits for its answer; undefined if none waits. Infinity if parts before it have no receipt. */
  readonly pinged: number | undefined;
}

/** Events that carry nothing. */
export type SimpleEvent =
  // The app wants something, or does not want it any more.
  | 'follow'
  /** The same, in a start that has begun to save before. */
  | 'follow-too'
  | 'stop-following'
  | 'start-saving'
  | 'stop-saving'
  | 'load-once'
  | 'save-once'
  /** There is a new push, or another held edit. */
  | 'edited'
  /** More is durable on this device. */
  | 'durable'
  /** The socket has opened, or the outbox needs another hello on it. */
  | 'opened'
  /** The socket is not open any more, or has failed to open. */
  | 'closed'
  /** The answer to the action `connect`: the socket is open. */
  | 'connected'
  /** Nothing was heard on the socket for too long. */
  | 'silent'
  /** The browser has lost its network, or has one again. */
  | 'network-changed'
  /** The time that `retry-later`, `retry-soon` or `begin-anew` waits for. */
  | 'retry'
  /** The answer to the action `resume`. */
  | 'resume'
  /** The room answered a seed. */
  | 'seeded'
  /** The room refused all of a seed. */
  | 'seed-refused'
  /** Another page of this device sends the edits of this one (OFFLINE-14). */
  | 'taken'
  /** A room that looks like a stock one has not answered hello. */
  | 'unanswered';

/** Events that carry something. */
export type DetailedEvent =
  /** The answer to a GET. */
  | {
      readonly type: 'content';
      /** Undefined in a stock room. */
      readonly cursor: Cursor | undefined;
      /** Undefined if the room has no Store. */
      readonly content: LeafMap<Leaf> | undefined;
    }
  | { readonly type: 'load-failed' | 'seed-failed'; readonly error: unknown }
  /** The socket leads to another room, where generations follow that one. */
  | { readonly type: 'moved'; readonly generation: number }
  /** Another part of the client has stopped the socket. */
  | { readonly type: 'stopped'; readonly error: TinyBasePartyKitError }
  /** The app ended the session. */
  | { readonly type: 'ended'; readonly error: TinyBasePartyKitError }
  | Exclude<RoomMessage, { readonly type: 'mark' }>;

/** Everything that can happen to a session. */
export type SessionEvent = SimpleEvent | DetailedEvent;

/** A change of the Store. */
export type Fold =
  /** Shows loaded content, with `changes` on top. */
  | {
      readonly type: 'content';
      readonly content: LeafMap<Leaf>;
      readonly changes: Changes | undefined;
      readonly isShown: boolean;
      /** The content again if it replaces edits that are held (VIEW-9). */
      readonly heldReplacedBy: LeafMap<Leaf> | undefined;
      /** True if the Store shows a seed that the room did not take: it becomes local-only first (SEED-2, SEED-8). */
      readonly isSeedLost: boolean;
    }
  /** Edits that are held give way to content that is shown later (VIEW-9). */
  | { readonly type: 'replace-held'; readonly content: LeafMap<Leaf> }
  /** Shows the app's initial content if nothing of a room was shown, and gives the room a seed if `isGiven`. */
  | { readonly type: 'seed'; readonly isGiven: boolean }
  | {
      readonly type: 'catch-up';
      /** The staged content, or that of the welcome. */
      readonly content: LeafMap<Leaf> | undefined;
      readonly lastPush: number;
      readonly changes: Changes;
      readonly isShown: boolean;
    }
  | {
      readonly type: 'commit';
      readonly changes: Changes;
      /** True if reactions to it may not be sent (DERIVE-1). */
      readonly isDerived: boolean;
      /** Undefined for changes of a stock room. */
      readonly version?: number | undefined;
    }
  | { readonly type: 'ack'; readonly ack: Ack }
  /** Waits for the end of an open transaction: what it edits is of the old room. */
  | { readonly type: 'leave' };

/** Actions that carry nothing. */
export type SimpleAction =
  /** Makes one push of the edits that are held. */
  | 'release-held'
  /** Requests the content. Earlier requests, and messages that wait, do not count any more. */
  | 'load'
  /** The same, with a URL that no cache has seen before. */
  | 'load-past-caches'
  /** Reports the refused part of a seed, because the room's content is known now. */
  | 'loaded'
  /** Shows the app's initial content, if nothing of a room was shown and the Store is free. */
  | 'show-initial'
  /** Settles the promises of what was started. */
  | 'settle'
  /** Answers `connected` if the socket is open. */
  | 'connect'
  /**
   * Says hello, as soon as its generation is durable. Does nothing if that hello was said. If the room looks like a stock one, answers
   * `unanswered` after a while: an app may answer GET for a room of ours, and only a room of ours answers hello.
   */
  | 'hello'
  /** Sends pending pushes, to a stock room without numbers. */
  | 'flush'
  /** Ends the conversation on the socket. */
  | 'hang-up'
  /** Forgets messages that wait. */
  | 'forget'
  /** Answers `retry`, later. */
  | 'retry-later'
  /** Answers `retry`: now, or later if that happens again and again. */
  | 'retry-soon'
  /** Answers `retry` of a client that the room has refused: now, or later if the app asks for that again and again (GATE-13). */
  | 'begin-anew'
  /** Answers `retry` now, if it was to come later. */
  | 'retry-now'
  /** There is a new socket: the next retry comes at once. */
  | 'reset-retry'
  /** Something went well: the same, if it has gone well for a while. */
  | 'relax-retry'
  /** Pings now. */
  | 'check'
  /** A pong came. */
  | 'ponged'
  /** A host answered a ping for the room. */
  | 'alive'
  /** Drops the connection and makes another. */
  | 'reconnect'
  /** Answers `resume`, when all earlier work is done. */
  | 'resume'
  /** Reports pending edits, and forgets all that belongs to the old room. */
  | 'move'
  /** Leaves the edits that the device had to the page that sends them, and enters the room again as another client. */
  | 'enter-again'
  /** Takes another client id. */
  | 'renew'
  /** Stops everything; closes the socket, unless the app ended the session. */
  | 'stop';

/** The reason why a push becomes empty, or a seed is not given again, and the leaves local-only. */
export type WithdrawalReason = 'malformed' | 'too-large' | 'access' | 'undelivered';

/** A thing that the session has to do. */
export type Action =
  | SimpleAction
  | { readonly type: 'report'; readonly error: unknown }
  /** The room answered hello. */
  | { readonly type: 'welcomed'; readonly limits: Limits }
  /** The room will not take that push. */
  | { readonly type: 'withdraw'; readonly push: number; readonly reason: WithdrawalReason }
  /** The room holds that much of a push that is sent in parts. */
  | { readonly type: 'received'; readonly receipt: PartReceipt };

/** The answer to an event: the next state, a change of the Store that comes first, and the actions, in order. */
export interface Step {
  readonly state: SessionState;
  readonly fold?: Fold | undefined;
  readonly actions: readonly Action[];
}
