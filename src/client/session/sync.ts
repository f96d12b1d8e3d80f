import type { ErrorCode, TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { Refusal } from '../replica/refusal.ts';

/** Where a session stands. */
export type SyncPhase =
  /** Nothing was started. */
  | 'idle'
  /** The content is being fetched. */
  | 'loading'
  /** Waiting for the socket to open. */
  | 'connecting'
  /** The room was told what is here, and has not answered yet. */
  | 'catching-up'
  /** Every change arrives as it happens. */
  | 'live'
  /**
   * As live, on a room of TinyBase's own server, whose guarantees hold and no others: an edit counts as confirmed once it was
   * sent, nothing says what the room made of it, and two edits of a leaf at the same time may leave Stores that differ.
   */
  | 'reduced'
  /** The room has no Store yet, and nobody here saves. */
  | 'empty'
  /** The room would answer every further attempt the same way, or the persister was replaced or destroyed; see `code`. */
  | 'stopped';

/** A session's state, as an app may show it. */
export interface Sync {
  readonly phase: SyncPhase;
  /** How many transactions made here are not confirmed by the room. */
  readonly unsaved: number;
  /**
   * How many leaves (Cells and Values) show here what the room does not hold and was not sent: refused by this Store's
   * own schema, too large, or made by its listeners while nothing is saved. `discardLocal` ends that.
   */
  readonly localOnly: number;
  /** Set while stopped: why. */
  readonly code: ErrorCode | undefined;
  /**
   * What keeps it from being live, as `onIgnoredError` was told last, or why it stopped. Undefined while nothing does, and
   * while it is `live`, `reduced`, `empty` or `idle`.
   */
  readonly error: TinyBasePartyKitError | undefined;
}

/** What a session tells its owner. */
export interface SessionEvents {
  readonly onSync: (sync: Sync) => void;
  readonly onRefused: (refusals: readonly Refusal[]) => void;
  /** Something went wrong. What keeps the session from being live is told once, until it was live or something else does. */
  readonly onError: (error: unknown) => void;
}

/** What becomes the first content of a room that has none. If it is a function, it is called when it is needed. */
export type InitialContent = LeafMap<Leaf> | (() => LeafMap<Leaf> | undefined);
