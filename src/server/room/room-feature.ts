import type { Content, Store } from 'tinybase';

import type { Changes } from '../../protocol/changes.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { Cursor } from '../../protocol/messages.ts';
import type { Waiter } from '../history/durability-gate.ts';
import type { KeyValueStorage } from '../storage/key-value-storage.ts';
import type { ChangeOrigin } from './change-origin.ts';
import type { MaybePromise } from './maybe-promise.ts';

/** The gate's decision about a connection. `expired`: it was admitted, and is closed as soon as anything is sent to it. */
export type Standing = 'admitted' | 'unknown' | 'expired';

/**
 * Decides who may enter. A room has at most one gate. It keeps its decision in a slot of the connection, so that it survives
 * hibernation.
 */
export interface RoomGate<Connection, Request> {
  /** Verifies a new connection, before any other part hears of it. Rejects with the `TinyBasePartyKitError` that refuses it. */
  admit(connection: Connection, request: Request): Promise<void>;
  /**
   * Verifies a request for `storePath` (GET, HEAD, PUT), or for a socket that does not exist yet. Rejects with the
   * `TinyBasePartyKitError` that refuses it. A PUT is verified again when its body is complete.
   */
  admitRequest(request: Request): Promise<void>;
  /**
   * Checks a connection, each time before the room sends it anything or takes anything from it. A gate may set a timer for its end
   * here.
   */
  check(connection: Connection): Standing;
  /** Returns true if the caller may change the Store. */
  mayWrite(caller: Connection | Request): boolean;
  /** Returns the id of the caller's user. */
  userIdOf?(caller: Connection | Request): string | undefined;
  /**
   * Makes all credentials that a user has so far invalid, and closes the user's connections. Resolves when that is on disk.
   */
  revoke?(userId: string): Promise<void>;
  /** Returns headers for the answer to a request, in addition to the room's. */
  headers?(request: Request): Readonly<Record<string, string>>;
}

/** A commit, or the room's initial content, right after it was ordered: it may not be durable yet. */
export interface RoomCommit<Connection, Request> {
  readonly cursor: Cursor;
  readonly changes: Changes;
  readonly origin: ChangeOrigin<Connection, Request>;
}

/** A message that a feature took from a connection. A push is not one: it is a commit. */
export interface TakenCall {
  readonly type: 'call';
  readonly name: string;
  readonly input: unknown;
}

/** The durable content of a room. */
export interface RoomSnapshot {
  readonly cursor: Cursor;
  readonly content: Content;
  /** The changes since the cursor that was asked for; undefined if the history does not have them. */
  readonly changes: Changes | undefined;
}

/**
 * A part of a room with messages of its own. The room calls it, and reports its errors. It does not hear again of
 * connections from before a hibernation: {@link FeatureRoom.connections} has them.
 */
export interface RoomFeature<Connection, Request> {
  /** Marks the feature's frames: one character that nothing else in the room uses (`SEAM-1`). */
  readonly letter?: string;
  /**
   * True: `received` begins in the room's queue, after everything that came before, with the Store loaded. Nothing waits
   * for its promise. Otherwise it is called at once.
   */
  readonly isOrdered?: boolean;
  /** True: the room keeps the times for {@link FeatureRoom.heardAt}. */
  readonly needsHeardTimes?: boolean;
  /**
   * Takes a frame: the text behind the letter. `isIntact` is false if the room has dropped a push that the connection sent
   * before it: the client sends that again after its next hello.
   */
  received?(connection: Connection, json: string, isIntact: boolean): MaybePromise<void>;
  /** Hears that a connection was let in. */
  admitted?(connection: Connection): void;
  /** Hears that a client is live: it gets every commit from now on. Called again after a time when it was not live. */
  live?(connection: Connection): void;
  /** Hears that an admitted connection has left: once, however it ended. */
  left?(connection: Connection): void;
  /** Hears of a commit at once. */
  committed?(commit: RoomCommit<Connection, Request>): void;
  /** Hears that everything up to this version is written: what is sent now reaches nobody before that is on disk. */
  written?(version: number): void;
  /** True: `answer` is also called while the room cannot be loaded. */
  readonly answersUnloaded?: boolean;
  /** Looks for connections that have left without a sign: the app or a backend called `garbageCollect()`. */
  garbageCollect?(): void;
  /**
   * Resolves to the content of a room that has no Store, or to undefined. The room asks while it loads, and serves nobody
   * meanwhile. If this rejects, the room cannot be loaded; the feature has reported why.
   */
  initialContent?(): Promise<LeafMap<Leaf> | undefined>;
  /** Hears that the room was loaded: from storage, after a failed write, or because it was emptied or restored. */
  loaded?(): void;
  /** Hears that another feature took a call. */
  taken?(call: TakenCall, connection: Connection): void;
  /** Answers a request that is not for `storePath`; returns undefined for one that is not for this feature. */
  answer?(request: Request, path: string): Promise<Response> | undefined;
}

/** The room, for a feature or a gate. */
export interface FeatureRoom<Connection> {
  readonly roomId: string;
  /** The room's Store. See {@link FeatureRoom.isLoaded}. */
  readonly store: Store;
  /** The whole storage of the room. */
  readonly storage: KeyValueStorage;
  /** The beginning of every key that the room uses. */
  readonly storagePrefix: string;
  /** True if the Store has the stored content. */
  readonly isLoaded: boolean;
  /**
   * The number of times that changes of the room's own code may have been lost: by a failed write, or because they were made while
   * the room was being restored. A wipe or a restore by itself loses none.
   */
  readonly losses: number;
  /** The version of the Store, which may not be durable yet; 0 without a Store. Undefined if the room is not loaded. */
  readonly cursor: Cursor | undefined;
  /**
   * Resolves to the content, and the changes since that cursor, once they are durable. Resolves to undefined if the room has
   * no Store, is not loaded, or has lost the content meanwhile.
   */
  snapshot(since: Cursor | undefined): Promise<RoomSnapshot | undefined>;
  /**
   * Removes all that the room has stored, in the order of the queue, if `isWanted` returns true then and nothing is on its way to
   * the disk. The room loads again when something needs it. Resolves to false if nothing was removed. Rejects if storage fails.
   */
  dispose(isWanted: () => boolean): Promise<boolean>;
  /** Tells the other features that this one took a call. */
  taken(call: TakenCall, connection: Connection): void;
  /** Returns the open connections that are admitted (`SEAM-2`). */
  connections(): readonly Connection[];
  /** Returns the id of the caller's user, as the gate knows it; undefined without a gate. */
  userIdOf(caller: Connection): string | undefined;
  /** Does what the room's own `garbageCollect()` does. */
  garbageCollect(): Promise<void>;
  /** Sends a frame with that letter at once. */
  send(connection: Connection, letter: string, json: string): void;
  /**
   * Releases the waiter when everything ordered before is written, or on disk if it `waitsForSync`: its frames keep their place
   * among commits (`SEAM-3`). While a transaction of the room's own code is open, its commit also comes first.
   */
  release(waiter: Waiter): void;
  /**
   * Runs code on behalf of a connection. Until the returned function is called, all changes of the room's own code name the
   * connection as a caller (`EVENT-8`). If the code throws, it has ended.
   */
  represent<T>(caller: Connection, code: () => T): readonly [outcome: T, end: () => void];
  /** Counts what the room sends because of a connection, in characters, as if the connection had sent it (`EVENT-6`). */
  charge(connection: Connection, length: number): void;
  /** Counts so many more characters as held for a connection, or fewer if negative (`LIMIT-5`). */
  hold(connection: Connection, length: number): void;
  /** True once the room or the app has closed the connection, or its grant has ended: nothing of it counts any more (`CLOSE-1`). */
  isRefused(connection: Connection): boolean;
  /** Returns the value of a slot of the connection, which survives hibernation; undefined if it has none (`SEAM-4`). */
  readSlot(connection: Connection, slot: string): unknown;
  /** Sets a slot to a value of JSON; `null` removes it. All slots together should take at most 1 KiB. */
  writeSlot(connection: Connection, slot: string, value: unknown): void;
  /**
   * Returns the time of a connection's last message or ping, exact to 20 s, also after a hibernation. Undefined if it was
   * silent since a feature has `needsHeardTimes`. A time in the future does not count: the clock was set back since.
   */
  heardAt(connection: Connection): number | undefined;
  /** Sends an error. */
  tell(connection: Connection, code: ErrorCode, message: string): void;
  /** Sends an error and closes the connection. */
  refuse(connection: Connection, code: ErrorCode, message: string): void;
  /** Returns the time in milliseconds since 1970. */
  now(): number;
  /** Calls back once, later, but after about 24.8 days at the latest; returns a function that prevents it. */
  after(milliseconds: number, callback: () => void): () => void;
  /** Reports an error to `onRoomError`. */
  report(error: unknown): void;
}

/**
 * A room that features attach themselves to: every room server. A function such as `createAuth(room: FeatureHost, …)` takes
 * this and not the room's class, so that TypeScript can infer the type of the field that it is called for.
 */
export interface FeatureHost<Connection, Request> {
  addFeature(feature: RoomFeature<Connection, Request>): FeatureRoom<Connection>;
  setGate(gate: RoomGate<Connection, Request>): FeatureRoom<Connection>;
}

/**
 * A property of rules for users, and of what is made of them. A room whose class has such an object, and no gate, lets nobody in
 * (`LIFE-10`).
 */
export const NEEDS_GATE: unique symbol = Symbol.for('tinybase-partykit:needs-gate');
