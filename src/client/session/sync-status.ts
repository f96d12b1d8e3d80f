import { TinyBasePartyKitError, type ErrorCode } from '../../protocol/errors.ts';
import type { Refusal } from '../replica/refusal.ts';

/** The phase of a session. */
export type SyncPhase =
  /** Nothing was started. */
  | 'idle'
  /** The content is being fetched. */
  | 'loading'
  /** Waiting for the socket to open. */
  | 'connecting'
  /** The client told the room what it holds, and the room has not answered yet. */
  | 'catching-up'
  /** Every change arrives as it happens. */
  | 'live'
  /**
   * As live, on a room of TinyBase's own server, with its guarantees: an edit counts as confirmed once it was sent, nobody
   * says what the room made of it, and two edits of a leaf at the same time may leave Stores that differ.
   */
  | 'reduced'
  /** The room has no Store yet, and nobody here saves. */
  | 'empty'
  /** The room would answer every further attempt the same way, or the persister was replaced or destroyed; see `code`. */
  | 'stopped';

/** A session's state, as an app may show it. */
export interface Sync {
  readonly phase: SyncPhase;
  /** The number of transactions made here that the room has not confirmed. */
  readonly unsaved: number;
  /**
   * The number of leaves (Cells and Values) that only this Store holds, and that are not sent: refused by its own schema,
   * too large, or made by its listeners while nothing is saved. `discardLocal` ends that.
   */
  readonly localOnly: number;
  /** The reason, while stopped. */
  readonly code: ErrorCode | undefined;
  /** The last error while not `live`, `reduced`, `empty` or `idle`, or why it stopped; undefined once live. */
  readonly error: TinyBasePartyKitError | undefined;
}

/** Counts of what a persister did, as in TinyBase's own persisters. */
export interface SyncStats {
  /** Content and changes of the room that were applied. */
  loads: number;
  /** Pushes and seeds that were sent. */
  saves: number;
}

/** Calls of a session to its owner. */
export interface SessionEvents {
  readonly onSync: (sync: Sync) => void;
  readonly onRefused: (refusals: readonly Refusal[]) => void;
  /** Something went wrong. An error that keeps the session from being live is reported once, until it was live or another one does. */
  readonly onError: (error: unknown) => void;
}

/** The part of {@link Sync} that the session knows by itself. */
export type SyncFacts = Omit<Sync, 'code' | 'error'> & {
  /** The reason why it stopped; undefined while it has not. */
  readonly end: TinyBasePartyKitError | undefined;
};

/** Tells the app how the session stands, and each thing once. */
export interface SyncStatus {
  /** As the app was told last. */
  readonly sync: Sync;
  /** Tells the app if anything has changed. */
  update(): void;
  /** Reports an error. */
  failed(error: unknown): void;
}

/** `read` returns how the session stands now. */
export function createSyncStatus(events: SessionEvents, read: () => SyncFacts): SyncStatus {
  let sync: Sync = { phase: 'idle', unsaved: 0, localOnly: 0, code: undefined, error: undefined };
  const tell = (hindrance: TinyBasePartyKitError | undefined): void => {
    const { phase, unsaved, localOnly, end } = read();
    const error = end ?? (isHindered(phase) ? hindrance : undefined);
    if (
      phase === sync.phase &&
      unsaved === sync.unsaved &&
      localOnly === sync.localOnly &&
      error === sync.error
    )
      return;
    sync = { phase, unsaved, localOnly, code: end?.code, error };
    events.onSync(sync);
  };
  return {
    get sync() {
      return sync;
    },
    update: () => tell(sync.error),
    failed: (error) => {
      const { phase } = read();
      const isHindrance =
        error instanceof TinyBasePartyKitError && phase !== 'stopped' && isHindered(phase);
      if (!isHindrance) events.onError(error);
      else if (sync.error?.code !== error.code || sync.error.message !== error.message) {
        events.onError(error);
        tell(error);
      }
    },
  };
}

/** True in the phases that lead to being live. */
function isHindered(phase: SyncPhase): boolean {
  return phase !== 'idle' && phase !== 'live' && phase !== 'reduced' && phase !== 'empty';
}
