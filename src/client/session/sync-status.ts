import { TinyBasePartyKitError, type ErrorCode } from '../../protocol/errors.ts';
import type { Refusal } from '../replica/refusal.ts';

/** The phase of a session. */
export type SyncPhase =
  /** Nothing is started, or everything was stopped again, and no push is pending. */
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
   * Live in a room of TinyBase's own server, without further guarantees. An edit counts as confirmed once it was sent, the
   * room does not report its result, and after two edits of a leaf at the same time the Stores may differ.
   */
  | 'reduced'
  /** The room has no Store yet, and this client does not save. */
  | 'empty'
  /**
   * Each further attempt would get the same answer, or the persister was replaced or destroyed; see `code`. After `unauthorized` and
   * `forbidden`, the app may start it again.
   */
  | 'stopped';

/** The state of a session, for the app to show. */
export interface Sync {
  readonly phase: SyncPhase;
  /** The number of transactions made here that the room has not confirmed. */
  readonly unsaved: number;
  /**
   * The number of leaves (Cells and Values) that only this Store holds and that are not sent: they were refused by its own
   * schema, are too large, or were made by its listeners while nothing is saved. `discardLocal` ends this.
   */
  readonly localOnly: number;
  /**
   * The number of bytes of the content that have come, while it is loading: told for each 64 KiB. Left out before, in all other
   * phases, and where the platform cannot tell.
   */
  readonly loadedBytes?: number;
  /** The reason, while stopped. */
  readonly code: ErrorCode | undefined;
  /**
   * The last error while not `live`, `reduced`, `empty` or `idle`, or why it stopped; undefined once live.
   * `docs/troubleshooting.md` of the package explains each message.
   */
  readonly error: TinyBasePartyKitError | undefined;
}

/** Counts of what a persister did, as in TinyBase's own persisters. */
export interface SyncStats {
  /** Loads that the app began, and changes of others that were shown. */
  loads: number;
  /** Saves that the app began, and pushes that were sent. */
  saves: number;
}

/** Told of what a session does at the moment. May not throw. */
export interface SessionActivity {
  /** Remote changes are applied to the Store, or have been. */
  applying(isApplying: boolean): void;
  /** Edits are on their way to the room, or none are. */
  sending(isSending: boolean): void;
}

/** Calls of a session to its owner. */
export interface SessionEvents {
  readonly onSync: (sync: Sync) => void;
  readonly onRefused: (refusals: readonly Refusal[]) => void;
  /** Gets errors. The error that keeps the session from being live comes once, until it was live or the error is another one. */
  readonly onError: (error: unknown) => void;
}

/** The part of {@link Sync} that the session itself knows. */
export type SyncFacts = Omit<Sync, 'code' | 'error' | 'loadedBytes'> & {
  readonly loadedBytes: number | undefined;
  /** The reason why it stopped; undefined while it has not. */
  readonly end: TinyBasePartyKitError | undefined;
};

/** Reports the state of the session to the app, each change once. */
export interface SyncStatus {
  /** The state that the app was told last. */
  readonly sync: Sync;
  /** Tells the app the state if it has changed. */
  update(): void;
  /** Reports an error. */
  failed(error: unknown): void;
}

/** Creates a status. `read` returns the present state of the session. */
export function createSyncStatus(events: SessionEvents, read: () => SyncFacts): SyncStatus {
  let sync: Sync = Object.freeze({
    phase: 'idle',
    unsaved: 0,
    localOnly: 0,
    code: undefined,
    error: undefined,
  });
  const tell = (hindrance: TinyBasePartyKitError | undefined): void => {
    const { phase, unsaved, localOnly, loadedBytes, end } = read();
    const error = end ?? (isHindered(phase) ? hindrance : undefined);
    if (
      phase === sync.phase &&
      unsaved === sync.unsaved &&
      localOnly === sync.localOnly &&
      loadedBytes === sync.loadedBytes &&
      error === sync.error
    )
      return;
    sync = Object.freeze({
      phase,
      unsaved,
      localOnly,
      ...(loadedBytes !== undefined && { loadedBytes }),
      code: end?.code,
      error,
    });
    events.onSync(sync);
  };
  return {
    get sync() {
      return sync;
    },
    update: () => tell(sync.error),
    failed: (error) => {
      const isHindrance = error instanceof TinyBasePartyKitError && isHindered(read().phase);
      if (!isHindrance) events.onError(error);
      else if (sync.error?.code !== error.code || sync.error.message !== error.message) {
        events.onError(error);
        tell(error);
      }
    },
  };
}

/** Returns true in the phases on the way to live. */
export function isHindered(phase: SyncPhase): boolean {
  return phase === 'loading' || phase === 'connecting' || phase === 'catching-up';
}
